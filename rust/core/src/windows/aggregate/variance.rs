//! The exact variance of values and its square root.

use std::num::NonZeroU16;

use super::bigint::{self, Quotient};
use super::exact_sum::{FloatDigits, SquareDigits};
use super::floats::{MAX_EXPONENT, MIN_EXPONENT, decompose};
use super::{Aggregate, Cell, Input, Invertible, Scope};
use crate::ground::Value;
use crate::windows::varint::take;

/// `var` and `std` of a sample. Null for fewer than two values; NaN while there is a NaN or an
/// infinity among them.
///
/// The sum of the values and the sum of their squares are integers times a power of two and have no
/// error, so subtraction leaves no trace. The variance is (n Σx² - (Σx)²) / (n (n - 1)), computed
/// in integers and rounded once. The deviation is the square root of the rounded variance, less
/// than one unit in the last place from the true one.
///
/// A partial takes 64 bytes, a window 64 bytes per key, as long as 127 and 191 bits are enough for
/// the sums. They are enough for full-precision values whose sizes are within nine or ten powers of
/// ten of each other. Otherwise 1,680 bytes are added, with digits wide enough for the squares of
/// all floats.
#[derive(Clone, Debug)]
pub(super) struct Variance;

/// The maximum number of bits of narrow sums.
const SUM_BITS: u32 = 126;
const SQUARES_BITS: usize = 190;

/// The number and the sums of the values.
#[derive(Clone, Debug, Default)]
pub(super) struct Partial {
    values: u64,
    /// How many of them are NaN or infinite. Those are not in the sums.
    non_finite: u64,
    sums: Sums,
}

#[derive(Clone, Debug)]
enum Sums {
    Narrow(Narrow),
    Wide(Box<Wide>),
}

/// The sum in units of `unit`, and the squares in units of its square.
#[derive(Clone, Copy, Debug, Default)]
struct Narrow {
    sum: PackedI128,
    squares: [u64; 3],
    unit: Unit,
}

/// A power of two, where 1 means the smallest. A value that is never 0 leaves room for the tag
/// of [`Sums`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Unit(NonZeroU16);

/// A 128-bit number with the alignment of a word, so that it needs no padding.
#[derive(Clone, Copy, Debug, Default)]
#[repr(Rust, packed(8))]
struct PackedI128(i128);

#[derive(Clone, Debug, Default)]
struct Wide {
    sum: FloatDigits,
    squares: SquareDigits,
}

impl Default for Sums {
    fn default() -> Self {
        Self::Narrow(Narrow::default())
    }
}

impl Default for Unit {
    fn default() -> Self {
        Self(NonZeroU16::MIN)
    }
}

impl Unit {
    #[inline]
    fn of(exponent: i32) -> Option<Self> {
        u16::try_from(exponent - MIN_EXPONENT + 1).ok().and_then(NonZeroU16::new).map(Self)
    }

    #[inline]
    fn exponent(self) -> i32 {
        i32::from(self.0.get()) + MIN_EXPONENT - 1
    }
}

impl Narrow {
    /// Adds a value; `None` if it does not fit.
    #[inline]
    fn add(&mut self, mantissa: i64, exponent: i32) -> Option<()> {
        let size = mantissa.unsigned_abs();
        let mut up = exponent - self.unit.exponent();
        if up < 0 || self.is_zero() {
            self.refine(Unit::of(exponent)?)?;
            up = 0;
        }
        // The maximum number of bits of the square. Half of that fits into the sum.
        let up = usize::try_from(up).ok()?;
        let bits = 64 - size.leading_zeros() as usize;
        if 2 * (bits + up) > SQUARES_BITS {
            return None;
        }
        let square = bigint::shl_u128(u128::from(size) * u128::from(size), 2 * up);
        let sum = PackedI128({ self.sum.0 }.checked_add(i128::from(mantissa) << up)?);
        let squares = bigint::wrapping_add(self.squares, square);
        *self = Self { sum, squares, unit: self.unit }.if_it_fits()?;
        Some(())
    }

    #[cold]
    fn refine(&mut self, unit: Unit) -> Option<()> {
        *self = if self.is_zero() { Self { unit, ..*self } } else { self.in_unit(unit)? };
        Some(())
    }

