//! Tells how a sync goes, in the way that was asked for.

use std::time::Instant;

use protocol::{Message, Payload};

use super::Requests;
use super::live::Live;
use super::plain::Plain;
use crate::cli::output::{Output, Screen};

/// One way of telling.
pub(crate) enum Reporter {
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
    pub(crate) fn live(screen: Screen, streams: impl Iterator<Item = String>, follows: bool) -> Reporter {
        Reporter::Live(Box::new(Live::new(screen, streams, follows)))
    }

    pub(crate) fn plain(screen: Screen) -> Reporter {
        Reporter::Plain { lines: Box::default(), screen, started: Instant::now() }
    }

    /// Takes in a message of the sync.
    pub(crate) fn message(&mut self, message: &Message) {
        match (self, &message.payload) {
            (Reporter::Json(output), _) => output.message(message),
            (Reporter::Live(live), Payload::Progress(progress)) => live.progress(progress),
            (Reporter::Plain { lines, screen, .. }, Payload::Progress(progress)) => {
                for line in lines.progress(progress) {
                    screen.note(&line);
                }
            }
            (_, Payload::Log(log)) => logger::relog(log),
            _ => {}
        }
    }

    /// A little time has passed.
    pub(crate) fn tick(&mut self, requests: Option<Requests>, stopping: bool) {
        match self {
            Reporter::Live(live) => live.draw(requests, stopping),
            Reporter::Plain { lines, screen, started } => {
                let elapsed = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                if let Some(line) = lines.tick(elapsed, requests) {
                    screen.note(&line);
                }
            }
            Reporter::Json(_) | Reporter::Quiet => {}
        }
    }
}
