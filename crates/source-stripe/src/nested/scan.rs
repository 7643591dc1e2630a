//! Finds the nested lists that are cut.

use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;

/// As Stripe writes it once insignificant white space is gone.
const HAS_MORE: &[u8] = b"\"has_more\":true";

/// A nested list that does not hold all of its items, as positions in the object's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    /// The items, without the brackets around them.
    pub(super) items: Range<usize>,
    /// The word `true` that says that there are more.
    pub(super) more: Range<usize>,
    /// Number of items.
    pub(super) count: usize,
    /// Id of the last item.
    pub(super) last: Option<String>,
    /// Where the whole list is, e.g. `/v1/invoices/in_1/lines`.
    pub(super) url: String,
    /// The ids of the objects around the list.
    pub(super) around: Vec<String>,
}

/// Whether the text, which has no insignificant white space, can hold a cut list. Almost free.
pub(crate) fn may_be_cut(text: &[u8]) -> bool {
    memmem::find(text, HAS_MORE).is_some()
}

/// The outermost cut lists of a value without insignificant white space, in the order of the text. A cut list
/// within the items of another is found too, if the outer one is complete.
pub(super) fn cut_lists(text: &[u8]) -> Vec<Cut> {
    let mut scanner = Scanner { text, at: 0, cuts: Vec::new() };
    let mut around = Vec::new();
    scanner.value(&mut around);
    let Scanner { mut cuts, .. } = scanner;
    cuts.sort_by_key(|cut| cut.items.start);
    // What lies within a cut list is found again once that list is complete.
    let mut end = 0;
    cuts.retain(|cut| {
        let outermost = cut.items.start >= end;
        end = end.max(cut.items.end);
        outermost
    });
    cuts
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    cuts: Vec<Cut>,
}

#[derive(Default)]
struct Members {
    id: Option<String>,
    is_list: bool,
    items: Option<Items>,
    more: Option<Range<usize>>,
    url: Option<String>,
}

struct Items {
    range: Range<usize>,
    count: usize,
    last: Option<String>,
}

impl<'a> Scanner<'a> {
    /// Passes over a value; answers its `id` where it is an object with one.
    fn value(&mut self, around: &mut Vec<String>) -> Option<String> {
        match self.text.get(self.at) {
            Some(b'{') => self.object(around),
            Some(b'[') => {
                self.array(around);
                None
            }
            Some(b'"') => {
                self.string();
                None
            }
            _ => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let length = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']'));
                self.at += length.unwrap_or(rest.len());
                None
            }
        }
    }

    fn array(&mut self, around: &mut Vec<String>) -> Items {
        self.at += 1;
        let start = self.at;
        let (mut count, mut last) = (0, None);
        while self.text.get(self.at).is_some_and(|byte| *byte != b']') {
            last = self.value(around);
            count += 1;
            if self.text.get(self.at) == Some(&b',') {
                self.at += 1;
            }
        }
        let range = start..self.at;
        self.at += 1;
        Items { range, count, last }
    }

    fn object(&mut self, around: &mut Vec<String>) -> Option<String> {
        self.at += 1;
        let first_cut = self.cuts.len();
        let mut members = Members::default();
        while self.text.get(self.at).is_some_and(|byte| *byte != b'}') {
            let key = self.string();
            // The colon.
            self.at += 1;
            let start = self.at;
            match key {
                b"\"data\"" if self.text.get(start) == Some(&b'[') => {
                    members.items = Some(self.array(around));
                }
                _ => {
                    self.value(around);
                }
            }
            let value = &self.text[start.min(self.text.len())..self.at.min(self.text.len())];
            match key {
                b"\"id\"" => members.id = serde_json::from_slice(value).ok(),
                b"\"object\"" => members.is_list = value == b"\"list\"",
                b"\"has_more\"" => members.more = (value == b"true").then_some(start..self.at),
                b"\"url\"" => members.url = serde_json::from_slice(value).ok(),
                _ => {}
            }
            if self.text.get(self.at) == Some(&b',') {
                self.at += 1;
            }
        }
        self.at += 1;
        // The id may come after the list.
        if let Some(id) = &members.id {
            self.cuts[first_cut..].iter_mut().for_each(|cut| cut.around.push(id.clone()));
        }
        if let Members { is_list: true, items: Some(items), more: Some(more), url: Some(url), .. } = members {
            let Items { range, count, last } = items;
            self.cuts.push(Cut { items: range, more, count, last, url, around: Vec::new() });
        }
        members.id
    }

    /// Passes over a string; answers it with its quotes.
    fn string(&mut self) -> &'a [u8] {
        let start = self.at;
        let mut at = start + 1;
        while let Some(found) = memchr::memchr2(b'"', b'\\', self.text.get(at..).unwrap_or_default()) {
            if self.text[at + found] == b'"' {
                self.at = at + found + 1;
                return &self.text[start..self.at];
            }
            at += found + 2;
        }
        self.at = self.text.len();
        &self.text[start.min(self.at)..]
    }
}

