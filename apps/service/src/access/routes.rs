//! Tokens and the audit log over HTTP.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use http_api::{ApiError, Issue, Issues};
use serde_json::json;

use super::{Actor, Scope, create_token, entries, record, revoke_token, tokens};
use crate::api::{Named, Query, Shared, failed, object};

/// Most entries of the audit log in one answer, and as many as there are unless told otherwise.
const MOST: u64 = 1000;
const USUAL: u64 = 100;

/// Longest words for a token, in characters.
const LONGEST_NAME: usize = 200;

/// `GET /tokens`.
pub(crate) async fn list(server: Shared) -> Result<Response, ApiError> {
    let data = tokens(server.service.store()).await.map_err(failed)?;
    Ok(Json(json!({"data": data, "has_more": false})).into_response())
}

/// `POST /tokens`: the only time that the token itself is told.
pub(crate) async fn create(
    server: Shared,
    Extension(actor): Extension<Actor>,
    request: Request,
) -> Result<Response, ApiError> {
    let members = object(request, false).await?;
    let mut issues = Issues::default();
    let name = match members.get("name").map(|name| name.as_str()) {
        Some(Some(name)) if !name.is_empty() && name.chars().count() <= LONGEST_NAME => name,
        _ => {
            let text = format!("Invalid input: expected a name of 1 to {LONGEST_NAME} characters");
            issues.0.push(Issue::custom(vec!["name".into()], text));
            ""
        }
    };
    let scope = match members.get("scope") {
        None => Some(Scope::Read),
        Some(scope) => scope.as_str().and_then(Scope::parse).or_else(|| {
            let text = r#"Invalid option: expected one of "read"|"write"|"admin""#.to_owned();
            issues.note(Issue { code: "invalid_value", path: vec!["scope".into()], message: text })
        }),
    };
    let (Some(scope), true) = (scope, issues.0.is_empty()) else { return Err(ApiError::Invalid(issues)) };
    let store = server.service.store();
    let token = create_token(store, name, scope).await.map_err(failed)?;
    record(store, &actor, "tokens.create", None, Some(&token.known.id)).await.map_err(failed)?;
    Ok((StatusCode::CREATED, Json(token)).into_response())
}

/// `DELETE /tokens/{id}`.
pub(crate) async fn revoke(
    server: Shared,
    Named(id): Named,
    Extension(actor): Extension<Actor>,
) -> Result<Response, ApiError> {
    let store = server.service.store();
    if !revoke_token(store, &id).await.map_err(failed)? {
        return Err(ApiError::NotFound("there is no such token, or it is revoked already".to_owned()));
    }
    record(store, &actor, "tokens.revoke", None, Some(&id)).await.map_err(failed)?;
    Ok(Json(json!({"id": id, "revoked": true})).into_response())
}

/// `GET /audit`.
pub(crate) async fn audit(server: Shared, request: Request) -> Result<Response, ApiError> {
    let mut query = Query::of(&request);
    let before = query.count("before", 0, i64::MAX as u64).and_then(|before| i64::try_from(before).ok());
    let limit = query.count("limit", 1, MOST).unwrap_or(USUAL);
    query.finish()?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut data = entries(server.service.store(), before, limit + 1).await.map_err(failed)?;
    let has_more = data.len() > limit;
    data.truncate(limit);
    Ok(Json(json!({"data": data, "has_more": has_more})).into_response())
}