    #[inline]
    fn plus(&self, other: &Self) -> Option<Self> {
        let (one, other) = self.aligned(other)?;
        let sum = { one.sum.0 }.checked_add(other.sum.0)?;
        let squares = bigint::wrapping_add(one.squares, other.squares);
        Self { sum: PackedI128(sum), squares, unit: one.unit }.if_it_fits()
    }

    fn minus(&self, other: &Self) -> Option<Self> {
        let (one, other) = self.aligned(other)?;
        let sum = { one.sum.0 }.checked_sub(other.sum.0)?;
        let squares = bigint::wrapping_sub(one.squares, other.squares);
        Self { sum: PackedI128(sum), squares, unit: one.unit }.if_it_fits()
    }

    fn is_zero(&self) -> bool {
        self.squares == [0; 3]
    }

    /// Returns both in the smaller of the two units.
    #[inline]
    fn aligned(&self, other: &Self) -> Option<(Self, Self)> {
        if self.unit == other.unit {
            return Some((*self, *other));
        }
        if self.is_zero() || other.is_zero() {
            let unit = if self.is_zero() { other.unit } else { self.unit };
            return Some((Self { unit, ..*self }, Self { unit, ..*other }));
        }
        if self.unit < other.unit {
            return Some((*self, other.in_unit(self.unit)?));
        }
        Some((self.in_unit(other.unit)?, *other))
    }

    /// Converts to a unit that is not larger.
    #[inline]
    fn in_unit(&self, unit: Unit) -> Option<Self> {
        let down = u32::from(self.unit.0.get() - unit.0.get());
        let sum = self.sum.0;
        let sum_bits = 128 - sum.unsigned_abs().leading_zeros();
        let squares_bits = bigint::bit_length(&self.squares);
        let fits = sum_bits + down <= SUM_BITS && squares_bits + 2 * down as usize <= SQUARES_BITS;
        fits.then(|| Self {
            sum: PackedI128(sum << down),
            squares: bigint::shl(self.squares, 2 * down as usize),
            unit,
        })
    }

    #[inline]
    fn if_it_fits(self) -> Option<Self> {
        let sum = self.sum.0;
        let fits =
            sum.unsigned_abs() >> SUM_BITS == 0 && self.squares[2] >> (SQUARES_BITS - 128) == 0;
        fits.then_some(self)
    }

    /// n (n - 1) times the variance, in units of the square of 2^`unit`: (n Σx² - (Σx)²).
    fn variance(&self, n: u64) -> Quotient {
        let [a, b, c] = self.squares;
        let mut all = [a, b, c, 0];
        bigint::multiply(&mut all, n);
        let size = { self.sum.0 }.unsigned_abs();
        bigint::subtract_square(&mut all, &[bigint::low_word(size), bigint::low_word(size >> 64)]);
        bigint::divide_by_pairs(&mut all, 2 * self.unit.exponent(), n)
    }
}

impl Wide {
    fn of(narrow: &Narrow) -> Self {
        let mut wide = Self::default();
        wide.add_narrow(narrow, 1);
        wide
    }

    fn add(&mut self, mantissa: i64, exponent: i32) {
        self.sum.add(mantissa.into(), exponent);
        let size = i128::from(mantissa);
        self.squares.add(size * size, 2 * exponent);
    }

    fn add_narrow(&mut self, narrow: &Narrow, times: i64) {
        let unit = narrow.unit.exponent();
        self.sum.add({ narrow.sum.0 } * i128::from(times), unit);
        for (word, place) in narrow.squares.into_iter().zip(0..) {
            self.squares.add(i128::from(word) * i128::from(times), 2 * unit + 64 * place);
        }
    }

    fn add_wide(&mut self, other: &Self, times: i64) {
        self.sum.add_all(&other.sum, times);
        self.squares.add_all(&other.squares, times);
    }

    /// Converts to narrow sums, if they fit.
    fn narrow(&self) -> Option<Narrow> {
        let (is_negative, sum) = self.sum.magnitude();
        let (_, squares) = self.squares.magnitude();
        let Some(zeros) = bigint::trailing_zeros(&squares) else { return Some(Narrow::default()) };
        // The lowest bit of the sum is at least one unit, that of the squares at least one unit
        // squared.
        let skipped = bigint::trailing_zeros(&sum).unwrap_or(usize::MAX).min(zeros / 2);
        let skipped = skipped.min(usize::try_from(MAX_EXPONENT - MIN_EXPONENT).ok()?);
        let [low, high] = bigint::checked_shr(&sum, skipped)?;
        let size = u128::from(high) << 64 | u128::from(low);
        let sum = i128::try_from(size).ok()?;
        Narrow {
            sum: PackedI128(if is_negative { -sum } else { sum }),
            squares: bigint::checked_shr(&squares, 2 * skipped)?,
            unit: Unit::of(MIN_EXPONENT + i32::try_from(skipped).ok()?)?,
        }
        .if_it_fits()
    }

