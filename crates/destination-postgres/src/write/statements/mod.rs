//! The statements of one table.

mod upserts;

use protocol::PARENT_ID;
use util_postgres::{quote_identifier, quote_literal};

pub(super) use upserts::{Add, Upserts};

use super::value::{EARLIEST, LATEST};
use crate::table::{TOMBSTONES, Table};

/// The SQL that writes one stream. Each text is prepared once per connection.
#[derive(Debug, Clone)]
pub(super) struct Statements {
    pub(super) upserts: Upserts,
    /// `$1` versions, `$2` whether unconditional, then one array per key field.
    pub(super) delete: String,
    /// `$1` stream, `$2` now, `$3` keys, `$4` versions, then one array per key field. Only for
    /// keys that have no row (any more).
    pub(super) bury: String,
    /// Per sweep: `$1` parents, `$2` accounts, `$3` versions; per kept child: `$4` place of its sweep, from 1, and
    /// `$5` id. Answers version and key of each row that it deletes.
    pub(super) sweep: String,
    /// `$1` stream. Whether it has tombstones at all.
    pub(super) any_buried: String,
    /// `$1` stream, `$2` keys. Their tombstones.
    pub(super) buried: String,
    /// `$1` stream, `$2` keys. Removes their tombstones.
    pub(super) unbury: String,
    /// `$1` payload. One of these fails where the column cannot take the payload's value.
    pub(super) casts: Vec<Cast>,
}

/// A column that does not take every value.
#[derive(Debug, Clone)]
pub(super) struct Cast {
    pub(super) column: String,
    pub(super) sql_type: &'static str,
    pub(super) sql: String,
}

impl Statements {
    pub(super) fn of(table: &Table, newer_than: &str) -> Statements {
        let target = table.qualified();
        let version = quote_literal(newer_than);
        let tombstones = format!("{}.{}", quote_identifier(&table.schema), quote_identifier(TOMBSTONES));
        let stamp = moment("n.version");
        let Keys { arrays, columns, same, .. } = Keys::of(table, 3);
        let delete = format!(
            "DELETE FROM {target} AS t
             USING unnest($1::bigint[], $2::boolean[], {arrays}) AS n (version, unconditional, {columns})
             WHERE {same} AND (n.unconditional OR t.\"_updated_at\" < {stamp}
                OR (t.\"_updated_at\" = {stamp}
                    AND (t.\"_raw_data\"->{version} <= to_jsonb(n.version)) IS NOT FALSE))"
        );
        let Keys { arrays, columns, same, .. } = Keys::of(table, 5);
        let bury = format!(
            "INSERT INTO {tombstones} AS b (stream, key, updated_at, deleted_at)
             SELECT $1, n.key, n.version, $2 FROM unnest($3::text[], $4::bigint[], {arrays}) AS n (key, version, {columns})
             WHERE NOT EXISTS (SELECT FROM {target} AS t WHERE {same})
             ON CONFLICT (stream, key) DO UPDATE
             SET updated_at = greatest(b.updated_at, EXCLUDED.updated_at), deleted_at = EXCLUDED.deleted_at"
        );
        let returned: Vec<String> =
            table.key.iter().map(|column| format!("t.{}", quote_identifier(&column.name))).collect();
        let sweep = format!(
            "DELETE FROM {target} AS t
             USING unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS n (parent, account, version, place)
             WHERE {} = n.parent AND {} = n.account
                AND NOT EXISTS (SELECT FROM unnest($4::bigint[], $5::text[]) AS k (place, id)
                                WHERE k.place = n.place AND k.id = {})
                AND (t.\"_updated_at\" < {stamp} OR (t.\"_updated_at\" = {stamp}
                    AND (t.\"_raw_data\"->{version} <= to_jsonb(n.version)) IS NOT FALSE))
             RETURNING n.version, {}",
            table.text_of(PARENT_ID),
            table.text_of("_account_id"),
            table.text_of("id"),
            returned.join(", ")
        );
        let stored = table.columns.iter().filter(|column| table.column(&column.field).is_some());
        let casts = stored.filter(|column| column.may_refuse()).map(|column| Cast {
            column: column.name.clone(),
            sql_type: column.sql_type,
            sql: format!(
                "SELECT {} FROM (SELECT ($1::text)::jsonb AS _raw_data) AS payload",
                column.expression
            ),
        });
        Statements {
            upserts: Upserts::of(table, newer_than),
            delete,
            bury,
            sweep,
            any_buried: format!("SELECT EXISTS (SELECT FROM {tombstones} WHERE stream = $1)"),
            buried: format!("SELECT key, updated_at FROM {tombstones} WHERE stream = $1 AND key = ANY ($2)"),
            unbury: format!("DELETE FROM {tombstones} WHERE stream = $1 AND key = ANY ($2)"),
            casts: casts.collect(),
        }
    }
}

/// The seconds of a version as `_updated_at` tells them.
fn moment(seconds: &str) -> String {
    format!("to_timestamp(least(greatest({seconds}, {EARLIEST}), {LATEST}))")
}

/// Keys as parameters: arrays that a statement unnests as `n`, and how they meet the rows of a table `t`.
struct Keys {
    arrays: String,
    columns: String,
    /// The arrays unnested as columns.
    unnested: String,
    same: String,
}

impl Keys {
    /// The first array is the parameter of this number.
    fn of(table: &Table, first: usize) -> Keys {
        let places = 0..table.key.len();
        let arrays: Vec<String> = places.clone().map(|at| format!("${}::text[]", first + at)).collect();
        let columns: Vec<String> = places.map(|at| format!("key_{at}")).collect();
        let keys = table.key.iter().zip(&columns);
        let same: Vec<String> =
            keys.map(|(key, column)| format!("t.{} = n.{column}", quote_identifier(&key.name))).collect();
        let unnested: Vec<String> = arrays
            .iter()
            .zip(&columns)
            .map(|(array, column)| format!("unnest({array}) AS {column}"))
            .collect();
        Keys {
            arrays: arrays.join(", "),
            columns: columns.join(", "),
            unnested: unnested.join(", "),
            same: same.join(" AND "),
        }
    }
}
