//! From the spans of a line to the value of one field.

use super::parsed::Found;
use super::read::{Encoding, Read};
use super::records::decode::{decoded, percent, unescape};
use super::time::{TimeFormat, Timer, read_epoch};
use super::{Span, combined, names, space};
use crate::ground::{Kind, Value};

/// How to get at the value of one field.
#[derive(Clone, Debug)]
pub(super) struct Accessor {
    source: Source,
    encoding: Encoding,
    steps: Vec<Step>,
    /// Where to look if there is nothing: a part of the request line that a line may have instead.
    otherwise: Option<Box<Accessor>>,
}

/// How to get at a value without many questions: nearly all values of nearly all logs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// The text of a span as it stands.
    Verbatim(usize),
    /// The text of a span, or nothing.
    Text(usize),
    /// The name of a user in a span, or nothing.
    User(usize),
    /// The number in a span.
    Int(usize),
    /// The time in a span that is a number of seconds times ten to a power.
    Epoch(usize, i32),
    /// A part of the request line in a span.
    Part(usize, usize),
    /// Through the accessor.
    Long,
}

/// Where the text of a field comes from.
#[derive(Clone, Debug)]
enum Source {
    /// A format that will have it in some of its lines, but not in these.
    Nowhere(Kind),
    /// A piece of the line.
    Span(usize, Read),
    /// A user's name in a piece of the line.
    User(usize),
    /// A time, in one piece or several.
    Time(Vec<usize>, Timer),
    /// A part of the request line.
    Request(usize, Part),
    /// The second word of the request line, as `str.split()` sees it.
    SecondWord(usize),
    /// A path and a query that stand apart, and whether the query has its `?` in front.
    PathAndQuery(usize, Option<(usize, bool)>),
}

/// The first three in the order in which `combined::request` gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Method,
    Url,
    Protocol,
    Flag,
}

impl Part {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "method" => Self::Method,
            "url" => Self::Url,
            "protocol" => Self::Protocol,
            "request_flag" => Self::Flag,
            _ => return None,
        })
    }
}

impl Source {
    /// A field that has a place of its own; all that is called `time` is one.
    fn of(name: &str, found: &[Found]) -> Option<Self> {
        let is_part = |field: &Found| &*field.name == name && matches!(field.read, Read::Time(_));
        let parts: Vec<_> = (0..found.len()).filter(|&at| is_part(&found[at])).collect();
        if parts.is_empty() {
            let at = found.iter().position(|field| &*field.name == name)?;
            if name == "user" && found[at].read == Read::Text {
                return Some(Self::User(at));
            }
            return Some(Self::Span(at, found[at].read.clone()));
        }
        Some(Self::Time(parts, timer(name, found).ok()?))
    }
}

/// Reads the times of this name.
pub(super) fn timer(name: &str, found: &[Found]) -> Result<Timer, (usize, usize, String)> {
    let formats: Vec<TimeFormat> = found
        .iter()
        .filter(|field| &*field.name == name)
        .filter_map(|field| match &field.read {
            Read::Time(format) => Some(format.clone()),
            _ => None,
        })
        .collect();
    Timer::new(&formats)
}

/// What is decoded of a line, and what was decoded last: several fields come from one request.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    of: Option<usize>,
    /// What is put together of several pieces, until it is `bytes`.
    whole: Vec<u8>,
}

impl Buffer {
    /// For the next line.
    #[inline]
    pub(super) fn forget(&mut self) {
        self.of = None;
    }
}

/// What is made of the text of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Without scheme and host, query and fragment.
    Path,
    /// What follows the first `?`.
    Query,
    /// Without what follows the first `?`.
    NoQuery,
    /// The first so many segments of the path.
    Depth(usize),
    /// With `%HH` as the bytes that they stand for.
    Percent,
    /// With `\xHH` and the like as the bytes that they stand for.
    Unescape,
    /// The first digit of three.
    Class,
}

