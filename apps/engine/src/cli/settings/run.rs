//! What a run reads, and for how long.

use engine::TimeLimits;
use protocol::{CatalogMessage, StreamSelection, TimeRange, Timestamp};

use super::choice::{parse_moment, seconds_limit};
use crate::cli::args::{RunArgs, SelectionArgs};
use crate::cli::documents::{ParamsDocument, PipelineDocument};
use crate::cli::failure::Failure;

/// Where the position is kept in the destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Position {
    /// Neither read nor written.
    Nowhere,
    /// Under this name.
    Named(String),
    /// Under the account that is read, and its mode, so that one account's position never counts for another's objects, nor that of
    /// test mode for what is real.
    OfAccount,
}

/// The name under which the position is kept where the source has no accounts.
const NO_ACCOUNT: &str = "default";

impl Position {
    /// The name for a source of this configuration, as it is after `setup`.
    pub(crate) fn sync_id(&self, source: &serde_json::Map<String, serde_json::Value>) -> Option<String> {
        match self {
            Position::Nowhere => None,
            Position::Named(name) => Some(name.clone()),
            Position::OfAccount => {
                let text = |name: &str| source.get(name).and_then(serde_json::Value::as_str);
                let mode = if text("api_key").is_some_and(source_stripe::is_test) { "/test" } else { "" };
                Some(text("account_id").map_or_else(|| NO_ACCOUNT.to_owned(), |id| format!("{id}{mode}")))
            }
        }
    }
}

/// The parameters of one run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunSettings {
    pub(crate) streams: Vec<StreamSelection>,
    pub(crate) range: TimeRange,
    pub(crate) backfill_limit: Option<u64>,
    pub(crate) limits: TimeLimits,
    pub(crate) run_id: Option<String>,
    pub(crate) position: Position,
}

/// The selected streams: by flag, parameters, document; empty means all.
pub(crate) fn resolve_selection(
    args: &SelectionArgs,
    params: Option<&ParamsDocument>,
    document: Option<&PipelineDocument>,
) -> Vec<StreamSelection> {
    if let Some(chosen) = &args.streams {
        return chosen.iter().map(super::StreamChoice::selection).collect();
    }
    let by_params = params.map(|params| params.streams.clone()).filter(|streams| !streams.is_empty());
    by_params.or_else(|| document.map(|document| document.streams.clone())).unwrap_or_default()
}

/// Decides the parameters of a run: flags first, then `--params`.
pub(crate) fn resolve_run(
    args: &RunArgs,
    streams: Vec<StreamSelection>,
    params: Option<&ParamsDocument>,
) -> Result<RunSettings, Failure> {
    let none = ParamsDocument::default();
    let params = params.unwrap_or(&none);
    let moment = |name: &str, text: &Option<String>| {
        let parsed = text.as_deref().map(parse_moment).transpose();
        parsed.map_err(|error| Failure::usage(format!("--params: `{name}`: {error}")))
    };
    let seconds = |name: &str, value: Option<f64>| {
        let refused = || Failure::usage(format!("--params: `{name}` must be a number of seconds above zero"));
        value.map(|value| seconds_limit(value).ok_or_else(refused)).transpose()
    };
    let range = TimeRange {
        gte: args.since.map_or_else(|| moment("since", &params.since), |since| Ok(Some(since)))?,
        lt: args.until.map_or_else(|| moment("until", &params.until), |until| Ok(Some(until)))?,
    };
    if let (Some(since), Some(until)) = (range.gte, range.lt)
        && since >= until
    {
        return Err(Failure::usage(format!(
            "--since {since} is not before --until {until}: nothing lies between"
        )));
    }
    let hard = match args.time_limit {
        Some(limit) => Some(limit),
        None => seconds("time_limit", params.time_limit)?,
    };
    let sync_id = args.sync_id.clone().or_else(|| params.sync_id.clone());
    let position = match sync_id {
        _ if args.no_state => Position::Nowhere,
        Some(name) => Position::Named(name),
        None => Position::OfAccount,
    };
    Ok(RunSettings {
        streams,
        range,
        backfill_limit: args.backfill_limit.or_else(|| params.backfill_limit.map(Into::into)),
        limits: TimeLimits { hard, soft: seconds("soft_time_limit", params.soft_time_limit)? },
        run_id: params.run_id.clone(),
        position,
    })
}

impl RunSettings {
    /// The selection with the run's time range in it. A range needs streams to hold it, so without a
    /// selection every offered stream is selected; streams that cannot be narrowed stay whole.
    pub(crate) fn selection(&self, offered: &CatalogMessage) -> Vec<StreamSelection> {
        let mut streams = self.streams.clone();
        if self.range == TimeRange::default() {
            return streams;
        }
        if streams.is_empty() {
            let whole = |stream: &protocol::Stream| StreamSelection {
                name: stream.name.to_string(),
                ..StreamSelection::default()
            };
            streams = offered.streams.iter().map(whole).collect();
        }
        for selection in &mut streams {
            if narrows(offered, &selection.name) {
                let own = selection.time_range.unwrap_or_default();
                let gte: Option<Timestamp> = self.range.gte.or(own.gte);
                selection.time_range = Some(TimeRange { gte, lt: self.range.lt.or(own.lt) });
            }
        }
        streams
    }
}

/// Whether a stream can be narrowed by time, as far as is known.
fn narrows(offered: &CatalogMessage, name: &str) -> bool {
    let stream = offered.streams.iter().find(|stream| *stream.name == *name);
    let said = stream.and_then(|stream| stream.metadata.as_ref()?.get("supports_time_range")?.as_bool());
    said != Some(false)
}
