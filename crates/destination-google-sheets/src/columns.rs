//! The first row of a tab: which column holds what, and which columns are ours. Decides only.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::cell::read_text;
use crate::layout::SYNCED_AT;

/// The columns of a tab, from `A` on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    names: Vec<String>,
    ours: Vec<bool>,
    at: HashMap<String, usize>,
}

impl Columns {
    /// What a first row says; `ours` are the names of columns that are written.
    pub(crate) fn read(cells: &[Value], ours: &BTreeSet<String>) -> Columns {
        let mut columns = Columns::default();
        for cell in cells {
            let name = read_text(cell);
            let first = !name.is_empty() && !columns.at.contains_key(&name);
            if first {
                columns.at.insert(name.clone(), columns.names.len());
            }
            columns.ours.push(first && ours.contains(&name));
            columns.names.push(name);
        }
        columns
    }

    /// Where a column is, from 0.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.at.get(name).copied()
    }

    /// Takes a column as ours, at the right end where it is new. Answers whether anything changed.
    pub(crate) fn add(&mut self, name: &str) -> bool {
        match self.at.get(name) {
            Some(at) => !std::mem::replace(&mut self.ours[*at], true),
            None => {
                self.at.insert(name.to_owned(), self.names.len());
                self.names.push(name.to_owned());
                self.ours.push(true);
                true
            }
        }
    }

    /// Whether the row has no name at all.
    pub(crate) fn is_blank(&self) -> bool {
        self.at.is_empty()
    }

    /// Those of the `names` that there are not, and whose cells only the source can give back.
    pub(crate) fn lost(&self, names: &BTreeSet<String>) -> Vec<String> {
        let lost = |name: &&String| *name != SYNCED_AT && !self.at.contains_key(*name);
        names.iter().filter(lost).cloned().collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The name of each column, `None` where it is not ours.
    pub(crate) fn ours(&self) -> impl Iterator<Item = Option<&str>> {
        self.names.iter().zip(&self.ours).map(|(name, ours)| ours.then_some(name.as_str()))
    }

    /// The names of those that are ours.
    pub(crate) fn our_names(&self) -> BTreeSet<String> {
        self.ours().flatten().map(str::to_owned).collect()
    }

    /// A JSON row that empties what is ours and leaves the rest.
    pub(crate) fn cleared(&self) -> String {
        let cells: Vec<&str> = self.ours.iter().map(|ours| if *ours { "\"\"" } else { "null" }).collect();
        format!("[{}]", cells.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_of_users_are_left_alone() {
        let cells = [json!("id"), json!("notes"), json!(""), json!("id"), json!(7)];
        let ours = BTreeSet::from(["id".to_owned(), "7".to_owned(), "new".to_owned()]);
        let mut columns = Columns::read(&cells, &ours);
        assert_eq!(columns.cleared(), "[\"\",null,null,null,\"\"]");
        assert!(columns.add("new") && !columns.add("new") && columns.add("notes"));
        assert_eq!(columns.position("new"), Some(5));
        assert_eq!(columns.cleared(), "[\"\",\"\",null,null,\"\",\"\"]");
    }
}