    fn variance(&self, n: u64) -> Quotient {
        let (_, sum) = self.sum.magnitude();
        let (_, mut squares) = self.squares.magnitude();
        squares.push(0);
        bigint::multiply(&mut squares, n);
        bigint::subtract_square(&mut squares, &sum);
        bigint::divide_by_pairs(&mut squares, 2 * MIN_EXPONENT, n)
    }
}

impl Sums {
    #[inline]
    fn add(&mut self, mantissa: i64, exponent: i32) {
        if mantissa == 0 {
            return;
        }
        match self {
            Self::Narrow(narrow) => {
                if narrow.add(mantissa, exponent).is_none() {
                    self.change_wide(|wide| wide.add(mantissa, exponent));
                }
            }
            Self::Wide(wide) => wide.add(mantissa, exponent),
        }
    }

    fn merge(&mut self, other: &Self) {
        self.combine(other, Narrow::plus, 1);
    }

    fn subtract(&mut self, other: &Self) {
        self.combine(other, Narrow::minus, -1);
        if let Self::Wide(wide) = self
            && let Some(narrow) = wide.narrow()
        {
            *self = Self::Narrow(narrow);
        }
    }

    fn combine(
        &mut self,
        other: &Self,
        in_few_bits: impl Fn(&Narrow, &Narrow) -> Option<Narrow>,
        times: i64,
    ) {
        match (&mut *self, other) {
            (Self::Narrow(one), Self::Narrow(other)) => match in_few_bits(one, other) {
                Some(sums) => *one = sums,
                None => self.change_wide(|wide| wide.add_narrow(other, times)),
            },
            (_, Self::Narrow(other)) => self.change_wide(|wide| wide.add_narrow(other, times)),
            (_, Self::Wide(other)) => self.change_wide(|wide| wide.add_wide(other, times)),
        }
    }

    /// Applies a change to wide sums.
    #[cold]
    fn change_wide(&mut self, change: impl FnOnce(&mut Wide)) {
        let mut wide = match std::mem::take(self) {
            Self::Narrow(narrow) => Box::new(Wide::of(&narrow)),
            Self::Wide(wide) => wide,
        };
        change(&mut wide);
        *self = Self::Wide(wide);
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Narrow(narrow) => {
                out.push(0);
                out.extend_from_slice(&narrow.unit.0.get().to_le_bytes());
                out.extend_from_slice(&{ narrow.sum.0 }.to_le_bytes());
                for word in narrow.squares {
                    out.extend_from_slice(&word.to_le_bytes());
                }
            }
            Self::Wide(wide) => {
                out.push(1);
                wide.sum.encode(out);
                wide.squares.encode(out);
            }
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        match take(bytes)? {
            [0] => {
                let unit = Unit(NonZeroU16::new(u16::from_le_bytes(take(bytes)?))?);
                let sum = PackedI128(i128::from_le_bytes(take(bytes)?));
                let mut squares = [0; 3];
                for word in &mut squares {
                    *word = u64::from_le_bytes(take(bytes)?);
                }
                let is_exponent = unit.exponent() <= MAX_EXPONENT;
                Narrow { sum, squares, unit }.if_it_fits().filter(|_| is_exponent).map(Self::Narrow)
            }
            [1] => {
                let (sum, squares) = (FloatDigits::decode(bytes)?, SquareDigits::decode(bytes)?);
                Some(Self::Wide(Box::new(Wide { sum, squares })))
            }
            _ => None,
        }
    }
}

impl Aggregate for Variance {
    type Partial = Partial;

