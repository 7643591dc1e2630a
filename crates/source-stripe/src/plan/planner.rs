//! The plan for one stream: which ranges are open, what to ask for next, and what a page changes.
//!
//! Pages of a stream are emitted in the order in which they arrive here. What is remaining after a page
//! is therefore simply the open ranges at that moment, requests under way counting as not made: a state
//! taken then and emitted behind the page can never be ahead of the records.

use super::estimate::{Below, Read, Split};
use super::leap::Landmarks;
use super::open_range::OpenRange;
pub(crate) use super::open_range::Part;
use crate::stream_state::Remaining;
use crate::window::Window;

/// Requests that a stream may cost beyond one per full page, however few pages it has.
const SPARE_REQUESTS: f64 = 3.0;

/// Requests that a stream may cost beyond one per full page, as a share of its pages: a little under the
/// 5% that we promise, as the number of pages is guessed.
const SPARE_SHARE: f64 = 0.047;

/// What the last page of a range is counted to waste before it is known; half a page on average.
const LAST_PAGE_WASTE: f64 = 0.75;

/// A range is worth splitting if it holds so many pages beyond the one under way.
const WORTH_SPLITTING: f64 = 2.0;

/// Share of what is only guessed to be there that counts as pages of the stream.
const TRUST: f64 = 0.7;

/// Names an open range within its planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RangeId(u32);

/// A page to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) range: RangeId,
    /// Which of the stream's lists to ask.
    pub(crate) pass: usize,
    /// The seconds of `created` wanted, as far as the list can be narrowed.
    pub(crate) window: Window,
    /// The last object seen, or the page token of a v2 list.
    pub(crate) cursor: Option<String>,
    /// How many objects to ask for.
    pub(crate) limit: usize,
}

/// What a planner needs to know of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageFacts {
    /// Number of objects.
    pub(crate) count: usize,
    /// `created` of each object, if each has one and they come newest first.
    pub(crate) created: Option<Vec<i64>>,
    /// In place of that: about when each was created, newest first. Good enough to choose where to split, for what is
    /// exact about a split is the list's own filter.
    pub(crate) hints: Option<Vec<i64>>,
    /// Where the next page begins; `None` on the last.
    pub(crate) next: Option<String>,
}

/// What a page brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    /// How many objects of the page, from its first, are to be emitted; the others belong to another range.
    pub(crate) keep: usize,
    /// The seconds that are now complete, if the part is windowed.
    pub(crate) completed: Option<Window>,
}

/// The plan for one stream.
#[derive(Debug)]
pub(crate) struct Planner {
    pub(super) page_size: usize,
    /// Newest first within a list.
    pub(super) ranges: Vec<OpenRange>,
    next_id: u32,
    /// How many objects may still be read, where there is a limit.
    left: Option<u64>,
    pub(super) read: Read,
    /// What was asked for in vain so far, in pages.
    pub(super) waste: f64,
    pub(super) landmarks: Landmarks,
}

impl Planner {
    /// A plan to read `parts` with pages of `page_size`, at most `limit` objects in all.
    pub(crate) fn new(parts: Vec<Part>, page_size: usize, limit: Option<u64>) -> Planner {
        let mut planner = Planner {
            page_size,
            ranges: Vec::new(),
            next_id: 0,
            left: limit,
            read: Read::default(),
            waste: 0.0,
            landmarks: Landmarks::default(),
        };
        planner.adopt(parts);
        planner
    }

    /// Takes on more to read.
    pub(crate) fn adopt(&mut self, parts: Vec<Part>) {
        for part in parts {
            let id = self.new_id();
            self.ranges.push(OpenRange::new(id, part));
        }
        self.ranges.sort_by_key(|range| (range.part.pass, std::cmp::Reverse(range.part.window.lt)));
    }

    pub(super) fn new_id(&mut self) -> RangeId {
        self.next_id += 1;
        RangeId(self.next_id)
    }

    /// Whether nothing is left to ask for, because everything was read or the limit is reached.
    pub(crate) fn is_done(&self) -> bool {
        self.ranges.is_empty() || self.left == Some(0)
    }

    /// Whether only so many objects are wanted.
    pub(super) fn is_limited(&self) -> bool {
        self.left.is_some()
    }

    /// What is not emitted once all pages that arrived so far are.
    pub(crate) fn remaining(&self) -> Vec<Remaining> {
        self.parts().map(Part::remaining).collect()
    }

