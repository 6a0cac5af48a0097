//! A limit on the memory of keys, against a model that knows only which keys it names.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use tailrace_core::{
    AggregateSpec, Cell, Clock, Delta, Events, Kind, Order, OrderBy, Panes, Plan, Seed, Settings,
    Snapshot, State, Value,
};

const SECOND: i64 = 1_000_000;

/// What a key costs beside its bytes.
const KEY_BYTES: usize = 128;

const OTHER: &[u8] = b"(other)";

/// The number of panes of a window.
const LENGTH: i64 = 3;

type Event = (usize, i64, i64);

#[derive(Clone, Debug)]
enum Step {
    /// A chunk of events: the number of the key, the value, and the second.
    Chunk(Vec<Event>),
    Advance(i64),
}

fn plan() -> Plan {
    let spec = |function: &str, number: f64, error: f64| AggregateSpec {
        name: format!("{function} {number}"),
        function: function.to_owned(),
        fields: if function == "count" { Vec::new() } else { vec!["size".to_owned()] },
        number,
        error,
    };
    let specs = vec![
        spec("count", 0.0, 0.0),
        spec("sum", 0.0, 0.0),
        spec("min", 0.0, 0.0),
        spec("max", 0.0, 0.0),
        spec("quantile", 0.5, 0.01),
        spec("count_distinct", 0.0, 0.0),
        spec("var", 0.0, 0.0),
    ];
    Plan::new(specs, &Seed::new(1)).unwrap()
}

fn panes() -> Panes {
    Panes { width: SECOND, offset: 0, lateness: 0 }
}

fn state(max_key_bytes: Option<usize>, windows: bool) -> State {
    let settings = Settings {
        max_key_bytes,
        plan: plan(),
        values: vec![Kind::Int],
        raw: [vec![true], vec![false]],
        order: Order { by: OrderBy::Key(0), ascending: true },
        ..Settings::counting(windows.then(panes), LENGTH, Clock::Manual, Kind::Text)
    };
    State::new(settings, 0)
}

/// Short keys, long ones, the empty key, and null.
fn key(number: usize) -> Option<Vec<u8>> {
    match number {
        0 => None,
        1 => Some(Vec::new()),
        _ => Some(vec![
            b'a' + u8::try_from(number).unwrap();
            if number.is_multiple_of(3) { 200 } else { 2 }
        ]),
    }
}

fn cost(number: usize) -> usize {
    key(number).map_or(0, |key| KEY_BYTES + key.len())
}

fn delta<'a>(events: impl Iterator<Item = (Option<&'a [u8]>, i64, i64)>) -> Delta {
    let mut all = Events::new(panes(), plan(), Seed::new(1));
    for (key, value, second) in events {
        all.push(&[key.map_or(Value::Null, Value::Text)], &[Value::Int(value)], second * SECOND);
    }
    all.finish()
}

/// Each row of a snapshot as text, in the order of these texts.
fn rows(snapshot: &Snapshot) -> BTreeSet<String> {
    let row = |place: usize| {
        let cells = snapshot.rows.columns.iter().map(|column| format!("{:?}", column.cell(place)));
        cells.collect::<Vec<_>>().join(" ")
    };
    (0..snapshot.rows.len).map(row).collect()
}

/// Names keys as long as there is room for them.
#[derive(Default)]
struct Model {
    limit: usize,
    /// The named keys of each pane.
    named: BTreeMap<i64, BTreeSet<usize>>,
}

impl Model {
    fn held(&self) -> BTreeSet<usize> {
        self.named.values().flatten().copied().collect()
    }

    fn spent(&self) -> usize {
        self.held().into_iter().map(cost).sum()
    }

    /// Returns the keys of a chunk that have no row.
    fn add(&mut self, events: &[Event]) -> BTreeSet<usize> {
        let mut refused = BTreeSet::new();
        // A chunk is added pane by pane, in the order in which they appear in it.
        let mut order: Vec<i64> = Vec::new();
        for &(_, _, second) in events {
            if !order.contains(&second) {
                order.push(second);
            }
        }
        for pane in order {
            for &(key, _, _) in events.iter().filter(|event| event.2 == pane) {
                let fits = self.held().contains(&key) || self.spent() + cost(key) <= self.limit;
                if fits && !refused.contains(&key) {
                    self.named.entry(pane).or_default().insert(key);
                } else {
                    refused.insert(key);
                }
            }
        }
        refused
    }

    fn leave_below(&mut self, pane: i64) {
        self.named = self.named.split_off(&pane);
    }
}

