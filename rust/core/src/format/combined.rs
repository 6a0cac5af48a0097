//! Combined: the log of Apache and nginx, and of what writes like them.
//!
//! ```text
//! host ident user [time] "request" status size "referer" "agent"
//! ```
//!
//! Read byte by byte from the left, so that what a client wrote can never move a field to the
//! left of it. Inside quotes a backslash escapes, as Apache and nginx write it. Loggers that do
//! not escape are survived: a quote closes the request only if a status and a size follow, the
//! referer only if another quoted field follows, and where no unescaped quote closes a field an
//! escaped one may (`"ua\"`). What real servers leave out or add is accepted: no referer and
//! agent (the common format), more fields behind the agent, words in front of the host (syslog,
//! virtual host), a user with blanks, an empty or missing request.
//!
//! Every byte is looked at a bounded number of times, whoever wrote it.

use memchr::memchr2;

use super::{Fields, Reject, time};

/// The length of `17/May/2015:10:05:03 +0000`.
const TIME_LENGTH: usize = 26;

/// Longer words are no methods; `UPDATEREDIRECTREF` (RFC 4437) is the longest registered one.
const MAX_METHOD_LENGTH: usize = 32;

/// Splits a line, or says where it stops being one.
pub(super) fn split(line: &[u8]) -> Result<Fields<'_>, Reject> {
    let (lead, end) = trim(line);
    let line = &line[..end];
    let (open, close) = brackets(line, lead)?;
    let (host, user) = head(&line[lead..open]).ok_or(Reject::at(open))?;
    let mut at = blanks(line, close + 1)?;
    let request = match line.get(at) {
        Some(b'"') => {
            let start = at + 1;
            let end = closing(line, start, |after| status_and_size(line, after).is_some())?;
            at = end + 1;
            &line[start..end]
        }
        Some(b'-') => {
            at += 1;
            &line[at - 1..at]
        }
        _ => return Err(Reject::at(at)),
    };
    let Some((status, size)) = status_and_size(line, at) else { return Err(Reject::at(at)) };
    let fields = Fields {
        host,
        user,
        time: &line[open + 1..close],
        request,
        status: &line[status.0..status.1],
        size: &line[size.0..size.1],
        ..Fields::default()
    };
    if size.1 == line.len() {
        return Ok(fields);
    }
    let start = quote(line, blanks(line, size.1)?)?;
    let end = closing(line, start, |after| {
        blanks(line, after).is_ok_and(|next| line.get(next) == Some(&b'"'))
    })?;
    let referer = &line[start..end];
    let start = quote(line, blanks(line, end + 1)?)?;
    let end = closing(line, start, |after| matches!(line.get(after), None | Some(b' ' | b'\t')))?;
    Ok(Fields { referer, agent: &line[start..end], ..fields })
}

/// Where the line begins and ends without byte-order mark and blanks.
fn trim(line: &[u8]) -> (usize, usize) {
    let lead = if line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let lead = lead + line[lead..].iter().take_while(|&&byte| is_blank(byte)).count();
    let tail = line[lead..].iter().rev().take_while(|&&byte| is_blank(byte)).count();
    (lead, line.len() - tail)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The place behind at least one blank.
fn blanks(line: &[u8], at: usize) -> Result<usize, Reject> {
    let rest = line.get(at..).unwrap_or_default();
    match rest.iter().take_while(|&&byte| is_blank(byte)).count() {
        0 => Err(Reject::at(at)),
        n => Ok(at + n),
    }
}

/// The place behind the quote that stands here.
fn quote(line: &[u8], at: usize) -> Result<usize, Reject> {
    if line.get(at) == Some(&b'"') { Ok(at + 1) } else { Err(Reject::at(at)) }
}

/// The brackets around the time: the first `]` with a quote or a `-` behind it, and the last `[`
/// that begins a word in front of that.
fn brackets(line: &[u8], lead: usize) -> Result<(usize, usize), Reject> {
    let mut open = None;
    let mut at = lead;
    while let Some(offset) = memchr2(b'[', b']', &line[at..]) {
        let place = at + offset;
        at = place + 1;
        if line[place] == b'[' {
            // The first word is the host, which may be a bracketed IPv6 address.
            if place > lead && is_blank(line[place - 1]) {
                open = Some(place);
                let close = place + 1 + TIME_LENGTH;
                if line.get(close) == Some(&b']') && time::parse(&line[place + 1..close]).is_some()
                {
                    return Ok((place, close));
                }
            }
        } else if let Some(open) = open
            && blanks(line, at).is_ok_and(|next| matches!(line.get(next), Some(b'"' | b'-')))
        {
            return Ok((open, place));
        }
    }
    Err(Reject::at(open.unwrap_or(line.len())))
}

/// Host and user out of the words before the time.
///
/// Three words are host, ident and user. Of more, the first lone `-` is the ident: the host
/// stands before it, the user is all behind it. Without one the user has the blanks.
fn head(head: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut words = Words { text: head, at: 0 };
    let first = words.next()?;
    words.next()?;
    let user = words.next()?;
    if words.next().is_none() {
        return Some((&head[first.0..first.1], &head[user.0..user.1]));
    }
    let end = head.len() - head.iter().rev().take_while(|&&byte| is_blank(byte)).count();
    let mut host = first;
    let mut words = Words { text: head, at: first.1 };
    while let Some(word) = words.next() {
        if &head[word.0..word.1] == b"-" {
            let user = words.next()?;
            return Some((&head[host.0..host.1], &head[user.0..end]));
        }
        // `1.1.1.1, 2.2.2.2` is one host, as X-Forwarded-For lists proxies.
        host = if head[host.1 - 1] == b',' { (host.0, word.1) } else { word };
    }
    Some((&head[first.0..first.1], &head[user.0..end]))
}

struct Words<'a> {
    text: &'a [u8],
    at: usize,
}

