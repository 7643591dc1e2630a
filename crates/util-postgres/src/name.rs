//! Names and texts inside SQL.

use sha1::{Digest, Sha1};

/// Longest identifier that PostgreSQL does not cut.
pub const MAX_IDENTIFIER_BYTES: usize = 63;

/// `name` as an identifier in SQL. A NUL in it cannot be quoted; the driver refuses such a statement.
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as a literal in SQL, whatever `standard_conforming_strings` says.
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    // The leading space keeps the `E` from joining a word before it.
    if quoted.contains('\\') {
        format!(" E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// `name`, or where it is longer than 63 bytes its beginning, `_h` and 8 hex digits of its SHA-1.
///
/// PostgreSQL itself would cut the name, and two long names could become one.
pub fn shorten_identifier(name: &str) -> String {
    if name.len() <= MAX_IDENTIFIER_BYTES {
        return name.to_owned();
    }
    let hash = hex::encode(Sha1::digest(name));
    let suffix = format!("_h{}", &hash[..8]);
    let mut end = MAX_IDENTIFIER_BYTES - suffix.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_names_end_in_a_hash() {
        let name = format!("idx_{}", "x".repeat(80));
        let short = shorten_identifier(&name);
        assert_eq!(short.len(), 63);
        assert_eq!(&short[..53], &name[..53]);
        assert_eq!(&short[53..], &format!("_h{}", &hex::encode(Sha1::digest(&name))[..8]));
        assert_eq!(shorten_identifier(&"y".repeat(63)), "y".repeat(63));
    }

    #[test]
    fn backslashes_need_an_escape_string() {
        assert_eq!(quote_literal("a'b"), "'a''b'");
        assert_eq!(quote_literal(r"a\'b"), r" E'a\\''b'");
    }

    proptest! {
        #[test]
        fn short_names_fit_and_stay_apart(a in "\\PC{0,90}", b in "\\PC{0,90}") {
            let (short_a, short_b) = (shorten_identifier(&a), shorten_identifier(&b));
            prop_assert!(short_a.len() <= MAX_IDENTIFIER_BYTES);
            prop_assert_eq!(a == b, short_a == short_b);
        }

        #[test]
        fn a_quoted_identifier_reads_back(name in "[^\0]{0,40}") {
            let quoted = quote_identifier(&name);
            let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
            prop_assert!(!inner.replace("\"\"", "").contains('"'));
            prop_assert_eq!(inner.replace("\"\"", "\""), name);
        }
    }
}
