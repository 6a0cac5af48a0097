//! What one chunk adds, before it is added.
//!
//! `absorb` makes a delta out of a chunk on any thread and changes nothing; `apply` adds it to
//! the state, one step for each key and pane. What a chunk cannot know, because it depends on
//! what came before, is left to `apply`: whether a pane was closed already, and how far its
//! source had come when a line was skipped.

use std::ops::Range;

use hashbrown::HashTable;

use super::aggregate::Column;
use super::keys::{Dictionary, KeyBytes, LastEntry, Seed, encode_int};
use crate::ground::{Counters, Panes};

/// So many events are looked up together.
pub(crate) const LOOKUP_BATCH: usize = 32;

/// So many panes can be told from each other.
const MAX_PANES: usize = 1 << 30;

/// An event that is counted together with others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PendingEvent<'a> {
    pub(crate) pane: i64,
    pub(crate) key: &'a [u8],
    /// The half of the key's hash that is stored.
    pub(crate) hash: u32,
}

/// The partials of one chunk by pane and key, and where its lines went.
#[derive(Debug)]
pub struct Delta {
    pub(crate) source: usize,
    pub(crate) keys: Dictionary,
    /// Numbers of the panes in order of appearance; an entry names one by its place here.
    pub(crate) panes: Vec<i64>,
    /// Counts by pane and key. A pair may stand here more than once.
    pub(crate) entries: Vec<Entry>,
    /// What else there is of each entry.
    pub(crate) columns: Vec<Box<dyn Column>>,
    /// Where all its lines went.
    pub(crate) lines: Counters,
    /// Lines that are in no pane, by the pane to which the chunk had come when they came.
    pub(crate) skipped: Vec<(Option<i64>, Counters)>,
    pub(crate) time_bounds: TimeBounds,
    /// The number that stands for keys that there was no room for where they come from.
    pub(crate) other: Option<u32>,
    /// What there was before, of a delta that is all that a state holds.
    pub(crate) evicted: Option<Evicted>,
    pane: usize,
    places: HashTable<usize>,
    last_pane: LastPane,
    /// How many panes there were in chunks whose keys are remembered.
    panes_before: usize,
}

/// How far the times of events go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeBounds {
    oldest: i64,
    newest: i64,
}

impl Default for TimeBounds {
    fn default() -> Self {
        Self { oldest: i64::MAX, newest: i64::MIN }
    }
}

impl TimeBounds {
    pub(crate) fn new(oldest: Option<i64>, newest: Option<i64>) -> Self {
        Self { oldest: oldest.unwrap_or(i64::MAX), newest: newest.unwrap_or(i64::MIN) }
    }

    #[inline]
    fn add(&mut self, time: i64) {
        self.oldest = self.oldest.min(time);
        self.newest = self.newest.max(time);
    }

    pub(crate) fn oldest(self) -> Option<i64> {
        Some(self.oldest).filter(|&oldest| oldest < i64::MAX)
    }

    pub(crate) fn newest(self) -> Option<i64> {
        Some(self.newest).filter(|&newest| newest > i64::MIN)
    }
}

/// What a delta knew of keys: a chunk has mostly those of the one before.
#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    keys: Dictionary,
    panes_before: usize,
}

/// The pane that was asked for last: most events are of the pane of the one before.
#[derive(Clone, Debug)]
struct LastPane {
    number: i64,
    times: Range<i64>,
    /// When the newest event is as new as this, the pane is closed.
    until: i64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) pane: usize,
    pub(crate) key: u32,
    pub(crate) count: u32,
}

/// What a state has let go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Evicted {
    /// From this pane on nothing is missing.
    pub(crate) complete_from: i64,
    /// The first pane that there ever was.
    pub(crate) first: Option<i64>,
    /// Whether what was before is there, as one pane.
    pub(crate) since_start: bool,
}

impl Evicted {
    /// What two states together have let go of.
    pub(crate) fn combined_with(self, other: Self) -> Self {
        Self {
            complete_from: self.complete_from.max(other.complete_from),
            first: [self.first, other.first].into_iter().flatten().min(),
            since_start: self.since_start && other.since_start,
        }
    }
}

