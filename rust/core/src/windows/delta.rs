//! What one chunk adds to a state.
//!
//! `absorb` turns a chunk into a delta on any thread, without changing anything. `apply` adds the
//! delta to the state, in one step per key and pane. `apply` also decides what depends on earlier
//! chunks: whether a pane is closed already, and how far the source had read when a line was
//! skipped.

use std::ops::Range;

use hashbrown::HashTable;

use super::aggregate::Column;
use super::keys::{Dictionary, KeyBytes, LastEntry, Seed, encode_int};
use super::parts::{PartView, Parts, TimeBounds, Working};
use crate::ground::{Counters, Panes};

/// The number of events whose key lookups overlap.
pub(crate) const LOOKUP_BATCH: usize = 32;

/// The maximum number of panes that can be numbered.
const MAX_PANES: usize = 1 << 30;

/// An event that waits to be counted together with others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PendingEvent<'a> {
    pub(crate) pane: i64,
    pub(crate) key: &'a [u8],
    /// The half of the key's hash that is stored.
    pub(crate) hash: u32,
}

/// The partials of one chunk, by pane and key, and its line counters.
#[derive(Debug)]
pub struct Delta {
    pub(crate) source: usize,
    /// Who sent it; `None` if the source is its only sender.
    sender: Option<Box<[u8]>>,
    /// The parts of several senders, if its events name them.
    parts: Option<Box<Parts>>,
    /// The clock when it was received.
    pub(crate) received: i64,
    pub(crate) keys: Dictionary,
    /// The numbers of the panes in order of appearance; an entry refers to an index here.
    pub(crate) panes: Vec<i64>,
    /// Counts by pane and key. The same pair can have several entries.
    pub(crate) entries: Vec<Entry>,
    /// The partials of each entry.
    pub(crate) columns: Vec<Box<dyn Column>>,
    /// The counters of all its lines.
    pub(crate) lines: Counters,
    /// The lines that are in no pane, by the pane that the chunk had reached.
    pub(crate) skipped: Vec<(Option<i64>, Counters)>,
    pub(crate) time_bounds: TimeBounds,
    /// The number of the key that collects the keys above the limit of their window.
    pub(crate) other: Option<u32>,
    /// What was evicted before, if the delta is an export of a state.
    pub(crate) evicted: Option<Evicted>,
    pane: usize,
    places: HashTable<usize>,
    last_pane: LastPane,
    /// The number of panes in the earlier chunks whose keys are remembered.
    panes_before: usize,
}

/// The key lookups of an applied delta, to be reused. Most keys of a chunk also occur in the chunk
/// before it.
#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    keys: Dictionary,
    panes_before: usize,
}

/// The pane of the last lookup. Most events are in the same pane as the event before them.
#[derive(Clone, Debug)]
struct LastPane {
    number: i64,
    times: Range<i64>,
    /// The pane is closed once the newest event has this time.
    until: i64,
}

impl LastPane {
    const NONE: Self = Self { number: 0, times: 0..0, until: 0 };
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) pane: usize,
    pub(crate) key: u32,
    pub(crate) count: u32,
}

/// What a state has evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Evicted {
    /// All panes from this one on are complete.
    pub(crate) complete_from: i64,
    /// The first pane that ever existed.
    pub(crate) first: Option<i64>,
    /// Whether the evicted panes are contained as one pane.
    pub(crate) since_start: bool,
}

