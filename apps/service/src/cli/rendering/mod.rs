//! Pipelines and their logs as people read them. Pure: the time is passed in.

mod detail;
mod entry;
mod list;
mod pipeline;
mod time;

pub(super) use detail::detail;
pub(super) use entry::entry;
pub(super) use list::list;
pub(super) use pipeline::Pipeline;

/// Words in colours, or as they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    /// The text in the colour of this code.
    fn code(self, text: &str, code: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// What matters less.
    fn dim(self, text: &str) -> String {
        self.code(text, "2")
    }

    fn red(self, text: &str) -> String {
        self.code(text, "31")
    }

    /// A status in its colour, padded to `width` columns.
    fn status(self, status: &str, width: usize) -> String {
        let code = match status {
            "ready" => "32",
            "backfill" => "33",
            "setup" => "36",
            "error" => "31",
            "teardown" => "35",
            _ => "90",
        };
        self.code(&format!("{status:<width$}"), code)
    }
}
