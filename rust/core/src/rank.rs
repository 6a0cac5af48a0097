//! Totals to ranked rows: largest first, ties by key in ascending bytes, the null key last.
//!
//! One pass over the dense totals with a running threshold. For the ten largest of 20,000 keys
//! nearly every key is turned away by one comparison, so that a heap or an order kept up to date
//! has nothing to save; for every key there is a sort.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::keys::{KeyBytes, KeyTable};
use crate::window::Totals;

/// A key and its count; the greater of two ranks before the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ranked<'a> {
    pub(crate) count: u64,
    pub(crate) key: KeyBytes<'a>,
}

impl Ord for Ranked<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_key = match (self.key, other.key) {
            (Some(mine), Some(theirs)) => theirs.cmp(mine),
            // `None`, the null key, is below every key here, and so ranks last.
            (mine, theirs) => mine.is_some().cmp(&theirs.is_some()),
        };
        self.count.cmp(&other.count).then(by_key)
    }
}

impl PartialOrd for Ranked<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The first `limit` keys, or all of them.
pub(crate) fn top<'a>(
    totals: &Totals,
    keys: &'a KeyTable,
    limit: Option<usize>,
) -> Vec<Ranked<'a>> {
    let ranked = (0..).zip(totals.counts()).map(|(id, &count)| (count, id));
    let limit = limit.unwrap_or(usize::MAX);
    if limit >= totals.keys() {
        let mut rows: Vec<_> = ranked
            .filter(|&(count, _)| count > 0)
            .map(|(count, id)| Ranked { count, key: keys.key(id) })
            .collect();
        rows.sort_unstable_by_key(|&row| Reverse(row));
        return rows;
    }
    let mut best = BinaryHeap::with_capacity(limit + 1);
    let mut least = 1;
    for (count, id) in ranked {
        if count < least || limit == 0 {
            continue;
        }
        best.push(Reverse(Ranked { count, key: keys.key(id) }));
        if best.len() > limit {
            best.pop();
        }
        if best.len() == limit {
            least = best.peek().map_or(least, |Reverse(row)| row.count);
        }
    }
    best.into_sorted_vec().into_iter().map(|Reverse(row)| row).collect()
}
