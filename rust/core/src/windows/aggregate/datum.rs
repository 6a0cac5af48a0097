//! Values as aggregates compare them, with an encoding and a hash that is the same everywhere.

use std::cmp::Ordering;

use super::Cell;
use super::number::Number;
use crate::ground::{Kind, Value};
use crate::windows::varint::{get_signed, get_varint, put_signed, put_varint, take};

/// A value to be counted. The integer 1 and the float 1.0 are the same datum, the text `1` is
/// another. The two zeros are the same, and so are all NaNs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Datum<'a> {
    Int(i64),
    /// An integer above `i64::MAX`.
    Large(u64),
    /// The bits of a float that is not an integer of 64 bits.
    Float(u64),
    Time(i64),
    Text(&'a [u8]),
}

const INT: u64 = 0;
const FLOAT: u64 = 1;
const TIME: u64 = 2;
const TEXT: u64 = 3;
/// A tag of integers that a length cannot have.
const LARGE: u64 = INT | 4;

impl<'a> Datum<'a> {
    /// Returns the datum of a value; `None` for null.
    #[inline]
    pub(super) fn of(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Text(text) | Value::Json(text) => Some(Self::Text(text)),
            Value::Int(number) => Some(Self::Int(number)),
            Value::Large(number) => Some(Self::Large(number)),
            Value::Float(number) => Some(Self::of_float(number)),
            Value::Time(time) => Some(Self::Time(time)),
        }
    }

    fn of_float(number: f64) -> Self {
        // The first float above all integers of 64 bits.
        const ABOVE: f64 = 9_223_372_036_854_775_808.0;
        if number.is_nan() {
            return Self::Float(f64::NAN.to_bits());
        }
        #[expect(clippy::float_cmp, reason = "exact test for a fraction")]
        let whole = number.trunc() == number;
        if whole && (-ABOVE..ABOVE).contains(&number) {
            #[expect(clippy::cast_possible_truncation, reason = "it is integral and in range")]
            return Self::Int(number as i64);
        }
        if whole && (ABOVE..2.0 * ABOVE).contains(&number) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is integral and in range"
            )]
            return Self::Large(number as u64);
        }
        Self::Float(number.to_bits())
    }

    /// Converts to a cell of a field of this kind.
    pub(super) fn cell(self, kind: Kind) -> Cell {
        match self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "in a field of this kind it was a float"
            )]
            Self::Int(number) if kind == Kind::Float => Cell::Float(number as f64),
            Self::Int(number) => Cell::Int(number.into()),
            #[expect(clippy::cast_precision_loss, reason = "as above")]
            Self::Large(number) if kind == Kind::Float => Cell::Float(number as f64),
            Self::Large(number) => Cell::Int(number.into()),
            Self::Float(bits) => Cell::Float(f64::from_bits(bits)),
            Self::Time(time) => Cell::Time(time),
            Self::Text(text) => Cell::Text(text.into()),
        }
    }

    /// Compares two data. Everything else sorts after numbers.
    pub(super) fn compare(self, other: Self) -> Ordering {
        match (self.number(), other.number()) {
            (Some(one), Some(other)) => one.order(other),
            _ => self.cmp(&other),
        }
    }

    fn number(self) -> Option<Number> {
        match self {
            Self::Int(number) => Some(Number::Int(number)),
            Self::Large(number) => Some(Number::Large(number)),
            Self::Float(bits) => Some(Number::Float(f64::from_bits(bits))),
            Self::Time(_) | Self::Text(_) => None,
        }
    }

    /// Returns a hash that must never change, because it is part of the encoding. It spreads well,
    /// but whoever knows it can construct collisions.
    #[inline]
    pub(super) fn hash(self) -> u64 {
        match self {
            Self::Int(number) => finish(fold(number.cast_unsigned() ^ SEED, SEED) ^ INT),
            Self::Large(number) => finish(fold(number ^ SEED, SEED) ^ LARGE),
            Self::Float(bits) => finish(fold(bits ^ SEED, SEED) ^ FLOAT),
            Self::Time(time) => finish(fold(time.cast_unsigned() ^ SEED, SEED) ^ TIME),
            Self::Text(text) => hash_text(text),
        }
    }

    /// Encodes a tag, which includes the length of a text, and then the value.
    #[inline]
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        match self {
            Self::Int(number) => {
                put_varint(out, INT);
                put_signed(out, number);
            }
            Self::Large(number) => {
                put_varint(out, LARGE);
                out.extend_from_slice(&number.to_le_bytes());
            }
            Self::Float(bits) => {
                put_varint(out, FLOAT);
                out.extend_from_slice(&bits.to_le_bytes());
            }
            Self::Time(time) => {
                put_varint(out, TIME);
                put_signed(out, time);
            }
            Self::Text(text) => {
                put_varint(out, (text.len() as u64) << 2 | TEXT);
                out.extend_from_slice(text);
            }
        }
    }

    /// Decodes a datum from the front; `None` if the bytes are not what [`Datum::encode`] writes.
    #[inline]
    pub(super) fn decode(bytes: &mut &'a [u8]) -> Option<Self> {
        let head = get_varint(bytes)?;
        match head & 3 {
            INT if head == INT => Some(Self::Int(get_signed(bytes)?)),
            INT if head == LARGE => Some(Self::Large(u64::from_le_bytes(take(bytes)?)))
                .filter(|datum| datum.is_canonical()),
            TIME if head == TIME => Some(Self::Time(get_signed(bytes)?)),
            FLOAT if head == FLOAT => Some(Self::Float(u64::from_le_bytes(take(bytes)?)))
                .filter(|datum| datum.is_canonical()),
            TEXT => {
                let (text, rest) = bytes.split_at_checked(usize::try_from(head >> 2).ok()?)?;
                *bytes = rest;
                Some(Self::Text(text))
            }
            _ => None,
        }
    }

    /// Whether no other datum is equal to this float or integer.
    fn is_canonical(self) -> bool {
        match self {
            Self::Float(bits) => Self::of_float(f64::from_bits(bits)) == self,
            Self::Large(number) => i64::try_from(number).is_err(),
            _ => true,
        }
    }
}

