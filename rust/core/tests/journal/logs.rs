//! Engines for logs.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tailrace_core::{
    AGGREGATES, AggregateSpec, Answered, Changes, Chunk, Engine, Format, Logs, Order, OrderBy,
    Origin, RecordError, Replayed, SECOND, Settings, State, Time, encode_content,
};

use super::profile;
use super::saved::{Saved, shown, spec};

const FORMAT: &str = "tsv:time:epoch,key:text,size:int,cost:float";
/// The time of everything, so that no time is near the epoch.
const START: i64 = 1_700_000_000;

#[derive(Clone, Debug)]
struct Setup {
    time: Time,
    windows: Option<(Vec<Option<i64>>, i64)>,
    lateness: i64,
    limit: Option<usize>,
    order: (usize, bool),
    track_ranks: bool,
    max_keys: Option<usize>,
    max_key_bytes: Option<usize>,
    aggregates: Vec<usize>,
    sources: usize,
    by: usize,
}

/// A line: its time, key, size, cost, and the host in its headers.
#[derive(Clone, Debug)]
enum Line {
    Event(i64, u8, i64, f64, u8),
    Junk,
}

#[derive(Clone, Debug)]
enum Step {
    /// Lines of a source and a peer.
    Chunk(usize, Option<u8>, Vec<Line>, bool),
    Abandon(usize, Option<u8>, u64),
    /// The clock moves, and this many answers are taken.
    Tick(i64, usize),
    Skip,
    Idle(i64),
    EndSource(usize),
    EndSender(usize, u8),
    AddSource,
    Listen(usize),
    Reopen(usize),
    Note(u8),
    Save,
}

fn aggregates(which: &[usize]) -> Vec<AggregateSpec> {
    let ask = |(place, &at): (usize, &usize)| {
        let Some(known) = at.checked_sub(1).map(|at| &AGGREGATES[at]) else {
            return spec(place, "count", Vec::new());
        };
        let fields = match known.fields {
            _ if known.conditional => vec!["size > 3"],
            2 => vec!["size", "cost"],
            _ if matches!(known.name, "first" | "last" | "top_values") => vec!["key"],
            _ => vec!["cost"],
        };
        spec(place, known.name, fields)
    };
    which.iter().enumerate().map(ask).collect()
}

impl Setup {
    fn engine(&self, seed: u64, start: i64) -> Engine {
        let (lengths, slide) = match &self.windows {
            Some((lengths, slide)) => (lengths.clone(), Some(*slide * SECOND)),
            None => (vec![None], None),
        };
        let lengths: Vec<_> = lengths.iter().map(|length| length.map(|n| n * SECOND)).collect();
        let windows = Settings::of_windows(&lengths, slide, SECOND / 4, self.lateness * SECOND);
        let (by, ascending) = self.order;
        let by = match by {
            0 => OrderBy::Count,
            1 => OrderBy::Key(0),
            // Lists cannot be compared.
            by => OrderBy::Aggregate(by % self.aggregates.len()),
        };
        let settings = Settings {
            limit: self.limit,
            order: Order { by, ascending },
            track_ranks: self.track_ranks,
            max_keys: self.max_keys,
            max_key_bytes: self.max_key_bytes,
            ..windows.unwrap()
        };
        let logs = Logs {
            formats: vec![Format::new(FORMAT).unwrap()],
            time: self.time,
            filter: None,
            sources: self.sources,
            start,
        };
        let by = ["key", "size"].into_iter().take(self.by).map(str::to_owned).collect();
        Engine::for_logs(by, aggregates(&self.aggregates), settings, seed, logs).unwrap()
    }
}

fn sized(out: &mut Vec<u8>, bytes: &[u8]) {
    let n = 2 * bytes.len();
    out.extend([128 | n.to_le_bytes()[0], (n >> 7).to_le_bytes()[0]]);
    out.extend(bytes);
}

fn line(line: &Line) -> Vec<u8> {
    match line {
        Line::Event(time, key, size, cost, _) => {
            let key = if *key == 0 { "-".to_owned() } else { "k".repeat(usize::from(*key)) };
            // A dash is null.
            let size = if *size < -1 { "-".to_owned() } else { size.to_string() };
            let cost = if *cost < 0.0 { "-".to_owned() } else { cost.to_string() };
            format!("{}\t{key}\t{size}\t{cost}", START + time).into_bytes()
        }
        Line::Junk => b"junk".to_vec(),
    }
}

