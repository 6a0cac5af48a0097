//! Windows of events that are added in columns.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tailrace_core::{
    AGGREGATES, AcceptedValues, AggregateSpec, Cell, Column, Engine, InputArray, InputColumn,
    InputTable, Kind, NamedRows, Order, OrderBy, SECOND, Settings, State, Value, Values,
};

use super::profile;
use super::saved::{Saved, shown, spec};

#[derive(Clone, Debug)]
struct Setup {
    lengths: Vec<Option<i64>>,
    slide: i64,
    lateness: i64,
    limit: Option<usize>,
    track_ranks: bool,
    max_keys: Option<usize>,
    max_key_bytes: Option<usize>,
    aggregates: Vec<usize>,
}

/// An event: its time, its key, and its value, which is whole or not.
type Event = (i64, Option<u8>, i32);

#[derive(Clone, Debug)]
enum Step {
    Add(Vec<Event>, bool),
    /// What another window has counted, as bytes, as a table, or as panes.
    Merge(Vec<Event>, u8),
    /// The clock moves, and this many answers are taken.
    Advance(i64, usize),
    Answers(usize),
    Finish,
    Save,
}

/// An owned column.
#[derive(Clone, Debug)]
struct Cells(Vec<Cell>);

impl InputArray for Cells {
    fn rows(&self) -> usize {
        self.0.len()
    }

    fn value(&self, row: usize) -> Value<'_> {
        match &self.0[row] {
            Cell::Text(text) => Value::Text(text),
            Cell::Int(number) => Value::integer(*number).unwrap(),
            Cell::Float(number) => Value::Float(*number),
            Cell::Time(time) => Value::Time(*time),
            _ => Value::Null,
        }
    }

    fn texts(&self, _: Range<usize>) -> Option<impl Iterator<Item = &[u8]>> {
        None::<std::iter::Empty<_>>
    }
}

fn column(cells: impl Iterator<Item = Cell>, kind: Option<(Kind, bool)>) -> InputColumn<Cells> {
    InputColumn::new(vec![Cells(cells.collect())], kind)
}

fn table(rows: &NamedRows) -> InputTable<Cells> {
    let column = |one: &Column| {
        let kind = match one.values {
            Values::Text { .. } => (Kind::Text, false),
            Values::Bytes { .. } => (Kind::Text, true),
            Values::Int(_) => (Kind::Int, false),
            Values::Float(_) => (Kind::Float, false),
            Values::Time(_) => (Kind::Time, false),
            _ => unreachable!("{one:?}"),
        };
        column((0..rows.rows.len).map(|row| one.cell(row)), Some(kind))
    };
    InputTable {
        names: rows.names.clone(),
        columns: rows.rows.columns.iter().map(column).collect(),
        metadata: rows.metadata.clone(),
    }
}

impl Setup {
    fn aggregates(&self) -> Vec<AggregateSpec> {
        let ask = |(place, &at): (usize, &usize)| {
            let known = AGGREGATES.iter().filter(|known| !known.conditional).nth(at);
            let Some(known) = known else { return spec(place, "count", Vec::new()) };
            let of_text = known.accepts == AcceptedValues::All && at % 2 == 0;
            let fields = ["size", "cost"].into_iter().take(known.fields).collect();
            spec(place, known.name, if of_text { vec!["name"] } else { fields })
        };
        self.aggregates.iter().enumerate().map(ask).collect()
    }

    fn engine(&self, seed: u64) -> Engine {
        let lengths: Vec<_> =
            self.lengths.iter().map(|length| length.map(|n| n * SECOND)).collect();
        let windows =
            Settings::of_windows(&lengths, Some(self.slide * SECOND), 0, self.lateness * SECOND);
        let settings = Settings {
            limit: self.limit,
            order: Order { by: OrderBy::Count, ascending: false },
            track_ranks: self.track_ranks,
            max_keys: self.max_keys,
            max_key_bytes: self.max_key_bytes,
            ..windows.unwrap()
        };
        Engine::for_events(vec!["key".to_owned()], self.aggregates(), settings, seed).unwrap()
    }

    /// Another window, to be merged.
    fn other(&self, events: &[Event]) -> Engine {
        let unlimited = Self { max_keys: None, max_key_bytes: None, ..self.clone() };
        let engine = unlimited.engine(77);
        add(&engine, events, true);
        engine
    }
}

fn add(engine: &Engine, events: &[Event], whole: bool) {
    let key = |&(_, key, _): &Event| {
        key.map_or(Cell::Null, |key| Cell::Text(vec![b'k'; usize::from(key)].into()))
    };
    let number = |&(_, _, value): &Event| {
        if whole { Cell::Int(value.into()) } else { Cell::Float(f64::from(value) / 3.0) }
    };
    let name = |&(_, _, value): &Event| Cell::Text(value.to_string().into_bytes().into());
    let keys = column(events.iter().map(key), Some((Kind::Text, false)));
    let values = engine.fields().iter().map(|field| {
        let kind = if whole { Kind::Int } else { Kind::Float };
        if field == "name" {
            column(events.iter().map(name), Some((Kind::Text, false)))
        } else {
            column(events.iter().map(number), Some((kind, false)))
        }
    });
    let values: Vec<_> = values.collect();
    let times = events.iter().map(|(time, _, _)| Cell::Time(time * SECOND));
    let times = column(times, Some((Kind::Time, false)));
    engine.add(&[keys], &values, &times).unwrap();
}

