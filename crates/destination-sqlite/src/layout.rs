//! A stream's table and view: names and SQL. Decides only; touches no file.

use std::sync::Arc;

use protocol::{PARENT_ID, Stream};

use crate::SqliteError;
use crate::column::{Column, Kind, path};

/// Columns that every table has besides its key, `_newer_than` last.
const OWN_COLUMNS: [&str; 4] = ["_raw_data", "_synced_at", "_updated_at", "_newer_than"];
/// Most columns of a view that SQLite takes as it comes.
const MOST_COLUMNS: usize = 2000;

/// When a row was created; 0 where it does not say.
const CREATED: &str = "CASE json_type(_raw_data, '$.created') WHEN 'integer' \
                       THEN CAST(_raw_data ->> '$.created' AS INTEGER) ELSE 0 END";

/// How a stream is stored.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) stream: Arc<str>,
    /// The primary key fields, which are columns.
    pub(crate) key: Vec<String>,
    /// The field that tells a newer version from an older one.
    pub(crate) newer_than: String,
    /// What tells the parent of a row, as the view shows it.
    pub(crate) parent: String,
    /// Whether the rows have parents, so that it pays to find them by their parent.
    pub(crate) has_parents: bool,
}

/// The columns that a view can have, and the properties that it cannot show.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) columns: Vec<Column>,
    pub(crate) hidden: Vec<String>,
}

impl Layout {
    /// The layout of a stream. Fails where SQLite cannot have such a table.
    pub(crate) fn of_stream(stream: &Stream) -> Result<Layout, SqliteError> {
        let name = &stream.name;
        let refused = |reason: String| SqliteError::StreamName { stream: name.to_string(), reason };
        let taken = ["sqlite_", "_sync_", "_raw_"];
        if let Some(prefix) = taken.iter().find(|prefix| starts_with(name, prefix)) {
            return Err(refused(format!("names that begin with `{prefix}` are taken")));
        }
        if &**name == "_global" || name.is_empty() || name.contains('\0') {
            return Err(refused("such a name cannot be used".to_owned()));
        }
        let key: Vec<String> = stream.key_fields().into_iter().map(str::to_owned).collect();
        for (at, field) in key.iter().enumerate() {
            let mut others = key[..at].iter().map(String::as_str).chain(OWN_COLUMNS);
            if field.contains('\0') || others.any(|other| other.eq_ignore_ascii_case(field)) {
                return Err(refused(format!("its primary key field `{field}` cannot be a column")));
            }
        }
        let parent = Column::of_stream(stream).into_iter().find(|column| column.name == PARENT_ID);
        let has_parents = parent.is_some();
        Ok(Layout {
            stream: Arc::clone(name),
            parent: value_of(&key, &parent.unwrap_or_else(|| text_column(PARENT_ID))),
            has_parents,
            newer_than: stream.newer_than_field.clone(),
            key,
        })
    }

    /// Name of the table.
    pub(crate) fn table(&self) -> String {
        format!("_raw_{}", self.stream)
    }

    /// Name of the view.
    pub(crate) fn view(&self) -> &str {
        &self.stream
    }

    /// Rows are far larger than an index entry, so this is a table with a rowid and an index.
    pub(crate) fn create_table(&self) -> String {
        let keys: String =
            self.key.iter().map(|field| format!("{} TEXT NOT NULL, ", quoted(field))).collect();
        format!(
            "CREATE TABLE IF NOT EXISTS {} ({keys}_raw_data TEXT NOT NULL, _synced_at TEXT NOT NULL, \
             _updated_at TEXT NOT NULL, _newer_than INTEGER, PRIMARY KEY ({}))",
            quoted(&self.table()),
            self.key_list(),
        )
    }

    /// An index by which a sweep finds the children of a parent; `None` where rows have no parents.
    pub(crate) fn create_parent_index(&self) -> Option<String> {
        let name = quoted(&format!("{}_parent", self.table()));
        self.has_parents.then(|| {
            format!("CREATE INDEX IF NOT EXISTS {name} ON {} ({})", quoted(&self.table()), self.parent)
        })
    }

    /// A view of the key, the payload, the times and the given columns.
    pub(crate) fn create_view(&self, columns: &[Column]) -> String {
        let own = OWN_COLUMNS[..3].join(", ");
        let shown: String = columns
            .iter()
            .map(|column| format!(",\n  {} AS {}", column.expression(), quoted(&column.name)))
            .collect();
        format!(
            "CREATE VIEW {} AS SELECT {}, {own}{shown}\nFROM {}",
            quoted(self.view()),
            self.key_list(),
            quoted(&self.table())
        )
    }

