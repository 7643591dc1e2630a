//! The statements of one table.

use protocol::PARENT_ID;
use util_postgres::{quote_identifier, quote_literal};

use super::value::{EARLIEST, LATEST};
use crate::table::{TOMBSTONES, Table};

/// The SQL that writes one stream. Each text is prepared once per connection.
#[derive(Debug, Clone)]
pub(super) struct Statements {
    /// One array per key field. Answers the places, from 0, of the keys that are stored.
    pub(super) stored: String,
    /// `COPY` of payload, now and version.
    pub(super) copy: String,
    /// `$1` payloads, `$2` versions, `$3` now, then one array per key field, all of keys that are stored. Answers
    /// how many of them are there, how many are to be changed, and how many were.
    pub(super) revise: String,
    /// `$1` payloads, `$2` versions, `$3` now. Answers how many rows are new and how many changed.
    pub(super) merge: String,
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
        let keys = table.key_list();
        let version = quote_literal(newer_than);
        let tombstones = format!("{}.{}", quote_identifier(&table.schema), quote_identifier(TOMBSTONES));
        let moment =
            |seconds: &str| format!("to_timestamp(least(greatest({seconds}, {EARLIEST}), {LATEST}))");
        let stamp = moment("n.version");
        let merge = format!(
            "WITH written AS (
                INSERT INTO {target} AS t (\"_raw_data\", \"_synced_at\", \"_updated_at\")
                SELECT n.payload, $3, {stamp} FROM unnest($1::jsonb[], $2::bigint[]) AS n (payload, version)
                ON CONFLICT ({keys}) DO UPDATE SET \"_raw_data\" = EXCLUDED.\"_raw_data\",
                    \"_synced_at\" = EXCLUDED.\"_synced_at\", \"_updated_at\" = EXCLUDED.\"_updated_at\"
                WHERE EXCLUDED.\"_updated_at\" > t.\"_updated_at\"
                    OR (EXCLUDED.\"_updated_at\" = t.\"_updated_at\"
                        AND (EXCLUDED.\"_raw_data\"->{version} >= t.\"_raw_data\"->{version}) IS NOT FALSE
                        AND record_image_ne(ROW(EXCLUDED.\"_raw_data\"), ROW(t.\"_raw_data\")))
                RETURNING xmax = 0 AS is_new
             )
             SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM written"
        );
        let names = |first: usize| {
            let arrays: Vec<String> =
                (0..table.key.len()).map(|at| format!("${}::text[]", first + at)).collect();
            let columns: Vec<String> = (0..table.key.len()).map(|at| format!("key_{at}")).collect();
            let same: Vec<String> = table
                .key
                .iter()
                .enumerate()
                .map(|(at, column)| format!("t.{} = n.key_{at}", quote_identifier(&column.name)))
                .collect();
            (arrays.join(", "), columns.join(", "), same.join(" AND "))
        };
        let (arrays, columns, same) = names(1);
        // Each key is looked up by itself, however the planner judges the table's size.
        let stored = format!(
            "SELECT n.place - 1 FROM unnest({arrays}) WITH ORDINALITY AS n ({columns}, place),
                LATERAL (SELECT FROM {target} AS t WHERE {same} LIMIT 1) AS t"
        );
        let copy = format!(
            "COPY {target} (\"_raw_data\", \"_synced_at\", \"_updated_at\") FROM STDIN (FORMAT binary)"
        );
        let (arrays, columns, same) = names(4);
        // Images are compared, as `*=` does: `=` takes 1.5 and 1.50 for the same. What was merely read again keeps its payload,
        // and with it everything that lies in the TOAST table. A row that changes while this runs
        // is another version of it, with another `ctid`, and is left alone.
        let revise = format!(
            "WITH compared AS MATERIALIZED (
                SELECT t.place, n.payload, n.moment, CASE
                    WHEN n.moment < t.updated_at THEN 'keep'
                    WHEN n.moment = t.updated_at THEN CASE
                        WHEN record_image_eq(ROW(n.payload), ROW(t.payload)) OR (n.payload->{version} >= t.payload->{version}) IS FALSE
                        THEN 'keep' ELSE 'replace' END
                    WHEN n.payload->{version} = to_jsonb(n.version) AND n.version < {LATEST}
                        AND record_image_eq(ROW(jsonb_set(n.payload, ARRAY[{version}], t.payload->{version}, false)), ROW(t.payload))
                    THEN 'touch' ELSE 'replace' END AS due
                FROM (SELECT *, {stamp} AS moment FROM unnest($1::jsonb[], $2::bigint[], {arrays})
                        AS n (payload, version, {columns})) AS n,
                    LATERAL (SELECT t.ctid AS place, t.\"_updated_at\" AS updated_at, t.\"_raw_data\" AS payload
                        FROM {target} AS t WHERE {same} LIMIT 1) AS t
             ), touched AS (
                UPDATE {target} AS t SET \"_synced_at\" = $3, \"_updated_at\" = c.moment
                FROM compared AS c WHERE t.ctid = c.place AND c.due = 'touch' RETURNING 1
             ), replaced AS (
                UPDATE {target} AS t
                SET \"_raw_data\" = c.payload, \"_synced_at\" = $3, \"_updated_at\" = c.moment
                FROM compared AS c WHERE t.ctid = c.place AND c.due = 'replace' RETURNING 1
             )
             SELECT count(*), count(*) FILTER (WHERE due <> 'keep'),
                (SELECT count(*) FROM touched) + (SELECT count(*) FROM replaced) FROM compared"
        );
        let (arrays, columns, same) = names(3);
        let delete = format!(
            "DELETE FROM {target} AS t
             USING unnest($1::bigint[], $2::boolean[], {arrays}) AS n (version, unconditional, {columns})
             WHERE {same} AND (n.unconditional OR t.\"_updated_at\" < {stamp}
                OR (t.\"_updated_at\" = {stamp}
                    AND (t.\"_raw_data\"->{version} <= to_jsonb(n.version)) IS NOT FALSE))"
        );
        let (arrays, columns, same) = names(5);
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
        let casts =
            table.key.iter().chain(&table.columns).filter(|column| column.may_refuse()).map(|column| Cast {
                column: column.name.clone(),
                sql_type: column.sql_type,
                sql: format!(
                    "SELECT {} FROM (SELECT ($1::text)::jsonb AS _raw_data) AS payload",
                    column.expression
                ),
            });
        Statements {
            stored,
            copy,
            revise,
            merge,
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
