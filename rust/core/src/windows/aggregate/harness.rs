//! Runs an aggregate through a window and compares it with an oracle that sees all values of the
//! window.

#![expect(
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "results are exact, measurements are rough"
)]

use proptest::prelude::*;

use super::{Aggregate, AggregateSpec, Cell, Input, Scope, Windowed};
use crate::ground::{Kind, Value};

/// The width of a pane in microseconds: small, so that times often coincide.
const PANE: i64 = 8;

/// An owned value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TestValue {
    Null,
    Text(Vec<u8>),
    Int(i64),
    Float(f64),
    Time(i64),
}

impl TestValue {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Text(text) => Value::Text(text),
            Self::Int(number) => Value::Int(*number),
            Self::Float(number) => Value::Float(*number),
            Self::Time(time) => Value::Time(*time),
        }
    }
}

/// An event to add.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) value: TestValue,
    pub(super) second: TestValue,
    pub(super) time: Option<i64>,
}

impl Event {
    pub(super) fn of(value: TestValue) -> Self {
        Self { value, second: TestValue::Null, time: None }
    }

    pub(super) fn input(&self) -> Input<'_> {
        Input { value: self.value.value(), second: self.second.value(), time: self.time }
    }
}

/// Numbered panes with their events, with gaps between them, and the number of panes in a window.
#[derive(Clone, Debug)]
pub(super) struct Run {
    panes: Vec<(i64, Vec<Event>)>,
    length: i64,
}

pub(super) fn ints() -> BoxedStrategy<TestValue> {
    prop_oneof![
        8 => (-5..20_i64).prop_map(TestValue::Int),
        2 => any::<i64>().prop_map(TestValue::Int),
        1 => prop::sample::select(vec![i64::MIN, i64::MAX]).prop_map(TestValue::Int),
        1 => Just(TestValue::Null),
    ]
    .boxed()
}

/// Numbers of every size, including NaN, infinities, integers and null.
pub(super) fn numbers() -> BoxedStrategy<TestValue> {
    prop_oneof![
        8 => (-1_000_000..1_000_000_i32).prop_map(|number| TestValue::Float(f64::from(number) / 1_000.0)),
        4 => ints(),
        2 => any::<f64>().prop_map(TestValue::Float),
        2 => prop::sample::select(vec![
            1e16, -1e16, 1e16 + 2.0, 1.0, -1.0, 0.1, f64::MIN_POSITIVE, 5e-324, -5e-324, 1e299,
            -1e299, 0.0, -0.0, 9_007_199_254_740_993.0, 1.1e-308, f64::MAX, f64::MIN,
        ]).prop_map(TestValue::Float),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY])
            .prop_map(TestValue::Float),
    ]
    .boxed()
}

/// Numbers of which a few never sum up to more than the largest float.
pub(super) fn medium() -> BoxedStrategy<TestValue> {
    let is_medium = |held: &TestValue| match held {
        TestValue::Float(number) => number.abs() < 1e300 || !number.is_finite(),
        _ => true,
    };
    numbers().prop_filter("of a size that adds up", is_medium).boxed()
}

pub(super) fn times() -> BoxedStrategy<TestValue> {
    prop_oneof![9 => any::<i64>().prop_map(TestValue::Time), 1 => Just(TestValue::Null)].boxed()
}

/// Few distinct texts, and some that are too long to be stored inline.
pub(super) fn texts() -> BoxedStrategy<TestValue> {
    prop_oneof![
        6 => (b'a'..b'f').prop_map(|letter| TestValue::Text(vec![letter])),
        2 => prop::collection::vec(any::<u8>(), 0..40).prop_map(TestValue::Text),
        1 => Just(TestValue::Null),
    ]
    .boxed()
}

/// Runs with these values in the first field.
pub(super) fn runs(values: BoxedStrategy<TestValue>) -> impl Strategy<Value = Run> {
    runs_of_two(values, Just(TestValue::Null).boxed())
}

/// Runs with these values in the first and the second field.
pub(super) fn runs_of_two(
    values: BoxedStrategy<TestValue>,
    seconds: BoxedStrategy<TestValue>,
) -> impl Strategy<Value = Run> {
    let place = prop_oneof![9 => (0..PANE).prop_map(Some), 1 => Just(None)];
    let event = (values, seconds, place);
    let gap = prop_oneof![5 => Just(1_i64), 1 => 2..6_i64];
    let panes = prop::collection::vec((gap, prop::collection::vec(event, 1..6)), 1..12);
    (panes, 1..8_i64, -20..20_i64).prop_map(|(panes, length, mut number)| {
        let mut all = Vec::new();
        for (gap, events) in panes {
            number += gap;
            let events = events.into_iter().map(|(value, second, place)| Event {
                value,
                second,
                time: place.map(|place| number * PANE + place),
            });
            all.push((number, events.collect()));
        }
        Run { panes: all, length }
    })
}

/// Arbitrary bytes, which rarely are a valid encoding.
pub(super) fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    // Small bytes are often tags.
    prop::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..most)
}

