//! What Google Sheets keeps to.

use super::{Rule, Test, edit, test, within};

const SHEETS: &str = "destination-google-sheets";

/// A case of the suite that all destinations pass.
const fn conforms(case: &'static str) -> Test {
    Test { package: SHEETS, binary: "sheets", path: "conformance::conforms", case: Some(case) }
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "C9",
        says: "Google Sheets gives no state back for rows that are not written.",
        test: test(SHEETS, "sheets", "troubles::no_state_comes_back_for_rows_that_are_not_written"),
        switched_off: edit(
            "crates/destination-google-sheets/src/actor.rs",
            "Err(error) => self.fail(ready, &error),",
            "Err(_) => ready.into_iter().for_each(|job| answer(job.job, Ok(()))),",
        ),
    },
    Rule {
        id: "C9",
        says: "A stream whose rows users deleted from a sheet is read again.",
        test: test(SHEETS, "sheets", "by_hand::deleted_rows_are_read_again"),
        switched_off: edit(
            "crates/destination-google-sheets/src/state.rs",
            "if short.contains(stream) {",
            "if short.contains(stream) && stream.is_empty() {",
        ),
    },
    Rule {
        id: "U7",
        says: "Google Sheets remembers deletes.",
        test: conforms("deletes::an_older_write_does_not_undo_a_delete"),
        switched_off: edit(
            "crates/destination-google-sheets/src/stream.rs",
            "if version <= deleted {",
            "if version < i64::MIN.min(deleted) {",
        ),
    },
    Rule {
        id: "U8",
        says: "Google Sheets lets them go.",
        test: test(SHEETS, "sheets", "rows::children_that_are_gone_are_swept"),
        switched_off: edit(
            "crates/destination-google-sheets/src/stream.rs",
            "for key in self.stream.index.children(&sweep.parent) {",
            "for key in self.stream.index.children(\"\") {",
        ),
    },
    Rule {
        id: "U9",
        says: "Google Sheets refuses rows that are older than what is stored.",
        test: conforms("versions::older_versions_are_skipped"),
        switched_off: edit(
            "crates/destination-google-sheets/src/stream.rs",
            "Some(entry) if version < entry.version => return,",
            "Some(entry) if version < entry.version.min(i64::MIN) => return,",
        ),
    },
    Rule {
        id: "U9",
        says: "A row of a sheet is found by its key, wherever users moved it, and of two rows of a key the newer one stays.",
        test: within(SHEETS, "index::tests::of_twins_the_newer_stays"),
        switched_off: edit(
            "crates/destination-google-sheets/src/index.rs",
            "Some((_, newer)) if newer >= version => {",
            "Some((_, newer)) if newer >= i64::MIN => {",
        ),
    },
    Rule {
        id: "P4",
        says: "Numbers keep all of their digits in Google Sheets, as texts where a cell cannot hold them as numbers.",
        test: test(SHEETS, "sheets", "rows::texts_stay_texts_and_numbers_keep_their_digits"),
        switched_off: edit(
            "crates/destination-google-sheets/src/cell.rs",
            "_ if is_exact(json) => Written",
            "_ if is_exact(json) || !json.is_empty() => Written",
        ),
    },
    Rule {
        id: "P4",
        says: "What is written into a sheet is never taken for a formula.",
        test: test(SHEETS, "sheets", "rows::texts_stay_texts_and_numbers_keep_their_digits"),
        switched_off: edit(
            "crates/destination-google-sheets/src/api.rs",
            "let option = if formulas { \"USER_ENTERED\" } else { \"RAW\" };",
            "let option = if formulas || true { \"USER_ENTERED\" } else { \"RAW\" };",
        ),
    },
    Rule {
        id: "P4",
        says: "A text longer than a cell is cut with a mark, and said.",
        test: test(SHEETS, "sheets", "limits::long_texts_are_cut_and_said"),
        switched_off: edit(
            "crates/destination-google-sheets/src/stream.rs",
            "if written.cut && cut.insert(name.to_owned()) {",
            "if written.cut && cut.contains(name) && cut.insert(name.to_owned()) {",
        ),
    },
];
