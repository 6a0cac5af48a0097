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

    /// Half of a hash, which is what is stored of one.
    #[inline]
    pub(crate) fn half(&self, key: KeyBytes<'_>) -> u32 {
        // Of a product the upper half is the better one.
        u32::try_from(self.hash(key) >> 32).unwrap_or(u32::MAX)
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

/// Half a hash as tables take it: these look at its lowest bits and at its highest.
#[inline]
fn whole(half: u32) -> u64 {
    u64::from(half) << 32 | u64::from(half)
}

/// How long a key may be that is stored where its hash is.
const SHORT: usize = 42;

/// A key of a chunk beside its hash: to compare it waits for no other place in memory.
#[derive(Debug)]
enum Stored {
    Null,
    Short(u8, [u8; SHORT]),
    /// Where it stands among the keys that are not short.
    Long(Range<usize>),
}

impl Stored {
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
                stored.is_some_and(|stored| are_same(stored, key))
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
fn are_same(one: &[u8], other: &[u8]) -> bool {
    const LANES: usize = 16;
    let (Some(last), Some(other_last)) = (one.last_chunk(), other.last_chunk::<LANES>()) else {
        return one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one == other);
    };
    let word = |bytes: &[u8; LANES]| u128::from_ne_bytes(*bytes);
    let mut parts = one.as_chunks::<LANES>().0.iter().zip(other.as_chunks::<LANES>().0);
    one.len() == other.len()
        && word(last) == word(other_last)
        && parts.all(|(one, other)| word(one) == word(other))
}

/// The keys of a chunk, numbered from 0 in order of appearance.
///
/// Chunks that follow each other have mostly the same keys. So it may remember those of chunks
/// before, which have no number until they are met again.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    /// By hash, the place among the entries.
    index: HashTable<u32>,
    entries: Vec<Entry>,
    /// The keys that are not short.
    text: Vec<u8>,
    /// The places of those that the chunk has, by number.
    here: Vec<u32>,
    /// How many were known before the chunk.
    before: usize,
}

/// As long as a line of a processor's cache.
#[derive(Debug)]
#[repr(align(64))]
struct Entry {
    hash: u32,
    mark: Mark,
    /// Its number, if it has one.
    number: u32,
    key: Stored,
}

/// What a delta notes with a key: the pane of its newest entry, where that stands, and how often the
/// key came there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) pane: u32,
    pub(crate) entry: u32,
    pub(crate) count: u32,
}

impl Mark {
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
const MOST_REMEMBERED: usize = 16_384;

/// So few new keys of a chunk say nothing about the next one.
const FEW: usize = 64;

impl Dictionary {
    /// Makes ready for another chunk, and forgets keys if remembering them did not help.
    pub(crate) fn renew(&mut self) {
        let (all, here) = (self.entries.len(), self.here.len());
        // Where few keys come again, to remember them is to look for them in more memory.
        let is_strange = self.before > 0 && all - self.before > here / 4 * 3 + FEW;
        let is_much = all > MOST_REMEMBERED || self.text.len() > MOST_REMEMBERED * SHORT;
        if is_strange || is_much {
            *self = Self::default();
        }
        self.here.clear();
        self.before = self.entries.len();
    }

    /// The number of this key, a new one if the chunk has not had it.
    pub(crate) fn number(&mut self, key: KeyBytes<'_>, seed: &Seed) -> u32 {
        let at = self.place_of(seed.half(key), key);
        self.number_at(at)
    }

    /// The place of this key.
    #[inline]
    pub(crate) fn place(&mut self, key: KeyBytes<'_>, seed: &Seed) -> u32 {
        self.place_of(seed.half(key), key)
    }

    /// The first place where a key of this hash may stand, `u32::MAX` if there is none.
    #[inline]
    pub(crate) fn guess(&self, hash: u32) -> u32 {
        self.index.find(whole(hash), |_| true).copied().unwrap_or(u32::MAX)
    }

