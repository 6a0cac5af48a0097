//! Running totals over the last panes.
//!
//! A pane is added to the totals when it closes and subtracted when it leaves. So a slide costs the
//! two panes at the edges, however long the window is. That works because counting has an exact
//! inverse. It would not work for a maximum, and a float sum would drift; each aggregate documents
//! what it does instead. (Arasu and Widom, "Resource Sharing in Continuous Sliding-Window
//! Aggregates", VLDB 2004, call it subtract-on-evict.)
//!
//! Several lookbacks share the same panes, each with its own totals. A lookback without a length
//! covers everything since the start.

use std::collections::VecDeque;
use std::collections::vec_deque::Iter;

use super::aggregate::{Column, Plan};
use super::delta::Delta;
use super::keys::KeyTable;
use super::pane::Pane;
use super::rank::{Ranking, by_key};
use super::totals::Totals;

#[derive(Debug)]
pub(crate) struct Window {
    /// The closed panes with events and their numbers, oldest first.
    pub(super) panes: VecDeque<(i64, Pane)>,
    pub(super) lookbacks: Vec<Lookback>,
    /// The index of the longest lookback.
    longest: usize,
    /// The maximum number of keys.
    max_keys: usize,
    /// The number of the key that collects keys above the limit, here or in an imported state.
    pub(super) other: Option<u32>,
    /// The totals of the panes that left all other lookbacks, if one is unlimited. An export writes
    /// them in addition to the panes.
    pub(super) evicted: Option<Totals>,
}

/// A lookback over the panes.
#[derive(Debug)]
pub(super) struct Lookback {
    /// Its length in panes; `None` for all panes since the start.
    pub(super) length: Option<i64>,
    pub(super) totals: Totals,
    /// The first pane in its totals.
    pub(super) first: i64,
    /// The order of its keys, if it is kept.
    pub(super) ranking: Option<Ranking>,
}

impl Lookback {
    /// Returns the end whose ranks it has.
    pub(super) fn ranked(&self) -> Option<i64> {
        self.ranking.as_ref()?.end()
    }

    /// Records the keys that a pane changes.
    fn note(&mut self, pane: &Pane) {
        if let Some(ranking) = &mut self.ranking {
            pane.entries().iter().for_each(|&(key, _)| ranking.note(key));
        }
    }
}

impl Window {
    /// Creates an empty window. Each length is in panes; `None` means since the start.
    pub(crate) fn new(
        plan: &Plan,
        lengths: &[Option<i64>],
        max_keys: Option<usize>,
        keeps_order: bool,
    ) -> Self {
        let lookback = |&length: &Option<i64>| Lookback {
            length,
            totals: Totals::new(plan, length.is_none()),
            first: i64::MIN,
            ranking: keeps_order.then(Ranking::default),
        };
        let longest = (0..lengths.len()).max_by_key(|&at| lengths[at].unwrap_or(i64::MAX));
        Self {
            panes: VecDeque::new(),
            lookbacks: lengths.iter().map(lookback).collect(),
            longest: longest.unwrap_or(0),
            max_keys: max_keys.unwrap_or(usize::MAX),
            other: None,
            evicted: (lengths.contains(&None) && lengths.iter().any(Option::is_some))
                .then(|| Totals::new(plan, true)),
        }
    }

    /// Slides to the window that ends with this pane and adds the pane. Its number is higher than
    /// that of every pane before it.
    pub(crate) fn enter(&mut self, number: i64, mut pane: Pane, keys: &mut KeyTable) {
        self.leave_below(number, keys);
        pane.close(keys);
        self.limit_keys(&mut pane, keys);
        for lookback in &mut self.lookbacks {
            lookback.totals.enter(
                pane.entries().iter().copied(),
                pane.columns(),
                number,
                Some(keys),
            );
            lookback.note(&pane);
        }
        self.panes.push_back((number, pane));
    }

    /// Moves the counts of keys above the limit to the key that collects them. New keys with the
    /// most events are admitted first, so the result does not depend on the order of the input.
    fn limit_keys(&mut self, pane: &mut Pane, keys: &mut KeyTable) {
        let room = self.room();
        if pane.entries().len() <= room {
            return;
        }
        let totals = &self.lookbacks[self.longest].totals;
        let is_new = |key| totals.count(key) == 0 && Some(key) != self.other;
        let mut new: Vec<(u32, u32, u32)> = (0..)
            .zip(pane.entries())
            .filter(|&(_, &(key, _))| is_new(key))
            .map(|(entry, &(key, count))| (count, key, entry))
            .collect();
        if new.len() <= room {
            return;
        }
        new.sort_unstable_by(|one, other| {
            other.0.cmp(&one.0).then_with(|| by_key(keys.key(one.1), keys.key(other.1)))
        });
        let mut refused: Vec<u32> = new[room..].iter().map(|&(_, _, entry)| entry).collect();
        refused.sort_unstable();
        pane.rename(&refused, self.other_key(keys), keys);
    }

