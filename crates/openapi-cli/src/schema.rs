//! What a schema says about one value, as far as a command line wants to know it.

use serde_json::Value;

/// How many references are followed from one place; a longer chain is a circle.
const MOST_REFERENCES: usize = 16;

/// What a value may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The names of JSON types; empty where any will do.
    pub(crate) types: Vec<String>,
    /// The only texts that will do; empty where that is open.
    pub(crate) values: Vec<String>,
}

impl Kind {
    /// What this schema says; references are looked up in the document.
    pub(crate) fn of(document: &Value, schema: &Value) -> Kind {
        let schema = resolve(document, schema);
        let types = match schema.get("type") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(several)) => texts(several).unwrap_or_default(),
            _ => Vec::new(),
        };
        let listed = match schema.get("enum") {
            Some(Value::Array(values)) => texts(values),
            _ => constants(document, schema),
        };
        let mut values = listed.unwrap_or_default();
        if values.is_empty() && types == ["boolean"] {
            values = vec!["true".to_owned(), "false".to_owned()];
        }
        Kind { types, values }
    }

    /// Whether several values may be given.
    pub(crate) fn is_array(&self) -> bool {
        self.types == ["array"]
    }

    /// How the value is named in a usage line.
    pub(crate) fn placeholder(&self) -> &'static str {
        match self.types.first().map(String::as_str) {
            Some("string") => "TEXT",
            Some("integer" | "number") => "NUMBER",
            Some("boolean") => "BOOL",
            _ if !self.values.is_empty() => "TEXT",
            _ => "JSON",
        }
    }

    /// The given text as it goes into a JSON body: as JSON if it is that and may be here, else as a text.
    ///
    /// Digits stay as they are. Where the schema wants a text, `5` is one; elsewhere the server would have to refuse it.
    pub(crate) fn encode(&self, given: &str) -> Box<serde_json::value::RawValue> {
        if let Ok(json) = serde_json::from_str::<Box<serde_json::value::RawValue>>(given)
            && self.admits(json.get())
        {
            return json;
        }
        // A text can always be written as JSON.
        serde_json::value::to_raw_value(given).unwrap_or_default()
    }

    /// What is wrong with the given text where only an object or an array will do; the text itself, which may hold
    /// secrets, is not repeated.
    pub(crate) fn problem(&self, given: &str) -> Option<String> {
        let wants_json = !self.types.is_empty()
            && self.types.iter().all(|name| matches!(name.as_str(), "object" | "array" | "null"));
        let checked = serde_json::from_str::<&serde_json::value::RawValue>(given);
        let error = checked.err().filter(|_| wants_json)?;
        let names: Vec<&str> = self.types.iter().map(String::as_str).filter(|name| *name != "null").collect();
        let wanted = names.join(" or ");
        Some(format!(
            "its JSON is not valid: {error}. Give an {wanted}, in single quotes, so that the shell leaves it alone"
        ))
    }

    fn admits(&self, json: &str) -> bool {
        let wants_text = self.types.iter().any(|name| name == "string")
            || (self.types.is_empty() && !self.values.is_empty());
        !wants_text || self.types.iter().any(|name| name == type_of(json)) || type_of(json) == "string"
    }
}

/// The type of a valid JSON text. A number counts as `number`.
fn type_of(json: &str) -> &'static str {
    match json.trim_start().bytes().next() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    }
}

/// The schema or object itself, or what it refers to within the document.
pub(crate) fn resolve<'a>(document: &'a Value, mut value: &'a Value) -> &'a Value {
    for _ in 0..MOST_REFERENCES {
        let reference = value.get("$ref").and_then(Value::as_str);
        let target = reference
            .and_then(|reference| reference.strip_prefix('#'))
            .and_then(|pointer| document.pointer(pointer));
        match target {
            Some(target) => value = target,
            None => break,
        }
    }
    value
}

/// The first paragraph of what describes a value: its own words before those of what it refers to.
pub(crate) fn words(document: &Value, schema: &Value) -> Option<String> {
    let described = |value: &Value| value.get("description").and_then(Value::as_str).map(paragraph);
    described(schema).or_else(|| described(resolve(document, schema))).filter(|text| !text.is_empty())
}

