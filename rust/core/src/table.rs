//! Lines to rows: columns for a library's user, JSON lines for a pipe.

use crate::delta::{Counters, Reason};
use crate::flume::BatchError;
use crate::format::{Field, Fields, Format, Kind, Value, write_iso};
use crate::lines::{Chunk, MAX_LINE_BYTES};
use crate::text::lossy;

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

fn split(format: Format, line: &[u8]) -> Result<Fields<'_>, (usize, Reason)> {
    if line.len() > MAX_LINE_BYTES {
        return Err((MAX_LINE_BYTES, Reason::TooLong));
    }
    format.split(line).map_err(|reject| (reject.byte(), Reason::NoMatch))
}

/// Writes one JSON object for each accepted line, in order, and counts where the lines went.
pub fn write_json(
    format: Format,
    fields: &[Field],
    chunk: Chunk<'_>,
    out: &mut Vec<u8>,
) -> Result<Counters, BatchError> {
    let mut lines = Counters::default();
    chunk.for_each(|line| {
        lines.fed += 1;
        match split(format, line) {
            Ok(parsed) => {
                lines.counted += 1;
                let mut lead = b'{';
                for &field in fields {
                    out.push(lead);
                    lead = b',';
                    out.push(b'"');
                    out.extend_from_slice(field.name().as_bytes());
                    out.extend_from_slice(b"\":");
                    write_value(format.value(&parsed, field), out);
                }
                out.extend_from_slice(b"}\n");
            }
            Err((_, reason)) => lines.reject(reason),
        }
    })?;
    Ok(lines)
}

fn write_value(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Time(micros) => {
            out.push(b'"');
            write_iso(micros, out);
            out.push(b'"');
        }
        Value::Text(text) => write_text(text, out),
    }
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    let text = lossy(text);
    out.push(b'"');
    let mut done = 0;
    for (at, character) in text.char_indices().filter(|&(_, character)| is_escaped(character)) {
        out.extend_from_slice(&text.as_bytes()[done..at]);
        write_escape(character, out);
        done = at + character.len_utf8();
    }
    out.extend_from_slice(&text.as_bytes()[done..]);
    out.push(b'"');
}

/// What JSON wants escaped, and what would steer a terminal: the other controls, the marks that
/// turn the direction of text, the separators of lines.
fn is_escaped(character: char) -> bool {
    matches!(
        character,
        '"' | '\\' | '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    )
}

fn write_escape(character: char, out: &mut Vec<u8>) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        // All of them are in the basic plane.
        _ => out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &[u8]) -> String {
        let mut out = Vec::new();
        write_text(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quotes_backslashes_and_controls_are_escaped() {
        assert_eq!(json(b"a\"b\\c\n\x1b\x7f"), r#""a\"b\\c\n\u001b\u007f""#);
        assert_eq!(json("\u{9b}31m \u{202e}x é".as_bytes()), r#""\u009b31m \u202ex é""#);
    }

    #[test]
    fn a_line_becomes_an_object_with_its_fields() {
        let line = br#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#;
        let mut out = Vec::new();
        let fields = [Field::Url, Field::Status, Field::Time, Field::Referer];
        let text = [&line[..], b"\nno line\n"].concat();
        let lines = write_json(Format::Combined, &fields, Chunk::Lines(&text), &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"url\":\"/a\",\"status\":200,\"time\":\"2015-05-17T10:05:03Z\",\"referer\":null}\n"
        );
        assert_eq!((lines.fed, lines.counted, lines.rejected(Reason::NoMatch)), (2, 1, 1));
    }

    #[test]
    fn rejects_name_line_and_byte() {
        let table = Table::parse(Format::Combined, &[Field::Url], b"x\n\n");
        assert_eq!(table.rows, 0);
        let places: Vec<_> =
            table.rejects.iter().map(|reject| (reject.line, reject.byte)).collect();
        assert_eq!(places, [(0, 1), (1, 0)]);
    }
}
