//! A rule that does not hold.

/// What was expected of a connector, and what came instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}; {came}")]
pub struct Breach {
    /// What should be, to be read after "expected".
    pub expected: String,
    /// What is, as a sentence of its own.
    pub came: String,
}

impl Breach {
    /// A breach, in words.
    pub fn new(expected: impl Into<String>, came: impl Into<String>) -> Breach {
        Breach { expected: expected.into(), came: came.into() }
    }

    /// Nothing where it `holds`, else the breach.
    pub fn unless(holds: bool, expected: &str, came: impl FnOnce() -> String) -> Result<(), Breach> {
        if holds { Ok(()) } else { Err(Breach::new(expected, came())) }
    }
}
