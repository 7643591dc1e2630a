//! The view of a stream whose payloads lie in a raw table.

use tokio_postgres::{Error, GenericClient};
use util_postgres::{quote_identifier, quote_literal};

use super::shape::OWN_COLUMNS;
use super::{Column, Table};

/// What a view shows of a column.
struct Shown {
    name: String,
    /// `None` where it is that of the table's column, which never changes.
    sql_type: Option<String>,
    expression: String,
}

/// The statements that bring the view of a table up to date; none where it is.
///
/// A view can gain columns at its end only. One that is otherwise another is dropped and made again, which PostgreSQL
/// refuses, with the names, where other views build on it.
pub(crate) async fn update_sql(client: &impl GenericClient, table: &Table) -> Result<String, Error> {
    let name = table.shown();
    let wanted = shown(table);
    let rows = client
        .query(
            "SELECT a.attname::text, format_type(a.atttypid, NULL) FROM pg_attribute a
             WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            &[&name],
        )
        .await?;
    let existing = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    let existing: Vec<(String, String)> = existing.collect::<Result<_, Error>>()?;
    let place = |column: &Shown| existing.iter().position(|(name, _)| *name == column.name);
    let is_kept = |(name, sql_type): &(String, String)| {
        wanted.iter().any(|column| {
            column.name == *name && column.sql_type.as_ref().is_none_or(|wanted| wanted == sql_type)
        })
    };
    let mut sql = String::new();
    if existing.len() == wanted.len() && existing.iter().all(is_kept) {
        return Ok(sql);
    }
    let mut columns: Vec<&Shown> = wanted.iter().collect();
    if existing.iter().all(is_kept) {
        columns.sort_by_key(|column| place(column).unwrap_or(usize::MAX));
    } else {
        sql = format!("DROP VIEW {name};\n");
    }
    let columns: Vec<String> = columns
        .iter()
        .map(|column| format!("{} AS {}", column.expression, quote_identifier(&column.name)))
        .collect();
    let raw = table.qualified();
    Ok(format!("{sql}CREATE OR REPLACE VIEW {name} AS SELECT\n  {}\nFROM {raw};\n", columns.join(",\n  ")))
}

/// All columns in the order of the other projections.
fn shown(table: &Table) -> Vec<Shown> {
    let stored =
        |name: &str| Shown { name: name.to_owned(), sql_type: None, expression: quote_identifier(name) };
    let own = OWN_COLUMNS.into_iter().map(stored);
    let system = table.system_columns.iter().map(|column| stored(&column.name));
    let key = table.key.iter().map(|column| stored(&column.name));
    let computed = table.columns.iter().map(|column| Shown {
        name: column.name.clone(),
        sql_type: Some(column.sql_type.to_owned()),
        expression: column.tolerant_expression(),
    });
    own.chain(system).chain(key).chain(computed).collect()
}

impl Column {
    /// The column's value where the payload's fits, and NULL where it does not: one odd row must not fail every
    /// query of the view.
    pub(super) fn tolerant_expression(&self) -> String {
        let name = quote_literal(&self.field);
        let text = format!("(_raw_data->>{name})");
        match self.sql_type {
            // 18 digits always fit; of 19 the number decides, which those digits can be cast to.
            "bigint" => format!(
                "CASE WHEN {text} ~ '^-?[0-9]{{1,18}}$' THEN {text}::bigint \
                 WHEN {text} ~ '^-?[0-9]{{19}}$' AND {text}::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 \
                 THEN {text}::bigint END"
            ),
            // What JSON calls a number fits; of texts, plain decimals.
            "numeric" => format!(
                "CASE WHEN jsonb_typeof(_raw_data->{name}) = 'number' \
                 OR {text} ~ '^-?[0-9]{{1,255}}([.][0-9]{{1,255}})?$' THEN {text}::numeric END"
            ),
            "boolean" => format!("CASE {text} WHEN 'true' THEN true WHEN 'false' THEN false END"),
            _ => self.expression.clone(),
        }
    }
}
