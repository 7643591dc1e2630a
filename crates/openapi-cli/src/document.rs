//! Reading the document: which groups, commands and fields there are.

use heck::ToKebabCase;
use http::{HeaderName, Method};
use serde_json::{Map, Value};

use crate::schema::{Kind, resolve, words};

/// The members of a path that are operations, in the order in which they are listed.
const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

/// The group of operations without a tag.
const UNTAGGED: &str = "default";

/// The flag for a whole body.
pub(crate) const BODY: &str = "body";

/// What a document does not say about its command line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Naming<'a> {
    /// Groups whose name is not that of the tag: the tag, and the name.
    pub groups: &'a [(&'a str, &'a str)],
    /// Flags that the program has itself ([`crate::own_flags`]). A field of one of these names becomes `--field-NAME`.
    pub reserved: &'a [String],
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It holds no `paths`.
    #[error("the OpenAPI document has no `paths`")]
    NoPaths,
    /// Two operations would be one command.
    #[error(
        "the OpenAPI document has two operations that would be `{0}`; give one another operationId or tag"
    )]
    Twice(String),
    /// A parameter is not as the specification wants it.
    #[error("the OpenAPI document, {operation}: {text}")]
    Parameter {
        /// Method and path.
        operation: String,
        /// What is wrong.
        text: String,
    },
}

/// The command line of an API.
#[derive(Debug, Clone)]
pub struct Api {
    pub(crate) groups: Vec<Group>,
}

#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) about: Option<String>,
    pub(crate) operations: Vec<Operation>,
}

#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) summary: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) body: Option<Body>,
}

/// What an operation takes as its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) json: bool,
    pub(crate) lines: bool,
    pub(crate) required: bool,
    /// Whether flags can make it.
    pub(crate) by_fields: bool,
}

/// One argument: all that is named so.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) help: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) positional: bool,
    /// Needed whatever else is given.
    pub(crate) required: bool,
    /// Needed unless the body is given whole.
    pub(crate) required_in_body: bool,
    pub(crate) places: Vec<Place>,
}

/// Where a value goes, by the name it has there.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Path(String),
    Query(String),
    Header(HeaderName),
    Body {
        name: String,
        /// Whether the first line of NDJSON has it.
        first_line: bool,
    },
}

impl Api {
    /// Reads a document.
    pub fn read(document: &Value, naming: &Naming<'_>) -> Result<Api, DocumentError> {
        let paths = document.get("paths").and_then(Value::as_object).ok_or(DocumentError::NoPaths)?;
        let mut groups = tagged(document, naming);
        for (path, item) in paths {
            for method in METHODS {
                let Some(said) = item.get(method) else { continue };
                let reading = Reading { document, naming, path, method, item, said };
                let tag = said.pointer("/tags/0").and_then(Value::as_str).unwrap_or(UNTAGGED);
                let operation = reading.operation()?;
                place(&mut groups, &group_name(tag, naming), operation)?;
            }
        }
        groups.retain(|group| !group.operations.is_empty());
        Ok(Api { groups })
    }
}

/// The groups that the document describes, still empty.
fn tagged(document: &Value, naming: &Naming<'_>) -> Vec<Group> {
    let described = document.get("tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut groups: Vec<Group> = Vec::new();
    for tag in described {
        let Some(name) = tag.get("name").and_then(Value::as_str) else { continue };
        let name = group_name(name, naming);
        if groups.iter().all(|group| group.name != name) {
            groups.push(Group { name, about: words(document, tag), operations: Vec::new() });
        }
    }
    groups
}

fn group_name(tag: &str, naming: &Naming<'_>) -> String {
    let renamed = naming.groups.iter().find(|(from, _)| *from == tag);
    renamed.map_or_else(|| tag.to_kebab_case(), |(_, name)| (*name).to_owned())
}

fn place(groups: &mut Vec<Group>, name: &str, operation: Operation) -> Result<(), DocumentError> {
    let found = groups.iter().position(|group| group.name == name).unwrap_or(groups.len());
    if found == groups.len() {
        groups.push(Group { name: name.to_owned(), about: None, operations: Vec::new() });
    }
    let operations = &mut groups[found].operations;
    if operations.iter().any(|other| other.name == operation.name) {
        return Err(DocumentError::Twice(format!("{name} {}", operation.name)));
    }
    operations.push(operation);
    Ok(())
}

/// One operation, being read.
struct Reading<'a> {
    document: &'a Value,
    naming: &'a Naming<'a>,
    path: &'a str,
    method: &'a str,
    item: &'a Value,
    said: &'a Value,
}