    /// Returns how many more keys fit.
    fn room(&self) -> usize {
        let held = self.lookbacks.get(self.longest).map_or(0, |Lookback { totals, .. }| {
            totals.keys() - usize::from(self.other.is_some_and(|other| totals.count(other) > 0))
        });
        self.max_keys.saturating_sub(held)
    }

    /// Subtracts the panes before the windows that end with this pane.
    pub(crate) fn leave_below(&mut self, number: i64, keys: &mut KeyTable) {
        let mut needed = number.saturating_add(1);
        for lookback in &mut self.lookbacks {
            let Some(length) = lookback.length else { continue };
            let first = number.saturating_sub(length - 1);
            needed = needed.min(first);
            let from = self.panes.partition_point(|&(number, _)| number < lookback.first);
            let upto = self.panes.partition_point(|&(number, _)| number < first);
            for (number, pane) in self.panes.range(from..upto.max(from)) {
                lookback.totals.leave(pane, *number);
                lookback.note(pane);
            }
            lookback.first = lookback.first.max(first);
        }
        while self.panes.front().is_some_and(|&(oldest, _)| oldest < needed)
            && let Some((number, pane)) = self.panes.pop_front()
        {
            if let Some(evicted) = &mut self.evicted {
                evicted.enter(pane.entries().iter().copied(), pane.columns(), number, Some(keys));
            }
            self.release(&pane, keys);
        }
    }

    /// Releases the keys of a pane that is no longer in any window.
    pub(crate) fn release(&mut self, pane: &Pane, keys: &mut KeyTable) {
        for &(key, _) in pane.entries() {
            // Keys are client addresses and paths, so their number is unbounded. A key kept here at
            // zero would stay for the life of the process.
            if keys.release(key) {
                let rankings = self.lookbacks.iter_mut().flat_map(|lookback| &mut lookback.ranking);
                rankings.for_each(|ranking| ranking.forget(key));
            }
        }
    }

    /// Adds a whole delta without panes. If keys are above the limit, the first ones are admitted.
    pub(crate) fn enter_all(&mut self, delta: &Delta, keys: &mut KeyTable) {
        let mut room = self.room();
        let mut numbers = vec![u32::MAX; delta.keys.len()];
        let mut entries = Vec::with_capacity(delta.entries.len());
        for entry in &delta.entries {
            let known = &mut numbers[entry.key as usize];
            if *known == u32::MAX {
                let is_other = delta.other == Some(entry.key);
                let found = if is_other { None } else { keys.find(&delta.keys, entry.key) };
                let admitted = match found {
                    None if !is_other && room > 0 => keys.admit(&delta.keys, entry.key),
                    found => found,
                };
                room -= usize::from(found.is_none() && admitted.is_some());
                *known = admitted.unwrap_or_else(|| self.other_key(keys));
            }
            entries.push((*known, entry.count));
        }
        for lookback in &mut self.lookbacks {
            lookback.totals.enter(entries.iter().copied(), &delta.columns, 0, Some(keys));
        }
    }

    /// Adds a closed pane of a window that is being restored, which is newer than those before it.
    /// The limit of keys was applied when it closed.
    pub(crate) fn enter_closed(&mut self, number: i64, pane: Pane, keys: &mut KeyTable) {
        for lookback in self.lookbacks.iter_mut().filter(|lookback| lookback.first <= number) {
            let entries = pane.entries().iter().copied();
            lookback.totals.enter(entries, pane.columns(), number, Some(keys));
        }
        self.panes.push_back((number, pane));
    }

    /// Adds the totals of the panes that left a window that is being restored.
    pub(crate) fn enter_totals(
        &mut self,
        entries: &(impl Iterator<Item = (u32, u32)> + Clone),
        columns: &[Box<dyn Column>],
        keys: &mut KeyTable,
    ) {
        let since_start = self.lookbacks.iter_mut().filter(|lookback| lookback.length.is_none());
        let totals = since_start.map(|lookback| &mut lookback.totals).chain(&mut self.evicted);
        totals.for_each(|totals| totals.enter(entries.clone(), columns, 0, Some(keys)));
    }