impl Accessor {
    /// The way to the field of this name. A name may have steps behind it: `url:noquery`,
    /// `path:2`, `agent:unescape`.
    pub(super) fn new(name: &str, found: &[Found], classic: bool) -> Option<Self> {
        let place = |name: &str| found.iter().position(|found| &*found.name == name);
        let plain =
            |source| Self { source, encoding: Encoding::Raw, steps: Vec::new(), otherwise: None };
        if classic && name == "url" {
            return place("request").map(|request| plain(Source::SecondWord(request)));
        }
        let request = place("request").filter(|&at| found[at].read == Read::Request);
        if let Some(at) = place(name) {
            let Found { read, encoding, .. } = &found[at];
            let mut accessor = Self { encoding: *encoding, ..plain(Source::of(name, found)?) };
            let of_url = |step| Self::new("url", found, classic)?.with(step);
            accessor.otherwise = match (Part::from_name(name), name) {
                (Some(part), _) => request
                    .map(|at| Self { encoding: *encoding, ..plain(Source::Request(at, part)) }),
                (None, "path") if place("url").or(request).is_some() => of_url(Step::Path),
                (None, "query") if place("url").or(request).is_some() => of_url(Step::Query),
                _ => None,
            }
            .map(Box::new);
            debug_assert_eq!(read.kind(), accessor.kind());
            return Some(accessor);
        }
        if classic {
            return None;
        }
        let part = Part::from_name(name);
        if let (Some(part), Some(at)) = (part, request) {
            let encoding = found[at].encoding;
            return Some(Self { encoding, ..plain(Source::Request(at, part)) });
        }
        let derived = |base: &str, step| Self::new(base, found, classic)?.with(step);
        match name {
            "url" => {
                let path = place("path")?;
                let encoding = found[path].encoding;
                let query = place("query").map(|at| (at, found[at].read == Read::Query));
                Some(Self { encoding, ..plain(Source::PathAndQuery(path, query)) })
            }
            "path" if place("path").is_none() => derived("url", Step::Path),
            "query" if place("query").is_none() => derived("url", Step::Query),
            "status_class" => derived("status", Step::Class),
            _ => {
                let (base, step) = name.rsplit_once(':')?;
                let accessor = derived(base, Step::from_name(step)?)?;
                // Steps are for text.
                let text = Self::new(base, found, classic)?.kind() == Kind::Text;
                text.then_some(accessor)
            }
        }
    }

    /// The same with one more step.
    fn with(mut self, step: Step) -> Option<Self> {
        self.steps.push(step);
        self.otherwise = match self.otherwise {
            Some(other) => Some(Box::new(other.with(step)?)),
            None => None,
        };
        Some(self)
    }

    /// A field that a format has in other lines than these.
    pub(super) fn nowhere(name: &str) -> Self {
        let kind = names::known(name).map_or(Kind::Text, |known| known.read.kind());
        let source = Source::Nowhere(kind);
        Self { source, encoding: Encoding::Raw, steps: Vec::new(), otherwise: None }
    }

    /// The type of the values.
    pub(super) fn kind(&self) -> Kind {
        match &self.source {
            Source::Nowhere(kind) => *kind,
            Source::Span(_, read) => read.kind(),
            Source::Time(..) => Kind::Time,
            Source::User(_)
            | Source::Request(..)
            | Source::SecondWord(_)
            | Source::PathAndQuery(..) => Kind::Text,
        }
    }

    /// The one piece of the line whose text says it all, where there is one.
    pub(super) fn only_span(&self) -> Option<usize> {
        match &self.source {
            Source::Span(at, _) => Some(*at),
            Source::Time(parts, _) if parts.len() == 1 => parts.first().copied(),
            _ => None,
        }
    }

    /// The short way to the value, if there is one.
    pub(super) fn way(&self) -> Way {
        if !self.is_plain() || self.otherwise.is_some() {
            return Way::Long;
        }
        match &self.source {
            Source::Span(at, Read::Verbatim) => Way::Verbatim(*at),
            Source::Span(at, Read::Text | Read::Request) => Way::Text(*at),
            Source::Span(at, Read::Int) => Way::Int(*at),
            Source::User(at) => Way::User(*at),
            Source::Time(..) => {
                self.column_of_epoch().map_or(Way::Long, |(at, power)| Way::Epoch(at, power))
            }
            Source::Request(at, part) if *part != Part::Flag => Way::Part(*at, *part as usize),
            _ => Way::Long,
        }
    }

    #[inline]
    fn is_plain(&self) -> bool {
        self.steps.is_empty() && self.encoding == Encoding::Raw
    }

    /// Whether a text without a quote before it is what it says.
    fn is_column(&self) -> bool {
        let is_bare = matches!(self.encoding, Encoding::Raw | Encoding::Csv);
        is_bare && self.steps.is_empty() && self.otherwise.is_none()
    }

    /// Which of the matcher's fields has the text that it is, where it is one as it stands.
    pub(super) fn column_of_text(&self) -> Option<usize> {
        match &self.source {
            Source::Span(at, Read::Text) if self.is_column() => Some(*at),
            _ => None,
        }
    }

