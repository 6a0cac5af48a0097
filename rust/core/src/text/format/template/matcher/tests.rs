//! What a template finds in a line, and what it reports for a line that does not match.

use super::super::braces;
use super::*;
use crate::text::format::named::{Definition, TEXT_FORMATS};

pub(super) fn compile(texts: &[&str]) -> Matcher {
    Matcher::either(&parsed(texts)).unwrap()
}

pub(super) fn parsed(texts: &[&str]) -> Vec<Template> {
    texts.iter().map(|text| braces::compile(text).unwrap()).collect()
}

/// The fields separated by `|`, with `~` for absent ones; or where the line stops and why.
fn run(matcher: &Matcher, line: &str) -> Result<String, (usize, &'static str, usize)> {
    let mut spans = vec![Span::new(0, 1); matcher.found().len()];
    match matcher.split_traced(line.as_bytes(), &mut spans) {
        Ok(()) => {
            let text = |span: &Span| match span.of(line.as_bytes()) {
                Some(text) => String::from_utf8_lossy(text).into_owned(),
                None => "~".to_owned(),
            };
            Ok(spans.iter().map(text).collect::<Vec<_>>().join("|"))
        }
        Err((reject, part)) => Err((reject.byte(), reject.expected(), part)),
    }
}

#[track_caller]
fn finds(template: &str, line: &str, expected: &str) {
    assert_eq!(run(&compile(&[template]), line), Ok(expected.to_owned()), "{template}\n{line}");
}

#[track_caller]
fn stops(template: &str, line: &str, byte: usize, expected: &str, part: usize) {
    let stop = run(&compile(&[template]), line);
    assert_eq!(stop, Err((byte, expected, part)), "{template}\n{line}");
}

#[test]
fn a_field_ends_at_the_first_position_where_what_follows_matches() {
    finds("{a:text}: {b:text}", "x:y: z: w", "x:y|z: w");
    finds("{a}={b}", "k=v=w", "k|v=w");
    finds(r"{a}:{port} ", "[::1]:80", "[::1]|80");
    // Lookahead: only the last of these quotes is followed by a status, a size and a quote.
    finds(
        r#""{request}" {status} {size} "{agent}""#,
        r#""a" 1 2 "b" 200 "c" 404 5 "ua""#,
        r#"a" 1 2 "b" 200 "c|404|5|ua"#,
    );
    // The lookahead stops before a field that may contain the delimiter.
    finds("{a:text},{upstream_time} x", "p,1,2 x", "p|1,2");
    finds("{a:text},{upstream_time}{?} x", "p,3", "p|3");
}

