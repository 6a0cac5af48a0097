//! Compares a template of the combined format with the hand-written parser: both find the same
//! fields, or both reject, on lines that must be accepted and on lines that were broken at random.
//!
//! Two differences are intended: a template accepts a negative size, as for other integers, and a
//! carriage return wherever a blank may be.

use super::super::braces;
use super::*;
use crate::text::format::combined;

pub(super) const COMBINED: &str = concat!(
    r#"{host} {ident} {user} [{time}] "{request}" {status} {size}{?} "{referer}" "{agent}""#,
    "{...}"
);

const MUST_ACCEPT: &[&str] = &[
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5"#,
    r#"v:80 1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua" 0.012"#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 0.012 "ua""#,
    r#"<190>May  6 07:08:09 h nginx: 1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#,
    r#"1.1.1.1, 2.2.2.2 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#,
    r#"  1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua" "10.0.0.1""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "" 400 0 "-" "-""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "-" 408 0 "-" "-""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] - 408 0 "-" "-""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET" 400 0 "-" "-""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /old" 200 0 "-" "-""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "\x16\x03\x01\x02" 400 0 "-" "-""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "\x03\x00\x00/*\xE0Cookie: mstshash=Administr" 400 0 "-" "-""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a b c HTTP/1.1" 200 5 "-" "ua""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "/a HTTP/1.1" 200 5 "-" "ua""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a\"b HTTP/1.1" 200 5 "-" "ua""#,
    r#"::1 - - [17/May/2015:10:05:03 +0000] "CONNECT h:443 HTTP/1.1" 200 5 "-" "ua""#,
    r#"[::1]:80 - - [17/May/2015:10:05:03 +0000] "OPTIONS * HTTP/1.1" 200 5 "-" "ua""#,
    r#"unix: - - [17/May/2015:10:05:03 +0000] "GET http://h/ HTTP/1.1" 200 5 "-" "ua""#,
    r#"1.2.3.4 - John Smith [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#,
    r#"1.2.3.4 - "" [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#,
    r#"1.2.3.4 -  [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#,
    r#"1.2.3.4 - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#,
    r#" - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#,
    r#" - joe x [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#,
    r#"v 1.2.3.4 -  [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#,
    r#""1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua"""#,
    r#"[a] 1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 - "-" "ua""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" - 5 "-" "ua""#,
    r#"1.2.3.4 - - [hello] "GET /a HTTP/1.1" 200 5 "-" "ua""#,
    "1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"ua\" \r",
    "1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET /\0\u{1f}\u{85}\u{a0}\u{3000} HTTP/1.1\" 200 5 \"-\" \"ua\"",
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /] "x HTTP/1.1" 200 5 "-" "ua""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /real HTTP/1.1" 200 5 "-" "x] "GET /fake HTTP/1.1" 200 1 "-" "y""#,
    "\u{feff}1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"ua\"",
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua\""#,
];

/// The fields that both parsers have, empty where the line lacks one.
fn by_template(matcher: &Matcher, line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut spans = vec![Span::NONE; matcher.found().len()];
    matcher.split(line, &mut spans).ok()?;
    let text = |name: &&str| {
        let at = matcher.found().iter().position(|found| &*found.name == *name).unwrap();
        spans[at].of(line).unwrap_or_default().to_vec()
    };
    let names = ["host", "user", "time", "request", "status", "size", "referer", "agent"];
    Some(names.iter().map(text).collect())
}

fn by_hand(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut spans = [Span::NONE; 8];
    combined::split(line, &mut spans).ok()?;
    Some(spans.map(|span| span.of(line).unwrap_or_default().to_vec()).to_vec())
}

fn combined_matcher() -> Matcher {
    Matcher::new(&braces::compile(COMBINED).unwrap()).unwrap()
}

#[test]
fn lines_that_must_be_accepted_match_the_hand_written_parser() {
    let matcher = combined_matcher();
    for line in MUST_ACCEPT {
        let found = by_template(&matcher, line.as_bytes());
        assert!(found.is_some(), "{line}");
        assert_eq!(found, by_hand(line.as_bytes()), "{line}");
    }
}

#[test]
fn broken_lines_match_the_hand_written_parser() {
    let matcher = combined_matcher();
    let pieces: [&[u8]; 22] = [
        b"\"",
        b"\\",
        b" ",
        b"[",
        b"]",
        b"-",
        b"\" ",
        b" \"",
        b"] \"",
        b" [",
        b"\" 200 5 \"",
        b"\t",
        b"200",
        b"\\\"",
        b" - ",
        b"y",
        b"x",
        b"5",
        b"",
        b"17/May/2015:10:05:03 +0000",
        b"\xff",
        b"\" \"",
    ];
    let first = crate::ground::profile::seed().unwrap_or(7);
    let mut seed = first;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let rounds = crate::ground::profile::scaled(60_000);
    let mut accepted = 0;
    for _ in 0..rounds {
        let mut line = MUST_ACCEPT[random(MUST_ACCEPT.len())].as_bytes().to_vec();
        for _ in 0..=random(4) {
            let start = random(line.len() + 1);
            let end = (start + random(6)).min(line.len());
            line.splice(start..end, pieces[random(pieces.len())].iter().copied());
        }
        let (template, hand) = (by_template(&matcher, &line), by_hand(&line));
        let negative = line.windows(2).any(|two| two[0] == b'-' && two[1].is_ascii_digit());
        if template != hand && (negative || line.contains(&b'\r')) {
            continue;
        }
        accepted += u32::from(template.is_some());
        assert_eq!(template, hand, "{:?}, seed {first}", String::from_utf8_lossy(&line));
    }
    assert!(accepted > rounds / 3, "{accepted} of {rounds}");
}

#[test]
#[ignore = "prints speeds; run in release"]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "it measures and prints"
)]
fn speed_against_the_hand_written_parser() {
    let line = r#"203.0.113.195 - - [17/May/2015:10:05:03 +0000] "GET /products/category/item-12345.html?ref=home&page=2 HTTP/1.1" 200 15324 "https://www.example.com/landing" "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)""#.as_bytes();
    let templates = [
        COMBINED,
        r#"{host} {ident} {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}""#,
        r#"{host} - {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}""#,
    ];
    let count = 2_000_000;
    for _ in 0..2 {
        let start = std::time::Instant::now();
        let mut sum = 0;
        for _ in 0..count {
            let mut spans = [Span::NONE; 8];
            combined::split(std::hint::black_box(line), &mut spans).unwrap();
            sum += spans[7].end();
        }
        let hand = start.elapsed().as_nanos() as f64 / f64::from(count);
        println!("by hand {hand:.0} ns, {} bytes {sum}", line.len());
        for template in templates {
            let matcher = Matcher::new(&braces::compile(template).unwrap()).unwrap();
            let mut spans = vec![Span::NONE; matcher.found().len()];
            let start = std::time::Instant::now();
            for _ in 0..count {
                matcher.split(std::hint::black_box(line), &mut spans).unwrap();
                std::hint::black_box(&spans);
            }
            let ns = start.elapsed().as_nanos() as f64 / f64::from(count);
            println!("template {ns:.0} ns, {:.2}x of by hand: {template}", hand / ns);
        }
    }
}
