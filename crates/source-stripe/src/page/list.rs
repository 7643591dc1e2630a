//! The envelope of a list.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use protocol::RawJson;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::object::{Object, Stamp, append};
use crate::plan::PageFacts;

/// What an answer is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `{"object": "list", "data": […], "has_more": …}`.
    V1,
    /// `{"data": […], "next_page_url": …}`.
    V2,
    /// One object.
    Single,
}

/// Why a body is not the answer that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unexpected(pub(crate) String);

/// A page of records, all in one buffer.
#[derive(Debug)]
pub(crate) struct Page {
    text: Bytes,
    objects: Vec<Object>,
    /// Longer texts of some objects, by index.
    replaced: BTreeMap<usize, RawJson>,
    /// Where the next page begins; `None` on the last.
    pub(crate) next: Option<String>,
}

/// A page that grows object by object.
#[derive(Debug, Default)]
pub(crate) struct PageBuilder {
    text: Vec<u8>,
    objects: Vec<Object>,
}

impl PageBuilder {
    /// Adds an object with its stamp; refuses what is no object, and what has no id.
    pub(crate) fn push(&mut self, item: &str, stamp: Option<&Stamp>) -> Result<(), Unexpected> {
        if !item.starts_with('{') {
            return Err(Unexpected("the list holds something that is not an object".to_owned()));
        }
        let object = append(item, stamp, &mut self.text);
        if object.id.is_none() {
            return Err(Unexpected("an object has no `id`, so that it cannot be stored".to_owned()));
        }
        self.objects.push(object);
        Ok(())
    }

    /// Number of objects so far.
    pub(crate) fn count(&self) -> usize {
        self.objects.len()
    }

    /// The page, as a last one.
    pub(crate) fn finish(mut self) -> Page {
        // Bodies laid out over many lines shrink; the memory counts for as long as a record lives.
        if self.text.capacity() - self.text.len() > self.text.len() / 8 {
            self.text.shrink_to_fit();
        }
        Page { text: self.text.into(), objects: self.objects, replaced: BTreeMap::new(), next: None }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    object: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<Vec<&'a RawValue>>,
    has_more: Option<bool>,
    /// The inner `None` is a written null: this is the last page.
    #[serde(default, deserialize_with = "present")]
    next_page_url: Option<Option<String>>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Reads the body of an answer. Anything but the expected shape is refused: it must never pass for an
/// empty last page (fidelity C12).
pub(crate) fn read_page(body: &[u8], shape: Shape, stamp: &Stamp) -> Result<Page, Unexpected> {
    read(body, shape, Some(stamp))
}

/// Reads a page as [`read_page`] does, but adds nothing to its objects.
pub(crate) fn read_plain_page(body: &[u8], shape: Shape) -> Result<Page, Unexpected> {
    read(body, shape, None)
}

fn read(body: &[u8], shape: Shape, stamp: Option<&Stamp>) -> Result<Page, Unexpected> {
    let not_json =
        |error: serde_json::Error| Unexpected(format!("the body is not JSON as expected: {error}"));
    if shape == Shape::Single {
        let single: &RawValue = serde_json::from_slice(body).map_err(not_json)?;
        return Page::of(&[single], body.len(), stamp);
    }
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(not_json)?;
    let Some(data) = envelope.data else {
        return Err(Unexpected("the body is not a list: it has no `data`".to_owned()));
    };
    let mut page = Page::of(&data, body.len(), stamp)?;
    page.next = match shape {
        Shape::V2 => match envelope.next_page_url {
            None => return Err(Unexpected("the body is not a list: it has no `next_page_url`".to_owned())),
            Some(None) => None,
            Some(Some(url)) => {
                Some(page_token(&url).ok_or_else(|| {
                    Unexpected(format!("the list's `next_page_url` has no page token: {url}"))
                })?)
            }
        },
        _ => {
            if envelope.object.as_deref() != Some("list") {
                return Err(Unexpected("the body is not a list: its `object` is not `list`".to_owned()));
            }
            match (envelope.has_more, page.objects.last()) {
                (None, _) => return Err(Unexpected("the list does not say whether it has more".to_owned())),
                (Some(false), _) => None,
                (Some(true), Some(last)) => last.id.clone(),
                (Some(true), None) => {
                    return Err(Unexpected("the list is empty and says that it has more".to_owned()));
                }
            }
        }
    };
    Ok(page)
}

/// The `page` parameter of a `next_page_url`, which may be relative.
fn page_token(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let query = query.split('#').next().unwrap_or(query);
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(name, _)| name == "page")
        .map(|(_, token)| token.into_owned())
        .filter(|token| !token.is_empty())
}

/// Where the member lies in the text of an object, with the comma that goes with it; nowhere if it has none.
fn member(object: &RawJson, property: &str) -> Result<Range<usize>, Unexpected> {
    let unexpected = |what: &dyn std::fmt::Display| Unexpected(format!("`{property}` is not found: {what}"));
    let [value] = object.members([property]).map_err(|error| unexpected(&error))?;
    let Some(value) = value else { return Ok(0..0) };
    let text = object.as_bytes();
    let key = format!("{}:", serde_json::Value::from(property));
    // The value borrows from the text.
    let at = (value.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize);
    let start = at
        .and_then(|at| at.checked_sub(key.len()))
        .filter(|start| text[*start..].starts_with(key.as_bytes()));
    let start = start.ok_or_else(|| unexpected(&"its key is written in another way"))?;
    let end = start + key.len() + value.get().len();
    Ok(match (text[..start].last(), text.get(end)) {
        (Some(b','), _) => start - 1..end,
        (_, Some(b',')) => start..end + 1,
        _ => start..end,
    })
}

impl Page {
    fn of(items: &[&RawValue], body: usize, stamp: Option<&Stamp>) -> Result<Page, Unexpected> {
        let mut page = PageBuilder {
            // Each object grows by its stamp of about 60 bytes and shrinks by its white space.
            text: Vec::with_capacity(body + items.len() * 80),
            objects: Vec::with_capacity(items.len()),
        };
        items.iter().try_for_each(|item| page.push(item.get(), stamp))?;
        Ok(page.finish())
    }

