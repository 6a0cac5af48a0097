//! Recognizes values that programs write in several forms: durations with a unit, protocols without
//! a name, targets without a method.

use super::identity::is_port;

/// A duration with its unit, as Go, Google Cloud and people write it: `12.5ms`, `1m2.5s`.
pub(super) fn duration(text: &[u8]) -> Option<f64> {
    let mut rest = text;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        let number = &rest[..digits];
        rest = rest[digits..].trim_ascii_start();
        let length =
            rest.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
        // With an exponent the number is rounded once.
        let (exponent, factor) = match &rest[..length] {
            b"ns" => ("e-9", 1.0),
            // The micro sign and the Greek letter.
            b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => ("e-6", 1.0),
            b"ms" => ("e-3", 1.0),
            b"s" => ("", 1.0),
            b"m" => ("", 60.0),
            b"h" => ("", 3_600.0),
            _ => return None,
        };
        let number = [std::str::from_utf8(number).ok()?, exponent].concat();
        sum += number.parse::<f64>().ok()? * factor;
        rest = &rest[length..];
    }
    (!text.is_empty()).then_some(sum)
}

/// The version in a protocol that is only a version, of which two numbers count.
pub(super) fn http_version(text: &[u8]) -> Option<&[u8]> {
    let is_version = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    (text.first()?.is_ascii_digit() && text.iter().all(is_version)).then_some(())?;
    let mut dots = (0..text.len()).filter(|&at| text[at] == b'.');
    Some(&text[..dots.nth(1).unwrap_or(text.len())])
}

/// Whether a text is the target of a request, and not a request line: `/a`, `http://example.com/`,
/// `example.com:443` or `*`.
pub(super) fn is_target(text: &[u8]) -> bool {
    if text.contains(&b' ') {
        return false;
    }
    let scheme = text.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let is_authority = || {
        let colon = text.iter().rposition(|&byte| byte == b':');
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.[]:".contains(byte);
        colon.is_some_and(|at| at > 0 && is_port(&text[at + 1..]) && text[..at].iter().all(is_name))
    };
    text.first() == Some(&b'/')
        || text == b"*"
        || (scheme > 0 && text[scheme..].starts_with(b"://"))
        || is_authority()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_its_unit() {
        for (text, seconds) in [
            ("0.012s", Some(0.012)),
            ("3.5s", Some(3.5)),
            ("12ms", Some(0.012)),
            ("12 ms", Some(0.012)),
            ("14.743µs", Some(0.000_014_743)),
            ("14.743μs", Some(0.000_014_743)),
            ("250us", Some(0.000_25)),
            ("7ns", Some(0.000_000_007)),
            ("1m2.5s", Some(62.5)),
            ("1h0m1s", Some(3_601.0)),
            ("", None),
            ("12", None),
            ("s", None),
            (".s", None),
            ("12sec", None),
            ("-1s", None),
            ("1s2", None),
        ] {
            assert_eq!(duration(text.as_bytes()), seconds, "{text}");
        }
    }

    #[test]
    fn a_version_of_http_is_recognized() {
        for (text, version) in [
            ("1.1", Some("1.1")),
            ("2", Some("2")),
            ("2.0.0.0", Some("2.0")),
            ("HTTP/1.1", None),
            ("h2", None),
            ("", None),
        ] {
            assert_eq!(http_version(text.as_bytes()), version.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn a_target_is_no_request_line() {
        for text in ["/", "/a?b=1", "*", "http://example.com/a", "example.com:443", "[::1]:80"] {
            assert!(is_target(text.as_bytes()), "{text}");
        }
        for text in ["", "-", "GET", "GET / HTTP/1.1", "/a b", "\u{16}\u{3}", "a:b", ":80", "a:"] {
            assert!(!is_target(text.as_bytes()), "{text}");
        }
    }
}