/// The first paragraph as one line.
fn paragraph(text: &str) -> String {
    let first = text.trim().split("\n\n").next().unwrap_or_default();
    first.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The texts of a list that holds texts only; `null` among them says that there may be none.
fn texts(values: &[Value]) -> Option<Vec<String>> {
    let named = values.iter().filter(|value| !value.is_null());
    named.map(|value| value.as_str().map(str::to_owned)).collect()
}

/// The texts of a choice among constants.
fn constants(document: &Value, schema: &Value) -> Option<Vec<String>> {
    if let Some(Value::String(only)) = schema.get("const") {
        return Some(vec![only.clone()]);
    }
    let Some(Value::Array(choices)) = schema.get("oneOf").or_else(|| schema.get("anyOf")) else {
        return None;
    };
    let constant = |choice: &Value| resolve(document, choice).get("const")?.as_str().map(str::to_owned);
    choices.iter().map(constant).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail loudly")]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind(schema: &Value) -> Kind {
        Kind::of(&json!({"components": {"schemas": {"Side": {"enum": ["left", "right"]}}}}), schema)
    }

    #[test]
    fn a_value_is_json_where_it_can_be() {
        let any = Kind::default();
        assert_eq!(any.encode("5").get(), "5");
        assert_eq!(any.encode("1.00000000000000000001").get(), "1.00000000000000000001", "digits stay");
        assert_eq!(any.encode(r#"{"a": [1]}"#).get(), r#"{"a": [1]}"#);
        assert_eq!(any.encode("two words").get(), r#""two words""#);
        assert_eq!(any.encode("").get(), r#""""#);
        assert_eq!(kind(&json!({"type": "object"})).encode("5").get(), "5", "the server says what is wrong");
    }

    #[test]
    fn a_text_is_a_text_even_if_it_looks_like_a_number() {
        let text = kind(&json!({"type": "string"}));
        assert_eq!(text.encode("5").get(), r#""5""#);
        assert_eq!(text.encode("null").get(), r#""null""#);
        assert_eq!(text.encode(r#""5""#).get(), r#""5""#, "JSON's own text is not quoted twice");
        let optional = kind(&json!({"type": ["string", "null"]}));
        assert_eq!(optional.encode("null").get(), "null");
        assert_eq!(optional.encode("true").get(), r#""true""#);
    }

    #[test]
    fn choices_are_known() {
        assert_eq!(kind(&json!({"$ref": "#/components/schemas/Side"})).values, ["left", "right"]);
        assert_eq!(kind(&json!({"oneOf": [{"const": "a"}, {"const": "b"}]})).values, ["a", "b"]);
        assert_eq!(kind(&json!({"type": "boolean"})).values, ["true", "false"]);
        assert!(kind(&json!({"enum": [1, 2]})).values.is_empty());
        assert!(kind(&json!({"oneOf": [{"const": "a"}, {"type": "object"}]})).values.is_empty());
    }

    #[test]
    fn json_that_is_not_valid_is_told_with_its_place() {
        let object = kind(&json!({"type": ["object", "null"]}));
        let problem = object.problem("{\"a\":\n 'secret'}").unwrap();
        assert!(
            problem.starts_with("its JSON is not valid: expected value at line 2 column 2. Give an object,"),
            "{problem}"
        );
        assert!(!problem.contains("secret"));
        assert!(object.problem("").unwrap().contains("EOF while parsing a value at line 1 column 0"));
        assert_eq!(object.problem("5"), None, "the server says what is wrong with that");
        assert_eq!(Kind::default().problem("two words"), None, "anything else is a text");
        assert_eq!(kind(&json!({"type": ["object", "string"]})).problem("{"), None);
    }

    #[test]
    fn a_circle_of_references_ends() {
        let document = json!({"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}});
        assert_eq!(Kind::of(&document, &document["a"]), Kind::default());
    }
}