/// The lines as Flume events with the headers `timestamp` and `host`.
fn batch(lines: &[Line]) -> Vec<u8> {
    let mut out = Vec::new();
    for one in lines {
        let (time, host) = match one {
            Line::Event(time, _, _, _, host) => (((START + time) * 1_000).to_string(), *host),
            Line::Junk => ("none".to_owned(), 0),
        };
        out.extend([2, 4]);
        sized(&mut out, b"timestamp");
        sized(&mut out, time.as_bytes());
        sized(&mut out, if host == 0 { b"x" } else { b"host" });
        sized(&mut out, &[b'a' + host]);
        out.push(0);
        sized(&mut out, &line(one));
    }
    out.push(0);
    out
}

/// An engine with its clock.
struct Run {
    engine: Engine,
    setup: Setup,
    now: i64,
    listened: i64,
}

impl Run {
    fn peer(peer: u8) -> Vec<u8> {
        format!("10.0.0.{peer}").into_bytes()
    }

    /// Makes a step, after adding what it changes to a round, and returns the answers.
    fn step(&mut self, step: &Step, changes: &mut Changes) -> Vec<String> {
        let Self { engine, setup, now, listened } = self;
        match step {
            Step::Chunk(source, peer, lines, heard) => {
                *listened += 1;
                let peer = peer.map(Self::peer);
                let origin = Origin {
                    sender: peer.as_deref().map(Into::into),
                    sender_header: (peer.is_some() && lines.len() % 2 == 0)
                        .then(|| b"host"[..].into()),
                    max_ahead: Some(1_000_000 * SECOND),
                    ..Origin::new(*source, Format::new(FORMAT).unwrap(), *now * SECOND)
                };
                let text: Vec<Vec<u8>> = lines.iter().map(line).collect();
                let (text, batch) = (text.join(&b'\n'), batch(lines));
                let chunk = match peer {
                    None if setup.time != Time::Header => Chunk::Lines(&text),
                    _ => Chunk::Batch(&batch),
                };
                let delta = engine.absorb(chunk, &origin).unwrap();
                let listened = heard.then_some(*listened);
                changes.delta(&delta, listened);
                let content = encode_content(&delta);
                let again = engine.decode_content(&content).unwrap();
                assert_eq!(encode_content(&again), content);
                engine.apply_heard(delta, listened).unwrap();
            }
            Step::Abandon(source, peer, count) => {
                let peer = peer.map(Self::peer);
                let lines = vec![Line::Junk; usize::try_from(*count).unwrap()];
                let batch = batch(&lines);
                let (now, peer) = (*now * SECOND, peer.as_deref());
                changes.abandon(*source, peer, now, *count);
                engine.abandon(Chunk::Batch(&batch), *source, peer, now).unwrap();
            }
            Step::Tick(ahead, answers) => {
                *now += ahead;
                changes.advance(*now * SECOND);
                engine.advance(*now * SECOND).unwrap();
                return self.answers(*answers);
            }
            Step::Skip => _ = engine.with(State::skip).unwrap(),
            Step::Idle(ago) => {
                changes.idle(*listened - ago);
                engine.with(|state| state.mark_idle(*listened - ago)).unwrap();
            }
            Step::EndSource(source) => {
                changes.end(*source, None);
                engine.with(|state| state.end_source(*source)).unwrap();
            }
            Step::EndSender(source, peer) => {
                let peer = Self::peer(*peer);
                changes.end(*source, Some(&peer));
                engine.with(|state| state.end_sender(*source, &peer)).unwrap();
            }
            Step::AddSource => {
                changes.add_source();
                engine.with(State::add_source).unwrap();
            }
            Step::Listen(source) => {
                changes.listen(*source, *listened);
                engine.with(|state| state.listen_to(*source, *listened)).unwrap();
            }
            Step::Reopen(source) => {
                changes.reopen(*source);
                engine.with(|state| state.reopen_source(*source)).unwrap();
            }
            Step::Note(note) => changes.note(&[*note; 3]),
            Step::Save => {}
        }
        Vec::new()
    }