/// What Stripe limits requests to `path` by: the path with a hole in place of each id, so that the same list
/// of many parents is one endpoint. `ids` are known to be ids; others are told by how they look.
pub(crate) fn place_of(path: &str, ids: &[String]) -> Arc<str> {
    let is_id = |segment: &str| {
        let looks_so = segment.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        looks_so || ids.iter().any(|id| id == segment)
    };
    let segments = path.split('/').enumerate().map(|(index, segment)| match index {
        // The first is empty, the second the version.
        0 | 1 => segment,
        _ if is_id(segment) => "{}",
        _ => segment,
    });
    segments.collect::<Vec<&str>>().join("/").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_list_is_found_with_all_that_is_needed_to_complete_it() {
        let text = concat!(
            r#"{"lines":{"object":"list","data":[{"id":"il_1","n":1.50},{"id":"il_2"}],"has_more":true,"#,
            r#""total_count":12,"url":"/v1/invoices/in_1/lines"},"id":"in_1","object":"invoice"}"#
        );
        let cuts = cut_lists(text.as_bytes());
        let [cut] = &cuts[..] else { panic!("{cuts:?}") };
        assert_eq!(&text[cut.items.clone()], r#"{"id":"il_1","n":1.50},{"id":"il_2"}"#);
        assert_eq!(&text[cut.more.clone()], "true");
        assert_eq!((cut.count, cut.last.as_deref()), (2, Some("il_2")));
        assert_eq!(cut.url, "/v1/invoices/in_1/lines");
        assert_eq!(cut.around, ["in_1"]);
    }

    #[test]
    fn only_cut_lists_count() {
        for text in [
            r#"{"id":"a","list":{"object":"list","data":[],"has_more":false,"url":"/v1/x"}}"#,
            r#"{"id":"a","description":"\"has_more\":true","b":["\\",{}]}"#,
            r#"{"id":"a","list":{"object":"lists","data":[],"has_more":true,"url":"/v1/x"}}"#,
            r#"{"id":"a","list":{"object":"list","data":{},"has_more":true,"url":"/v1/x"}}"#,
            r#"{"id":"a","list":{"object":"list","data":[],"has_more":true}}"#,
            "[]",
            "1",
        ] {
            assert_eq!(cut_lists(text.as_bytes()), [], "{text}");
        }
        assert!(!may_be_cut(br#"{"has_more":false}"#));
        assert!(may_be_cut(br#"{"a":{"has_more":true}}"#));
    }

    #[test]
    fn of_lists_in_lists_the_outermost_cut_one_comes_first() {
        let inner = |more: bool| {
            format!(r#"{{"object":"list","data":[{{"id":"si_1"}}],"has_more":{more},"url":"/v1/i"}}"#)
        };
        let outer = |more: bool| {
            format!(
                r#"{{"id":"cus","subscriptions":{{"object":"list","data":[{{"id":"sub","items":{}}}],"has_more":{more},"url":"/v1/o"}},"sources":{}}}"#,
                inner(true),
                inner(true),
            )
        };
        let urls = |text: String| -> Vec<String> {
            cut_lists(text.as_bytes()).into_iter().map(|cut| cut.url).collect()
        };
        assert_eq!(urls(outer(false)), ["/v1/i", "/v1/i"]);
        assert_eq!(urls(outer(true)), ["/v1/o", "/v1/i"]);
        let root = inner(true);
        assert_eq!(urls(root), ["/v1/i"]);
    }

    #[test]
    fn lists_of_many_parents_are_one_endpoint() {
        let place = |path: &str, ids: &[&str]| {
            place_of(path, &ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>()).to_string()
        };
        assert_eq!(place("/v1/invoices/in_1ab/lines", &[]), "/v1/invoices/{}/lines");
        assert_eq!(place("/v1/customers/anna/sources", &["anna"]), "/v1/customers/{}/sources");
        assert_eq!(place("/v1/charges", &["ch_1"]), "/v1/charges");
    }
}
