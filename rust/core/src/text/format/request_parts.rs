//! The parts of a request line.

use super::{Span, combined};
use crate::ground::Value;

/// A part of the request line; the first three in the order of `combined::request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestPart {
    Method,
    Url,
    Protocol,
    Flag,
}

impl RequestPart {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "method" => Self::Method,
            "url" => Self::Url,
            "protocol" => Self::Protocol,
            "request_flag" => Self::Flag,
            _ => return None,
        })
    }
}

/// The value of a part, and what is unusual about a request.
pub(super) fn part_of(request: &[u8], part: RequestPart, is_cut: bool) -> Value<'_> {
    if part == RequestPart::Flag {
        return match request {
            _ if is_cut => Value::Text(b"truncated"),
            b"" => Value::Text(b"empty"),
            b"-" => Value::Text(b"missing"),
            _ if combined::request(request)[0].is_none() => Value::Text(b"garbage"),
            _ => Value::Null,
        };
    }
    let [method, url, protocol] =
        if is_cut { parts_of_cut(request) } else { combined::request(request) };
    let text = match part {
        RequestPart::Method => method,
        RequestPart::Protocol => protocol,
        RequestPart::Url | RequestPart::Flag => url,
    };
    text.map_or(Value::Null, Value::Text)
}

/// Whether the line ends within a request: the quote that opens it is not closed.
pub(super) fn is_cut(line: &[u8], request: Span) -> bool {
    let Some(rest) = line.get(request.end()..) else { return false };
    let opens = || line.get(request.start().wrapping_sub(1)) == Some(&b'"');
    rest.first() != Some(&b'"') && opens() && rest.trim_ascii().is_empty()
}

/// Method and URL of a request that is cut off, as far as they go. Its protocol is not known.
fn parts_of_cut(request: &[u8]) -> [Option<&[u8]>; 3] {
    let mut words = request.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (method, url) = (words.next(), words.next());
    match combined::request(request) {
        [Some(_), ..] if url.is_some() => [method, url, None],
        _ => [None; 3],
    }
}

/// The spans of method, URL and protocol of a request line.
#[inline]
pub(super) fn parts_of_request(line: &[u8], request: Span) -> [Span; 3] {
    let Some(text) = request.of(line) else { return [Span::NONE; 3] };
    let parts = if is_cut(line, request) { parts_of_cut(text) } else { combined::request(text) };
    parts.map(|part| {
        part.map_or(Span::NONE, |part| {
            let start = request.start() + (part.as_ptr().addr() - text.as_ptr().addr());
            Span::new(start, start + part.len())
        })
    })
}

/// The range of a part within the request.
pub(super) fn range_of(request: &[u8], part: RequestPart, is_cut: bool) -> Option<(usize, usize)> {
    let Value::Text(text) = part_of(request, part, is_cut) else { return None };
    let start = text.as_ptr().addr().checked_sub(request.as_ptr().addr())?;
    Some((start, start + text.len()))
}
