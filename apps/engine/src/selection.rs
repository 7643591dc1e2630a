//! From what a source offers and what a pipeline selects to the catalogs of a sync.

use std::collections::HashSet;

use protocol::{
    CatalogMessage, ConfiguredCatalog, ConfiguredStream, DestinationSyncMode, PARENT_ID, Stream,
    StreamSelection, SyncMode,
};
use serde_json::Value;

use crate::EngineError;

/// The two views of the selected streams.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfiguredCatalogs {
    /// For the source: each stream with its whole schema.
    pub source: ConfiguredCatalog,
    /// For the destination: where fields were selected, the schema has only those.
    pub destination: ConfiguredCatalog,
}

impl ConfiguredCatalogs {
    /// The selected streams, in the source's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.source.streams.iter().map(|configured| &*configured.stream.name)
    }

    /// Selected fields that a stream's schema does not have: a stream and a field each.
    pub fn unknown_fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.source.streams.iter().flat_map(|configured| {
            let schema = configured.stream.json_schema.as_ref();
            let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
            let fields = configured.fields.iter().flatten();
            let unknown =
                fields.filter(move |field| properties.is_some_and(|known| !known.contains_key(*field)));
            unknown.map(|field| (&*configured.stream.name, field.as_str()))
        })
    }

    /// Both catalogs without the streams that `keep` refuses.
    #[must_use]
    pub fn retain(mut self, keep: impl Fn(&str) -> bool) -> ConfiguredCatalogs {
        for catalog in [&mut self.source, &mut self.destination] {
            catalog.streams.retain(|configured| keep(&configured.stream.name));
        }
        self
    }
}

/// Builds the catalogs. An empty selection means every stream, but for those that the source says are costly
/// (metadata `selected_by_default: false`); an unknown name is an error.
pub fn configure(
    discovered: &CatalogMessage,
    selections: &[StreamSelection],
) -> Result<ConfiguredCatalogs, EngineError> {
    let known: Vec<&str> = discovered.streams.iter().map(|stream| &*stream.name).collect();
    let unknown: Vec<(String, Vec<String>)> = selections
        .iter()
        .filter(|selection| !known.contains(&selection.name.as_str()))
        .map(|selection| (selection.name.clone(), nearest(&selection.name, &known)))
        .collect();
    if !unknown.is_empty() {
        return Err(EngineError::UnknownStreams { unknown });
    }
    let mut streams = Vec::new();
    for stream in &discovered.streams {
        let selection = selections.iter().find(|selection| *selection.name == *stream.name);
        if selection.is_some() || (selections.is_empty() && is_default(stream)) {
            streams.push(configured(stream, selection));
        }
    }
    let narrowed = streams.iter().map(narrowed).collect();
    Ok(ConfiguredCatalogs {
        source: ConfiguredCatalog { streams },
        destination: ConfiguredCatalog { streams: narrowed },
    })
}

/// Whether a stream is synced where the user names none.
fn is_default(stream: &Stream) -> bool {
    let said = stream.metadata.as_ref().and_then(|metadata| metadata.get("selected_by_default")?.as_bool());
    said.unwrap_or(true)
}

/// How a stream is read where nobody says so: in full, unless the source says otherwise (metadata `default_sync_mode`).
fn default_mode(stream: &Stream) -> SyncMode {
    let said = stream.metadata.as_ref().and_then(|metadata| metadata.get("default_sync_mode")?.as_str());
    if said == Some("incremental") { SyncMode::Incremental } else { SyncMode::FullRefresh }
}

fn configured(stream: &Stream, selection: Option<&StreamSelection>) -> ConfiguredStream {
    let supports_time_range =
        stream.metadata.as_ref().and_then(|metadata| metadata.get("supports_time_range")?.as_bool());
    let sync_mode = default_mode(stream);
    let whole = ConfiguredStream::whole(stream.clone());
    let mut configured = ConfiguredStream { supports_time_range, sync_mode, ..whole };
    if let Some(selection) = selection {
        configured.sync_mode = selection.sync_mode.unwrap_or(sync_mode);
        configured.destination_sync_mode = DestinationSyncMode::Append;
        configured.fields = selection.fields.clone().filter(|fields| !fields.is_empty());
        configured.backfill_limit = selection.backfill_limit;
        configured.time_range = selection.time_range;
    }
    configured
}

/// The fields that a stream keeps where some were selected: those, the key, the version and the parent.
pub(crate) fn kept_fields(configured: &ConfiguredStream) -> Option<HashSet<String>> {
    let fields = configured.fields.as_ref().filter(|fields| !fields.is_empty())?;
    let stream = &configured.stream;
    let mut kept: HashSet<String> = fields.iter().cloned().collect();
    kept.extend(stream.key_fields().into_iter().map(str::to_owned));
    kept.insert(stream.newer_than_field.clone());
    // Without it, children that their parent no longer holds could not be found.
    kept.insert(PARENT_ID.to_owned());
    Some(kept)
}

