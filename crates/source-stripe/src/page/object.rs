//! One object of a page: read and stamped in one pass over its text.

use std::borrow::Cow;

use protocol::Timestamp;

/// What is added to every object.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    /// `"_account_id":"acct_…"` and what follows, ready to be copied.
    members: String,
    /// `,"_parent_id":"…"`, or nothing.
    parent: String,
    /// Unix seconds: the object shows all changes up to the end of this one.
    version: i64,
    /// Whether an object's own, earlier `updated` counts instead.
    or_updated: bool,
}

impl Stamp {
    /// For objects as a list shows them.
    pub(crate) fn new(account_id: &str, as_of: i64) -> Stamp {
        let account = serde_json::Value::from(account_id);
        let members = format!("\"_account_id\":{account}");
        Stamp { members, parent: String::new(), version: as_of, or_updated: true }
    }

    /// For an object that is known to show every change up to `version`, whatever it says itself.
    pub(crate) fn certain(account_id: &str, version: i64) -> Stamp {
        Stamp { or_updated: false, ..Stamp::new(account_id, version) }
    }

    /// Unix seconds.
    pub(crate) fn version(&self) -> i64 {
        self.version
    }

    fn version_of(&self, updated: Option<i64>) -> i64 {
        updated.filter(|_| self.or_updated).map_or(self.version, |updated| updated.min(self.version))
    }

    /// The stamp for rows that exist only under the object called `parent`.
    pub(crate) fn under(&self, parent: &str) -> Stamp {
        let parent = format!(",\"_parent_id\":{}", serde_json::Value::from(parent));
        Stamp { parent, ..self.clone() }
    }

    /// The stamp of rows that say what wrote them: `what` is `page`, `read` or `event`, and `name` says which one. Without
    /// a name they do not say it.
    pub(crate) fn written_by(mut self, what: &str, name: Option<&str>) -> Stamp {
        if let Some(name) = name {
            let source = serde_json::Value::from(format!("{what} {name}"));
            self.members = format!("{},\"_source\":{source}", self.members);
        }
        self
    }
}

/// What is read of an object, and where its text lies in the page's buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) id: Option<String>,
    /// Unix seconds.
    pub(crate) created: Option<i64>,
    /// Unix seconds that are probably when it was created, in objects that do not say `created`.
    pub(crate) date: Option<i64>,
    pub(crate) deleted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Id,
    Created,
    Date,
    Updated,
    Deleted,
    /// A member that we write ourselves.
    Stamp,
    Other,
}

/// Appends `text`, a valid JSON object, to `out`: without insignificant white space, otherwise digit by
/// digit as it is, and with the stamp, if there is one, as its last members.
pub(super) fn append(text: &str, stamp: Option<&Stamp>, out: &mut Vec<u8>) -> Object {
    let start = out.len();
    let mut object = Object { start, end: start, id: None, created: None, date: None, deleted: false };
    let mut updated = None;
    let text = text.as_bytes();
    let mut at = 0;
    // Everything before `copied` is in `out` or left out.
    let mut copied = 0;
    let mut depth = 0usize;
    let mut member: Option<(Key, usize)> = None;
    let mut member_out = 0;
    let mut wants_key = false;
    while at < text.len() {
        match text[at] {
            b'"' => {
                let end = string_end(text, at);
                if wants_key {
                    wants_key = false;
                    member_out = out.len() + (at - copied);
                    member = Some((key(&text[at..end]), end));
                }
                at = end;
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                wants_key = depth == 1;
            }
            b',' if depth == 1 => {
                wants_key = true;
                let key = member.take().map_or(Key::Other, |(key, value)| {
                    object.take(key, &text[value..at], &mut updated);
                    key
                });
                if key == Key::Stamp && stamp.is_some() {
                    out.extend_from_slice(&text[copied..at]);
                    out.truncate(member_out);
                    copied = at + 1;
                }
            }
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    out.extend_from_slice(&text[copied..at]);
                    copied = text.len();
                    if let Some((key, value)) = member.take() {
                        object.take(key, &text[value..at], &mut updated);
                        if key == Key::Stamp && stamp.is_some() {
                            out.truncate(member_out);
                        }
                    }
                    break;
                }
            }
            b' ' | b'\n' | b'\r' | b'\t' => {
                out.extend_from_slice(&text[copied..at]);
                let blank = text[at..].iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
                at = blank.map_or(text.len(), |length| at + length);
                copied = at;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    out.extend_from_slice(&text[copied..]);
    let Some(stamp) = stamp else {
        out.push(b'}');
        object.end = out.len();
        return object;
    };
    if out.last() == Some(&b',') {
        out.pop();
    }
    if out.len() > start + 1 {
        out.push(b',');
    }
    out.extend_from_slice(b"\"_updated_at\":");
    out.extend_from_slice(itoa::Buffer::new().format(stamp.version_of(updated)).as_bytes());
    out.push(b',');
    out.extend_from_slice(stamp.members.as_bytes());
    out.extend_from_slice(stamp.parent.as_bytes());
    out.push(b'}');
    object.end = out.len();
    object
}

impl Object {
    /// Takes in a member; `value` begins with the colon. Of a repeated key the last counts.
    fn take(&mut self, key: Key, value: &[u8], updated: &mut Option<i64>) {
        if matches!(key, Key::Stamp | Key::Other) {
            return;
        }
        let value = value.trim_ascii();
        let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
        match key {
            Key::Id => self.id = string(value).map(Cow::into_owned).filter(|id| !id.is_empty()),
            Key::Created => self.created = seconds(value),
            Key::Date => self.date = seconds(value),
            Key::Updated => *updated = number(value),
            Key::Deleted => self.deleted = value == b"true",
            Key::Stamp | Key::Other => {}
        }
    }
}

fn key(quoted: &[u8]) -> Key {
    let decoded;
    let name: &[u8] = if quoted.contains(&b'\\') {
        decoded = string(quoted).unwrap_or_default();
        decoded.as_bytes()
    } else {
        &quoted[1..quoted.len() - 1]
    };
    match name {
        b"id" => Key::Id,
        b"created" => Key::Created,
        b"date" => Key::Date,
        b"updated" => Key::Updated,
        b"deleted" => Key::Deleted,
        b"_updated_at" | b"_account_id" | b"_parent_id" | b"_source" => Key::Stamp,
        _ => Key::Other,
    }
}

/// The position after the string that begins at `start`.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &text[at.min(text.len())..]) {
        if text[at + found] == b'"' {
            return at + found + 1;
        }
        at += found + 2;
    }
    text.len()
}

fn string(value: &[u8]) -> Option<Cow<'_, str>> {
    serde_json::from_slice::<String>(value).ok().map(Cow::Owned)
}

fn number(value: &[u8]) -> Option<i64> {
    let whole = serde_json::from_slice::<i64>(value).ok();
    whole.or_else(|| serde_json::from_slice::<f64>(value).ok().map(|number| number.floor() as i64))
}

/// A time as v1 writes it, in unix seconds, or as v2 does, in RFC 3339.
fn seconds(value: &[u8]) -> Option<i64> {
    number(value).or_else(|| Timestamp::parse_bound(&string(value)?).ok().map(Timestamp::unix_seconds))
}

#[cfg(test)]
#[path = "object_tests.rs"]
mod tests;
