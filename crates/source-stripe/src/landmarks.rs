//! Objects of long lists, as the rows of other lists name them: places to read those lists from.

use protocol::RawJson;
use stripe_openapi::knowledge::landmarks::landmarks_of;

use crate::page::Page;
use crate::plan::{Landmark, PageFacts};

/// The landmarks that the middle row of a page names, each with the table of its list. `table` is that of the page's
/// rows.
pub(crate) fn named_in<'p>(
    table: &'p str,
    page: &'p Page,
    facts: &'p PageFacts,
) -> impl Iterator<Item = (&'static str, Landmark)> {
    let middle = page.count() / 2;
    landmarks_of(table).filter_map(move |landmarks| {
        let about = *facts.created.as_ref()?.get(middle)?;
        let (row, _) = page.record(middle)?;
        let id = id_in(&row, landmarks.property).filter(|id| id.starts_with(landmarks.prefix))?;
        Some((landmarks.table, Landmark { id, about }))
    })
}

/// The id that a property holds, or that of the object which it holds.
pub(crate) fn id_in(object: &RawJson, property: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Id {
        Plain(String),
        Expanded { id: String },
    }
    let [value] = object.members([property]).ok()?;
    match serde_json::from_str(value?.get()).ok()? {
        Id::Plain(id) | Id::Expanded { id } => Some(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{Shape, Stamp, read_page};

    #[test]
    fn the_middle_row_names_a_landmark() {
        let named = |method: &str| {
            let row = |id: &str| format!(r#"{{"id":"{id}","created":7,"payment_method":{method}}}"#);
            let body =
                format!(r#"{{"object":"list","has_more":false,"data":[{},{}]}}"#, row("ch_1"), row("ch_2"));
            let page = read_page(body.as_bytes(), Shape::V1, &Stamp::new("acct_1", 9)).unwrap();
            named_in("charge", &page, &page.facts()).collect::<Vec<_>>()
        };
        let landmark = ("payment_method", Landmark { id: "pm_1".to_owned(), about: 7 });
        assert_eq!(named(r#""pm_1""#), std::slice::from_ref(&landmark));
        assert_eq!(named(r#"{"id":"pm_1"}"#), [landmark]);
        assert_eq!(named(r#""card_1""#), []);
        assert_eq!(named("null"), []);
    }
}
