//! The combined format of Apache, nginx and compatible servers.
//!
//! ```text
//! host ident user [time] "request" status size "referer" "agent"
//! ```
//!
//! Lines are parsed from the left, so text written by a client cannot change the fields to the left
//! of it. Inside quotes a backslash escapes, as Apache and nginx write it. Loggers that do not
//! escape are tolerated: a quote closes the request only if a status and a size follow, and the
//! referer only if another quoted field follows; where no unescaped quote closes a field, an
//! escaped one may (`"ua\"`). What real servers omit or add is accepted: no referer and agent (the
//! common format), more fields at the end, words before the host (syslog, virtual host), a user
//! with blanks, a missing host or user, an empty or missing request.
//!
//! Every byte is visited a bounded number of times, whatever the line contains.
//!
//! Nearly all lines have the default form. `TypicalFront` splits these in a fraction of the time
//! and rejects every line that differs in any way, so it finds the same fields as the rest of this
//! file; a test compares the two.

use super::identity::{LONGEST_TIME, host_ident_user, reads_as_time};
use super::numbers::{self, int};
use super::quotes_and_brackets::{Brackets, Quotes};
use super::scan::{
    FollowMask, find_near, find_quote_or_backslash, leading_digits, may_have_bracket,
    near_plain_word_end,
};
use super::whitespace::{ByteRange, after_blanks, skip_blanks, trim_blanks_end};
use super::{Reject, Span};
use crate::ground::block::Block;

/// `17/May/2015:10:05:03 +0000`
pub(super) const CLF_TIME_LEN: usize = 26;

/// Longer words are not methods; `UPDATEREDIRECTREF` (RFC 4437) is the longest registered one.
const MAX_METHOD_LEN: usize = 32;

/// Finds the fields of a line.
pub(super) fn split(line: &[u8], spans: &mut [Span]) -> Result<(), Reject> {
    match typical(line) {
        Some(usual) => spans.copy_from_slice(&usual),
        None => match with_another_time(line) {
            Some(usual) => spans.copy_from_slice(&usual),
            None => spans.copy_from_slice(&any_line(line)?),
        },
    }
    Ok(())
}

/// Finds the fields of any line.
pub(super) fn any_line(line: &[u8]) -> Result<[Span; 8], Reject> {
    let [host, _, rest @ ..] = with_ident(line)?;
    let [user, time, request, status, size, referer, agent] = rest;
    Ok([host, user, time, request, status, size, referer, agent])
}

/// As `any_line`, with the ident after the host.
pub(super) fn with_ident(line: &[u8]) -> Result<[Span; 9], Reject> {
    let (lead, line) = trim(line);
    match without_last_quote(line, lead) {
        None => fields(line, lead),
        Some(inside) if ends_in_quote(inside) => {
            fields(inside, lead).or_else(|_| fields(line, lead))
        }
        Some(inside) => fields(line, lead).or_else(|_| fields(inside, lead)),
    }
}

/// A line that begins with a quote, without the quote at its end. That may belong to the first, or
/// close the last field.
pub(super) fn without_last_quote(line: &[u8], lead: usize) -> Option<&[u8]> {
    match line.get(lead..)? {
        [b'"', .., b'"'] => line.split_last().map(|(_, inside)| inside),
        _ => None,
    }
}

/// Whether a line ends in a quote that no backslash escapes.
pub(super) fn ends_in_quote(line: &[u8]) -> bool {
    let text = line.strip_suffix(b"\"");
    text.is_some_and(|text| text.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0)
}

fn fields(line: &[u8], lead: usize) -> Result<[Span; 9], Reject> {
    let ([host, ident, user, time, request, status, size], end) = up_to_size(line, lead)?;
    let found = |[referer, agent]: [Span; 2]| {
        [host, ident, user, time, request, status, size, referer, agent]
    };
    // A line without referer and agent ends here, or continues with fields of its own.
    let Some(start) = quoted(line, end) else { return Ok(found([Span::NONE; 2])) };
    let may_be_quoted = |follow: FollowMask, block: &Block| {
        follow.one_or_more(block.blanks()).followed_by(block.places(b'"'))
    };
    let (end, agent) = closing_quote(line, start, may_be_quoted, |after| quoted(line, after))?;
    let referer = Span::new(start, end);
    let may_end = |follow: FollowMask, block: &Block| follow.followed_by(block.blanks());
    let ends = |after| matches!(line.get(after), None | Some(b' ' | b'\t')).then_some(());
    let (end, ()) = closing_quote(line, agent, may_end, ends)?;
    Ok(found([referer, Span::new(agent, end)]))
}

