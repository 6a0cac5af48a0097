//! Compares the matcher for delimited text with a naive parser that reads byte by byte.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::super::field_type::FieldType;
use super::super::super::parsed::{LineKind, Span};
use super::super::super::time::TimeFormat;
use super::super::{Delimited, decode};
use super::{Matcher, pairs, rejected};

/// RFC 4180 for one line: the text of each column, and whether it was quoted.
fn naive(line: &[u8], delimiter: u8) -> Option<Vec<(Vec<u8>, bool)>> {
    let mut columns = vec![(Vec::new(), false)];
    let mut bytes = line.iter().copied().peekable();
    let mut fresh = true;
    while let Some(byte) = bytes.next() {
        let column = columns.last_mut()?;
        if byte == delimiter {
            columns.push((Vec::new(), false));
            fresh = true;
            continue;
        }
        if byte == b'"' && fresh {
            column.1 = true;
            loop {
                match bytes.next()? {
                    b'"' if bytes.next_if_eq(&b'"').is_none() => break,
                    byte => column.0.push(byte),
                }
            }
            if bytes.peek().is_some_and(|next| *next != delimiter) {
                return None;
            }
        } else {
            column.0.push(byte);
        }
        fresh = false;
    }
    Some(columns)
}

fn with_columns(delimiter: u8, count: usize) -> Delimited {
    let names: Vec<_> = (0..count).map(|number| format!("c{number}")).collect();
    Delimited::with_columns(delimiter, &names.join(",")).unwrap()
}

proptest! {
    #![proptest_config(crate::ground::profile::cases(1_000))]

    #[test]
    fn columns_are_those_of_a_naive_parser(
        line in vec(select(b"\"\"\",;\t ab\xff\r".to_vec()), 0..30),
        delimiter in select(b",;\t".to_vec()),
        count in 1..6_usize,
    ) {
        let matcher = with_columns(delimiter, count);
        let mut spans = vec![Span::NONE; count];
        let found = matcher.split(&line, &mut spans);
        let ends = line.iter().rev().take_while(|byte| **byte == b'\r').count();
        let plain = &line[..line.len() - ends];
        let blank = plain.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
        let expected = naive(plain, delimiter).filter(|all| all.len() == count && !blank);
        prop_assert_eq!(found.is_ok(), expected.is_some(), "{:?}", found);
        let mut buffer = Vec::new();
        for (span, (text, quoted)) in spans.into_iter().zip(expected.unwrap_or_default()) {
            let Some(raw) = span.of(&line) else {
                prop_assert!(text.is_empty() && !quoted);
                continue;
            };
            let found = decode::decoded(
                super::Encoding::Csv, raw, &line, span.start(), &mut buffer,
            );
            prop_assert_eq!(found, &text[..]);
            prop_assert!(quoted || !text.is_empty());
        }
    }

    #[test]
    fn quoted_text_round_trips(columns in vec("[^\n\r]*", 2..6)) {
        let quoted: Vec<_> =
            columns.iter().map(|text| format!("\"{}\"", text.replace('"', "\"\""))).collect();
        let matcher = Matcher::Delimited(with_columns(b',', columns.len()));
        let found = matcher.texts(quoted.join(",").as_bytes()).unwrap();
        let found: Vec<_> = found.into_iter().map(|(_, text)| text).collect();
        prop_assert_eq!(found, columns);
    }
}

#[test]
fn the_first_line_names_the_columns() {
    let csv = Delimited::new(b',');
    assert_eq!(csv.found(), []);
    assert_eq!(csv.split(b"time,device", &mut []), Ok(LineKind::Header));
    assert!(csv.with_header(b"\r").is_none());
    // An invalid header is rejected, and the next line may be the header.
    assert_eq!(rejected(csv.split(b"time,\"device", &mut [])).0, 12);
    assert!(csv.with_header(b"time,\"device").is_none());

    let header = b"\xef\xbb\xbftime,\"a \"\"b\"\"\", status \r";
    let csv = Delimited::new(b',').with_header(header).unwrap();
    let names: Vec<_> = csv.found().iter().map(|found| &*found.name).collect();
    assert_eq!(names, ["time", "a \"b\"", "status"]);
    assert_eq!(csv.found()[2].read, FieldType::Int);
    // A repetition of the header is a header too, and changes nothing.
    let mut spans = [Span::NONE; 3];
    assert_eq!(csv.split(&header[3..], &mut spans), Ok(LineKind::Header));
    assert!(csv.with_header(b"other,columns").is_none());
    let found = Matcher::Delimited(csv).texts(b"1,,\"\"").unwrap();
    assert_eq!(found, pairs(&[("time", "1"), ("status", "")]));
}

