//! The connector.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use protocol::{
    CatalogMessage, ConfiguredCatalog, ConnectionStatus, ConnectorError, ConnectorSpec, LookUpRequest,
    Message, MessageStream, ReadRequest, RequestCount, Source, once,
};
use secrecy::SecretString;
use stripe_openapi::resolve::{self, Settings, SpecLocation};
use stripe_openapi::{Catalog, embedded};

use crate::account::{self, Account};
use crate::accounts;
use crate::client::{Behalf, Client};
use crate::config::{Access, StripeConfig};
use crate::delivery::{Delivery, messages};
use crate::discover;
use crate::limit::{AccountLimiters, Gate, SharedBudget};
use crate::look_up;
use crate::meter::RequestMeter;
use crate::preflight;
use crate::proxy::ProxyRules;
use crate::read;
use crate::setup;
use crate::spec;

/// What a process decides about the source, as opposed to what a user configures.
#[derive(Debug, Clone)]
pub struct StripeSourceOptions {
    /// An OpenAPI document to use for every API version that is asked for.
    pub stripe_spec: Option<SpecLocation>,
    /// Folder for downloaded OpenAPI documents; they are not kept without one.
    pub spec_cache_dir: Option<PathBuf>,
    /// A token for GitHub, where documents of API versions that are not built in come from.
    pub github_token: Option<SecretString>,
    /// The time one request to Stripe may take, from connecting to its last byte.
    pub request_timeout: Duration,
    /// Counts the requests of reads.
    pub meter: Arc<RequestMeter>,
    /// By which way Stripe is asked; directly by default.
    pub proxy: ProxyRules,
    /// The limiters of the accounts that this process reads. Sources with the same ones share an account's rate.
    pub limiters: AccountLimiters,
    /// Where the rate is leased that other processes use too. `None`: this process may use all of it.
    pub shared_budget: Option<Arc<dyn SharedBudget>>,
}

impl Default for StripeSourceOptions {
    /// Built-in and public documents, no cache, 80 seconds per request as in Stripe's own libraries.
    fn default() -> StripeSourceOptions {
        StripeSourceOptions {
            stripe_spec: None,
            spec_cache_dir: None,
            github_token: None,
            request_timeout: Duration::from_secs(80),
            meter: Arc::default(),
            proxy: ProxyRules::default(),
            limiters: AccountLimiters::default(),
            shared_budget: None,
        }
    }
}

/// Reads every listable object of a Stripe account.
#[derive(Debug, Clone, Default)]
pub struct StripeSource {
    options: StripeSourceOptions,
}

impl StripeSource {
    /// A source with `options`.
    pub fn new(options: StripeSourceOptions) -> StripeSource {
        StripeSource { options }
    }

    /// The counters of this source's requests.
    pub fn meter(&self) -> Arc<RequestMeter> {
        Arc::clone(&self.options.meter)
    }

    /// What it offers to this configuration, where that is known without asking anybody: where the API version is built in, and no
    /// document is named instead. Of whose account rows are is left open.
    pub fn known_streams(&self, config: &StripeConfig) -> Option<CatalogMessage> {
        if self.options.stripe_spec.is_some() {
            return None;
        }
        let access = config.access().ok()?;
        let catalog = embedded::catalog(access.api_version.as_str())?;
        Some(discover::streams(&catalog, &[], config.provenance))
    }

    pub(crate) async fn catalog(&self, access: &Access) -> Result<Arc<Catalog>, ConnectorError> {
        let settings = Settings {
            spec: self.options.stripe_spec.clone(),
            cache_dir: self.options.spec_cache_dir.clone(),
            token: self.options.github_token.clone(),
            ..Settings::default()
        };
        // A download needs it; fails when another part of the process was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        resolve::catalog(&access.api_version, &settings)
            .await
            .map_err(|error| ConnectorError::config(format!("api_version: {error}")).caused_by(error))
    }

    pub(crate) fn client(&self, access: &Access) -> Result<Client, ConnectorError> {
        let gate = self.gate(access, access.context.as_ref(), Arc::clone(&self.options.meter));
        Client::new(access, gate, self.options.request_timeout, &self.options.proxy)
    }

    /// A client that asks over the connections of `client` in the name of an account, with limits and a meter of its own.
    pub(crate) fn client_of(
        &self,
        client: &Client,
        access: &Access,
        behalf: Option<Behalf>,
        meter: &Arc<RequestMeter>,
    ) -> Client {
        let gate = self.gate(access, behalf.as_ref(), Arc::clone(meter));
        client.on_behalf(behalf, gate)
    }