/// Finds the fields of a line in the default form.
#[inline]
pub(super) fn typical(line: &[u8]) -> Option<[Span; 8]> {
    with_front::<true>(line)
}

/// Finds the fields of a line in the default form, but for a time of another length.
#[inline(never)]
pub(super) fn with_another_time(line: &[u8]) -> Option<[Span; 8]> {
    with_front::<false>(line)
}

#[inline]
fn with_front<const CLF: bool>(line: &[u8]) -> Option<[Span; 8]> {
    let (lead, line) = trim(line);
    let front = TypicalFront::parse::<CLF>(line, lead)?;
    let referer = front.referer(line)?;
    let start = referer.1 + 3;
    let end = find_quote_or_backslash(line, start)?;
    let closes = line[end] == b'"' && matches!(line.get(end + 1), None | Some(b' ' | b'\t'));
    let [host, user, time, request, status, size] = front.spans();
    let agent = Span::new(start, end);
    closes.then_some([host, user, time, request, status, size, referer.into(), agent])
}

/// Finds the fields of the common format, which are those up to the size.
///
/// More fields may follow, unless the first of them is quoted: that would be a referer, and the
/// line would match combined, or be a part of such a line.
pub(super) fn split_common(line: &[u8], spans: &mut [Span]) -> Result<(), Reject> {
    let (lead, line) = trim(line);
    let end = if let Some(front) = TypicalFront::parse::<true>(line, lead) {
        spans.copy_from_slice(&front.spans());
        front.size
    } else if let Some(front) = TypicalFront::of_another_time(line, lead) {
        spans.copy_from_slice(&front.spans());
        front.size
    } else {
        let line = without_last_quote(line, lead).unwrap_or(line);
        let ([host, _, user, time, request, status, size], end) = up_to_size(line, lead)?;
        spans.copy_from_slice(&[host, user, time, request, status, size]);
        end
    };
    match quoted(line, end) {
        None => Ok(()),
        Some(start) => Err(Reject::at(start - 1)),
    }
}

/// The ends of the fields up to the size, in a line in the default form.
pub(super) struct TypicalFront {
    lead: usize,
    pub(super) host: usize,
    pub(super) user: usize,
    pub(super) time: usize,
    pub(super) request: usize,
    pub(super) size: usize,
}

impl TypicalFront {
    /// As `parse`, for a time of another length.
    #[inline(never)]
    pub(super) fn of_another_time(line: &[u8], lead: usize) -> Option<Self> {
        Self::parse::<false>(line, lead)
    }

    /// `host - user [17/May/2015:10:05:03 +0000] "request" 200 5`, or with any text without brackets
    /// for the time.
    #[inline]
    pub(super) fn parse<const CLF: bool>(line: &[u8], lead: usize) -> Option<Self> {
        let host = near_plain_word_end(line, lead)?;
        let rest = line.get(host..)?.strip_prefix(b" - ")?;
        let start = host + 3;
        let user =
            if rest.starts_with(b"- ") { start + 1 } else { near_plain_word_end(line, start)? };
        if host == lead || user == start {
            return None;
        }
        let time = if CLF {
            let rest = line.get(user..)?.first_chunk::<{ 2 + CLF_TIME_LEN + 3 }>()?;
            let (time, after) = rest.strip_prefix(b" [")?.split_first_chunk::<CLF_TIME_LEN>()?;
            if after != b"] \""
                || may_have_bracket(time.first_chunk()?)
                || may_have_bracket(time.last_chunk()?)
            {
                return None;
            }
            user + 2 + CLF_TIME_LEN
        } else {
            let inside = line.get(user..)?.strip_prefix(b" [")?;
            let inside = &inside[..inside.len().min(LONGEST_TIME)];
            let (time, after) = inside.split_at(find_near(inside, b']')?);
            if time.is_empty() || time.contains(&b'[') || !after.starts_with(b"] \"") {
                return None;
            }
            user + 2 + time.len()
        };
        let request = find_quote_or_backslash(line, time + 3)?;
        let rest = line.get(request..)?;
        let &[b'"', b' ', a, b, c, b' ', ..] = rest else { return None };
        if !(a.is_ascii_digit() && b.is_ascii_digit() && c.is_ascii_digit()) {
            return None;
        }
        let size = match leading_digits(rest.get(6..).unwrap_or_default()) {
            0 if rest.get(6) == Some(&b'-') => 1,
            length @ 1..=18 => length,
            _ => return None,
        };
        let size = request + 6 + size;
        let ends = matches!(line.get(size), None | Some(b' ' | b'\t'));
        ends.then_some(Self { lead, host, user, time, request, size })
    }

