//! The partials of one interval.

use crate::aggregate::Column;
use crate::keys::KeyTable;

/// A pane may grow to twice its size when last packed and this many entries, which are 8 KiB.
const SLACK: usize = 1_024;

/// Counts by key number, and what else there is of each; a key may stand here more than once, and
/// is held as often.
#[derive(Debug, Default)]
pub(crate) struct Pane {
    entries: Vec<(u32, u32)>,
    columns: Vec<Box<dyn Column>>,
    /// How many entries were left when they were last put together.
    packed: usize,
}

impl Pane {
    pub(crate) fn new(columns: Vec<Box<dyn Column>>) -> Self {
        Self { columns, ..Self::default() }
    }

    /// Adds counts to keys and holds these. `parts` has the other columns of what is added; an
    /// entry of it belongs to each key and count.
    pub(crate) fn add(
        &mut self,
        keys: &mut KeyTable,
        entries: impl Iterator<Item = (u32, u32, u32)>,
        parts: &[Box<dyn Column>],
    ) {
        // Panes that are filled by turns would hold an entry for each key of each chunk.
        if self.entries.len() >= 2 * self.packed + SLACK {
            self.pack(keys);
        }
        let mut pairs = Vec::new();
        for (key, count, entry) in entries {
            let place = self.place_for(key, count, keys);
            if !parts.is_empty() {
                pairs.push((place, entry));
            }
        }
        for (column, parts) in self.columns.iter_mut().zip(parts) {
            column.resize(self.entries.len());
            column.merge(&**parts, &pairs);
        }
    }

    /// Counts a key, and says in which entry.
    fn place_for(&mut self, key: u32, count: u32, keys: &mut KeyTable) -> u32 {
        // Mostly one pane is filled at a time, and then a key's newest entry is in it.
        let place = keys.place(key);
        if let Some((known, sum)) = self.entries.get_mut(place as usize)
            && *known == key
            && let Some(more) = sum.checked_add(count)
        {
            *sum = more;
            return place;
        }
        let place = keys.set_place(key, self.entries.len());
        self.entries.push((key, count));
        keys.hold(key);
        place
    }

    /// Keys and counts.
    pub(crate) fn entries(&self) -> &[(u32, u32)] {
        &self.entries
    }

    /// What else there is of each entry.
    pub(crate) fn columns(&self) -> &[Box<dyn Column>] {
        &self.columns
    }

    /// Counts these entries for another key, `other`.
    pub(crate) fn rename(&mut self, entries: &[u32], other: u32, keys: &mut KeyTable) {
        for &entry in entries {
            if let Some((key, _)) = self.entries.get_mut(entry as usize) {
                keys.hold(other);
                keys.release(*key);
                *key = other;
            }
        }
        self.pack(keys);
    }

    /// Ends it: each key stands in one entry, and what was reserved for more is free. `seen` is
    /// room to work in, a bit for each key, all zero.
    pub(crate) fn close(&mut self, keys: &mut KeyTable, seen: &mut Vec<u64>) {
        let bit = |key: u32| (key as usize / 64, 1_u64 << (key % 64));
        seen.resize(keys.capacity().div_ceil(64), 0);
        // Counts add up wherever they stand; a maximum has to stand once.
        if !self.columns.is_empty() {
            let mut twice = false;
            for (word, bit) in self.entries.iter().map(|&(key, _)| bit(key)) {
                twice |= seen[word] & bit != 0;
                seen[word] |= bit;
            }
            for (word, _) in self.entries.iter().map(|&(key, _)| bit(key)) {
                seen[word] = 0;
            }
            if twice {
                self.pack(keys);
            }
        }
        self.entries.shrink_to_fit();
        for column in &mut self.columns {
            column.resize(self.entries.len());
            column.shrink();
        }
    }

