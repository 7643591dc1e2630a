//! What `write` hands back.

use std::collections::HashMap;

use protocol::{Message, Payload};

use crate::Breach;

fn by_stream(messages: &[Message]) -> HashMap<Option<&str>, Vec<&Payload>> {
    let mut sorted: HashMap<Option<&str>, Vec<&Payload>> = HashMap::new();
    for message in messages {
        let stream = message.payload.stream().map(AsRef::as_ref);
        sorted.entry(stream).or_default().push(&message.payload);
    }
    sorted
}

/// What went in came back: all of it, nothing else, and in order within each stream.
pub fn comes_back_in_order(sent: &[Message], back: &[Message]) -> Result<(), Breach> {
    let (sent, mut back) = (by_stream(sent), by_stream(back));
    for (stream, sent) in &sent {
        let back = back.remove(stream).unwrap_or_default();
        let name = stream.unwrap_or("(of no stream)");
        if let Some((sent, back)) = sent.iter().zip(&back).find(|(sent, back)| sent != back) {
            let expected = format!("the messages of `{name}` as they were sent, in their order");
            return Err(Breach::new(expected, format!("{back:.300?} came instead of {sent:.300?}")));
        }
        Breach::unless(sent.len() == back.len(), "every message handed back once", || {
            format!("of `{name}` {} were sent and {} came back", sent.len(), back.len())
        })?;
    }
    Breach::unless(back.is_empty(), "nothing but what was sent", || {
        format!("messages of other streams came back: {:?}", back.keys())
    })
}
