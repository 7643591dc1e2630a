//! What an object says, as a hash: the same for a text as Stripe sent it and as any database gives it back.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::RawJson;

/// 128 bits of the SHA-256 of an object's canonical content.
///
/// White space, order and repetition of keys (the last counts) and the spelling of texts do not matter, nor do
/// the top-level members whose names begin with `_`: those are the engine's. Numbers are compared as `jsonb` keeps
/// them: by value, exact at any size, and by their digits after the point, so `1e2` is `100` but `1.50` is not `1.5`.
/// What `jsonb` cannot hold, NUL and halves of surrogate pairs, counts as the replacement character that is stored
/// in their place.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 16]);

impl ContentHash {
    /// The hash of an object.
    pub fn of(object: &RawJson) -> ContentHash {
        let mut canonical = Vec::with_capacity(object.len());
        Reader { text: object.as_bytes(), at: 0 }.value(true, &mut canonical);
        let digest = Sha256::digest(&canonical);
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        ContentHash(hash)
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Reads a text that is known to be JSON. Of one that is not, some hash comes out.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// Appends the canonical form of the value here. Every part says how long it is, so that no two values have
    /// the same form.
    fn value(&mut self, is_object_itself: bool, out: &mut Vec<u8>) {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(is_object_itself, out),
            Some(b'[') => self.array(out),
            Some(b'"') => {
                let text = self.string();
                sized(b's', text.as_bytes(), out);
            }
            Some(b'-' | b'0'..=b'9') => {
                let number = canonical_number(self.word());
                sized(b'n', number.as_bytes(), out);
            }
            _ => {
                let word = self.word().as_bytes().to_vec();
                sized(b'w', &word, out);
            }
        }
    }

    fn object(&mut self, is_object_itself: bool, out: &mut Vec<u8>) {
        self.at += 1;
        let mut members: Vec<(String, Vec<u8>)> = Vec::new();
        while self.goes_on(b'}') {
            let key = self.string();
            self.skip_space();
            self.at += 1;
            let mut value = Vec::new();
            self.value(false, &mut value);
            if !(is_object_itself && key.starts_with('_')) {
                members.push((key, value));
            }
        }
        // Of a repeated key the last counts: the sort keeps the order of equal keys.
        members.sort_by(|a, b| a.0.cmp(&b.0));
        let last = |at: usize| members.get(at + 1).is_none_or(|next| next.0 != members[at].0);
        let kept: Vec<&(String, Vec<u8>)> =
            (0..members.len()).filter(|at| last(*at)).map(|at| &members[at]).collect();
        out.extend_from_slice(format!("o{}:", kept.len()).as_bytes());
        for (key, value) in kept {
            sized(b's', key.as_bytes(), out);
            out.extend_from_slice(value);
        }
    }

    fn array(&mut self, out: &mut Vec<u8>) {
        self.at += 1;
        let mut items = Vec::new();
        let mut count = 0;
        while self.goes_on(b']') {
            self.value(false, &mut items);
            count += 1;
        }
        out.extend_from_slice(format!("a{count}:").as_bytes());
        out.extend_from_slice(&items);
    }

    /// Whether another member or item begins here; moves behind the comma, or behind the end.
    fn goes_on(&mut self, end: u8) -> bool {
        self.skip_space();
        if self.peek() == Some(b',') {
            self.at += 1;
            self.skip_space();
        }
        match self.peek() {
            None => false,
            Some(byte) if byte == end => {
                self.at += 1;
                false
            }
            Some(_) => true,
        }
    }

    /// The text that begins here.
    fn string(&mut self) -> String {
        self.at += 1;
        let mut bytes = Vec::new();
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    let mut encoded = [0; 4];
                    bytes.extend_from_slice(self.escape().encode_utf8(&mut encoded).as_bytes());
                }
                _ => bytes.push(byte),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The character behind a backslash.
    fn escape(&mut self) -> char {
        let byte = self.peek().unwrap_or_default();
        self.at += 1;
        match byte {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.code_unit(self.at);
                self.at += 4;
                let code = match unit {
                    0xD800..=0xDBFF if self.text[self.at.min(self.text.len())..].starts_with(b"\\u") => {
                        match self.code_unit(self.at + 2) {
                            second @ 0xDC00..=0xDFFF => {
                                self.at += 6;
                                0x1_0000 + ((unit - 0xD800) << 10) + (second - 0xDC00)
                            }
                            _ => 0,
                        }
                    }
                    unit => unit,
                };
                char::from_u32(code).filter(|char| *char != '\0').unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => char::from(other),
        }
    }

    /// The four hexadecimal digits at `at`.
    fn code_unit(&self, at: usize) -> u32 {
        let digits = self.text.get(at..at + 4).and_then(|digits| std::str::from_utf8(digits).ok());
        digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or_default()
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> &str {
        let begin = self.at.min(self.text.len());
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
        // At least one byte, so that there is an end to what is not JSON.
        self.at = (begin + 1).min(self.text.len());
        while self.text.get(self.at).is_some_and(|byte| !ends(byte)) {
            self.at += 1;
        }
        std::str::from_utf8(&self.text[begin..self.at]).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }
}

fn sized(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(format!("{}:", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
}

/// Sign and significant digits, the power of ten of the last of them, and how many digits `jsonb` shows after the
/// point: `-1.50e1` gives `-15e0.1`. Nothing is expanded, however large the exponent.
fn canonical_number(text: &str) -> String {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let Ok(exponent) = exponent.parse::<i64>() else { return text.to_owned() };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let length = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let last = exponent.saturating_sub(length);
    let shown = last.min(0).unsigned_abs();
    let digits = format!("{whole}{fraction}");
    let kept = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - kept.len()).unwrap_or(i64::MAX);
    let kept = kept.trim_start_matches('0');
    if kept.is_empty() {
        return format!("0e0.{shown}");
    }
    format!("{sign}{kept}e{}.{shown}", last.saturating_add(zeros))
}

#[cfg(test)]
mod tests;
