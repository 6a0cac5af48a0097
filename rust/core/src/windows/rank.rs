//! Ranks keys by count, by another aggregate or by a field of the key, ties by key in ascending
//! bytes, the null key last.
//!
//! The largest counts are found in one pass over the dense totals with a running threshold. For the
//! top ten of 20,000 keys, one comparison rejects nearly every key, so maintaining a heap or an
//! order would save nothing. The order of all keys is kept from one snapshot to the next: only the
//! keys of panes that entered or left are sorted, and merged into the rest.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, BinaryHeap};

use super::key_encoding;
use super::keys::{KeyBytes, KeyTable};
use super::totals::Totals;
use crate::ground::{Cell, Kind};

/// How keys are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// What they are ranked by.
    pub by: OrderBy,
    /// Whether the smallest comes first.
    pub ascending: bool,
}

/// What keys are ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderBy {
    /// The number of events.
    Count,
    /// The aggregate at this place of the plan.
    Aggregate(usize),
    /// The field at this place of the key.
    Key(usize),
}

/// What a [`Ranker`] compares.
pub(crate) enum Basis<'a, F> {
    /// Counts; only in descending order.
    Counts,
    /// The cells that a function computes.
    Cells(F),
    /// The field at this place of keys of these kinds.
    Key(usize, &'a [Kind]),
}

/// Compares the keys of totals by rank.
pub(crate) struct Ranker<'a, F> {
    pub(crate) totals: &'a Totals,
    pub(crate) keys: &'a KeyTable,
    pub(crate) ascending: bool,
    /// The key that collects keys above the limit; it has no rank.
    pub(crate) except: Option<u32>,
    pub(crate) basis: Basis<'a, F>,
}