impl Reading<'_> {
    fn operation(&self) -> Result<Operation, DocumentError> {
        let id = self.said.get("operationId").and_then(Value::as_str);
        let name = match id {
            Some(id) => id.rsplit('.').next().unwrap_or(id).to_kebab_case(),
            None => format!("{} {}", self.method, self.path).to_kebab_case(),
        };
        let mut fields = self.parameters()?;
        let body = self.body(&mut fields);
        let text =
            |member| self.said.get(member).and_then(Value::as_str).map(|text: &str| text.trim().to_owned());
        let method = Method::from_bytes(self.method.to_ascii_uppercase().as_bytes())
            .map_err(|_| self.wrong("its method is none"))?;
        Ok(Operation {
            name,
            summary: text("summary"),
            description: text("description"),
            method,
            path: self.path.to_owned(),
            fields,
            body,
        })
    }

    /// Parameters of the operation, and of its path where the operation has none of that name there.
    fn parameters(&self) -> Result<Vec<Field>, DocumentError> {
        let listed = |value: &Value| -> Vec<Value> {
            let listed = value.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
            listed.iter().map(|parameter| resolve(self.document, parameter).clone()).collect()
        };
        let mut parameters = listed(self.said);
        let same = |a: &Value, b: &Value| a.get("name") == b.get("name") && a.get("in") == b.get("in");
        for shared in listed(self.item) {
            if !parameters.iter().any(|own| same(own, &shared)) {
                parameters.push(shared);
            }
        }
        let mut fields = Vec::new();
        for name in template_names(self.path) {
            let declared = parameters.iter().find(|parameter| {
                parameter.get("in").is_some_and(|place| place == "path")
                    && parameter.get("name").is_some_and(|declared| declared == name)
            });
            let declared =
                declared.ok_or_else(|| self.wrong(&format!("the path's `{name}` is no parameter")))?;
            fields.push(Field {
                positional: true,
                required: true,
                ..self.field(name, declared, Place::Path(name.to_owned()))
            });
        }
        for parameter in &parameters {
            let name = parameter.get("name").and_then(Value::as_str);
            let name = name.ok_or_else(|| self.wrong("a parameter has no `name`"))?;
            let place = match parameter.get("in").and_then(Value::as_str) {
                Some("query") => Place::Query(name.to_owned()),
                Some("header") => Place::Header(
                    HeaderName::from_bytes(name.as_bytes())
                        .map_err(|_| self.wrong(&format!("`{name}` cannot be a header")))?,
                ),
                // Those of the path are there already; cookies are a browser's.
                _ => continue,
            };
            let required = parameter.get("required") == Some(&Value::Bool(true));
            merge(&mut fields, Field { required, ..self.field(name, parameter, place) });
        }
        Ok(fields)
    }

    fn field(&self, name: &str, described: &Value, place: Place) -> Field {
        let schema = match place {
            Place::Body { .. } => described,
            _ => described.get("schema").unwrap_or(&Value::Null),
        };
        let kebab = name.to_kebab_case();
        let taken = kebab == BODY || self.naming.reserved.contains(&kebab);
        let usual = resolve(self.document, schema).get("default").filter(|usual| !usual.is_null());
        let help = match (words(self.document, described).or_else(|| words(self.document, schema)), usual) {
            (Some(help), Some(usual)) => Some(format!("{help} [default: {usual}]")),
            (None, Some(usual)) => Some(format!("[default: {usual}]")),
            (help, None) => help,
        };
        Field {
            name: if taken { format!("field-{kebab}") } else { kebab },
            help,
            kind: Kind::of(self.document, schema),
            positional: false,
            required: false,
            required_in_body: false,
            places: vec![place],
        }
    }

    /// The body, its properties among the fields.
    fn body(&self, fields: &mut Vec<Field>) -> Option<Body> {
        let body = resolve(self.document, self.said.get("requestBody")?);
        let content = body.get("content").and_then(Value::as_object)?;
        let of =
            |wanted: fn(&str) -> bool| content.iter().find(|(media, _)| wanted(media)).map(|(_, said)| said);
        let (json, lines) = (of(is_json), of(is_lines));
        let required = body.get("required") == Some(&Value::Bool(true));
        let whole = self.properties(json);
        let first = self.properties(lines);
        let by_fields = !whole.is_empty();
        for (name, schema, needed) in &whole {
            let first_line = first.iter().any(|(other, ..)| other == name);
            let place = Place::Body { name: name.clone(), first_line };
            let field = self.field(name, schema, place);
            merge(fields, Field { required_in_body: *needed && required, ..field });
        }
        Some(Body { json: json.is_some(), lines: lines.is_some(), required, by_fields })
    }

    /// Name, schema, and whether it is required, of each property of a body of this content.
    fn properties(&self, content: Option<&Value>) -> Vec<(String, Value, bool)> {
        let schema = content.and_then(|content| content.get("schema")).unwrap_or(&Value::Null);
        let schema = resolve(self.document, schema);
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let required =
            schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let needed = |name: &str| required.iter().any(|required| required == name);
        properties.iter().map(|(name, schema)| (name.clone(), schema.clone(), needed(name))).collect()
    }

    fn wrong(&self, text: &str) -> DocumentError {
        let operation = format!("{} {}", self.method.to_ascii_uppercase(), self.path);
        DocumentError::Parameter { operation, text: text.to_owned() }
    }
}

/// Adds a field, or gives the one of that name another place.
fn merge(fields: &mut Vec<Field>, field: Field) {
    match fields.iter_mut().find(|other| other.name == field.name) {
        Some(other) => {
            other.required |= field.required;
            other.required_in_body |= field.required_in_body;
            // What goes into a body is described better there.
            if field.places.iter().any(|place| matches!(place, Place::Body { .. })) {
                other.help = field.help.or(other.help.take());
                other.kind = field.kind;
            }
            other.places.extend(field.places);
        }
        None => fields.push(field),
    }
}

/// The names between braces.
fn template_names(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name))
}

/// Whether a media type is that of JSON.
pub(crate) fn is_json(media: &str) -> bool {
    let essence = essence(media);
    essence == "application/json" || essence.ends_with("+json")
}

/// Whether a media type is that of JSON on lines.
pub(crate) fn is_lines(media: &str) -> bool {
    ["application/x-ndjson", "application/ndjson", "application/jsonl"].contains(&essence(media).as_str())
}

fn essence(media: &str) -> String {
    media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
