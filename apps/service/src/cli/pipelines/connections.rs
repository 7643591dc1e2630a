//! What both sides say: `check`, `setup`, `teardown`.

use http::Method;
use logger::redact_text;
use protocol::{ConnectionState, Message, Payload};
use serde_json::Value;
use terminal::failure::Failure;

use super::{Context, bodies, path, query};
use crate::cli::args::{DescribedArgs, SideArgs};
use crate::cli::streaming::Lines;

/// One of these of a pipeline.
pub(super) async fn run(what: &str, args: &SideArgs, context: &Context<'_>) -> Result<(), Failure> {
    let target = format!("{}{}", path(&args.id, &format!("/{what}"))?, query(&[("only", args.only.clone())]));
    heard(&target, None, context).await
}

/// `pipelines check-new`: a pipeline that is not created.
pub(super) async fn check_new(args: &DescribedArgs, context: &Context<'_>) -> Result<(), Failure> {
    let members = bodies::described(args, context.flags, None)?;
    heard("/pipelines/check", Some(&Value::Object(members)), context).await
}

/// Copies the messages to stdout for programs, and tells people on stderr. A side that failed fails the command.
async fn heard(target: &str, body: Option<&Value>, context: &Context<'_>) -> Result<(), Failure> {
    let answer = context.client.stream(Method::POST, target, body).await?;
    let mut lines = Lines::new(answer.body);
    let mut failed = false;
    while let Some((message, line)) = lines.message().await? {
        if context.voice.json {
            context.voice.output.bytes(&[&line[..], b"\n"].concat());
        }
        if let Some((ok, words)) = told(&message) {
            failed |= !ok;
            context.voice.screen.note(&words);
        }
    }
    if failed { Err(Failure::Told) } else { Ok(()) }
}

/// A message in words, and whether it is good news.
fn told(message: &Message) -> Option<(bool, String)> {
    let who = message.emitted_by.as_deref().unwrap_or("engine");
    match &message.payload {
        Payload::ConnectionStatus(status) => match status.status {
            ConnectionState::Failed => {
                let why = status.message.as_deref().unwrap_or("it did not say why");
                Some((false, format!("✗ {who}: {}", redact_text(why))))
            }
            _ => Some((true, format!("✓ {who}: connected"))),
        },
        Payload::Log(log) => {
            let level = serde_json::to_value(log.level).unwrap_or_default();
            Some((true, format!("[{}] {}", level.as_str().unwrap_or("info"), log.message)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_are_told_in_words() {
        let words = |value: Value| told(&serde_json::from_value(value).unwrap());
        let status = |status: Value| {
            words(
                json!({"type": "connection_status", "connection_status": status, "_emitted_by": "source/stripe"}),
            )
        };
        assert_eq!(
            status(json!({"status": "succeeded"})).unwrap(),
            (true, "✓ source/stripe: connected".to_owned())
        );
        assert_eq!(
            status(json!({"status": "failed", "message": "no key"})).unwrap(),
            (false, "✗ source/stripe: no key".to_owned())
        );
        let log = words(json!({"type": "log", "log": {"level": "warn", "message": "slow"}})).unwrap();
        assert_eq!(log, (true, "[warn] slow".to_owned()));
    }
}
