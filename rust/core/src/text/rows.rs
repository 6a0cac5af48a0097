//! Lines to rows for a pipe: JSON lines, CSV, or tabs between the fields.
//!
//! Whatever could steer a terminal leaves here as an escape, in each of them. The only bytes of
//! a log that are handed on as they are stand in `Rejects`, which are for a file.

use std::ops::RangeInclusive;

use super::filter::BoundFilter;
use super::flume::BatchError;
use super::format::{Reader, write_iso};
use super::lines::Chunk;
use super::rejects::{Rejects, explain_reject, read_filtered};
use crate::ground::{Counters, Value, lossy};

/// What a row looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// An object with the names of the fields; missing values are null.
    Json,
    /// Commas, quoted after RFC 4180; missing values are empty, empty text is `""`.
    ///
    /// In a table of one column a missing value is `""` too: an empty line is no row to most
    /// readers.
    Csv,
    /// Tabs; missing values are `-`.
    Text,
}

impl Output {
    /// Every output by the name it is asked for.
    pub const NAMES: [(&'static str, Self); 3] =
        [("jsonl", Self::Json), ("csv", Self::Csv), ("text", Self::Text)];

    /// Writes the first fields of the reader.
    fn write(self, reader: &mut Reader, fields: usize, line: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Json => {
                for field in 0..fields {
                    out.push(if field == 0 { b'{' } else { b',' });
                    write_json_text(reader.name(field).as_bytes(), out);
                    out.push(b':');
                    write_json(reader.value(line, field), out);
                }
                if fields == 0 {
                    out.push(b'{');
                }
                out.push(b'}');
            }
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
                        Value::Text(text) => write_text(text, out),
                        value => write_number(value, out),
                    }
                }
            }
        }
        out.push(b'\n');
    }
}

/// Writes a row for each accepted line that the filter keeps, in order, and counts where the lines
/// went.
pub fn write_rows(
    reader: &mut Reader,
    filter: Option<&BoundFilter>,
    output: Output,
    chunk: Chunk<'_>,
    out: &mut Vec<u8>,
    mut rejects: Option<&mut Rejects>,
) -> Result<Counters, BatchError> {
    let mut lines = Counters::default();
    let columns = filter.map_or(reader.names().len(), BoundFilter::columns);
    chunk.for_each(|line| {
        lines.fed += 1;
        match read_filtered(reader, filter, line) {
            Ok(true) => {
                lines.counted += 1;
                output.write(reader, columns, line, out);
            }
            Ok(false) => lines.filtered += 1,
            Err(lost) => {
                lines.reject(lost.1);
                if let Some(rejects) = &mut rejects {
                    let (byte, reason, _) = explain_reject(reader, line, lost);
                    rejects.write(lines.fed, byte, reason, line);
                }
            }
        }
    })?;
    Ok(lines)
}

fn write_json(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Int(_) | Value::Float(_) => write_number(value, out),
        Value::Time(_) => {
            out.push(b'"');
            write_number(value, out);
            out.push(b'"');
        }
        Value::Text(text) => write_json_text(text, out),
    }
}

fn write_json_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    if is_plain(text, [b'"', b'\\']) {
        out.extend_from_slice(text);
    } else {
        let escaped = |character| matches!(character, '"' | '\\') || steers(character);
        write_escaped(&lossy(text), escaped, write_json_escape, out);
    }
    out.push(b'"');
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    if is_plain(text, [b'\t'; 2]) {
        out.extend_from_slice(text);
    } else {
        write_escaped(&lossy(text), steers, write_seen, out);
    }
}

/// Whether text stands as it is: it prints, is ASCII, and has neither of two characters.
///
/// Nearly all does, and to see that takes a small part of what it takes to walk over characters.
fn is_plain(text: &[u8], special: [u8; 2]) -> bool {
    // Counted, not searched: a loop without a way out of it takes many bytes at a time.
    let [one, other] = special;
    let is_odd = |&&byte: &&u8| !(b' '..=b'~').contains(&byte) || byte == one || byte == other;
    text.iter().filter(is_odd).count() == 0
}

fn write_csv_text(text: &[u8], out: &mut Vec<u8>) {
    if !text.is_empty() && is_plain(text, [b',', b'"']) {
        out.extend_from_slice(text);
        return;
    }
    let text = lossy(text);
    if !text.is_empty() && !text.contains([',', '"']) {
        write_escaped(&text, steers, write_seen, out);
        return;
    }
    out.push(b'"');
    let escaped = |character| character == '"' || steers(character);
    let write = |character, out: &mut Vec<u8>| match character {
        '"' => out.extend_from_slice(b"\"\""),
        _ => write_seen(character, out),
    };
    write_escaped(&text, escaped, write, out);
    out.push(b'"');
}

