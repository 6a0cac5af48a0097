//! A watermark for each sender gives the same as a list of all events, recounted for each of them.

#[path = "../src/ground/profile.rs"]
mod profile;
mod rows;

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use tailrace_core::{
    Chunk, Clock, Delta, Format, Kind, Origin, Panes, Plan, Query, Reason, SECOND, Seed, Settings,
    State, Time,
};

const LATENESS: i64 = 3;
const WIDTH: i64 = 2;
const MOST: usize = 10_000;

fn ok<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| unreachable!("{error:?}"))
}

fn panes() -> Panes {
    Panes { width: WIDTH * SECOND, offset: 0, lateness: LATENESS * SECOND }
}

fn query(time: Time) -> Query {
    Query {
        by: vec!["key".into()],
        kinds: Vec::new(),
        plan: Plan::counting(),
        time,
        time_field: "time".into(),
        panes: Some(panes()),
        filter: None,
        conditions: Vec::new(),
        seed: Seed::new(3),
    }
}

fn state(sources: usize) -> State {
    let counting = Settings::counting(Some(panes()), 3, Clock::Events, Kind::Text);
    State::new(Settings { sources, ..counting }, 0)
}

/// A clock that no event is ahead of.
const NOW: i64 = 1_000_000;

fn origin(now: i64) -> Origin {
    Origin::new(0, ok(Format::new("tsv:time:epoch,key:text")), now * SECOND)
}

/// A chunk of one peer.
fn of_peer(peer: &str, times: &[i64], now: i64) -> Delta {
    let lines: Vec<String> = times.iter().map(|time| format!("{time}\t{peer}")).collect();
    let text = lines.join("\n");
    let origin = Origin { sender: Some(peer.as_bytes().into()), ..origin(now) };
    ok(query(Time::Log).absorb(Chunk::Lines(text.as_bytes()), &origin))
}

fn sized(out: &mut Vec<u8>, bytes: &[u8]) {
    // Zigzag, in two bytes even where one would do.
    let n = 2 * bytes.len();
    out.extend([128 | n.to_le_bytes()[0], (n >> 7).to_le_bytes()[0]]);
    out.extend(bytes);
}

/// Encodes a batch of events: each has the name of its sender in the header `host`, unless that is
/// empty, and its time in the body and in the header `timestamp`, unless it has none.
fn batch<'a>(events: impl IntoIterator<Item = (&'a str, Option<i64>)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (host, time) in events {
        out.push(2);
        out.push(4);
        sized(&mut out, b"timestamp");
        let stamp = time.map_or("none".to_owned(), |time| (time * 1_000).to_string());
        sized(&mut out, stamp.as_bytes());
        sized(&mut out, if host.is_empty() { b"x" } else { b"host" });
        sized(&mut out, host.as_bytes());
        out.push(0);
        let time = time.map_or("none".to_owned(), |time| time.to_string());
        sized(&mut out, format!("{time}\t{host}").as_bytes());
    }
    out.push(0);
    out
}

fn of_hosts<'a>(time: Time, events: impl IntoIterator<Item = (&'a str, Option<i64>)>) -> Delta {
    let origin = Origin {
        sender: Some(b"10.0.0.1"[..].into()),
        sender_header: Some(b"host"[..].into()),
        ..origin(NOW)
    };
    ok(query(time).absorb(Chunk::Batch(&batch(events)), &origin))
}

type Answer = (i64, Vec<(Vec<u8>, u64)>);

fn answers(state: &mut State) -> Vec<Answer> {
    let mut found = Vec::new();
    while let Some(snapshot) = state.next_snapshot() {
        let mut rows = rows::counts(&snapshot);
        rows.sort();
        found.extend(snapshot.end.map(|end| (end / SECOND, rows)));
    }
    found
}

fn watermark(state: &State) -> Option<i64> {
    state.times()[2].map(|time| time / SECOND)
}

