//! Addresses of the internet protocol, and their networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::text::format::identity::is_port;

/// The length of a prefix, as written after a slash.
pub(super) fn prefix_bits(text: &str) -> Option<u8> {
    let is_plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|bits| is_plain && (1..=128).contains(bits))
}

/// The address that a text is. It may have a port, and one of IPv6 brackets and a zone id; one of
/// IPv4 that is written as one of IPv6 is of IPv4.
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    if let Some(rest) = text.strip_prefix('[') {
        let (inner, port) = rest.split_once(']')?;
        let has_end = port.is_empty() || port.strip_prefix(':').is_some_and(has_port);
        return has_end.then(|| ipv6(inner)).flatten();
    }
    if let Some(found) = ipv6(text) {
        return Some(found);
    }
    let (host, port) = text.split_once(':').unwrap_or((text, "0"));
    host.parse().ok().map(IpAddr::V4).filter(|_| has_port(port))
}

fn has_port(text: &str) -> bool {
    is_port(text.as_bytes())
}

fn ipv6(text: &str) -> Option<IpAddr> {
    let address = match text.split_once('%') {
        Some((_, "")) => return None,
        Some((address, _zone)) => address,
        None => text,
    };
    address.parse().ok().map(|found: Ipv6Addr| IpAddr::V6(found).to_canonical())
}

/// The network of an address: of IPv4, a prefix of more than 32 bits is the address itself.
pub(super) fn network(text: &[u8], bits: u8) -> Option<String> {
    Some(match address(text)? {
        IpAddr::V4(address) => {
            let bits = bits.min(32);
            let mask = u32::MAX << (32 - u32::from(bits));
            format!("{}/{bits}", Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX << (128 - u32::from(bits));
            format!("{}/{bits}", Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_the_prefix_of_an_address() {
        for (text, bits, expected) in [
            ("192.0.2.77", 24, "192.0.2.0/24"),
            ("192.0.2.77:8080", 24, "192.0.2.0/24"),
            ("192.0.2.77", 31, "192.0.2.76/31"),
            ("192.0.2.77", 1, "128.0.0.0/1"),
            ("192.0.2.77", 32, "192.0.2.77/32"),
            ("192.0.2.77", 64, "192.0.2.77/32"),
            ("::ffff:192.0.2.77", 24, "192.0.2.0/24"),
            ("[::FFFF:c000:24d]:80", 24, "192.0.2.0/24"),
            ("2001:DB8:0:0:1::5", 64, "2001:db8::/64"),
            ("2001:db8:0:1:1::5", 64, "2001:db8:0:1::/64"),
            ("[2001:db8::5]", 128, "2001:db8::5/128"),
            ("[fe80::1%eth0]:443", 10, "fe80::/10"),
            ("fe80::1%eth0", 24, "fe80::/24"),
            ("::1", 128, "::1/128"),
        ] {
            assert_eq!(network(text.as_bytes(), bits).as_deref(), Some(expected), "{text}/{bits}");
        }
    }

    #[test]
    fn other_text_has_no_network() {
        for text in [
            "",
            "-",
            "localhost",
            "unix:",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "01.2.3.4",
            "1.2.3.4:",
            "1.2.3.4:x",
            "1.2.3.4:123456",
            "1.2.3.4, 5.6.7.8",
            "[1.2.3.4]",
            "[::1",
            "[::1]x",
            "::1%",
            "[::1]:",
            ":::1",
            "1.2.3.4/24",
            " 1.2.3.4",
            "\u{661}.2.3.4",
        ] {
            assert_eq!(network(text.as_bytes(), 24), None, "{text}");
        }
        assert_eq!(network(b"\xff", 24), None);
    }

    #[test]
    fn a_prefix_has_1_to_128_bits() {
        for (text, bits) in [("1", Some(1)), ("24", Some(24)), ("128", Some(128))] {
            assert_eq!(prefix_bits(text), bits);
        }
        for text in ["", "0", "129", "256", "-1", "+1", "024", "x", "2 "] {
            assert_eq!(prefix_bits(text), None, "{text}");
        }
    }
}
