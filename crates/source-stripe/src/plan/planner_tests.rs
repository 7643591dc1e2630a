//! The planner against a model: whatever happens in whatever order, every object is emitted once, and every
//! state covers exactly what was not.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::leap::Landmark;
use super::planner::{PageFacts, Part, Planner, Request};
use super::simulation::{Chance, World, parts_of, whole};
use crate::stream_state::{Remaining, SETTLING};
use crate::window::Window;

const LIFE: Window = Window { gte: 0, lt: 4000 };
const PAGE: usize = 5;

/// Times of objects, from spread out to all in a few seconds.
fn times() -> impl Strategy<Value = Vec<i64>> {
    prop_oneof![
        prop::collection::vec(0..4000i64, 0..400),
        prop::collection::vec(1990..2010i64, 0..200),
        prop::collection::vec(prop_oneof![0..50i64, 3900..4000i64], 0..300),
        prop::collection::vec(prop_oneof![Just(7i64), Just(3999i64), 0..4000i64], 0..200),
    ]
}

/// Reads `parts`, choosing at random among sending, splitting and receiving; stops after `stop` pages.
/// Answers the ids in order of emission, with what remained after each page.
fn read(
    world: &World,
    parts: Vec<Part>,
    chance: &mut Chance,
    stop: usize,
) -> Vec<(Vec<usize>, Vec<Remaining>)> {
    let mut planner = Planner::new(parts, PAGE, None);
    let mut under_way: Vec<Request> = Vec::new();
    let mut pages = Vec::new();
    while pages.len() < stop && !(planner.is_done() && under_way.is_empty()) {
        match chance.below(4) {
            0 => {
                planner.split();
            }
            1 | 2 => under_way.extend(planner.next_request()),
            _ if under_way.is_empty() => {}
            _ => {
                let chosen = chance.below(under_way.len() as i64) as usize;
                let request = under_way.swap_remove(chosen);
                let (ids, facts) = world.list(&request);
                let progress = planner.page_arrived(request.range, &facts);
                pages.push((ids[..progress.keep].to_vec(), planner.remaining()));
            }
        }
    }
    pages
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_object_is_emitted_exactly_once(times in times(), seed in any::<u64>()) {
        let world = World::new(times);
        let pages = read(&world, vec![whole(LIFE)], &mut Chance(seed), usize::MAX);
        let mut ids: Vec<usize> = pages.iter().flat_map(|(ids, _)| ids.iter().copied()).collect();
        ids.sort_unstable();
        prop_assert_eq!(ids, (0..world.len()).collect::<Vec<_>>());
        prop_assert!(pages.last().is_none_or(|(_, remaining)| remaining.is_empty()));
    }

    /// Stopped after any page, with others under way, and resumed from the state that was told with it.
    #[test]
    fn a_state_covers_exactly_what_was_not_emitted(times in times(), seed in any::<u64>(), stops in prop::collection::vec(1..20usize, 1..6)) {
        let world = World::new(times);
        let mut chance = Chance(seed);
        let mut seen: Vec<usize> = Vec::new();
        let mut parts = vec![whole(LIFE)];
        for stop in stops.into_iter().chain([usize::MAX]) {
            let pages = read(&world, parts, &mut chance, stop);
            seen.extend(pages.iter().flat_map(|(ids, _)| ids));
            parts = parts_of(pages.last().map_or(&[], |(_, remaining)| remaining));
            if parts.is_empty() {
                break;
            }
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..world.len()).collect::<Vec<_>>());
    }

    /// Losing cursors at any time loses no object, and repeats at most those of a second each time.
    #[test]
    fn a_lost_cursor_loses_nothing(times in times(), seed in any::<u64>()) {
        let world = World::new(times.clone());
        let mut chance = Chance(seed);
        let mut planner = Planner::new(vec![whole(LIFE)], PAGE, None);
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        let mut lost = 0;
        while let Some(request) = planner.next_request() {
            if request.cursor.is_some() && lost < 20 && chance.below(5) == 0 {
                lost += 1;
                prop_assert!(planner.cursor_lost(request.range));
                continue;
            }
            let (ids, facts) = world.list(&request);
            let progress = planner.page_arrived(request.range, &facts);
            seen.extend(&ids[..progress.keep]);
        }
        prop_assert_eq!(seen.len(), world.len());
    }
}

fn facts(created: Option<Vec<i64>>, count: usize, next: Option<&str>) -> PageFacts {
    PageFacts { count, created, hints: None, next: next.map(str::to_owned) }
}

fn sequential(stop_below: Option<i64>) -> Part {
    Part { windowed: false, stop_below, ..whole(LIFE) }
}

