//! What is checked.

use crate::Role;

/// A section of `docs/connector-spec.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Commands, flags, stdout, stderr, exit codes.
    Commands,
    /// States, statuses and records.
    Source,
    /// Handing back, versions and deletions.
    Destination,
}

impl Section {
    /// Where it is.
    pub fn link(self) -> &'static str {
        match self {
            Section::Commands => "docs/connector-spec.md#commands",
            Section::Source => "docs/connector-spec.md#what-a-source-keeps-to",
            Section::Destination => "docs/connector-spec.md#what-a-destination-keeps-to",
        }
    }
}

/// One thing that is checked.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// The part of the contract that asks for it.
    pub section: Section,
    /// What it is asked of; `None`: both.
    pub role: Option<Role>,
}

macro_rules! rules {
    ($($id:ident $name:literal $section:ident $role:expr;)+) => {
        $(pub(super) const $id: &Rule = &Rule { name: $name, section: Section::$section, role: $role };)+

        /// Everything that is checked, in this order.
        pub const ALL: &[&Rule] = &[$($id),+];
    };
}

const BOTH: Option<Role> = None;
const SOURCE: Option<Role> = Some(Role::Source);
const DESTINATION: Option<Role> = Some(Role::Destination);

rules! {
    SPEC "spec" Commands BOTH;
    UNKNOWN_COMMAND "unknown command" Commands BOTH;
    NO_COMMAND "no command" Commands BOTH;
    MISSING_FLAG "missing --config" Commands BOTH;
    MALFORMED_CONFIG "malformed --config" Commands BOTH;
    MISSING_FILE "--config names no file" Commands BOTH;
    CHECK_SUCCEEDS "check succeeds" Commands BOTH;
    FLAG_FORMS "forms of a flag" Commands BOTH;
    UNFIT_CONFIG "configuration that does not fit" Commands BOTH;
    CHECK_FAILS "check fails" Commands BOTH;
    SETUP "setup" Commands BOTH;
    DISCOVER "discover" Commands SOURCE;
    DISCOVER_AGAIN "discover again" Commands SOURCE;
    MALFORMED_CATALOG "malformed --catalog" Commands BOTH;
    READ "read" Commands SOURCE;
    STATUSES "statuses" Source SOURCE;
    RECORDS "records" Source SOURCE;
    SELECTED "selected streams alone" Source SOURCE;
    RESUME "resume from a state" Source SOURCE;
    RESUME_AT_END "resume from the last state" Source SOURCE;
    STATE_OF_STREAMS "--state of streams alone" Commands SOURCE;
    EMPTY_INPUT "empty input" Destination DESTINATION;
    HANDED_BACK "handed back in order" Destination DESTINATION;
    FAILS_ALONE "a stream fails alone" Destination DESTINATION;
    GARBAGE "a line that is no message" Destination DESTINATION;
    ROWS "rows arrive" Destination DESTINATION;
    VERSIONS "older rows change nothing" Destination DESTINATION;
    DELETES "deletes" Destination DESTINATION;
    DURABLE "states come after durable rows" Destination DESTINATION;
    TERMINATED "ends by SIGTERM" Commands BOTH;
    CLOSED_PIPE "ends with its reader" Commands BOTH;
}

impl Rule {
    /// Whether it is asked of connectors of this role.
    pub fn is_of(&self, role: Role) -> bool {
        self.role.is_none_or(|of| of == role)
    }
}
