//! How often each value came.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::values::{Told, get, hash_text, put};

/// How many bytes are searched from the front. More values than fit there are kept in a tree.
const FEW_BYTES: usize = 256;

/// With as many values a tree is given up again.
const FEW_AGAIN: usize = 4;

/// Values and how often they came, never 0 times.
///
/// Few values are one piece of bytes: 3 or 4 bytes for a small number, the text and 2 bytes for a
/// text. Many take 45 bytes each, and for text another allocation. It is a tree and not a hash
/// table because the values are written by anybody, and there is no secret here to hash them by: a
/// tree takes the same time whatever they are.
#[derive(Clone, Debug)]
pub(super) enum Tally {
    /// Each value as [`Told::encode`] writes it, and its count.
    Few(Vec<u8>),
    Many(Box<Tree>),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    counts: BTreeMap<Kept, u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Tally {
    /// Counts a value as many times more.
    #[inline]
    pub(super) fn add(&mut self, told: Told<'_>, times: u64) {
        match self {
            Self::Few(bytes) => {
                if let Some(found) = find(bytes, told) {
                    found.write(bytes, found.count.saturating_add(times));
                } else {
                    told.encode(bytes);
                    put(bytes, times);
                }
                if bytes.len() > FEW_BYTES {
                    self.grow();
                }
            }
            Self::Many(tree) => tree.add(told, times),
        }
    }

    /// Takes back what was counted.
    pub(super) fn remove(&mut self, told: Told<'_>, times: u64) {
        match self {
            Self::Few(bytes) => {
                if let Some(found) = find(bytes, told) {
                    found.write(bytes, found.count.saturating_sub(times));
                }
            }
            Self::Many(tree) => {
                tree.remove(told, times);
                if tree.counts.len() <= FEW_AGAIN {
                    self.shrink();
                }
            }
        }
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(bytes) => Records { bytes, start: 0 }.count(),
            Self::Many(tree) => tree.counts.len(),
        }
    }

    /// Calls with each value and its count.
    pub(super) fn each<'a>(&'a self, mut call: impl FnMut(Told<'a>, u64)) {
        match self {
            Self::Few(bytes) => {
                Records { bytes, start: 0 }
                    .for_each(|record| call(record.told, record.found.count));
            }
            Self::Many(tree) => tree.counts.iter().for_each(|(kept, &n)| call(kept.told(), n)),
        }
    }

    /// Writes how many values there are, and each with its count, in an order of their own.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put(out, self.len() as u64);
        let mut write = |told: Told<'_>, count| {
            told.encode(out);
            put(out, count);
        };
        if let Self::Many(_) = self {
            self.each(write);
            return;
        }
        let mut all = Vec::new();
        self.each(|told, count| all.push((Key::of(told), told, count)));
        all.sort_unstable();
        for (_, told, count) in all {
            write(told, count);
        }
    }

    /// Reads what was written; nothing where the bytes are not that.
    pub(super) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut read = Self::default();
        let mut last = None;
        // Each takes bytes, so that a number that is too large ends with them.
        for _ in 0..get(bytes)? {
            let told = Told::decode(bytes)?;
            let count = get(bytes)?;
            let key = Some(Key::of(told));
            if count == 0 || last >= key {
                return None;
            }
            last = key;
            read.add(told, count);
        }
        Some(read)
    }

    #[cold]
    fn grow(&mut self) {
        let mut tree = Tree::default();
        self.each(|told, count| tree.add(told, count));
        *self = Self::Many(Box::new(tree));
    }

    fn shrink(&mut self) {
        let mut few = Vec::new();
        self.each(|told, count| {
            told.encode(&mut few);
            put(&mut few, count);
        });
        if few.len() <= FEW_BYTES / 2 {
            *self = Self::Few(few);
        }
    }
}

/// Where a value stands among few.
#[derive(Clone, Copy)]
struct Found {
    start: usize,
    count_start: usize,
    end: usize,
    count: u64,
}

impl Found {
    /// Writes another count in its place, or removes the value with its last.
    #[inline]
    fn write(self, bytes: &mut Vec<u8>, count: u64) {
        if count == 0 {
            bytes.drain(self.start..self.end);
        } else if count < 0x80 && self.end - self.count_start == 1 {
            bytes[self.count_start] = count.to_le_bytes()[0];
        } else {
            let mut written = Vec::with_capacity(10);
            put(&mut written, count);
            bytes.splice(self.count_start..self.end, written);
        }
    }
}

#[inline]
fn find(bytes: &[u8], told: Told<'_>) -> Option<Found> {
    Records { bytes, start: 0 }.find(|record| record.told == told).map(|record| record.found)
}

