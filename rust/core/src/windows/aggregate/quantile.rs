//! Quantiles of numbers with a guaranteed relative error: `DDSketch`.
//!
//! Masson, Rim and Lee, "`DDSketch`: a fast and fully-mergeable quantile sketch with relative-error
//! guarantees", VLDB 2019. Each number is counted in the bucket of its logarithm. The bounds of a
//! bucket are so close that one number represents all in it. Buckets are never merged, so a pane
//! that leaves is subtracted without a trace. The smallest and the largest number cannot be
//! subtracted; a window keeps those that can still become its bounds, as `min` and `max` do.
//!
//! The logarithm does not come from a library, whose last bit may differ between machines. It is
//! the exponent of the float plus a cubic polynomial of its mantissa, as in Datadog's sketches,
//! which needs 1 % more buckets than the true logarithm.

use std::collections::BTreeMap;

use super::candidates::Candidates;
use super::{Aggregate, Cell, Input, Scope, Windowed};
use crate::ground::Value;
use crate::windows::varint::{get_signed, get_varint, put_signed, put_varint, take};

const DEFAULT_ERROR: f64 = 0.01;

/// With a smaller error, 32 bits cannot number the buckets. With a larger error, a bucket would be
/// wider than a power of two.
const ERRORS: (f64, f64) = (1e-6, 0.3);

/// Up to this many buckets are stored as pairs.
const FEW: usize = 256;

/// Above `FEW`, buckets are stored in chunks if the chunks are well filled; from this number on,
/// always.
const MANY: usize = 1024;

/// The number of buckets in a chunk.
const CHUNK: usize = 32;

/// The sketch; all its partials have the same buckets.
///
/// Approximate: the result is within the given error (1 % by default) of the value of rank
/// `ceil(q * n)`, counted from 1, of the n sorted numbers (the first for q = 0), and never outside
/// their bounds: of the first and the last rank it is exact. Below 2.2e-308, where floats have fewer
/// digits, half of the smallest float is added to the error. Zero and infinities are exact, and NaN
/// is ignored. Partials take 56 bytes, totals 88 and 24 more for each value that can still become a
/// bound; both take 8 for each nonempty bucket, up to 256 buckets; beyond that, 9 for each bucket of
/// each chunk of 32 that is not empty. With 1 %, numbers from 1 to 1000 need 350 buckets and all
/// floats 150,000. An event costs a search among the buckets, a pane that enters or leaves one
/// search for each of its buckets, and a result a walk over half of them.
#[derive(Clone, Debug)]
pub(super) struct Quantile {
    /// The number of buckets per power of two.
    scale: f64,
    /// The bucket of the smallest float.
    first: i32,
}

/// The count of numbers in each bucket.
///
/// Buckets are numbered in the order of their numbers: 0 is zero, negative numbers have negative
/// buckets, and the two [`INFINITE`] ones are outermost.
#[derive(Clone, Debug, Default)]
struct Counts {
    values: u64,
    buckets: Buckets,
}

/// The numbers of a pane.
#[derive(Clone, Debug)]
pub(super) struct Partial {
    counts: Counts,
    /// The smallest and the largest number; infinite, in reverse, if there is none.
    least: f64,
    most: f64,
}

impl Default for Partial {
    fn default() -> Self {
        Self { counts: Counts::default(), least: f64::INFINITY, most: f64::NEG_INFINITY }
    }
}

/// The numbers of a window, and those that can become its bounds.
#[derive(Clone, Debug, Default)]
pub(super) struct Total {
    counts: Counts,
    least: Candidates<f64>,
    most: Candidates<f64>,
}

const INFINITE: i32 = i32::MAX;

#[derive(Clone, Debug)]
enum Buckets {
    Few(Vec<(i32, u32)>),
    Many(BTreeMap<i32, Box<[u64; CHUNK]>>),
}

