//! Sliding by subtraction gives the same as recounting, however the input is cut into chunks.

mod oracle;
#[path = "../src/ground/profile.rs"]
mod profile;
mod rows;

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use tailrace_core::{
    AggregateSpec, Cell, Chunk, Clock, Counters, Delta, Engine, Format, Kind, Logs, Origin, Panes,
    Plan, Query, Reason, SECOND, Seed, Settings, State, Time,
};

fn line(seconds: i64, key: &[u8]) -> Vec<u8> {
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let time = format!("02/Jan/1970:{hours:02}:{minutes:02}:{:02} +0000", seconds % 60);
    [b"h - - [", time.as_bytes(), b"] \"GET ", key, b" HTTP/1.1\" 200 1 \"-\" \"-\"\n"].concat()
}

fn combined() -> Format {
    Format::new("combined").unwrap_or_else(|error| unreachable!("{error:?}"))
}

fn query(panes: Panes, seed: u64) -> Query {
    Query {
        by: vec!["url".into()],
        kinds: Vec::new(),
        plan: Plan::counting(),
        time: Time::Log,
        time_field: "time".into(),
        panes: Some(panes),
        filter: None,
        conditions: Vec::new(),
        seed: Seed::new(seed),
    }
}

fn absorb(query: &Query, text: &[u8], source: usize) -> Delta {
    let delta = query.absorb(Chunk::Lines(text), &origin(source, combined()));
    delta.unwrap_or_else(|error| unreachable!("{error}"))
}

fn origin(source: usize, format: Format) -> Origin {
    Origin::new(source, format, 0)
}

/// An engine that counts by a field. It caches key lookups from chunk to chunk.
fn engine(panes: Panes, length: i64, by: &str, format: &Format) -> Engine {
    let aggregates: Vec<AggregateSpec> = Plan::counting().specs().cloned().collect();
    let logs =
        Logs { formats: vec![format.clone()], time: Time::Log, filter: None, sources: 1, start: 0 };
    let engine = Engine::for_logs(vec![by.into()], aggregates, settings(panes, length, 1), 1, logs);
    engine.unwrap_or_else(|error| unreachable!("{error}"))
}

fn settings(panes: Panes, length: i64, sources: usize) -> Settings {
    Settings { sources, ..Settings::counting(Some(panes), length, Clock::Events, Kind::Text) }
}

fn state(panes: Panes, length: i64) -> State {
    State::new(settings(panes, length, 1), 0)
}

fn answers(state: &mut State) -> Vec<oracle::Answer> {
    let mut answers = Vec::new();
    while let Some(snapshot) = state.next_snapshot() {
        let rows = rows::counts(&snapshot);
        assert_eq!(snapshot.keys, rows.len());
        assert_eq!(snapshot.total, rows.iter().map(|row| row.1).sum::<u64>());
        let bounds = snapshot.start.zip(snapshot.end);
        answers.extend(bounds.map(|(start, end)| (start, end, rows)));
    }
    answers
}

