//! Keys, and names of streams and properties.

use anyhow::Context;
use protocol::Stream;
use serde_json::json;

use super::DestinationFixture;
use super::place::{Place, delete, payload, stream, upsert};

pub(super) async fn composite_keys_keep_tenants_apart<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let customer = stream("customer");
    let place = Place::new(fixture, std::slice::from_ref(&customer)).await?;
    let row = |account: &str, id: &str, version: i64| {
        format!(r#"{{"id":"{id}","n":{version},"_account_id":"{account}","_updated_at":{version}}}"#)
    };
    let (first, second) = (row("acct_1", "cus_1", 5), row("acct_2", "cus_1", 3));
    // Joined without care these two keys are one.
    let (third, fourth) = (row("c", "a,b", 1), row("b,c", "a", 1));
    let all = [&first, &second, &third, &fourth];
    place.write_well(all.iter().map(|row| upsert(&customer, row)).collect()).await?;
    place.expect(&customer, &all.map(String::as_str)).await?;
    place.write_well(vec![delete(&customer, &row("acct_1", "cus_1", 9))]).await?;
    let again = row("acct_2", "cus_1", 4);
    place.write_well(vec![upsert(&customer, &again), upsert(&customer, &first)]).await?;
    place.expect(&customer, &[&again, &third, &fourth]).await
}

pub(super) async fn any_stream_name_works<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    let long = "a_long_name_".repeat(12);
    let twin = format!("{long}_2");
    let names = [
        "order",
        "select",
        "a.b",
        "with space",
        "quo\"te",
        "apo'strophe",
        "back\\slash",
        "semi;colon",
        "naïve",
        "日本",
        "😀",
        "100%",
        "$1",
        "{}",
        &long,
        &twin,
    ];
    let streams: Vec<Stream> = names.iter().map(|name| stream(name)).collect();
    let place = Place::new(fixture, &streams).await?;
    let row = payload("id_1", 1, "a");
    let doomed = payload("id_2", 1, "b");
    let gone = payload("id_2", 2, "b");
    for stream in &streams {
        let own = payload("id_3", 1, &stream.name);
        let messages = vec![
            upsert(stream, &row),
            upsert(stream, &doomed),
            delete(stream, &gone),
            upsert(stream, &doomed),
            upsert(stream, &own),
        ];
        place.write_well(messages).await.with_context(|| format!("stream {:?}", stream.name))?;
    }
    for stream in &streams {
        let own = payload("id_3", 1, &stream.name);
        place.expect(stream, &[&row, &own]).await.with_context(|| format!("stream {:?}", stream.name))?;
    }
    place.teardown().await
}

pub(super) async fn any_property_name_works<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    let long = "a_long_name_".repeat(12);
    let names = [
        "note",
        "Note",
        "NOTE",
        "select",
        "a.b",
        "quo\"te",
        "apo'strophe",
        "back\\slash",
        "日本",
        "😀",
        "$",
        "$.x",
        "",
        " ",
        "_raw_data",
        "_synced_at",
        "_Updated_At",
        "ID",
        "rowid",
        "oid",
        "xmin",
        "tableoid",
        "ctid",
        &long,
    ];
    let mut properties = serde_json::Map::new();
    properties.insert("id".to_owned(), json!({"type": "string"}));
    for name in names {
        properties.insert(name.to_owned(), json!({"type": "string"}));
    }
    properties.insert("_account_id".to_owned(), json!({"type": "string"}));
    properties.insert("_updated_at".to_owned(), json!({"type": "integer"}));
    let mut customer = stream("customer");
    customer.json_schema = json!({"type": "object", "properties": properties}).as_object().cloned();
    let place = Place::new(fixture, std::slice::from_ref(&customer)).await?;
    let mut data = serde_json::Map::new();
    data.insert("id".to_owned(), json!("cus_1"));
    for name in names {
        data.insert(name.to_owned(), json!(format!("value of {name}")));
    }
    data.insert("_account_id".to_owned(), json!("acct_1"));
    data.insert("_updated_at".to_owned(), json!(1));
    let row = serde_json::to_string(&data)?;
    place.write_well(vec![upsert(&customer, &row)]).await?;
    place.setup().await.context("second setup")?;
    place.expect(&customer, &[&row]).await
}
