//! What is due: a pure function of what is known of a pipeline and of the time.

use std::time::Duration;

use serde_json::Value;

use crate::pipeline::DesiredStatus;
use crate::standing::Stage;
use crate::store::Record;

/// How often things are done that are done again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two looks at a source's events, unless its configuration says otherwise (`poll_interval`).
    pub follow: Duration,
    /// Between two comparisons of a copy with its source as a whole; `None` for none.
    pub reconcile: Option<Duration>,
}

impl Default for Pace {
    /// A minute, and a week as upstream has it.
    fn default() -> Pace {
        Pace { follow: Duration::from_secs(60), reconcile: Some(Duration::from_secs(7 * 24 * 3600)) }
    }
}

/// What is due of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// This stage.
    Now(Stage),
    /// Nothing before this time, in milliseconds since 1970.
    At(i64),
    /// Nothing until something changes.
    Nothing,
}

/// What is due of the pipeline at `now`, in milliseconds since 1970.
pub fn due(record: &Record, now: i64, pace: &Pace) -> Due {
    let mut soonest = Due::Nothing;
    for (stage, at) in plan(record, pace) {
        let at = at.max(blocked_until(record, stage));
        if at <= now {
            return Due::Now(stage);
        }
        soonest = match soonest {
            Due::At(other) => Due::At(other.min(at)),
            _ => Due::At(at),
        };
    }
    soonest
}

/// The stages that are to come, the most urgent first, each with the time from which it is due.
fn plan(record: &Record, pace: &Pace) -> Vec<(Stage, i64)> {
    let standing = &record.standing;
    match record.pipeline.desired_status {
        DesiredStatus::Deleted => return vec![(Stage::Teardown, 0)],
        DesiredStatus::Paused => return Vec::new(),
        DesiredStatus::Active => {}
    }
    if standing.set_up != Some(record.config_version) {
        return vec![(Stage::Setup, 0)];
    }
    let mut plan = Vec::new();
    plan.extend(deliver_at(record).map(|at| (Stage::Deliver, at)));
    if !standing.backfilled {
        plan.push((Stage::Backfill, 0));
        return plan;
    }
    plan.push((Stage::Follow, after(standing.followed_at, follow_interval(record, pace))));
    if let Some(interval) = pace.reconcile {
        let last = standing.reconciled_at.max(standing.reconcile_tried_at).or(standing.backfilled_at);
        plan.push((Stage::Reconcile, after(last, interval)));
    }
    // What has been due for longer comes first, or a source that is always listened to would leave no time for anything else.
    let start = plan.iter().position(|(stage, _)| *stage == Stage::Follow).unwrap_or(0);
    plan[start..].sort_by_key(|(_, at)| *at);
    plan
}

/// From when on deliveries can be applied, in milliseconds since 1970; `None` where none waits. What is held for a stream that failed
/// waits until that is tried again.
pub fn deliver_at(record: &Record) -> Option<i64> {
    if !record.positioned {
        return None;
    }
    let deferred = &record.standing.deferred;
    if record.deliverable || (record.held && deferred.is_empty()) {
        return Some(0);
    }
    deferred.values().map(|held| held.due_at(record.touched_at)).min()
}

/// Until when a stage that failed is left alone. Whoever touches a pipeline has it tried at once.
fn blocked_until(record: &Record, stage: Stage) -> i64 {
    let problem = record.standing.problem.as_ref().filter(|problem| problem.stage == stage);
    problem.filter(|problem| problem.at > record.touched_at).map_or(0, |problem| problem.retry_at)
}

/// How long after its events were last followed they are followed again: not at all where the source is listened to; else as its
/// own configuration says, or at the usual pace.
pub(crate) fn follow_interval(record: &Record, pace: &Pace) -> Duration {
    let source = &record.pipeline.source;
    if crate::steps::listens(source) {
        return Duration::ZERO;
    }
    source.config.get("poll_interval").and_then(Value::as_u64).map_or(pace.follow, Duration::from_secs)
}

