//! The fields of a line whose format allows any name, besides the standard ones.

use std::collections::BTreeMap;

use memchr::memchr;

use super::access::any_value;
use super::field_type::Encoding;
use super::parsed::Span;
use super::records::decode::decoded;
use super::records::{json_members as members, logfmt};
use super::{Format, LineKind, Matcher, Reader, Value, standard_fields};
use crate::ground::{Kind, lossy};
use crate::text::flume::BatchError;
use crate::text::lines::{Chunk, MAX_LINE_BYTES};

/// A field that no standard field was read from.
#[derive(Clone, Debug)]
pub(crate) struct OwnField {
    name: Span,
    /// Its name, if that is not how the line has it.
    other_name: Option<Box<[u8]>>,
    value: Span,
    encoding: Encoding,
}

/// The fields that a line has.
#[derive(Debug, Default)]
pub(crate) struct LineFields {
    /// For each field of the reader whether the line has it.
    pub(crate) has: Vec<bool>,
    /// The other fields, in the order of the line.
    pub(crate) own: Vec<OwnField>,
}

impl Format {
    /// Whether a line can have fields that the format does not list.
    pub fn has_own_fields(&self) -> bool {
        match &self.0.matcher {
            Matcher::Json(json) => json.lists_own(),
            Matcher::Ltsv(_) | Matcher::Logfmt(_) => true,
            Matcher::Either(formats) => formats.iter().any(Self::has_own_fields),
            _ => false,
        }
    }

    /// The format with the fields that a line has besides.
    pub(crate) fn with_own_fields(&self, line: &[u8]) -> Self {
        let mut names = self.default_names();
        let mut reader = Reader::lenient(self, &refs(&names));
        if reader.read(line).is_err() {
            return self.clone();
        }
        let Some(found) = reader.line_fields(line, names.len()) else { return self.clone() };
        let text = reader.own_text(line);
        let own = found.own.iter().map(|own| own.name(text)).filter(|name| can_be_requested(name));
        names.extend(own.map(|name| lossy(name).into_owned()));
        self.narrowed(&refs(&names))
    }

    /// Calls `take` with the name and the value of each field of a line that matches.
    fn each_member(&self, line: &[u8], take: impl FnMut(Span, Span)) -> Option<Encoding> {
        match &self.0.matcher {
            Matcher::Json(json) if json.lists_own() => {
                members::each(line, take);
                Some(Encoding::Json)
            }
            Matcher::Ltsv(_) => {
                super::records::ltsv_members(line, take);
                Some(Encoding::Raw)
            }
            Matcher::Logfmt(_) => {
                logfmt::each_member(line, take);
                Some(Encoding::Logfmt)
            }
            _ => None,
        }
    }
}

impl Reader {
    /// The fields of the line that was read last, of which the first `fields` of the reader are
    /// those of the format. `None` if its lines have no others.
    pub(crate) fn line_fields(&mut self, line: &[u8], fields: usize) -> Option<LineFields> {
        if let Some(other) = self.matched_alternative() {
            return other.line_fields(line, fields);
        }
        let mut own = Vec::new();
        let text = self.own_text(line);
        let encoding = self.format().each_member(text, |name, value| own.push((name, value)))?;
        let own = own.into_iter().map(|(name, value)| {
            let field = OwnField { name, other_name: None, value, encoding };
            field.with_decoded_name(text)
        });
        let mut own = last_of_each_name(&own.collect::<Vec<_>>(), text);
        let (has, read) = self.spans_read(line, fields);
        let text = self.own_text(line);
        own.retain(|field| {
            let value = field.value;
            let is_part = |span: &Span| value.start() <= span.start() && span.end() <= value.end();
            let first = text.get(value.start());
            let nested = encoding == Encoding::Json && matches!(first, Some(b'{' | b'['));
            nested || !read.iter().any(is_part)
        });
        let mut line_fields = LineFields { has, own };
        self.resolve_names(line, fields, &mut line_fields);
        Some(line_fields)
    }

    /// For each field whether the line has it, and the spans that were read.
    fn spans_read(&mut self, line: &[u8], fields: usize) -> (Vec<bool>, Vec<Span>) {
        let mut read = Vec::new();
        let has = (0..fields).map(|field| {
            let spans = self.spans_of(field);
            // A key with another unit, such as duration_ms, stays beside the field.
            let units = if self.kind(field) == Kind::Float { 1 } else { usize::MAX };
            let own = self.own_span_count(field, units);
            // Text that is not what the field holds stays a field of the line.
            let is_null = self.value(line, field) == Value::Null;
            let text = self.own_text(line);
            let is_none = |span: &&Span| matches!(span.of(text), Some(b"" | b"-"));
            read.extend(spans.iter().take(own).filter(|span| !is_null || is_none(span)));
            !spans.is_empty()
        });
        (has.collect(), read)
    }

