//! The sync protocol: messages, catalog, state, connector traits, NDJSON.
