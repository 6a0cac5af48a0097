//! Columns of input values: keys and values of events, or a table to import.
//!
//! The caller provides arrays of values ([`InputArray`]). This module determines their type, checks
//! it against earlier columns, and converts times.

use std::ops::Range;

use super::export::{SeenKind, merged_kind, name_of};
use crate::ground::{InputError, Kind, MAX_TIME, SECOND, Value};

/// An array of values.
pub trait InputArray {
    /// Returns the number of values.
    fn rows(&self) -> usize;

    /// Returns the value of a row.
    fn value(&self, row: usize) -> Value<'_>;

    /// Returns a range of rows, if the array is UTF-8 text without nulls.
    fn texts(&self, rows: Range<usize>) -> Option<impl Iterator<Item = &[u8]>>;
}

/// A column of values, in one or more arrays.
#[derive(Debug)]
pub struct InputColumn<P> {
    arrays: Vec<P>,
    rows: usize,
    kind: SeenKind,
}

impl<P: InputArray> InputColumn<P> {
    /// Creates a column of values of this kind.
    pub fn new(arrays: Vec<P>, kind: SeenKind) -> Self {
        let rows = arrays.iter().map(InputArray::rows).sum();
        Self { arrays, rows, kind }
    }

    /// Returns the number of values.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the array that contains a row, and the row's index in it.
    fn locate(&self, start: usize) -> Option<(&P, usize)> {
        let mut row = start;
        for array in &self.arrays {
            if row < array.rows() {
                return Some((array, row));
            }
            row -= array.rows();
        }
        None
    }

    /// Converts each row to microseconds since the epoch, from times or seconds.
    pub(crate) fn times(&self) -> Result<Vec<i64>, InputError> {
        let mut times = Vec::with_capacity(self.rows);
        for array in &self.arrays {
            for row in 0..array.rows() {
                let index = times.len();
                let time = match array.value(row) {
                    Value::Time(time) => Some(time),
                    Value::Int(seconds) => seconds.checked_mul(SECOND),
                    Value::Large(_) => None,
                    Value::Float(seconds) if seconds.is_nan() => {
                        return Err(InputError::missing_time(index));
                    }
                    Value::Float(seconds) => Some(micros_of(seconds)),
                    Value::Null => return Err(InputError::missing_time(index)),
                    Value::Text(_) | Value::Json(_) => {
                        return Err(InputError::not_a_time(index, "text"));
                    }
                };
                let time = time.filter(|time| time.unsigned_abs() <= MAX_TIME.unsigned_abs());
                let time = time.ok_or_else(|| time_out_of_range(index, array.value(row)))?;
                times.push(time);
            }
        }
        Ok(times)
    }

    /// Returns the kind of its values, if it has one.
    pub(crate) fn kind(&self) -> SeenKind {
        self.kind
    }

    /// Returns each value that is not null, if they are lines.
    pub(crate) fn lines(&self) -> Result<Vec<&[u8]>, InputError> {
        if let Some((kind, _)) = self.kind.filter(|kind| kind.0 != Kind::Text) {
            let message = format!("lines: expected text or bytes, found {}", kind.name());
            return Err(InputError::Type(message));
        }
        let mut lines = Vec::with_capacity(self.rows);
        for array in &self.arrays {
            if let Some(texts) = array.texts(0..array.rows()) {
                lines.extend(texts);
                continue;
            }
            for row in 0..array.rows() {
                if let Value::Text(line) = array.value(row) {
                    lines.push(line);
                }
            }
        }
        Ok(lines)
    }

    /// Returns a range of rows, if the column is one array of UTF-8 text without nulls.
    pub(crate) fn texts(&self, rows: Range<usize>) -> Option<impl Iterator<Item = &[u8]>> {
        if let [array] = &self.arrays[..] { array.texts(rows) } else { None }
    }
}

