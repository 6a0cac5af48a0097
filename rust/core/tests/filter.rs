//! Filters, compared with a walk over all lines.

#[path = "../src/ground/profile.rs"]
mod profile;
mod rows;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use tailrace_core::{
    Chunk, Clock, Filter, Format, Kind, Origin, Panes, Plan, Query, Reader, Reason, SECOND, Seed,
    Settings, Snapshot, State, Time, write_rows,
};

/// A line of a second and a key; it is selected if its status is 500.
#[derive(Clone, Copy, Debug)]
struct Event {
    time: i64,
    key: u8,
    selected: bool,
}

impl Event {
    fn line(self) -> Vec<u8> {
        let Self { time, key, selected } = self;
        let of_day = time - 86_400;
        let (hours, minutes) = (of_day / 3_600, of_day / 60 % 60);
        let status = if selected { 500 } else { 200 };
        let at = format!("02/Jan/1970:{hours:02}:{minutes:02}:{:02} +0000", of_day % 60);
        let url = char::from(b'a' + key);
        format!("h - - [{at}] \"GET /{url} HTTP/1.1\" {status} 1 \"-\" \"-\"\n").into_bytes()
    }
}

fn query(panes: Option<Panes>, filter: Filter, time: Time) -> Query {
    Query {
        by: vec!["url".into()],
        kinds: Vec::new(),
        plan: Plan::counting(),
        time,
        time_field: "time".into(),
        panes,
        filter: Some(filter),
        conditions: Vec::new(),
        seed: Seed::new(1),
    }
}

fn selected_lines() -> Filter {
    Filter::parse("status == 500").unwrap_or_else(|error| unreachable!("{error:?}"))
}

fn combined() -> Format {
    Format::new("combined").unwrap_or_else(|error| unreachable!("{error:?}"))
}

/// The bounds, the counts by key in rank order, and fed, counted, late, filtered.
type Answer = (i64, i64, Vec<(Vec<u8>, u64)>, [u64; 4]);

fn answered(snapshot: &Snapshot) -> Answer {
    let rows = rows::counts(snapshot);
    let lines = snapshot.lines;
    let (start, end) = snapshot.start.zip(snapshot.end).unwrap_or_else(|| unreachable!());
    (start / SECOND, end / SECOND, rows, [lines.fed, lines.counted, lines.late, lines.filtered])
}

/// Every line moves the watermark, but only selected lines are counted or late. An empty window is
/// answered once, and the last snapshot is taken at the end of the log.
fn expected(events: &[Event], slide: i64, length: i64, lateness: i64) -> Vec<Answer> {
    let end_of_pane = |time: i64| (time.div_euclid(slide) + 1) * slide;
    let mut newest: Option<i64> = None;
    // The outcome of each line, as an index of the counters, and the end of its pane.
    let mut lines = Vec::new();
    let mut kept = Vec::new();
    for event in events {
        let late = newest.is_some_and(|newest| end_of_pane(event.time) <= newest - lateness);
        newest = newest.max(Some(event.time));
        let reached = newest.map_or(0, end_of_pane);
        match (event.selected, late) {
            (false, _) => lines.push((3, reached)),
            (true, true) => lines.push((2, reached)),
            (true, false) => {
                lines.push((1, end_of_pane(event.time)));
                kept.push(event);
            }
        }
    }
    let Some(newest) = newest else { return Vec::new() };
    let last = end_of_pane(newest);
    let next = |from: i64| {
        let ends = kept.iter().map(|event| end_of_pane(event.time)).filter(|&end| end > from);
        ends.min().unwrap_or(last)
    };
    let mut answers: Vec<Answer> = Vec::new();
    let mut end = next(i64::MIN);
    loop {
        let start = end - length * slide;
        let mut counts: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for event in kept.iter().filter(|event| (start..end).contains(&event.time)) {
            *counts.entry(vec![b'/', b'a' + event.key]).or_default() += 1;
        }
        let mut rows: Vec<_> = counts.into_iter().collect();
        rows.sort_by_key(|(key, count)| (Reverse(*count), key.clone()));
        let empty = rows.is_empty();
        let mut counters = [0; 4];
        for (what, _) in lines.iter().filter(|(_, pane)| *pane <= end) {
            counters[0] += 1;
            counters[*what] += 1;
        }
        answers.push((start, end, rows, counters));
        if end >= last {
            return answers;
        }
        end = if empty { next(end) } else { end + slide };
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let gap = prop_oneof![8 => -5..8_i64, 1 => 0..90_i64];
    vec((gap, 0..4_u8, any::<bool>()), 1..80).prop_map(|gaps| {
        let mut time = 90_000;
        let event = |(gap, key, selected)| {
            time += gap;
            Event { time, key, selected }
        };
        gaps.into_iter().map(event).collect()
    })
}

proptest! {
    #![proptest_config(profile::cases(500))]

    #[test]
    fn snapshots_are_a_recount_of_selected_lines_however_the_input_is_cut(
        events in events(),
        (slide, length, lateness) in (1..6_i64, 1..8_i64, 0..10_i64),
        cuts in vec(any::<prop::sample::Index>(), 0..6),
        looks in vec(any::<bool>(), 7),
    ) {
        let panes = Panes { width: slide * SECOND, offset: 0, lateness: lateness * SECOND };
        let query = query(Some(panes), selected_lines(), Time::Log);
        let settings = Settings::counting(Some(panes), length, Clock::Events, Kind::Text);
        let mut state = State::new(settings.clone(), 0);
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(events.len())).collect();
        ends.push(events.len());
        ends.sort_unstable();
        let (mut start, mut found) = (0, Vec::new());
        for (end, look) in ends.into_iter().zip(looks) {
            let text: Vec<u8> = events[start..end].iter().flat_map(|event| event.line()).collect();
            let origin = Origin::new(0, combined(), 0);
            state.apply(&query.absorb(Chunk::Lines(&text), &origin).unwrap());
            start = end;
            while let Some(snapshot) = look.then(|| state.next_snapshot()).flatten() {
                found.push(answered(&snapshot));
            }
        }
        state.finish(false);
        while let Some(snapshot) = state.next_snapshot() {
            found.push(answered(&snapshot));
        }
        let expected = expected(&events, slide, length, lateness);
        prop_assert_eq!(&found, &expected);

        // A caller that only asks for the newest snapshot gets the last one.
        let text: Vec<u8> = events.iter().flat_map(|event| event.line()).collect();
        let origin = Origin::new(0, combined(), 0);
        let mut state = State::new(settings, 0);
        state.apply(&query.absorb(Chunk::Lines(&text), &origin).unwrap());
        state.finish(false);
        prop_assert_eq!(state.last_snapshot().as_ref().map(answered), expected.last().cloned());
        prop_assert!(state.next_snapshot().is_none());
    }

    #[test]
    fn every_text_is_an_expression_or_has_an_error_within_it(
        parts in vec(prop_oneof![
            "status|url|time|`path:1`|and|or|not|in|contains|null|500|POST|é",
            "[ ()'\"`\\\\,=<>!&|~-]",
            ".",
        ], 0..30),
    ) {
        let text = parts.concat();
        let spaced = parts.join(" ");
        for text in [&text, &spaced] {
            if let Err(error) = Filter::parse(text).and_then(|filter| filter.check(&combined())) {
                prop_assert!(text.get(error.start..error.end).is_some(), "{:?}: {:?}", text, error);
                prop_assert!(!error.message.is_empty());
            }
        }
    }
}

