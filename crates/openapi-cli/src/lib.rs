//! A command line made from an OpenAPI 3.1 document.
//!
//! ```text
//! document ──► Api ──► clap commands ──► Call ──► http::Request ──► transport ──► http::Response ──► stdout
//! ```
//!
//! Everything up to the request is pure. Who sends it is the caller's: a router in the same process, or a client of a
//! server elsewhere. The answer is printed as it comes.
//!
//! The rules:
//!
//! * A group for each tag, a command for each operation. It is named after the part of the `operationId` behind the last
//!   dot, in kebab-case.
//! * Parameters in the path are positional. Parameters in the query, headers, and the top-level properties of a JSON body
//!   are `--kebab-name`; where several have one name, one flag is for all of them.
//! * What goes into the body is JSON where it can be read as such (and the schema does not want text), else text.
//! * `--body` gives a body whole; `-` streams it from stdin. Where an operation takes lines of NDJSON, that is what is
//!   streamed, and flags beside it make its first line.
//! * Answers of NDJSON are copied line by line as they come, JSON is printed with two spaces, anything else as it is.

mod answer;
mod call;
mod commands;
mod document;
mod pretty;
mod schema;
mod words;

pub use answer::{AnswerError, ByteStream, Failed, perform, print};
pub use call::{Call, CallError, RequestBody};
pub use commands::own_flags;
pub use document::{Api, DocumentError, Naming};
pub use words::{Described, Words, WordsError};
