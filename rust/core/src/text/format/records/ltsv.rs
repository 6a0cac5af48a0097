//! LTSV: `label:value` pairs separated by tabs (ltsv.org).
//!
//! The labels that ltsv.org recommends and the usual nginx variables are mapped to standard fields;
//! any other label is a field with its own name. The last of two equal labels counts. A line
//! without a label before every value is rejected, because other logs have tabs and colons too; for
//! the same reason the label of a line with a single pair has to be a known one.

use super::super::field_type::{Encoding, FieldType};
use super::super::parsed::{FoundField, Reject, Span};
use super::find::{PrefixSet, find_either};
use super::{bom_len, empty_line, found, is_blank, own_type, with_spans};

/// How many values are stored on the stack.
const MANY: usize = 128;

/// The format, with the labels to find.
#[derive(Clone, Debug)]
pub(crate) struct Ltsv {
    found: Vec<FoundField>,
    fields: Vec<Field>,
    /// The labels with their colons.
    labels: PrefixSet,
}

#[derive(Clone, Debug)]
struct Field {
    /// The labels that it may have; the first one with a value counts. Fields can share a label.
    labels: Vec<usize>,
    /// Whether it is a time, which may be in brackets.
    time: bool,
    /// Whether it is no standard field.
    own: bool,
}

impl Ltsv {
    /// The format with all standard fields.
    pub(crate) fn new() -> Self {
        Self::of(LABELS.iter().map(|known| known.0))
    }

    /// The format with only these fields; a name that is not a standard field is a label.
    pub(crate) fn with_fields(names: &[&str]) -> Self {
        Self::of(names.iter().copied())
    }

    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut ltsv = Self { found: Vec::new(), fields: Vec::new(), labels: PrefixSet::default() };
        for name in names {
            let known = LABELS.iter().find(|known| known.0 == name);
            let read = match name {
                "reqtime_microsec" => FieldType::Seconds(-6),
                name => own_type(name),
            };
            let labels = known.map_or(name, |known| known.1).split('|');
            let prefixes = labels.map(|label| [label.as_bytes(), b":"].concat());
            let labels = prefixes.map(|prefix| ltsv.labels.number_of(prefix)).collect();
            let time = matches!(read, FieldType::Time(_));
            let own = read == FieldType::Any;
            ltsv.fields.push(Field { labels, time, own });
            ltsv.found.push(found(name, read, Encoding::Raw));
        }
        ltsv
    }

    /// The fields, in the order of the spans.
    pub(crate) fn found(&self) -> &[FoundField] {
        &self.found
    }

    /// Finds the fields of a line.
    pub(crate) fn split(&self, line: &[u8], spans: &mut [Span]) -> Result<(), Reject> {
        with_spans::<MANY, _>(self.labels.len(), |values| self.split_into(line, spans, values))
    }

    fn split_into(
        &self,
        line: &[u8],
        spans: &mut [Span],
        values: &mut [Span],
    ) -> Result<(), Reject> {
        let start = bom_len(line);
        let blanks = line.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
        let line = &line[..line.len() - blanks.count()];
        let unlabelled = |at| Reject::new(at, "a label, a colon and a value");
        let mut first = None;
        let mut pieces = 0;
        let mut at = start.min(line.len());
        while at < line.len() {
            if line[at] == b'\t' {
                at += 1;
                continue;
            }
            let known = self.labels.match_prefix(&line[at..]);
            let colon =
                known.map_or_else(|| find_either(line, at, b':', b'\t'), |(_, end)| at + end - 1);
            if line.get(colon) != Some(&b':') || !is_labelled(&line[at..], colon - at) {
                return Err(if is_blank(line) { empty_line() } else { unlabelled(at) });
            }
            let end = find_either(line, colon + 1, b'\t', b'\t');
            if let Some((known, _)) = known {
                values[known] = Span::new(colon + 1, end);
            }
            first = first.or(line.get(at..colon));
            pieces += 1;
            at = end + 1;
        }
        match first {
            None => return Err(empty_line()),
            Some(label) if pieces == 1 && !is_known(label) => return Err(unlabelled(start)),
            Some(_) => {}
        }
        for (field, span) in self.fields.iter().zip(spans) {
            let mut values = field.labels.iter().map(|&label| values[label]);
            let value = values.find(|value| value.start() < value.end());
            *span = value.map_or(Span::NONE, |value| match value.of(line) {
                Some(b"-") if field.own => Span::NONE,
                _ if field.time => without_brackets(line, value),
                _ => value,
            });
        }
        Ok(())
    }
}

/// Calls `take` with the label and the value of each pair of a line that matches. A value `-` is
/// none.
pub(crate) fn each_member(line: &[u8], mut take: impl FnMut(Span, Span)) {
    let blanks = line.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
    let line = &line[..line.len() - blanks.count()];
    let mut at = bom_len(line).min(line.len());
    while at < line.len() {
        let end = find_either(line, at, b'\t', b'\t');
        let colon = find_either(line, at, b':', b'\t');
        if colon < end && &line[colon + 1..end] != b"-" {
            take(Span::new(at, colon), Span::new(colon + 1, end));
        }
        at = end + 1;
    }
}

/// Whether the text before this colon is a label: letters, digits, `_`, `.` and `-`. Times and URLs
/// have colons too, in other logs with tabs.
fn is_labelled(text: &[u8], colon: usize) -> bool {
    let (label, value) = text.split_at(colon);
    let first = label.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    first
        && label.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(byte))
        && !value.starts_with(b"://")
}

fn is_known(label: &[u8]) -> bool {
    LABELS.iter().any(|(_, labels)| labels.split('|').any(|known| known.as_bytes() == label))
}

fn without_brackets(line: &[u8], value: Span) -> Span {
    match value.of(line) {
        Some([b'[', .., b']']) => Span::new(value.start() + 1, value.end() - 1),
        _ => value,
    }
}

/// The standard fields with their labels: those of ltsv.org, and those that nginx and Apache users
/// use instead.
const LABELS: &[(&str, &str)] = &[
    ("host", "host|remote_addr|client_ip|remote_host"),
    ("ident", "ident"),
    ("user", "user|remote_user"),
    ("time", "time|time_local|time_iso8601|msec"),
    ("method", "method|request_method"),
    ("url", "uri|url|request_uri"),
    ("protocol", "protocol|server_protocol"),
    ("request", "req|request"),
    ("path", "path"),
    ("query", "query|query_string|args"),
    ("status", "status"),
    ("size", "size|body_bytes_sent"),
    ("bytes_in", "reqsize|bytes_in|request_length"),
    ("bytes_out", "bytes_out|bytes_sent"),
    ("referer", "referer|http_referer|referrer"),
    ("agent", "ua|agent|user_agent|http_user_agent"),
    ("vhost", "vhost|http_host|server_name"),
    ("port", "port|server_port"),
    ("scheme", "scheme"),
    ("request_time", "reqtime|request_time"),
    ("upstream_time", "apptime|upstream_time|upstream_response_time"),
    ("upstream", "upstream|upstream_addr"),
    ("upstream_status", "upstream_status"),
    ("xff", "forwardedfor|xff|x_forwarded_for|http_x_forwarded_for"),
    ("request_id", "request_id|reqid"),
];
