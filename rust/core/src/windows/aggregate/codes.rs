//! Short codes for values, so that each value is stored once, however many keys have it.

use std::hash::Hasher;

use hashbrown::HashTable;

use super::datum::Datum;
use crate::windows::keys::Seed;
use crate::windows::varint::{get_text, put_text};

/// A table of values and their codes. A code refers to one value as long as the value is held.
/// Another table has other codes.
///
/// A small integer is its own code. Any other value takes 24 bytes here, 5 to 10 in the index, and
/// its text. Hashes use a seed that the caller passes, because anyone can choose the values.
#[derive(Clone, Debug)]
pub(super) struct Codes {
    seed: Seed,
    index: HashTable<u32>,
    values: Vec<CodeEntry>,
    /// Codes of values that are no longer held.
    free: Vec<u32>,
    /// Texts, each preceded by its length.
    text: Vec<u8>,
    /// The number of bytes of texts that are no longer held.
    unused: usize,
}

#[derive(Clone, Copy, Debug)]
struct CodeEntry {
    value: StoredValue,
    hash: u32,
    holders: u32,
}

#[derive(Clone, Copy, Debug)]
enum StoredValue {
    Int(i64),
    Large(u64),
    Float(u64),
    Time(i64),
    /// Where the text starts.
    Text(usize),
}

/// The flag of a code that is an integer itself; the other bits hold the integer.
const NUMBER: u32 = 1 << 31;

/// Not a code.
pub(super) const NONE: u32 = !NUMBER;

/// With fewer unused bytes, compaction does not pay.
const MIN_UNUSED_BYTES: usize = 1_024;

impl Codes {
    pub(super) fn new(seed: Seed) -> Self {
        let (index, values, free, text) = (HashTable::new(), Vec::new(), Vec::new(), Vec::new());
        Self { seed, index, values, free, text, unused: 0 }
    }

    /// Returns an empty table with the same seed.
    pub(super) fn fresh(&self) -> Self {
        Self::new(self.seed.clone())
    }

    /// Hashes a number, such as a code. Anyone can choose those, too.
    #[inline]
    pub(super) fn hash(&self, number: u64) -> u64 {
        let mut hasher = self.seed.hasher();
        hasher.write_u64(number);
        hasher.finish()
    }

