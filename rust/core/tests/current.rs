//! The window at a moment, as it is, equals a recount; asking for it changes no answer.

#[path = "../src/ground/profile.rs"]
mod profile;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::*;
use tailrace_core::{
    AggregateSpec, Cell, Chunk, Engine, Format, Logs, Origin, SECOND, Settings, Snapshot, State,
    Time,
};

/// Functions with an exact inverse, and one without.
const FUNCTIONS: [(&str, &str); 5] = [
    ("count", ""),
    ("sum", "value"),
    ("max", "value"),
    ("last", "value"),
    ("count_distinct", "word"),
];

#[derive(Clone, Copy, Debug)]
struct Size {
    slide: i64,
    length: Option<i64>,
    offset: i64,
    lateness: i64,
}

impl Size {
    /// The first end after a time.
    fn end_after(self, time: i64) -> i64 {
        ((time - self.offset).div_euclid(self.slide) + 1) * self.slide + self.offset
    }
}

fn ok<T, E: Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| unreachable!("{error:?}"))
}

fn engine(size: Size, time: Time, sources: usize) -> Engine {
    let aggregates = FUNCTIONS.map(|(function, field)| AggregateSpec {
        name: function.into(),
        function: function.into(),
        fields: Some(field).filter(|field| !field.is_empty()).map(Into::into).into_iter().collect(),
        number: 0.0,
        error: 0.0,
    });
    let micros = |seconds: i64| seconds * SECOND;
    let settings = ok(Settings::of_windows(
        &[size.length.map(micros)],
        Some(micros(size.slide)),
        micros(size.offset),
        micros(size.lateness),
    ));
    let formats = vec![format()];
    let logs = Logs { formats, time, filter: None, sources, start: 0 };
    ok(Engine::for_logs(vec!["key".into()], aggregates.into(), settings, 7, logs))
}

fn format() -> Format {
    ok(Format::new("tsv:time:epoch,key:text,value:int,word:text"))
}

/// An event: its source, its second, its key and its value.
type Event = (usize, i64, u8, i64);

fn apply(engine: &Engine, events: &[Event], now: i64) {
    for (source, at, key, value) in events {
        let text = format!("{at}\t{key}\t{value}\t/{value}\n");
        let origin = Origin::new(*source, format(), now);
        ok(engine.apply(ok(engine.absorb(Chunk::Lines(text.as_bytes()), &origin))));
    }
}

/// A row: its key, then the count, sum, maximum, last value and number of values.
type Row = (u8, [i128; 5]);

/// Counts the window with this end from scratch.
fn recount(events: &[(i64, u8, i64)], size: Size, end: i64) -> (u64, Vec<Row>) {
    let start = size.length.map_or(i64::MIN, |length| end - length);
    let mut keys: BTreeMap<u8, Vec<(i64, i64)>> = BTreeMap::new();
    for &(at, key, value) in events.iter().filter(|event| (start..end).contains(&event.0)) {
        keys.entry(key).or_default().push((at, value));
    }
    let mut rows: Vec<Row> = keys
        .into_iter()
        .map(|(key, values)| {
            let sum = values.iter().map(|&(_, value)| i128::from(value)).sum();
            let max = values.iter().map(|&(_, value)| i128::from(value)).fold(i128::MIN, i128::max);
            // Of equal times, the value that is last in the order of values.
            let last = values.iter().max().map_or(0, |&(_, value)| value);
            let distinct: BTreeSet<_> = values.iter().map(|&(_, value)| value).collect();
            (key, [values.len() as i128, sum, max, last.into(), distinct.len() as i128])
        })
        .collect();
    let total = rows.iter().map(|row| ok(u64::try_from(row.1[0]))).sum();
    rows.sort_by_key(|&(key, [count, ..])| (Reverse(count), key.to_string()));
    (total, rows)
}

fn shown(snapshot: &Snapshot) -> (u64, Vec<Row>) {
    let cell = |column: usize, row| match snapshot.rows.columns[column].cell(row) {
        Cell::Int(number) => number,
        Cell::Text(text) => ok(ok(std::str::from_utf8(&text)).parse()),
        other => unreachable!("{other:?}"),
    };
    let row = |row| {
        let key = ok(u8::try_from(cell(0, row)));
        (key, [1, 2, 3, 4, 5].map(|column| cell(column, row)))
    };
    assert_eq!(snapshot.keys, snapshot.rows.len);
    (snapshot.total, (0..snapshot.rows.len).map(row).collect())
}