    /// Returns the number of the key that collects keys above the limit, and creates it if
    /// necessary.
    pub(crate) fn other_key(&mut self, keys: &mut KeyTable) -> u32 {
        *self.other.get_or_insert_with(|| keys.other())
    }

    /// Returns the totals since the start of the panes that are no longer stored, if they are kept.
    pub(crate) fn evicted(&self) -> Option<&Totals> {
        let since_start = self.lookbacks.iter().find(|lookback| lookback.length.is_none());
        self.evicted.as_ref().or(since_start.map(|lookback| &lookback.totals))
    }

    /// Discards the last answer after skipped ends, so that the next one has no predecessor.
    pub(crate) fn forget_answers(&mut self) {
        for lookback in &mut self.lookbacks {
            if let Some(ranking) = &mut lookback.ranking {
                *ranking = Ranking::default();
            }
        }
    }

    /// Returns the totals of a lookback and the order of its keys, if it is kept.
    pub(crate) fn ranking(&mut self, lookback: usize) -> Option<(&Totals, Option<&mut Ranking>)> {
        self.lookbacks
            .get_mut(lookback)
            .map(|lookback| (&lookback.totals, lookback.ranking.as_mut()))
    }

    /// Shows the totals of a lookback as if it began with the pane `first` and the open panes were
    /// in it. `first` is not before its own first pane. Afterwards the totals are as before.
    ///
    /// This costs the panes that leave and enter, or the panes of the whole window if those are
    /// fewer.
    pub(crate) fn with_panes<'a, T>(
        &mut self,
        lookback: usize,
        first: i64,
        open: impl Iterator<Item = (&'a i64, &'a Pane)> + Clone,
        plan: &Plan,
        show: impl FnOnce(&Totals) -> T,
    ) -> T {
        let Some(Lookback { totals, first: own, .. }) = self.lookbacks.get_mut(lookback) else {
            return show(&Totals::default());
        };
        let from = self.panes.partition_point(|(number, _)| number < own);
        let upto = self.panes.partition_point(|&(number, _)| number < first).max(from);
        let (leaving, staying) = (self.panes.range(from..upto), self.panes.range(upto..));
        let size = |panes: Iter<'_, (i64, Pane)>| -> usize {
            panes.map(|(_, pane)| pane.entries().len()).sum()
        };
        let enter = |totals: &mut Totals, number: i64, pane: &Pane| {
            totals.enter(pane.entries().iter().copied(), pane.columns(), number, None);
        };
        if size(staying.clone()) < size(leaving.clone()) {
            let mut totals = Totals::new(plan, true);
            staying.for_each(|(number, pane)| enter(&mut totals, *number, pane));
            open.for_each(|(number, pane)| enter(&mut totals, *number, pane));
            return show(&totals);
        }
        let changing = leaving.clone().map(|(_, pane)| pane).chain(open.clone().map(|(_, p)| p));
        let saved =
            totals.save(changing.flat_map(|pane| pane.entries().iter().map(|&(key, _)| key)));
        leaving.for_each(|(number, pane)| totals.leave(pane, *number));
        open.for_each(|(number, pane)| enter(totals, *number, pane));
        let shown = show(totals);
        totals.restore(saved);
        shown
    }

    /// Returns whether the ranks of a lookback's answer before a restart are not computed yet.
    pub(crate) fn is_rank_due(&self, lookback: usize) -> bool {
        let lookback = self.lookbacks.get(lookback);
        lookback.and_then(|lookback| lookback.ranking.as_ref()).is_some_and(Ranking::is_due)
    }

    /// Returns whether that is so for any lookback.
    pub(crate) fn has_due_ranks(&self) -> bool {
        (0..self.lookbacks.len()).any(|lookback| self.is_rank_due(lookback))
    }

    /// Returns whether every lookback with a length is empty.
    pub(crate) fn is_empty(&self) -> bool {
        let mut totals = self.lookbacks.iter().filter(|lookback| lookback.length.is_some());
        self.panes.is_empty() && totals.all(|lookback| lookback.totals.keys() == 0)
    }

    /// Returns the number of the key that collects keys above the limit.
    pub(crate) fn other(&self) -> Option<u32> {
        self.other
    }

    /// Returns the panes from this number on.
    pub(crate) fn panes_from(&self, first: i64) -> impl Iterator<Item = (&i64, &Pane)> {
        self.panes.iter().filter(move |(number, _)| *number >= first).map(|(n, pane)| (n, pane))
    }

    /// Returns the number of the newest pane.
    pub(crate) fn newest(&self) -> Option<i64> {
        self.panes.back().map(|&(number, _)| number)
    }
}