/// The dull model: every event, and for each decision a look at all of them.
#[derive(Default)]
struct Model {
    /// The events since each sender began.
    living: BTreeMap<String, Vec<i64>>,
    ended: Vec<i64>,
    passed: Option<i64>,
    counted: Vec<(i64, String)>,
    late: u64,
}

impl Model {
    fn event(&mut self, sender: &str, time: i64) {
        let closes = |newest: i64| newest - LATENESS >= (time.div_euclid(WIDTH) + 1) * WIDTH;
        let own = self.living.get(sender).and_then(|times| times.iter().max().copied());
        if own.max(self.passed.map(|passed| passed + LATENESS)).is_some_and(closes) {
            self.late += 1;
        } else {
            self.counted.push((time, sender.to_owned()));
        }
        self.living.entry(sender.to_owned()).or_default().push(time);
        self.follow();
    }

    fn end(&mut self, sender: &str) {
        self.ended.extend(self.living.remove(sender).unwrap_or_default());
        self.follow();
    }

    fn follow(&mut self) {
        let newest = self.living.values().map(|times| times.iter().max().copied());
        let time = if self.living.is_empty() {
            self.ended.iter().max().copied()
        } else {
            newest.min().flatten()
        };
        self.passed = self.passed.max(time.map(|time| time - LATENESS));
    }

