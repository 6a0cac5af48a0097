//! Parses lines into fields.
//!
//! A *matcher* finds the spans of the fields in a line, without allocating. An *accessor* converts
//! a span to a value when the value is requested. A *reader* is a format with the fields to read.
//! To add a format, add a row to `named`.

mod access;
mod aliases;
mod classic;
mod combined;
mod decimal;
mod diagnose;
mod fast_columns;
mod field_steps;
mod field_type;
mod identity;
mod loose_values;
mod named;
mod numbers;
mod own_fields;
mod parsed;
mod passed_over;
mod prefix;
mod python_whitespace;
mod quotes_and_brackets;
mod reader;
mod records;
mod request_parts;
mod scan;
mod segments;
mod spec;
mod standard_fields;
mod steps;
mod template;
mod text_ref;
mod time;
mod transform;
mod vhost;
mod whitespace;

use std::collections::BTreeSet;
use std::sync::Arc;

use memchr::memchr;

use crate::ground::{Kind, Value, lossy};
use crate::text::flume::BatchError;
use crate::text::lines::Chunk;
use crate::text::lookups::Lookups;

pub(crate) use fast_columns::TextAndTime;
pub use field_steps::StepProblem;
pub use own_fields::found_fields;
pub(crate) use own_fields::{LineFields, each_json_piece};
pub(crate) use records::is_between_objects;
pub(crate) use segments::{PartialMatch, Segment, SegmentKind};

pub use crate::ground::write_iso;
pub use aliases::aliases;
pub use named::NamedFormat;
pub use parsed::{LineKind, Reject};
pub(crate) use reader::LineBlock;
pub use reader::{Reader, UnknownField};
pub use spec::SpecError;
pub use standard_fields::{STANDARD_FIELDS, StandardField};
pub use steps::{STEPS, StepAbout, Topic};
pub use time::ZoneTable;

use access::Accessor;
use fast_columns::FastColumns;
use field_type::{Encoding, FieldType};
use parsed::{FoundField, Span};
use records::days::Days;
use records::{Logfmt, Ltsv};
use whitespace::ByteRange;

/// Parses a time as people write it, in any form that can be recognized.
pub(crate) fn time_of(text: &[u8], zone: Option<&Arc<ZoneTable>>) -> Option<i64> {
    let mut time_parser = time::TimeParser::new(&[time::TimeFormat::Any]).ok()?;
    if let Some(zone) = zone {
        time_parser.set_zone(zone);
    }
    time_parser.read(std::iter::once(Some(text)))
}

/// A compiled log format, and what the user gives beside it; cheap to clone.
#[derive(Clone, Debug)]
pub struct Format(Arc<Inner>, Given);

/// What the user gives beside a format, for its times and the steps of its fields.
#[derive(Clone, Debug, Default)]
struct Given {
    /// The zone of times without one, and of intervals; UTC by default.
    zone: Option<Arc<ZoneTable>>,
    /// The data in which values are looked up.
    lookups: Lookups,
}

#[derive(Debug)]
struct Inner {
    /// What the user wrote: a name or a pasted text.
    spec: Box<str>,
    matcher: Matcher,
    found: Vec<FoundField>,
}

/// Finds the fields of a line.
#[derive(Debug)]
enum Matcher {
    Classic,
    Common,
    Combined,
    Vhost,
    Template(template::Matcher),
    Json(records::Json),
    Ltsv(records::Ltsv),
    Logfmt(records::Logfmt),
    Delimited(records::Delimited),
    W3c(records::W3c),
    /// Tries the formats in order until one matches the line.
    Either(Vec<Format>),
}

/// A field of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name.
    pub name: Box<str>,
    /// The type of its values.
    pub kind: Kind,
    /// Whether it is read only if it is requested by name.
    pub on_demand: bool,
}

/// The parts of a request line, which are fields of every format with a request line.
const REQUEST_PARTS: [&str; 3] = ["method", "url", "protocol"];

/// Fields that can be derived from other fields.
const DERIVED: [&str; 5] = ["request", "path", "query", "status_class", "request_flag"];

impl Format {
    /// The spec that the format was compiled from.
    pub fn spec(&self) -> &str {
        &self.0.spec
    }

    /// Returns whether it is the one whose fields are the text that its regular expression captures.
    pub(crate) fn is_classic(&self) -> bool {
        matches!(self.0.matcher, Matcher::Classic)
    }