    #[inline]
    fn add(&self, partial: &mut Partial, input: &Input<'_>) {
        #[expect(clippy::cast_precision_loss, reason = "documented: the nearest float")]
        let value = match input.value {
            Value::Large(number) => Value::Float(number as f64),
            value => value,
        };
        match value {
            Value::Int(number) => partial.sums.add(number, 0),
            Value::Float(number) => match decompose(number) {
                Some((mantissa, exponent)) => partial.sums.add(mantissa, exponent),
                None => partial.non_finite += 1,
            },
            Value::Null | Value::Text(_) | Value::Time(_) | Value::Json(_) | Value::Large(_) => {
                return;
            }
        }
        partial.values += 1;
    }

    /// A decoded partial can hold any number, so the addition is unchecked.
    fn merge(&self, partial: &mut Partial, other: &Partial) {
        partial.values = partial.values.wrapping_add(other.values);
        partial.non_finite = partial.non_finite.wrapping_add(other.non_finite);
        partial.sums.merge(&other.sums);
    }

    fn emit_partial(&self, partial: &Partial, scope: &Scope<'_>) -> Cell {
        let n = partial.values;
        if n < 2 {
            return Cell::Null;
        }
        if partial.non_finite > 0 {
            return Cell::Float(f64::NAN);
        }
        let variance = match &partial.sums {
            Sums::Narrow(narrow) => narrow.variance(n),
            Sums::Wide(wide) => wide.variance(n),
        };
        Cell::Float(if scope.spec.function == "std" { variance.sqrt() } else { variance.rounded() })
    }

    fn encode(&self, partial: &Partial, out: &mut Vec<u8>) {
        out.extend_from_slice(&partial.values.to_le_bytes());
        out.extend_from_slice(&partial.non_finite.to_le_bytes());
        partial.sums.encode(out);
    }

    fn decode(&self, bytes: &mut &[u8]) -> Option<Partial> {
        let values = u64::from_le_bytes(take(bytes)?);
        let non_finite = u64::from_le_bytes(take(bytes)?);
        Some(Partial { values, non_finite, sums: Sums::decode(bytes)? })
    }
}

