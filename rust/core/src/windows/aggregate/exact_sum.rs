//! Sums of floats without rounding errors, whatever is added and subtracted.
//!
//! A float is an integer of 53 bits times a power of two. So floats of similar size add up exactly
//! in one integer of 128 bits, whose lowest bit means 2^`unit`. A number that does not fit
//! (1e300 and 1e-300 together) goes into an accumulator that is wide enough for all floats at once,
//! as Kulisch proposed ("Computer Arithmetic and Validity", 2008). Subtracting adds the opposite
//! number and leaves no trace. The sum is rounded once, when it is read: it equals Python's
//! `math.fsum` of the same numbers.

use super::bigint;
use super::floats::{MAX_EXPONENT, MIN_EXPONENT, decompose, scaled};
use crate::ground::Value;
use crate::windows::varint::{get_signed, get_varint, put_signed, put_varint, take};

/// Enough digits of 32 bits for 128 bits at the largest exponent, and two for the carries.
const DIGITS: usize = 72;

const DIGIT_BITS: i32 = 32;

/// This many additions never overflow the 63 bits of a digit.
const MAX_ADDITIONS: u32 = 1 << 29;

/// Wide enough for any sum of floats.
pub(super) type FloatDigits = Digits<DIGITS, MIN_EXPONENT>;

/// Wide enough for any sum of squares of floats.
pub(super) type SquareDigits = Digits<138, { 2 * MIN_EXPONENT }>;

/// Sums of more bits are encoded digit by digit.
const MAX_NARROW_BITS: u32 = 126;

/// The tag of an encoding digit by digit, in place of the length of a short one.
const LONG: u8 = 0xff;

/// An exact sum of floats.
#[derive(Clone, Debug, Default)]
pub(super) struct ExactSum {
    /// The sum of all numbers of the usual size.
    sum: i128,
    /// The exponent of its lowest bit.
    unit: i16,
    overflow: Option<Box<Overflow>>,
}

/// Numbers that do not fit into 128 bits, NaNs and infinities.
#[derive(Clone, Debug, Default)]
struct Overflow {
    digits: FloatDigits,
    nans: u64,
    /// Positive and negative infinities.
    infinities: [u64; 2],
}

/// A number of `N` digits, whose lowest bit means 2^`LOW`.
#[derive(Clone, Debug)]
pub(super) struct Digits<const N: usize, const LOW: i32> {
    digits: [i64; N],
    added: u32,
}

impl<const N: usize, const LOW: i32> Default for Digits<N, LOW> {
    fn default() -> Self {
        Self { digits: [0; N], added: 0 }
    }
}

impl ExactSum {
    /// Adds a number.
    #[inline]
    pub(super) fn add(&mut self, number: f64) {
        let Some((mantissa, exponent)) = decompose(number) else {
            self.count(number, 1);
            return;
        };
        self.add_scaled(mantissa, exponent);
    }

    /// Adds an integer.
    #[inline]
    pub(super) fn add_int(&mut self, number: i64) {
        self.add_scaled(number, 0);
    }

    /// Adds a value if it is a number. Returns whether it is one.
    #[inline]
    pub(super) fn add_value(&mut self, value: Value<'_>) -> bool {
        match value {
            Value::Int(number) => self.add_int(number),
            Value::Large(number) => {
                self.add_scaled((number >> 1).cast_signed(), 1);
                self.add_int((number & 1).cast_signed());
            }
            Value::Float(number) => self.add(number),
            Value::Null | Value::Text(_) | Value::Time(_) | Value::Json(_) => return false,
        }
        true
    }

    /// Subtracts a number that was added.
    #[cfg(test)]
    pub(super) fn remove(&mut self, number: f64) {
        let Some((mantissa, exponent)) = decompose(number) else {
            self.count(number, u64::MAX);
            return;
        };
        self.add_scaled(-mantissa, exponent);
    }

