//! Host, ident and user: the words before the time of a line.
//!
//! Collectors write words before the host, a host may be a list of proxies, a user may have blanks,
//! and some servers write nothing for a missing host or user. What fits none of these rules belongs
//! to a format with other fields, so the line is rejected.

use std::net::IpAddr;

use super::parsed::Span;
use super::scan::BitPositions;
use super::time;
use super::whitespace::{
    ByteRange, ListStarts, blanks_of, is_blank, list_end, skip_blanks, trim_blanks_end, word_end,
};
use crate::ground::block::Block;

/// What was expected, and where.
pub(super) type Mismatch = (usize, &'static str);

pub(super) const IDENTITY: &str = "host, ident and user before the time";
const HOST: &str = "a host without brackets, parentheses and quotes";
const IDENT: &str = "an ident without brackets, parentheses and quotes, and not an address";
pub(super) const DASH: &str = "a lone '-' for the ident, then the user";
const USER: &str = "a user without brackets, parentheses and quotes";
const NO_DASH: &str = "the time, as a lone '-' is not a part of a user";
const USER_BEFORE_TIME: &str = "a user before the time";
const KNOWN_TIME: &str = "a time that can be read, as the line has other brackets before it";

/// The longest text between brackets that is parsed as a time.
pub(super) const LONGEST_TIME: usize = 64;

/// Longer words are no addresses.
const LONGEST_ADDRESS: usize = 64;

/// Finds host, ident and user in the text from `start` to the opening bracket of the time. A missing
/// one has no span.
///
/// Three words are exactly these. Of more words, the first lone `-` is the ident: the host is the
/// word before it, the user is what follows it.
pub(super) fn host_ident_user(
    line: &[u8],
    start: usize,
    (open, close): ByteRange,
) -> Result<[Span; 3], Mismatch> {
    let head = Head { text: &line[..open], start };
    let mut words = Words { text: head.text, at: start };
    let is_dash = |word: ByteRange| head.text[word.0..word.1] == *b"-";
    let is_time = || reads_as_time(&line[open + 1..close]);
    let end = trim_blanks_end(head.text, open);
    // Between two blanks is an empty user.
    let user_is_empty = open > end + 1;
    let first = words.next().ok_or((open, IDENTITY))?;
    let (second, third) = (words.next(), words.next());
    let (Some(second), Some(third)) = (second, third) else {
        let found = match second {
            None if is_dash(first) => [Span::NONE, first.into(), Span::NONE],
            Some(user) if is_dash(first) => [Span::NONE, first.into(), head.user(user)?],
            Some(ident) if is_dash(ident) => [head.host(first)?, ident.into(), Span::NONE],
            _ => return Err((open, IDENTITY)),
        };
        let is_sure = user_is_empty && found[2] == Span::NONE;
        return if is_sure || is_time() { Ok(found) } else { Err((open, IDENTITY)) };
    };
    let is_indented = start > 0 && is_blank(line[start - 1]);
    if is_indented && is_dash(first) && !is_dash(second) {
        // The host is empty.
        return Ok([Span::NONE, first.into(), head.user((second.0, end))?]);
    }
    if words.next().is_none() {
        let is_named = !is_address(&head.text[first.0..first.1], true);
        if is_named && is_address(&head.text[second.0..second.1], true) {
            // A virtual host before the host.
            return match (is_dash(third), user_is_empty) {
                (true, true) => Ok([head.host(second)?, third.into(), Span::NONE]),
                (true, false) => Err((open, USER_BEFORE_TIME)),
                (false, _) => Err((second.0, IDENT)),
            };
        }
        if is_dash(first) && !is_dash(second) {
            return Err((second.0, DASH));
        }
        return Ok([head.host(first)?, head.ident(second)?, head.user(third)?]);
    }
    let dash = lone_dash(&head.text[..end], first.1).ok_or((second.0, DASH))?;
    let host = last_word(&head.text[..dash], start);
    if host.0 > start {
        let before = last_word(&head.text[..host.0], start);
        if is_address(&head.text[before.0..before.1], false) {
            return Err((host.0, DASH));
        }
        if find_mark(&head.text[start..host.0], b"[").is_some() && !is_time() {
            return Err((open, KNOWN_TIME));
        }
    }
    let user = (skip_blanks(head.text, dash + 1), end);
    Ok([head.host(host)?, Span::new(dash, dash + 1), head.user(user)?])
}

/// What was expected instead of the word that begins here, in a format with a `-` for the ident.
pub(super) fn expected_instead_of_word(line: &[u8], at: usize) -> &'static str {
    match &line[at..word_end(line, at)] {
        b"-" => NO_DASH,
        word if find_mark(word, MARKS).is_some() => USER,
        _ => "a dash and the user before the time",
    }
}

