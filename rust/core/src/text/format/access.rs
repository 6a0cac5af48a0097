//! Converts the spans of a line to the value of a field.

use std::sync::Arc;

use super::decimal::{elements, float, is_present, scaled, seconds};
use super::field_type::{Encoding, FieldType};
use super::loose_values::{duration, http_version, is_target};
use super::parsed::FoundField;
use super::records::decode::{csv_number, decoded, is_after_quote, percent, unescape};
use super::records::logfmt;
use super::request_parts::{RequestPart, is_cut, part_of, range_of};
use super::steps::Step;
use super::text_ref::TextRef;
use super::time::{TimeFormat, TimeParser, ZoneTable, read_epoch};
use super::transform::Transform;
use super::{Span, python_whitespace, standard_fields};
use crate::ground::{Kind, Value};

/// Reads the value of one field.
#[derive(Clone, Debug)]
pub(super) struct Accessor {
    source: FieldSource,
    encoding: Encoding,
    transforms: Vec<Transform>,
    /// What the reader computes from the value.
    steps: Vec<Step>,
    /// The accessor to use if the value is missing: a part of the request line, which a line may
    /// have instead.
    fallback: Option<Box<Accessor>>,
}

/// Direct access to the value of a field, for the common kinds of fields.
#[derive(Clone, Copy, Debug)]
pub(super) enum FastAccess {
    /// The text of a span, never null.
    Verbatim(usize),
    /// The text of a span.
    Text(usize),
    /// The name of a user in a span.
    User(usize),
    /// The integer in a span.
    Int(usize),
    /// The time in a span, as a number of seconds times ten to a power.
    Epoch(usize, i32),
    /// A part of the request line in a span.
    Part(usize, usize),
    /// No direct access: use the accessor.
    None,
    /// As `None`, and then the steps.
    Steps,
}

/// Where the text of a field comes from.
#[derive(Clone, Debug)]
enum FieldSource {
    /// The format has the field in some lines, but not in these.
    Missing(Kind),
    /// A span of the line.
    Span(usize, FieldType),
    /// A user's name in a span of the line.
    User(usize),
    /// A time, in one span or several.
    Time(Vec<usize>, TimeParser),
    /// A part of the request line.
    Request(usize, RequestPart),
    /// The second word of the request line, as `str.split()` splits it.
    SecondWord(usize),
    /// A path and a query in separate spans, and whether the query begins with its `?`.
    PathAndQuery(usize, Option<(usize, bool)>),
}

impl FieldSource {
    /// The source of a field that has a span of its own; all spans called `time` are one source.
    fn of(name: &str, found: &[FoundField]) -> Option<Self> {
        let is_part =
            |field: &FoundField| &*field.name == name && matches!(field.read, FieldType::Time(_));
        let parts: Vec<_> = (0..found.len()).filter(|&at| is_part(&found[at])).collect();
        if parts.is_empty() {
            let at = found.iter().position(|field| &*field.name == name)?;
            if name == "user" && found[at].read == FieldType::Text {
                return Some(Self::User(at));
            }
            return Some(Self::Span(at, found[at].read.clone()));
        }
        Some(Self::Time(parts, time_parser(name, found).ok()?))
    }
}

/// Creates the parser for the time of this name.
pub(super) fn time_parser(
    name: &str,
    found: &[FoundField],
) -> Result<TimeParser, (usize, usize, String)> {
    let formats: Vec<TimeFormat> = found
        .iter()
        .filter(|field| &*field.name == name)
        .filter_map(|field| match &field.read {
            FieldType::Time(format) => Some(format.clone()),
            _ => None,
        })
        .collect();
    TimeParser::new(&formats)
}

/// Holds decoded text, and which span was decoded last: several fields come from one request.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    of: Option<usize>,
    /// Holds text that is joined from several spans, until it becomes `bytes`.
    whole: Vec<u8>,
    /// Midnight of the day of the line, for times without a date.
    pub(super) midnight: Option<i64>,
}

impl Buffer {
    /// Prepares for the next line.
    #[inline]
    pub(super) fn invalidate(&mut self) {
        self.of = None;
    }
}

