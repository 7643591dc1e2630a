//! When the generated objects of a table were created.
//!
//! The moment is a monotone function of the object's ordinal, so a table of a million objects
//! needs no index: the ordinals of a time range are found by bisection.

use serde::{Deserialize, Serialize};

use crate::chance::{draw, mix, unit};

/// How the `created` times of a table spread over its span.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// The same number of objects in every stretch of time.
    Uniform,
    /// Bursts with long silences between them.
    Clustered {
        /// How many bursts.
        bursts: u32,
    },
    /// A business that grows: the density rises as the power `exponent - 1` of time.
    Skewed {
        /// 1 is uniform; 4 puts 94% of the objects into the later half.
        exponent: f64,
    },
    /// Many objects share each second in which anything happens.
    Ties {
        /// Objects in the same second.
        per_second: u64,
    },
}

/// The seconds `[start, end)` in which objects are created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First second, unix time.
    pub start: i64,
    /// Second after the last one, unix time.
    pub end: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    pub(crate) count: u64,
    pub(crate) span: Span,
    pub(crate) distribution: Distribution,
    pub(crate) seed: u64,
}

impl Timeline {
    /// The second in which the generated object `ordinal` was created; never falls as `ordinal` grows.
    pub(crate) fn created(&self, ordinal: u64) -> i64 {
        let jitter = |n: u64| unit(draw(self.seed, n, 0xc4ea));
        let at = |n: u64, of: u64| (n as f64 + jitter(n)) / of.max(1) as f64;
        let position = match self.distribution {
            Distribution::Uniform => at(ordinal, self.count),
            Distribution::Skewed { exponent } => at(ordinal, self.count).powf(1.0 / exponent.max(0.1)),
            Distribution::Clustered { bursts } => {
                let bursts = f64::from(bursts.max(1));
                let scaled = at(ordinal, self.count) * bursts;
                let burst = scaled.floor();
                let offset = unit(mix(self.seed ^ burst as u64));
                (burst + offset * 0.98 + (scaled - burst) * 0.02) / bursts
            }
            Distribution::Ties { per_second } => {
                let per_second = per_second.max(1);
                at(ordinal / per_second, self.count.div_ceil(per_second))
            }
        };
        let width = (self.span.end - self.span.start).max(1);
        self.span.start + ((position * width as f64) as i64).clamp(0, width - 1)
    }

    /// The first ordinal that was created at `second` or later.
    pub(crate) fn first_at_or_after(&self, second: i64) -> u64 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.created(middle) < second {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn distributions() -> impl Strategy<Value = Distribution> {
        prop_oneof![
            Just(Distribution::Uniform),
            (1u32..20).prop_map(|bursts| Distribution::Clustered { bursts }),
            (0.5f64..6.0).prop_map(|exponent| Distribution::Skewed { exponent }),
            (1u64..300).prop_map(|per_second| Distribution::Ties { per_second }),
        ]
    }

    proptest! {
        #[test]
        fn times_never_fall_and_stay_in_the_span(
            distribution in distributions(), count in 1u64..500, seed: u64, width in 1i64..100_000,
        ) {
            let span = Span { start: 1_600_000_000, end: 1_600_000_000 + width };
            let timeline = Timeline { count, span, distribution, seed };
            let times: Vec<i64> = (0..count).map(|ordinal| timeline.created(ordinal)).collect();
            prop_assert!(times.is_sorted());
            prop_assert!(times.iter().all(|time| (span.start..span.end).contains(time)));
            let probe = times[count as usize / 2];
            let first = timeline.first_at_or_after(probe) as usize;
            prop_assert_eq!(times[first], probe);
            prop_assert!(first == 0 || times[first - 1] < probe);
        }
    }

    #[test]
    fn ties_put_the_asked_number_into_one_second() {
        let span = Span { start: 0, end: 1_000_000 };
        let timeline =
            Timeline { count: 1_000, span, distribution: Distribution::Ties { per_second: 250 }, seed: 3 };
        assert_eq!(timeline.created(0), timeline.created(249));
        assert!(timeline.created(249) < timeline.created(250));
    }
}
