//! What can go wrong, in words for the user.

use protocol::{ConnectorError, ErrorKind};

/// Most cells of a spreadsheet, over all tabs; <https://support.google.com/drive/answer/37603>.
pub(crate) const SPREADSHEET_CELLS: usize = 10_000_000;

/// Why a spreadsheet cannot be read or written, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum SheetsError {
    /// The configuration does not work.
    #[error("{0}")]
    Config(String),
    /// Google gives no token.
    #[error("{0}")]
    Auth(String),
    /// There is no such spreadsheet, or it is not shared.
    #[error(
        "there is no spreadsheet `{id}` that {who} can see. Check `spreadsheet_id`, and share the spreadsheet with {who} as an editor"
    )]
    NotFound {
        /// Its id.
        id: String,
        /// Who asks.
        who: String,
    },
    /// The caller may not write.
    #[error(
        "{who} may not do this ({said}). Open the spreadsheet, choose Share, and add {who} as an editor; if Google speaks of a \
         protected cell or object, let {who} edit it in Data > Protect sheets and ranges; if of an API that is disabled, enable the \
         Google Sheets API in the project of the credentials"
    )]
    Forbidden {
        /// Who asks.
        who: String,
        /// What Google said.
        said: String,
    },
    /// The spreadsheet is full.
    #[error(
        "stream `{stream}`: the spreadsheet would have {cells} cells, above Google's limit of 10,000,000 cells; nothing of this \
         batch was written. Delete tabs or columns that are not needed, select fewer streams or `fields`, or use another spreadsheet"
    )]
    Full {
        /// The stream that needs more.
        stream: String,
        /// Cells that it would come to.
        cells: usize,
    },
    /// Google refused.
    #[error("Google refused {what}: {said} (status {status})")]
    Refused {
        /// What was asked for.
        what: String,
        /// The HTTP status.
        status: u16,
        /// What Google said.
        said: String,
    },
    /// Google asks for fewer requests, and went on to.
    #[error(
        "Google's quota did not allow {what} for {seconds} seconds. Try again later, or ask for a higher quota in the Google Cloud console"
    )]
    Quota {
        /// What was asked for.
        what: String,
        /// How long was waited.
        seconds: u64,
    },
    /// No answer.
    #[error("Google did not answer {what}: {cause}. Check the network; what was written so far stays")]
    Unreachable {
        /// What was asked for.
        what: String,
        /// What went wrong.
        cause: String,
    },
    /// A tab of a stream's name is someone else's.
    #[error(
        "stream `{stream}`: row 1 of the tab `{tab}` has no column `{field}`, so it is not a tab of this stream. Rename the tab, or put the \
         column's name back into row 1"
    )]
    NotOurs {
        /// The stream.
        stream: String,
        /// The tab.
        tab: String,
        /// The key column that is missing.
        field: String,
    },
    /// Somebody else writes, too.
    #[error(
        "another sync began to write into this spreadsheet, so this one ends: two at once would undo each other's work. Let only \
         one sync write into a spreadsheet; run this one again when the other has ended, or give it a spreadsheet of its own"
    )]
    Superseded,
    /// The catalog does not have the stream.
    #[error(
        "stream `{stream}` is not in the catalog that the sync was given; select it, then run setup again"
    )]
    UnknownStream {
        /// The stream.
        stream: String,
    },
    /// A record that cannot be written.
    #[error("stream `{stream}`: {problem}")]
    Record {
        /// The stream.
        stream: String,
        /// A sentence.
        problem: String,
    },
    /// What cannot happen.
    #[error("{0}")]
    Internal(String),
}

impl SheetsError {
    /// What sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            SheetsError::Config(_)
            | SheetsError::NotOurs { .. }
            | SheetsError::Superseded
            | SheetsError::UnknownStream { .. } => ErrorKind::Config,
            SheetsError::Auth(_) | SheetsError::NotFound { .. } | SheetsError::Forbidden { .. } => {
                ErrorKind::Auth
            }
            SheetsError::Quota { .. } => ErrorKind::RateLimited,
            SheetsError::Unreachable { .. } => ErrorKind::Transient,
            SheetsError::Full { .. } | SheetsError::Refused { .. } | SheetsError::Record { .. } => {
                ErrorKind::Permanent
            }
            SheetsError::Internal(_) => ErrorKind::Internal,
        }
    }
}

impl From<SheetsError> for ConnectorError {
    fn from(error: SheetsError) -> ConnectorError {
        ConnectorError::new(error.kind(), error.to_string()).caused_by(error)
    }
}
