//! Generated columns, typed columns, views: the same data for readers.

use destination_postgres::{PostgresConfig, PostgresDestination, Projection};
use futures::{StreamExt, stream};
use protocol::{ConfiguredCatalog, ConnectorError, Destination, Message, WriteRequest, run_to_end};
use serde_json::json;

use crate::harness::{self, Place, catalog, deletion, record, stream_errors, stripe_stream};

const PROJECTIONS: [Projection; 3] = [Projection::Generated, Projection::Typed, Projection::View];

/// A place with a projection.
struct Projected {
    place: Place,
    projection: Projection,
}

async fn place_with(projection: Projection) -> Projected {
    Projected { place: harness::place().await, projection }
}

impl Projected {
    fn config(&self) -> PostgresConfig {
        PostgresConfig { projection: self.projection, ..self.place.config() }
    }

    async fn setup(&self, catalog: &ConfiguredCatalog) -> Result<Vec<Message>, ConnectorError> {
        run_to_end(PostgresDestination.setup(self.config(), catalog.clone()).unwrap()).await
    }

    async fn teardown(&self) -> Result<Vec<Message>, ConnectorError> {
        run_to_end(PostgresDestination.teardown(self.config()).unwrap()).await
    }

    async fn write(&self, catalog: &ConfiguredCatalog, messages: Vec<Message>) -> Vec<Message> {
        let input = stream::iter(messages).map(Ok).boxed();
        let request = WriteRequest { catalog: catalog.clone(), input, sync_id: None };
        run_to_end(PostgresDestination.write(self.config(), request)).await.unwrap()
    }

    async fn query(&self, sql: &str) -> Vec<String> {
        self.place.query(sql).await
    }
}

const ROWS: [&str; 3] = [
    r#"{"id":"ch_1","amount":900719925474099312,"customer":{"id":"cus_1","name":"N"},"livemode":true,"metadata":{"a":"1"},"percent":12.50,"status":"ok","extra":[1,2],"_account_id":"acct_1","_updated_at":1700000000}"#,
    r#"{"id":"ch_2","amount":null,"customer":"cus_2","livemode":false,"percent":-0.00000000000000000001,"status":"","_account_id":"acct_1","_updated_at":1700000001}"#,
    r#"{"id":"ch_3","amount":"-9223372036854775808","customer":null,"livemode":"true","metadata":null,"percent":"1.10","status":7,"_account_id":"acct_2","_updated_at":1700000002}"#,
];

#[tokio::test]
async fn all_show_the_same_columns_and_values() {
    let catalog = catalog([stripe_stream("charge")]);
    let mut seen = Vec::new();
    for projection in PROJECTIONS {
        let place = place_with(projection).await;
        place.setup(&catalog).await.unwrap();
        let back = place.write(&catalog, ROWS.map(|row| record("charge", row)).to_vec()).await;
        assert_eq!(stream_errors(&back), [""; 0], "{projection}");
        // Over what is stored, too: changed, read again, and deleted.
        let changed = ROWS[1].replace("cus_2", "cus_3");
        let again = ROWS[0].replace("1700000000", "1700000009");
        let gone = r#"{"id":"ch_3","_account_id":"acct_2","_updated_at":1700000003}"#;
        let before = place.query("SELECT to_jsonb(c) - '_synced_at' FROM stripe.charge c ORDER BY id").await;
        place.write(&catalog, vec![record("charge", &changed), record("charge", &again)]).await;
        place.write(&catalog, vec![deletion("charge", gone)]).await;
        let after = place.query("SELECT to_jsonb(c) - '_synced_at' FROM stripe.charge c ORDER BY id").await;
        assert_eq!((before.len(), after.len()), (3, 2), "{projection}");
        let columns = "SELECT a.attname || ' ' || format_type(a.atttypid, NULL) FROM pg_attribute a \
                       WHERE a.attrelid = 'stripe.charge'::regclass AND a.attnum > 0 ORDER BY a.attnum";
        seen.push((place.query(columns).await, before, after));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}

#[tokio::test]
async fn columns_that_come_later_are_filled_in() {
    for projection in PROJECTIONS {
        let place = place_with(projection).await;
        let mut early = stripe_stream("charge");
        let properties = &mut early.stream.json_schema.as_mut().unwrap()["properties"];
        properties.as_object_mut().unwrap().retain(|name, _| name != "livemode" && name != "amount");
        let early = catalog([early]);
        place.setup(&early).await.unwrap();
        place.write(&early, vec![record("charge", ROWS[0])]).await;
        let whole = catalog([stripe_stream("charge")]);
        place.setup(&whole).await.unwrap();
        place.setup(&whole).await.unwrap();
        place.write(&whole, vec![record("charge", ROWS[1])]).await;
        let rows = "SELECT concat_ws(' ', id, livemode, amount, customer) FROM stripe.charge ORDER BY id";
        assert_eq!(
            place.query(rows).await,
            ["ch_1 t 900719925474099312 cus_1", "ch_2 f cus_2"],
            "{projection}"
        );
    }
}

#[tokio::test]
async fn what_does_not_fit_is_named_or_shown_as_null() {
    let catalog = catalog([stripe_stream("charge")]);
    let odd = json!({"id": "ch_9", "amount": 1.5, "livemode": "perhaps", "percent": "much",
        "_account_id": "acct_1", "_updated_at": 1});
    for projection in [Projection::Generated, Projection::Typed] {
        let place = place_with(projection).await;
        place.setup(&catalog).await.unwrap();
        let back = place.write(&catalog, vec![record("charge", &odd.to_string())]).await;
        let [error] = &stream_errors(&back)[..] else { panic!("{projection}: {back:?}") };
        for part in ["row ch_9, acct_1", "\"amount\" (bigint)"] {
            assert!(error.contains(part), "{projection}: {error}");
        }
    }
    let place = place_with(Projection::View).await;
    place.setup(&catalog).await.unwrap();
    let beyond = r#"{"id":"ch_8","amount":9223372036854775808,"percent":1e400,"_account_id":"acct_1","_updated_at":1}"#;
    let back =
        place.write(&catalog, vec![record("charge", &odd.to_string()), record("charge", beyond)]).await;
    assert_eq!(stream_errors(&back), [""; 0]);
    let rows = "SELECT concat_ws(' ', id, amount, livemode, length(percent::text), _raw_data->'amount') \
                FROM stripe.charge ORDER BY id";
    assert_eq!(place.query(rows).await, ["ch_8 401 9223372036854775808", "ch_9 1.5"]);
}

#[tokio::test]
async fn another_projection_is_refused_with_what_to_do() {
    let catalog = catalog([stripe_stream("charge")]);
    for existing in PROJECTIONS {
        let mut place = place_with(existing).await;
        place.setup(&catalog).await.unwrap();
        for wanted in PROJECTIONS.into_iter().filter(|wanted| *wanted != existing) {
            place.projection = wanted;
            let refusal = place.setup(&catalog).await.unwrap_err().to_string();
            let says = format!(
                "\"stripe\".\"charge\" has the projection \"{existing}\", but the configuration says \"{wanted}\""
            );
            assert!(refusal.contains(&says) && refusal.contains("run teardown"), "{refusal}");
        }
        let wanted = PROJECTIONS.into_iter().find(|wanted| *wanted != existing).unwrap();
        place.teardown().await.unwrap();
        assert_eq!(place.query("SELECT nspname FROM pg_namespace WHERE nspname = 'stripe'").await, [""; 0]);
        place.projection = wanted;
        place.setup(&catalog).await.unwrap();
    }
}
