//! What is claimed of the copy can be shown.

use super::{Rule, edit, test, with_sqlite, within};

const SOURCE: &str = "source-stripe";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "P1",
        says: "`reconcile` finds rows that differ and heals them.",
        test: test("engine", "library", "reconciling::a_file_is_compared_and_healed"),
        switched_off: edit(
            "apps/engine/src/reconcile/comparison.rs",
            "let equal = row.is_some_and(|row| row.hash == expected.hash);",
            "let equal = row.is_some_and(|row| row.hash == expected.hash || true);",
        ),
    },
    Rule {
        id: "P1",
        says: "`reconcile` finds rows that Stripe does not have.",
        test: test("engine", "library", "reconciling::only_what_was_created_since_is_compared"),
        switched_off: edit(
            "apps/engine/src/reconcile/comparison.rs",
            ".filter(|row| row.version <= began).collect()",
            ".filter(|row| row.version <= began && false).collect()",
        ),
    },
    Rule {
        id: "P1",
        says: "`reconcile` keeps to its budget of requests, and goes on from where it stopped.",
        test: test("engine", "library", "reconciling::a_budget_is_kept_with_a_file"),
        switched_off: edit(
            "apps/engine/src/reconcile/budget.rs",
            "self.most.is_some_and(|most| self.used() > most)",
            "self.most.is_some_and(|most| self.used() > most && false)",
        ),
    },
    Rule {
        id: "P2",
        says: "A run in which a stream failed has failed.",
        test: within("engine", "progress::tests::the_status_of_the_run_hides_nothing"),
        switched_off: edit("apps/engine/src/progress.rs", "if has(Errored) {", "if has(Errored) && false {"),
    },
    Rule {
        id: "P2",
        says: "A stream with nothing to do is complete.",
        test: within("engine", "progress::tests::a_stream_with_nothing_to_do_is_complete"),
        switched_off: edit(
            "apps/engine/src/progress.rs",
            "if stream.status == StreamRunStatus::NotStarted {",
            "if stream.status == StreamRunStatus::NotStarted && false {",
        ),
    },
    Rule {
        id: "P2",
        says: "A stream that could not be read to its end is not complete.",
        test: test(SOURCE, "backfill", "nested::a_list_that_cannot_be_completed_is_not_passed_for_whole"),
        switched_off: edit(
            "crates/source-stripe/src/driver.rs",
            "let status = verdict::of(&self.streams[lane].name, error);",
            "let status = StreamStatus::Complete;",
        ),
    },
    Rule {
        id: "P2",
        says: "Totals count what is in the tables: a record is counted once it is durable.",
        test: with_sqlite("order::records_come_back_only_once_durable"),
        switched_off: edit(
            "crates/destination-sqlite/src/writer.rs",
            "self.blocking(move |inner| inner.commit(&batch)).await",
            "let this = self.clone();\n        \
             tokio::spawn(async move {\n            \
             tokio::time::sleep(std::time::Duration::from_millis(20)).await;\n            \
             this.blocking(move |inner| inner.commit(&batch)).await\n        });\n        Ok(())",
        ),
    },
    Rule {
        id: "P3",
        says: "Rows say on request which page or reading wrote them.",
        test: test(SOURCE, "current", "provenance::rows_say_which_page_reading_or_event_wrote_them"),
        switched_off: edit(
            "crates/source-stripe/src/client.rs",
            "let name = self.provenance.then(||",
            "let name = (self.provenance && false).then(||",
        ),
    },
    Rule {
        id: "P3",
        says: "Rows say on request which event wrote them.",
        test: test(SOURCE, "current", "provenance::rows_say_which_page_reading_or_event_wrote_them"),
        switched_off: edit(
            "crates/source-stripe/src/current/apply.rs",
            "self.client.tells_provenance().then_some(&*event.id)",
            "self.client.tells_provenance().then_some(&*event.id).filter(|_| false)",
        ),
    },
    Rule {
        id: "P4",
        says: "Integers of any size are shown with all of their digits in SQLite.",
        test: within("destination-sqlite", "column::tests::values_are_shown_exactly_or_as_their_text"),
        switched_off: edit(
            "crates/destination-sqlite/src/column.rs",
            "CASE typeof({value}) WHEN 'integer' THEN {value} ELSE {digits} END \")",
            "CASE {digits} WHEN '' THEN 0 ELSE {value} END \")",
        ),
    },
    Rule {
        id: "P4",
        says: "Numbers are `numeric` in PostgreSQL, never floats.",
        test: within("destination-postgres", "table::column::tests::nullable_types_are_unwrapped"),
        switched_off: edit(
            "crates/destination-postgres/src/table/column.rs",
            "Some(\"number\") => Column::new(field, \"numeric\", cast(\"numeric\")),",
            "Some(\"number\") => Column::new(field, \"double precision\", cast(\"double precision\")),",
        ),
    },
    Rule {
        id: "P4",
        says: "What does not fit a column is named as row and column, or shown as NULL by a view; never as something else.",
        test: test(
            "destination-postgres",
            "postgres",
            "projections::what_does_not_fit_is_named_or_shown_as_null",
        ),
        switched_off: edit(
            "crates/destination-postgres/src/table/view.rs",
            "BETWEEN -9223372036854775808 AND 9223372036854775807",
            "BETWEEN -9223372036854775808 AND 9223372036854775808",
        ),
    },
];