impl Invertible for Variance {
    fn subtract(&self, partial: &mut Partial, other: &Partial) {
        partial.values = partial.values.wrapping_sub(other.values);
        partial.non_finite = partial.non_finite.wrapping_sub(other.non_finite);
        partial.sums.subtract(&other.sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::Kind;
    use crate::windows::aggregate::harness::{self, Event, TestValue};
    use num_bigint::BigInt;
    use proptest::prelude::*;

    /// A finite float times 2^1074, or the power of two after the largest float instead of
    /// infinity.
    fn whole(float: f64) -> BigInt {
        if float.is_infinite() {
            return BigInt::from(1) << 2_098;
        }
        let bits = float.abs().to_bits();
        let (exponent, fraction) = (bits >> 52, bits & ((1 << 52) - 1));
        let size = match exponent {
            0 => BigInt::from(fraction),
            _ => BigInt::from(fraction | 1 << 52) << (exponent - 1),
        };
        if float < 0.0 { -size } else { size }
    }

    /// Whether `result` is the float nearest to the variance: between the midpoints to its
    /// neighbours, or on one of them if it is even.
    fn is_variance(result: f64, values: &[BigInt]) -> bool {
        let n = BigInt::from(values.len());
        let sum: BigInt = values.iter().sum();
        let squares: BigInt = values.iter().map(|value| value * value).sum();
        let twice = (&n * squares - &sum * &sum) * 2;
        let middle = |one: f64, other: f64| {
            ((whole(one) + whole(other)) << 1_074) * &n * (&n - BigInt::from(1))
        };
        let even = result.to_bits() & 1 == 0;
        let above = result == f64::INFINITY || {
            let middle = middle(result, result.next_up());
            twice < middle || even && twice == middle
        };
        let below = result == 0.0 && twice >= BigInt::from(0) || {
            let middle = middle(result.next_down(), result);
            twice > middle || even && twice == middle
        };
        result >= 0.0 && above && below
    }

    fn judge(events: &[&Event], scope: &Scope<'_>, result: &Cell) {
        let mut non_finite = false;
        let mut values = Vec::new();
        for event in events {
            match event.value {
                TestValue::Int(number) => values.push(BigInt::from(number) << 1_074),
                TestValue::Float(number) if number.is_finite() => values.push(whole(number)),
                TestValue::Float(_) => {
                    non_finite = true;
                    values.push(BigInt::from(0));
                }
                _ => {}
            }
        }
        match result {
            Cell::Null => assert!(values.len() < 2),
            Cell::Float(result) if non_finite => assert!(result.is_nan()),
            Cell::Float(result) => {
                assert!(values.len() >= 2);
                assert!(
                    is_variance(*result, &values),
                    "{result:e} in {} of {events:?}",
                    scope.seconds
                );
            }
            _ => panic!("{result:?}"),
        }
    }

    /// Within nine powers of ten, like most measurements.
    fn usual() -> BoxedStrategy<TestValue> {
        (0.001..1e6_f64).prop_map(TestValue::Float).boxed()
    }

    fn partial_of(values: &[f64]) -> Partial {
        let mut partial = Partial::default();
        for &value in values {
            Variance.add(&mut partial, &Event::of(TestValue::Float(value)).input());
        }
        partial
    }

    fn emit(partial: &Partial, what: &str) -> Cell {
        let spec = harness::spec(what);
        let scope = Scope { spec: &spec, kind: Kind::Float, seconds: 1.0, count: 0, whole: None };
        Variance.emit_partial(partial, &scope)
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(300))]

        #[test]
        fn the_variance_of_the_window_is_the_nearest_float(
            run in harness::runs(harness::numbers()),
        ) {
            harness::check_by(&Variance, &harness::spec("var"), Kind::Float, &run, judge);
        }

        #[test]
        fn the_variance_of_usual_values_is_the_nearest_float(run in harness::runs(usual())) {
            harness::check_by(&Variance, &harness::spec("var"), Kind::Float, &run, judge);
        }

        #[test]
        fn the_variance_of_integers_is_the_nearest_float(run in harness::runs(harness::ints())) {
            harness::check_by(&Variance, &harness::spec("var"), Kind::Int, &run, judge);
        }

        #[test]
        fn usual_values_need_no_wide_sums(
            values in prop::collection::vec(0.001..1e6_f64, 1..300),
        ) {
            prop_assert!(matches!(partial_of(&values).sums, Sums::Narrow(_)));
        }

        #[test]
        fn the_deviation_is_the_root_of_the_variance(
            values in prop::collection::vec(-1e6..1e6_f64, 2..30),
        ) {
            let partial = partial_of(&values);
            let Cell::Float(variance) = emit(&partial, "var") else { panic!("no variance") };
            prop_assert_eq!(emit(&partial, "std"), Cell::Float(variance.sqrt()));
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in harness::bytes(200)) {
            harness::check_bytes(&Variance, &harness::spec("std"), &bytes);
        }

        #[test]
        fn damaged_bytes_do_not_panic(run in harness::runs(harness::numbers()), at: usize, to: u8) {
            harness::check_damage(&Variance, &harness::spec("std"), &run, at, to);
        }
    }

    #[test]
    fn a_subtracted_outlier_leaves_no_wide_sums() {
        let mut all = partial_of(&[0.1, 0.2, 0.7]);
        let expected = emit(&all, "var");
        for outlier in [1e300, 1e-300, f64::NAN] {
            let other = partial_of(&[outlier, 5.0]);
            Variance.merge(&mut all, &other);
            Variance.subtract(&mut all, &other);
            assert!(matches!(all.sums, Sums::Narrow(_)));
            assert_eq!(emit(&all, "var"), expected);
        }
    }

    #[test]
    fn deviations_exist_where_the_squares_overflow() {
        for size in [1e-300, 1e300] {
            let partial = partial_of(&[-size, size]);
            let Cell::Float(deviation) = emit(&partial, "std") else { panic!("no deviation") };
            assert!((deviation / size - 2_f64.sqrt()).abs() < 1e-15, "{deviation:e}");
        }
        assert_eq!(emit(&partial_of(&[-1e300, 1e300]), "var"), Cell::Float(f64::INFINITY));
    }

    #[test]
    fn very_many_values_have_a_variance() {
        // 2^60 times 0.1 and 2^60 times 0.3: the variance is close to 0.01.
        let mut partial = partial_of(&[0.1, 0.3]);
        for _ in 0..60 {
            let half = partial.clone();
            Variance.merge(&mut partial, &half);
        }
        let Cell::Float(variance) = emit(&partial, "var") else { panic!("no variance") };
        assert!((variance - 0.01).abs() < 1e-17, "{variance}");
    }

    #[test]
    fn a_partial_has_the_documented_size() {
        assert_eq!(size_of::<Partial>(), 64);
        assert!(size_of::<Wide>() <= 1_700);
    }
}
