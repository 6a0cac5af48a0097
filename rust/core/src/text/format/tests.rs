//! Tests that concern all formats; what each format matches is tested in its own file and, against
//! Python's regular expression, in the Python tests.

use super::*;
use crate::ground::SECOND;

const LINE: &[u8] =
    br#"1.2.3.4 - joe [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 - "-" "ua \"x\"""#;

/// The line without referer and agent.
const COMMON_LINE: &[u8] =
    br#"1.2.3.4 - joe [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 -"#;

fn format(name: &str) -> Format {
    Format::new(name).unwrap()
}

/// Every field of the format by name, as readable text.
fn values(name: &str, line: &[u8]) -> Vec<(String, String)> {
    let fields = format(name).fields();
    fields.iter().map(|field| (field.name.to_string(), value(name, line, &field.name))).collect()
}

fn value(name: &str, line: &[u8], field: &str) -> String {
    let mut reader = Reader::new(&format(name), &[field]).unwrap();
    assert_eq!(reader.read(line), Ok(LineKind::Fields));
    match reader.value(line, 0) {
        Value::Null => "null".to_owned(),
        Value::Json(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Text(text) => format!("{:?}", String::from_utf8_lossy(text)),
        Value::Int(value) => value.to_string(),
        Value::Large(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Time(micros) => format!("{}s", micros / SECOND),
    }
}

fn reject(name: &str, line: &[u8]) -> usize {
    Reader::new(&format(name), &[]).unwrap().read(line).unwrap_err().byte()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn classic_fields_are_raw_text() {
    let expected = [
        ("host", r#""1.2.3.4""#),
        ("user", r#""joe""#),
        ("time", r#""17/May/2015:10:05:03 +0000""#),
        ("request", r#""GET /a?b HTTP/1.1""#),
        ("status", r#""200""#),
        ("size", r#""-""#),
        ("referer", r#""-""#),
        ("agent", r#""ua \\\"x\\\"""#),
        ("url", r#""/a?b""#),
    ];
    assert_eq!(values("classic", LINE), pairs(&expected));
}

#[test]
fn combined_fields_have_types() {
    let expected = [
        ("host", r#""1.2.3.4""#),
        ("user", r#""joe""#),
        ("time", "1431857103s"),
        ("method", r#""GET""#),
        ("url", r#""/a?b""#),
        ("protocol", r#""HTTP/1.1""#),
        ("status", "200"),
        ("size", "null"),
        ("referer", "null"),
        ("agent", r#""ua \\\"x\\\"""#),
        ("request", r#""GET /a?b HTTP/1.1""#),
        ("path", r#""/a""#),
        ("query", r#""b""#),
        ("status_class", "2"),
        ("request_flag", "null"),
    ];
    assert_eq!(values("combined", LINE), pairs(&expected));
}

#[test]
fn common_has_the_fields_of_combined_up_to_the_size() {
    let mut expected = values("combined", LINE);
    expected.retain(|(name, _)| !["referer", "agent"].contains(&name.as_str()));
    assert_eq!(values("common", COMMON_LINE), expected);
    assert_eq!(format("common").fields().iter().filter(|field| !field.on_demand).count(), 8);
}

#[test]
fn a_quote_after_the_size_does_not_match_common() {
    assert_eq!(reject("common", LINE), COMMON_LINE.len() + 1);
    // An unquoted field may follow, and then quoted ones may.
    let more = [COMMON_LINE, br#" 0.012 "ua""#].concat();
    assert_eq!(values("common", &more), values("common", COMMON_LINE));
}

#[test]
fn transformations_apply_to_the_field_before_the_colon() {
    let line = |url: &str| {
        format!(r#"h - - [t] "GET {url} HTTP/1.1" 404 5 "http://r.example/x?y" "a""#).into_bytes()
    };
    for (url, field, expected) in [
        ("/a/b/c?x=1", "path", r#""/a/b/c""#),
        ("/a/b/c?x=1", "path:2", r#""/a/b""#),
        ("/a/b/c?x=1", "url:2", r#""/a/b""#),
        ("/a/b?x=/1", "path:9", r#""/a/b""#),
        ("/a/b/?x", "path:2", r#""/a/b""#),
        ("/", "path:1", r#""/""#),
        ("/a?x=1?y", "query", r#""x=1?y""#),
        ("/a", "query", "null"),
        ("/a?", "query", r#""""#),
        ("/a?x", "url:noquery", r#""/a""#),
        ("http://h:80/a?x", "path", r#""/a""#),
        ("http://h:80?x", "path", r#""""#),
        ("http://h/a?x", "url:noquery", r#""http://h/a""#),
        ("*", "path", r#""*""#),
        ("h:443", "path", r#""h:443""#),
        ("/a", "referer:path", r#""/x""#),
        ("/a", "status_class", "4"),
    ] {
        assert_eq!(value("combined", &line(url), field), expected, "{url} {field}");
    }
    for unknown in ["path:0", "path:x", "status:path", "nothing", "url:", ":path", "time:path"] {
        assert_eq!(format("combined").kind(unknown), None, "{unknown}");
    }
}

#[test]
fn an_invalid_request_line_has_a_flag() {
    for (request, flag) in [
        (r#""""#, r#""empty""#),
        (r#""-""#, r#""missing""#),
        ("-", r#""missing""#),
        (r#""\x16\x03\x01""#, r#""garbage""#),
        (r#""/a HTTP/1.1""#, r#""garbage""#),
        (r#""GET /a b HTTP/1.1""#, "null"),
        (r#""GET""#, "null"),
    ] {
        let line = format!("h - - [17/May/2015:10:05:03 +0000] {request} 400 0");
        assert_eq!(value("combined", line.as_bytes(), "request_flag"), flag, "{request}");
        assert_eq!(value("combined", line.as_bytes(), "status"), "400");
    }
}

#[test]
fn every_value_has_the_kind_that_the_format_declares() {
    for name in ["common", "combined", "classic"] {
        let line = if name == "common" { COMMON_LINE } else { LINE };
        for field in format(name).fields() {
            let mut reader = Reader::new(&format(name), &[&field.name]).unwrap();
            reader.read(line).unwrap();
            let fits = match reader.value(line, 0) {
                Value::Null => true,
                Value::Text(_) => field.kind == Kind::Text,
                Value::Int(_) | Value::Large(_) => field.kind == Kind::Int,
                Value::Float(_) => field.kind == Kind::Float,
                Value::Time(_) => field.kind == Kind::Time,
                Value::Json(_) => field.kind == Kind::Any,
            };
            assert!(fits, "{name} {}", field.name);
        }
    }
}

#[test]
fn text_of_a_client_changes_no_field_to_its_left() {
    let forged = br#"h - - [17/May/2015:10:05:03 +0000] "GET /real HTTP/1.1" 200 5 "-" "x] "GET /fake HTTP/1.1" 200 1 "-" "y""#;
    assert_eq!(value("combined", forged, "url"), r#""/real""#);
    // The classic program is fooled by the client.
    assert_eq!(value("classic", forged, "url"), r#""/fake""#);
}

#[test]
fn a_number_of_at_most_eighteen_digits_is_exact() {
    let line = b"h - - [t] \"GET /\" 007 999999999999999999";
    assert_eq!(value("combined", line, "status"), "7");
    assert_eq!(value("combined", line, "size"), "999999999999999999");
    assert_eq!(reject("combined", b"h - - [t] \"GET /\" 007 9999999999999999999"), 41);
}

#[test]
fn the_fast_path_of_combined_finds_the_same_spans() {
    let usual = br#"h - joe [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 - "-" "ua""#;
    for line in
        [&usual[..], b"\xef\xbb\xbf h - - [17/May/2015:10:05:03 +0000] \"\" 400 0 \"r\" \"\" 7\r"]
    {
        assert_eq!(combined::typical(line), combined::any_line(line).ok());
        assert!(combined::any_line(line).is_ok());
    }
    assert_eq!(combined::typical(LINE), None, "a backslash is not typical");
}

/// Found by a fuzzer: the line also matches with the prefix, with `nginx` as the host.
#[test]
fn a_line_with_a_syslog_prefix_is_read_without_it() {
    for prefix in [
        "<190>May  6 07:08:09 web nginx: ",
        "<190>1 2003-10-11T22:14:15.003Z web nginx - - - ",
        "<190>1 2003-10-11T22:14:15.003Z web nginx - - [a@1 b=\"c d\"] ",
    ] {
        let line = [prefix.as_bytes(), LINE].concat();
        let pasted = r#"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""#;
        for name in ["combined", "main,combined", pasted] {
            for field in ["host", "user", "url", "agent"] {
                assert_eq!(value(name, &line, field), value(name, LINE, field), "{prefix}{field}");
            }
        }
    }
}

/// `main-rt` is two templates: the fast path of the first one once continued after their common
/// prefix, and the second one matched the rest.
#[test]
fn no_alternative_continues_where_another_one_stopped() {
    let line = concat!(
        r#"192.168.1.5 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 612 "-" "curl" "203.01"#,
        r#" uct="0.001" uht="0.010" urt="0.""#,
    );
    assert_eq!(reject("main-rt", line.as_bytes()), 121);
}

#[test]
fn a_url_is_joined_from_path_and_query() {
    let json = br#"{"u":"/a\u0041","q":"b\"c=?"}"#;
    assert_eq!(value("json:path=u,query=q", json, "url"), r#""/aA?b\"c=?""#);
    assert_eq!(value("json:path=u,query=q", json, "url:noquery"), r#""/aA""#);
    assert_eq!(value("json:path=u,query=q", br#"{"u":"/\u0041"}"#, "url"), r#""/A""#);
    assert_eq!(value("csv:path,query", br#""/a""b","x=""1""""#, "url"), r#""/a\"b?x=\"1\"""#);
    // Apache writes the question mark before a query, and nothing if there is no query.
    for (line, url, query) in [
        (&br#"h "GET" "/x" "?a=1" 200"#[..], r#""/x?a=1""#, r#""a=1""#),
        (br#"h "GET" "/x" "" 200"#, r#""/x""#, "null"),
    ] {
        let format = r#"%h \"%m\" \"%U\" \"%q\" %s"#;
        assert_eq!(value(format, line, "url"), url);
        assert_eq!(value(format, line, "query"), query);
    }
}

#[test]
fn proxies_write_a_status_without_a_response() {
    let envoy =
        br#"[2016-04-15T20:17:00.310Z] "POST /a HTTP/2" 0 DC 154 0 226 - "-" "-" "-" "-" "-""#;
    assert_eq!(value("envoy", envoy, "status"), "0");
    let haproxy = br#"10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in http-in/<NOSRV> -1/-1/-1/-1/8490 -1 0 - - CR-- 2/2/2/0/0 0/0 "<BADREQ>""#;
    assert_eq!(value("haproxy", haproxy, "status"), "-1");
}

#[test]
fn a_reject_after_a_prefix_has_its_offset_in_the_line() {
    let own = "1.2.3.4 - joe [17/May/2015:10:05:03 +0000] \"GET /a HTTP/1.1\" 200 5\r12";
    for prefix in ["", "web-1  | ", "2025-01-02T03:04:05.123Z stdout F "] {
        let line = [prefix, own].concat();
        for name in ["common", "combined"] {
            let format = Format::new(name).unwrap();
            let mut reader = Reader::new(&format, &[]).unwrap();
            let reject = reader.read(line.as_bytes()).unwrap_err();
            let reject = reader.explain_reject(line.as_bytes(), reject);
            assert_eq!(&line[reject.byte()..], "5\r12", "{name} after {prefix:?}");
            assert_eq!(reject.expected(), "a size in digits");
        }
    }
}

#[test]
fn header_lines_belong_to_the_columns_that_they_name() {
    let text = b"#Version: 1.0\n\n#Fields: a b\n1 2\n#Date: x\n#Fields: c\n3\n";
    let (sections, _) = Format::new("w3c").unwrap().sections(text);
    let names = |format: &Format| -> Vec<String> {
        format.fields().into_iter().map(|field| field.name.to_string()).collect()
    };
    let found: Vec<_> = sections.iter().map(|(start, format)| (*start, names(format))).collect();
    let second = text.iter().rposition(|&byte| byte == b'F').unwrap() - 1;
    assert_eq!(found, [(0, vec!["a".to_owned(), "b".into()]), (second, vec!["c".to_owned()])]);
}

#[test]
fn a_time_of_day_is_on_the_day_that_the_header_and_the_lines_before_it_tell() {
    let text = b"#Date: 2024-02-05 23:00:00\n#Fields: time c-ip\n23:59:59 a\n00:00:01 b\n\
        23:59:58.5 c\n#Fields: c-ip time\nd 00:02:00\n#Date: 05-Mar-2024\ne 10:00\n";
    let times = |text: &[u8], format: &Format| -> Vec<String> {
        let mut reader = Reader::lenient(format, &["time"]);
        let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let read = |line: &[u8]| match reader.read(line).unwrap() {
            LineKind::Fields => {
                let cached = reader.time(line, 0);
                let Value::Time(time) = reader.value(line, 0) else { return Some("-".into()) };
                assert_eq!(cached, Some(time));
                let mut iso = Vec::new();
                write_iso(time, &mut iso);
                Some(String::from_utf8(iso).unwrap())
            }
            LineKind::Header => None,
        };
        lines.filter_map(read).collect()
    };
    let format = Format::new("w3c").unwrap();
    let expected = [
        "2024-02-05T23:59:59Z",
        "2024-02-06T00:00:01Z",
        "2024-02-05T23:59:58.5Z",
        "2024-02-06T00:02:00Z",
        "2024-03-05T10:00:00Z",
    ];
    assert_eq!(times(text, &format), expected);
    // The same in two chunks, cut after any line, and by sections.
    for cut in (0..text.len()).filter(|&at| text[at] == b'\n') {
        let (first, second) = text.split_at(cut + 1);
        let (sections, after) = format.sections(first);
        let ends = sections.iter().skip(1).map(|(start, _)| *start).chain([first.len()]);
        let mut found = Vec::new();
        for ((start, section), end) in sections.iter().zip(ends) {
            found.extend(times(&first[*start..end], section));
        }
        found.extend(times(second, &after));
        assert_eq!(found, expected, "{cut}");
        let after = format.after(Chunk::Lines(first)).unwrap();
        assert_eq!([times(first, &format), times(second, &after)].concat(), expected, "{cut}");
    }
    assert_eq!(times(b"#Fields: time c-ip\n10:00:00 a\n", &format), ["-"]);
}

#[test]
fn a_part_of_a_time_may_contain_blanks() {
    for (format, line, text) in [
        ("%h %{%d %B %Y}t %s", &b"h 20 May 2015 200"[..], "20 May 2015"),
        ("%h %{%j %Y}t %s", b"h 137 2015 200", "137 2015"),
        ("%h [%{%d %B}t] %s", b"h [20 May] 200", "20 May"),
    ] {
        assert_eq!(value(format, line, "time_text"), format!("{text:?}"));
        assert_eq!(value(format, line, "status"), "200");
    }
}

#[test]
fn an_extra_comma_between_formats_is_an_error() {
    for spec in ["combined,", ",common", "combined,,json", ","] {
        let message = Format::new(spec).unwrap_err().message;
        let expected =
            format!("'{spec}': expected a format name beside each comma; remove extra commas");
        assert_eq!(message, expected);
    }
}