impl Default for Buckets {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Quantile {
    /// Creates a sketch with at most this error; the default error applies if `error` is not
    /// positive.
    pub(super) fn new(error: f64) -> Self {
        let error = if error > 0.0 { error } else { DEFAULT_ERROR };
        let error = error.clamp(ERRORS.0, ERRORS.1);
        // Where the polynomial is steepest, a step of it is 10/7 ln 2 times a step of the
        // logarithm.
        let steepest = 10.0 / 7.0 * std::f64::consts::LN_2;
        let least = 1.0 / ((1.0 + error) / (1.0 - error)).log2() / steepest;
        // A millionth more compensates for rounding; with fewer digits all machines agree.
        #[expect(clippy::cast_possible_truncation, reason = "fewer digits on purpose")]
        let scale = f64::from((least * (1.0 + 1e-6)) as f32);
        let mut sketch = Self { scale, first: 0 };
        sketch.first = sketch.step(5e-324);
        sketch
    }

    #[inline]
    fn bucket(&self, number: f64) -> Option<i32> {
        let size = number.abs();
        let bucket = match size {
            f64::INFINITY => INFINITE,
            0.0 => 0,
            _ if size.is_nan() => return None,
            _ => self.step(size) - self.first + 1,
        };
        Some(if number < 0.0 { -bucket } else { bucket })
    }

    /// Returns the bucket of a positive number, relative to the bucket of 1.
    #[inline]
    fn step(&self, number: f64) -> i32 {
        let (bits, below) = if number < f64::MIN_POSITIVE {
            ((number * TWO_54).to_bits(), 54)
        } else {
            (number.to_bits(), 0)
        };
        let exponent = i32::try_from(bits >> 52).unwrap_or(0) - 1023 - below;
        let fraction = f64::from_bits(bits & MANTISSA | ONE) - 1.0;
        #[expect(clippy::cast_possible_truncation, reason = "there are fewer buckets")]
        let step = ((f64::from(exponent) + cubic(fraction)) * self.scale).floor() as i32;
        step
    }

    /// Returns the number with the same relative distance to both bounds of a bucket.
    fn number(&self, bucket: i32) -> f64 {
        let size = match bucket.abs() {
            0 => return 0.0,
            INFINITE => f64::INFINITY,
            size => {
                let step = size - 1 + self.first;
                let (exponent, low) = self.bound(step);
                let (next, high) = self.bound(step + 1);
                let high = high * power(next - exponent);
                let middle = 2.0 * low * high / (low + high);
                // No factor exceeds the range of floats; a result above it was rounded up.
                let half = exponent / 2;
                (middle * power(half) * power(exponent - half)).min(f64::MAX)
            }
        };
        if bucket < 0 { -size } else { size }
    }

    /// Returns the lower bound of a bucket, as an exponent of two and a factor from 1 to 2.
    fn bound(&self, step: i32) -> (i32, f64) {
        let logarithm = f64::from(step) / self.scale;
        let exponent = logarithm.floor();
        let expected = logarithm - exponent;
        let mut fraction = expected;
        // Newton's method. The polynomial is never flat, and three steps are exact enough.
        for _ in 0..5 {
            let slope = (18.0 / 35.0 * fraction - 6.0 / 5.0) * fraction + 10.0 / 7.0;
            fraction -= (cubic(fraction) - expected) / slope;
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 1024")]
        let exponent = exponent as i32;
        (exponent, 1.0 + fraction)
    }

    /// Returns whether a bucket can contain numbers.
    fn has(&self, bucket: i32) -> bool {
        let most = self.step(f64::MAX) - self.first + 1;
        bucket.unsigned_abs() <= most.unsigned_abs() || bucket == INFINITE || bucket == -INFINITE
    }

    /// Returns a quantile of numbers with these bounds.
    fn quantile(&self, counts: &Counts, least: f64, most: f64, quantile: f64) -> Cell {
        let values = counts.values;
        if values == 0 {
            return Cell::Null;
        }
        let rank = rank(quantile, values);
        let number = if rank <= 1 {
            Some(least)
        } else if rank >= values {
            Some(most)
        } else {
            let bucket = counts.buckets.at(rank - 1, values - 1);
            bucket.map(|bucket| self.number(bucket).max(least).min(most))
        };
        number.map_or(Cell::Null, Cell::Float)
    }

    fn mark(&self) -> [u8; 4] {
        #[expect(clippy::cast_possible_truncation, reason = "it was created with that many digits")]
        let scale = self.scale as f32;
        scale.to_le_bytes()
    }
}

const TWO_54: f64 = 18_014_398_509_481_984.0;
const MANTISSA: u64 = (1 << 52) - 1;
const ONE: u64 = 1023 << 52;

/// Approximates log2 of a number from 1 to 2, minus 1: exact at both ends, with a continuous slope
/// where the exponent changes.
#[inline]
fn cubic(fraction: f64) -> f64 {
    ((6.0 / 35.0 * fraction - 3.0 / 5.0) * fraction + 10.0 / 7.0) * fraction
}

fn power(exponent: i32) -> f64 {
    f64::from_bits(u64::try_from(exponent + 1023).unwrap_or(0) << 52)
}

/// Returns the rank of a quantile of this many numbers, from 1: the product, rounded up. A quantile
/// is the decimal that a user wrote, so that 0.07 of 100 numbers is the seventh, although the
/// nearest float is above 0.07.
fn rank(quantile: f64, values: u64) -> u64 {
    if quantile >= 1.0 {
        return values;
    }
    #[expect(clippy::cast_precision_loss, reason = "products near an integer are computed again")]
    let product = quantile * values as f64;
    let text = if (product - product.round()).abs() > 1e-15 * product {
        String::new()
    } else {
        quantile.to_string()
    };
    let digits = text.split_once('.').map_or("", |parts| parts.1);
    // With more digits the product could exceed 128 bits; then the quantile is tiny.
    let exact = u32::try_from(digits.len()).ok().filter(|&len| len <= 19).and_then(|len| {
        let product = digits.parse::<u128>().ok()? * u128::from(values);
        u64::try_from(product.div_ceil(10_u128.pow(len))).ok()
    });
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to the number of values"
    )]
    exact.unwrap_or(product.ceil() as u64).clamp(1, values)
}

