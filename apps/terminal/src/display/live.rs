//! The live display: keeps what is known and draws it at a steady pace.

use std::time::Instant;

use protocol::{ProgressPayload, Timestamp};

use super::Requests;
use super::gauge::Gauges;
use super::view::Frame;
use crate::output::Screen;

/// Draws the newest progress on the terminal.
pub(crate) struct Live {
    screen: Screen,
    progress: ProgressPayload,
    gauges: Gauges,
    started: Instant,
    /// Whether changes are followed once everything is read.
    follows: bool,
}

impl Live {
    pub(crate) fn new(screen: Screen, streams: impl Iterator<Item = String>, follows: bool) -> Live {
        let progress = ProgressPayload::fresh(Timestamp::now(), streams);
        Live { screen, progress, gauges: Gauges::default(), started: Instant::now(), follows }
    }

    pub(crate) fn progress(&mut self, progress: &ProgressPayload) {
        self.progress.clone_from(progress);
    }

    /// Draws what is known.
    pub(crate) fn draw(&mut self, requests: Option<Requests>, stopping: bool) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.gauges.records.observe(now, self.progress.derived.total_record_count);
        if let Some(requests) = requests {
            self.gauges.requests.observe(now, requests.sent);
        }
        for (name, stream) in &self.progress.streams {
            if !stream.status.is_terminal() {
                self.gauges.streams.entry(name.clone()).or_default().observe(now, stream.record_count);
            }
        }
        let (width, height) = self.screen.size();
        let frame = Frame {
            progress: &self.progress,
            gauges: &self.gauges,
            requests,
            elapsed_ms: now,
            stopping,
            follows: self.follows,
            colour: self.screen.colour,
        };
        // The last column and line stay free: writing into them makes some terminals scroll.
        self.screen.show(&frame.lines(width.saturating_sub(1).max(20), height.saturating_sub(1)));
    }
}
