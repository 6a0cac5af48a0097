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
        // A pane that is filled by many small chunks would hold an entry for each of their keys.
        if self.entries.len() >= 2 * self.packed + SLACK {
            self.pack(keys);
        }
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
        self.packed = self.entries.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Dictionary, Seed};

    #[test]
    fn many_small_additions_are_put_together() {
        let seed = Seed::new(1);
        let mut dictionary = Dictionary::default();
        let mut keys = KeyTable::default();
        let mut pane = Pane::default();
        for round in 0..10_000_u64 {
            let key = dictionary.number(Some(&(round % 3).to_be_bytes()), &seed);
            let key = keys.number(&dictionary, key);
            pane.add(key, 2, &mut keys);
        }
        assert!(pane.entries().len() <= SLACK + 6, "{}", pane.entries().len());
        let sums = |wanted| -> u32 {
            pane.entries().iter().filter(|&&(key, _)| key == wanted).map(|&(_, n)| n).sum()
        };
        assert_eq!([sums(0), sums(1), sums(2)], [6_668, 6_666, 6_666]);
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