impl Delta {
    pub(crate) fn new(source: usize, columns: Vec<Box<dyn Column>>) -> Self {
        Self {
            source,
            keys: Dictionary::default(),
            panes: Vec::new(),
            entries: Vec::new(),
            columns,
            lines: Counters::default(),
            skipped: Vec::new(),
            time_bounds: TimeBounds::default(),
            other: None,
            evicted: None,
            pane: 0,
            places: HashTable::new(),
            last_pane: LastPane { number: 0, times: 0..0, until: 0 },
            panes_before: 0,
        }
    }

    /// The number of the pane that a time falls into; nothing where that is closed by what the
    /// delta has seen. Without panes there is one.
    #[inline]
    pub(crate) fn pane_of(&mut self, panes: Option<Panes>, time: i64) -> Option<i64> {
        let LastPane { number, times, until } = &self.last_pane;
        if times.contains(&time) && self.time_bounds.newest < *until {
            return Some(*number);
        }
        self.look_up_pane(panes, time)
    }

    #[inline(never)]
    fn look_up_pane(&mut self, panes: Option<Panes>, time: i64) -> Option<i64> {
        let Some(panes) = panes else {
            self.last_pane = LastPane { number: 0, times: i64::MIN..i64::MAX, until: i64::MAX };
            return Some(0);
        };
        let number = panes.number(time);
        let until = panes.end(number).saturating_add(panes.lateness);
        self.last_pane = LastPane { number, times: panes.times(number).unwrap_or(0..0), until };
        (!panes.is_late(number, self.time_bounds.newest())).then_some(number)
    }

    /// Where the chunk's lines went, as far as the chunk alone tells.
    pub fn lines(&self) -> &Counters {
        &self.lines
    }

    /// Whether it tells how far its source has come.
    pub fn has_time(&self) -> bool {
        self.time_bounds.newest().is_some()
    }

    /// Says which of the sources of a query it is of.
    #[must_use]
    pub fn of_source(self, source: usize) -> Self {
        Self { source, ..self }
    }

    /// Notes the time of an event that counts.
    #[inline]
    pub(crate) fn note_time(&mut self, time: i64) {
        self.time_bounds.add(time);
    }

    /// Notes the time of a line that is no event: the source has come so far.
    pub(crate) fn pass_time(&mut self, time: i64) {
        self.time_bounds.newest = self.time_bounds.newest.max(time);
    }

    /// Counts a line that is in no pane, where the chunk has come to this pane.
    pub(crate) fn skip_line(&mut self, reached: Option<i64>, how: impl Fn(&mut Counters)) {
        self.lines.fed += 1;
        how(&mut self.lines);
        if self.skipped.last().is_none_or(|last| last.0 != reached) {
            self.skipped.push((reached, Counters::default()));
        }
        if let Some((_, counters)) = self.skipped.last_mut() {
            counters.fed += 1;
            how(counters);
        }
    }

    /// Counts one event of this key in the pane of this number, and says in which entry. Its count
    /// stands there when all are counted (`settle`).
    #[inline]
    pub(crate) fn count(&mut self, pane: i64, key: KeyBytes<'_>, seed: &Seed) -> usize {
        self.lines.fed += 1;
        self.lines.counted += 1;
        let pane = self.place_of(pane, seed);
        let at = self.keys.place(key, seed);
        self.count_at(pane, at)
    }