/// Returns a spec without fields.
pub(super) fn spec(what: &str) -> AggregateSpec {
    let name = what.to_owned();
    AggregateSpec {
        name: name.clone(),
        function: name,
        fields: Vec::new(),
        number: 0.0,
        error: 0.0,
    }
}

/// Returns whether two results are equal; NaN equals NaN.
pub(super) fn same(one: &Cell, other: &Cell) -> bool {
    match (one, other) {
        (Cell::Float(one), Cell::Float(other)) => one == other || one.is_nan() && other.is_nan(),
        _ => one == other,
    }
}

/// Like [`check_by`], for aggregates with one correct result.
pub(super) fn check<A: Windowed>(
    aggregate: &A,
    spec: &AggregateSpec,
    kind: Kind,
    run: &Run,
    oracle: impl Fn(&[&Event], &Scope<'_>) -> Cell,
) {
    check_by(aggregate, spec, kind, run, |events, scope, result| {
        let right = oracle(events, scope);
        assert!(same(result, &right), "{result:?} instead of {right:?} for {events:?}");
    });
}

/// Panics if a result is wrong: of any window while panes enter and leave in order, of a window
/// that only grows, and of partials that were merged in any order or encoded and decoded. `judge`
/// gets all events of the window and has to panic, too.
pub(super) fn check_by<A: Windowed>(
    aggregate: &A,
    spec: &AggregateSpec,
    kind: Kind,
    run: &Run,
    judge: impl Fn(&[&Event], &Scope<'_>, &Cell),
) {
    let scope_of = |events: &[&Event]| Scope {
        spec,
        kind,
        seconds: run.length as f64 / 4.0,
        count: events.len() as u64,
        whole: None,
    };
    let judge = |events: &[&Event], result: &dyn Fn(&Scope<'_>) -> Cell| {
        let scope = scope_of(events);
        judge(events, &scope, &result(&scope));
    };
    let mut partials = Vec::new();
    for (number, events) in &run.panes {
        let partial =
            partial_in_any_order(aggregate, &scope_of(&events.iter().collect::<Vec<_>>()), events);
        judge(&events.iter().collect::<Vec<_>>(), &|scope| aggregate.emit_partial(&partial, scope));
        partials.push((*number, partial));
    }
    slide(aggregate, run, &partials, &judge);
    grow(aggregate, run, &partials, &judge);
}

type Judge<'a> = &'a dyn Fn(&[&Event], &dyn Fn(&Scope<'_>) -> Cell);

/// Returns the partial of these events, after checking that it does not depend on their order and
/// grouping.
fn partial_in_any_order<A: Aggregate>(
    aggregate: &A,
    scope: &Scope<'_>,
    events: &[Event],
) -> A::Partial {
    let partial_of = |events: &[&Event]| {
        let mut partial = A::Partial::default();
        for event in events {
            aggregate.add(&mut partial, &event.input());
        }
        partial
    };
    let forward: Vec<&Event> = events.iter().collect();
    let partial = partial_of(&forward);
    let expected = aggregate.emit_partial(&partial, scope);
    let agrees = |other: &A::Partial, how: &str| {
        let result = aggregate.emit_partial(other, scope);
        assert!(
            same(&result, &expected),
            "{how}: {result:?} instead of {expected:?} for {events:?}"
        );
    };
    let backward: Vec<&Event> = events.iter().rev().collect();
    agrees(&partial_of(&backward), "backward");
    for middle in 0..=forward.len() {
        let (left, right) = forward.split_at(middle);
        let (left, right) = (partial_of(left), partial_of(right));
        let mut merged = left.clone();
        aggregate.merge(&mut merged, &right);
        agrees(&merged, "merged");
        let mut merged = A::Partial::default();
        aggregate.merge(&mut merged, &right);
        aggregate.merge(&mut merged, &left);
        agrees(&merged, "merged backward");
    }
    let mut bytes = Vec::new();
    aggregate.encode(&partial, &mut bytes);
    for end in 0..bytes.len() {
        assert!(aggregate.decode(&mut &bytes[..end]).is_none(), "{end} of {bytes:?}");
    }
    let length = bytes.len();
    bytes.extend_from_slice(b"rest");
    let mut rest = &bytes[..];
    let read = aggregate.decode(&mut rest).unwrap();
    assert_eq!(rest, b"rest", "{length} bytes were written");
    agrees(&read, "read");
    let mut again = Vec::new();
    aggregate.encode(&read, &mut again);
    assert_eq!(again, bytes[..length]);
    read
}

/// Lets panes enter and leave in order until none is left.
fn slide<A: Windowed>(aggregate: &A, run: &Run, partials: &[(i64, A::Partial)], judge: Judge<'_>) {
    let (Some((first, _)), Some((last, _))) = (partials.first(), partials.last()) else { return };
    let partial = |number: i64| partials.iter().find(|(of, _)| *of == number);
    let mut total = A::Total::default();
    for newest in *first..=last + run.length {
        if let Some((_, partial)) = partial(newest) {
            aggregate.enter(&mut total, partial, newest);
        }
        if let Some((_, partial)) = partial(newest - run.length) {
            aggregate.leave(&mut total, partial, newest - run.length);
        }
        let inside = newest - run.length + 1..=newest;
        let panes = run.panes.iter().filter(|(number, _)| inside.contains(number));
        let events: Vec<&Event> = panes.flat_map(|(_, events)| events).collect();
        judge(&events, &|scope| aggregate.emit(&total, scope));
    }
}

/// Merges partials, newest first.
fn grow<A: Aggregate>(aggregate: &A, run: &Run, partials: &[(i64, A::Partial)], judge: Judge<'_>) {
    let mut all = A::Partial::default();
    for place in (0..partials.len()).rev() {
        aggregate.merge(&mut all, &partials[place].1);
        let events: Vec<&Event> =
            run.panes[place..].iter().flat_map(|(_, events)| events).collect();
        judge(&events, &|scope| aggregate.emit_partial(&all, scope));
    }
}

/// Panics if bytes that are not a partial make the aggregate panic. If they decode after all, the
/// partial is used; its result is arbitrary.
pub(super) fn check_bytes<A: Windowed>(aggregate: &A, spec: &AggregateSpec, bytes: &[u8]) {
    let mut total = A::Total::default();
    let mut all = A::Partial::default();
    let mut partials = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let before = rest.len();
        let Some(partial) = aggregate.decode(&mut rest) else { break };
        partials.push(partial);
        if rest.len() == before {
            break;
        }
    }
    for (partial, pane) in partials.iter().zip(0..) {
        aggregate.merge(&mut all, partial);
        aggregate.enter(&mut total, partial, pane);
    }
    for kind in [Kind::Int, Kind::Float, Kind::Time, Kind::Text] {
        let scope = Scope { spec, kind, seconds: 1.0, count: 1, whole: None };
        aggregate.emit_partial(&all, &scope);
        aggregate.emit(&total, &scope);
    }
    for (partial, pane) in partials.iter().zip(0..) {
        aggregate.leave(&mut total, partial, pane);
    }
}

/// Checks an encoding with one byte changed, which is more often almost valid than random bytes
/// are.
pub(super) fn check_damage<A: Windowed>(
    aggregate: &A,
    spec: &AggregateSpec,
    run: &Run,
    at: usize,
    to: u8,
) {
    let mut bytes = Vec::new();
    for (_, events) in &run.panes {
        let mut partial = A::Partial::default();
        for event in events {
            aggregate.add(&mut partial, &event.input());
        }
        aggregate.encode(&partial, &mut bytes);
    }
    let place = at % bytes.len();
    bytes[place] = to;
    check_bytes(aggregate, spec, &bytes);
}

/// Measures an event and a slide: a million events of 1,000 keys, 100 panes in each window.
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement")]
pub(super) fn measure<A: Windowed>(aggregate: &A, what: &str, events: &[Event]) {
    const KEYS: usize = 1_000;
    const PANES: i64 = 400;
    let spec = spec(what);
    let scope = Scope { spec: &spec, kind: Kind::Float, seconds: 1.0, count: 1, whole: None };
    let mut totals: Vec<A::Total> = (0..KEYS).map(|_| A::Total::default()).collect();
    let mut panes = std::collections::VecDeque::new();
    let [mut adding, mut sliding, mut saying] = [const { Vec::new() }; 3];
    let mut all = events.iter().cycle();
    for pane in 0..PANES {
        let mut partials: Vec<A::Partial> = (0..KEYS).map(|_| A::Partial::default()).collect();
        let start = std::time::Instant::now();
        for (event, place) in all.by_ref().zip(0..10 * KEYS) {
            let time = event.time.map(|_| pane);
            aggregate.add(&mut partials[place * 7 % KEYS], &Input { time, ..event.input() });
        }
        adding.push(start.elapsed().as_nanos());
        let start = std::time::Instant::now();
        for (total, partial) in totals.iter_mut().zip(&partials) {
            aggregate.enter(total, partial, pane);
        }
        panes.push_back(partials);
        if panes.len() > 100 {
            let partials = panes.pop_front().unwrap();
            for (total, partial) in totals.iter_mut().zip(&partials) {
                aggregate.leave(total, partial, pane - 100);
            }
        }
        sliding.push(start.elapsed().as_nanos());
        let start = std::time::Instant::now();
        for total in &totals {
            std::hint::black_box(aggregate.emit(total, &scope));
        }
        saying.push(start.elapsed().as_nanos());
    }
    // Medians, because the machine is not idle.
    let median = |mut all: Vec<u128>, through: usize| {
        all.drain(..150);
        all.sort_unstable();
        all[all.len() / 2] as f64 / through as f64
    };
    println!(
        "{what}: event {:.1} ns, key in and out {:.1} ns, answer {:.1} ns; partial {} B, total {} B",
        median(adding, 10 * KEYS),
        median(sliding, KEYS),
        median(saying, KEYS),
        size_of::<A::Partial>(),
        size_of::<A::Total>(),
    );
}
