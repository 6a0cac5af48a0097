use proptest::prelude::*;

use super::*;

fn time_parser(formats: &[TimeFormat]) -> TimeParser {
    TimeParser::new(formats).unwrap()
}

fn one(format: TimeFormat, text: &str) -> Option<i64> {
    time_parser(&[format]).read([Some(text.as_bytes())].into_iter())
}

fn pattern(text: &str) -> TimeFormat {
    TimeFormat::Strftime(text.into())
}

fn in_parts(formats: &[TimeFormat], parts: &[&str]) -> Option<i64> {
    time_parser(formats).read(parts.iter().map(|part| Some(part.as_bytes())))
}

#[test]
fn times_are_parsed_as_python_parses_them() {
    let table = include_str!("cases.tsv");
    for row in table.lines() {
        let [form, text, expected] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let format = match form.split_once(' ') {
            Some(("epoch", power)) => TimeFormat::Epoch(power.parse().unwrap()),
            _ if form == "clf" => TimeFormat::Clf,
            _ if form == "iso" => TimeFormat::Iso,
            _ if form == "any" => TimeFormat::Any,
            _ => pattern(form),
        };
        assert_eq!(one(format, text), expected.parse().ok(), "{row}");
    }
    assert!(table.lines().count() > 300);
}

#[test]
fn a_zone_may_have_only_hours_and_any_case() {
    let expected = Some(1_431_857_103 * SECOND);
    for text in [
        "2015-05-17 12:05:03 +02",
        "2015-05-17 12:05:03 +02:00",
        "2015-05-17 10:05:03 z",
        "2015-05-17  10:05:03\t-0000",
    ] {
        assert_eq!(one(pattern("%Y-%m-%d %H:%M:%S %z"), text), expected, "{text}");
    }
    assert_eq!(one(pattern("%d/%b/%Y:%T %Z"), "17/May/2015:10:05:03 gmt"), expected);
    assert_eq!(one(pattern("%d/%b/%Y:%T %Z"), "17/May/2015:10:05:03 CEST"), None);
}

#[test]
fn fractions_are_cut_to_microseconds() {
    for (format, text) in [
        (pattern("%s.%f"), "1431857103.123456789"),
        (pattern("%s.%9f"), "1431857103.123456789"),
        (pattern("%s.%9N"), "1431857103.123456789"),
        (pattern("%s%6f"), "1431857103123456"),
        (TimeFormat::Iso, "2015-05-17T10:05:03.123456789Z"),
        (TimeFormat::Any, "1431857103.1234569"),
        (TimeFormat::Any, "1431857103123456"),
        (TimeFormat::Any, "1431857103123456789"),
        (TimeFormat::Epoch(-3), "1.431857103123456789e12"),
    ] {
        assert_eq!(one(format, text), Some(1_431_857_103_123_456), "{text}");
    }
    assert_eq!(one(pattern("%s.%L"), "1431857103.123"), Some(1_431_857_103_123_000));
    assert_eq!(one(pattern("%s.%L"), "1431857103.12"), None);
    assert_eq!(one(pattern("%s.%f"), "1431857103."), None);
}

#[test]
fn a_time_may_have_several_parts() {
    let expected = Some(1_431_857_103_120_000);
    let iso = || TimeFormat::Iso;
    for (formats, parts) in [
        (vec![iso(), iso()], vec!["2015-05-17", "10:05:03.12"]),
        (vec![iso(), iso()], vec!["10:05:03.12", "2015-05-17"]),
        (vec![TimeFormat::Any, TimeFormat::Any], vec!["2015-05-17", "12:05:03.12+02:00"]),
        (
            vec![pattern("%d/%b/%Y"), pattern("%T"), pattern("%6f")],
            vec!["17/May/2015", "10:05:03", "120000"],
        ),
        (
            vec![pattern("%F %I:%M:%S"), pattern("%p"), pattern("%3f")],
            vec!["2015-05-17 10:05:03", "AM", "120"],
        ),
        (vec![TimeFormat::Clf, pattern("%3f")], vec!["17/May/2015:10:05:03 +0000", "120"]),
        (vec![TimeFormat::Epoch(0), pattern("%6f")], vec!["1431857103", "120000"]),
        (vec![TimeFormat::Epoch(-6), pattern("%6f")], vec!["1431857103120000", "120000"]),
        (vec![pattern("%d/%b/%Y"), TimeFormat::Epoch(-3)], vec!["18/May/2015", "1431857103120"]),
    ] {
        assert_eq!(in_parts(&formats, &parts), expected, "{parts:?}");
    }
}