    /// The same of a number since the epoch, with the power of ten that counts seconds.
    pub(super) fn column_of_epoch(&self) -> Option<(usize, i32)> {
        match &self.source {
            Source::Time(parts, timer) if self.is_column() => {
                let [at] = parts[..] else { return None };
                Some((at, timer.epoch()?))
            }
            _ => None,
        }
    }

    /// Which of the matcher's fields it needs.
    pub(super) fn needs(&self) -> Vec<usize> {
        let mut needs = match &self.source {
            Source::Nowhere(_) => Vec::new(),
            Source::Span(at, _)
            | Source::User(at)
            | Source::Request(at, _)
            | Source::SecondWord(at) => vec![*at],
            Source::Time(parts, _) => parts.clone(),
            Source::PathAndQuery(path, query) => {
                query.iter().map(|(at, _)| at).chain([path]).copied().collect()
            }
        };
        needs.extend(self.otherwise.iter().flat_map(|other| other.needs()));
        needs
    }

    /// The value in a line; the buffer is for what has to be decoded.
    #[inline]
    pub(super) fn value<'a>(
        &self,
        line: &'a [u8],
        spans: &[Span],
        buffer: &'a mut Buffer,
    ) -> Value<'a> {
        if let Some(other) = &self.otherwise
            && !self.is_there(line, spans)
        {
            return other.value(line, spans, buffer);
        }
        if self.is_plain() {
            return self.plain(line, spans, buffer);
        }
        self.decoded(line, spans, buffer)
    }

    /// Whether there is something in its own place.
    fn is_there(&self, line: &[u8], spans: &[Span]) -> bool {
        let text = self.only_span().and_then(|at| spans.get(at)).and_then(|span| span.of(line));
        text.is_some_and(is_present)
    }

    #[inline]
    fn plain<'a>(&self, line: &'a [u8], spans: &[Span], buffer: &'a mut Buffer) -> Value<'a> {
        let raw = |at: usize| spans.get(at).and_then(|span| span.of(line));
        match &self.source {
            Source::Nowhere(_) => Value::Null,
            Source::Span(at, how) => raw(*at).map_or(Value::Null, |text| read(how, text)),
            Source::User(at) => raw(*at).map_or(Value::Null, user),
            Source::Time(parts, timer) => {
                timer.read(parts.iter().map(|&at| raw(at))).map_or(Value::Null, Value::Time)
            }
            Source::Request(at, part) => raw(*at).map_or(Value::Null, |text| part_of(text, *part)),
            Source::SecondWord(at) => {
                raw(*at).and_then(|text| space::word(text, 1)).map_or(Value::Null, Value::Text)
            }
            Source::PathAndQuery(..) => self.decoded(line, spans, buffer),
        }
    }

    /// A path with its query, if there is one.
    fn whole<'a>(
        &self,
        line: &'a [u8],
        spans: &[Span],
        (path, query): (usize, Option<(usize, bool)>),
        buffer: &mut Buffer,
    ) -> Option<Text<'a>> {
        let piece = |at: usize| {
            let span = spans.get(at).copied().filter(|span| span.is_some())?;
            Some((span.of(line).filter(|text| is_present(text))?, span.start()))
        };
        let (path, start) = piece(path)?;
        let query = query.and_then(|(at, is_marked)| Some((piece(at)?, is_marked)));
        buffer.of = None;
        let text = decoded(self.encoding, path, line, start, &mut buffer.bytes);
        if query.is_none() && std::ptr::eq(text, path) {
            return Some(Text::Line(path));
        }
        buffer.whole.clear();
        buffer.whole.extend_from_slice(text);
        if let Some(((query, start), is_marked)) = query {
            let text = decoded(self.encoding, query, line, start, &mut buffer.bytes);
            buffer.whole.push(b'?');
            buffer.whole.extend_from_slice(if is_marked { behind_mark(text) } else { text });
        }
        std::mem::swap(&mut buffer.bytes, &mut buffer.whole);
        Some(Text::Buffer(0, buffer.bytes.len()))
    }

    /// As `plain`, for what has to be decoded first, or has steps behind it.
    fn decoded<'a>(&self, line: &'a [u8], spans: &[Span], buffer: &'a mut Buffer) -> Value<'a> {
        let mut text = match &self.source {
            Source::Nowhere(_) => return Value::Null,
            Source::Span(at, _)
            | Source::User(at)
            | Source::Request(at, _)
            | Source::SecondWord(at) => {
                let Some(span) = spans.get(*at).copied().filter(|span| span.is_some()) else {
                    return Value::Null;
                };
                let raw = span.of(line).unwrap_or_default();
                if buffer.of == Some(*at) {
                    Text::Buffer(0, buffer.bytes.len())
                } else {
                    // What stands in the line as it is meant is not copied.
                    let text = decoded(self.encoding, raw, line, span.start(), &mut buffer.bytes);
                    if std::ptr::eq(text, raw) {
                        Text::Line(raw)
                    } else {
                        buffer.of = Some(*at);
                        Text::Buffer(0, buffer.bytes.len())
                    }
                }
            }
            Source::Time(parts, timer) => {
                let [at] = parts[..] else { return self.plain(line, spans, buffer) };
                let span = spans.get(at).copied().filter(|span| span.is_some());
                let time = span.and_then(|span| {
                    let raw = span.of(line)?;
                    buffer.of = None;
                    let text = decoded(self.encoding, raw, line, span.start(), &mut buffer.bytes);
                    timer.read(std::iter::once(Some(text)))
                });
                return time.map_or(Value::Null, Value::Time);
            }
            Source::PathAndQuery(path, query) => {
                let Some(url) = self.whole(line, spans, (*path, *query), buffer) else {
                    return Value::Null;
                };
                url
            }
        };
        if let Source::Request(_, part) = self.source {
            if part == Part::Flag {
                return part_of(text.of(&buffer.bytes), part);
            }
            let Some(place) = place_of(text.of(&buffer.bytes), part) else { return Value::Null };
            text = text.cut(place);
        }
        for step in &self.steps {
            match step {
                Step::Class => {}
                Step::Percent | Step::Unescape => {
                    let from = text.of(&buffer.bytes).to_vec();
                    buffer.of = None;
                    let undo = if *step == Step::Percent { percent } else { unescape };
                    let decoded = undo(&from, &mut buffer.bytes);
                    let len = decoded.len();
                    if std::ptr::eq(decoded.as_ptr(), from.as_ptr()) {
                        buffer.bytes.clear();
                        buffer.bytes.extend_from_slice(&from);
                    }
                    text = Text::Buffer(0, len);
                }
                slice => match slice.place(text.of(&buffer.bytes)) {
                    Some(place) => text = text.cut(place),
                    None => return Value::Null,
                },
            }
        }
        let text = match text {
            Text::Line(text) => text,
            Text::Buffer(start, end) => &buffer.bytes[start..end],
        };
        match &self.source {
            Source::Span(_, how) => match read(how, text) {
                Value::Int(status) if self.steps.contains(&Step::Class) => Value::Int(status / 100),
                value => value,
            },
            Source::User(_) => user(text),
            _ => Value::Text(text),
        }
    }
}