    /// What the planner needs to know.
    pub(crate) fn facts(&self) -> PageFacts {
        let newest_first =
            |times: Option<Vec<i64>>| times.filter(|times| times.is_sorted_by(|newer, older| newer >= older));
        let created = newest_first(self.objects.iter().map(|object| object.created).collect());
        let dates =
            || newest_first(self.objects.iter().map(|object| object.created.or(object.date)).collect());
        PageFacts {
            count: self.objects.len(),
            hints: if created.is_none() { dates() } else { None },
            created,
            next: self.next.clone(),
        }
    }

    /// Bytes that the page's records hold on to.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + self.replaced.values().map(RawJson::len).sum::<usize>()
    }

    /// Number of objects.
    pub(crate) fn count(&self) -> usize {
        self.objects.len()
    }

    /// Gives the object number `index` another text.
    pub(crate) fn replace(&mut self, index: usize, text: RawJson) {
        self.replaced.insert(index, text);
    }

    /// The same page without the member `property` of its objects, whose texts have no insignificant white space.
    pub(crate) fn without(&self, property: &str) -> Result<Page, Unexpected> {
        let mut text = Vec::with_capacity(self.bytes());
        let mut objects = Vec::with_capacity(self.objects.len());
        for (index, object) in self.objects.iter().enumerate() {
            let Some((record, _)) = self.record(index) else { continue };
            let start = text.len();
            let cut = member(&record, property)?;
            let whole = record.as_bytes();
            text.extend_from_slice(&whole[..cut.start]);
            text.extend_from_slice(&whole[cut.end..]);
            objects.push(Object { start, end: text.len(), ..object.clone() });
        }
        text.shrink_to_fit();
        Ok(Page { text: text.into(), objects, replaced: BTreeMap::new(), next: self.next.clone() })
    }

    /// The record number `index`, and whether the object is deleted.
    pub(crate) fn record(&self, index: usize) -> Option<(RawJson, bool)> {
        let object = self.objects.get(index)?;
        if let Some(text) = self.replaced.get(&index) {
            return Some((text.clone(), object.deleted));
        }
        Some((RawJson::from_trusted(self.text.slice(object.start..object.end)), object.deleted))
    }