    fn of(spec: &str, matcher: Matcher) -> Self {
        let found = matcher.found();
        Self(Arc::new(Inner { spec: spec.into(), matcher, found }), Given::default())
    }

    /// The format with another matcher.
    fn with_matcher(&self, matcher: Matcher) -> Self {
        Self(Self::of(self.spec(), matcher).0, self.1.clone())
    }

    /// The format with this zone for times without one.
    #[must_use]
    pub fn with_zone(&self, zone: &Arc<ZoneTable>) -> Self {
        self.given(&Given { zone: Some(Arc::clone(zone)), ..self.1.clone() })
    }

    /// The format with these data, too, in which values are looked up.
    #[must_use]
    pub fn with_lookups(&self, lookups: &Lookups) -> Self {
        self.given(&Given { lookups: lookups.or(&self.1.lookups), ..self.1.clone() })
    }

    fn given(&self, given: &Given) -> Self {
        let inner = match &self.0.matcher {
            Matcher::Either(formats) => {
                let formats = formats.iter().map(|format| format.given(given)).collect();
                Self::of(self.spec(), Matcher::Either(formats)).0
            }
            _ => Arc::clone(&self.0),
        };
        Self(inner, given.clone())
    }

    /// The zone of its times without one; the standard of W3C logs says that theirs are UTC.
    pub(crate) fn zone(&self) -> Option<&Arc<ZoneTable>> {
        self.1.zone.as_ref().filter(|_| !matches!(self.0.matcher, Matcher::W3c(_)))
    }

    /// The fields of the format, in order; those that are only read on demand come last.
    pub fn fields(&self) -> Vec<Field> {
        let mut seen = BTreeSet::new();
        let mut names = self.own_names();
        names.retain(|name| seen.insert(*name));
        let given = names.len();
        names.extend(DERIVED);
        names
            .iter()
            .enumerate()
            .filter(|&(index, name)| {
                index < given || (!names[..given].contains(name) && self.accessor(name).is_some())
            })
            .filter_map(|(index, &name)| {
                let kind = self.kind(name)?;
                Some(Field { name: name.into(), kind, on_demand: index >= given })
            })
            .collect()
    }

    /// The names of the fields that are read by default.
    pub fn default_names(&self) -> Vec<String> {
        let given = self.fields().into_iter().filter(|field| !field.on_demand);
        given.map(|field| field.name.into()).collect()
    }

    /// The names of the fields in its lines, with the parts of a request instead of the request.
    fn own_names(&self) -> Vec<&str> {
        match &self.0.matcher {
            Matcher::Either(formats) => formats.iter().flat_map(Self::own_names).collect(),
            Matcher::Classic => self.found_names().chain(["url"]).collect(),
            _ => {
                let mut names = Vec::new();
                let has_url = self.index_of("url").is_some() || self.index_of("request").is_some();
                for name in self.found_names() {
                    match name {
                        "request" => names.extend(REQUEST_PARTS),
                        "path" if !has_url => names.extend(["url", "path"]),
                        _ => names.push(name),
                    }
                }
                names
            }
        }
    }

    fn found_names(&self) -> impl Iterator<Item = &str> {
        self.0.found.iter().map(|found| &*found.name).filter(|name| !name.is_empty())
    }