impl Accessor {
    /// Creates the accessor of a field.
    pub(super) fn new(name: &str, found: &[FoundField], classic: bool) -> Option<Self> {
        let index = |name: &str| found.iter().position(|found| &*found.name == name);
        let plain = |source| Self {
            source,
            encoding: Encoding::Raw,
            transforms: Vec::new(),
            steps: Vec::new(),
            fallback: None,
        };
        if classic && name == "url" {
            return index("request").map(|request| plain(FieldSource::SecondWord(request)));
        }
        let request = index("request").filter(|&at| found[at].read == FieldType::Request);
        let path_and_query = || {
            let path = index("path")?;
            let encoding = found[path].encoding;
            let query = index("query").map(|at| (at, found[at].read == FieldType::Query));
            Some(Self { encoding, ..plain(FieldSource::PathAndQuery(path, query)) })
        };
        if let Some(at) = index(name) {
            let FoundField { read, encoding, .. } = &found[at];
            let mut accessor = Self { encoding: *encoding, ..plain(FieldSource::of(name, found)?) };
            let of_url = |transform| Self::new("url", found, classic)?.with(transform);
            let mut fallback = match (RequestPart::from_name(name), name) {
                (Some(part), _) => request.map(|at| Self {
                    encoding: *encoding,
                    fallback: path_and_query().filter(|_| name == "url").map(Box::new),
                    ..plain(FieldSource::Request(at, part))
                }),
                (None, "path") if index("url").or(request).is_some() => of_url(Transform::Path),
                (None, "query") if index("url").or(request).is_some() => of_url(Transform::Query),
                _ => None,
            };
            if matches!(encoding, Encoding::Json | Encoding::Logfmt)
                && !matches!(read, FieldType::Time(_))
            {
                // Fields of one name have different types, such as durations in several units.
                let others = (at + 1..found.len()).rev().filter(|&at| &*found[at].name == name);
                for at in others {
                    let source = FieldSource::Span(at, found[at].read.clone());
                    let fallback_of = fallback.map(Box::new);
                    fallback =
                        Some(Self { encoding: *encoding, fallback: fallback_of, ..plain(source) });
                }
            }
            accessor.fallback = fallback.map(Box::new);
            debug_assert_eq!(read.kind(), accessor.kind());
            return Some(accessor);
        }
        if classic {
            return None;
        }
        let part = RequestPart::from_name(name);
        if let (Some(part), Some(at)) = (part, request) {
            let encoding = found[at].encoding;
            return Some(Self { encoding, ..plain(FieldSource::Request(at, part)) });
        }
        let derived = |base: &str, transform| Self::new(base, found, classic)?.with(transform);
        match name {
            "url" => path_and_query(),
            "path" if index("path").is_none() => derived("url", Transform::Path),
            "query" if index("query").is_none() => derived("url", Transform::Query),
            "status_class" => derived("status", Transform::Class),
            _ => None,
        }
    }

    /// The accessor, and another one for lines without its field.
    pub(super) fn or(mut self, other: Option<Self>) -> Self {
        if self.fallback.is_none() {
            self.fallback = other.map(Box::new);
        }
        self
    }

    /// Adds a transformation, which has to come before other steps.
    pub(super) fn with(mut self, transform: Transform) -> Option<Self> {
        if !self.steps.is_empty() {
            return None;
        }
        self.transforms.push(transform);
        self.fallback = match self.fallback {
            Some(other) => Some(Box::new(other.with(transform)?)),
            None => None,
        };
        Some(self)
    }

    /// Adds a step.
    pub(super) fn with_step(mut self, step: &Step) -> Self {
        self.steps.push(step.clone());
        self.fallback = self.fallback.map(|other| Box::new(other.with_step(step)));
        self
    }

    /// What the reader computes from the value.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether it computes the value of some lines.
    fn has_steps(&self) -> bool {
        !self.steps.is_empty() || self.fallback.as_ref().is_some_and(|other| other.has_steps())
    }

    /// Whether the value without steps is a time.
    pub(super) fn is_time(&self) -> bool {
        matches!(self.source, FieldSource::Time(..))
    }

    /// The accessor of a field that the format does not have in these lines; `own` is the type of
    /// fields that are not standard.
    pub(super) fn missing(name: &str, own: Kind) -> Self {
        let kind = standard_fields::standard_field(name).map_or(own, |known| known.read.kind());
        let source = FieldSource::Missing(kind);
        let (transforms, steps) = (Vec::new(), Vec::new());
        Self { source, encoding: Encoding::Raw, transforms, steps, fallback: None }
    }