impl Iterator for Words<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.text[self.at..];
        let start = self.at + rest.iter().position(|&byte| !is_blank(byte))?;
        let rest = &self.text[start..];
        let end = start + rest.iter().position(|&byte| is_blank(byte)).unwrap_or(rest.len());
        self.at = end;
        Some((start, end))
    }
}

/// The first quote that closes a field which begins here: an unescaped one if any fits.
fn closing(line: &[u8], start: usize, fits: impl Fn(usize) -> bool) -> Result<usize, Reject> {
    let mut at = start;
    let mut escaped = None;
    while let Some(offset) = memchr2(b'"', b'\\', &line[at..]) {
        let place = at + offset;
        at = place + 1;
        if line[place] == b'"' {
            if fits(at) {
                return Ok(place);
            }
        } else if let Some(next) = line.get(at) {
            if *next == b'"' && escaped.is_none() && fits(at + 1) {
                escaped = Some(at);
            }
            at += 1;
        }
    }
    escaped.ok_or(Reject::at(line.len()))
}

type Span = (usize, usize);

/// A status of up to three digits and a size, each of which may be `-`, from a blank on.
fn status_and_size(line: &[u8], at: usize) -> Option<(Span, Span)> {
    let status = number(line, blanks(line, at).ok()?, 3)?;
    // Eighteen digits always fit into 63 bits.
    let size = number(line, blanks(line, status.1).ok()?, 18)?;
    matches!(line.get(size.1), None | Some(b' ' | b'\t')).then_some((status, size))
}

fn number(line: &[u8], at: usize, most: usize) -> Option<Span> {
    if line.get(at) == Some(&b'-') {
        return Some((at, at + 1));
    }
    let digits = line[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=most).contains(&digits).then_some((at, at + digits))
}

/// Method, target and protocol of a request line, each where there is one.
///
/// What does not begin with a method (a TLS hello, a scanner's bytes) has none of the three.
/// The target is all between the method and a last word `HTTP/…`, blanks included.
pub(super) fn request(request: &[u8]) -> [Option<&[u8]>; 3] {
    let (method, rest) = match request.iter().position(|&byte| byte == b' ') {
        Some(end) => (&request[..end], &request[end..]),
        None => (request, &b""[..]),
    };
    if !is_method(method) {
        return [None; 3];
    }
    let (target, protocol) = match rest.iter().rposition(|&byte| byte == b' ') {
        Some(blank) if rest[blank + 1..].starts_with(b"HTTP/") => {
            (&rest[..blank], Some(&rest[blank + 1..]))
        }
        _ => (rest, None),
    };
    let target = target.trim_ascii();
    [Some(method), (!target.is_empty()).then_some(target), protocol]
}

fn is_method(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_alphabetic)
        && word.len() <= MAX_METHOD_LENGTH
        && word.iter().all(|&byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
}
