//! The keys of a chunk.

use std::ops::Range;

use hashbrown::HashTable;

use super::seed::full_hash;
use super::{KeyBytes, KeyTable, Seed, index32};

/// Keys up to this length are stored next to their hash.
const SHORT: usize = 42;

/// A key next to its hash: comparing a short one needs no other memory access.
#[derive(Debug)]
enum StoredKey {
    Null,
    Short(u8, [u8; SHORT]),
    /// The range of a key that is not short, in the text of all of them.
    Long(Range<usize>),
}

impl StoredKey {
    fn new(key: KeyBytes<'_>, long: impl FnOnce(&[u8]) -> Range<usize>) -> Self {
        let Some(key) = key else { return Self::Null };
        let mut short = [0; SHORT];
        match (u8::try_from(key.len()), short.get_mut(..key.len())) {
            (Ok(length), Some(bytes)) => {
                bytes.copy_from_slice(key);
                Self::Short(length, short)
            }
            _ => Self::Long(long(key)),
        }
    }

    /// Returns whether it equals a key.
    #[inline]
    fn is(&self, key: KeyBytes<'_>, long: &[u8]) -> bool {
        match (self, key) {
            (Self::Short(length, bytes), Some(key)) => {
                let stored = bytes.get(..usize::from(*length));
                stored.is_some_and(|stored| bytes_equal(stored, key))
            }
            (Self::Long(place), Some(key)) => &long[place.clone()] == key,
            (Self::Null, None) => true,
            _ => false,
        }
    }

    fn get<'a>(&'a self, long: &'a [u8]) -> KeyBytes<'a> {
        match self {
            Self::Null => None,
            Self::Short(length, bytes) => bytes.get(..usize::from(*length)),
            Self::Long(place) => long.get(place.clone()),
        }
    }
}

/// Compares two short keys, sixteen bytes at a time. A call to memcmp costs more for so few bytes.
#[inline]
fn bytes_equal(one: &[u8], other: &[u8]) -> bool {
    const LANES: usize = 16;
    let (Some(last), Some(other_last)) = (one.last_chunk(), other.last_chunk::<LANES>()) else {
        return one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one == other);
    };
    let word = |bytes: &[u8; LANES]| u128::from_ne_bytes(*bytes);
    let mut lanes = one.as_chunks::<LANES>().0.iter().zip(other.as_chunks::<LANES>().0);
    one.len() == other.len()
        && word(last) == word(other_last)
        && lanes.all(|(one, other)| word(one) == word(other))
}

/// The keys of a chunk, numbered from 0 in order of appearance.
///
/// Successive chunks have mostly the same keys. So the dictionary can remember the keys of earlier
/// chunks, which have no number until they appear again.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    /// The index of each key's entry, by hash.
    index: HashTable<u32>,
    entries: Vec<KeyEntry>,
    /// The text of the keys that are not short.
    text: Vec<u8>,
    /// The entries of the chunk's keys, by number.
    numbered: Vec<u32>,
    /// The number of keys from earlier chunks.
    remembered: usize,
}

/// Fills one cache line.
#[derive(Debug)]
#[repr(align(64))]
struct KeyEntry {
    hash: u32,
    last_entry: LastEntry,
    /// Its number, if it has one.
    number: u32,
    key: StoredKey,
}

/// The newest entry of a key in the delta: its pane, its place, and its count so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastEntry {
    pub(crate) pane: u32,
    pub(crate) entry: u32,
    pub(crate) count: u32,
}

impl LastEntry {
    /// The key has no entry.
    const NONE: Self = Self { pane: u32::MAX, entry: u32::MAX, count: 0 };

    /// Returns whether the entry is in this pane and its count can grow.
    #[inline]
    pub(crate) fn is_in(self, pane: usize) -> bool {
        self.pane as usize == pane && self.count < u32::MAX
    }
}

/// The maximum number of keys to remember: one megabyte, and half of that for keys that are not
/// short. Beyond that, all keys are forgotten; frequent ones return at once.
const MAX_REMEMBERED: usize = 16_384;

/// With at most this many new keys, a chunk says nothing about the next one.
const MIN_NEW_KEYS: usize = 64;

