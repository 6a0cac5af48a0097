//! Integers and floats in one order.

use std::cmp::Ordering;

use super::Cell;
use crate::ground::int_to_float;
use crate::ground::{Kind, Value};
use crate::windows::varint::take;

/// A number as it was read. A field that has held only integers may later hold floats. Both are
/// then compared exactly.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Int(i64),
    /// Above all others of 64 bits.
    Large(u64),
    Float(f64),
}

impl Number {
    /// Returns the number of a value; for a time, its microseconds.
    pub(super) fn of(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Int(number) | Value::Time(number) => Some(Self::Int(number)),
            Value::Large(number) => Some(Self::Large(number)),
            Value::Float(number) => Some(Self::Float(number)),
            Value::Null | Value::Text(_) | Value::Json(_) => None,
        }
    }

    /// Compares by value, with NaN above all others. An integer comes before an equal float, so
    /// that the result does not depend on which of them arrived first.
    pub(super) fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Int(one), Self::Int(other)) => one.cmp(&other),
            (Self::Large(one), Self::Large(other)) => one.cmp(&other),
            (Self::Int(_), Self::Large(_)) => Ordering::Less,
            (Self::Large(_), Self::Int(_)) => Ordering::Greater,
            (Self::Large(one), Self::Float(other)) => large_before_float(one, other),
            (Self::Float(one), Self::Large(other)) => large_before_float(other, one).reverse(),
            (Self::Float(one), Self::Float(other)) => {
                one.is_nan().cmp(&other.is_nan()).then(one.total_cmp(&other))
            }
            (Self::Int(one), Self::Float(other)) => int_before_float(one, other),
            (Self::Float(one), Self::Int(other)) => int_before_float(other, one).reverse(),
        }
    }

    /// Converts the number to a cell of a field of this kind.
    pub(super) fn cell(self, kind: Kind) -> Cell {
        match (self, kind) {
            #[expect(clippy::cast_precision_loss, reason = "the result is the nearest float")]
            (Self::Int(number), Kind::Float) => Cell::Float(number as f64),
            #[expect(clippy::cast_precision_loss, reason = "as above")]
            (Self::Large(number), Kind::Float) => Cell::Float(number as f64),
            (Self::Large(number), _) => Cell::Int(number.into()),
            (Self::Int(number), Kind::Time) => Cell::Time(number),
            (Self::Int(number), _) => Cell::Int(number.into()),
            (Self::Float(number), _) => Cell::Float(number),
        }
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        let (tag, bytes) = match self {
            Self::Int(number) => (0, number.to_le_bytes()),
            Self::Float(number) => (1, number.to_le_bytes()),
            Self::Large(number) => (2, number.to_le_bytes()),
        };
        out.push(tag);
        out.extend_from_slice(&bytes);
    }

    pub(super) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        match take(bytes)? {
            [0] => Some(Self::Int(i64::from_le_bytes(take(bytes)?))),
            [1] => Some(Self::Float(f64::from_le_bytes(take(bytes)?))),
            [2] => Some(Self::Large(u64::from_le_bytes(take(bytes)?)))
                .filter(|number| matches!(number, Self::Large(LARGE..))),
            _ => None,
        }
    }
}

/// The first integer of 64 bits that is not a signed one.
const LARGE: u64 = 1 << 63;

fn large_before_float(whole: u64, float: f64) -> Ordering {
    const END: f64 = 18_446_744_073_709_551_616.0;
    if float.is_nan() || float >= END {
        return Ordering::Less;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "floats of this size have no fraction, and smaller ones are below all of these"
    )]
    let other = float.max(0.0) as u64;
    whole.cmp(&other).then(Ordering::Less)
}

fn int_before_float(whole: i64, float: f64) -> Ordering {
    if float.is_nan() {
        return Ordering::Less;
    }
    int_to_float(whole, float).then(Ordering::Less)
}

#[cfg(test)]
mod tests {
    use super::Number::{Float, Int, Large};

    #[test]
    fn integers_and_floats_have_one_order() {
        let sorted = [
            Float(f64::NEG_INFINITY),
            Float(f64::MIN),
            Int(i64::MIN),
            Float(-9_223_372_036_854_775_808.0),
            Int(i64::MIN + 1),
            Float(-1.5),
            Int(-1),
            Float(-1.0),
            Float(-5e-324),
            Int(0),
            Float(-0.0),
            Float(0.0),
            Float(5e-324),
            Int(9_007_199_254_740_992),
            Float(9_007_199_254_740_992.0),
            Int(9_007_199_254_740_993),
            Float(9_007_199_254_740_994.0),
            Int(i64::MAX),
            Large(1 << 63),
            Float(9_223_372_036_854_775_808.0),
            Large((1 << 63) + 1),
            Large(u64::MAX - 2047),
            Float(18_446_744_073_709_549_568.0),
            Large(u64::MAX),
            Float(18_446_744_073_709_551_616.0),
            Float(f64::INFINITY),
            Float(-f64::NAN),
            Float(f64::NAN),
        ];
        for (place, &one) in sorted.iter().enumerate() {
            for (other_place, &other) in sorted.iter().enumerate() {
                if !matches!((one, other), (Float(a), Float(b)) if a.is_nan() && b.is_nan()) {
                    assert_eq!(one.order(other), place.cmp(&other_place), "{one:?} {other:?}");
                }
            }
        }
    }
}
