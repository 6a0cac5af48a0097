//! Values of fields and their kinds.

use std::cmp::Ordering;

use super::number::{self, Number};

/// Microseconds in a second, the unit of all times in the core.
pub const SECOND: i64 = 1_000_000;

/// The largest distance of a time from the epoch, in microseconds: years 1684 to 2255.
///
/// Within this range, seconds as a float are exact to the microsecond, and windows of any length
/// end in a year that calendars support. A log time beyond it is invalid.
pub const MAX_TIME: i64 = 9_000_000_000_000_000;

/// The type of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `Value::Text`.
    Text,
    /// `Value::Int` and `Value::Large`.
    Int,
    /// `Value::Float`.
    Float,
    /// `Value::Time`.
    Time,
    /// Of each value its own: the keys of JSON, LTSV and logfmt lines.
    Any,
}

impl Kind {
    /// Returns the kind's name for display.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "int",
            Self::Float => "float",
            Self::Time => "time",
            Self::Any => "any",
        }
    }
}

/// A typed value of a field, borrowed from the line or from a decode buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// There is no value.
    Null,
    /// Text, possibly not UTF-8.
    Text(&'a [u8]),
    /// An integer.
    Int(i64),
    /// An integer above `i64::MAX`.
    Large(u64),
    /// A float, never infinite and never NaN.
    Float(f64),
    /// Microseconds since the epoch.
    Time(i64),
    /// The JSON text of a value that is none of these: `true`, `false`, an object, an array, or a
    /// number with more digits than an integer or a float of 64 bits keeps.
    Json(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The value of a JSON number.
    pub(crate) fn of_json_number(token: &'a [u8]) -> Self {
        match number::exact(token) {
            Some(Number::Int(number)) => Self::Int(number),
            Some(Number::Float(number)) => Self::Float(number),
            None => Self::Json(token),
        }
    }

    /// Returns the nearest number if it is text that is one, else the value itself.
    pub(crate) fn or_number(self) -> Self {
        match self {
            Self::Text(text) | Self::Json(text) => match number::nearest(text) {
                Some(Number::Int(number)) => Self::Int(number),
                Some(Number::Float(number)) => Self::Float(number),
                None => self,
            },
            value => value,
        }
    }
}

impl Value<'_> {
    /// Returns the kind of the value; `None` for null.
    pub fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Null => return None,
            Self::Text(_) => Kind::Text,
            Self::Int(_) | Self::Large(_) => Kind::Int,
            Self::Float(_) => Kind::Float,
            Self::Time(_) => Kind::Time,
            Self::Json(_) => Kind::Any,
        })
    }

    /// Returns an integer, if it has at most 64 bits.
    pub fn integer(number: i128) -> Option<Self> {
        let large = |_| u64::try_from(number).map(Self::Large);
        i64::try_from(number).map(Self::Int).or_else(large).ok()
    }
}

/// Returns the text form of a UUID, empty if there are not 16 bytes.
pub fn uuid_text(bytes: &[u8]) -> String {
    let Ok(bytes) = bytes.try_into() else { return String::new() };
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
    parts.join("-")
}

/// Compares exactly. Converting a large integer to a float would lose digits.
pub(crate) fn int_to_float(whole: i64, float: f64) -> Ordering {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if float >= END {
        return Ordering::Less;
    }
    if float < -END {
        return Ordering::Greater;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the fraction is compared separately")]
    let other = float.trunc() as i64;
    let fraction = 0.0.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal);
    whole.cmp(&other).then(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_have_the_text_of_rfc_9562() {
        let bytes = 0xf81d_4fae_7dec_11d0_a765_00a0_c91e_6bf6_u128.to_be_bytes();
        assert_eq!(uuid_text(&bytes), "f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
        assert_eq!(uuid_text(&bytes[1..]), "");
    }

    #[test]
    fn integers_and_floats_are_compared_exactly() {
        let large = 9_007_199_254_740_993; // 2^53 + 1 is not a float.
        assert_eq!(int_to_float(large, 9_007_199_254_740_992.0), Ordering::Greater);
        assert_eq!(int_to_float(large, 9_007_199_254_740_994.0), Ordering::Less);
        for (whole, float, order) in [
            (0, 0.0, Ordering::Equal),
            (0, -0.0, Ordering::Equal),
            (0, 0.5, Ordering::Less),
            (0, -0.5, Ordering::Greater),
            (-1, -0.5, Ordering::Less),
            (-1, -1.5, Ordering::Greater),
            (i64::MAX, 1e19, Ordering::Less),
            (i64::MIN, -1e19, Ordering::Greater),
            (i64::MIN, -9_223_372_036_854_775_808.0, Ordering::Equal),
        ] {
            assert_eq!(int_to_float(whole, float), order, "{whole} to {float}");
        }
    }
}
