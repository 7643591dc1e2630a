//! Compiles a property's JSON text with `{{…}}` placeholders and renders it for one object.
//!
//! Placeholders: `{{kind@key?percent:argument}}`. Placeholders of one object that share a `key` draw
//! the same value; `percent` is the share of nulls. The kinds are the arms of [`Compiler::part`].

use crate::chance::{below, draw, percent, seed_of};
use crate::content;
use crate::identity::push_base62;

/// A piece of a rendered object.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Text(Box<[u8]>),
    /// The object's own id, without quotes.
    Id,
    /// Seconds after `created`.
    After(i64),
    /// Like `After`, as RFC 3339 with milliseconds.
    AfterIso(i64),
    /// Up to `width` seconds after `created`, or null.
    Within {
        seed: u64,
        width: u64,
        null_percent: u8,
    },
    Integer {
        seed: u64,
        low: i64,
        width: u64,
    },
    Token {
        seed: u64,
        length: usize,
    },
    Digits {
        seed: u64,
        length: usize,
    },
    UpperHex {
        seed: u64,
        length: usize,
    },
    Pick {
        seed: u64,
        options: Box<[Box<[u8]>]>,
    },
    /// The id of an object of another table in quotes, or null.
    Reference(Reference),
    /// A list of the object's children.
    Nested {
        family: usize,
    },
}

/// A property that names an object of another table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reference {
    pub(crate) seed: u64,
    pub(crate) target: usize,
    pub(crate) null_percent: u8,
}

impl Reference {
    /// Whether the generated object `ordinal` has null here.
    pub(crate) fn is_null(&self, ordinal: u64) -> bool {
        percent(draw(self.seed, ordinal, 0x0711), u64::from(self.null_percent))
    }
}

/// What rendering needs from the world.
pub(crate) trait Surroundings {
    /// Appends the id of the object being rendered.
    fn id(&self, out: &mut Vec<u8>);
    /// Appends what `reference` holds: an id in quotes, or null.
    fn reference(&self, reference: &Reference, out: &mut Vec<u8>);
    /// Appends the nested list of `family`.
    fn nested(&self, family: usize, out: &mut Vec<u8>);
}

/// Appends `parts` for the object `ordinal` that was created at `created`.
pub(crate) fn render(
    parts: &[Part],
    ordinal: u64,
    created: i64,
    surroundings: &impl Surroundings,
    out: &mut Vec<u8>,
) {
    for part in parts {
        match part {
            Part::Text(text) => out.extend_from_slice(text),
            Part::Id => surroundings.id(out),
            Part::After(seconds) => push_integer(created + seconds, out),
            Part::AfterIso(seconds) => push_iso(created + seconds, out),
            Part::Within { seed, width, null_percent } => {
                let drawn = draw(*seed, ordinal, 0x3171);
                if percent(drawn, u64::from(*null_percent)) {
                    out.extend_from_slice(b"null");
                } else {
                    push_integer(created + below(draw(*seed, ordinal, 1), *width) as i64, out);
                }
            }
            Part::Integer { seed, low, width } => {
                push_integer(low + below(draw(*seed, ordinal, 2), *width) as i64, out);
            }
            Part::Token { seed, length } => {
                for chunk in 0..length.div_ceil(10) {
                    let width = 10.min(length - chunk * 10);
                    push_base62(draw(*seed, ordinal, 3 + chunk as u64), width, out);
                }
            }
            Part::Digits { seed, length } => {
                let mut drawn = draw(*seed, ordinal, 4);
                for _ in 0..*length {
                    out.push(b'0' + (drawn % 10) as u8);
                    drawn /= 10;
                }
            }
            Part::UpperHex { seed, length } => {
                let drawn = draw(*seed, ordinal, 5);
                for place in 0..*length {
                    out.push(b"0123456789ABCDEF"[(drawn >> (place * 4 % 64) & 15) as usize]);
                }
            }
            Part::Pick { seed, options } => {
                let index = below(draw(*seed, ordinal, 6), options.len() as u64) as usize;
                if let Some(option) = options.get(index) {
                    out.extend_from_slice(option);
                }
            }
            Part::Reference(reference) => surroundings.reference(reference, out),
            Part::Nested { family } => surroundings.nested(*family, out),
        }
    }
}

pub(crate) fn push_integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a unix time as Stripe's v2 API writes it: `2026-01-31T12:00:00.000Z`.
pub(crate) fn push_iso(second: i64, out: &mut Vec<u8>) {
    let time = jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    out.extend_from_slice(format!("{time:.3}").as_bytes());
}

/// Turns templates of one table into parts.
pub(crate) struct Compiler<'a> {
    pub(crate) seed: u64,
    pub(crate) livemode: bool,
    pub(crate) account: &'a str,
    pub(crate) version: &'a str,
    /// Finds a table that may be referred to.
    pub(crate) target: &'a dyn Fn(&str) -> Option<usize>,
}