proptest! {
    #![proptest_config(profile::cases(400))]

    #[test]
    fn sliding_by_subtraction_equals_a_recount(
        gaps in vec((prop_oneof![8 => -5..8_i64, 1 => 0..200_i64], 0..6_u8), 0..120),
        slide in 1..6_i64,
        length in 1..8_i64,
        lateness in 0..10_i64,
        cuts in vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut now = 40_000;
        let mut events = Vec::new();
        let mut log = Vec::new();
        let mut borders = vec![0];
        for (gap, key) in gaps {
            now += gap;
            let key = vec![b'/', b'a' + key];
            log.extend(line(now - 86_400 + 60_000, &key));
            borders.push(log.len());
            events.push(((now + 60_000) * SECOND, key));
        }
        let panes = Panes { width: slide * SECOND, offset: 0, lateness: lateness * SECOND };
        let (expected, late) = oracle::by_log(
            &events, slide * SECOND, length * slide * SECOND, lateness * SECOND,
        );

        let mut ends: Vec<_> = cuts.iter().map(|cut| *cut.get(&borders)).collect();
        ends.push(log.len());
        ends.sort_unstable();
        let engine = engine(panes, length, "url", &combined());
        let mut start = 0;
        let mut found = Vec::new();
        for end in ends {
            let chunk = Chunk::Lines(&log[start..end]);
            engine.apply(engine.absorb(chunk, &origin(0, combined())).unwrap()).unwrap();
            found.extend(engine.with(answers).unwrap());
            start = end;
        }
        engine.finish().unwrap();
        found.extend(engine.with(answers).unwrap());

        prop_assert_eq!(found, expected);
        let lines = engine.with(|state| *state.lines()).unwrap();
        prop_assert_eq!(lines.late, late);
        prop_assert_eq!(lines.fed, events.len() as u64);
        prop_assert_eq!(lines.counted + lines.late, lines.fed);
    }

    #[test]
    fn a_snapshot_of_open_panes_equals_the_answer_when_they_close(
        times in vec((0..60_i64, 0..6_u8), 1..80),
        (length, step, lateness) in (1..8_i64, 1..4_i64, prop_oneof![0..5_i64, Just(100)]),
    ) {
        let panes = Panes { width: SECOND, offset: 0, lateness: lateness * SECOND };
        let mut state = State::new(Settings { step, ..settings(panes, length, 1) }, 0);
        let log: Vec<u8> = times.iter().flat_map(|&(t, key)| line(t, &[b'/', b'a' + key])).collect();
        let query = query(panes, 2);
        state.apply(&absorb(&query, &log, 0));
        let open = state.snapshot(0);
        state.finish(false);
        let mut last = None;
        while let Some(snapshot) = state.next_snapshot() {
            last = Some(snapshot);
        }
        prop_assert_eq!(Some(open), last);
    }
}

proptest! {
    #![proptest_config(profile::cases(200))]

    #[test]
    fn remembered_keys_do_not_change_results(
        chunks in vec(vec((-3..4_i64, prop_oneof![4 => 0..5_u32, 1 => 0..2_000_u32]), 0..150), 1..12),
        (lateness, slide, is_short) in (0..9_i64, 1..4_i64, any::<bool>()),
    ) {
        let panes = Panes { width: slide * SECOND, offset: 0, lateness: lateness * SECOND };
        let query = Query { by: vec!["key".into()], ..query(panes, 8) };
        let format = Format::new("tsv:time:epoch,key:text").unwrap();
        let engine = engine(panes, 3, "key", &format);
        let origin = origin(0, format);
        let mut now = 1_700_000_000;
        let mut fresh = state(panes, 3);
        for chunk in chunks {
            let line = |(gap, key): (i64, u32)| {
                now += gap;
                // Some keys are too long to be stored next to their hash.
                let is_long = !is_short && key.is_multiple_of(3);
                let more = if is_long { "/of/so/many/words/that/it/is/stored/apart" } else { "" };
                format!("{now}\t/key/{key}{more}\n")
            };
            let text: String = chunk.into_iter().map(line).collect();
            let chunk = Chunk::Lines(text.as_bytes());
            fresh.apply(&query.absorb(chunk, &origin).unwrap());
            engine.apply(engine.absorb(chunk, &origin).unwrap()).unwrap();
            engine
                .with(|state| {
                    prop_assert_eq!(answers(&mut fresh), answers(state));
                    prop_assert_eq!(fresh.lines(), state.lines());
                    prop_assert_eq!(fresh.snapshot(0), state.snapshot(0));
                    Ok(())
                })
                .unwrap()?;
        }
    }
}

/// The seconds and keys of the lines of each source; `None` is a line that does not match.
fn sources() -> impl Strategy<Value = Vec<Vec<Option<(i64, u8)>>>> {
    let event = prop_oneof![
        12 => (-4..7_i64, 0..4_u8).prop_map(Some),
        1 => (0..90_i64, 0..4_u8).prop_map(Some),
        2 => Just(None),
    ];
    let source = vec(event, 0..40).prop_map(|gaps| {
        let mut now = 1_000;
        let walked = gaps.into_iter().map(|event| {
            event.map(|(gap, key)| {
                now += gap;
                (now, key)
            })
        });
        walked.collect::<Vec<_>>()
    });
    vec(source, 1..4)
}

