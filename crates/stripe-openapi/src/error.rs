//! What can go wrong when a catalog is asked for.

use std::path::PathBuf;

/// Why a catalog cannot be had. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not the name of an API version.
    #[error("`{text}` is not an API version: write YYYY-MM-DD or YYYY-MM-DD.name, e.g. {example}", example = crate::embedded::newest_version())]
    MalformedVersion {
        /// What was given.
        text: String,
    },

    /// The version is not built in and could not be found anywhere else.
    #[error(
        "API version {version} is not built in (nearest: {nearest}) and could not be downloaded: {reason}. \
         Choose a built-in version, or give its OpenAPI document with --stripe-spec <file|url>"
    )]
    UnknownVersion {
        /// The version asked for.
        version: String,
        /// Built-in versions near it, comma separated.
        nearest: String,
        /// Why the download failed.
        reason: String,
    },

    /// The document describes another version than the one asked for.
    #[error(
        "{origin} describes API version {found}, not {wanted}: set api_version to {found} or give the document of {wanted}"
    )]
    OtherVersion {
        /// Where the document comes from.
        origin: String,
        /// The version in the document.
        found: String,
        /// The version asked for.
        wanted: String,
    },

    /// The text is not one of Stripe's OpenAPI documents.
    #[error("not a Stripe OpenAPI document: {reason}")]
    NotADocument {
        /// What is missing or malformed.
        reason: String,
    },

    /// The document given by the user cannot be used.
    #[error("cannot use the OpenAPI document {origin}: {reason}")]
    UnusableDocument {
        /// Where the document comes from.
        origin: String,
        /// What is wrong.
        reason: String,
    },

    /// The document given by the user cannot be read.
    #[error("cannot read the OpenAPI document {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// The facts of a catalog cannot be read.
    #[error("{file}, line {line}: {reason}")]
    MalformedFacts {
        /// File of the facts.
        file: String,
        /// Line number, from 1.
        line: usize,
        /// What is wrong with the line.
        reason: String,
    },
}