impl Counts {
    fn merge(&mut self, other: &Self) {
        self.values = self.values.saturating_add(other.values);
        other.buckets.each(|bucket, count| self.buckets.add(bucket, count));
    }

    fn subtract(&mut self, other: &Self) {
        self.values = self.values.saturating_sub(other.values);
        other.buckets.each(|bucket, count| self.buckets.remove(bucket, count));
    }
}

impl Aggregate for Quantile {
    type Partial = Partial;

    #[inline]
    fn add(&self, partial: &mut Partial, input: &Input<'_>) {
        let number = match input.value {
            Value::Float(number) => number,
            #[expect(clippy::cast_precision_loss, reason = "far smaller than the error")]
            Value::Int(number) => number as f64,
            #[expect(clippy::cast_precision_loss, reason = "as above")]
            Value::Large(number) => number as f64,
            _ => return,
        };
        if let Some(bucket) = self.bucket(number) {
            // Both zeros are in one bucket, and a bound is the positive one.
            let number = number + 0.0;
            partial.least = partial.least.min(number);
            partial.most = partial.most.max(number);
            partial.counts.values = partial.counts.values.saturating_add(1);
            partial.counts.buckets.add(bucket, 1);
        }
    }

    fn merge(&self, partial: &mut Partial, other: &Partial) {
        partial.counts.merge(&other.counts);
        partial.least = partial.least.min(other.least);
        partial.most = partial.most.max(other.most);
    }

    fn emit_partial(&self, partial: &Partial, scope: &Scope<'_>) -> Cell {
        self.quantile(&partial.counts, partial.least, partial.most, scope.spec.number)
    }

