//! Lines are written from values as a server writes them, and read back: each value is the one that
//! was written, or the line does not match.

use proptest::prelude::*;

use super::super::nginx;
use super::*;

/// A variable and a value of it.
type Written = (&'static str, String);

fn one_of(name: &'static str, values: &'static [&'static str]) -> BoxedStrategy<Written> {
    prop::sample::select(values).prop_map(move |value| (name, value.to_owned())).boxed()
}

/// Variables whose values are single words, also empty ones.
fn words() -> impl Strategy<Value = Written> {
    prop_oneof![
        one_of("remote_addr", &["192.0.2.1", "2001:db8::1", "unix:", "", "-"]),
        one_of("host", &["example.com", "", "-", "[::1]"]),
        one_of("request_method", &["GET", "", "-"]),
        one_of("server_port", &["80", ""]),
        one_of("request_length", &["5", "0", "-"]),
        one_of("http_x", &["a", "", "-", "200"]),
        one_of("http_y", &["b", "", "17"]),
        one_of("args", &["a=b", "", "200"]),
        one_of("body_bytes_sent", &["0", "153"]),
        one_of("status", &["200", "404"]),
        one_of("msec", &["1431857103.120"]),
    ]
}

/// Variables whose values may be lists or have blanks.
fn others() -> impl Strategy<Value = Written> {
    prop_oneof![
        one_of("http_x_forwarded_for", &["203.0.113.7, 198.51.100.2", "a, b,c", "-", "", "::1"]),
        one_of("upstream_addr", &["192.0.2.5:80, 192.0.2.6:80", "a:1, b:2 : unix:/s", "-", ""]),
        one_of("upstream_response_time", &["0.100, 0.004", "0.1, - : 0.2", "-", ""]),
        one_of("request", &["GET / HTTP/1.1", "GET /a b HTTP/1.1", "GET /", "", "-", "a b c d"]),
        one_of("request", &["GET /a 200 5 - HTTP/1.1", "x 200 404", "OPTIONS * RTSP/1.0"]),
        one_of("http_user_agent", &["Mozilla/5.0 (X11; x)", "curl", "", "-", "a 200 b", "a 5 17"]),
        one_of("http_cookie", &["a=b; c=d", "-", "", "200 5"]),
        one_of("uri", &["/", "/a b", ""]),
    ]
}

/// Different variables with values, one to three of them with blanks or lists.
fn lines() -> impl Strategy<Value = Vec<(Written, bool)>> {
    let quoted = |written: BoxedStrategy<Written>| (written, prop::bool::weighted(0.2)).boxed();
    let many = prop::collection::vec(quoted(words().boxed()), 1..6);
    let few = prop::collection::vec(quoted(others().boxed()), 1..4);
    (many, few).prop_flat_map(|(many, few)| {
        let mut all: Vec<(Written, bool)> = Vec::new();
        for one in many.into_iter().chain(few) {
            if all.iter().all(|other| other.0.0 != one.0.0) {
                all.push(one);
            }
        }
        Just(all).prop_shuffle()
    })
}

fn joined(fields: &[(Written, bool)], text: impl Fn(&Written) -> String) -> String {
    let quoted = |(written, quoted): &(Written, bool)| {
        if *quoted { format!("\"{}\"", text(written)) } else { text(written) }
    };
    fields.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// The texts of the fields in a line, in the order of the template.
fn read(format: &str, line: &str) -> Option<Vec<String>> {
    let matcher = Matcher::new(&nginx::compile(format).unwrap()).unwrap();
    let mut spans = vec![Span::NONE; matcher.found().len()];
    matcher.split(line.as_bytes(), &mut spans).ok()?;
    let text = |span: &Span| span.of(line.as_bytes()).unwrap_or_default();
    Some(spans.iter().map(|span| String::from_utf8_lossy(text(span)).into_owned()).collect())
}

proptest! {
    #![proptest_config(crate::ground::profile::cases(20_000))]

    #[test]
    fn each_value_is_the_one_that_was_written_or_the_line_does_not_match(fields in lines()) {
        let format = joined(&fields, |(name, _)| format!("${name}"));
        let line = joined(&fields, |(_, value)| value.clone());
        let written: Vec<_> = fields.iter().map(|((_, value), _)| value.clone()).collect();
        let found = read(&format, &line);
        // It is clear where each value ends if no unquoted one has blanks, is empty or is a
        // dash, which any number may be.
        let is_clear = fields.iter().all(|one| one.1 || !matches!(&*one.0.1, "" | "-"))
            && fields.iter().filter(|one| !one.1 && one.0.1.contains(' ')).count() == 0;
        match found {
            Some(found) => prop_assert_eq!(found, written, "{}\n{}", format, line),
            None => prop_assert!(!is_clear, "{}\n{}", format, line),
        }
    }
}
