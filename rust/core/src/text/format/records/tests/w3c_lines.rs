//! Tests of the W3C extended format, as IIS and CloudFront write it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::super::field_type::FieldType;
use super::super::super::parsed::{LineKind, Span};
use super::super::super::time::TimeFormat;
use super::super::{RECORD_FORMATS, W3c};
use super::{Matcher, pairs, rejected};

/// The header of Microsoft's example, which is also the example of the named format.
pub(super) const FIELDS: &[u8] = b"#Fields: date time c-ip cs-username s-ip s-port cs-method \
    cs-uri-stem cs-uri-query sc-status cs(User-Agent)";

fn example(name: &str) -> &'static [u8] {
    super::last_line(RECORD_FORMATS.iter().find(|row| row.name == name).unwrap())
}

fn iis() -> W3c {
    W3c::new().with_header(FIELDS).unwrap()
}

#[test]
fn fields_of_iis() {
    assert_eq!(
        Matcher::W3c(iis()).texts(example("w3c")).unwrap(),
        pairs(&[
            ("time", "2002-05-02"),
            ("time", "17:42:15"),
            ("host", "172.22.255.255"),
            ("user", "-"),
            ("s-ip", "172.30.255.255"),
            ("port", "80"),
            ("method", "GET"),
            ("path", "/images/picture.jpg"),
            ("query", "-"),
            ("status", "200"),
            ("agent", "Mozilla/4.0 (compatible;MSIE 5.5; Windows 2000 Server)"),
        ])
    );
    let strftime = |text: &str| FieldType::Time(TimeFormat::Strftime(text.into()));
    assert_eq!(iis().found()[0].read, strftime("%Y-%m-%d"));
    assert_eq!(iis().found()[1].read, FieldType::Time(TimeFormat::Iso));
}

#[test]
fn columns_of_iis_have_standard_names_and_types() {
    let header = b"#fields: sc-bytes cs-bytes time-taken cs-host cs(Host) cs-version \
        cs(Referer) X-Forwarded-For sc-substatus cs(Cookie) cs-uri\r";
    let w3c = W3c::new().with_header(header).unwrap();
    let found: Vec<_> = w3c.found().iter().map(|found| (&*found.name, &found.read)).collect();
    assert_eq!(
        found,
        [
            ("bytes_out", &FieldType::Int),
            ("bytes_in", &FieldType::Int),
            ("request_time", &FieldType::TimeTaken),
            ("vhost", &FieldType::Text),
            ("vhost", &FieldType::Text),
            ("protocol", &FieldType::Text),
            ("referer", &FieldType::Text),
            ("xff", &FieldType::Text),
            ("sc-substatus", &FieldType::Int),
            ("cs(Cookie)", &FieldType::Text),
            ("url", &FieldType::Text),
        ]
    );
}

#[test]
fn a_timestamp_is_the_time_if_there_is_no_date() {
    for (header, name, read) in [
        ("timestamp", "time", FieldType::Time(TimeFormat::Epoch(0))),
        ("timestamp(ms)", "time", FieldType::Time(TimeFormat::Epoch(-3))),
        ("timestamp date", "timestamp", FieldType::Text),
    ] {
        let w3c = W3c::new().with_header(format!("#Fields: {header}").as_bytes()).unwrap();
        assert_eq!((&*w3c.found()[0].name, &w3c.found()[0].read), (name, &read));
    }
}

#[test]
fn a_line_needs_a_header_before_it_and_other_comments_are_ignored() {
    let w3c = W3c::new();
    let words = "a #Fields: line before this one";
    assert_eq!(rejected(w3c.split(example("w3c"), &mut [])), (0, words));
    for line in [&b"#Version: 1.0"[..], b"#Software: x", b"#", b"\xef\xbb\xbf#Date: x\r"] {
        assert_eq!(w3c.split(line, &mut []), Ok(LineKind::Header));
        assert!(w3c.with_header(line).is_none());
    }
    assert!(w3c.with_header(b"#Fields:").is_none());
    assert_eq!(w3c.split(b"\xef\xbb\xbf#Fields: date", &mut []), Ok(LineKind::Header));
    assert!(w3c.with_header(b"\xef\xbb\xbf#Fields: date").is_some());
}

