//! Short numbers for values, so that a value is stored once however many keys have it.

use std::hash::Hasher;

use super::values::Told;
use crate::windows::keys::{KeyTable, Seed, TEXT};

/// Values and their codes. A code means the same value as long as the value is held; in another
/// table it means another.
///
/// A small whole number is its own code. Any other value takes what [`KeyTable`] says, a number 8
/// bytes of it. What is found by hash is found with a seed from outside: values are written by
/// anybody.
#[derive(Clone, Debug)]
pub(super) struct Codes {
    seed: Seed,
    table: KeyTable,
}

/// The kinds of values in a table beside text.
const INT: u32 = 1;
const FLOAT: u32 = 2;
const TIME: u32 = 3;

/// The bit of codes that are numbers themselves, by their other bits.
const NUMBER: u32 = 1 << 31;

/// No code.
pub(super) const NONE: u32 = !NUMBER;

impl Codes {
    pub(super) fn new(seed: Seed) -> Self {
        Self { seed, table: KeyTable::default() }
    }

    /// A table without values, of the same seed.
    pub(super) fn fresh(&self) -> Self {
        Self::new(self.seed.clone())
    }

    /// Hashes numbers, such as codes, which anybody can choose too.
    #[inline]
    pub(super) fn hash(&self, number: u64) -> u64 {
        let mut hasher = self.seed.hasher();
        hasher.write_u64(number);
        hasher.finish()
    }

    /// How many values have a code that is no number itself.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// The value of a code.
    #[inline]
    pub(super) fn told(&self, code: u32) -> Told<'_> {
        if is_number(code) {
            return Told::Int(i64::from((code << 1).cast_signed() >> 1));
        }
        let (kind, bytes) = self.table.get(code);
        let number = || bytes.try_into().unwrap_or_default();
        match kind {
            INT => Told::Int(i64::from_le_bytes(number())),
            FLOAT => Told::Float(u64::from_le_bytes(number())),
            TIME => Told::Time(i64::from_le_bytes(number())),
            _ => Told::Text(bytes),
        }
    }

    /// The code of a value, a new one if it has none.
    #[inline]
    pub(super) fn code(&mut self, told: Told<'_>) -> u32 {
        if let Some(code) = own_code(told) {
            return code;
        }
        let hash = self.hash_of(told);
        if let Some(code) = self.find_by(told, hash) {
            return code;
        }
        match told {
            Told::Int(number) => self.table.insert(hash, INT, &number.to_le_bytes()),
            Told::Float(bits) => self.table.insert(hash, FLOAT, &bits.to_le_bytes()),
            Told::Time(time) => self.table.insert(hash, TIME, &time.to_le_bytes()),
            Told::Text(text) => self.table.insert(hash, TEXT, text),
        }
    }

    /// The code of a value that has one.
    #[inline]
    pub(super) fn find(&self, told: Told<'_>) -> Option<u32> {
        own_code(told).or_else(|| self.find_by(told, self.hash_of(told)))
    }

    /// The codes here of all that another table has codes for, [`NONE`] where there is none.
    ///
    /// A value is a few steps away, and a table of many is in no cache: each step is made for
    /// some values at a time, so that they wait for memory together.
    pub(super) fn find_all(&self, other: &Self) -> Vec<u32> {
        let all: Vec<u32> = (0..).take(other.table.capacity()).collect();
        let mut found = Vec::with_capacity(all.len());
        let mut guesses = [(0, NONE); 32];
        for codes in all.chunks(guesses.len()) {
            for (&code, (hash, _)) in codes.iter().zip(&mut guesses) {
                *hash = self.hash_of(other.told(code));
            }
            for (hash, guess) in &mut guesses[..codes.len()] {
                *guess = self.table.guess(*hash);
            }
            for (hash, guess) in &mut guesses[..codes.len()] {
                if !self.table.may_be(*guess, *hash) {
                    *guess = NONE;
                }
            }
            for (&code, &(hash, guess)) in codes.iter().zip(&guesses) {
                let told = other.told(code);
                let is_right = guess != NONE && self.told(guess) == told;
                let code = if is_right { Some(guess) } else { self.find_by(told, hash) };
                found.push(code.unwrap_or(NONE));
            }
        }
        found
    }

    /// Notes that somebody has a value.
    #[inline]
    pub(super) fn hold(&mut self, code: u32) {
        if !is_number(code) {
            self.table.hold(code);
        }
    }

    /// Notes that somebody has it no more. With the last its code is free.
    #[inline]
    pub(super) fn release(&mut self, code: u32) {
        if !is_number(code) {
            self.table.release(code);
        }
    }

    /// Forgets how to find codes, for as long as no value comes. It is for tables from which no
    /// value goes.
    pub(super) fn shrink(&mut self) {
        self.table.shrink();
    }

    /// Has to come before values, where there was a [`Codes::shrink`] since.
    #[inline]
    pub(super) fn restore(&mut self) {
        self.table.restore();
    }

    #[inline]
    fn find_by(&self, told: Told<'_>, hash: u32) -> Option<u32> {
        self.table.find_by(hash, |code| self.table.may_be(code, hash) && self.told(code) == told)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "half of its bits are enough")]
    fn hash_of(&self, told: Told<'_>) -> u32 {
        let number = match told {
            Told::Int(number) | Told::Time(number) => number.cast_unsigned(),
            Told::Float(bits) => bits,
            Told::Text(text) => return self.seed.hash(Some(text)) as u32,
        };
        self.hash(number) as u32
    }
}