proptest! {
    #![proptest_config(profile::cases(400))]

    #[test]
    fn snapshots_do_not_depend_on_the_order_in_which_sources_are_read(
        logs in sources(),
        (slide, length, lateness) in (1..5_i64, 1..6_i64, 0..8_i64),
        choices in vec((any::<prop::sample::Index>(), 1..9_usize), 0..60),
    ) {
        let panes = Panes { width: slide * SECOND, offset: 0, lateness: lateness * SECOND };
        let texts: Vec<Vec<Vec<u8>>> = logs
            .iter()
            .map(|log| {
                let text = |event: &Option<(i64, u8)>| {
                    event.map_or(b"none\n".to_vec(), |(at, key)| line(at, &[b'/', b'a' + key]))
                };
                log.iter().map(text).collect()
            })
            .collect();
        let query = query(panes, 5);
        // The first run reads the slowest source line by line. The second reads as chosen, and then
        // the rest of each source at once.
        let run = |mut choices: Vec<(prop::sample::Index, usize)>, by_turns: bool| {
            let mut state = State::new(settings(panes, length, texts.len()), 0);
            let mut done = vec![0; texts.len()];
            let mut found = Vec::new();
            choices.reverse();
            while let Some(slowest) = state.slowest_source() {
                let running: Vec<_> = (0..texts.len()).filter(|&n| done[n] <= texts[n].len()).collect();
                let (source, count) = match choices.pop() {
                    _ if by_turns => (slowest, 1),
                    Some((index, count)) => (*index.get(&running), count),
                    None => (running[0], usize::MAX),
                };
                let left = &texts[source][done[source]..];
                let part = &left[..left.len().min(count)];
                if part.is_empty() {
                    state.end_source(source);
                    done[source] = usize::MAX;
                } else {
                    state.apply(&absorb(&query, &part.concat(), source));
                    done[source] += part.len();
                }
                while let Some(snapshot) = state.next_snapshot() {
                    found.push(snapshot);
                }
            }
            state.finish(false);
            while let Some(snapshot) = state.next_snapshot() {
                found.push(snapshot);
            }
            found
        };
        let found = run(Vec::new(), true);
        prop_assert_eq!(&run(choices, false), &found);

        let events: Vec<oracle::Lines> = logs
            .iter()
            .map(|log| {
                let event = |&(at, key)| ((at + 86_400) * SECOND, vec![b'/', b'a' + key]);
                log.iter().map(|line| line.as_ref().map(event)).collect()
            })
            .collect();
        for (place, snapshot) in found.iter().enumerate() {
            let lines = snapshot.lines;
            let last = place + 1 == found.len();
            let end = snapshot.end.unwrap();
            let lines = [lines.fed, lines.counted, lines.late, lines.rejected(Reason::NoMatch)];
            let expected =
                oracle::lines_up_to(&events, end, slide * SECOND, lateness * SECOND, last);
            prop_assert_eq!(lines, expected, "at {}", end);
        }
    }
}

