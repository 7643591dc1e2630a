//! How a sync looks while it goes on.

pub mod figures;
mod gauge;
mod live;
mod plain;
mod report;
mod view;

pub use report::Reporter;

/// Requests to the source's API, where the source counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Requests {
    /// Sent so far.
    pub sent: u64,
    /// Of those, refused because they were too many.
    pub refused: u64,
    /// Allowed per second at present; 0 before anything is known.
    pub allowed_rate: f64,
    /// Believed to be needed yet.
    pub expected: u64,
}
