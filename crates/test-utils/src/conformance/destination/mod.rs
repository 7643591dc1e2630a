//! What every destination must do.

mod deletes;
mod exactness;
mod failures;
mod inspect;
mod lifecycle;
mod names;
mod order;
mod place;
mod random;
mod state;
mod sweeps;
mod versions;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use protocol::{AnyDestination, Stream};

use crate::conformance::{Case, Config, Report};

/// A table as it can be read back: payload text by the values of the primary key.
pub type Rows = BTreeMap<Vec<String>, String>;

/// How exactly a destination keeps a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exactness {
    /// Byte by byte.
    Text,
    /// As a JSON value with exact numbers; white space, key order, repeated keys, the spelling of
    /// strings and numbers with exponents may differ, and there are no NUL characters (`jsonb`). A row that comes
    /// again with a newer version and is otherwise the same may keep its payload, if its version is remembered.
    Value,
    /// As the cells of a sheet, the payload read back being an object of what they show: texts, numbers and truths, objects
    /// and lists as their text. There is no `null`, and texts have at most 50,000 characters.
    Cells,
}

/// A destination and ways to look at it from outside. Its configuration must have a
/// `batch_size` in rows, which the suite sets.
pub trait DestinationFixture: Sync {
    /// The destination.
    fn destination(&self) -> Arc<dyn AnyDestination>;

    /// How exactly it keeps a payload.
    fn exactness(&self) -> Exactness;

    /// The configuration of a place that nobody has written to, another one at each call.
    fn fresh(&self) -> impl Future<Output = anyhow::Result<Config>> + Send;

    /// Configurations that are well-formed but whose check must fail.
    fn unusable(&self) -> impl Future<Output = anyhow::Result<Vec<Config>>> + Send;

    /// Whether rows can be read back through the destination.
    fn can_be_inspected(&self) -> bool {
        true
    }

    /// All rows of a stream's table, read past the destination; `None` where there is no such table.
    fn rows(
        &self,
        config: &Config,
        stream: &Stream,
    ) -> impl Future<Output = anyhow::Result<Option<Rows>>> + Send;

    /// Makes a table of someone else, with a row, in the same place.
    fn make_foreign_table(&self, config: &Config) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Whether that table still has its row.
    fn foreign_table_is_whole(&self, config: &Config) -> impl Future<Output = anyhow::Result<bool>> + Send;
}

/// Checks every rule and says which do not hold.
pub async fn run_all<F: DestinationFixture>(fixture: &F) -> Report {
    crate::conformance::run(cases(fixture)).await
}

macro_rules! list {
    ($fixture:ident; $($module:ident: $($case:ident)+;)+) => {
        vec![$($(Case {
            name: concat!(stringify!($module), "::", stringify!($case)),
            run: $module::$case($fixture).boxed(),
        },)+)+]
    };
}

fn cases<F: DestinationFixture>(fixture: &F) -> Vec<Case<'_>> {
    list![fixture;
        lifecycle:
            spec_describes_an_object
            check_succeeds_in_a_usable_place
            check_fails_in_an_unusable_place
            check_leaves_nothing_behind
            rows_arrive
            setup_can_be_repeated
            setup_adds_streams_and_columns
            teardown_removes_only_what_is_ours
            teardown_can_be_repeated;
        order:
            every_message_comes_back_in_order
            records_come_back_only_once_durable
            states_come_back_only_after_their_rows
            global_states_come_back_only_after_all_rows
            what_came_before_a_broken_input_is_written
            many_streams_at_once;
        versions:
            newer_and_equal_versions_replace
            older_versions_are_skipped
            duplicates_in_a_batch_end_in_the_newest
            versions_are_compared_exactly
            repeating_a_write_changes_nothing;
        deletes:
            a_delete_removes_the_row
            an_unknown_key_can_be_deleted
            an_older_write_does_not_undo_a_delete
            a_newer_write_does
            an_older_delete_is_ignored
            a_delete_without_a_version_always_deletes
            order_within_a_batch_counts;
        sweeps:
            what_is_not_kept_goes
            where_nothing_is_kept_all_go
            other_parents_accounts_and_streams_are_left_alone
            a_newer_child_stays
            an_older_page_does_not_bring_a_child_back
            a_read_of_the_same_second_does
            order_with_records_counts
            keys_with_the_parent_in_them_are_swept
            a_malformed_sweep_fails_its_stream;
        names:
            composite_keys_keep_tenants_apart
            any_stream_name_works
            any_property_name_works;
        failures:
            a_record_without_a_version_fails_its_stream
            a_record_without_a_key_fails_its_stream
            an_unknown_stream_fails_alone;
        exactness:
            payloads_are_kept
            a_payload_of_a_mebibyte_is_kept;
        inspect:
            rows_are_read_back_as_they_were_written
            only_the_rows_that_are_asked_for_are_read_back
            the_newest_rows_come_in_whole_seconds
            what_is_not_there_has_no_rows;
        state:
            nothing_is_stored_at_first
            states_are_stored_under_their_sync
            states_of_a_failed_stream_are_not_stored
            a_state_without_rows_is_stored
            a_state_is_never_ahead_of_its_rows;
        random:
            any_interleaving_ends_as_the_model_says;
    ]
}
