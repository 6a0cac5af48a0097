//! States that each saw a part of the input, exported and merged, give the snapshots of one that
//! saw all.

#[path = "../src/ground/profile.rs"]
mod profile;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tailrace_core::{
    AGGREGATES, AggregateSpec, Chunk, Clock, Delta, Events, Format, ImportError, Kind, Layout,
    Order, OrderBy, Origin, Panes, Plan, Query, Reason, SECOND, Seed, SeenKind, Settings, Snapshot,
    State, Time, TypedField, Value,
};

type Key = [Option<Vec<u8>>; 2];

#[derive(Clone, Debug)]
enum Step {
    /// The index of the state, key, value and second.
    Event(usize, Key, Option<f64>, i64),
    Advance(i64),
}

/// The shape of a window: key fields, lengths, panes per slide, lateness.
#[derive(Clone, Debug)]
struct Shape {
    fields: usize,
    lengths: Vec<Option<i64>>,
    step: i64,
    lateness: i64,
    max_keys: Option<usize>,
    whole: bool,
}

impl Shape {
    fn panes(&self) -> Panes {
        Panes { width: SECOND, offset: SECOND / 4, lateness: self.lateness * SECOND }
    }

    fn value_kind(&self) -> Kind {
        if self.whole { Kind::Int } else { Kind::Float }
    }

    fn state(&self) -> State {
        let settings = Settings {
            panes: Some(self.panes()),
            lengths: self.lengths.clone(),
            step: self.step,
            clock: Clock::Manual,
            sources: 1,
            limit: None,
            order: Order { by: OrderBy::Count, ascending: false },
            track_ranks: false,
            max_keys: self.max_keys,
            max_key_bytes: None,
            bounds: None,
            plan: all(),
            keys: vec![Kind::Text; self.fields],
            values: vec![self.value_kind()],
            raw: [vec![true; 4], vec![true; 4]],
        };
        State::new(settings, 0)
    }

    fn layout(&self) -> Layout {
        let names = ["host", "path"].into_iter().take(self.fields);
        let key = |name: &str| TypedField { name: name.to_owned(), kind: Some((Kind::Text, true)) };
        Layout {
            panes: Some(self.panes()),
            plan: all(),
            keys: names.map(key).collect(),
            values: vec![Some((self.value_kind(), false))],
            since_start: self.lengths.contains(&None),
        }
    }

    fn add(&self, state: &mut State, seed: u64, key: &Key, value: Option<f64>, second: i64) {
        let mut events = Events::new(self.panes(), all(), Seed::new(seed));
        let text = |field: &Option<Vec<u8>>| field.clone();
        let key: Vec<_> = key.iter().take(self.fields).map(text).collect();
        let key: Vec<_> =
            key.iter().map(|field| field.as_deref().map_or(Value::Null, Value::Text)).collect();
        #[expect(clippy::cast_possible_truncation, reason = "arbitrary integers")]
        let value = value.map_or(Value::Null, |value| {
            if self.whole { Value::Int(value as i64) } else { Value::Float(value) }
        });
        events.push(&key, &[value], second * SECOND);
        state.apply(&events.finish());
    }
}

fn plan_of(what: &[(&str, usize)]) -> Plan {
    let ask = |&(what, fields): &(&str, usize)| AggregateSpec {
        name: what.to_owned(),
        function: what.to_owned(),
        fields: vec!["size".to_owned(); fields],
        number: if what == "top_values" { 3.0 } else { 0.5 },
        error: if matches!(what, "quantile" | "approx_count_distinct") { 0.05 } else { 0.0 },
    };
    Plan::new(what.iter().map(ask).collect(), &Seed::new(1))
        .unwrap_or_else(|error| unreachable!("{error:?}"))
}

/// All aggregates.
fn all() -> Plan {
    let what: Vec<_> = AGGREGATES.iter().map(|known| (known.name, known.fields)).collect();
    plan_of(&[&[("count", 0)][..], &what].concat())
}

fn plan() -> Plan {
    plan_of(&[("count", 0), ("sum", 1), ("mean", 1)])
}

fn imported(layout: &Layout, bytes: &[u8], seed: u64) -> Delta {
    match layout.decode(bytes, &Seed::new(seed)) {
        Ok(imported) => imported.delta,
        Err(error) => unreachable!("{error}"),
    }
}

fn answers(state: &mut State) -> Vec<Snapshot> {
    std::iter::from_fn(|| state.next_snapshot()).collect()
}