#[derive(Clone, Debug)]
enum Step {
    /// Lines: the source, seconds since the line before, key, value.
    Lines(Vec<(usize, i64, u8, i64)>),
    /// Answers everything that is due, or skips it.
    Answer(bool),
    /// Looks at the window this many seconds after the newest line.
    Look(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let gap = prop_oneof![8 => -4..5_i64, 1 => 0..60_i64];
    let line = (0..2_usize, gap, 0..6_u8, -9..10_i64);
    vec(
        prop_oneof![
            4 => vec(line, 1..12).prop_map(Step::Lines),
            2 => any::<bool>().prop_map(Step::Answer),
            4 => prop_oneof![-9..4_i64, 0..40_i64, Just(1_000_000)].prop_map(Step::Look),
        ],
        1..24,
    )
}

fn sizes() -> impl Strategy<Value = Size> {
    let length = prop_oneof![4 => (1..9_i64).prop_map(Some), 1 => Just(None)];
    (1..5_i64, length, 0..4_i64, prop_oneof![0..6_i64, Just(40)]).prop_map(
        |(slide, length, offset, lateness)| Size {
            slide,
            length: length.map(|slides| slides * slide),
            offset: offset % slide,
            lateness,
        },
    )
}

fn answers(engine: &Engine) -> Vec<Snapshot> {
    ok(engine.with(|state| std::iter::from_fn(|| state.next_snapshot()).collect()))
}

proptest! {
    #![proptest_config(profile::cases(300))]

    #[test]
    fn the_current_window_of_logs_equals_a_recount_and_changes_no_answer(
        size in sizes(), steps in steps(), sources in 1..3_usize,
    ) {
        let (looked, other) = (engine(size, Time::Log, sources), engine(size, Time::Log, sources));
        let mut clocks = vec![1_000; sources];
        let mut newest: Vec<Option<i64>> = vec![None; sources];
        let (mut kept, mut answered) = (Vec::new(), None);
        for step in steps {
            match step {
                Step::Lines(lines) => {
                    let mut events = Vec::new();
                    for (source, gap, key, value) in lines {
                        let source = source % sources;
                        clocks[source] += gap;
                        let at = clocks[source];
                        events.push((source, at, key, value));
                        // The pane is as wide as the slide, which divides the length.
                        let late = |newest| size.end_after(at) <= newest - size.lateness;
                        if !newest[source].is_some_and(late) {
                            kept.push((at, key, value));
                            newest[source] = newest[source].max(Some(at));
                        }
                    }
                    apply(&looked, &events, 0);
                    apply(&other, &events, 0);
                }
                Step::Answer(all) if all => {
                    let found = answers(&looked);
                    prop_assert_eq!(&found, &answers(&other));
                    answered = found.last().map_or(answered, |last| last.end);
                }
                Step::Answer(_) => {
                    looked.with(State::skip).unwrap();
                    let last = other.with(State::last_snapshot).unwrap();
                    answered = last.map_or(answered, |last| last.end);
                }
                Step::Look(ahead) => {
                    let at = (clocks.iter().max().unwrap() + ahead) * SECOND + 1;
                    let current = looked.with(|state| state.current(0, at)).unwrap();
                    let end = size.end_after(at / SECOND);
                    let end = answered.map_or(end, |answered| end.max(answered / SECOND));
                    prop_assert_eq!(current.end, Some(end * SECOND));
                    if let Some(length) = size.length {
                        prop_assert_eq!(current.start, Some((end - length) * SECOND));
                    }
                    prop_assert_eq!(shown(&current), recount(&kept, size, end));
                    prop_assert_eq!(current.lines, looked.with(|state| *state.lines()).unwrap());
                }
            }
        }
        for engine in [&looked, &other] {
            engine.finish().unwrap();
        }
        prop_assert_eq!(answers(&looked), answers(&other));
        let time = |place: usize| looked.with(|state| state.times()[place]).unwrap();
        prop_assert_eq!(time(1), newest.iter().flatten().max().map(|newest| newest * SECOND));
    }

    #[test]
    fn the_current_window_by_arrival_equals_a_recount(
        size in sizes(),
        steps in vec((0..4_i64, vec((0..6_u8, -9..10_i64), 0..6), any::<[bool; 2]>(), 0..20_i64), 1..16),
    ) {
        let size = Size { lateness: 0, ..size };
        let engine = engine(size, Time::Arrival, 1);
        let (mut now, mut kept, mut answered) = (0, Vec::new(), size.end_after(0) - size.slide);
        for (gap, lines, [advances, answers_all], ahead) in steps {
            now += gap;
            for (key, value) in lines {
                apply(&engine, &[(0, 0, key, value)], now * SECOND);
                kept.push((now, key, value));
            }
            if advances {
                engine.advance(now * SECOND).unwrap();
                if answers_all {
                    let found = answers(&engine);
                    answered = found.last().map_or(answered, |last| last.end.unwrap() / SECOND);
                } else {
                    let last = engine.with(|state| state.skip().is_some()).unwrap();
                    answered = if last { size.end_after(now) - size.slide } else { answered };
                }
            }
            let current = engine.with(|state| state.current(0, (now + ahead) * SECOND)).unwrap();
            let end = size.end_after(now + ahead).max(answered);
            prop_assert_eq!(current.end, Some(end * SECOND));
            let (total, rows) = recount(&kept, size, end);
            // All lines have the same time of their own, so `last` is the largest of them.
            let counted = |rows: Vec<Row>| -> Vec<_> {
                rows.into_iter().map(|(key, [count, sum, max, _, distinct])| (key, count, sum, max, distinct)).collect()
            };
            let found = shown(&current);
            prop_assert_eq!((found.0, counted(found.1)), (total, counted(rows)));
        }
    }
}
