//! A part of a stream that is being read.

use std::sync::Arc;

use super::estimate::Outlook;
use super::planner::RangeId;
use crate::stream_state::Remaining;
use crate::window::Window;

/// How many earlier cursors are kept for the case that the newest one is deleted.
const TRAIL: usize = 8;

/// How often a range may lose its cursor.
const MOST_LOST: u32 = 32;

/// What one range of a stream is: where it lies and how it is read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    /// Which of the stream's lists it belongs to.
    pub(crate) pass: usize,
    /// Put before the cursor in the state, to know the list by; none for the stream's main list.
    pub(crate) label: Option<Arc<str>>,
    /// The seconds of `created` it covers.
    pub(crate) window: Window,
    /// Where to go on.
    pub(crate) cursor: Option<String>,
    /// Whether requests are narrowed to the window; the range can then be split.
    pub(crate) windowed: bool,
    /// In a list that is not windowed: the part is over at the first object older than this.
    pub(crate) stop_below: Option<i64>,
}

impl Part {
    /// The part as a state tells it.
    pub(crate) fn remaining(&self) -> Remaining {
        let cursor = match &self.label {
            None => self.cursor.clone(),
            Some(label) => Some(format!("{label}:{}", self.cursor.as_deref().unwrap_or_default())),
        };
        Remaining { window: self.window, cursor }
    }
}

/// A part with its progress.
#[derive(Debug)]
pub(super) struct OpenRange {
    pub(super) id: RangeId,
    pub(super) part: Part,
    /// The window asked for by the request under way.
    pub(super) asked: Option<Window>,
    /// Whether a page has arrived.
    pub(super) started: bool,
    /// Whether all pages came newest first with a `created` each, so that the window may shrink.
    pub(super) ordered: bool,
    /// `created` of the last object that came, as long as all pages came newest first.
    pub(super) reached: Option<i64>,
    /// In place of a window that shrinks: the second that it has come to by hints.
    pub(super) hinted: Option<i64>,
    /// Whether it begins after a landmark, and no page has told where that is.
    pub(super) leaps: bool,
    pub(super) outlook: Outlook,
    /// The range that this one was split from, for as long as that one waits to hear what is below.
    pub(super) above: Option<RangeId>,
    trail: Vec<String>,
    /// How often the cursor was gone.
    lost: u32,
}

impl OpenRange {
    pub(super) fn new(id: RangeId, part: Part) -> OpenRange {
        let outlook = Outlook::unknown(part.window);
        OpenRange {
            id,
            part,
            asked: None,
            started: false,
            ordered: true,
            reached: None,
            hinted: None,
            leaps: false,
            outlook,
            above: None,
            trail: Vec::new(),
            lost: 0,
        }
    }

    /// The seconds that are believed to be still to come.
    pub(super) fn ahead(&self) -> Window {
        let Window { gte, lt } = self.part.window;
        Window::new(gte, self.hinted.map_or(lt, |hinted| hinted.min(lt).max(gte)))
    }

    /// Neither asked for nor begun: another range may still take it over.
    pub(super) fn is_untouched(&self) -> bool {
        self.asked.is_none() && !self.started && self.part.cursor.is_none()
    }

    pub(super) fn advance(&mut self, cursor: String) {
        if let Some(before) = self.part.cursor.replace(cursor) {
            if self.trail.len() == TRAIL {
                self.trail.remove(0);
            }
            self.trail.push(before);
        }
    }

    /// Goes on without the cursor, whose object is gone. In a window nothing is lost: it ends with
    /// the second of the last object seen. Elsewhere an earlier cursor has to do, or the beginning.
    /// Answers false when that happened so often that something else must be wrong.
    pub(super) fn forget_cursor(&mut self) -> bool {
        self.asked = None;
        self.part.cursor = if self.part.windowed { None } else { self.trail.pop() };
        self.lost += 1;
        self.lost <= MOST_LOST
    }
}