fn narrowed(configured: &ConfiguredStream) -> ConfiguredStream {
    let mut narrowed = configured.clone();
    if let Some(kept) = kept_fields(configured)
        && let Some(schema) = &mut narrowed.stream.json_schema
        && let Some(Value::Object(properties)) = schema.get_mut("properties")
    {
        properties.retain(|name, _| kept.contains(name));
    }
    narrowed
}

/// The names nearest to `wanted`, at most three; none where nothing is near.
pub fn nearest(wanted: &str, known: &[&str]) -> Vec<String> {
    let plain = wanted.to_lowercase().replace(['-', '.', ' '], "_");
    let mut scored: Vec<(f64, &str)> = known
        .iter()
        .map(|name| {
            let part = name.contains(plain.as_str()) || plain.trim_end_matches('s') == *name;
            (strsim::jaro_winkler(&plain, name) + if part { 0.2 } else { 0.0 }, *name)
        })
        .filter(|(score, _)| *score > 0.87)
        .collect();
    scored.sort_by(|(a_score, a), (b_score, b)| b_score.total_cmp(a_score).then_with(|| a.cmp(b)));
    scored.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stream(name: &str) -> Stream {
        serde_json::from_value(json!({
            "name": name,
            "primary_key": [["id"], ["_account_id"]],
            "newer_than_field": "_updated_at",
            "json_schema": {
                "type": "object",
                "properties": {"id": {}, "email": {}, "name": {}, "_account_id": {}, "_updated_at": {}},
                "required": ["id", "email"],
            },
        }))
        .unwrap()
    }

    fn offered() -> CatalogMessage {
        let mut charge = stream("charge");
        charge.metadata = json!({"supports_time_range": false}).as_object().cloned();
        CatalogMessage { streams: vec![stream("customer"), charge, stream("payment_intent")] }
    }

    fn select(name: &str) -> StreamSelection {
        StreamSelection { name: name.to_owned(), ..StreamSelection::default() }
    }

    #[test]
    fn no_selection_means_everything() {
        let catalogs = configure(&offered(), &[]).unwrap();
        assert_eq!(catalogs.names().collect::<Vec<_>>(), ["customer", "charge", "payment_intent"]);
        assert_eq!(catalogs.source, catalogs.destination);
        assert_eq!(catalogs.source.streams[0].supports_time_range, None);
        assert_eq!(catalogs.source.streams[1].supports_time_range, Some(false));
    }

    #[test]
    fn costly_streams_are_synced_only_if_named() {
        let mut offered = offered();
        let costly = json!({"selected_by_default": false}).as_object().cloned();
        offered.streams[1].metadata = costly;
        let names = |selections: &[StreamSelection]| -> Vec<String> {
            configure(&offered, selections).unwrap().names().map(str::to_owned).collect()
        };
        assert_eq!(names(&[]), ["customer", "payment_intent"]);
        assert_eq!(names(&[select("charge")]), ["charge"]);
    }

    #[test]
    fn the_selected_streams_come_in_the_sources_order() {
        let catalogs = configure(&offered(), &[select("charge"), select("customer")]).unwrap();
        assert_eq!(catalogs.names().collect::<Vec<_>>(), ["customer", "charge"]);
    }

    #[test]
    fn fields_narrow_the_destinations_schema_only() {
        let selection = StreamSelection { fields: Some(vec!["email".to_owned()]), ..select("customer") };
        let catalogs = configure(&offered(), &[selection]).unwrap();
        let properties = |catalog: &ConfiguredCatalog| -> Vec<String> {
            let schema = catalog.streams[0].stream.json_schema.as_ref().unwrap();
            schema["properties"].as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(properties(&catalogs.source).len(), 5);
        assert_eq!(properties(&catalogs.destination), ["id", "email", "_account_id", "_updated_at"]);
        assert_eq!(catalogs.unknown_fields().count(), 0);
        let schema = catalogs.destination.streams[0].stream.json_schema.as_ref().unwrap();
        assert_eq!(schema["required"], json!(["id", "email"]), "`required` is left alone");
    }

    #[test]
    fn unknown_fields_are_found() {
        let fields = Some(vec!["email".to_owned(), "emial".to_owned()]);
        let catalogs = configure(&offered(), &[StreamSelection { fields, ..select("customer") }]).unwrap();
        assert_eq!(catalogs.unknown_fields().collect::<Vec<_>>(), [("customer", "emial")]);
    }

    #[test]
    fn unknown_streams_are_named_with_their_neighbours() {
        let error = configure(&offered(), &[select("customers"), select("zzz")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the source has no streams `customers` (did you mean customer?), `zzz`"
        );
    }

    #[test]
    fn neighbours_are_found_by_spelling_and_by_part() {
        let known = ["payment_intent", "payment_method", "charge", "subscription", "subscription_item"];
        assert_eq!(nearest("payment-intents", &known)[0], "payment_intent");
        assert_eq!(nearest("Charges", &known), ["charge"]);
        assert_eq!(nearest("subscriptoin", &known)[0], "subscription");
        assert!(nearest("weather", &known).is_empty());
    }
}