/// The text before the time.
struct Head<'a> {
    text: &'a [u8],
    start: usize,
}

impl Head<'_> {
    /// Checks a host. A stray quote at the start of the line does not belong to it.
    fn host(&self, (mut start, end): ByteRange) -> Result<Span, Mismatch> {
        if start == self.start && self.text[start] == b'"' && start + 1 < end {
            start += 1;
        }
        let fits = is_host(&self.text[start..end]);
        if fits { Ok(Span::new(start, end)) } else { Err((start, HOST)) }
    }

    fn ident(&self, (start, end): ByteRange) -> Result<Span, Mismatch> {
        let text = &self.text[start..end];
        let fits = text == b"\"\"" || is_host(text);
        if fits { Ok(Span::new(start, end)) } else { Err((start, IDENT)) }
    }

    fn user(&self, (start, end): ByteRange) -> Result<Span, Mismatch> {
        match user_mismatch(&self.text[start..end]) {
            None => Ok(Span::new(start, end)),
            Some((at, expected)) => Err((start + at, expected)),
        }
    }
}

/// What the text of a field has to be, beside its syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Anything,
    Host,
    User,
}

impl Check {
    /// The check for a field with this name.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "host" => Self::Host,
            "user" => Self::User,
            _ => Self::Anything,
        }
    }

    pub(super) fn accepts(self, text: &[u8]) -> bool {
        match self {
            Self::Anything => true,
            Self::Host => is_host(text),
            Self::User => user_mismatch(text).is_none(),
        }
    }

    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Anything => "a word",
            Self::Host => HOST,
            Self::User => USER,
        }
    }
}

/// Why a text is no user, and where. A user may have blanks only if no word of it is a lone `-` or
/// has a bracket, a parenthesis or a quote. Otherwise it may have these, but not at its start.
pub(super) fn user_mismatch(text: &[u8]) -> Option<Mismatch> {
    if word_end(text, 0) == text.len() {
        let opens = matches!(text.first(), Some(b'[' | b'(' | b'"')) && text != b"\"\"";
        return opens.then_some((0, USER));
    }
    let mark = find_mark(text, MARKS).map(|at| (word_start(text, at), USER));
    let first = match text {
        [b'-', next, ..] if is_blank(*next) => Some(0),
        _ => lone_dash(text, 0),
    };
    let dash = first.or(match text {
        [.., before, b'-'] if is_blank(*before) => Some(text.len() - 1),
        _ => None,
    });
    mark.into_iter().chain(dash.map(|at| (at, NO_DASH))).min_by_key(|found| found.0)
}

fn word_start(text: &[u8], at: usize) -> usize {
    text[..at].iter().rposition(|byte| is_blank(*byte)).map_or(0, |blank| blank + 1)
}

const MARKS: &[u8] = b"[]()\"";

/// The first of these bytes.
fn find_mark(text: &[u8], marks: &[u8]) -> Option<usize> {
    (0..text.len()).step_by(Block::LEN).find_map(|start| {
        let block = Block::at(text, start);
        let places = marks.iter().fold(0, |bits, &mark| bits | block.places(mark));
        (places != 0).then(|| start + places.trailing_zeros() as usize)
    })
}