/// An odd constant with irregular bits.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// A second one.
const STEP: u64 = 0xd6e8_feb8_6659_fd93;

/// Folds a product in half, which spreads every bit in both directions.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the two halves")]
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

/// Makes every bit depend on every other, like the last step of `MurmurHash3`.
#[inline]
fn finish(mut hash: u64) -> u64 {
    hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

#[inline]
pub(super) fn hash_text(text: &[u8]) -> u64 {
    let mut hash = (text.len() as u64).wrapping_mul(SEED) ^ TEXT;
    let (words, rest) = text.as_chunks::<8>();
    for word in words {
        hash = fold(hash ^ u64::from_le_bytes(*word), STEP).wrapping_add(SEED);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    finish(fold(hash ^ u64::from_le_bytes(last), STEP))
}

/// Compares aggregates with an oracle.
#[cfg(test)]
pub(super) mod testing {
    use std::collections::VecDeque;
    use std::fmt::Debug;

    use proptest::prelude::*;

    use super::super::{Aggregate, AggregateSpec, Cell, Input, Scope, Windowed};
    use crate::ground::{Kind, Value};

    /// The distance to the previous pane, the values, and how the partial is assembled.
    pub(crate) type Pane = (i64, Vec<Cell>, u8);

    /// Generates panes of these values, with gaps and empty panes.
    pub(crate) fn panes(
        value: impl Strategy<Value = Cell> + 'static,
        most: usize,
    ) -> impl Strategy<Value = Vec<Pane>> {
        let gap = prop_oneof![4 => Just(1_i64), 2 => 1..4_i64, 1 => 1..20_i64];
        prop::collection::vec((gap, prop::collection::vec(value, 0..most), any::<u8>()), 0..25)
    }

    pub(crate) fn spec_of(function: &str, number: f64, error: f64) -> AggregateSpec {
        let (name, fields) = ("x".to_owned(), vec!["x".to_owned()]);
        AggregateSpec { name, function: function.to_owned(), fields, number, error }
    }

    pub(crate) fn scope(spec: &AggregateSpec, kind: Kind) -> Scope<'_> {
        Scope { spec, kind, seconds: 1.0, count: 1, whole: None }
    }

    pub(crate) fn value_of(cell: &Cell) -> Value<'_> {
        match cell {
            Cell::Int(number) => Value::integer(*number).unwrap(),
            Cell::Float(number) => Value::Float(*number),
            Cell::Time(time) => Value::Time(*time),
            Cell::Text(text) => Value::Text(text),
            Cell::Null | Cell::List(_) | Cell::Flag(_) => Value::Null,
        }
    }

    pub(crate) fn partial_of<A: Aggregate>(aggregate: &A, values: &[Cell]) -> A::Partial {
        let mut partial = A::Partial::default();
        for value in values {
            let input = Input { value: value_of(value), second: Value::Null, time: None };
            aggregate.add(&mut partial, &input);
        }
        partial
    }

    pub(crate) fn bytes_of<A: Aggregate>(aggregate: &A, partial: &A::Partial) -> Vec<u8> {
        let mut bytes = Vec::new();
        aggregate.encode(partial, &mut bytes);
        bytes
    }

    /// Slides a window of `length` panes and checks each result against the values of the window,
    /// and the result since the start against all values.
    pub(crate) fn slide<A: Windowed>(
        aggregate: &A,
        scope: &Scope<'_>,
        panes: &[Pane],
        length: i64,
        check: impl Fn(&Cell, &[Cell]),
    ) {
        let mut total = A::Total::default();
        let mut held: VecDeque<(i64, Vec<Cell>, A::Partial)> = VecDeque::new();
        let (mut all, mut since_start) = (Vec::new(), A::Partial::default());
        let mut now = -7;
        for (gap, values, how) in panes {
            now += gap;
            let partial = assemble(aggregate, values, *how);
            if how & 4 == 0 {
                expire(aggregate, &mut total, &mut held, now - length);
            }
            if !values.is_empty() {
                aggregate.enter(&mut total, &partial, now);
                aggregate.merge(&mut since_start, &partial);
                held.push_back((now, values.clone(), partial));
                all.extend_from_slice(values);
            }
            expire(aggregate, &mut total, &mut held, now - length);
            let window: Vec<_> = held.iter().flat_map(|(_, values, _)| values.clone()).collect();
            check(&aggregate.emit(&total, scope), &window);
            check(&aggregate.emit_partial(&since_start, scope), &all);
        }
        expire(aggregate, &mut total, &mut held, now);
        check(&aggregate.emit(&total, scope), &[]);
    }

    /// Merges two partials in either order, one of them encoded and decoded.
    fn assemble<A: Aggregate>(aggregate: &A, values: &[Cell], how: u8) -> A::Partial {
        let (one, other) = values.split_at(values.len() * usize::from(how) / 256);
        let (one, other) = (partial_of(aggregate, one), partial_of(aggregate, other));
        let bytes = bytes_of(aggregate, &one);
        let read = aggregate.decode(&mut bytes.as_slice()).unwrap();
        let (mut into, from) = if how & 1 == 0 { (read, other) } else { (other, read) };
        aggregate.merge(&mut into, &from);
        into
    }

    fn expire<A: Windowed>(
        aggregate: &A,
        total: &mut A::Total,
        held: &mut VecDeque<(i64, Vec<Cell>, A::Partial)>,
        last: i64,
    ) {
        while held.front().is_some_and(|(number, ..)| *number <= last) {
            let (number, _, partial) = held.pop_front().unwrap();
            aggregate.leave(total, &partial, number);
        }
    }

    /// Checks that the encoding does not depend on how values are grouped and in which order the
    /// partials merge, and that it decodes to the same partial.
    pub(crate) fn merges_in_any_order<A: Aggregate>(aggregate: &A, groups: &[Vec<Cell>]) {
        let whole = partial_of(aggregate, &groups.concat());
        let partials: Vec<_> = groups.iter().map(|values| partial_of(aggregate, values)).collect();
        let mut forth = A::Partial::default();
        for partial in &partials {
            aggregate.merge(&mut forth, partial);
        }
        let mut back = A::Partial::default();
        for partial in partials.iter().rev() {
            aggregate.merge(&mut back, partial);
        }
        let bytes = bytes_of(aggregate, &whole);
        assert_eq!(bytes, bytes_of(aggregate, &forth));
        assert_eq!(bytes, bytes_of(aggregate, &back));
        decodes_only_what_is_encoded(aggregate, &bytes);
        for len in 0..bytes.len().min(200) {
            assert!(aggregate.decode(&mut &bytes[..len]).is_none(), "cut to {len}");
        }
    }

    /// Checks that bytes which decode encode to the same bytes again.
    pub(crate) fn decodes_only_what_is_encoded<A: Aggregate>(aggregate: &A, bytes: &[u8])
    where
        A::Partial: Debug,
    {
        let mut rest = bytes;
        let Some(partial) = aggregate.decode(&mut rest) else { return };
        let read = &bytes[..bytes.len() - rest.len()];
        assert_eq!(bytes_of(aggregate, &partial), read);
    }

    /// Decodes an encoded partial with some bytes changed.
    pub(crate) fn survives_changes<A: Aggregate>(
        aggregate: &A,
        values: &[Cell],
        changes: &[(prop::sample::Index, u8)],
    ) {
        let mut bytes = bytes_of(aggregate, &partial_of(aggregate, values));
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
        decodes_only_what_is_encoded(aggregate, &bytes);
    }

    /// Values of all kinds, with many repetitions.
    pub(crate) fn mixed() -> impl Strategy<Value = Cell> {
        prop_oneof![
            1 => Just(Cell::Null),
            4 => (-4..40_i64).prop_map(|number| Cell::Int(number.into())),
            1 => any::<i64>().prop_map(|number| Cell::Int(number.into())),
            1 => any::<u64>().prop_map(|number| Cell::Int(number.into())),
            3 => (-4..40_i32).prop_map(|number| Cell::Float(f64::from(number) / 2.0)),
            1 => any::<f64>().prop_map(Cell::Float),
            1 => prop::sample::select(vec![
                f64::NAN, -f64::NAN, 0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 1.0, 5e-324,
                9_223_372_036_854_775_808.0, -9_223_372_036_854_775_808.0, 1e300,
            ]).prop_map(Cell::Float),
            2 => (-3..3_i64).prop_map(Cell::Time),
            4 => "[0-3]{0,2}".prop_map(|text| Cell::Text(text.into_bytes().into())),
            1 => prop::collection::vec(any::<u8>(), 0..300)
                .prop_map(|text| Cell::Text(text.into())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn datum(value: Value<'_>) -> Datum<'_> {
        Datum::of(value).unwrap()
    }

    #[test]
    fn equal_values_are_one_datum() {
        assert_eq!(datum(Value::Int(1)), datum(Value::Float(1.0)));
        assert_eq!(datum(Value::Float(0.0)), datum(Value::Float(-0.0)));
        assert_eq!(datum(Value::Float(f64::NAN)), datum(Value::Float(-f64::NAN)));
        assert_ne!(datum(Value::Int(1)), datum(Value::Text(b"1")));
        assert_ne!(datum(Value::Int(1)), datum(Value::Time(1)));
        assert_ne!(datum(Value::Float(1.5)), datum(Value::Int(1)));
        let above = datum(Value::Float(9_223_372_036_854_775_808.0));
        assert_ne!(above, datum(Value::Int(i64::MAX)));
        assert_eq!(datum(Value::Int(i64::MAX)).compare(above), Ordering::Less);
        assert_eq!(datum(Value::Large(1 << 63)), above);
        assert_ne!(
            datum(Value::Large(u64::MAX)),
            datum(Value::Float(18_446_744_073_709_551_616.0))
        );
        assert!(Datum::of(Value::Null).is_none());
    }

    #[test]
    fn hashes_never_change() {
        let hashes = [
            datum(Value::Int(0)),
            datum(Value::Int(-1)),
            datum(Value::Float(0.5)),
            datum(Value::Time(0)),
            datum(Value::Text(b"")),
            datum(Value::Text(b"/index.html")),
        ]
        .map(Datum::hash);
        let expected = [
            18_294_939_719_463_855_128,
            12_372_494_987_763_252_548,
            2_062_761_412_917_018_716,
            18_438_538_676_088_416_704,
            14_023_623_833_982_125_558,
            6_462_882_718_585_068_781,
        ];
        assert_eq!(hashes, expected);
    }

    #[test]
    fn a_changed_bit_changes_half_of_the_hash() {
        let values: Vec<[u8; 12]> = (0..400_u64)
            .map(|seed| {
                let word = finish(seed + 1).to_le_bytes();
                std::array::from_fn(|place| word[place % 8] ^ u8::try_from(place).unwrap())
            })
            .collect();
        for bit in 0..96 {
            let mut changed = [0_u32; 64];
            for value in &values {
                let mut other = *value;
                other[bit / 8] ^= 1 << (bit % 8);
                let difference = hash_text(value) ^ hash_text(&other);
                (0..64).for_each(|place| {
                    changed[place] += u32::from(difference >> place & 1 == 1);
                });
            }
            // Half of 400, within five standard deviations.
            assert!(changed.iter().all(|count| (150..250).contains(count)), "{bit}: {changed:?}");
        }
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn integers_and_floats_have_one_order(one: i64, other: f64) {
            let order = datum(Value::Int(one)).compare(datum(Value::Float(other)));
            let cut = other.floor();
            let expected = if other.is_nan() || cut >= 9_223_372_036_854_775_808.0 {
                Ordering::Less
            } else if cut < -9_223_372_036_854_775_808.0 {
                Ordering::Greater
            } else {
                #[expect(clippy::cast_possible_truncation, reason = "it is integral and in range")]
                one.cmp(&(cut as i64)).then(cut.partial_cmp(&other).unwrap())
            };
            prop_assert_eq!(order, expected);
        }
    }
}
