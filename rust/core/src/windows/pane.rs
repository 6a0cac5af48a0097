//! The partials of one interval of time.

use super::aggregate::Column;
use super::keys::{KeyTable, index32};

/// Counts and partials by key number. In a closed pane a key has one entry, unless its count does
/// not fit into one. Each entry holds its key once.
#[derive(Debug, Default)]
pub(crate) struct Pane {
    entries: Vec<(u32, u32)>,
    columns: Vec<Box<dyn Column>>,
    /// Whether a key can have more than one entry.
    is_fragmented: bool,
    /// The number of entries when that began.
    compact_len: usize,
}

/// Fewer late entries are compacted only when the pane closes: fewer than `COMPACT_AFTER`, or than
/// `COMPACT_COLUMNS_AFTER` if entries have partials.
const COMPACT_AFTER: usize = 1_024;
const COMPACT_COLUMNS_AFTER: usize = 32;

impl Pane {
    pub(crate) fn new(columns: Vec<Box<dyn Column>>) -> Self {
        Self { columns, ..Self::default() }
    }

    /// Creates a closed pane and holds its keys.
    pub(crate) fn closed(
        entries: Vec<(u32, u32)>,
        columns: Vec<Box<dyn Column>>,
        keys: &mut KeyTable,
    ) -> Self {
        for &(key, _) in &entries {
            keys.hold(key);
        }
        Self { entries, columns, ..Self::default() }
    }

    /// Adds counts to keys and holds the keys. Each key and count comes with an entry of
    /// `partials`, which has the columns of what is added.
    ///
    /// The table of keys caches the entries of the newest pane only. Late counts for an older pane
    /// are appended to it instead: looking up each of their keys there would cost more than
    /// counting all other events.
    pub(crate) fn add(
        &mut self,
        keys: &mut KeyTable,
        entries: impl Iterator<Item = (u32, u32, u32)>,
        partials: &[Box<dyn Column>],
        is_newest: bool,
    ) {
        if !is_newest && !self.is_fragmented {
            (self.compact_len, self.is_fragmented) = (self.entries.len(), true);
        }
        let mut pairs = Vec::new();
        for (key, count, entry) in entries {
            let place = self.place_for(key, count, keys, is_newest);
            if !partials.is_empty() {
                pairs.push((place, entry));
            }
        }
        for (column, partials) in self.columns.iter_mut().zip(partials) {
            column.resize(self.entries.len());
            column.merge(&**partials, &pairs);
        }
        let limit = if self.columns.is_empty() { COMPACT_AFTER } else { COMPACT_COLUMNS_AFTER };
        if self.is_fragmented && self.entries.len() > 2 * self.compact_len + limit {
            self.compact(keys);
        }
    }

    /// Counts a key and returns the entry of its partials.
    #[inline]
    fn place_for(&mut self, key: u32, count: u32, keys: &mut KeyTable, is_newest: bool) -> u32 {
        let place = keys.place(key);
        if let Some((here, sum)) = self.entries.get_mut(place as usize)
            && *here == key
        {
            match sum.checked_add(count) {
                Some(more) => *sum = more,
                // A count that does not fit gets another entry; the partials of the key stay in its
                // first one.
                None => self.push(key, count, keys),
            }
            return place;
        }
        let place = index32(self.entries.len());
        if is_newest {
            keys.set_place(key, place);
        }
        self.push(key, count, keys);
        place
    }

    fn push(&mut self, key: u32, count: u32, keys: &mut KeyTable) {
        self.entries.push((key, count));
        keys.hold(key);
    }

    /// Merges all entries of a key into its first one.
    fn compact(&mut self, keys: &mut KeyTable) {
        // Meanwhile the table caches the first entries.
        let entries = std::mem::take(&mut self.entries);
        let mut known = Vec::with_capacity(entries.len());
        let mut pairs = Vec::with_capacity(if self.columns.is_empty() { 0 } else { entries.len() });
        for (at, &(key, count)) in (0..).zip(&entries) {
            known.push(keys.place(key));
            let place = self.place_for(key, count, keys, true);
            if !self.columns.is_empty() {
                pairs.push((place, at));
            }
        }
        for (&(key, _), &place) in entries.iter().zip(&known).rev() {
            keys.release(key);
            keys.set_place(key, place);
        }
        for column in &mut self.columns {
            let mut compacted = column.fresh();
            compacted.resize(self.entries.len());
            compacted.merge(&**column, &pairs);
            *column = compacted;
        }
        self.is_fragmented = false;
    }

    /// Returns keys and counts.
    pub(crate) fn entries(&self) -> &[(u32, u32)] {
        &self.entries
    }

    /// Returns the partials of the entries.
    pub(crate) fn columns(&self) -> &[Box<dyn Column>] {
        &self.columns
    }