    /// Encodes the scale of the buckets, their number, and the gap to the previous bucket and the
    /// count of each; then the bounds, if there are buckets.
    fn encode(&self, partial: &Partial, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.mark());
        let mut count = 0;
        partial.counts.buckets.each(|_, _| count += 1);
        put_varint(out, count);
        let mut last = None;
        partial.counts.buckets.each(|bucket, count| {
            let place = i64::from(bucket);
            match last {
                None => put_signed(out, place),
                Some(last) => put_varint(out, place.abs_diff(last)),
            }
            put_varint(out, count);
            last = Some(place);
        });
        if last.is_some() {
            out.extend_from_slice(&partial.least.to_le_bytes());
            out.extend_from_slice(&partial.most.to_le_bytes());
        }
    }

    fn decode(&self, bytes: &mut &[u8]) -> Option<Partial> {
        if take(bytes)? != self.mark() {
            return None;
        }
        let mut partial = Partial::default();
        let (mut first, mut last): (_, Option<i64>) = (None, None);
        // Each bucket takes bytes, so a number that is too large ends with them.
        for _ in 0..get_varint(bytes)? {
            let place = match last {
                None => get_signed(bytes)?,
                Some(last) => {
                    last.checked_add_unsigned(get_varint(bytes).filter(|&step| step > 0)?)?
                }
            };
            let bucket = i32::try_from(place).ok().filter(|&bucket| self.has(bucket))?;
            let count = get_varint(bytes)?;
            if count == 0 {
                return None;
            }
            partial.counts.values = partial.counts.values.checked_add(count)?;
            partial.counts.buckets.add(bucket, count);
            first = first.or(Some(place));
            last = Some(place);
        }
        if partial.counts.values > 0 {
            partial.least = f64::from_le_bytes(take(bytes)?);
            partial.most = f64::from_le_bytes(take(bytes)?);
            let is_bound = |number: f64, place| {
                self.bucket(number).map(i64::from) == place
                    && (number != 0.0 || number.is_sign_positive())
            };
            let are_bounds = is_bound(partial.least, first) && is_bound(partial.most, last);
            let are_values = partial.counts.values > 1 || partial.least >= partial.most;
            if !are_bounds || !are_values || partial.least > partial.most {
                return None;
            }
        }
        Some(partial)
    }
}

impl Windowed for Quantile {
    type Total = Total;

    fn enter(&self, total: &mut Total, partial: &Partial, pane: i64) {
        if partial.counts.values > 0 {
            total.counts.merge(&partial.counts);
            total.least.enter(pane, partial.least, |&earlier| earlier >= partial.least);
            total.most.enter(pane, partial.most, |&earlier| earlier <= partial.most);
        }
    }

    fn leave(&self, total: &mut Total, partial: &Partial, pane: i64) {
        total.counts.subtract(&partial.counts);
        total.least.leave(pane);
        total.most.leave(pane);
    }

    fn emit(&self, total: &Total, scope: &Scope<'_>) -> Cell {
        match (total.least.best(), total.most.best()) {
            (Some(&least), Some(&most)) => {
                self.quantile(&total.counts, least, most, scope.spec.number)
            }
            _ => Cell::Null,
        }
    }
}

impl Buckets {
    #[inline]
    fn add(&mut self, bucket: i32, more: u64) {
        if let Self::Few(pairs) = self {
            // A new bucket is often the largest so far.
            match pairs.binary_search_by_key(&bucket, |pair| pair.0) {
                Ok(place) => {
                    let count = u64::from(pairs[place].1).saturating_add(more);
                    if let Ok(count) = u32::try_from(count) {
                        pairs[place].1 = count;
                        return;
                    }
                }
                Err(place) => {
                    let count = u32::try_from(more).ok().filter(|_| !is_crowded(pairs));
                    if let Some(count) = count {
                        pairs.insert(place, (bucket, count));
                        return;
                    }
                }
            }
            self.divide();
        }
        if let Self::Many(chunks) = self {
            let (chunk, place) = place_of(bucket);
            let count = &mut chunks.entry(chunk).or_insert_with(|| Box::new([0; CHUNK]))[place];
            *count = count.saturating_add(more);
        }
    }

    fn remove(&mut self, bucket: i32, less: u64) {
        match self {
            Self::Few(pairs) => {
                let found = pairs.binary_search_by_key(&bucket, |pair| pair.0);
                let Ok(place) = found else { return };
                let count = u64::from(pairs[place].1).saturating_sub(less);
                match u32::try_from(count) {
                    Ok(count) if count > 0 => pairs[place].1 = count,
                    _ => {
                        pairs.remove(place);
                    }
                }
            }
            Self::Many(chunks) => {
                let (chunk, place) = place_of(bucket);
                let Some(counts) = chunks.get_mut(&chunk) else { return };
                counts[place] = counts[place].saturating_sub(less);
                if **counts == [0; CHUNK] {
                    chunks.remove(&chunk);
                }
                if chunks.is_empty() {
                    *self = Self::default();
                }
            }
        }
    }

    /// Moves the pairs into chunks.
    #[cold]
    fn divide(&mut self) {
        let mut chunks: BTreeMap<i32, Box<[u64; CHUNK]>> = BTreeMap::new();
        self.each(|bucket, count| {
            let (chunk, place) = place_of(bucket);
            chunks.entry(chunk).or_insert_with(|| Box::new([0; CHUNK]))[place] = count;
        });
        *self = Self::Many(chunks);
    }

