//! Compares the JSON matcher with `serde_json`, on valid and invalid JSON.
//!
//! Intended differences, which are removed before the comparison: the matcher accepts bytes that
//! are not UTF-8, control bytes in strings, lone surrogates, numbers of any size, the escapes `\xHH`
//! and `\v`, and the brackets and commas of an array around objects; it limits the depth to 64 and
//! accepts only objects as lines.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::super::super::parsed::{LineKind, Span};
use super::super::Json;
use super::Matcher;

const PATHS: &[&str] = &[
    "a",
    "b",
    "a.b",
    "b.a",
    "a.a",
    "b.0",
    "b.1",
    "a.0.b",
    "b.1.a",
    "a.b.a.b",
    r"a\.b",
    "key",
    "longer-key",
    "long.longer-key",
    "long",
    "\"",
    "é",
    "0",
];

fn matcher() -> Matcher {
    let map: Vec<_> =
        PATHS.iter().enumerate().map(|(number, path)| format!("f{number}={path}")).collect();
    Matcher::Json(Json::written(&map.join(",")).unwrap())
}

/// The line with valid escapes in place of those that only the matcher accepts.
fn with_valid_escapes(line: &[u8]) -> Vec<u8> {
    let mut valid = Vec::new();
    let mut at = 0;
    while at < line.len() {
        at += match &line[at..] {
            [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                valid.extend([b'\\', b'u', b'0', b'0', *high, *low]);
                4
            }
            [b'\\', b'v', ..] => {
                valid.extend(b"\\u000b");
                2
            }
            [b'\\', other, ..] => {
                valid.extend([b'\\', *other]);
                2
            }
            [other, ..] => {
                valid.push(*other);
                1
            }
            [] => break,
        };
    }
    valid
}

/// The object of a line, without the brackets and commas of an array.
fn without_array(line: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| b" \t\n\r".contains(byte);
    let trimmed =
        |line: &[u8]| line.iter().rposition(|byte| !is_blank(byte)).map_or(0, |at| at + 1);
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let start = line.iter().position(|byte| !is_blank(byte)).unwrap_or(0);
    let line = &line[start..trimmed(line)];
    let line = line.strip_prefix(b"[").or(line.strip_prefix(b",")).unwrap_or(line);
    let line = line.strip_suffix(b"]").unwrap_or(line);
    let line = &line[..trimmed(line)];
    line.strip_suffix(b",").unwrap_or(line)
}

/// Whether the line is a JSON object, apart from the intended differences.
fn is_object(line: &[u8]) -> bool {
    if matches!(line.trim_ascii(), b"[" | b"]" | b"[]" | b",") {
        return true;
    }
    let line = &with_valid_escapes(without_array(line));
    let plain: Vec<_> = line
        .iter()
        .map(|byte| match byte {
            b'\t' | b'\n' | b'\r' => b' ',
            0..0x20 | 0x80.. => b'x',
            _ => *byte,
        })
        .collect();
    let first = plain.iter().find(|byte| **byte != b' ');
    first == Some(&b'{') && serde_json::from_slice::<IgnoredAny>(&plain).is_ok()
}

/// The value at the end of a path, found naively.
fn at<'a>(mut value: &'a Value, path: &str) -> Option<&'a Value> {
    for key in path.replace(r"\.", "\0").split('.') {
        let key = key.replace('\0', ".");
        value = match value {
            Value::Object(members) => members.get(&key)?,
            Value::Array(elements) => elements.get(key.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    (!value.is_null()).then_some(value)
}

/// Compares the matcher with the oracle; returns whether the line is JSON.
fn agrees(matcher: &Matcher, line: &[u8]) -> bool {
    let found = matcher.texts(line);
    let shown = String::from_utf8_lossy(line);
    assert_eq!(found.is_ok(), is_object(line), "{shown}: {found:?}");
    let Ok(found) = found else {
        let (byte, _) = super::rejected(found);
        assert!(byte <= line.len(), "{shown}");
        return false;
    };
    // A byte of \xHH that is not ASCII is no character.
    let valid = with_valid_escapes(without_array(line));
    let is_ascii = |escape: &[u8]| !matches!(escape, [b'\\', b'x', high, _] if *high >= b'8');
    let Some(value) =
        serde_json::from_slice::<Value>(&valid).ok().filter(|_| line.windows(4).all(is_ascii))
    else {
        return true;
    };
    let mut found = found.into_iter().peekable();
    for (number, path) in PATHS.iter().enumerate() {
        let name = format!("f{number}");
        let text = found.next_if(|(found, _)| *found == name).map(|(_, text)| text);
        match (at(&value, path), text) {
            (None, None) => {}
            (Some(Value::String(expected)), Some(text)) => assert_eq!(text, *expected, "{shown}"),
            (Some(expected), Some(text)) => {
                let text = with_valid_escapes(text.as_bytes());
                let text: Value = serde_json::from_slice(&text).unwrap();
                assert_eq!(text, *expected, "{shown} at {path}");
            }
            (expected, text) => panic!("{shown} at {path}: {expected:?} and {text:?}"),
        }
    }
    true
}

/// A character of a string, in one of its notations.
fn character() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => select(vec!["a", "b", "/", "é", "😀", " ", ":", ",", "{", "]"]).prop_map(String::from),
        1 => select(vec!["\\x41", "\\x5C", "\\xE2\\x80", "\\v", "\\n", "\\\"", "\\\\", "\\/", "\\b", "\\u0061", "\\u00e9", "\\ud83d\\ude00"])
            .prop_map(String::from),
        1 => any::<char>().prop_filter("plain", |&c| c >= ' ' && c != '"' && c != '\\')
            .prop_map(String::from),
    ]
}

