//! A naive implementation that works byte by byte, which tests compare with the fast code.
//!
//! Nothing here calls the code that it is compared with.

use super::whitespace::ByteRange;

pub(super) fn is_blank(byte: u8) -> bool {
    b" \t\r\n".contains(&byte)
}

/// The first position at or after `at` without a blank, or the end.
pub(super) fn after_blanks(line: &[u8], at: usize) -> usize {
    (at..line.len()).find(|&at| !is_blank(line[at])).unwrap_or(line.len())
}

/// The words from a position on.
pub(super) fn words(line: &[u8], start: usize) -> Vec<ByteRange> {
    let is_start = |&at: &usize| !is_blank(line[at]) && (at == start || is_blank(line[at - 1]));
    let end = |at| (at..line.len()).find(|&end| is_blank(line[end])).unwrap_or(line.len());
    (start..line.len()).filter(is_start).map(|at| (at, end(at))).collect()
}

/// Host, ident and user in the text from `start` to the time, which is between these brackets.
pub(super) fn host_ident_user(
    line: &[u8],
    start: usize,
    (open, close): ByteRange,
) -> Option<[Option<ByteRange>; 3]> {
    let text = |range: ByteRange| &line[range.0..range.1];
    // Words that a comma connects are one, but a lone dash is always one.
    let mut words: Vec<ByteRange> = Vec::new();
    for word in self::words(&line[..open], start) {
        match words.last_mut() {
            Some(last) if line[last.1 - 1] == b',' && text(word) != b"-" => last.1 = word.1,
            _ => words.push(word),
        }
    }
    let last = words.last()?.1;
    let gap = open - last;
    let is_time = is_time(&line[open + 1..close]);
    let is_indented = start > 0 && is_blank(line[start - 1]);
    let dashes: Vec<bool> = words.iter().map(|word| text(*word) == b"-").collect();
    let address = |at: usize, with_port| is_address(text(words[at]), with_port);
    let (host, ident, user) = match dashes[..] {
        [true] if gap > 1 || is_time => (None, 0, None),
        [true, _] if is_time => (None, 0, Some(words[1])),
        [false, true] if gap > 1 || is_time => (Some(0), 1, None),
        [_] | [_, _] => return None,
        [true, false, ..] if is_indented => (None, 0, Some((words[1].0, last))),
        [.., true] if dashes.len() == 3 && !address(0, true) && address(1, true) => {
            if gap < 2 {
                return None;
            }
            (Some(1), 2, None)
        }
        [_, _, _] if !address(0, true) && address(1, true) => return None,
        [true, false, _] => return None,
        [_, _, _] => (Some(0), 1, Some(words[2])),
        _ => {
            let dash = (1..dashes.len() - 1).find(|at| dashes[*at])?;
            if dash >= 2 {
                let has_bracket = line[start..words[dash - 1].0].contains(&b'[');
                if address(dash - 2, false) || has_bracket && !is_time {
                    return None;
                }
            }
            (Some(dash - 1), dash, Some((words[dash + 1].0, last)))
        }
    };
    let host = match host {
        None => None,
        Some(at) => {
            let (mut begin, end) = words[at];
            let has_stray_quote = begin == start && end > start + 1 && line[begin] == b'"';
            begin += usize::from(has_stray_quote);
            is_host(text((begin, end))).then_some(Some((begin, end)))?
        }
    };
    let ident = words[ident];
    let fits = is_host(text(ident)) || text(ident) == b"\"\"";
    let user_fits = user.is_none_or(|user| is_user(text(user)));
    (fits && user_fits).then_some([host, Some(ident), user])
}

fn is_marked(text: &[u8]) -> bool {
    text.iter().any(|byte| b"[]()\"".contains(byte))
}