    /// ` "referer" "`
    #[inline]
    pub(super) fn referer(&self, line: &[u8]) -> Option<ByteRange> {
        let rest = line.get(self.size..)?.strip_prefix(b" \"")?;
        let start = self.size + 2;
        let end = if rest.starts_with(b"-\"") {
            start + 1
        } else {
            find_quote_or_backslash(line, start)?
        };
        line.get(end..)?.strip_prefix(b"\" \"")?;
        Some((start, end))
    }

    /// The spans of host, user, time, request, status and size.
    #[inline]
    fn spans(&self) -> [Span; 6] {
        let &Self { lead, host, user, time, request, size } = self;
        [
            Span::new(lead, host),
            Span::new(host + 3, user),
            Span::new(user + 2, time),
            Span::new(time + 3, request),
            Span::new(request + 2, request + 5),
            Span::new(request + 6, size),
        ]
    }
}

/// Finds the fields up to the size in any line, and the end of the size.
fn up_to_size(line: &[u8], lead: usize) -> Result<([Span; 7], usize), Reject> {
    let (open, close) = brackets(line, lead)?;
    let [host, ident, user] =
        host_ident_user(line, lead, (open, close)).map_err(|(at, _)| Reject::at(at))?;
    let start = after_blanks(line, close + 1).ok_or(Reject::at(close + 1))?;
    let (request, [status, size]) = match line.get(start) {
        Some(b'"') => {
            let start = start + 1;
            let may_be = |follow: FollowMask, block: &Block| {
                let blanks = block.blanks();
                follow
                    .one_or_more(blanks)
                    .status(block, 0)
                    .one_or_more(blanks)
                    .followed_by(block.numbers())
            };
            let numbers = |after| status_and_size(line, after).ok();
            let (end, found) = closing_quote(line, start, may_be, numbers)?;
            ((start, end), found)
        }
        Some(b'-') => {
            let end = start + 1;
            ((start, end), status_and_size(line, end).map_err(|_| Reject::at(end))?)
        }
        _ => return Err(Reject::at(start)),
    };
    let [time, request, status, range] = [(open + 1, close), request, status, size].map(Span::from);
    Ok(([host, ident, user, time, request, status, range], size.1))
}

/// The start of the line after a byte-order mark and blanks, and the line without blanks at its
/// end.
pub(super) fn trim(line: &[u8]) -> (usize, &[u8]) {
    let lead = if line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let lead = skip_blanks(line, lead);
    (lead, &line[..trim_blanks_end(line, line.len()).max(lead)])
}

/// The position after blanks and a quote, if these come next.
fn quoted(line: &[u8], at: usize) -> Option<usize> {
    let quote = after_blanks(line, at)?;
    (line.get(quote) == Some(&b'"')).then_some(quote + 1)
}

/// The brackets around the time: the first `]` that is followed by a request, and the last `[`
/// before it that begins a word. The first word does not count: it is the host, which may be a
/// bracketed IPv6 address.
fn brackets(line: &[u8], lead: usize) -> Result<ByteRange, Reject> {
    let before_request = |block: &Block, _, closing| {
        if closing == 0 {
            return 0;
        }
        let blanks = block.blanks();
        let begins = block.places(b'"') | block.places(b'-') & (blanks >> 1 | 1 << 63);
        FollowMask::after(closing).one_or_more(blanks).followed_by(begins).matching()
    };
    let mut brackets = Brackets::new(line, lead, false, before_request);
    let is_time = |&(open, close): &ByteRange| {
        quoted(line, close + 1).is_some() || is_missing_request(line, open, close)
    };
    let found = brackets.find(is_time);
    found.ok_or_else(|| Reject::at(brackets.open.unwrap_or(line.len())))
}

