//! What all formats have in common; what each accepts is tested in its own file and, against
//! Python's own expression, in the Python tests.

use super::*;

const LINE: &[u8] =
    br#"1.2.3.4 - joe [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 - "-" "ua \"x\"""#;

/// The same without referer and agent.
const COMMON_LINE: &[u8] =
    br#"1.2.3.4 - joe [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 -"#;

fn values(format: Format, line: &[u8]) -> Vec<(&'static str, Value<'_>)> {
    let fields = format.split(line).unwrap();
    format.fields().iter().map(|&field| (field.name(), format.value(&fields, field))).collect()
}

#[test]
fn names_are_those_of_the_fields() {
    for (name, field) in Field::NAMES {
        assert_eq!(field.name(), name);
        assert_eq!(Field::from_name(name), Some(field));
    }
    assert_eq!(Field::from_name("uri"), None);
}

#[test]
fn classic_gives_raw_text() {
    let text = |text: &'static str| Value::Text(text.as_bytes());
    assert_eq!(
        values(Format::Classic, LINE),
        [
            ("host", text("1.2.3.4")),
            ("user", text("joe")),
            ("time", text("17/May/2015:10:05:03 +0000")),
            ("request", text("GET /a?b HTTP/1.1")),
            ("status", text("200")),
            ("size", text("-")),
            ("referer", text("-")),
            ("agent", text(r#"ua \"x\""#)),
            ("url", text("/a?b")),
        ]
    );
}

#[test]
fn combined_gives_types() {
    let text = |text: &'static str| Value::Text(text.as_bytes());
    assert_eq!(
        values(Format::Combined, LINE),
        [
            ("host", text("1.2.3.4")),
            ("user", text("joe")),
            ("time", Value::Time(1_431_857_103 * SECOND)),
            ("method", text("GET")),
            ("url", text("/a?b")),
            ("protocol", text("HTTP/1.1")),
            ("status", Value::Int(200)),
            ("size", Value::Null),
            ("referer", Value::Null),
            ("agent", text(r#"ua \"x\""#)),
            ("request", text("GET /a?b HTTP/1.1")),
        ]
    );
}

#[test]
fn common_gives_what_combined_gives_up_to_the_size() {
    let combined = values(Format::Combined, LINE);
    let expected: Vec<_> =
        combined.into_iter().filter(|(name, _)| !["referer", "agent"].contains(name)).collect();
    assert_eq!(values(Format::Common, COMMON_LINE), expected);
    assert_eq!(Format::Common.columns().len(), 8);
}

#[test]
fn a_quote_behind_the_size_is_where_a_line_stops_to_be_common() {
    assert_eq!(Format::Common.split(LINE).unwrap_err().byte(), COMMON_LINE.len() + 1);
    // An unquoted field may follow, and then quoted ones may.
    let more = [COMMON_LINE, br#" 0.012 "ua""#].concat();
    assert_eq!(Format::Common.split(&more), Format::Common.split(COMMON_LINE));
}

#[test]
fn every_value_is_of_the_kind_that_the_format_says() {
    for (_, format) in Format::NAMES {
        let line = if format == Format::Common { COMMON_LINE } else { LINE };
        let fields = format.split(line).unwrap();
        for &field in format.fields() {
            let fits = match format.value(&fields, field) {
                Value::Null => true,
                Value::Text(_) => format.kind(field) == Kind::Text,
                Value::Int(_) => format.kind(field) == Kind::Int,
                Value::Time(_) => format.kind(field) == Kind::Time,
            };
            assert!(fits, "{format:?} {}", field.name());
        }
    }
}

#[test]
fn what_a_client_writes_moves_no_field_to_its_left() {
    let forged = br#"h - - [17/May/2015:10:05:03 +0000] "GET /real HTTP/1.1" 200 5 "-" "x] "GET /fake HTTP/1.1" 200 1 "-" "y""#;
    let fields = Format::Combined.split(forged).unwrap();
    assert_eq!(Format::Combined.value(&fields, Field::Url), Value::Text(b"/real"));
    // The classic program believes the client.
    let fields = Format::Classic.split(forged).unwrap();
    assert_eq!(Format::Classic.value(&fields, Field::Url), Value::Text(b"/fake"));
}

#[test]
fn a_number_that_fits_into_eighteen_digits_is_exact() {
    let line = b"h - - [t] \"GET /\" 007 999999999999999999";
    let fields = Format::Combined.split(line).unwrap();
    assert_eq!(Format::Combined.value(&fields, Field::Status), Value::Int(7));
    assert_eq!(Format::Combined.value(&fields, Field::Size), Value::Int(999_999_999_999_999_999));
    assert!(Format::Combined.split(b"h - - [t] \"GET /\" 007 9999999999999999999").is_err());
}