    /// Adds another sum.
    pub(super) fn merge(&mut self, other: &Self) {
        self.add_all(other, 1);
    }

    /// Subtracts another sum, all of which was added before.
    pub(super) fn subtract(&mut self, other: &Self) {
        self.add_all(other, -1);
    }

    /// Rounds the sum to the nearest float, ties to even. Returns an infinity if the sum is out of
    /// range or contains one, and NaN if it contains NaN or infinities of both signs.
    pub(super) fn value(&self) -> f64 {
        let Some(rest) = &self.overflow else { return scaled(self.sum, i32::from(self.unit)) };
        match (rest.nans, rest.infinities) {
            (0, [0, 0]) => {}
            (0, [_, 0]) => return f64::INFINITY,
            (0, [0, _]) => return f64::NEG_INFINITY,
            _ => return f64::NAN,
        }
        let mut all = rest.digits.clone();
        all.add(self.sum, i32::from(self.unit));
        all.value()
    }

    /// Returns the sum if it is an integer of at most 127 bits.
    pub(super) fn whole(&self) -> Option<i128> {
        let unit = u32::try_from(self.unit).ok().filter(|_| self.overflow.is_none());
        if self.sum == 0 && self.overflow.is_none() {
            return Some(0);
        }
        unit.filter(|&unit| unit + 1 < self.sum.unsigned_abs().leading_zeros())
            .map(|unit| self.sum << unit)
    }