    /// Reads times without a zone as those of this one.
    pub(super) fn set_zone(&mut self, zone: &Arc<ZoneTable>) {
        if let FieldSource::Time(_, time_parser) = &mut self.source {
            time_parser.set_zone(zone);
        }
        if let Some(other) = &mut self.fallback {
            other.set_zone(zone);
        }
    }

    /// The type of the values.
    pub(super) fn kind(&self) -> Kind {
        if let Some(step) = self.steps.last() {
            return step.kind();
        }
        match &self.source {
            FieldSource::Missing(kind) => *kind,
            FieldSource::Span(_, read) => read.kind(),
            FieldSource::Time(..) => Kind::Time,
            FieldSource::User(_)
            | FieldSource::Request(..)
            | FieldSource::SecondWord(_)
            | FieldSource::PathAndQuery(..) => Kind::Text,
        }
    }

    /// The index of the span, if the value depends on a single one.
    pub(super) fn single_span(&self) -> Option<usize> {
        match &self.source {
            FieldSource::Span(at, _) => Some(*at),
            FieldSource::Time(parts, _) if parts.len() == 1 => parts.first().copied(),
            _ => None,
        }
    }

    /// The direct access to the value.
    pub(super) fn fast_access(&self) -> FastAccess {
        if self.has_steps() {
            return FastAccess::Steps;
        }
        if !self.is_plain() || self.fallback.is_some() {
            return FastAccess::None;
        }
        match &self.source {
            FieldSource::Span(at, FieldType::Verbatim | FieldType::Any) => {
                FastAccess::Verbatim(*at)
            }
            FieldSource::Span(at, FieldType::Text | FieldType::Request) => FastAccess::Text(*at),
            FieldSource::Span(at, FieldType::Int) => FastAccess::Int(*at),
            FieldSource::User(at) => FastAccess::User(*at),
            FieldSource::Time(..) => self
                .column_of_epoch()
                .map_or(FastAccess::None, |(at, power)| FastAccess::Epoch(at, power)),
            FieldSource::Request(at, part) if *part != RequestPart::Flag => {
                FastAccess::Part(*at, *part as usize)
            }
            _ => FastAccess::None,
        }
    }

    #[inline]
    fn is_plain(&self) -> bool {
        self.transforms.is_empty() && self.encoding == Encoding::Raw
    }

    /// Whether an unquoted text is the value without decoding.
    fn is_column(&self) -> bool {
        let is_bare = matches!(self.encoding, Encoding::Raw | Encoding::Csv);
        let is_whole = self.transforms.is_empty() && self.steps.is_empty();
        is_bare && is_whole && self.fallback.is_none()
    }

    /// The index of the matcher's field, if that is a text that needs no decoding.
    pub(super) fn column_of_text(&self) -> Option<usize> {
        match &self.source {
            FieldSource::Span(at, FieldType::Text) if self.is_column() => Some(*at),
            _ => None,
        }
    }

    /// The index of the matcher's field, if that is a number since the epoch, with the power of ten
    /// of its unit in seconds.
    pub(super) fn column_of_epoch(&self) -> Option<(usize, i32)> {
        match &self.source {
            FieldSource::Time(parts, time_parser) if self.is_column() => {
                let [at] = parts[..] else { return None };
                Some((at, time_parser.epoch()?))
            }
            _ => None,
        }
    }

    /// The indexes of the matcher's fields that the value depends on.
    pub(super) fn needs(&self) -> Vec<usize> {
        let mut needs = match &self.source {
            FieldSource::Missing(_) => Vec::new(),
            FieldSource::Span(at, _)
            | FieldSource::User(at)
            | FieldSource::Request(at, _)
            | FieldSource::SecondWord(at) => vec![*at],
            FieldSource::Time(parts, _) => parts.clone(),
            FieldSource::PathAndQuery(path, query) => {
                query.iter().map(|(at, _)| at).chain([path]).copied().collect()
            }
        };
        needs.extend(self.fallback.iter().flat_map(|other| other.needs()));
        needs
    }

    /// Of these, the indexes of those that hold the value itself or, of a request line, a part.
    pub(super) fn own_spans(&self) -> Vec<usize> {
        let mut spans = Vec::new();
        if self.transforms.is_empty() && self.steps.is_empty() {
            spans = Self { fallback: None, ..self.clone() }.needs();
            spans.extend(self.fallback.iter().flat_map(|other| other.own_spans()));
        }
        spans
    }