/// Whether a bare `-` takes the place of the request after these brackets.
///
/// Without a quote everything else has to match.
fn is_missing_request(line: &[u8], open: usize, close: usize) -> bool {
    let Some(dash) = after_blanks(line, close + 1) else { return false };
    close - open <= LONGEST_TIME
        && line.get(dash) == Some(&b'-')
        && status_and_size(line, dash + 1)
            .is_ok_and(|[_, size]| size.1 == line.len() || quoted(line, size.1).is_some())
        && reads_as_time(&line[open + 1..close])
}

/// The first quote that closes a field which begins here, and what was found after it; an unescaped
/// quote if one matches. `may_fit` drops most quotes of a hostile line before `fits` is called.
fn closing_quote<T: Copy>(
    line: &[u8],
    start: usize,
    may_fit: impl Fn(FollowMask, &Block) -> FollowMask,
    fits: impl Fn(usize) -> Option<T>,
) -> Result<(usize, T), Reject> {
    let keep = |block: &Block, _, quotes, _| match quotes {
        0 => 0,
        quotes => may_fit(FollowMask::after(quotes), block).matching(),
    };
    let mut escaped = None;
    let mut quotes = Quotes::new(line, start, keep);
    while let Some((quote, is_escaped)) = quotes.next() {
        if !is_escaped {
            if let Some(found) = fits(quote + 1) {
                return Ok((quote, found));
            }
        } else if escaped.is_none() {
            escaped = fits(quote + 1).map(|found| (quote, found));
        }
    }
    escaped.ok_or(Reject::at(line.len()))
}

/// The ranges of a status of three digits and a size that is not negative, each of which may be
/// `-`. An error says which of blank, status, blank and size is missing, and where.
#[inline]
pub(super) fn status_and_size(line: &[u8], at: usize) -> Result<[ByteRange; 2], (usize, usize)> {
    numbers::status_and_size(line, at, |line, size| {
        let ends = |&end: &usize| matches!(line.get(end), None | Some(b' ' | b'\t'));
        int(line, size).filter(ends).filter(|&end| line[size] != b'-' || end == size + 1)
    })
}

/// Splits a request line into method, target and protocol, each if there is one.
///
/// A text that does not begin with a method (a TLS hello, a scanner's bytes) has none of the three.
/// The target is everything between the method and a last word that is a protocol, including
/// blanks.
pub(super) fn request(request: &[u8]) -> [Option<&[u8]>; 3] {
    if let Some(parts) = typical_request(request) {
        return parts.map(Some);
    }
    let (method, rest) = match request.iter().position(|&byte| byte == b' ') {
        Some(end) => (&request[..end], without_spaces(&request[end..])),
        None => (request, &b""[..]),
    };
    if !is_method(method) {
        return [None; 3];
    }
    let (target, protocol) = match rest.iter().rposition(|&byte| byte == b' ') {
        Some(space) if is_protocol(&rest[space + 1..], true) => {
            (without_spaces(&rest[..space]), Some(&rest[space + 1..]))
        }
        None if is_protocol(rest, false) => (&b""[..], Some(rest)),
        _ => (rest, None),
    };
    [Some(method), (!target.is_empty()).then_some(target), protocol]
}

/// Protocols with request lines like those of HTTP, which some clients write in lower case.
const PROTOCOLS: [&[u8]; 9] =
    [b"HTTP", b"HTTPS", b"RTSP", b"SIP", b"SIPS", b"ICAP", b"ICE", b"ICY", b"SECURE-HTTP"];

