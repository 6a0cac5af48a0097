//! Finds the line that Docker wrapped in an object: `{"log":"…\n","stream":"stdout","time":"…"}`.

use super::super::decode::{json_decoded_len, json_raw_position};
use super::super::find::find_either;
use super::syntax::{blanks, colon, comma, skip};
use crate::text::format::field_type::Encoding;
use crate::text::format::parsed::{Reject, Span};
use crate::text::format::records::decode::decoded;

/// Docker cuts a line that is longer than this into several.
const MAX_LOG_LEN: usize = 16 * 1024;

/// An object with a line in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wrapped {
    /// The position of the line, with its escapes.
    log: Span,
    /// Whether the object has no other keys than Docker writes.
    pub(crate) is_plain: bool,
}

impl Wrapped {
    /// Recognizes the object by a `log`, a `stream` and a `time`, in any order. Docker's own key
    /// has to be the first, and the first two if a time is first, so that other objects are left
    /// after a few bytes.
    #[inline]
    pub(crate) fn find(line: &[u8]) -> Option<Self> {
        match line {
            [b'{', b'"', b'l', b'o', b'g', b'"', ..]
            | [b'{', b'"', b's', b't', b'r', b'e', b'a', b'm', b'"', ..]
            | [b'{', b'"', b't', b'i', b'm', b'e', b'"', ..]
            | [b'{', b'"', b'a', b't', b't', b'r', b's', b'"', ..] => Self::walk(line),
            _ => None,
        }
    }

    #[inline(never)]
    fn walk(line: &[u8]) -> Option<Self> {
        let mut log = None;
        let mut has_stream = false;
        let mut has_time = false;
        let mut is_plain = true;
        let mut at = 1;
        loop {
            let key_end = find_either(line, at + 1, b'"', b'\\');
            let key = line.get(at + 1..key_end)?;
            let start = colon(line, skip(line, at, 1).ok()?).ok()?;
            let end = skip(line, start, 1).ok()?;
            let value = line.get(start..end)?;
            match key {
                b"log" => log = value.starts_with(b"\"").then(|| Span::new(start + 1, end - 1)),
                b"stream" => has_stream = matches!(value, b"\"stdout\"" | b"\"stderr\""),
                b"time" => has_time = value.len() >= 22 && value[1..].starts_with(b"2"),
                b"attrs" => {}
                _ if log.is_none() => return None,
                _ => is_plain = false,
            }
            at = blanks(line, end);
            if line.get(at) == Some(&b'}') {
                break;
            }
            at = comma(line, at, b'}').ok()?;
            if line.get(at) != Some(&b'"') {
                return None;
            }
        }
        let is_end = blanks(line, at + 1) == line.len();
        let log = log.filter(|_| has_stream && has_time && is_end)?;
        Some(Self { log, is_plain })
    }

    /// Decodes the line, without the newline at its end.
    pub(crate) fn decode(self, line: &[u8], inner: &mut Vec<u8>) -> Result<(), Reject> {
        let raw = self.log.of(line).unwrap_or_default();
        inner.clear();
        let text = decoded(Encoding::Json, raw, line, self.log.start(), inner);
        if text.len() == raw.len() {
            *inner = raw.to_vec();
        }
        if inner.last() == Some(&b'\n') {
            inner.pop();
        } else if inner.len() >= MAX_LOG_LEN {
            let expected = "the end of the line, which Docker has cut into several records";
            return Err(Reject::new(self.log.end(), expected));
        }
        Ok(())
    }

    /// The position in the object of a byte of the decoded line.
    pub(crate) fn outer_position(self, line: &[u8], inner: usize) -> usize {
        let raw = self.log.of(line).unwrap_or_default();
        self.log.start() + json_raw_position(raw, inner)
    }