    /// Calls `call` with each nonempty bucket, in order, and its count.
    #[inline]
    fn each(&self, mut call: impl FnMut(i32, u64)) {
        match self {
            Self::Few(pairs) => {
                for &(bucket, count) in pairs {
                    call(bucket, count.into());
                }
            }
            Self::Many(chunks) => {
                for (&chunk, counts) in chunks {
                    counts_of(chunk, counts).for_each(|(bucket, count)| call(bucket, count));
                }
            }
        }
    }

    /// Returns the bucket at a rank, counted from 0; searches from the nearer end.
    fn at(&self, rank: u64, last: u64) -> Option<i32> {
        let forward = rank <= last / 2;
        let rank = if forward { rank } else { last - rank };
        match self {
            Self::Few(pairs) => {
                let pairs = pairs.iter().map(|&(bucket, count)| (bucket, count.into()));
                if forward { walk(pairs, rank) } else { walk(pairs.rev(), rank) }
            }
            Self::Many(chunks) => {
                let all = chunks.iter().flat_map(|(&chunk, counts)| counts_of(chunk, counts));
                if forward { walk(all, rank) } else { walk(all.rev(), rank) }
            }
        }
    }
}

fn walk(mut buckets: impl Iterator<Item = (i32, u64)>, mut rank: u64) -> Option<i32> {
    buckets
        .find(|&(_, count)| {
            let found = rank < count;
            rank = rank.saturating_sub(count);
            found
        })
        .map(|(bucket, _)| bucket)
}

fn place_of(bucket: i32) -> (i32, usize) {
    (bucket >> 5, (bucket & 31).unsigned_abs() as usize)
}

fn counts_of(
    chunk: i32,
    counts: &[u64; CHUNK],
) -> impl DoubleEndedIterator<Item = (i32, u64)> + use<'_> {
    let all = counts.iter().enumerate();
    all.filter(|(_, count)| **count > 0)
        .map(move |(place, &count)| (chunk << 5 | i32::try_from(place).unwrap_or(0), count))
}

