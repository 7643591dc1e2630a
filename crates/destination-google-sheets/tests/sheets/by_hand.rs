//! What users do to a tab by hand between two runs.

use protocol::{Destination, run_to_end};
use serde_json::json;
use test_utils::sheets::{Cell, Sheet};

use crate::world::{World, customers, expected, page, upsert};

async fn edited(edit: impl FnOnce(&mut Sheet)) -> (World, usize) {
    let world = World::new().await;
    let stream = customers();
    world.write(&[&stream], page(&stream, 8, 10)).await;
    world.server.edit(&world.id, |spreadsheet| edit(spreadsheet.sheet_mut("customer").unwrap()));
    // As a run does: from where the last ended, or from the beginning.
    let from_beginning = world.stored().await.is_none_or(|state| !state.streams.contains_key("customer"));
    let messages = if from_beginning {
        page(&stream, 8, 11)
    } else {
        vec![upsert(&stream, &json!({"id": "cus_5", "name": "N5 v11", "_updated_at": 11}))]
    };
    let back = world.write(&[&stream], messages).await;
    assert!(back.errors.is_empty(), "{back:?}");
    (world, if from_beginning { 8 } else { 1 })
}

fn only_five_is_new() -> std::collections::BTreeMap<String, String> {
    let mut names = expected(8, 10);
    names.insert("cus_5".to_owned(), "N5 v11".to_owned());
    names
}

#[tokio::test]
async fn sorted_rows_are_found() {
    let (world, read) = edited(|sheet| sheet.cells[1..].reverse()).await;
    assert_eq!((read, world.names("customer")), (1, only_five_is_new()));
}

#[tokio::test]
async fn inserted_rows_are_stepped_over() {
    let (world, read) = edited(|sheet| {
        sheet.cells.insert(3, Vec::new());
        sheet.cells.insert(5, Vec::new());
    })
    .await;
    assert_eq!((read, world.names("customer")), (1, only_five_is_new()));
}

#[tokio::test]
async fn moved_columns_are_found_and_others_left_alone() {
    let (world, _) = edited(|sheet| {
        for (row, cells) in sheet.cells.iter_mut().enumerate() {
            cells.insert(1, Cell::Text(if row == 0 { "notes".to_owned() } else { format!("note {row}") }));
        }
    })
    .await;
    assert_eq!(world.names("customer"), only_five_is_new());
    let notes: Vec<String> = world.rows("customer").into_values().map(|row| row["notes"].clone()).collect();
    assert_eq!(notes, (1..=8).map(|row| format!("note {row}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn deleted_rows_are_read_again() {
    let (world, read) = edited(|sheet| {
        sheet.cells.remove(4);
        sheet.cells.remove(2);
    })
    .await;
    assert_eq!((read, world.names("customer")), (8, expected(8, 11)));
    // Then all is well again.
    assert!(world.stored().await.unwrap().streams.contains_key("customer"));
}

#[tokio::test]
async fn columns_that_were_deleted_or_renamed_are_filled_again() {
    let (world, read) = edited(|sheet| {
        // Also the name of a column that stays: it is the user's from now on.
        let at = sheet.headers().iter().position(|name| name == "name").unwrap();
        sheet.set(0, at, Cell::Text("Full name".to_owned()));
    })
    .await;
    assert_eq!((read, world.names("customer")), (8, expected(8, 11)));
    assert_eq!(world.rows("customer")["cus_2"]["Full name"], "N2 v10");

    let (world, read) = edited(|sheet| {
        let at = sheet.headers().iter().position(|name| name == "name").unwrap();
        sheet.cells.iter_mut().for_each(|cells| drop(cells.remove(at)));
    })
    .await;
    assert_eq!((read, world.names("customer")), (8, expected(8, 11)));
    // Then all is well again.
    assert!(world.stored().await.unwrap().streams.contains_key("customer"));
}

#[tokio::test]
async fn a_setup_between_forgets_it_too() {
    let world = World::new().await;
    let stream = customers();
    world.write(&[&stream], page(&stream, 3, 10)).await;
    world.server.edit(&world.id, |spreadsheet| {
        let sheet = spreadsheet.sheet_mut("customer").unwrap();
        sheet.cells[0].iter_mut().for_each(|cell| *cell = Cell::Empty);
    });
    let configured = crate::world::catalog(&[&stream]);
    let set_up = Destination::setup(&world.destination, world.config(), configured).unwrap();
    let mut said = crate::world::Back::default();
    run_to_end(set_up).await.unwrap().into_iter().for_each(|message| said.take(message));
    assert!(said.warnings[0].contains("columns were deleted or renamed by hand"), "{said:?}");
    assert!(world.stored().await.is_none_or(|state| !state.streams.contains_key("customer")));
    world.write(&[&stream], page(&stream, 3, 11)).await;
    assert_eq!(world.names("customer"), expected(3, 11));
}

#[tokio::test]
async fn of_copied_rows_one_stays() {
    let (world, read) = edited(|sheet| {
        let copy = sheet.cells[3].clone();
        sheet.cells.insert(1, copy);
    })
    .await;
    assert_eq!((read, world.names("customer")), (1, only_five_is_new()));
}

#[tokio::test]
async fn a_tab_that_was_deleted_is_made_and_read_again() {
    let world = World::new().await;
    let stream = customers();
    world.write(&[&stream], page(&stream, 3, 10)).await;
    world.server.edit(&world.id, |spreadsheet| spreadsheet.sheets.retain(|sheet| sheet.title != "customer"));
    assert!(!world.stored().await.unwrap().streams.contains_key("customer"));
    world.write(&[&stream], page(&stream, 3, 11)).await;
    assert_eq!(world.names("customer"), expected(3, 11));
}

#[tokio::test]
async fn a_renamed_tab_stays_ours() {
    let world = World::new().await;
    let stream = customers();
    world.write(&[&stream], page(&stream, 3, 10)).await;
    world.server.edit(&world.id, |spreadsheet| {
        spreadsheet.sheet_mut("customer").unwrap().title = "Kunden".to_owned();
    });
    world.write(&[&stream], page(&stream, 3, 11)).await;
    assert_eq!(world.names("Kunden"), expected(3, 11));
    assert!(world.server.spreadsheet(&world.id).sheet("customer").is_none());
}

#[tokio::test]
async fn a_tab_without_the_key_is_not_ours() {
    let world = World::new().await;
    let stream = customers();
    world.server.edit(&world.id, |spreadsheet| {
        let sheet = spreadsheet.sheet_mut("Sheet1").unwrap();
        sheet.title = "customer".to_owned();
        sheet.set(0, 0, Cell::Text("my list".to_owned()));
    });
    let back = world.write(&[&stream], page(&stream, 3, 10)).await;
    assert!(back.states.is_empty() && back.errors[0].contains("Rename the tab"), "{back:?}");
    assert_eq!(world.server.spreadsheet(&world.id).sheet("customer").unwrap().data().count(), 0);
}