proptest! {
    #![proptest_config(profile::cases(400))]

    #[test]
    fn panes_that_are_handed_out_group_events_by_pane_and_key(
        logs in sources(),
        (slide, step, lateness) in (1..5_i64, 1..4_i64, 0..8_i64),
        choices in vec((any::<prop::sample::Index>(), 1..9_usize, any::<bool>()), 0..60),
    ) {
        let panes = Panes { width: slide * SECOND, offset: 0, lateness: lateness * SECOND };
        let query = query(panes, 5);
        let mut state = State::new(Settings { step, ..settings(panes, step, logs.len()) }, 0);
        let mut done = vec![0; logs.len()];
        let mut found = Vec::new();
        let whole = (0..logs.len()).map(|source| (source, usize::MAX, true));
        let chosen = choices.iter().map(|(index, count, looks)| (index.index(logs.len()), *count, *looks));
        for (source, count, looks) in chosen.chain(whole) {
            let left = &logs[source][done[source]..];
            let part = &left[..left.len().min(count)];
            done[source] += part.len();
            let text = |event: &Option<(i64, u8)>| {
                event.map_or(b"none\n".to_vec(), |(at, key)| line(at, &[b'/', b'a' + key]))
            };
            state.apply(&absorb(&query, &part.iter().flat_map(text).collect::<Vec<_>>(), source));
            if looks {
                found.extend(std::iter::from_fn(|| state.next_pane()));
            }
        }
        state.finish(false);
        found.extend(std::iter::from_fn(|| state.next_pane()));
        prop_assert!(state.next_pane().is_none());

        let mut groups: BTreeMap<i64, BTreeMap<Vec<u8>, i128>> = BTreeMap::new();
        for log in &logs {
            let mut newest = i64::MIN;
            for &(at, key) in log.iter().flatten() {
                let start = (at + 86_400).div_euclid(slide) * slide;
                if start + slide + lateness > newest {
                    newest = newest.max(at + 86_400);
                    let group = groups.entry(start * SECOND).or_default();
                    *group.entry(vec![b'/', b'a' + key]).or_default() += 1;
                }
            }
        }
        let shown = found.iter().map(|pane| {
            let [keys, counts] = &pane.content.columns[..] else { unreachable!() };
            let row = |row| match (keys.cell(row), counts.cell(row)) {
                (Cell::Text(key), Cell::Int(count)) => (key.to_vec(), count),
                _ => unreachable!(),
            };
            assert_eq!(pane.end - pane.start, slide * SECOND);
            (pane.start, (0..pane.content.len).map(row).collect::<Vec<_>>())
        });
        let groups = groups.into_iter().map(|(start, rows)| (start, rows.into_iter().collect()));
        prop_assert_eq!(shown.collect::<Vec<_>>(), groups.collect::<Vec<_>>());

        let events: Vec<oracle::Lines> = logs
            .iter()
            .map(|log| {
                let event = |&(at, key)| ((at + 86_400) * SECOND, vec![b'/', b'a' + key]);
                log.iter().map(|line| line.as_ref().map(event)).collect()
            })
            .collect();
        let mut lines = Counters::default();
        for (place, pane) in found.iter().enumerate() {
            lines.add(&pane.lines);
            let lines = [lines.fed, lines.counted, lines.late, lines.rejected(Reason::NoMatch)];
            let last = place + 1 == found.len();
            let expected =
                oracle::lines_up_to(&events, pane.end, slide * SECOND, lateness * SECOND, last);
            prop_assert_eq!(lines, expected, "at {}", pane.end);
        }
    }
}

#[test]
fn keys_of_panes_that_were_handed_out_are_forgotten() {
    let panes = Panes { width: SECOND, offset: 0, lateness: 0 };
    let query = query(panes, 9);
    let mut state = state(panes, 300);
    for second in 0..500 {
        for key in 0..20 {
            let key = format!("/{second}/{key}");
            state.apply(&absorb(&query, &line(second, key.as_bytes()), 0));
        }
        while state.next_pane().is_some() {}
    }
    assert!(state.key_capacity() <= 60, "{}", state.key_capacity());
    // Handed-out panes are in no window: the next snapshot is of the first complete one.
    state.finish(false);
    assert_eq!(state.next_pane().map(|pane| pane.content.len), Some(20));
    assert_eq!(state.next_snapshot(), None);
}

#[test]
fn an_added_source_holds_the_watermark_back_until_it_has_a_time() {
    let panes = Panes { width: SECOND, offset: 0, lateness: 0 };
    let query = query(panes, 10);
    let mut state = state(panes, 5);
    let ends = |state: &mut State| {
        let ends = std::iter::from_fn(|| state.next_pane());
        ends.map(|pane| pane.end / SECOND - 86_400).collect::<Vec<_>>()
    };
    state.apply(&absorb(&query, &[line(1, b"/a"), line(5, b"/a")].concat(), 0));
    assert_eq!(ends(&mut state), [2]);
    assert_eq!((state.add_source(), state.slowest_source()), (1, Some(1)));
    state.apply(&absorb(&query, &line(9, b"/a"), 0));
    assert_eq!(ends(&mut state), []);
    // One of its lines is in a closed pane, and one is late by the source itself.
    let lines = [line(1, b"/b"), line(5, b"/b"), line(7, b"/b"), line(5, b"/b")].concat();
    state.apply(&absorb(&query, &lines, 1));
    assert_eq!((state.lines().counted, state.lines().late), (5, 2));
    assert_eq!(ends(&mut state), [6]);
    state.end_source(1);
    assert_eq!(ends(&mut state), [8]);
}

