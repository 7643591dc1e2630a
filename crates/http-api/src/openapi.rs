//! Assembling an OpenAPI 3.1 document from operations and from the schemas of types.

use std::fmt::Write as _;

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

const COMPONENTS: &str = "#/components/schemas/";

/// Named schemas, each once.
#[derive(Debug)]
pub struct Components {
    generator: SchemaGenerator,
    own: Map<String, Value>,
    names: Vec<(&'static str, &'static str)>,
}

impl Components {
    /// No schemas yet. Types called by the first of each pair of `names` are components of the second name.
    pub fn new(names: &[(&'static str, &'static str)]) -> Components {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Components { generator: settings.into_generator(), own: Map::new(), names: names.to_vec() }
    }

    /// A reference to the schema of `T`.
    pub fn of<T: JsonSchema>(&mut self) -> Value {
        let mut schema = self.generator.subschema_for::<T>().to_value();
        self.rename(&mut schema);
        schema
    }

    /// The generator, for schemas that are not of one type.
    pub fn generator(&mut self) -> &mut SchemaGenerator {
        &mut self.generator
    }

    /// Adds a schema by name and answers a reference to it. Definitions inside of it become components, too, named
    /// after it.
    pub fn add(&mut self, name: &str, mut schema: Value) -> Value {
        self.rename(&mut schema);
        if let Some(object) = schema.as_object_mut() {
            object.remove("$schema");
            if let Some(Value::Object(definitions)) = object.remove("$defs") {
                for (inner, definition) in definitions {
                    self.own.insert(format!("{name}{inner}"), hoisted(definition, name));
                }
            }
        }
        self.own.insert(name.to_owned(), hoisted(schema, name));
        reference(name)
    }

    /// All of them, by name.
    pub fn finish(mut self) -> Map<String, Value> {
        let mut all = Map::new();
        for (name, mut schema) in self.generator.take_definitions(true) {
            self.rename(&mut schema);
            let renamed = self.names.iter().find(|(from, _)| *from == name);
            all.insert(renamed.map_or(name, |(_, to)| (*to).to_owned()), schema);
        }
        all.extend(self.own);
        all.sort_keys();
        all
    }

    fn rename(&self, schema: &mut Value) {
        each_reference(schema, &|target| {
            let name = target.strip_prefix(COMPONENTS)?;
            let (_, to) = self.names.iter().find(|(from, _)| *from == name)?;
            Some(format!("{COMPONENTS}{to}"))
        });
    }
}

/// A reference to a component.
pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("{COMPONENTS}{name}")})
}

/// References into the definitions of `schema` now lead to components named after `owner`.
fn hoisted(mut schema: Value, owner: &str) -> Value {
    each_reference(&mut schema, &|target| {
        target.strip_prefix("#/$defs/").map(|inner| format!("{COMPONENTS}{owner}{inner}"))
    });
    schema
}

fn each_reference(schema: &mut Value, change: &dyn Fn(&str) -> Option<String>) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| each_reference(item, change)),
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref")
                && let Some(changed) = change(target)
            {
                *target = changed;
            }
            members.values_mut().for_each(|member| each_reference(member, change));
        }
        _ => {}
    }
}

/// A content type, and the schema of what has it.
pub type Content = (&'static str, Value);

/// A status, words about it, and the content.
pub type Answer = (u16, &'static str, Option<Content>);

/// One operation of an API.
#[derive(Debug, Clone)]
pub struct Operation {
    /// `get`, `post`, …
    pub method: &'static str,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// Its name for generated clients.
    pub id: &'static str,
    /// The group it belongs to.
    pub tag: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// Parameters of path, query and headers, as OpenAPI writes them.
    pub parameters: Vec<Value>,
    /// The body it takes: pairs of content type and schema.
    pub body: Vec<Content>,
    /// How it answers: status, words, and the content with its schema.
    pub answers: Vec<Answer>,
}

impl Operation {
    fn document(&self) -> Value {
        let mut operation = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
        });
        if !self.parameters.is_empty() {
            operation["parameters"] = Value::Array(self.parameters.clone());
        }
        let content =
            |(kind, schema): &(&'static str, Value)| ((*kind).to_owned(), json!({"schema": schema}));
        if !self.body.is_empty() {
            let content: Map<String, Value> = self.body.iter().map(content).collect();
            operation["requestBody"] = json!({"required": true, "content": content});
        }
        let mut answers = Map::new();
        for (status, description, body) in &self.answers {
            let mut answer = json!({
                "description": description,
                "headers": {"sync-engine-request-id": {
                    "description": "The id of this request in the log.",
                    "schema": {"type": "string", "format": "uuid"},
                }},
            });
            if let Some(body) = body {
                answer["content"] = Value::Object(Map::from_iter([content(body)]));
            }
            answers.insert(status.to_string(), answer);
        }
        operation["responses"] = Value::Object(answers);
        operation
    }
}

/// What a document says of the API as a whole.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Its title.
    pub title: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Words about it; a table of all operations follows them.
    pub description: &'a str,
    /// The groups, with words about each.
    pub tags: &'a [(&'a str, &'a str)],
}

/// The whole document.
pub fn document(about: About<'_>, operations: &[Operation], components: Components) -> Value {
    let mut description = format!("{}\n\n| Endpoint | What it does |\n|---|---|\n", about.description);
    let mut paths = Map::new();
    for operation in operations {
        // Writing to a string cannot fail.
        let _ = writeln!(
            description,
            "| `{} {}` | {} |",
            operation.method.to_uppercase(),
            operation.path,
            operation.summary
        );
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = operation.document();
    }
    let tags: Vec<Value> = about
        .tags
        .iter()
        .map(|(name, description)| json!({"name": name, "description": description}))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {"title": about.title, "version": about.version, "description": description.trim_end()},
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": components.finish(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema matters")]
    struct Outer {
        inner: Inner,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema matters")]
    struct Inner {
        name: String,
    }

    #[test]
    fn definitions_become_components() {
        let mut components = Components::new(&[("Inner", "Renamed")]);
        assert_eq!(components.of::<Outer>(), reference("Outer"));
        let given =
            json!({"$schema": "x", "$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {}}});
        assert_eq!(components.add("Given", given), reference("Given"));
        let all = components.finish();
        assert_eq!(all.keys().collect::<Vec<_>>(), ["Given", "GivenA", "GivenB", "Outer", "Renamed"]);
        assert_eq!(all["Outer"]["properties"]["inner"], reference("Renamed"));
        assert_eq!(all["Given"], reference("GivenA"));
        assert_eq!(all["GivenA"], reference("GivenB"));
    }
}
