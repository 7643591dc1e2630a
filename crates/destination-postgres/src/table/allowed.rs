//! The values a field may have: an `enum` in the schema becomes a CHECK, so that rows of another
//! account cannot get into the table by mistake.

use std::collections::BTreeSet;

use serde_json::Value;
use util_postgres::{quote_identifier, quote_literal, shorten_identifier};

/// The allowed values of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AllowedValues {
    /// The field.
    pub(crate) field: String,
    /// Name of the constraint.
    pub(crate) constraint: String,
    /// The values as text, in the schema's order.
    pub(crate) values: Vec<String>,
}

impl AllowedValues {
    /// The `enum` of a field of `table`, where its schema has one.
    pub(crate) fn of_property(table: &str, field: &str, schema: &Value) -> Option<AllowedValues> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let values: Vec<String> = schema.get("enum")?.as_array()?.iter().map(text).collect();
        let constraint = Self::constraint(table, field);
        (!values.is_empty()).then(|| AllowedValues { field: field.to_owned(), constraint, values })
    }

    /// The name of the constraint on a field of `table`.
    pub(crate) fn constraint(table: &str, field: &str) -> String {
        shorten_identifier(&format!("chk_{table}_{field}"))
    }

    /// Whether more values are allowed than by the constraint that is there, and all of those that it allows.
    pub(crate) fn widens(&self, definition: &str) -> bool {
        let existing = values_of(definition);
        existing.len() < self.values.len() && existing.iter().all(|value| self.values.contains(value))
    }

    /// `CHECK (…)`.
    pub(crate) fn check(&self) -> String {
        let field = quote_literal(&self.field);
        let values: Vec<String> = self.values.iter().map(|value| quote_literal(value)).collect();
        format!(
            "CHECK ((_raw_data->>{field}) IS NOT NULL AND (_raw_data->>{field}) IN ({}))",
            values.join(", ")
        )
    }

    /// Why the constraint that is there, as `pg_get_constraintdef` shows it, does not fit.
    pub(crate) fn conflict(&self, schema: &str, table: &str, definition: &str) -> Option<String> {
        let existing = values_of(definition);
        let wanted: BTreeSet<String> = self.values.iter().cloned().collect();
        if existing == wanted {
            return None;
        }
        let list = |values: BTreeSet<String>| values.into_iter().collect::<Vec<_>>().join(", ");
        let (field, constraint) = (&self.field, &self.constraint);
        Some(format!(
            "Postgres destination: enum values changed for \"{schema}\".\"{table}\".\"{field}\". \
             Existing CHECK \"{constraint}\" allows [{}]; new catalog wants [{}]. \
             Drop manually before re-running setup: ALTER TABLE {}.{} DROP CONSTRAINT {};",
            list(existing),
            list(wanted),
            quote_identifier(schema),
            quote_identifier(table),
            quote_identifier(constraint),
        ))
    }
}

/// The text literals of a constraint, without those that name the field (`->> '…'`).
fn values_of(definition: &str) -> BTreeSet<String> {
    let mut values = BTreeSet::new();
    let mut rest = definition;
    while let Some(at) = rest.find('\'') {
        let before = &rest[..at];
        let escaped = before.ends_with('E');
        let names_field = before.trim_end_matches('E').trim_end().ends_with("->>");
        let mut value = String::new();
        let mut characters = rest[at + 1..].char_indices().peekable();
        let mut end = rest.len();
        while let Some((offset, character)) = characters.next() {
            match character {
                '\'' if characters.peek().is_some_and(|(_, next)| *next == '\'') => {
                    characters.next();
                    value.push('\'');
                }
                '\'' => {
                    end = at + 1 + offset + 1;
                    break;
                }
                '\\' if escaped => value.extend(characters.next().map(|(_, next)| next)),
                other => value.push(other),
            }
        }
        if !names_field {
            values.insert(value);
        }
        rest = &rest[end..];
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_postgres_shows() {
        let one = "CHECK ((((_raw_data ->> '_account_id'::text) IS NOT NULL) AND \
                   ((_raw_data ->> '_account_id'::text) = 'acct_1'::text)))";
        assert_eq!(values_of(one), BTreeSet::from(["acct_1".to_owned()]));
        let several = "CHECK ((((_raw_data ->> 'f'::text) IS NOT NULL) AND ((_raw_data ->> 'f'::text) = \
                       ANY (ARRAY['it''s'::text, E'a\\\\b'::text, ''::text]))))";
        let expected = ["it's", "a\\b", ""].map(str::to_owned);
        assert_eq!(values_of(several), BTreeSet::from(expected));
    }
}