    /// Returns how many events of each sender a window contains.
    fn window(&self, end: i64) -> Vec<(Vec<u8>, u64)> {
        let mut rows = BTreeMap::new();
        for (time, sender) in &self.counted {
            if (end - 3 * WIDTH..end).contains(time) {
                *rows.entry(sender.clone().into_bytes()).or_insert(0) += 1;
            }
        }
        rows.into_iter().collect()
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A step of a sender's clock, which an event shows.
    Event(u8, i64),
    NoTime(u8),
    End(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let event = (0..4_u8, prop_oneof![8 => -2..5_i64, 1 => 0..60_i64, 1 => -30..0_i64]);
    let step = prop_oneof![
        20 => event.prop_map(|(sender, gap)| Step::Event(sender, gap)),
        2 => (0..4_u8).prop_map(Step::NoTime),
        1 => (0..4_u8).prop_map(Step::End),
    ];
    vec(step, 0..80)
}

const HOSTS: [&str; 4] = ["a", "bb", "ccc", "d"];

proptest! {
    #![proptest_config(profile::cases(600))]

    #[test]
    fn senders_in_a_header_are_late_as_a_recount_says_however_chunks_are_cut(
        steps in steps(),
        cuts in vec(any::<bool>(), 80),
        by_log in any::<bool>(),
    ) {
        let time = if by_log { Time::Log } else { Time::Header };
        let (mut model, mut now) = (Model::default(), [1_000; 4]);
        let mut whole: Vec<(&str, Option<i64>)> = Vec::new();
        let (mut found, mut no_times) = (Vec::new(), 0);
        let mut state = state(1);
        for (place, step) in steps.iter().enumerate() {
            match *step {
                Step::Event(sender, gap) => {
                    let sender = usize::from(sender);
                    now[sender] += gap;
                    model.event(HOSTS[sender], now[sender]);
                    whole.push((HOSTS[sender], Some(now[sender])));
                }
                // In a header it cannot end.
                Step::NoTime(sender) | Step::End(sender) => {
                    no_times += 1;
                    whole.push((HOSTS[usize::from(sender)], None));
                }
            }
            if cuts[place] {
                state.apply(&of_hosts(time, whole.drain(..)));
                found.extend(answers(&mut state));
                prop_assert_eq!(watermark(&state), model.passed);
            }
        }
        state.apply(&of_hosts(time, whole));
        prop_assert_eq!(watermark(&state), model.passed);
        state.finish(false);
        found.extend(answers(&mut state));
        let lines = *state.lines();
        prop_assert_eq!((lines.counted, lines.late), (model.counted.len() as u64, model.late));
        let rejected = lines.rejected(Reason::NoTime) + lines.rejected(Reason::NoMatch);
        prop_assert_eq!(rejected, no_times);
        for (end, rows) in found {
            prop_assert_eq!(rows, model.window(end), "at {}", end);
        }
    }

    #[test]
    fn peers_that_come_and_end_are_late_as_a_recount_says(steps in steps()) {
        let (mut model, mut now, mut state) = (Model::default(), [1_000; 4], state(1));
        let mut found = Vec::new();
        for step in &steps {
            match *step {
                Step::Event(sender, gap) => {
                    let sender = usize::from(sender);
                    now[sender] += gap;
                    model.event(HOSTS[sender], now[sender]);
                    state.apply(&of_peer(HOSTS[sender], &now[sender..=sender], NOW));
                }
                Step::NoTime(sender) => {
                    let origin =
                        Origin { sender: Some([sender][..].into()), ..origin(NOW) };
                    state.apply(&query(Time::Log).absorb(Chunk::Lines(b"x"), &origin).unwrap());
                }
                Step::End(sender) => {
                    let sender = HOSTS[usize::from(sender)];
                    model.end(sender);
                    state.end_sender(0, sender.as_bytes());
                }
            }
            prop_assert_eq!(watermark(&state), model.passed, "after {:?}", step);
            found.extend(answers(&mut state));
        }
        state.finish(false);
        found.extend(answers(&mut state));
        let lines = *state.lines();
        prop_assert_eq!((lines.counted, lines.late), (model.counted.len() as u64, model.late));
        for (end, rows) in found {
            prop_assert_eq!(rows, model.window(end), "at {}", end);
        }
    }
}

#[test]
fn a_sender_ahead_of_the_clock_makes_no_line_of_another_late() {
    const AHEAD: i64 = 59 * 60;
    for knows_other in [false, true] {
        let mut state = state(1);
        if knows_other {
            state.apply(&of_peer("b", &[999], 1_000));
        }
        state.apply(&of_peer("a", &[1_000 + AHEAD], 1_000));
        // It goes on, with a clock that stays wrong.
        for second in 1..5 {
            state.apply(&of_peer("a", &[1_000 + second + AHEAD], 1_000 + second));
        }
        let times: Vec<i64> = (0..100).map(|n| 980 + n / 4).collect();
        for time in times {
            state.apply(&of_peer("b", &[time.max(999 * i64::from(knows_other))], 1_005));
        }
        assert_eq!(state.lines().late, 0, "{knows_other}");
        // It does not hold back the other one's windows either.
        assert_eq!(watermark(&state), Some(1_004 - LATENESS));
    }
}

#[test]
fn a_lone_sender_far_ahead_of_the_clock_is_answered_as_the_clock_goes() {
    for (ahead, moves) in [(10, 10), (60, 60), (61, -61), (90, -90)] {
        let mut state = state(1);
        for second in 0..40 {
            state.apply(&of_peer("a", &[1_000 + second + ahead], 1_000 + second));
        }
        assert_eq!(watermark(&state), Some(1_039 + moves - LATENESS), "{ahead}");
    }
}

#[test]
fn if_all_are_silent_or_ended_the_newest_time_counts_as_far_as_the_clock() {
    let mut state = state(1);
    state.listen_to(0, 0);
    let heard = |state: &mut State, peer, time, at| {
        state.apply_heard(&of_peer(peer, &[time], 1_000), Some(at));
    };
    heard(&mut state, "b", 980, 20);
    heard(&mut state, "a", 990, 10);
    heard(&mut state, "c", 4_540, 10);
    assert_eq!(watermark(&state), Some(980 - LATENESS));
    state.mark_idle(15);
    assert_eq!(watermark(&state), Some(980 - LATENESS));
    state.mark_idle(30);
    assert_eq!(watermark(&state), Some(990 - LATENESS));
    state.advance(4_000 * SECOND);
    assert_eq!(watermark(&state), Some(990 - LATENESS));
    state.advance(4_540 * SECOND);
    assert_eq!(watermark(&state), Some(4_540 - LATENESS));
}

#[test]
fn a_live_source_without_a_sender_holds_the_others_back_until_it_is_silent() {
    let mut state = state(2);
    state.listen_to(0, 0);
    let other = Origin { source: 1, ..origin(NOW) };
    state.apply(&query(Time::Log).absorb(Chunk::Lines(b"500\tx\n"), &other).unwrap());
    // A stranger whose lines have no time is no sender.
    let stranger = Origin { sender: Some(b"s"[..].into()), ..origin(NOW) };
    state.apply_heard(
        &query(Time::Log).absorb(Chunk::Lines(b"GET /\n"), &stranger).unwrap(),
        Some(60),
    );
    assert_eq!(watermark(&state), None);
    state.mark_idle(1);
    assert_eq!(watermark(&state), Some(500 - LATENESS));
    state.apply_heard(&of_peer("a", &[400], NOW), Some(100));
    state.apply(&query(Time::Log).absorb(Chunk::Lines(b"900\tx\n"), &other).unwrap());
    assert_eq!(watermark(&state), Some(500 - LATENESS));
    state.end_sender(0, b"a");
    assert_eq!(watermark(&state), Some(900 - LATENESS));
    state.end_source(1);
    state.apply_heard(&of_peer("a", &[950], NOW), Some(100));
    assert_eq!(watermark(&state), Some(950 - LATENESS));
    state.end_source(0);
    state.apply_heard(&of_peer("b", &[990], NOW), Some(100));
    assert_eq!(watermark(&state), Some(950 - LATENESS), "no source remains");
}

#[test]
fn senders_above_the_limit_share_a_watermark_until_others_end() {
    let mut state = state(1);
    let name = |n: usize| format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255);
    for n in 0..MOST {
        state.apply(&of_peer(&name(n), &[1_000], NOW));
    }
    assert!(!state.is_crowded(0));
    state.apply(&of_peer("x", &[1_010], NOW));
    state.apply(&of_peer("y", &[1_000], NOW));
    assert!(state.is_crowded(0));
    assert_eq!(state.lines().late, 1, "x and y share one");
    state.end_sender(0, name(7).as_bytes());
    state.apply(&of_peer("z", &[1_000], NOW));
    assert_eq!(state.lines().late, 1, "z has its own");
    assert_eq!(watermark(&state), Some(1_000 - LATENESS));
}

#[test]
fn more_senders_in_a_batch_than_the_limit_are_all_counted() {
    let names: Vec<String> = (0..MOST + 500).map(|n| n.to_string()).collect();
    let mut state = state(1);
    let events = names.iter().chain(&names).map(|name| (name.as_str(), Some(1_000)));
    state.apply(&of_hosts(Time::Log, events));
    let lines = *state.lines();
    assert_eq!((lines.counted, lines.late), (2 * names.len() as u64, 0));
    assert!(state.is_crowded(0));
}

#[test]
fn a_sender_without_the_header_or_with_an_empty_one_is_the_peer() {
    let mut state = state(1);
    state.apply(&of_hosts(Time::Log, [("", Some(1_000)), ("a", Some(2_000)), ("", Some(1_001))]));
    assert_eq!(watermark(&state), Some(1_001 - LATENESS));
    state.end_sender(0, b"10.0.0.1");
    assert_eq!(watermark(&state), Some(2_000 - LATENESS));
    // A header with the address of a peer is another sender.
    state.apply(&of_hosts(Time::Log, [("10.0.0.1", Some(3_000)), ("a", Some(4_000))]));
    state.end_sender(0, b"10.0.0.1");
    assert_eq!(watermark(&state), Some(3_000 - LATENESS));
}

#[test]
fn events_that_were_sent_before_count_at_the_pane_of_their_sender_and_in_no_window() {
    let peer = Some(b"10.0.0.1"[..].into());
    for header in [None, Some(b"host"[..].into())] {
        let mut state = state(1);
        let absorb = |events: &[(&str, Option<i64>)], resent| {
            let (sender, sender_header) = (peer.clone(), header.clone());
            let origin = Origin { sender, sender_header, resent, ..origin(NOW) };
            ok(query(Time::Header).absorb(Chunk::Batch(&batch(events.iter().copied())), &origin))
        };
        // All of a batch, and the first events of one.
        let delta = absorb(&[], 3);
        assert_eq!((delta.lines().fed, delta.lines().resent), (0, 3));
        state.apply(&delta);
        let delta = absorb(&[("a", Some(10)), ("a", Some(11))], 2);
        assert_eq!((delta.lines().fed, delta.lines().resent), (2, 2));
        state.apply(&delta);
        state.finish(false);
        let mut last = None;
        while let Some(snapshot) = state.next_snapshot() {
            last = Some(snapshot.lines);
        }
        let lines = last.unwrap_or_default();
        assert_eq!((lines.fed, lines.counted, lines.resent), (2, 2, 5));
        assert_eq!(state.lines().resent, 5);
    }
}

#[test]
fn times_before_the_oldest_one_are_past_by_log_and_by_header() {
    for (time, spec) in [
        (Time::Log, "tsv:time:epoch,key:text"),
        (Time::Log, "tsv:key:text,time:epoch,x:int"),
        (Time::Header, "tsv:time:epoch,key:text"),
    ] {
        let line = |time: i64| {
            if spec.contains("x:int") { format!("k\t{time}\t1") } else { format!("{time}\tk") }
        };
        let mut out = vec![8];
        for time in [899, 900, 1_010, 1_011] {
            out.push(2);
            sized(&mut out, b"timestamp");
            sized(&mut out, (time * 1_000).to_string().as_bytes());
            out.push(0);
            sized(&mut out, line(time).as_bytes());
        }
        out.push(0);
        let origin = Origin {
            max_ahead: Some(10 * SECOND),
            max_behind: Some(100 * SECOND),
            ..Origin::new(0, Format::new(spec).unwrap(), 1_000 * SECOND)
        };
        let lines = *query(time).absorb(Chunk::Batch(&out), &origin).unwrap().lines();
        assert_eq!(
            (lines.fed, lines.rejected(Reason::Past), lines.rejected(Reason::Future)),
            (4, 1, 1)
        );
    }
}

#[test]
fn the_time_of_a_log_is_the_median_of_its_senders() {
    let mut state = state(1);
    assert_eq!(state.log_time(0), None);
    let at = |state: &State, now: i64| state.log_time(now * SECOND).map(|time| time / SECOND);
    state.apply(&of_peer("a", &[1_000], 1_000));
    assert_eq!(at(&state, 1_007), Some(1_007));
    // Of two, the one nearer to the clock.
    state.apply(&of_peer("b", &[4_540], 1_000));
    assert_eq!(at(&state, 1_007), Some(1_007));
    state.apply(&of_peer("c", &[995], 1_000));
    assert_eq!(at(&state, 1_007), Some(1_007));
    state.apply(&of_peer("d", &[10], 1_000));
    assert_eq!(at(&state, 1_007), Some(1_007));
    for sender in [&b"a"[..], b"c"] {
        state.end_sender(0, sender);
    }
    assert_eq!(at(&state, 1_000), Some(10));
}

#[test]
fn what_has_ended_or_is_silent_leaves_memory() {
    let mut state = state(1);
    state.listen_to(0, 0);
    for n in 0..30_000_i64 {
        let peer = format!("peer {n}");
        state.apply_heard(&of_peer(&peer, &[1_000 + n], NOW), Some(n));
        if n % 2 == 0 {
            state.end_sender(0, peer.as_bytes());
        }
        state.mark_idle(n - 100);
        while state.next_snapshot().is_some() {}
        assert!(!state.is_crowded(0));
    }
    assert!(watermark(&state) > Some(30_000));
}
