//! The Google Sheets destination as a program.

use std::process::ExitCode;

use destination_google_sheets::SheetsDestination;

fn main() -> ExitCode {
    let variables: Vec<(String, String)> = std::env::vars().collect();
    let find = |name: &str| {
        let found = variables.iter().find(|(other, value)| other == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    };
    let destination = SheetsDestination::new(connectors::sheets_options(find));
    connectors::run(protocol::program::run_destination(&destination, std::env::args_os()))
}
