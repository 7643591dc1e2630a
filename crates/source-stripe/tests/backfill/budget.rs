//! Reading at a rate that is leased.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use protocol::{Payload, ReadRequest, Source, StreamStatus};
use source_stripe::{
    ALL_ENDPOINTS, BudgetLease, BudgetWant, SharedBudget, StripeSource, StripeSourceOptions,
};

use crate::reading::{Account, newest, simulation};

/// Leases what is wanted, as long as it can be reached.
#[derive(Debug, Default)]
struct Generous {
    unreachable: bool,
    asked: Mutex<Vec<(String, String, Vec<BudgetWant>)>>,
}

impl SharedBudget for Generous {
    fn lease(
        &self,
        account: String,
        holder: String,
        wants: Vec<BudgetWant>,
    ) -> BoxFuture<'static, Result<BudgetLease, Box<dyn Error + Send + Sync>>> {
        let rates = wants.iter().map(|want| want.wanted).collect();
        self.asked.lock().unwrap().push((account, holder, wants));
        let unreachable = self.unreachable;
        Box::pin(async move {
            if unreachable {
                return Err("no database".into());
            }
            Ok(BudgetLease { rates, valid_for: Duration::from_secs(2), holders: 1 })
        })
    }
}

async fn read_with(budget: &Arc<Generous>) {
    let account = Account::start(&newest(), simulation(&newest()).table("charge", 450)).await;
    let catalog = account.streams(&["charge", "refund"]).await;
    let shared_budget: Option<Arc<dyn SharedBudget>> = Some(Arc::clone(budget) as _);
    let source = StripeSource::new(StripeSourceOptions { shared_budget, ..StripeSourceOptions::default() });
    let request = ReadRequest { catalog, state: None, input: None, durable: None };
    let mut messages = source.read(account.config(), request);
    let (mut rows, mut complete) = (0, 0);
    while let Some(message) = messages.next().await {
        match message.unwrap().payload {
            Payload::Record(_) => rows += 1,
            Payload::StreamStatus(status) if status.status == StreamStatus::Complete => complete += 1,
            _ => {}
        }
    }
    assert_eq!((rows, complete), (450, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_was_leased_for_the_account_and_the_endpoint() {
    let budget = Arc::new(Generous::default());
    read_with(&budget).await;
    let asked = budget.asked.lock().unwrap();
    let (account, holder, _) = &asked[0];
    assert!(asked.iter().all(|(of, by, _)| of == account && by == holder));
    assert!(!account.contains("sk_"), "the key stays here");
    for endpoint in [ALL_ENDPOINTS, "/v1/charges", "/v1/refunds"] {
        let wanted = asked.iter().any(|(.., wants)| wants.iter().any(|want| want.endpoint == endpoint));
        assert!(wanted, "{endpoint} was not leased");
    }
    let of_all = asked.iter().flat_map(|(.., wants)| wants).find(|want| want.endpoint == ALL_ENDPOINTS);
    assert_eq!(of_all.map(|want| want.full_rate), Some(100_000.0));
    // A handful, not one for each request.
    assert!(asked.len() <= 10, "{}", asked.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_others_it_goes_on_alone() {
    let budget = Arc::new(Generous { unreachable: true, ..Generous::default() });
    read_with(&budget).await;
    assert!(!budget.asked.lock().unwrap().is_empty());
}