#[test]
fn software_before_or_after_the_fields_tells_the_unit_of_time_taken() {
    let unit = |lines: &[&str], of: &str| {
        let header = |w3c: W3c, line: &&str| w3c.with_header(line.as_bytes()).unwrap_or(w3c);
        let w3c = lines.iter().fold(W3c::new(), header);
        let found = w3c.found().iter().find(|field| &*field.name == of);
        found.map(|field| field.read.clone())
    };
    let fields = "#Fields: date time time-taken";
    for (software, read) in [
        ("Microsoft Internet Information Services 10.0", FieldType::Seconds(-3)),
        ("Microsoft HTTP API 2.0", FieldType::Seconds(-3)),
        ("SGOS 6.7.4.1", FieldType::Seconds(-3)),
        ("Apache Tomcat/10.1.18", FieldType::Seconds(0)),
        ("WebLogic Server", FieldType::Seconds(0)),
        ("Another/1.0", FieldType::TimeTaken),
    ] {
        let line = &*format!("#Software: {software}\r");
        for lines in [[fields, line], [line, fields]] {
            assert_eq!(unit(&lines, "request_time"), Some(read.clone()), "{lines:?}");
        }
    }
    let two = "#Fields: time-taken-ns time-taken-ms";
    assert_eq!(unit(&[two], "request_time"), Some(FieldType::Seconds(-3)));
    assert_eq!(unit(&[two], "time-taken-ns"), Some(FieldType::Text));
}

#[test]
fn columns_can_be_given_with_types() {
    let w3c = W3c::with_columns("date,time cs(Cookie),time-taken:s,x-size:int").unwrap();
    let found: Vec<_> = w3c.found().iter().map(|found| (&*found.name, &found.read)).collect();
    let date = FieldType::Time(TimeFormat::Strftime("%Y-%m-%d".into()));
    assert_eq!(
        found,
        [
            ("time", &date),
            ("time", &FieldType::Time(TimeFormat::Iso)),
            ("cs(Cookie)", &FieldType::Text),
            ("request_time", &FieldType::Seconds(0)),
            ("x-size", &FieldType::Int),
        ]
    );
    // A unit that is given stays, whatever the software.
    let tomcat = w3c.with_header(b"#Software: Microsoft IIS").unwrap();
    assert_eq!(tomcat.found(), w3c.found());
    for (columns, start, message) in
        [("time,x:integer", 7, "unknown type 'integer'"), (" , ", 0, "expected column names")]
    {
        let error = W3c::with_columns(columns).unwrap_err();
        assert_eq!(error.start, start, "{}", error.message);
        assert!(error.message.starts_with(message), "{}", error.message);
    }
}

#[test]
fn a_date_and_a_time_can_be_in_quotes_together_or_apart() {
    let w3c = W3c::new().with_header(b"#Fields: date time c-ip cs(User-Agent)").unwrap();
    let expected = pairs(&[("time", "2024-02-05"), ("time", "11:56:17.5"), ("host", "::1")]);
    for (line, agent) in [
        ("2024-02-05 11:56:17.5 ::1 a+b", "a b"),
        ("\"2024-02-05\" \"11:56:17.5\" ::1 a+b", "a b"),
        ("\"2024-02-05 11:56:17.5\" ::1 a+b", "a b"),
        ("\"2024-02-05\t 11:56:17.5\" \"::1\" \"a b\"", "a b"),
    ] {
        let found = Matcher::W3c(w3c.clone()).texts(line.as_bytes()).unwrap();
        assert_eq!((&found[..3], &*found[3].1), (&expected[..], agent), "{line}");
    }
}

#[test]
fn columns_may_change_within_a_file() {
    let first = W3c::new().with_header(b"#Fields: c-ip sc-status").unwrap();
    let second = first.with_header(b"#Fields: sc-status\tcs-method c-ip").unwrap();
    let found = Matcher::W3c(first).texts(b"::1 200").unwrap();
    assert_eq!(found, pairs(&[("host", "::1"), ("status", "200")]));
    let found = Matcher::W3c(second).texts(b"200 GET ::1 \r").unwrap();
    assert_eq!(found, pairs(&[("status", "200"), ("method", "GET"), ("host", "::1")]));
}