/// Compares equal even for NaN.
fn shown(snapshot: &Snapshot) -> String {
    format!("{snapshot:?}")
}

fn rows_shown(snapshot: &Snapshot) -> String {
    format!("{:?}", (snapshot.lookback, snapshot.start, snapshot.end, &snapshot.rows))
}

fn key() -> impl Strategy<Value = Key> {
    let field = || {
        prop::option::weighted(
            0.8,
            select(vec![&b""[..], b"\0", b"\0\x01", b"a", b"b", b"\xff\xfe", b"/a?b=\xc3"])
                .prop_map(<[u8]>::to_vec),
        )
    };
    [field(), field()]
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop::option::weighted(
        0.9,
        prop_oneof![
            4 => select(vec![0.1, 0.2, 0.3, -0.3, 1.0, 3.0]),
            2 => select(vec![1e16, -1e16, 1e-300, 1e300, -0.0]),
            1 => select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
        ],
    );
    prop_oneof![
        6 => (0..4_usize, key(), value, 0..30_i64)
            .prop_map(|(state, key, value, second)| Step::Event(state, key, value, second)),
        1 => (0..30_i64).prop_map(Step::Advance),
    ]
}

fn shape() -> impl Strategy<Value = Shape> {
    let length = || prop::option::weighted(0.7, 1..5_i64);
    (0..3_usize, vec(length(), 1..4), 1..4_i64, 0..4_i64, any::<bool>()).prop_map(
        |(fields, lengths, step, lateness, whole)| {
            let lengths = lengths.into_iter().map(|length| length.map(|n| n * step)).collect();
            Shape { fields, lengths, step, lateness, max_keys: None, whole }
        },
    )
}