/// Whether a word or a list of words may be a host: no brackets but those of an IPv6 address.
pub(super) fn is_host(text: &[u8]) -> bool {
    let is_plain = |one: &str| {
        let after = one.trim().strip_prefix('[').and_then(|one| one.split_once(']'));
        let is_ipv6 = after.is_some_and(|(address, port)| {
            let address = address.split('%').next().unwrap_or_default();
            let port = if port.is_empty() { Some("0") } else { port.strip_prefix(':') };
            address.parse::<std::net::Ipv6Addr>().is_ok() && port.is_some_and(is_port)
        });
        is_ipv6 || !is_marked(one.as_bytes())
    };
    // Bytes that are not UTF-8 are neither marks nor a part of an address.
    String::from_utf8_lossy(text).split(',').all(is_plain)
}

fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn is_user(text: &[u8]) -> bool {
    match &words(text, 0)[..] {
        [only] if *only == (0, text.len()) => {
            text == b"\"\"" || !matches!(text[0], b'[' | b'(' | b'"')
        }
        words => !is_marked(text) && words.iter().all(|word| text[word.0..word.1] != *b"-"),
    }
}

/// Whether the last part of a list is an IP address.
fn is_address(text: &[u8], with_port: bool) -> bool {
    let part = text.rsplit(|byte| *byte == b',' || is_blank(*byte)).next();
    let Ok(text) = std::str::from_utf8(part.unwrap_or_default()) else { return false };
    if text.len() > 64 {
        return false;
    }
    let is_v6 = |text: &str| {
        let address = text.split('%').next().unwrap_or_default();
        address.parse::<std::net::Ipv6Addr>().is_ok()
    };
    let is_v4 = |text: &str| text.parse::<std::net::Ipv4Addr>().is_ok();
    if let Some((inside, port)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        let has_port = port.strip_prefix(':').is_some_and(is_port);
        return is_v6(inside) && (port.is_empty() || with_port && has_port);
    }
    let has_port = |(address, port): (&str, &str)| {
        is_port(port) && (is_v4(address) || address.parse::<std::net::Ipv6Addr>().is_ok())
    };
    is_v4(text) || is_v6(text) || with_port && text.rsplit_once(':').is_some_and(has_port)
}

/// Whether a text is a time, also one with the letters of an unknown zone.
pub(super) fn is_time(text: &[u8]) -> bool {
    let is_known = |text: &[u8]| text.len() < 64 && super::time::parse_bracketed(text).is_some();
    let cut = text
        .iter()
        .rposition(|byte| *byte == b' ')
        .filter(|cut| text.len() < 64 && text[cut + 1..].iter().all(u8::is_ascii_alphabetic));
    is_known(text) || cut.is_some_and(|cut| is_known(&text[..cut]))
}

/// The positions of closing brackets, each with the last opening one before it that begins a word.
/// A bracket at `start` is no opening bracket.
pub(super) fn brackets(line: &[u8], start: usize) -> Vec<(usize, usize)> {
    let opens = |&at: &usize| line[at] == b'[' && is_blank(line[at - 1]);
    let pair = |close: usize| Some(((start + 1..close).rev().find(opens)?, close));
    (start..line.len()).filter(|&at| line[at] == b']').filter_map(pair).collect()
}

/// The unescaped quotes from `start` on, followed by the escaped ones. The first of two backslashes
/// escapes the second.
pub(super) fn quotes(line: &[u8], start: usize) -> Vec<usize> {
    let is_escaped = |&at: &usize| {
        let run = line[start..at].iter().rev().take_while(|&&byte| byte == b'\\');
        run.count() % 2 == 1
    };
    let quotes = (start..line.len()).filter(|&at| line[at] == b'"');
    let (escaped, plain): (Vec<_>, Vec<_>) = quotes.partition(is_escaped);
    [plain, escaped].concat()
}

/// The range of the line without a byte-order mark and these bytes at its ends.
pub(super) fn trimmed(line: &[u8], blanks: &[u8]) -> ByteRange {
    let mark = if line.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
    let others = |&at: &usize| !blanks.contains(&line[at]);
    let start = (mark..line.len()).find(others).unwrap_or(line.len());
    let end = (start..line.len()).rev().find(others).map_or(start, |last| last + 1);
    (start, end)
}
