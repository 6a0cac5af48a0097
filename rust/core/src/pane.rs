//! The partials of one interval.

use hashbrown::HashTable;

use crate::aggregate::Column;
use crate::keys::KeyTable;

/// Counts by key number, and what else there is of each. A key stands in one entry, unless its
/// count fits into none, and is held as often as it stands here.
#[derive(Debug, Default)]
pub(crate) struct Pane {
    entries: Vec<(u32, u32)>,
    columns: Vec<Box<dyn Column>>,
    /// Where each key stands, as long as the pane is open.
    places: HashTable<u32>,
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

    /// Counts a key, and says which entry has all else of it.
    fn place_for(&mut self, key: u32, count: u32, keys: &mut KeyTable) -> u32 {
        // Mostly one pane is filled at a time, and then a key's newest entry is in it.
        let hint = keys.place(key);
        let is_here = self.entries.get(hint as usize).is_some_and(|&(known, _)| known == key);
        let place = if is_here { Some(hint) } else { self.find(key) };
        let Some(place) = place else {
            let place = keys.set_place(key, self.entries.len());
            self.push(key, count, keys);
            let entries = &self.entries;
            self.places.insert_unique(mixed(key), place, |&at| mixed(entries[at as usize].0));
            return place;
        };
        let sum = &mut self.entries[place as usize].1;
        match sum.checked_add(count) {
            Some(more) => *sum = more,
            // What does not fit stands apart; all else of the key stays in its first entry.
            None => self.push(key, count, keys),
        }
        place
    }

    fn find(&self, key: u32) -> Option<u32> {
        self.places.find(mixed(key), |&at| self.entries[at as usize].0 == key).copied()
    }

    fn push(&mut self, key: u32, count: u32, keys: &mut KeyTable) {
        self.entries.push((key, count));
        keys.hold(key);
    }

    /// Keys and counts.
    pub(crate) fn entries(&self) -> &[(u32, u32)] {
        &self.entries
    }

    /// What else there is of each entry.
    pub(crate) fn columns(&self) -> &[Box<dyn Column>] {
        &self.columns
    }

    /// Counts these entries, in ascending order, for another key, `other`.
    pub(crate) fn rename(&mut self, renamed: &[u32], other: u32, keys: &mut KeyTable) {
        let mut pane = Self::new(self.columns.iter().map(|column| column.fresh()).collect());
        let entries = std::mem::take(&mut self.entries);
        let mut renamed = renamed.iter().peekable();
        let mut all = Vec::with_capacity(entries.len());
        for (place, &(key, count)) in (0..).zip(&entries) {
            let is_other = renamed.next_if(|&&entry| entry == place).is_some();
            all.push((if is_other { other } else { key }, count, place));
        }
        pane.add(keys, all.into_iter(), &self.columns);
        for (key, _) in entries {
            keys.release(key);
        }
        *self = pane;
    }

    /// Frees what is of use to an open pane alone.
    pub(crate) fn close(&mut self) {
        self.places = HashTable::new();
        self.entries.shrink_to_fit();
        for column in &mut self.columns {
            column.resize(self.entries.len());
            column.shrink();
        }
    }
}

/// Key numbers are dense, and nobody chooses them.
fn mixed(key: u32) -> u64 {
    let wide = u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    wide ^ wide >> 32
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
    fn keys_whose_newest_entry_stands_in_another_pane_are_found() {
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
        assert_eq!(pane.entries().len(), 3);
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
        let sum: u64 = pane.entries().iter().map(|&(_, count)| u64::from(count)).sum();
        assert_eq!(sum, u64::from(u32::MAX) + 2);
        pane.entries().iter().for_each(|&(key, _)| _ = keys.release(key));
        assert_eq!(keys.key(key), None);
    }
}
