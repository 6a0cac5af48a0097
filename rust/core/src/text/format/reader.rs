//! Reads requested fields of lines.

use std::sync::Arc;

use super::access::{Accessor, Buffer, FastAccess, epoch, int, present, user};
use super::diagnose::diagnose;
use super::fast_columns::TextAndTime;
use super::parsed::LineKind;
use super::prefix::prefix_end;
use super::records::Wrapped;
use super::records::days::{Days, time_of_day};
use super::request_parts::parts_of_request;
use super::segments::{PartialMatch, Segment, SegmentKind};
use super::steps::{self, StepCache};
use super::time::{ZoneTable, parse_bracketed_in, read_epoch};
use super::{Format, Kind, Matcher, REQUEST_PARTS, Reject, Span, Value, vhost};

/// Reads requested fields of lines, one line at a time.
#[derive(Clone, Debug)]
pub struct Reader {
    format: Format,
    names: Vec<Box<str>>,
    accessors: Vec<Accessor>,
    /// The fast access of each accessor.
    fast: Vec<FastAccess>,
    /// What the steps of each field computed.
    computed: Vec<StepCache>,
    spans: Vec<Span>,
    /// The length of a collector's prefix, or `IN_OBJECT`.
    offset: usize,
    /// The line in an object that Docker wrote, without its own prefix; the object, and the length
    /// of that prefix.
    inner: Vec<u8>,
    wrapped: Option<(Wrapped, usize)>,
    /// The parts of the request line, once one of them was requested.
    parts: Option<[Span; 3]>,
    /// The index of the request line, if one of its parts is a field.
    request: Option<usize>,
    /// Holds decoded text.
    buffer: Buffer,
    /// Whether a line can change how the next ones are read.
    has_state: bool,
    days: Days,
    /// The index of a time of day whose day the lines before it tell.
    time_of_day: Option<usize>,
    /// A reader for each alternative of the format, and the one that matched the line.
    alternatives: Vec<Reader>,
    matched: usize,
    /// A cache: consecutive lines mostly have the same time.
    last_text: Vec<u8>,
    last_span: usize,
    last_time: Option<i64>,
}

/// The offset of a line that was in an object: it is beyond the end of any line.
const IN_OBJECT: usize = usize::MAX;

/// The line without what collectors added.
#[inline]
fn own<'a>(line: &'a [u8], offset: usize, inner: &'a [u8]) -> &'a [u8] {
    line.get(offset..).unwrap_or(inner)
}

/// A block of lines whose values are read field by field, which is half the work of reading them
/// line by line.
#[derive(Debug, Default)]
pub(crate) struct LineBlock {
    text: Vec<u8>,
    /// The spans of all fields of each line, and the parts of the request if a field needs them.
    spans: Vec<Span>,
    /// The number of lines.
    pub(crate) len: usize,
}

impl LineBlock {
    /// This many lines stay in the L1 cache.
    pub(crate) const CAPACITY: usize = 64;

    /// Removes all lines.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
        self.len = 0;
    }

    #[inline]
    fn each(&self, at: usize, of: impl Fn(&[u8]) -> Value<'_>, mut take: impl FnMut(Value<'_>)) {
        let width = self.spans.len() / self.len.max(1);
        for line in self.spans.chunks_exact(width.max(1)) {
            take(line[at].of(&self.text).map_or(Value::Null, &of));
        }
    }
}

/// The format has no field of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// The name.
    pub name: String,
}

impl Reader {
    /// Creates a reader of these fields, which are referred to by index from here on.
    pub fn new(format: &Format, names: &[&str]) -> Result<Self, UnknownField> {
        match names.iter().find(|name| format.kind(name).is_none()) {
            Some(&name) => Err(UnknownField { name: name.to_owned() }),
            None => Ok(Self::lenient(format, names)),
        }
    }

    /// As `new`, but a field that the format lacks is null.
    pub fn lenient(format: &Format, names: &[&str]) -> Self {
        if let Matcher::Either(formats) = &format.0.matcher {
            let alternatives = formats.iter().map(|one| Self::lenient(one, names)).collect();
            return Self::with(format, names, alternatives);
        }
        Self::with(&format.narrowed(names), names, Vec::new())
    }

