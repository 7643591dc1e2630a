//! Tokens. Only their digests are stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::store::{Row, Statement, Store, StoreError, Value};

/// What every token begins with, so that scanners for leaked secrets know it.
const PREFIX: &str = "sst_";

/// What a token allows. Each scope allows what the ones before it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// To look.
    Read,
    /// To create, change, sync and delete pipelines.
    Write,
    /// To manage tokens and to read the audit log.
    Admin,
}

impl Scope {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Admin => "admin",
        }
    }

    /// What is written so.
    pub fn parse(text: &str) -> Option<Scope> {
        [Scope::Read, Scope::Write, Scope::Admin].into_iter().find(|scope| scope.as_str() == text)
    }
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// Words for it.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// A token that was just made, with its text, which is told only now.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct NewToken {
    /// The text to send as `Authorization: Bearer …`.
    pub token: String,
    /// What is known of it.
    #[serde(flatten)]
    pub known: Token,
}

pub(super) fn digest(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Makes a token.
pub async fn create_token(store: &Store, name: &str, scope: Scope) -> Result<NewToken, StoreError> {
    let random: [u8; 32] = rand::random();
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    let id = format!("tok_{}", uuid::Uuid::new_v4().simple());
    let sql = "insert into @tokens (id, name, hash, scopes, created_at) values ($1, $2, $3, $4, @now)
        returning id, name, scopes, created_at, last_used_at, revoked_at";
    let values = [id.into(), name.into(), digest(&token).into(), scope.as_str().into()];
    let rows = store.db().write(vec![Statement::new(sql, values).must_answer()]).await?;
    let row = rows.first().and_then(|rows| rows.first()).ok_or(StoreError::Unmet)?;
    Ok(NewToken { token, known: read(row)? })
}

/// All tokens, the newest first.
pub async fn tokens(store: &Store) -> Result<Vec<Token>, StoreError> {
    let sql = "select id, name, scopes, created_at, last_used_at, revoked_at from @tokens order by created_at desc, id";
    store.db().read(Statement::new(sql, [])).await?.iter().map(read).collect()
}

/// Revokes a token; answers whether there was one that was not revoked yet.
pub async fn revoke_token(store: &Store, id: &str) -> Result<bool, StoreError> {
    let sql = "update @tokens set revoked_at = @now where id = $1 and revoked_at is null returning 1";
    Ok(!store.db().write_one(Statement::new(sql, [id.into()])).await?.is_empty())
}

/// The token of this digest, unless it is revoked.
pub(super) async fn find(store: &Store, digest: &str) -> Result<Option<Token>, StoreError> {
    let sql = "select id, name, scopes, created_at, last_used_at, revoked_at from @tokens
        where hash = $1 and revoked_at is null";
    store.db().read(Statement::new(sql, [digest.into()])).await?.first().map(read).transpose()
}

/// Notes that a token was used, at most once a minute.
pub(super) async fn used(store: &Store, id: &str) -> Result<(), StoreError> {
    let sql =
        "update @tokens set last_used_at = @now where id = $1 and coalesce(last_used_at, 0) < @now - 60000";
    store.db().write_one(Statement::new(sql, [Value::from(id)])).await?;
    Ok(())
}

fn read(row: &Row) -> Result<Token, StoreError> {
    let at = |column| Ok::<_, StoreError>(row.int(column)?.map(Timestamp::from_unix_millis));
    let scope = row.required_text(2)?;
    Ok(Token {
        id: row.required_text(0)?,
        name: row.required_text(1)?,
        scope: Scope::parse(&scope)
            .ok_or_else(|| StoreError::broken(format!("a token has the unknown scope {scope}")))?,
        created_at: Timestamp::from_unix_millis(row.required_int(3)?),
        last_used_at: at(4)?,
        revoked_at: at(5)?,
    })
}
