//! The statements that write rows.

use util_postgres::{quote_identifier, quote_literal};

use super::{Keys, moment};
use crate::table::{Projection, Table};
use crate::write::value::LATEST;

/// SQL that writes rows where nothing newer is stored.
#[derive(Debug, Clone)]
pub(in crate::write) struct Upserts {
    /// One array per key field. Answers the places, from 0, of the keys that are stored.
    pub(in crate::write) stored: String,
    /// Adds rows whose keys are not stored.
    pub(in crate::write) add: Add,
    /// `$1` payloads, `$2` versions, `$3` now, then one array per key field, all of keys that are stored. Answers
    /// how many of them are there, how many are to be changed, and how many were.
    pub(in crate::write) revise: String,
    /// `$1` payloads, `$2` versions, `$3` now. Answers how many rows are new and how many changed.
    pub(in crate::write) merge: String,
}

/// How rows are added.
#[derive(Debug, Clone)]
pub(in crate::write) enum Add {
    /// `COPY` of payload, now and version, then this many fields of the key.
    Copy { sql: String, keys: usize },
    /// `$1` payloads, `$2` versions, `$3` now. For columns that are computed on the way.
    Insert(String),
}

impl Upserts {
    pub(super) fn of(table: &Table, newer_than: &str) -> Upserts {
        let target = table.qualified();
        let version = quote_literal(newer_than);
        let stamp = moment("n.version");
        let filled = table.filled();
        let names: Vec<String> = filled.iter().map(|column| quote_identifier(&column.name)).collect();
        let each = |of: &dyn Fn(&str, &str) -> String| -> String {
            names.iter().zip(&filled).map(|(name, column)| of(name, &column.expression)).collect()
        };
        let columns =
            format!("\"_raw_data\", \"_synced_at\", \"_updated_at\"{}", each(&|name, _| format!(", {name}")));
        let rows = format!(
            "INSERT INTO {target} AS t ({columns})
             SELECT n._raw_data, $3, {stamp}{}
             FROM (SELECT unnest($1::jsonb[]) AS _raw_data, unnest($2::bigint[]) AS version) AS n",
            each(&|_, expression| format!(", {expression}"))
        );
        let add = if table.projection == Projection::Typed {
            Add::Insert(rows.clone())
        } else {
            Add::Copy {
                sql: format!("COPY {target} ({columns}) FROM STDIN (FORMAT binary)"),
                keys: names.len(),
            }
        };
        // Payloads are unnested as columns: as a table they would be gathered first, on disk where they are many.
        let key = table.key_list();
        let merge = format!(
            "WITH written AS (
                {rows}
                ON CONFLICT ({key}) DO UPDATE SET \"_raw_data\" = EXCLUDED.\"_raw_data\",
                    \"_synced_at\" = EXCLUDED.\"_synced_at\", \"_updated_at\" = EXCLUDED.\"_updated_at\"{}
                WHERE EXCLUDED.\"_updated_at\" > t.\"_updated_at\"
                    OR (EXCLUDED.\"_updated_at\" = t.\"_updated_at\"
                        AND (EXCLUDED.\"_raw_data\"->{version} >= t.\"_raw_data\"->{version}) IS NOT FALSE
                        AND record_image_ne(ROW(EXCLUDED.\"_raw_data\"), ROW(t.\"_raw_data\")))
                RETURNING xmax = 0 AS is_new
             )
             SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM written",
            each(&|name, _| format!(", {name} = EXCLUDED.{name}"))
        );
        let Keys { arrays, columns, same, .. } = Keys::of(table, 1);
        // Each key is looked up by itself, however the planner judges the table's size.
        let stored = format!(
            "SELECT n.place - 1 FROM unnest({arrays}) WITH ORDINALITY AS n ({columns}, place),
                LATERAL (SELECT FROM {target} AS t WHERE {same} LIMIT 1) AS t"
        );
        let Keys { unnested, same, .. } = Keys::of(table, 4);
        // Images are compared, as `*=` does: `=` takes 1.5 and 1.50 for the same. What was merely read again keeps its
        // payload, and with it everything that lies in the TOAST table. A row that changes while this runs is
        // another version of it, with another `ctid`, and is left alone. (Of a partitioned table each part counts its own.)
        let revise = format!(
            "WITH compared AS MATERIALIZED (
                SELECT origin, place, moment, due, CASE due WHEN 'replace' THEN _raw_data END AS _raw_data FROM (
                    SELECT t.origin, t.place, n.moment, n._raw_data, CASE
                        WHEN n.moment < t.updated_at THEN 'keep'
                        WHEN n.moment = t.updated_at THEN CASE
                            WHEN record_image_eq(ROW(n._raw_data), ROW(t.payload))
                                OR (n._raw_data->{version} >= t.payload->{version}) IS FALSE
                            THEN 'keep' ELSE 'replace' END
                        WHEN n._raw_data->{version} = to_jsonb(n.version) AND n.version < {LATEST}
                            AND record_image_eq(
                                ROW(jsonb_set(n._raw_data, ARRAY[{version}], t.payload->{version}, false)),
                                ROW(t.payload))
                        THEN 'touch' ELSE 'replace' END AS due
                    FROM (SELECT *, {stamp} AS moment FROM (SELECT unnest($1::jsonb[]) AS _raw_data,
                            unnest($2::bigint[]) AS version, {unnested}) AS n) AS n,
                        LATERAL (SELECT t.tableoid AS origin, t.ctid AS place, t.\"_updated_at\" AS updated_at, t.\"_raw_data\" AS payload
                            FROM {target} AS t WHERE {same} LIMIT 1) AS t
                    OFFSET 0
                ) AS judged
             ), touched AS (
                UPDATE {target} AS t SET \"_synced_at\" = $3, \"_updated_at\" = c.moment
                FROM compared AS c WHERE t.ctid = c.place AND t.tableoid = c.origin AND c.due = 'touch' RETURNING 1
             ), replaced AS (
                UPDATE {target} AS t
                SET \"_raw_data\" = c._raw_data, \"_synced_at\" = $3, \"_updated_at\" = c.moment{}
                FROM (SELECT origin, place, moment, _raw_data{} FROM compared WHERE due = 'replace') AS c
                WHERE t.ctid = c.place AND t.tableoid = c.origin RETURNING 1
             )
             SELECT count(*), count(*) FILTER (WHERE due <> 'keep'),
                (SELECT count(*) FROM touched) + (SELECT count(*) FROM replaced) FROM compared",
            each(&|name, _| format!(", {name} = c.{name}")),
            each(&|name, expression| format!(", {expression} AS {name}"))
        );
        Upserts { stored, add, revise, merge }
    }
}
