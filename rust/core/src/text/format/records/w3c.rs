//! The W3C extended log file format, as IIS and CloudFront write it.
//!
//! A `#Fields:` line names the columns of the lines after it, and can be repeated with other
//! columns. `#Date:` names the day of times without a date, and `#Software:` tells the unit of
//! durations; other lines that begin with `#` are ignored. IIS separates columns by blanks and
//! writes `+` for a space in a value; others quote such values. CloudFront separates columns by
//! tabs and escapes with `%HH`.

use super::super::field_type::{Encoding, FieldType};
use super::super::parsed::{FoundField, LineKind, Reject, Span};
use super::super::standard_fields;
use super::super::template::TemplateError;
use super::super::time::TimeFormat;
use super::days::Days;
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

/// The longest name of a directive, with `#` and colon.
const LONGEST_DIRECTIVE: usize = 16;

/// The number of columns in the oldest CloudFront logs.
const MIN_COLUMNS: usize = 12;

/// The format, with its columns if they are known.
#[derive(Clone, Debug)]
pub(crate) struct W3c {
    found: Vec<FoundField>,
    producer: Producer,
    columns: ColumnSource,
    /// The names of the columns, as they are written.
    names: Box<[u8]>,
    /// What `#Software:` tells about `time-taken`.
    unit: Option<Unit>,
    days: Days,
    /// The index of a date that the time follows.
    date: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Producer {
    Iis,
    CloudFront,
}

/// The unit of `time-taken`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Seconds,
    Millis,
}

