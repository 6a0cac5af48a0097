//! Keys that come and go.

use hashbrown::HashTable;

use super::seed::whole;
use super::text::Text;
use super::{Dictionary, KeyBytes, grow, id_of};

/// The keys of all panes, or the values of a field, and the numbers that stand for them.
///
/// What nothing holds is forgotten and its number given to the next new one: each entry of a pane
/// holds its key once. A key or value takes 20 bytes here, 6 to 11 of an index, and its bytes in
/// whole words of 8.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyTable {
    index: HashTable<u32>,
    slots: Vec<Slot>,
    /// Of each slot. Panes ask for these alone, and so many more of them stay in a cache.
    uses: Vec<Use>,
    free: Vec<u32>,
    text: Text,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    /// How many bytes there are, and in the lowest two bits of what kind: equal bytes of two kinds
    /// are not the same.
    shape: u32,
    /// Where they stand.
    at: u32,
}

/// The kinds of what stands in a table: a text, and for keys these.
pub(crate) const TEXT: u32 = 0;
const NULL: u32 = 1;
const OTHER: u32 = 2;

/// In any table, what is there no more.
const GONE: u32 = 3;

impl Slot {
    /// No line and no text of a program has so many bytes that they do not fit.
    #[inline]
    fn shape(kind: u32, bytes: &[u8]) -> u32 {
        id_of(bytes.len()).min(u32::MAX >> 2) << 2 | kind
    }

    #[inline]
    fn kind(self) -> u32 {
        self.shape & 3
    }

    #[inline]
    fn len(self) -> usize {
        (self.shape >> 2) as usize
    }
}

#[derive(Clone, Debug)]
struct Use {
    holds: u32,
    /// Where in the newest pane that has the key its entry stands, if that is still open.
    place: u32,
}

/// What a table holds of a key: of which kind it is, and its bytes.
#[inline]
fn held(key: KeyBytes<'_>) -> (u32, &[u8]) {
    key.map_or((NULL, &[]), |bytes| (TEXT, bytes))
}

impl KeyTable {
    /// The table's number for a dictionary's key, if it has one.
    pub(crate) fn find(&self, dictionary: &Dictionary, id: u32) -> Option<u32> {
        let (hash, key) = dictionary.get(id);
        self.find_by(hash, |id| self.is(id, hash, key))
    }

    fn is(&self, id: u32, hash: u32, key: KeyBytes<'_>) -> bool {
        let (kind, bytes) = held(key);
        self.slots.get(id as usize).is_some_and(|slot| {
            slot.hash == hash
                && slot.shape == Slot::shape(kind, bytes)
                && self.text.get(slot.at, slot.len()) == Some(bytes)
        })
    }

    /// The number of what has this hash and is the same.
    #[inline]
    pub(crate) fn find_by(&self, hash: u32, is_same: impl Fn(u32) -> bool) -> Option<u32> {
        self.index.find(whole(hash), |&id| is_same(id)).copied()
    }

    /// The first number that may be of what has this hash, `u32::MAX` if there is none.
    #[inline]
    pub(crate) fn guess(&self, hash: u32) -> u32 {
        self.find_by(hash, |_| true).unwrap_or(u32::MAX)
    }

    /// Whether what has this number has this hash.
    #[inline]
    pub(crate) fn may_be(&self, id: u32, hash: u32) -> bool {
        self.slots.get(id as usize).is_some_and(|slot| slot.hash == hash)
    }