#[test]
fn a_snapshot_before_the_end_contains_closed_panes() {
    let panes = Panes { width: SECOND, offset: 0, lateness: 0 };
    let by_hand = Settings { clock: Clock::Manual, step: 3, ..settings(panes, 3, 1) };
    let mut state = State::new(by_hand, 0);
    state.apply(&absorb(&query(panes, 7), &line(3, b"/a"), 0));
    // Every third second is an end.
    for (now, total) in [(3, 1), (4, 1), (5, 1), (6, 1), (9, 0)] {
        state.advance((86_400 + now) * SECOND);
        assert_eq!(state.snapshot(0).total, total, "at {now}");
    }
}

#[test]
fn an_idle_source_does_not_hold_the_watermark_back() {
    let panes = Panes { width: SECOND, offset: 0, lateness: 0 };
    let query = query(panes, 6);
    let mut state = State::new(settings(panes, 5, 2), 0);
    state.listen_to(1, 0);
    let at = |seconds: i64, source| absorb(&query, &line(seconds, b"/a"), source);
    let end = |state: &mut State| {
        let mut last = None;
        while let Some(snapshot) = state.next_snapshot() {
            last = snapshot.end;
        }
        last.map(|end| end / SECOND - 86_400)
    };
    state.apply(&at(10, 0));
    state.apply(&at(20, 0));
    assert_eq!(end(&mut state), None, "the second source has no time");
    state.mark_idle(0);
    assert_eq!(end(&mut state), None, "it was listened to for no longer");
    state.mark_idle(1);
    assert_eq!(end(&mut state), Some(16), "the window after 10 is empty at 16");
    // A line that does not match has no time.
    state.apply(&absorb(&query, b"nothing", 1));
    state.apply(&at(30, 0));
    assert_eq!(end(&mut state), Some(26));
    // It resumes: events in closed panes are late, events in open panes count, and it holds the
    // watermark back again.
    state.apply_heard(&at(12, 1), Some(2));
    state.apply_heard(&at(30, 1), Some(2));
    state.mark_idle(2);
    state.apply(&at(40, 0));
    assert_eq!((state.lines().late, state.lines().counted), (1, 5));
    assert_eq!(end(&mut state), None);
    // If all sources are idle, the newest time of any source counts, even of one that has ended.
    state.mark_idle(3);
    assert_eq!(end(&mut state), Some(36));
    state.apply_heard(&at(41, 1), Some(3));
    state.apply(&at(50, 0));
    state.end_source(0);
    state.mark_idle(4);
    assert_eq!(end(&mut state), Some(47));
}

#[test]
fn absorbing_on_threads_does_not_change_results() {
    let panes = Panes { width: SECOND, offset: 0, lateness: 5 * SECOND };
    let log: Vec<Vec<u8>> = (0..64_i64)
        .map(|chunk| {
            (0..200)
                .flat_map(|n| line(chunk * 20 + n / 10 + n % 13, format!("/{}", n % 7).as_bytes()))
                .collect()
        })
        .collect();
    let query = query(panes, 3);
    let with = |threads: usize| {
        let mut deltas: Vec<_> = std::iter::repeat_with(|| None).take(log.len()).collect();
        std::thread::scope(|scope| {
            let work = deltas.chunks_mut(log.len() / threads).zip(log.chunks(log.len() / threads));
            for (places, chunks) in work {
                let query = &query;
                scope.spawn(move || {
                    for (place, chunk) in places.iter_mut().zip(chunks) {
                        *place = Some(absorb(query, chunk, 0));
                    }
                });
            }
        });
        let mut state = state(panes, 30);
        let mut found = Vec::new();
        for delta in deltas.iter().flatten() {
            state.apply(delta);
            found.extend(answers(&mut state));
        }
        state.finish(false);
        found.extend(answers(&mut state));
        (found, *state.lines())
    };
    let one = with(1);
    assert!(one.0.len() > 1_000 && one.1.late > 0, "a test of nothing: {:?}", one.1);
    assert_eq!(with(2), one);
    assert_eq!(with(4), one);
}

#[test]
fn a_malformed_chunk_adds_nothing() {
    let panes = Panes { width: SECOND, offset: 0, lateness: 0 };
    let chunk = Chunk::Batch(b"\x02\x00\x0aab");
    let error = query(panes, 4).absorb(chunk, &origin(0, combined())).unwrap_err();
    assert_eq!(error.to_string(), "events are cut off at byte 5");
}
