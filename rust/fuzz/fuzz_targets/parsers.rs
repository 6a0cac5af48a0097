//! Parsers that are slow but obviously correct.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::value::RawValue;
use tailrace_core::{Format, Reader};

use crate::{Answer, Found, read};

/// Reads a line with a format and with a naive parser of the same format.
pub fn naive(data: &[u8]) {
    let Some((&choice, line)) = data.split_first() else { return };
    // Both read a single line.
    if line.contains(&b'\n') {
        return;
    }
    match choice % 4 {
        0 => json(line),
        1 => delimited(line, if choice & 4 == 0 { b',' } else { b'\t' }),
        2 => ltsv(line),
        _ => template(line),
    }
}

/// Checks that both find the same. If a line matches only with the prefix of a log collector, the
/// naive parser reads it without the prefix.
fn compare(line: &[u8], found: Answer, naive: impl Fn(&[u8]) -> Option<Vec<Found>>) {
    let expected = naive(line);
    let found = found.ok().flatten();
    if found == expected {
        return;
    }
    let prefixed = expected.is_none() && (1..line.len()).any(|at| naive(&line[at..]) == found);
    assert!(prefixed, "{:?}: {found:?} is not {expected:?}", String::from_utf8_lossy(line));
}

fn answer(place: usize, line: &[u8]) -> Answer {
    static READERS: OnceLock<Vec<Reader>> = OnceLock::new();
    let readers = READERS.get_or_init(|| {
        let reader = |&(spec, names): &(&str, &[&str])| {
            let format = Format::new(spec).unwrap_or_else(|error| panic!("{}", error.message));
            Reader::new(&format, names).unwrap_or_else(|error| panic!("no field {}", error.name))
        };
        SPECS.iter().map(reader).collect()
    });
    read(&mut readers[place].clone(), line, false)
}

const ABC: &[&str] = &["a", "b", "c"];
const COMBINED: &[&str] =
    &["host", "user", "time", "request", "status", "size", "referer", "agent"];

const SPECS: &[(&str, &[&str])] = &[
    ("json:a,b=x.y|x.z,c=e.0", ABC),
    ("csv:a,b,c", ABC),
    ("tsv:a,b,c", ABC),
    ("ltsv", ABC),
    ("combined", COMBINED),
    (
        concat!(
            r#"{host} {ident} {user} [{time}] "{request}" {status} {size}{?} "{referer}" "{agent}""#,
            "{...}"
        ),
        COMBINED,
    ),
];

/// An empty text and a lone `-` are null.
fn text(text: &[u8]) -> Found {
    if matches!(text, b"" | b"-") { Found::Null } else { Found::Text(text.to_vec()) }
}

// JSON, by serde.

type Object<'a> = BTreeMap<String, &'a RawValue>;

fn json(line: &[u8]) {
    // serde rejects invalid UTF-8 and unescaped control characters; the format does not.
    if line.iter().any(|byte| *byte < b' ') {
        return;
    }
    let Ok(text) = std::str::from_utf8(line) else { return };
    let found = answer(0, line);
    let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
    match serde_json::from_str::<serde_json::Value>(bare) {
        Ok(value) if value.is_object() && found.is_err() => {
            assert!(depth(text) > 64, "rejected: {text}");
            return;
        }
        // The format also accepts half a surrogate pair and numbers out of the range of floats.
        Err(error) if text.contains("\\u") || error.to_string().contains("out of range") => return,
        _ => {}
    }
    compare(line, found, json_naive);
}

fn json_naive(line: &[u8]) -> Option<Vec<Found>> {
    let text = str::from_utf8(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)).ok()?;
    let object: Object<'_> = serde_json::from_str(text).ok()?;
    let values = [
        object.get("a").and_then(|raw| as_text(raw)),
        inside(&object, "x", "y").or_else(|| inside(&object, "x", "z")),
        inside(&object, "e", "0"),
    ];
    Some(values.map(|value| value.map_or(Found::Null, |value| crate::parsers::text(&value))).into())
}

