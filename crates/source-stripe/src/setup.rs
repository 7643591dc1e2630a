//! What is prepared before a sync, and undone after the last one.

use std::collections::BTreeSet;

use protocol::{ConfiguredCatalog, ConnectorError, Control, LogLevel, Message, Payload};
use url::Url;

use crate::account::{self, Account};
use crate::config::StripeConfig;
use crate::push::endpoint::{self, Registered, Wanted};
use crate::push::subscription;
use crate::source::StripeSource;

/// Completes the configuration: by the account, and by the secret of a webhook endpoint where one is registered.
pub(crate) async fn set_up(
    source: &StripeSource,
    config: StripeConfig,
    selected: &ConfiguredCatalog,
) -> Vec<Result<Message, ConnectorError>> {
    let mut completed = config.clone();
    let mut said = Vec::new();
    let client = match config.access().and_then(|access| source.client(&access)) {
        Ok(client) => client,
        Err(error) => return vec![Err(error)],
    };
    match account::look_up(&client).await {
        Ok(own) => match account::foreign(&config, &own) {
            Some(error) => return vec![Err(error)],
            None => complete(&mut completed, own),
        },
        Err(error) if error.status() == Some(403) && config.account_id.is_some() => {
            tracing::debug!(%error, "the key may not read its account");
        }
        Err(error) => {
            let why = account::explain(&error);
            let warning = format!("the account of the API key could not be looked up: {why}");
            said.push(Ok(Message::log(LogLevel::Warn, warning)));
        }
    }
    let registered = match &config.webhook_url {
        Some(url) => register(source, &config, url, selected).await,
        None => Ok(Registered::default()),
    };
    let failed = match registered {
        Ok(registered) => {
            said.extend(registered.notes.into_iter().map(|(level, note)| Ok(Message::log(level, note))));
            completed.webhook_secret = registered.secret.or(completed.webhook_secret);
            None
        }
        Err(error) => Some(Err(error)),
    };
    match (config.to_map(), completed.to_map()) {
        (Ok(before), Ok(source_config)) if before == source_config => {}
        (_, Ok(source_config)) => {
            said.push(Ok(Payload::Control(Control::SourceConfig { source_config }).into()));
        }
        (_, Err(error)) => said.push(Err(error)),
    }
    said.extend(failed);
    said
}

/// What is not configured of the account, from what Stripe says of it.
fn complete(config: &mut StripeConfig, own: Account) {
    let is_same = config.account_id.as_deref().is_none_or(|named| account::id_of(named) == own.id);
    if is_same && config.account_created.is_none() {
        config.account_created = own.created.and_then(|created| u32::try_from(created).ok());
    }
    config.account_id.get_or_insert(own.id);
}

async fn register(
    source: &StripeSource,
    config: &StripeConfig,
    url: &Url,
    selected: &ConfiguredCatalog,
) -> Result<Registered, ConnectorError> {
    let access = config.access()?;
    let catalog = source.catalog(&access).await?;
    let names: BTreeSet<&str> = selected.streams.iter().map(|stream| &*stream.stream.name).collect();
    let (events, untold) = subscription::events(&catalog, names);
    let mut registered = if events.is_empty() {
        Registered::default()
    } else {
        let client = source.client(&access)?;
        let wanted = Wanted {
            url,
            api_version: &config.api_version,
            events: &events,
            connect: config.accounts.is_some(),
        };
        endpoint::register(&client, &wanted, config.webhook_secret.as_ref()).await?
    };
    if !untold.is_empty() {
        let note =
            format!("no webhook tells of changes in {}: they are found by reading again", untold.join(", "));
        registered.notes.push((LogLevel::Info, note));
    }
    Ok(registered)
}

/// Removes what [`set_up`] registered with Stripe.
pub(crate) async fn tear_down(
    source: &StripeSource,
    config: &StripeConfig,
    url: &Url,
) -> Vec<Result<Message, ConnectorError>> {
    let removed = async {
        let client = source.client(&config.access()?)?;
        endpoint::remove(&client, url, &config.api_version, config.webhook_secret.as_ref()).await
    };
    match removed.await {
        Ok(notes) => notes.into_iter().map(|note| Ok(Message::log(LogLevel::Info, note))).collect(),
        Err(error) => vec![Err(error)],
    }
}
