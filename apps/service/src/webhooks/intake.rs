//! Deliveries on their way into the store. What arrives while one lot is written makes up the next, so a busy disk writes
//! larger lots instead of keeping anybody waiting longer.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::{mpsc, oneshot};

use crate::store::{Delivery, Store};

/// Deliveries that wait to be stored; what comes beyond is refused, and Stripe repeats it.
const WAITING: usize = 2048;

/// Most deliveries, and most bytes of them, that are stored at once.
const LOT: usize = 100;
const LOT_BYTES: usize = 4 << 20;

/// Lots on their way at a time. A second one is prepared while the first is written.
const LOTS: usize = 2;

/// How a delivery went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is stored durably.
    Stored,
    /// The store cannot take it now.
    Refused,
}

struct Item {
    delivery: Delivery,
    answer: oneshot::Sender<Taken>,
}

/// Where deliveries are handed in. It must be made, and used, within a runtime.
pub(crate) struct Intake {
    line: mpsc::Sender<Item>,
    /// Transactions by which deliveries were stored, or should have been.
    pub(crate) lots: Counter,
}

impl Intake {
    /// An intake into this store.
    pub(crate) fn new(store: Store) -> Intake {
        let (line, items) = mpsc::channel(WAITING);
        let lots = Counter::default();
        tokio::spawn(run(store, items, lots.clone()));
        Intake { line, lots }
    }

    /// Stores a delivery.
    pub(crate) async fn take(&self, delivery: Delivery) -> Taken {
        let (answer, answered) = oneshot::channel();
        match self.line.try_send(Item { delivery, answer }) {
            Ok(()) => answered.await.unwrap_or(Taken::Refused),
            Err(_) => Taken::Refused,
        }
    }
}

async fn run(store: Store, mut items: mpsc::Receiver<Item>, lots: Counter) {
    let places = Arc::new(tokio::sync::Semaphore::new(LOTS));
    let mut held: Option<Item> = None;
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let first = match held.take() {
            Some(item) => item,
            None => match items.recv().await {
                Some(item) => item,
                None => return,
            },
        };
        let mut bytes = first.delivery.body.len();
        let mut lot = vec![first];
        while lot.len() < LOT {
            let Ok(item) = items.try_recv() else { break };
            bytes += item.delivery.body.len();
            if bytes > LOT_BYTES {
                held = Some(item);
                break;
            }
            lot.push(item);
        }
        lots.inc();
        let store = store.clone();
        tokio::spawn(async move {
            let (deliveries, answers): (Vec<Delivery>, Vec<_>) =
                lot.into_iter().map(|item| (item.delivery, item.answer)).unzip();
            let taken = match store.deliver(&deliveries).await {
                Ok(()) => Taken::Stored,
                Err(error) => {
                    tracing::error!(error = %error, deliveries = deliveries.len(), "webhooks cannot be stored");
                    Taken::Refused
                }
            };
            for answer in answers {
                // Whoever posted may be gone; Stripe then repeats it, and it is known by its id.
                let _ = answer.send(taken);
            }
            drop(place);
        });
    }
}
