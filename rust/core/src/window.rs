//! Running totals over the last `length` panes.
//!
//! A pane is added to the totals when it closes and subtracted when it leaves, so a slide costs
//! the two panes at the edges however long the window is. That works because counting has an
//! exact inverse. It would not for a maximum, and a float sum would drift; neither belongs in
//! this module. (Arasu and Widom, "Resource Sharing in Continuous Sliding-Window Aggregates",
//! VLDB 2004, call it subtract-on-evict.)

use std::collections::VecDeque;

use crate::keys::KeyTable;
use crate::pane::Pane;

#[derive(Debug, Default)]
pub(crate) struct Window {
    /// Closed panes that have an event, with their numbers, oldest first.
    panes: VecDeque<(i64, Pane)>,
    totals: Totals,
}

/// Totals by key number.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    counts: Vec<u64>,
    keys: usize,
    total: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, key: u32, count: u64) {
        let index = key as usize;
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.keys += usize::from(self.counts[index] == 0);
        self.counts[index] += count;
        self.total += count;
    }

    fn subtract(&mut self, key: u32, count: u64) {
        let sum = &mut self.counts[key as usize];
        *sum -= count;
        self.keys -= usize::from(*sum == 0);
        self.total -= count;
    }

    /// Counts by key number, zero where the number is not in use.
    pub(crate) fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// How many keys have an event.
    pub(crate) fn keys(&self) -> usize {
        self.keys
    }

    /// How many events there are.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

impl Window {
    /// Adds a closed pane; its number is higher than that of any before.
    pub(crate) fn enter(&mut self, number: i64, pane: Pane) {
        for &(key, count) in pane.entries() {
            self.totals.add(key, count.into());
        }
        self.panes.push_back((number, pane));
    }

    /// Subtracts the panes below this number.
    pub(crate) fn leave_below(&mut self, number: i64, keys: &mut KeyTable) {
        while self.panes.front().is_some_and(|&(oldest, _)| oldest < number)
            && let Some((_, pane)) = self.panes.pop_front()
        {
            for &(key, count) in pane.entries() {
                self.totals.subtract(key, count.into());
                // Keys are client addresses and paths, so there is no end of them. One that
                // was left here at zero would stay for the life of the process.
                keys.release(key);
            }
        }
    }

    pub(crate) fn totals(&self) -> &Totals {
        &self.totals
    }

    pub(crate) fn totals_mut(&mut self) -> &mut Totals {
        &mut self.totals
    }

    /// The panes from this number on.
    pub(crate) fn panes_from(&self, first: i64) -> impl Iterator<Item = (&i64, &Pane)> {
        self.panes.iter().filter(move |(number, _)| *number >= first).map(|(n, pane)| (n, pane))
    }

    /// The number of the newest pane in it.
    pub(crate) fn newest(&self) -> Option<i64> {
        self.panes.back().map(|&(number, _)| number)
    }
}