    /// Whether the key at a place has this hash.
    #[inline]
    pub(crate) fn may_be(&self, at: u32, hash: u32) -> bool {
        self.entries.get(at as usize).is_some_and(|entry| entry.hash == hash)
    }

    /// What is noted with the key at a place, if it is this one.
    #[inline]
    pub(crate) fn guessed(&mut self, at: u32, key: &[u8]) -> Option<&mut Mark> {
        let Self { entries, text, .. } = self;
        let entry = entries.get_mut(at as usize)?;
        entry.key.is(Some(key), text).then_some(&mut entry.mark)
    }

    /// The place of a key with this hash.
    #[inline(never)]
    pub(crate) fn place_of(&mut self, hash: u32, key: KeyBytes<'_>) -> u32 {
        let Self { index, entries, text, .. } = self;
        let found = index.find(whole(hash), |&at| {
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
            index.reserve(3 * index.len() + 60, |&at| whole(entries[at as usize].hash));
        }
        index.insert_unique(whole(hash), at, |&at| whole(entries[at as usize].hash));
        at
    }

    /// The number of the key at this place.
    #[inline]
    pub(crate) fn number_at(&mut self, at: u32) -> u32 {
        let Self { entries, here, .. } = self;
        let entry = &mut entries[at as usize];
        if here.get(entry.number as usize) != Some(&at) {
            entry.number = id_of(here.len());
            entry.mark = Mark::NONE;
            here.push(at);
        }
        entry.number
    }

    /// A key of a table, hashed as it is there. It must not be here yet, and `number` does not find
    /// it.
    pub(crate) fn take(&mut self, table: &KeyTable, id: u32) -> u32 {
        let at = self.push(table.slots[id as usize].hash, table.key(id));
        self.number_at(at)
    }

    /// A new number that no key finds.
    pub(crate) fn other(&mut self) -> u32 {
        let at = self.push(0, None);
        self.number_at(at)
    }

    fn push(&mut self, hash: u32, key: KeyBytes<'_>) -> u32 {
        let Self { entries, text, .. } = self;
        let key = Stored::new(key, |key| {
            text.extend_from_slice(key);
            text.len() - key.len()..text.len()
        });
        entries.push(Entry { hash, mark: Mark::NONE, number: u32::MAX, key });
        id_of(entries.len() - 1)
    }

    /// The key of this number.
    pub(crate) fn key(&self, number: u32) -> KeyBytes<'_> {
        self.get(number).1
    }

    /// What a delta notes with the key at this place. It is of this chunk if the key has a number.
    #[inline]
    pub(crate) fn mark(&mut self, at: u32) -> &mut Mark {
        &mut self.entries[at as usize].mark
    }

    /// What is noted with all keys that have a number.
    pub(crate) fn marks(&self) -> impl Iterator<Item = Mark> {
        self.here.iter().map(|&at| self.entries[at as usize].mark)
    }

    /// How many keys the chunk has.
    pub(crate) fn len(&self) -> usize {
        self.here.len()
    }

    fn get(&self, number: u32) -> (u32, KeyBytes<'_>) {
        let entry = &self.entries[self.here[number as usize] as usize];
        (entry.hash, entry.key.get(&self.text))
    }
}

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

/// The bytes of keys, in blocks of whole words. A block that is free is given to the next key of
/// as many words.
#[derive(Clone, Debug, Default)]
struct Text {
    words: Vec<[u8; WORD]>,
    /// Free blocks by how many words they have.
    free: Vec<Vec<u32>>,
    /// How many words these have together.
    unused: usize,
}

/// So few words are not worth to be put together.
const FEW_WORDS: usize = 4_096;

const WORD: usize = 8;

impl Text {
    fn put(&mut self, key: &[u8]) -> u32 {
        let (words, rest) = key.as_chunks::<WORD>();
        let mut last = [0; WORD];
        last.iter_mut().zip(rest).for_each(|(to, &from)| *to = from);
        let all = words.iter().copied().chain((!rest.is_empty()).then_some(last));
        let len = key.len().div_ceil(WORD);
        let Some(at) = self.free.get_mut(len).and_then(Vec::pop) else {
            let at = id_of(self.words.len());
            grow(&mut self.words, len);
            self.words.extend(all);
            return at;
        };
        self.unused -= len;
        for (to, from) in self.words[at as usize..].iter_mut().zip(all) {
            *to = from;
        }
        at
    }

