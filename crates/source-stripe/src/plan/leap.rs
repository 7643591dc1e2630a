//! Leaps: a list that cannot be narrowed by time is read in several places at once.
//!
//! Such a list has to be paged from its newest object on, each page after the other, however much the rate limit would
//! allow. But a page may begin after any object of the list, and rows of other lists name some: a charge names its
//! payment method. What a leap lands on tells by its `created` where it landed; from there on it is a range of its own,
//! and the range that was to come there ends there.

use super::open_range::OpenRange;
use super::planner::{PageFacts, Planner};
use crate::stream_state::SETTLING;
use crate::window::Window;

/// Landmarks that are kept.
const MOST: usize = 256;

/// A leap is worth its request if so many pages are believed to lie before the end of the range.
const WORTH_A_LEAP: f64 = 4.0;

/// An object of the list, known from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Landmark {
    pub(crate) id: String,
    /// About when it was created: the second of the row that named it.
    pub(crate) about: i64,
}

/// The landmarks that were not used yet, oldest first.
#[derive(Debug, Default)]
pub(super) struct Landmarks(Vec<Landmark>);

impl Landmarks {
    /// Takes in one more. Where they are too many, one goes that has others close by.
    fn add(&mut self, landmark: Landmark) {
        let Landmarks(known) = self;
        known.insert(known.partition_point(|other| other.about < landmark.about), landmark);
        if known.len() > MOST {
            let gap = |&at: &usize| known[at + 1].about - known[at - 1].about;
            if let Some(crowded) = (1..known.len() - 1).min_by_key(gap) {
                known.remove(crowded);
            }
        }
    }

    /// The one within the seconds that is nearest to their middle.
    fn nearest(&self, seconds: Window) -> Option<usize> {
        let middle = i64::midpoint(seconds.gte, seconds.lt);
        let within = |(_, known): &(usize, &Landmark)| (seconds.gte..seconds.lt).contains(&known.about);
        let known = self.0.iter().enumerate().filter(within);
        known.min_by_key(|(_, known)| known.about.abs_diff(middle)).map(|(index, _)| index)
    }
}

/// A leap that may be made.
pub(super) struct Leap {
    /// Place of the range that it divides.
    range: usize,
    landmark: usize,
    /// Number of objects that the range is believed to hold.
    pub(super) weight: f64,
}

impl Planner {
    /// Whether landmarks of the list would help.
    pub(crate) fn wants_landmarks(&self) -> bool {
        !self.is_limited() && self.ranges.iter().any(|range| range.unread().is_some())
    }

    /// Takes in a landmark of the stream's own list.
    pub(crate) fn add_landmark(&mut self, landmark: Landmark) {
        self.landmarks.add(landmark);
    }

    /// The leap that divides the range with the most work left.
    pub(super) fn best_leap(&self) -> Option<Leap> {
        // One at a time: only when it has landed is it known what is left to divide.
        if self.is_limited() || self.ranges.iter().any(|range| range.leaps) || !self.may_waste_more() {
            return None;
        }
        let read = self.ranges.iter().filter_map(OpenRange::read_seconds).sum::<i64>() as f64;
        let density = self.read.objects / (read + self.read.seconds).max(1.0);
        let leaps = self.ranges.iter().enumerate().filter_map(|(range, open)| {
            let unread = open.unread()?;
            let landmark = self.landmarks.nearest(unread)?;
            Some(Leap { range, landmark, weight: density * unread.seconds() as f64 })
        });
        leaps
            .filter(|leap| leap.weight >= WORTH_A_LEAP * self.page_size as f64)
            .max_by(|a, b| a.weight.total_cmp(&b.weight))
    }

    /// Opens a range that begins after the landmark; where that is, its first page says.
    pub(super) fn leap(&mut self, leap: &Leap) {
        let landmark = self.landmarks.0.remove(leap.landmark);
        let mut part = self.ranges[leap.range].part.clone();
        part.cursor = Some(landmark.id);
        let id = self.new_id();
        let mut range = OpenRange::new(id, part);
        range.leaps = true;
        self.ranges.insert(leap.range + 1, range);
    }

    /// The first page of a leap: finds the range that was to come there, and ends it there. Answers false where none
    /// was; the leap was in vain then, and is forgotten.
    pub(super) fn land(&mut self, index: usize, page: &PageFacts) -> bool {
        let pass = self.ranges[index].part.pass;
        let landed = page.created.as_ref().and_then(|created| created.first()).and_then(|&second| {
            let comes_there = |range: &OpenRange| {
                range.part.pass == pass
                    && range.unread().is_some_and(|unread| (unread.gte..unread.lt).contains(&second))
            };
            Some((self.ranges.iter().position(comes_there)?, second))
        });
        let Some((above, second)) = landed else {
            self.ranges.remove(index);
            self.waste += 1.0;
            return false;
        };
        let upper = &mut self.ranges[above].part;
        let (window, stop_below) = (upper.window, upper.stop_below);
        upper.window.gte = second;
        // Objects that were created at about the same time may be listed either way round.
        upper.stop_below = Some(second - SETTLING);
        let lower = &mut self.ranges[index];
        lower.leaps = false;
        lower.part.window = Window::new(window.gte, second + 1);
        lower.part.stop_below = stop_below;
        true
    }
}

impl OpenRange {
    /// The seconds of a list that cannot be narrowed which are still to come, from where the last page ended.
    fn unread(&self) -> Option<Window> {
        let reached =
            self.reached.filter(|_| !self.leaps && !self.part.windowed && self.part.label.is_none())?;
        Some(Window::new(self.part.stop_below.unwrap_or(self.part.window.gte), reached))
    }

    /// How many seconds of such a list were read.
    fn read_seconds(&self) -> Option<i64> {
        self.unread().map(|unread| (self.part.window.lt - unread.lt).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_landmark_next_to_the_middle_is_used() {
        let mut landmarks = Landmarks::default();
        for about in [60, 5, 99, 40] {
            landmarks.add(Landmark { id: format!("pm_{about}"), about });
        }
        let nearest = |gte, lt| landmarks.nearest(Window::new(gte, lt)).map(|at| landmarks.0[at].about);
        assert_eq!((nearest(0, 100), nearest(50, 100)), (Some(40), Some(60)));
        assert_eq!(nearest(61, 99), None);
    }

    #[test]
    fn what_is_kept_is_spread_over_all_that_was_named() {
        let mut landmarks = Landmarks::default();
        for about in (0..100_000).rev().chain(0..1000) {
            landmarks.add(Landmark { id: String::new(), about });
        }
        assert_eq!(landmarks.0.len(), MOST);
        let gaps = landmarks.0.windows(2).map(|pair| pair[1].about - pair[0].about);
        assert!(gaps.max().unwrap() < 4 * 100_000 / i64::try_from(MOST).unwrap());
    }
}
