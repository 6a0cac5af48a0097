//! The keys of a state.

use hashbrown::HashTable;

use super::arena::Arena;
use super::seed::full_hash;
use super::{Dictionary, KeyBytes, grow, index32};

/// The keys of all panes. Each entry of a pane holds its key once. A key that nothing holds is
/// forgotten, and its number is reused.
#[derive(Debug)]
pub(crate) struct KeyTable {
    index: HashTable<u32>,
    slots: Vec<Slot>,
    /// The uses of each slot. Panes access only these, so more of them fit into the cache.
    uses: Vec<Use>,
    free: Vec<u32>,
    text: Arena,
    /// What the keys cost together, and at most.
    bytes: usize,
    max_bytes: usize,
    has_refused: bool,
}

/// What a key costs beside its bytes: its slot, its uses, its place in the index, its count in the
/// totals, and its entries in a few panes.
pub(crate) const KEY_BYTES: usize = 128;

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    /// The length of the key, or one of the markers `NULL` and `NONE`.
    len: u32,
    /// Where its text starts.
    at: u32,
}

/// Marks the null key.
const NULL: u32 = u32::MAX;

/// Marks a slot without a key.
const NONE: u32 = u32::MAX - 1;

#[derive(Debug)]
struct Use {
    holds: u32,
    /// The entry of the key in the newest pane that contains it, if that pane is still open.
    place: u32,
}

impl Default for KeyTable {
    fn default() -> Self {
        Self::new(None)
    }
}

impl KeyTable {
    /// Creates a table for keys that cost at most `max_bytes` together: each its bytes and
    /// [`KEY_BYTES`].
    pub(crate) fn new(max_bytes: Option<usize>) -> Self {
        Self {
            index: HashTable::new(),
            slots: Vec::new(),
            uses: Vec::new(),
            free: Vec::new(),
            text: Arena::default(),
            bytes: 0,
            max_bytes: max_bytes.unwrap_or(usize::MAX),
            has_refused: false,
        }
    }

    /// Returns the table's number for a key of a dictionary, if it has one.
    pub(crate) fn find(&self, dictionary: &Dictionary, id: u32) -> Option<u32> {
        let (hash, key) = dictionary.get(id);
        self.index.find(full_hash(hash), |&id| self.is(id, hash, key)).copied()
    }

    fn is(&self, id: u32, hash: u32, key: KeyBytes<'_>) -> bool {
        let Some(&slot) = self.slots.get(id as usize) else { return false };
        slot.hash == hash
            && match key {
                None => slot.len == NULL,
                Some(key) => {
                    slot.len as usize == key.len() && self.text.get(slot.at, slot.len) == Some(key)
                }
            }
    }

    /// Returns the table's numbers for all keys of a dictionary; `u32::MAX` if a key has none or
    /// needs a second lookup.
    ///
    /// Lookups wait for memory. The loops below keep them independent, so that the waits overlap.
    pub(crate) fn numbers(&self, dictionary: &Dictionary) -> Vec<u32> {
        let first = |(hash, _)| self.index.find(full_hash(hash), |_| true).copied();
        let mut numbers: Vec<u32> =
            dictionary.all().map(|key| first(key).unwrap_or(u32::MAX)).collect();
        for (number, (hash, _)) in numbers.iter_mut().zip(dictionary.all()) {
            let slot = self.slots.get(*number as usize);
            if slot.is_none_or(|slot| slot.hash != hash) {
                *number = u32::MAX;
            }
        }
        for (number, (hash, key)) in numbers.iter_mut().zip(dictionary.all()) {
            if !self.is(*number, hash, key) {
                *number = u32::MAX;
            }
        }
        numbers
    }

    /// Returns the table's number for a key of a dictionary. There is always room for it, and a new
    /// one is not held by anything yet.
    pub(crate) fn number(&mut self, dictionary: &Dictionary, id: u32) -> u32 {
        self.find(dictionary, id).unwrap_or_else(|| self.insert(dictionary, id))
    }

    /// Returns the table's number for a key of a dictionary; `None` if the key is new and there is
    /// no room for it. There is always room for the null key.
    pub(crate) fn admit(&mut self, dictionary: &Dictionary, id: u32) -> Option<u32> {
        if let Some(id) = self.find(dictionary, id) {
            return Some(id);
        }
        let cost = dictionary.key(id).map_or(0, |key| KEY_BYTES + key.len());
        if cost > self.max_bytes.saturating_sub(self.bytes) {
            self.has_refused = true;
            return None;
        }
        Some(self.insert(dictionary, id))
    }

