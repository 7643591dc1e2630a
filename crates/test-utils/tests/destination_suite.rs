//! The suite for destinations finds what is wrong, and only that.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod memory;

use memory::{Defect, MemoryFixture};
use test_utils::conformance::destination::run_all;

/// Every defect, with a case that must find it.
const FOUND_BY: &[(Defect, &str)] = &[
    (Defect::CheckAlwaysSucceeds, "lifecycle::check_fails_in_an_unusable_place"),
    (Defect::CheckMakesTables, "lifecycle::check_leaves_nothing_behind"),
    (Defect::SetupEmptiesTables, "lifecycle::setup_can_be_repeated"),
    (Defect::TeardownTakesForeignTables, "lifecycle::teardown_removes_only_what_is_ours"),
    (Defect::StateOutlivesTeardown, "lifecycle::teardown_removes_only_what_is_ours"),
    (Defect::HandsBackBeforeWriting, "order::records_come_back_only_once_durable"),
    (Defect::HandsBackBeforeWriting, "order::states_come_back_only_after_their_rows"),
    (Defect::GlobalStatesOvertake, "order::global_states_come_back_only_after_all_rows"),
    (Defect::SwallowsLogs, "order::every_message_comes_back_in_order"),
    (Defect::DropsWhatPrecedesAFailure, "order::what_came_before_a_broken_input_is_written"),
    (Defect::OldReplacesNew, "versions::older_versions_are_skipped"),
    (Defect::EqualDoesNotReplace, "versions::newer_and_equal_versions_replace"),
    (Defect::ComparesVersionsAsFloats, "versions::versions_are_compared_exactly"),
    (Defect::FirstOfABatchWins, "versions::duplicates_in_a_batch_end_in_the_newest"),
    (Defect::DeletesLeaveNoTrace, "deletes::an_older_write_does_not_undo_a_delete"),
    (Defect::DeletesLeaveNoTrace, "random::any_interleaving_ends_as_the_model_says"),
    (Defect::DeletesAreNotGated, "deletes::an_older_delete_is_ignored"),
    (Defect::DeletesComeLastInABatch, "deletes::order_within_a_batch_counts"),
    (Defect::DeletesNeedAVersion, "deletes::a_delete_without_a_version_always_deletes"),
    (Defect::KeyIsTheIdAlone, "names::composite_keys_keep_tenants_apart"),
    (Defect::KeyPartsAreJoined, "names::composite_keys_keep_tenants_apart"),
    (Defect::BadRecordsAreSkipped, "failures::a_record_without_a_version_fails_its_stream"),
    (Defect::BadRecordsAreSkipped, "failures::a_record_without_a_key_fails_its_stream"),
    (Defect::BadRecordsEndTheWrite, "failures::an_unknown_stream_fails_alone"),
    (Defect::NumbersBecomeFloats, "exactness::payloads_are_kept"),
    (Defect::SyncsShareTheirState, "state::states_are_stored_under_their_sync"),
    (Defect::StatesOfFailedStreamsAreStored, "state::states_of_a_failed_stream_are_not_stored"),
    (Defect::StatesWithoutRowsAreForgotten, "state::a_state_without_rows_is_stored"),
    (Defect::InspectionShowsEveryAccount, "inspect::only_the_rows_that_are_asked_for_are_read_back"),
    (Defect::InspectionCutsSeconds, "inspect::the_newest_rows_come_in_whole_seconds"),
    (Defect::NumbersBecomeFloats, "inspect::rows_are_read_back_as_they_were_written"),
    (Defect::SweepsAreIgnored, "sweeps::what_is_not_kept_goes"),
    (Defect::SweepsAreIgnored, "sweeps::where_nothing_is_kept_all_go"),
    (Defect::SweepsAreIgnored, "random::any_interleaving_ends_as_the_model_says"),
    (Defect::SweepsTakeNewerChildren, "sweeps::a_newer_child_stays"),
    (Defect::SweepsTakeOtherParents, "sweeps::other_parents_accounts_and_streams_are_left_alone"),
    (Defect::SweepsLeaveNoTrace, "sweeps::an_older_page_does_not_bring_a_child_back"),
    (Defect::SweepsBuryTheirSecond, "sweeps::a_read_of_the_same_second_does"),
    (Defect::SweepsComeLastInABatch, "sweeps::order_with_records_counts"),
    (Defect::StateBeforeRows, "state::a_state_is_never_ahead_of_its_rows"),
];

#[tokio::test]
async fn what_is_right_passes() {
    let report = run_all(&MemoryFixture::new(None)).await;
    report.assert_passed();
    assert!(report.cases().count() > 35);
}

#[tokio::test]
async fn every_defect_is_found() {
    for (defect, case) in FOUND_BY {
        let report = run_all(&MemoryFixture::new(Some(*defect))).await;
        let found: Vec<&str> = report.failures().into_iter().map(|(name, _)| name).collect();
        assert!(found.contains(case), "{defect:?} is not found by {case}, but by {found:?}");
    }
}
