//! In which form rows were read: a stream whose rows are wanted in another form is read again.

use std::collections::BTreeMap;

use protocol::RawJson;
use serde::{Deserialize, Serialize};

/// The name by which the forms are part of the source's global state.
const FORM: &str = "form";

/// The forms in which the streams of an account were read. A form is a text that changes with the API version, with the
/// fields that are asked for, and with what becomes of the records ([`protocol::ConfiguredStream::revision`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Forms {
    /// The form of every stream but the `others`.
    usual: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    others: BTreeMap<String, String>,
    /// Whether a stream was ever read again for its form.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    changed: bool,
}

impl Forms {
    /// Those that the global state remembers, if any.
    pub(crate) fn read(global: &RawJson) -> Option<Forms> {
        let [forms] = global.members([FORM]).ok()?;
        serde_json::from_str(forms?.get()).ok()
    }

    /// The forms from now on, and which streams have to be read again: those of `read_before` that are `wanted` in
    /// another form. Nearly all streams are wanted in the form `usual`. Where nothing is `stored`, it is taken for the form
    /// in which all was read: other engines do not say.
    pub(crate) fn change(
        stored: Option<&Forms>,
        usual: &str,
        wanted: &BTreeMap<&str, String>,
        read_before: &[&str],
    ) -> (Forms, Vec<String>) {
        let unknown = Forms { usual: usual.to_owned(), ..Forms::default() };
        let stored = stored.unwrap_or(&unknown);
        let before = |stream: &str| stored.others.get(stream).unwrap_or(&stored.usual);
        let again = read_before
            .iter()
            .filter(|stream| wanted.get(**stream).is_some_and(|form| form != before(stream)))
            .map(|stream| (*stream).to_owned())
            .collect::<Vec<_>>();
        // Streams that are left out stay as they are.
        let left_out = read_before.iter().copied().chain(stored.others.keys().map(String::as_str));
        let left_out =
            left_out.filter(|stream| !wanted.contains_key(stream)).map(|stream| (stream, before(stream)));
        let others = left_out
            .chain(wanted.iter().map(|(stream, form)| (*stream, form)))
            .filter(|(_, form)| *form != usual)
            .map(|(stream, form)| (stream.to_owned(), form.clone()));
        let changed = stored.changed || !again.is_empty();
        (Forms { usual: usual.to_owned(), others: others.collect(), changed }, again)
    }

    /// Whether rows may be there in another form, with versions as new as the second in which they were read.
    pub(crate) fn changed(&self) -> bool {
        self.changed
    }

    /// Whether there is more to remember than that nothing is special.
    pub(crate) fn is_special(&self) -> bool {
        self.changed || !self.others.is_empty()
    }

    /// The `global` state with these forms, for sources that remember nothing else in it.
    pub(crate) fn join(&self, global: &RawJson) -> Result<RawJson, protocol::RawJsonError> {
        let mut members: serde_json::Map<String, serde_json::Value> = global.read().unwrap_or_default();
        members.insert(FORM.to_owned(), serde_json::json!(self));
        RawJson::from_value(&members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted<'a>(forms: &[(&'a str, &str)]) -> BTreeMap<&'a str, String> {
        forms.iter().map(|(stream, form)| (*stream, (*form).to_owned())).collect()
    }

    #[test]
    fn streams_in_another_form_are_read_again_once() {
        let read = ["a", "b"];
        let (first, again) = Forms::change(None, "1", &wanted(&[("a", "1"), ("b", "1")]), &[]);
        assert!(again.is_empty() && !first.is_special());
        let narrow = wanted(&[("a", "1"), ("b", "1 x")]);
        let (second, again) = Forms::change(Some(&first), "1", &narrow, &read);
        assert_eq!((again, second.changed()), (vec!["b".to_owned()], true));
        assert_eq!(Forms::change(Some(&second), "1", &narrow, &read), (second.clone(), Vec::new()));
        let (third, again) = Forms::change(Some(&second), "2", &wanted(&[("a", "2"), ("b", "2")]), &read);
        assert_eq!((again.len(), third.others.len()), (2, 0));
    }

    #[test]
    fn what_was_not_read_in_any_form_is_not_read_again() {
        let (forms, again) = Forms::change(None, "1", &wanted(&[("a", "1 x")]), &[]);
        assert!(again.is_empty() && forms.is_special() && !forms.changed());
    }

    #[test]
    fn what_other_engines_read_is_taken_for_the_usual_form() {
        let both = wanted(&[("a", "1"), ("b", "1 x")]);
        assert_eq!(Forms::change(None, "1", &both, &["a", "b"]).1, ["b"]);
    }

    #[test]
    fn a_stream_that_is_left_out_keeps_its_form() {
        let (first, _) = Forms::change(None, "1", &wanted(&[("a", "1"), ("b", "1"), ("c", "1 x")]), &[]);
        let read = ["a", "b", "c"];
        let (second, again) = Forms::change(Some(&first), "2", &wanted(&[("a", "2")]), &read);
        assert_eq!(again, ["a"]);
        let (_, again) =
            Forms::change(Some(&second), "2", &wanted(&[("a", "2"), ("b", "2"), ("c", "1 x")]), &read);
        assert_eq!(again, ["b"]);
    }

    #[test]
    fn they_are_found_beside_a_position_and_alone() {
        let (forms, _) = Forms::change(None, "1", &wanted(&[("a", "1 x")]), &["a"]);
        for global in ["{}", r#"{"events_cursor":1700000000}"#] {
            let global = RawJson::parse(global.to_owned()).unwrap();
            assert_eq!(Forms::read(&global), None);
            assert_eq!(Forms::read(&forms.join(&global).unwrap()), Some(forms.clone()));
        }
    }
}
