use stripe_openapi::embedded;

use super::*;

fn passes_of(version: &str, table: &str, clocks: &[&str]) -> Vec<Pass> {
    let catalog = embedded::catalog(version).unwrap();
    let resource = catalog.resource(table).unwrap();
    let clocks: Vec<String> = clocks.iter().map(|&clock| clock.to_owned()).collect();
    of(&catalog, resource, resource.list.as_ref().unwrap(), &clocks)
}

fn query(pass: &Pass, cursor: Option<&str>) -> String {
    let mut planner = crate::plan::Planner::new(
        vec![Part {
            pass: 0,
            label: None,
            window: Window::new(5, 9),
            cursor: cursor.map(str::to_owned),
            windowed: pass.windowed(),
            stop_below: None,
        }],
        pass.page_size(),
        None,
    );
    let get = pass.get(&planner.next_request().unwrap());
    let pairs: Vec<String> = get.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{}?{}", get.path, pairs.join("&"))
}

#[test]
fn canceled_subscriptions_are_asked_for() {
    let passes = passes_of(embedded::newest_version(), "subscription", &[]);
    assert_eq!(passes.len(), 1);
    assert_eq!(
        query(&passes[0], Some("sub_1")),
        "/v1/subscriptions?limit=100&created[gte]=5&created[lt]=9&starting_after=sub_1&status=all"
    );
}

#[test]
fn lists_are_read_again_for_each_test_clock_without_bounds() {
    let passes = passes_of(embedded::newest_version(), "customer", &["clock_1", "clock_2"]);
    assert_eq!(passes.len(), 3);
    assert_eq!(
        query(&passes[2], Some("cus_1")),
        "/v1/customers?limit=100&starting_after=cus_1&test_clock=clock_2"
    );
    // The oldest version knows no test clocks.
    let oldest = embedded::versions().last().unwrap();
    assert_eq!(passes_of(oldest, "customer", &["clock_1"]).len(), 1);
}

#[test]
fn closed_v2_accounts_and_the_own_account_are_read() {
    let passes = passes_of(embedded::newest_version(), "v2_core_account", &[]);
    assert_eq!(query(&passes[1], Some("token")), "/v2/core/accounts?limit=20&page=token&closed=true");
    let passes = passes_of(embedded::newest_version(), "account", &[]);
    assert_eq!((query(&passes[1], None).as_str(), passes[1].shape), ("/v1/account?", Shape::Single));
}

#[test]
fn v2_bounds_are_rfc_3339_and_never_split() {
    let passes = passes_of(embedded::newest_version(), "v2_core_event", &[]);
    assert_eq!(
        query(&passes[0], None),
        "/v2/core/events?limit=20&created[gte]=1970-01-01T00:00:05.000Z&created[lt]=1970-01-01T00:00:09.000Z"
    );
    assert!(!passes[0].windowed());
}

fn left(gte: i64, lt: i64, cursor: Option<&str>) -> Remaining {
    Remaining { window: Window::new(gte, lt), cursor: cursor.map(str::to_owned) }
}

type Planned = (usize, i64, i64, Option<String>, Option<i64>);

/// What is read of a stream whose state says that `remaining` of 0 to 10_000 is left, wanting 0 to `lt`:
/// pass, bounds, cursor, where to stop.
fn plan(passes: &[Pass], remaining: Vec<Remaining>, lt: i64) -> Vec<Planned> {
    let state = StreamState { accounted: Window::new(0, 10_000), remaining };
    parts(passes, Some(&state), Window::new(0, lt), false)
        .into_iter()
        .map(|part| (part.pass, part.window.gte, part.window.lt, part.cursor, part.stop_below))
        .collect()
}

