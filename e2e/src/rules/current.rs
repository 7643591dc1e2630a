//! What changes in Stripe changes in the copy.

use super::{Rule, edit, test, with_postgres, with_sqlite, within};

const SOURCE: &str = "source-stripe";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "U1",
        says: "After the lists the log of events is read.",
        test: test(SOURCE, "current", "polling::changes_arrive_with_the_next_read"),
        switched_off: edit(
            "crates/source-stripe/src/read.rs",
            "match follower.poll().await {",
            "match Ok::<(), Stopped>(()) {",
        ),
    },
    Rule {
        id: "U1",
        says: "A live sync goes on to read it.",
        test: test(SOURCE, "current", "polling::changes_arrive_live"),
        switched_off: edit(
            "crates/source-stripe/src/current/stay.rs",
            "let polled = follower.poll().await;",
            "let polled: Result<(), Stopped> = Ok(());",
        ),
    },
    Rule {
        id: "U1",
        says: "A live sync applies what webhooks deliver.",
        test: test(
            SOURCE,
            "current",
            "deliveries::webhooks_tell_what_changes_and_are_answered_once_it_is_stored",
        ),
        switched_off: edit(
            "crates/source-stripe/src/current/stay.rs",
            "    follower.take(&events).await?;\n",
            "",
        ),
    },
    Rule {
        id: "U2",
        says: "Some seconds before the cursor are read again, for events that surface late.",
        test: test(SOURCE, "current", "order::events_that_surface_late_are_found"),
        switched_off: edit(
            "crates/source-stripe/src/current/position.rs",
            "(self.events_cursor - overlap).max(",
            "self.events_cursor.max(",
        ),
    },
    Rule {
        id: "U2",
        says: "The cursor's own second is read again.",
        test: test(SOURCE, "current", "order::events_of_the_cursor_s_own_second_are_found"),
        switched_off: edit(
            "crates/source-stripe/src/current/position.rs",
            "(self.events_cursor - overlap).max(",
            "(self.events_cursor + 1).max(",
        ),
    },
    Rule {
        id: "U2",
        says: "An event that was applied is known by its id.",
        test: test(SOURCE, "current", "order::events_that_are_seen_twice_have_no_effect"),
        switched_off: edit(
            "crates/source-stripe/src/current/follow.rs",
            "stretch.events.into_iter().filter(|event| !self.seen_ids.contains(&event.id)).collect();",
            "stretch.events;",
        ),
    },
    Rule {
        id: "U3",
        says: "An object shown in another API version is read again.",
        test: test(SOURCE, "current", "polling::payloads_of_another_version_are_read_again"),
        switched_off: edit(
            "crates/source-stripe/src/current/apply.rs",
            "            && event.api_version.as_deref() == Some(self.api_version.as_str())\n",
            "",
        ),
    },
    Rule {
        id: "U4",
        says: "An event that may be older than what is written is settled by reading the object.",
        test: test(SOURCE, "current", "order::a_late_event_of_the_same_second_does_not_undo_the_last"),
        switched_off: edit(
            "crates/source-stripe/src/current/decide.rs",
            "if newest.len() > 1 || standing == Standing::Unsure {",
            "if newest.len() > 1 {",
        ),
    },
    Rule {
        id: "U4",
        says: "Several changes of one second are settled by reading the object.",
        test: test(SOURCE, "current", "order::events_of_one_second_in_any_order_end_in_the_last_state"),
        switched_off: edit(
            "crates/source-stripe/src/current/decide.rs",
            "if newest.len() > 1 || standing == Standing::Unsure {",
            "if standing == Standing::Unsure {",
        ),
    },
    Rule {
        id: "U5",
        says: "A cursor older than Stripe's events reads everything again, and says so.",
        test: test(SOURCE, "current", "clock::a_cursor_older_than_stripe_s_events_reads_everything_again"),
        switched_off: edit(
            "crates/source-stripe/src/current/begin.rs",
            "if cursor < oldest {",
            "if cursor < oldest - 11 * RETENTION {",
        ),
    },
    Rule {
        id: "U5",
        says: "What is gone from objects is found by a reading of everything, however often that is interrupted.",
        test: test(
            SOURCE,
            "current",
            "clock::what_is_gone_from_objects_goes_however_often_their_reading_is_interrupted",
        ),
        switched_off: edit(
            "crates/source-stripe/src/current/follow.rs",
            "self.position.anew.contains(stream)",
            "self.position.anew.contains(stream) && stream.is_empty()",
        ),
    },
    Rule {
        id: "U5",
        says: "A stream that was left out for a while hears what happened meanwhile.",
        test: test(SOURCE, "current", "left_out::what_changed_meanwhile_is_found_when_they_come_back"),
        switched_off: edit(
            "crates/source-stripe/src/current/position.rs",
            "            self.events_cursor = since;",
            "            let _ = since;",
        ),
    },
    Rule {
        id: "U6",
        says: "Every type of event that tells of a delete deletes.",
        test: test(SOURCE, "current", "gone::every_event_that_tells_of_a_delete_deletes"),
        switched_off: edit(
            "crates/source-stripe/src/current/apply.rs",
            "is_row && (deletes(&event.kind) || shown == Some(true));",
            "is_row && shown == Some(true);",
        ),
    },
    Rule {
        id: "U6",
        says: "An object that is read again and is gone is deleted.",
        test: test(SOURCE, "current", "gone::an_object_that_is_read_again_and_gone_is_deleted"),
        switched_off: edit(
            "crates/source-stripe/src/current/apply.rs",
            "if table.says_gone(&error) => {",
            "if table.says_gone(&error) && false => {",
        ),
    },
    Rule {
        id: "U7",
        says: "A delete tells its time, so that older pages do not undo it.",
        test: test(SOURCE, "current", "order::a_delete_is_not_undone_by_what_arrives_later"),
        switched_off: edit(
            "crates/source-stripe/src/current/apply.rs",
            "self.entomb(table, id, task.parent.as_deref(), event.created)?;",
            "self.entomb(table, id, task.parent.as_deref(), 0)?;",
        ),
    },
    Rule {
        id: "U7",
        says: "SQLite remembers deletes.",
        test: with_sqlite("deletes::an_older_write_does_not_undo_a_delete"),
        switched_off: edit(
            "crates/destination-sqlite/src/writer.rs",
            "Some(deleted) if version <= deleted => Ok(false),",
            "Some(deleted) if version < deleted && false => Ok(false),",
        ),
    },
    Rule {
        id: "U7",
        says: "PostgreSQL remembers deletes.",
        test: with_postgres("deletes::an_older_write_does_not_undo_a_delete"),
        switched_off: edit(
            "crates/destination-postgres/src/write/deletion.rs",
            "buried.get(key).is_none_or(|version| upsert.version > *version);",
            "buried.get(key).is_none_or(|version| upsert.version > *version || true);",
        ),
    },
    Rule {
        id: "U8",
        says: "Children that their parent no longer holds go.",
        test: test(SOURCE, "current", "gone::children_that_their_parent_no_longer_holds_go"),
        switched_off: edit(
            "crates/source-stripe/src/current/apply.rs",
            "sweeps.iter().try_for_each(|sweep| self.sweep(&child.stream, sweep))?;",
            "drop(sweeps);",
        ),
    },
    Rule {
        id: "U8",
        says: "SQLite lets them go.",
        test: with_sqlite("sweeps::what_is_not_kept_goes"),
        switched_off: edit(
            "crates/destination-sqlite/src/writer.rs",
            "                    rows.sweep(sweep).map_err(refused)?;\n",
            "                    let _ = (sweep, Rows::sweep);\n",
        ),
    },
    Rule {
        id: "U9",
        says: "Rows carry the time whose changes they show, pages and events alike.",
        test: test(SOURCE, "current", "order::neither_a_page_nor_an_event_overwrites_what_is_newer"),
        switched_off: edit(
            "crates/source-stripe/src/page/object.rs",
            "format(stamp.version_of(updated))",
            "format(jiff::Timestamp::now().as_second() + 0 * stamp.version_of(updated))",
        ),
    },
    Rule {
        id: "U9",
        says: "A page counts as of a second that was over before it was asked for.",
        test: within(
            SOURCE,
            "stripe_clock::tests::an_answer_shows_the_seconds_that_were_over_when_it_was_asked_for",
        ),
        switched_off: edit(
            "crates/source-stripe/src/stripe_clock.rs",
            "date.saturating_sub(i64::try_from(seconds).unwrap_or(i64::MAX)).saturating_sub(1)",
            "date + 0 * seconds as i64",
        ),
    },
    Rule {
        id: "U9",
        says: "SQLite refuses rows that are older than what is stored.",
        test: with_sqlite("versions::older_versions_are_skipped"),
        switched_off: edit(
            "crates/destination-sqlite/src/layout.rs",
            "WHERE excluded._newer_than >= coalesce({}, excluded._newer_than) \\\n             AND excluded",
            "WHERE {} IS NOT 'nothing' \\\n             AND excluded",
        ),
    },
    Rule {
        id: "U9",
        says: "PostgreSQL refuses rows that are older than what is stored.",
        test: with_postgres("versions::older_versions_are_skipped"),
        switched_off: edit(
            "crates/destination-postgres/src/write/statements/upserts.rs",
            "WHEN n.moment < t.updated_at THEN 'keep'",
            "WHEN n.moment < t.updated_at THEN 'replace'",
        ),
    },
    Rule {
        id: "U10",
        says: "Lists whose changes no event tells are read again on a schedule.",
        test: test(SOURCE, "current", "clock::lists_without_reliable_events_are_read_again_on_a_schedule"),
        switched_off: edit(
            "crates/source-stripe/src/current/schedule.rs",
            "Refresh::Whole => return (last + interval <= now).then_some(Due::Whole),",
            "Refresh::Whole => return None,",
        ),
    },
];
