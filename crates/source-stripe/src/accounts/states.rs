//! One source state for several accounts, taken apart and put together.
//!
//! The members at the top are those of the key's own account, so that a read of it alone and a read of several
//! accounts go on from each other's states. The others are under `accounts`, by their ids:
//! `{"accounted_range": …, "remaining": […], "accounts": {"acct_1": {"accounted_range": …, "remaining": […]}}}`.
//! States of accounts that are not read are carried along.

use std::collections::BTreeMap;

use protocol::{RawJson, SourceState};
use serde_json::value::RawValue;

/// The name of the member that holds the others.
const ACCOUNTS: &str = "accounts";

/// What a stream's state says at the top where the own account has none.
const NO_STREAM: &str = r#""remaining":[]"#;

/// The states of all accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct States {
    streams: BTreeMap<String, Parts>,
    global: Parts,
}

/// One state of all accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Parts {
    own: Option<RawJson>,
    others: BTreeMap<String, RawJson>,
}

/// Whose state it is: `None` is the account of the key.
pub(crate) type Whose<'a> = Option<&'a str>;

impl States {
    /// Takes a state apart.
    pub(crate) fn read(state: Option<&SourceState>) -> States {
        let Some(state) = state else { return States::default() };
        let streams = state.streams.iter().map(|(name, data)| (name.clone(), Parts::read(data)));
        States { streams: streams.collect(), global: Parts::read(&state.global) }
    }

    /// Whether there are states of other accounts than the key's own.
    pub(crate) fn has_others(&self) -> bool {
        self.streams.values().chain([&self.global]).any(|parts| !parts.others.is_empty())
    }

    /// The state of one account, as if there were no others.
    pub(crate) fn of(&self, account: Whose<'_>) -> SourceState {
        let streams =
            self.streams.iter().filter_map(|(name, parts)| Some((name.clone(), parts.of(account)?)));
        let global = self.global.of(account).unwrap_or_else(|| SourceState::default().global);
        SourceState { streams: streams.collect(), global }
    }

    /// Where an account stands in a stream.
    pub(crate) fn set_stream(&mut self, account: Whose<'_>, stream: &str, data: RawJson) {
        if let Some(parts) = self.streams.get_mut(stream) {
            return parts.set(account, data);
        }
        self.streams.entry(stream.to_owned()).or_default().set(account, data);
    }

    /// Where an account stands as a whole.
    pub(crate) fn set_global(&mut self, account: Whose<'_>, data: RawJson) {
        self.global.set(account, data);
    }

    /// The state of a stream in all accounts.
    pub(crate) fn stream(&self, stream: &str) -> RawJson {
        let none = Parts::default();
        self.streams.get(stream).unwrap_or(&none).write(NO_STREAM)
    }

    /// The state of all accounts as a whole.
    pub(crate) fn global(&self) -> RawJson {
        self.global.write("")
    }
}

impl Parts {
    fn read(data: &RawJson) -> Parts {
        let alone = || Parts { own: Some(data.clone()), others: BTreeMap::new() };
        let Ok([Some(others)]) = data.members([ACCOUNTS]) else { return alone() };
        let whole = data.to_bytes();
        let Ok(others) = serde_json::from_str::<BTreeMap<String, &RawValue>>(others.get()) else {
            return alone();
        };
        let others = others.into_iter().map(|(id, state)| (id, RawJson::part_of(&whole, state))).collect();
        Parts { own: own_members(data), others }
    }

    fn of(&self, account: Whose<'_>) -> Option<RawJson> {
        match account {
            None => self.own.clone(),
            Some(id) => self.others.get(id).cloned(),
        }
    }

    fn set(&mut self, account: Whose<'_>, data: RawJson) {
        match account {
            None => self.own = Some(data),
            Some(id) => {
                if let Some(state) = self.others.get_mut(id) {
                    *state = data;
                } else {
                    self.others.insert(id.to_owned(), data);
                }
            }
        }
    }

    /// `none` are the members that stand for no state.
    fn write(&self, none: &str) -> RawJson {
        if let (Some(own), true) = (&self.own, self.others.is_empty()) {
            return own.clone();
        }
        let members = |own: &RawJson| {
            let text = own.as_str().trim().strip_prefix('{')?.strip_suffix('}')?.trim().to_owned();
            (!text.is_empty()).then_some(text)
        };
        let own = self.own.as_ref().and_then(members);
        let mut text = String::from("{");
        text.push_str(own.as_deref().unwrap_or(none));
        if !self.others.is_empty() {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str("\"accounts\":{");
            for (index, (id, state)) in self.others.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&serde_json::Value::from(id.as_str()).to_string());
                text.push(':');
                text.push_str(state.as_str());
            }
            text.push('}');
        }
        text.push('}');
        RawJson::from_trusted(text.into())
    }
}