proptest! {
    #![proptest_config(profile::cases(100))]

    #[test]
    fn merged_states_answer_like_one_that_saw_everything(
        shape in shape(),
        steps in vec(step(), 0..60),
        looks in any::<bool>(),
        order in vec((any::<Index>(), any::<Index>()), 8),
    ) {
        let layout = shape.layout();
        let mut one = shape.state();
        let mut parts: Vec<State> = (0..4).map(|_| shape.state()).collect();
        let mut history = Vec::new();
        for step in &steps {
            match step {
                Step::Event(at, key, value, second) => {
                    shape.add(&mut one, 1, key, *value, *second);
                    shape.add(&mut parts[*at], *at as u64, key, *value, *second);
                }
                Step::Advance(second) => {
                    one.advance(second * SECOND);
                    history.extend(answers(&mut one));
                    for part in &mut parts {
                        part.advance(second * SECOND);
                        if looks { answers(part); } else { part.skip(); }
                    }
                }
            }
        }
        // Merge two at a time, in any order, until one is left.
        let mut exports: Vec<Vec<u8>> =
            parts.iter().map(|part| layout.encode(&part.export())).collect();
        for (first, second) in order {
            if exports.len() > 1 {
                let (left, right) = (first.index(exports.len()), second.index(exports.len() - 1));
                let left = exports.swap_remove(left);
                let right = exports.swap_remove(right);
                let mut both = shape.state();
                both.apply(&imported(&layout, &left, 7));
                both.apply(&imported(&layout, &right, 7));
                exports.push(layout.encode(&both.export()));
            }
        }
        let mut merged = shape.state();
        merged.apply(&imported(&layout, &exports[0], 8));

        prop_assert_eq!(merged.lines(), one.lines());
        for lookback in 0..shape.lengths.len() {
            prop_assert_eq!(shown(&merged.snapshot(lookback)), shown(&one.snapshot(lookback)));
        }
        let reached = history.last().and_then(|last| last.end);
        one.finish(true);
        merged.finish(true);
        let rest: Vec<String> = answers(&mut one).iter().map(shown).collect();
        let (again, new): (Vec<_>, Vec<_>) =
            answers(&mut merged).into_iter().partition(|snapshot| snapshot.end <= reached);
        prop_assert_eq!(new.iter().map(shown).collect::<Vec<_>>(), rest);
        // Ends that the parts have answered are answered again if all panes still exist.
        for snapshot in &again {
            let before = history.iter().find(|old| (old.lookback, old.end) == (snapshot.lookback, snapshot.end));
            prop_assert_eq!(before.map(rows_shown), Some(rows_shown(snapshot)));
        }
    }

    #[test]
    fn panes_that_states_hand_out_add_up_to_one_state(
        shape in shape(),
        steps in vec(step(), 0..60),
    ) {
        let layout = shape.layout();
        let mut one = shape.state();
        let mut merged = shape.state();
        let mut parts: Vec<State> = (0..4).map(|_| shape.state()).collect();
        let hand_over = |part: &mut State, merged: &mut State| {
            while let Some(pane) = part.next_partials() {
                merged.apply(&imported(&layout, &layout.encode(&pane.content), 8));
            }
        };
        let mut now = 0;
        for step in &steps {
            match step {
                Step::Event(at, key, value, second) => {
                    shape.add(&mut one, 1, key, *value, *second);
                    shape.add(&mut parts[*at], *at as u64, key, *value, *second);
                }
                Step::Advance(second) => {
                    now = now.max(*second);
                    one.advance(second * SECOND);
                    for part in &mut parts {
                        part.advance(second * SECOND);
                        hand_over(part, &mut merged);
                    }
                }
            }
        }
        for part in &mut parts {
            prop_assert!(part.next_partials().is_none());
            part.finish(false);
            hand_over(part, &mut merged);
        }
        merged.advance(now * SECOND);
        prop_assert_eq!(merged.lines(), one.lines());
        for state in [&mut one, &mut merged] {
            state.finish(true);
        }
        let found: Vec<String> = answers(&mut merged).iter().map(shown).collect();
        prop_assert_eq!(found, answers(&mut one).iter().map(shown).collect::<Vec<_>>());
    }

    #[test]
    fn with_a_key_limit_totals_equal_those_of_one_state(
        steps in vec(step(), 0..60),
        max_keys in 1..4_usize,
        whole in any::<bool>(),
    ) {
        let shape = Shape {
            fields: 1, lengths: vec![Some(4), None], step: 2, lateness: 40,
            max_keys: Some(max_keys), whole,
        };
        let mut one = shape.state();
        let mut merged = shape.state();
        let mut parts: Vec<State> = (0..4).map(|_| shape.state()).collect();
        for step in &steps {
            if let Step::Event(at, key, value, second) = step {
                shape.add(&mut one, 1, key, *value, *second);
                shape.add(&mut parts[*at], *at as u64, key, *value, *second);
            }
        }
        for part in &mut parts {
            // Nothing is late, but panes are closed, so that some keys are above the limit.
            part.advance(60 * SECOND);
            part.skip();
            let bytes = shape.layout().encode(&part.export());
            merged.apply(&imported(&shape.layout(), &bytes, 3));
        }
        one.finish(true);
        merged.finish(true);
        let all = answers(&mut one);
        for snapshot in answers(&mut merged) {
            prop_assert!(snapshot.keys <= max_keys);
            let same = all.iter().find(|old| (old.lookback, old.end) == (snapshot.lookback, snapshot.end));
            prop_assert_eq!(same.map(|old| old.total), Some(snapshot.total));
        }
    }

    #[test]
    fn equal_contents_have_equal_bytes(
        steps in vec(step(), 1..60).prop_shuffle(),
        order in Just((0..60_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let shape = Shape {
            fields: 2, lengths: vec![Some(4)], step: 1, lateness: 0, max_keys: None, whole: true,
        };
        let layout = Layout { plan: Plan::counting(), values: Vec::new(), ..shape.layout() };
        let settings = |shape: &Shape| Settings {
            keys: vec![Kind::Text; 2],
            ..Settings::counting(Some(shape.panes()), 4, Clock::Manual, Kind::Text)
        };
        let write = |order: &mut dyn Iterator<Item = &Step>, at_once: bool| {
            let mut state = State::new(settings(&shape), 0);
            let make = || Events::new(shape.panes(), Plan::counting(), Seed::new(order_seed(at_once)));
            let mut events = make();
            for step in order {
                let Step::Event(_, key, _, second) = step else { continue };
                let key: Vec<_> = key.iter()
                    .map(|field| field.as_deref().map_or(Value::Null, Value::Text)).collect();
                events.push(&key, &[], second * SECOND);
                if !at_once {
                    state.apply(&std::mem::replace(&mut events, make()).finish());
                }
            }
            if at_once {
                return layout.encode(&events.finish());
            }
            state.apply(&events.finish());
            layout.encode(&state.export())
        };
        let one = write(&mut steps.iter(), false);
        let other = write(&mut order.iter().filter_map(|&at| steps.get(at)), true);
        prop_assert_eq!(&one, &other);
        let delta = imported(&layout, &one, 5);
        prop_assert_eq!(layout.encode(&delta), one);
    }

    #[test]
    fn damaged_exports_are_rejected_or_consistent(
        shape in shape(),
        steps in vec(step(), 1..20),
        changes in vec((any::<Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<Index>()),
        cuts in vec(any::<Index>(), 4),
    ) {
        let layout = shape.layout();
        let mut state = shape.state();
        for step in &steps {
            match step {
                Step::Event(_, key, value, second) => shape.add(&mut state, 1, key, *value, *second),
                Step::Advance(second) => {
                    state.advance(second * SECOND);
                    state.skip();
                }
            }
        }
        let mut bytes = layout.encode(&state.export());
        for cut in cuts {
            let cut = cut.index(bytes.len());
            prop_assert!(layout.decode(&bytes[..cut], &Seed::new(1)).is_err());
        }
        for (at, byte) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(read) = layout.decode(&bytes, &Seed::new(1)) {
            let written = layout.encode(&read.delta);
            prop_assert!(layout.decode(&written, &Seed::new(2)).is_ok());
            let mut state = shape.state();
            state.apply(&read.delta);
            let lines = *state.lines();
            let rejected: u64 =
                Reason::NAMES.iter().map(|&(_, reason)| lines.rejected(reason)).sum();
            prop_assert_eq!(lines.fed, lines.counted + lines.late + lines.filtered + rejected);
            state.snapshot(0);
            state.finish(true);
            state.last_snapshot();
            layout.encode(&state.export());
        }
    }

    #[test]
    fn arbitrary_bytes_are_not_an_export(bytes in vec(any::<u8>(), 0..200)) {
        let shape = Shape {
            fields: 1, lengths: vec![Some(4)], step: 1, lateness: 0, max_keys: None, whole: true,
        };
        prop_assert!(shape.layout().decode(&bytes, &Seed::new(1)).is_err());
        let started = [b"tlrc\x01".to_vec(), bytes].concat();
        prop_assert!(shape.layout().decode(&started, &Seed::new(1)).is_err());
    }
}

/// Another seed gives keys another order.
fn order_seed(at_once: bool) -> u64 {
    u64::from(at_once)
}

fn text(name: &str) -> TypedField {
    TypedField { name: name.to_owned(), kind: Some((Kind::Text, false)) }
}

fn panes() -> Panes {
    Panes { width: SECOND, offset: 0, lateness: 0 }
}

fn counting() -> Layout {
    Layout {
        panes: Some(panes()),
        plan: Plan::counting(),
        keys: vec![text("url")],
        values: Vec::new(),
        since_start: false,
    }
}

fn summing(kind: SeenKind) -> Layout {
    Layout { plan: plan(), values: vec![kind], ..counting() }
}

#[test]
fn the_encoding_is_exactly_this() {
    let mut events = Events::new(panes(), plan(), Seed::new(1));
    for (key, value, second) in [
        (Value::Text(b"/b"), Value::Int(5), 10),
        (Value::Null, Value::Null, 10),
        (Value::Text(b"/a"), Value::Int(-1), 9),
        (Value::Text(b"/b"), Value::Int(7), 10),
    ] {
        events.push(&[key], &[value], second * SECOND);
    }
    let mut state = State::new(
        Settings {
            plan: plan(),
            values: vec![Kind::Int],
            ..Settings::counting(Some(panes()), 5, Clock::Manual, Kind::Text)
        },
        0,
    );
    state.apply(&events.finish());
    state.advance(10 * SECOND);
    state.skip();
    let mut late = Events::new(panes(), plan(), Seed::new(1));
    late.push(&[Value::Text(b"/late")], &[Value::Null], 3 * SECOND);
    state.apply(&late.finish());
    let bytes = summing(Some((Kind::Int, false))).encode(&state.export());
    let expected = [
        &b"tlrc\x03"[..],
        // Panes of a million microseconds without an offset.
        &[1, 0x80, 0x89, 0x7A, 0],
        // Text keys, integer values, one column.
        b"\x01\x03url\x01\x01\x04size\x03\x01\x09sum(size)",
        // Source 0; the oldest time, which is that of the late event; the newest time; complete
        // from pane 5; first pane 9.
        &[0, 0b1111, 0x80, 0x9B, 0xEE, 0x02, 0x80, 0xDA, 0xC4, 0x09, 10, 18],
        // One line was late when pane 10 was reached.
        &[1, 1, 20, 1, 1, 1],
        // The null key after two others.
        b"\x01\x02\x02/a\x02/b",
        // Two panes: 9 with one entry, and 10 with two.
        &[2, 18, 1, 0, 1],
        // One value; the sum in one byte, times two to the power of zero.
        &[1, 1, 0, 0xff],
        &[1, 2, 1, 2, 1, 1],
        // Two values, 3 times two to the power of two; no value.
        &[2, 1, 4, 3],
        &[0, 0, 0],
    ]
    .concat();
    assert_eq!(bytes, expected);
}

#[test]
fn the_version_before_is_read() {
    let mut events = Events::new(panes(), Plan::counting(), Seed::new(1));
    events.push(&[Value::Text(b"/a")], &[], 0);
    let mut bytes = counting().encode(&events.finish());
    assert_eq!(bytes[4], 3);
    bytes[4] = 2;
    assert_eq!(imported(&counting(), &bytes, 1).lines().counted, 1);
}

#[test]
fn an_incompatible_export_is_explained() {
    let layout = summing(Some((Kind::Int, false)));
    let bytes = layout.encode(&Events::new(panes(), plan(), Seed::new(1)).finish());
    let refused = |layout: &Layout| match layout.decode(&bytes, &Seed::new(1)) {
        Err(error) => error.to_string(),
        Ok(_) => String::new(),
    };
    let with = |change: fn(&mut Layout)| {
        let mut other = layout.clone();
        change(&mut other);
        refused(&other)
    };
    assert_eq!(refused(&layout), "");
    assert_eq!(
        with(|other| other.panes = Some(Panes { width: 5 * SECOND, ..panes() })),
        "merge: this window has panes of 5s, the other window has panes of 1s; give both the same \
         lengths, slide and offset"
    );
    assert_eq!(
        with(|other| other.panes = Some(Panes { offset: SECOND / 2, ..panes() })),
        "merge: this window has panes of 1s with an offset of 0.5s, the other window has panes of \
         1s; give both the same lengths, slide and offset"
    );
    assert_eq!(
        with(|other| other.keys.push(text("host"))),
        "key fields: expected url, host, found url in the other window; give both windows the \
         same key fields in the same order"
    );
    assert_eq!(
        with(|other| other.keys[0].kind = Some((Kind::Int, false))),
        "key 'url': expected int, found text in the other window; convert one of them before \
         adding it"
    );
    assert_eq!(
        with(|other| other.values[0] = Some((Kind::Text, true))),
        "value 'size': expected bytes, found int in the other window; convert one of them before \
         adding it"
    );
    assert_eq!(
        with(|other| other.plan = Plan::counting()),
        "aggregates: expected none, found sum(size) in the other window; give both windows the \
         same aggregates with the same errors"
    );
}

#[test]
fn unknown_kinds_are_taken_from_the_export() {
    let bytes = summing(Some((Kind::Int, false)))
        .encode(&Events::new(panes(), plan(), Seed::new(1)).finish());
    let kinds = |known| {
        let read = summing(known).decode(&bytes, &Seed::new(1));
        read.map(|read| (read.keys, read.values)).ok()
    };
    let keys = vec![Some((Kind::Text, false))];
    assert_eq!(kinds(None), Some((keys.clone(), vec![Some((Kind::Int, false))])));
    assert_eq!(kinds(Some((Kind::Float, false))), Some((keys, vec![Some((Kind::Float, false))])));
}

#[test]
fn another_version_is_distinguished_from_other_bytes() {
    let decode = |bytes: &[u8]| counting().decode(bytes, &Seed::new(1)).map(|_| ()).err();
    assert_eq!(decode(b"tlrc\x01rest"), Some(ImportError::Version(1)));
    assert_eq!(decode(b"PK\x03\x04\x01"), Some(ImportError::NotAnExport));
    assert_eq!(decode(b""), Some(ImportError::NotAnExport));
}

#[test]
fn evicted_panes_are_reported_if_a_window_needs_everything() {
    let mut state = State::new(Settings::counting(Some(panes()), 1, Clock::Manual, Kind::Text), 0);
    let mut events = Events::new(panes(), Plan::counting(), Seed::new(1));
    events.push(&[Value::Text(b"/a")], &[], 0);
    state.apply(&events.finish());
    let since_start = Layout { since_start: true, ..counting() };
    let bytes = counting().encode(&state.export());
    assert!(since_start.decode(&bytes, &Seed::new(1)).is_ok(), "nothing is missing yet");
    state.advance(5 * SECOND);
    state.skip();
    let bytes = counting().encode(&state.export());
    let refused = since_start.decode(&bytes, &Seed::new(1)).map(|_| ()).err();
    assert!(refused.is_some_and(|error| error.to_string().contains("since the start")));
}

#[test]
fn imported_panes_that_are_closed_are_late() {
    let settings = || Settings::counting(Some(panes()), 5, Clock::Manual, Kind::Text);
    let (mut there, mut here) = (State::new(settings(), 0), State::new(settings(), 0));
    for (state, seconds) in [(&mut there, [1, 4]), (&mut here, [2, 5])] {
        let mut events = Events::new(panes(), Plan::counting(), Seed::new(1));
        for second in seconds {
            events.push(&[Value::Text(b"/a")], &[], second * SECOND);
        }
        state.apply(&events.finish());
    }
    here.advance(4 * SECOND);
    here.skip();
    here.apply(&imported(&counting(), &counting().encode(&there.export()), 1));
    assert_eq!((here.lines().fed, here.lines().counted, here.lines().late), (4, 3, 1));
    assert_eq!(here.snapshot(0).total, 3);
}

#[test]
fn a_count_above_32_bits_round_trips() {
    let mut state = State::new(Settings::counting(None, 1, Clock::Manual, Kind::Text), 0);
    let layout = Layout { panes: None, ..counting() };
    let mut events = Events::new(panes(), Plan::counting(), Seed::new(1));
    events.push(&[Value::Text(b"/a")], &[], 0);
    state.apply(&events.finish());
    // Each iteration doubles the count.
    for _ in 0..34 {
        state.apply(&imported(&layout, &layout.encode(&state.export()), 1));
    }
    assert_eq!(state.snapshot(0).total, 1 << 34);
    assert_eq!(state.lines().fed, 1 << 34);
}

fn log(lines: &[(i64, &str)]) -> Vec<u8> {
    let line = |&(second, url): &(i64, &str)| match url {
        "" => "what is this\n".to_owned(),
        url => format!(
            "h - - [02/Jan/1970:00:00:{second:02} +0000] \"GET {url} HTTP/1.1\" 200 1 \"-\" \"-\"\n"
        ),
    };
    lines.iter().map(line).collect::<String>().into_bytes()
}

#[test]
fn a_state_of_a_log_resumes_from_an_export() {
    let query = Query {
        by: vec!["url".into()],
        kinds: Vec::new(),
        plan: Plan::counting(),
        time: Time::Log,
        time_field: "time".into(),
        panes: Some(panes()),
        filter: None,
        conditions: Vec::new(),
        seed: Seed::new(1),
    };
    let format = Format::new("combined").unwrap_or_else(|error| unreachable!("{error:?}"));
    let origin = Origin::new(0, format, 0);
    let lines = [
        (1, "/a"),
        (0, ""),
        (2, "/b"),
        (1, "/late"),
        (9, "/a"),
        (9, "/c"),
        (0, ""),
        (10, "/a"),
        (9, "/late"),
        (11, "/c"),
        (13, "/a"),
    ];
    let settings = || Settings::counting(Some(panes()), 4, Clock::Events, Kind::Text);
    for cut in 0..=lines.len() {
        let mut one = State::new(settings(), 0);
        let mut again = State::new(settings(), 0);
        let mut before = Vec::new();
        for (part, lines) in [&lines[..cut], &lines[cut..]].into_iter().enumerate() {
            let delta = query.absorb(Chunk::Lines(&log(lines)), &origin);
            let Ok(delta) = delta else { unreachable!() };
            one.apply(&delta);
            if part == 0 {
                before = answers(&mut one);
                again.apply(&imported(&counting(), &counting().encode(&one.export()), 1));
            } else {
                again.apply(&delta);
            }
        }
        one.finish(false);
        again.finish(false);
        let last = before.last().and_then(|snapshot| snapshot.end);
        let mut after = answers(&mut again);
        after.retain(|snapshot| snapshot.end > last);
        assert_eq!(after, answers(&mut one), "cut at line {cut}");
        assert_eq!(again.lines(), one.lines());
    }
}
