//! Tokens and keys, in the store itself.

use serde_json::json;
use service::access::{Actor, create_token, record, revoke_token, tokens as all_tokens};
use service::store::StoreError;

use super::args::{KeyCommand, PlaceArgs, TokenCommand};
use super::failure::Failure;
use super::{opening, say};

fn failed(error: &StoreError) -> Failure {
    Failure::failed(error.to_string())
}

/// `tokens …`.
pub(super) async fn tokens(place: &PlaceArgs, command: TokenCommand, json: bool) -> Result<(), Failure> {
    let store = opening::store(place).await?;
    let actor = Actor::local();
    match command {
        TokenCommand::Create { name, scope } => {
            let token = create_token(&store, &name, scope).await.map_err(|error| failed(&error))?;
            record(&store, &actor, "tokens.create", None, Some(&token.known.id))
                .await
                .map_err(|error| failed(&error))?;
            match json {
                true => say(&serde_json::to_string(&token).unwrap_or_default()),
                false => {
                    say(&token.token);
                    super::note(&format!(
                        "{} may {}. It is not shown again.",
                        token.known.id,
                        scope.as_str()
                    ));
                }
            }
        }
        TokenCommand::List => {
            for token in all_tokens(&store).await.map_err(|error| failed(&error))? {
                match json {
                    true => say(&serde_json::to_string(&token).unwrap_or_default()),
                    false => {
                        let state = if token.revoked_at.is_some() { "revoked" } else { token.scope.as_str() };
                        let used =
                            token.last_used_at.map_or("never used".to_owned(), |at| format!("used {at}"));
                        say(&format!("{}  {:8}  {}  ({used})", token.id, state, token.name));
                    }
                }
            }
        }
        TokenCommand::Revoke { id } => {
            if !revoke_token(&store, &id).await.map_err(|error| failed(&error))? {
                return Err(Failure::failed(format!("there is no token {id}, or it is revoked already")));
            }
            record(&store, &actor, "tokens.revoke", None, Some(&id)).await.map_err(|error| failed(&error))?;
            say(&if json { json!({"id": id, "revoked": true}).to_string() } else { format!("Revoked {id}") });
        }
    }
    Ok(())
}

/// `keys …`.
pub(super) async fn keys(place: &PlaceArgs, command: KeyCommand, json: bool) -> Result<(), Failure> {
    match command {
        KeyCommand::Show => {
            // What cannot be opened is shown, too.
            let store = opening::store_unchecked(place).await?;
            for used in store.key_uses().await.map_err(|error| Failure::failed(error.to_string()))? {
                match json {
                    true => say(&serde_json::to_string(&used).unwrap_or_default()),
                    false => {
                        let noun = if used.pipelines == 1 { "pipeline" } else { "pipelines" };
                        say(&format!(
                            "{}  {:7}  seals {} {noun}",
                            used.id,
                            used.state.as_str(),
                            used.pipelines
                        ));
                    }
                }
            }
        }
        KeyCommand::Check => {
            // Opening fails where a pipeline cannot be opened.
            opening::store(place).await?;
            say(if json { r#"{"ok":true}"# } else { "Every pipeline can be opened." });
        }
        KeyCommand::Rotate => {
            let store = opening::store(place).await?;
            let wrapped = store.rotate_keys().await.map_err(|error| Failure::failed(error.to_string()))?;
            record(&store, &Actor::local(), "keys.rotate", None, Some(&wrapped.to_string()))
                .await
                .map_err(|error| failed(&error))?;
            match json {
                true => say(&json!({"rotated": wrapped}).to_string()),
                false => say(&rotated(wrapped)),
            }
        }
    }
    Ok(())
}

fn rotated(wrapped: usize) -> String {
    let done = match wrapped {
        0 => "Every pipeline was under the current key already".to_owned(),
        1 => "1 pipeline was put under the current key, as all are now".to_owned(),
        count => format!("{count} pipelines were put under the current key, as all are now"),
    };
    format!("{done}; the former keys may go.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_rotates_hears_what_was_done() {
        assert!(rotated(0).starts_with("Every pipeline was under"));
        assert!(rotated(1).starts_with("1 pipeline was put under"));
        assert!(rotated(2).starts_with("2 pipelines were put under"));
    }
}