    /// Moves these entries, in ascending order, to the key `other`.
    pub(crate) fn rename(&mut self, renamed: &[u32], other: u32, keys: &mut KeyTable) {
        let mut pane = Self::new(self.columns.iter().map(|column| column.fresh()).collect());
        let entries = std::mem::take(&mut self.entries);
        let mut renamed = renamed.iter().peekable();
        let mut all = Vec::with_capacity(entries.len());
        for (place, &(key, count)) in (0..).zip(&entries) {
            let is_other = renamed.next_if(|&&entry| entry == place).is_some();
            all.push((if is_other { other } else { key }, count, place));
        }
        pane.add(keys, all.into_iter(), &self.columns, false);
        for (key, _) in entries {
            keys.release(key);
        }
        pane.close(keys);
        *self = pane;
    }

    /// Compacts the pane and frees memory that only an open pane needs.
    pub(crate) fn close(&mut self, keys: &mut KeyTable) {
        if self.is_fragmented {
            self.compact(keys);
        }
        self.entries.shrink_to_fit();
        for column in &mut self.columns {
            column.resize(self.entries.len());
            column.shrink();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::windows::keys::{Dictionary, Seed};

    fn add(pane: &mut Pane, key: u32, count: u32, keys: &mut KeyTable) {
        pane.add(keys, std::iter::once((key, count, 0)), &[], true);
    }

    fn one_key() -> (KeyTable, u32) {
        let mut dictionary = Dictionary::default();
        let mut keys = KeyTable::default();
        let key = dictionary.number(Some(b"a"), &Seed::new(1));
        let key = keys.number(&dictionary, key);
        (keys, key)
    }

    fn total(pane: &Pane) -> u64 {
        pane.entries().iter().map(|&(_, count)| u64::from(count)).sum()
    }

    fn sums(pane: &Pane) -> [u32; 3] {
        [0, 1, 2].map(|wanted| {
            pane.entries().iter().filter(|&&(key, _)| key == wanted).map(|&(_, n)| n).sum()
        })
    }

    #[test]
    fn many_additions_to_a_key_are_one_entry() {
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
    fn late_counts_are_compacted_without_affecting_the_newest_pane() {
        let seed = Seed::new(1);
        let mut dictionary = Dictionary::default();
        let mut keys = KeyTable::default();
        let mut panes = [Pane::default(), Pane::default()];
        let mut most = 0;
        for round in 0..10_000_u64 {
            let mut number = |key: u64| {
                let key = dictionary.number(Some(&key.to_be_bytes()), &seed);
                keys.number(&dictionary, key)
            };
            let (old, new) = (number(round % 3), number(2 - round % 3));
            // For a third of the rounds there is one pane. After that, a newer pane has the keys in
            // reverse.
            let has_newer = round >= 3_333;
            if has_newer {
                panes[1].add(&mut keys, std::iter::once((new, 2, 0)), &[], true);
            }
            panes[0].add(&mut keys, std::iter::once((old, 2, 0)), &[], !has_newer);
            most = most.max(panes[0].entries().len());
            assert!(panes[1].entries().len() <= 3);
        }
        assert!((100..2_000).contains(&most), "{most} entries");
        panes[0].close(&mut keys);
        assert_eq!(panes.each_ref().map(|pane| pane.entries().len()), [3, 3]);
        assert_eq!(sums(&panes[0]), [6_668, 6_666, 6_666]);
        assert_eq!(sums(&panes[1]), [4_444, 4_446, 4_444]);
        for &(key, _) in panes.iter().flat_map(Pane::entries) {
            keys.release(key);
        }
        assert_eq!([0, 1, 2].map(|key| keys.key(key)), [None; 3]);
    }

    #[test]
    fn a_late_count_that_does_not_fit_gets_its_own_entry() {
        let (mut keys, key) = one_key();
        let mut pane = Pane::default();
        for count in [u32::MAX, 1, 1, u32::MAX - 1] {
            pane.add(&mut keys, std::iter::once((key, count, 0)), &[], false);
            keys.set_place(key, 7);
        }
        pane.close(&mut keys);
        assert_eq!(total(&pane), 2 * u64::from(u32::MAX) + 1);
        assert_eq!(keys.place(key), 7);
        pane.entries().iter().for_each(|&(key, _)| _ = keys.release(key));
        assert_eq!(keys.key(key), None);
    }

    #[test]
    fn a_count_that_does_not_fit_gets_its_own_entry() {
        let (mut keys, key) = one_key();
        let mut pane = Pane::default();
        add(&mut pane, key, u32::MAX, &mut keys);
        add(&mut pane, key, 1, &mut keys);
        add(&mut pane, key, 1, &mut keys);
        assert_eq!(total(&pane), u64::from(u32::MAX) + 2);
        pane.entries().iter().for_each(|&(key, _)| _ = keys.release(key));
        assert_eq!(keys.key(key), None);
    }
}
