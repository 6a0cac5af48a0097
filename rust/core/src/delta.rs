//! What one chunk adds, before it is added.
//!
//! `absorb` makes a delta out of a chunk on any thread and changes nothing; `apply` adds it to
//! the state, one step for each key and pane. What a chunk cannot know, because it depends on
//! what came before, is left to `apply`: whether a pane was closed already, and how far its
//! source had come when a line was lost.

use std::ops::Range;

use hashbrown::HashTable;

use crate::aggregate::Column;
use crate::keys::{Dictionary, KeyBytes, Seed, number};
use crate::query::Panes;

/// Why a line was not counted; each has a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is not of the format.
    NoMatch,
    /// It is longer than `MAX_LINE_BYTES`.
    TooLong,
    /// Its time is missing or cannot be read, and the query goes by it.
    NoTime,
    /// Its time is further ahead of the clock than is plausible.
    Future,
}

impl Reason {
    /// Every reason by its name in snapshots.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("no-match", Self::NoMatch),
        ("too-long", Self::TooLong),
        ("no-time", Self::NoTime),
        ("future", Self::Future),
    ];

    /// The reason's name in snapshots.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// Where every line went: `fed = counted + late + filtered + Σ rejected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Lines seen.
    pub fed: u64,
    /// Lines that count.
    pub counted: u64,
    /// Lines of a pane that was closed already.
    pub late: u64,
    /// Lines that the query did not ask for.
    pub filtered: u64,
    rejected: [u64; Reason::NAMES.len()],
}

impl Counters {
    pub(crate) fn of_counted(count: u64) -> Self {
        Self { fed: count, counted: count, ..Self::default() }
    }

    pub(crate) fn of_late(count: u64) -> Self {
        Self { fed: count, late: count, ..Self::default() }
    }

    /// How many lines were rejected for this reason.
    pub fn rejected(&self, reason: Reason) -> u64 {
        self.rejected[reason as usize]
    }

    /// Counts a line that was rejected.
    pub fn reject(&mut self, reason: Reason) {
        self.rejected[reason as usize] += 1;
    }

    /// Adds the counters of other lines.
    pub fn add(&mut self, other: &Self) {
        self.fed += other.fed;
        self.counted += other.counted;
        self.late += other.late;
        self.filtered += other.filtered;
        for (sum, more) in self.rejected.iter_mut().zip(other.rejected) {
            *sum += more;
        }
    }
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
    pub(crate) lost: Vec<(Option<i64>, Counters)>,
    pub(crate) oldest: Option<i64>,
    pub(crate) newest: Option<i64>,
    pane: usize,
    places: HashTable<usize>,
    near: Near,
}

/// The pane that was asked for last, and its times: most events are of the pane of the one before.
#[derive(Clone, Debug)]
struct Near {
    number: i64,
    times: Range<i64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) pane: usize,
    pub(crate) key: u32,
    pub(crate) count: u32,
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
            lost: Vec::new(),
            oldest: None,
            newest: None,
            pane: 0,
            places: HashTable::new(),
            near: Near { number: 0, times: 0..0 },
        }
    }

    /// The number of the pane that a time falls into, and where that ends.
    #[inline]
    pub(crate) fn pane_of(&mut self, panes: Panes, time: i64) -> (i64, i64) {
        if self.near.times.contains(&time) {
            return (self.near.number, self.near.times.end);
        }
        let number = panes.number(time);
        self.near = Near { number, times: panes.times(number).unwrap_or(0..0) };
        (number, panes.end(number))
    }

    /// Where the chunk's lines went, as far as the chunk alone tells.
    pub fn lines(&self) -> &Counters {
        &self.lines
    }

    /// Whether it tells how far its source has come.
    pub fn has_time(&self) -> bool {
        self.newest.is_some()
    }

    /// Notes the time of an event that counts.
    pub(crate) fn note_time(&mut self, time: i64) {
        self.newest = self.newest.max(Some(time));
        self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
    }

    /// Notes the time of a line that is no event: the source has come so far.
    pub(crate) fn pass_time(&mut self, time: i64) {
        self.newest = self.newest.max(Some(time));
    }

    /// Counts a line that is in no pane, where the chunk has come to this pane.
    pub(crate) fn lose(&mut self, reached: Option<i64>, how: impl Fn(&mut Counters)) {
        self.lines.fed += 1;
        how(&mut self.lines);
        if self.lost.last().is_none_or(|last| last.0 != reached) {
            self.lost.push((reached, Counters::default()));
        }
        if let Some((_, counters)) = self.lost.last_mut() {
            counters.fed += 1;
            how(counters);
        }
    }

    /// Counts one event of this key in the pane of this number, and says in which entry.
    pub(crate) fn count(&mut self, pane: i64, key: KeyBytes<'_>, seed: &Seed) -> usize {
        self.lines.fed += 1;
        self.lines.counted += 1;
        let pane = self.place_of(pane, seed);
        let key = self.keys.number(key, seed);
        // Neighbours in a log are mostly of one pane, so a look at the key's newest entry finds
        // nearly all that belongs together. What it does not find is an entry more.
        let newest = self.keys.mark(key);
        if let Some(entry) = self.entries.get_mut(*newest)
            && entry.pane == pane
            && entry.count < u32::MAX
        {
            entry.count += 1;
            return *newest;
        }
        // What is behind the others does not take their place: the next one will be of theirs.
        let is_behind =
            self.entries.get(*newest).is_some_and(|last| self.panes[pane] < self.panes[last.pane]);
        if !is_behind {
            *newest = self.entries.len();
        }
        self.entries.push(Entry { pane, key, count: 1 });
        self.entries.len() - 1
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

    fn place_of(&mut self, pane: i64, seed: &Seed) -> usize {
        if self.panes.get(self.pane) == Some(&pane) {
            return self.pane;
        }
        let Self { panes, places, .. } = self;
        let hash = |pane: i64| seed.hash(Some(&number(pane)));
        let entry = places.entry(hash(pane), |&at| panes[at] == pane, |&at| hash(panes[at]));
        let entry = entry.or_insert(panes.len());
        self.pane = *entry.get();
        if self.pane == panes.len() {
            panes.push(pane);
        }
        self.pane
    }
}
