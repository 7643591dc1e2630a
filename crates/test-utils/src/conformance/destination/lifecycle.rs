//! Being described, checked, set up and taken down.

use anyhow::{Context, ensure};
use protocol::{ConnectionState, Payload, first_of};
use serde_json::json;

use super::DestinationFixture;
use super::place::{Place, catalog, payload, state, stream, upsert};
use crate::conformance::{Config, check_config_schema};

pub(super) async fn spec_describes_an_object<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    check_config_schema(&fixture.destination().spec().config)?;
    let config = fixture.fresh().await?;
    fixture.destination().validate(&config)?;
    let mut unknown = config;
    unknown.insert("no_such_option".to_owned(), json!(1));
    ensure!(fixture.destination().validate(&unknown).is_err(), "an unknown option is accepted");
    Ok(())
}

async fn check<F: DestinationFixture>(fixture: &F, config: &Config) -> anyhow::Result<Result<(), String>> {
    let messages = fixture.destination().check(config)?;
    // `first_of` fails with the message of a failed status, which here is an answer.
    let status = first_of(messages, "connection_status", |payload| match payload {
        Payload::ConnectionStatus(status) => Some(status),
        _ => None,
    });
    Ok(match status.await {
        Ok(status) => {
            ensure!(status.status == ConnectionState::Succeeded, "a failed status was not refused");
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    })
}

pub(super) async fn check_succeeds_in_a_usable_place<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let config = fixture.fresh().await?;
    check(fixture, &config).await?.map_err(anyhow::Error::msg).context("before setup")?;
    let place = Place::new(fixture, &[stream("customer")]).await?;
    check(fixture, &place.config).await?.map_err(anyhow::Error::msg).context("after setup")
}

pub(super) async fn check_fails_in_an_unusable_place<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let unusable = fixture.unusable().await?;
    ensure!(!unusable.is_empty(), "the fixture knows no unusable configuration");
    for config in unusable {
        let Err(message) = check(fixture, &config).await? else {
            anyhow::bail!("check succeeds with {config:?}")
        };
        ensure!(message.contains(' '), "`{message}` is not a sentence");
    }
    Ok(())
}

pub(super) async fn check_leaves_nothing_behind<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    let config = fixture.fresh().await?;
    check(fixture, &config).await?.map_err(anyhow::Error::msg)?;
    ensure!(fixture.rows(&config, &stream("customer")).await?.is_none(), "check made a table");
    Ok(())
}

pub(super) async fn rows_arrive<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    let customer = stream("customer");
    let place = Place::new(fixture, std::slice::from_ref(&customer)).await?;
    let payloads: Vec<String> = (0..23).map(|at| payload(&format!("cus_{at}"), at, "a")).collect();
    place.write_well(payloads.iter().map(|payload| upsert(&customer, payload)).collect()).await?;
    place.expect(&customer, &payloads.iter().map(String::as_str).collect::<Vec<_>>()).await
}

pub(super) async fn setup_can_be_repeated<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    let customer = stream("customer");
    let place = Place::new(fixture, std::slice::from_ref(&customer)).await?;
    let row = payload("cus_1", 1, "a");
    place.write_well(vec![upsert(&customer, &row)]).await?;
    place.setup().await?;
    place.expect(&customer, &[&row]).await
}

pub(super) async fn setup_adds_streams_and_columns<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    let (mut customer, charge) = (stream("customer"), stream("charge"));
    let mut place = Place::new(fixture, std::slice::from_ref(&customer)).await?;
    let old = payload("cus_1", 1, "a");
    place.write_well(vec![upsert(&customer, &old)]).await?;

    let schema = customer.json_schema.as_mut().and_then(|schema| schema.get_mut("properties"));
    let properties =
        schema.and_then(|properties| properties.as_object_mut()).context("the suite's own schema")?;
    properties.insert("amount".to_owned(), json!({"type": "integer"}));
    properties.shift_remove("note");
    place.catalog = catalog(&[customer.clone(), charge.clone()]);
    place.setup().await?;
    place.expect(&customer, &[&old]).await?;
    let new = r#"{"id":"cus_2","note":"b","amount":7,"_account_id":"acct_1","_updated_at":2}"#;
    let other = payload("ch_1", 1, "c");
    place.write_well(vec![upsert(&customer, new), upsert(&charge, &other)]).await?;

    // A smaller catalog takes nothing away.
    place.catalog = catalog(std::slice::from_ref(&charge));
    place.setup().await?;
    place.expect(&customer, &[&old, new]).await?;
    place.expect(&charge, &[&other]).await
}

pub(super) async fn teardown_removes_only_what_is_ours<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let customer = stream("customer");
    let place = Place::new(fixture, std::slice::from_ref(&customer)).await?;
    fixture.make_foreign_table(&place.config).await?;
    ensure!(fixture.foreign_table_is_whole(&place.config).await?, "the fixture's own table is not there");
    let messages = vec![upsert(&customer, &payload("cus_1", 1, "a")), state(&customer, "1")];
    place.write_as(messages, Some("sync")).await?;
    place.teardown().await?;
    ensure!(fixture.rows(&place.config, &customer).await?.is_none(), "the stream's table is still there");
    ensure!(fixture.foreign_table_is_whole(&place.config).await?, "a table of someone else was touched");
    ensure!(place.stored("sync").await?.is_none(), "the state outlives its rows");
    place.setup().await?;
    let row = payload("cus_2", 1, "b");
    place.write_well(vec![upsert(&customer, &row)]).await?;
    place.expect(&customer, &[&row]).await
}

pub(super) async fn teardown_can_be_repeated<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    let place = Place::new(fixture, &[stream("customer")]).await?;
    place.teardown().await?;
    place.teardown().await.context("second teardown")?;
    let untouched = Place { fixture, config: fixture.fresh().await?, catalog: catalog(&[]) };
    untouched.teardown().await.context("teardown of a place that was never set up")
}