struct Record<'a> {
    told: Told<'a>,
    found: Found,
}

struct Records<'a> {
    bytes: &'a [u8],
    start: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        let start = self.start;
        let mut rest = self.bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let told = Told::decode(&mut rest)?;
        let count_start = self.bytes.len() - rest.len();
        let count = get(&mut rest)?;
        let end = self.bytes.len() - rest.len();
        self.start = end;
        Some(Record { told, found: Found { start, count_start, end, count } })
    }
}

impl Tree {
    fn add(&mut self, told: Told<'_>, times: u64) {
        let key = Key::of(told);
        if let Some(count) = self.counts.get_mut(&key as &dyn Keyed) {
            *count = count.saturating_add(times);
        } else {
            self.counts.insert(Kept::of(key), times);
        }
    }

    fn remove(&mut self, told: Told<'_>, times: u64) {
        let key = Key::of(told);
        let Some(count) = self.counts.get_mut(&key as &dyn Keyed) else { return };
        *count = count.saturating_sub(times);
        if *count == 0 {
            self.counts.remove(&key as &dyn Keyed);
        }
    }
}

/// A value with an order that is fast to tell: text by some bits of its hash first, so that most
/// comparisons need not look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Int(i64),
    Float(u64),
    Time(i64),
    Text(u32, &'a [u8]),
}

impl<'a> Key<'a> {
    #[inline]
    fn of(told: Told<'a>) -> Self {
        match told {
            Told::Int(number) => Self::Int(number),
            Told::Float(bits) => Self::Float(bits),
            Told::Time(time) => Self::Time(time),
            #[expect(clippy::cast_possible_truncation, reason = "some of its bits are enough")]
            Told::Text(text) => Self::Text(hash_text(text) as u32, text),
        }
    }
}

/// A [`Key`] that is kept.
#[derive(Clone, Debug)]
enum Kept {
    Int(i64),
    Float(u64),
    Time(i64),
    Text(u32, Box<[u8]>),
}

impl Kept {
    fn of(key: Key<'_>) -> Self {
        match key {
            Key::Int(number) => Self::Int(number),
            Key::Float(bits) => Self::Float(bits),
            Key::Time(time) => Self::Time(time),
            Key::Text(hash, text) => Self::Text(hash, text.into()),
        }
    }

    fn told(&self) -> Told<'_> {
        match self {
            Self::Int(number) => Told::Int(*number),
            Self::Float(bits) => Told::Float(*bits),
            Self::Time(time) => Told::Time(*time),
            Self::Text(_, text) => Told::Text(text),
        }
    }
}

/// What both have in common, so that a value is found before it is kept.
trait Keyed {
    fn key(&self) -> Key<'_>;
}

impl Keyed for Key<'_> {
    #[inline]
    fn key(&self) -> Key<'_> {
        *self
    }
}

impl Keyed for Kept {
    #[inline]
    fn key(&self) -> Key<'_> {
        match self {
            Self::Int(number) => Key::Int(*number),
            Self::Float(bits) => Key::Float(*bits),
            Self::Time(time) => Key::Time(*time),
            Self::Text(hash, text) => Key::Text(*hash, text),
        }
    }
}

impl<'a> Borrow<dyn Keyed + 'a> for Kept {
    fn borrow(&self) -> &(dyn Keyed + 'a) {
        self
    }
}

impl PartialEq for dyn Keyed + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for dyn Keyed + '_ {}

impl PartialOrd for dyn Keyed + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Keyed + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Kept {}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kept {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_that_was_large_is_small_again() {
        let mut tally = Tally::default();
        (0..1_000).for_each(|number| tally.add(Told::Int(number), 300));
        assert!(matches!(tally, Tally::Many(_)));
        (3..1_000).for_each(|number| tally.remove(Told::Int(number), 300));
        assert!(matches!(&tally, Tally::Few(bytes) if bytes.len() == 3 * 4));
        (0..3).for_each(|number| tally.remove(Told::Int(number), 300));
        assert_eq!(tally.len(), 0);
    }

    #[test]
    fn tallies_are_as_large_as_is_said() {
        assert_eq!(size_of::<Tally>(), 24);
        assert_eq!(size_of::<Kept>(), 24);
    }

    #[test]
    fn bytes_that_promise_more_values_than_they_have_are_none() {
        let mut bytes = Vec::new();
        put(&mut bytes, u64::MAX);
        Told::Int(1).encode(&mut bytes);
        put(&mut bytes, 1);
        assert!(Tally::decode(&mut bytes.as_slice()).is_none());
    }
}