/// The members beside `accounts`; `None` where they say nothing.
fn own_members(data: &RawJson) -> Option<RawJson> {
    let mut members: BTreeMap<String, &RawValue> = serde_json::from_str(data.as_str()).ok()?;
    members.remove(ACCOUNTS);
    let says_nothing = match (members.len(), members.get("remaining")) {
        (0, _) => true,
        (1, Some(remaining)) => {
            remaining.get().chars().filter(|character| !character.is_whitespace()).eq("[]".chars())
        }
        _ => false,
    };
    if says_nothing {
        return None;
    }
    RawJson::from_value(&members).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn raw(value: &Value) -> RawJson {
        RawJson::from_value(value).unwrap()
    }

    fn value(data: &RawJson) -> Value {
        data.read().unwrap()
    }

    fn stored(stream: &Value, global: &Value) -> SourceState {
        let streams = BTreeMap::from([("customer".to_owned(), raw(stream))]);
        SourceState { streams, global: raw(global) }
    }

    #[test]
    fn one_account_s_state_is_what_it_always_was() {
        let state = stored(
            &json!({"accounted_range": {"gte": "a", "lt": "b"}, "remaining": []}),
            &json!({"events_cursor": 7}),
        );
        let states = States::read(Some(&state));
        assert!(!states.has_others());
        assert_eq!(states.of(None), state);
        assert_eq!(states.of(Some("acct_1")), SourceState::default());
        assert_eq!(
            (states.stream("customer"), states.global()),
            (state.streams["customer"].clone(), state.global)
        );
    }

    #[test]
    fn several_accounts_are_under_their_ids() {
        let mut states = States::default();
        let one = json!({"accounted_range": {"gte": "a", "lt": "b"}, "remaining": [{"cursor": "x"}]});
        states.set_stream(Some("acct_1"), "customer", raw(&one));
        states.set_global(Some("acct_1"), raw(&json!({"events_cursor": 7})));
        assert_eq!(value(&states.stream("customer")), json!({"remaining": [], "accounts": {"acct_1": one}}));
        assert_eq!(value(&states.global()), json!({"accounts": {"acct_1": {"events_cursor": 7}}}));
        let again = SourceState {
            streams: BTreeMap::from([("customer".to_owned(), states.stream("customer"))]),
            global: states.global(),
        };
        let again = States::read(Some(&again));
        assert_eq!(again, states, "nothing is taken for a state of the own account");
        assert_eq!(again.of(None), SourceState::default());
        let own = json!({"accounted_range": {"gte": "c", "lt": "d"}, "remaining": []});
        states.set_stream(None, "customer", raw(&own));
        let mut expected = own;
        expected["accounts"] = json!({"acct_1": one});
        assert_eq!(value(&states.stream("customer")), expected);
    }

    #[test]
    fn strange_states_are_left_to_whoever_reads_them() {
        for text in [r#"{"accounts":7,"remaining":[]}"#, "[]", "null", r#"{"remaining":[]}"#] {
            let data = RawJson::parse(text.to_owned()).unwrap();
            let streams = BTreeMap::from([("customer".to_owned(), data.clone())]);
            let states = States::read(Some(&SourceState { streams, ..SourceState::default() }));
            assert_eq!(states.of(None).streams["customer"], data, "{text}");
        }
    }

    proptest! {
        /// Whatever is put together can be taken apart, whoever reads it in between.
        #[test]
        fn nothing_is_lost_between_accounts(
            told in prop::collection::vec((0..4usize, 0..3usize, 1..100i64), 0..30),
        ) {
            let whose = [None, Some("acct_1"), Some("acct_2"), Some("acct_3")];
            let names = ["a", "b", "c"];
            let mut states = States::default();
            let mut expected: BTreeMap<(usize, usize), Value> = BTreeMap::new();
            for (account, stream, number) in told {
                let data = json!({"accounted_range": {"gte": number, "lt": number}, "remaining": []});
                states.set_stream(whose[account], names[stream], raw(&data));
                states.set_global(whose[account], raw(&json!({"events_cursor": number})));
                expected.insert((account, stream), data);
                let written = SourceState {
                    streams: states.streams.keys().map(|name| (name.clone(), states.stream(name))).collect(),
                    global: states.global(),
                };
                let read = States::read(Some(&written));
                for (at, account) in whose.iter().enumerate() {
                    let of = read.of(*account);
                    prop_assert_eq!(&of, &states.of(*account));
                    for (number, name) in names.iter().enumerate() {
                        let found = of.streams.get(*name).map(value);
                        prop_assert_eq!(found.as_ref(), expected.get(&(at, number)));
                    }
                }
            }
        }
    }
}
