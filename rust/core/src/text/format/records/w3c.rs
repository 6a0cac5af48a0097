//! The W3C extended log file format, as IIS and CloudFront write it.
//!
//! A `#Fields:` line names the columns of the lines after it, and can be repeated with other
//! columns. Other lines that begin with `#` are ignored. IIS separates columns by blanks and writes
//! `+` for a space in a value; others quote such values. CloudFront separates columns by tabs and
//! escapes with `%HH`; its durations are in seconds, those of IIS in milliseconds.

use super::super::field_type::{Encoding, FieldType};
use super::super::parsed::{FoundField, LineKind, Reject, Span};
use super::super::standard_fields;
use super::super::time::TimeFormat;
use super::find::find_either;
use super::{bom_len, empty_line, found, is_blank};
use crate::ground::Kind;

/// The columns of a CloudFront standard log, in order. New ones were added at the end.
/// (docs.aws.amazon.com, "Standard logging reference")
pub(super) const CLOUDFRONT: &str = "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem \
    sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type \
    x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol \
    ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields \
    c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len \
    sc-range-start sc-range-end";

/// The number of columns in the oldest CloudFront logs.
const MIN_COLUMNS: usize = 12;

/// The format, with its columns if they are known.
#[derive(Clone, Debug)]
pub(crate) struct W3c {
    found: Vec<FoundField>,
    producer: Producer,
    columns: ColumnSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Producer {
    Iis,
    CloudFront,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ColumnSource {
    /// No header has named them.
    Unknown,
    /// They are those that CloudFront documents, as no header has named them.
    Default,
    /// A header named them.
    Named,
}

impl W3c {
    /// The format of logs in which a header comes first.
    pub(crate) fn new() -> Self {
        Self { found: Vec::new(), producer: Producer::Iis, columns: ColumnSource::Unknown }
    }

    /// The format of CloudFront logs, which have default columns if there is no header.
    pub(crate) fn cloudfront() -> Self {
        let found = columns(Producer::CloudFront, CLOUDFRONT.as_bytes());
        Self { found, producer: Producer::CloudFront, columns: ColumnSource::Default }
    }

    /// The format with the columns that this line names, if it names any.
    pub(crate) fn with_header(&self, line: &[u8]) -> Option<Self> {
        let text = &line[bom_len(line)..];
        let (directive, names) = text.split_at_checked(b"#Fields:".len())?;
        if !directive.eq_ignore_ascii_case(b"#Fields:") {
            return None;
        }
        let edge = words(names).any(|name| name.starts_with(b"x-edge-"));
        let producer = if edge { Producer::CloudFront } else { self.producer };
        let found = columns(producer, names);
        (!found.is_empty()).then_some(Self { found, producer, columns: ColumnSource::Named })
    }

    /// The fields, in the order of the spans; none before the header.
    pub(crate) fn found(&self) -> &[FoundField] {
        &self.found
    }

    /// Finds the fields of a line, unless it is a comment.
    pub(crate) fn split(&self, line: &[u8], spans: &mut [Span]) -> Result<LineKind, Reject> {
        if is_blank(line) {
            return Err(empty_line());
        }
        let start = bom_len(line);
        if line.get(start) == Some(&b'#') {
            return Ok(LineKind::Header);
        }
        if self.columns == ColumnSource::Unknown {
            return Err(Reject::new(start, "a #Fields: line before this one"));
        }
        let blanks = line.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
        let line = &line[..line.len() - blanks.count()];
        match self.producer {
            Producer::Iis => between_blanks(line, start, spans)?,
            Producer::CloudFront => between_tabs(line, start, spans, self.columns)?,
        }
        Ok(LineKind::Fields)
    }
}

/// Splits columns separated by tabs.
fn between_tabs(
    line: &[u8],
    start: usize,
    spans: &mut [Span],
    columns: ColumnSource,
) -> Result<(), Reject> {
    let mut next = Some(start);
    let mut count = 0;
    for span in &mut *spans {
        *span = Span::NONE;
        let Some(start) = next else { continue };
        let end = find_either(line, start, b'\t', b'\t');
        *span = Span::new(start, end);
        next = (end < line.len()).then_some(end + 1);
        count += 1;
    }
    match (columns, next) {
        // Without a header, older and newer logs may have other numbers of columns.
        (ColumnSource::Default, _) if count >= MIN_COLUMNS => Ok(()),
        (ColumnSource::Default, _) => {
            Err(Reject::new(line.len(), "the tab-separated columns of CloudFront"))
        }
        (_, Some(at)) => Err(Reject::new(at - 1, NO_MORE)),
        (_, None) if count < spans.len() => Err(Reject::new(line.len(), AS_MANY)),
        (_, None) => Ok(()),
    }
}

const NO_MORE: &str = "the end of the line (#Fields has no more columns)";
const AS_MANY: &str = "as many columns as in #Fields";

/// Splits columns separated by blanks.
///
/// IIS quotes nothing, so its quotes have no meaning. If others quote a value with blanks, there
/// are more words than columns; only then quotes join words.
fn between_blanks(line: &[u8], start: usize, spans: &mut [Span]) -> Result<(), Reject> {
    let (count, surplus) = split_words(line, start, spans, false);
    if surplus.is_none() && count == spans.len() {
        return Ok(());
    }
    if count < spans.len() {
        return Err(Reject::new(line.len(), AS_MANY));
    }
    match split_words(line, start, spans, true) {
        (count, None) if count == spans.len() => Ok(()),
        (_, None) => Err(Reject::new(line.len(), AS_MANY)),
        (_, Some(at)) => Err(Reject::new(at, NO_MORE)),
    }
}

/// Sets the spans to the words of the line. Returns how many there are, and where the first surplus
/// word begins.
fn split_words(
    line: &[u8],
    start: usize,
    spans: &mut [Span],
    quotes: bool,
) -> (usize, Option<usize>) {
    let mut at = skip_blanks(line, start);
    // After this position no quote closes a value, so the search is not repeated.
    let mut closable = line.len();
    for (count, span) in spans.iter_mut().enumerate() {
        if at == line.len() {
            return (count, None);
        }
        let mut end = None;
        if quotes && line[at] == b'"' && at < closable {
            end = closing(line, at + 1);
            if end.is_none() {
                closable = at;
            }
        }
        let end = end.unwrap_or_else(|| find_either(line, at, b' ', b'\t'));
        *span = match &line[at..end] {
            [b'"', .., b'"'] => Span::new(at + 1, end - 1),
            _ => Span::new(at, end),
        };
        at = skip_blanks(line, end);
    }
    (spans.len(), (at < line.len()).then_some(at))
}

/// The position after the quote that closes a value whose inside begins here: one that a blank
/// follows. Two quotes are an escaped quote and close nothing.
fn closing(line: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let quote = find_either(line, at, b'"', b'"');
        if quote == line.len() {
            return None;
        }
        match line.get(quote + 1) {
            None | Some(b' ' | b'\t') => return Some(quote + 1),
            Some(b'"') => at = quote + 2,
            Some(_) => at = quote + 1,
        }
    }
}

fn skip_blanks(line: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t') = line.get(at) {
        at += 1;
    }
    at
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).filter(|word| !word.is_empty())
}

