//! What `doctor` found. Pure.

use std::collections::BTreeMap;
use std::fmt;

use protocol::{StreamStatus, StreamStatusMessage};
use serde::Serialize;
use stripe_openapi::knowledge::refusals;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Grade {
    Ok,
    /// A sync works, but not as well as it could.
    Warning,
    /// A sync cannot work.
    Failure,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) what: String,
    pub(crate) grade: Grade,
    pub(crate) detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<String>,
}

impl Finding {
    pub(crate) fn new(what: &str, grade: Grade, detail: impl Into<String>) -> Finding {
        Finding { what: what.to_owned(), grade, detail: detail.into(), fix: None }
    }

    pub(crate) fn with_fix(self, fix: impl Into<String>) -> Finding {
        Finding { fix: Some(fix.into()), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grade = match self.grade {
            Grade::Ok => "ok",
            Grade::Warning => "warning",
            Grade::Failure => "failed",
        };
        write!(formatter, "{grade:<8} {:<12} {}", self.what, self.detail)?;
        if let Some(fix) = &self.fix {
            write!(formatter, "\n{:<21} fix: {fix}", "")?;
        }
        Ok(())
    }
}

/// What the key may read, from what was said of each stream.
pub(crate) fn of_streams(statuses: &[StreamStatusMessage]) -> Vec<Finding> {
    let mut lacking: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut findings = Vec::new();
    let (mut readable, mut off) = (0, Vec::new());
    for status in statuses {
        match &status.status {
            StreamStatus::Skip { reason } => match refusals::missing_permission(reason) {
                Some(permission) => lacking.entry(permission).or_default().push(&status.stream),
                None => off.push(&*status.stream),
            },
            StreamStatus::Error { error } => findings.push(Finding::new(
                "streams",
                Grade::Failure,
                format!("{} cannot be read: {error}", status.stream),
            )),
            _ => readable += 1,
        }
    }
    let grade = if readable > 0 { Grade::Ok } else { Grade::Failure };
    let noun = if statuses.len() == 1 { "stream" } else { "streams" };
    let detail = format!("{readable} of {} {noun} can be synced", statuses.len());
    findings.insert(0, Finding::new("streams", grade, detail));
    if !off.is_empty() {
        let detail = format!("of features that the account does not have, and skipped: {}", off.join(", "));
        findings.push(Finding::new("streams", Grade::Ok, detail));
    }
    for (permission, streams) in lacking {
        let detail = format!("the key lacks {permission}: {} skipped", streams.join(", "));
        let fix = "grant it to the key in the Stripe dashboard (Developers, API keys), or leave the streams out by --streams";
        findings.push(Finding::new("permissions", Grade::Warning, detail).with_fix(fix));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stream: &str, status: StreamStatus) -> StreamStatusMessage {
        StreamStatusMessage { stream: stream.into(), status }
    }

    #[test]
    fn what_a_key_lacks_is_told_once_with_its_streams() {
        let lacks = |name: &str| StreamStatus::Skip {
            reason: format!("the API key lacks the permission {name}: grant it"),
        };
        let findings = of_streams(&[
            said("charge", StreamStatus::Start { time_range: None, reason: None }),
            said("dispute", lacks("rak_dispute_read")),
            said("refund", lacks("rak_charge_read")),
            said("review", lacks("rak_charge_read")),
            said("issuing_card", StreamStatus::Skip { reason: "Issuing is off".to_owned() }),
            said("payout", StreamStatus::Error { error: "no answer".to_owned() }),
        ]);
        let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(shown[0], "ok       streams      1 of 6 streams can be synced");
        assert_eq!(shown[1], "failed   streams      payout cannot be read: no answer");
        assert!(shown[2].starts_with("ok       streams      of features"), "{}", shown[2]);
        assert!(
            shown[3]
                .starts_with("warning  permissions  the key lacks rak_charge_read: refund, review skipped\n")
        );
        assert!(shown[3].contains("                      fix: grant it"), "{}", shown[3]);
        assert_eq!(shown.len(), 5);
    }

    #[test]
    fn nothing_to_read_is_a_failure() {
        let findings = of_streams(&[said("charge", StreamStatus::Skip { reason: "off".to_owned() })]);
        assert_eq!(findings[0].grade, Grade::Failure);
    }
}