    /// The ids of the objects.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().filter_map(|object| object.id.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(body: &str, shape: Shape) -> Result<Page, Unexpected> {
        read_page(body.as_bytes(), shape, &Stamp::new("acct_1", 1))
    }

    #[test]
    fn a_list_is_split_into_stamped_records() {
        let body = r#"{"object":"list","url":"/v1/x","has_more":true,"data":[{"id":"a","created":9},{"id":"b","created":9}]}"#;
        let page = page(body, Shape::V1).unwrap();
        assert_eq!(page.next.as_deref(), Some("b"));
        assert_eq!(page.facts().created, Some(vec![9, 9]));
        let (second, deleted) = page.record(1).unwrap();
        assert_eq!(second.as_str(), r#"{"id":"b","created":9,"_updated_at":1,"_account_id":"acct_1"}"#);
        assert!(!deleted);
        assert!(page.record(2).is_none());
        assert_eq!(page.ids().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_member_is_taken_out_and_all_else_stays_digit_by_digit() {
        let body = r#"{"object":"list","has_more":true,"data":[
            {"t":{"data":[{"id":"t","t":1}]}, "id":"a","created":9,"n":1.50},{"id":"b","created":8,"t":null},
            {"id":"c","created":7,"o":{"t":1}}]}"#;
        let page = page(body, Shape::V1).unwrap();
        let rest = page.without("t").unwrap();
        let texts: Vec<String> = (0..3)
            .map(|index| {
                rest.record(index)
                    .unwrap()
                    .0
                    .as_str()
                    .replace(r#","_updated_at":1,"_account_id":"acct_1""#, "")
            })
            .collect();
        assert_eq!(
            texts,
            [
                r#"{"id":"a","created":9,"n":1.50}"#,
                r#"{"id":"b","created":8}"#,
                r#"{"id":"c","created":7,"o":{"t":1}}"#
            ]
        );
        assert_eq!(rest.facts(), page.facts());
        let other = read_page(
            br#"{"object":"list","has_more":false,"data":[{"\u0074":1,"id":"a"}]}"#,
            Shape::V1,
            &Stamp::new("a", 1),
        );
        assert!(other.unwrap().without("t").is_err());
    }

    #[test]
    fn order_and_times_are_told_only_if_they_hold_for_all() {
        let of = |data: &str| {
            page(&format!(r#"{{"object":"list","has_more":false,"data":{data}}}"#), Shape::V1)
                .unwrap()
                .facts()
        };
        assert_eq!(of(r#"[{"id":"a","created":1},{"id":"b","created":2}]"#).created, None);
        assert_eq!(of(r#"[{"id":"a","created":2},{"id":"b"}]"#).created, None);
        let dated = of(r#"[{"id":"a","date":2},{"id":"b","date":1}]"#);
        assert_eq!((dated.created, dated.hints), (None, Some(vec![2, 1])));
        assert_eq!(of("[]"), PageFacts { count: 0, created: Some(vec![]), hints: None, next: None });
    }

    #[test]
    fn v2_lists_go_on_with_the_token_of_the_next_page() {
        let next = |url: &str| {
            page(&format!(r#"{{"data":[],"next_page_url":{url},"previous_page_url":null}}"#), Shape::V2)
                .map(|page| page.next)
        };
        assert_eq!(next("null"), Ok(None));
        assert_eq!(next(r#""/v2/core/accounts?limit=20&page=a%2Bb%3D""#), Ok(Some("a+b=".to_owned())));
        assert!(next(r#""/v2/core/accounts?limit=20""#).is_err());
    }

    #[test]
    fn nothing_else_passes_for_a_list() {
        for body in [
            "",
            "<html>502</html>",
            "null",
            "[]",
            "{}",
            r#"{"data":[]}"#,
            r#"{"object":"list","data":[]}"#,
            r#"{"object":"charge","data":[],"has_more":false}"#,
            r#"{"object":"list","data":{},"has_more":false}"#,
            r#"{"object":"list","data":[],"has_more":true}"#,
            r#"{"object":"list","data":[1],"has_more":false}"#,
            r#"{"object":"list","data":[{"created":1}],"has_more":false}"#,
            r#"{"object":"list","data":[{"id":"a"}],"has_more":false"#,
            r#"{"object":"list","data":[],"has_more":false} trailing"#,
        ] {
            assert!(page(body, Shape::V1).is_err(), "{body}");
        }
        for body in [r#"{"data":[]}"#, r#"{"object":"list","data":[],"has_more":false}"#] {
            assert!(page(body, Shape::V2).is_err(), "{body}");
        }
    }

    #[test]
    fn a_single_object_is_a_page_of_one() {
        let page = page(r#"{"id":"acct_1","object":"account"}"#, Shape::Single).unwrap();
        assert_eq!((page.facts().count, page.next.clone()), (1, None));
    }
}
