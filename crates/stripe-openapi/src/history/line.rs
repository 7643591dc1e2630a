//! Lines: one fact about one resource, written and read.

use crate::{
    ChildList, Column, ColumnType, EventType, ListEndpoint, ListStyle, NestedList, Parameter, Resource,
};

/// The parts of a file, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    Resource,
    List,
    Children,
    Retrieve,
    Queries,
    Columns,
    NestedLists,
    Events,
}

/// Stands for a table that is not known.
const UNKNOWN: &str = "?";

/// All facts about a resource, each with its place in the file.
pub(super) fn facts(resource: &Resource) -> Vec<(Section, String)> {
    let mut facts =
        vec![(Section::Resource, format!("resource {} {}", resource.table, resource.resource_id))];
    if let Some(list) = &resource.list {
        facts.push((Section::List, format!("list {} {}", style_word(list.style), list.path)));
        queries(list, &mut facts);
    }
    for child in &resource.child_lists {
        let list = &child.list;
        let parent = child.parent_table.as_deref().unwrap_or(UNKNOWN);
        let fact =
            format!("child {} {} {} {parent}", style_word(list.style), list.path, child.parent_parameter);
        facts.push((Section::Children, fact));
        queries(list, &mut facts);
    }
    if let Some(path) = &resource.retrieve_path {
        facts.push((Section::Retrieve, format!("retrieve {path}")));
    }
    for column in &resource.columns {
        let nullable = if column.nullable { " null" } else { "" };
        let expandable = if column.expandable { " expandable" } else { "" };
        let type_word = type_word(column.column_type);
        facts.push((Section::Columns, format!("column {} {type_word}{nullable}{expandable}", column.name)));
    }
    for nested in &resource.nested_lists {
        let items = nested.item_table.as_deref().unwrap_or(UNKNOWN);
        facts.push((Section::NestedLists, format!("nested {} {items}", nested.property)));
    }
    for event in &resource.events {
        let deletes = if event.deletes { " deletes" } else { "" };
        facts.push((Section::Events, format!("event {}{deletes}", event.name)));
    }
    facts
}

fn queries(list: &ListEndpoint, facts: &mut Vec<(Section, String)>) {
    for parameter in &list.parameters {
        let required = if parameter.required { " (required)" } else { "" };
        facts.push((Section::Queries, format!("query {} {}{required}", list.path, parameter.name)));
        for value in &parameter.values {
            facts.push((Section::Queries, format!("query {} {} = {value}", list.path, parameter.name)));
        }
    }
}

fn style_word(style: ListStyle) -> &'static str {
    match style {
        ListStyle::V1 => "v1",
        ListStyle::V2 => "v2",
    }
}

fn read_style(word: &str) -> Result<ListStyle, String> {
    match word {
        "v1" => Ok(ListStyle::V1),
        "v2" => Ok(ListStyle::V2),
        _ => Err(format!("`{word}` is no style of list")),
    }
}

const TYPE_WORDS: [(ColumnType, &str); 6] = [
    (ColumnType::Text, "text"),
    (ColumnType::Boolean, "boolean"),
    (ColumnType::BigInt, "bigint"),
    (ColumnType::Numeric, "numeric"),
    (ColumnType::Json, "json"),
    (ColumnType::Timestamp, "timestamp"),
];

fn type_word(column_type: ColumnType) -> &'static str {
    TYPE_WORDS.iter().find(|(known, _)| *known == column_type).map_or("text", |(_, word)| word)
}

/// A resource while its facts are read. Facts come in the order of the file, so that all are sorted.
#[derive(Default)]
pub(super) struct Builder {
    resource: Option<Resource>,
}

impl Builder {
    /// Adds a fact; the error is a sentence.
    pub(super) fn add(&mut self, fact: &str) -> Result<(), String> {
        let words: Vec<&str> = fact.split(' ').collect();
        if let ["resource", table, resource_id] = words[..] {
            self.resource = Some(empty(table, resource_id));
            return Ok(());
        }
        let resource = self.resource.as_mut().ok_or("the first fact must be `resource`")?;
        match words[..] {
            ["list", style, path] => resource.list = Some(endpoint(style, path)?),
            ["child", style, path, parameter, parent] => resource.child_lists.push(ChildList {
                list: endpoint(style, path)?,
                parent_parameter: parameter.to_owned(),
                parent_table: known(parent),
            }),
            ["retrieve", path] => resource.retrieve_path = Some(path.to_owned()),
            ["query", path, name] => query(resource, path, name, false)?,
            ["query", path, name, "(required)"] => query(resource, path, name, true)?,
            ["query", path, name, "=", ..] => {
                let value = fact.split_once(" = ").map_or("", |(_, value)| value);
                let parameter =
                    parameters(resource, path)?.iter_mut().find(|parameter| parameter.name == name);
                parameter.ok_or("a value before its parameter")?.values.push(value.to_owned());
            }
            ["column", name, type_word, ref flags @ ..] => {
                resource.columns.push(column(name, type_word, flags)?);
            }
            ["nested", property, items] => {
                resource
                    .nested_lists
                    .push(NestedList { property: property.to_owned(), item_table: known(items) });
            }
            ["event", name] => resource.events.push(EventType { name: name.to_owned(), deletes: false }),
            ["event", name, "deletes"] => {
                resource.events.push(EventType { name: name.to_owned(), deletes: true });
            }
            _ => return Err(format!("`{fact}` is no fact")),
        }
        Ok(())
    }

    /// The resource that the facts describe.
    pub(super) fn finish(self) -> Result<Resource, String> {
        self.resource.ok_or_else(|| "no `resource` fact".to_owned())
    }
}

fn empty(table: &str, resource_id: &str) -> Resource {
    Resource {
        table: table.to_owned(),
        resource_id: resource_id.to_owned(),
        list: None,
        child_lists: Vec::new(),
        retrieve_path: None,
        columns: Vec::new(),
        nested_lists: Vec::new(),
        events: Vec::new(),
    }
}

fn endpoint(style: &str, path: &str) -> Result<ListEndpoint, String> {
    Ok(ListEndpoint { path: path.to_owned(), style: read_style(style)?, parameters: Vec::new() })
}

fn known(table: &str) -> Option<String> {
    (table != UNKNOWN).then(|| table.to_owned())
}

/// The parameters of the list at `path`.
fn parameters<'a>(resource: &'a mut Resource, path: &str) -> Result<&'a mut Vec<Parameter>, String> {
    let children = resource.child_lists.iter_mut().map(|child| &mut child.list);
    let list = resource.list.iter_mut().chain(children).find(|list| list.path == path);
    list.map(|list| &mut list.parameters).ok_or_else(|| format!("no list at `{path}`"))
}

fn query(resource: &mut Resource, path: &str, name: &str, required: bool) -> Result<(), String> {
    let parameter = Parameter { name: name.to_owned(), required, values: Vec::new() };
    parameters(resource, path)?.push(parameter);
    Ok(())
}

fn column(name: &str, type_word: &str, flags: &[&str]) -> Result<Column, String> {
    let found = TYPE_WORDS.iter().find(|(_, word)| *word == type_word);
    let (column_type, _) = *found.ok_or_else(|| format!("`{type_word}` is no column type"))?;
    let (nullable, expandable) = match flags {
        [] => (false, false),
        ["null"] => (true, false),
        ["expandable"] => (false, true),
        ["null", "expandable"] => (true, true),
        _ => return Err(format!("`{}` says nothing about a column", flags.join(" "))),
    };
    Ok(Column { name: name.to_owned(), column_type, nullable, expandable })
}