/// Text that stands in the line, or from one place of the buffer up to another.
#[derive(Clone, Copy)]
enum Text<'a> {
    Line(&'a [u8]),
    Buffer(usize, usize),
}

impl<'a> Text<'a> {
    fn of<'b>(self, buffer: &'b [u8]) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Line(text) => text,
            Self::Buffer(start, end) => &buffer[start..end],
        }
    }

    fn cut(self, (start, end): (usize, usize)) -> Self {
        match self {
            Self::Line(text) => Self::Line(&text[start..end]),
            Self::Buffer(offset, _) => Self::Buffer(offset + start, offset + end),
        }
    }
}

impl Step {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "path" => Self::Path,
            "query" => Self::Query,
            "noquery" => Self::NoQuery,
            "decode" => Self::Percent,
            "unescape" => Self::Unescape,
            _ if name.len() <= 2 => Self::Depth(name.parse().ok().filter(|&depth| depth > 0)?),
            _ => return None,
        })
    }

    /// What is left of a text, for the steps that only cut.
    fn place(self, text: &[u8]) -> Option<(usize, usize)> {
        let find = |from: usize, wanted: &[u8]| {
            let found = text[from..].iter().position(|byte| wanted.contains(byte));
            found.map(|offset| from + offset)
        };
        match self {
            Self::Query => find(0, b"?").map(|at| (at + 1, text.len())),
            Self::NoQuery => Some((0, find(0, b"?").unwrap_or(text.len()))),
            Self::Path => {
                let start = path_start(text);
                Some((start, find(start, b"?#").unwrap_or(text.len())))
            }
            Self::Depth(depth) => {
                let start = path_start(text);
                let end = find(start, b"?#").unwrap_or(text.len());
                let mut slashes =
                    (start..end).filter(|&at| at > start && text[at] == b'/').skip(depth - 1);
                Some((start, slashes.next().unwrap_or(end)))
            }
            Self::Percent | Self::Unescape | Self::Class => Some((0, text.len())),
        }
    }
}