#[test]
fn a_page_that_reaches_below_a_split_takes_back_what_nobody_asked_for() {
    let world = World::new((0..4000).step_by(4).collect());
    let mut planner = Planner::new(vec![whole(LIFE)], PAGE, None);
    let first = planner.next_request().unwrap();
    planner.page_arrived(first.range, &world.list(&first).1);
    let second = planner.next_request().unwrap();
    assert!(planner.split());
    assert_eq!(planner.remaining().len(), 2);
    // The world shrinks meanwhile: the page under way reaches to the very beginning.
    let emptier = facts(Some(vec![3000, 10]), 2, None);
    let progress = planner.page_arrived(second.range, &emptier);
    assert_eq!(progress.keep, 2);
    assert!(planner.is_done());
}

#[test]
fn what_lies_below_a_split_that_was_asked_for_is_left_to_it() {
    let world = World::new((0..4000).step_by(4).collect());
    let mut planner = Planner::new(vec![whole(LIFE)], PAGE, None);
    let first = planner.next_request().unwrap();
    planner.page_arrived(first.range, &world.list(&first).1);
    let second = planner.next_request().unwrap();
    assert!(planner.split());
    let lower = planner.next_request().unwrap();
    let progress = planner.page_arrived(second.range, &facts(Some(vec![3000, 10]), 2, Some("x")));
    assert_eq!(progress.keep, 1);
    assert_eq!(planner.remaining(), [Remaining { window: lower.window, cursor: None }]);
}

#[test]
fn with_a_limit_the_newest_are_read_in_turn_and_the_rest_remains() {
    let world = World::new((0..4000).step_by(4).collect());
    let mut planner = Planner::new(vec![whole(LIFE)], PAGE, Some(12));
    let mut seen = Vec::new();
    let mut limits = Vec::new();
    while let Some(request) = planner.next_request() {
        assert!(!planner.split());
        assert_eq!(planner.next_request(), None, "one at a time");
        limits.push(request.limit);
        let (ids, facts) = world.list(&request);
        planner.page_arrived(request.range, &facts);
        seen.extend(ids);
    }
    assert_eq!((seen, limits), ((0..12).collect(), vec![5, 5, 2]));
    assert!(planner.is_done());
    assert_eq!(
        planner.remaining(),
        [Remaining { window: Window::new(0, 3953), cursor: Some("11".to_owned()) }]
    );
}

#[test]
fn a_list_without_order_is_never_split_and_keeps_its_window() {
    let mut planner = Planner::new(vec![whole(LIFE)], PAGE, None);
    let request = planner.next_request().unwrap();
    let progress = planner.page_arrived(request.range, &facts(None, 5, Some("e")));
    assert_eq!((progress.keep, progress.completed), (5, None));
    assert!(!planner.split());
    assert_eq!(planner.remaining(), [Remaining { window: LIFE, cursor: Some("e".to_owned()) }]);
    assert!(planner.cursor_lost(request.range));
    assert_eq!(planner.remaining(), [Remaining { window: LIFE, cursor: None }]);
}

#[test]
fn a_sequential_list_whose_cursor_is_gone_steps_back() {
    let mut planner = Planner::new(vec![sequential(None)], PAGE, None);
    for next in ["a", "b", "c"] {
        let request = planner.next_request().unwrap();
        planner.page_arrived(request.range, &facts(Some(vec![9, 8]), 2, Some(next)));
    }
    let mut cursors = Vec::new();
    for _ in 0..3 {
        let request = planner.next_request().unwrap();
        cursors.push(request.cursor.clone());
        assert!(planner.cursor_lost(request.range));
    }
    let cursor = |text: &str| Some(text.to_owned());
    assert_eq!(cursors, [cursor("c"), cursor("b"), cursor("a")]);
    assert_eq!(planner.next_request().unwrap().cursor, None);
}

#[test]
fn a_cursor_that_is_always_gone_is_an_error_in_the_end() {
    let mut planner = Planner::new(vec![sequential(None)], PAGE, None);
    let mut times = 0;
    loop {
        let request = planner.next_request().unwrap();
        if request.cursor.is_some() {
            times += 1;
            assert!(times < 100);
            if !planner.cursor_lost(request.range) {
                break;
            }
        } else {
            planner.page_arrived(request.range, &facts(None, 2, Some("t")));
        }
    }
}

#[test]
fn the_top_of_a_list_is_read_down_to_what_is_known() {
    let mut planner = Planner::new(vec![sequential(Some(100))], PAGE, None);
    let request = planner.next_request().unwrap();
    let progress = planner.page_arrived(request.range, &facts(Some(vec![200, 150]), 2, Some("a")));
    assert_eq!(progress.keep, 2);
    let request = planner.next_request().unwrap();
    planner.page_arrived(request.range, &facts(Some(vec![120, 99]), 2, Some("b")));
    assert!(planner.is_done());
}

/// Parts to read of a list that cannot be narrowed, given what remained (see `passes`).
fn unnarrowed(remaining: &[Remaining]) -> Vec<Part> {
    let part = |left: Part| {
        let stop_below = (left.window.gte > LIFE.gte).then(|| left.window.gte - SETTLING);
        Part { windowed: false, stop_below, ..left }
    };
    parts_of(remaining).into_iter().map(part).collect()
}