    /// Adds a key that the table does not have.
    fn insert(&mut self, dictionary: &Dictionary, id: u32) -> u32 {
        let (hash, key) = dictionary.get(id);
        self.bytes += key.map_or(0, |key| KEY_BYTES + key.len());
        let slot = match key {
            None => Slot { hash, len: NULL, at: 0 },
            // No line and no text of a program is that long.
            Some(key) => {
                Slot { hash, len: index32(key.len()).min(NONE - 1), at: self.text.put(key) }
            }
        };
        let id = self.add(slot, 0);
        self.make_room();
        let Self { index, slots, .. } = self;
        index.insert_unique(full_hash(hash), id, |&id| full_hash(slots[id as usize].hash));
        id
    }

    /// Rebuilds the index if it is full of removed keys; otherwise it would grow without need.
    fn make_room(&mut self) {
        let Self { index, slots, .. } = self;
        let most = index.num_buckets() / 8 * 7;
        if index.len() < index.capacity() || index.len() > most / 8 * 7 {
            return;
        }
        let mut fresh = HashTable::with_capacity(most);
        let hash = |&id: &u32| full_hash(slots[id as usize].hash);
        for id in index.iter() {
            fresh.insert_unique(hash(id), *id, hash);
        }
        *index = fresh;
    }

    /// Returns a new number that no key has. It is held forever.
    pub(crate) fn other(&mut self) -> u32 {
        self.add(Slot { hash: 0, len: NONE, at: 0 }, 1)
    }

    fn add(&mut self, slot: Slot, holds: u32) -> u32 {
        let new = Use { holds, place: 0 };
        if let Some(id) = self.free.pop() {
            self.slots[id as usize] = slot;
            self.uses[id as usize] = new;
            return id;
        }
        grow(&mut self.slots, 1);
        self.slots.push(slot);
        grow(&mut self.uses, 1);
        self.uses.push(new);
        index32(self.slots.len() - 1)
    }

    pub(crate) fn hold(&mut self, id: u32) {
        self.uses[id as usize].holds += 1;
    }

    /// The cached entry of the key, in whichever pane.
    #[inline]
    pub(crate) fn place(&self, id: u32) -> u32 {
        self.uses[id as usize].place
    }

    #[inline]
    pub(crate) fn set_place(&mut self, id: u32, place: u32) {
        self.uses[id as usize].place = place;
    }

    /// Releases a key, and returns whether nothing holds it any more.
    pub(crate) fn release(&mut self, id: u32) -> bool {
        let holds = &mut self.uses[id as usize].holds;
        *holds -= 1;
        if *holds > 0 {
            return false;
        }
        let slot = &mut self.slots[id as usize];
        if let Ok(entry) = self.index.find_entry(full_hash(slot.hash), |&known| known == id) {
            entry.remove();
        }
        if slot.len < NONE {
            self.text.free(slot.at, slot.len);
            self.bytes -= KEY_BYTES + slot.len as usize;
        }
        slot.len = NONE;
        self.free.push(id);
        if self.text.is_fragmented() {
            self.pack();
        }
        true
    }

    /// Compacts the text of all keys.
    fn pack(&mut self) {
        let mut text = Arena::default();
        text.words.reserve(self.text.words.len() - self.text.unused);
        for slot in self.slots.iter_mut().filter(|slot| slot.len < NONE) {
            slot.at = self.text.get(slot.at, slot.len).map_or(0, |key| text.put(key));
        }
        self.text = text;
    }

    pub(super) fn hash(&self, id: u32) -> u32 {
        self.slots[id as usize].hash
    }

