//! How the program talks: data and what was asked for on stdout, words about it on stderr.

use serde_json::Value;
use terminal::failure::Failure;
use terminal::interrupt::Interrupt;
use terminal::output::{Output, Screen, stderr_is_terminal, stdout_is_terminal};

/// Both channels, and in what form people, or programs, want to be told.
pub(crate) struct Voice {
    pub(crate) output: Output,
    pub(crate) screen: Screen,
    /// Whether stdout is for programs.
    pub(crate) json: bool,
    /// Whether stdout may be coloured.
    pub(crate) colour: bool,
    /// Whether stderr can be redrawn.
    pub(crate) live: bool,
}

impl Voice {
    /// JSON where it is asked for, or where nobody reads stdout at a terminal; words in plain lines where those are asked for.
    pub(crate) fn open(json: bool, plain: bool) -> Voice {
        let (reads, live) = (stdout_is_terminal(), stderr_is_terminal());
        let colourless = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
        Voice {
            output: Output::default(),
            screen: Screen::new(false, live && !colourless),
            json: json || (!reads && !plain),
            colour: reads && !colourless,
            live: live && !plain,
        }
    }

    /// Writes a line for people to stdout.
    pub(crate) fn say(&self, text: &str) {
        self.output.line(text);
    }

    /// Writes JSON to stdout, indented.
    pub(crate) fn print(&self, value: &Value) {
        // A value can always be written.
        self.output.line(&serde_json::to_string_pretty(value).unwrap_or_default());
    }

    /// Listens for Ctrl-C and SIGTERM.
    pub(crate) fn interrupt(&self) -> Result<Interrupt, Failure> {
        Interrupt::listen_saying(self.screen.clone(), "Stopping: what is under way is being saved")
    }
}