    fn with(format: &Format, names: &[&str], alternatives: Vec<Self>) -> Self {
        let access =
            |name: &&str| format.accessor(name).unwrap_or_else(|| format.missing_accessor(name));
        let accessors: Vec<_> = names.iter().map(access).collect();
        let fast: Vec<_> = accessors.iter().map(Accessor::fast_access).collect();
        let (days, time_of_day) = match &format.0.matcher {
            Matcher::W3c(w3c) => (w3c.days(), w3c.time_of_day()),
            _ => (Days::default(), None),
        };
        let request =
            |way: &FastAccess| if let FastAccess::Part(at, _) = way { Some(*at) } else { None };
        Self {
            format: format.clone(),
            request: fast.iter().find_map(request),
            names: names.iter().map(|&name| name.into()).collect(),
            fast,
            computed: vec![StepCache::default(); names.len()],
            accessors,
            spans: vec![Span::NONE; format.0.found.len()],
            offset: 0,
            inner: Vec::new(),
            wrapped: None,
            parts: None,
            buffer: Buffer::default(),
            has_state: format.has_header(),
            days,
            time_of_day,
            alternatives,
            matched: 0,
            last_text: Vec::new(),
            last_span: 0,
            last_time: None,
        }
    }

    /// Continues with other columns, after a header.
    fn switch_to(&mut self, format: &Format) {
        let names: Vec<_> = self.names.iter().map(|name| &**name).collect();
        *self = Self::lenient(format, &names);
    }

    /// The names of the fields.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// The name of a field.
    pub fn name(&self, field: usize) -> &str {
        &self.names[field]
    }

    /// The type of a field's values.
    pub fn kind(&self, field: usize) -> Kind {
        match self.alternatives.first() {
            Some(_) => self.format.kind(&self.names[field]).unwrap_or(Kind::Text),
            None => self.accessors[field].kind(),
        }
    }

    /// The zone of times without one, if the user gave it.
    pub(crate) fn zone(&self) -> Option<&Arc<ZoneTable>> {
        self.format.1.zone.as_ref()
    }

    /// Reads a line; its values are available until the next one is read.
    #[inline]
    pub fn read(&mut self, line: &[u8]) -> Result<LineKind, Reject> {
        if self.alternatives.is_empty() {
            self.offset = 0;
            self.parts = None;
            self.buffer.invalidate();
            if line.first() == Some(&b'{')
                && let Some(wrapped) = Wrapped::find(line)
                && let Some(found) = self.read_in_object(line, wrapped)
            {
                return found;
            }
            if line.first() == Some(&0) && self.format.skips_holes() {
                return self.read_after_hole(line);
            }
            return self.read_one(line);
        }
        let mut furthest: Option<Reject> = None;
        for (index, other) in self.alternatives.iter_mut().enumerate() {
            match other.read(line) {
                Ok(found) => {
                    self.matched = index;
                    return Ok(found);
                }
                Err(reject) if furthest.is_none_or(|known| known.byte() < reject.byte()) => {
                    furthest = Some(reject);
                }
                Err(_) => {}
            }
        }
        Err(furthest.unwrap_or(Reject::new(0, "a line of one of the formats")))
    }

    /// Goes on to the next line: after a header its columns can be others, after a time its day.
    #[cold]
    fn follow(&mut self, line: &[u8], found: LineKind) {
        if found == LineKind::Header {
            if let Some(format) = self.reached().with_header(line) {
                self.switch_to(&format);
            }
            return;
        }
        if let Matcher::Delimited(_) = self.format.0.matcher {
            // Its first line is no header, so that none follows.
            self.format = self.format.with_header(line).unwrap_or_else(|| self.format.clone());
            self.has_state = false;
            return;
        }
        let Some(at) = self.time_of_day else { return };
        let time = self.spans[at].of(&line[self.offset..]).and_then(time_of_day);
        let midnight = time.and_then(|time| self.days.advance(time));
        if midnight != self.buffer.midnight {
            self.buffer.midnight = midnight;
            self.last_text.clear();
            self.last_time = None;
        }
    }