    /// What the view shows: all it showed before, as before, and what is new. A property
    /// that differs from an earlier column in upper and lower case only cannot be a column too.
    pub(crate) fn shown(&self, before: Vec<Column>, wanted: Vec<Column>) -> Shown {
        let taken = |columns: &[Column], name: &str| {
            let fixed = self.key.iter().map(String::as_str).chain(OWN_COLUMNS);
            let mut all = fixed.chain(columns.iter().map(|column| column.name.as_str()));
            all.any(|other| other.eq_ignore_ascii_case(name))
        };
        let room = MOST_COLUMNS.saturating_sub(self.key.len() + OWN_COLUMNS.len());
        let mut shown = Shown { columns: before, hidden: Vec::new() };
        for column in wanted {
            let known = |other: &str| other == column.name;
            if shown.columns.iter().any(|other| known(&other.name))
                || self.key.iter().any(|field| known(field))
                || OWN_COLUMNS.iter().any(|own| known(own))
            {
                continue;
            }
            let impossible = column.name.contains('\0') || shown.columns.len() >= room;
            if impossible || taken(&shown.columns, &column.name) {
                shown.hidden.push(column.name);
            } else {
                shown.columns.push(column);
            }
        }
        shown
    }

    /// Inserts or replaces one row, unless the stored one is newer or the same. Parameters: the key,
    /// `_raw_data`, `_synced_at`, `_updated_at`, `_newer_than`.
    pub(crate) fn upsert(&self) -> String {
        let table = quoted(&self.table());
        let own = OWN_COLUMNS.join(", ");
        let places: Vec<String> =
            (1..=self.key.len() + OWN_COLUMNS.len()).map(|at| format!("?{at}")).collect();
        let set: Vec<String> =
            OWN_COLUMNS.iter().map(|column| format!("{column} = excluded.{column}")).collect();
        format!(
            "INSERT INTO {table} ({}, {own}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {} \
             WHERE excluded._newer_than >= coalesce({}, excluded._newer_than) \
             AND excluded._raw_data IS NOT {table}._raw_data",
            self.key_list(),
            places.join(", "),
            self.key_list(),
            set.join(", "),
            self.stored_version(),
        )
    }

    /// Deletes one row that is not newer. Parameters: the key, the version; a version of NULL
    /// deletes in any case.
    pub(crate) fn delete(&self) -> String {
        let version = format!("?{}", self.key.len() + 1);
        format!(
            "DELETE FROM {} WHERE {} AND ({version} IS NULL OR coalesce({}, {version}) <= {version})",
            quoted(&self.table()),
            self.key_matches(),
            self.stored_version(),
        )
    }

    /// Deletes the children of a parent that are not kept and not newer; answers their keys. Parameters: the
    /// parent, the account, the ids to keep as a JSON array, the version.
    pub(crate) fn sweep(&self) -> String {
        let value = |field: &str| value_of(&self.key, &text_column(field));
        format!(
            "DELETE FROM {} WHERE {} = ?1 AND {} = ?2 AND {} NOT IN (SELECT value FROM json_each(?3)) \
             AND coalesce({}, ?4) <= ?4 RETURNING {}",
            quoted(&self.table()),
            self.parent,
            value("_account_id"),
            value("id"),
            self.stored_version(),
            self.key_list(),
        )
    }

    /// Answers payload and key of each row. Parameters: the account, or NULL for all.
    pub(crate) fn inspect_all(&self) -> String {
        let table = quoted(&self.table());
        format!("SELECT _raw_data, {} FROM {table} WHERE {}", self.key_list(), self.is_of_account())
    }

    /// The same for the rows created within bounds, which are further parameters.
    pub(crate) fn inspect_created(&self) -> String {
        format!("{} AND {CREATED} >= ?2 AND {CREATED} < ?3", self.inspect_all())
    }

    /// Answers when the last of the newest of these rows was created. Parameters: the account, the bounds, how
    /// many are newer.
    pub(crate) fn inspect_newest(&self) -> String {
        format!(
            "SELECT {CREATED} FROM {} WHERE {} AND {CREATED} >= ?2 AND {CREATED} < ?3 ORDER BY 1 DESC LIMIT 1 OFFSET ?4",
            quoted(&self.table()),
            self.is_of_account()
        )
    }

    /// The same as for all rows, for one key, whose values are further parameters.
    pub(crate) fn inspect_key(&self) -> String {
        let terms: Vec<String> =
            (2..).zip(&self.key).map(|(at, field)| format!("{} = ?{at}", quoted(field))).collect();
        format!("{} AND {}", self.inspect_all(), terms.join(" AND "))
    }

    fn is_of_account(&self) -> String {
        format!("(?1 IS NULL OR {} = ?1)", value_of(&self.key, &text_column("_account_id")))
    }

    /// Answers a row if the key is stored. Parameters: the key.
    pub(crate) fn exists(&self) -> String {
        format!("SELECT 1 FROM {} WHERE {}", quoted(&self.table()), self.key_matches())
    }

    /// The key as a list of columns.
    pub(crate) fn key_list(&self) -> String {
        let columns: Vec<String> = self.key.iter().map(|field| quoted(field)).collect();
        columns.join(", ")
    }