/// Returns a value as text; `None` for null.
fn as_text(raw: &RawValue) -> Option<Vec<u8>> {
    match raw.get() {
        "null" => None,
        string if string.starts_with('"') => {
            let string = serde_json::from_str::<String>(string);
            Some(string.map_or_else(|_| Vec::new(), String::into_bytes))
        }
        other => Some(other.as_bytes().to_vec()),
    }
}

fn inside(object: &Object<'_>, key: &str, inner: &str) -> Option<Vec<u8>> {
    let raw = object.get(key)?.get();
    if let Ok(object) = serde_json::from_str::<Object<'_>>(raw) {
        return object.get(inner).and_then(|raw| as_text(raw));
    }
    let array = serde_json::from_str::<Vec<&RawValue>>(raw).ok()?;
    array.get(inner.parse::<usize>().ok()?).and_then(|raw| as_text(raw))
}

/// Returns an upper bound of the nesting depth, because it ignores that brackets can be in strings.
fn depth(text: &str) -> usize {
    let mut depth: usize = 0;
    let mut most = 0;
    for byte in text.bytes() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        most = most.max(depth);
    }
    most
}

// Delimited text, one state per byte.

fn delimited(line: &[u8], delimiter: u8) {
    let found = answer(if delimiter == b',' { 1 } else { 2 }, line);
    compare(line, found, |line| delimited_naive(line, delimiter));
}

fn delimited_naive(line: &[u8], delimiter: u8) -> Option<Vec<Found>> {
    let mut line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    while let [rest @ .., b'\r'] = line {
        line = rest;
    }
    let columns = columns(line, delimiter).filter(|columns| columns.len() == 3)?;
    let blank = line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
    (!blank).then(|| columns.iter().map(|column| text(column)).collect())
}

fn columns(line: &[u8], delimiter: u8) -> Option<Vec<Vec<u8>>> {
    #[derive(PartialEq)]
    enum State {
        Start,
        Bare,
        Quoted,
        Quote,
    }
    let mut columns = vec![Vec::new()];
    let mut state = State::Start;
    for &byte in line {
        let Some(column) = columns.last_mut() else { break };
        state = match (state, byte) {
            (State::Start, b'"') => State::Quoted,
            (State::Quoted, b'"') => State::Quote,
            (State::Quote, b'"') | (State::Quoted, _) => {
                column.push(byte);
                State::Quoted
            }
            (_, byte) if byte == delimiter => {
                columns.push(Vec::new());
                State::Start
            }
            (State::Quote, _) => return None,
            (State::Start | State::Bare, _) => {
                column.push(byte);
                State::Bare
            }
        };
    }
    (state != State::Quoted).then_some(columns)
}

// LTSV, split at tabs.

fn ltsv(line: &[u8]) {
    // If a line has a single piece, its label has to be one of a list.
    let bare = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    if bare.split(|byte| *byte == b'\t').filter(|piece| !piece.trim_ascii().is_empty()).count() < 2
    {
        return;
    }
    compare(line, answer(3, line), ltsv_naive);
}

fn ltsv_naive(line: &[u8]) -> Option<Vec<Found>> {
    let mut line = line;
    while let [rest @ .., b' ' | b'\r'] = line {
        line = rest;
    }
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let mut values = BTreeMap::new();
    for piece in line.split(|byte| *byte == b'\t').filter(|piece| !piece.is_empty()) {
        let colon = piece.iter().position(|byte| *byte == b':')?;
        let (label, value) = (&piece[..colon], &piece[colon + 1..]);
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
        let first = label.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
        if !first || !label.iter().all(plain) || value.starts_with(b"//") {
            return None;
        }
        values.insert(label, value);
    }
    let fields = [&b"a"[..], b"b", b"c"];
    let fields = fields.map(|label| values.get(label).map_or(Found::Null, |value| text(value)));
    (!values.is_empty()).then(|| fields.to_vec())
}

// A template, compared with the hand-written code of the same format.

fn template(line: &[u8]) {
    let (by_hand, by_template) = (answer(4, line), answer(5, line));
    // A template accepts negative sizes and carriage returns as separators.
    let negative = line.windows(2).any(|two| two[0] == b'-' && two[1].is_ascii_digit());
    if negative || line.contains(&b'\r') {
        return;
    }
    assert_eq!(by_template.ok(), by_hand.ok());
}
