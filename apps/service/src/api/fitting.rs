//! Whether a pipeline names streams and fields that there are.

use engine::api::misfits;
use http_api::ApiError;
use protocol::{ConnectorConfig, StreamSelection, Transforms};

use super::Server;
use crate::engines::Engines;
use crate::pipeline::Pipeline;
use crate::store::Change;
use crate::stripe::is_stripe;

impl Server {
    /// Refuses a new pipeline that names what its source does not have.
    pub(super) fn fits(&self, pipeline: &Pipeline) -> Result<(), ApiError> {
        self.fit(&pipeline.source, pipeline.streams.as_deref(), pipeline.transforms.as_ref())
    }

    /// Refuses a change that names what the source does not have, or leaves the source without what is named. What was wrong before
    /// and is not changed does not keep anybody from changing something else.
    pub(super) fn still_fits(&self, change: &Change, before: &Pipeline) -> Result<(), ApiError> {
        let moved = change.source.is_some();
        let source = change.source.as_ref().unwrap_or(&before.source);
        let streams = change.streams.as_ref().or(moved.then_some(&before.streams));
        let transforms = change.transforms.as_ref().or(moved.then_some(&before.transforms));
        self.fit(source, streams.and_then(Option::as_deref), transforms.and_then(Option::as_ref))
    }

    /// Only what is known without asking anybody is held against a pipeline here; the rest, its status says.
    fn fit(
        &self,
        source: &ConnectorConfig,
        streams: Option<&[StreamSelection]>,
        transforms: Option<&Transforms>,
    ) -> Result<(), ApiError> {
        // An engine elsewhere may know other versions of the API, or read another document.
        if !is_stripe(source) || matches!(self.service.steps.engines(), Engines::There(_)) {
            return Ok(());
        }
        let Ok(config) = serde_json::from_value(source.config.clone().into()) else { return Ok(()) };
        let Some(known) = self.service.stripe.known_streams(&config) else { return Ok(()) };
        let issues = misfits(&known, streams, transforms);
        if issues.0.is_empty() { Ok(()) } else { Err(ApiError::Invalid(issues)) }
    }
}