    /// Encodes the sum. Equal sums have equal bytes, whatever was added and subtracted to get
    /// there.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut all = self.clone();
        all.normalize();
        let zeros = if all.sum == 0 { 0 } else { all.sum.trailing_zeros() };
        let (sum, unit) = (all.sum >> zeros, i32::from(all.unit) + zeros.cast_signed());
        if all.overflow.is_none()
            && sum.unsigned_abs() >> MAX_NARROW_BITS == 0
            && unit <= MAX_EXPONENT
        {
            let unit = if sum == 0 { 0 } else { unit };
            let len = shortest(sum);
            out.push(u8::try_from(len).unwrap_or(LONG));
            put_signed(out, unit.into());
            out.extend_from_slice(&sum.to_le_bytes()[..len]);
            return;
        }
        let mut rest = all.overflow.unwrap_or_default();
        rest.digits.add(all.sum, all.unit.into());
        out.push(LONG);
        for count in [rest.nans, rest.infinities[0], rest.infinities[1]] {
            put_varint(out, count);
        }
        rest.digits.encode(out);
    }

    /// Decodes a sum.
    pub(super) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let [len] = take(bytes)?;
        if len == LONG {
            let mut rest = Overflow { nans: get_varint(bytes)?, ..Overflow::default() };
            for count in &mut rest.infinities {
                *count = get_varint(bytes)?;
            }
            rest.digits = FloatDigits::decode(bytes)?;
            return Some(Self { sum: 0, unit: 0, overflow: Some(Box::new(rest)) });
        }
        let unit = get_signed(bytes)?;
        let (digits, rest) = bytes.split_at_checked(len.into())?;
        *bytes = rest;
        let is_negative = digits.last().is_some_and(|&last| last >= 0x80);
        let mut all = [if is_negative { 0xff } else { 0 }; 16];
        all.get_mut(..digits.len())?.copy_from_slice(digits);
        let sum = i128::from_le_bytes(all);
        let is_shortest = shortest(sum) == digits.len() && (sum & 1 == 1 || sum == 0 && unit == 0);
        let fits = sum.unsigned_abs() >> MAX_NARROW_BITS == 0;
        let in_range = (i64::from(MIN_EXPONENT)..=i64::from(MAX_EXPONENT)).contains(&unit);
        let unit = i16::try_from(unit).ok()?;
        (is_shortest && fits && in_range).then_some(Self { sum, unit, overflow: None })
    }

    #[inline]
    fn add_scaled(&mut self, mantissa: i64, exponent: i32) {
        if mantissa == 0 {
            return;
        }
        let added = self.shift_for(exponent).and_then(|shift| {
            let bits = 64 - mantissa.unsigned_abs().leading_zeros();
            (bits + shift < 127).then(|| i128::from(mantissa) << shift)
        });
        // Its opposite has to fit, too.
        match added.and_then(|number| self.sum.checked_add(number)) {
            Some(sum) if sum != i128::MIN => self.sum = sum,
            _ => self.overflow.get_or_insert_default().digits.add(mantissa.into(), exponent),
        }
    }

    /// Returns how far to shift a number of this exponent left, and lowers the unit if necessary.
    #[inline]
    fn shift_for(&mut self, exponent: i32) -> Option<u32> {
        if self.sum == 0 {
            self.unit = i16::try_from(exponent).ok()?;
            return Some(0);
        }
        let unit = i32::from(self.unit);
        if let Ok(shift) = u32::try_from(exponent - unit) {
            return Some(shift);
        }
        let down = u32::try_from(unit - exponent).ok()?;
        // One bit for the sign, one for the carry.
        if down + 2 > self.sum.unsigned_abs().leading_zeros() {
            return None;
        }
        self.sum <<= down;
        self.unit = i16::try_from(exponent).ok()?;
        Some(0)
    }

    fn add_all(&mut self, other: &Self, sign: i32) {
        self.add_large(if sign < 0 { -other.sum } else { other.sum }, other.unit.into());
        if self.overflow.is_none() && other.overflow.is_none() {
            return;
        }
        if let Some(others) = &other.overflow {
            let rest = self.overflow.get_or_insert_default();
            rest.digits.add_all(&others.digits, sign.into());
            let add = |to: &mut u64, count: u64| {
                *to = to.wrapping_add(if sign < 0 { count.wrapping_neg() } else { count });
            };
            add(&mut rest.nans, others.nans);
            add(&mut rest.infinities[0], others.infinities[0]);
            add(&mut rest.infinities[1], others.infinities[1]);
        }
        self.drop_empty_overflow();
        if sign < 0 {
            self.normalize();
        }
    }

    /// Adds another sum without its overflow.
    fn add_large(&mut self, number: i128, exponent: i32) {
        if number == 0 {
            return;
        }
        let bits = 128 - number.unsigned_abs().leading_zeros();
        let added = self.shift_for(exponent).filter(|shift| bits + shift < 127);
        match added.and_then(|shift| self.sum.checked_add(number << shift)) {
            Some(sum) if sum != i128::MIN => self.sum = sum,
            _ => self.overflow.get_or_insert_default().digits.add(number, exponent),
        }
    }

    /// Drops the overflow if the whole sum has the usual size. Numbers that were added next to a
    /// far larger or smaller one are in the overflow, but they are subtracted from the sum.
    fn normalize(&mut self) {
        let Some(rest) = self.overflow.as_ref().filter(|rest| !rest.has_non_finite()) else {
            return;
        };
        let mut all = rest.digits.clone();
        all.add(self.sum, self.unit.into());
        let (is_negative, words) = all.magnitude();
        let zeros = bigint::trailing_zeros(&words).unwrap_or(0);
        let exponent = i32::try_from(zeros).ok().map(|zeros| MIN_EXPONENT + zeros);
        let unit = exponent
            .filter(|&exponent| exponent <= MAX_EXPONENT)
            .and_then(|unit| unit.try_into().ok());
        let Some(([low, high], unit)) = bigint::checked_shr(&words, zeros).zip(unit) else {
            return;
        };
        if high >> 62 == 0 {
            let sum = i128::from(high) << 64 | i128::from(low);
            *self = Self { sum: if is_negative { -sum } else { sum }, unit, overflow: None };
        }
    }

    /// Counts a number that is not finite.
    #[cold]
    fn count(&mut self, number: f64, count: u64) {
        let rest = self.overflow.get_or_insert_default();
        let place = match number {
            f64::INFINITY => &mut rest.infinities[0],
            f64::NEG_INFINITY => &mut rest.infinities[1],
            _ => &mut rest.nans,
        };
        *place = place.wrapping_add(count);
        self.drop_empty_overflow();
    }

    /// Drops the overflow if it is empty.
    fn drop_empty_overflow(&mut self) {
        if let Some(rest) = &mut self.overflow {
            rest.digits.carry();
            if !rest.has_non_finite() && rest.digits.is_zero() {
                self.overflow = None;
            }
        }
    }
}