    /// Gives each name to one field: a standard field that has no value gives way, and a field of
    /// the line with the name of another standard field is called `own.NAME`.
    fn resolve_names(&mut self, line: &[u8], fields: usize, found: &mut LineFields) {
        for own in &mut found.own {
            let text = self.own_text(line);
            let name = own.name(text);
            let same = (0..fields).find(|&field| self.name(field).as_bytes() == name);
            let Some(field) = same.filter(|&field| found.has[field]) else { continue };
            let other_name = [b"own.", name].concat();
            if self.value(line, field) == Value::Null {
                found.has[field] = false;
            } else {
                own.other_name = Some(other_name.into());
            }
        }
    }
}

/// Returns the fields that the first lines of a chunk have, each with the number of these lines:
/// the standard fields, then the others in the order of their appearance. Those of the others that
/// cannot be requested by their names are called `own.NAME`.
pub fn found_fields(
    chunk: Chunk<'_>,
    format: &Format,
    limit: usize,
) -> Result<Vec<(String, usize)>, BatchError> {
    let names = format.default_names();
    let mut reader = Reader::lenient(format, &refs(&names));
    let mut found: Vec<_> = names.iter().map(|name| (name.clone(), 0)).collect();
    let mut places: BTreeMap<Box<[u8]>, usize> = BTreeMap::new();
    let mut lines = 0;
    chunk.for_each(|line| {
        let is_too_long = line.len() > MAX_LINE_BYTES;
        if lines == limit || is_too_long || reader.read(line) != Ok(LineKind::Fields) {
            return;
        }
        lines += 1;
        let Some(fields) = reader.line_fields(line, names.len()) else {
            found.iter_mut().take(names.len()).for_each(|(_, lines)| *lines += 1);
            return;
        };
        for (place, _) in fields.has.iter().enumerate().filter(|(_, has)| **has) {
            found[place].1 += 1;
        }
        for own in &fields.own {
            let name = own.name(reader.own_text(line));
            let place = places.get(name).copied().unwrap_or_else(|| {
                let prefix = if can_be_requested(name) { "" } else { "own." };
                found.push((format!("{prefix}{}", lossy(name)), 0));
                places.insert(name.into(), found.len() - 1);
                found.len() - 1
            });
            found[place].1 += 1;
        }
    })?;
    found.retain(|(_, lines)| *lines > 0);
    Ok(found)
}

impl OwnField {
    /// Its name; the text is the line without what collectors added.
    pub(crate) fn name<'a>(&'a self, text: &'a [u8]) -> &'a [u8] {
        self.other_name.as_deref().or_else(|| self.name.of(text)).unwrap_or_default()
    }

    fn with_decoded_name(mut self, text: &[u8]) -> Self {
        let raw = self.name.of(text).unwrap_or_default();
        if self.encoding == Encoding::Json && raw.contains(&b'\\') {
            let mut room = Vec::new();
            let name = decoded(self.encoding, raw, text, self.name.start(), &mut room);
            self.other_name = Some(name.into());
        }
        self
    }

    /// Its value; the buffer holds decoded text.
    pub(crate) fn read<'a>(&self, text: &'a [u8], buffer: &'a mut Vec<u8>) -> Value<'a> {
        let raw = self.value.of(text).unwrap_or_default();
        let (raw, start) = match (self.encoding, raw) {
            (Encoding::Json, [b'"', inner @ .., b'"']) => (inner, self.value.start() + 1),
            _ => (raw, self.value.start()),
        };
        any_value(self.encoding, text, start, decoded(self.encoding, raw, text, start, buffer))
    }
}

fn refs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Whether a request for a field of this name reads an own field.
fn can_be_requested(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| {
        standard_fields::standard_field(name).is_none() && !name.starts_with("own.")
    })
}

/// Of the fields with the same name the last one, at the place of the first.
fn last_of_each_name(fields: &[OwnField], text: &[u8]) -> Vec<OwnField> {
    let mut order: Vec<usize> = (0..fields.len()).collect();
    // Stable, so that of equal names the first comes first.
    order.sort_by(|&one, &other| fields[one].name(text).cmp(fields[other].name(text)));
    let mut kept: Vec<_> = fields.iter().map(Some).collect();
    for same in order.chunk_by(|&one, &other| fields[one].name(text) == fields[other].name(text)) {
        if let [first, .., last] = same {
            for &place in same {
                kept[place] = None;
            }
            kept[*first] = Some(&fields[*last]);
        }
    }
    kept.into_iter().flatten().cloned().collect()
}

/// Calls `take` with the pieces of a valid JSON value: the strings, decoded, and what is between
/// them.
pub(crate) fn each_json_piece(text: &[u8], mut take: impl FnMut(&[u8], bool)) {
    let mut start = 0;
    while let Some(quote) = memchr(b'"', &text[start..]).map(|offset| start + offset) {
        take(&text[start..quote], false);
        let mut end = quote + 1;
        while end < text.len() && text[end] != b'"' {
            end += if text[end] == b'\\' { 2 } else { 1 };
        }
        let inner = text.get(quote + 1..end).unwrap_or_default();
        take(decoded(Encoding::Json, inner, text, quote + 1, &mut Vec::new()), true);
        start = (end + 1).min(text.len());
    }
    take(&text[start..], false);
}
