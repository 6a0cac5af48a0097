//! Parses lines and writes them as text: JSON lines, CSV, or tab-separated fields.
//!
//! All three escape every character that could control a terminal. Only `Rejects`, which are
//! written to a file, hold bytes of a log unchanged.

use std::ops::RangeInclusive;

use super::filter::BoundFilter;
use super::flume::BatchError;
use super::format::{LineFields, Reader, ZoneTable, each_json_piece, write_iso};
use super::lines::Chunk;
use super::rejects::{Fate, Rejects, explain_reject, read_filtered};
use crate::ground::{Counters, Value, lossy, write_iso_at};

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// One object per row, by field name; missing values are null.
    Json,
    /// CSV, quoted as in RFC 4180; missing values are empty, empty text is `""`.
    ///
    /// In a table of one column a missing value is `""` too: most readers skip empty lines.
    Csv,
    /// Tab-separated; missing values are `-`.
    Text,
}

impl Output {
    /// All outputs by name.
    pub const NAMES: [(&'static str, Self); 3] =
        [("jsonl", Self::Json), ("csv", Self::Csv), ("text", Self::Text)];

    /// Writes the first `fields` fields of the line that was read last.
    fn write(
        self,
        reader: &mut Reader,
        fields: usize,
        line: &[u8],
        zone: Option<&ZoneTable>,
        out: &mut Vec<u8>,
    ) {
        match self {
            Self::Json => write_object(reader, fields, None, line, out),
            Self::Csv | Self::Text => {
                let (between, null) = match self {
                    Self::Csv if fields == 1 => (b',', "\"\""),
                    Self::Csv => (b',', ""),
                    _ => (b'\t', "-"),
                };
                for field in 0..fields {
                    if field > 0 {
                        out.push(between);
                    }
                    match reader.value(line, field) {
                        Value::Null => out.extend_from_slice(null.as_bytes()),
                        Value::Text(text) if self == Self::Csv => write_csv_text(text, out),
                        Value::Json(text) if self == Self::Csv => write_csv_text(text, out),
                        Value::Text(text) | Value::Json(text) => write_text(text, out),
                        Value::Time(micros) if self == Self::Text => {
                            write_local(micros, zone, out);
                        }
                        value => write_number(value, out),
                    }
                }
            }
        }
        out.push(b'\n');
    }
}

/// Writes the fields of a line as an object: those of the reader, or only those that the line has,
/// and then its other fields.
fn write_object(
    reader: &mut Reader,
    fields: usize,
    found: Option<&LineFields>,
    line: &[u8],
    out: &mut Vec<u8>,
) {
    let start = out.len();
    for field in 0..fields {
        if found.is_some_and(|found| !found.has[field]) {
            continue;
        }
        out.push(b',');
        write_json_text(reader.name(field).as_bytes(), out);
        out.push(b':');
        write_json(reader.value(line, field), out);
    }
    let mut room = Vec::new();
    let text = reader.own_text(line);
    for own in found.iter().flat_map(|found| &found.own) {
        out.push(b',');
        write_json_text(own.name(text), out);
        out.push(b':');
        write_json(own.read(text, &mut room), out);
    }
    match out.get_mut(start) {
        Some(comma) => *comma = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
}

/// Writes a row for each line that the filter keeps, in order, and counts what became of each line.
///
/// With `own`, the reader has the fields of the format, and a row has those that its line has, and
/// the other fields of the line; only for JSON.
pub fn write_rows(
    reader: &mut Reader,
    filter: Option<&BoundFilter>,
    (output, own): (Output, bool),
    chunk: Chunk<'_>,
    out: &mut Vec<u8>,
    mut rejects: Option<&mut Rejects>,
) -> Result<Counters, BatchError> {
    let mut lines = Counters::default();
    let columns = filter.map_or(reader.names().len(), BoundFilter::columns);
    let zone = reader.zone().cloned();
    chunk.for_each(|line| {
        lines.fed += 1;
        match read_filtered(reader, filter, line) {
            Ok(Fate::Kept) => {
                lines.counted += 1;
                let found = if own { reader.line_fields(line, columns) } else { None };
                match found {
                    Some(found) => {
                        write_object(reader, columns, Some(&found), line, out);
                        out.push(b'\n');
                    }
                    None => output.write(reader, columns, line, zone.as_deref(), out),
                }
            }
            Ok(Fate::Filtered) => lines.filtered += 1,
            Ok(Fate::Header) => {
                lines.fed -= 1;
                lines.headers += 1;
            }
            Err(info) => {
                lines.reject(info.reason);
                if let Some(rejects) = &mut rejects {
                    let info = explain_reject(reader, line, info);
                    rejects.write(lines.fed + lines.headers, info.byte, info.reason, line);
                }
            }
        }
    })?;
    Ok(lines)
}

fn write_json(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Int(_) | Value::Large(_) | Value::Float(_) => write_number(value, out),
        Value::Time(_) => {
            out.push(b'"');
            write_number(value, out);
            out.push(b'"');
        }
        Value::Text(text) => write_json_text(text, out),
        Value::Json(text) => write_json_value(text, out),
    }
}

/// Writes a JSON value on one line, with its strings escaped like others.
fn write_json_value(text: &[u8], out: &mut Vec<u8>) {
    if is_plain(text, [b'\\'; 2]) {
        out.extend_from_slice(text);
        return;
    }
    each_json_piece(text, |piece, is_string| {
        if is_string {
            write_json_text(piece, out);
        } else {
            // Control characters between strings are blanks.
            out.extend(piece.iter().map(|&byte| byte.max(b' ')));
        }
    });
}

fn write_json_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    if is_plain(text, [b'"', b'\\']) {
        out.extend_from_slice(text);
    } else {
        let escaped = |character| matches!(character, '"' | '\\') || controls_terminal(character);
        write_escaped(&lossy(text), escaped, write_json_escape, out);
    }
    out.push(b'"');
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    if is_plain(text, [b'\\'; 2]) {
        out.extend_from_slice(text);
    } else {
        write_escaped(&lossy(text), is_escaped, write_python_escape, out);
    }
}

/// Whether text needs no escapes: it is printable ASCII without any of the special characters.
///
/// Nearly all text is, and this check costs a small part of a walk over its characters.
fn is_plain<const N: usize>(text: &[u8], special: [u8; N]) -> bool {
    // Counted, not searched: a loop without an early exit is vectorized.
    let is_special = |byte: u8| special.iter().map(|one| u8::from(byte == *one)).sum::<u8>() > 0;
    let is_odd = |&&byte: &&u8| !(b' '..=b'~').contains(&byte) | is_special(byte);
    text.iter().filter(is_odd).count() == 0
}

fn write_csv_text(text: &[u8], out: &mut Vec<u8>) {
    if !text.is_empty() && is_plain(text, [b',', b'"', b'\\']) {
        out.extend_from_slice(text);
        return;
    }
    let text = lossy(text);
    if !text.is_empty() && !text.contains([',', '"']) {
        write_escaped(&text, is_escaped, write_python_escape, out);
        return;
    }
    out.push(b'"');
    let escaped = |character| character == '"' || is_escaped(character);
    let write = |character, out: &mut Vec<u8>| match character {
        '"' => out.extend_from_slice(b"\"\""),
        _ => write_python_escape(character, out),
    };
    write_escaped(&text, escaped, write, out);
    out.push(b'"');
}

/// Writes a number or a time, which need no escapes.
fn write_number(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Large(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Time(micros) => write_iso(micros, out),
        // The shortest text that parses to the same number.
        Value::Float(number) => out.extend_from_slice(format!("{number:?}").as_bytes()),
        Value::Null | Value::Text(_) | Value::Json(_) => {}
    }
}

/// Writes a time for people: with the clock of the zone, or in UTC.
fn write_local(micros: i64, zone: Option<&ZoneTable>, out: &mut Vec<u8>) {
    match zone.and_then(|zone| zone.offset_from_utc(micros)) {
        Some(offset) => write_iso_at(micros, offset, out),
        None => write_iso(micros, out),
    }
}

fn write_escaped(
    text: &str,
    is_escaped: impl Fn(char) -> bool,
    write: impl Fn(char, &mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    let mut done = 0;
    for (at, character) in text.char_indices().filter(|&(_, character)| is_escaped(character)) {
        out.extend_from_slice(&text.as_bytes()[done..at]);
        write(character, out);
        done = at + character.len_utf8();
    }
    out.extend_from_slice(&text.as_bytes()[done..]);
}

/// The characters that could control a terminal: control characters, bidirectional and invisible
/// marks, and line separators.
const TERMINAL_CONTROLS: [RangeInclusive<char>; 7] = [
    '\0'..='\x1f',
    '\x7f'..='\u{9f}',
    '\u{61c}'..='\u{61c}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{2069}',
    '\u{feff}'..='\u{feff}',
];

/// These characters as the inside of a character class of a regular expression.
pub fn terminal_controls() -> String {
    TERMINAL_CONTROLS.iter().flat_map(|range| [*range.start(), '-', *range.end()]).collect()
}

fn controls_terminal(character: char) -> bool {
    TERMINAL_CONTROLS.iter().any(|range| range.contains(&character))
}

/// Whether a character is escaped in text and CSV: a backslash is doubled, so that a tab and the two
/// characters `\t` stay different.
fn is_escaped(character: char) -> bool {
    character == '\\' || controls_terminal(character)
}

/// Writes the escape that Python uses in literals.
fn write_python_escape(character: char, out: &mut Vec<u8>) {
    match character {
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\0'..='\u{ff}' => {
            out.extend_from_slice(format!("\\x{:02x}", u32::from(character)).as_bytes());
        }
        _ => write_unicode_escape(character, out),
    }
}

fn write_json_escape(character: char, out: &mut Vec<u8>) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        _ => write_unicode_escape(character, out),
    }
}

