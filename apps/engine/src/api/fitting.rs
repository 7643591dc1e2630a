//! Whether a pipeline's streams and rules fit what its source offers.

use http_api::{Issue, Issues, Step};
use protocol::{CatalogMessage, StreamSelection, Transforms};

use crate::{EngineError, nearest, transform};

/// Names of streams and fields that do not fit what a source offers, each with its place below the pipeline. Those of a
/// selection's `fields` are no mistake: a field that no schema knows has no column.
pub fn misfits(
    discovered: &CatalogMessage,
    streams: Option<&[StreamSelection]>,
    transforms: Option<&Transforms>,
) -> Issues {
    let known: Vec<&str> = discovered.streams.iter().map(|stream| &*stream.name).collect();
    let unknown = |name: &str| {
        let unknown = vec![(name.to_owned(), nearest(name, &known))];
        EngineError::UnknownStreams { unknown }.to_string()
    };
    let mut issues = Issues::default();
    for (index, selection) in streams.unwrap_or_default().iter().enumerate() {
        if !known.contains(&selection.name.as_str()) {
            let path: Vec<Step> = vec!["streams".into(), index.into(), "name".into()];
            issues.0.push(Issue::custom(path, unknown(&selection.name)));
        }
    }
    let Some(transforms) = transforms else { return issues };
    for (name, rules) in &transforms.streams {
        let stream = discovered.streams.iter().find(|stream| *stream.name == **name);
        let problem = match stream {
            None => Some(unknown(name)),
            Some(stream) => transform::misfit(stream, rules, transforms.hash_key.as_deref()),
        };
        if let Some(problem) = problem {
            let path: Vec<Step> = vec!["transforms".into(), "streams".into(), name.as_str().into()];
            issues.0.push(Issue::custom(path, problem));
        }
    }
    issues
}