    /// The accessor of this field that applies to a line.
    #[inline]
    pub(super) fn of_line(&self, line: &[u8], spans: &[Span]) -> &Self {
        match &self.fallback {
            Some(other) if !self.is_there(line, spans) => other.of_line(line, spans),
            _ => self,
        }
    }

    /// The value in a line that the accessor applies to, without steps; the buffer holds decoded
    /// text.
    #[inline]
    pub(super) fn value<'a>(
        &self,
        line: &'a [u8],
        spans: &[Span],
        buffer: &'a mut Buffer,
    ) -> Value<'a> {
        if self.is_plain() {
            return self.plain(line, spans, buffer);
        }
        self.decoded(line, spans, buffer)
    }

    /// Whether its own span has a value.
    fn is_there(&self, line: &[u8], spans: &[Span]) -> bool {
        let at = match &self.source {
            FieldSource::Request(at, _) => Some(*at),
            _ => self.single_span(),
        };
        let text = at.and_then(|at| spans.get(at)).and_then(|span| span.of(line));
        text.is_some_and(is_present)
    }

    #[inline]
    fn plain<'a>(&self, line: &'a [u8], spans: &[Span], buffer: &'a mut Buffer) -> Value<'a> {
        let raw = |at: usize| spans.get(at).and_then(|span| span.of(line));
        match &self.source {
            FieldSource::Missing(_) => Value::Null,
            FieldSource::Span(at, how) => raw(*at).map_or(Value::Null, |text| read(how, text)),
            FieldSource::User(at) => raw(*at).map_or(Value::Null, user),
            FieldSource::Time(parts, time_parser) => time_parser
                .read_on(buffer.midnight, parts.iter().map(|&at| raw(at)))
                .map_or(Value::Null, Value::Time),
            FieldSource::Request(at, part) => {
                let is_cut = spans.get(*at).is_some_and(|span| is_cut(line, *span));
                raw(*at).map_or(Value::Null, |text| part_of(text, *part, is_cut))
            }
            FieldSource::SecondWord(at) => raw(*at)
                .and_then(|text| python_whitespace::word(text, 1))
                .map_or(Value::Null, Value::Text),
            FieldSource::PathAndQuery(..) => self.decoded(line, spans, buffer),
        }
    }

    /// The path, with the query if there is one.
    fn whole<'a>(
        &self,
        line: &'a [u8],
        spans: &[Span],
        (path, query): (usize, Option<(usize, bool)>),
        buffer: &mut Buffer,
    ) -> Option<TextRef<'a>> {
        let piece = |at: usize| {
            let span = spans.get(at).copied().filter(|span| span.is_some())?;
            Some((span.of(line).filter(|text| is_present(text))?, span.start()))
        };
        let (path, start) = piece(path)?;
        let query = query.and_then(|(at, is_marked)| Some((piece(at)?, is_marked)));
        buffer.of = None;
        let text = decoded(self.encoding, path, line, start, &mut buffer.bytes);
        if query.is_none() && std::ptr::eq(text, path) {
            return Some(TextRef::Line(path));
        }
        buffer.whole.clear();
        buffer.whole.extend_from_slice(text);
        if let Some(((query, start), is_marked)) = query {
            let text = decoded(self.encoding, query, line, start, &mut buffer.bytes);
            buffer.whole.push(b'?');
            buffer.whole.extend_from_slice(if is_marked {
                without_question_mark(text)
            } else {
                text
            });
        }
        std::mem::swap(&mut buffer.bytes, &mut buffer.whole);
        Some(TextRef::Buffer(0, buffer.bytes.len()))
    }

    fn decoded_time(
        &self,
        time_parser: &TimeParser,
        line: &[u8],
        span: Option<&Span>,
        buffer: &mut Buffer,
    ) -> Option<i64> {
        let span = span.copied().filter(|span| span.is_some())?;
        let raw = span.of(line)?;
        buffer.of = None;
        let text = decoded(self.encoding, raw, line, span.start(), &mut buffer.bytes);
        time_parser.read(std::iter::once(Some(text)))
    }

    /// As `plain`, for values that have to be decoded or transformed.
    fn decoded<'a>(&self, line: &'a [u8], spans: &[Span], buffer: &'a mut Buffer) -> Value<'a> {
        let mut text = match &self.source {
            FieldSource::Missing(_) => return Value::Null,
            FieldSource::Span(at, _)
            | FieldSource::User(at)
            | FieldSource::Request(at, _)
            | FieldSource::SecondWord(at) => {
                let Some(span) = spans.get(*at).copied().filter(|span| span.is_some()) else {
                    return Value::Null;
                };
                let raw = span.of(line).unwrap_or_default();
                if buffer.of == Some(*at) {
                    TextRef::Buffer(0, buffer.bytes.len())
                } else {
                    // Text that needs no decoding is not copied.
                    let text = decoded(self.encoding, raw, line, span.start(), &mut buffer.bytes);
                    if std::ptr::eq(text, raw) {
                        TextRef::Line(raw)
                    } else {
                        buffer.of = Some(*at);
                        TextRef::Buffer(0, buffer.bytes.len())
                    }
                }
            }
            FieldSource::Time(parts, time_parser) => {
                let [at] = parts[..] else { return self.plain(line, spans, buffer) };
                let time = self.decoded_time(time_parser, line, spans.get(at), buffer);
                return time.map_or(Value::Null, Value::Time);
            }
            FieldSource::PathAndQuery(path, query) => {
                let Some(url) = self.whole(line, spans, (*path, *query), buffer) else {
                    return Value::Null;
                };
                url
            }
        };
        if let FieldSource::Span(_, FieldType::Quoted) = self.source
            && let [b'"', inner @ .., b'"'] = text.of(&buffer.bytes)
        {
            text = text.cut((1, 1 + inner.len()));
        }
        if let FieldSource::Span(_, FieldType::Protocol) = self.source
            && let Some(version) = http_version(text.of(&buffer.bytes))
        {
            let protocol = [b"HTTP/", version].concat();
            buffer.of = None;
            buffer.bytes = protocol;
            text = TextRef::Buffer(0, buffer.bytes.len());
        }
        if let FieldSource::Request(_, part) = self.source
            && self.encoding == Encoding::Json
            && is_target(text.of(&buffer.bytes))
        {
            // Logstash calls the target of a request `request`.
            if part != RequestPart::Url {
                return Value::Null;
            }
        } else if let FieldSource::Request(at, part) = self.source {
            let is_cut = self.encoding == Encoding::Raw
                && spans.get(at).is_some_and(|span| is_cut(line, *span));
            if part == RequestPart::Flag {
                return part_of(text.of(&buffer.bytes), part, is_cut);
            }
            let Some(range) = range_of(text.of(&buffer.bytes), part, is_cut) else {
                return Value::Null;
            };
            text = text.cut(range);
        }
        for transform in &self.transforms {
            match transform {
                Transform::Class => {}
                Transform::Percent | Transform::Unescape => {
                    let from = text.of(&buffer.bytes).to_vec();
                    text = undone(*transform, &from, buffer);
                }
                slice => match slice.range(text.of(&buffer.bytes)) {
                    Some(range) => text = text.cut(range),
                    None => return Value::Null,
                },
            }
        }
        let text = match text {
            TextRef::Line(text) => text,
            TextRef::Buffer(start, end) => &buffer.bytes[start..end],
        };
        match &self.source {
            FieldSource::Span(at, FieldType::Any) if self.transforms.is_empty() => {
                any_value(self.encoding, line, spans[*at].start(), text)
            }
            FieldSource::Span(_, how) => match read(how, text) {
                Value::Int(status) if self.transforms.contains(&Transform::Class) => {
                    Value::Int(status / 100)
                }
                value => value,
            },
            FieldSource::User(_) => user(text),
            _ => Value::Text(text),
        }
    }
}

