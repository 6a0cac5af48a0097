//! Columns of values from outside: keys and values of events, or a table.
//!
//! Whoever has values says how to get at them, in pieces as they come ([`Piece`]). What they are,
//! whether they fit what was given before and how they become times is worked out here.

use std::ops::Range;

use super::export::{Seen, agreed};
use crate::ground::{InputError, Kind, MAX_TIME, SECOND, Value};

/// Values in a row.
pub trait Piece {
    /// How many there are.
    fn rows(&self) -> usize;

    /// The value of a row.
    fn value(&self, row: usize) -> Value<'_>;

    /// Some rows, where all of them are UTF-8 text and none is null.
    fn texts(&self, rows: Range<usize>) -> Option<impl Iterator<Item = &[u8]>>;
}

/// Values of one name.
#[derive(Debug)]
pub struct Given<P> {
    pieces: Vec<P>,
    rows: usize,
    kind: Seen,
}

impl<P: Piece> Given<P> {
    /// Of values of this kind.
    pub fn new(pieces: Vec<P>, kind: Seen) -> Self {
        let rows = pieces.iter().map(Piece::rows).sum();
        Self { pieces, rows, kind }
    }

    /// How many values there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The piece that has this row, and the place in it.
    fn part(&self, start: usize) -> Option<(&P, usize)> {
        let mut row = start;
        for piece in &self.pieces {
            if row < piece.rows() {
                return Some((piece, row));
            }
            row -= piece.rows();
        }
        None
    }

    /// Microseconds since the epoch of each row: of times, or of seconds.
    pub(crate) fn times(&self) -> Result<Vec<i64>, InputError> {
        let mut times = Vec::with_capacity(self.rows);
        for piece in &self.pieces {
            for row in 0..piece.rows() {
                let index = times.len();
                let time = match piece.value(row) {
                    Value::Time(time) => Some(time),
                    Value::Int(seconds) => seconds.checked_mul(SECOND),
                    #[expect(
                        clippy::cast_possible_truncation,
                        reason = "too large is out of range"
                    )]
                    Value::Float(seconds) => {
                        (!seconds.is_nan()).then_some((seconds * 1e6).round() as i64)
                    }
                    Value::Null => {
                        return Err(InputError::Type(format!(
                            "time {index} is missing; it is no aware datetime and no number of \
                             seconds since the epoch"
                        )));
                    }
                    Value::Text(_) => return Err(InputError::no_time(index)),
                };
                let time = time.filter(|time| time.unsigned_abs() <= MAX_TIME.unsigned_abs());
                let time = time
                    .ok_or_else(|| InputError::out_of_range("time", index, "years 1684 to 2255"))?;
                times.push(time);
            }
        }
        Ok(times)
    }

    /// Some rows, where all of it is text in one piece without nulls.
    pub(crate) fn texts(&self, rows: Range<usize>) -> Option<impl Iterator<Item = &[u8]>> {
        if let [piece] = &self.pieces[..] { piece.texts(rows) } else { None }
    }
}

/// Rows of several columns of the same length.
pub(crate) fn for_each<'a, P: Piece>(
    columns: &[&'a Given<P>],
    rows: Range<usize>,
    mut take: impl FnMut(usize, &[Value<'a>]),
) {
    let mut row = rows.start;
    let mut values = vec![Value::Null; columns.len()];
    while row < rows.end {
        // As far as no piece of any column ends.
        let parts: Option<Vec<_>> = columns.iter().map(|column| column.part(row)).collect();
        let Some(parts) = parts else { return };
        let most = parts.iter().map(|&(piece, at)| piece.rows() - at).min();
        let run = most.unwrap_or(rows.end - row).min(rows.end - row);
        for step in 0..run {
            for (value, &(piece, at)) in values.iter_mut().zip(&parts) {
                *value = piece.value(at + step);
            }
            take(row + step, &values);
        }
        row += run;
    }
}

/// What values of two kinds are together: whole numbers among floats are floats.
pub fn kinds_together(
    known: Seen,
    found: (Kind, bool),
    what: &str,
    index: usize,
) -> Result<Seen, InputError> {
    agreed(known, Some(found), what == "key").ok_or_else(|| {
        let of = if what == "key" { "; a window has text, bytes or integers" } else { "" };
        InputError::Type(format!("{what} {index} is of another type than the {what}s before{of}"))
    })
}

/// What columns are together with what was given before.
pub(crate) fn kinds_with<P: Piece>(
    known: &[Seen],
    given: &[Given<P>],
    what: &str,
) -> Result<Vec<Seen>, InputError> {
    let kinds = known.iter().zip(given).map(|(&known, given)| {
        let Some(found) = given.kind else { return Ok(known) };
        if what == "key" && matches!(found.0, Kind::Float | Kind::Time) {
            return Err(InputError::Type(format!(
                "keys of type {}; keys are text, bytes, integers or null",
                found.0.name()
            )));
        }
        kinds_together(known, found, what, 0)
    });
    kinds.collect()
}
