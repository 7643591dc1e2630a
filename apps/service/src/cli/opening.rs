//! Opening the store, and the service over it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use connectors::{TableBudget, sheets_options, stripe_options};
use destination_google_sheets::SheetsOptions;
use engine::Engine;
use engine::process::Programs;
use engine::program::{built_in, search};
use engine::remote::RemoteEngine;
use secrecy::ExposeSecret;
use serde_json::Value;
use service::engines::Engines;
use service::guard::Guard;
use service::service::Service;
use service::steps::Steps;
use service::store::Store;
use service::vault::{KeyOptions, Vault};
use source_stripe::{SharedBudget, StripeSource, StripeSourceOptions};
use terminal::environment::Environment;

use super::args::{GuardArgs, PlaceArgs};
use super::failure::Failure;
use super::shorthand::Side;

/// The file of the store in the data directory.
const FILE: &str = "service.db";

/// Where databases of pipelines lie in the data directory.
const DATABASES: &str = "databases";

/// A variable of the environment.
pub(crate) fn variable(name: &str) -> Option<&'static str> {
    // Read once and kept: connectors' options borrow their values.
    std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| &*value.leak())
}

/// The data directory; made where it is not there, for its owner alone.
pub(crate) fn data_dir(place: &PlaceArgs) -> Result<PathBuf, Failure> {
    let home = || variable("HOME").map(|home| Path::new(home).join(".stripe-sync"));
    let dir = place.data_dir.clone().or_else(home);
    let dir = dir.ok_or_else(|| Failure::usage("no data directory: name one by --data-dir or DATA_DIR"))?;
    let absolute =
        std::path::absolute(&dir).map_err(|error| Failure::usage(format!("--data-dir: {error}")))?;
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
    builder.create(absolute.join(DATABASES)).map_err(|error| {
        Failure::usage(format!("the data directory {} cannot be made: {error}", absolute.display()))
    })?;
    Ok(absolute)
}

/// Opens the store. Fails where a pipeline in it cannot be opened.
pub(crate) async fn store(place: &PlaceArgs) -> Result<Store, Failure> {
    let store = store_unchecked(place).await?;
    store.check_keys().await.map_err(|error| Failure::failed(error.to_string()))?;
    Ok(store)
}

/// Opens the store, also where the master key of a pipeline is not known.
pub(crate) async fn store_unchecked(place: &PlaceArgs) -> Result<Store, Failure> {
    let options = KeyOptions {
        keys: variable("SYNC_SERVICE_MASTER_KEY").map(|key| key.to_owned().into()),
        file: place.master_key_file.clone(),
        command: place.master_key_command.clone(),
    };
    let usage = |error: &dyn std::fmt::Display| Failure::usage(error.to_string());
    let opened = match &place.store {
        Some(url) => {
            if !url.expose_secret().starts_with("postgres") {
                return Err(Failure::usage("--store is an address like postgres://user@host/database"));
            }
            let keys = options.load(None).await.map_err(|error| usage(&error))?;
            Store::postgres(url, Vault::new(keys)).await
        }
        None => {
            let dir = data_dir(place)?;
            let keys = options.load(Some(&dir)).await.map_err(|error| usage(&error))?;
            Store::file(&dir.join(FILE), Vault::new(keys)).await
        }
    };
    opened.map_err(|error| Failure::failed(error.to_string()))
}

/// An engine for what is asked about configurations alone; it asks nobody.
pub(crate) fn validator() -> &'static Engine {
    static ENGINE: LazyLock<Engine> =
        LazyLock::new(|| Engine::new(built_in(StripeSourceOptions::default(), SheetsOptions::default())));
    &ENGINE
}

/// The types of connectors that are built in.
pub(crate) fn connectors(side: Side) -> Vec<String> {
    let registry = validator().registry();
    match side {
        Side::Source => registry.sources().iter().map(|source| source.name().to_owned()).collect(),
        Side::Destination => registry.destinations().iter().map(|known| known.name().to_owned()).collect(),
    }
}

/// The service over the store, with nobody yet who carries pipelines on. `guard` bounds what pipelines name.
pub(crate) async fn service(place: &PlaceArgs, guard: Guard) -> Result<Service, Failure> {
    let store = Box::pin(store(place)).await?;
    let given = stripe_options(variable).map_err(|error| Failure::usage(error.to_string()))?;
    // The pipelines of a process share the rate of their account anyway; several processes lease it from their store.
    let table = place.store.as_ref().map(|url| TableBudget::connect(url, "sync_service"));
    let table = table.transpose().map_err(Failure::failed)?;
    let shared_budget = table.map(|table| Arc::new(table) as Arc<dyn SharedBudget>);
    let options = StripeSourceOptions { shared_budget, ..given };
    let stripe = StripeSource::new(options.clone());
    // Whoever may create pipelines names programs, and does not say what is run.
    let programs = Programs::new(search(&place.programs, &Environment::read()?, false)?);
    let engine = Engine::new(built_in(options, sheets_options(variable)).with_programs(programs));
    let engines = match &place.engine_url {
        Some(url) => Engines::There(
            RemoteEngine::new(url, place.engine_token.clone())
                .map_err(|error| Failure::usage(format!("--engine-url: {error}")))?,
        ),
        None => Engines::Here(engine.clone()),
    };
    Ok(Service::new(Steps::new(store, engines).guarded(guard), engine).asking(stripe))
}

/// What pipelines may name.
pub(crate) fn guard(place: &PlaceArgs, args: &GuardArgs) -> Result<Guard, Failure> {
    let folder = if args.allow_any_path { None } else { Some(data_dir(place)?.join(DATABASES)) };
    Ok(Guard { any_address: args.allow_private_addresses, allowed: args.allow_network.clone(), folder })
}

/// The OpenAPI document.
pub(crate) fn document() -> Value {
    service::api::openapi(validator().registry())
}
