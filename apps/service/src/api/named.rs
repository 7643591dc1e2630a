//! What a path names.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

/// The part of a path that names a pipeline, or a token. What is no text is empty, which names nothing: it is answered like any other
/// name of nothing.
pub(crate) struct Named(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Named, Infallible> {
        let named = Path::<String>::from_request_parts(parts, state).await;
        Ok(Named(named.map_or_else(|_| String::new(), |Path(name)| name)))
    }
}