impl Compiler<'_> {
    /// Appends the parts of `text`, the template of the property `column`.
    pub(crate) fn compile(&self, column: &str, text: &str, parts: &mut Vec<Part>) {
        let mut rest = text;
        let mut index = 0;
        while let Some(start) = rest.find("{{") {
            push_text(&rest[..start], parts);
            let mut end = start + 2 + rest[start + 2..].find("}}").unwrap_or(rest.len() - start - 4);
            // The last option may end with a brace of its own: `{{pick:{}}}`.
            while rest[start + 2..].starts_with("pick") && rest[end + 2..].starts_with('}') {
                end += 1;
            }
            let spec = &rest[start + 2..end];
            match content::expand_word(spec.split('@').next().unwrap_or(spec)) {
                Some(longer) => self.compile(column, longer, parts),
                None => self.part(column, index, spec, parts),
            }
            index += 1;
            rest = &rest[end + 2..];
        }
        push_text(rest, parts);
    }

    fn part(&self, column: &str, index: usize, spec: &str, parts: &mut Vec<Part>) {
        let (head, argument) = spec.split_once(':').unwrap_or((spec, ""));
        let (head, nulls) = head.split_once('?').unwrap_or((head, "0"));
        let (kind, key) = head.split_once('@').unwrap_or((head, ""));
        let null_percent: u8 = nulls.parse().unwrap_or(0);
        let number = || argument.parse::<i64>().unwrap_or(0);
        let length = || argument.parse::<usize>().unwrap_or(8);
        let seed = match key {
            "" => seed_of(self.seed, &format!("{column}/{index}")),
            key => seed_of(self.seed, key),
        };
        let part = match kind {
            "id" => Part::Id,
            "created" => Part::After(0),
            "created_iso" => Part::AfterIso(0),
            "after" => Part::After(number()),
            "after_iso" => Part::AfterIso(number()),
            "within" => Part::Within { seed, width: number() as u64, null_percent },
            "int" => {
                let (low, high) = argument.split_once('-').unwrap_or((argument, argument));
                let low: i64 = low.parse().unwrap_or(0);
                let high: i64 = high.parse().unwrap_or(low);
                Part::Integer { seed, low, width: (high - low + 1).max(1) as u64 }
            }
            "token" => Part::Token { seed, length: length() },
            "digits" => Part::Digits { seed, length: length() },
            "hexup" => Part::UpperHex { seed, length: length() },
            "pick" => Part::Pick {
                seed,
                options: argument.split('|').map(|option| option.as_bytes().into()).collect(),
            },
            "ref" => match (self.target)(argument) {
                Some(target) => Part::Reference(Reference { seed, target, null_percent }),
                None => return push_text("null", parts),
            },
            "livemode" => return push_text(if self.livemode { "true" } else { "false" }, parts),
            "account" => return push_text(self.account, parts),
            "version" => return push_text(self.version, parts),
            unknown => unreachable!("placeholder `{unknown}` of `{column}` is not known"),
        };
        parts.push(part);
    }
}

/// Appends literal text, joined to literal text before it.
pub(crate) fn push_text(text: &str, parts: &mut Vec<Part>) {
    if text.is_empty() {
        return;
    }
    if let Some(Part::Text(last)) = parts.last_mut() {
        *last = [last, text.as_bytes()].concat().into();
    } else {
        parts.push(Part::Text(text.as_bytes().into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Alone;

    impl Surroundings for Alone {
        fn id(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(b"cus_1");
        }
        fn reference(&self, reference: &Reference, out: &mut Vec<u8>) {
            out.extend_from_slice(format!("\"t{}\"", reference.target).as_bytes());
        }
        fn nested(&self, _: usize, out: &mut Vec<u8>) {
            out.extend_from_slice(b"[]");
        }
    }

    fn rendered(text: &str, ordinal: u64) -> String {
        let target = |name: &str| (name == "customer").then_some(3);
        let compiler =
            Compiler { seed: 1, livemode: false, account: "acct_1", version: "v", target: &target };
        let mut parts = Vec::new();
        compiler.compile("column", text, &mut parts);
        let mut out = Vec::new();
        render(&parts, ordinal, 1_700_000_000, &Alone, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn placeholders_render() {
        assert_eq!(rendered("\"{{id}}\"", 1), "\"cus_1\"");
        assert_eq!(rendered("{{after:60}}", 1), "1700000060");
        assert_eq!(rendered("\"{{created_iso}}\"", 1), "\"2023-11-14T22:13:20.000Z\"");
        assert_eq!(rendered("{{ref:customer}}{{ref:nothing}}", 1), "\"t3\"null");
        assert_eq!(rendered("{{pick:{}}}", 1), "{}");
        assert_eq!(rendered("{{within?100:5}}", 1), "null");
        assert_eq!(rendered("{{livemode}} {{account}}", 1), "false acct_1");
        assert_eq!(rendered("{{token:25}}", 1).len(), 25);
    }

    #[test]
    fn keys_share_a_value_and_ordinals_do_not() {
        let both = rendered("{{int@a:0-100000}} {{int@a:0-100000}} {{int@b:0-100000}}", 9);
        let values: Vec<&str> = both.split(' ').collect();
        assert_eq!(values[0], values[1]);
        assert_ne!(values[0], values[2]);
        assert_ne!(rendered("{{token:20}}", 1), rendered("{{token:20}}", 2));
    }
}