    /// Counts events that are no more than are looked up together.
    #[inline(never)]
    pub(crate) fn count_all(&mut self, events: &[PendingEvent<'_>], seed: &Seed) {
        self.lines.fed += events.len() as u64;
        self.lines.counted += events.len() as u64;
        // What a look waits for is memory. Here no look waits for the one before.
        let mut candidates = [u32::MAX; LOOKUP_BATCH];
        for (first_candidate, event) in candidates.iter_mut().zip(events) {
            *first_candidate = self.keys.first_candidate(event.hash);
        }
        for (first_candidate, event) in candidates.iter_mut().zip(events) {
            if !self.keys.has_hash(*first_candidate, event.hash) {
                *first_candidate = u32::MAX;
            }
        }
        for (&PendingEvent { pane, key, hash }, at) in events.iter().zip(candidates) {
            let pane = self.place_of(pane, seed);
            match self.keys.last_entry_of(at, key) {
                Some(last_entry) if last_entry.is_in(self.panes_before + pane) => {
                    last_entry.count += 1
                }
                Some(_) => _ = self.begin_entry(pane, at),
                None => {
                    let at = self.keys.place_of(hash, Some(key));
                    self.count_at(pane, at);
                }
            }
        }
    }

    /// Counts an event of the key at a place of the dictionary in a pane by its place.
    #[inline]
    fn count_at(&mut self, pane: usize, at: u32) -> usize {
        // Neighbours in a log are mostly of one pane, so what is noted with the key finds nearly
        // all that belongs together, and waits for no other place in memory. What it does not find
        // is an entry more.
        let last_entry = self.keys.last_entry(at);
        if last_entry.is_in(self.panes_before + pane) {
            last_entry.count += 1;
            return last_entry.entry as usize;
        }
        self.begin_entry(pane, at)
    }

    /// Begins an entry.
    #[inline(never)]
    fn begin_entry(&mut self, pane: usize, at: u32) -> usize {
        let key = self.keys.number_at(at);
        let last_entry = self.keys.last_entry(at);
        let place = self.entries.len();
        let newest = *last_entry;
        let last = self.entries.get_mut(newest.entry as usize);
        // What is behind the others does not take their place: the next one will be of theirs.
        let is_older = last.as_ref().is_some_and(|last| self.panes[pane] < self.panes[last.pane]);
        if !is_older {
            if let Some(last) = last {
                last.count = newest.count;
            }
            // As many panes and entries as there are events, which 32 bits can count.
            let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX - 1);
            let pane = number(self.panes_before + pane);
            *last_entry = LastEntry { pane, entry: number(place), count: 1 };
        }
        self.entries.push(Entry { pane, key, count: 1 });
        place
    }

    /// Ends the counting of events.
    pub(crate) fn write_counts(&mut self) {
        for last_entry in self.keys.last_entries() {
            if let Some(entry) = self.entries.get_mut(last_entry.entry as usize) {
                entry.count = last_entry.count;
            }
        }
    }

    /// Starts empty, but with what an earlier one knew of keys. Both have to hash alike.
    pub(crate) fn with_cache(
        cache: Option<KeyCache>,
        source: usize,
        columns: Vec<Box<dyn Column>>,
    ) -> Self {
        let fresh = Self::new(source, columns);
        let Some(KeyCache { keys, panes_before }) = cache else { return fresh };
        Self { keys, panes_before, ..fresh }
    }

    /// Keeps what is of use to the next one when all of it was added.
    pub(crate) fn into_cache(self) -> KeyCache {
        let Self { mut keys, panes, panes_before, .. } = self;
        // By their panes last_entries are known that are of chunks before.
        let panes_before = panes_before + panes.len();
        if panes_before > MAX_PANES {
            return KeyCache::default();
        }
        keys.start_chunk();
        KeyCache { keys, panes_before }
    }

    /// The places of entries, pane by pane, each in order.
    pub(crate) fn by_pane(&self) -> Vec<Vec<u32>> {
        let mut counts = vec![0; self.panes.len()];
        self.entries.iter().for_each(|entry| counts[entry.pane] += 1);
        let mut places: Vec<_> = counts.into_iter().map(Vec::with_capacity).collect();
        // As many entries as keys and panes; 32 bits number them.
        for (place, entry) in (0_u32..).zip(&self.entries) {
            places[entry.pane].push(place);
        }
        places
    }

    #[inline]
    fn place_of(&mut self, pane: i64, seed: &Seed) -> usize {
        if self.panes.get(self.pane) == Some(&pane) {
            return self.pane;
        }
        self.look_up_place(pane, seed)
    }

    #[inline(never)]
    fn look_up_place(&mut self, pane: i64, seed: &Seed) -> usize {
        let Self { panes, places, .. } = self;
        let hash = |pane: i64| seed.hash(Some(&encode_int(pane)));
        let entry = places.entry(hash(pane), |&at| panes[at] == pane, |&at| hash(panes[at]));
        let entry = entry.or_insert(panes.len());
        self.pane = *entry.get();
        if self.pane == panes.len() {
            panes.push(pane);
        }
        self.pane
    }
}