    /// Whether a fifth of the words are of no use, as where keys are longer than they were.
    fn is_loose(&self) -> bool {
        self.unused > self.words.len() / 5 + FEW_WORDS
    }

    fn free(&mut self, at: u32, len: usize) {
        let words = len.div_ceil(WORD);
        if words >= self.free.len() {
            self.free.resize_with(words + 1, Vec::new);
        }
        self.free[words].push(at);
        self.unused += words;
    }

    #[inline]
    fn get(&self, at: u32, len: usize) -> Option<&[u8]> {
        let start = at as usize;
        let words = self.words.get(start..start + len.div_ceil(WORD))?;
        words.as_flattened().get(..len)
    }
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
        let entries = || dictionary.here.iter().map(|&at| &dictionary.entries[at as usize]);
        let mut numbers: Vec<u32> = entries().map(|entry| self.guess(entry.hash)).collect();
        for (number, entry) in numbers.iter_mut().zip(entries()) {
            if !self.may_be(*number, entry.hash) {
                *number = u32::MAX;
            }
        }
        for (number, entry) in numbers.iter_mut().zip(entries()) {
            if !self.is(*number, entry.hash, entry.key.get(&dictionary.text)) {
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

/// Makes room for so many more, and no more than an eighth of all for those after them: there is as
/// much for each key.
pub(crate) fn grow<T>(all: &mut Vec<T>, more: usize) {
    if all.capacity() - all.len() < more {
        all.reserve_exact(all.len() / 8 + more.max(8));
    }
}

/// A place among keys, entries or the like: four thousand million of them do not fit into memory
/// before this overflows.
#[inline]
pub(crate) fn id_of(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        fn a_stored_key_is_itself_and_no_other(
            one in prop::collection::vec(97..99_u8, 0..60),
            other in prop::collection::vec(97..99_u8, 0..60),
            cut in 0..60_usize,
            null in 0..4_u8,
        ) {
            let same = |one: KeyBytes<'_>, other: KeyBytes<'_>| {
                let long = one.unwrap_or_default();
                let stored = Stored::new(one, |key| 0..key.len());
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
                let rest = if many { 0..id_of(MOST_REMEMBERED) / 3 } else { 0..0 };
                let keys = chunk.into_iter().chain(rest.map(|key| key + turn * 1_000));
                let mut numbers = std::collections::BTreeMap::new();
                for key in keys {
                    let next = id_of(numbers.len());
                    let expected = *numbers.entry(key).or_insert(next);
                    let bytes = (key > 0).then(|| text(key));
                    prop_assert_eq!(dictionary.number(bytes.as_deref(), &seed), expected);
                    prop_assert_eq!(dictionary.key(expected), bytes.as_deref());
                }
                prop_assert_eq!(dictionary.len(), numbers.len());
                prop_assert!(dictionary.marks().all(|mark| mark.entry == u32::MAX));
                dictionary.renew();
                prop_assert_eq!(dictionary.len(), 0);
                prop_assert!(dictionary.entries.len() <= MOST_REMEMBERED);
            }
        }

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
    }

    proptest! {
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

    #[test]
    fn another_seed_hashes_otherwise() {
        assert_ne!(Seed::new(1).hash(Some(b"/")), Seed::new(2).hash(Some(b"/")));
    }
}
