//! Values from the environment and from `.env`.

use std::collections::BTreeMap;

use crate::failure::Failure;

/// The variables of the process, and those of `.env` in the working directory.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    process: BTreeMap<String, String>,
    dotenv: BTreeMap<String, String>,
}

/// Where a variable was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the process itself.
    Process,
    /// In `.env`.
    Dotenv,
}

impl Place {
    /// In the order in which they are looked at.
    pub const ALL: [Place; 2] = [Place::Process, Place::Dotenv];

    /// As it follows the name of a variable in a sentence.
    pub fn phrase(self) -> &'static str {
        match self {
            Place::Process => "in the environment",
            Place::Dotenv => "in .env",
        }
    }
}

impl Environment {
    /// The variables of this process, and `.env` in the working directory.
    pub fn read() -> Result<Environment, Failure> {
        let dotenv = match std::fs::read_to_string(".env") {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Failure::usage(format!(".env cannot be read: {error}"))),
        };
        // Variables that are not text cannot be ours.
        let process = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Environment::new(process, dotenv.as_deref())
    }

    /// The given variables, and those in the text of a `.env` file.
    pub fn new(
        process: impl IntoIterator<Item = (String, String)>,
        dotenv: Option<&str>,
    ) -> Result<Environment, Failure> {
        let mut read = BTreeMap::new();
        for (number, variable) in dotenvy::from_read_iter(dotenv.unwrap_or_default().as_bytes()).enumerate() {
            // The library's own text quotes the line, which may hold a secret.
            let (name, value) = variable.map_err(|_| {
                Failure::usage(format!(
                    ".env cannot be read: its variable number {} is not of the form NAME=value \
                     (a value with spaces needs quotes)",
                    number + 1
                ))
            })?;
            read.entry(name).or_insert(value);
        }
        Ok(Environment { process: process.into_iter().collect(), dotenv: read })
    }

    /// The variable at this place; an empty one counts as absent.
    pub fn at(&self, place: Place, name: &str) -> Option<&str> {
        let variables = match place {
            Place::Process => &self.process,
            Place::Dotenv => &self.dotenv,
        };
        variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The variable wherever it is.
    pub fn get(&self, name: &str) -> Option<&str> {
        Place::ALL.into_iter().find_map(|place| self.at(place, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_comes_before_the_file() {
        let process = [("A".to_owned(), "process".to_owned()), ("EMPTY".to_owned(), String::new())];
        let dotenv = "# words\nA=file\nexport B=\"two words\"\nEMPTY=file\n";
        let environment = Environment::new(process, Some(dotenv)).unwrap();
        assert_eq!(environment.get("A"), Some("process"));
        assert_eq!(environment.at(Place::Dotenv, "A"), Some("file"));
        assert_eq!(environment.get("B"), Some("two words"));
        assert_eq!(environment.get("EMPTY"), Some("file"), "an empty variable is none");
        assert_eq!(environment.get("C"), None);
    }

    #[test]
    fn a_malformed_file_is_refused_without_quoting_it() {
        let failure = Environment::new([], Some("A=1\nsk_live_key without name\n")).unwrap_err();
        let Failure::Usage(text) = failure else { panic!("{failure:?}") };
        assert!(text.contains("number 2") && !text.contains("sk_live"), "{text}");
    }
}
