//! Lists the keys of an object, to show people which fields a line has.

use std::collections::BTreeSet;

use super::super::super::field_type::Encoding;
use super::super::{bom_len, decode};
use super::field_paths::{MAX_KEY_LEN, MAX_PATH};
use super::syntax::{blanks, colon, comma, skip};
use crate::ground::lossy;

/// Adds the paths to the values of a valid object that are not among these: keys separated by dots,
/// as a field is requested. An array is one value.
pub(crate) fn push_keys(line: &[u8], keys: &mut Vec<String>, most: usize) {
    let start = blanks(line, bom_len(line));
    let mut known: BTreeSet<_> = keys.iter().cloned().collect();
    let mut take = |path: &str| {
        if keys.len() < most && known.insert(path.to_owned()) {
            keys.push(path.to_owned());
        }
    };
    object(line, start, &mut String::new(), 1, &mut take);
}

/// Takes the paths of the object that begins here, and returns where it ends.
fn object(
    line: &[u8],
    start: usize,
    path: &mut String,
    depth: usize,
    take: &mut impl FnMut(&str),
) -> Option<usize> {
    let mut at = blanks(line, start + 1);
    if line.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        let end = skip(line, at, 1).ok()?;
        let key = line.get(at + 1..end - 1)?;
        at = colon(line, end).ok()?;
        let length = path.len();
        let is_usable = key.len() <= MAX_KEY_LEN && !key.is_empty();
        if is_usable {
            push_key(key, path);
        }
        let is_object =
            line.get(at) == Some(&b'{') && line.get(blanks(line, at + 1)) != Some(&b'}');
        at = if is_usable && is_object && depth < MAX_PATH {
            object(line, at, path, depth + 1, take)?
        } else {
            if is_usable {
                take(path);
            }
            skip(line, at, 1).ok()?
        };
        path.truncate(length);
        at = blanks(line, at);
        if line.get(at) == Some(&b'}') {
            return Some(at + 1);
        }
        at = comma(line, at, b'}').ok()?;
    }
}

/// Appends a key to a path, with a backslash before what would separate keys.
fn push_key(key: &[u8], path: &mut String) {
    if !path.is_empty() {
        path.push('.');
    }
    let mut buffer = Vec::new();
    let quoted = [&b"\""[..], key].concat();
    let key = decode::decoded(Encoding::Json, key, &quoted, 1, &mut buffer);
    let text = lossy(key);
    let last = text.chars().count() - 1;
    for (index, character) in text.chars().enumerate() {
        if matches!(character, '.' | '|' | '\\') || (character == '!' && index == last) {
            path.push('\\');
        }
        path.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::{Format, Reader, Value};
    use super::*;

    fn keys(lines: &[&str]) -> Vec<String> {
        let mut keys = Vec::new();
        for line in lines {
            push_keys(line.as_bytes(), &mut keys, 100);
        }
        keys
    }

    #[test]
    fn every_path_to_a_value_is_listed_once_and_in_order() {
        let lines = [
            r#"{"ts":1,"req":{"method":"GET","headers":{"Accept":["a","b"]}},"empty":{},"":1}"#,
            r#" { "ts" : 2 , "req" : { } , "level":"info"}"#,
        ];
        let expected = ["ts", "req.method", "req.headers.Accept", "empty", "req", "level"];
        assert_eq!(keys(&lines), expected);
    }

    #[test]
    fn a_listed_key_can_be_requested() {
        let line =
            r#"{"a.b":"1","c|d":{"e\\f":"2","\u0041":"3"},"g!":"4","h!i":"5","x:y":"6","é":"7"}"#;
        let names = keys(&[line]);
        assert_eq!(names, ["a\\.b", "c\\|d.e\\\\f", "c\\|d.A", "g\\!", "h!i", "x:y", "é"]);
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut reader = Reader::new(&Format::new("json").unwrap(), &names).unwrap();
        reader.read(line.as_bytes()).unwrap();
        for (index, value) in (0..names.len()).zip(b'1'..) {
            assert_eq!(
                reader.value(line.as_bytes(), index),
                Value::Text(&[value]),
                "{}",
                names[index]
            );
        }
    }

    #[test]
    fn no_more_keys_than_asked_for_are_listed() {
        let mut found = Vec::new();
        push_keys(br#"{"a":1,"b":2,"c":3}"#, &mut found, 2);
        assert_eq!(found, ["a", "b"]);
    }

    #[test]
    fn deep_and_broken_objects_end_the_list() {
        let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
        assert_eq!(keys(&[&deep]), [["a"; MAX_PATH].join(".")]);
        assert_eq!(keys(&["{\"a\":1,\"b\""]), ["a"]);
        assert_eq!(keys(&["", "{", "{1"]), [""; 0]);
    }
}
