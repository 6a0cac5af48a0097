//! Lines to columns, for a library's user.

use crate::delta::Reason;
use crate::format::{Field, Fields, Format, Kind, Value};
use crate::lines::{Chunk, MAX_LINE_BYTES};

/// The values of one field, a place for each accepted line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column<'a> {
    /// Text as it stood in the line; not always UTF-8.
    Text(Vec<Option<&'a [u8]>>),
    /// Whole numbers.
    Int(Vec<Option<i64>>),
    /// Microseconds since the epoch.
    Time(Vec<Option<i64>>),
}

/// A line that was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Which line of the chunk it was, from 0.
    pub line: usize,
    /// From which of its bytes on it was not of the format.
    pub byte: usize,
    /// Why.
    pub reason: Reason,
}

/// The fields of a chunk's lines.
#[derive(Clone, Debug)]
pub struct Table<'a> {
    /// A column for each field that was asked for.
    pub columns: Vec<Column<'a>>,
    /// How many lines were accepted.
    pub rows: usize,
    /// Those that were not.
    pub rejects: Vec<Rejected>,
}

impl<'a> Table<'a> {
    /// Parses newline text.
    pub fn parse(format: Format, fields: &[Field], text: &'a [u8]) -> Self {
        let mut columns: Vec<_> = fields
            .iter()
            .map(|&field| match format.kind(field) {
                Kind::Text => Column::Text(Vec::new()),
                Kind::Int => Column::Int(Vec::new()),
                Kind::Time => Column::Time(Vec::new()),
            })
            .collect();
        let mut rows = 0;
        let mut rejects = Vec::new();
        let mut number = 0;
        // Newline text has no malformed form.
        let walked = Chunk::Lines(text).for_each(|line| {
            match split(format, line) {
                Ok(parsed) => {
                    rows += 1;
                    for (&field, column) in fields.iter().zip(&mut columns) {
                        column.push(format.value(&parsed, field));
                    }
                }
                Err((byte, reason)) => rejects.push(Rejected { line: number, byte, reason }),
            }
            number += 1;
        });
        debug_assert_eq!(walked, Ok(()));
        Self { columns, rows, rejects }
    }
}

impl<'a> Column<'a> {
    fn push(&mut self, value: Value<'a>) {
        match (self, value) {
            (Self::Text(values), Value::Text(text)) => values.push(Some(text)),
            (Self::Text(values), _) => values.push(None),
            (Self::Int(values) | Self::Time(values), Value::Int(value) | Value::Time(value)) => {
                values.push(Some(value));
            }
            (Self::Int(values) | Self::Time(values), _) => values.push(None),
        }
    }
}

/// The fields of a line, or the byte from which on it has none and why.
pub(crate) fn split(format: Format, line: &[u8]) -> Result<Fields<'_>, (usize, Reason)> {
    if line.len() > MAX_LINE_BYTES {
        return Err((MAX_LINE_BYTES, Reason::TooLong));
    }
    format.split(line).map_err(|reject| (reject.byte(), Reason::NoMatch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_name_line_and_byte() {
        let table = Table::parse(Format::Combined, &[Field::Url], b"x\n\n");
        assert_eq!(table.rows, 0);
        let places: Vec<_> =
            table.rejects.iter().map(|reject| (reject.line, reject.byte)).collect();
        assert_eq!(places, [(0, 1), (1, 0)]);
    }
}