    /// The limits of an account, shared with whoever else reads it.
    fn gate(&self, access: &Access, behalf: Option<&Behalf>, meter: Arc<RequestMeter>) -> Arc<Gate> {
        let StripeSourceOptions { limiters, shared_budget, .. } = &self.options;
        limiters.gate(&access.api_key, behalf, access.limits, shared_budget.as_ref(), meter)
    }

    async fn account(&self, config: &StripeConfig) -> Result<Account, ConnectorError> {
        let client = self.client(&config.access()?)?;
        let found = account::resolve(&client, config.account_id.as_deref(), config.account_created).await;
        found.map_err(|error| account::explain(&error))
    }
}

impl Source for StripeSource {
    type Config = StripeConfig;

    fn name(&self) -> &'static str {
        "stripe"
    }

    fn spec(&self) -> ConnectorSpec {
        spec::spec()
    }

    fn check(&self, config: StripeConfig) -> MessageStream {
        let source = self.clone();
        once(async move {
            let access = config.access()?;
            source.catalog(&access).await?;
            let client = source.client(&access)?;
            let status = match account::look_up(&client).await {
                Ok(own) => match account::foreign(&config, &own) {
                    Some(error) => ConnectionStatus::failed(error.to_string()),
                    None => accounts::check(&source, &config, &access, &client, Some(&own.id)).await?,
                },
                Err(error) if error.status() == Some(403) && config.account_id.is_some() => {
                    let own = config.account_id.as_deref();
                    accounts::check(&source, &config, &access, &client, own).await?
                }
                Err(error) => ConnectionStatus::failed(account::explain(&error).to_string()),
            };
            Ok(Message::connection_status(status))
        })
    }

    fn discover(&self, config: StripeConfig) -> MessageStream {
        let source = self.clone();
        once(async move {
            let access = config.access()?;
            let catalog = source.catalog(&access).await?;
            let ids = match (&config.accounts, &config.account_id) {
                (Some(accounts), _) => accounts.ids(),
                (None, Some(id)) => vec![id.clone()],
                (None, None) => vec![source.account(&config).await?.id],
            };
            Ok(discover::catalog_message(&catalog, &ids, config.provenance))
        })
    }

    fn read(&self, config: StripeConfig, request: ReadRequest) -> MessageStream {
        let source = self.clone();
        let meter = self.meter();
        messages(move |sender| async move {
            if let Err(error) = read::read(&source, meter, &config, request, sender.clone()).await {
                // Nobody listens any more if this fails.
                let _ = sender.send(Delivery::Failed(error));
            }
        })
    }

    fn counted(&self) -> Option<(StripeSource, RequestCount)> {
        let meter = RequestMeter::part_of(&self.options.meter);
        let options = StripeSourceOptions { meter: Arc::clone(&meter), ..self.options.clone() };
        Some((StripeSource { options }, Arc::new(move || meter.requests_sent())))
    }

    fn preflight(&self, config: StripeConfig, catalog: ConfiguredCatalog) -> Option<MessageStream> {
        let source = self.clone();
        Some(messages(move |sender| async move {
            if let Err(error) = preflight::preflight(&source, &config, &catalog, &sender).await {
                // Nobody listens any more if this fails.
                let _ = sender.send(Delivery::Failed(error));
            }
        }))
    }

    fn look_up(&self, config: StripeConfig, request: LookUpRequest) -> Option<MessageStream> {
        let source = self.clone();
        Some(messages(move |sender| async move {
            if let Err(error) = look_up::look_up(&source, &config, request, sender.clone()).await {
                // Nobody listens any more if this fails.
                let _ = sender.send(Delivery::Failed(error));
            }
        }))
    }

    fn setup(&self, config: StripeConfig, catalog: ConfiguredCatalog) -> Option<MessageStream> {
        let source = self.clone();
        Some(all(async move { setup::set_up(&source, config, &catalog).await }))
    }

    fn teardown(&self, config: StripeConfig) -> Option<MessageStream> {
        let url = config.webhook_url.clone()?;
        let source = self.clone();
        Some(all(async move { setup::tear_down(&source, &config, &url).await }))
    }
}

/// A stream of what one future answers.
fn all<F>(messages: F) -> MessageStream
where
    F: Future<Output = Vec<Result<Message, ConnectorError>>> + Send + 'static,
{
    stream::once(messages).flat_map(stream::iter).boxed()
}