    /// The format of the lines after those that were read.
    pub(super) fn reached(&self) -> Format {
        if let Matcher::Either(_) = self.format.0.matcher {
            let formats = self.alternatives.iter().map(Self::reached).collect();
            return self.format.with_matcher(Matcher::Either(formats));
        }
        if self.time_of_day.is_some() {
            self.format.with_days(self.days)
        } else {
            self.format.clone()
        }
    }

    /// Reads a line that is not in an object.
    #[inline]
    fn read_one(&mut self, line: &[u8]) -> Result<LineKind, Reject> {
        if line.first() == Some(&b'<') && self.read_after_priority(line) {
            return Ok(LineKind::Fields);
        }
        let found = match self.format.split(line, &mut self.spans) {
            Ok(found) => found,
            Err(reject) => return self.read_after_prefix(line, reject),
        };
        if self.has_state {
            self.follow(line, found);
        }
        Ok(found)
    }

    /// Reads the line in an object that Docker wrote, unless the format reads the object itself.
    #[cold]
    fn read_in_object(
        &mut self,
        line: &[u8],
        wrapped: Wrapped,
    ) -> Option<Result<LineKind, Reject>> {
        if !self.format.unwraps() {
            return None;
        }
        let mut inner = std::mem::take(&mut self.inner);
        let found = wrapped.decode(line, &mut inner).and_then(|()| {
            self.read_one(&inner).map_err(|reject| {
                Reject::new(wrapped.outer_position(line, reject.byte()), reject.expected())
            })
        });
        let is_json = matches!(self.format.0.matcher, Matcher::Json(_));
        if found.is_err() && is_json && !wrapped.is_plain {
            // An object with more keys may be a log entry itself.
            self.offset = 0;
            return None;
        }
        inner.drain(..self.offset.min(inner.len()));
        self.wrapped = Some((wrapped, self.offset));
        self.inner = inner;
        self.offset = IN_OBJECT;
        Some(found)
    }

    /// Reads a line after the zeros that a crash or a truncation left before it.
    #[cold]
    fn read_after_hole(&mut self, line: &[u8]) -> Result<LineKind, Reject> {
        let length = line.iter().take_while(|&&byte| byte == 0).count();
        match self.read_one(&line[length..]) {
            Ok(found) => {
                self.offset += length;
                Ok(found)
            }
            Err(reject) => Err(Reject::new(length + reject.byte(), reject.expected())),
        }
    }

    /// Reads a line of an access log after a syslog priority and header, if it has both.
    ///
    /// Such a line would also match as a whole: in `<190>1 TIME HOST nginx - - - 1.2.3.4 - - [` the
    /// host could be `nginx`.
    #[cold]
    fn read_after_priority(&mut self, line: &[u8]) -> bool {
        if !self.format.is_access_log() {
            return false;
        }
        let Some(offset) = prefix_end(line) else { return false };
        let found = self.format.split(&line[offset..], &mut self.spans);
        if found.is_ok() {
            self.offset = offset;
        }
        found.is_ok()
    }

    /// Reads a line that did not match, without the prefix that a collector may have added.
    #[cold]
    fn read_after_prefix(&mut self, line: &[u8], reject: Reject) -> Result<LineKind, Reject> {
        // The classic format accepts exactly what the classic program accepts.
        if matches!(self.format.0.matcher, Matcher::Classic) {
            return Err(reject);
        }
        let Some(offset) = prefix_end(line) else { return Err(reject) };
        match self.format.split(&line[offset..], &mut self.spans) {
            Ok(LineKind::Fields) => {
                self.offset = offset;
                if self.has_state {
                    self.follow(line, LineKind::Fields);
                }
                Ok(LineKind::Fields)
            }
            Ok(LineKind::Header) => Err(reject),
            Err(further) => Err(Reject::new(offset + further.byte(), further.expected())),
        }
    }

    /// Finds what was expected in a rejected line, where that takes another pass over it. Counting
    /// does not need it, and hostile lines would cost several times as much.
    pub(crate) fn explain_reject(&mut self, line: &[u8], reject: Reject) -> Reject {
        for other in &mut self.alternatives {
            if other.read(line) == Err(reject) {
                return other.explain_reject(line, reject);
            }
        }
        if let Some(wrapped) = Wrapped::find(line).filter(|_| self.format.unwraps()) {
            let mut inner = Vec::new();
            let Ok(()) = wrapped.decode(line, &mut inner) else { return reject };
            let byte = wrapped.inner_position(line, reject.byte());
            let reject = self.explain_one(&inner, Reject::new(byte, reject.expected()));
            return Reject::new(wrapped.outer_position(line, reject.byte()), reject.expected());
        }
        self.explain_one(line, reject)
    }