/// The software whose documents state the unit of `time-taken`, by a word in `#Software:`.
const SOFTWARE: [(&str, Unit); 4] = [
    ("microsoft", Unit::Millis),
    ("sgos", Unit::Millis),
    ("tomcat", Unit::Seconds),
    ("weblogic", Unit::Seconds),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ColumnSource {
    /// No header has named them.
    Unknown,
    /// They are those that CloudFront documents, as no header has named them.
    Default,
    /// A header named them.
    Named,
    /// The format spec named them, and maybe types. A header names others.
    Given,
}

impl W3c {
    /// The format of logs in which a header comes first.
    pub(crate) fn new() -> Self {
        Self {
            found: Vec::new(),
            producer: Producer::Iis,
            columns: ColumnSource::Unknown,
            names: Box::default(),
            unit: None,
            days: Days::default(),
            date: None,
        }
    }

    /// The format of CloudFront logs, which have default columns if there is no header.
    pub(crate) fn cloudfront() -> Self {
        let producer = Producer::CloudFront;
        Self { producer, ..Self::new() }.with_names(CLOUDFRONT.as_bytes(), ColumnSource::Default)
    }

    /// The format of logs with these columns. They are separated by commas or blanks, as in
    /// `#Fields:`, each optionally followed by a colon and a type.
    pub(crate) fn with_columns(columns: &str) -> Result<Self, TemplateError> {
        let is_separator = |c: char| c == ',' || c.is_ascii_whitespace();
        let mut start = 0;
        for written in columns.split(is_separator) {
            if !written.is_empty() {
                super::column(written, start)?;
            }
            start += written.len() + 1;
        }
        let names = columns.replace(is_separator, " ");
        if names.trim().is_empty() {
            let message = "expected column names, such as date,time,c-ip,cs-uri-stem".to_owned();
            return Err(TemplateError { start: 0, end: columns.len(), message });
        }
        Ok(Self::new().with_names(names.as_bytes(), ColumnSource::Given))
    }

    fn with_names(mut self, names: &[u8], from: ColumnSource) -> Self {
        if words(names).any(|name| name.starts_with(b"x-edge-")) {
            self.producer = Producer::CloudFront;
        }
        self.columns = from;
        self.names = names.into();
        self.found = self.named();
        let is = |at: usize, name: &[u8]| {
            words(names).nth(at).is_some_and(|written| written.eq_ignore_ascii_case(name))
        };
        self.date = (0..self.found.len()).find(|&at| is(at, b"date") && is(at + 1, b"time"));
        self
    }

    /// The format after this line, if it is a header that changes it.
    pub(crate) fn with_header(&self, line: &[u8]) -> Option<Self> {
        let text = &line[bom_len(line)..];
        if text.first() != Some(&b'#') {
            return None;
        }
        let colon = text.iter().take(LONGEST_DIRECTIVE).position(|&byte| byte == b':')?;
        let (name, value) = (text[1..colon].to_ascii_lowercase(), &text[colon + 1..]);
        let mut changed = self.clone();
        match &*name {
            b"fields" => {
                words(value).next()?;
                Some(changed.with_names(value, ColumnSource::Named))
            }
            b"software" => {
                let value = String::from_utf8_lossy(value).to_ascii_lowercase();
                let known = SOFTWARE.iter().find(|(word, _)| value.contains(word));
                changed.unit = known.map(|&(_, unit)| unit);
                changed.found = changed.named();
                (changed.unit != self.unit).then_some(changed)
            }
            b"date" | b"start-date" => {
                changed.days = Days::named(value);
                (changed.days != self.days).then_some(changed)
            }
            _ => None,
        }
    }

    /// The index of the time of day, if the lines have no date.
    pub(crate) fn time_of_day(&self) -> Option<usize> {
        let is_time = |field: &FoundField| matches!(field.read, FieldType::Time(_));
        let mut times = self.found.iter().enumerate().filter(|(_, field)| is_time(field));
        let only = times.next().filter(|_| times.next().is_none());
        only.filter(|(_, field)| field.read == TIME).map(|(at, _)| at)
    }

    /// The day that the lines have reached.
    pub(crate) fn days(&self) -> Days {
        self.days
    }

    /// The format for the lines after those that have reached this day.
    pub(crate) fn with_days(&self, days: Days) -> Self {
        Self { days, ..self.clone() }
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
            Producer::Iis => between_blanks(line, start, spans, self.date)?,
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
/// are more words than columns; only then quotes join words. `date` is the column of a date that
/// may be in quotes with the time after it.
fn between_blanks(
    line: &[u8],
    start: usize,
    spans: &mut [Span],
    date: Option<usize>,
) -> Result<(), Reject> {
    let (count, surplus) = split_words(line, start, spans, date, false);
    if surplus.is_none() && count == spans.len() {
        return Ok(());
    }
    if count < spans.len() {
        return Err(Reject::new(line.len(), AS_MANY));
    }
    match split_words(line, start, spans, date, true) {
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
    date: Option<usize>,
    quotes: bool,
) -> (usize, Option<usize>) {
    let mut at = skip_blanks(line, start);
    // After this position no quote closes a value, so the search is not repeated.
    let mut closable = line.len();
    let mut count = 0;
    while count < spans.len() {
        if at == line.len() {
            return (count, None);
        }
        if date == Some(count)
            && line[at] == b'"'
            && let Some(pair) = date_and_time(line, at)
        {
            spans[count..count + 2].copy_from_slice(&pair);
            at = skip_blanks(line, pair[1].end() + 1);
            count += 2;
            continue;
        }
        let mut end = None;
        if quotes && line[at] == b'"' && at < closable {
            end = closing(line, at + 1);
            if end.is_none() {
                closable = at;
            }
        }
        let end = end.unwrap_or_else(|| find_either(line, at, b' ', b'\t'));
        spans[count] = match &line[at..end] {
            [b'"', .., b'"'] => Span::new(at + 1, end - 1),
            _ => Span::new(at, end),
        };
        at = skip_blanks(line, end);
        count += 1;
    }
    (count, (at < line.len()).then_some(at))
}

/// The spans of a date and a time that are in quotes together.
fn date_and_time(line: &[u8], quote: usize) -> Option<[Span; 2]> {
    let end_of = |start: usize| {
        let length = line[start..].iter().position(|&byte| matches!(byte, b' ' | b'\t' | b'"'))?;
        (length > 0).then_some(start + length)
    };
    let date = end_of(quote + 1)?;
    let time = skip_blanks(line, date);
    let end = end_of(time)?;
    let is_closed = line[end] == b'"' && matches!(line.get(end + 1), None | Some(b' ' | b'\t'));
    (is_closed && time > date).then(|| [Span::new(quote + 1, date), Span::new(time, end)])
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

/// Durations that Tomcat writes besides `time-taken`.
const TIMES_TAKEN: [(&str, i8); 5] = [
    ("time-taken-fracsec", 0),
    ("time-taken-s", 0),
    ("time-taken-ms", -3),
    ("time-taken-us", -6),
    ("time-taken-ns", -9),
];

/// The type of a time of day, and of a time that may have a date.
const TIME: FieldType = FieldType::Time(TimeFormat::Iso);

impl W3c {
    /// The fields of the columns.
    fn named(&self) -> Vec<FoundField> {
        let has =
            |of: &str| words(&self.names).any(|name| name.eq_ignore_ascii_case(of.as_bytes()));
        let (host, date) = (has("x-host-header"), has("date"));
        let taken = TIMES_TAKEN.iter().find(|(name, _)| has(name));
        let of_name = |written| {
            let written = String::from_utf8_lossy(written);
            let typed = (self.columns == ColumnSource::Given).then(|| super::column(&written, 0));
            let (name, read) = match typed {
                Some(Ok((name, read))) if name.len() < written.len() => (name, Some(read)),
                _ => (&*written, None),
            };
            // If there is a Host header, the domain of the distribution is not the virtual host.
            if host && name.eq_ignore_ascii_case("cs(Host)") {
                return found(name, FieldType::Text, Encoding::Percent);
            }
            let mut field = match taken {
                Some(&(taken, power)) if name.eq_ignore_ascii_case(taken) && !has("time-taken") => {
                    found("request_time", FieldType::Seconds(power), Encoding::Raw)
                }
                _ => column(self.producer, self.unit, name, date),
            };
            field.read = read.unwrap_or(field.read);
            field
        };
        words(&self.names).map(of_name).collect()
    }
}

/// The field of a column with this name in a `#Fields:` line.
fn column(producer: Producer, unit: Option<Unit>, written: &str, date: bool) -> FoundField {
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
        "time" => TIME,
        "timestamp" if !date => FieldType::Time(TimeFormat::Epoch(0)),
        "timestamp(ms)" if !date => FieldType::Time(TimeFormat::Epoch(-3)),
        "time-taken" if producer == Producer::Iis => match unit {
            None => FieldType::TimeTaken,
            Some(Unit::Millis) => FieldType::Seconds(-3),
            Some(Unit::Seconds) => FieldType::Seconds(0),
        },
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
