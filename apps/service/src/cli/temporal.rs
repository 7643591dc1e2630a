//! Temporal as the orchestrator: connecting, telling it, working for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use service::service::Service;
use service::temporal::{Address, Client, PipelineOptions, ServiceSteps, Tls, WorkerOptions, Workflows, run};
use terminal::failure::Failure;
use tokio_util::sync::CancellationToken;

use super::args::{PaceArgs, TemporalArgs};
use super::serve::pace;

/// Connects, where an address is given.
pub(super) async fn connect(args: &TemporalArgs) -> Result<Option<Client>, Failure> {
    let Some(address) = args.temporal_address.clone().filter(|address| !address.is_empty()) else {
        return Ok(None);
    };
    let read = |flag: &str, file: &Path| {
        std::fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("{flag}: {} cannot be read: {error}", file.display())))
    };
    let ca = args.temporal_tls_ca.as_deref().map(|file| read("--temporal-tls-ca", file)).transpose()?;
    let identity = match (&args.temporal_tls_cert, &args.temporal_tls_key) {
        (Some(certificate), Some(key)) => {
            let key = SecretString::from(read("--temporal-tls-key", key)?);
            Some((read("--temporal-tls-cert", certificate)?, key))
        }
        _ => None,
    };
    let server_name = args.temporal_tls_server_name.clone();
    let wanted = args.temporal_tls || ca.is_some() || identity.is_some() || server_name.is_some();
    let to = Address {
        address,
        namespace: args.temporal_namespace.clone(),
        task_queue: args.temporal_task_queue.clone(),
        tls: wanted.then_some(Tls { ca, server_name, identity }),
        api_key: args.temporal_api_key.clone(),
    };
    Client::connect(&to).await.map(Some).map_err(|error| Failure::failed(error.to_string()))
}

/// The service, which tells Temporal of changes where that is to carry pipelines on; and whether it is. Workflows that are
/// started look at events every `follow`.
pub(super) async fn announcing(
    service: Service,
    args: &TemporalArgs,
    follow: Duration,
) -> Result<(Service, bool), Failure> {
    let Some(client) = connect(args).await? else { return Ok((service, false)) };
    let follow_ms = u64::try_from(follow.as_millis()).unwrap_or(u64::MAX);
    let options = PipelineOptions { follow_ms, ..PipelineOptions::default() };
    Ok((service.announcing(Arc::new(Workflows::new(client, options))), true))
}

/// Does what Temporal gives out, until `stop`.
pub(super) async fn work(
    client: &Client,
    service: &Service,
    paced: &PaceArgs,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let steps = Arc::new(ServiceSteps::new(service.steps().clone(), pace(paced)));
    let done = run(client, steps, WorkerOptions::default(), stop).await;
    done.map_err(|error| Failure::failed(error.to_string()))
}
