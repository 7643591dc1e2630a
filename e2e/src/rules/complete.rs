//! Nothing is missing.

use super::{Rule, edit, test, with_sqlite, within};

const SOURCE: &str = "source-stripe";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "C1",
        says: "Subscriptions are listed with `status=all`.",
        test: test(SOURCE, "backfill", "hidden::canceled_subscriptions_arrive"),
        switched_off: edit(
            "crates/source-stripe/src/passes.rs",
            "let always = lists::always_sent(&list.path).filter(|(name, _)| list.takes(name));",
            "let always = lists::always_sent(&list.path).filter(|(name, _)| *name != \"status\");",
        ),
    },
    Rule {
        id: "C2",
        says: "Closed v2 accounts are listed too.",
        test: test(SOURCE, "backfill", "hidden::closed_accounts_arrive"),
        switched_off: edit(
            "crates/source-stripe/src/passes.rs",
            "Remedy::ListAgain(name, value) if list.takes(name) => again(&mut passes, name, value),",
            "Remedy::ListAgain(..) => {}",
        ),
    },
    Rule {
        id: "C2",
        says: "Lists are read again for each test clock.",
        test: test(SOURCE, "backfill", "hidden::objects_of_test_clocks_arrive"),
        switched_off: edit(
            "crates/source-stripe/src/passes.rs",
            "for clock in clocks {",
            "for clock in clocks.iter().take(0) {",
        ),
    },
    Rule {
        id: "C2",
        says: "Payment methods of customers are listed under each customer where the list of all hides them.",
        test: test(SOURCE, "backfill", "children::rows_that_a_list_hides_are_read_under_their_parents"),
        switched_off: edit(
            "crates/source-stripe/src/children/sources.rs",
            ".any(|hidden| matches!(hidden.remedy, Remedy::ListUnder(under) if under == parent))",
            ".any(|_| parent.is_empty())",
        ),
    },
    Rule {
        id: "C2",
        says: "Tax ids of customers come within the list of customers, which is read once for both.",
        test: test(SOURCE, "backfill", "children::customers_and_their_tax_ids_come_from_one_list"),
        switched_off: edit(
            "crates/source-stripe/src/driver.rs",
            "on_request.clone().for_each(|(_, lent)| pass.expand(&lent.property));",
            "",
        ),
    },
    Rule {
        id: "C2",
        says: "Where customers are not read for the first time beside them, tax ids read that list themselves.",
        test: test(
            SOURCE,
            "backfill",
            "children::hidden_rows_of_old_parents_arrive_where_events_are_not_followed",
        ),
        switched_off: edit(
            "crates/source-stripe/src/passes.rs",
            "pass.expand(property);",
            "pass.takes_limit |= property.is_empty();",
        ),
    },
    Rule {
        id: "C3",
        says: "Nested lists that are cut are fetched to their ends, and only those.",
        test: test(SOURCE, "backfill", "nested::lists_of_any_length_are_whole_and_cost_what_they_must"),
        switched_off: edit(
            "crates/source-stripe/src/brought.rs",
            "nested::complete::complete_page(client, &mut page, |bytes| reserved.set(bytes)).await?;",
            "",
        ),
    },
    Rule {
        id: "C4",
        says: "Children in their parents come with the parents' pages, at no cost.",
        test: test(
            SOURCE,
            "backfill",
            "children::children_in_nested_lists_come_with_their_parents_for_nothing",
        ),
        switched_off: edit(
            "crates/source-stripe/src/streams.rs",
            "leader.filter(|leader| agrees(*leader))",
            "leader.filter(|leader| agrees(*leader) && false)",
        ),
    },
    Rule {
        id: "C4",
        says: "Other children are listed under each parent, by one request each.",
        test: test(SOURCE, "backfill", "children::children_that_are_listed_under_each_parent"),
        switched_off: edit("crates/source-stripe/src/brought.rs", "reading.read(under, parents).await?;", ""),
    },
    Rule {
        id: "C5",
        says: "A payload is copied with all of its members, known or not.",
        test: within(SOURCE, "page::object::tests::white_space_goes_and_all_else_stays"),
        switched_off: edit(
            "crates/source-stripe/src/page/object.rs",
            "        _ => Key::Other,\n    }\n}",
            "        _ => Key::Stamp,\n    }\n}",
        ),
    },
    Rule {
        id: "C5",
        says: "The engine drops only what the user deselected.",
        test: within("engine", "delivery::tests::payloads_stay_whole_without_a_selection"),
        switched_off: edit(
            "apps/engine/src/selection.rs",
            "    let fields = configured.fields.as_ref().filter(|fields| !fields.is_empty())?;\n",
            "    let schema = configured.stream.json_schema.as_ref();\n    \
             let known = schema.and_then(|schema| schema.get(\"properties\")?.as_object());\n    \
             let known = known.map(|known| known.keys().cloned().collect::<Vec<String>>());\n    \
             let fields = configured.fields.clone().or(known)?;\n",
        ),
    },
    Rule {
        id: "C6",
        says: "The second of the last object seen is read to its end, however many objects it has.",
        test: test(SOURCE, "backfill", "complete::hundreds_of_objects_in_one_second_all_arrive"),
        switched_off: edit(
            "crates/source-stripe/src/plan/planner.rs",
            "let lt = (oldest + 1).min(window.lt);",
            "let lt = (*oldest).min(window.lt);",
        ),
    },
    Rule {
        id: "C7",
        says: "A cursor whose object was deleted is replaced by the time reached.",
        test: test(SOURCE, "backfill", "faults::a_deleted_cursor_loses_nothing"),
        switched_off: edit(
            "crates/source-stripe/src/driver.rs",
            "&& self.lanes[lane].planner.cursor_lost(request.range)",
            "&& false",
        ),
    },
    Rule {
        id: "C8",
        says: "Events are followed from a time before the first list is read.",
        test: test(SOURCE, "current", "beginning::what_changes_during_the_backfill_arrives"),
        switched_off: edit(
            "crates/source-stripe/src/current/begin.rs",
            "..Position::beginning(now) }",
            "..Position::beginning(now + 60) }",
        ),
    },
    Rule {
        id: "C9",
        says: "A state is emitted behind the rows it stands for.",
        test: test(SOURCE, "backfill", "resume::a_stream_read_in_sequence_resumes_from_every_state"),
        switched_off: edit(
            "crates/source-stripe/src/driver.rs",
            "for (name, rows) in names.iter().zip(brought.rows) {",
            "self.say_all(after.clone())?;\n        for (name, rows) in names.iter().zip(brought.rows) {",
        ),
    },
    Rule {
        id: "C9",
        says: "A destination stores a state together with the rows before it.",
        test: with_sqlite("state::states_of_a_failed_stream_are_not_stored"),
        switched_off: edit(
            "crates/destination-sqlite/src/writer.rs",
            "        let now = Timestamp::now();\n        let mut steps = Vec::new();\n",
            "        let now = Timestamp::now();\n        \
             if let Some((sync_id, state)) = self.sync_id.as_deref().zip(batch.state()) {\n            \
             self.database.transaction(|transaction| {\n                \
             state::store(transaction, sync_id, stream, state, now).map_err(|cause| self.database.refused(cause))\n            \
             })?;\n        }\n        let mut steps = Vec::new();\n",
        ),
    },
    Rule {
        id: "C10",
        says: "Of a widened time range exactly the new parts are read.",
        test: test(SOURCE, "backfill", "complete::bounds_are_exact_and_a_wider_range_reads_only_what_is_new"),
        switched_off: edit(
            "crates/source-stripe/src/stream_state.rs",
            "vec![Window::new(self.accounted.lt, wanted.lt), Window::new(wanted.gte, self.accounted.gte)]",
            "vec![wanted]",
        ),
    },
    Rule {
        id: "C10",
        says: "A stream whose fields or transforms change is read again, and keeps its place in the events.",
        test: test(
            SOURCE,
            "current",
            "formed::a_stream_that_is_kept_otherwise_is_read_again_and_keeps_its_place_in_the_events",
        ),
        switched_off: edit(
            "crates/source-stripe/src/current/form.rs",
            "is_some_and(|form| form != before(stream))",
            "is_some_and(|_| false)",
        ),
    },
    Rule {
        id: "C11",
        says: "Every list is a stream, with events or without.",
        test: within(SOURCE, "discover::tests::streams_without_events_say_so"),
        switched_off: edit(
            "crates/source-stripe/src/discover.rs",
            "let own = catalog.listable().map(",
            "let own = catalog.listable().filter(|(resource, _)| resource.supports_realtime()).map(",
        ),
    },
    Rule {
        id: "C12",
        says: "An answer that is not the expected list is an error, never an empty page.",
        test: within(SOURCE, "page::list::tests::nothing_else_passes_for_a_list"),
        switched_off: edit(
            "crates/source-stripe/src/page/list.rs",
            "(None, _) => return Err(Unexpected(\"the list does not say whether it has more\".to_owned())),",
            "(None, _) => None,",
        ),
    },
    Rule {
        id: "C12",
        says: "An answer without the list's items is asked for again.",
        test: test(SOURCE, "backfill", "faults::a_storm_of_faults_loses_nothing"),
        switched_off: edit(
            "crates/source-stripe/src/page/list.rs",
            "    let Some(data) = envelope.data else {\n        \
             return Err(Unexpected(\"the body is not a list: it has no `data`\".to_owned()));\n    };\n",
            "    let Some(data) = envelope.data else { return Page::of(&[], 0, stamp) };\n",
        ),
    },
];
