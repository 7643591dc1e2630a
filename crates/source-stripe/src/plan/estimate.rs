//! How much a range still holds, guessed from the pages seen so far, and where to split it.

use crate::window::Window;

/// Two densities further apart than this belong to different bursts of objects.
const SAME_BURST: f64 = 8.0;

/// Below this share of the density at the top, the bottom of a range says only that a burst ends.
const BURST_ENDS: f64 = 0.02;

/// What is known of the seconds just below a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Below {
    /// Nobody has looked.
    Unprobed,
    /// A request is under way.
    Pending,
    /// No objects at all.
    Nothing,
    /// So many objects per second.
    Density(f64),
}

/// What the unread part of a range is believed to look like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outlook {
    /// Objects per second at the top; `None` before any page told.
    pub(crate) density: Option<f64>,
    /// Objects per second at the top of the range that this one was split from.
    pub(crate) inherited: Option<f64>,
    /// What comes below the range.
    pub(crate) below: Below,
    /// Down from this second, objects lie about as densely as at the top.
    pub(crate) known_from: i64,
}

/// What was read of a stream so far, gaps included.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Read {
    pub(crate) objects: f64,
    /// Seconds of `created` that were read completely.
    pub(crate) seconds: f64,
}

impl Read {
    fn density(self) -> f64 {
        self.objects / self.seconds.max(1.0)
    }
}

/// A place to split a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Split {
    /// First second of the upper part.
    pub(crate) at: i64,
    /// Objects per second believed to lie there, where both sides are known.
    pub(crate) density: Option<f64>,
    /// How much splitting here may save, in objects; for choosing among ranges.
    pub(crate) weight: f64,
}

impl Outlook {
    pub(crate) fn unknown(window: Window) -> Outlook {
        Outlook { density: None, inherited: None, below: Below::Unprobed, known_from: window.lt }
    }

    /// The density at the bottom, if it tells how the range looks between top and bottom.
    fn bottom(&self, top: f64) -> Option<f64> {
        match self.below {
            Below::Density(bottom) if bottom > top * BURST_ENDS => Some(bottom),
            _ => None,
        }
    }

    /// How far down the density at the top can be trusted: as far again as it held already.
    fn trusted_seconds(&self, window: Window, page: f64, density: f64) -> f64 {
        let held = (self.known_from - window.lt).max(0) as f64;
        held.max(page / density).max(1.0)
    }

    /// Number of objects that the range is believed to hold; cautious where its bottom is unknown.
    pub(crate) fn expected(&self, window: Window, page: f64, read: Read) -> f64 {
        let Some(top) = self.density else { return 0.0 };
        let seconds = window.seconds() as f64;
        match self.bottom(top) {
            Some(bottom) => seconds * logarithmic_mean(top, bottom),
            None => {
                let trusted = seconds.min(self.trusted_seconds(window, page, top));
                top * trusted + read.density().min(top) * (seconds - trusted).min(read.seconds)
            }
        }
    }

    /// Where to split the range so that both parts hold about as much, beyond the page that is
    /// under way at its top.
    pub(crate) fn split(&self, window: Window, page: f64, read: Read) -> Option<Split> {
        let top = self.density?;
        let under_way = (page / top).ceil().min(1e12) as i64;
        let free = Window::new(window.gte, window.lt - under_way.max(1));
        let seconds = free.seconds() as f64;
        if seconds < 1.0 {
            return None;
        }
        let (depth, density, weight) = match self.bottom(top) {
            Some(bottom) => {
                let depth = exponential_median(top, bottom, seconds);
                let density = top * (bottom / top).powf(depth / seconds);
                (depth, Some(density), seconds * logarithmic_mean(top, bottom))
            }
            None => {
                // The burst may end anywhere below. Look half way first; if that is not the answer
                // then on a scale between what is known and what is possible.
                let trusted = self.trusted_seconds(window, page, top).min(seconds);
                let half = seconds / 2.0;
                let beyond = read.density().min(top) * (seconds - trusted).min(read.seconds);
                let depth = match self.below {
                    Below::Unprobed => half,
                    // More bursts like this one are to be expected.
                    _ if beyond > 2.0 * top * trusted => half,
                    _ => half.min((trusted * seconds).sqrt()),
                };
                (depth, None, (top * (seconds * trusted).sqrt()).max(beyond))
            }
        };
        let at = (free.lt - depth.round().max(1.0) as i64).max(window.gte + 1);
        (at < window.lt && at > window.gte).then_some(Split { at, density, weight })
    }