impl Dictionary {
    /// Prepares for the next chunk. Forgets all keys if remembering them did not pay.
    pub(crate) fn start_chunk(&mut self) {
        let (all, numbered) = (self.entries.len(), self.numbered.len());
        // If few keys repeat, remembering them only makes lookups touch more memory.
        let is_mostly_new =
            self.remembered > 0 && all - self.remembered > numbered / 4 * 3 + MIN_NEW_KEYS;
        let is_too_large = all > MAX_REMEMBERED || self.text.len() > MAX_REMEMBERED * SHORT;
        if is_mostly_new || is_too_large {
            *self = Self::default();
        }
        self.numbered.clear();
        self.remembered = self.entries.len();
    }

    /// Returns the number of a key, and assigns one if it is new to the chunk.
    pub(crate) fn number(&mut self, key: KeyBytes<'_>, seed: &Seed) -> u32 {
        let at = self.place_of(seed.short_hash(key), key);
        self.number_at(at)
    }

    /// Returns the place of a key.
    #[inline]
    pub(crate) fn place(&mut self, key: KeyBytes<'_>, seed: &Seed) -> u32 {
        self.place_of(seed.short_hash(key), key)
    }

    /// Returns the first place that a key with this hash can have; `u32::MAX` if there is none.
    #[inline]
    pub(crate) fn first_candidate(&self, hash: u32) -> u32 {
        self.index.find(full_hash(hash), |_| true).copied().unwrap_or(u32::MAX)
    }

    /// Returns whether the key at a place has this hash.
    #[inline]
    pub(crate) fn has_hash(&self, at: u32, hash: u32) -> bool {
        self.entries.get(at as usize).is_some_and(|entry| entry.hash == hash)
    }

    /// Returns the newest entry of the key at a place, if it is this key.
    #[inline]
    pub(crate) fn last_entry_of(&mut self, at: u32, key: &[u8]) -> Option<&mut LastEntry> {
        let Self { entries, text, .. } = self;
        let entry = entries.get_mut(at as usize)?;
        entry.key.is(Some(key), text).then_some(&mut entry.last_entry)
    }

    /// Returns the place of a key with this hash.
    #[inline(never)]
    pub(crate) fn place_of(&mut self, hash: u32, key: KeyBytes<'_>) -> u32 {
        let Self { index, entries, text, .. } = self;
        let found = index.find(full_hash(hash), |&at| {
            let entry = &entries[at as usize];
            entry.hash == hash && entry.key.is(key, text)
        });
        if let Some(&at) = found {
            return at;
        }
        let at = self.push(hash, key);
        let Self { index, entries, .. } = self;
        // The keys of a chunk arrive at once, and each growth rehashes all of them. Growing
        // fourfold takes three steps for a batch of 1,000 keys instead of eight.
        if index.len() == index.capacity() {
            index.reserve(3 * index.len() + 60, |&at| full_hash(entries[at as usize].hash));
        }
        index.insert_unique(full_hash(hash), at, |&at| full_hash(entries[at as usize].hash));
        at
    }

    /// Returns the number of the key at a place.
    #[inline]
    pub(crate) fn number_at(&mut self, at: u32) -> u32 {
        let Self { entries, numbered, .. } = self;
        let entry = &mut entries[at as usize];
        if numbered.get(entry.number as usize) != Some(&at) {
            entry.number = index32(numbered.len());
            entry.last_entry = LastEntry::NONE;
            numbered.push(at);
        }
        entry.number
    }

    /// Adds a key of a table with the hash that it has there. The key must be new, and `number`
    /// does not find it.
    pub(crate) fn take(&mut self, table: &KeyTable, id: u32) -> u32 {
        let at = self.push(table.hash(id), table.key(id));
        self.number_at(at)
    }