fn named(events: &[Event], refused: &BTreeSet<usize>) -> Delta {
    let keys: Vec<_> = events
        .iter()
        .map(|&(number, value, second)| {
            let key = if refused.contains(&number) { Some(OTHER.to_vec()) } else { key(number) };
            (key, value, second)
        })
        .collect();
    delta(keys.iter().map(|(key, value, second)| (key.as_deref(), *value, *second)))
}

fn given(events: &[Event]) -> Delta {
    named(events, &BTreeSet::new())
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => vec((0..12_usize, -5..50_i64, 0..4_i64), 1..12).prop_map(Step::Chunk),
        1 => (1..4_i64).prop_map(Step::Advance),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn keys_have_a_row_while_there_is_room(
        steps in vec(step(), 1..40),
        limit in prop_oneof![0..2_000_usize, Just(usize::MAX)],
    ) {
        let (mut limited, mut free) = (state(Some(limit), true), state(None, true));
        let mut model = Model { limit, ..Model::default() };
        let (mut now, mut is_refused) = (0, false);
        for step in steps {
            match step {
                Step::Chunk(mut events) => {
                    // Nothing is late.
                    for event in &mut events {
 event.2 += now;
 }
                    let refused = model.add(&events);
                    prop_assert!(model.spent() <= limit);
                    is_refused |= !refused.is_empty();
                    limited.apply(&given(&events));
                    free.apply(&named(&events, &refused));
                }
                Step::Advance(seconds) => {
                    now += seconds;
                    for state in [&mut limited, &mut free] {
                        state.advance(now * SECOND);
                    }
                    while let Some(found) = limited.next_snapshot() {
                        let expected = free.next_snapshot().unwrap();
                        prop_assert_eq!((found.end, found.total), (expected.end, expected.total));
                        prop_assert_eq!(rows(&found), rows(&expected));
                        let end = found.end.unwrap() / SECOND;
                        model.leave_below(end - LENGTH);
                    }
                    prop_assert!(free.next_snapshot().is_none());
                }
            }
            prop_assert_eq!(limited.has_refused_keys(), is_refused);
            let (found, expected) = (limited.snapshot(0), free.snapshot(0));
            prop_assert_eq!(rows(&found), rows(&expected));
            prop_assert_eq!(found.lines, expected.lines);
            let other = expected.rows.columns[0].clone();
            let has_other = (0..expected.rows.len).any(|row| other.cell(row) == Cell::Text(OTHER.into()));
            prop_assert_eq!(found.other.is_some(), has_other);
        }
    }

    #[test]
    fn without_windows_the_first_keys_have_a_row(
        chunks in vec(vec((0..12_usize, -5..50_i64, Just(0_i64)), 1..12), 1..20),
        limit in 0..2_000_usize,
    ) {
        let (mut limited, mut free) = (state(Some(limit), false), state(None, false));
        let mut model = Model { limit, ..Model::default() };
        for events in chunks {
            let refused = model.add(&events);
            limited.apply(&given(&events));
            free.apply(&named(&events, &refused));
            prop_assert_eq!(rows(&limited.snapshot(0)), rows(&free.snapshot(0)));
        }
        prop_assert!(model.spent() <= limit);
    }

    #[test]
    fn the_limit_holds_for_merged_states(
        chunks in vec(vec((0..12_usize, -5..50_i64, 0..4_i64), 1..12), 1..20),
        limit in 0..2_000_usize,
        max_keys in prop::option::of(1..6_usize),
    ) {
        let mut limited = state(Some(limit), true);
        let mut merged = {
            let settings = Settings {
                max_key_bytes: Some(limit),
                max_keys,
                plan: plan(),
                values: vec![Kind::Int],
                ..Settings::counting(Some(panes()), LENGTH, Clock::Manual, Kind::Text)
            };
            State::new(settings, 0)
        };
        let mut free = state(None, true);
        for events in chunks {
            limited.apply(&given(&events));
            free.apply(&given(&events));
        }
        // Its own keys are above the limit already.
        merged.apply(&limited.export());
        for state in [&mut merged, &mut free] {
            state.advance(20 * SECOND);
        }
        while let Some(expected) = free.next_snapshot() {
            let found = merged.next_snapshot().unwrap();
            prop_assert_eq!((found.end, found.total), (expected.end, expected.total));
            let named = found.rows.len - usize::from(found.other.is_some());
            prop_assert!(named <= max_keys.unwrap_or(usize::MAX));
            prop_assert_eq!(named, found.keys);
        }
    }
}
