//! The picture in the documentation.

use serde_json::json;
use test_utils::sheets::picture;

use crate::world::{World, stream_of, upsert};

/// `UPDATE_PICTURES=1` draws it anew.
#[tokio::test]
async fn the_committed_picture_is_what_is_written() {
    let world = World::new().await;
    let stream = stream_of(
        "customer",
        &json!({"id": {}, "balance": {}, "email": {}, "name": {}, "tax_exempt": {"enum": ["none", "exempt"]}, "address": {}}),
    );
    let rows = [
        ("cus_Qf2nPz", -1250, "ada@example.com", "Ada Lovelace", r#"{"city":"London","country":"GB"}"#),
        ("cus_Qf2nR1", 0, "grace@example.com", "Grace Hopper", r#"{"city":"Arlington","country":"US"}"#),
        ("cus_Qf2nT8", 9900, "formula@example.com", "=SUM(A1:A9)", "null"),
        ("cus_Qf2nV4", 0, "emmy@example.com", "Emmy Noether", r#"{"city":"Erlangen","country":"DE"}"#),
    ];
    let record = |(id, balance, email, name, address): (&str, i64, &str, &str, &str)| {
        let address: serde_json::Value = serde_json::from_str(address).unwrap();
        upsert(
            &stream,
            &json!({
                "id": id, "balance": balance, "email": email, "name": name, "tax_exempt": "none", "address": address,
                "_updated_at": 1_767_225_600,
            }),
        )
    };
    world.write(&[&stream], rows.into_iter().map(record).collect()).await;
    let spreadsheet = world.server.spreadsheet(&world.id);
    let drawn = picture(&spreadsheet, "customer", 6, 7);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/images/google-sheets.svg");
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        std::fs::write(file, &drawn).unwrap();
    }
    assert!(drawn == std::fs::read_to_string(file).unwrap(), "run this test with UPDATE_PICTURES=1");
}