/// What has digits: numbers and times, which need no escape.
fn write_number(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Time(micros) => write_iso(micros, out),
        // The shortest text that reads as the same number.
        Value::Float(number) => out.extend_from_slice(format!("{number:?}").as_bytes()),
        Value::Null | Value::Text(_) => {}
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

/// What would steer a terminal: controls, the marks that turn the direction of text or are not
/// seen, the separators of lines.
const STEERING: [RangeInclusive<char>; 7] = [
    '\0'..='\x1f',
    '\x7f'..='\u{9f}',
    '\u{61c}'..='\u{61c}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{2069}',
    '\u{feff}'..='\u{feff}',
];

/// The same as the inside of a class in a regular expression.
pub fn steering() -> String {
    STEERING.iter().flat_map(|range| [*range.start(), '-', *range.end()]).collect()
}

fn steers(character: char) -> bool {
    STEERING.iter().any(|range| range.contains(&character))
}

/// The escape that Python's literals have. A backslash of the log stays as it is: servers write
/// such escapes themselves.
fn write_seen(character: char, out: &mut Vec<u8>) {
    match character {
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
    // All that is escaped is in the basic plane.
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
        write_rows(&mut reader(fields), None, output, Chunk::Lines(text), &mut out, None).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn text_as(output: Output, text: &[u8]) -> String {
        let line = [b"h u t [t] \"", text, b"\" 200 5\n"].concat();
        let mut out = Vec::new();
        let chunk = Chunk::Lines(&line);
        write_rows(&mut reader(&["request"]), None, output, chunk, &mut out, None).unwrap();
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
    fn what_would_steer_a_terminal_is_escaped_in_every_output() {
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
    fn quotes_and_backslashes_are_those_of_the_output() {
        assert_eq!(text_as(Output::Json, br#"\"b\\"#), "{\"request\":\"\\\\\\\"b\\\\\\\\\"}\n");
        assert_eq!(text_as(Output::Csv, br#"\"b\\"#), "\"\\\"\"b\\\\\"\n");
        assert_eq!(text_as(Output::Csv, br"a\\b"), "a\\\\b\n");
    }

    #[test]
    fn csv_tells_a_missing_value_from_an_empty_one_and_has_no_empty_line() {
        let mut out = Vec::new();
        write_csv_text(b"", &mut out);
        assert_eq!(out, b"\"\"");
        assert_eq!(rows(Output::Csv, &["referer", "url"], LINE), ",/a\n");
        assert_eq!(rows(Output::Csv, &["referer"], LINE), "\"\"\n");
    }

    #[test]
    fn rejects_are_numbered_from_one_and_hold_the_bytes_as_they_were() {
        let long = vec![b'x'; MAX_LINE_BYTES + 10];
        let text = [LINE, b"\nno\t\xff line\r\n", LINE, b"\n", &long, b"\n\n"].concat();
        let (mut out, mut rejects) = (Vec::new(), Rejects { before: 10, ..Rejects::default() });
        let chunk = Chunk::Lines(&text);
        let lines =
            write_rows(&mut reader(&[]), None, Output::Text, chunk, &mut out, Some(&mut rejects))
                .unwrap();
        assert_eq!((lines.fed, lines.counted, lines.rejected(Reason::TooLong)), (5, 2, 1));
        let held = [b"14\t65536\ttoo-long\t", &long[..MAX_LINE_BYTES], b"\n"].concat();
        let expected = [b"12\t9\tno-match\tno\t\xff line\r\n", &held[..], b"15\t0\tno-match\t\n"];
        assert_eq!(rejects.out, expected.concat());
    }

    #[test]
    fn a_newline_within_an_event_tears_no_line_of_the_rejects() {
        let mut rejects = Rejects { prefix: b"one\t".to_vec(), ..Rejects::default() };
        let chunk = Chunk::Event(b"\x00\x06a\nb");
        write_rows(&mut reader(&[]), None, Output::Csv, chunk, &mut Vec::new(), Some(&mut rejects))
            .unwrap();
        assert_eq!(rejects.out, b"one\t1\t3\tno-match\ta\\nb\n");
    }
}
