use super::*;
use crate::limit::{Answer, Limits};
use crate::plan::PageFacts;
use crate::plan::simulation::{World, whole};
use crate::window::Window;

const WINDOW: Window = Window { gte: 0, lt: 1_000_000 };

fn lane_of(path: &str, window: Window) -> Lane {
    let planner = Planner::new(vec![whole(window)], 100, None);
    Lane { planner, endpoints: vec![path.into()], open: true, paused: false }
}

fn lane(path: &str) -> Lane {
    lane_of(path, WINDOW)
}

fn limiter(account_rate: f64, endpoint_rate: f64) -> Limiter {
    Limiter::new(Limits { account_rate, endpoint_rate, in_flight: 100 }, Duration::ZERO)
}

fn arrive(lane: &mut Lane, request: &Request) {
    let created: Vec<i64> = (0..100).map(|back| request.window.lt - 1 - back).collect();
    let page = PageFacts { count: 100, created: Some(created), hints: None, next: Some("x".to_owned()) };
    lane.planner.page_arrived(request.range, &page);
}

fn sent(picked: Pick) -> (usize, Request) {
    match picked {
        Pick::Send(lane, request) => (lane, request),
        other => panic!("{other:?}"),
    }
}

#[test]
fn lanes_take_turns_and_none_is_split_while_another_waits() {
    let mut lanes = [lane("/v1/a"), lane("/v1/b"), lane("/v1/c")];
    let mut limiter = limiter(1000.0, 1000.0);
    let mut last = 2;
    for expected in [0, 1, 2] {
        assert_eq!(sent(pick(&mut lanes, &mut limiter, &mut last, Duration::ZERO, |_| true)).0, expected);
    }
    // Before any density is known nothing is split.
    assert_eq!(pick(&mut lanes, &mut limiter, &mut last, Duration::ZERO, |_| true), Pick::Nothing);
}

#[test]
fn a_lane_that_waits_for_its_endpoint_does_not_keep_others_from_splitting() {
    let mut lanes = [lane("/v1/a"), lane("/v1/b")];
    let mut limiter = limiter(1000.0, 5.0);
    let mut last = 1;
    let now = Duration::ZERO;
    let (first, request) = sent(pick(&mut lanes, &mut limiter, &mut last, now, |_| true));
    arrive(&mut lanes[first], &request);
    // This lane has a range waiting, but its endpoint has had its share.
    let (second, request) = sent(pick(&mut lanes, &mut limiter, &mut last, now, |_| true));
    assert_ne!(second, first);
    arrive(&mut lanes[second], &request);
    assert!(matches!(pick(&mut lanes, &mut limiter, &mut last, now, |_| true), Pick::At(_)));
    // Later both endpoints have a token: they go to the ranges that wait.
    let now = Duration::from_millis(250);
    let mut served: Vec<usize> = Vec::new();
    while let Pick::Send(lane, _) = pick(&mut lanes, &mut limiter, &mut last, now, |_| true) {
        served.push(lane);
    }
    served.sort_unstable();
    assert_eq!(served, [0, 1]);
    let now = Duration::from_millis(500);
    let (split, _) = sent(pick(&mut lanes, &mut limiter, &mut last, now, |_| true));
    assert_eq!(lanes[split].planner.remaining().len(), 2);
}

#[test]
fn nothing_is_split_for_want_of_memory() {
    let mut lanes = [lane("/v1/a"), lane("/v1/b")];
    let mut limiter = limiter(1000.0, 1000.0);
    let mut last = 1;
    for _ in 0..2 {
        let (asked, request) = sent(pick(&mut lanes, &mut limiter, &mut last, Duration::ZERO, |_| true));
        arrive(&mut lanes[asked], &request);
    }
    let (again, _) = sent(pick(&mut lanes, &mut limiter, &mut last, Duration::ZERO, |lane| lane == 0));
    assert_eq!(again, 0);
    assert_eq!(pick(&mut lanes, &mut limiter, &mut last, Duration::ZERO, |lane| lane == 0), Pick::Nothing);
    assert_eq!(lanes[0].planner.remaining().len(), 1);
}

/// Two streams read one long list of 600 pages, twelve others one of 200 pages each: the long list alone takes 48 s,
/// and the others fit beside it. In turn with them it would take 60 s.
#[test]
fn the_list_that_takes_longest_is_not_left_alone_at_the_end() {
    let long = Window { gte: 0, lt: 60_000 };
    let short = Window { gte: 0, lt: 20_000 };
    let mut lanes = vec![lane_of("/v1/long", long), lane_of("/v1/long", long)];
    lanes.extend((0..12).map(|number| lane_of(&format!("/v1/short{number}"), short)));
    let [of_long, of_short] = [long, short].map(|window| World::new((window.gte..window.lt).collect()));
    let mut limiter = limiter(100.0, 25.0);
    let (mut now, mut last, mut requests) = (Duration::ZERO, 0, 0);
    loop {
        match pick(&mut lanes, &mut limiter, &mut last, now, |_| true) {
            Pick::Send(index, request) => {
                let lane = &mut lanes[index];
                let world = if index < 2 { &of_long } else { &of_short };
                lane.planner.page_arrived(request.range, &world.list(&request).1);
                lane.open = !lane.planner.is_done();
                limiter.ended(&lane.endpoints[0], now, Answer::Other, now);
                requests += 1;
            }
            Pick::At(at) => now = at,
            Pick::Nothing => break,
        }
    }
    assert!(lanes.iter().all(|lane| !lane.open));
    assert!((3600..3800).contains(&requests), "{requests} requests");
    assert!(now < Duration::from_secs(52), "{now:?}");
}