    fn answers(&self, most: usize) -> Vec<String> {
        let next = || self.engine.with(State::next_snapshot).unwrap();
        // A damaged state can be years before its clock.
        std::iter::from_fn(next).take(most.min(2_000)).map(|one| shown(&one)).collect()
    }

    /// Everything that can be seen of the engine.
    fn seen(&self) -> Vec<String> {
        let lengths = self.setup.windows.as_ref().map_or(1, |(lengths, _)| lengths.len());
        let engine = &self.engine;
        let mut seen: Vec<String> = (0..lengths)
            .map(|length| shown(&engine.with(|state| state.snapshot(length)).unwrap()))
            .collect();
        let times = engine.with(|state| (state.times(), state.slowest_source()));
        seen.push(format!("{times:?} {:?}", engine.with(|state| *state.lines())));
        seen.extend((0..4).map(|source| format!("{:?}", engine.senders(source))));
        seen.push(format!("{:?}", engine.export().unwrap()));
        seen
    }

    /// Ends the input, and returns the remaining answers.
    fn finish(&self) -> Vec<String> {
        self.engine.finish().unwrap();
        let mut answers = self.answers(usize::MAX);
        answers.extend(self.seen());
        answers
    }
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let cost = select(vec![0.1, 0.2, -0.3, 1e16, -1e16, 1e-300, f64::NAN, f64::INFINITY, 3.0]);
    let event = (-8..12_i64, 0..7_u8, -3..9_i64, cost, 0..4_u8);
    let event =
        event.prop_map(|(time, key, size, cost, host)| Line::Event(time, key, size, cost, host));
    vec(prop_oneof![9 => event, 1 => Just(Line::Junk)], 0..12)
}

fn step() -> impl Strategy<Value = Step> {
    let peer = || prop::option::weighted(0.6, 0..3_u8);
    prop_oneof![
        12 => (0..2_usize, peer(), lines(), any::<bool>(), -2..30_i64).prop_map(
            |(source, peer, mut lines, heard, ahead)| {
                // Most chunks are near the others in time.
                for line in &mut lines {
                    if let Line::Event(time, ..) = line {
                        *time += ahead;
                    }
                }
                Step::Chunk(source, peer, lines, heard)
            }
        ),
        1 => (0..2_usize, peer(), 0..5_u64).prop_map(|(source, peer, count)| {
            Step::Abandon(source, peer, count)
        }),
        8 => (0..9_i64, prop_oneof![3 => Just(usize::MAX), 1 => 0..4_usize])
            .prop_map(|(ahead, answers)| Step::Tick(ahead, answers)),
        1 => Just(Step::Skip),
        1 => (0..9_i64).prop_map(Step::Idle),
        1 => (0..3_usize).prop_map(Step::EndSource),
        1 => (0..2_usize, 0..3_u8).prop_map(|(source, peer)| Step::EndSender(source, peer)),
        1 => Just(Step::AddSource),
        2 => (0..3_usize).prop_map(Step::Listen),
        1 => (0..3_usize).prop_map(Step::Reopen),
        1 => any::<u8>().prop_map(Step::Note),
        2 => Just(Step::Save),
    ]
}

fn setup() -> impl Strategy<Value = Setup> {
    let length = || prop::option::weighted(0.75, 1..6_i64);
    let windows = (vec(length(), 1..4), 1..4_i64).prop_map(|(lengths, slide)| {
        let lengths = lengths.into_iter().map(|length| length.map(|n| n * slide)).collect();
        (lengths, slide)
    });
    let limits = (
        prop::option::weighted(0.5, 1..4_usize),
        prop::option::weighted(0.3, 1..5_usize),
        prop::option::weighted(0.3, 0..700_usize),
    );
    (
        (select(vec![Time::Arrival, Time::Log, Time::Log, Time::Header]), any::<bool>()),
        prop::option::weighted(0.9, windows),
        0..4_i64,
        limits,
        (0..9_usize, any::<bool>()),
        vec(0..=AGGREGATES.len(), 1..5),
        0..3_usize,
    )
        .prop_map(|((time, track_ranks), windows, lateness, limits, order, aggregates, by)| {
            let (limit, max_keys, max_key_bytes) = limits;
            let is_list = |at: &usize| *at > 0 && AGGREGATES[at - 1].lists;
            let order =
                if aggregates.iter().any(is_list) || by == 0 { (0, order.1) } else { order };
            Setup {
                time,
                windows,
                lateness,
                limit,
                order,
                track_ranks,
                max_keys,
                max_key_bytes,
                aggregates,
                sources: 2,
                by,
            }
        })
}