/// Returns whether chunks take less memory: many pairs, next to each other.
fn is_crowded(pairs: &[(i32, u32)]) -> bool {
    if pairs.len() < FEW {
        return false;
    }
    let chunks = 1 + pairs.windows(2).filter(|two| two[0].0 >> 5 != two[1].0 >> 5).count();
    pairs.len() >= MANY || chunks <= pairs.len() / 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::datum::testing::{
        bytes_of, decodes_only_what_is_encoded, merges_in_any_order, panes, partial_of, scope,
        slide, spec_of, survives_changes,
    };
    use super::*;
    use crate::ground::Kind;

    const ERRORS: [f64; 4] = [0.01, 0.001, 0.3, 1e-5];

    fn number_of(cell: &Cell) -> Option<f64> {
        match cell {
            #[expect(clippy::cast_precision_loss, reason = "as the sketch converts it")]
            Cell::Int(number) => Some(*number as f64),
            Cell::Float(number) => Some(*number).filter(|number| !number.is_nan()),
            _ => None,
        }
    }

    /// Sorts all numbers and returns the one of the rank, and both bounds. The rank is that of the
    /// quantile in thousandths.
    fn oracle(values: &[Cell], thousandths: usize) -> Option<[f64; 3]> {
        let mut numbers: Vec<_> = values.iter().filter_map(number_of).collect();
        numbers.sort_by(f64::total_cmp);
        let rank = (thousandths * numbers.len()).div_ceil(1000).max(1);
        Some([*numbers.first()?, *numbers.get(rank - 1)?, *numbers.last()?])
    }

    fn check_window(cell: &Cell, expected: Option<[f64; 3]>, error: f64) {
        check(cell, expected.map(|[_, expected, _]| expected), error);
        if let (Cell::Float(number), Some([least, _, most])) = (cell, expected) {
            assert!((least..=most).contains(number), "{number:e} {least:e} {most:e}");
        }
    }

    fn check(cell: &Cell, expected: Option<f64>, error: f64) {
        match (cell, expected) {
            (Cell::Null, None) => {}
            (Cell::Float(number), Some(expected)) => {
                let off = (number - expected).abs();
                let near = expected.is_finite() && off <= error * expected.abs();
                let same = number.to_bits() == expected.to_bits();
                assert!(near || same, "{number:e} {expected:e} {}", off / expected.abs());
            }
            _ => panic!("{cell:?} {expected:?}"),
        }
    }

    fn numbers() -> impl Strategy<Value = Cell> {
        prop_oneof![
            8 => (-300.0..300.0_f64, any::<bool>()).prop_map(|(power, negative)| {
                let number = 10_f64.powf(power);
                Cell::Float(if negative { -number } else { number })
            }),
            8 => (1..2_000_u32).prop_map(|number| Cell::Float(f64::from(number) / 100.0)),
            4 => (-100..100_i64).prop_map(|number| Cell::Int(number.into())),
            1 => any::<i64>().prop_map(|number| Cell::Int(number.into())),
            1 => any::<f64>().prop_filter("all digits", |number| !number.is_subnormal())
                .prop_map(Cell::Float),
            1 => prop::sample::select(vec![
                f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, f64::MAX, f64::MIN,
                f64::MIN_POSITIVE, 5e-324, -5e-324,
            ]).prop_map(Cell::Float),
            1 => Just(Cell::Null),
        ]
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn quantiles_of_the_window_are_within_the_error(
            panes in panes(numbers(), 60), length in 1..12_i64,
            thousandths in prop_oneof![
                0..=1000_u32, prop::sample::select(vec![0, 500, 990, 1000]),
            ],
            error in prop::sample::select(&ERRORS[..]),
        ) {
            let sketch = Quantile::new(error);
            let spec = spec_of("quantile", f64::from(thousandths) / 1000.0, error);
            slide(&sketch, &scope(&spec, Kind::Float), &panes, length, |cell, values| {
                check_window(cell, oracle(values, thousandths as usize), error);
            });
        }

        #[test]
        fn all_buckets_of_many_numbers_are_added_and_removed(
            spread in prop::sample::select(vec![0.000_1_f64, 0.01, 1.0, 300.0]),
            start in -1.0..1.0_f64, count in 1..6_000_u32, negative: bool,
        ) {
            let sketch = Quantile::new(0.01);
            let values: Vec<_> = (0..count)
                .map(|place| 10_f64.powf(start + spread * f64::from(place) / f64::from(count)))
                .map(|number| Cell::Float(if negative { -number } else { number }))
                .collect();
            let (removed, kept) = values.split_at(values.len() / 3);
            let counts = |values| partial_of(&sketch, values).counts;
            let bytes = |counts: &Counts| {
                bytes_of(&sketch, &Partial { counts: counts.clone(), ..Partial::default() })
            };
            let mut total = counts(kept);
            total.merge(&counts(removed));
            total.subtract(&counts(removed));
            prop_assert_eq!(bytes(&total), bytes(&counts(kept)));
            total.subtract(&counts(kept));
            prop_assert!(matches!(&total.buckets, Buckets::Few(pairs) if pairs.is_empty()));
            prop_assert_eq!(total.values, 0);
        }

        #[test]
        fn ranks_are_those_of_decimals(
            digits in 0..=17_u32, number: u64, values in 1..=u64::MAX / 2, small in 1..5_000_u64,
        ) {
            let number = number % (10_u64.pow(digits) + 1);
            let quantile: f64 = format!("{number}e-{digits}").parse().unwrap();
            // Only the shortest digits of a float are those that were written.
            prop_assume!(digits < 16);
            for values in [small, values] {
                let exact = u128::from(number) * u128::from(values);
                let exact = exact.div_ceil(10_u128.pow(digits)).max(1);
                prop_assert_eq!(u128::from(rank(quantile, values)), exact, "{} {}", quantile, values);
            }
        }

        #[test]
        fn a_number_is_close_to_its_bucket(
            bits: u64, error in prop::sample::select(&ERRORS[..]),
        ) {
            let sketch = Quantile::new(error);
            let number = f64::from_bits(bits);
            if number.is_normal() {
                let result = sketch.number(sketch.bucket(number).unwrap());
                check(&Cell::Float(result), Some(number), error);
            }
        }

        #[test]
        fn buckets_have_the_order_of_numbers(
            one: f64, other: f64, error in prop::sample::select(&ERRORS[..]),
        ) {
            let sketch = Quantile::new(error);
            let (one, other) = if one <= other { (one, other) } else { (other, one) };
            prop_assert!(sketch.bucket(one) <= sketch.bucket(other) || one.is_nan() || other.is_nan());
            let next = one.next_up();
            prop_assert!(sketch.bucket(one) <= sketch.bucket(next) || next.is_nan());
        }

        #[test]
        fn merging_is_commutative_and_associative(
            groups in prop::collection::vec(prop::collection::vec(numbers(), 0..300), 0..6),
        ) {
            merges_in_any_order(&Quantile::new(0.001), &groups);
        }

        #[test]
        fn invalid_bytes_are_detected(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
            values in prop::collection::vec(numbers(), 0..20),
            changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4),
        ) {
            let sketch = Quantile::new(0.01);
            survives_changes(&sketch, &values, &changes);
            decodes_only_what_is_encoded(&sketch, &bytes);
            let marked = [&sketch.mark()[..], &bytes].concat();
            decodes_only_what_is_encoded(&sketch, &marked);
        }
    }

    #[test]
    fn counts_above_32_bits_are_correct() {
        let sketch = Quantile::new(0.01);
        let mut partial =
            partial_of(&sketch, &[Cell::Float(1.0), Cell::Float(2.0), Cell::Float(2.0)]);
        for _ in 0..40 {
            let twice = partial.clone();
            sketch.merge(&mut partial, &twice);
        }
        assert_eq!(partial.counts.values, 3 << 40);
        let spec = spec_of("quantile", 0.33, 0.01);
        check(&sketch.emit_partial(&partial, &scope(&spec, Kind::Float)), Some(1.0), 0.01);
        let spec = spec_of("quantile", 0.34, 0.01);
        check(&sketch.emit_partial(&partial, &scope(&spec, Kind::Float)), Some(2.0), 0.01);
        let bytes = bytes_of(&sketch, &partial);
        let read = sketch.decode(&mut bytes.as_slice()).unwrap();
        assert_eq!(bytes_of(&sketch, &read), bytes);
    }

    #[test]
    fn bounds_are_exact_and_leave_with_their_pane() {
        let sketch = Quantile::new(0.01);
        let spec = |quantile| spec_of("quantile", quantile, 0.01);
        let emit = |values: &[Cell], quantile| {
            sketch.emit_partial(&partial_of(&sketch, values), &scope(&spec(quantile), Kind::Float))
        };
        assert_eq!(emit(&[Cell::Float(21.5), Cell::Float(24.0)], 0.95), Cell::Float(24.0));
        let fifty: Vec<_> = (1..=50).map(Cell::Int).collect();
        assert_eq!(emit(&fifty, 0.99), Cell::Float(50.0));
        assert_eq!(emit(&fifty, 0.0), Cell::Float(1.0));
        let mut total = Total::default();
        for (pane, number) in [(1, 30.0), (2, 20.0), (3, 21.0)] {
            sketch.enter(&mut total, &partial_of(&sketch, &[Cell::Float(number)]), pane);
        }
        assert_eq!(sketch.emit(&total, &scope(&spec(1.0), Kind::Float)), Cell::Float(30.0));
        sketch.leave(&mut total, &partial_of(&sketch, &[Cell::Float(30.0)]), 1);
        assert_eq!(sketch.emit(&total, &scope(&spec(1.0), Kind::Float)), Cell::Float(21.0));
        assert_eq!(size_of::<Partial>(), 56);
        assert_eq!(size_of::<Total>(), 88);
    }

    #[test]
    fn the_smallest_error_has_buckets_for_all_floats() {
        let sketch = Quantile::new(0.0);
        assert_eq!(sketch.mark(), Quantile::new(0.01).mark());
        let sketch = Quantile::new(1e-300);
        let last = sketch.bucket(f64::MAX).unwrap();
        assert!(last < INFINITE / 2 && sketch.has(last) && !sketch.has(last + 1));
        for number in [f64::MAX, f64::MIN_POSITIVE, 1.0, -1.0, 1.5] {
            check(&Cell::Float(sketch.number(sketch.bucket(number).unwrap())), Some(number), 1e-6);
        }
    }
}