/// A text without its escapes, in the buffer.
fn undone<'a>(transform: Transform, from: &[u8], buffer: &mut Buffer) -> TextRef<'a> {
    buffer.of = None;
    let undo = if transform == Transform::Percent { percent } else { unescape };
    let decoded = undo(from, &mut buffer.bytes);
    let len = decoded.len();
    if std::ptr::eq(decoded.as_ptr(), from.as_ptr()) {
        buffer.bytes.clear();
        buffer.bytes.extend_from_slice(from);
    }
    TextRef::Buffer(0, len)
}

/// The decoded value of a field of any type that begins here.
pub(super) fn any_value<'a>(
    encoding: Encoding,
    line: &[u8],
    start: usize,
    text: &'a [u8],
) -> Value<'a> {
    match encoding {
        Encoding::Json if !is_after_quote(line, start) => json_value(text),
        Encoding::Logfmt if logfmt::is_alone(line, start) => Value::Json(b"true"),
        Encoding::Csv => csv_number(text).unwrap_or_else(|| present(text)),
        _ => Value::Text(text),
    }
}

/// The value of JSON text that is not a string.
fn json_value(token: &[u8]) -> Value<'_> {
    match token.first() {
        Some(b'-' | b'0'..=b'9') => Value::of_json_number(token),
        Some(b'n') | None => Value::Null,
        _ => Value::Json(token),
    }
}

