//! Reading rows back: their keys, and hashes of their payloads.

use async_stream::try_stream;
use futures::TryStreamExt;
use protocol::{ConnectorError, InspectRequest, InspectedRows, RawJson, RowStream, StoredRow};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use util_postgres::{quote_identifier, quote_literal, retrying};

use crate::config::PostgresConfig;
use crate::failure::connector_error;
use crate::table::Table;

/// The rows that are asked for, as the server sends them.
pub(crate) fn rows(config: PostgresConfig, request: InspectRequest) -> RowStream {
    Box::pin(try_stream! {
        let database = config.database()?;
        let table = Table::of(&config.schema, &request.stream, config.projection)?;
        let newer_than = request.stream.stream.newer_than_field.clone();
        let connection = retrying("connect", || database.connect()).await.map_err(connector_error)?;
        let failed = |error| {
            let error = database.failure(error);
            let text = format!("{} cannot be read back: {error}", table.qualified());
            connector_error(error.with_message(text))
        };
        let query = Query::of(&table, request.account_id, request.rows);
        let parameters = query.parameters.iter().map(|(value, of_type)| (&**value as &(dyn ToSql + Sync), of_type.clone()));
        let opened = connection.query_typed_raw(&query.sql, parameters.collect::<Vec<_>>()).await;
        let is_missing = |error: &tokio_postgres::Error| {
            matches!(error.code(), Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME))
        };
        let opened = match opened {
            Err(error) if is_missing(&error) => None,
            opened => Some(opened.map_err(failed)?),
        };
        if let Some(rows) = opened {
            futures::pin_mut!(rows);
            while let Some(row) = rows.try_next().await.map_err(failed)? {
                yield read(&row, &newer_than).map_err(failed)??;
            }
        }
    })
}

fn read(
    row: &tokio_postgres::Row,
    newer_than: &str,
) -> Result<Result<StoredRow, ConnectorError>, tokio_postgres::Error> {
    let payload = RawJson::from_trusted(row.try_get::<_, String>(0)?.into());
    let key = (2..row.len()).map(|at| row.try_get(at)).collect::<Result<_, _>>()?;
    // A row that was read again and had not changed kept its payload, with the version of then.
    let version: i64 = row.try_get(1)?;
    let stored = StoredRow::of(key, &payload, newer_than);
    Ok(stored.map(|stored| StoredRow { version: stored.version.max(version), ..stored }))
}

/// A value and its type in SQL.
type Parameter = (Box<dyn ToSql + Sync + Send>, Type);

/// A statement with its parameters.
struct Query {
    sql: String,
    parameters: Vec<Parameter>,
}

impl Query {
    fn of(table: &Table, account_id: Option<String>, rows: InspectedRows) -> Query {
        let target = table.qualified();
        let columns: Vec<String> =
            table.key.iter().map(|column| format!("t.{}", quote_identifier(&column.name))).collect();
        let of_account = format!("($1::text IS NULL OR {} = $1)", table.text_of("_account_id"));
        let mut parameters: Vec<Parameter> = vec![(Box::new(account_id), Type::TEXT)];
        let (from, which) = match rows {
            InspectedRows::All => (String::new(), "TRUE".to_owned()),
            InspectedRows::Created { gte, lt, newest } => {
                let created = created(table);
                parameters.extend(
                    [gte, lt].map(|second| (Box::new(second) as Box<dyn ToSql + Sync + Send>, Type::INT8)),
                );
                let within = format!("{created} >= $2 AND {created} < $3");
                let which = newest.map_or(within.clone(), |newest| {
                    let others = newest.saturating_sub(1);
                    format!(
                        "{within} AND {created} >= COALESCE((SELECT {created} FROM {target} AS t WHERE {of_account} \
                         AND {within} ORDER BY 1 DESC OFFSET {others} LIMIT 1), $2)"
                    )
                });
                (String::new(), which)
            }
            InspectedRows::Keys(keys) => {
                let (mut arrays, mut names, mut same) = (Vec::new(), Vec::new(), Vec::new());
                for (at, column) in columns.iter().enumerate() {
                    let values: Vec<Option<String>> = keys.iter().map(|key| key.get(at).cloned()).collect();
                    parameters.push((Box::new(values), Type::TEXT_ARRAY));
                    arrays.push(format!("${}::text[]", at + 2));
                    names.push(format!("key_{at}"));
                    same.push(format!("{column} = n.key_{at}"));
                }
                let from = format!("unnest({}) AS n ({}), ", arrays.join(", "), names.join(", "));
                (from, same.join(" AND "))
            }
        };
        let sql = format!(
            "SELECT t._raw_data::text, floor(extract(epoch FROM t._updated_at))::bigint, {} FROM {from}{target} AS t WHERE {of_account} AND {which}",
            columns.join(", ")
        );
        Query { sql, parameters }
    }
}

/// The SQL for `created` of a row called `t`: 0 where it has none.
fn created(table: &Table) -> String {
    match table.column("created").filter(|column| column.sql_type == "bigint") {
        Some(column) => format!("COALESCE(t.{}, 0)", quote_identifier(&column.name)),
        None => {
            let name = quote_literal("created");
            format!(
                "CASE jsonb_typeof(t._raw_data->{name}) WHEN 'number' \
                 THEN floor((t._raw_data->>{name})::numeric)::bigint ELSE 0 END"
            )
        }
    }
}
