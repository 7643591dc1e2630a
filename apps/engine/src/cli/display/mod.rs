//! What is said of a sync at its end, of a comparison, of what was found.

mod comparison;
mod findings;
mod readable;
mod summary;

pub(crate) use terminal::display::figures::count;
pub(crate) use terminal::display::{Reporter, Requests, figures};

pub(crate) use comparison::{Comparison, compared, told};
pub(crate) use findings::{Finding, Grade, of_streams as findings_of_streams};
pub(crate) use readable::Readable;
pub(crate) use summary::{Summary, summarise};
