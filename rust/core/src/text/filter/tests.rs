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
    let list =
        "expected ==, !=, <, <=, >, >=, ~, !~, in, contains, icontains, startswith or endswith";
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
            "url matches x",
            "matches",
            "unknown operator 'matches'; use ~ for a regular expression, or contains",
        ),
        ("url not ~ x", "~", "expected in, contains, icontains, startswith or endswith after not"),
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
        (
            "status not == 1",
            "==",
            "expected in, contains, icontains, startswith or endswith after not",
        ),
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
fn a_pattern_is_anywhere_in_the_text() {
    for (text, expected) in [
        ("url ~ api", true),
        ("url =~ api", true),
        ("url~^/api", true),
        ("url !~ api", false),
        ("url!~^/api", false),
        ("url ~ ^/api/[a-z]", true),
        ("url ~ ^api", false),
        ("url ~ '^/api/(a|b)\\?'", true),
        ("url ~ \"%22c$\"", true),
        ("(url ~ ^/api)and(status~^5)", true),
        ("url ~ API", false),
        ("url ~ (?i)API", false),
        ("url ~ '(?i)API'", true),
        ("url ~ ''", true),
        ("method ~ ^P.ST$", true),
        ("status ~ ^5..$", true),
        ("status !~ ^5", false),
        ("status ~ \"^(4|5)0[34]$\"", true),
        ("size ~ 23", true),
        ("referer ~ x", false),
        ("referer ~ ''", false),
        ("referer !~ x", true),
        ("not referer ~ x", true),
        ("url icontains API", true),
        ("url icontains '?B='", true),
        ("url icontains x", false),
        ("url not icontains x", true),
        ("agent icontains mozILLA", true),
        ("agent icontains ''", true),
        ("status icontains 03", true),
        ("referer icontains ''", false),
        ("referer not icontains ''", true),
    ] {
        assert_eq!(Filter::parse(text).is_ok() && holds(text), expected, "{text}");
    }
}

