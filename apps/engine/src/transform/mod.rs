//! Rules for records before they leave the source's side: filters, digests, redaction, new names.
//!
//! Streams without rules pass untouched. Where there are some, a payload is walked once; what no rule names is copied as
//! it is: digits, escapes, order.

mod condition;
mod rewrite;
mod shape;

use std::collections::HashMap;
use std::sync::Arc;

use protocol::{
    CatalogMessage, ConfiguredCatalog, ConnectorError, Message, PARENT_ID, Payload, Record, Stream, Sweep,
    Transform, Transforms,
};

use crate::{EngineError, Projection, nearest};
use condition::Conditions;
use rewrite::Rewriting;

/// The rules of a pipeline, ready to be applied.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    streams: HashMap<Arc<str>, Arc<StreamRules>>,
}

/// The rules of one stream.
#[derive(Debug)]
struct StreamRules {
    transform: Transform,
    conditions: Conditions,
    rewriting: Option<Rewriting>,
    /// What is left of a record that is deleted because it does not meet the conditions.
    grave: Projection,
}

impl Rules {
    /// The rules that `transforms` gives to what a source offers. Fails where one names a stream that there is not, or
    /// a field that the stream does not have or must keep, or where a digest has no key.
    pub(crate) fn new(discovered: &CatalogMessage, transforms: &Transforms) -> Result<Rules, EngineError> {
        let mut streams = HashMap::new();
        for (name, transform) in &transforms.streams {
            let Some(stream) = discovered.streams.iter().find(|stream| *stream.name == **name) else {
                let known: Vec<&str> = discovered.streams.iter().map(|stream| &*stream.name).collect();
                let unknown = vec![(name.clone(), nearest(name, &known))];
                return Err(EngineError::UnknownStreams { unknown });
            };
            let refused =
                |problem: String| EngineError::Request(format!("`transforms`, stream `{name}`: {problem}"));
            let rules =
                StreamRules::new(stream, transform, transforms.hash_key.as_deref()).map_err(refused)?;
            streams.insert(Arc::clone(&stream.name), Arc::new(rules));
        }
        Ok(Rules { streams })
    }

    /// The destination's catalog of records that were transformed.
    pub(crate) fn reshape(&self, catalog: &mut ConfiguredCatalog) {
        for configured in &mut catalog.streams {
            if let Some(rules) = self.streams.get(&configured.stream.name) {
                shape::reshape(configured, &rules.transform);
            }
        }
    }

    /// A message of the source as others may see it.
    pub(crate) fn apply(&self, mut message: Message) -> Result<Message, ConnectorError> {
        if let Payload::Record(record) = &mut message.payload
            && let Some(rules) = self.streams.get(&record.stream)
        {
            rules.apply(record).map_err(|error| {
                let text = format!("a record of stream `{}` is not an object", record.stream);
                ConnectorError::internal(text).caused_by(error)
            })?;
        }
        Ok(message)
    }
}

/// What is wrong with rules for this stream, if anything is.
pub(crate) fn misfit(stream: &Stream, transform: &Transform, hash_key: Option<&str>) -> Option<String> {
    StreamRules::new(stream, transform, hash_key).err()
}

impl StreamRules {
    fn new(stream: &Stream, transform: &Transform, hash_key: Option<&str>) -> Result<StreamRules, String> {
        shape::check(stream, transform)?;
        Ok(StreamRules {
            conditions: Conditions::new(&transform.conditions)?,
            rewriting: Rewriting::new(transform, hash_key)?,
            grave: Projection::keeping(kept_in_graves(stream)),
            transform: transform.clone(),
        })
    }

    fn apply(&self, record: &mut Record) -> Result<(), protocol::RawJsonError> {
        // What says which children a parent still has holds nothing else.
        if Sweep::of(record).is_some() {
            return Ok(());
        }
        if !record.deleted && !self.conditions.hold(&record.data)? {
            // It may have been copied when it did.
            record.deleted = true;
            record.data = self.grave.apply(&record.data)?;
            return Ok(());
        }
        if let Some(rewriting) = &self.rewriting {
            record.data = rewriting.apply(&record.data)?;
        }
        Ok(())
    }
}

fn kept_in_graves(stream: &Stream) -> impl Iterator<Item = &str> {
    stream.key_fields().into_iter().chain([stream.newer_than_field.as_str(), PARENT_ID])
}

#[cfg(test)]
mod tests;
