use super::*;

const LINE: &[u8] = br#"1.2.3.4 - joe [17/May/2015:10:05:03 +0000] "POST /api/a?b=%22c HTTP/1.1" 503 1234 "-" "Mozilla \"x\" \x16""#;

fn combined() -> Format {
    Format::new("combined").unwrap()
}

fn verdict(filter: &Filter, format: &Format, line: &[u8]) -> Verdict {
    let mut reader = Reader::new(format, &filter.required_fields(&["host"])).unwrap();
    let bound = filter.bind(&reader, 1).unwrap();
    reader.read(line).unwrap();
    bound.verdict(&mut reader, line)
}

fn holds(text: &str) -> bool {
    verdict(&Filter::parse(text).unwrap(), &combined(), LINE) == Verdict::Keep
}

/// The part of the expression that has the error, and the message.
fn mistake(text: &str) -> (&str, String) {
    let error = match Filter::parse(text) {
        Ok(filter) => filter.check(&combined()).unwrap_err(),
        Err(error) => error,
    };
    (&text[error.start..error.end], error.message)
}

#[test]
fn a_condition_compares_a_field_with_a_value() {
    for (text, expected) in [
        ("status == 503", true),
        ("status = 503", true),
        ("status != 503", false),
        ("status <> 503", false),
        ("status < 503", false),
        ("status <= 503", true),
        ("status > 502.5", true),
        ("status >= 503.5", false),
        ("status == 503.0", true),
        ("status == '503'", true),
        ("status >= 5e2", true),
        ("size > 99999999999999999999", false),
        ("status in (404, 503)", true),
        ("status in (404,410)", false),
        ("status not in (404, 410)", true),
        ("method == POST", true),
        ("method==\"POST\"", true),
        ("method == 'GET'", false),
        ("method in (GET, POST)", true),
        ("method < 'Q'", true),
        ("method > Q", false),
        ("url startswith /api/", true),
        ("url endswith %22c", true),
        ("url contains '?b='", true),
        ("url contains \"\"", true),
        ("url not contains api", false),
        ("path:1 == /api", true),
        ("`path:2` == /api/a", true),
        ("time == 2015-05-17T10:05:03Z", true),
        ("time >= '2015-05-17 12:05:03 +0200'", true),
        ("time < 2015-05-17", false),
        ("time in (2015-05-17, 1431857103)", true),
        ("time > \"17/May/2015:10:05:02 +0000\"", true),
        ("status_class == 5", true),
    ] {
        assert_eq!(holds(text), expected, "{text}");
    }
}

#[test]
fn only_null_and_negations_are_true_of_a_missing_value() {
    for (text, expected) in [
        ("referer == null", true),
        ("referer != null", false),
        ("referer == NULL", true),
        ("referer == 'null'", false),
        ("referer == x", false),
        ("referer != x", true),
        ("referer < x", false),
        ("referer >= x", false),
        ("referer contains ''", false),
        ("referer not contains ''", true),
        ("referer in (x, null)", true),
        ("referer in (x, y)", false),
        ("referer not in (x, y)", true),
        ("not referer == x", true),
        ("user == null", false),
        ("user in (null)", false),
        ("user in (null, joe)", true),
    ] {
        assert_eq!(holds(text), expected, "{text}");
    }
}

#[test]
fn not_binds_tighter_than_and_and_and_tighter_than_or() {
    for (text, expected) in [
        ("status == 1 and status == 2 or status == 503", true),
        ("status == 1 and (status == 2 or status == 503)", false),
        ("status == 503 or status == 1 and status == 2", true),
        ("not status == 1 and status == 2", false),
        ("not (status == 1 and status == 2)", true),
        ("not not status == 503", true),
        ("!(status==1)&&method==POST||status==1", true),
        ("NOT status = 503 OR Method = x AND status = 1".trim_end(), false),
    ] {
        let text = text.replace("Method", "method");
        assert_eq!(holds(&text), expected, "{text}");
    }
}

