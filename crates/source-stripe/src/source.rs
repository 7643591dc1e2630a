//! The connector.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use protocol::{
    ConfiguredCatalog, ConnectionStatus, ConnectorError, ConnectorSpec, Control, ErrorKind, Message,
    MessageStream, Payload, ReadRequest, Source, once,
};
use secrecy::SecretString;
use stripe_openapi::Catalog;
use stripe_openapi::resolve::{self, Settings, SpecLocation};

use crate::account::{self, Account};
use crate::client::Client;
use crate::config::{Access, StripeConfig};
use crate::delivery::{Delivery, messages};
use crate::discover;
use crate::limit::{Gate, Share, SharedBudget};
use crate::meter::RequestMeter;
use crate::preflight;
use crate::proxy::ProxyRules;
use crate::read;
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
        let meter = Arc::clone(&self.options.meter);
        let gate = match &self.options.shared_budget {
            None => Gate::new(access.limits, meter),
            Some(budget) => {
                let budget = Arc::clone(budget);
                Gate::shared(access.limits, meter, Share::new(budget, &access.api_key))
            }
        };
        Client::new(access, gate, self.options.request_timeout, &self.options.proxy)
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
                Ok(_) => ConnectionStatus::succeeded(),
                Err(error) if error.status() == Some(403) && config.account_id.is_some() => {
                    ConnectionStatus::succeeded()
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
            let account_id = match &config.account_id {
                Some(id) => id.clone(),
                None => source.account(&config).await?.id,
            };
            Ok(discover::catalog_message(&catalog, &account_id))
        })
    }

    fn read(&self, config: StripeConfig, request: ReadRequest) -> MessageStream {
        if request.input.is_some() {
            return once(async {
                Err(ConnectorError::new(
                    ErrorKind::Config,
                    "the Stripe source takes no pushed input: read it without",
                ))
            });
        }
        let source = self.clone();
        let meter = self.meter();
        messages(move |sender| async move {
            if let Err(error) = read::read(&source, meter, &config, request, sender.clone()).await {
                // Nobody listens any more if this fails.
                let _ = sender.send(Delivery::Failed(error));
            }
        })
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

    fn setup(&self, config: StripeConfig, _catalog: ConfiguredCatalog) -> Option<MessageStream> {
        let source = self.clone();
        let found = async move {
            let known = (config.account_id.clone(), config.account_created);
            if known.0.is_some() && known.1.is_some() {
                return None;
            }
            let account = match source.account(&config).await {
                Ok(account) => account,
                Err(error) => {
                    let warning = format!("the account of the API key could not be looked up: {error}");
                    return Some(Ok(Message::log(protocol::LogLevel::Warn, warning)));
                }
            };
            let mut completed = config;
            completed.account_id = Some(account.id);
            completed.account_created = account.created.and_then(|created| u32::try_from(created).ok());
            if (&completed.account_id, completed.account_created) == (&known.0, known.1) {
                return None;
            }
            let control = completed.to_map().map(|source_config| Control::SourceConfig { source_config });
            Some(control.map(|control| Payload::Control(control).into()))
        };
        Some(Box::pin(futures::StreamExt::filter_map(futures::stream::once(found), std::future::ready)))
    }
}
