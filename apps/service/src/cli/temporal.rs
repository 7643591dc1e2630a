//! Temporal as the orchestrator: connecting, telling it, working for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString};
use service::service::Service;
use service::temporal::{Address, Link, PipelineOptions, ServiceSteps, Tls, WorkerOptions, Workflows, run};
use terminal::failure::Failure;
use tokio_util::sync::CancellationToken;

use super::args::{PaceArgs, TemporalArgs};
use super::serve::pace;

/// Begins to connect, where an address is given. What cannot work is refused at once; a Temporal that is away is waited for.
pub(super) fn link(args: &TemporalArgs) -> Result<Option<Link>, Failure> {
    let Some(address) = args.temporal_address.clone().filter(|address| !address.is_empty()) else {
        return Ok(None);
    };
    let ca =
        args.temporal_tls_ca.as_deref().map(|file| certificates("--temporal-tls-ca", file)).transpose()?;
    let identity = match (&args.temporal_tls_cert, &args.temporal_tls_key) {
        (Some(certificate), Some(key)) => {
            Some((certificates("--temporal-tls-cert", certificate)?, private_key("--temporal-tls-key", key)?))
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
    Link::open(to).map(Some).map_err(|error| Failure::usage(error.to_string()))
}

fn read(flag: &str, file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("{flag}: {} cannot be read: {error}", file.display())))
}

/// A file of certificates. One without any would only be noticed when the server is refused.
fn certificates(flag: &str, file: &Path) -> Result<String, Failure> {
    let text = read(flag, file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(text),
        _ => Err(Failure::usage(format!(
            "{flag}: {} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)",
            file.display()
        ))),
    }
}

fn private_key(flag: &str, file: &Path) -> Result<SecretString, Failure> {
    let text = SecretString::from(read(flag, file)?);
    match PrivateKeyDer::from_pem_slice(text.expose_secret().as_bytes()) {
        Ok(_) => Ok(text),
        Err(_) => Err(Failure::usage(format!(
            "{flag}: {} holds no private key in PEM (-----BEGIN PRIVATE KEY-----)",
            file.display()
        ))),
    }
}

/// What tells Temporal of changes, where that is to carry pipelines on. Workflows that are started look at events every `follow`,
/// where a worker does not say otherwise.
pub(super) fn workflows(args: &TemporalArgs, follow: Duration) -> Result<Option<Workflows>, Failure> {
    let Some(link) = link(args)? else { return Ok(None) };
    let follow_ms = u64::try_from(follow.as_millis()).unwrap_or(u64::MAX);
    Ok(Some(Workflows::new(link, PipelineOptions { follow_ms, ..PipelineOptions::default() })))
}

/// The service, which tells these workflows.
pub(super) fn announcing(service: Service, workflows: Option<&Workflows>) -> Service {
    match workflows {
        Some(workflows) => service.announcing(Arc::new(workflows.clone())),
        None => service,
    }
}

/// Does what Temporal gives out, until `stop`.
pub(super) async fn work(
    link: &Link,
    service: &Service,
    paced: &PaceArgs,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let steps = Arc::new(ServiceSteps::new(service.steps().clone(), pace(paced)));
    let client = tokio::select! {
        client = link.connected() => client.map_err(|error| Failure::failed(error.to_string()))?,
        () = stop.cancelled() => return Ok(()),
    };
    let options = WorkerOptions { at_once: paced.at_once.into(), ..WorkerOptions::default() };
    let done = run(&client, steps, options, stop).await;
    done.map_err(|error| Failure::failed(error.to_string()))
}