fn after(last: Option<i64>, interval: Duration) -> i64 {
    last.map_or(0, |last| last.saturating_add(i64::try_from(interval.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::pipeline::Pipeline;
    use crate::standing::{Deferral, Problem, Standing};
    use protocol::ConnectorConfig;
    use serde_json::Map;

    const MINUTE: i64 = 60_000;

    fn record(standing: Standing) -> Record {
        Record {
            pipeline: Pipeline {
                id: "pipe_1".to_owned(),
                name: None,
                source: ConnectorConfig::new("stripe", Map::new()),
                destination: ConnectorConfig::new("sqlite", Map::new()),
                streams: None,
                transforms: None,
                desired_status: DesiredStatus::Active,
            },
            version: 1,
            config_version: 1,
            touched_at: 0,
            created_at: 0,
            updated_at: 0,
            standing,
            state: None,
            positioned: true,
            working: None,
            waiting: 0,
            deliverable: false,
            held: false,
            waiting_since: None,
        }
    }

    fn ready(now: i64) -> Standing {
        Standing {
            set_up: Some(1),
            backfilled: true,
            backfilled_at: Some(now),
            followed_at: Some(now),
            ..Standing::default()
        }
    }

    fn of(record: &Record, now: i64) -> Due {
        due(record, now, &Pace::default())
    }

    #[test]
    fn stages_follow_each_other() {
        assert_eq!(of(&record(Standing::default()), 5), Due::Now(Stage::Setup));
        let set_up = Standing { set_up: Some(1), ..Standing::default() };
        assert_eq!(
            of(&Record { deliverable: true, positioned: false, ..record(set_up.clone()) }, 5),
            Due::Now(Stage::Backfill)
        );
        let delivered = Record { deliverable: true, ..record(set_up) };
        assert_eq!(of(&delivered, 5), Due::Now(Stage::Deliver));
        let ready = record(ready(100));
        assert_eq!(of(&ready, 100), Due::At(100 + MINUTE));
        assert_eq!(of(&ready, 100 + MINUTE), Due::Now(Stage::Follow));
        let week = 7 * 24 * 60 * MINUTE;
        let followed = Standing { followed_at: Some(100 + week), ..ready.standing.clone() };
        assert_eq!(of(&record(followed), 100 + week), Due::Now(Stage::Reconcile));
        assert_eq!(of(&Record { config_version: 2, ..ready }, 0), Due::Now(Stage::Setup));
    }

    #[test]
    fn what_is_wanted_decides() {
        let mut paused = record(ready(0));
        paused.deliverable = true;
        paused.pipeline.desired_status = DesiredStatus::Paused;
        assert_eq!(of(&paused, MINUTE * 10), Due::Nothing);
        paused.pipeline.desired_status = DesiredStatus::Deleted;
        assert_eq!(of(&paused, 0), Due::Now(Stage::Teardown));
    }

    #[test]
    fn a_failed_stage_waits_and_the_others_go_on() {
        let problem = Problem {
            stage: Stage::Follow,
            message: "m".to_owned(),
            lasting: true,
            attempts: 1,
            since: 0,
            at: 10,
            retry_at: 1_000_000_000,
        };
        let mut failing = record(Standing { problem: Some(problem), ..ready(0) });
        assert_eq!(of(&failing, MINUTE), Due::At(7 * 24 * 60 * MINUTE));
        failing.deliverable = true;
        assert_eq!(of(&failing, MINUTE), Due::Now(Stage::Deliver));
        failing.deliverable = false;
        failing.touched_at = 11;
        assert_eq!(of(&failing, MINUTE), Due::Now(Stage::Follow), "somebody touched it");
    }

    #[test]
    fn what_is_held_waits_for_its_stream_and_the_rest_does_not() {
        let deferral = Deferral { at: 10, retry_at: 500, ..Deferral::default() };
        let deferred = BTreeMap::from([("charge".to_owned(), deferral)]);
        let mut held = Record { held: true, ..record(Standing { deferred, ..ready(0) }) };
        assert_eq!(of(&held, 100), Due::At(500));
        assert_eq!(of(&held, 500), Due::Now(Stage::Deliver));
        held.touched_at = 10;
        assert_eq!(of(&held, 100), Due::Now(Stage::Deliver), "somebody touched it");
        held.touched_at = 0;
        held.deliverable = true;
        assert_eq!(of(&held, 100), Due::Now(Stage::Deliver));
        let forgotten = Record { held: true, ..record(ready(0)) };
        assert_eq!(of(&forgotten, 100), Due::Now(Stage::Deliver), "nobody else would look for it");
    }

    #[test]
    fn the_source_may_say_how_often() {
        let mut often = record(ready(0));
        often.pipeline.source.config.insert("poll_interval".to_owned(), 5.into());
        assert_eq!(of(&often, 0), Due::At(5_000));
        often.pipeline.source.config.insert("websocket".to_owned(), true.into());
        assert_eq!(of(&often, 0), Due::Now(Stage::Follow));
        let week = 7 * 24 * 60 * MINUTE;
        often.standing.followed_at = Some(week + 5);
        assert_eq!(of(&often, week + 5), Due::Now(Stage::Reconcile), "listening leaves time for it");
    }
}
