//! Totals to ranked keys: by count or by what else was asked, ties by key in ascending bytes, the
//! null key last.
//!
//! The largest counts are found in one pass over the dense totals with a running threshold. For
//! the ten largest of 20,000 keys nearly every key is turned away by one comparison, so that a
//! heap or an order kept up to date has nothing to save. For every key there is a sort.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::aggregate::Cell;
use crate::keys::{KeyBytes, KeyTable};
use crate::window::{Totals, by_key};

/// By what keys are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The place of an aggregate; the count of events without.
    pub by: Option<usize>,
    /// The smallest first instead of the largest.
    pub ascending: bool,
}

/// A key and its count; the greater of two ranks before the other.
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

/// The first `limit` keys by count, or all of them, but for this one.
pub(crate) fn top(
    totals: &Totals,
    keys: &KeyTable,
    limit: Option<usize>,
    except: Option<u32>,
) -> Vec<u32> {
    let ranked = (0..).zip(totals.counts()).map(|(id, &count)| (count, id));
    let ranked = ranked.filter(|&(_, id)| Some(id) != except);
    let limit = limit.unwrap_or(usize::MAX);
    if limit >= totals.keys() {
        let mut rows: Vec<_> = ranked
            .filter(|&(count, _)| count > 0)
            .map(|(count, id)| Ranked { count, key: keys.key(id), id })
            .collect();
        rows.sort_unstable_by_key(|&row| Reverse(row));
        return rows.into_iter().map(|row| row.id).collect();
    }
    let mut best = BinaryHeap::with_capacity(limit + 1);
    let mut least = 1;
    for (count, id) in ranked {
        if count < least || limit == 0 {
            continue;
        }
        best.push(Reverse(Ranked { count, key: keys.key(id), id }));
        if best.len() > limit {
            best.pop();
        }
        if best.len() == limit {
            least = best.peek().map_or(least, |Reverse(row)| row.count);
        }
    }
    best.into_sorted_vec().into_iter().map(|Reverse(row)| row.id).collect()
}

/// The first `limit` keys by what `cell` says of each, or all of them, but for one.
pub(crate) fn top_by(
    totals: &Totals,
    keys: &KeyTable,
    limit: Option<usize>,
    except: Option<u32>,
    ascending: bool,
    cell: impl Fn(u32, u64) -> Cell,
) -> Vec<u32> {
    let mut rows: Vec<(Cell, u32)> = (0..)
        .zip(totals.counts())
        .filter(|&(id, &count)| count > 0 && Some(id) != except)
        .map(|(id, &count)| (cell(id, count), id))
        .collect();
    let before = |one: &(Cell, u32), other: &(Cell, u32)| {
        let by_cell = match (one.0.is_there(), other.0.is_there(), ascending) {
            (true, true, true) => one.0.rank(&other.0),
            // What does not rank comes last in either direction.
            _ => other.0.rank(&one.0),
        };
        by_cell.then_with(|| by_key(keys.key(one.1), keys.key(other.1)))
    };
    if let Some(limit) = limit.filter(|&limit| limit < rows.len()) {
        if limit > 0 {
            rows.select_nth_unstable_by(limit - 1, before);
        }
        rows.truncate(limit);
    }
    rows.sort_unstable_by(before);
    rows.into_iter().map(|(_, id)| id).collect()
}
