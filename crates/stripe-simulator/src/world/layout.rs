//! What the objects of a table look like: worked out once, when the first of them is looked at, so that an
//! account with few objects is small.

use std::sync::Arc;

use stripe_openapi::Resource;
use stripe_openapi::knowledge::lists::is_nested_on_request;

use super::World;
use crate::content::{self, Setting};
use crate::lore;
use crate::template::{Compiler, Part, Reference, push_text};

/// The properties of a table's objects, as templates.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) columns: Vec<(String, Vec<Part>)>,
    /// The object as lists show it: all columns but nested lists that must be asked for.
    pub(crate) whole: Vec<Part>,
    pub(crate) hidden_nested: Vec<String>,
}

impl Layout {
    fn new(columns: Vec<(String, Vec<Part>)>, only_expanded: impl Fn(&str) -> bool) -> Self {
        let hidden = |(name, parts): &(String, Vec<Part>)| {
            matches!(parts[..], [Part::Nested { .. }]) && only_expanded(name)
        };
        Self {
            whole: join(columns.iter().filter(|column| !hidden(column))),
            hidden_nested: columns
                .iter()
                .filter(|column| hidden(column))
                .map(|(name, _)| name.clone())
                .collect(),
            columns,
        }
    }

    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(column, _)| column == name)
    }

    /// The reference in a column, if the column is nothing but one.
    pub(crate) fn reference(&self, column: usize) -> Option<&Reference> {
        match &self.columns[column].1[..] {
            [Part::Reference(reference)] => Some(reference),
            _ => None,
        }
    }
}

impl World {
    /// What the objects of a table hold.
    pub(crate) fn layout(&self, table: usize) -> &Arc<Layout> {
        self.tables[table].layout.get_or_init(|| Arc::new(self.compile(table)))
    }

    fn compile(&self, index: usize) -> Layout {
        let catalog = Arc::clone(&self.catalog);
        let resource = &catalog.resources[index];
        let table = &self.tables[index];
        let owners: Vec<usize> = table.owners.iter().map(|family| self.families[*family].parent).collect();
        // A reference may name a table with objects, or the table of the object's own parent.
        let target = |name: &str| {
            let target = self.names.get(name).copied()?;
            let clocks_in_live_mode = name == "test_helpers_test_clock" && self.settings.livemode;
            let filled = self.tables[target].count > 0 && !clocks_in_live_mode;
            (filled || owners.contains(&target)).then_some(target)
        };
        let compiler = Compiler {
            seed: table.seed,
            livemode: self.settings.livemode,
            account: &self.settings.account.id,
            version: &catalog.api_version,
            target: &target,
        };
        let mut columns: Vec<(String, Vec<Part>)> = vec![("id".into(), Vec::new())];
        compiler.compile("id", "\"{{id}}\"", &mut columns[0].1);
        for column in &resource.columns {
            let referred = lore::reference_table(&resource.table, &column.name).unwrap_or(&column.name);
            let may_refer = column.expandable || column.column_type == stripe_openapi::ColumnType::Text;
            let setting = Setting {
                table: &resource.table,
                object: &resource.resource_id,
                values: filter_values(resource, &column.name),
                target: (may_refer && target(referred).is_some()).then_some(referred),
                null_percent: if column.nullable {
                    lore::null_share(&resource.table, &column.name)
                } else {
                    0
                },
            };
            let mut parts = Vec::new();
            compiler.compile(&column.name, &content::property(&setting, column), &mut parts);
            columns.push((column.name.clone(), parts));
        }
        for nested in &resource.nested_lists {
            let family = self.families.iter().position(|family| {
                family.parent == index && family.property.as_deref() == Some(nested.property.as_str())
            });
            if let Some(family) = family {
                columns.push((nested.property.clone(), vec![Part::Nested { family }]));
            }
        }
        columns.sort_by(|(a, _), (b, _)| (a != "id", a != "object", a).cmp(&(b != "id", b != "object", b)));
        columns.dedup_by(|(a, _), (b, _)| a == b);
        if self.settings.oddities {
            oddities(&compiler, &mut columns);
        }
        let only_expanded =
            |property: &str| is_nested_on_request(&resource.table, property, &catalog.api_version);
        Layout::new(columns, only_expanded)
    }
}

/// Makes metadata hold what is legal JSON and yet surprises: NUL, a lone escape, huge numbers.
fn oddities(compiler: &Compiler<'_>, columns: &mut [(String, Vec<Part>)]) {
    for (_, parts) in columns.iter_mut().filter(|(name, _)| name == "metadata") {
        parts.clear();
        compiler.compile("metadata", "{{pick@metadata:{}|{\"nul\":\"a\\u0000b\"}|{\"big\":\"18446744073709551616\",\"escaped\":\"\\u00fc\\/\\uD83D\\uDE00\"}|{\"number\":9007199254740993}}}", parts);
    }
}

fn filter_values<'a>(resource: &'a Resource, column: &str) -> &'a [String] {
    let lists = resource.list.iter().chain(resource.child_lists.iter().map(|child| &child.list));
    lists
        .flat_map(|list| &list.parameters)
        .find(|parameter| parameter.name == column && !parameter.values.is_empty())
        .map_or(&[], |parameter| &parameter.values)
}

/// Joins the JSON text of properties into one object template.
pub(super) fn join<'a>(columns: impl Iterator<Item = &'a (String, Vec<Part>)>) -> Vec<Part> {
    let mut whole = Vec::new();
    for (index, (name, parts)) in columns.enumerate() {
        push_text(if index == 0 { "{" } else { "," }, &mut whole);
        push_text(&format!("\"{name}\":"), &mut whole);
        for part in parts {
            match part {
                Part::Text(text) => push_text(&String::from_utf8_lossy(text), &mut whole),
                other => whole.push(other.clone()),
            }
        }
    }
    push_text("}", &mut whole);
    whole
}
