//! Tests of decoding.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::super::field_type::Encoding;
use super::super::decode::{decoded, percent, unescape};

fn text(encoding: Encoding, line: &[u8], start: usize, end: usize) -> Vec<u8> {
    decoded(encoding, &line[start..end], line, start, &mut b"left over".to_vec()).to_vec()
}

fn quoted(encoding: Encoding, inside: &str) -> String {
    let line = format!("\"{inside}\"");
    String::from_utf8(text(encoding, line.as_bytes(), 1, line.len() - 1)).unwrap()
}

fn bare(encoding: Encoding, text_of: &str) -> String {
    String::from_utf8(text(encoding, text_of.as_bytes(), 0, text_of.len())).unwrap()
}

#[test]
fn escapes_of_json_strings_are_decoded() {
    for (written, expected) in [
        ("plain", "plain"),
        (r#"a\"b\\c\/d"#, "a\"b\\c/d"),
        (r"\b\f\n\r\t", "\u{8}\u{c}\n\r\t"),
        (r"\u00e9\u00E9\u0000", "éé\0"),
        (r"\ud83d\ude00!", "😀!"),
        // Lone surrogates.
        (r"\ud83d", "\u{fffd}"),
        (r"\ud83d\u0061", "\u{fffd}a"),
        (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
        (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
    ] {
        assert_eq!(quoted(Encoding::Json, written), expected, "{written}");
    }
    // A text that does not follow a quote is not a string.
    assert_eq!(bare(Encoding::Json, r#"["\n"]"#), r#"["\n"]"#);
    assert_eq!(text(Encoding::Json, b"\"\xff\\n\"", 1, 4), b"\xff\n");
}

#[test]
fn doubled_quotes_are_decoded_after_a_quote() {
    assert_eq!(quoted(Encoding::Csv, r#"a ""b"" c"#), r#"a "b" c"#);
    assert_eq!(bare(Encoding::Csv, r#"a ""b"#), r#"a ""b"#);
    assert_eq!(quoted(Encoding::Plus, r#"a+""b"""#), r#"a+"b""#);
}

#[test]
fn plus_signs_and_percent_escapes_are_decoded() {
    assert_eq!(bare(Encoding::Plus, "Mozilla/5.0+(Windows+NT)"), "Mozilla/5.0 (Windows NT)");
    assert_eq!(bare(Encoding::Percent, "a%20b%2520c%2Bd+%zz%2"), "a b c+d+%zz%2");
    assert_eq!(bare(Encoding::Percent, "100%25"), "100%");
    assert_eq!(bare(Encoding::Raw, "a%20b+\\n"), "a%20b+\\n");
    assert_eq!(percent(b"%2520%C3%a9%", &mut Vec::new()), "%20é%".as_bytes());
}

#[test]
fn escapes_of_servers_are_decoded() {
    for (written, expected) in [
        (&br"plain"[..], &b"plain"[..]),
        (br#"\x22\xE9\xe9 \"a\" \\ \n\t\r\b\v\f\a"#, b"\"\xe9\xe9 \"a\" \\ \n\t\r\x08\x0b\x0c\x07"),
        // Other backslashes stay.
        (br"\q \xg1 \x2", br"\q \xg1 \x2"),
        (br"a\", br"a\"),
        (br"\\x41", br"\x41"),
    ] {
        assert_eq!(unescape(written, &mut b"left over".to_vec()), expected);
    }
}

proptest! {
    #![proptest_config(crate::ground::profile::cases(256))]

    #[test]
    fn escaped_text_round_trips(bytes in vec(any::<u8>(), 0..40), text in ".*") {
        let mut buffer = b"left over".to_vec();
        let hex: Vec<_> = bytes.iter().map(|byte| format!("\\x{byte:02X}")).collect();
        let hex = hex.concat();
        prop_assert_eq!(unescape(hex.as_bytes(), &mut buffer), &bytes[..]);
        let hex = hex.replace("\\x", "%");
        prop_assert_eq!(percent(hex.as_bytes(), &mut buffer), &bytes[..]);
        let json = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(quoted(Encoding::Json, &json[1..json.len() - 1]), text.clone());
        let json: Vec<_> = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        prop_assert_eq!(quoted(Encoding::Json, &json.concat()), text.clone());
        prop_assert_eq!(quoted(Encoding::Csv, &text.replace('"', "\"\"")), text);
    }

    #[test]
    fn no_bytes_cause_a_panic(bytes in vec(proptest::sample::select(b"\"\\%+x20ud8de\xffn".to_vec()), 0..30)) {
        let line = [b"\"", &bytes[..]].concat();
        for encoding in
            [Encoding::Raw, Encoding::Json, Encoding::Csv, Encoding::Plus, Encoding::Percent]
        {
            for start in [0, 1] {
                let found = text(encoding, &line, start, line.len());
                prop_assert!(found.len() <= line.len(), "{:?}", found);
            }
        }
        prop_assert!(unescape(&bytes, &mut Vec::new()).len() <= bytes.len());
    }
}