/// Reads a list that cannot be narrowed; now and then a row elsewhere names one of its objects, or one that is
/// not in it.
fn read_leaping(
    world: &World,
    parts: Vec<Part>,
    chance: &mut Chance,
    stop: usize,
) -> Vec<(Vec<usize>, Vec<Remaining>)> {
    let mut planner = Planner::new(parts, PAGE, None);
    let mut under_way: Vec<Request> = Vec::new();
    let mut pages = Vec::new();
    while pages.len() < stop && !(planner.is_done() && under_way.is_empty()) {
        match chance.below(6) {
            0 => {
                let id = chance.below(world.len() as i64 + 20);
                let about = chance.below(LIFE.lt);
                planner.add_landmark(Landmark { id: id.to_string(), about });
            }
            1 => {
                planner.split();
            }
            2 | 3 => under_way.extend(planner.next_request()),
            _ if under_way.is_empty() => {}
            _ => {
                let chosen = chance.below(under_way.len() as i64) as usize;
                let request = under_way.swap_remove(chosen);
                let after = request.cursor.as_ref().map(|cursor| cursor.parse::<usize>().unwrap());
                if after.is_some_and(|after| after >= world.len()) {
                    assert!(planner.leaps(request.range));
                    planner.abandon(request.range);
                    continue;
                }
                let (ids, facts) = world.list_all(&request);
                let progress = planner.page_arrived(request.range, &facts);
                pages.push((ids[..progress.keep].to_vec(), planner.remaining()));
            }
        }
    }
    pages
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn leaps_lose_nothing_and_neither_do_their_states(
        times in times(),
        seed in any::<u64>(),
        stop in 1..60usize,
    ) {
        let world = World::new(times);
        let mut chance = Chance(seed);
        let begun = read_leaping(&world, unnarrowed(&[whole_of_life()]), &mut chance, stop);
        let mut seen: BTreeSet<usize> = begun.iter().flat_map(|(ids, _)| ids.iter().copied()).collect();
        let remaining = begun.last().map_or_else(|| vec![whole_of_life()], |(_, remaining)| remaining.clone());
        let rest = read_leaping(&world, unnarrowed(&remaining), &mut chance, usize::MAX);
        seen.extend(rest.into_iter().flat_map(|(ids, _)| ids));
        prop_assert_eq!(seen, (0..world.len()).collect::<BTreeSet<usize>>());
    }
}

fn whole_of_life() -> Remaining {
    Remaining { window: LIFE, cursor: None }
}

#[test]
fn a_leap_halves_what_has_to_be_read_in_sequence() {
    let world = World::new((0..4000).collect());
    let mut planner = Planner::new(unnarrowed(&[whole_of_life()]), PAGE, None);
    let arrives = |planner: &mut Planner, request: &Request| {
        let (_, facts) = world.list_all(request);
        planner.page_arrived(request.range, &facts)
    };
    for _ in 0..20 {
        let request = planner.next_request().unwrap();
        assert_eq!(planner.next_request(), None, "one page after the other");
        arrives(&mut planner, &request);
    }
    planner.add_landmark(Landmark { id: "2000".to_owned(), about: 2000 });
    assert!(planner.split_weight().is_some() && planner.split());
    assert_eq!(planner.remaining().len(), 1, "nobody knows yet where it lands");
    let (upper, leap) = (planner.next_request().unwrap(), planner.next_request().unwrap());
    assert_eq!(leap.cursor.as_deref(), Some("2000"));
    assert_eq!(arrives(&mut planner, &leap).keep, PAGE);
    arrives(&mut planner, &upper);
    let windows: Vec<Window> = planner.remaining().iter().map(|left| left.window).collect();
    assert_eq!(windows, [Window::new(1998, 4000), Window::new(0, 1999)]);
    let mut requests = 0;
    while let Some(request) = planner.next_request() {
        arrives(&mut planner, &request);
        requests += 1;
    }
    assert!(planner.is_done());
    let floor = (4000 - 23 * PAGE).div_ceil(PAGE);
    let again = usize::try_from(SETTLING).unwrap() / PAGE;
    assert!((floor..=floor + again + 3).contains(&requests), "{requests} of {floor}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn however_wrong_hints_are_nothing_is_lost(
        times in times(),
        seed in any::<u64>(),
        off in prop_oneof![Just(0i64), -50..50i64, -5000..5000i64],
        stop in 1..60usize,
    ) {
        let world = World::new(times).hinting(off);
        let mut chance = Chance(seed);
        let begun = read(&world, vec![whole(LIFE)], &mut chance, stop);
        let mut seen: BTreeSet<usize> = begun.iter().flat_map(|(ids, _)| ids.iter().copied()).collect();
        let remaining = begun.last().map_or_else(|| vec![whole_of_life()], |(_, remaining)| remaining.clone());
        let rest = read(&world, parts_of(&remaining), &mut chance, usize::MAX);
        seen.extend(rest.into_iter().flat_map(|(ids, _)| ids));
        prop_assert_eq!(seen, (0..world.len()).collect::<BTreeSet<usize>>());
    }
}
