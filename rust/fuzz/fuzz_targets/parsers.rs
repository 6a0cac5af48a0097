//! Parsers that are obviously right, and slow.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::value::RawValue;
use tailrace_core::{Format, Reader};

use crate::{Answer, Found, read};

/// Reads a line with a format and with a dull parser of the same.
pub fn naive(data: &[u8]) {
    let Some((&choice, line)) = data.split_first() else { return };
    // Both are asked about a line.
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

/// Sees that both found the same. What fits only behind a collector's prefix, the dull parser is
/// asked about without it.
fn compare(line: &[u8], found: Answer, dull: impl Fn(&[u8]) -> Option<Vec<Found>>) {
    let expected = dull(line);
    let found = found.ok().flatten();
    if found == expected {
        return;
    }
    let prefixed = expected.is_none() && (1..line.len()).any(|at| dull(&line[at..]) == found);
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

/// Nothing and a lone `-` are null.
fn text(text: &[u8]) -> Found {
    if matches!(text, b"" | b"-") { Found::Null } else { Found::Text(text.to_vec()) }
}

// JSON, by serde.

type Object<'a> = BTreeMap<String, &'a RawValue>;

fn json(line: &[u8]) {
    // Bytes that are not UTF-8 and bare control bytes are no reason to reject a line; to serde
    // they are.
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
        // Half a surrogate pair is no reason either, nor is a number that no float can be.
        Err(error) if text.contains("\\u") || error.to_string().contains("out of range") => return,
        _ => {}
    }
    compare(line, found, json_dully);
}

fn json_dully(line: &[u8]) -> Option<Vec<Found>> {
    let text = str::from_utf8(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)).ok()?;
    let object: Object<'_> = serde_json::from_str(text).ok()?;
    let said = [
        object.get("a").and_then(|raw| said(raw)),
        inside(&object, "x", "y").or_else(|| inside(&object, "x", "z")),
        inside(&object, "e", "0"),
    ];
    Some(said.map(|said| said.map_or(Found::Null, |said| crate::parsers::text(&said))).into())
}

/// What a value says as text; none of null.
fn said(raw: &RawValue) -> Option<Vec<u8>> {
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
        return object.get(inner).and_then(|raw| said(raw));
    }
    let array = serde_json::from_str::<Vec<&RawValue>>(raw).ok()?;
    array.get(inner.parse::<usize>().ok()?).and_then(|raw| said(raw))
}

/// How deep it goes, strings not looked at as such: at least as deep as it is.
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

// Delimited text, a state for each byte.

fn delimited(line: &[u8], delimiter: u8) {
    let found = answer(if delimiter == b',' { 1 } else { 2 }, line);
    compare(line, found, |line| delimited_dully(line, delimiter));
}

fn delimited_dully(line: &[u8], delimiter: u8) -> Option<Vec<Found>> {
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

// LTSV, cut at tabs.

fn ltsv(line: &[u8]) {
    // The label of a line's only piece has to be one of a list.
    let bare = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    if bare.split(|byte| *byte == b'\t').filter(|piece| !piece.trim_ascii().is_empty()).count() < 2
    {
        return;
    }
    compare(line, answer(3, line), ltsv_dully);
}

fn ltsv_dully(line: &[u8]) -> Option<Vec<Found>> {
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

// A template, by the code that is written for the same format.

fn template(line: &[u8]) {
    let (by_hand, by_template) = (answer(4, line), answer(5, line));
    // A template takes a negative number for a size, and a carriage return for a blank.
    let negative = line.windows(2).any(|two| two[0] == b'-' && two[1].is_ascii_digit());
    if negative || line.contains(&b'\r') {
        return;
    }
    assert_eq!(by_template.ok(), by_hand.ok());
}
