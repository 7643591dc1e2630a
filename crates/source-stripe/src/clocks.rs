//! The test clocks of a sandbox: lists hide the objects attached to one unless asked for it.

use std::sync::Arc;

use crate::client::{Client, Get, Received};
use crate::failure::RequestError;
use crate::page::{Shape, Stamp, read_page};
use crate::retry::PATIENT;

pub(crate) const PATH: &str = "/v1/test_helpers/test_clocks";

/// The ids of all test clocks of the account.
pub(crate) async fn list(client: &Client) -> Result<Vec<String>, RequestError> {
    let path: Arc<str> = PATH.into();
    let mut clocks: Vec<String> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut query = vec![("limit".to_owned(), "100".to_owned())];
        query.extend(after.take().map(|id| ("starting_after".to_owned(), id)));
        let read =
            |received: &Received| read_page(&received.body, Shape::V1, &Stamp::new("", received.as_of));
        let page = match client.fetch(&Get { path: Arc::clone(&path), query }, None, PATIENT, read).await {
            Ok(page) => page,
            // A clock was deleted between two pages: begin anew, they are few.
            Err(RequestError::Api(error)) if error.is_lost_cursor(false) => {
                clocks.clear();
                continue;
            }
            Err(error) => return Err(error),
        };
        clocks.extend(page.ids().map(str::to_owned));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(clocks),
        }
    }
}