impl Overflow {
    /// Returns whether it contains NaN or infinities.
    fn has_non_finite(&self) -> bool {
        self.nans != 0 || self.infinities != [0; 2]
    }
}

impl<const N: usize, const LOW: i32> Digits<N, LOW> {
    /// Adds a number times a power of two.
    pub(super) fn add(&mut self, number: i128, exponent: i32) {
        let Ok(place) = usize::try_from(exponent - LOW) else { return };
        let (first, shift) = (place / 32, place % 32);
        let sign = if number < 0 { -1 } else { 1 };
        let mut left = number.unsigned_abs();
        let mut carried = 0_u64;
        for digit in self.digits.iter_mut().skip(first).take(6) {
            let bits = (bigint::low_word(left) & 0xffff_ffff) << shift | carried;
            *digit += sign * i64::try_from(bits & 0xffff_ffff).unwrap_or(0);
            carried = bits >> DIGIT_BITS;
            left >>= DIGIT_BITS;
        }
        self.added += 1;
        if self.added == MAX_ADDITIONS {
            self.carry();
        }
    }

    /// Adds another number, this many times.
    pub(super) fn add_all(&mut self, other: &Self, times: i64) {
        let mut other = other.clone();
        other.carry();
        self.carry();
        for (digit, other) in self.digits.iter_mut().zip(other.digits) {
            *digit += times * other;
        }
        self.carry();
    }

    fn is_zero(&self) -> bool {
        self.digits.iter().all(|&digit| digit == 0)
    }

    /// Returns whether the number is negative, and its magnitude in words of 64 bits.
    pub(super) fn magnitude(&self) -> (bool, Vec<u64>) {
        let mut all = self.clone();
        let negative = all.make_positive();
        let word =
            |pair: &[i64]| pair.iter().rfold(0, |word, &digit| word << 32 | digit.cast_unsigned());
        (negative, all.digits.chunks(2).map(word).collect())
    }

    /// Normalizes the digits and removes the sign, which it returns.
    fn make_positive(&mut self) -> bool {
        self.carry();
        let negative = self.digits[N - 1] < 0;
        if negative {
            self.digits.iter_mut().for_each(|digit| *digit = -*digit);
            self.carry();
        }
        negative
    }

    /// Encodes the number.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut all = self.clone();
        all.carry();
        for digit in all.digits {
            out.extend_from_slice(&digit.to_le_bytes());
        }
    }

    /// Decodes a number.
    pub(super) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut read = Self::default();
        for digit in &mut read.digits {
            *digit = i64::from_le_bytes(take(bytes)?);
            if digit.unsigned_abs() > 1 << DIGIT_BITS {
                return None;
            }
        }
        Some(read)
    }

    /// Normalizes every digit except the last one to 0..2^32.
    fn carry(&mut self) {
        let mut carried = 0;
        for digit in &mut self.digits[..N - 1] {
            let sum = *digit + carried;
            *digit = sum & 0xffff_ffff;
            carried = sum >> DIGIT_BITS;
        }
        self.digits[N - 1] += carried;
        self.added = 0;
    }

    fn value(mut self) -> f64 {
        let negative = self.make_positive();
        let Some(last) = self.digits.iter().rposition(|&digit| digit != 0) else { return 0.0 };
        // The highest digits that fit into 126 bits, and one bit for all digits below them.
        let first = last.saturating_sub(2);
        let below = self.digits[..first].iter().any(|&digit| digit != 0);
        let mut sum = 0_i128;
        for &digit in self.digits[first..=last].iter().rev() {
            sum = sum << DIGIT_BITS | i128::from(digit);
        }
        let sum = sum << 1 | i128::from(below);
        let exponent = LOW + DIGIT_BITS * i32::try_from(first).unwrap_or(0) - 1;
        let value = scaled(sum, exponent);
        if negative { -value } else { value }
    }
}