fn cursor(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_list_without_bounds_goes_on_from_its_cursor_and_reads_what_is_new_from_the_top() {
    let passes = passes_of(embedded::newest_version(), "apple_pay_domain", &[]);
    assert!(!passes[0].bounded);
    assert_eq!(plan(&passes, vec![], 10_000), []);
    assert_eq!(plan(&passes, vec![], 20_000), [(0, 0, 20_000, None, None)]);
    assert_eq!(plan(&passes, vec![left(0, 10_000, Some("a"))], 10_000), [(0, 0, 10_000, cursor("a"), None)]);
    assert_eq!(
        plan(&passes, vec![left(0, 10_000, Some("a"))], 20_000),
        [(0, 0, 10_000, cursor("a"), None), (0, 10_000, 20_000, None, Some(9_940))]
    );
    assert_eq!(plan(&passes, vec![left(0, 10_000, None)], 20_000), [(0, 0, 20_000, None, None)]);
}

#[test]
fn what_was_to_be_read_from_the_top_and_was_not_begun_is_no_reason_to_read_the_rest_again() {
    let passes = passes_of(embedded::newest_version(), "apple_pay_domain", &[]);
    let top = || left(9_000, 10_000, None);
    assert_eq!(plan(&passes, vec![top()], 20_000), [(0, 9_000, 20_000, None, Some(8_940))]);
    assert_eq!(plan(&passes, vec![top()], 10_000), [(0, 9_000, 10_000, None, Some(8_940))]);
    assert_eq!(
        plan(&passes, vec![left(0, 9_000, Some("a")), top()], 20_000),
        [(0, 0, 9_000, cursor("a"), None), (0, 9_000, 20_000, None, Some(8_940))]
    );
    assert_eq!(
        plan(&passes, vec![left(9_000, 10_000, Some("b"))], 20_000),
        [(0, 9_000, 10_000, cursor("b"), Some(8_940)), (0, 10_000, 20_000, None, Some(9_940))]
    );
}

#[test]
fn each_list_finds_its_own_cursor_in_the_state() {
    let passes = passes_of(embedded::newest_version(), "customer", &["clock_1", "clock_2"]);
    let remaining = || {
        vec![
            left(0, 5_000, Some("cus_1")),
            left(0, 10_000, Some("?test_clock=clock_2:cus_9")),
            left(0, 10_000, Some("?test_clock=clock_gone:cus_8")),
        ]
    };
    assert_eq!(
        plan(&passes, remaining(), 10_000),
        [(0, 0, 5_000, cursor("cus_1"), None), (2, 0, 10_000, cursor("cus_9"), None)]
    );
    // For another window the clocks are read anew, and what is new of the stream's own list.
    assert_eq!(
        plan(&passes, remaining(), 20_000),
        [
            (0, 0, 5_000, cursor("cus_1"), None),
            (0, 10_000, 20_000, None, None),
            (1, 0, 20_000, None, None),
            (2, 0, 20_000, cursor("cus_9"), None)
        ]
    );
}

#[test]
fn an_interrupted_read_goes_on_without_reading_finished_lists_again() {
    let state = |remaining| StreamState { accounted: Window::new(0, 10_000), remaining };
    let (interrupted, finished) = (state(vec![left(0, 5_000, None)]), state(vec![]));
    let both = [Some(finished.clone()), Some(interrupted.clone())];
    assert!(goes_on(&both, 10_000 + SAME_WORK));
    assert!(!goes_on(&both, 10_001 + SAME_WORK));
    assert!(goes_on(&[Some(finished.clone()), None], 10_000), "one stream did not get as far as a state");
    assert!(!goes_on(&[Some(finished.clone())], 10_000));
    assert!(!goes_on(&[None, None], 10_000));

    let wanted = Window::new(0, 20_000);
    let whole = passes_of(embedded::newest_version(), "apple_pay_domain", &[]);
    assert_eq!(window_going_on(&whole, Some(&finished), wanted), finished.accounted);
    assert_eq!(window_going_on(&whole, Some(&interrupted), wanted), wanted);
    assert_eq!(window_going_on(&whole, Some(&finished), Window::new(5, 20_000)), Window::new(5, 20_000));
    let bounded = passes_of(embedded::newest_version(), "customer", &["clock_1"]);
    assert_eq!(window_going_on(&bounded, Some(&finished), wanted), wanted);
    let parts = parts(&bounded, Some(&finished), wanted, true);
    assert_eq!(parts.len(), 1, "the test clock was read to its end: {parts:?}");
    assert_eq!(parts[0].window, Window::new(10_000, 20_000));
}

#[test]
fn a_list_that_was_narrowed_before_is_read_anew_as_a_whole() {
    let mut passes = passes_of(embedded::newest_version(), "customer", &["clock_1"]);
    passes.iter_mut().for_each(Pass::unbind);
    let label = passes[1].label.clone().unwrap();
    let state = |cursors: &[&str]| {
        let left = cursors.iter().map(|after| left(0, 9, Some(&format!("{label}:{after}"))));
        StreamState { accounted: Window::new(0, 10_000), remaining: left.collect() }
    };
    let begins = |cursors: &[&str]| {
        let parts = parts(&passes, Some(&state(cursors)), Window::new(0, 20_000), true);
        let own = parts.into_iter().filter(|part| part.pass == 1);
        own.map(|part| part.cursor).collect::<Vec<_>>()
    };
    assert_eq!(begins(&["cus_9"]), [cursor("cus_9")]);
    assert_eq!(begins(&["cus_9", "cus_4"]), [None]);
}