    fn pack(&mut self, keys: &mut KeyTable) {
        let mut order: Vec<u32> = (0..).take(self.entries.len()).collect();
        order.sort_unstable_by_key(|&place| (self.entries[place as usize].0, place));
        let mut packed: Vec<(u32, u32)> = Vec::with_capacity(order.len());
        let mut pairs = Vec::new();
        let mut first = 0;
        for place in order {
            let (key, count) = self.entries[place as usize];
            match packed.last_mut() {
                Some((last, sum)) if *last == key => {
                    // A count that does not fit stays apart; all else is in the key's first entry.
                    if let Some(more) = sum.checked_add(count) {
                        *sum = more;
                        keys.release(key);
                    } else {
                        packed.push((key, count));
                    }
                }
                _ => {
                    first = place_of(packed.len());
                    packed.push((key, count));
                }
            }
            keys.set_place(key, packed.len() - 1);
            pairs.push((first, place));
        }
        for column in &mut self.columns {
            column.resize(self.entries.len());
            let mut merged = column.fresh();
            merged.resize(packed.len());
            merged.merge(&**column, &pairs);
            *column = merged;
        }
        self.packed = packed.len();
        self.entries = packed;
    }
}

/// Places are as few as keys.
fn place_of(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Dictionary, Seed};

    fn add(pane: &mut Pane, key: u32, count: u32, keys: &mut KeyTable) {
        pane.add(keys, std::iter::once((key, count, 0)), &[]);
    }

    fn sums(pane: &Pane) -> [u32; 3] {
        [0, 1, 2].map(|wanted| {
            pane.entries().iter().filter(|&&(key, _)| key == wanted).map(|&(_, n)| n).sum()
        })
    }

    #[test]
    fn many_small_additions_stand_in_one_entry_for_each_key() {
        let seed = Seed::new(1);
        let mut dictionary = Dictionary::default();
        let mut keys = KeyTable::default();
        let mut pane = Pane::default();
        for round in 0..10_000_u64 {
            let key = dictionary.number(Some(&(round % 3).to_be_bytes()), &seed);
            let key = keys.number(&dictionary, key);
            add(&mut pane, key, 2, &mut keys);
        }
        assert_eq!(pane.entries().len(), 3);
        assert_eq!(sums(&pane), [6_668, 6_666, 6_666]);
    }

    #[test]
    fn keys_whose_newest_entry_stands_in_another_pane_are_put_together() {
        let seed = Seed::new(1);
        let mut dictionary = Dictionary::default();
        let mut keys = KeyTable::default();
        let mut pane = Pane::default();
        for round in 0..10_000_u64 {
            let key = dictionary.number(Some(&(round % 3).to_be_bytes()), &seed);
            let key = keys.number(&dictionary, key);
            add(&mut pane, key, 2, &mut keys);
            // Now here, now far behind the last one.
            keys.set_place(key, usize::try_from(round * 7 % 5_000).unwrap());
        }
        assert!(pane.entries().len() > 3, "all were found where they stood");
        assert!(pane.entries().len() <= SLACK + 6, "{}", pane.entries().len());
        assert_eq!(sums(&pane), [6_668, 6_666, 6_666]);
        for &(key, _) in pane.entries() {
            keys.release(key);
        }
        assert_eq!([0, 1, 2].map(|key| keys.key(key)), [None; 3]);
    }

    #[test]
    fn a_count_that_would_not_fit_stays_apart() {
        let seed = Seed::new(1);
        let mut dictionary = Dictionary::default();
        let mut keys = KeyTable::default();
        let mut pane = Pane::default();
        let key = dictionary.number(Some(b"a"), &seed);
        let key = keys.number(&dictionary, key);
        add(&mut pane, key, u32::MAX, &mut keys);
        add(&mut pane, key, 1, &mut keys);
        add(&mut pane, key, 1, &mut keys);
        pane.pack(&mut keys);
        let sum: u64 = pane.entries().iter().map(|&(_, count)| u64::from(count)).sum();
        assert_eq!(sum, u64::from(u32::MAX) + 2);
        assert_eq!(pane.entries().len(), 2);
    }
}
