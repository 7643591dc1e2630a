//! Page tokens and page URLs of v2 lists.

use crate::query::Query;
use crate::selection::Side;
use crate::world::Position;

/// What a page token says: the rows after or before a place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    After(Position),
    Before(Position),
}

impl Token {
    /// The token's text; it tells a client nothing.
    pub(crate) fn text(self) -> String {
        let (letter, (second, ordinal)) = match self {
            Token::After(place) => ('a', place),
            Token::Before(place) => ('b', place),
        };
        format!("page_{letter}{second:016x}{:016x}", ordinal ^ second as u64)
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("page_")?;
        let number = |range: std::ops::Range<usize>| u64::from_str_radix(rest.get(range)?, 16).ok();
        let second = number(1..17)?;
        let place = (second as i64, number(17..33)? ^ second);
        match (&rest[..1], rest.len()) {
            ("a", 33) => Some(Token::After(place)),
            ("b", 33) => Some(Token::Before(place)),
            _ => None,
        }
    }

    pub(crate) fn side(self) -> Side {
        match self {
            Token::After(place) => Side::After(place),
            Token::Before(place) => Side::Before(place),
        }
    }
}

/// Appends the URL of another page in quotes, or null.
pub(crate) fn write_url(path: &str, query: &Query, token: Option<Token>, out: &mut Vec<u8>) {
    let Some(token) = token else { return out.extend_from_slice(b"null") };
    let mut url = format!("{path}?");
    for (key, value) in query.pairs.iter().filter(|(key, _)| key != "page") {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        url.push_str(&format!("{}={}&", encode(key).replace("%5F", "_"), encode(value)));
    }
    url.push_str(&format!("page={}", token.text()));
    out.extend_from_slice(serde_json::Value::from(url).to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tokens_read_back(second: i64, ordinal: u64, forward: bool) {
            let place = (second, ordinal);
            let token = if forward { Token::After(place) } else { Token::Before(place) };
            prop_assert_eq!(Token::read(&token.text()), Some(token));
        }

        #[test]
        fn foreign_tokens_are_refused(text in ".{0,40}") {
            if let Some(token) = Token::read(&text) {
                prop_assert_eq!(token.text(), text);
            }
        }
    }
}
