//! The arithmetic of large integers that an exact variance needs. A number is a slice of 64-bit
//! words, lowest first, and never negative.

use super::floats::{MIN_EXPONENT, scaled};

/// Returns the position of the highest set bit, counted from 1.
pub(super) fn bit_length(words: &[u64]) -> usize {
    let last = words.iter().rposition(|&word| word != 0);
    last.map_or(0, |last| 64 * (last + 1) - words[last].leading_zeros() as usize)
}

/// Returns the number of zero bits below the lowest set bit; `None` for zero.
pub(super) fn trailing_zeros(words: &[u64]) -> Option<usize> {
    let first = words.iter().position(|&word| word != 0)?;
    Some(64 * first + words[first].trailing_zeros() as usize)
}

/// Shifts right by `count` bits; `None` if the result does not fit.
pub(super) fn checked_shr<const N: usize>(words: &[u64], count: usize) -> Option<[u64; N]> {
    if bit_length(words) > count + 64 * N {
        return None;
    }
    let word = |place: usize| words.get(place).copied().unwrap_or(0);
    let (first, shift) = (count / 64, count % 64);
    Some(std::array::from_fn(|place| {
        let pair = u128::from(word(first + place + 1)) << 64 | u128::from(word(first + place));
        low_word(pair >> shift)
    }))
}

/// Shifts left and drops the bits that do not fit.
#[inline]
pub(super) fn shl<const N: usize>(words: [u64; N], by: usize) -> [u64; N] {
    let (skip, shift) = (by / 64, by % 64);
    std::array::from_fn(|place| {
        let Some(from) = place.checked_sub(skip) else { return 0 };
        let below = if from == 0 { 0 } else { words[from - 1] };
        let pair = u128::from(words[from]) << 64 | u128::from(below);
        low_word(pair << shift >> 64)
    })
}

/// Shifts a number left. The result has to fit.
#[inline]
pub(super) fn shl_u128(number: u128, by: usize) -> [u64; 3] {
    let (skip, shift) = (by / 64, by % 64);
    let (most, over) = (number << shift, number >> 64 >> (64 - shift));
    let (a, b, c) = (low_word(most), low_word(most >> 64), low_word(over));
    match skip {
        0 => [a, b, c],
        1 => [0, a, b],
        _ => [0, 0, a],
    }
}

/// Adds and drops the carry.
#[inline]
pub(super) fn wrapping_add<const N: usize>(one: [u64; N], other: [u64; N]) -> [u64; N] {
    let mut carried = false;
    std::array::from_fn(|place| {
        let (sum, over) = one[place].overflowing_add(other[place]);
        let (sum, again) = sum.overflowing_add(carried.into());
        carried = over || again;
        sum
    })
}

/// Subtracts a number that is not larger.
#[inline]
pub(super) fn wrapping_sub<const N: usize>(one: [u64; N], other: [u64; N]) -> [u64; N] {
    let mut borrowed = false;
    std::array::from_fn(|place| {
        let (rest, under) = one[place].overflowing_sub(other[place]);
        let (rest, again) = rest.overflowing_sub(borrowed.into());
        borrowed = under || again;
        rest
    })
}

/// Multiplies. The product has to fit.
pub(super) fn multiply(words: &mut [u64], factor: u64) {
    let mut carried = 0;
    for word in words {
        let product = u128::from(*word) * u128::from(factor) + carried;
        *word = low_word(product);
        carried = product >> 64;
    }
}

/// Subtracts the square of a number, which is not larger.
pub(super) fn subtract_square(words: &mut [u64], root: &[u64]) {
    for (place, &factor) in root.iter().enumerate().filter(|(_, factor)| **factor != 0) {
        let mut carried = 0;
        let mut borrowed = false;
        let factors = root.iter().copied().chain(std::iter::repeat(0));
        for (word, other) in words.iter_mut().skip(place).zip(factors) {
            let product = u128::from(other) * u128::from(factor) + carried;
            carried = product >> 64;
            let (rest, under) = word.overflowing_sub(low_word(product));
            let (rest, again) = rest.overflowing_sub(borrowed.into());
            borrowed = under || again;
            *word = rest;
        }
    }
}

/// Divides and returns whether there is a remainder.
fn divide(words: &mut [u64], divisor: u64) -> bool {
    let mut left = 0;
    for word in words.iter_mut().rev() {
        let all = left << 64 | u128::from(*word);
        *word = low_word(all / u128::from(divisor));
        left = all % u128::from(divisor);
    }
    left != 0
}

/// A number of at least 55 bits times a power of two, plus a remainder of less than its last bit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quotient {
    number: u128,
    exponent: i32,
    has_remainder: bool,
}

/// Divides a number times a power of two by n (n - 1).
pub(super) fn divide_by_pairs(words: &mut [u64], exponent: i32, n: u64) -> Quotient {
    let (mut divisor, mut has_remainder) = (u128::from(n) * u128::from(n - 1), false);
    // Otherwise a quotient of 128 bits would have too few significant bits.
    if divisor >> 72 != 0 {
        has_remainder = divide(words, n);
        divisor = u128::from(n - 1);
    }
    // The highest 128 bits are enough: dividing a number that is less than one larger gives a
    // quotient that is less than one larger.
    let length = bit_length(words);
    let skipped = length.saturating_sub(128);
    let [below, above] = checked_shr(words, skipped).unwrap_or_default();
    let mut number = u128::from(above) << 64 | u128::from(below);
    has_remainder |= trailing_zeros(words).is_some_and(|zeros| zeros < skipped);
    let up = number.leading_zeros();
    number = number.checked_shl(up).unwrap_or(0);
    // The remainder of the first division is less than one, and so are the bits shifted in.
    has_remainder |= number % divisor != 0;
    let exponent = exponent + exponent_of(skipped) - up.cast_signed();
    Quotient { number: number / divisor, exponent, has_remainder }
}

impl Quotient {
    /// Rounds to the nearest float, ties to even.
    pub(super) fn rounded(self) -> f64 {
        let length = 128 - self.number.leading_zeros().cast_signed();
        if length == 0 {
            return 0.0;
        }
        if length + self.exponent > 1024 {
            return f64::INFINITY;
        }
        // Subnormal floats have fewer bits.
        let dropped = (length - 53).max(MIN_EXPONENT - self.exponent);
        if dropped > length {
            return 0.0;
        }
        let kept = self.number.checked_shr(dropped.cast_unsigned()).unwrap_or(0);
        let half = 1 << (dropped - 1);
        let rest = self.number & (half | (half - 1));
        let is_up = rest > half || rest == half && (self.has_remainder || kept & 1 == 1);
        scaled((kept + u128::from(is_up)).cast_signed(), self.exponent + dropped)
    }

    /// Returns the square root of the nearest float, even if that float is out of range.
    pub(super) fn sqrt(self) -> f64 {
        let odd = self.exponent & 1;
        let near = Self { exponent: odd, ..self }.rounded();
        let half = (self.exponent - odd) / 2;
        times_power(near.sqrt(), half)
    }
}

/// In two steps, because the power can be smaller than the smallest float.
fn times_power(number: f64, exponent: i32) -> f64 {
    let half = exponent / 2;
    number * scaled(1, half) * scaled(1, exponent - half)
}

fn exponent_of(place: usize) -> i32 {
    i32::try_from(place).unwrap_or(i32::MAX)
}

/// Returns the low 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "only the low half is needed")]
pub(super) fn low_word(pair: u128) -> u64 {
    pair as u64
}