    /// What is not emitted, as parts to read.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.ranges.iter().filter(|range| !range.leaps).map(|range| &range.part)
    }

    /// Number of requests that the stream is believed to need yet.
    pub(crate) fn expected_requests(&self) -> u64 {
        let page = self.page_size as f64;
        let of = |range: &OpenRange| {
            (range.outlook.expected(range.ahead(), page, self.read) / page).ceil().max(1.0)
        };
        self.ranges.iter().map(of).sum::<f64>() as u64
    }

    /// Full pages that were read.
    pub(crate) fn pages_read(&self) -> f64 {
        self.read.objects / self.page_size as f64
    }

    /// The list that the next request would ask; `None` where no range waits.
    pub(crate) fn idle_pass(&self) -> Option<usize> {
        self.idle().map(|index| self.ranges[index].part.pass)
    }

    fn idle(&self) -> Option<usize> {
        // With a limit the newest objects are wanted, so that the pages come one after the other.
        if self.is_done() || (self.is_limited() && self.ranges.iter().any(|range| range.asked.is_some())) {
            return None;
        }
        self.ranges.iter().position(|range| range.asked.is_none())
    }

    /// The next page to ask for; the range then waits for it.
    pub(crate) fn next_request(&mut self) -> Option<Request> {
        let range = self.idle()?;
        let range = &mut self.ranges[range];
        range.asked = Some(range.part.window);
        let limit = self
            .left
            .map_or(self.page_size, |left| self.page_size.min(usize::try_from(left).unwrap_or(usize::MAX)));
        Some(Request {
            range: range.id,
            pass: range.part.pass,
            window: range.part.window,
            cursor: range.part.cursor.clone(),
            limit,
        })
    }

    /// How much the best split or leap would save; `None` where nothing should be split.
    pub(crate) fn split_weight(&self) -> Option<f64> {
        let split = self.best_split().map(|(_, split)| split.weight);
        split.or_else(|| self.best_leap().map(|leap| leap.weight))
    }

    /// Splits the range with the most work left. The lower part is then idle.
    pub(crate) fn split(&mut self) -> bool {
        let Some((index, split)) = self.best_split() else {
            let leap = self.best_leap();
            leap.iter().for_each(|leap| self.leap(leap));
            return leap.is_some();
        };
        let id = self.new_id();
        let upper = &mut self.ranges[index];
        let mut lower_part = upper.part.clone();
        lower_part.window.lt = split.at;
        lower_part.cursor = None;
        upper.part.window.gte = split.at;
        let upper_id = upper.id;
        let mut lower = OpenRange::new(id, lower_part);
        lower.outlook = upper.outlook;
        lower.outlook.inherited = upper.outlook.density;
        lower.outlook.density = split.density;
        upper.outlook.below = split.density.map_or(Below::Pending, Below::Density);
        // Whoever lies below the old range is now below the new one.
        for other in self.ranges.iter_mut().filter(|other| other.above == Some(upper_id)) {
            other.above = Some(id);
        }
        lower.above = Some(upper_id);
        self.ranges.insert(index + 1, lower);
        true
    }

    fn best_split(&self) -> Option<(usize, Split)> {
        if self.is_limited() || !self.may_waste_more() {
            return None;
        }
        let page = self.page_size as f64;
        let splits = self.ranges.iter().enumerate().filter_map(|(index, range)| {
            let splittable = range.part.windowed && range.ordered;
            let split = range.outlook.split(range.ahead(), page, self.read).filter(|_| splittable)?;
            (split.weight >= WORTH_SPLITTING * page).then_some((index, split))
        });
        splits.max_by(|(_, a), (_, b)| a.weight.total_cmp(&b.weight))
    }

    /// Each open range ends with a page that may be all but empty, so their number is bounded by what
    /// the stream may cost beyond its full pages.
    pub(super) fn may_waste_more(&self) -> bool {
        let page = self.page_size as f64;
        let guessed: f64 =
            self.ranges.iter().map(|range| range.outlook.expected(range.ahead(), page, self.read)).sum();
        let pages = (self.read.objects + TRUST * guessed) / page;
        let after_split = self.ranges.len() as f64 + 1.0;
        self.waste + LAST_PAGE_WASTE * after_split <= SPARE_REQUESTS + SPARE_SHARE * pages
    }

    /// Takes in a page.
    pub(crate) fn page_arrived(&mut self, id: RangeId, page: &PageFacts) -> Progress {
        let Some(index) = self.ranges.iter().position(|range| range.id == id) else {
            return Progress { keep: 0, completed: None };
        };
        let leaps = self.ranges[index].leaps;
        if leaps && !self.land(index, page) {
            return Progress { keep: 0, completed: None };
        }
        let range = &mut self.ranges[index];
        let asked = range.asked.take().filter(|_| !leaps).unwrap_or(range.part.window);
        self.take_over_untouched(index, asked, page);

        let range = &mut self.ranges[index];
        let window = range.part.window;
        let windowed = range.part.windowed;
        let created = page.created.as_deref().filter(|_| windowed);
        let keep = created.map_or(page.count, |created| created.partition_point(|&at| at >= window.gte));
        let reached_end = page.next.is_none() || keep < page.count || range.is_past(page);
        self.read.objects += keep as f64;
        self.left = self.left.map(|left| left.saturating_sub(keep as u64));
        self.waste += 1.0 - keep as f64 / self.page_size as f64;
        let times = created.or(page.hints.as_deref().filter(|_| windowed));
        let kept = times.map(|times| &times[..keep]);
        let top = asked.lt.min(range.ahead().lt.max(window.gte + 1));
        self.learn(index, kept, Window::new(asked.gte, top), reached_end);

        let range = &mut self.ranges[index];
        range.reach(page);
        range.started = true;
        range.ordered &= times.is_some();
        // The rows of a further list lie anywhere: they complete no seconds of the stream.
        let tells = range.part.label.is_none();
        let Some(next) = page.next.clone().filter(|_| !reached_end) else {
            self.ranges.remove(index);
            let completed = Window::new(window.gte, asked.lt);
            self.read.seconds += completed.seconds() as f64;
            return Progress { keep, completed: (tells && !completed.is_empty()).then_some(completed) };
        };
        range.advance(next);
        if let Some(oldest) = kept.filter(|_| range.ordered).and_then(|kept| kept.last()) {
            let lt = (oldest + 1).min(window.lt);
            match created {
                Some(_) => range.part.window.lt = lt,
                None => range.hinted = Some(lt),
            }
        }
        let completed = Window::new(range.part.window.lt, asked.lt);
        self.read.seconds += completed.seconds() as f64;
        Progress { keep, completed: (tells && !completed.is_empty()).then_some(completed) }
    }

    /// A page asked for before a split may reach below it. If nobody has asked for the lower part yet,
    /// the two become one again, and no object of the page is read twice.
    fn take_over_untouched(&mut self, index: usize, asked: Window, page: &PageFacts) {
        loop {
            let Part { window, pass, .. } = self.ranges[index].part;
            let oldest = page.created.as_ref().and_then(|created| created.last());
            let reaches_below = page.next.is_none() || oldest.is_some_and(|&oldest| oldest < window.gte);
            if asked.gte >= window.gte || !reaches_below {
                return;
            }
            let touches = |other: &OpenRange| {
                other.part.pass == pass && other.part.window.lt == window.gte && other.is_untouched()
            };
            let Some(lower) = self.ranges.iter().position(touches) else { return };
            // Ranges are sorted, so the lower one comes later and `index` stays right.
            let lower = self.ranges.remove(lower);
            let upper = &mut self.ranges[index];
            upper.part.window.gte = lower.part.window.gte;
            upper.outlook.below = lower.outlook.below;
            let id = upper.id;
            for other in self.ranges.iter_mut().filter(|other| other.above == Some(lower.id)) {
                other.above = Some(id);
            }
        }
    }

    fn learn(&mut self, index: usize, kept: Option<&[i64]>, asked: Window, reached_end: bool) {
        let range = &mut self.ranges[index];
        let Some(kept) = kept else { return };
        let first = !range.started;
        let bottom = match (kept.first(), kept.last()) {
            (Some(&newest), Some(&oldest)) => {
                range.outlook.learn(kept.len(), newest, oldest, asked.lt, first);
                let depth = if reached_end { asked.lt - range.part.window.gte } else { asked.lt - oldest };
                Below::Density(kept.len() as f64 / depth.max(1) as f64)
            }
            _ => Below::Nothing,
        };
        if let Some(above) = range.above.take().filter(|_| first)
            && let Some(above) = self.ranges.iter_mut().find(|other| other.id == above)
        {
            above.outlook.below = bottom;
        }
    }

    /// The object that the cursor names is gone, or the page token has expired: goes on without losing
    /// anything, at the price of reading a little twice.
    /// Answers false when that happens over and over.
    pub(crate) fn cursor_lost(&mut self, id: RangeId) -> bool {
        let range = self.ranges.iter_mut().find(|range| range.id == id);
        range.is_some_and(OpenRange::forget_cursor)
    }

    /// The request of the range was in vain, and is to be made again.
    pub(crate) fn ask_again(&mut self, id: RangeId) {
        self.ranges.iter_mut().filter(|range| range.id == id).for_each(|range| range.asked = None);
    }

    /// Whether the range is a leap that has not landed: it can be abandoned without losing anything.
    pub(crate) fn leaps(&self, id: RangeId) -> bool {
        self.ranges.iter().any(|range| range.id == id && range.leaps)
    }

    /// There is nothing to read in the range, such as when the test clock that it lists is gone.
    pub(crate) fn abandon(&mut self, id: RangeId) {
        self.ranges.retain(|range| range.id != id);
    }
}

impl OpenRange {
    /// Takes note of where the page ends.
    fn reach(&mut self, page: &PageFacts) {
        let ends = page.created.as_ref().and_then(|created| Some((*created.first()?, *created.last()?)));
        self.reached = match (ends, self.reached) {
            (Some((first, last)), before)
                if !self.started || before.is_some_and(|before| first <= before) =>
            {
                Some(last)
            }
            _ => None,
        };
    }

    /// Whether the page reaches the objects that were read before the part began.
    fn is_past(&self, page: &PageFacts) -> bool {
        let oldest = page.created.as_ref().and_then(|created| created.last());
        self.part.stop_below.zip(oldest).is_some_and(|(stop, &oldest)| oldest < stop)
    }
}
