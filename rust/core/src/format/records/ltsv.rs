//! LTSV: `label:value` with tabs between them (ltsv.org).
//!
//! The labels that ltsv.org recommends have the names that are the same in all formats, and so
//! have the usual nginx variables; any other label is a field of its own name. Of a label that
//! occurs twice the last one counts. Pieces that are no `label:value` are passed over, but a line
//! needs one.

use std::ops::Range;

use super::super::parsed::{Found, Reject, Span};
use super::super::read::{Encoding, Read};
use super::find::{Sought, Word, either};
use super::{blank, empty_line, found, lead, standard};

/// How many labels' values are kept on the stack.
const MANY: usize = 128;

/// The format with the labels that are looked for.
#[derive(Clone, Debug)]
pub(crate) struct Ltsv {
    found: Vec<Found>,
    fields: Vec<Field>,
    labels: Vec<Word>,
    /// Places of the labels by the beginning of each: a line may be all labels.
    sorted: Vec<(u64, usize)>,
}

#[derive(Clone, Debug)]
struct Field {
    /// Which labels it may have; the first one with a value counts.
    labels: Range<usize>,
    /// Whether it may stand in brackets.
    time: bool,
}

impl Ltsv {
    /// With all labels that have a name which is the same in all formats.
    pub(crate) fn new() -> Self {
        Self::of(LABELS.iter().map(|known| known.0))
    }

    /// The same format with only these fields.
    pub(crate) fn narrowed(&self, names: &[&str]) -> Self {
        Self::of(names.iter().copied())
    }

    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut ltsv =
            Self { found: Vec::new(), fields: Vec::new(), labels: Vec::new(), sorted: Vec::new() };
        for name in names {
            let known = LABELS.iter().find(|known| known.0 == name);
            let read = if name == "reqtime_microsec" { Read::Seconds(-6) } else { standard(name) };
            let start = ltsv.labels.len();
            let labels = known.map_or(name, |known| known.1).split('|');
            ltsv.labels.extend(labels.map(|label| Word::new(label.as_bytes())));
            let time = matches!(read, Read::Time(_));
            ltsv.fields.push(Field { labels: start..ltsv.labels.len(), time });
            ltsv.found.push(found(name, read, Encoding::Raw));
        }
        let heads = ltsv.labels.iter().map(Word::head);
        ltsv.sorted = heads.enumerate().map(|(place, head)| (head, place)).collect();
        ltsv.sorted.sort_unstable();
        ltsv
    }

    /// Which label this is, the first of equal ones.
    fn place_of(&self, label: Sought<'_>) -> Option<usize> {
        let from = self.sorted.partition_point(|(head, _)| *head < label.head());
        let alike = self.sorted[from..].iter().take_while(|(head, _)| *head == label.head());
        alike.map(|&(_, place)| place).find(|&place| label.is(&self.labels[place]))
    }

    /// The fields, in the order of the spans.
    pub(crate) fn found(&self) -> &[Found] {
        &self.found
    }

    /// Finds the fields of a line.
    pub(crate) fn split(&self, line: &[u8], spans: &mut [Span]) -> Result<(), Reject> {
        if self.labels.len() <= MANY {
            self.split_into(line, spans, &mut [Span::NONE; MANY])
        } else {
            self.split_into(line, spans, &mut vec![Span::NONE; self.labels.len()])
        }
    }

    fn split_into(
        &self,
        line: &[u8],
        spans: &mut [Span],
        values: &mut [Span],
    ) -> Result<(), Reject> {
        let start = lead(line);
        let blanks = line.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
        let line = &line[..line.len() - blanks.count()];
        let mut labelled = false;
        let mut at = start.min(line.len());
        while at < line.len() {
            let colon = either(line, at, b':', b'\t');
            if line.get(colon) != Some(&b':') {
                at = colon + 1;
                continue;
            }
            let end = either(line, colon + 1, b'\t', b'\t');
            if colon == at {
                at = end + 1;
                continue;
            }
            labelled = labelled || is_label(&line[at..colon]);
            let label = Sought::new(line, at, colon);
            if let Some(known) = self.place_of(label) {
                values[known] = Span::new(colon + 1, end);
            }
            at = end + 1;
        }
        if !labelled {
            let field = Reject::new(start, "a label, a colon and a value");
            return Err(if blank(line) { empty_line() } else { field });
        }
        for (field, span) in self.fields.iter().zip(spans) {
            let mut values = values[field.labels.clone()].iter();
            let value = values.find(|value| value.start() < value.end());
            *span = value.map_or(Span::NONE, |&value| {
                if field.time { without_brackets(line, value) } else { value }
            });
        }
        Ok(())
    }
}

/// Whether this may be a label: letters, digits, `_`, `.` and `-`.
fn is_label(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

fn without_brackets(line: &[u8], value: Span) -> Span {
    match value.of(line) {
        Some([b'[', .., b']']) => Span::new(value.start() + 1, value.end() - 1),
        _ => value,
    }
}

/// The labels of ltsv.org and those that nginx and Apache users take instead.
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
