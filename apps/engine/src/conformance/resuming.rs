//! Reading on from a state.

use std::collections::BTreeSet;
use std::sync::Arc;

use conformance::{Breach, RowCounts, keys_of, nothing_is_lost, rows_by_stream, state_after, states_at};
use protocol::{Payload, SourceState, StreamStatus};

use super::report::{Outcome, Report};
use super::rules;
use super::source::Reading;

/// From how many of the states it is read on.
const RESUMES: usize = 6;

pub(super) async fn check(reading: &Reading<'_>, said: &[Payload], report: &mut Report) {
    let states = states_at(said);
    let rules = [rules::RESUME, rules::RESUME_AT_END, rules::STATE_OF_STREAMS];
    if states.is_empty() {
        let has_rows = said.iter().any(|payload| matches!(payload, Payload::Record(_)));
        let outcome = match has_rows {
            true => Outcome::Failed(Breach::new(
                "a `source_state` after records",
                "there is none, so that every read begins anew",
            )),
            false => Outcome::Unchecked("there is nothing to read".to_owned()),
        };
        report.note(rules[0], outcome);
        for rule in &rules[1..] {
            report.note(rule, Outcome::Unchecked("there are no states".to_owned()));
        }
        return;
    }
    report.note(rules[0], from_states(reading, said, &states).await);
    let last = state_after(said, said.len());
    report.note(rules[1], from_the_end(said, reading.read(Some(&last)).await));
    let of_streams = if last.streams.is_empty() {
        Outcome::Unchecked("it tells global states alone".to_owned())
    } else {
        from_the_end(said, reading.read_streams(&last).await).into()
    };
    report.note(rules[2], of_streams);
}

/// What was read before a state and what is read from it on is everything.
async fn from_states(reading: &Reading<'_>, said: &[Payload], states: &[usize]) -> Result<(), Breach> {
    let all = keys_of(&reading.catalog, said)?;
    for position in states.iter().copied().step_by(states.len().div_ceil(RESUMES)) {
        let state = state_after(said, position);
        let within = |breach: Breach| told(breach, &state);
        let rest = reading.read(Some(&state)).await.map_err(within)?;
        let mut seen = keys_of(&reading.catalog, &said[..position])?;
        seen.extend(keys_of(&reading.catalog, &rest).map_err(within)?);
        nothing_is_lost(&all, &seen).map_err(within)?;
    }
    Ok(())
}

fn told(breach: Breach, state: &SourceState) -> Breach {
    let state = serde_json::to_string(state).unwrap_or_default();
    Breach { came: format!("{}, read on from the state {state:.400}", breach.came), ..breach }
}

/// Streams that were complete are not read again from their beginning.
fn from_the_end(first: &[Payload], again: Result<Vec<Payload>, Breach>) -> Result<(), Breach> {
    let complete: BTreeSet<&Arc<str>> = first
        .iter()
        .filter_map(|payload| match payload {
            Payload::StreamStatus(status) if status.status == StreamStatus::Complete => Some(&status.stream),
            _ => None,
        })
        .collect();
    let (before, after): (RowCounts, RowCounts) = (rows_by_stream(first), rows_by_stream(&again?));
    for (stream, count) in before.iter().filter(|(stream, _)| complete.contains(stream)) {
        let again = after.get(stream).copied().unwrap_or_default();
        // The newest row alone may come again: a cursor can be inclusive.
        Breach::unless(again < *count || *count == 1, "fewer records from the last state on", || {
            format!("`{stream}` was complete after {count} records, and {again} come again")
        })?;
    }
    Ok(())
}
