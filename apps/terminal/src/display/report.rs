//! Tells how a sync goes, in the way that was asked for.

use std::time::Instant;

use protocol::{Message, Payload};

use super::Requests;
use super::live::Live;
use super::plain::Plain;
use crate::output::{Output, Screen};

/// One way of telling.
pub struct Reporter(Way);

enum Way {
    /// Redrawn in place.
    Live(Box<Live>),
    /// Line after line.
    Plain { lines: Box<Plain>, screen: Screen, started: Instant },
    /// The messages themselves, on stdout.
    Json(Output),
    /// Not at all.
    Quiet,
}

impl Reporter {
    /// Redrawn in place. `streams` are those that are to be synced, as far as they are known; `follows`, whether changes are
    /// followed once everything is read.
    pub fn live(screen: Screen, streams: impl Iterator<Item = String>, follows: bool) -> Reporter {
        Reporter(Way::Live(Box::new(Live::new(screen, streams, follows))))
    }

    /// Line after line on stderr.
    pub fn plain(screen: Screen) -> Reporter {
        Reporter(Way::Plain { lines: Box::default(), screen, started: Instant::now() })
    }

    /// The messages themselves, one per line.
    pub fn json(output: Output) -> Reporter {
        Reporter(Way::Json(output))
    }

    /// Not at all.
    pub fn quiet() -> Reporter {
        Reporter(Way::Quiet)
    }

    /// Takes in a message of the sync.
    pub fn message(&mut self, message: &Message) {
        match (&mut self.0, &message.payload) {
            (Way::Json(output), _) => output.message(message),
            (Way::Live(live), Payload::Progress(progress)) => live.progress(progress),
            (Way::Plain { lines, screen, .. }, Payload::Progress(progress)) => {
                for line in lines.progress(progress) {
                    screen.note(&line);
                }
            }
            (_, Payload::Log(log)) => logger::relog(log),
            _ => {}
        }
    }

    /// A little time has passed.
    pub fn tick(&mut self, requests: Option<Requests>, stopping: bool) {
        match &mut self.0 {
            Way::Live(live) => live.draw(requests, stopping),
            Way::Plain { lines, screen, started } => {
                let elapsed = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                if let Some(line) = lines.tick(elapsed, requests) {
                    screen.note(&line);
                }
            }
            Way::Json(_) | Way::Quiet => {}
        }
    }
}