/// Whether a word is a protocol: `HTTP/1.1`, `RTSP/1.0`, `http/1.1`. After a target any name in
/// upper case counts.
fn is_protocol(word: &[u8], after_target: bool) -> bool {
    const LONGEST_NAME: usize = 16;
    let near = &word[..word.len().min(LONGEST_NAME + 1)];
    let Some(slash) = near.iter().position(|byte| *byte == b'/') else { return false };
    let (name, version) = (&word[..slash], &word[slash + 1..]);
    let is_known = || PROTOCOLS.iter().any(|known| name.eq_ignore_ascii_case(known));
    let is_upper = || name.len() > 1 && name.iter().all(u8::is_ascii_uppercase);
    name == b"HTTP" || is_version(version) && (is_known() || after_target && is_upper())
}

/// `2` or `1.1`
fn is_version(text: &[u8]) -> bool {
    let is_number =
        |part: &[u8]| matches!(part.len(), 1..=3) && part.iter().all(u8::is_ascii_digit);
    text.splitn(2, |byte| *byte == b'.').all(is_number)
}

/// `GET /path HTTP/1.1`
#[inline]
fn typical_request(request: &[u8]) -> Option<[&[u8]; 3]> {
    let (rest, protocol) = request.split_last_chunk::<9>()?;
    let version = protocol.strip_prefix(b" HTTP/")?;
    let end = rest.iter().position(|byte| !byte.is_ascii_uppercase())?;
    let (method, url) = rest.split_at(end);
    let &[b' ', ref url @ ..] = url else { return None };
    let usual = matches!(end, 1..=MAX_METHOD_LEN)
        && *url.first()? != b' '
        && *url.last()? != b' '
        && !version.contains(&b' ');
    usual.then_some([method, url, &protocol[1..]])
}

fn without_spaces(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = text {
        text = rest;
    }
    text
}

