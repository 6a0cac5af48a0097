//! Compares the LTSV matcher with a split at tabs and colons.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::Ltsv;
use super::{Matcher, pairs, rejected};

/// The last value of a label.
fn naive<'a>(line: &'a [u8], label: &str) -> Option<&'a [u8]> {
    let pieces = line.split(|byte| *byte == b'\t').rev();
    let mut named =
        pieces.filter_map(|piece| piece.strip_prefix(label.as_bytes())?.strip_prefix(b":"));
    named.next()
}

fn is_ltsv(line: &str) -> bool {
    let legal = |byte: char| byte.is_ascii_alphanumeric() || "_.-".contains(byte);
    let is_labelled = |(label, value): (&str, &str)| {
        label.chars().all(legal)
            && label.starts_with(|byte: char| byte == '_' || byte.is_ascii_alphabetic())
            && !value.starts_with("//")
    };
    let pieces: Vec<_> = line.split('\t').filter(|piece| !piece.is_empty()).collect();
    let all = pieces.iter().all(|piece| piece.split_once(':').is_some_and(is_labelled));
    // The known labels among those that are generated here.
    all && (pieces.len() > 1
        || pieces
            .iter()
            .any(|piece| ["host:", "status:"].iter().any(|known| piece.starts_with(known))))
}

proptest! {
    #![proptest_config(crate::ground::profile::cases(1_000))]

    #[test]
    fn values_are_those_of_a_naive_parser(
        pieces in vec(prop_oneof![
            select(vec![
                "host:", "status:200", "a:", "longer-label:x", "host", "", ":", "b\"c:1",
                "10:20:30", "http://a/",
            ])
                .prop_map(String::from),
            "(host|a|longer-label|longer-labex|[^\t\n\r:]*):?[^\t\n\r]*",
        ], 0..8),
    ) {
        let line = pieces.join("\t");
        let line = line.trim_end_matches(' ');
        let names = ["host", "a", "longer-label", "status"];
        let matcher = Matcher::Ltsv(Ltsv::with_fields(&names));
        let found = matcher.texts(line.as_bytes());
        prop_assert_eq!(found.is_ok(), is_ltsv(line), "{:?}", found);
        let Ok(found) = found else { return Ok(()) };
        let expected: Vec<_> = names
            .iter()
            .filter_map(|name| {
                let value = naive(line.as_bytes(), name).filter(|value| !value.is_empty())?;
                Some((String::from(*name), String::from_utf8_lossy(value).into_owned()))
            })
            .collect();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn labels_are_mapped_to_standard_fields() {
    let line = b"uri:/a\tvhost:v\treqtime:0.5\tapptime:0.25\tforwardedfor:1.1.1.1\treqsize:9\t\
        method:GET\tprotocol:HTTP/1.1\ttime:2026-11-06T10:00:00Z\tcache:HIT";
    assert_eq!(
        Matcher::named("ltsv").texts(line).unwrap(),
        pairs(&[
            ("time", "2026-11-06T10:00:00Z"),
            ("method", "GET"),
            ("url", "/a"),
            ("protocol", "HTTP/1.1"),
            ("bytes_in", "9"),
            ("vhost", "v"),
            ("request_time", "0.5"),
            ("upstream_time", "0.25"),
            ("xff", "1.1.1.1"),
        ])
    );
    let own = Matcher::Ltsv(Ltsv::with_fields(&["cache", "url"]));
    assert_eq!(own.texts(line).unwrap(), pairs(&[("cache", "HIT"), ("url", "/a")]));
}

#[test]
fn a_value_may_contain_colons_and_blanks_and_be_empty() {
    let line = b"ua:a: b\thost:\treferer:http://x/\t\tuser::\t";
    assert_eq!(
        Matcher::named("ltsv").texts(line).unwrap(),
        pairs(&[("user", ":"), ("referer", "http://x/"), ("agent", "a: b")])
    );
}

#[test]
fn every_value_needs_a_label() {
    let ltsv = Matcher::named("ltsv");
    let combined = br#"::1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "ua""#;
    let cloudfront = b"2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\thttps://x/";
    for (line, byte) in [
        (&b"x"[..], 0),
        (b"a b:c", 0),
        (b":x", 0),
        (b"10:20\thttp://x/", 0),
        (b"a:1\tb", 4),
        (b"a:1\t\tb c:2", 5),
        (b"a:1\thttp://x/", 4),
        (combined, 0),
        (cloudfront, 0),
    ] {
        assert_eq!(rejected(ltsv.texts(line)), (byte, "a label, a colon and a value"));
    }
}

#[test]
fn the_label_of_a_single_value_has_to_be_known() {
    let ltsv = Matcher::named("ltsv");
    assert_eq!(ltsv.texts(b"uri:/a").unwrap(), pairs(&[("url", "/a")]));
    for line in [&b"error: no such file"[..], b"cache:HIT\t"] {
        assert_eq!(rejected(ltsv.texts(line)), (0, "a label, a colon and a value"));
    }
    // Requesting a label does not make it a known one.
    let own = Matcher::Ltsv(Ltsv::with_fields(&["cache"]));
    assert_eq!(rejected(own.texts(b"cache:HIT")).0, 0);
}