#[test]
fn a_time_with_a_missing_part_is_none() {
    let time_parser = time_parser(&[TimeFormat::Iso, TimeFormat::Iso]);
    let date: Option<&[u8]> = Some(b"2015-05-17");
    assert_eq!(time_parser.read([date, None].into_iter()), None);
    assert_eq!(time_parser.read([date].into_iter()), None);
    assert_eq!(time_parser.read([date, Some(b"-")].into_iter()), None);
    assert_eq!(time_parser.read([date, Some(b"00:00")].into_iter()), Some(1_431_820_800 * SECOND));
}

#[test]
fn a_time_without_a_year_is_none() {
    assert_eq!(one(pattern("%H:%M"), "10:05"), None);
}

#[test]
fn a_leap_second_is_the_next_minute_in_every_form() {
    let midnight = Some(1_435_708_800 * SECOND);
    for (format, text) in [
        (TimeFormat::Clf, "30/Jun/2015:23:59:60 +0000"),
        (TimeFormat::Clf, "30/Jun/2015:23:59:60  +0000"),
        (TimeFormat::Iso, "2015-06-30T23:59:60Z"),
        (TimeFormat::Any, "2015-06-30 23:59:60"),
        (pattern("%F %T"), "2015-06-30 23:59:60"),
    ] {
        assert_eq!(one(format, text), midnight, "{text}");
    }
}

#[test]
fn an_invalid_format_says_where_and_what_to_write() {
    for (text, byte, expected) in [
        ("%d/%Q", 3, "unknown directive %Q; expected one of %% %A"),
        ("%d %", 3, "expected a directive after %; write %% for a percent sign"),
        ("%é", 0, "unknown directive %é"),
        ("ü%\n", 2, "unknown directive %\\n"),
        ("%-d.%m", 0, "unknown directive %-d; write %d, which reads all its forms"),
        ("%H%:z", 2, "unknown directive %:z; write %z"),
        ("%T.%3S", 3, "expected f after %3, as in %3f"),
        ("%T.%0f", 3, "expected f after %0"),
        ("%c", 0, "%c depends on the system; write out its parts"),
        ("%G-W%V", 0, "%G does not determine a date"),
        ("yyyy-MM-dd", 0, "expected a time format as for strptime, such as %Y-%m-%d"),
        ("", 0, "expected a time format"),
    ] {
        let (part, at, message) = TimeParser::new(&[TimeFormat::Clf, pattern(text)]).unwrap_err();
        assert_eq!((part, at), (1, byte), "{text:?}");
        assert!(message.starts_with(expected), "{text:?}: {message}");
    }
}

#[test]
fn names_of_months_and_days_are_read_in_any_case() {
    let months =
        "January February March April May June July August September October November December";
    for (number, name) in (1..).zip(months.split(' ')) {
        let expected = one(TimeFormat::Iso, &format!("2015-{number:02}-17"));
        assert!(expected.is_some());
        for text in [name, &name[..3], &name.to_uppercase(), &name[..3].to_lowercase()] {
            assert_eq!(one(pattern("%d %b %Y"), &format!("17 {text} 2015")), expected);
            assert_eq!(one(pattern("%B%d%Y"), &format!("{text}172015")), expected);
        }
        let clf = format!("17/{}/2015:00:00:00 +0000", &name[..3]);
        assert_eq!(one(TimeFormat::Clf, &clf), expected);
        assert_eq!(one(TimeFormat::Clf, &clf.to_uppercase()), expected);
    }
    for name in "monday tue Wednesday THU fri Saturday sUN".split(' ') {
        assert!(one(pattern("%a %Y"), &format!("{name} 2015")).is_some(), "{name}");
    }
    assert_eq!(one(pattern("%a %Y"), "day 2015"), None);
}

