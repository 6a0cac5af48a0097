//! All that a state holds, as one delta.

use super::delta::{Delta, Entry};
use super::keys::{KeyTable, index32};
use super::pane::Pane;
use super::totals::Totals;
use crate::ground::Counters;

/// Makes a delta of what a state holds, with its keys hashed as they are there.
pub(crate) struct DeltaBuilder<'a> {
    delta: Delta,
    table: &'a KeyTable,
    /// Numbers of the delta's dictionary by those of the table.
    numbers: Vec<u32>,
    other: Option<u32>,
}

impl<'a> DeltaBuilder<'a> {
    /// Starts empty; `other` is the number of the key that stands for those without room.
    pub(crate) fn new(delta: Delta, table: &'a KeyTable, other: Option<u32>) -> Self {
        Self { delta, table, numbers: vec![u32::MAX; table.capacity()], other }
    }

    /// Adds a pane, and says of how many events it is.
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

    /// Adds totals that only grow as one pane, and says of how many events it is.
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