impl<F: Fn(u32, u64) -> Cell> Ranker<'_, F> {
    /// Returns the first `limit` keys, or all.
    pub(crate) fn top(&self, limit: Option<usize>) -> Vec<u32> {
        let limit = limit.unwrap_or(usize::MAX);
        if limit < self.totals.keys() && matches!(self.basis, Basis::Counts) {
            return self.largest_counts(limit);
        }
        let mut ids = self.live();
        self.sort(&mut ids, limit);
        ids
    }

    fn live(&self) -> Vec<u32> {
        let counts = (0..).zip(self.totals.counts());
        counts.filter(|&(id, &count)| self.has_rank(id, count)).map(|(id, _)| id).collect()
    }

    fn has_rank(&self, id: u32, count: u64) -> bool {
        count > 0 && Some(id) != self.except
    }

    fn largest_counts(&self, limit: usize) -> Vec<u32> {
        let mut best = BinaryHeap::with_capacity(limit + 1);
        let mut least = 1;
        for (id, &count) in (0..).zip(self.totals.counts()) {
            if count < least || limit == 0 || Some(id) == self.except {
                continue;
            }
            best.push(Reverse(Ranked { count, key: self.keys.key(id), id }));
            if best.len() > limit {
                best.pop();
            }
            if best.len() == limit {
                least = best.peek().map_or(least, |Reverse(row)| row.count);
            }
        }
        best.into_sorted_vec().into_iter().map(|Reverse(row)| row.id).collect()
    }

    /// Sorts keys and truncates them to the first `limit`.
    fn sort(&self, ids: &mut Vec<u32>, limit: usize) {
        match &self.basis {
            Basis::Counts => {
                ids.sort_unstable_by(|&one, &other| self.before(one, other));
                ids.truncate(limit);
            }
            Basis::Cells(cell) => {
                let cell = |id| cell(id, self.totals.count(id));
                self.sort_by(ids, limit, cell, |one, other| self.by_cell(one, other));
            }
            Basis::Key(place, kinds) => {
                let field = |id| key_encoding::field(self.keys.key(id), kinds, *place);
                self.sort_by(ids, limit, field, |one, other| self.by_field(*one, *other));
            }
        }
    }

    /// Sorts keys by a value that costs more to find than to compare.
    fn sort_by<T>(
        &self,
        ids: &mut Vec<u32>,
        limit: usize,
        value: impl Fn(u32) -> T,
        compare: impl Fn(&T, &T) -> Ordering,
    ) {
        let mut rows: Vec<_> = ids.iter().map(|&id| (value(id), id)).collect();
        let before = |one: &(T, u32), other: &(T, u32)| {
            compare(&one.0, &other.0).then_with(|| self.by_key(one.1, other.1))
        };
        if 0 < limit && limit < rows.len() {
            rows.select_nth_unstable_by(limit - 1, before);
        }
        rows.truncate(limit);
        rows.sort_unstable_by(before);
        *ids = rows.into_iter().map(|(_, id)| id).collect();
    }

    fn by_cell(&self, one: &Cell, other: &Cell) -> Ordering {
        match (one.is_ranked(), other.is_ranked(), self.ascending) {
            (true, true, true) => one.rank(other),
            // Null and NaN come last in either direction.
            _ => other.rank(one),
        }
    }

    fn by_field(&self, one: KeyBytes<'_>, other: KeyBytes<'_>) -> Ordering {
        match (one, other) {
            (Some(one), Some(other)) if !self.ascending => other.cmp(one),
            _ => by_key(one, other),
        }
    }

    /// Compares two keys by rank.
    fn before(&self, one: u32, other: u32) -> Ordering {
        let counts = (self.totals.count(one), self.totals.count(other));
        let by_what = match &self.basis {
            Basis::Counts => counts.1.cmp(&counts.0),
            Basis::Cells(cell) => self.by_cell(&cell(one, counts.0), &cell(other, counts.1)),
            Basis::Key(place, kinds) => {
                let field = |id| key_encoding::field(self.keys.key(id), kinds, *place);
                self.by_field(field(one), field(other))
            }
        };
        by_what.then_with(|| self.by_key(one, other))
    }

    fn by_key(&self, one: u32, other: u32) -> Ordering {
        by_key(self.keys.key(one), self.keys.key(other))
    }

    /// Returns all keys in order, given their order in the last snapshot and the keys that changed
    /// since.
    fn reorder(&self, order: Vec<u32>, changed: &[u32]) -> Vec<u32> {
        if order.is_empty() || changed.len() >= order.len() / 2 {
            return self.top(None);
        }
        let mut has_changed = vec![false; self.keys.capacity()];
        let mut moved = Vec::with_capacity(changed.len());
        for &id in changed {
            let is_known = &mut has_changed[id as usize];
            if !*is_known && self.has_rank(id, self.totals.count(id)) {
                moved.push(id);
            }
            *is_known = true;
        }
        self.sort(&mut moved, usize::MAX);
        let mut merged = Vec::with_capacity(order.len() + moved.len());
        let mut moved = moved.into_iter().peekable();
        for id in order {
            if has_changed[id as usize] {
                continue;
            }
            while let Some(next) = moved.next_if(|&next| self.before(next, id).is_lt()) {
                merged.push(next);
            }
            merged.push(id);
        }
        merged.extend(moved);
        merged
    }
}

/// The order of all keys in the last snapshot.
#[derive(Debug, Default)]
pub(crate) struct Ranking {
    order: Vec<u32>,
    changed: Vec<u32>,
    /// Ranks by key number, from 1; 0 for a key without a rank.
    ranks: Vec<u32>,
    /// The keys that the last snapshot showed.
    shown: Vec<Option<Box<[u8]>>>,
    /// The end of the last snapshot.
    end: Option<i64>,
    /// Whether the ranks of that snapshot are not computed yet.
    is_due: bool,
}

impl Ranking {
    /// Begins with the snapshot of an end.
    pub(crate) fn begin(&mut self, end: i64) {
        (self.end, self.is_due) = (Some(end), false);
    }

    /// Returns the order in the snapshot of an end that was given before a restart.
    pub(crate) fn due(end: i64) -> Self {
        Self { end: Some(end), is_due: true, ..Self::default() }
    }

    /// Returns the order that is known by its ranks and the keys that were shown.
    pub(crate) fn of_ranks(end: i64, ranks: Vec<u32>, shown: Vec<Option<Box<[u8]>>>) -> Self {
        Self { end: Some(end), ranks, shown, ..Self::default() }
    }

