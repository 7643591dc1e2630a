//! Fetches what cut lists lack.

use std::collections::HashSet;

use futures::stream::{self, StreamExt, TryStreamExt};
use protocol::RawJson;

use super::scan::{Cut, cut_lists, may_be_cut, place_of};
use super::splice::{Rest, splice};
use crate::client::{Client, Get, Received};
use crate::failure::RequestError;
use crate::page::{Page, Shape, read_plain_page};
use crate::retry::PATIENT;

/// Cut lists of one page, or of one object, that are completed at the same time.
const AT_ONCE: usize = 8;

/// A list of more items, or bytes, is left cut: an object has to fit into memory and into a row.
const MOST_ITEMS: usize = 10_000;
const MOST_BYTES: usize = 16 << 20;

/// How often a list is begun anew because the item to go on after was deleted meanwhile.
const RESTARTS: usize = 3;

/// Lists in lists in lists; Stripe nests two deep.
const MOST_LEVELS: usize = 8;

/// `text`, an object without insignificant white space, with all of its nested lists complete. It costs no
/// request where none is cut. A list whose parent was deleted meanwhile stays cut, and so does one that is too
/// long (it is warned of). Fails as any request does.
pub(crate) async fn complete(client: &Client, text: RawJson) -> Result<RawJson, RequestError> {
    let mut text = text;
    let mut left_cut: HashSet<String> = HashSet::new();
    for _ in 0..MOST_LEVELS {
        if !may_be_cut(text.as_bytes()) {
            break;
        }
        let cuts = cut_lists(text.as_bytes());
        let cuts = cuts.into_iter().filter(|cut| !left_cut.contains(&cut.url));
        let fetched: Vec<(Cut, Option<Rest>)> = stream::iter(cuts)
            .map(|cut| async move {
                let rest = rest_of(client, &cut).await?;
                Ok::<_, RequestError>((cut, rest))
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        if fetched.is_empty() {
            break;
        }
        let mut rests = Vec::with_capacity(fetched.len());
        for (cut, rest) in fetched {
            match rest {
                Some(rest) => rests.push((cut, rest)),
                None => {
                    left_cut.insert(cut.url);
                }
            }
        }
        if !rests.is_empty() {
            text = RawJson::from_trusted(splice(text.as_bytes(), &rests).into());
        }
    }
    Ok(text)
}

/// Completes the nested lists of all objects of a page. `grown` is told how many bytes the page takes. Answers
/// whether any was cut.
pub(crate) async fn complete_page(
    client: &Client,
    page: &mut Page,
    mut grown: impl FnMut(usize),
) -> Result<bool, RequestError> {
    let cut: Vec<(usize, RawJson)> = (0..page.count())
        .filter_map(|index| Some((index, page.record(index)?.0)))
        .filter(|(_, text)| may_be_cut(text.as_bytes()))
        .collect();
    let any = !cut.is_empty();
    let mut completed = stream::iter(cut)
        .map(|(index, text)| async move { Ok((index, complete(client, text).await?)) })
        .buffer_unordered(AT_ONCE);
    while let Some((index, text)) = completed.try_next().await? {
        page.replace(index, text);
        grown(page.bytes());
    }
    Ok(any)
}

/// The items that a list lacks; none where it has to stay as it is.
async fn rest_of(client: &Client, cut: &Cut) -> Result<Option<Rest>, RequestError> {
    let Some(list) = address(&cut.url) else {
        tracing::warn!(url = %cut.url, "a nested list is left incomplete: it does not say where the rest is");
        return Ok(None);
    };
    let place = place_of(&list.path, &cut.around);
    let mut restarts = 0;
    let mut after = cut.last.clone();
    let mut items: Vec<u8> = Vec::new();
    let mut count = if after.is_some() { cut.count } else { 0 };
    loop {
        let mut get = list.clone();
        get.query.push(("limit".to_owned(), "100".to_owned()));
        get.query.extend(after.clone().map(|id| ("starting_after".to_owned(), id)));
        let read = |received: &Received| read_plain_page(&received.body, Shape::V1);
        let page = match client.fetch_at(&place, &get, None, PATIENT, read).await {
            Ok(page) => page,
            Err(RequestError::Api(error))
                if after.is_some() && error.is_lost_cursor(false) && restarts < RESTARTS =>
            {
                restarts += 1;
                after = None;
                count = 0;
                items.clear();
                continue;
            }
            Err(RequestError::Api(error)) if error.status == 404 && !error.is_lost_cursor(false) => {
                tracing::info!(url = %cut.url, %error, "a nested list is gone with its parent; it stays as it was");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        for index in 0..page.count() {
            if let Some((item, _)) = page.record(index) {
                if !items.is_empty() {
                    items.push(b',');
                }
                items.extend_from_slice(item.as_bytes());
            }
        }
        count += page.count();
        match page.next {
            None => break,
            Some(_) if count >= MOST_ITEMS || items.len() >= MOST_BYTES => {
                let parent = cut.around.first().map_or("an object", String::as_str);
                tracing::warn!(
                    url = %cut.url,
                    "{parent}: a nested list of more than {MOST_ITEMS} items or {} MiB is left incomplete in its row",
                    MOST_BYTES >> 20
                );
                return Ok(None);
            }
            Some(next) => after = Some(next),
        }
    }
    let from_the_start = restarts > 0 || cut.last.is_none();
    Ok(Some(if from_the_start { Rest::Replace(items) } else { Rest::Append(items) }))
}

/// The request for a list's `url`, which is relative to the API.
fn address(url: &str) -> Option<Get> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let query = url::form_urlencoded::parse(query.as_bytes());
    let query = query.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    path.starts_with("/v").then(|| Get { path: path.into(), query })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_where_the_list_says() {
        let get = address("/v1/refunds?charge=ch_1").unwrap();
        assert_eq!((&*get.path, get.query), ("/v1/refunds", vec![("charge".to_owned(), "ch_1".to_owned())]));
        assert!(address("https://example.com/v1/x").is_none());
        assert!(address("").is_none());
    }
}