fn string() -> impl Strategy<Value = String> {
    vec(character(), 0..12).prop_map(|characters| format!("\"{}\"", characters.concat()))
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(vec![
            "a", "b", "a.b", "key", "longer-key", "long", "\\\"", "é", "0", "\\u0061", "\\u00e9",
            "lo\\u006eg", "",
        ]).prop_map(|key| format!("\"{key}\"")),
        1 => string(),
    ]
}

fn blanks() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => Just(""), 1 => Just(" "), 1 => Just("\n\t \r")]
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        string(),
        select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0",
            "12",
            "-3.5",
            "1e3",
            "1E-2",
            "0.5e+7",
            "123456789012",
        ])
        .prop_map(String::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            1 => vec((inner.clone(), blanks()), 0..4).prop_map(|elements| {
                let elements: Vec<_> =
                    elements.into_iter().map(|(value, blank)| blank.to_owned() + &value).collect();
                format!("[{}]", elements.join(","))
            }),
            3 => object(inner),
        ]
    })
}

fn object(values: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    vec((key(), blanks(), values, blanks()), 0..6).prop_map(|members| {
        let members: Vec<_> = members
            .into_iter()
            .map(|(key, before, value, after)| {
                format!("{before}{key}{after}:{before}{value}{after}")
            })
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

/// A change of a line: a position, the new bytes, and the number of bytes that they replace.
fn change() -> impl Strategy<Value = (prop::sample::Index, Vec<u8>, usize)> {
    let byte = prop_oneof![
        4 => select(b"\"\\{}[]:,0123456789.eE+-ntfu/ \t\n".to_vec()),
        1 => any::<u8>(),
    ];
    (any::<prop::sample::Index>(), vec(byte, 0..3), 0..3_usize)
}

proptest! {
    #![proptest_config(crate::ground::profile::cases(500))]

    #[test]
    fn generated_json_is_accepted(line in object(value())) {
        prop_assert!(agrees(&matcher(), line.as_bytes()), "{}", line);
    }

    #[test]
    fn changed_json_has_the_result_of_the_oracle(
        line in object(value()),
        changes in vec(change(), 1..4),
    ) {
        let mut line = line.into_bytes();
        for (position, bytes, removed) in changes {
            let start = position.index(line.len() + 1);
            let end = line.len().min(start + removed);
            line.splice(start..end, bytes);
        }
        agrees(&matcher(), &line);
    }

    #[test]
    fn any_bytes_have_the_result_of_the_oracle(line in vec(any::<u8>(), 0..200)) {
        agrees(&matcher(), &line);
        agrees(&matcher(), &[b"{\"a\":", &line[..], b"}"].concat());
    }
}

const LINES: [&str; 4] = [
    r#"{"a":{"b":[1,-2.5e+3,"x\"\u00e9\\"],"a":null},"b":[true,{"a":"y"}],"a.b":"z"}"#,
    r#" { "key" : "v\ud83d\ude00" , "longer-key" : 0 , "long":{"longer-key":[ ]},"\"":false } "#,
    r#"{"u":[[],{},[{}],{"a":[1,2]}],"\u0061":"","é":12,"0":"zero"}"#,
    r#"{"b":["first",{"a":["raw"]}],"long":"a text that is longer than sixty-four bytes, so that it is looked through by another search\n"}"#,
];

#[test]
fn every_prefix_of_a_line_has_the_result_of_the_oracle() {
    let matcher = matcher();
    for line in LINES {
        let accepted = (0..=line.len()).filter(|&end| agrees(&matcher, &line.as_bytes()[..end]));
        // Only the whole line is JSON, with or without blanks at its end.
        assert_eq!(accepted.count(), 1 + line.len() - line.trim_end().len());
    }
}

#[test]
fn every_change_of_one_byte_has_the_result_of_the_oracle() {
    let matcher = matcher();
    for line in LINES {
        let mut line = line.as_bytes().to_vec();
        for position in 0..line.len() {
            let byte = line[position];
            let mut accepted = 0;
            for other in 0..=255 {
                line[position] = other;
                accepted += u32::from(agrees(&matcher, &line));
            }
            assert!(accepted > 0);
            line[position] = byte;
        }
    }
}

#[test]
fn objects_and_arrays_may_be_sixty_four_deep() {
    let matcher = matcher();
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"x\":", "}]")] {
        let each = open.matches(['[', '{']).count();
        // The object of the line counts too.
        for count in [1, 62 / each, 63 / each] {
            let line = format!("{{\"a\":{}0{}}}", open.repeat(count), close.repeat(count));
            assert!(agrees(&matcher, line.as_bytes()), "{line}");
        }
        let count = 63 / each + 1;
        let line = format!("{{\"a\":{}0{}}}", open.repeat(count), close.repeat(count));
        let (byte, expected) = super::rejected(matcher.texts(line.as_bytes()));
        assert_eq!(expected, "at most 64 nested objects and arrays");
        assert!(matches!(line.as_bytes()[byte], b'[' | b'{'));
        assert_eq!(line[..byte].matches(['[', '{']).count(), 64);
    }
}

#[test]
fn a_reject_says_where_and_what_was_expected() {
    let matcher = matcher();
    for (line, byte, expected) in [
        ("GET /", 0, "a JSON object"),
        ("[1]", 1, "a JSON object"),
        ("{", 1, "a key in quotes"),
        ("{'a':1}", 1, "a key in quotes"),
        ("{\"a\":1,}", 7, "a key in quotes"),
        ("{\"a\" 1}", 5, "a colon after the key"),
        ("{\"a\":}", 5, "a JSON value"),
        ("{\"a\":nul}", 5, "a JSON value"),
        ("{\"a\":NaN}", 5, "a JSON value"),
        ("{\"a\":[1,]}", 8, "a JSON value"),
        ("{\"a\":01}", 6, "a number without leading zeros"),
        ("{\"a\":1.}", 7, "a digit"),
        ("{\"a\":-}", 6, "a digit"),
        ("{\"a\":\"x", 7, "the quote that closes the string"),
        ("{\"a\":\"\\x2g\"}", 6, "a valid JSON escape"),
        ("{\"a\":\"\\u12g4\"}", 6, "a valid JSON escape"),
        ("{\"a\":1 \"b\":2}", 7, "a comma or }"),
        ("{\"x\":[1 2]}", 8, "a comma or ]"),
        ("{\"a\":1", 6, "a comma or }"),
        ("{} x", 3, "the end of the line"),
        ("{}{}", 2, "the end of the line"),
        ("[{}, {}]", 5, "the end of the line after one object; write each object on its own line"),
        ("[[{}]]", 1, "a JSON object"),
        ("{},]]", 3, "the end of the line"),
    ] {
        assert_eq!(super::rejected(matcher.texts(line.as_bytes())), (byte, expected), "{line}");
    }
}

#[test]
fn an_array_with_an_object_on_each_line_is_read() {
    let matcher = matcher();
    for line in [
        "[{\"a\":1}",
        "[ {\"a\":1},",
        "{\"a\":1},",
        "{\"a\":1} , ",
        "{\"a\":1}]",
        ",{\"a\":1}",
        "[{\"a\":1}]\r",
    ] {
        assert!(agrees(&matcher, line.as_bytes()), "{line}");
        assert_eq!(matcher.texts(line.as_bytes()).unwrap()[0].1, "1", "{line}");
    }
    for line in ["[", "]", " [ \r", "[]", ","] {
        let mut spans = vec![Span::NONE; PATHS.len()];
        assert_eq!(matcher.split(line.as_bytes(), &mut spans), Ok(LineKind::Header), "{line}");
    }
}

#[test]
fn escapes_of_nginx_and_apache_are_the_bytes_that_they_mean() {
    let line = br#"{"a":"\x22\x5c\xE2\x80\xA6\v","k\x65y":"b"}"#;
    let texts = matcher().texts(line).unwrap();
    assert_eq!(texts, super::pairs(&[("f0", "\"\\…\u{b}"), ("f11", "b")]));
}