    /// The table's numbers for a dictionary's keys, `u32::MAX` where it has none or a second look
    /// is due.
    ///
    /// What a look waits for is memory. Here no look waits for the one before.
    pub(crate) fn numbers(&self, dictionary: &Dictionary) -> Vec<u32> {
        let mut numbers: Vec<u32> = dictionary.all().map(|(hash, _)| self.guess(hash)).collect();
        for (number, (hash, _)) in numbers.iter_mut().zip(dictionary.all()) {
            if !self.may_be(*number, hash) {
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

    /// The table's number for a dictionary's key, held by nothing yet if it is new.
    pub(crate) fn number(&mut self, dictionary: &Dictionary, id: u32) -> u32 {
        if let Some(id) = self.find(dictionary, id) {
            return id;
        }
        let (hash, key) = dictionary.get(id);
        let (kind, bytes) = held(key);
        self.insert(hash, kind, bytes)
    }

    /// A number for what has none yet, held by nothing.
    pub(crate) fn insert(&mut self, hash: u32, kind: u32, bytes: &[u8]) -> u32 {
        let slot = Slot { hash, shape: Slot::shape(kind, bytes), at: self.text.put(bytes) };
        let id = self.add(slot, 0);
        self.make_room();
        let Self { index, slots, .. } = self;
        index.insert_unique(whole(hash), id, |&id| whole(slots[id as usize].hash));
        id
    }

    /// Forgets how to find what there is, until [`KeyTable::restore`], and what was reserved.
    pub(crate) fn shrink(&mut self) {
        self.index = HashTable::new();
        self.slots.shrink_to_fit();
        self.uses.shrink_to_fit();
        self.text.words.shrink_to_fit();
    }

    /// Has to come before anything is found, where there was a [`KeyTable::shrink`] since. It is for
    /// tables from which nothing goes.
    #[inline]
    pub(crate) fn restore(&mut self) {
        if self.index.is_empty() && !self.slots.is_empty() {
            let Self { index, slots, .. } = self;
            let hash = |&id: &u32| whole(slots[id as usize].hash);
            index.reserve(slots.len(), hash);
            for id in (0..).take(slots.len()) {
                index.insert_unique(hash(&id), id, hash);
            }
        }
    }

    /// A table that is full of keys that left would grow where it needs not.
    fn make_room(&mut self) {
        let Self { index, slots, .. } = self;
        let most = index.num_buckets() / 8 * 7;
        if index.len() < index.capacity() || index.len() > most / 8 * 7 {
            return;
        }
        let mut fresh = HashTable::with_capacity(most);
        let hash = |&id: &u32| whole(slots[id as usize].hash);
        for id in index.iter() {
            fresh.insert_unique(hash(id), *id, hash);
        }
        *index = fresh;
    }

    /// A new number that no key finds; it is held for ever.
    pub(crate) fn other(&mut self) -> u32 {
        self.add(Slot { hash: 0, shape: OTHER, at: 0 }, 1)
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
        id_of(self.slots.len() - 1)
    }

    pub(crate) fn hold(&mut self, id: u32) {
        self.uses[id as usize].holds += 1;
    }

    /// Where the key was said to stand, in whatever pane.
    #[inline]
    pub(crate) fn place(&self, id: u32) -> u32 {
        self.uses[id as usize].place
    }

    #[inline]
    pub(crate) fn set_place(&mut self, id: u32, place: u32) {
        self.uses[id as usize].place = place;
    }

    /// Lets go of a key, and says whether nothing holds it any more.
    pub(crate) fn release(&mut self, id: u32) -> bool {
        let holds = &mut self.uses[id as usize].holds;
        *holds -= 1;
        if *holds > 0 {
            return false;
        }
        let slot = &mut self.slots[id as usize];
        if let Ok(entry) = self.index.find_entry(whole(slot.hash), |&known| known == id) {
            entry.remove();
        }
        self.text.free(slot.at, slot.len());
        slot.shape = GONE;
        self.free.push(id);
        if self.text.is_loose() {
            self.pack();
        }
        true
    }

    /// Puts the bytes of all together.
    fn pack(&mut self) {
        let mut text = Text::default();
        text.words.reserve(self.text.words.len() - self.text.unused);
        for slot in &mut self.slots {
            slot.at = self.text.get(slot.at, slot.len()).map_or(0, |bytes| text.put(bytes));
        }
        self.text = text;
    }

    pub(super) fn hash(&self, id: u32) -> u32 {
        self.slots[id as usize].hash
    }

    pub(crate) fn key(&self, id: u32) -> KeyBytes<'_> {
        let (kind, bytes) = self.get(id);
        (kind == TEXT).then_some(bytes)
    }

    /// What has this number: of which kind it is, and its bytes.
    #[inline]
    pub(crate) fn get(&self, id: u32) -> (u32, &[u8]) {
        let slot = self.slots[id as usize];
        (slot.kind(), self.text.get(slot.at, slot.len()).unwrap_or_default())
    }

    /// How many numbers were ever in use at once.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// How many are in use.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// How many words their bytes take.
    #[cfg(test)]
    pub(crate) fn words(&self) -> usize {
        self.text.words.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Seed;
    use super::super::text::WORD;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_stands_in_a_table_is_as_large_as_is_said() {
        assert_eq!(size_of::<Slot>() + size_of::<Use>(), 20);
    }

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
    fn a_key_that_nothing_holds_gives_its_number_away() {
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
        #[test]
        fn numbers_of_all_keys_are_those_of_each(
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
            // Where two keys look alike at first.
            prop_assert!(missed <= 5, "{} of {}", missed, new.len());
        }

        #[test]
        fn keys_that_come_and_go_are_what_they_were_and_leave_their_room(
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
