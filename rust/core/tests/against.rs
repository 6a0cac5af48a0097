//! Windows by subtraction give what counting afresh gives, however the bytes are cut.

mod oracle;

use proptest::collection::vec;
use proptest::prelude::*;
use tailrace_core::{
    Chunk, Clock, Field, Format, Key, Kind, Panes, Query, SECOND, Seed, Settings, State, Time,
};

fn line(seconds: i64, key: &[u8]) -> Vec<u8> {
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let time = format!("02/Jan/1970:{hours:02}:{minutes:02}:{:02} +0000", seconds % 60);
    [b"h - - [", time.as_bytes(), b"] \"GET ", key, b" HTTP/1.1\" 200 1 \"-\" \"-\"\n"].concat()
}

fn query(panes: Panes, seed: u64) -> Query {
    Query {
        format: Format::Combined,
        by: Field::Url,
        time: Time::Log { max_ahead: None },
        panes: Some(panes),
        seed: Seed::new(seed),
    }
}

fn state(panes: Panes, length: i64) -> State {
    let (clock, sources, limit) = (Clock::Log, 1, None);
    State::new(Settings { panes: Some(panes), length, clock, sources, limit, kind: Kind::Text }, 0)
}

fn answers(state: &mut State) -> Vec<oracle::Answer> {
    let mut answers = Vec::new();
    while let Some(snapshot) = state.next_snapshot() {
        let rows: Vec<_> = snapshot
            .rows
            .into_iter()
            .map(|(key, count)| {
                let Key::Text(text) = key else { unreachable!("a log of texts has {key:?}") };
                (text, count)
            })
            .collect();
        assert_eq!(snapshot.keys, rows.len());
        assert_eq!(snapshot.total, rows.iter().map(|row| row.1).sum::<u64>());
        let bounds = snapshot.start.zip(snapshot.end);
        answers.extend(bounds.map(|(start, end)| (start, end, rows)));
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_window_by_subtraction_is_a_recount(
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
        let panes = Panes { width: slide * SECOND, lateness: lateness * SECOND };
        let (expected, late) = oracle::by_log(
            &events, slide * SECOND, length * slide * SECOND, lateness * SECOND,
        );

        let mut ends: Vec<_> = cuts.iter().map(|cut| *cut.get(&borders)).collect();
        ends.push(log.len());
        ends.sort_unstable();
        let query = query(panes, 1);
        let mut state = state(panes, length);
        let mut start = 0;
        let mut found = Vec::new();
        for end in ends {
            let delta = query.absorb(Chunk::Lines(&log[start..end]), 0, 0).unwrap();
            state.apply(&delta);
            found.extend(answers(&mut state));
            start = end;
        }
        state.finish(false);
        found.extend(answers(&mut state));

        prop_assert_eq!(found, expected);
        let lines = state.lines();
        prop_assert_eq!(lines.late, late);
        prop_assert_eq!(lines.fed, events.len() as u64);
        prop_assert_eq!(lines.counted + lines.late, lines.fed);
    }

    #[test]
    fn a_recount_of_what_is_open_is_what_closing_answers(
        times in vec((0..60_i64, 0..6_u8), 1..80),
        length in 1..8_i64,
    ) {
        let panes = Panes { width: SECOND, lateness: 100 * SECOND };
        let mut state = state(panes, length);
        let log: Vec<u8> = times.iter().flat_map(|&(t, key)| line(t, &[b'/', b'a' + key])).collect();
        let query = query(panes, 2);
        state.apply(&query.absorb(Chunk::Lines(&log), 0, 0).unwrap());
        let open = state.snapshot();
        state.finish(false);
        let mut last = None;
        while let Some(snapshot) = state.next_snapshot() {
            last = Some(snapshot);
        }
        prop_assert_eq!(Some(open), last);
    }
}

#[test]
fn threads_that_absorb_change_nothing() {
    let panes = Panes { width: SECOND, lateness: 5 * SECOND };
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
                        *place = Some(query.absorb(Chunk::Lines(chunk), 0, 0).unwrap());
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
fn a_chunk_that_is_malformed_gives_nothing() {
    let panes = Panes { width: SECOND, lateness: 0 };
    let error = query(panes, 4).absorb(Chunk::Batch(b"\x02\x00\x0aab"), 0, 0).unwrap_err();
    assert_eq!(error.to_string(), "events end too early, at byte 5");
}