    /// The position in the decoded line of a byte of the object.
    pub(crate) fn inner_position(self, line: &[u8], outer: usize) -> usize {
        let raw = self.log.of(line).unwrap_or_default();
        let length = outer.saturating_sub(self.log.start()).min(raw.len());
        json_decoded_len(&raw[..length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::format::{Format, LineKind, Reader, Value};

    const TIME: &str = "2015-01-10T12:00:00.000000001Z";

    fn wrapped(log: &str) -> String {
        let log = serde_json::to_string(log).unwrap();
        format!(r#"{{"log":{log},"stream":"stdout","time":"{TIME}"}}"#)
    }

    fn inner(line: &str) -> Option<String> {
        let mut inner = Vec::new();
        Wrapped::find(line.as_bytes())?.decode(line.as_bytes(), &mut inner).ok()?;
        Some(String::from_utf8(inner).unwrap())
    }

    #[test]
    fn a_line_is_found_whatever_the_order_of_the_keys() {
        let attrs = r#""attrs":{"tag":"a","n":{"log":"x"}}"#;
        let log = r#""log":"a \"b\"\u003c\n""#;
        let stream = r#""stream":"stderr""#;
        let time = format!(r#""time":"{TIME}""#);
        let members = [log, stream, &time, attrs];
        for number in 0..24 {
            let mut left = members.to_vec();
            let order = [number / 6, number / 2 % 3, number % 2, 0].map(|at| left.remove(at));
            let line = format!("{{{}}}", order.join(","));
            assert_eq!(inner(&line).as_deref(), Some("a \"b\"<"), "{line}");
            assert!(Wrapped::find(line.as_bytes()).unwrap().is_plain);
        }
    }

    #[test]
    fn other_objects_are_no_wrappers() {
        for line in [
            r#"{"log":"a","time":"2015-01-10T12:00:00Z"}"#,
            r#"{"log":"a","stream":"stdout"}"#,
            r#"{"log":"a","stream":"left","time":"2015-01-10T12:00:00Z"}"#,
            r#"{"log":{"a":1},"stream":"stdout","time":"2015-01-10T12:00:00Z"}"#,
            r#"{"log":"a","stream":"stdout","time":1420891200}"#,
            r#"{"log":"a","stream":"stdout","time":"2015-01-10T12:00:00Z"} x"#,
            r#"{"log":"a","stream":"stdout","time":"2015-01-10T12:00:00Z""#,
            r#"{"time":"2015-01-10T12:00:00Z","level":"info","log":"a","stream":"stdout"}"#,
            r#"{"stream":"stdout","x":1,"log":"a","time":"2015-01-10T12:00:00Z"}"#,
            r#"{"log"}"#,
            r#"{"log":"#,
            r#"{"log":"a",}"#,
        ] {
            assert!(Wrapped::find(line.as_bytes()).is_none(), "{line}");
        }
    }

    #[test]
    fn positions_of_a_line_and_its_object_correspond() {
        let text = "é\"\\ \t\u{1}😀 x";
        for line in
            [wrapped(text), wrapped(text).replace('é', "\\u00e9").replace('😀', "\\ud83d\\ude00")]
        {
            let found = Wrapped::find(line.as_bytes()).unwrap();
            for (at, character) in text.char_indices() {
                let outer = found.outer_position(line.as_bytes(), at);
                assert_eq!(found.inner_position(line.as_bytes(), outer), at);
                assert!(line[outer..].starts_with(character) || line[outer..].starts_with('\\'));
            }
            let end = found.outer_position(line.as_bytes(), text.len());
            assert!(line[end..].starts_with("\",\"stream"));
        }
    }

    #[test]
    fn a_part_of_a_line_that_docker_has_cut_is_rejected() {
        for (length, is_cut) in [(MAX_LOG_LEN - 1, false), (MAX_LOG_LEN, true)] {
            let text = "x".repeat(length);
            assert_eq!(inner(&wrapped(&text)).is_none(), is_cut);
            assert!(inner(&wrapped(&format!("{text}\n"))).is_some());
        }
    }

    #[test]
    fn only_the_classic_format_sees_the_object() {
        let line =
            r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "curl/8.5""#;
        for named in Format::named() {
            let format = Format::new(named.name).unwrap();
            let mut reader = Reader::lenient(&format, &["time"]);
            let mut plain = Reader::lenient(&format, &["time"]);
            let mut result = None;
            for line in named.example.lines().chain([line]) {
                let object = wrapped(&format!("{line}\n"));
                let found = reader.read(object.as_bytes());
                let direct = plain.read(line.as_bytes());
                if named.name != "classic" {
                    assert_eq!(found.is_ok(), direct.is_ok(), "{} {line}", named.name);
                    assert_eq!(found.ok(), direct.ok(), "{} {line}", named.name);
                }
                if found == Ok(LineKind::Fields) {
                    let value = match reader.value(object.as_bytes(), 0) {
                        Value::Time(time) => Some(time),
                        _ => None,
                    };
                    assert_eq!(reader.time(object.as_bytes(), 0), value);
                    result = Some(found);
                }
            }
            assert_eq!(result.is_some(), named.name != "classic", "{}", named.name);
        }
    }
}
