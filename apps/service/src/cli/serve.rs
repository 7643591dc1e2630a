//! `serve` and `webhook`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use engine::program::{bind, build, resolve, resolve_pair};
use service::api::{ApiOptions, router, webhook_router};
use service::guard::Guard;
use service::orchestrator::{Embedded, EmbeddedOptions, Pace};
use service::service::Service;
use service::upkeep::upkeep;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::args::{PaceArgs, PlaceArgs, ServeArgs, WebhookArgs, WorkerArgs};
use super::failure::Failure;
#[cfg(feature = "temporal")]
use super::temporal;
use super::voice::Voice;
use super::{note, opening};

const HOUR: u64 = 3600;

/// Serves the API and carries pipelines on until a signal.
pub(super) async fn serve(place: &PlaceArgs, args: &ServeArgs) -> Result<(), Failure> {
    #[cfg(feature = "temporal")]
    let workflows = temporal::workflows(&args.temporal, pace(&args.pace).follow)?;
    let guard = opening::guard(place, &args.guard)?;
    let service = Box::pin(opening::service(place, guard.clone())).await?;
    let address = resolve(&args.host, args.port).await?;
    let token_required = args.require_token || !address.ip().is_loopback();
    if token_required
        && service::access::tokens(service.store())
            .await
            .map_err(|error| Failure::failed(error.to_string()))?
            .is_empty()
    {
        note(
            "Nobody can use the API yet: make a token with `sync-service tokens create NAME --scope admin`.",
        );
    }
    let listener = bind(address, "--port").await?;
    let webhooks = match &args.webhook_listen {
        Some(pair) => {
            let flag = "--webhook-listen";
            Some(bind(resolve_pair(pair, flag).await?, flag).await?)
        }
        None => None,
    };
    let stop = Voice::open(false, false).interrupt()?.token();
    #[cfg(feature = "temporal")]
    let service = temporal::announcing(service, workflows.as_ref());
    #[cfg(feature = "temporal")]
    let here = workflows.is_none() && !args.no_orchestrator;
    #[cfg(not(feature = "temporal"))]
    let here = !args.no_orchestrator;
    // With --no-orchestrator somebody else does what is due.
    let service = Arc::new(service.orchestrated());
    let options = ApiOptions { token_required, guard, build: build(opening::variable), stop: stop.clone() };
    let bound = listener.local_addr().map_err(|error| Failure::failed(error.to_string()))?;
    note(&format!("Listening on http://{bound}, documented at http://{bound}/docs"));
    let api = run(listener, router(Arc::clone(&service), options.clone()), stop.clone());
    let public = async {
        match webhooks {
            Some(listener) => {
                let bound = listener.local_addr().map_err(|error| Failure::failed(error.to_string()))?;
                note(&format!("Taking webhooks on http://{bound}/webhooks/PIPELINE"));
                run(listener, webhook_router(Arc::clone(&service), options.clone()), stop.clone()).await
            }
            None => Ok(()),
        }
    };
    let orchestrating = async {
        #[cfg(feature = "temporal")]
        if let Some(workflows) = workflows {
            workflows.tend(service.store(), &pace(&args.pace), stop.clone()).await;
        }
        if here {
            orchestrate(&service, &args.pace, stop.clone()).await;
        }
    };
    let keeping = upkeep(service.store().clone(), keep_logs(&args.pace), stop.clone());
    let (api, public, (), ()) = tokio::join!(api, public, orchestrating, keeping);
    api.and(public)
}

/// Carries pipelines on until a signal.
pub(super) async fn worker(place: &PlaceArgs, args: &WorkerArgs) -> Result<(), Failure> {
    #[cfg(feature = "temporal")]
    let link = temporal::link(&args.temporal)?;
    let guard = opening::guard(place, &args.guard)?;
    let service = Box::pin(opening::service(place, guard)).await?;
    let stop = Voice::open(false, false).interrupt()?.token();
    let at_work = stop.child_token();
    let carrying = async {
        #[cfg(feature = "temporal")]
        if let Some(link) = link {
            let queue = &args.temporal.temporal_task_queue;
            note(&format!("Carrying on what Temporal gives out on the task queue {queue}"));
            return temporal::work(&link, &service, &args.pace, stop.clone()).await;
        }
        note("Carrying on the pipelines of the store");
        orchestrate(&service, &args.pace, stop.clone()).await;
        Ok(())
    };
    let keeping = upkeep(service.store().clone(), keep_logs(&args.pace), at_work.clone());
    let working = async {
        let done = carrying.await;
        // Also where it ended by itself.
        at_work.cancel();
        done
    };
    tokio::join!(working, keeping).0
}

/// How long logs are kept; `None` as long as their number allows.
fn keep_logs(args: &PaceArgs) -> Option<Duration> {
    (args.keep_logs > 0).then(|| Duration::from_secs(u64::from(args.keep_logs) * 24 * HOUR))
}

async fn orchestrate(service: &Service, args: &PaceArgs, stop: CancellationToken) {
    let options =
        EmbeddedOptions { pace: pace(args), at_once: args.at_once.into(), ..EmbeddedOptions::default() };
    Embedded::new(service.steps().clone(), options).run(stop).await;
}

/// How often things are done that are done again and again.
pub(super) fn pace(args: &PaceArgs) -> Pace {
    let hours = u64::from(args.reconcile_interval);
    Pace {
        follow: Duration::from_secs(args.follow_interval.into()),
        reconcile: (hours > 0).then(|| Duration::from_secs(hours * HOUR)),
    }
}

/// Takes webhooks until a signal.
pub(super) async fn webhook(place: &PlaceArgs, args: &WebhookArgs) -> Result<(), Failure> {
    #[cfg(feature = "temporal")]
    let workflows = temporal::workflows(&args.temporal, Pace::default().follow)?;
    let service = Box::pin(opening::service(place, Guard::default())).await?.orchestrated();
    #[cfg(feature = "temporal")]
    let service = temporal::announcing(service, workflows.as_ref());
    let service = Arc::new(service);
    let listener = bind(resolve(&args.host, args.port).await?, "--port").await?;
    let bound = listener.local_addr().map_err(|error| Failure::failed(error.to_string()))?;
    let stop = Voice::open(false, false).interrupt()?.token();
    let options = ApiOptions {
        token_required: true,
        guard: Guard::default(),
        build: build(opening::variable),
        stop: stop.clone(),
    };
    note(&format!("Taking webhooks on http://{bound}/webhooks/PIPELINE"));
    let tending = async {
        #[cfg(feature = "temporal")]
        if let Some(workflows) = workflows {
            // How often what is due is not known here: `serve` looks for what nobody does.
            workflows.repeat(service.store(), stop.clone()).await;
        }
    };
    let serving = run(listener, webhook_router(Arc::clone(&service), options), stop.clone());
    tokio::join!(serving, tending).0
}

async fn run(listener: TcpListener, routes: Router, stop: CancellationToken) -> Result<(), Failure> {
    http_api::serve(listener, routes, stop, http_api::GRACE)
        .await
        .map_err(|error| Failure::failed(format!("the server failed: {error}")))
}