fn is_method(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_alphabetic)
        && word.len() <= MAX_METHOD_LEN
        && word.iter().all(|&byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::super::naive;
    use super::*;
    use proptest::prelude::*;

    const USUAL: [&str; 14] = [
        r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 5 "-" "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101""#,
        r#"2001:db8:0:0:0:ff00:42:8329 - alice [01/Jan/2024:00:00:00 -0800] "POST /api/v1/items/123456789 HTTP/2.0" 304 - "https://www.example.com/products?page=2" "curl/8.5.0""#,
        r#"192.0.2.1 - - [05/Feb/2024 11:56:17] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0 (X11)""#,
        r#"192.0.2.1 - joe [Mon Jul 06 06:45:16.915695 2015] "GET / HTTP/1.1" 304 - "-" "Mozilla""#,
        r#"h - [a]b [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 123456789012345678 "" """#,
        r#"h - - [17/May/2015:10:05:03 +0000] "" 400 0 "-" "-" 0.012 "x""#,
        r#"h - - [17/May/2015:10:05:03 +0000] - 408 - "-" "-""#,
        r#"h - - [17/May/2015:10:05:03 +0000] "GET /a\"b c HTTP/1.1" 200 5 "r\\" "ua \"x\" \\\" y\"""#,
        r#"1.1.1.1, 2.2.2.2 - John Smith [17/May/2015:10:05:03 +0000] "GET HTTP/1.1" 200 5"#,
        r#"h - - [17/May/2015:10:05:03 +0000] "x] "GET /fake HTTP/1.1" 200 1 "-" "y" 200 5 "-" "z""#,
        r#"v.example:80 [::1]:7 -  [17/May/2015:10:05:03 +0000] "OPTIONS / RTSP/1.0" 200 5 "-" "a""#,
        r#" - joe x [17/May/2015:10:05:03 UTC] "get /a http/1.1" 200 5 "-" "a""#,
        r#""1.2.3.4 - - [2015-05-17T10:05:03Z] "GET / HTTP/1.1" 200 5 "-" "a"""#,
        r#"a 10.0.0.1 - - [17/May/2015:10:05:03 +0000] "ABC /a XY/1.0" 200 5"#,
    ];

    const PIECES: [&str; 43] = [
        "\"",
        "\\",
        "\\\\",
        "\\\"",
        "[",
        "]",
        " ",
        "  ",
        "\t",
        "\r",
        "\n",
        "-",
        "Y",
        "_",
        "\0",
        "\x1b",
        "\u{feff}",
        "é",
        "0",
        "12",
        "200 5",
        "\" 200 5",
        "\" 200 5 ",
        "\" \"",
        "] \"",
        "] - 200 5",
        " [",
        " - ",
        "- [",
        "[a] ",
        "HTTP/",
        "(",
        ")",
        ",",
        "1.1.1.1, ",
        "2.2.2.2 ",
        "[::1] ",
        "[17/May/2015:10:05:03 +0000] ",
        " HTTP/1.1",
        "GET ",
        " \"",
        "\" ",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ];

    fn lines() -> impl Strategy<Value = Vec<u8>> {
        let cut = (any::<prop::sample::Index>(), 0..4_usize, prop::sample::select(&PIECES[..]));
        let cuts = prop::collection::vec(cut, 0..6);
        (prop::sample::select(&USUAL[..]), cuts).prop_map(|(line, cuts)| {
            let mut line = line.as_bytes().to_vec();
            for (index, removed, piece) in cuts {
                let start = index.index(line.len() + 1);
                let end = line.len().min(start + removed);
                line.splice(start..end, piece.bytes());
            }
            line
        })
    }

    type Found<'a> = Option<[&'a [u8]; 8]>;

    /// The fields of a line. One that begins and ends with a quote may be in quotes.
    fn naive_fields(line: &[u8], with_back: bool) -> Found<'_> {
        let (lead, end) = naive::trimmed(line, b" \t\r\n");
        let in_quotes = end > lead + 1 && line[lead] == b'"' && line[end - 1] == b'"';
        let whole = || naive_fields_of(&line[..end], lead, with_back);
        let inside = || naive_fields_of(&line[..end - 1], lead, with_back);
        if !in_quotes {
            return whole();
        }
        if !with_back {
            return inside();
        }
        let last_plain = line[end - 2] == b'"' && {
            let run = line[..end - 2].iter().rev().take_while(|byte| **byte == b'\\');
            run.count() % 2 == 0
        };
        if last_plain { inside().or_else(whole) } else { whole().or_else(inside) }
    }

    fn naive_fields_of(line: &[u8], lead: usize, with_back: bool) -> Found<'_> {
        let brackets = naive::brackets(line, lead);
        let is_time = |&(open, close): &(usize, usize)| {
            next_quote(line, close + 1).is_some() || is_missing_request(line, open, close)
        };
        let (open, close) = brackets.into_iter().find(is_time)?;
        let [host, _, user] = naive::host_ident_user(line, lead, (open, close))?;
        let [host, user] = [host, user].map(Option::unwrap_or_default);
        let request = naive::after_blanks(line, close + 1);
        let (request, [status, size]) = if line[request] == b'"' {
            let (end, found) = closed(line, request + 1, |after| status_and_size_of(line, after))?;
            ((request + 1, end), found)
        } else {
            let end = request + 1;
            ((request, end), status_and_size_of(line, end)?)
        };
        let (referer, agent) = match next_quote(line, size.1) {
            None => ((0, 0), (0, 0)),
            Some(_) if !with_back => return None,
            Some(quote) => {
                let (last, agent) = closed(line, quote + 1, |after| next_quote(line, after))?;
                let ends =
                    |after| matches!(line.get(after), None | Some(b' ' | b'\t')).then_some(());
                let (end, ()) = closed(line, agent + 1, ends)?;
                ((quote + 1, last), (agent + 1, end))
            }
        };
        let fields = [host, user, (open + 1, close), request, status, size, referer, agent];
        Some(fields.map(|(start, end)| &line[start..end]))
    }

    /// The quote that comes next, with one blank or more before it.
    fn next_quote(line: &[u8], at: usize) -> Option<usize> {
        let quote = naive::after_blanks(line, at);
        (quote > at && line.get(quote) == Some(&b'"')).then_some(quote)
    }

    /// The first quote that closes a field which begins here, and what was found after it.
    fn closed<T>(
        line: &[u8],
        start: usize,
        fits: impl Fn(usize) -> Option<T>,
    ) -> Option<(usize, T)> {
        naive::quotes(line, start).into_iter().find_map(|quote| Some((quote, fits(quote + 1)?)))
    }

    /// Three digits and up to eighteen, or a dash for either, with blanks before both.
    fn status_and_size_of(line: &[u8], at: usize) -> Option<[ByteRange; 2]> {
        let is_number = |(start, end): ByteRange, least: usize, most: usize| {
            let text = &line[start..end];
            let is_long = (least..=most).contains(&text.len());
            text == b"-" || is_long && text.iter().all(u8::is_ascii_digit)
        };
        let [status, size, ..] = naive::words(line, at)[..] else { return None };
        let fits = status.0 > at
            && is_number(status, 3, 3)
            && is_number(size, 1, 18)
            && matches!(line.get(size.1), None | Some(b' ' | b'\t'));
        fits.then_some([status, size])
    }

    /// Whether a dash takes the place of the request: only if all else matches, including the time.
    fn is_missing_request(line: &[u8], open: usize, close: usize) -> bool {
        let dash = naive::after_blanks(line, close + 1);
        let is_time = || naive::is_time(&line[open + 1..close]);
        let numbers = || status_and_size_of(line, dash + 1);
        dash > close + 1
            && line.get(dash) == Some(&b'-')
            && numbers()
                .is_some_and(|[_, size]| size.1 == line.len() || next_quote(line, size.1).is_some())
            && is_time()
    }

    fn naive_request(request: &str) -> [Option<&str>; 3] {
        let (method, rest) = request.split_once(' ').unwrap_or((request, ""));
        let is_of_method =
            |(index, c): (usize, char)| c.is_ascii_alphabetic() || index > 0 && "-_".contains(c);
        if !(1..=32).contains(&method.len()) || !method.chars().enumerate().all(is_of_method) {
            return [None; 3];
        }
        let rest = rest.trim_matches(' ');
        let (target, last) = rest.rsplit_once(' ').unwrap_or(("", rest));
        let is_number = |text: &str| {
            (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let is_protocol = last.split_once('/').is_some_and(|(name, version)| {
            let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
            let known =
                ["http", "https", "rtsp", "sip", "sips", "icap", "ice", "icy", "secure-http"];
            let is_upper = (2..=16).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_uppercase())
                && !target.is_empty();
            let is_known = known.contains(&&*name.to_ascii_lowercase());
            name == "HTTP" || is_number(major) && is_number(minor) && (is_known || is_upper)
        });
        let (target, protocol) = if is_protocol { (target, Some(last)) } else { (rest, None) };
        let target = Some(target.trim_matches(' ')).filter(|target| !target.is_empty());
        [Some(method), target, protocol]
    }

    /// Each byte as one character.
    fn latin(text: &[u8]) -> String {
        text.iter().copied().map(char::from).collect()
    }

    /// The fields that a split function finds.
    fn found(
        split: impl Fn(&[u8], &mut [Span]) -> Result<(), Reject>,
        line: &[u8],
        count: usize,
    ) -> Found<'_> {
        let mut spans = [Span::NONE; 8];
        split(line, &mut spans[..count]).ok()?;
        Some(spans.map(|span| span.of(line).unwrap_or_default()))
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(20_000))]

        #[test]
        fn a_line_has_the_fields_that_the_naive_code_finds(line in lines()) {
            prop_assert_eq!(found(split, &line, 8), naive_fields(&line, true));
            prop_assert_eq!(found(split_common, &line, 6), naive_fields(&line, false));
            if let Some(fields) = naive_fields(&line, true) {
                let parts = request(fields[3]).map(|part| part.map(latin));
                let text = latin(fields[3]);
                prop_assert_eq!(parts.each_ref().map(Option::as_deref), naive_request(&text));
            }
        }
    }

    #[test]
    fn a_line_in_the_default_form_takes_the_fast_path() {
        for line in &USUAL[..4] {
            for end in ["", " 0.012", "\r\n"] {
                let line = [line, end].concat();
                let (lead, line) = trim(line.as_bytes());
                let front = TypicalFront::parse::<true>(line, lead)
                    .or_else(|| TypicalFront::of_another_time(line, lead))
                    .unwrap();
                assert!(front.referer(line).is_some());
                assert!(typical_request(front.spans()[3].of(line).unwrap()).is_some());
            }
        }
    }
}