/// Calls `take` with each row of several columns of the same length.
pub(crate) fn for_each<'a, P: InputArray>(
    columns: &[&'a InputColumn<P>],
    rows: Range<usize>,
    mut take: impl FnMut(usize, &[Value<'a>]),
) {
    let mut row = rows.start;
    let mut values = vec![Value::Null; columns.len()];
    while row < rows.end {
        // Up to the next end of an array in any column.
        let arrays: Option<Vec<_>> = columns.iter().map(|column| column.locate(row)).collect();
        let Some(arrays) = arrays else { return };
        let most = arrays.iter().map(|&(array, at)| array.rows() - at).min();
        let run = most.unwrap_or(rows.end - row).min(rows.end - row);
        for step in 0..run {
            for (value, &(array, at)) in values.iter_mut().zip(&arrays) {
                *value = array.value(at + step);
            }
            take(row + step, &values);
        }
        row += run;
    }
}

/// Converts seconds to the microsecond that they begin in; numbers that are too large saturate. The
/// float nearest to a whole number of microseconds is that number, so that 0.3 is 300,000.
#[expect(
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "times in range are exact, and others are rejected"
)]
fn micros_of(seconds: f64) -> i64 {
    let product = seconds * 1e6;
    let below = product.floor();
    for micros in [below, below + 1.0] {
        if micros / 1e6 == seconds {
            return micros as i64;
        }
    }
    // The product of an integer of microseconds was rounded up.
    let is_above = product == below && seconds.mul_add(1e6, -product) < 0.0;
    below as i64 - i64::from(is_above)
}

fn time_out_of_range(index: usize, found: Value<'_>) -> InputError {
    let years = "years 1684 to 2255";
    let seconds = "years 1684 to 2255; numbers are seconds since the epoch";
    match found {
        Value::Int(number) => InputError::out_of_range("time", index, &number.to_string(), seconds),
        Value::Large(number) => {
            InputError::out_of_range("time", index, &number.to_string(), seconds)
        }
        Value::Float(number) => {
            InputError::out_of_range("time", index, &number.to_string(), seconds)
        }
        _ => InputError::out_of_range("time", index, "the time", years),
    }
}

/// Returns the common kind of two kinds of values: integers and floats become floats.
pub fn merge_kinds(
    known: SeenKind,
    found: (Kind, bool),
    what: &str,
    index: usize,
) -> Result<SeenKind, InputError> {
    if what == "key" && matches!(found.0, Kind::Float | Kind::Time) {
        return Err(InputError::unexpected(what, index, found.0.name()));
    }
    merged_kind(known, Some(found), what == "key").ok_or_else(|| {
        let hint = if what == "key" { ": text, bytes or integers" } else { "" };
        let (expected, found) = (name_of(known), name_of(Some(found)));
        InputError::Type(format!(
            "{what}s[{index}]: expected {expected} like the {what}s before it, found {found}; use \
             one type for all {what}s{hint}"
        ))
    })
}

/// Returns the common kinds of columns and of the columns before them.
pub(crate) fn merge_column_kinds<P: InputArray>(
    known: &[SeenKind],
    given: &[InputColumn<P>],
    what: &str,
) -> Result<Vec<SeenKind>, InputError> {
    let kinds = known.iter().zip(given).map(|(&known, given)| {
        let Some(found) = given.kind else { return Ok(known) };
        if what == "key" && matches!(found.0, Kind::Float | Kind::Time) {
            return Err(InputError::Type(format!(
                "keys: expected text, bytes, integers or null, found {}; convert them to integers \
                 (in pandas astype('Int64')) or text",
                found.0.name()
            )));
        }
        merge_kinds(known, found, what, 0)
    });
    kinds.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From here on, a float of seconds is nearest to several microseconds.
    const UNIQUE: i64 = (1 << 33) * SECOND;

    #[test]
    fn seconds_are_floored_to_the_microsecond() {
        for (seconds, micros) in [
            (0.3, 300_000),
            (-0.3, -300_000),
            (59.999_999_9, 59_999_999),
            (-0.000_000_1, -1),
            (-1.000_000_5, -1_000_001),
            (1_431_857_103.123_457, 1_431_857_103_123_457),
            (1_100_000_000.000_001, 1_100_000_000_000_001),
            (-4_323_283_199.999_829, -4_323_283_199_999_829),
            (1e300, i64::MAX),
        ] {
            assert_eq!(micros_of(seconds), micros, "{seconds}");
        }
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(2_000))]

        #[test]
        #[expect(clippy::cast_precision_loss, reason = "times are exact")]
        fn seconds_of_whole_microseconds_are_those(micros in -UNIQUE..UNIQUE) {
            prop_assert_eq!(micros_of(micros as f64 / 1e6), micros);
        }
    }
}
