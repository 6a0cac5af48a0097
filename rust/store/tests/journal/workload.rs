//! What a run writes, and what has to be there afterwards.

use std::collections::BTreeMap;

use crate::disk::{Disk, Double, Random};
use tailrace_store::{Content, ErrorKind, Recovered, Store, StoreError};

/// A round; its first bytes say which.
pub(crate) fn round(id: u32) -> Vec<u8> {
    let len = [0, 30, 700, 5_000, 90, 13_000, 300][id as usize % 7];
    let mut bytes = id.to_le_bytes().to_vec();
    let mut random = Random(u64::from(id));
    // Some can be compressed.
    bytes.extend(if id.is_multiple_of(2) { random.bytes(len) } else { vec![b'a'; len] });
    bytes
}

pub(crate) fn pane(number: i64) -> Vec<u8> {
    let mut random = Random(number.cast_unsigned());
    let len = random.below(900);
    random.bytes(len)
}

/// A pane closes after this many rounds, a window has this many panes, and a state is written
/// after this many rounds.
const PANE: usize = 3;
const WINDOW: i64 = 5;
const STATE: usize = 10;

fn newest_pane(rounds: usize) -> i64 {
    i64::try_from(rounds / PANE).unwrap()
}

/// The closed panes of the window after a number of rounds.
pub(crate) fn closed(rounds: usize) -> Vec<i64> {
    let newest = newest_pane(rounds);
    ((newest - WINDOW).max(0)..newest).collect()
}

pub(crate) fn description(rounds: usize) -> Vec<u8> {
    format!("query {rounds}").into_bytes()
}

/// An engine whose state is the list of its rounds.
pub(crate) struct Engine {
    pub(crate) store: Store<Double>,
    pub(crate) rounds: Vec<u32>,
}

impl Engine {
    /// Recovers what a disk holds, and checks that it is consistent.
    pub(crate) fn open(disk: &Disk) -> Result<Engine, StoreError> {
        let mut store = Store::open(disk.storage(), &description(0), 77)?;
        let mut rounds = Vec::new();
        let mut contents = BTreeMap::new();
        store.content(|content, bytes| {
            let key = match content {
                Content::Closed(number) => (0, number),
                Content::Open(number) => (1, number),
                Content::Totals => (2, 0),
            };
            assert!(contents.last_key_value().is_none_or(|(last, _)| last < &key));
            contents.insert(key, bytes);
            Ok::<_, StoreError>(())
        })?;
        let mut at_state = 0;
        if let Some(state) = store.state() {
            rounds = state.chunks(4).map(|id| u32::from_le_bytes(id.try_into().unwrap())).collect();
            at_state = rounds.len();
            let number = newest_pane(rounds.len());
            let expected = closed(rounds.len())
                .into_iter()
                .map(|number| ((0, number), pane(number)))
                .chain([((1, number), pane(number + 1_000)), ((2, 0), pane(number + 2_000))]);
            assert_eq!(contents, expected.collect());
        }
        store.rounds(|bytes| {
            let id = u32::from_le_bytes(bytes[..4].try_into().unwrap());
            assert_eq!(bytes, round(id));
            rounds.push(id);
            Ok::<_, StoreError>(())
        })?;
        // That of the newest log, even where an older state is used.
        let described = String::from_utf8(store.head().to_vec()).unwrap();
        let described: usize = described.strip_prefix("query ").unwrap().parse().unwrap();
        assert!((at_state..=rounds.len()).contains(&described));
        Ok(Engine { store, rounds })
    }

    /// Appends a round, and writes the panes and the state that follow from it.
    pub(crate) fn step(&mut self, id: u32, disk: &Disk) -> Result<(), StoreError> {
        self.store.append(&round(id))?;
        self.rounds.push(id);
        disk.set_note(self.rounds.len());
        let count = self.rounds.len();
        for number in closed(count) {
            if Some(number) > self.store.newest_closed() {
                self.store.add_closed(number, &pane(number))?;
            }
        }
        if count.is_multiple_of(STATE) {
            self.write_state()?;
        }
        Ok(())
    }

    pub(crate) fn write_state(&mut self) -> Result<(), StoreError> {
        let count = self.rounds.len();
        let state: Vec<u8> = self.rounds.iter().flat_map(|id| id.to_le_bytes()).collect();
        let number = newest_pane(count);
        self.store.write_state(
            &description(count),
            &state,
            &closed(count),
            &[(number, pane(number + 1_000))],
            Some(&pane(number + 2_000)),
        )
    }
}

/// How a run ended.
pub(crate) struct Outcome {
    /// The rounds that were acknowledged.
    pub(crate) acknowledged: Vec<u32>,
    /// The round that was neither acknowledged nor refused.
    pub(crate) trying: Option<u32>,
    pub(crate) error: Option<StoreError>,
}

impl Outcome {
    pub(crate) fn allows(&self, rounds: &[u32]) -> bool {
        let mut with = self.acknowledged.clone();
        with.extend(self.trying);
        rounds == self.acknowledged || rounds == with
    }
}

/// Runs until an error that is not only a full disk.
pub(crate) fn run(disk: &Disk, ids: std::ops::Range<u32>) -> Outcome {
    let mut engine = match Engine::open(disk) {
        Ok(engine) => engine,
        Err(error) => {
            return Outcome { acknowledged: Vec::new(), trying: None, error: Some(error) };
        }
    };
    for id in ids {
        let before = engine.rounds.len();
        let Err(error) = engine.step(id, disk) else { continue };
        let is_trying = engine.rounds.len() == before;
        if error.kind() != ErrorKind::Full {
            // It stays like that.
            for again in 0..2 {
                let other = match again {
                    0 => engine.store.append(b"x"),
                    _ => engine.write_state(),
                };
                assert_eq!(other.unwrap_err(), error);
            }
            let trying = is_trying.then_some(id);
            return Outcome { acknowledged: engine.rounds, trying, error: Some(error) };
        }
    }
    Outcome { acknowledged: engine.rounds, trying: None, error: None }
}