/// Where the path of a url begins: behind scheme and host, where they are.
fn path_start(url: &[u8]) -> usize {
    if url.first() == Some(&b'/') {
        return 0;
    }
    let scheme = url.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if scheme == 0 || !url[scheme..].starts_with(b"://") {
        return 0;
    }
    let host = scheme + 3;
    url[host..].iter().position(|byte| b"/?#".contains(byte)).map_or(url.len(), |at| host + at)
}

fn is_present(text: &[u8]) -> bool {
    !text.is_empty() && text != b"-"
}

/// The value of a raw text.
#[inline]
fn read<'a>(how: &Read, text: &'a [u8]) -> Value<'a> {
    match how {
        Read::Verbatim => Value::Text(text),
        Read::Text | Read::Request => present(text),
        Read::Query => present(behind_mark(text)),
        Read::Int => int(text),
        Read::Float => float(text).map_or(Value::Null, Value::Float),
        Read::Seconds(power) => seconds(text, *power).map_or(Value::Null, Value::Float),
        // Read by a timer.
        Read::Time(_) => Value::Null,
    }
}

/// A query without the `?` in front of it, if that is there.
fn behind_mark(query: &[u8]) -> &[u8] {
    query.strip_prefix(b"?").unwrap_or(query)
}

/// A time as a number of seconds times ten to a power.
#[inline]
pub(super) fn epoch(text: &[u8], power: i32) -> Value<'_> {
    read_epoch(text, power).map_or(Value::Null, Value::Time)
}

/// Text, unless it says that there is none.
#[inline]
pub(super) fn present(text: &[u8]) -> Value<'_> {
    match text {
        b"" | b"-" => Value::Null,
        text => Value::Text(text),
    }
}

/// The name of a user; Apache writes `""` for one who gave none.
#[inline]
pub(super) fn user(text: &[u8]) -> Value<'_> {
    if text == b"\"\"" { Value::Null } else { present(text) }
}

/// Decimal digits with a minus or without; what does not fit into 18 of them is null.
#[inline]
pub(super) fn int(text: &[u8]) -> Value<'_> {
    let (digits, sign) = match text {
        [b'-', digits @ ..] => (digits, -1),
        digits => (digits, 1),
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

/// A number as Rust and JSON write it, and no infinity.
fn float(text: &[u8]) -> Option<f64> {
    let is_number =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    if text.is_empty() || text.len() > 64 || !text.iter().all(is_number) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The sum of a list of durations, of which those below zero and `-` are none.
fn seconds(text: &[u8], power: i8) -> Option<f64> {
    let mut sum = None;
    for part in text.split(|byte| matches!(byte, b',' | b':' | b' ')) {
        if !is_present(part) {
            continue;
        }
        let number = float(part)?;
        if number >= 0.0 {
            sum = Some(sum.unwrap_or(0.0) + scaled(number, power));
        }
    }
    sum
}

/// Divided, not multiplied by a fraction, so that 120 ms are 0.12 s to the last bit.
fn scaled(number: f64, power: i8) -> f64 {
    if power == 0 {
        return number;
    }
    let factor = 10_f64.powi(i32::from(power.abs()));
    if power < 0 { number / factor } else { number * factor }
}

fn part_of(request: &[u8], part: Part) -> Value<'_> {
    if part == Part::Flag {
        return match request {
            b"" => Value::Text(b"empty"),
            b"-" => Value::Text(b"missing"),
            _ if combined::request(request)[0].is_none() => Value::Text(b"garbage"),
            _ => Value::Null,
        };
    }
    let [method, url, protocol] = combined::request(request);
    let text = match part {
        Part::Method => method,
        Part::Protocol => protocol,
        Part::Url | Part::Flag => url,
    };
    text.map_or(Value::Null, Value::Text)
}

/// Where method, url and protocol of a request line stand in a line.
#[inline]
pub(super) fn parts_of_request(line: &[u8], request: Span) -> [Span; 3] {
    let Some(text) = request.of(line) else { return [Span::NONE; 3] };
    combined::request(text).map(|part| {
        part.map_or(Span::NONE, |part| {
            let start = request.start() + (part.as_ptr().addr() - text.as_ptr().addr());
            Span::new(start, start + part.len())
        })
    })
}

fn place_of(request: &[u8], part: Part) -> Option<(usize, usize)> {
    let Value::Text(text) = part_of(request, part) else { return None };
    let start = text.as_ptr().addr().checked_sub(request.as_ptr().addr())?;
    Some((start, start + text.len()))
}