    /// Returns whether the ranks of the last snapshot are not computed yet.
    pub(crate) fn is_due(&self) -> bool {
        self.is_due
    }

    /// Returns the end of the last snapshot.
    pub(crate) fn end(&self) -> Option<i64> {
        self.end
    }

    /// Returns the ranks by key number, from 1; 0 for a key without a rank.
    pub(crate) fn ranks(&self) -> &[u32] {
        &self.ranks
    }

    /// Returns the keys that the last snapshot showed.
    pub(crate) fn shown(&self) -> &[Option<Box<[u8]>>] {
        &self.shown
    }

    /// Records that a pane with this key entered or left.
    pub(crate) fn note(&mut self, key: u32) {
        // Without an order, or after this many changes, all keys are sorted anyway.
        if self.order.is_empty() {
            return;
        }
        if self.changed.len() > self.order.len() {
            self.order = Vec::new();
            self.changed = Vec::new();
            return;
        }
        self.changed.push(key);
    }

    /// Records that the number of a key may be reused for another key.
    pub(crate) fn forget(&mut self, key: u32) {
        if let Some(rank) = self.ranks.get_mut(key as usize) {
            *rank = 0;
        }
        self.note(key);
    }

    /// Has all keys sorted for the next snapshot, because the rank of one depends on the others.
    pub(crate) fn sort_again(&mut self) {
        self.order = Vec::new();
    }

    /// Returns the first `limit` keys, or all.
    pub(crate) fn top<F>(&mut self, ranker: &Ranker<'_, F>, limit: Option<usize>) -> Vec<u32>
    where
        F: Fn(u32, u64) -> Cell,
    {
        let order = std::mem::take(&mut self.order);
        self.order = ranker.reorder(order, &self.changed);
        self.changed.clear();
        let limit = limit.unwrap_or(usize::MAX).min(self.order.len());
        self.order[..limit].to_vec()
    }

    /// Compares `ids`, the first keys in order, with the last snapshot: how far each has moved up
    /// (`None` for a new key), and which keys were shown then but are not shown now.
    pub(crate) fn changes(&mut self, ids: &[u32], keys: &KeyTable) -> RankChanges {
        let rank_of = |ranks: &[u32], id: u32| ranks.get(id as usize).copied().unwrap_or(0);
        let rank_changes = (1..).zip(ids).map(|(rank, &id)| match rank_of(&self.ranks, id) {
            0 => None,
            before => Some(i64::from(before) - rank),
        });
        let rank_changes = rank_changes.collect();
        self.ranks.clear();
        self.ranks.resize(keys.capacity(), 0);
        for (rank, &id) in (1..).zip(&self.order) {
            self.ranks[id as usize] = rank;
        }
        let now: BTreeSet<KeyBytes<'_>> = ids.iter().map(|&id| keys.key(id)).collect();
        let mut dropped = std::mem::take(&mut self.shown);
        dropped.retain(|key| !now.contains(&key.as_deref()));
        self.shown = ids.iter().map(|&id| keys.key(id).map(Into::into)).collect();
        RankChanges { rank_changes, dropped }
    }
}

/// The differences from the last snapshot.
pub(crate) struct RankChanges {
    pub(crate) rank_changes: Vec<Option<i64>>,
    pub(crate) dropped: Vec<Option<Box<[u8]>>>,
}

/// A key and its count; the greater of two ranks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ranked<'a> {
    count: u64,
    key: KeyBytes<'a>,
    id: u32,
}

impl Ord for Ranked<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.count.cmp(&other.count).then_with(|| by_key(other.key, self.key))
    }
}

impl PartialOrd for Ranked<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares two keys: ascending bytes, the null key last.
pub(crate) fn by_key(one: KeyBytes<'_>, other: KeyBytes<'_>) -> std::cmp::Ordering {
    match (one, other) {
        (Some(one), Some(other)) => one.cmp(other),
        (one, other) => other.is_some().cmp(&one.is_some()),
    }
}
