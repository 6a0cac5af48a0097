//! The totals of all panes of a window.

use std::any::Any;

use super::aggregate::{Column, Plan, Totals as ColumnTotals};
use super::keys::{KeyTable, grow};
use super::pane::Pane;

/// Totals by key number.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    counts: Vec<u64>,
    columns: Vec<Box<dyn ColumnTotals>>,
    keys: usize,
    total: u64,
    /// Whether nothing ever leaves, so that these totals hold the keys instead of the panes.
    grows: bool,
}

/// What totals hold for some keys.
#[derive(Debug)]
pub(crate) struct Saved {
    ids: Vec<u32>,
    counts: Vec<u64>,
    columns: Vec<Box<dyn Any>>,
    keys: usize,
    total: u64,
}

impl Totals {
    pub(crate) fn new(plan: &Plan, grows: bool) -> Self {
        Self { columns: plan.totals(grows), grows, ..Self::default() }
    }

    /// Adds counts by key and the partials of their entries.
    pub(crate) fn enter(
        &mut self,
        entries: impl Iterator<Item = (u32, u32)>,
        columns: &[Box<dyn Column>],
        pane: i64,
        mut keys: Option<&mut KeyTable>,
    ) {
        let mut pairs = Vec::new();
        for (entry, (key, count)) in (0..).zip(entries) {
            let index = key as usize;
            if index >= self.counts.len() {
                let more = index + 1 - self.counts.len();
                grow(&mut self.counts, more);
                self.counts.resize(index + 1, 0);
            }
            if self.counts[index] == 0 {
                self.keys += 1;
                if let Some(keys) = keys.as_mut().filter(|_| self.grows) {
                    keys.hold(key);
                }
            }
            self.counts[index] += u64::from(count);
            self.total += u64::from(count);
            if !columns.is_empty() {
                pairs.push((key, entry));
            }
        }
        for (totals, column) in self.columns.iter_mut().zip(columns) {
            totals.enter(&**column, &pairs, pane);
        }
    }

    pub(super) fn leave(&mut self, pane: &Pane, number: i64) {
        let mut emptied = Vec::new();
        for &(key, count) in pane.entries() {
            let sum = &mut self.counts[key as usize];
            *sum -= u64::from(count);
            self.total -= u64::from(count);
            if *sum == 0 {
                self.keys -= 1;
                emptied.push(key);
            }
        }
        if self.columns.is_empty() {
            return;
        }
        let pairs: Vec<_> =
            (0..).zip(pane.entries()).map(|(entry, &(key, _))| (key, entry)).collect();
        for (totals, column) in self.columns.iter_mut().zip(pane.columns()) {
            totals.leave(&**column, &pairs, number);
            for &key in &emptied {
                totals.forget(key);
            }
        }
    }

    /// Returns what [`restore`](Self::restore) needs after changes of some keys, each of which can
    /// come more than once.
    pub(crate) fn save(&mut self, keys: impl Iterator<Item = u32>) -> Saved {
        let (mut ids, mut known) = (Vec::new(), Vec::new());
        for id in keys {
            let index = id as usize;
            if index >= known.len() {
                known.resize((index + 1).max(self.counts.len()), false);
            }
            if !std::mem::replace(&mut known[index], true) {
                ids.push(id);
            }
        }
        let counts = ids.iter().map(|&id| self.count(id)).collect();
        let columns = self.columns.iter_mut().map(|column| column.part(&ids)).collect();
        Saved { ids, counts, columns, keys: self.keys, total: self.total }
    }

    /// Undoes the changes of the saved keys, which were the only ones.
    pub(crate) fn restore(&mut self, saved: Saved) {
        let Saved { ids, counts, columns, keys, total } = saved;
        for (&id, count) in ids.iter().zip(counts) {
            if let Some(sum) = self.counts.get_mut(id as usize) {
                *sum = count;
            }
        }
        for (own, part) in self.columns.iter_mut().zip(columns) {
            own.restore(&ids, part);
        }
        (self.keys, self.total) = (keys, total);
    }

    /// Returns counts by key number; 0 for numbers not in use.
    pub(crate) fn counts(&self) -> &[u64] {
        &self.counts
    }

    pub(crate) fn count(&self, key: u32) -> u64 {
        self.counts.get(key as usize).copied().unwrap_or(0)
    }

    /// Returns the totals of the aggregates.
    pub(crate) fn columns(&self) -> &[Box<dyn ColumnTotals>] {
        &self.columns
    }

    /// Returns the number of keys with an event.
    pub(crate) fn keys(&self) -> usize {
        self.keys
    }

    /// Returns the number of events.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}
