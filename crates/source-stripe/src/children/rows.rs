//! The rows that lie in nested lists of a page of parents.

use protocol::{RawJson, Sweep};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::siblings::Siblings;
use crate::page::{Page, PageBuilder, Stamp, Unexpected};

/// Child rows of a page of parents.
#[derive(Debug)]
pub(crate) struct ChildRows {
    pub(crate) page: Page,
    /// Per parent, how many rows there are up to its last one.
    ends: Vec<usize>,
    /// Per parent, its id; empty for rows that have none, and for parents that are deleted.
    parents: Vec<String>,
}

impl ChildRows {
    /// The objects of a page as rows of their own: one each.
    pub(crate) fn of_page(page: Page) -> ChildRows {
        let ends = (1..=page.count()).collect();
        ChildRows { page, ends, parents: Vec::new() }
    }

    /// Of each of the first `parents` parents: which rows are all that it has, as of the second `version`.
    pub(crate) fn sweeps(&self, parents: usize, account: &str, version: i64) -> Vec<Sweep> {
        let ids: Vec<&str> = self.page.ids().collect();
        let mut begin = 0;
        let of_parent = |(parent, end): (&String, &usize)| {
            let mut all = Siblings::default();
            all.add(ids[begin..*end].iter().copied(), version);
            begin = *end;
            if parent.is_empty() { None } else { all.sweep(parent, account) }
        };
        self.parents.iter().zip(&self.ends).take(parents).filter_map(of_parent).collect()
    }

    /// How many rows belong to the first `parents` parents.
    pub(crate) fn of_first(&self, parents: usize) -> usize {
        parents.checked_sub(1).and_then(|last| self.ends.get(last).or(self.ends.last())).copied().unwrap_or(0)
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    has_more: Option<bool>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

/// The items of the nested list `property` of each of `parents`, whose nested lists are complete, as rows; with
/// `names_parent` they name theirs, so that they can be swept. Fails where a list is cut all the same: its rows would
/// pass for all there are.
pub(crate) fn rows_of(
    parents: &Page,
    property: &str,
    names_parent: bool,
    stamp: &Stamp,
) -> Result<ChildRows, Unexpected> {
    let mut rows = PageBuilder::default();
    let mut ends = Vec::with_capacity(parents.count());
    let mut ids = Vec::with_capacity(parents.count());
    for index in 0..parents.count() {
        let id = match parents.record(index) {
            Some((parent, false)) => add(&parent, property, names_parent, stamp, &mut rows)?,
            _ => None,
        };
        ids.push(id.filter(|_| names_parent).unwrap_or_default());
        ends.push(rows.count());
    }
    Ok(ChildRows { page: rows.finish(), ends, parents: ids })
}

/// Adds the rows of a parent; answers its id if it has the list.
fn add(
    parent: &RawJson,
    property: &str,
    names_parent: bool,
    stamp: &Stamp,
    rows: &mut PageBuilder,
) -> Result<Option<String>, Unexpected> {
    let unexpected = |what: &dyn std::fmt::Display| Unexpected(format!("`{property}` is no list: {what}"));
    let [list] = parent.members([property]).map_err(|error| unexpected(&error))?;
    let Some(list) = list.filter(|list| list.get() != "null") else { return Ok(None) };
    let Id { id } = parent.read().map_err(|error| unexpected(&error))?;
    let list: Envelope<'_> = serde_json::from_str(list.get()).map_err(|error| unexpected(&error))?;
    if list.has_more == Some(true) {
        return Err(Unexpected(format!("`{property}` of {id} is too long to be read within its parent")));
    }
    let under = names_parent.then(|| stamp.under(&id));
    let stamp = under.as_ref().unwrap_or(stamp);
    list.data.into_iter().try_for_each(|item| rows.push(item.get(), Some(stamp)))?;
    Ok(Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{Shape, read_page};

    #[test]
    fn items_become_rows_that_name_their_parent() {
        let body = r#"{"object":"list","has_more":false,"data":[
            {"id":"sub_1","items":{"object":"list","data":[{"id":"si_1","n":1.50},{"id":"si_2"}],"has_more":false}},
            {"id":"sub_2","items":null},{"id":"sub_3"},
            {"id":"sub_4","items":{"object":"list","data":[{"id":"si_3"}],"has_more":false}}]}"#;
        let stamp = Stamp::new("acct_1", 9);
        let parents = read_page(body.as_bytes(), Shape::V1, &stamp).unwrap();
        let rows = rows_of(&parents, "items", true, &stamp).unwrap();
        assert_eq!(
            rows.page.record(0).unwrap().0.as_str(),
            r#"{"id":"si_1","n":1.50,"_updated_at":9,"_account_id":"acct_1","_parent_id":"sub_1"}"#
        );
        assert_eq!(rows.page.ids().collect::<Vec<_>>(), ["si_1", "si_2", "si_3"]);
        let swept: Vec<(String, Vec<String>)> =
            rows.sweeps(4, "acct_1", 9).into_iter().map(|sweep| (sweep.parent, sweep.keep)).collect();
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(swept, [("sub_1".into(), ids(&["si_1", "si_2"])), ("sub_4".into(), ids(&["si_3"]))]);
        assert_eq!((0..6).map(|first| rows.of_first(first)).collect::<Vec<_>>(), [0, 2, 2, 2, 3, 3]);
    }

    #[test]
    fn a_cut_list_does_not_pass_for_whole() {
        let body = r#"{"object":"list","has_more":false,"data":[
            {"id":"sub_1","items":{"object":"list","data":[{"id":"si_1"}],"has_more":true}}]}"#;
        let stamp = Stamp::new("acct_1", 9);
        let parents = read_page(body.as_bytes(), Shape::V1, &stamp).unwrap();
        assert!(rows_of(&parents, "items", true, &stamp).is_err());
    }
}