/// Makes a step and returns the answers.
fn step(engine: &Engine, setup: &Setup, step: &Step, now: &mut i64) -> Vec<String> {
    let answers = |most: usize| {
        let next = || engine.with(State::next_snapshot).unwrap();
        std::iter::from_fn(next).take(most).map(|one| shown(&one)).collect()
    };
    match step {
        Step::Add(events, whole) => add(engine, &moved(events, *now), *whole),
        Step::Merge(events, how) => {
            let other = setup.other(&moved(events, *now));
            // Without events it has no types.
            let done = match how {
                _ if events.is_empty() => Ok(()),
                0 => engine.merge(&other.export().unwrap()),
                1 => engine.merge_table(&table(&other.export_table().unwrap())),
                _ => engine.add_panes(&table(&other.pane_table().unwrap())).map(|_| ()),
            };
            // A window since the start takes no export of one that has lost panes.
            return vec![format!("{done:?}")];
        }
        Step::Advance(ahead, most) => {
            *now += ahead;
            engine.advance(*now * SECOND).unwrap();
            return answers(*most);
        }
        Step::Answers(most) => return answers(*most),
        Step::Finish => engine.finish().unwrap(),
        Step::Save => {}
    }
    Vec::new()
}

fn moved(events: &[Event], now: i64) -> Vec<Event> {
    events.iter().map(|&(time, key, value)| (now + time, key, value)).collect()
}

/// Everything that can be seen of the engine.
fn seen(engine: &Engine, setup: &Setup) -> Vec<String> {
    let mut seen: Vec<String> = (0..setup.lengths.len())
        .map(|length| shown(&engine.with(|state| state.snapshot(length)).unwrap()))
        .collect();
    seen.push(format!("{:?}", engine.with(|state| (state.times(), *state.lines()))));
    seen.push(format!("{:?}", engine.with(|state| state.has_refused_keys())));
    seen.push(format!("{:?}", engine.export().unwrap()));
    seen
}

fn steps() -> impl Strategy<Value = Step> {
    let event = (-8..12_i64, prop::option::weighted(0.9, 0..6_u8), -3..9_i32);
    let events = || vec(event.clone(), 0..10);
    let most = || prop_oneof![2 => Just(usize::MAX), 1 => 0..4_usize];
    prop_oneof![
        6 => (events(), any::<bool>()).prop_map(|(events, whole)| Step::Add(events, whole)),
        2 => (events(), 0..3_u8).prop_map(|(events, how)| Step::Merge(events, how)),
        5 => (0..9_i64, most()).prop_map(|(ahead, most)| Step::Advance(ahead, most)),
        1 => most().prop_map(Step::Answers),
        1 => prop::bool::weighted(0.2).prop_map(|ends| if ends { Step::Finish } else { Step::Save }),
        1 => Just(Step::Save),
    ]
}

fn setup() -> impl Strategy<Value = Setup> {
    let length = || prop::option::weighted(0.75, 1..6_i64);
    let limits = (
        prop::option::weighted(0.5, 1..4_usize),
        prop::option::weighted(0.3, 1..5_usize),
        prop::option::weighted(0.3, 0..700_usize),
    );
    let aggregates = vec(0..AGGREGATES.len(), 1..5);
    (vec(length(), 1..4), 1..4_i64, 0..4_i64, limits, aggregates, any::<bool>()).prop_map(
        |(lengths, slide, lateness, limits, aggregates, track_ranks)| {
            let lengths = lengths.into_iter().map(|length| length.map(|n| n * slide)).collect();
            let (limit, max_keys, max_key_bytes) = limits;
            Setup {
                lengths,
                slide,
                lateness,
                limit,
                track_ranks,
                max_keys,
                max_key_bytes,
                aggregates,
            }
        },
    )
}

proptest! {
    #![proptest_config(profile::cases(300))]

    #[test]
    fn a_restored_window_goes_on_as_if_it_had_never_stopped(
        setup in setup(),
        before in vec(steps(), 0..30),
        after in vec(steps(), 0..15),
        seed in any::<u64>(),
        start in select(vec![0, -3, 1_700_000_000]),
    ) {
        let one = setup.engine(1);
        one.record().unwrap();
        let (mut rounds, mut saved) = (Vec::new(), None);
        let mut now = start;
        for each in &before {
            step(&one, &setup, each, &mut now);
            let round = one.take_recorded().unwrap();
            if !round.is_empty() {
                rounds.push(round.as_bytes().to_vec());
            }
            if matches!(each, Step::Save) {
                saved = Some(Saved::of(&one));
                rounds.clear();
            }
        }
        let other = setup.engine(seed);
        if let Some(saved) = saved {
            saved.restore(&other).unwrap();
        }
        for round in &rounds {
            other.replay(round, &mut |_| {}).unwrap();
        }
        let states = [&one, &other].map(Saved::of);
        prop_assert_eq!(&states[0].state, &states[1].state);
        prop_assert_eq!(&states[0].closed, &states[1].closed);
        prop_assert_eq!(seen(&one, &setup), seen(&other, &setup));

        let mut again = now;
        for each in &after {
            let expected = step(&one, &setup, each, &mut now);
            prop_assert_eq!(step(&other, &setup, each, &mut again), expected, "{:?}", each);
        }
        for ending in [Step::Finish, Step::Answers(usize::MAX)] {
            let expected = step(&one, &setup, &ending, &mut now);
            prop_assert_eq!(step(&other, &setup, &ending, &mut again), expected);
        }
        prop_assert_eq!(seen(&one, &setup), seen(&other, &setup));
    }
}