    fn explain_one(&self, line: &[u8], reject: Reject) -> Reject {
        let offset = prefix_end(line).unwrap_or(0);
        let own = Reject::new(reject.byte().saturating_sub(offset), reject.expected());
        let reject = match self.format.0.matcher {
            Matcher::Combined => diagnose(&line[offset..], own, false),
            Matcher::Common => diagnose(&line[offset..], own, true),
            Matcher::Vhost => vhost::diagnose(&line[offset..], own),
            _ => return reject,
        };
        Reject::new(offset + reject.byte(), reject.expected())
    }

    /// Adds the keys of the line that was read last and that are not among these, if the lines of
    /// the format name their fields.
    pub(crate) fn push_keys(&self, line: &[u8], keys: &mut Vec<String>, most: usize) {
        match self.alternatives.get(self.matched) {
            Some(other) => other.push_keys(line, keys, most),
            None => self.format.push_keys(own(line, self.offset, &self.inner), keys, most),
        }
    }

    /// The segments of the line that was read last, if the format matches it.
    pub(crate) fn segments(&self, line: &[u8]) -> Vec<Segment> {
        if self.offset != IN_OBJECT {
            return self.format.segments(line, self.offset);
        }
        let mut pieces = self.format.segments(&self.inner, 0);
        let piece = |start, end, what| Segment { start, end, what, name: "".into() };
        for piece in &mut pieces {
            piece.start = self.position(line, piece.start);
            piece.end = self.position(line, piece.end);
        }
        pieces.insert(0, piece(0, self.position(line, 0), SegmentKind::Prefix));
        let end = self.position(line, self.inner.len());
        pieces.push(piece(end, line.len(), SegmentKind::Skipped));
        pieces
    }

    /// How much of a line matches the format, if it stops matching at this byte.
    pub(crate) fn partial_match(&self, line: &[u8], byte: usize) -> PartialMatch {
        let mut inner = Vec::new();
        match Wrapped::find(line).filter(|_| self.format.unwraps()) {
            Some(wrapped) if wrapped.decode(line, &mut inner).is_ok() => {
                self.format.partial_match(&inner, wrapped.inner_position(line, byte))
            }
            _ => self.format.partial_match(line, byte),
        }
    }

    /// The position in the line that was read last of a byte of what it is without what collectors
    /// added.
    fn position(&self, line: &[u8], byte: usize) -> usize {
        match self.wrapped {
            Some((wrapped, prefix)) if self.offset == IN_OBJECT => {
                wrapped.outer_position(line, prefix + byte)
            }
            _ => self.offset + byte,
        }
    }

    /// The format of the lines.
    pub(super) fn format(&self) -> &Format {
        &self.format
    }

    /// The reader that the line was read with, if the format has alternatives.
    pub(super) fn matched_alternative(&mut self) -> Option<&mut Self> {
        self.alternatives.get_mut(self.matched)
    }

    /// The line that was read last, without what collectors added.
    pub(crate) fn own_text<'a>(&'a self, line: &'a [u8]) -> &'a [u8] {
        match self.alternatives.get(self.matched) {
            Some(other) => other.own_text(line),
            None => own(line, self.offset, &self.inner),
        }
    }

    /// How many of the spans of a field are among the first ones that it is read from.
    pub(super) fn own_span_count(&self, field: usize, first: usize) -> usize {
        let spans = self.accessors[field].own_spans().into_iter().take(first);
        spans.filter(|&at| self.spans[at].is_some()).count()
    }

    /// The spans of a field in the line that was read last, without those that it is derived from.
    pub(super) fn spans_of(&self, field: usize) -> Vec<Span> {
        let spans = self.accessors[field].own_spans().into_iter().map(|at| self.spans[at]);
        spans.filter(|span| span.is_some()).collect()
    }

    /// The spans of all fields in the line that was read last.
    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The reader that the line was read with, if the format has alternatives.
    pub(super) fn alternative(&self) -> Option<&Self> {
        self.alternatives.get(self.matched)
    }

