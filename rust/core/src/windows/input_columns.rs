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
                    #[expect(
                        clippy::cast_possible_truncation,
                        reason = "numbers that are too large are out of range"
                    )]
                    Value::Float(seconds) => {
                        (!seconds.is_nan()).then_some((seconds * 1e6).round() as i64)
                    }
                    Value::Null => {
                        return Err(InputError::not_a_time(index, "null"));
                    }
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

fn time_out_of_range(index: usize, found: Value<'_>) -> InputError {
    let years = "years 1684 to 2255";
    let seconds = "years 1684 to 2255; numbers are seconds since the epoch";
    match found {
        Value::Int(number) => InputError::out_of_range("time", index, &number.to_string(), seconds),
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
                "keys: expected text, bytes, integers or null, found {}",
                found.0.name()
            )));
        }
        merge_kinds(known, found, what, 0)
    });
    kinds.collect()
}
