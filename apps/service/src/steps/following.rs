//! How a source's configuration is asked to follow changes: the service decides when, not the connector.

use protocol::{ConnectorConfig, PipelineConfig};
use serde_json::Value;

use crate::stripe::is_stripe;

/// Options by which the source would stay and never end. Deliveries come to the service itself.
const STAYING: [&str; 3] = ["live", "websocket", "webhook_port"];

/// The pipeline for a step that ends: events are read after the lists, and nothing stays.
pub(super) fn ending(mut pipeline: PipelineConfig) -> PipelineConfig {
    if is_stripe(&pipeline.source) {
        let config = &mut pipeline.source.config;
        for name in STAYING {
            config.remove(name);
        }
        config.insert("poll_events".to_owned(), Value::Bool(true));
    }
    pipeline
}

/// The pipeline for a step that stays until it is stopped, where its source is to be listened to over the WebSocket.
pub(super) fn staying(pipeline: &PipelineConfig) -> Option<PipelineConfig> {
    listens(&pipeline.source).then(|| {
        let mut staying = ending(pipeline.clone());
        staying.source.config.insert("websocket".to_owned(), Value::Bool(true));
        staying
    })
}

/// Whether the source is to be listened to over the WebSocket.
pub(crate) fn listens(source: &ConnectorConfig) -> bool {
    is_stripe(source) && source.config.get("websocket") == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pipeline(source: &Value) -> PipelineConfig {
        serde_json::from_value(json!({"source": source, "destination": {"type": "sqlite"}})).unwrap()
    }

    #[test]
    fn a_step_ends_and_reads_events() {
        let config = pipeline(
            &json!({"type": "stripe", "stripe": {"live": true, "websocket": true, "webhook_port": 1}}),
        );
        assert_eq!(Value::from(ending(config.clone()).source.config), json!({"poll_events": true}));
        let staying = staying(&config).unwrap().source.config;
        assert_eq!(Value::from(staying), json!({"poll_events": true, "websocket": true}));
    }

    #[test]
    fn other_sources_are_left_alone() {
        let config = pipeline(&json!({"type": "shop", "shop": {"live": true}}));
        assert_eq!(ending(config.clone()), config);
        assert_eq!(staying(&config), None);
        assert_eq!(super::staying(&pipeline(&json!({"type": "stripe", "stripe": {}}))), None);
    }
}
