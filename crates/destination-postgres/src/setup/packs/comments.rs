//! What tables and columns are, as comments in the database.

use serde_json::Value;
use tokio_postgres::types::Type;
use util_postgres::{Database, PostgresError, quote_identifier, quote_literal};

use super::Made;
use super::references::is_reference;
use crate::setup::alter::briefly;
use crate::table::Projection;

/// Comments on what has none. Others' comments stay.
pub(super) async fn add(database: &Database, made: &[Made<'_>]) -> Result<(), PostgresError> {
    for made in made {
        let target = made.table.shown();
        let kind = if made.table.projection == Projection::View { "VIEW" } else { "TABLE" };
        let connection = database.connect().await?;
        let sql = "SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = ($1::text)::regclass AND a.attnum > 0 \
                   AND NOT a.attisdropped AND col_description(a.attrelid, a.attnum) IS NULL \
                   UNION ALL SELECT '' WHERE obj_description(($1::text)::regclass, 'pg_class') IS NULL";
        let rows = connection.query_typed(sql, &[(&target, Type::TEXT)]).await;
        let rows = rows.map_err(|error| database.failure(error))?;
        drop(connection);
        let bare: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let statements: Vec<String> = texts(*made)
            .into_iter()
            .filter(|(column, _)| bare.contains(column))
            .map(|(column, text)| {
                let text = quote_literal(&text);
                if column.is_empty() {
                    format!("COMMENT ON {kind} {target} IS {text}")
                } else {
                    format!("COMMENT ON COLUMN {target}.{} IS {text}", quote_identifier(&column))
                }
            })
            .collect();
        if !statements.is_empty() {
            let sql = statements.join("; ");
            database.retrying("comment", || briefly(database, &sql)).await?;
        }
    }
    Ok(())
}

/// A text for the table (an empty name) and for its columns.
fn texts(Made { configured, table }: Made<'_>) -> Vec<(String, String)> {
    let schema = configured.stream.json_schema.as_ref();
    let described =
        |value: Option<&Value>| Some(value?.as_str()?.trim().to_owned()).filter(|text| !text.is_empty());
    let whole = described(schema.and_then(|schema| schema.get("description")));
    let whole =
        whole.unwrap_or_else(|| format!("The stream \"{}\": one row for each of its objects.", table.stream));
    let mut texts = vec![
        (String::new(), whole),
        ("_raw_data".to_owned(), "The object as the source sent it.".to_owned()),
        ("_synced_at".to_owned(), "When this row was written.".to_owned()),
        (
            "_updated_at".to_owned(),
            "The moment up to which this row is certain to show all changes, by the source's clock."
                .to_owned(),
        ),
    ];
    for column in table.key.iter().chain(&table.columns) {
        let property = schema.and_then(|schema| schema.get("properties")?.get(&column.field));
        let text = described(property.and_then(|property| property.get("description"))).or_else(|| {
            let text = match &*column.field {
                "_account_id" => "The account that the object belongs to.",
                field if is_reference(configured, field) => "Id of another object.",
                _ => return None,
            };
            Some(text.to_owned())
        });
        texts.extend(text.map(|text| (column.name.clone(), text)));
    }
    texts
}