#[test]
fn quoted_values_may_have_blanks_and_lone_quotes_have_no_meaning() {
    let w3c = W3c::new().with_header(b"#Fields: c-ip cs(User-Agent) sc-status").unwrap();
    let texts = |line: &str| Matcher::W3c(w3c.clone()).texts(line.as_bytes()).unwrap()[1].1.clone();
    assert_eq!(texts("::1 \"a b+c\" 200"), "a b+c");
    assert_eq!(texts("::1 \"say \"\"a b\"\" twice\" 200"), "say \"a b\" twice");
    assert_eq!(texts("::1 \"a\" 200"), "a");
    assert_eq!(texts("::1 \"\" 200"), "");
    // IIS quotes nothing: these quotes were sent by a client.
    assert_eq!(texts("::1 \"a+b 200"), "\"a b");
    assert_eq!(texts("::1 a\"b+c 200"), "a\"b c");
    let split = |line: &[u8]| rejected(w3c.split(line, &mut [Span::NONE; 3]));
    assert_eq!(split(b"::1 ua"), (6, "as many columns as in #Fields"));
    assert_eq!(split(b"::1 \"a b c\""), (11, "as many columns as in #Fields"));
    let surplus = "the end of the line (#Fields has no more columns)";
    assert_eq!(split(b"::1 \"a b\" 200 x"), (14, surplus));
    assert_eq!(split(b"::1 a b 200"), (8, surplus));
}

/// Splits at blanks, but not within quotes.
fn naive(line: &str, quotes: bool) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start_matches([' ', '\t']);
    while !rest.is_empty() {
        let mut end = rest.find([' ', '\t']).unwrap_or(rest.len());
        if quotes && rest.starts_with('"') {
            // Doubled quotes stay inside.
            let inside = rest[1..].replace("\"\"", "xx") + " ";
            if let Some(close) = inside.find("\" ").into_iter().chain(inside.find("\"\t")).min() {
                end = close + 2;
            }
        }
        let word = &rest[..end];
        let inside = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
        words.push(inside.unwrap_or(word).to_owned());
        rest = rest[end..].trim_start_matches([' ', '\t']);
    }
    words
}

proptest! {
    #![proptest_config(crate::ground::profile::cases(1_000))]

    #[test]
    fn columns_are_those_of_a_naive_parser(
        line in vec(select(vec!['"', '"', ' ', ' ', '\t', 'a', 'b', '#', '+']), 0..24),
        count in 1..6_usize,
        is_dated in any::<bool>(),
    ) {
        let line = String::from_iter(line);
        let mut names: Vec<_> = (0..count).map(|number| format!("c{number}")).collect();
        if is_dated {
            names[..2.min(count)].clone_from_slice(&["date".into(), "time".into()][..2.min(count)]);
        }
        let dated = |line: &str| -> String {
            // Quotes around a date and a time are read as quotes around each.
            let parts: Vec<_> = line.trim_start_matches([' ', '\t']).splitn(3, '"').collect();
            let words: Vec<_> = parts.get(1).map_or(Vec::new(), |inside| {
                inside.split([' ', '\t']).filter(|word| !word.is_empty()).collect()
            });
            let is_pair = is_dated && count > 1 && parts.len() == 3 && words.len() == 2
                && parts[0].is_empty() && !parts[1].starts_with([' ', '\t'])
                && !parts[1].ends_with([' ', '\t'])
                && parts[2].trim_start_matches([' ', '\t']).len() < parts[2].len().max(1);
            if is_pair { format!("\"{}\" \"{}\"{}", words[0], words[1], parts[2]) } else { line.to_owned() }
        };
        let header = format!("#Fields: {}", names.join(" "));
        let w3c = W3c::new().with_header(header.as_bytes()).unwrap();
        let mut spans = vec![Span::NONE; count];
        let found = w3c.split(line.as_bytes(), &mut spans);
        if line.starts_with('#') {
            prop_assert_eq!(found, Ok(LineKind::Header));
            return Ok(());
        }
        let plain = &*dated(line.trim_end_matches(' '));
        let words = Some(naive(plain, false)).filter(|words| words.len() == count);
        let quoted = || {
            let more = naive(plain, false).len() > count;
            Some(naive(plain, true)).filter(|words| more && words.len() == count)
        };
        let expected = words.or_else(quoted);
        prop_assert_eq!(found.is_ok(), expected.is_some(), "{:?} {:?}", found, expected);
        if let Some(expected) = expected {
            let found: Vec<_> =
                spans.iter().map(|span| &line[span.start()..span.end()]).collect();
            prop_assert_eq!(found, expected);
        }
    }
}

