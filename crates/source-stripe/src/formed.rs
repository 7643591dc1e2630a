//! Finds out which streams were read in another form than they are wanted in now.

use std::collections::BTreeMap;

use protocol::{LogLevel, Message, Payload, RawJsonError, SourceState, SourceStateMessage};
use stripe_openapi::ApiVersion;

use crate::current::Forms;
use crate::hydrate;
use crate::read::read_before;
use crate::streams::{Known, Streams};

/// So many streams are named where more are meant.
const NAMED: usize = 5;

/// In which forms the streams of a read are.
pub(crate) struct Formed {
    /// What is to be remembered.
    pub(crate) forms: Forms,
    /// Streams that have to be read again.
    pub(crate) again: Vec<String>,
    /// Whether it is not what was remembered.
    pub(crate) is_new: bool,
}

impl Formed {
    /// Compares what `state` remembers with what is wanted of `streams`, and says which of them are read again for it.
    pub(crate) fn of(streams: &Streams<'_>, api_version: &ApiVersion, state: Option<&SourceState>) -> Formed {
        let stored = state.and_then(|state| Forms::read(&state.global));
        let usual = api_version.to_string();
        let form = |known: &Known<'_>| form(&usual, &streams.config.hydrate, known);
        let wanted: BTreeMap<&str, String> =
            streams.known.iter().map(|known| (&*known.configured.stream.name, form(known))).collect();
        let (forms, again) = Forms::change(stored.as_ref(), &usual, &wanted, &read_before(state));
        if !again.is_empty() {
            // It takes requests that nobody may have thought of.
            streams.say(Message::log(LogLevel::Warn, format!("{}: {}", some_of(&again), why())));
        }
        let is_new = stored.as_ref() != Some(&forms);
        Formed { forms, again, is_new }
    }

    /// Why a stream is read again, if it is.
    pub(crate) fn why(&self, stream: &str) -> Option<String> {
        self.again.iter().any(|again| again == stream).then(why)
    }

    /// Tells the forms, where no position in the events does.
    pub(crate) fn tell(
        &self,
        streams: &Streams<'_>,
        state: Option<&SourceState>,
    ) -> Result<(), RawJsonError> {
        if self.is_new && self.forms.is_special() {
            let before = state.map_or_else(|| SourceState::default().global, |state| state.global.clone());
            let data = self.forms.join(&before)?;
            streams.say(Payload::SourceState(SourceStateMessage::Global { data }).into());
        }
        Ok(())
    }
}

/// The form in which a stream is wanted.
fn form(usual: &str, hydrate: &[String], known: &Known<'_>) -> String {
    let mut asked: Vec<&str> = hydrate::fields_of(hydrate, &known.resource.table).collect();
    asked.sort_unstable();
    asked.dedup();
    let asked = asked.iter().map(|field| format!(" +{field}"));
    let revision = known.configured.revision.iter().map(|revision| format!(" {revision}"));
    std::iter::once(usual.to_owned()).chain(asked).chain(revision).collect()
}

fn why() -> String {
    "read again, as fields, transforms, `hydrate` or the API version are not those of the last reading"
        .to_owned()
}

/// The first few names, and how many more there are.
fn some_of(names: &[String]) -> String {
    let named = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (1..=7).map(|number| format!("s{number}")).collect();
        assert_eq!(some_of(&names[..2]), "s1, s2");
        assert_eq!(some_of(&names[..5]), "s1, s2, s3, s4, s5");
        assert_eq!(some_of(&names), "s1, s2, s3, s4, s5 and 2 more");
    }
}
