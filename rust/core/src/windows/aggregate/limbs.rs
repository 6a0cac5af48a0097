//! The little arithmetic of large whole numbers that an exact variance needs: limbs of 64 bits, the
//! lowest first, never negative.

use super::floats::{LEAST, scaled};

/// How many bits there are up to the highest that is set.
pub(super) fn bits(limbs: &[u64]) -> usize {
    let last = limbs.iter().rposition(|&limb| limb != 0);
    last.map_or(0, |last| 64 * (last + 1) - limbs[last].leading_zeros() as usize)
}

/// How many bits below the lowest that is set; nothing for zero.
pub(super) fn zeros(limbs: &[u64]) -> Option<usize> {
    let first = limbs.iter().position(|&limb| limb != 0)?;
    Some(64 * first + limbs[first].trailing_zeros() as usize)
}

/// The number without its lowest bits, if the rest fits.
pub(super) fn without_lowest<const N: usize>(limbs: &[u64], count: usize) -> Option<[u64; N]> {
    if bits(limbs) > count + 64 * N {
        return None;
    }
    let limb = |place: usize| limbs.get(place).copied().unwrap_or(0);
    let (first, shift) = (count / 64, count % 64);
    Some(std::array::from_fn(|place| {
        let pair = u128::from(limb(first + place + 1)) << 64 | u128::from(limb(first + place));
        low(pair >> shift)
    }))
}

/// The number times a power of two, without what does not fit.
#[inline]
pub(super) fn shifted<const N: usize>(limbs: [u64; N], by: usize) -> [u64; N] {
    let (skip, shift) = (by / 64, by % 64);
    std::array::from_fn(|place| {
        let Some(from) = place.checked_sub(skip) else { return 0 };
        let below = if from == 0 { 0 } else { limbs[from - 1] };
        let pair = u128::from(limbs[from]) << 64 | u128::from(below);
        low(pair << shift >> 64)
    })
}

/// A number times a power of two, all of which fits.
#[inline]
pub(super) fn raised(number: u128, by: usize) -> [u64; 3] {
    let (skip, shift) = (by / 64, by % 64);
    let (most, over) = (number << shift, number >> 64 >> (64 - shift));
    let (a, b, c) = (low(most), low(most >> 64), low(over));
    match skip {
        0 => [a, b, c],
        1 => [0, a, b],
        _ => [0, 0, a],
    }
}

/// The sum, without what does not fit.
#[inline]
pub(super) fn plus<const N: usize>(one: [u64; N], other: [u64; N]) -> [u64; N] {
    let mut carried = false;
    std::array::from_fn(|place| {
        let (sum, over) = one[place].overflowing_add(other[place]);
        let (sum, again) = sum.overflowing_add(carried.into());
        carried = over || again;
        sum
    })
}

/// The difference of a number and one that is not larger.
#[inline]
pub(super) fn minus<const N: usize>(one: [u64; N], other: [u64; N]) -> [u64; N] {
    let mut borrowed = false;
    std::array::from_fn(|place| {
        let (rest, under) = one[place].overflowing_sub(other[place]);
        let (rest, again) = rest.overflowing_sub(borrowed.into());
        borrowed = under || again;
        rest
    })
}

/// Multiplies; the product fits.
pub(super) fn multiply(limbs: &mut [u64], factor: u64) {
    let mut carried = 0;
    for limb in limbs {
        let product = u128::from(*limb) * u128::from(factor) + carried;
        *limb = low(product);
        carried = product >> 64;
    }
}

/// Takes away the square of a number, which is not larger.
pub(super) fn subtract_square(limbs: &mut [u64], root: &[u64]) {
    for (place, &factor) in root.iter().enumerate().filter(|(_, factor)| **factor != 0) {
        let mut carried = 0;
        let mut borrowed = false;
        let factors = root.iter().copied().chain(std::iter::repeat(0));
        for (limb, other) in limbs.iter_mut().skip(place).zip(factors) {
            let product = u128::from(other) * u128::from(factor) + carried;
            carried = product >> 64;
            let (rest, under) = limb.overflowing_sub(low(product));
            let (rest, again) = rest.overflowing_sub(borrowed.into());
            borrowed = under || again;
            *limb = rest;
        }
    }
}

/// Divides, and says whether something remains.
fn divide(limbs: &mut [u64], divisor: u64) -> bool {
    let mut left = 0;
    for limb in limbs.iter_mut().rev() {
        let all = left << 64 | u128::from(*limb);
        *limb = low(all / u128::from(divisor));
        left = all % u128::from(divisor);
    }
    left != 0
}

/// A number of at least 55 bits times a power of two, and perhaps something less than its last bit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quotient {
    number: u128,
    exponent: i32,
    and_more: bool,
}

/// A number times a power of two through n (n - 1).
pub(super) fn through_pairs(limbs: &mut [u64], exponent: i32, n: u64) -> Quotient {
    let (mut divisor, mut and_more) = (u128::from(n) * u128::from(n - 1), false);
    // The quotient of 128 bits through it would have too few.
    if divisor >> 72 != 0 {
        and_more = divide(limbs, n);
        divisor = u128::from(n - 1);
    }
    // All bits that count stand in the highest 128: through any whole number, less than one more
    // makes a quotient that is less than one larger.
    let length = bits(limbs);
    let skipped = length.saturating_sub(128);
    let [below, above] = without_lowest(limbs, skipped).unwrap_or_default();
    let mut number = u128::from(above) << 64 | u128::from(below);
    and_more |= zeros(limbs).is_some_and(|zeros| zeros < skipped);
    let up = number.leading_zeros();
    number = number.checked_shl(up).unwrap_or(0);
    // What was left by the first division is less than one, and so are any bits shifted in.
    and_more |= number % divisor != 0;
    let exponent = exponent + exponent_of(skipped) - up.cast_signed();
    Quotient { number: number / divisor, exponent, and_more }
}

impl Quotient {
    /// The nearest float, of two the even one.
    pub(super) fn rounded(self) -> f64 {
        let length = 128 - self.number.leading_zeros().cast_signed();
        if length == 0 {
            return 0.0;
        }
        if length + self.exponent > 1024 {
            return f64::INFINITY;
        }
        // Small floats have fewer bits.
        let dropped = (length - 53).max(LEAST - self.exponent);
        if dropped > length {
            return 0.0;
        }
        let kept = self.number.checked_shr(dropped.cast_unsigned()).unwrap_or(0);
        let half = 1 << (dropped - 1);
        let rest = self.number & (half | (half - 1));
        let is_up = rest > half || rest == half && (self.and_more || kept & 1 == 1);
        scaled((kept + u128::from(is_up)).cast_signed(), self.exponent + dropped)
    }

    /// The root of the nearest float, also where that is beyond the largest or the smallest.
    pub(super) fn root(self) -> f64 {
        let odd = self.exponent & 1;
        let near = Self { exponent: odd, ..self }.rounded();
        let half = (self.exponent - odd) / 2;
        times_power(near.sqrt(), half)
    }
}

/// In two steps, for the power may be smaller than any float.
fn times_power(number: f64, exponent: i32) -> f64 {
    let half = exponent / 2;
    number * scaled(1, half) * scaled(1, exponent - half)
}

fn exponent_of(place: usize) -> i32 {
    i32::try_from(place).unwrap_or(i32::MAX)
}

/// The lower limb of two.
#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
pub(super) fn low(pair: u128) -> u64 {
    pair as u64
}
