//! What one request of a plan brings: the rows of a page, those that lie in its objects, and those under them.

use crate::children::{ChildRows, Feed, Reading, rows_of};
use crate::client::Received;
use crate::driver::Lent;
use crate::failure::RequestError;
use crate::lane::Follower;
use crate::limit::Admission;
use crate::nested;
use crate::page::{Page, Shape, Unexpected, read_page};
use crate::passes::Pass;
use crate::plan::{PageFacts, Request};
use crate::retry::PATIENT;
use crate::room::Reserved;

/// Rows to emit once a page arrived, and what the planner needs to know of it.
#[derive(Debug)]
pub(crate) struct Brought {
    pub(crate) facts: PageFacts,
    /// The second up to whose end the page shows all changes.
    pub(crate) version: i64,
    /// Bytes of the page itself.
    pub(crate) page_bytes: usize,
    /// Whether the page asked for more: the rows under its objects, or the rest of their nested lists.
    pub(crate) asked_for_more: bool,
    /// Of the stream, then of each of its followers.
    pub(crate) rows: Vec<ChildRows>,
    /// Of each stream that borrows from the page, by its lane.
    pub(crate) lent: Vec<(usize, Result<ChildRows, RequestError>)>,
}

impl Brought {
    /// Bytes of all rows.
    pub(crate) fn bytes(&self) -> usize {
        let lent = self.lent.iter().filter_map(|(_, rows)| rows.as_ref().ok());
        self.rows.iter().chain(lent).map(|rows| rows.page.bytes()).sum()
    }
}

/// Asks for a page and for all that belongs to it. What is `lent` was asked for with `pass`. `reserved` follows the memory that it takes.
pub(crate) async fn bring(
    reading: &Reading,
    pass: &Pass,
    request: &Request,
    followers: &[Follower],
    lent: Vec<(usize, Lent)>,
    admission: Admission,
    reserved: &mut Reserved,
) -> Result<Brought, RequestError> {
    let read = |received: &Received| {
        let what = if pass.shape == Shape::Single { "read" } else { "page" };
        let stamp = reading.stamp(received.as_of).written_by(what, received.name.as_deref());
        let page = read_page(&received.body, pass.shape, &stamp)?;
        if page.next.is_some() && !pass.takes_cursor() {
            return Err(Unexpected("there are more objects, and the list cannot be paged".to_owned()));
        }
        if page.next.is_some() && page.next == request.cursor {
            return Err(Unexpected("the page ends with the object it should begin after".to_owned()));
        }
        Ok((page, stamp))
    };
    let client = &reading.client;
    let (mut page, stamp) = client.fetch(&pass.get(request), Some(admission), PATIENT, read).await?;
    let facts = page.facts();
    let version = stamp.version();
    if let Some(Feed::Under(under)) = &pass.feed {
        let page_bytes = page.bytes();
        let parents = living(&page);
        drop(page);
        reserved.set(parents.iter().map(String::len).sum());
        reading.read(under, parents).await?;
        return Ok(Brought {
            facts,
            version,
            page_bytes,
            asked_for_more: true,
            rows: Vec::new(),
            lent: Vec::new(),
        });
    }
    let asked_for_more =
        nested::complete::complete_page(client, &mut page, |bytes| reserved.set(bytes)).await?;
    let page_bytes = page.bytes();
    let mut lent_rows = Vec::with_capacity(lent.len());
    for (to, Lent { property, on_request, names_parent }) in lent {
        let rows = rows_of(&page, &property, names_parent, &stamp).map_err(|problem| no_rows(pass, &problem));
        if on_request {
            page = page.without(&property).map_err(|problem| no_rows(pass, &problem))?;
        }
        lent_rows.push((to, rows));
    }
    let within = followers.iter().map(|follower| rows_of(&page, &follower.property, true, &stamp));
    let mut rows: Vec<ChildRows> =
        within.collect::<Result<_, _>>().map_err(|problem| no_rows(pass, &problem))?;
    let own = match &pass.feed {
        Some(Feed::Nested { property, names_parent, .. }) => {
            rows_of(&page, property, *names_parent, &stamp).map_err(|problem| no_rows(pass, &problem))?
        }
        _ => ChildRows::of_page(page),
    };
    rows.insert(0, own);
    Ok(Brought { facts, version, page_bytes, asked_for_more, rows, lent: lent_rows })
}

fn no_rows(pass: &Pass, Unexpected(problem): &Unexpected) -> RequestError {
    RequestError::NoAnswer(format!("GET {} answered 200, but {problem}", pass.path))
}

/// The ids of the objects of a page that are not deleted.
fn living(page: &Page) -> Vec<String> {
    let is_living = |(index, id): (usize, &str)| {
        page.record(index).filter(|(_, deleted)| !deleted).map(|_| id.to_owned())
    };
    page.ids().enumerate().filter_map(is_living).collect()
}