#[test]
fn a_backslash_is_literal_unless_a_quote_or_a_backslash_follows() {
    for (text, expected) in [
        (r#"agent contains '\"x\"'"#, true),
        (r#"agent contains "\\\"x""#, true),
        (r#"agent endswith "\x16""#, true),
        (r#"agent endswith "\\x16""#, true),
        (r"agent endswith \x16", true),
        (r#"agent contains "\"x""#, true),
        (r"agent contains '\'x'", false),
    ] {
        assert_eq!(holds(text), expected, "{text}");
    }
}

#[test]
fn an_error_has_a_range_and_says_what_to_write_instead() {
    let list = "expected ==, !=, <, <=, >, >=, in, contains, startswith or endswith";
    let number =
        |text: &str| format!("expected a number for status, such as 500 or 0.5, found '{text}'");
    for (text, range, message) in [
        ("", "", "the condition is empty; write one, such as status >= 500"),
        ("  ", "", "the condition is empty; write one, such as status >= 500"),
        ("status > \"abc\"", "\"abc\"", &number("abc")),
        ("status == 500ms", "500ms", &number("500ms")),
        ("status in (500, b, a)", "b", &number("b")),
        ("status == inf", "inf", &number("inf")),
        (
            "status == 5xx",
            "5xx",
            "expected a number for status, found '5xx'; write status_class == 5",
        ),
        (
            "agent < 5",
            "5",
            "agent is text, which has no numeric order; use == or !=, or quote the value to compare \
             it as text",
        ),
        (
            "time > yesterday",
            "yesterday",
            "expected a time, such as '2015-05-17 10:05:03' (UTC) or \
             2015-05-17T10:05:03+02:00, found 'yesterday'",
        ),
        ("status contains 5", "status", "status is a number, not text; compare it with ==, < or >"),
        ("urls == /", "urls", "no field 'urls' in this format"),
        (
            "status",
            "status",
            "expected an operator after status; to test whether there is a value, write status != null",
        ),
        (
            "user and status",
            "user",
            "expected an operator after user; to test whether there is a value, write user != null",
        ),
        ("status 500", "500", list),
        ("status == ", "", "expected a value after the operator"),
        (
            "status == and",
            "and",
            "expected a value after the operator, found the keyword 'and'; if it is text, put it in \
             quotes",
        ),
        ("status > null", ">", "null has no order; write == null or != null"),
        ("url contains null", "null", "null is not text; write url == null, or put it in quotes"),
    ] {
        assert_eq!(mistake(text), (range, message.to_owned()), "{text}");
    }
}

#[test]
fn an_error_of_syntax_has_a_range_and_says_what_to_write_instead() {
    for (text, range, message) in [
        (
            "url =~ x",
            "=~",
            "regular expressions are not supported; use contains, startswith or endswith",
        ),
        (
            "url matches x",
            "matches",
            "regular expressions are not supported; use contains, startswith or endswith",
        ),
        ("user is null", "is", "unknown operator 'is'; use == null or != null"),
        ("500 <= status", "500", "put the field first: status >= 500"),
        ("404 == size", "404", "put the field first: size == 404"),
        ("404 == 404", "404", "put the field first: status == 404"),
        (
            "'a-b' == 5",
            "'a-b'",
            "a condition begins with a field name, without quotes: `a-b` == ...",
        ),
        (
            "url == `path`",
            "`path`",
            "expected a value, found a field name; for the text write 'path'",
        ),
        (
            "status >= 400 < 500",
            "<",
            "comparisons cannot be chained; write status >= 400 and status < 500",
        ),
        ("url == /a?x=1", "=", "text with this character has to be quoted"),
        (
            "agent == Mozilla Firefox",
            "Firefox",
            "expected 'and' or 'or' before 'Firefox', or quotes around the text",
        ),
        ("status in 404", "404", "expected a list in parentheses, such as in (404, 410)"),
        ("status in ()", ")", "expected a value in this list"),
        ("status in (404", "(", "unclosed parenthesis"),
        ("status in (404 410)", "410", "expected a comma or a closing parenthesis before '410'"),
        ("(status == 1", "(", "unclosed parenthesis"),
        ("(status == 1, status == 2)", ",", "text with this character has to be quoted"),
        ("status == 1)", ")", "unmatched closing parenthesis; remove it"),
        ("status not == 1", "==", "expected in, contains, startswith or endswith after not"),
        ("status == 1 and", "", "expected a field name, such as status"),
        ("and status == 1", "and", "expected a condition before 'and'"),
        ("status == 1 & status == 2", "&", "unknown operator '&'; use 'and'"),
        ("url == 'a", "'a", "unclosed quote"),
        (
            "url == 'a\\'",
            "'a\\'",
            "unclosed quote; write \\\\ for a backslash before the closing quote",
        ),
        ("`` == 1", "``", "expected a field name between the backquotes"),
    ] {
        assert_eq!(mistake(text), (range, message.to_owned()), "{text}");
    }
}

#[test]
fn an_expression_has_a_maximum_depth_and_length() {
    let nested = |depth: usize| format!("{}status == 503{}", "(".repeat(depth), ")".repeat(depth));
    assert!(holds(&nested(MAX_DEPTH)));
    let error = Filter::parse(&nested(MAX_DEPTH + 1)).unwrap_err();
    assert_eq!(error.message, "nested deeper than 64 levels; remove parentheses");
    assert_eq!((error.start, error.end), (MAX_DEPTH, MAX_DEPTH + 1));
    assert!(holds(&format!("{}status == 503", "not ".repeat(MAX_DEPTH))));
    assert!(Filter::parse(&format!("{}status == 503", "not ".repeat(MAX_DEPTH + 1))).is_err());
    assert!(Filter::parse(&nested(30_000)).is_err());

    let long = format!("status in (503{}", ",1".repeat(MAX_BYTES / 2));
    let error = Filter::parse(&long).unwrap_err();
    assert_eq!(error.message, "the condition is longer than 65536 bytes; shorten it");
    let width = "status == 503 and ".len();
    let most = format!("{}status == 503", "status == 503 and ".repeat(MAX_BYTES / width - 1));
    assert!(holds(&most));
}

#[test]
fn a_time_range_includes_its_start_and_not_its_end() {
    let at = time_of_line();
    let between =
        |since, until| verdict(&Filter::default().between(since, until), &combined(), LINE);
    assert_eq!(between(Some(at), Some(at + 1)), Verdict::Keep);
    assert_eq!(between(Some(at + 1), None), Verdict::Skip);
    assert_eq!(between(None, Some(at)), Verdict::Skip);
    assert_eq!(between(None, Some(at + 1)), Verdict::Keep);
    assert_eq!(between(None, None), Verdict::Keep);

    let other = Filter::parse("status == 1").unwrap().between(Some(at), None);
    assert_eq!(verdict(&other, &combined(), LINE), Verdict::Skip);
}

fn time_of_line() -> i64 {
    1_431_857_103 * crate::ground::SECOND
}

#[test]
fn a_line_without_a_time_is_neither_in_a_range_nor_outside() {
    let line = br#"h - - [yesterday] "GET / HTTP/1.1" 200 5 "-" "-""#;
    let filter = Filter::default().between(Some(0), None);
    assert_eq!(verdict(&filter, &combined(), line), Verdict::NoTime);
    let mut reader = Reader::new(&combined(), &filter.required_fields(&[])).unwrap();
    let bound = filter.bind(&reader, 0).unwrap();
    reader.read(line).unwrap();
    assert_eq!(&line[bound.time_offset(&reader, line)..][..9], b"yesterday");
}

#[test]
fn output_fields_come_first_and_every_field_once() {
    let filter = Filter::parse("url == / or status == 1 or url == /a").unwrap();
    assert_eq!(filter.fields().collect::<Vec<_>>(), ["url", "status"]);
    assert_eq!(filter.required_fields(&["status", "host"]), ["status", "host", "url"]);
    assert_eq!(filter.field_range("status"), Some((12, 18)));
    let filter = filter.between(None, Some(5));
    assert_eq!(filter.required_fields(&[]), ["url", "status", "time"]);
    assert_eq!(filter.field_range("time"), None);
}

#[test]
fn fields_that_a_format_lacks_are_null_if_it_was_not_checked() {
    let common = Format::new("common").unwrap();
    let plain: &[u8] = br#"h - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 503 5"#;
    let classic = Format::new("classic").unwrap();
    for (text, format, line, expected) in [
        ("agent != x", &common, plain, Verdict::Keep),
        ("agent == x", &common, plain, Verdict::Skip),
        ("agent == null and status > 500", &common, plain, Verdict::Keep),
        ("status > 500", &classic, LINE, Verdict::Skip),
        ("not status > 500", &classic, LINE, Verdict::Keep),
    ] {
        let filter = Filter::parse(text).unwrap();
        let (mut reader, bound) = filter.reader(format, &["host"]).unwrap();
        reader.read(line).unwrap();
        assert_eq!(bound.verdict(&mut reader, line), expected, "{text}");
    }
    assert!(Filter::default().reader(&common, &["agent"]).is_err());
}

#[test]
fn a_format_is_checked_for_fields_and_their_types() {
    let classic = Format::new("classic").unwrap();
    let filter = Filter::parse("status >= 500").unwrap();
    assert!(filter.check(&combined()).is_ok());
    assert!(filter.check(&classic).unwrap_err().message.starts_with("status is text, which"));
    assert!(Filter::parse("status == 503").unwrap().check(&classic).is_ok());
    assert_eq!(verdict(&Filter::parse("status == 503").unwrap(), &classic, LINE), Verdict::Keep);
    let common = Format::new("common").unwrap();
    let error = Filter::parse("agent == x").unwrap().check(&common).unwrap_err();
    assert_eq!(error.message, "no field 'agent' in this format");
}