    /// The type of a field's values, if the format has the field.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        match &self.0.matcher {
            Matcher::Either(formats) => formats.iter().find_map(|format| format.kind(name)),
            _ => match self.accessor(name) {
                // The line's own value has whatever type the line gives it.
                Some(accessor) if self.is_other_name(name) && accessor.steps().is_empty() => {
                    Some(self.own_kind())
                }
                Some(accessor) => Some(accessor.kind()),
                None if self.is_open() && !name.is_empty() => {
                    Some(self.missing_accessor(name).kind())
                }
                None => None,
            },
        }
    }

    /// The unit in which lines have a duration, if it is not seconds.
    pub(crate) fn unit(&self, name: &str) -> Option<&'static str> {
        let found = self.0.found.get(self.index_of(name)?)?;
        match found.read {
            FieldType::Seconds(-3) => Some("milliseconds"),
            FieldType::Seconds(-6) => Some("microseconds"),
            FieldType::Seconds(-9) => Some("nanoseconds"),
            _ => None,
        }
    }

    /// Whether the format certainly has a field; `kind` also returns types of fields that it may
    /// have.
    pub fn has(&self, name: &str) -> bool {
        if let Matcher::Either(formats) = &self.0.matcher {
            return formats.iter().any(|format| format.has(name));
        }
        let named_later = self.has_header() && self.0.found.is_empty();
        let of = name.split(':').next().unwrap_or(name);
        self.accessor(name).is_some()
            || (named_later && standard_fields::standard_field(of).is_some())
    }

    /// The index of the first field with this name among those of the matcher.
    fn index_of(&self, name: &str) -> Option<usize> {
        self.0.found.iter().position(|found| &*found.name == name)
    }

    /// The accessor of the field with this name, if there is one. A name may be followed by steps:
    /// `url:noquery`, `path:2`, `referer:host:/24`.
    fn accessor(&self, name: &str) -> Option<Accessor> {
        match self.plain_accessor(name) {
            None => self.stepped_accessor(name),
            // A key of a line that is written like a field with a step comes first.
            Some(own) if self.is_open() && self.index_of(name).is_some() => {
                Some(own.or(self.stepped_accessor(name)))
            }
            Some(accessor) => Some(accessor),
        }
    }

    /// The accessor of the field with this name, without steps.
    fn plain_accessor(&self, name: &str) -> Option<Accessor> {
        let of = |name: &str| Accessor::new(name, &self.0.found, self.is_classic());
        let standard = || of(&aliases::standard_name(name)?);
        let mut accessor = match of(name) {
            Some(own) if self.has_own_fields() => own.or(standard()),
            Some(own) => own,
            None => standard()?,
        };
        if let Some(zone) = self.zone() {
            accessor.set_zone(zone);
        }
        Some(accessor)
    }

    /// Whether a name is another one of a standard field in lines that can have it as their own.
    fn is_other_name(&self, name: &str) -> bool {
        self.has_own_fields()
            && self.index_of(aliases::split_steps(name).0).is_none()
            && aliases::standard_name(name).is_some()
    }

    /// Whether a header in the log can change the columns from now on.
    pub fn has_header(&self) -> bool {
        match &self.0.matcher {
            Matcher::Either(formats) => formats.iter().any(Self::has_header),
            // The first line names them, once.
            Matcher::Delimited(delimited) => delimited.awaits_header(),
            Matcher::W3c(_) => true,
            _ => false,
        }
    }

    /// Whether a line that Docker wrapped in an object is read without the object.
    fn unwraps(&self) -> bool {
        match &self.0.matcher {
            // The classic format accepts exactly what the classic program accepts.
            Matcher::Classic => false,
            Matcher::Json(json) => json.unwraps(),
            _ => true,
        }
    }

    /// The format with the columns that this line names, if it is a header.
    pub(crate) fn with_header(&self, line: &[u8]) -> Option<Self> {
        let mut inner = Vec::new();
        let line = match records::Wrapped::find(line) {
            Some(wrapped) if wrapped.decode(line, &mut inner).is_ok() => &inner,
            _ => line,
        };
        let matcher = match &self.0.matcher {
            Matcher::Either(formats) => {
                let changed: Vec<_> = formats.iter().map(|one| one.with_header(line)).collect();
                if changed.iter().all(Option::is_none) {
                    return None;
                }
                let formats = changed.into_iter().zip(formats);
                Matcher::Either(formats.map(|(new, old)| new.unwrap_or(old.clone())).collect())
            }
            Matcher::Delimited(delimited) => Matcher::Delimited(delimited.with_header(line)?),
            Matcher::W3c(w3c) => Matcher::W3c(w3c.with_header(line)?),
            _ => return None,
        };
        Some(self.with_matcher(matcher))
    }

    /// Whether its lines can have fields of any name.
    pub(crate) fn is_open(&self) -> bool {
        match &self.0.matcher {
            Matcher::Json(json) => json.is_any(),
            Matcher::Ltsv(_) | Matcher::Logfmt(_) => true,
            // Before the header is read, any column may appear.
            Matcher::Delimited(_) | Matcher::W3c(_) => self.0.found.is_empty(),
            _ => false,
        }
    }

    /// The type of fields that are not standard.
    fn own_kind(&self) -> Kind {
        match &self.0.matcher {
            Matcher::Json(_) | Matcher::Ltsv(_) | Matcher::Logfmt(_) | Matcher::Delimited(_) => {
                Kind::Any
            }
            _ => Kind::Text,
        }
    }

    /// The format restricted to what these fields need.
    fn narrowed(&self, names: &[&str]) -> Self {
        let needed = || {
            let mut needed: Vec<&str> = Vec::new();
            for &name in names {
                match self.accessor(name) {
                    Some(accessor) => {
                        needed.extend(accessor.needs().iter().map(|&at| &*self.0.found[at].name));
                    }
                    None => needed.extend([name, aliases::split_steps(name).0]),
                }
                if self.is_other_name(name) {
                    needed.push(aliases::split_steps(name).0);
                }
            }
            needed.sort_unstable();
            needed.dedup();
            needed
        };
        let matcher = match &self.0.matcher {
            Matcher::Json(json) => Matcher::Json(json.narrowed(&needed())),
            Matcher::Ltsv(_) => Matcher::Ltsv(Ltsv::with_fields(&needed())),
            Matcher::Logfmt(_) => Matcher::Logfmt(Logfmt::with_fields(&needed())),
            _ => return self.clone(),
        };
        self.with_matcher(matcher)
    }

    /// Splits a text where its columns change. Returns the offset of each section and its format,
    /// and the format of whatever follows the text.
    pub fn sections(&self, text: &[u8]) -> (Vec<(usize, Self)>, Self) {
        let mut sections = vec![(0, self.clone())];
        let mut following = Following::new(self.clone());
        let mut start = 0;
        // The lines of a W3C header before #Fields have no columns.
        let has_columns = !matches!(self.0.matcher, Matcher::W3c(_));
        let mut has_lines = has_columns;
        while start < text.len() && following.format.has_header() {
            let end = memchr(b'\n', &text[start..]).map_or(text.len(), |length| start + length);
            let line = &text[start..end];
            if following.line(line) {
                let begin = if start == 0 || !has_lines { sections.pop() } else { None };
                let begin = begin.map_or(start, |(begin, _)| begin);
                sections.push((begin, following.format.clone()));
                has_lines = has_columns;
            } else {
                has_lines |= !matches!(
                    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
                    [] | b"\r" | [b'#', ..]
                );
            }
            start = end + 1;
        }
        (sections, following.finish())
    }

    /// The sections of a chunk with their formats, as ranges of its bytes, and the format of what
    /// follows it. A chunk that is not lines is one section.
    pub fn sections_of(&self, chunk: Chunk<'_>) -> (Vec<(ByteRange, Self)>, Self) {
        let text = match chunk {
            Chunk::Lines(text) => text,
            Chunk::Batch(data) | Chunk::Event(data) => {
                let after = self.after(chunk).unwrap_or_else(|_| self.clone());
                return (vec![((0, data.len()), self.clone())], after);
            }
        };
        let (sections, after) = self.sections(text);
        let ends: Vec<_> = sections.iter().skip(1).map(|&(start, _)| start).collect();
        let ranges = sections.into_iter().zip(ends.into_iter().chain([text.len()]));
        (ranges.map(|((start, format), end)| ((start, end), format)).collect(), after)
    }

    /// The format of what follows a chunk.
    fn after(&self, chunk: Chunk<'_>) -> Result<Self, BatchError> {
        let mut following = Following::new(self.clone());
        chunk.for_each(|line| {
            following.line(line);
        })?;
        Ok(following.finish())
    }

    /// Whether the day of a line depends on the lines before it.
    fn needs_days(&self) -> bool {
        match &self.0.matcher {
            Matcher::Either(formats) => formats.iter().any(Self::needs_days),
            Matcher::W3c(w3c) => w3c.time_of_day().is_some() && w3c.days().is_known(),
            _ => false,
        }
    }

    /// The format of lines after those that have reached this day.
    fn with_days(&self, days: Days) -> Self {
        match &self.0.matcher {
            Matcher::W3c(w3c) => self.with_matcher(Matcher::W3c(w3c.with_days(days))),
            _ => self.clone(),
        }
    }

    /// Adds the keys of a line that the format matches and that are not among these, if its lines
    /// name their fields.
    fn push_keys(&self, line: &[u8], keys: &mut Vec<String>, most: usize) {
        let mut push = |key: Span| {
            let key = lossy(key.of(line).unwrap_or_default()).into_owned();
            if keys.len() < most && !keys.contains(&key) {
                keys.push(key);
            }
        };
        match &self.0.matcher {
            Matcher::Json(_) => records::push_json_keys(line, keys, most),
            Matcher::Logfmt(_) => records::logfmt_members(line, |key, _| push(key)),
            Matcher::Ltsv(_) => records::ltsv_members(line, |key, _| push(key)),
            _ => {}
        }
    }

    /// Whether the lines are those of an access log, of which host and time are fields between
    /// others.
    fn is_access_log(&self) -> bool {
        let by_words = matches!(
            self.0.matcher,
            Matcher::Common | Matcher::Combined | Matcher::Vhost | Matcher::Template(_)
        );
        by_words && ["host", "time"].iter().all(|name| self.index_of(name).is_some())
    }

    /// Whether no line begins with a zero byte, so that zeros before a line are no part of it.
    fn skips_holes(&self) -> bool {
        self.is_access_log() || matches!(self.0.matcher, Matcher::Json(_))
    }

    /// A fast matcher, if the lines consist of plain columns.
    fn columns(&self) -> Option<FastColumns> {
        match &self.0.matcher {
            Matcher::Template(template) => template.columns().cloned(),
            Matcher::Delimited(delimited) => delimited.columns(),
            _ => None,
        }
    }

    /// Finds the fields of a line.
    fn split(&self, line: &[u8], spans: &mut [Span]) -> Result<LineKind, Reject> {
        match &self.0.matcher {
            Matcher::Classic => classic::split(line, spans)?,
            Matcher::Common => combined::split_common(line, spans)?,
            Matcher::Combined => combined::split(line, spans)?,
            Matcher::Vhost => vhost::split(line, spans)?,
            Matcher::Template(template) => template.split(line, spans)?,
            Matcher::Ltsv(ltsv) => ltsv.split(line, spans)?,
            Matcher::Logfmt(logfmt) => logfmt.split(line, spans)?,
            Matcher::Json(json) => return json.split(line, spans),
            Matcher::Delimited(delimited) => return delimited.split(line, spans),
            Matcher::W3c(w3c) => return w3c.split(line, spans),
            // A reader tries the alternatives one by one.
            Matcher::Either(_) => return Err(Reject::new(0, "a line of one of the formats")),
        }
        Ok(LineKind::Fields)
    }
}