    pub(crate) fn key(&self, id: u32) -> KeyBytes<'_> {
        let slot = self.slots[id as usize];
        if slot.len < NONE { self.text.get(slot.at, slot.len) } else { None }
    }

    /// Returns what the keys cost together.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns whether there was no room for a key.
    pub(crate) fn has_refused(&self) -> bool {
        self.has_refused
    }

    /// Records that there was no room for a key.
    pub(crate) fn note_refused(&mut self) {
        self.has_refused = true;
    }

    /// Returns the largest number of keys that were ever in use at once.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Seed;
    use super::super::arena::WORD;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_null_key_is_not_the_empty_key() {
        let seed = Seed::new(1);
        let mut dictionary = Dictionary::default();
        assert_eq!(dictionary.number(Some(b""), &seed), 0);
        assert_eq!(dictionary.number(None, &seed), 1);
        assert_eq!(dictionary.number(Some(b""), &seed), 0);
        let mut table = KeyTable::default();
        assert_eq!(table.number(&dictionary, 1), 0);
        assert_eq!(table.number(&dictionary, 0), 1);
        assert_eq!(table.key(0), None);
        assert_eq!(table.key(1), Some(&b""[..]));
    }

    #[test]
    fn a_key_that_nothing_holds_releases_its_number() {
        let seed = Seed::new(1);
        let mut dictionary = Dictionary::default();
        let (a, b) = (dictionary.number(Some(b"a"), &seed), dictionary.number(Some(b"b"), &seed));
        let mut table = KeyTable::default();
        let id = table.number(&dictionary, a);
        table.hold(id);
        table.hold(id);
        table.release(id);
        assert_eq!(table.number(&dictionary, a), id);
        table.release(id);
        assert_eq!(table.number(&dictionary, b), id);
        assert_eq!(table.key(id), Some(&b"b"[..]));
        assert_eq!(table.capacity(), 1);
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn batched_lookups_match_single_ones(
            old in prop::collection::vec(0..40_u32, 0..40),
            new in prop::collection::vec(0..60_u32, 0..40),
        ) {
            let seed = Seed::new(1);
            let of = |keys: &[u32]| {
                let mut dictionary = Dictionary::default();
                for key in keys {
                    let bytes = key.to_be_bytes().repeat(if key % 7 == 0 { 20 } else { 1 });
                    dictionary.number((*key > 0).then_some(&bytes), &seed);
                }
                dictionary
            };
            let (old, new) = (of(&old), of(&new));
            let mut table = KeyTable::default();
            for id in (0..).take(old.len()) {
                table.number(&old, id);
            }
            let numbers = table.numbers(&new);
            prop_assert_eq!(numbers.len(), new.len());
            let mut missed = 0;
            for (id, &number) in (0..).zip(&numbers) {
                let found = table.find(&new, id);
                prop_assert!(number == u32::MAX || Some(number) == found);
                missed += usize::from(number == u32::MAX && found.is_some());
            }
            // Where the first candidates of two keys coincide.
            prop_assert!(missed <= 5, "{} of {}", missed, new.len());
        }

        #[test]
        fn keys_never_cost_more_than_the_limit(
            steps in prop::collection::vec((0..40_u8, any::<bool>()), 1..200),
            limit in 0..2_000_usize,
        ) {
            let seed = Seed::new(1);
            let mut table = KeyTable::new(Some(limit));
            let mut held: std::collections::BTreeMap<u8, u32> = std::collections::BTreeMap::default();
            let cost = |name: u8| if name == 0 { 0 } else { KEY_BYTES + usize::from(name) * 10 };
            let mut refused = false;
            for (name, comes) in steps {
                let key = vec![name; usize::from(name) * 10];
                let mut dictionary = Dictionary::default();
                let id = dictionary.number((name > 0).then_some(&key[..]), &seed);
                let spent: usize = held.keys().map(|&name| cost(name)).sum();
                prop_assert_eq!(table.bytes(), spent);
                prop_assert!(spent <= limit);
                if comes {
                    let admitted = table.admit(&dictionary, id);
                    let fits = spent + cost(name) <= limit;
                    prop_assert_eq!(admitted.is_some(), held.contains_key(&name) || fits);
                    refused |= admitted.is_none();
                    if let (Some(id), false) = (admitted, held.contains_key(&name)) {
                        table.hold(id);
                        held.insert(name, id);
                    }
                } else if let Some(id) = held.remove(&name) {
                    prop_assert!(table.release(id));
                }
                prop_assert_eq!(table.has_refused(), refused);
            }
        }

        #[test]
        fn keys_that_are_added_and_removed_free_their_memory(
            steps in prop::collection::vec((0..40_u8, any::<bool>()), 1..200),
        ) {
            let seed = Seed::new(1);
            let mut table = KeyTable::default();
            let mut held: std::collections::BTreeMap<u8, (u32, Vec<u8>)> =
                    std::collections::BTreeMap::default();
            let mut most = 0;
            for (name, comes) in steps {
                // From the empty key to one of 78 bytes.
                let key = vec![name; usize::from(name) * 2];
                let mut dictionary = Dictionary::default();
                let id = dictionary.number(Some(&key), &seed);
                let known = held.get(&name).map(|(id, _)| *id);
                prop_assert_eq!(table.find(&dictionary, id), known);
                if comes && known.is_none() {
                    let id = table.number(&dictionary, id);
                    table.hold(id);
                    held.insert(name, (id, key));
                }
                if !comes && let Some((id, _)) = held.remove(&name) {
                    prop_assert!(table.release(id));
                }
                most = most.max(held.len());
                for (id, key) in held.values() {
                    prop_assert_eq!(table.key(*id), Some(&key[..]));
                }
            }
            prop_assert!(table.capacity() <= most.max(1));
            let words: usize = held.values().map(|(_, key)| key.len().div_ceil(WORD)).sum();
            prop_assert_eq!(table.text.words.len() - table.text.unused, words);
            table.pack();
            prop_assert_eq!((table.text.words.len(), table.text.unused), (words, 0));
            for (id, key) in held.values() {
                prop_assert_eq!(table.key(*id), Some(&key[..]));
            }
        }
    }
}