#[test]
fn what_a_client_writes_moves_no_field_to_its_left() {
    let template = r#"{host} - {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}" {request_time}"#;
    let time = "17/May/2015:10:05:03 +0000";
    for agent in [
        r#"x] "GET /fake HTTP/1.1" 200 1 "-" "y"#,
        r#"" 1"#,
        r#""" 1 "#,
        r#"\" 0.1"#,
        r#"[t] "GET / HTTP/1.1" 200 5 "-" "-" 3"#,
    ] {
        let line = format!(r#"h - joe [{time}] "GET /real HTTP/1.1" 200 5 "r" "{agent}" 0.5"#);
        let found = run(&compile(&[template]), &line).unwrap();
        assert!(found.starts_with(&format!("h|joe|{time}|GET /real HTTP/1.1|200|5|r|")), "{found}");
        assert!(found.ends_with("|0.5"), "{found}");
    }
}

#[test]
fn a_backslash_escapes_a_quote_unless_no_other_quote_closes_the_field() {
    finds(r#""{a}" "{b}""#, r#""x\" "y" "z""#, r#"x\" "y|z"#);
    finds(r#""{a}" "{b}""#, r#""x" "y\""#, r"x|y\");
    finds(r#""{a}" "{b}""#, r#""x\\" "y""#, r"x\\|y");
    finds(r#""{a}" {status} "{b}""#, r#""x\" 200 "y" 20 "z""#, r#"x\|200|y" 20 "z"#);
}

#[test]
fn a_blank_matches_one_or_more_and_both_ends_are_trimmed() {
    finds("{a} {b}", " \t x \t y \r\n", "x|y");
    finds(" {a} [{b}] ", "x   [y]", "x|y");
    finds("{a} {b}", "\u{feff}x y", "x|y");
    // Columns between tabs may be empty, and may contain blanks.
    finds("{a}\t{b}\t{c}", "x y\t\tz", "x y||z");
    finds("{a:text}\t{b:text}", "x y\t", "x y|");
}

#[test]
fn fields_in_quotes_or_brackets_may_be_empty() {
    finds(r#""{a}" [{b}] ({c:int}) "{upstream_time}""#, r#""" [] () """#, "|||");
    stops("{a} x{b}", "y x", 3, "a word", 2);
}

#[test]
fn a_bare_dash_replaces_a_request() {
    finds(
        r#"[{time:iso}] "{request}" {status}"#,
        "[2015-05-17T10:05:03Z] - 408",
        "2015-05-17T10:05:03Z|-|408",
    );
    stops(r#"{a} "{b}" {status}"#, "x - 408", 2, "a quote", 1);
}

#[test]
fn a_user_may_contain_blanks_and_a_list_commas() {
    finds("{vhost} {user} [{time}]", "v John Smith [t]", "v|John Smith|t");
    finds("{x} {host} {y}", "x 1.1.1.1, 2.2.2.2 y", "x|1.1.1.1, 2.2.2.2|y");
    finds("{upstream} {y}", "a:1, b:2 : c:3 y", "a:1, b:2 : c:3|y");
    stops("{xff} {y}", "a : y", 3, "the end of the line", 3);
}

#[test]
fn lines_may_have_more_or_fewer_columns_if_the_format_says_so() {
    finds("{a} {b}{...}", "x y z w", "x|y");
    finds(r#""{a}"{...}"#, r#""x" y"#, "x");
    stops("{a} {b}", "x y z", 3, "the end of the line", 3);
    stops(r#""{a}"{...}"#, r#""x"y"#, 4, "the quote that closes the field", 1);
    finds("{a}{?} {b:int}{?} {c}", "x", "x|~|~");
    finds("{a}{?} {b:int}{?} {c}", "x 5", "x|5|~");
    finds(r#"{a} "{request}"{?} {status}{?} "{b}""#, r#"x "r" 200"#, "x|r|200|~");
    stops("{a}{?} {b:int} {c}", "x 5", 3, "a space", 3);
    // Fields found by a failed attempt are cleared.
    finds(r#""{a}"{?} {status} {size}"#, r#""x" 200 y""#, r#"x" 200 y|~|~"#);
}

#[test]
fn the_first_template_that_matches_is_used() {
    let either = compile(&["{a}:{port} {b}", "{a} {c}"]);
    let names: Vec<_> = either.found().iter().map(|found| &*found.name).collect();
    assert_eq!(names, ["a", "port", "b", "c"]);
    assert_eq!(run(&either, "v:80 x"), Ok("v|80|x|~".to_owned()));
    assert_eq!(run(&either, "v x"), Ok("v|~|~|x".to_owned()));
    // The template that matched furthest explains the reject.
    assert_eq!(run(&either, "v:80 x y"), Err((6, "the end of the line", 5)));
}

#[test]
fn skipped_fields_have_spans_too() {
    let matcher = compile(&["{} {a} {:text}|{b}"]);
    let names: Vec<_> = matcher.found().iter().map(|found| &*found.name).collect();
    assert_eq!(names, ["", "a", "", "b"]);
    assert_eq!(run(&matcher, "x y z w|v"), Ok("x|y|z w|v".to_owned()));
}

#[test]
fn a_reject_has_the_position_and_what_was_expected() {
    let template =
        r#"{host} {ident} {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}""#;
    for (line, byte, expected, part) in [
        ("", 0, "a time in brackets and the request", 0),
        ("h - - x", 7, "a time in brackets and the request", 0),
        ("h - - [17/May/2015:10:05:03 +0000]", 34, "a space", 7),
        ("h - - [17/May/2015:10:05:03 +0000] x", 35, "the quote that opens the request", 7),
        (
            r#"h - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1"#,
            50,
            "the quote that closes the request",
            8,
        ),
        (
            r#"h - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1 200 5 "-" "ua""#,
            50,
            "the quote that closes the request",
            8,
        ),
        (
            r#"h - - [17/May/2015:10:05:03 +0000] "GET /" abc 5 "-" "-""#,
            43,
            "a status of three digits",
            10,
        ),
        (r#"h - - [17/May/2015:10:05:03 +0000] "GET /" 200 x "-" "-""#, 47, "a whole number", 12),
        (r#"h - - [17/May/2015:10:05:03 +0000] "GET /" 200 5"#, 48, "a space", 13),
        (r#"h - - [17/May/2015:10:05:03 +0000] "GET /" 200 5 x"#, 49, "a quote", 13),
        (
            r#"h - - [17/May/2015:10:05:03 +0000] "GET /" 200 5 "-"#,
            51,
            "the quote that closes the field",
            14,
        ),
        (
            r#"h - - [17/May/2015:10:05:03 +0000] "GET /" 200 5 "-" "x"#,
            55,
            "the quote that closes the field",
            16,
        ),
        (
            r#"h - - [17/May/2015:10:05:03 +0000] "GET /" 200 5 "-" "x" y"#,
            58,
            "the quote that closes the field",
            16,
        ),
    ] {
        stops(template, line, byte, expected, part);
    }
    let nginx = "{host} - {user} [{time}] {status} {a:int}:{b:s} {c:iso}";
    for (line, byte, expected, part) in [
        ("h x joe [t] 200 5:1 2015-05-17", 2, "a dash and the user before the time", 0),
        ("h - joe [t] 2x0 5:1 2015-05-17", 12, "a status of three digits", 6),
        ("h - joe [t] 200 5 1 2015-05-17", 17, "a colon", 9),
        ("h - joe [t] 200 5:x 2015-05-17", 18, "a number", 10),
        ("h - joe [t] 200 5:1 (2015-05-17)", 20, "a time", 12),
        ("h - joe [t] 200 5:1 2015-05-17 x", 30, "the end of the line", 13),
    ] {
        stops(nginx, line, byte, expected, part);
    }
}

#[test]
fn adjacent_fields_are_an_error_that_points_at_both() {
    for (text, start, end, message) in [
        ("x {host}{user}", 2, 14, "host and user are adjacent"),
        ("{a}{}", 0, 5, "a and another field are adjacent"),
        ("{}{:int}", 0, 8, "two fields are adjacent"),
    ] {
        let error = Matcher::new(&braces::compile(text).unwrap()).unwrap_err();
        assert_eq!((error.start, error.end), (start, end), "{text}");
        assert!(error.message.starts_with(message), "{}", error.message);
    }
    finds("{status}{size}", "2005", "200|5");
    assert!(Matcher::new(&Template::default()).is_err());
}

#[test]
fn the_combined_format_is_recognized() {
    for (text, expected) in [
        (
            r#"{host} {ident} {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}""#,
            true,
        ),
        (r#"{host} {} {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}" "#, true),
        (r#"{host} - {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}""#, true),
        (
            r#"{host} - {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}" {x}"#,
            false,
        ),
        (r#"{host} - {user} [{time}] "{request}" {status} {size}"#, false),
        (
            r#"{host} - {user} [{time}] "{request}" {status} {bytes_out} "{referer}" "{agent}""#,
            false,
        ),
        (
            r#"{host} - {user} [{time:iso}] "{request}" {status} {size} "{referer}" "{agent}""#,
            false,
        ),
        (
            r#"{host} - {user} [{time}] "{request}" {status:text} {size} "{referer}" "{agent}""#,
            false,
        ),
        (r#"{x} - {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}""#, false),
    ] {
        assert_eq!(is_combined(&braces::compile(text).unwrap()), expected, "{text}");
    }
}

/// Text that clients may write into a field: inputs that make regular expressions backtrack, and
/// the bytes that the matcher searches for.
pub(super) const ATTACKS: &[&str] = &[
    "\" ",
    "] \"a\" ",
    "\" 1 1 \" ",
    "\" 200 5 \"-\" \"",
    "\" 1 ] \"x",
    "\" 1 ] \" ",
    "[",
    "]",
    "[1",
    " [",
    " ] ",
    "] \"",
    "] -",
    "] - 200 5 ",
    "\"",
    "\\",
    "\\\"",
    "\\\" ",
    "\" 200 ",
    "\" 200 5 ",
    " ",
    "\t",
    "1, ",
    "1 : ",
    ", ",
    ":",
    "=",
    " rt=",
    " 1 1 ",
    "- ",
    " - ",
    " - -",
    "\" \"",
    "\" [",
    "\" 1 1 [x] [",
    "a",
    "\" rt=1 uct=\"",
];

/// The name, example and templates of each named format that is a template.
pub(super) fn templates()
-> impl Iterator<Item = (&'static str, &'static str, &'static [&'static str])> {
    TEXT_FORMATS.iter().filter_map(|named| match &named.definition {
        Definition::Template(text) => Some((named.name, named.example, std::slice::from_ref(text))),
        Definition::Either(texts) => Some((named.name, named.example, *texts)),
        _ => None,
    })
}

#[test]
fn hostile_lines_neither_hang_nor_panic() {
    for (_, example, texts) in templates() {
        let matcher = compile(texts);
        let mut spans = vec![Span::NONE; matcher.found().len()];
        for attack in ATTACKS {
            for cut in (0..example.len()).step_by(3) {
                let line = format!("{}{}", &example[..cut], attack.repeat(50));
                if matcher.split(line.as_bytes(), &mut spans).is_ok() {
                    assert!(spans.iter().all(|span| !span.is_some() || span.end() <= line.len()));
                }
            }
        }
    }
}
