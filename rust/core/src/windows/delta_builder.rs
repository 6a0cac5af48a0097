//! Exports the contents of a state as one delta.

use super::delta::{Delta, Entry};
use super::keys::{KeyTable, index32};
use super::pane::Pane;
use super::totals::Totals;
use crate::ground::Counters;

/// Returns a copy of a pane. Its dictionary has a key for each entry, so that looking keys up costs
/// nothing: a text with several entries is in it as often.
pub(crate) fn copy(
    mut delta: Delta,
    table: &KeyTable,
    other: Option<u32>,
    (number, pane): (i64, &Pane),
) -> Delta {
    let Delta { keys, panes, entries, columns, other: other_id, .. } = &mut delta;
    panes.push(number);
    let len = pane.entries().len();
    keys.reserve(len);
    let mut null_id = None;
    entries.extend(pane.entries().iter().map(|&(key, count)| {
        let key = if table.key(key).is_some() {
            keys.take(table, key)
        } else if other == Some(key) {
            *other_id.get_or_insert_with(|| keys.other())
        } else {
            *null_id.get_or_insert_with(|| keys.take(table, key))
        };
        Entry { pane: 0, key, count }
    }));
    let pairs: Vec<(u32, u32)> = (0..index32(len)).map(|at| (at, at)).collect();
    for (column, partials) in columns.iter_mut().zip(pane.columns()) {
        column.resize(len);
        column.merge(&**partials, &pairs);
    }
    delta
}

/// Builds a delta from the contents of a state. The delta reuses the hashes of its keys.
pub(crate) struct DeltaBuilder<'a> {
    delta: Delta,
    table: &'a KeyTable,
    /// The number of each key in the delta's dictionary, by its number in the table.
    numbers: Vec<u32>,
    other: Option<u32>,
}

impl<'a> DeltaBuilder<'a> {
    /// Creates an empty builder; `other` is the number of the key that collects keys above the
    /// limit.
    pub(crate) fn new(delta: Delta, table: &'a KeyTable, other: Option<u32>) -> Self {
        Self { delta, table, numbers: vec![u32::MAX; table.capacity()], other }
    }

    /// Adds a pane and returns its number of events.
    pub(crate) fn pane(&mut self, number: i64, pane: &Pane) -> u64 {
        let first = self.delta.entries.len();
        let mut events = 0;
        self.delta.panes.push(number);
        for &(key, count) in pane.entries() {
            self.push(key, count);
            events += u64::from(count);
        }
        let pairs: Vec<(u32, u32)> =
            (0..pane.entries().len()).map(|at| (index32(first + at), index32(at))).collect();
        let entries = self.delta.entries.len();
        for (column, partials) in self.delta.columns.iter_mut().zip(pane.columns()) {
            column.resize(entries);
            column.merge(&**partials, &pairs);
        }
        events
    }

    /// Adds totals that only grow as one pane, and returns their number of events.
    pub(crate) fn totals(&mut self, number: i64, totals: &Totals) -> u64 {
        let mut pairs = Vec::new();
        let mut events = 0;
        self.delta.panes.push(number);
        for (key, &count) in (0..).zip(totals.counts()).filter(|&(_, &count)| count > 0) {
            pairs.push((index32(self.delta.entries.len()), key));
            let mut rest = count;
            while rest > 0 {
                let some = u32::try_from(rest).unwrap_or(u32::MAX);
                self.push(key, some);
                rest -= u64::from(some);
            }
            events += count;
        }
        let entries = self.delta.entries.len();
        for (column, totals) in self.delta.columns.iter_mut().zip(totals.columns()) {
            column.resize(entries);
            totals.merge_into(&mut **column, &pairs);
        }
        events
    }

    /// Counts lines that are in no pane.
    pub(crate) fn lines(&mut self, reached: Option<i64>, lines: Counters) {
        if lines != Counters::default() {
            self.delta.skipped.push((reached, lines));
        }
    }

    pub(crate) fn finish(self) -> Delta {
        self.delta
    }

    fn push(&mut self, key: u32, count: u32) {
        let known = &mut self.numbers[key as usize];
        if *known == u32::MAX {
            *known = if self.other == Some(key) {
                let other = self.delta.keys.other();
                self.delta.other = Some(other);
                other
            } else {
                self.delta.keys.take(self.table, key)
            };
        }
        let pane = self.delta.panes.len() - 1;
        self.delta.entries.push(Entry { pane, key: *known, count });
    }
}