    /// Returns the number of values with a code, except small integers.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.values.len() - self.free.len()
    }

    /// Returns the value of a code.
    #[inline]
    pub(super) fn value(&self, code: u32) -> Datum<'_> {
        if is_number(code) {
            return Datum::Int(i64::from((code << 1).cast_signed() >> 1));
        }
        self.values[code as usize].value.datum(&self.text)
    }

    /// Returns the code of a value, and assigns a new one if it has none.
    #[inline]
    pub(super) fn code(&mut self, datum: Datum<'_>) -> u32 {
        if let Some(code) = own_code(datum) {
            return code;
        }
        let hash = self.hash_of(datum);
        if let Some(code) = self.find_by(datum, hash) {
            return code;
        }
        let value = StoredValue::new(datum, &mut self.text);
        let held = CodeEntry { value, hash, holders: 0 };
        let code = if let Some(code) = self.free.pop() {
            self.values[code as usize] = held;
            code
        } else {
            self.values.push(held);
            // So many values do not fit into memory.
            u32::try_from(self.values.len() - 1).unwrap_or(NONE)
        };
        let values = &self.values;
        self.index.insert_unique(spread(hash), code, |&code| spread(values[code as usize].hash));
        code
    }

    /// Returns the code of a value, if it has one.
    #[inline]
    pub(super) fn find(&self, datum: Datum<'_>) -> Option<u32> {
        own_code(datum).or_else(|| self.find_by(datum, self.hash_of(datum)))
    }

    /// Looks up the values of another table, in the order of their codes there; [`NONE`] for each
    /// that has no code here.
    ///
    /// A value is a few memory accesses away, and a large table is in no cache. Each step is made
    /// for several values at a time, so that their accesses overlap.
    pub(super) fn find_all(&self, other: &Self) -> Vec<u32> {
        let mut found = Vec::with_capacity(other.values.len());
        let mut all = [(0, NONE, StoredValue::Int(0)); 32];
        for values in other.values.chunks(all.len()) {
            for (held, (hash, ..)) in values.iter().zip(&mut all) {
                *hash = self.hash_of(held.value.datum(&other.text));
            }
            for (hash, code, _) in &mut all[..values.len()] {
                *code = self.index.iter_hash(spread(*hash)).next().copied().unwrap_or(NONE);
            }
            for (_, code, stored) in &mut all[..values.len()] {
                match self.values.get(*code as usize) {
                    Some(held) => *stored = held.value,
                    None => *code = NONE,
                }
            }
            for (held, &(hash, code, stored)) in values.iter().zip(&all) {
                let datum = held.value.datum(&other.text);
                let first = code != NONE && stored.datum(&self.text) == datum;
                let code = if first { Some(code) } else { self.find_by(datum, hash) };
                found.push(code.unwrap_or(NONE));
            }
        }
        found
    }

    /// Adds a holder of a value.
    #[inline]
    pub(super) fn hold(&mut self, code: u32) {
        if let Some(held) = self.values.get_mut(code as usize) {
            held.holders += 1;
        }
    }

    /// Removes a holder of a value. The last one frees its code.
    #[inline]
    pub(super) fn release(&mut self, code: u32) {
        let Some(held) = self.values.get_mut(code as usize) else { return };
        held.holders = held.holders.saturating_sub(1);
        if held.holders == 0 {
            let (hash, value) = (held.hash, held.value);
            self.remove(code, hash, value);
        }
    }

    /// Drops the index until the next value is added. For tables from which no value is removed.
    pub(super) fn shrink(&mut self) {
        self.index = HashTable::new();
        self.values.shrink_to_fit();
        self.text.shrink_to_fit();
    }

    /// Rebuilds the index. Has to be called before values are added after a [`Codes::shrink`].
    #[inline]
    pub(super) fn restore(&mut self) {
        if self.index.is_empty() && !self.values.is_empty() {
            let values = &self.values;
            let hash = |&code: &u32| spread(values[code as usize].hash);
            self.index.reserve(values.len(), hash);
            for (code, held) in (0..).zip(values) {
                self.index.insert_unique(spread(held.hash), code, hash);
            }
        }
    }

    #[inline]
    fn find_by(&self, datum: Datum<'_>, hash: u32) -> Option<u32> {
        let found = self.index.find(spread(hash), |&code| {
            let held = &self.values[code as usize];
            held.hash == hash && held.value.datum(&self.text) == datum
        });
        found.copied()
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "half of the bits are enough")]
    fn hash_of(&self, datum: Datum<'_>) -> u32 {
        let number = match datum {
            Datum::Int(number) | Datum::Time(number) => number.cast_unsigned(),
            Datum::Float(bits) | Datum::Large(bits) => bits,
            Datum::Text(text) => return self.seed.hash(Some(text)) as u32,
        };
        self.hash(number) as u32
    }

    fn remove(&mut self, code: u32, hash: u32, value: StoredValue) {
        if let Ok(entry) = self.index.find_entry(spread(hash), |&other| other == code) {
            entry.remove();
        }
        self.free.push(code);
        let StoredValue::Text(_) = value else { return };
        let mut written = Vec::new();
        if let Datum::Text(text) = value.datum(&self.text) {
            put_text(&mut written, text);
            self.unused += written.len();
        }
        if self.unused > MIN_UNUSED_BYTES + self.text.len() / 2 {
            self.compact();
        }
    }

    /// Rewrites the texts that are held, without gaps.
    fn compact(&mut self) {
        let mut text = Vec::with_capacity(self.text.len() - self.unused);
        for &code in &self.index {
            let held = &mut self.values[code as usize];
            if let datum @ Datum::Text(_) = held.value.datum(&self.text) {
                held.value = StoredValue::new(datum, &mut text);
            }
        }
        self.text = text;
        self.unused = 0;
    }
}