impl Evicted {
    /// Combines what two states have evicted.
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
            sender: None,
            parts: None,
            received: i64::MAX,
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
            last_pane: LastPane::NONE,
            panes_before: 0,
        }
    }

    /// Returns the number of the pane that contains a time, or `None` if later events in this delta
    /// have closed it. Without panes, all events are in pane 0.
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

    /// Returns the counters of the chunk's lines, as far as they depend on the chunk alone.
    pub fn lines(&self) -> &Counters {
        &self.lines
    }

    /// Returns the newest time of the chunk's lines, which is how far its source has read.
    pub fn newest_time(&self) -> Option<i64> {
        self.time_bounds.newest()
    }

    /// Assigns the delta to a source of the query.
    #[must_use]
    pub fn of_source(self, source: usize) -> Self {
        Self { source, ..self }
    }

    /// Names the peer that sent it, and when it was received.
    pub(crate) fn received_from(&mut self, peer: Option<&[u8]>, received: i64) {
        (self.sender, self.received) = (peer.map(Into::into), received);
    }

    /// Returns the peer that sent it; `None` if the source is its only sender.
    pub(super) fn sender(&self) -> Option<&[u8]> {
        self.sender.as_deref()
    }

    /// Returns whether its events name their senders.
    pub(super) fn is_split(&self) -> bool {
        self.parts.is_some()
    }

    /// Splits it into finished parts.
    pub(super) fn set_parts(&mut self, parts: Parts) {
        self.parts = Some(Box::new(parts));
    }

    /// Splits it by sender: [`turn_to`](Self::turn_to) names the one of the next events.
    pub(crate) fn split_by_sender(&mut self) {
        self.parts = Some(Box::default());
    }

    /// Returns whether the next event is of another sender than the one before; `None` is the peer.
    pub(crate) fn has_turned(&self, sender: Option<&[u8]>) -> bool {
        self.parts.as_ref().is_some_and(|parts| !parts.is_current(sender))
    }

    /// Assigns the next events to a sender. All events so far have to be counted.
    pub(crate) fn turn_to(&mut self, sender: Option<&[u8]>) {
        let Self { parts, time_bounds, skipped, .. } = self;
        if let Some(parts) = parts {
            parts.turn_to(sender, &mut Working { bounds: time_bounds, skipped });
            self.last_pane = LastPane::NONE;
            self.pane = usize::MAX;
        }
    }

    /// Records that an event was read, which may have the first time of its sender.
    pub(crate) fn note_event(&mut self) {
        if let Some(parts) = &mut self.parts
            && self.time_bounds.newest().is_some()
        {
            parts.note_first_time();
        }
    }

    /// Returns what each sender sent, in the order in which a state adds it.
    pub(super) fn parts(&self) -> Vec<PartView<'_>> {
        if let Some(parts) = &self.parts {
            return parts.views(self.sender.as_deref());
        }
        vec![PartView {
            sender: self.sender.as_deref(),
            newest: self.time_bounds.newest(),
            skipped: &self.skipped,
            places: (0..self.panes.len()).collect(),
        }]
    }

    /// Records the time of an event that counts.
    #[inline]
    pub(crate) fn note_time(&mut self, time: i64) {
        self.time_bounds.add(time);
    }

    /// Records the time of a line that is not an event: the source has reached it.
    pub(crate) fn pass_time(&mut self, time: i64) {
        self.time_bounds.newest = self.time_bounds.newest.max(time);
    }

    /// Counts a line that is in no pane, at the pane that the chunk has reached.
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

    /// Counts events that were counted when they were sent before, at the pane that the chunk has
    /// reached.
    pub(crate) fn skip_resent(&mut self, reached: Option<i64>, count: u64) {
        if count > 0 {
            let lines = Counters::of_resent(count);
            self.lines.add(&lines);
            self.skipped.push((reached, lines));
        }
    }

    /// Counts an event of a key in a pane and returns its entry. The count of the entry is written
    /// by `write_counts`.
    #[inline]
    pub(crate) fn count(&mut self, pane: i64, key: KeyBytes<'_>, seed: &Seed) -> usize {
        self.lines.fed += 1;
        self.lines.counted += 1;
        let pane = self.place_of(pane, seed);
        let at = self.keys.place(key, seed);
        self.count_at(pane, at)
    }

    /// Counts at most [`LOOKUP_BATCH`] events.
    #[inline(never)]
    pub(crate) fn count_all(&mut self, events: &[PendingEvent<'_>], seed: &Seed) {
        self.lines.fed += events.len() as u64;
        self.lines.counted += events.len() as u64;
        // Lookups wait for memory. The loops below keep them independent, so that the waits
        // overlap.
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
                    last_entry.count += 1;
                }
                Some(_) => _ = self.begin_entry(pane, at),
                None => {
                    let at = self.keys.place_of(hash, Some(key));
                    self.count_at(pane, at);
                }
            }
        }
    }

    /// Counts an event, given the place of its key in the dictionary and of its pane.
    #[inline]
    fn count_at(&mut self, pane: usize, at: u32) -> usize {
        // Neighboring events of a log are mostly in the same pane. The entry cached with the key
        // finds nearly all of them without another memory access; any other event gets a new entry.
        let last_entry = self.keys.last_entry(at);
        if last_entry.is_in(self.panes_before + pane) {
            last_entry.count += 1;
            return last_entry.entry as usize;
        }
        self.begin_entry(pane, at)
    }

    /// Starts a new entry.
    #[inline(never)]
    fn begin_entry(&mut self, pane: usize, at: u32) -> usize {
        let key = self.keys.number_at(at);
        let last_entry = self.keys.last_entry(at);
        let place = self.entries.len();
        let newest = *last_entry;
        let last = self.entries.get_mut(newest.entry as usize);
        // An entry of an older pane does not replace the cached one, because the next event is
        // likely in the newer pane.
        let is_older = last.as_ref().is_some_and(|last| self.panes[pane] < self.panes[last.pane]);
        if !is_older {
            if let Some(last) = last {
                last.count = newest.count;
            }
            // There are at most as many panes and entries as events, which 32 bits can number.
            let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX - 1);
            let pane = number(self.panes_before + pane);
            *last_entry = LastEntry { pane, entry: number(place), count: 1 };
        }
        self.entries.push(Entry { pane, key, count: 1 });
        place
    }

    /// Ends the chunk: writes the cached counts to their entries.
    pub(crate) fn write_counts(&mut self) {
        let Self { parts, time_bounds, skipped, .. } = self;
        if let Some(parts) = parts {
            parts.finish(&mut Working { bounds: time_bounds, skipped });
        }
        for last_entry in self.keys.last_entries() {
            if let Some(entry) = self.entries.get_mut(last_entry.entry as usize) {
                entry.count = last_entry.count;
            }
        }
    }

    /// Creates a delta that reuses the key lookups of an earlier one. Both have to use the same
    /// seed.
    pub(crate) fn with_cache(
        cache: Option<KeyCache>,
        source: usize,
        columns: Vec<Box<dyn Column>>,
    ) -> Self {
        let fresh = Self::new(source, columns);
        let Some(KeyCache { keys, panes_before }) = cache else { return fresh };
        Self { keys, panes_before, ..fresh }
    }

    /// Keeps the key lookups for the next delta, once this one is applied.
    pub(crate) fn into_cache(self) -> KeyCache {
        let Self { mut keys, panes, panes_before, .. } = self;
        // Pane numbers continue from chunk to chunk, so that entries of earlier chunks are
        // recognized.
        let panes_before = panes_before + panes.len();
        if panes_before > MAX_PANES {
            return KeyCache::default();
        }
        keys.start_chunk();
        KeyCache { keys, panes_before }
    }

    /// Returns the entries of each pane, in order.
    pub(crate) fn by_pane(&self) -> Vec<Vec<u32>> {
        let mut counts = vec![0; self.panes.len()];
        self.entries.iter().for_each(|entry| counts[entry.pane] += 1);
        let mut places: Vec<_> = counts.into_iter().map(Vec::with_capacity).collect();
        // There are at most as many entries as events, which 32 bits can number.
        for (place, entry) in (0_u32..).zip(&self.entries) {
            places[entry.pane].push(place);
        }
        places
    }

    /// Sorts the panes, so that a state adds them in the order of time.
    pub(crate) fn sort_panes(&mut self) {
        let mut order: Vec<usize> = (0..self.panes.len()).collect();
        order.sort_unstable_by_key(|&place| self.panes[place]);
        let mut places = vec![0; order.len()];
        for (to, &from) in order.iter().enumerate() {
            places[from] = to;
        }
        self.panes.sort_unstable();
        self.places.clear();
        self.entries.iter_mut().for_each(|entry| entry.pane = places[entry.pane]);
    }

    /// Returns the place of a pane in `panes`.
    #[inline]
    pub(crate) fn place_of(&mut self, pane: i64, seed: &Seed) -> usize {
        if self.panes.get(self.pane) == Some(&pane) {
            return self.pane;
        }
        self.look_up_place(pane, seed)
    }

    #[inline(never)]
    fn look_up_place(&mut self, pane: i64, seed: &Seed) -> usize {
        let Self { panes, places, parts, .. } = self;
        let part = parts.as_ref().map_or(0, |parts| parts.current());
        let mut none = Vec::new();
        let of_panes = parts.as_mut().map_or(&mut none, |parts| parts.of_panes());
        let of_pane = |of_panes: &[usize], at: usize| of_panes.get(at).copied().unwrap_or(0);
        let hash = |pane: i64, part: usize| {
            // Any mix will do, because equality is exact.
            let mixed = (part as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).cast_signed();
            seed.hash(Some(&encode_int(pane.wrapping_add(mixed))))
        };
        let is_same = |&at: &usize| panes[at] == pane && of_pane(of_panes, at) == part;
        let rehash = |&at: &usize| hash(panes[at], of_pane(of_panes, at));
        let entry = places.entry(hash(pane, part), is_same, rehash).or_insert(panes.len());
        self.pane = *entry.get();
        if self.pane == panes.len() {
            panes.push(pane);
            of_panes.push(part);
        }
        self.pane
    }
}