#[test]
fn given_columns_have_types_and_maybe_a_header() {
    let csv = Delimited::with_columns(b';', "time:epoch_ms,device, temperature:float").unwrap();
    let reads: Vec<_> = csv.found().iter().map(|found| (&*found.name, &found.read)).collect();
    let time = FieldType::Time(TimeFormat::Epoch(-3));
    assert_eq!(
        reads,
        [("time", &time), ("device", &FieldType::Any), ("temperature", &FieldType::Float)]
    );
    // The names as the first line are a header, in any case; later they are data.
    let header = b"\xef\xbb\xbfTIME; \"Device\" ;temperature\r";
    let mut spans = [Span::NONE; 3];
    assert_eq!(csv.split(b"time;Device;\"temperature\"", &mut spans), Ok(LineKind::Header));
    assert!(csv.with_header(b" ").is_none());
    assert!(rejected(csv.split(header, &mut spans)).0 > 0);
    let settled = csv.with_header(b"1;a;2").unwrap();
    assert!(!settled.awaits_header());
    let names = b"time;device;temperature";
    assert_eq!(rejected(settled.split(names, &mut spans)), (12, "a number"));
    let with_header = csv.with_header(names).unwrap();
    assert_eq!(with_header.split(names, &mut spans), Ok(LineKind::Header));
    for (line, byte) in [("1;a;x", 4), ("1;a;1,5", 4), ("1;a;\"\"", 9), ("1;a;-", 9), ("1;a;", 9)] {
        let found = with_header.split(line.as_bytes(), &mut spans);
        assert_eq!(
            found.err().map_or(9, crate::text::format::parsed::Reject::byte),
            byte,
            "{line}"
        );
    }
    let found = Matcher::Delimited(csv).texts(b"1;a,b;2.5").unwrap();
    assert_eq!(found, pairs(&[("time", "1"), ("device", "a,b"), ("temperature", "2.5")]));

    let error = Delimited::with_columns(b',', "time,x:double").unwrap_err();
    assert_eq!((error.start, error.end), (7, 13));
    let error = Delimited::with_columns(b',', "time,,x").unwrap_err();
    assert_eq!(
        (error.start, error.end, &*error.message),
        (5, 5, "expected a column name; write one, or remove a comma")
    );
}

#[test]
fn a_line_with_another_number_of_columns_is_rejected() {
    let given = Delimited::with_columns(b',', "a,b").unwrap();
    let named = Delimited::new(b',').with_header(b"a,b").unwrap();
    let split = |csv: &Delimited, line: &[u8]| rejected(csv.split(line, &mut [Span::NONE; 2]));
    assert_eq!(split(&given, b"x"), (1, "as many columns as in the format"));
    assert_eq!(split(&named, b"x\r"), (1, "as many columns as in the header"));
    let surplus = "the end of the line (the header has no more columns)";
    assert_eq!(split(&named, b"x,y,"), (3, surplus));
    let surplus = "the end of the line (the format has no more columns)";
    assert_eq!(split(&given, b"x,\"y\",z"), (5, surplus));
    assert_eq!(split(&given, b"x,\"y"), (4, "the quote that closes the field"));
    assert_eq!(split(&given, b"\"x\"y,z"), (3, "a delimiter after the closing quote"));
}

#[test]
fn empty_columns_at_the_end_are_columns() {
    let tsv = Matcher::Delimited(Delimited::with_columns(b'\t', "a,b,c").unwrap());
    assert_eq!(tsv.texts(b"x\t\t\r").unwrap(), pairs(&[("a", "x")]));
}

#[test]
fn every_column_has_a_unique_name() {
    for (header, names) in [
        (&b"id,value,value,value"[..], &["id", "value", "value_2", "value_3"][..]),
        (b"a,,", &["a", "column_2", "column_3"]),
        (b"value_2,value,value", &["value_2", "value", "value_3"]),
        (b"time,time", &["time", "time_2"]),
    ] {
        let named = Delimited::new(b',').with_header(header).unwrap();
        let found: Vec<_> = named.found().iter().map(|found| &*found.name).collect();
        assert_eq!(found, names);
    }
    for columns in ["a,a", "time,device,time", "a, a:int"] {
        let error = Delimited::with_columns(b',', columns).unwrap_err();
        assert!(error.message.starts_with("duplicate column '"), "{}", error.message);
        assert_eq!(error.end, columns.len());
    }
}