#[test]
fn a_pattern_is_read_as_it_is_written() {
    // The agent is: Mozilla \"x\" \x16
    for (text, expected) in [
        (r"agent ~ '\\x16$'", true),
        (r#"agent ~ "\\x16$""#, true),
        (r"agent ~ '\x16'", false),
        (r"agent ~ \\x16$", true),
        (r"agent ~ '\bMozilla\b'", true),
        (r#"agent ~ "\"x""#, true),
        (r#"agent ~ '"x\\"'"#, true),
        (r"agent ~ '\''", false),
        (r#"agent ~ "\d{2}$""#, true),
        (r"agent ~ \d\d$", true),
        (r"agent ~ ^\D", true),
    ] {
        assert_eq!(holds(text), expected, "{text}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_match_only_what_says_so() {
    let line = b"1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET /a\xffb\xc3\xa9 HTTP/1.1\" 200 5 \"-\" \"\xc3\x89t\xc3\xa9 stra\xc3\x9fe\"";
    for (text, expected) in [
        ("url ~ ^/a.b", false),
        ("url ~ '^/a(?-u:.)b'", true),
        (r"url ~ '(?-u:\xff)b'", true),
        ("url ~ b\u{e9}$", true),
        ("url ~ b.$", true),
        ("url icontains B\u{c9}", true),
        ("agent icontains '\u{e9}T\u{c9}'", true),
        // Folding is simple: one letter for one.
        ("agent icontains STRASSE", false),
        ("agent ~ '(?i)\u{e9}t\u{e9}'", true),
        (r"agent ~ ^\w+\s\w+$", true),
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(verdict(&filter, &combined(), line) == Verdict::Keep, expected, "{text}");
    }
}

#[test]
fn an_own_key_matches_by_its_text() {
    let json = Format::new("json").unwrap();
    let line = br#"{"time":"2015-05-17T10:05:03Z","n":503,"f":0.5,"t":"a5","b":true,"o":{"k":1},"z":null}"#;
    for (text, expected) in [
        ("n ~ ^50", true),
        ("n icontains 03", true),
        ("f ~ ^0.5$", true),
        ("t ~ ^a", true),
        ("t icontains A", true),
        ("b ~ ^true$", true),
        ("o ~ k", true),
        ("z ~ ''", false),
        ("z !~ x", true),
        ("none !~ x", true),
        ("none ~ ''", false),
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(verdict(&filter, &json, line) == Verdict::Keep, expected, "{text}");
    }
}

#[test]
fn an_invalid_pattern_has_its_place_marked() {
    for (text, range, message) in [
        (
            "url ~ 'a(b'",
            "(",
            "invalid pattern: unclosed group; to find the text as it is, use contains",
        ),
        (
            "url ~ '[a-'",
            "[",
            "invalid pattern: unclosed character class; to find the text as it is, use contains",
        ),
        (
            "url ~ *.css",
            "",
            "invalid pattern: repetition operator missing expression; to find the text as it is, \
             use contains",
        ),
        (
            "url ~ '\\p{Nothing}'",
            "\\p{Nothing}",
            "invalid pattern: Unicode property not found; to find the text as it is, use contains",
        ),
        (
            "status == 1 or url !~ \"\u{e9}(?=x)\"",
            "(?=",
            "look-around such as (?=x) is not supported; combine conditions with 'and' and 'not'",
        ),
        (
            "url ~ '(?<!x)y'",
            "(?<!",
            "look-around such as (?=x) is not supported; combine conditions with 'and' and 'not'",
        ),
        (r"url ~ '(a)\1'", r"\1", "backreferences are not supported"),
        ("url ~ ", "", "expected a value after the operator"),
        (
            "url ~ and",
            "and",
            "expected a value after the operator, found the keyword 'and'; if it is text, put it in quotes",
        ),
        ("url ~ null", "null", "null is not text; write url == null, or put it in quotes"),
        ("url icontains null", "null", "null is not text; write url == null, or put it in quotes"),
        ("url ~ a|b", "|", "a pattern with this character has to be quoted"),
        ("url ~ a(b)", "(", "text with this character has to be quoted"),
        ("url ~ a,b", ",", "text with this character has to be quoted"),
        ("url ~ (a)", "(", "expected a value after the operator"),
        ("url ~* 'a'", "~*", "unknown operator '~*'; for any case, begin the pattern with (?i)"),
        ("url !~* 'a'", "!~*", "unknown operator '~*'; for any case, begin the pattern with (?i)"),
        ("time ~ 2015", "time", "time is a time, not text; compare it with ==, < or >"),
        ("time icontains 2015", "time", "time is a time, not text; compare it with ==, < or >"),
        ("url in (~a)", "~", "expected a value in this list"),
    ] {
        assert_eq!(mistake(text), (range, message.to_owned()), "{text}");
    }
}

#[test]
fn patterns_have_a_maximum_size() {
    let large = "the pattern is too large: at most 16 KiB are read, and 10 MiB compiled; shorten \
                 it, or repeat less";
    for text in [
        format!("url ~ {}", "a".repeat(16 * 1024 + 1)),
        format!("url icontains {}", "a".repeat(16 * 1024 + 1)),
        "url ~ '(a{1000}){1000}'".to_owned(),
        "url ~ '\\w{1000}'".to_owned(),
    ] {
        assert_eq!(Filter::parse(&text).unwrap_err().message, large);
    }
    for text in [
        format!("url ~ {}", "a".repeat(16 * 1024)),
        format!("url icontains {}", "k".repeat(16 * 1024)),
        "url ~ '\\w{100}'".to_owned(),
        format!("url ~ '{}'", (0..1_000).map(|n| format!("bot{n}x")).collect::<Vec<_>>().join("|")),
        vec!["url ~ a"; 16].join(" or "),
    ] {
        assert!(Filter::parse(&text).is_ok(), "{text:.60}");
    }
    let many = vec!["url ~ a"; 17].join(" or ");
    let error = Filter::parse(&many).unwrap_err();
    assert_eq!(error.message, "more than 16 patterns; combine some of them, as in \"a|b\"");
    assert_eq!(error.start, many.len() - 1);
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