impl StoredValue {
    #[inline]
    fn new(datum: Datum<'_>, texts: &mut Vec<u8>) -> Self {
        match datum {
            Datum::Int(number) => Self::Int(number),
            Datum::Large(number) => Self::Large(number),
            Datum::Float(bits) => Self::Float(bits),
            Datum::Time(time) => Self::Time(time),
            Datum::Text(text) => {
                let start = texts.len();
                put_text(texts, text);
                Self::Text(start)
            }
        }
    }

    #[inline]
    fn datum(self, texts: &[u8]) -> Datum<'_> {
        match self {
            Self::Int(number) => Datum::Int(number),
            Self::Large(number) => Datum::Large(number),
            Self::Float(bits) => Datum::Float(bits),
            Self::Time(time) => Datum::Time(time),
            Self::Text(start) => {
                let mut rest = texts.get(start..).unwrap_or_default();
                Datum::Text(get_text(&mut rest).unwrap_or_default())
            }
        }
    }
}

/// Returns the code of an integer of 31 bits.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "its bits are the lowest")]
fn own_code(datum: Datum<'_>) -> Option<u32> {
    match datum {
        Datum::Int(number) if (-1 << 30..1 << 30).contains(&number) => {
            Some(number.cast_unsigned() as u32 | NUMBER)
        }
        _ => None,
    }
}

/// Returns whether a code is an integer itself. Such a code is the same in every table.
#[inline]
pub(super) fn is_number(code: u32) -> bool {
    code & NUMBER != 0
}

/// The table uses the highest and the lowest bits of a hash.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::datum::testing::{mixed, value_of};
    use super::*;

    #[test]
    fn sizes_match_the_documentation() {
        assert_eq!(size_of::<CodeEntry>(), 24);
    }

    #[test]
    fn small_integers_take_no_memory() {
        let mut codes = Codes::new(Seed::new(1));
        for number in [0, 1, -1, (1 << 30) - 1, -1 << 30] {
            let code = codes.code(Datum::Int(number));
            assert_eq!(codes.value(code), Datum::Int(number));
        }
        assert_eq!(codes.len(), 0);
        for number in [1 << 30, (-1 << 30) - 1, i64::MAX, i64::MIN] {
            let code = codes.code(Datum::Int(number));
            assert_eq!(codes.value(code), Datum::Int(number));
        }
        assert_eq!(codes.len(), 4);
    }

    #[test]
    fn removed_texts_free_their_bytes() {
        let mut codes = Codes::new(Seed::new(1));
        for round in 0..10_000_u32 {
            let code = codes.code(Datum::Text(format!("{round:0100}").as_bytes()));
            codes.hold(code);
            codes.release(code);
        }
        assert_eq!(codes.len(), 0);
        assert!(
            codes.values.len() == 1 && codes.text.len() < 4 * MIN_UNUSED_BYTES,
            "{}",
            codes.text.len()
        );
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn a_value_keeps_its_code_while_it_is_held(
            events in prop::collection::vec((mixed(), any::<bool>()), 0..300),
        ) {
            let mut codes = Codes::new(Seed::new(1));
            // The values that are held, by their encoding.
            let mut all: BTreeMap<Vec<u8>, (u32, u32)> = BTreeMap::new();
            for (cell, is_added) in &events {
                let Some(datum) = Datum::of(value_of(cell)) else { continue };
                let mut written = Vec::new();
                datum.encode(&mut written);
                if *is_added {
                    let code = codes.code(datum);
                    codes.hold(code);
                    let (known, holders) = all.entry(written).or_insert((code, 0));
                    assert_eq!(*known, code);
                    *holders += 1;
                } else if let Some((code, holders)) = all.get_mut(&written) {
                    assert_eq!(codes.find(datum), Some(*code));
                    codes.release(*code);
                    *holders -= 1;
                    if *holders == 0 {
                        all.remove(&written);
                    }
                }
                for (written, (code, _)) in &all {
                    assert_eq!(Some(codes.value(*code)), Datum::decode(&mut written.as_slice()));
                }
            }
        }
    }
}