    fn key_matches(&self) -> String {
        let terms: Vec<String> = self
            .key
            .iter()
            .enumerate()
            .map(|(at, field)| format!("{} = ?{}", quoted(field), at + 1))
            .collect();
        terms.join(" AND ")
    }

    /// Rows of the TypeScript engine have no `_newer_than`: their version is in the payload.
    fn stored_version(&self) -> String {
        let table = quoted(&self.table());
        format!("{table}._newer_than, CAST({table}._raw_data ->> {} AS INTEGER)", path(&[&self.newer_than]))
    }
}

/// The SQL for a column's value: a column of the table where it is part of the key.
fn value_of(key: &[String], column: &Column) -> String {
    if key.contains(&column.name) { quoted(&column.name) } else { column.expression() }
}

fn text_column(name: &str) -> Column {
    Column { name: name.to_owned(), kind: Kind::Text }
}

/// An SQL name.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn starts_with(name: &str, prefix: &str) -> bool {
    name.as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Kind;

    fn stream(name: &str, key: &[&str]) -> Stream {
        Stream {
            name: name.into(),
            primary_key: key.iter().map(|field| vec![(*field).to_owned()]).collect(),
            newer_than_field: "_updated_at".to_owned(),
            json_schema: None,
            metadata: None,
            soft_delete_field: None,
        }
    }

    fn text(name: &str) -> Column {
        Column { name: name.to_owned(), kind: Kind::Text }
    }

    #[test]
    fn names_that_sqlite_or_we_need_are_refused() {
        for name in ["sqlite_x", "SQLITE_x", "_sync_state", "_raw_customer", "_global", "", "a\0b"] {
            let error = Layout::of_stream(&stream(name, &["id"])).unwrap_err();
            assert!(error.to_string().contains("cannot be"), "{error}");
        }
        for key in [&["_raw_data"][..], &["id", "ID"], &["_newer_than"]] {
            assert!(Layout::of_stream(&stream("a", key)).is_err(), "{key:?}");
        }
        assert!(Layout::of_stream(&stream("sqlit\u{e9}_", &["id"])).is_ok());
    }

    #[test]
    fn a_view_keeps_its_columns_and_gains_new_ones() {
        let layout = Layout::of_stream(&stream("a", &["id"])).unwrap();
        let before = vec![Column { name: "n".to_owned(), kind: Kind::Integer }];
        let wanted =
            ["id", "_raw_data", "_updated_at", "n", "N", "ID", "x", "X", "é", "É"].map(text).to_vec();
        let shown = layout.shown(before.clone(), wanted);
        assert_eq!(shown.columns, [before, ["x", "é", "É"].map(text).to_vec()].concat());
        assert_eq!(shown.hidden, ["N", "ID", "X"]);
    }

    #[test]
    fn children_are_found_by_an_index() {
        let schema = serde_json::json!({"properties": {"_parent_id": {"type": "string"}}});
        let child =
            Stream { json_schema: schema.as_object().cloned(), ..stream("si", &["id", "_account_id"]) };
        let keyed = Stream {
            primary_key: vec![vec!["id".to_owned()], vec!["_parent_id".to_owned()]],
            ..child.clone()
        };
        for stream in [child, keyed] {
            let layout = Layout::of_stream(&stream).unwrap();
            let connection = rusqlite::Connection::open_in_memory().unwrap();
            connection.execute_batch(&layout.create_table()).unwrap();
            connection.execute_batch(&layout.create_parent_index().unwrap()).unwrap();
            connection.execute_batch(&layout.create_view(&Column::of_stream(&stream))).unwrap();
            let sweep = (1..=4).fold(layout.sweep(), |sql, at| sql.replace(&format!("?{at}"), "'[]'"));
            for sql in [sweep, "SELECT * FROM si WHERE _parent_id = 'sub_1'".to_owned()] {
                let plan: String = connection
                    .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
                    .unwrap()
                    .query_map([], |row| row.get::<_, String>(3))
                    .unwrap()
                    .map(Result::unwrap)
                    .collect();
                assert!(plan.contains("_raw_si_parent"), "{plan}");
            }
        }
        assert!(Layout::of_stream(&stream("a", &["id"])).unwrap().create_parent_index().is_none());
    }

    #[test]
    fn a_view_has_no_more_columns_than_sqlite_takes() {
        let layout = Layout::of_stream(&stream("a", &["id"])).unwrap();
        let wanted: Vec<Column> = (0..2500).map(|at| text(&format!("c{at}"))).collect();
        let shown = layout.shown(Vec::new(), wanted);
        assert_eq!(shown.columns.len() + shown.hidden.len(), 2500);
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch(&layout.create_table()).unwrap();
        connection.execute_batch(&layout.create_view(&shown.columns)).unwrap();
        connection.prepare("SELECT * FROM a").unwrap();
    }
}