/// The rounds of a run, and its last saved state with the number of rounds before it.
struct Journal {
    rounds: Vec<Vec<u8>>,
    saved: Option<(usize, Saved)>,
    answered: Option<Answered>,
    notes: Vec<u8>,
}

impl Journal {
    fn new(run: &Run) -> Self {
        let mut changes = Changes::new();
        changes.start(run.now * SECOND);
        let answered = run.engine.answered().unwrap();
        let rounds = vec![changes.as_bytes().to_vec()];
        Self { rounds, saved: None, answered, notes: Vec::new() }
    }

    /// Begins a round with the answers since the last one.
    fn round(&mut self, run: &Run) -> Changes {
        let mut changes = Changes::new();
        let answered = run.engine.answered().unwrap();
        if answered != self.answered {
            self.answered = answered;
            changes.answered(answered.unwrap());
        }
        changes
    }

    fn step(&mut self, run: &mut Run, step: &Step) {
        let mut changes = self.round(run);
        run.step(step, &mut changes);
        self.add(&changes);
        match step {
            Step::Save => {
                let changes = self.round(run);
                self.add(&changes);
                self.saved = Some((self.rounds.len(), Saved::of(&run.engine)));
                self.notes.clear();
            }
            Step::Note(note) => self.notes.extend([*note; 3]),
            _ => {}
        }
    }

    fn add(&mut self, changes: &Changes) {
        if !changes.is_empty() {
            self.rounds.push(changes.as_bytes().to_vec());
        }
    }

    /// Restores an engine, and returns its notes.
    fn recover(&self, engine: &Engine) -> Result<(Vec<u8>, Replayed), RecordError> {
        let from = match &self.saved {
            Some((from, saved)) => {
                saved.restore(engine)?;
                *from
            }
            None => 0,
        };
        let (mut notes, mut all) = (Vec::new(), Replayed::default());
        for round in &self.rounds[from..] {
            let replayed = engine.replay(round, &mut |note| notes.extend(note))?;
            all.now = all.now.max(replayed.now);
            all.listened = all.listened.max(replayed.listened);
            all.events += replayed.events;
        }
        Ok((notes, all))
    }
}

#[test]
fn an_engine_that_began_later_answers_as_the_first_one() {
    let setup = Setup {
        time: Time::Arrival,
        windows: Some((vec![Some(3), None], 1)),
        lateness: 0,
        limit: None,
        order: (0, false),
        track_ranks: true,
        max_keys: None,
        max_key_bytes: None,
        aggregates: vec![0],
        sources: 1,
        by: 1,
    };
    let engine = setup.engine(1, START * SECOND);
    let mut run = Run { engine, setup: setup.clone(), now: START, listened: 0 };
    let tick = Step::Tick(2, usize::MAX);
    run.step(&tick, &mut Changes::new());
    // A journal whose first process was killed before its first round.
    let mut changes = Changes::new();
    changes.advance(run.now * SECOND);
    changes.answered(run.engine.answered().unwrap().unwrap());
    run.step(&Step::Chunk(0, None, vec![Line::Event(0, 1, 2, 0.5, 0)], false), &mut changes);
    let engine = setup.engine(2, (START + 60) * SECOND);
    engine.replay(changes.as_bytes(), &mut |_| {}).unwrap();
    let mut again = Run { engine, setup, ..run };
    for _ in 0..4 {
        let expected = run.step(&tick, &mut Changes::new());
        assert_eq!(expected.len(), 4);
        assert_eq!(again.step(&tick, &mut Changes::new()), expected);
    }
}