    /// Reserves room for more keys.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.entries.reserve(more);
        self.numbered.reserve(more);
    }

    /// Adds a key that is new, and returns its number. `number` does not find it.
    pub(crate) fn append(&mut self, key: KeyBytes<'_>, seed: &Seed) -> u32 {
        let at = self.push(seed.short_hash(key), key);
        self.number_at(at)
    }

    /// Returns a new number that no key has.
    pub(crate) fn other(&mut self) -> u32 {
        let at = self.push(0, None);
        self.number_at(at)
    }

    fn push(&mut self, hash: u32, key: KeyBytes<'_>) -> u32 {
        let Self { entries, text, .. } = self;
        let key = StoredKey::new(key, |key| {
            text.extend_from_slice(key);
            text.len() - key.len()..text.len()
        });
        entries.push(KeyEntry { hash, last_entry: LastEntry::NONE, number: u32::MAX, key });
        index32(entries.len() - 1)
    }

    /// Returns the key of a number.
    pub(crate) fn key(&self, number: u32) -> KeyBytes<'_> {
        self.get(number).1
    }

    /// Returns the newest entry of the key at a place. It belongs to this chunk only if the key has
    /// a number.
    #[inline]
    pub(crate) fn last_entry(&mut self, at: u32) -> &mut LastEntry {
        &mut self.entries[at as usize].last_entry
    }

    /// Returns the newest entries of all keys that have a number.
    pub(crate) fn last_entries(&self) -> impl Iterator<Item = LastEntry> {
        self.numbered.iter().map(|&at| self.entries[at as usize].last_entry)
    }

    /// Returns the number of keys in the chunk.
    pub(crate) fn len(&self) -> usize {
        self.numbered.len()
    }

    /// Returns the hash and the key of a number.
    pub(super) fn get(&self, number: u32) -> (u32, KeyBytes<'_>) {
        let entry = &self.entries[self.numbered[number as usize] as usize];
        (entry.hash, entry.key.get(&self.text))
    }

    /// Returns the hashes and keys of all numbers, in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, KeyBytes<'_>)> {
        let entries = self.numbered.iter().map(|&at| &self.entries[at as usize]);
        entries.map(|entry| (entry.hash, entry.key.get(&self.text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn a_stored_key_equals_only_itself(
            one in prop::collection::vec(97..99_u8, 0..60),
            other in prop::collection::vec(97..99_u8, 0..60),
            cut in 0..60_usize,
            null in 0..4_u8,
        ) {
            let same = |one: KeyBytes<'_>, other: KeyBytes<'_>| {
                let long = one.unwrap_or_default();
                let stored = StoredKey::new(one, |key| 0..key.len());
                prop_assert_eq!(stored.get(long), one);
                prop_assert_eq!(stored.is(other, long), one == other);
                Ok(())
            };
            let cut = cut.min(one.len());
            let mixed: Vec<u8> = one[..cut].iter().chain(other.iter().skip(cut)).copied().collect();
            same(Some(&one), Some(&one))?;
            same(Some(&one), Some(&one[..cut]))?;
            same(Some(&one[..cut]), Some(&one))?;
            same(Some(&one), (null > 0).then_some(&mixed[..]))?;
            same((null > 0).then_some(&mixed[..]), Some(&one))?;
            same(None, None)?;
        }

        #[test]
        fn a_chunk_numbers_its_keys_independently_of_remembered_ones(
            chunks in prop::collection::vec(
                prop::collection::vec(prop_oneof![0..9_u32, 0..60_000_u32], 0..40), 1..9,
            ),
            many in prop::bool::weighted(0.05),
        ) {
            let seed = Seed::new(1);
            let mut dictionary = Dictionary::default();
            let text = |key: u32| key.to_be_bytes().repeat(if key.is_multiple_of(7) { 20 } else { 1 });
            for (turn, chunk) in (0..).zip(chunks) {
                // More keys than are remembered.
                let rest = if many { 0..index32(MAX_REMEMBERED) / 3 } else { 0..0 };
                let keys = chunk.into_iter().chain(rest.map(|key| key + turn * 1_000));
                let mut numbers = std::collections::BTreeMap::new();
                for key in keys {
                    let next = index32(numbers.len());
                    let expected = *numbers.entry(key).or_insert(next);
                    let bytes = (key > 0).then(|| text(key));
                    prop_assert_eq!(dictionary.number(bytes.as_deref(), &seed), expected);
                    prop_assert_eq!(dictionary.key(expected), bytes.as_deref());
                }
                prop_assert_eq!(dictionary.len(), numbers.len());
                prop_assert!(dictionary.last_entries().all(|last_entry| last_entry.entry == u32::MAX));
                dictionary.start_chunk();
                prop_assert_eq!(dictionary.len(), 0);
                prop_assert!(dictionary.entries.len() <= MAX_REMEMBERED);
            }
        }
    }
}