/// The code of a whole number of 31 bits.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "its bits are the lowest")]
fn own_code(told: Told<'_>) -> Option<u32> {
    match told {
        Told::Int(number) if (-1 << 30..1 << 30).contains(&number) => {
            Some(number.cast_unsigned() as u32 | NUMBER)
        }
        _ => None,
    }
}

/// Whether a code is a number itself, in every table the same.
#[inline]
pub(super) fn is_number(code: u32) -> bool {
    code & NUMBER != 0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::values::testing::{mixed, value_of};
    use super::*;

    #[test]
    fn small_numbers_take_no_place() {
        let mut codes = Codes::new(Seed::new(1));
        for number in [0, 1, -1, (1 << 30) - 1, -1 << 30] {
            let code = codes.code(Told::Int(number));
            assert_eq!(codes.told(code), Told::Int(number));
        }
        assert_eq!(codes.len(), 0);
        for number in [1 << 30, (-1 << 30) - 1, i64::MAX, i64::MIN] {
            let code = codes.code(Told::Int(number));
            assert_eq!(codes.told(code), Told::Int(number));
        }
        assert_eq!(codes.len(), 4);
    }

    #[test]
    fn texts_that_come_and_go_leave_no_bytes() {
        let mut codes = Codes::new(Seed::new(1));
        for round in 0..10_000_u32 {
            let code = codes.code(Told::Text(format!("{round:0100}").as_bytes()));
            codes.hold(code);
            codes.release(code);
        }
        assert_eq!(codes.len(), 0);
        assert_eq!((codes.table.capacity(), codes.table.words()), (1, 13));
    }

    proptest! {
        #[test]
        fn a_value_keeps_its_code_until_nobody_holds_it(
            events in prop::collection::vec((mixed(), any::<bool>()), 0..300),
        ) {
            let mut codes = Codes::new(Seed::new(1));
            // What is held, by how it is written.
            let mut all: BTreeMap<Vec<u8>, (u32, u32)> = BTreeMap::new();
            for (cell, comes) in &events {
                let Some(told) = Told::of(value_of(cell)) else { continue };
                let mut written = Vec::new();
                told.encode(&mut written);
                if *comes {
                    let code = codes.code(told);
                    codes.hold(code);
                    let (known, holders) = all.entry(written).or_insert((code, 0));
                    assert_eq!(*known, code);
                    *holders += 1;
                } else if let Some((code, holders)) = all.get_mut(&written) {
                    assert_eq!(codes.find(told), Some(*code));
                    codes.release(*code);
                    *holders -= 1;
                    if *holders == 0 {
                        all.remove(&written);
                    }
                }
                for (written, (code, _)) in &all {
                    assert_eq!(Some(codes.told(*code)), Told::decode(&mut written.as_slice()));
                }
            }
        }
    }
}