/// Returns how many bytes a number needs, including its sign.
fn shortest(number: i128) -> usize {
    let bits = 128 - (number ^ number >> 127).leading_zeros();
    if number == 0 { 0 } else { bits as usize / 8 + 1 }
}

#[cfg(test)]
pub(super) use tests::fsum;

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "sums are exact")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Shewchuk's sum, as in `math.fsum`: terms that do not overlap, the largest last, and a
    /// correction of the last rounding.
    pub(in crate::windows::aggregate) fn fsum(numbers: &[f64]) -> f64 {
        let count = |expected: f64| numbers.iter().filter(|&&number| number == expected).count();
        let nans = numbers.iter().any(|number| number.is_nan());
        match (nans, count(f64::INFINITY), count(f64::NEG_INFINITY)) {
            (false, 0, 0) => {}
            (false, _, 0) => return f64::INFINITY,
            (false, 0, _) => return f64::NEG_INFINITY,
            _ => return f64::NAN,
        }
        let mut terms: Vec<f64> = Vec::new();
        for &number in numbers {
            let mut high = number;
            let mut kept = Vec::new();
            for &term in &terms {
                let (large, small) =
                    if high.abs() < term.abs() { (term, high) } else { (high, term) };
                let sum = large + small;
                let error = small - (sum - large);
                if error != 0.0 {
                    kept.push(error);
                }
                high = sum;
            }
            kept.push(high);
            terms = kept;
        }
        let Some(mut high) = terms.pop() else { return 0.0 };
        let mut low = 0.0;
        while let Some(term) = terms.pop() {
            let sum = high + term;
            low = term - (sum - high);
            high = sum;
            if low != 0.0 {
                break;
            }
        }
        if terms.last().is_some_and(|term| (low < 0.0) == (*term < 0.0) && low != 0.0) {
            let twice = low * 2.0;
            let sum = high + twice;
            if sum - high == twice {
                high = sum;
            }
        }
        high
    }

    /// Below 1e300, so that the terms of the oracle do not overflow.
    fn numbers() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (-1_000_000..1_000_000_i32).prop_map(|number| f64::from(number) / 1_000.0),
            2 => any::<f64>().prop_filter("of a size that adds up", |number| number.abs() < 1e300),
            1 => prop::sample::select(vec![
                1e16, -1e16, 1e16 + 2.0, 1.0, -1.0, 0.1, f64::MIN_POSITIVE, 5e-324, -5e-324, 1e299,
                -1e299, 0.0, -0.0, 9_007_199_254_740_993.0, 1.1e-308,
            ]),
            1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
        ]
    }

    fn same(one: f64, other: f64) -> bool {
        one == other || one.is_nan() && other.is_nan()
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(10_000))]

        #[test]
        fn subtracted_numbers_leave_no_trace(
            removed in prop::collection::vec(numbers(), 0..30),
            kept in prop::collection::vec(numbers(), 0..30),
            order in any::<prop::sample::Index>(),
        ) {
            let mut sum = ExactSum::default();
            let mut all: Vec<_> = removed.iter().chain(&kept).collect();
            let middle = order.index(all.len() + 1);
            all.rotate_left(middle);
            for &&number in &all {
                sum.add(number);
            }
            prop_assert!(same(sum.value(), fsum(&all.iter().map(|&&n| n).collect::<Vec<_>>())));
            for &number in &removed {
                sum.remove(number);
            }
            let value = sum.value();
            prop_assert!(same(value, fsum(&kept)), "{value:e} {:e}", fsum(&kept));
        }

        #[test]
        fn sums_of_groups_merge_and_subtract(
            groups in prop::collection::vec(prop::collection::vec(numbers(), 0..10), 1..6),
        ) {
            let sum_of = |numbers: &[f64]| {
                let mut sum = ExactSum::default();
                for &number in numbers {
                    sum.add(number);
                }
                sum
            };
            let sums: Vec<_> = groups.iter().map(|group| sum_of(group)).collect();
            let mut all = ExactSum::default();
            sums.iter().rev().for_each(|group| all.merge(group));
            prop_assert!(same(all.value(), fsum(&groups.concat())));
            sums[1..].iter().for_each(|group| all.subtract(group));
            prop_assert!(same(all.value(), fsum(&groups[0])));
        }
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn equal_sums_have_equal_bytes_and_decode(
            removed in prop::collection::vec(numbers(), 0..10),
            kept in prop::collection::vec(numbers(), 0..10),
        ) {
            let bytes = |sum: &ExactSum| {
                let mut out = Vec::new();
                sum.encode(&mut out);
                out
            };
            let mut plain = ExactSum::default();
            for &number in kept.iter().rev() {
                plain.add(number);
            }
            let mut sum = ExactSum::default();
            for &number in removed.iter().chain(&kept) {
                sum.add(number);
            }
            for &number in &removed {
                sum.remove(number);
            }
            prop_assert_eq!(bytes(&sum), bytes(&plain));
            let written = bytes(&sum);
            let mut rest = &written[..];
            let read = ExactSum::decode(&mut rest).unwrap();
            prop_assert!(rest.is_empty() && same(read.value(), sum.value()));
            prop_assert_eq!(bytes(&read), written);
        }
    }

    #[test]
    fn sums_above_the_largest_float_are_infinite_and_reversible() {
        let mut sum = ExactSum::default();
        (0..1_000).for_each(|_| sum.add(f64::MAX));
        assert_eq!(sum.value(), f64::INFINITY);
        (0..999).for_each(|_| sum.remove(f64::MAX));
        assert_eq!(sum.value(), f64::MAX);
        sum.add(-1e-300);
        assert_eq!(sum.value(), f64::MAX);
        sum.remove(f64::MAX);
        assert_eq!(sum.value(), -1e-300);
    }

    #[test]
    fn sums_of_different_units_merge_without_overflow() {
        let sum_of = |number: f64| {
            let mut sum = ExactSum::default();
            (0..1_000).for_each(|_| sum.add(number));
            sum
        };
        let mut all = sum_of(1_000.1);
        for number in [0.001, 0.3, 123_456.7] {
            all.merge(&sum_of(number));
        }
        assert!(all.overflow.is_none());
    }

    #[test]
    fn a_subtracted_outlier_leaves_no_overflow() {
        let sum_of = |number: f64| {
            let mut sum = ExactSum::default();
            sum.add(number);
            sum
        };
        for outlier in [1e300, -1e-300, f64::NAN] {
            let mut all = sum_of(outlier);
            all.merge(&sum_of(0.1));
            all.subtract(&sum_of(outlier));
            for _ in 0..10 {
                all.merge(&sum_of(0.1));
                all.subtract(&sum_of(0.1));
            }
            assert!(all.overflow.is_none(), "{outlier:e}");
            assert_eq!(all.value(), 0.1);
        }
    }

    #[test]
    fn numbers_of_similar_size_need_no_overflow() {
        let mut sum = ExactSum::default();
        (0..1_000_000).for_each(|number| sum.add(f64::from(number % 1_000) / 1_000.0));
        assert!(sum.overflow.is_none());
        assert_eq!(sum.value(), 499_500.0);
        assert!(size_of::<ExactSum>() <= 32);
    }
}