/// Follows what changes a format from line to line: headers, and the day of times without a date.
struct Following {
    format: Format,
    /// Reads the lines whose times tell the day.
    reader: Option<Reader>,
}

impl Following {
    fn new(format: Format) -> Self {
        let reader = format.needs_days().then(|| Reader::lenient(&format, &[]));
        Self { format, reader }
    }

    /// Goes on to a line. Returns whether it is a header, after which the format is another.
    fn line(&mut self, line: &[u8]) -> bool {
        if self.format.with_header(line).is_none() {
            if let Some(reader) = &mut self.reader {
                // A line that does not match changes nothing.
                let _outcome = reader.read(line);
            }
            return false;
        }
        let format =
            self.reader.take().map_or_else(|| self.format.clone(), |reader| reader.reached());
        *self = Self::new(format.with_header(line).unwrap_or(format));
        true
    }

    /// The format of the next line.
    fn finish(self) -> Format {
        self.reader.map_or(self.format, |reader| reader.reached())
    }
}

impl Matcher {
    /// Its fields, in the order of its spans. Alternatives have their own.
    fn found(&self) -> Vec<FoundField> {
        match self {
            Self::Classic => builtin_fields(true),
            Self::Combined => builtin_fields(false),
            Self::Vhost => vhost::fields(builtin_fields(false)),
            Self::Common => {
                let mut found = builtin_fields(false);
                found.truncate(6);
                found
            }
            Self::Template(template) => template.found().to_vec(),
            Self::Json(json) => json.found().to_vec(),
            Self::Ltsv(ltsv) => ltsv.found().to_vec(),
            Self::Logfmt(logfmt) => logfmt.found().to_vec(),
            Self::Delimited(delimited) => delimited.found().to_vec(),
            Self::W3c(w3c) => w3c.found().to_vec(),
            Self::Either(_) => Vec::new(),
        }
    }
}

/// The fields of the formats with a hand-written matcher.
fn builtin_fields(classic: bool) -> Vec<FoundField> {
    let typed = |read: FieldType| if classic { FieldType::Verbatim } else { read };
    [
        ("host", typed(FieldType::Text)),
        ("user", typed(FieldType::Text)),
        ("time", typed(FieldType::Time(time::TimeFormat::Clf))),
        ("request", typed(FieldType::Request)),
        ("status", typed(FieldType::Int)),
        ("size", typed(FieldType::Int)),
        ("referer", typed(FieldType::Text)),
        ("agent", typed(FieldType::Text)),
    ]
    .map(|(name, read)| FoundField { name: name.into(), read, encoding: Encoding::Raw })
    .into()
}

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;
