//! The configuration of one connector, from every place where a part of it may be.

use engine::Role;
use serde_json::{Map, Value};

use super::{ConfigFlag, Given};
use crate::cli::environment::Place;
use crate::cli::failure::Failure;

/// Where the fields of a connector are looked for, and what was found.
pub(crate) struct Layers<'a> {
    role: Role,
    connector: &'a str,
    given: &'a Given<'a>,
    merged: Map<String, Value>,
}

/// A field that has a flag or a variable of its own beside the general ones.
pub(crate) struct Alias {
    pub(crate) field: &'static str,
    pub(crate) flag: Option<&'static str>,
    pub(crate) variable: Option<&'static str>,
}

impl<'a> Layers<'a> {
    /// Gathers the fields of a connector: own flags first, then the configuration flag, the environment,
    /// `.env`, the document. What is found first counts.
    pub(crate) fn gather(
        role: Role,
        connector: &'a str,
        flags: Map<String, Value>,
        config_flag: ConfigFlag<'_>,
        aliases: &[Alias],
        given: &'a Given<'a>,
    ) -> Layers<'a> {
        let mut layers = Layers { role, connector, given, merged: flags };
        if let Some(config) = config_flag {
            layers.add(config.clone());
        }
        let properties = layers.properties();
        for place in Place::ALL {
            layers.add(environment_layer(connector, &properties, aliases, given, place));
        }
        if let Some(config) = layers.document() {
            layers.add(config.clone());
        }
        layers
    }

    /// Sets a field that nothing else has set.
    pub(crate) fn default(&mut self, field: &str, value: impl Into<Value>) {
        if self.properties().contains_key(field) && !self.merged.contains_key(field) {
            self.merged.insert(field.to_owned(), value.into());
        }
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.merged.contains_key(field)
    }

    /// The fields, if none of the required ones is missing.
    pub(crate) fn finish(self, aliases: &[Alias], required: &[&str]) -> Result<Map<String, Value>, Failure> {
        let by_schema: Vec<String> = self
            .spec()
            .and_then(|spec| Some(spec.get("required")?.as_array()?.clone()))
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect();
        let mut names = by_schema.iter().map(String::as_str).chain(required.iter().copied());
        match names.find(|name| !self.has(name)) {
            Some(missing) => Err(Failure::Usage(self.looked_for(missing, aliases))),
            None => Ok(self.merged),
        }
    }

    fn add(&mut self, layer: Map<String, Value>) {
        for (field, value) in layer {
            self.merged.entry(field).or_insert(value);
        }
    }

    fn spec(&self) -> Option<Map<String, Value>> {
        let registry = self.given.registry;
        match self.role {
            Role::Source => registry.source(self.connector).ok().map(|source| source.spec().config),
            Role::Destination => {
                registry.destination(self.connector).ok().map(|destination| destination.spec().config)
            }
        }
    }

    fn properties(&self) -> Map<String, Value> {
        self.spec().and_then(|spec| spec.get("properties")?.as_object().cloned()).unwrap_or_default()
    }

    fn document(&self) -> Option<&'a Map<String, Value>> {
        let document = self.given.document?;
        let configured = match self.role {
            Role::Source => document.source.as_ref(),
            Role::Destination => document.destination.as_ref(),
        };
        configured
            .filter(|configured| configured.connector == self.connector)
            .map(|configured| &configured.config)
    }

    /// The text for a missing field: every place where it was looked for.
    fn looked_for(&self, field: &str, aliases: &[Alias]) -> String {
        let (role, connector) = (self.role, self.connector);
        let alias = aliases.iter().find(|alias| alias.field == field);
        let mut variables = vec![variable(connector, field)];
        variables.extend(alias.and_then(|alias| alias.variable).map(str::to_owned));
        let variables = variables.join(" or ");
        let mut places = Vec::new();
        places.extend(alias.and_then(|alias| alias.flag).map(|flag| format!("the flag {flag}")));
        places.push(format!("{variables} in the environment"));
        places.push(format!("{variables} in .env in the working directory"));
        places.push(format!("`{field}` in --{role}-config"));
        places.push(match self.given.document {
            Some(_) => format!("{role}.{connector}.{field} in the file of --config"),
            None => format!("{role}.{connector}.{field} in a file (no --config was given)"),
        });
        let listed: String = places.iter().map(|place| format!("\n  - {place}")).collect();
        format!("the {role} `{connector}` needs `{field}`. It was looked for as{listed}")
    }
}

/// The variable of a field, e.g. `STRIPE_API_KEY`.
fn variable(connector: &str, field: &str) -> String {
    format!("{connector}_{field}").to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

/// The fields that the environment sets. Only fields that the connector knows are looked for, since
/// other programs have variables of the same prefix.
fn environment_layer(
    connector: &str,
    properties: &Map<String, Value>,
    aliases: &[Alias],
    given: &Given<'_>,
    place: Place,
) -> Map<String, Value> {
    let mut layer = Map::new();
    for (field, schema) in properties {
        let alias = aliases.iter().find(|alias| alias.field == field).and_then(|alias| alias.variable);
        let own = given.environment.at(place, &variable(connector, field));
        let found = own.or_else(|| given.environment.at(place, alias?));
        if let Some(text) = found {
            layer.insert(field.clone(), typed(text, schema));
        }
    }
    layer
}

/// The value of a variable: text where the field is a text, else JSON where it is JSON.
fn typed(text: &str, schema: &Value) -> Value {
    let is_text = match schema.get("type") {
        Some(Value::String(name)) => name == "string",
        Some(Value::Array(names)) => names.iter().any(|name| name == "string"),
        _ => false,
    };
    let parsed = if is_text { None } else { serde_json::from_str(text).ok() };
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}