/// Whether a word, or a list of them, may be a host: the only brackets are those around an IPv6
/// address.
pub(super) fn is_host(text: &[u8]) -> bool {
    let fits = |one: &[u8]| find_mark(one, MARKS).is_none() || is_bracketed(one);
    find_mark(text, MARKS).is_none()
        || text.split(|byte| *byte == b',').all(|one| fits(one.trim_ascii()))
}

/// `[2001:db8::1]`, optionally with a zone inside or a port after it.
fn is_bracketed(text: &[u8]) -> bool {
    let Some(inside) = text.strip_prefix(b"[") else { return false };
    let Some(length) = inside.iter().position(|byte| *byte == b']') else { return false };
    let (address, port) = (&inside[..length], &inside[length + 1..]);
    is_ipv6(address) && (port.is_empty() || port.strip_prefix(b":").is_some_and(is_port))
}

fn is_ipv6(text: &[u8]) -> bool {
    let zone = text.iter().position(|byte| *byte == b'%');
    text.contains(&b':') && ip(&text[..zone.unwrap_or(text.len())]).is_some()
}

fn ip(text: &[u8]) -> Option<IpAddr> {
    if text.len() > LONGEST_ADDRESS { None } else { str::from_utf8(text).ok()?.parse().ok() }
}

/// Whether a text may be a port.
pub(super) fn is_port(text: &[u8]) -> bool {
    matches!(text.len(), 1..=5) && text.iter().all(u8::is_ascii_digit)
}

/// Whether a word is an IP address, or the last one of a list.
fn is_address(text: &[u8], with_port: bool) -> bool {
    let start = text.iter().rposition(|byte| is_blank(*byte) || *byte == b',');
    let one = &text[start.map_or(0, |at| at + 1)..];
    if one.len() > LONGEST_ADDRESS {
        return false;
    }
    if one.first() == Some(&b'[') {
        return is_bracketed(one) && (with_port || one.ends_with(b"]"));
    }
    let colon = one.iter().rposition(|byte| *byte == b':');
    let has_port = |colon: usize| is_port(&one[colon + 1..]) && ip(&one[..colon]).is_some();
    ip(one).is_some() || is_ipv6(one) || with_port && colon.is_some_and(has_port)
}

/// Whether a text is an address, or a name that DNS or a server's configuration may have.
pub(super) fn is_address_or_name(text: &[u8]) -> bool {
    is_address(text, true) || is_name(text) || text == b"-" || text == b"unix:"
}

/// Whether a text may be the name of a host: its last label has a letter, as numbers and dates have
/// not. The long ids of requests are no names.
pub(super) fn is_name(text: &[u8]) -> bool {
    let is_plain =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | 0x80..);
    let labels = text.strip_suffix(b".").unwrap_or(text);
    let last = labels.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let is_id =
        labels.len() >= 32 && labels.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    let has_letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte >= 0x80;
    (last.iter().any(has_letter) || labels == b"_")
        && labels.len() <= 253
        && labels.iter().all(is_plain)
        && !is_id
}

/// Whether the text between brackets is a time, perhaps one with the letters of an unknown zone.
pub(super) fn reads_as_time(text: &[u8]) -> bool {
    let without_zone = || {
        let blank = text.iter().rposition(|byte| *byte == b' ')?;
        let is_zone = text[blank + 1..].iter().all(u8::is_ascii_alphabetic);
        time::parse_bracketed(&text[..blank]).filter(|_| is_zone)
    };
    text.len() < LONGEST_TIME && (time::parse_bracketed(text).is_some() || without_zone().is_some())
}

/// The first lone `-` at or after `from` with blanks around it.
fn lone_dash(text: &[u8], from: usize) -> Option<usize> {
    let mut after_blank = from > 0 && is_blank(text[from - 1]);
    for start in (from..text.len()).step_by(Block::LEN) {
        let block = Block::at(text, start);
        let (dashes, blanks) = (block.places(b'-'), blanks_of(&block));
        let before = blanks << 1 | u64::from(after_blank);
        let next = text.get(start + Block::LEN).is_some_and(|&byte| is_blank(byte));
        let found = dashes & before & (blanks >> 1 | u64::from(next) << (Block::LEN - 1));
        if found != 0 {
            return Some(start + found.trailing_zeros() as usize);
        }
        after_blank = blanks >> (Block::LEN - 1) == 1;
    }
    None
}