proptest! {
    #![proptest_config(profile::cases(400))]

    #[test]
    fn a_restored_engine_goes_on_as_if_it_had_never_stopped(
        setup in setup(),
        before in vec(step(), 0..40),
        after in vec(step(), 0..20),
        seed in any::<u64>(),
    ) {
        let engine = setup.engine(1, START * SECOND);
        let mut run = Run { engine, setup: setup.clone(), now: START, listened: 0 };
        let mut journal = Journal::new(&run);
        for step in &before {
            journal.step(&mut run, step);
        }
        let last = journal.round(&run);
        journal.add(&last);
        let engine = setup.engine(seed, (START + 1_000) * SECOND);
        let (notes, _) = journal.recover(&engine).unwrap();
        prop_assert_eq!(notes, journal.notes);
        let mut again = Run { engine, setup, ..run };
        let (one, other) = (Saved::of(&run.engine), Saved::of(&again.engine));
        prop_assert_eq!(&one.state, &other.state);
        prop_assert_eq!(run.seen(), again.seen());
        prop_assert_eq!(&one.closed, &other.closed);

        for step in &after {
            let expected = run.step(step, &mut Changes::new());
            prop_assert_eq!(again.step(step, &mut Changes::new()), expected, "{:?}", step);
        }
        prop_assert_eq!(run.finish(), again.finish());
    }

    #[test]
    fn a_part_of_a_record_is_an_error_that_names_the_byte(
        setup in setup(),
        steps in vec(step(), 0..30),
    ) {
        let engine = setup.engine(1, START * SECOND);
        let mut run = Run { engine, setup: setup.clone(), now: START, listened: 0 };
        let mut journal = Journal::new(&run);
        for step in &steps {
            journal.step(&mut run, step);
        }
        let is_damaged = |found: Result<(), RecordError>, end: usize| {
            matches!(found, Err(RecordError::Damaged { byte, .. }) if byte <= end)
        };
        let again = setup.engine(2, START * SECOND);
        let from = again.save().unwrap().state;
        for round in &journal.rounds {
            for end in 0..round.len() {
                let found = again.replay(&round[..end], &mut |_| {});
                prop_assert!(is_damaged(found.map(|_| ()), end), "{} of {:?}", end, round);
            }
        }
        // What is damaged changes nothing.
        prop_assert_eq!(again.save().unwrap().state, from);
        let saved = Saved::of(&run.engine);
        for end in 0..saved.state.len() {
            let found = again.restore(&saved.state[..end]);
            prop_assert!(is_damaged(found.map(|_| ()), end), "{} of {:?}", end, saved.state);
        }
        for (_, content) in saved.closed.iter().chain(&saved.open) {
            for end in 0..content.len() {
                let found = again.decode_content(&content[..end]);
                prop_assert!(is_damaged(found.map(|_| ()), end), "{} of {:?}", end, content);
            }
        }
    }

    #[test]
    fn damaged_bytes_never_panic(
        setup in setup(),
        before in vec(step(), 1..40),
        after in vec(step(), 0..10),
        edits in vec((any::<Index>(), any::<Index>(), prop_oneof![0..4_u8, any::<u8>()]), 1..4),
    ) {
        let engine = setup.engine(1, START * SECOND);
        let mut run = Run { engine, setup: setup.clone(), now: START, listened: 0 };
        let mut journal = Journal::new(&run);
        for step in &before {
            journal.step(&mut run, step);
        }
        let from = journal.saved.as_ref().map_or(0, |(from, _)| *from);
        let mut records: Vec<&mut Vec<u8>> = journal.rounds[from..].iter_mut().collect();
        if let Some((_, saved)) = &mut journal.saved {
            let panes = saved.closed.iter_mut().chain(&mut saved.open);
            records.extend(panes.map(|(_, content)| content));
            records.extend(&mut saved.totals);
            // Most bytes of a small record are interesting.
            let state = &mut saved.state;
            for (_, place, to) in &edits {
                if place.index(2) == 0 {
                    let place = place.index(state.len());
                    state[place] = *to;
                }
            }
        }
        for (record, place, to) in edits {
            if !records.is_empty() {
                let record = record.index(records.len());
                let place = place.index(records[record].len());
                records[record][place] = to;
            }
        }
        let engine = setup.engine(2, START * SECOND);
        let restored = match &journal.saved {
            Some((_, saved)) => saved.restored(&engine),
            None => Ok(()),
        };
        let rounds = || journal.rounds[from..].iter();
        if restored.is_ok() && rounds().all(|round| engine.replay(round, &mut |_| {}).is_ok()) {
            let mut again = Run { engine, setup, ..run };
            for step in &after {
                again.step(step, &mut Changes::new());
            }
            again.finish();
        }
    }
}