fn write_unicode_escape(character: char, out: &mut Vec<u8>) {
    // All characters that are escaped are in the basic multilingual plane.
    out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::Reason;
    use crate::text::format::Format;
    use crate::text::lines::MAX_LINE_BYTES;

    const LINE: &[u8] =
        br#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#;
    const FIELDS: [&str; 4] = ["url", "status", "time", "referer"];

    fn reader(fields: &[&str]) -> Reader {
        Reader::new(&Format::new("combined").unwrap(), fields).unwrap()
    }

    fn rows(output: Output, fields: &[&str], text: &[u8]) -> String {
        let mut out = Vec::new();
        write_rows(&mut reader(fields), None, (output, false), Chunk::Lines(text), &mut out, None)
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    fn text_as(output: Output, text: &[u8]) -> String {
        let line = [b"h u t [t] \"", text, b"\" 200 5\n"].concat();
        let mut out = Vec::new();
        let chunk = Chunk::Lines(&line);
        write_rows(&mut reader(&["request"]), None, (output, false), chunk, &mut out, None)
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_becomes_a_row_with_its_fields() {
        let text = [LINE, b"\nno line\n"].concat();
        for (output, row) in [
            (
                Output::Json,
                "{\"url\":\"/a\",\"status\":200,\"time\":\"2015-05-17T10:05:03Z\",\"referer\":null}\n",
            ),
            (Output::Csv, "/a,200,2015-05-17T10:05:03Z,\n"),
            (Output::Text, "/a\t200\t2015-05-17T10:05:03Z\t-\n"),
        ] {
            assert_eq!(rows(output, &FIELDS, &text), row);
        }
    }

    #[test]
    fn characters_that_control_a_terminal_are_escaped_in_every_output() {
        let text = "a,\x1b\x7f\u{9b}31m \u{202e}x\té".as_bytes();
        for (output, row) in [
            (Output::Json, "{\"request\":\"a,\\u001b\\u007f\\u009b31m \\u202ex\\té\"}\n"),
            (Output::Csv, "\"a,\\x1b\\x7f\\x9b31m \\u202ex\\té\"\n"),
            (Output::Text, "a,\\x1b\\x7f\\x9b31m \\u202ex\\té\n"),
        ] {
            assert_eq!(text_as(output, text), row);
        }
    }

    #[test]
    fn quotes_and_backslashes_are_escaped_as_the_output_requires() {
        assert_eq!(text_as(Output::Json, br#"\"b\\"#), "{\"request\":\"\\\\\\\"b\\\\\\\\\"}\n");
        assert_eq!(text_as(Output::Csv, br#"\"b\\"#), "\"\\\\\"\"b\\\\\\\\\"\n");
        assert_eq!(text_as(Output::Csv, br"a\tb"), "a\\\\tb\n");
        assert_eq!(text_as(Output::Text, br"a\tb"), "a\\\\tb\n");
        assert_eq!(text_as(Output::Text, b"a\tb"), "a\\tb\n");
    }

    #[test]
    fn csv_distinguishes_missing_from_empty_and_has_no_empty_line() {
        let mut out = Vec::new();
        write_csv_text(b"", &mut out);
        assert_eq!(out, b"\"\"");
        assert_eq!(rows(Output::Csv, &["referer", "url"], LINE), ",/a\n");
        assert_eq!(rows(Output::Csv, &["referer"], LINE), "\"\"\n");
    }

    #[test]
    fn rejects_are_numbered_from_one_and_hold_the_bytes_unchanged() {
        let long = vec![b'x'; MAX_LINE_BYTES + 10];
        let text = [LINE, b"\nno\t\xff line\r\n", LINE, b"\n", &long, b"\n\n"].concat();
        let (mut out, mut rejects) = (Vec::new(), Rejects { before: 10, ..Rejects::default() });
        let chunk = Chunk::Lines(&text);
        let lines = write_rows(
            &mut reader(&[]),
            None,
            (Output::Text, false),
            chunk,
            &mut out,
            Some(&mut rejects),
        )
        .unwrap();
        assert_eq!((lines.fed, lines.counted, lines.rejected(Reason::TooLong)), (5, 2, 1));
        let held = [b"14\t65536\ttoo-long\t", &long[..MAX_LINE_BYTES], b"\n"].concat();
        let expected = [b"12\t9\tno-match\tno\t\xff line\r\n", &held[..], b"15\t0\tno-match\t\n"];
        assert_eq!(rejects.out, expected.concat());
    }

    #[test]
    fn a_newline_within_an_event_does_not_split_a_rejected_line() {
        let mut rejects = Rejects { prefix: b"one\t".to_vec(), ..Rejects::default() };
        let chunk = Chunk::Event(b"\x00\x06a\nb");
        write_rows(
            &mut reader(&[]),
            None,
            (Output::Csv, false),
            chunk,
            &mut Vec::new(),
            Some(&mut rejects),
        )
        .unwrap();
        assert_eq!(rejects.out, b"one\t1\t3\tno-match\ta\\nb\n");
    }
}
