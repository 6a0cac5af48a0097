//! The keys of a chunk.

use std::ops::Range;

use hashbrown::HashTable;

use super::seed::full_hash;
use super::{KeyBytes, KeyTable, Seed, index32};

/// How long a key may be that is stored where its hash is.
const SHORT: usize = 42;

/// A key of a chunk beside its hash: to compare it waits for no other place in memory.
#[derive(Debug)]
enum StoredKey {
    Null,
    Short(u8, [u8; SHORT]),
    /// Where it stands among the keys that are not short.
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

    /// Whether it is this key.
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

/// Whether two short keys are one, sixteen bytes at a time: to call for so few costs more.
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
/// Chunks that follow each other have mostly the same keys. So it may remember those of chunks
/// remembered, which have no number until they are met again.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    /// By hash, the place among the entries.
    index: HashTable<u32>,
    entries: Vec<Entry>,
    /// The keys that are not short.
    text: Vec<u8>,
    /// The places of those that the chunk has, by number.
    numbered: Vec<u32>,
    /// How many were known remembered the chunk.
    remembered: usize,
}

/// As long as a line of a processor's cache.
#[derive(Debug)]
#[repr(align(64))]
struct Entry {
    hash: u32,
    last_entry: LastEntry,
    /// Its number, if it has one.
    number: u32,
    key: StoredKey,
}

/// What a delta notes with a key: the pane of its newest entry, where that stands, and how often the
/// key came there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastEntry {
    pub(crate) pane: u32,
    pub(crate) entry: u32,
    pub(crate) count: u32,
}

impl LastEntry {
    /// Of a key without an entry.
    const NONE: Self = Self { pane: u32::MAX, entry: u32::MAX, count: 0 };

    /// Whether the newest entry is of this pane and has room for an event more.
    #[inline]
    pub(crate) fn is_in(self, pane: usize) -> bool {
        self.pane as usize == pane && self.count < u32::MAX
    }
}

/// So many keys are remembered from chunk to chunk: a megabyte, and half of one for those that are not
/// short. When they are more, all of them are forgotten; those that come often are back at once.
const MAX_REMEMBERED: usize = 16_384;

/// So few new keys of a chunk say nothing about the next one.
const MIN_NEW_KEYS: usize = 64;

impl Dictionary {
    /// Makes ready for another chunk, and forgets keys if remembering them did not help.
    pub(crate) fn start_chunk(&mut self) {
        let (all, numbered) = (self.entries.len(), self.numbered.len());
        // Where few keys come again, to remember them is to look for them in more memory.
        let is_mostly_new =
            self.remembered > 0 && all - self.remembered > numbered / 4 * 3 + MIN_NEW_KEYS;
        let is_too_large = all > MAX_REMEMBERED || self.text.len() > MAX_REMEMBERED * SHORT;
        if is_mostly_new || is_too_large {
            *self = Self::default();
        }
        self.numbered.clear();
        self.remembered = self.entries.len();
    }

    /// The number of this key, a new one if the chunk has not had it.
    pub(crate) fn number(&mut self, key: KeyBytes<'_>, seed: &Seed) -> u32 {
        let at = self.place_of(seed.short_hash(key), key);
        self.number_at(at)
    }

    /// The place of this key.
    #[inline]
    pub(crate) fn place(&mut self, key: KeyBytes<'_>, seed: &Seed) -> u32 {
        self.place_of(seed.short_hash(key), key)
    }

    /// The first place where a key of this hash may stand, `u32::MAX` if there is none.
    #[inline]
    pub(crate) fn first_candidate(&self, hash: u32) -> u32 {
        self.index.find(full_hash(hash), |_| true).copied().unwrap_or(u32::MAX)
    }

    /// Whether the key at a place has this hash.
    #[inline]
    pub(crate) fn has_hash(&self, at: u32, hash: u32) -> bool {
        self.entries.get(at as usize).is_some_and(|entry| entry.hash == hash)
    }

    /// What is noted with the key at a place, if it is this one.
    #[inline]
    pub(crate) fn last_entry_of(&mut self, at: u32, key: &[u8]) -> Option<&mut LastEntry> {
        let Self { entries, text, .. } = self;
        let entry = entries.get_mut(at as usize)?;
        entry.key.is(Some(key), text).then_some(&mut entry.last_entry)
    }

    /// The place of a key with this hash.
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
        // A chunk's keys come at once, and every growth hashes all of them into a new place: four
        // times as many do for a batch of 1,000 in three steps instead of eight.
        if index.len() == index.capacity() {
            index.reserve(3 * index.len() + 60, |&at| full_hash(entries[at as usize].hash));
        }
        index.insert_unique(full_hash(hash), at, |&at| full_hash(entries[at as usize].hash));
        at
    }

    /// The number of the key at this place.
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

    /// A key of a table, hashed as it is there. It must not be numbered yet, and `number` does not find
    /// it.
    pub(crate) fn take(&mut self, table: &KeyTable, id: u32) -> u32 {
        let at = self.push(table.hash(id), table.key(id));
        self.number_at(at)
    }

    /// A new number that no key finds.
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
        entries.push(Entry { hash, last_entry: LastEntry::NONE, number: u32::MAX, key });
        index32(entries.len() - 1)
    }

    /// The key of this number.
    pub(crate) fn key(&self, number: u32) -> KeyBytes<'_> {
        self.get(number).1
    }

    /// What a delta notes with the key at this place. It is of this chunk if the key has a number.
    #[inline]
    pub(crate) fn last_entry(&mut self, at: u32) -> &mut LastEntry {
        &mut self.entries[at as usize].last_entry
    }

    /// What is noted with all keys that have a number.
    pub(crate) fn last_entries(&self) -> impl Iterator<Item = LastEntry> {
        self.numbered.iter().map(|&at| self.entries[at as usize].last_entry)
    }

    /// How many keys the chunk has.
    pub(crate) fn len(&self) -> usize {
        self.numbered.len()
    }

    /// The hash and the key of this number.
    pub(super) fn get(&self, number: u32) -> (u32, KeyBytes<'_>) {
        let entry = &self.entries[self.numbered[number as usize] as usize];
        (entry.hash, entry.key.get(&self.text))
    }

    /// The hashes and the keys of all, by number.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, KeyBytes<'_>)> {
        let entries = self.numbered.iter().map(|&at| &self.entries[at as usize]);
        entries.map(|entry| (entry.hash, entry.key.get(&self.text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_stored_key_is_itself_and_no_other(
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
        fn a_chunk_numbers_its_own_keys_whatever_is_known_of_others(
            chunks in prop::collection::vec(
                prop::collection::vec(prop_oneof![0..9_u32, 0..60_000_u32], 0..40), 1..9,
            ),
            many in prop::bool::weighted(0.05),
        ) {
            let seed = Seed::new(1);
            let mut dictionary = Dictionary::default();
            let text = |key: u32| key.to_be_bytes().repeat(if key.is_multiple_of(7) { 20 } else { 1 });
            for (turn, chunk) in (0..).zip(chunks) {
                // More than are remembered.
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
