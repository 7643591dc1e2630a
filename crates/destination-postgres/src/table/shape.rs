//! The table of a stream.

use std::collections::HashSet;
use std::fmt::Write as _;

use protocol::{ConfiguredStream, ConnectorError, PARENT_ID, SystemColumn};
use util_postgres::{quote_identifier, quote_literal, shorten_identifier};

use super::column::properties;
use super::{AllowedValues, Column, Projection, TOMBSTONES, late, record};

/// Fields that never become a column: they have columns of their own.
pub(super) const OWN_COLUMNS: [&str; 3] = ["_raw_data", "_synced_at", "_updated_at"];

/// Columns that every table has without declaring them.
const HIDDEN_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// What the name of the table behind a view begins with.
const RAW: &str = "_raw_";

/// A stream's table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) schema: String,
    /// Name of the stream.
    pub(crate) stream: String,
    /// Name of the table: the stream's, or that of the raw table behind its view; shortened where it must be.
    pub(crate) name: String,
    pub(crate) projection: Projection,
    pub(crate) system_columns: Vec<SystemColumn>,
    /// The fields of the primary key, in order.
    pub(crate) key: Vec<Column>,
    /// The columns of the other fields.
    pub(crate) columns: Vec<Column>,
    pub(crate) allowed: Vec<AllowedValues>,
    /// Names of further columns that get an index.
    pub(crate) indexed: Vec<String>,
}

/// An index on one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) name: String,
    pub(crate) column: String,
}

impl Table {
    /// The table of a stream; fails where the stream cannot have one.
    pub(crate) fn of(
        schema: &str,
        configured: &ConfiguredStream,
        projection: Projection,
    ) -> Result<Table, ConnectorError> {
        let stream = &configured.stream;
        let refuse = |why: String| Err(ConnectorError::config(format!("stream \"{}\": {why}", stream.name)));
        if stream.name.is_empty() || stream.name.contains('\0') {
            return refuse("this is not a name a table can have".to_owned());
        }
        if [state_postgres::STATE_TABLE, TOMBSTONES, record::TABLE, late::TABLE].contains(&&*stream.name) {
            return refuse("the destination keeps a table of this name for itself".to_owned());
        }
        let is_view = projection == Projection::View;
        if is_view && stream.name.starts_with(RAW) {
            return refuse(format!("names that begin with `{RAW}` are taken by the tables behind the views"));
        }
        let key_fields = stream.key_fields();
        let mut taken: HashSet<&str> = OWN_COLUMNS.into_iter().chain(HIDDEN_COLUMNS).collect();
        let system_columns = configured.system_columns.clone().unwrap_or_default();
        for column in &system_columns {
            if !is_type(&column.column_type) {
                return refuse(format!(
                    "\"{}\" is not a type for column \"{}\"",
                    column.column_type, column.name
                ));
            }
            if !taken.insert(&column.name) {
                return refuse(format!("the column \"{}\" exists twice", column.name));
            }
        }
        for field in &key_fields {
            if field.is_empty() || field.contains('\0') || !taken.insert(field) {
                return refuse(format!("\"{field}\" cannot be part of the primary key"));
            }
        }
        taken.insert("id");
        let properties = || properties(stream.json_schema.as_ref());
        let columns = properties()
            // No column can have such a name; the payload keeps the field all the same.
            .filter(|(name, _)| !name.is_empty() && !name.contains('\0'))
            .filter(|(name, _)| !taken.contains(&***name))
            .map(|(name, schema)| Column::of_property(name, schema))
            .collect();
        let allowed = properties()
            .filter_map(|(name, schema)| AllowedValues::of_property(&stream.name, name, schema))
            .collect();
        Ok(Table {
            schema: schema.to_owned(),
            stream: stream.name.to_string(),
            name: shorten_identifier(&if is_view {
                format!("{RAW}{}", stream.name)
            } else {
                stream.name.to_string()
            }),
            projection,
            system_columns,
            key: key_fields.into_iter().map(Column::of_key).collect(),
            columns,
            allowed,
            indexed: Vec::new(),
        })
    }

