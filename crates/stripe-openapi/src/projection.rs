//! The JSON Schema of a stream.

use serde_json::{Map, Value, json};

use crate::{Column, ColumnType, Resource};

/// The JSON Schema that a stream of `resource` declares: `id`, the columns by name, `_account_id` and
/// `_updated_at`.
///
/// Arrays are declared as objects, as the TypeScript engine does: both become JSON columns. Nested lists and
/// properties unknown to the version are not declared, but are part of every record all the same.
pub fn json_schema(resource: &Resource) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = vec![Value::from("id")];
    properties.insert("id".to_owned(), json!({"type": "string"}));
    for column in &resource.columns {
        properties.insert(column.name.clone(), property(column));
        if !column.nullable {
            required.push(column.name.clone().into());
        }
    }
    properties.insert("_account_id".to_owned(), json!({"type": "string"}));
    properties.insert("_updated_at".to_owned(), json!({"type": "integer"}));
    required.extend(["_account_id".into(), "_updated_at".into()]);

    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), properties.into());
    schema.insert("required".to_owned(), required.into());
    schema
}

fn property(column: &Column) -> Value {
    let plain = match column.column_type {
        ColumnType::Text => json!({"type": "string"}),
        ColumnType::Boolean => json!({"type": "boolean"}),
        ColumnType::BigInt => json!({"type": "integer"}),
        ColumnType::Numeric => json!({"type": "number"}),
        ColumnType::Json => json!({"type": "object"}),
        ColumnType::Timestamp => json!({"type": "string", "format": "date-time"}),
    };
    let mut schema = if column.nullable { json!({"oneOf": [plain, {"type": "null"}]}) } else { plain };
    if column.expandable {
        schema["x-expandable-reference"] = true.into();
    }
    schema
}
