//! Making and removing spreadsheets and tabs.

use protocol::{Control, Destination, Payload, run_to_end};
use serde_json::json;
use test_utils::sheets::Cell;

use crate::world::{World, catalog, customers, expected, page, stream_of};

#[tokio::test]
async fn a_spreadsheet_is_made_and_its_id_told() {
    let mut world = World::new().await;
    let (first, second) = (customers(), stream_of("charge", &json!({"id": {}})));
    let config = world.config_with(json!({"spreadsheet_id": null, "spreadsheet_title": "Books"}));
    let said =
        run_to_end(world.destination.setup(config, catalog(&[&first, &second])).unwrap()).await.unwrap();
    let told = said.iter().find_map(|message| match &message.payload {
        Payload::Control(Control::DestinationConfig { destination_config }) => {
            Some(destination_config.clone())
        }
        _ => None,
    });
    let told = told.expect("a new configuration");
    world.id = told["spreadsheet_id"].as_str().unwrap().to_owned();
    let made = world.server.spreadsheet(&world.id);
    assert_eq!(made.title, "Books");
    assert!(made.sheet("Sheet1").is_none(), "the first tab is the first stream's");
    assert!(made.sheet("_sync_engine").unwrap().hidden);
    assert_eq!(made.sheet("charge").unwrap().headers(), ["id", "_updated_at", "_synced_at"]);

    let overview = &made.sheets[0];
    assert_eq!(
        (overview.title.as_str(), overview.cell(0, 0).shown().as_str()),
        ("Overview", "Stripe Sync Engine")
    );
    assert_eq!(overview.cell(7, 2), &Cell::Formula("=COUNTUNIQUE('customer'!A2:A)".to_owned()));

    // The configuration that was told works, and setup can be repeated.
    let config: destination_google_sheets::SheetsConfig = serde_json::from_value(told.into()).unwrap();
    let calls = world.server.calls().writes;
    run_to_end(world.destination.setup(config.clone(), catalog(&[&first, &second])).unwrap()).await.unwrap();
    assert_eq!(world.server.ids().len(), 2);
    assert_eq!(world.server.calls().writes, calls + 1, "only the overview is written");
    world.write(&[&first], page(&first, 3, 1)).await;
    assert_eq!(world.names("customer"), expected(3, 1));

    // Removed as a whole, because it is ours as a whole; and that can be repeated.
    run_to_end(world.destination.teardown(config.clone()).unwrap()).await.unwrap();
    assert_eq!(world.server.ids().len(), 1);
    run_to_end(world.destination.teardown(config).unwrap()).await.unwrap();
}

#[tokio::test]
async fn only_what_is_ours_is_removed() {
    let world = World::new().await;
    let stream = customers();
    world.server.edit(&world.id, |spreadsheet| {
        spreadsheet.sheet_mut("Sheet1").unwrap().set(0, 0, Cell::Text("mine".to_owned()));
    });
    world.write(&[&stream], page(&stream, 3, 1)).await;
    run_to_end(world.destination.teardown(world.config()).unwrap()).await.unwrap();
    let left = world.server.spreadsheet(&world.id);
    let titles: Vec<&str> = left.sheets.iter().map(|sheet| sheet.title.as_str()).collect();
    assert_eq!(titles, ["Sheet1"]);
    assert_eq!(left.sheets[0].cell(0, 0).shown(), "mine");
}

#[tokio::test]
async fn sheets_of_the_typescript_engine_are_adopted() {
    let world = World::new().await;
    let stream = customers();
    world.server.edit(&world.id, |spreadsheet| {
        let sheet = spreadsheet.sheet_mut("Sheet1").unwrap();
        sheet.title = "customer".to_owned();
        // As it writes them: alphabetical columns, texts as they were typed.
        let rows =
            [["_synced_at", "_updated_at", "id", "name"], ["2025-01-01T00:00:00Z", "", "cus_0", "old"]];
        for (row, cells) in rows.iter().enumerate() {
            for (column, text) in cells.iter().enumerate() {
                sheet.set(row, column, Cell::Text((*text).to_owned()));
            }
        }
        sheet.set(1, 1, Cell::Number(5.0));
    });
    world.write(&[&stream], page(&stream, 2, 10)).await;
    assert_eq!(world.names("customer"), expected(2, 10));
    let sheet = world.server.spreadsheet(&world.id).sheet("customer").unwrap().clone();
    assert_eq!(sheet.headers(), ["_synced_at", "_updated_at", "id", "name"]);
    assert_eq!(sheet.cell(1, 2).shown(), "cus_0");
}

#[tokio::test]
async fn columns_of_few_texts_get_a_list_and_others_keep_theirs() {
    let world = World::new().await;
    let with = |texts: &[&str]| stream_of("charge", &json!({"id": {}, "status": {"enum": texts}}));
    let first = with(&["failed", "paid"]);
    world.write(&[&first], Vec::new()).await;
    let lists = || world.server.spreadsheet(&world.id).sheet("charge").unwrap().validations.clone();
    assert_eq!(lists()[&1], ["failed", "paid"]);
    world.server.edit(&world.id, |spreadsheet| {
        spreadsheet.sheet_mut("charge").unwrap().validations.insert(3, vec!["mine".to_owned()]);
    });
    let writes = world.server.calls().writes;
    world.write(&[&first], Vec::new()).await;
    assert_eq!(world.server.calls().writes, writes, "nothing is new");
    world.write(&[&with(&["failed", "paid", "pending"])], Vec::new()).await;
    assert_eq!((lists()[&1].len(), lists()[&3].as_slice()), (3, ["mine".to_owned()].as_slice()));
}

#[tokio::test]
async fn an_overview_of_someone_else_is_left_alone() {
    let world = World::new().await;
    let stream = customers();
    world.server.edit(&world.id, |spreadsheet| {
        let sheet = spreadsheet.sheet_mut("Sheet1").unwrap();
        sheet.title = "Overview".to_owned();
        sheet.set(0, 0, Cell::Text("mine".to_owned()));
    });
    for _ in 0..2 {
        run_to_end(world.destination.setup(world.config(), catalog(&[&stream])).unwrap()).await.unwrap();
    }
    let made = world.server.spreadsheet(&world.id);
    let titles: Vec<&str> = made.sheets.iter().map(|sheet| sheet.title.as_str()).collect();
    assert_eq!(titles, ["Overview of the sync", "Overview", "_sync_engine", "customer"]);
    assert_eq!(made.sheet("Overview").unwrap().cell(0, 0).shown(), "mine");
    run_to_end(world.destination.teardown(world.config()).unwrap()).await.unwrap();
    assert_eq!(world.server.spreadsheet(&world.id).sheets.len(), 1);
}