/// Converts a raw text to a value.
#[inline]
fn read<'a>(how: &FieldType, text: &'a [u8]) -> Value<'a> {
    match how {
        FieldType::Verbatim | FieldType::Any => Value::Text(text),
        FieldType::Query => present(without_question_mark(text)),
        FieldType::Int => int(without_zero_fraction(text)),
        FieldType::IntList => sum_of_ints(text),
        FieldType::Float => float(text).map_or(Value::Null, Value::Float),
        FieldType::Protocol
            if [&b"http"[..], b"https"].iter().any(|name| text.eq_ignore_ascii_case(name)) =>
        {
            Value::Null
        }
        FieldType::Text | FieldType::Request | FieldType::Protocol | FieldType::Quoted => {
            present(text)
        }
        FieldType::Seconds(power) => {
            seconds(text, *power).or_else(|| duration(text)).map_or(Value::Null, Value::Float)
        }
        FieldType::Duration => duration(text).map_or(Value::Null, Value::Float),
        FieldType::TimeTaken => {
            let power = if text.contains(&b'.') { 0 } else { -3 };
            let number = float(text).filter(|&number| number >= 0.0);
            number.map_or(Value::Null, |number| Value::Float(scaled(number, power)))
        }
        // A `TimeParser` reads these.
        FieldType::Time(_) => Value::Null,
    }
}

/// The query without a leading `?`.
fn without_question_mark(query: &[u8]) -> &[u8] {
    query.strip_prefix(b"?").unwrap_or(query)
}

/// Parses a time written as a number of seconds times ten to a power.
#[inline]
pub(super) fn epoch(text: &[u8], power: i32) -> Value<'_> {
    read_epoch(text, power).map_or(Value::Null, Value::Time)
}

/// Text, or null for the empty text and `-`.
#[inline]
pub(super) fn present(text: &[u8]) -> Value<'_> {
    match text {
        b"" | b"-" => Value::Null,
        text => Value::Text(text),
    }
}

/// The name of a user; Apache writes `""` for an empty name.
#[inline]
pub(super) fn user(text: &[u8]) -> Value<'_> {
    if text == b"\"\"" { Value::Null } else { present(text) }
}

/// A number without a fraction of zeros, with which some programs write every number in JSON.
fn without_zero_fraction(text: &[u8]) -> &[u8] {
    match text.iter().position(|&byte| byte == b'.') {
        Some(dot) if dot + 1 < text.len() && text[dot + 1..].iter().all(|&byte| byte == b'0') => {
            &text[..dot]
        }
        _ => text,
    }
}

/// A decimal integer with an optional sign; null if it has more than 18 digits.
#[inline]
pub(super) fn int(text: &[u8]) -> Value<'_> {
    let (digits, sign) = match text {
        [b'-', digits @ ..] => (digits, -1),
        [b'+', digits @ ..] | digits => (digits, 1),
    };
    if digits.is_empty() || digits.len() > 18 {
        return Value::Null;
    }
    let mut sum = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Value::Null;
        }
        sum = sum * 10 + i64::from(digit);
    }
    Value::Int(sign * sum)
}

impl FieldType {
    /// Whether a text is a value of this type.
    pub(super) fn can_read(&self, text: &[u8]) -> bool {
        read(self, text) != Value::Null
    }
}

/// The sum of a list of integers; null if it is empty, or one of them is not an integer.
fn sum_of_ints(text: &[u8]) -> Value<'_> {
    let mut sum = None;
    for part in elements(text) {
        let Value::Int(number) = int(part) else { return Value::Null };
        let Some(next) = sum.unwrap_or(0_i64).checked_add(number) else { return Value::Null };
        sum = Some(next);
    }
    sum.map_or(Value::Null, Value::Int)
}