fn lines_of(text: &str) -> Vec<u8> {
    [text, "\n"].concat().into_bytes()
}

#[test]
fn without_a_window_the_bounds_are_those_of_counted_lines() {
    let events = [(10, true), (5, false), (20, true), (30, false)];
    let text: Vec<u8> = events
        .iter()
        .flat_map(|&(second, selected)| Event { time: 90_000 + second, key: 0, selected }.line())
        .collect();
    let settings = Settings::counting(None, 1, Clock::Events, Kind::Text);
    let mut state = State::new(settings, 0);
    let origin = Origin::new(0, combined(), 0);
    let query = query(None, selected_lines(), Time::Log);
    state.apply(&query.absorb(Chunk::Lines(&text), &origin).unwrap());
    assert_eq!(
        answered(&state.snapshot(0)),
        (90_010, 90_020, vec![(b"/a".to_vec(), 2)], [4, 2, 0, 2])
    );
}

#[test]
fn by_arrival_a_time_range_applies_to_the_time_of_the_line() {
    let at = |time| Event { time, key: 0, selected: true }.line();
    let broken = lines_of(r#"h - - [yesterday] "GET /a HTTP/1.1" 500 1 "-" "-""#);
    let text = [at(90_000), at(90_001), broken, at(90_002)].concat();
    let panes = Panes { width: SECOND, offset: 0, lateness: 0 };
    let range = selected_lines().between(Some(90_001 * SECOND), Some(90_002 * SECOND));
    let origin = Origin::new(0, combined(), 7 * SECOND);
    let delta =
        query(Some(panes), range, Time::Arrival).absorb(Chunk::Lines(&text), &origin).unwrap();
    let lines = delta.lines();
    assert_eq!((lines.fed, lines.counted, lines.filtered), (4, 1, 2));
    assert_eq!(lines.rejected(Reason::NoTime), 1);
}

#[test]
fn rows_have_the_requested_fields_and_every_line_is_counted() {
    let broken = lines_of(r#"h - - [yesterday] "GET /b HTTP/1.1" 500 1 "-" "-""#);
    let text: Vec<u8> = (0..4)
        .flat_map(|key| Event { time: 90_000, key, selected: key % 2 == 0 }.line())
        .chain(broken)
        .chain(lines_of("no line"))
        .collect();
    let rows = |filter: &Filter| {
        let mut reader = Reader::new(&combined(), &filter.required_fields(&["url"])).unwrap();
        let bound = filter.bind(&reader, 1).unwrap();
        let mut out = Vec::new();
        let mut rejects = tailrace_core::Rejects::default();
        let output = tailrace_core::Output::Csv;
        let lines = write_rows(
            &mut reader,
            Some(&bound),
            (output, false),
            Chunk::Lines(&text),
            &mut out,
            Some(&mut rejects),
        )
        .unwrap();
        let counters = [lines.fed, lines.counted, lines.filtered];
        (String::from_utf8(out).unwrap(), counters, String::from_utf8(rejects.out).unwrap())
    };
    let (out, counters, rejects) = rows(&selected_lines());
    assert_eq!((&*out, counters), ("/a\n/c\n/b\n", [6, 3, 2]));
    assert_eq!(rejects, "6\t7\tno-match\tno line\n");
    let (out, counters, rejects) = rows(&selected_lines().between(Some(0), None));
    assert_eq!((&*out, counters), ("/a\n/c\n", [6, 2, 2]));
    assert!(rejects.starts_with("5\t7\tno-time\th - - [yesterday]"), "{rejects}");
}
