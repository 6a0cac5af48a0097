//! The order in which a delta is encoded.

use super::{NULL_KEY, OTHER_KEYS};
use crate::windows::aggregate::Column;
use crate::windows::delta::Delta;
use crate::windows::keys::index32;
use crate::windows::rank::by_key;
use crate::windows::varint::{put_text, put_varint};

/// The keys of a delta in sorted order.
pub(crate) struct SortedKeys {
    /// Their numbers in the dictionary.
    pub(crate) ids: Vec<u32>,
    /// The place of each number in that order.
    ranks: Vec<u32>,
}

impl SortedKeys {
    pub(crate) fn new(delta: &Delta) -> Self {
        let mut ids: Vec<u32> = (0..).take(delta.keys.len()).collect();
        let is_other = |id: u32| delta.other == Some(id);
        ids.sort_unstable_by(|&one, &two| {
            let keys = || by_key(delta.keys.key(one), delta.keys.key(two));
            is_other(one).cmp(&is_other(two)).then_with(keys)
        });
        let mut ranks = vec![0; ids.len()];
        for (rank, &id) in (0..).zip(&ids) {
            ranks[id as usize] = rank;
        }
        Self { ids, ranks }
    }

    pub(crate) fn write(&self, delta: &Delta, out: &mut Vec<u8>) {
        let texts: Vec<&[u8]> = self.ids.iter().filter_map(|&id| delta.keys.key(id)).collect();
        let other = u8::from(delta.other.is_some());
        let null = u8::from(self.ids.len() > texts.len() + usize::from(other));
        out.push(null * NULL_KEY + other * OTHER_KEYS);
        put_varint(out, texts.len() as u64);
        for text in texts {
            put_text(out, text);
        }
    }
}

/// The entries of a delta, sorted by pane and key.
pub(crate) struct SortedEntries {
    /// The numbers of the panes, ascending.
    pub(crate) panes: Vec<i64>,
    pub(crate) entries: Vec<SortedEntry>,
    /// The entry of the delta for each entry here.
    places: Vec<u32>,
    /// The merged partials, if entries of the delta were merged.
    merged: Option<Vec<Box<dyn Column>>>,
}

/// An entry with the places of its pane and key in sorted order.
#[derive(Clone, Copy)]
pub(crate) struct SortedEntry {
    pub(crate) pane: u32,
    pub(crate) key: u32,
    pub(crate) count: u32,
}

impl SortedEntries {
    pub(crate) fn new(delta: &Delta, keys: &SortedKeys) -> Self {
        let mut panes = delta.panes.clone();
        panes.sort_unstable();
        panes.dedup();
        let rank = |number: &i64| panes.binary_search(number).unwrap_or(0);
        let pane_ranks: Vec<usize> = delta.panes.iter().map(rank).collect();
        let of_key = |place: u32| keys.ranks[delta.entries[place as usize].key as usize];
        let of_pane = |place: u32| pane_ranks[delta.entries[place as usize].pane];
        let places: Vec<u32> = (0..).take(delta.entries.len()).collect();
        let places = sorted(&places, keys.ids.len(), |place| of_key(place) as usize);
        let places = sorted(&places, panes.len(), of_pane);

        let mut entries: Vec<SortedEntry> = Vec::with_capacity(places.len());
        let mut pairs = Vec::with_capacity(places.len());
        let mut first = 0;
        for &place in &places {
            let (pane, key) = (index32(of_pane(place)), of_key(place));
            let count = delta.entries[place as usize].count;
            let same = entries.last_mut().filter(|last| (last.pane, last.key) == (pane, key));
            if let Some(last) = same {
                // The first entry is filled up, so that equal deltas have equal bytes.
                let sum = u64::from(last.count) + u64::from(count);
                last.count = u32::try_from(sum).unwrap_or(u32::MAX);
                let over = u32::try_from(sum - u64::from(last.count)).unwrap_or(u32::MAX);
                if over > 0 {
                    entries.push(SortedEntry { pane, key, count: over });
                }
            } else {
                first = index32(entries.len());
                entries.push(SortedEntry { pane, key, count });
            }
            pairs.push((first, place));
        }
        let is_plain = (0..).zip(&pairs).all(|(at, &(into, _))| into == at);
        let merged = (!is_plain).then(|| {
            let merge = |column: &dyn Column| {
                let mut merged = column.fresh();
                merged.resize(entries.len());
                merged.merge(column, &pairs);
                merged
            };
            delta.columns.iter().map(|column| merge(&**column)).collect()
        });
        Self { panes, entries, places, merged }
    }

    /// Returns the entries of each pane.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &[SortedEntry]> {
        self.entries.chunk_by(|one, other| one.pane == other.pane)
    }

    pub(crate) fn columns<'a>(&'a self, delta: &'a Delta) -> &'a [Box<dyn Column>] {
        self.merged.as_deref().unwrap_or(&delta.columns)
    }

    /// Returns the place of an entry's partial in [`columns`](Self::columns).
    pub(crate) fn partial_at(&self, entry: usize) -> usize {
        if self.merged.is_some() { entry } else { self.places[entry] as usize }
    }
}

/// Sorts stably by bucket.
fn sorted(places: &[u32], buckets: usize, of: impl Fn(u32) -> usize) -> Vec<u32> {
    let mut starts = vec![0; buckets + 1];
    for &place in places {
        starts[of(place) + 1] += 1;
    }
    for bucket in 1..starts.len() {
        starts[bucket] += starts[bucket - 1];
    }
    let mut sorted = vec![0; places.len()];
    for &place in places {
        let at = &mut starts[of(place)];
        sorted[*at] = place;
        *at += 1;
    }
    sorted
}
