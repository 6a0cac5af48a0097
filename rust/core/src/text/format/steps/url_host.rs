//! The host of a URL.

use std::net::Ipv6Addr;

/// The host of a URL with a scheme or with `//` before it: in lower case, without user and port,
/// without the brackets of IPv6 and a dot at the end. For an `android-app:` URL it is the package.
pub(super) fn host(url: &[u8]) -> Option<String> {
    let url = String::from_utf8_lossy(url.trim_ascii());
    let rest = url.strip_prefix("//").or_else(|| {
        let (scheme, rest) = url.split_once("://")?;
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        let fits = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(is_part);
        fits.then_some(rest)
    })?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let place = authority.rsplit_once('@').map_or(authority, |(_user, place)| place);
    let host = if let Some(rest) = place.strip_prefix('[') {
        let (inner, port) = rest.split_once(']')?;
        let is_address = inner.split('%').next()?.parse::<Ipv6Addr>().is_ok();
        (is_address && (port.is_empty() || port.starts_with(':'))).then_some(inner)?
    } else {
        let host = place.split(':').next().filter(|_| !place.contains(['[', ']']))?;
        host.strip_suffix('.').unwrap_or(host)
    };
    (!host.is_empty()).then(|| host.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absolute_url_has_a_host() {
        for (url, expected) in [
            ("http://Example.COM/a?b#c", "example.com"),
            ("https://example.com", "example.com"),
            ("https://example.com:8443/", "example.com"),
            ("https://joe:secret@example.com./", "example.com"),
            ("https://a@b@example.com/", "example.com"),
            ("//cdn.example.com/x.js", "cdn.example.com"),
            ("http://example.com?next=http://other.example/", "example.com"),
            ("http://example.com#x@y", "example.com"),
            ("http://[2001:DB8::1]:80/", "2001:db8::1"),
            ("http://[fe80::1%25eth0]/", "fe80::1%25eth0"),
            ("http://192.0.2.1:/", "192.0.2.1"),
            ("android-app://com.google.android.gm/", "com.google.android.gm"),
            ("ws+unix://x/", "x"),
            ("http://B\u{dc}CHER.example/", "b\u{fc}cher.example"),
            (" http://example.com/ ", "example.com"),
        ] {
            assert_eq!(host(url.as_bytes()).as_deref(), Some(expected), "{url}");
        }
    }

    #[test]
    fn other_text_has_no_host() {
        for url in [
            "",
            "-",
            "/",
            "/a",
            "a/b",
            "example.com/",
            "example.com:443",
            "*",
            "http:",
            "http:/a",
            "http://",
            "http:///a",
            "http://:80/",
            "http://joe@/",
            "http://./",
            "//",
            "///a",
            "mailto:joe@example.com",
            "about:blank",
            "1http://a/",
            "/a?u=http://example.com/",
            "?u=http://example.com/",
            "http://[::1/",
            "http://[x]/",
            "http://[::1]x/",
            "://a/",
        ] {
            assert_eq!(host(url.as_bytes()), None, "{url}");
        }
    }
}
