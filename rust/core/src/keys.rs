//! Keys and the numbers that stand for them.
//!
//! Counting wants dense numbers, so that totals are an array. A chunk has a dictionary of its
//! own, which only grows; the state has a table whose numbers are used again when a key left.
//! Both hash with a seed from outside: keys are what clients ask for, and somebody who knew the
//! hashes could make every one of them collide.

use std::hash::Hasher;
use std::ops::Range;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;
use hashbrown::HashTable;

/// A key in its stored form, or nothing for the null key.
///
/// Text is stored as it stands, numbers so that their bytes sort as they do.
pub type KeyBytes<'a> = Option<&'a [u8]>;

/// The stored form of a number.
pub fn number(value: i64) -> [u8; 8] {
    (value.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The stored form of a number with a fraction; zero has one form.
pub(crate) fn float(value: f64) -> [u8; 8] {
    let bits = (value + 0.0).to_bits().cast_signed();
    // Of negative numbers the larger has the smaller bits.
    number(if bits < 0 { bits ^ i64::MAX } else { bits })
}

/// The number that was stored so.
pub(crate) fn to_float(bytes: &[u8]) -> Option<f64> {
    let bits = to_number(bytes)?;
    Some(f64::from_bits((if bits < 0 { bits ^ i64::MAX } else { bits }).cast_unsigned()))
}

/// The number that was stored so.
pub(crate) fn to_number(bytes: &[u8]) -> Option<i64> {
    let bytes = bytes.try_into().ok()?;
    Some((u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed())
}

/// How keys are hashed; equal seeds hash alike.
#[derive(Clone, Debug)]
pub struct Seed {
    shared: SharedSeed,
    own: u64,
}

impl Seed {
    /// Takes a random number, which must not be known to those who choose the keys.
    pub fn new(random: u64) -> Self {
        Self { shared: SharedSeed::from_u64(random), own: random.rotate_left(32) }
    }

    #[inline]
    pub(crate) fn hasher(&self) -> FoldHasher<'_> {
        FoldHasher::with_seed(self.own, &self.shared)
    }

    pub(crate) fn hash(&self, key: KeyBytes<'_>) -> u64 {
        let mut hasher = self.hasher();
        match key {
            Some(bytes) => hasher.write(bytes),
            None => hasher.write_u64(0),
        }
        hasher.finish()
    }
}

/// How long a key may be that is stored where its hash is.
const SHORT: usize = 46;

/// A key beside its hash: to compare it waits for no other place in memory.
#[derive(Debug)]
enum Stored<Long> {
    Null,
    Short(u8, [u8; SHORT]),
    Long(Long),
}

impl<Long> Stored<Long> {
    fn new(key: KeyBytes<'_>, long: impl FnOnce(&[u8]) -> Long) -> Self {
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

    fn get<'a>(&'a self, long: impl FnOnce(&'a Long) -> &'a [u8]) -> KeyBytes<'a> {
        match self {
            Self::Null => None,
            Self::Short(length, bytes) => bytes.get(..usize::from(*length)),
            Self::Long(place) => Some(long(place)),
        }
    }
}

/// The keys of one chunk, numbered from 0 in order of appearance.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    index: HashTable<u32>,
    keys: Vec<Entry>,
    /// The keys that are not short.
    text: Vec<u8>,
}

/// As long as a line of a processor's cache.
#[derive(Debug)]
#[repr(align(64))]
struct Entry {
    hash: u64,
    mark: usize,
    key: Stored<Range<usize>>,
}

impl Dictionary {
    /// The number of this key, a new one if it was not seen before.
    pub(crate) fn number(&mut self, key: KeyBytes<'_>, seed: &Seed) -> u32 {
        let hash = seed.hash(key);
        let Self { index, keys, text } = self;
        let found = index.find(hash, |&id| {
            let entry = &keys[id as usize];
            entry.hash == hash && entry.key.get(|place| &text[place.clone()]) == key
        });
        if let Some(&id) = found {
            return id;
        }
        let id = id_of(keys.len());
        let key = Stored::new(key, |key| {
            text.extend_from_slice(key);
            text.len() - key.len()..text.len()
        });
        keys.push(Entry { hash, mark: usize::MAX, key });
        // A chunk's keys come at once, and every growth hashes all of them into a new place: four
        // times as many do for a batch of 1,000 in three steps instead of eight.
        if index.len() == index.capacity() {
            index.reserve(3 * index.len() + 60, |&id| keys[id as usize].hash);
        }
        index.insert_unique(hash, id, |&id| keys[id as usize].hash);
        id
    }

    /// What somebody notes with a key; `usize::MAX` for a new one.
    pub(crate) fn mark(&mut self, id: u32) -> &mut usize {
        &mut self.keys[id as usize].mark
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    fn get(&self, id: u32) -> (u64, KeyBytes<'_>) {
        let entry = &self.keys[id as usize];
        (entry.hash, entry.key.get(|place| &self.text[place.clone()]))
    }
}

/// The keys of all panes. Each entry of a pane holds its key once; a key that nothing holds is
/// forgotten and its number given to the next new one.
#[derive(Debug, Default)]
pub(crate) struct KeyTable {
    index: HashTable<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
}

/// As long as a line of a processor's cache.
#[derive(Debug)]
#[repr(align(64))]
struct Slot {
    hash: u64,
    holds: u32,
    /// Where in a pane its newest entry stands.
    place: u32,
    key: Stored<Box<[u8]>>,
}

impl KeyTable {
    /// The table's number for a dictionary's key, if it has one.
    pub(crate) fn find(&self, dictionary: &Dictionary, id: u32) -> Option<u32> {
        let (hash, key) = dictionary.get(id);
        let found = self.index.find(hash, |&id| {
            let slot = &self.slots[id as usize];
            slot.hash == hash && slot.key.get(|long| long) == key
        });
        found.copied()
    }

    /// The table's number for a dictionary's key, held by nothing yet if it is new.
    pub(crate) fn number(&mut self, dictionary: &Dictionary, id: u32) -> u32 {
        if let Some(id) = self.find(dictionary, id) {
            return id;
        }
        let (hash, key) = dictionary.get(id);
        let Self { index, slots, free } = self;
        let slot = Slot { hash, holds: 0, place: 0, key: Stored::new(key, |key| key.into()) };
        let id = if let Some(id) = free.pop() {
            slots[id as usize] = slot;
            id
        } else {
            slots.push(slot);
            id_of(slots.len() - 1)
        };
        index.insert_unique(hash, id, |&id| slots[id as usize].hash);
        id
    }

    /// A new number that no key finds; it is held for ever.
    pub(crate) fn other(&mut self) -> u32 {
        self.slots.push(Slot { hash: 0, holds: 1, place: 0, key: Stored::Null });
        id_of(self.slots.len() - 1)
    }

    pub(crate) fn hold(&mut self, id: u32) {
        self.slots[id as usize].holds += 1;
    }

    /// Where the key was said to stand: a hint, for it is not said in which pane.
    pub(crate) fn place(&self, id: u32) -> u32 {
        self.slots[id as usize].place
    }

    pub(crate) fn set_place(&mut self, id: u32, place: usize) -> u32 {
        self.slots[id as usize].place = id_of(place);
        self.slots[id as usize].place
    }

    /// Lets go of a key, and says whether nothing holds it any more.
    pub(crate) fn release(&mut self, id: u32) -> bool {
        let slot = &mut self.slots[id as usize];
        slot.holds -= 1;
        if slot.holds == 0 {
            slot.key = Stored::Null;
            if let Ok(entry) = self.index.find_entry(slot.hash, |&known| known == id) {
                entry.remove();
            }
            self.free.push(id);
            return true;
        }
        false
    }

    pub(crate) fn key(&self, id: u32) -> KeyBytes<'_> {
        self.slots[id as usize].key.get(|long| long)
    }

    /// How many numbers were ever in use at once.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }
}

/// Four thousand million keys do not fit into memory before this overflows.
fn id_of(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_their_bytes_do() {
        let values = [i64::MIN, -2, -1, 0, 1, 255, 256, i64::MAX];
        for pair in values.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
        }
        assert!(values.iter().all(|&value| to_number(&number(value)) == Some(value)));
    }

    #[test]
    fn numbers_with_a_fraction_do_too() {
        let values = [f64::MIN, -1.5, -0.5, -1e-300, 0.0, 1e-300, 0.5, 1.5, f64::MAX];
        for pair in values.windows(2) {
            assert!(float(pair[0]) < float(pair[1]), "{pair:?}");
        }
        for value in values {
            assert_eq!(to_float(&float(value)).map(f64::to_bits), Some(value.to_bits()));
        }
        assert_eq!(float(-0.0), float(0.0));
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

    #[test]
    fn another_seed_hashes_otherwise() {
        assert_ne!(Seed::new(1).hash(Some(b"/")), Seed::new(2).hash(Some(b"/")));
    }
}