fn columns(producer: Producer, names: &[u8]) -> Vec<FoundField> {
    let host = words(names).any(|name| name.eq_ignore_ascii_case(b"x-host-header"));
    let date = words(names).any(|name| name.eq_ignore_ascii_case(b"date"));
    let of_name = |name| {
        let name = String::from_utf8_lossy(name);
        // If there is a Host header, the domain of the distribution is not the virtual host.
        if host && name.eq_ignore_ascii_case("cs(Host)") {
            return found(&name, FieldType::Text, Encoding::Percent);
        }
        column(producer, &name, date)
    };
    words(names).map(of_name).collect()
}

/// The field of a column with this name in a `#Fields:` line.
fn column(producer: Producer, written: &str, date: bool) -> FoundField {
    let lower = written.to_ascii_lowercase();
    let name = match lower.as_str() {
        "c-ip" => "host",
        "cs-username" => "user",
        "date" | "time" => "time",
        "timestamp" | "timestamp(ms)" if !date => "time",
        "cs-method" => "method",
        "cs-uri" => "url",
        "cs-uri-stem" => "path",
        "cs-uri-query" => "query",
        "cs-version" | "cs-protocol-version" => "protocol",
        "sc-status" => "status",
        "sc-bytes" => "bytes_out",
        "cs-bytes" => "bytes_in",
        "cs(user-agent)" => "agent",
        "cs(referer)" | "cs(referrer)" => "referer",
        "cs-host" | "cs(host)" | "x-host-header" => "vhost",
        "s-port" => "port",
        "cs-protocol" => "scheme",
        "time-taken" => "request_time",
        "x-forwarded-for" | "cs(x-forwarded-for)" => "xff",
        "x-edge-request-id" => "request_id",
        _ => written,
    };
    let strftime = |text: &str| FieldType::Time(TimeFormat::Strftime(text.into()));
    let read = match lower.as_str() {
        "date" => strftime("%Y-%m-%d"),
        "time" => strftime("%H:%M:%S"),
        "timestamp" if !date => FieldType::Time(TimeFormat::Epoch(0)),
        "timestamp(ms)" if !date => FieldType::Time(TimeFormat::Epoch(-3)),
        "time-taken" if producer == Producer::Iis => FieldType::Seconds(-3),
        "time-to-first-byte" | "origin-fbl" | "origin-lbl" => FieldType::Seconds(0),
        "sc-substatus" | "sc-win32-status" | "c-port" | "sc-content-len" | "sc-range-start"
        | "sc-range-end" => FieldType::Int,
        _ => standard_fields::standard_field(name)
            .map_or(FieldType::Text, |known| known.read.clone()),
    };
    // Paths, queries and URLs stay as they were sent, as in all formats.
    let sent = matches!(name, "path" | "query" | "url" | "referer") || read.kind() != Kind::Text;
    let encoding = match producer {
        _ if sent => Encoding::Raw,
        Producer::Iis => Encoding::Plus,
        Producer::CloudFront => Encoding::Percent,
    };
    found(name, read, encoding)
}