fn any_format() -> impl Strategy<Value = TimeFormat> {
    prop_oneof![
        Just(TimeFormat::Clf),
        Just(TimeFormat::Iso),
        any::<i8>().prop_map(TimeFormat::Epoch),
        Just(TimeFormat::Any),
        "([ -~]|%[%ABDFHILMNRSTYZabdefhjklmnpstyz]){1,8}".prop_map(|text| pattern(&text)),
    ]
}

/// A time as servers write it, with one or two bytes changed.
fn nearly_valid() -> impl Strategy<Value = Vec<u8>> {
    let spoil = prop::collection::vec((0..26_usize, any::<u8>()), 0..3);
    (0..99_u8, 0..12_usize, 0..9999_u16, 0..26_u8, 0..62_u8, 0..62_u8, 0..2500_u16, spoil).prop_map(
        |(day, month, year, hour, minute, second, zone, spoil)| {
            let month = &"JanfebMARAprMayJunJulAugSepOctNovDec"[month * 3..][..3];
            let mut text =
                format!("{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} -{zone:04}")
                    .into_bytes();
            for (index, byte) in spoil {
                text[index] = byte;
            }
            text
        },
    )
}

proptest! {
    #![proptest_config(crate::ground::profile::cases(4_000))]

    #[test]
    fn the_fast_path_agrees_with_the_general_one(text in nearly_valid()) {
        if let Some(micros) = clf::parse_fixed(&text) {
            prop_assert_eq!(bracketed::of_another_form(&text, None), Some(micros));
        } else if text[0].is_ascii_digit()
            && text[19].is_ascii_digit()
            && text[20] == b' '
            && text[22..].iter().all(u8::is_ascii_digit)
        {
            // Other texts may be of a rarer form, such as one with another blank before the zone.
            prop_assert_eq!(bracketed::of_another_form(&text, None), None);
        }
    }

    #[test]
    fn a_time_written_as_iso_round_trips(micros in -MAX_TIME..=MAX_TIME) {
        let mut text = Vec::new();
        crate::ground::write_iso(micros, &mut text);
        for format in [TimeFormat::Iso, TimeFormat::Any] {
            prop_assert_eq!(time_parser(&[format]).read([Some(&text[..])].into_iter()), Some(micros));
        }
    }

    #[test]
    fn any_number_of_microseconds_is_exact(micros in -MAX_TIME..=MAX_TIME) {
        let (sign, size) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
        let text = format!("{sign}{}.{:06}", size / 1_000_000, size % 1_000_000);
        prop_assert_eq!(one(TimeFormat::Epoch(0), &text), Some(micros));
        prop_assert_eq!(one(TimeFormat::Any, &text), Some(micros));
        prop_assert_eq!(one(TimeFormat::Epoch(-6), &micros.to_string()), Some(micros));
    }

    #[test]
    fn times_stay_within_the_bounds(
        formats in prop::collection::vec(any_format(), 1..3),
        texts in prop::collection::vec("[ -~]{0,30}|[0-9:/TZ.,+ -]{0,30}", 2),
    ) {
        if let Ok(time_parser) = TimeParser::new(&formats) {
            let read = time_parser.read(texts.iter().map(|text| Some(text.as_bytes())));
            prop_assert!(read.is_none_or(|micros| micros.abs() <= MAX_TIME));
        }
    }

    #[test]
    fn no_bytes_cause_a_panic(format in any_format(), text in any::<Vec<u8>>()) {
        if let Ok(time_parser) = TimeParser::new(&[format]) {
            let read = time_parser.read([Some(&text[..])].into_iter());
            prop_assert!(read.is_none_or(|micros| micros.abs() <= MAX_TIME));
        }
    }
}