    /// The value of a field in the line that was read last.
    #[inline]
    pub fn value<'a>(&'a mut self, line: &'a [u8], field: usize) -> Value<'a> {
        let is_slow = matches!(self.fast[field], FastAccess::None | FastAccess::Steps);
        if is_slow || !self.alternatives.is_empty() {
            return self.slow_value(line, field);
        }
        let own = own(line, self.offset, &self.inner);
        let raw = |at: usize| self.spans[at].of(own);
        match self.fast[field] {
            FastAccess::Verbatim(at) => raw(at).map_or(Value::Null, Value::Text),
            FastAccess::Text(at) => raw(at).map_or(Value::Null, present),
            FastAccess::User(at) => raw(at).map_or(Value::Null, user),
            FastAccess::Int(at) => raw(at).map_or(Value::Null, int),
            FastAccess::Epoch(at, power) => raw(at).map_or(Value::Null, |text| epoch(text, power)),
            FastAccess::Part(at, part) => {
                let spans = &self.spans;
                let parts = self.parts.get_or_insert_with(|| parts_of_request(own, spans[at]));
                parts[part].of(own).map_or(Value::Null, Value::Text)
            }
            FastAccess::None | FastAccess::Steps => Value::Null,
        }
    }

    #[inline(never)]
    fn slow_value<'a>(&'a mut self, line: &'a [u8], field: usize) -> Value<'a> {
        if self.matched < self.alternatives.len() {
            return self.alternatives[self.matched].value(line, field);
        }
        if self.has_steps(field) {
            return self.computed_value(line, field);
        }
        self.value_before_steps(line, field)
    }

    /// Whether the value of a field is computed.
    pub(crate) fn has_steps(&self, field: usize) -> bool {
        matches!(self.fast[field], FastAccess::Steps)
    }

    /// The value of a field with steps.
    fn computed_value<'a>(&'a mut self, line: &'a [u8], field: usize) -> Value<'a> {
        let text = own(line, self.offset, &self.inner);
        let accessor = self.accessors[field].of_line(text, &self.spans);
        if accessor.steps().is_empty() {
            return self.value_before_steps(line, field);
        }
        if accessor.is_time() {
            let Some(time) = self.time_before_steps(line, field) else { return Value::Null };
            let text = own(line, self.offset, &self.inner);
            let steps = self.accessors[field].of_line(text, &self.spans).steps();
            return steps::run(steps, Value::Time(time), &mut self.computed[field]);
        }
        let value = accessor.value(text, &self.spans, &mut self.buffer);
        steps::run(accessor.steps(), value, &mut self.computed[field])
    }

    /// The value of a field without its steps, in a line that no alternative has read.
    #[inline]
    fn value_before_steps<'a>(&'a mut self, line: &'a [u8], field: usize) -> Value<'a> {
        let own = own(line, self.offset, &self.inner);
        let accessor = self.accessors[field].of_line(own, &self.spans);
        accessor.value(own, &self.spans, &mut self.buffer)
    }

    /// A fast reader of two fields, a text and a time, where lines consist of plain columns.
    pub(crate) fn text_and_time(&self, text: usize, time: usize) -> Option<TextAndTime> {
        let (text, time) = (self.accessors.get(text)?, self.accessors.get(time)?);
        let columns = self.format.columns().filter(|_| self.alternatives.is_empty())?;
        TextAndTime::new(columns, text.column_of_text()?, time.column_of_epoch()?)
    }

    /// Whether the values of a field can be read later, from a block.
    pub(crate) fn can_defer(&self, field: usize) -> bool {
        let is_quick = self.fast.get(field).is_some_and(|way| {
            !matches!(way, FastAccess::Epoch(..) | FastAccess::None | FastAccess::Steps)
        });
        is_quick && self.alternatives.is_empty() && !self.format.has_header()
    }

    /// Appends the line that was read last to a block.
    pub(crate) fn push_to(&mut self, line: &[u8], block: &mut LineBlock) {
        let own = own(line, self.offset, &self.inner);
        // A line is at most 64 KiB long.
        let Ok(start) = u32::try_from(block.text.len()) else { return };
        block.text.extend_from_slice(own);
        block.spans.extend(self.spans.iter().map(|span| span.moved(start)));
        if let Some(request) = self.request {
            let parts = parts_of_request(own, self.spans[request]);
            block.spans.extend(parts.map(|part| part.moved(start)));
        }
        block.len += 1;
    }