    /// `"schema"."table"`.
    pub(crate) fn qualified(&self) -> String {
        format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.name))
    }

    /// `"schema"."name"` of what readers see.
    pub(crate) fn shown(&self) -> String {
        format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.shown_name()))
    }

    /// Name of what readers see: the table, or the view over it.
    pub(crate) fn shown_name(&self) -> String {
        shorten_identifier(&self.stream)
    }

    /// The columns that the writer fills.
    pub(crate) fn filled(&self) -> Vec<&Column> {
        match self.projection {
            Projection::Generated => Vec::new(),
            Projection::Typed => self.key.iter().chain(&self.columns).collect(),
            Projection::View => self.key.iter().collect(),
        }
    }

    /// The columns of fields outside of the key that the table itself has.
    pub(crate) fn others(&self) -> &[Column] {
        if self.projection == Projection::View { &[] } else { &self.columns }
    }

    /// The columns of fields that the table itself has.
    fn stored(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().chain(self.others())
    }

    /// Names of the constraints that fields would have of which any value is allowed.
    pub(crate) fn unconstrained(&self) -> impl Iterator<Item = String> {
        let fields = self.key.iter().chain(&self.columns).map(|column| &column.field);
        let free = fields.filter(|field| self.allowed.iter().all(|allowed| allowed.field != **field));
        free.map(|field| AllowedValues::constraint(&self.stream, field))
    }

    /// The primary key's columns, quoted, with commas.
    pub(crate) fn key_list(&self) -> String {
        let names: Vec<String> = self.key.iter().map(|column| quote_identifier(&column.name)).collect();
        names.join(", ")
    }

    /// `CREATE TABLE …`. With `lz4`, payloads and other JSON columns are compressed by it.
    pub(crate) fn create_sql(&self, lz4: bool) -> String {
        let compression = if lz4 { " COMPRESSION lz4" } else { "" };
        let mut sql = format!(
            "CREATE TABLE {} (\n  \"_raw_data\" jsonb{compression} NOT NULL,\n  \
             \"_synced_at\" timestamptz NOT NULL DEFAULT now(),\n  \
             \"_updated_at\" timestamptz NOT NULL DEFAULT now()",
            self.qualified()
        );
        for definition in self.later_columns(lz4).map(|(_, definition)| definition) {
            let _ = write!(sql, ",\n  {definition}");
        }
        for allowed in &self.allowed {
            let _ =
                write!(sql, ",\n  CONSTRAINT {} {}", quote_identifier(&allowed.constraint), allowed.check());
        }
        let _ = write!(sql, ",\n  PRIMARY KEY ({})\n)", self.key_list());
        sql
    }

    /// Name and definition of every column that a table may gain: all but the first three.
    pub(crate) fn later_columns(&self, lz4: bool) -> impl Iterator<Item = (&str, String)> {
        let system = self.system_columns.iter().map(|column| {
            (&*column.name, format!("{} {}", quote_identifier(&column.name), column.column_type))
        });
        system.chain(self.stored().map(move |column| (&*column.name, self.definition_of(column, lz4))))
    }

    /// The definition of a field's column.
    pub(crate) fn definition_of(&self, column: &Column, lz4: bool) -> String {
        let definition = match self.projection {
            Projection::Generated => column.definition(),
            _ => column.plain_definition(self.key.contains(column)),
        };
        match column.sql_type {
            "jsonb" if lz4 => definition.replacen(" jsonb", " jsonb COMPRESSION lz4", 1),
            _ => definition,
        }
    }

    /// The indexes that the system columns ask for, the one by which children are found by their parent, and others
    /// that are asked for.
    pub(crate) fn indexes(&self) -> impl Iterator<Item = Index> {
        let system = self.system_columns.iter().filter(|column| column.index).map(|column| &column.name);
        let mut fields = self.key.iter().chain(&self.columns);
        let parent = fields.find(|column| column.field == PARENT_ID).map(|column| &column.name);
        let mut columns: Vec<&String> = system.chain(parent).collect();
        for column in &self.indexed {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        columns.into_iter().map(|column| Index {
            name: shorten_identifier(&format!("idx_{}_{column}", self.stream)),
            column: column.clone(),
        })
    }

    /// The column that the table has for a field of the payload.
    pub(crate) fn column(&self, field: &str) -> Option<&Column> {
        self.stored().find(|column| column.field == field)
    }

    /// The SQL for a field's text in a row called `t`: a column where there is one.
    pub(crate) fn text_of(&self, field: &str) -> String {
        match self.column(field).filter(|column| column.sql_type == "text") {
            Some(column) => format!("t.{}", quote_identifier(&column.name)),
            None => format!("(t._raw_data->>{})", quote_literal(field)),
        }
    }

    /// `CREATE INDEX …` for one of [`Table::indexes`].
    pub(crate) fn index_sql(&self, index: &Index) -> String {
        let computed = self.columns.iter().find(|column| column.name == index.column);
        let column = match computed.filter(|column| self.column(&column.field).is_none()) {
            // What the view computes, so that whoever asks the view for the column is helped by the index.
            Some(column) => format!("({})", column.tolerant_expression()),
            None => quote_identifier(&index.column),
        };
        format!("CREATE INDEX {} ON {} ({column})", quote_identifier(&index.name), self.qualified())
    }
}

