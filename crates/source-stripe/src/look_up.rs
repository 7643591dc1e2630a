//! Single objects by their ids, as the lists would show them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use protocol::{ConnectorError, ErrorKind, LookUpRequest, ObjectRef};
use tokio::sync::mpsc;

use crate::account;
use crate::accounts;
use crate::children::{Arrived, Reading, Under};
use crate::config::StripeConfig;
use crate::current::{Applier, Coverage, Key, Table, Tables, Task, Todo, What};
use crate::delivery::Sender;
use crate::driver::page_memory;
use crate::failure::RequestError;
use crate::room::Room;
use crate::source::StripeSource;

/// Asks for each object and tells `sender` of those that exist and of those that are gone.
pub(crate) async fn look_up(
    source: &StripeSource,
    config: &StripeConfig,
    request: LookUpRequest,
    sender: Sender,
) -> Result<(), ConnectorError> {
    let access = config.access()?;
    let catalog = source.catalog(&access).await?;
    let client = Arc::new(source.client(&access)?);
    let account_id = match &config.account_id {
        Some(id) => id.clone(),
        None => account::look_up(&client).await.map_err(|error| account::explain(&error))?.id,
    };
    let name = Arc::clone(&request.stream.stream.name);
    let Some(resource) = catalog.resource(&name) else { return Ok(()) };
    let mut of_accounts: BTreeMap<String, Vec<ObjectRef>> = BTreeMap::new();
    for object in request.objects {
        let account = object.account.clone().unwrap_or_else(|| account_id.clone());
        of_accounts.entry(account).or_default().push(object);
    }
    let room = Room::new(page_memory(access.limits.account_rate));
    for (account, objects) in of_accounts {
        let client = if account == account_id {
            Arc::clone(&client)
        } else {
            // What belongs to an account that is not read is not asked for.
            let Some(behalf) = accounts::behalf_of(config, &account_id, &account)? else { continue };
            Arc::new(source.client_of(&client, &access, Some(behalf), &source.meter()))
        };
        let applier = Applier {
            client,
            room: Arc::clone(&room),
            account_id: account.as_str().into(),
            api_version: access.api_version.to_string(),
            tables: Tables::new(&catalog, &[(Arc::clone(&name), resource)], &[], &config.hydrate),
            coverage: Coverage::default(),
            sender: sender.clone(),
        };
        look_at(applier, &resource.table, &name, objects).await?;
    }
    Ok(())
}

/// Asks for objects of one account.
async fn look_at(
    mut applier: Applier,
    table: &str,
    stream: &Arc<str>,
    objects: Vec<ObjectRef>,
) -> Result<(), ConnectorError> {
    let Some(at) = applier.tables.index(table) else { return Ok(()) };
    let table = applier.tables.at(at);
    let (alone, with_siblings): (Vec<ObjectRef>, Vec<ObjectRef>) =
        objects.into_iter().partition(|object| table.is_read_alone(&object.id, object.parent.as_deref()));
    look_at_siblings(&applier, table, stream, with_siblings).await?;
    let tasks = alone.into_iter().map(|object| Task {
        key: Key { table: at, what: What::Row(object.id) },
        parent: object.parent,
        // No event is behind it: what Stripe answers counts as of the answer.
        todo: Todo::Read { second: i64::MIN, in_doubt: false },
    });
    let tasks = tasks.collect();
    match applier.perform(tasks).await {
        // Nobody listens any more.
        Err(_) => Ok(()),
        Ok(failed) => failed.into_iter().next().map_or(Ok(()), |failed| Err(explain(&failed.error))),
    }
}

/// Rows that can only be read with all that are under their parents.
async fn look_at_siblings(
    applier: &Applier,
    table: &Table,
    stream: &Arc<str>,
    objects: Vec<ObjectRef>,
) -> Result<(), ConnectorError> {
    let Some(under) = table.listed_under() else { return Ok(()) };
    let mut wanted: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    for ObjectRef { id, parent, .. } in objects {
        if let Some(parent) = parent {
            wanted.entry(parent).or_default().insert(id);
        }
    }
    for (parent, mut ids) in wanted {
        let found = under_parent(applier, under, &parent).await.map_err(|error| explain(&error))?;
        let mut version = i64::MIN;
        for Arrived { page, sweep, reserved, .. } in found {
            page.ids().for_each(|id| {
                ids.remove(id);
            });
            version = sweep.map_or(version, |sweep| sweep.version);
            // Those that were not asked for do no harm: they are as they are.
            if applier.tell(stream, page, Some(reserved)).is_err() {
                return Ok(());
            }
        }
        if version > i64::MIN {
            for id in ids {
                if applier.entomb(table, &id, Some(&parent), version).is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

async fn under_parent(applier: &Applier, under: &Under, parent: &str) -> Result<Vec<Arrived>, RequestError> {
    let (arrived, mut arrives) = mpsc::unbounded_channel();
    let reading = Reading {
        client: Arc::clone(&applier.client),
        room: Arc::clone(&applier.room),
        account_id: Arc::clone(&applier.account_id),
        lane: 0,
        at_least: None,
        sweeps: true,
        arrived,
    };
    let read = async move { reading.read(under, vec![parent.to_owned()]).await };
    let gather = async {
        let mut all = Vec::new();
        while let Some(rows) = arrives.recv().await {
            all.push(rows);
        }
        all
    };
    let (read, all) = futures::join!(read, gather);
    read.map(|()| all)
}

fn explain(error: &RequestError) -> ConnectorError {
    let kind = match error.status() {
        Some(401 | 403) => ErrorKind::Auth,
        Some(status) if (400..500).contains(&status) && status != 429 => ErrorKind::Permanent,
        _ => ErrorKind::Transient,
    };
    ConnectorError::new(kind, error.to_string())
}