    /// Appends a line without fields to a block.
    pub(crate) fn push_nulls_to(&self, block: &mut LineBlock) {
        let width = self.spans.len() + self.request.map_or(0, |_| REQUEST_PARTS.len());
        block.spans.resize(block.spans.len() + width, Span::NONE);
        block.len += 1;
    }

    /// Calls `take` for the value of a deferrable field in each line of a block.
    #[inline]
    pub(crate) fn block_values(
        &self,
        block: &LineBlock,
        field: usize,
        take: impl FnMut(Value<'_>),
    ) {
        match self.fast[field] {
            FastAccess::Verbatim(at) => block.each(at, |text| Value::Text(text), take),
            FastAccess::Text(at) => block.each(at, present, take),
            FastAccess::User(at) => block.each(at, user, take),
            FastAccess::Int(at) => block.each(at, int, take),
            FastAccess::Part(_, part) => {
                block.each(self.spans.len() + part, |text| Value::Text(text), take);
            }
            FastAccess::Epoch(..) | FastAccess::None | FastAccess::Steps => {}
        }
    }

    /// Where a field begins in the line that was read last, or 0 if it has no span of its own.
    pub(crate) fn field_start(&self, line: &[u8], field: usize) -> usize {
        if let Some(other) = self.alternatives.get(self.matched) {
            return other.field_start(line, field);
        }
        let span = self.accessors[field].single_span().map(|at| self.spans[at]);
        span.filter(|span| span.is_some()).map_or(0, |span| self.position(line, span.start()))
    }

    /// The text from the first to the last span of a field in the line that was read last.
    pub(crate) fn text<'a>(&'a self, line: &'a [u8], field: usize) -> Option<&'a [u8]> {
        if let Some(other) = self.alternatives.get(self.matched) {
            return other.text(line, field);
        }
        let spans = self.accessors[field].needs().into_iter().map(|at| self.spans[at]);
        let spans = spans.filter(|span| span.is_some());
        let range = spans.map(|span| (span.start(), span.end()));
        let (start, end) = range.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))?;
        own(line, self.offset, &self.inner).get(start..end)
    }

    /// The time in the line that was read last, if the field is a time.
    #[inline]
    pub(crate) fn time(&mut self, line: &[u8], field: usize) -> Option<i64> {
        // Parsing a number takes no longer than comparing it with the cached text.
        if let FastAccess::Epoch(at, power) = self.fast[field]
            && self.alternatives.is_empty()
        {
            return read_epoch(self.spans[at].of(own(line, self.offset, &self.inner))?, power);
        }
        self.any_time(line, field)
    }

    #[inline(never)]
    fn any_time(&mut self, line: &[u8], field: usize) -> Option<i64> {
        if let Some(other) = self.alternatives.get_mut(self.matched) {
            return other.time(line, field);
        }
        if self.has_steps(field) {
            let Value::Time(time) = self.computed_value(line, field) else { return None };
            return Some(time);
        }
        self.time_before_steps(line, field)
    }

    #[inline]
    fn time_before_steps(&mut self, line: &[u8], field: usize) -> Option<i64> {
        let at = self.accessors[field].single_span();
        let span = at.map(|at| self.spans[at]);
        if let Some(text) = span.and_then(|span| span.of(own(line, self.offset, &self.inner)))
            && at == Some(self.last_span)
            && text == self.last_text
        {
            return self.last_time;
        }
        let zone = self.format.zone().filter(|_| self.kind(field) == Kind::Text).cloned();
        let time = match self.value_before_steps(line, field) {
            Value::Time(time) => Some(time),
            // In the classic format the time is text like every field.
            Value::Text(text) => parse_bracketed_in(text, zone.as_deref()),
            _ => None,
        };
        if let Some(text) = span.and_then(|span| span.of(own(line, self.offset, &self.inner))) {
            self.last_text.clear();
            self.last_text.extend_from_slice(text);
            self.last_span = at.unwrap_or_default();
            self.last_time = time;
        }
        time
    }
}