    /// Learns from a page: objects from `newest` down to `oldest`, in answer to a request for
    /// everything below `asked_lt`.
    pub(crate) fn learn(&mut self, count: usize, newest: i64, oldest: i64, asked_lt: i64, first: bool) {
        let width = (newest - oldest + 1) as f64;
        let seen = count as f64 / width;
        let gap = (asked_lt - 1 - newest).max(0) as f64;
        let same = |other: f64| seen / other < SAME_BURST && other / seen < SAME_BURST;
        match self.density.or(self.inherited) {
            Some(before) if gap <= SAME_BURST * width && same(before) => {
                // A page alone is a small sample: half of what was believed stays.
                self.density = Some(if first { seen } else { 2.0 / (1.0 / before + 1.0 / seen) });
            }
            _ => {
                self.density = Some(seen);
                self.known_from = newest + 1;
            }
        }
    }
}

/// Mean of a density that changes by a constant factor per second from `a` to `b`.
fn logarithmic_mean(a: f64, b: f64) -> f64 {
    let ratio = a / b;
    if (ratio - 1.0).abs() < 1e-3 { a } else { (a - b) / ratio.ln() }
}

/// The depth above which half of the objects lie, if the density changes by a constant factor per
/// second from `top` to `bottom`.
fn exponential_median(top: f64, bottom: f64, seconds: f64) -> f64 {
    let ratio = bottom / top;
    if (ratio - 1.0).abs() < 1e-3 {
        seconds / 2.0
    } else {
        seconds * f64::midpoint(1.0, ratio).ln() / ratio.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Window = Window { gte: 0, lt: 3600 };

    fn outlook(density: f64, below: Below, known_from: i64) -> Outlook {
        Outlook { density: Some(density), inherited: None, below, known_from }
    }

    #[test]
    fn an_even_range_is_split_in_the_middle_of_what_is_not_under_way() {
        let split = outlook(1.0, Below::Density(1.0), 3600).split(HOUR, 100.0, Read::default()).unwrap();
        assert_eq!(split.at, 1750);
        assert!((split.weight - 3500.0).abs() < 1.0);
    }

    #[test]
    fn a_thinning_range_is_split_where_the_objects_are() {
        let split = outlook(10.0, Below::Density(0.5), 3600).split(HOUR, 100.0, Read::default()).unwrap();
        assert!((2400..3000).contains(&split.at), "{split:?}");
    }

    #[test]
    fn nothing_is_split_before_a_density_is_known_or_within_one_page() {
        assert_eq!(Outlook::unknown(HOUR).split(HOUR, 100.0, Read::default()), None);
        assert_eq!(outlook(0.01, Below::Unprobed, 3600).split(HOUR, 100.0, Read::default()), None);
        assert_eq!(outlook(100.0, Below::Nothing, 9).split(Window::new(5, 6), 100.0, Read::default()), None);
    }

    #[test]
    fn the_end_of_a_burst_is_sought_on_growing_scales() {
        let long = Window::new(0, 100_000_000);
        let burst = |below| outlook(100.0, below, long.lt + 100).split(long, 100.0, Read::default()).unwrap();
        assert_eq!(burst(Below::Unprobed).at, long.lt / 2 - 1);
        assert_eq!(long.lt - burst(Below::Nothing).at, 100_001);
        assert!(
            outlook(100.0, Below::Nothing, long.lt + 100).expected(long, 100.0, Read::default()) < 20_000.0
        );
    }

    #[test]
    fn a_gap_begins_another_burst() {
        let mut outlook = outlook(1.0, Below::Nothing, 100_000);
        outlook.learn(100, 50_000, 49_900, 50_001, false);
        assert_eq!(outlook.known_from, 100_000);
        outlook.learn(100, 10_000, 9_900, 49_901, false);
        assert_eq!(outlook.known_from, 10_001);
    }
}
