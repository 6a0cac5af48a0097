//! The counts of one interval.

use crate::keys::KeyTable;

/// A pane may grow to twice its size when last packed and this many entries, which are 8 KiB.
const SLACK: usize = 1_024;

/// Counts by key number; a key may stand here more than once, and is held as often.
#[derive(Debug, Default)]
pub(crate) struct Pane {
    entries: Vec<(u32, u32)>,
    /// How many entries were left when they were last put together.
    packed: usize,
}

impl Pane {
    /// Adds to a key's count and holds the key.
    pub(crate) fn add(&mut self, key: u32, count: u32, keys: &mut KeyTable) {
        // Mostly one pane is filled at a time, and then a key's newest entry is in it.
        if let Some((known, sum)) = self.entries.get_mut(keys.place(key))
            && *known == key
            && let Some(more) = sum.checked_add(count)
        {
            *sum = more;
            return;
        }
        // Panes that are filled by turns would hold an entry for each key of each chunk.
        if self.entries.len() >= 2 * self.packed + SLACK {
            self.pack(keys);
        }
        keys.set_place(key, self.entries.len());
        self.entries.push((key, count));
        keys.hold(key);
    }

    pub(crate) fn entries(&self) -> &[(u32, u32)] {
        &self.entries
    }

    /// Frees what was reserved for events that did not come.
    pub(crate) fn close(&mut self) {
        self.entries.shrink_to_fit();
    }

    fn pack(&mut self, keys: &mut KeyTable) {
        self.entries.sort_unstable_by_key(|&(key, _)| key);
        self.entries.dedup_by(|&mut (key, count), &mut (kept, ref mut sum)| {
            let Some(more) = (key == kept).then(|| sum.checked_add(count)).flatten() else {
                return false;
            };
            *sum = more;
            keys.release(key);
            true
        });
        for (place, &(key, _)) in self.entries.iter().enumerate() {
            keys.set_place(key, place);
        }
        self.packed = self.entries.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Dictionary, Seed};

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
            pane.add(key, 2, &mut keys);
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
            pane.add(key, 2, &mut keys);
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
        pane.add(key, u32::MAX, &mut keys);
        pane.add(key, 1, &mut keys);
        pane.add(key, 1, &mut keys);
        pane.pack(&mut keys);
        let sum: u64 = pane.entries().iter().map(|&(_, count)| u64::from(count)).sum();
        assert_eq!(sum, u64::from(u32::MAX) + 2);
        assert_eq!(pane.entries().len(), 2);
    }
}
