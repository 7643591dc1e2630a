//! Any sequence of writes ends as a simple model says.

use std::collections::BTreeMap;

use anyhow::Context;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use protocol::{Message, Stream, Sweep};

use super::place::{Place, child, child_stream, delete, state, upsert};
use super::{DestinationFixture, Rows};

/// How many sequences are tried; always the same ones.
const SEQUENCES: usize = 32;
/// A version later than any clock of a test.
const FUTURE: i64 = 4_000_000_000;
/// Stands for the time of the test itself, which lies between the versions.
const NOW: i64 = 2_000_000_000;

/// One step.
#[derive(Debug, Clone, Copy)]
enum Step {
    Upsert {
        stream: usize,
        key: usize,
        version: i64,
    },
    Delete {
        stream: usize,
        key: usize,
        version: Option<i64>,
    },
    /// The keys of one parent that are left, as bits.
    Sweep {
        stream: usize,
        parent: usize,
        keep: usize,
        version: i64,
    },
    State {
        stream: usize,
    },
    /// The write ends and another one begins.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (0..2_usize, 0..3_usize);
    let version = prop_oneof![8 => 1..8_i64, 1 => FUTURE..FUTURE + 3];
    prop_oneof![
        8 => (place(), version).prop_map(|((stream, key), version)| Step::Upsert { stream, key, version }),
        4 => (place(), prop::option::weighted(0.85, 1..8_i64))
            .prop_map(|((stream, key), version)| Step::Delete { stream, key, version }),
        2 => ((0..2_usize, 0..2_usize), 0..8_usize, 1..8_i64).prop_map(
            |((stream, parent), keep, version)| Step::Sweep { stream, parent, keep, version }
        ),
        1 => (0..2_usize).prop_map(|stream| Step::State { stream }),
        1 => Just(Step::Reopen),
    ]
}

fn sequences() -> anyhow::Result<Vec<Vec<Step>>> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = prop::collection::vec(step(), 1..40);
    let draw = |_| strategy.new_tree(&mut runner).map(|tree| tree.current());
    (0..SEQUENCES).map(draw).collect::<Result<_, _>>().map_err(|reason| anyhow::anyhow!("{reason}"))
}

/// What is known about a key.
enum Known {
    Row(i64, String),
    Tombstone(i64),
}

/// The rules, one step at a time.
#[derive(Default)]
struct Model(BTreeMap<(usize, usize), Known>);

impl Model {
    fn take(&mut self, at: usize, step: Step) {
        match step {
            Step::Upsert { stream, key, version } => {
                let stale = match self.0.get(&(stream, key)) {
                    Some(Known::Row(stored, _)) => version < *stored,
                    Some(Known::Tombstone(deleted)) => version <= *deleted,
                    None => false,
                };
                if !stale {
                    self.0.insert((stream, key), Known::Row(version, row(at, key, version)));
                }
            }
            Step::Delete { stream, key, version } => {
                let deleted = match (self.0.get(&(stream, key)), version) {
                    (Some(Known::Row(stored, _)), Some(version)) if version < *stored => return,
                    (Some(Known::Tombstone(deleted)), version) => version.unwrap_or(NOW).max(*deleted),
                    (_, version) => version.unwrap_or(NOW),
                };
                self.0.insert((stream, key), Known::Tombstone(deleted));
            }
            Step::Sweep { stream, parent, keep, version } => {
                for ((of, key), known) in &mut self.0 {
                    let is_child = *of == stream && parent_of(*key) == parent && keep >> *key & 1 == 0;
                    if is_child && matches!(known, Known::Row(stored, _) if *stored <= version) {
                        *known = Known::Tombstone(version - 1);
                    }
                }
            }
            Step::State { .. } | Step::Reopen => {}
        }
    }

    fn rows(&self, wanted: usize) -> Rows {
        let mut rows = Rows::new();
        for ((stream, key), known) in &self.0 {
            if let (true, Known::Row(_, payload)) = (*stream == wanted, known) {
                rows.insert(vec![format!("key_{key}"), "acct_1".to_owned()], payload.clone());
            }
        }
        rows
    }
}

/// The payload that the step at this position writes.
fn row(at: usize, key: usize, version: i64) -> String {
    child(&format!("key_{key}"), version, &format!("step {at}"), &format!("parent_{}", parent_of(key)))
}

fn parent_of(key: usize) -> usize {
    key % 2
}

fn message(streams: &[Stream], at: usize, step: Step) -> Option<Message> {
    Some(match step {
        Step::Upsert { stream, key, version } => upsert(&streams[stream], &row(at, key, version)),
        Step::Delete { stream, key, version: Some(version) } => {
            delete(&streams[stream], &row(at, key, version))
        }
        Step::Delete { stream, key, version: None } => {
            delete(&streams[stream], &format!(r#"{{"id":"key_{key}","_account_id":"acct_1"}}"#))
        }
        Step::Sweep { stream, parent, keep, version } => {
            let keep = (0..3).filter(|key| keep >> key & 1 == 1).map(|key| format!("key_{key}")).collect();
            let (parent, account) = (format!("parent_{parent}"), "acct_1".to_owned());
            delete(&streams[stream], Sweep { parent, account, keep, version }.write().as_str())
        }
        Step::State { stream } => state(&streams[stream], &at.to_string()),
        Step::Reopen => return None,
    })
}

async fn holds<F: DestinationFixture>(fixture: &F, steps: &[Step]) -> anyhow::Result<()> {
    let streams = ["customer", "charge"].map(child_stream);
    let place = Place::new(fixture, &streams).await?;
    let mut model = Model::default();
    let mut messages = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        model.take(at, *step);
        match message(&streams, at, *step) {
            Some(message) => messages.push(message),
            None => place.write_well(std::mem::take(&mut messages)).await?,
        }
    }
    place.write_well(messages).await?;
    for (at, stream) in streams.iter().enumerate() {
        place.compare(&stream.name, &place.rows(stream).await?, &model.rows(at))?;
    }
    Ok(())
}

pub(super) async fn any_interleaving_ends_as_the_model_says<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    for steps in sequences()? {
        if holds(fixture, &steps).await.is_ok() {
            continue;
        }
        // Leaves out every step without which it still fails.
        let mut fewest = steps;
        let mut at = 0;
        while at < fewest.len() {
            let mut without = fewest.clone();
            without.remove(at);
            if holds(fixture, &without).await.is_err() { fewest = without } else { at += 1 }
        }
        holds(fixture, &fewest).await.with_context(|| format!("{fewest:?}"))?;
        anyhow::bail!("{fewest:?} fails at times");
    }
    Ok(())
}