/// The last word at or after `start`, with the words before it that end with a comma:
/// `1.1.1.1, 2.2.2.2` is one host, as X-Forwarded-For lists proxies.
fn last_word(text: &[u8], start: usize) -> ByteRange {
    let last = ListStarts::new(text, start).filter_map(BitPositions::highest).last();
    (last.unwrap_or(start), trim_blanks_end(text, text.len()))
}

/// Words, or lists of them. A lone `-` is not a part of a list.
struct Words<'a> {
    text: &'a [u8],
    at: usize,
}

impl Iterator for Words<'_> {
    type Item = ByteRange;

    fn next(&mut self) -> Option<ByteRange> {
        let start = skip_blanks(self.text, self.at);
        let end = list_end(self.text, start);
        self.at = match self.text.get(start..end)? {
            [.., before, b'-'] if is_blank(*before) => trim_blanks_end(self.text, end - 1),
            _ => end,
        };
        (start < self.at).then_some((start, self.at))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::naive;
    use super::*;

    const TIME: &str = "[17/May/2015:10:05:03 +0000]";

    /// Host, ident and user of a line, or the rest of the line from where they do not match.
    fn found(line: &str) -> Result<[Option<&str>; 3], (&str, &'static str)> {
        let text = line.as_bytes();
        let start = skip_blanks(text, 0);
        let open = line.rfind('[').unwrap();
        let close = line.len() - 1;
        let spans = host_ident_user(text, start, (open, close))
            .map_err(|(at, expected)| (&line[at..], expected))?;
        Ok(spans.map(|span| span.is_some().then(|| &line[span.start()..span.end()])))
    }

    #[test]
    fn a_missing_host_or_user_has_no_span() {
        for (who, host, user) in [
            ("192.0.2.1 - -", Some("192.0.2.1"), Some("-")),
            ("192.0.2.1 - ", Some("192.0.2.1"), None),
            ("192.0.2.1 -", Some("192.0.2.1"), None),
            ("unknown, 192.0.2.1 -", Some("unknown, 192.0.2.1"), None),
            ("1.1.1.1, - joe", Some("1.1.1.1,"), Some("joe")),
            ("www.example.com 192.0.2.1 - ", Some("192.0.2.1"), None),
            (" - -", None, Some("-")),
            (" - ", None, None),
            ("-", None, None),
            ("- joe", None, Some("joe")),
            (" - joe smith", None, Some("joe smith")),
            ("- - -", Some("-"), Some("-")),
            ("- - joe smith", Some("-"), Some("joe smith")),
            ("\"192.0.2.1 - -", Some("192.0.2.1"), Some("-")),
        ] {
            let line = format!("{who} {TIME}");
            let [found_host, ident, found_user] = found(&line).unwrap();
            assert_eq!((found_host, ident, found_user), (host, Some("-"), user), "{line}");
        }
    }

    #[test]
    fn what_fits_no_rule_is_where_the_line_stops_matching() {
        for (who, rest, expected) in [
            ("192.0.2.1", TIME, IDENTITY),
            ("192.0.2.1 joe", TIME, IDENTITY),
            ("192.0.2.1 - joe - ", "- ", NO_DASH),
            ("192.0.2.1 - - joe", "- joe ", NO_DASH),
            ("192.0.2.1 - a - b", "- b ", NO_DASH),
            ("192.0.2.1 - [192.0.2.1] - -", "[192.0.2.1] - -", USER),
            ("192.0.2.1 - [joe]", "[joe] ", USER),
            ("192.0.2.1 - joe (x)", "(x) ", USER),
            ("192.0.2.1 - joe x\"y", "x\"y ", USER),
            ("192.0.2.1 (203.0.113.7) -", "(203.0.113.7)", IDENT),
            ("x (203.0.113.7) - -", "(203.0.113.7)", HOST),
            ("192.0.2.1 (203.0.113.7) - -", "(203.0.113.7)", DASH),
            ("x [192.0.2.1] - -", "[192.0.2.1]", HOST),
            ("x \"192.0.2.1 - -", "\"192.0.2.1", HOST),
            ("203.0.113.7 192.0.2.1 - -", "192.0.2.1 - -", DASH),
            ("203.0.113.7, 198.51.100.2 192.0.2.1 - -", "192.0.2.1 - -", DASH),
            ("May  6 07:08:09 web 192.0.2.1 ident joe", "6 07:", DASH),
            ("www.example.com 192.0.2.1 -", TIME, USER_BEFORE_TIME),
            ("www.example.com 192.0.2.1 joe", "192.0.2.1 joe", IDENT),
            ("- joe smith", "joe smith", DASH),
        ] {
            let line = format!("{who} {TIME}");
            let (at, found) = found(&line).unwrap_err();
            assert!(at.starts_with(rest), "{line}: {at}");
            assert_eq!(found, expected, "{line}");
        }
        let line = "[2015-05-17 10:05:03] 192.0.2.1 - - [hello]";
        assert_eq!(found(line), Err(("[hello]", KNOWN_TIME)));
        assert_eq!(found("192.0.2.1 - [hello]"), Err(("[hello]", IDENTITY)));
    }

    #[test]
    fn addresses_and_names_of_hosts() {
        for text in [
            "192.0.2.1",
            "192.0.2.1:80",
            "2001:db8::1",
            "fe80::1%eth0",
            "[::1]",
            "[fe80::1%eth0]:443",
            "localhost",
            "a.b-c.example.",
            "my_host",
            "xn--bcher-kva.example",
            "bücher.example",
            "92.118.161.13.netsystemsresearch.com",
            "unix:",
            "-",
            "_",
        ] {
            assert!(is_address_or_name(text.as_bytes()), "{text}");
            assert!(is_host(text.as_bytes()), "{text}");
        }
        for text in
            ["", "(a)", "[a]", "[192.0.2.1]", "a:", "07:08:09", "1.5", "12", "a/b", "a=b", "\"a"]
        {
            assert!(!is_address_or_name(text.as_bytes()), "{text}");
        }
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(20_000))]

        #[test]
        fn host_ident_and_user_are_those_of_the_naive_code(
            pieces in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(&[
                        " ", "  ", " - ", "-", "- ", "x", "x ", ", ", "192.0.2.1 ", "192.0.2.1, ",
                        "::1 ", "a:1 ", "192.0.2.1:80 ", "[::1] ", "[x] ", "[", "]", "(", "\"", "\t",
                        "\u{1}", "[::1%a]:5 ", "é ", "\"\"",
                    ][..]).prop_map(str::to_owned),
                    (prop::sample::select(&["x", " ", "-, ", "1.1.1.1, "][..]), 1..150_usize)
                        .prop_map(|(piece, times)| piece.repeat(times)),
                ],
                0..9,
            ),
            time in prop::sample::select(&[
                "17/May/2015:10:05:03 +0000", "2015-05-17T10:05:03Z", "17/May/2015:10:05:03 CEST",
                "hello", "1.2.3.4", "",
            ][..]),
        ) {
            let head = pieces.concat();
            let line = format!("{head} [{time}]");
            let start = skip_blanks(line.as_bytes(), 0);
            let brackets = (head.len() + 1, line.len() - 1);
            if start >= brackets.0 {
                return Ok(());
            }
            let span = |range: Option<ByteRange>| range.map_or(Span::NONE, Span::from);
            let expected = naive::host_ident_user(line.as_bytes(), start, brackets);
            let found = host_ident_user(line.as_bytes(), start, brackets).ok();
            prop_assert_eq!(found, expected.map(|found| found.map(span)), "{}", line);
        }
    }
}
