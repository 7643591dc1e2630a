//! How a sync looks while it goes on, and what is said of it at the end.

mod comparison;
mod figures;
mod findings;
mod gauge;
mod live;
mod plain;
mod readable;
mod report;
mod summary;
mod view;

pub(crate) use comparison::{Comparison, compared, told};
pub(crate) use figures::count;
pub(crate) use findings::{Finding, Grade, of_streams as findings_of_streams};
pub(crate) use readable::Readable;
pub(crate) use report::Reporter;
pub(crate) use summary::{Summary, summarise};

/// Requests to the source's API, where the source counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Requests {
    pub(crate) sent: u64,
    pub(crate) refused: u64,
    /// Allowed per second at present; 0 before anything is known.
    pub(crate) allowed_rate: f64,
    /// Believed to be needed yet.
    pub(crate) expected: u64,
}