/// Whether `text` can only be a type's name, such as `numeric(10, 2)` or `text[]`.
fn is_type(text: &str) -> bool {
    let allowed = |character: char| character.is_ascii_alphanumeric() || " _(),[]".contains(character);
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Stream;
    use serde_json::json;

    fn of(schema: &str, stream: &ConfiguredStream) -> Result<Table, ConnectorError> {
        Table::of(schema, stream, Projection::Generated)
    }

    fn stream(name: &str, schema: &serde_json::Value) -> ConfiguredStream {
        let fields = json!({"name": name, "primary_key": [["id"], ["_account_id"]],
            "newer_than_field": "_updated_at", "json_schema": schema});
        ConfiguredStream::whole(serde_json::from_value::<Stream>(fields).unwrap())
    }

    #[test]
    fn the_table_has_upstreams_shape() {
        let mut customer = stream(
            "customer",
            &json!({"type": "object", "properties": {
                "id": {"type": "string"},
                "address": {"oneOf": [{"type": "object"}, {"type": "null"}]},
                "balance": {"type": "integer"},
                "default_source": {"oneOf": [{"type": "string"}, {"type": "null"}], "x-expandable-reference": true},
                "livemode": {"type": "boolean"},
                "name": {"oneOf": [{"type": "string"}, {"type": "null"}]},
                "rate": {"type": "number"},
                "it's": {"type": "string"},
                "_account_id": {"type": "string", "enum": ["acct_1", "acct_2"]},
                "_updated_at": {"type": "integer"},
            }}),
        );
        customer.system_columns =
            Some(vec![serde_json::from_value(json!({"name": "_tenant", "index": true})).unwrap()]);
        let table = of("stripe", &customer).unwrap();
        insta::assert_snapshot!(table.create_sql(false));
        insta::assert_snapshot!(table.create_sql(true));
        let indexes: Vec<String> = table.indexes().map(|index| table.index_sql(&index)).collect();
        insta::assert_snapshot!(indexes.join("\n"));
    }

    #[test]
    fn a_stream_without_key_and_schema_has_an_id() {
        let mut bare = stream("a.\"b\" ü", &json!({}));
        bare.stream.primary_key.clear();
        insta::assert_snapshot!(of("we\"ird", &bare).unwrap().create_sql(true));
    }

    #[test]
    fn long_names_stay_apart() {
        let long = |end: &str| format!("{}{end}", "long_".repeat(20));
        let schema = json!({"properties": {(long("a")): {"type": "string", "enum": ["x"]}, (long("b")): {}}});
        let (one, two) = (stream(&long("1"), &schema), stream(&long("2"), &schema));
        let (one, two) = (of("s", &one).unwrap(), of("s", &two).unwrap());
        assert_ne!(one.name, two.name);
        assert_ne!(one.columns[0].name, one.columns[1].name);
        assert_ne!(one.allowed[0].constraint, two.allowed[0].constraint);
        for name in [&one.name, &one.columns[0].name, &one.allowed[0].constraint] {
            assert!(name.len() == 63, "{name}");
        }
    }

    #[test]
    fn types_cannot_smuggle_sql() {
        let mut evil = stream("s", &json!({}));
        let column =
            SystemColumn { name: "x".to_owned(), column_type: "text); DROP".to_owned(), index: false };
        evil.system_columns = Some(vec![column]);
        assert!(of("s", &evil).unwrap_err().to_string().contains("not a type"));
        assert!(of("s", &stream("_sync_state", &json!({}))).is_err());
    }
}