#[test]
fn fields_of_cloudfront() {
    let cloudfront = Matcher::named("cloudfront");
    let expected = pairs(&[
        ("time", "2019-12-04"),
        ("time", "21:02:31"),
        ("x-edge-location", "LAX1"),
        ("bytes_out", "392"),
        ("host", "192.0.2.100"),
        ("method", "GET"),
        ("cs(Host)", "d111111abcdef8.cloudfront.net"),
        ("path", "/index.html"),
        ("status", "200"),
        ("referer", "-"),
        (
            "agent",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/78.0.3904.108 Safari/537.36",
        ),
        ("query", "-"),
        ("cs(Cookie)", "-"),
        ("x-edge-result-type", "Hit"),
        ("request_id", "SOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ=="),
        ("vhost", "d111111abcdef8.cloudfront.net"),
        ("scheme", "https"),
        ("bytes_in", "23"),
        ("request_time", "0.001"),
        ("xff", "-"),
        ("ssl-protocol", "TLSv1.2"),
        ("ssl-cipher", "ECDHE-RSA-AES128-GCM-SHA256"),
        ("x-edge-response-result-type", "Hit"),
        ("protocol", "HTTP/2.0"),
        ("fle-status", "-"),
        ("fle-encrypted-fields", "-"),
        ("c-port", "11040"),
        ("time-to-first-byte", "0.001"),
        ("x-edge-detailed-result-type", "Hit"),
        ("sc-content-type", "text/html"),
        ("sc-content-len", "78"),
        ("sc-range-start", "-"),
        ("sc-range-end", "-"),
    ]);
    assert_eq!(cloudfront.texts(example("cloudfront")).unwrap(), expected);
    assert_eq!(*cloudfront.read("request_time"), FieldType::Seconds(0));
    // Any W3C format recognizes CloudFront by its columns, which are its default columns.
    let header = [b"#Fields: ", super::super::w3c::CLOUDFRONT.as_bytes()].concat();
    let named = W3c::new().with_header(&header).unwrap();
    assert_eq!(Matcher::W3c(named).texts(example("cloudfront")).unwrap(), expected);
}

#[test]
fn text_that_cloudfront_escaped_twice_is_decoded_and_urls_stay() {
    let header = b"#Fields: x-edge-location cs(User-Agent) cs(Referer) cs-uri-stem";
    let w3c = Matcher::W3c(W3c::new().with_header(header).unwrap());
    let found = w3c.texts(b"X\tMozilla/5.0%2520(a)%20b\thttp://e/%2520\t/a%20b").unwrap();
    assert_eq!(
        found[1..],
        pairs(
            &[("agent", "Mozilla/5.0 (a) b"), ("referer", "http://e/%2520"), ("path", "/a%20b"),]
        )
    );
    let Matcher::W3c(w3c) = w3c else { unreachable!() };
    let split = |line: &[u8]| rejected(w3c.split(line, &mut [Span::NONE; 4]));
    assert_eq!(split(b"X\ta\tb"), (5, "as many columns as in #Fields"));
    let surplus = "the end of the line (#Fields has no more columns)";
    assert_eq!(split(b"X\ta\tb\tc\t"), (7, surplus));
}

#[test]
fn without_a_header_cloudfront_may_have_older_and_newer_columns() {
    let cloudfront = Matcher::named("cloudfront");
    let columns: Vec<_> = example("cloudfront").split(|byte| *byte == b'\t').collect();
    for count in [12, 26, 33] {
        let found = cloudfront.texts(&columns[..count].join(&b'\t')).unwrap();
        assert_eq!(found.len(), count);
    }
    let newer = [example("cloudfront"), b"\tnew"].concat();
    assert_eq!(cloudfront.texts(&newer).unwrap().len(), 33);
    let (_, words) = rejected(cloudfront.texts(&columns[..11].join(&b'\t')));
    assert_eq!(words, "the tab-separated columns of CloudFront");
}
