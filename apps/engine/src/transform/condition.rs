//! Which records are wanted.

use protocol::{Condition, RawJson, RawJsonError};
use serde_json::Value;

/// Conditions, all of which must hold.
#[derive(Debug)]
pub(super) struct Conditions(Vec<(Vec<String>, Condition)>);

impl Conditions {
    /// Says what is wrong with a condition that says nothing.
    pub(super) fn new(conditions: &[Condition]) -> Result<Conditions, String> {
        let mut read = Vec::new();
        for condition in conditions {
            let Condition { field, one_of, not_in, at_least, less_than } = condition;
            if one_of.is_none() && not_in.is_none() && at_least.is_none() && less_than.is_none() {
                return Err(format!(
                    "`where` says nothing of `{field}`: give `in`, `not_in`, `at_least` or `less_than`"
                ));
            }
            read.push((field.split('.').map(str::to_owned).collect(), condition.clone()));
        }
        Ok(Conditions(read))
    }

    /// Whether all hold. Fails if the payload is not an object.
    pub(super) fn hold(&self, payload: &RawJson) -> Result<bool, RawJsonError> {
        for (path, condition) in &self.0 {
            let [first, rest @ ..] = path.as_slice() else { continue };
            let [member] = payload.members([first])?;
            let value = match member {
                Some(raw) => serde_json::from_str(raw.get())?,
                None => Value::Null,
            };
            if !holds(condition, reach(value, rest)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The value that a path leads to; null where it leads nowhere.
fn reach(value: Value, path: &[String]) -> Value {
    path.iter().fold(value, |value, name| match value {
        Value::Object(mut members) => members.remove(name).unwrap_or_default(),
        _ => Value::Null,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "a value that was reached has no other use")]
fn holds(condition: &Condition, value: Value) -> bool {
    let number = value.as_f64();
    condition.one_of.as_ref().is_none_or(|wanted| wanted.contains(&value))
        && condition.not_in.as_ref().is_none_or(|unwanted| !unwanted.contains(&value))
        && condition.at_least.is_none_or(|least| number.is_some_and(|number| number >= least))
        && condition.less_than.is_none_or(|bound| number.is_some_and(|number| number < bound))
}
