//! Numbers of things, for sentences.

use std::fmt::Display;

/// A number of things: `1 row`, `2 rows`, `1,234 entries`. The number is given as it is to be written.
pub fn counted(number: impl Display, noun: &str) -> String {
    let number = number.to_string();
    let stem = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match (&*number, stem) {
        ("1", _) => format!("1 {noun}"),
        (number, Some(stem)) => format!("{number} {stem}ies"),
        (number, None) => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_thing() {
        let told = [(0, "row"), (1, "row"), (2, "row"), (1, "entry"), (3, "entry"), (2, "day")];
        let told: Vec<String> = told.iter().map(|(number, noun)| counted(number, noun)).collect();
        assert_eq!(told, ["0 rows", "1 row", "2 rows", "1 entry", "3 entries", "2 days"]);
        assert_eq!(counted("1,001", "request"), "1,001 requests");
    }
}
