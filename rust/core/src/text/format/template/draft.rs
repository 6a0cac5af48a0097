//! A template under construction from a pasted format.

use super::super::field_type::FieldType;
use super::super::time::TimeFormat;
use super::caret::printable;
use super::meaning::{self, Meaning};
use super::{Blanks, Part, Slot, Syntax, Template, TemplateError};
use crate::ground::quoted;

/// The result of compiling a pasted format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pasted {
    /// Literals and fields.
    Template(Template),
    /// One JSON object a line: the name, the path and the type of each field.
    Json(Vec<(String, Vec<String>, FieldType)>),
}

/// More fields than any real format has. A limit, because naming them takes quadratic time.
pub(super) const MAX_FIELDS: usize = 256;

pub(super) fn error(place: (usize, usize), message: impl Into<String>) -> TemplateError {
    // The message may quote control characters of the format.
    TemplateError { start: place.0, end: place.1, message: printable(&message.into()) }
}

/// The character at this byte, in quotes.
pub(super) fn quoted_char(text: &str, at: usize) -> String {
    match text.get(at..).and_then(|rest| rest.chars().next()) {
        Some(other) => quoted(other.encode_utf8(&mut [0; 4])),
        None => "the end of the text".to_owned(),
    }
}

/// The text after leading comments.
pub(super) fn skip_comments(text: &str) -> &str {
    let mut text = text.trim_start();
    while text.starts_with('#') {
        text = text.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
    }
    text
}

/// Rejects text after a directive, except comments.
pub(super) fn reject_trailing(
    text: &str,
    start: usize,
    directive: &str,
) -> Result<(), TemplateError> {
    let rest = skip_comments(&text[start..]);
    if rest.is_empty() {
        return Ok(());
    }
    let start = text.len() - rest.len();
    let end = start + rest.find('\n').unwrap_or(rest.len());
    Err(error(
        (start, end),
        format!("unexpected text after the directive; paste only one {directive}"),
    ))
}

/// A parameter of a directive.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) body: Body,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The text of a format, without the quotes and escapes of the configuration around it.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    /// The position of each byte in the pasted text.
    places: Vec<(usize, usize)>,
}

impl Body {
    /// A piece of a text, unchanged.
    pub(super) fn verbatim(text: &str, start: usize, end: usize) -> Self {
        let mut body = Self::default();
        for (at, &byte) in text.as_bytes()[start..end].iter().enumerate() {
            body.push(byte, start + at, start + at + 1);
        }
        body
    }

    pub(super) fn push(&mut self, byte: u8, start: usize, end: usize) {
        self.bytes.push(byte);
        self.places.push((start, end));
    }

    pub(super) fn append(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
        self.places.extend_from_slice(&other.places);
    }

    /// The start and end of these bytes in the pasted text.
    pub(super) fn place(&self, start: usize, end: usize) -> (usize, usize) {
        let end_of_all = self.places.last().map_or(0, |place| place.1);
        let first = self.places.get(start).map_or(end_of_all, |place| place.0);
        let last = end.checked_sub(1).and_then(|last| self.places.get(last));
        (first, last.map_or(first, |place| place.1).max(first))
    }

    /// The bytes from `start` up to `end`, with their positions.
    pub(super) fn slice(&self, start: usize, end: usize) -> Self {
        Self { bytes: self.bytes[start..end].to_vec(), places: self.places[start..end].to_vec() }
    }

    pub(super) fn get(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// The text between two character boundaries.
    pub(super) fn text(&self, start: usize, end: usize) -> String {
        String::from_utf8_lossy(&self.bytes[start..end.min(self.bytes.len())]).into_owned()
    }

    /// The end of the character that begins here.
    pub(super) fn after_character(&self, at: usize) -> usize {
        let more = self.bytes.iter().skip(at + 1).take_while(|&&byte| byte & 0xc0 == 0x80).count();
        (at + 1 + more).min(self.bytes.len())
    }

    /// Drops blanks at both ends, which come from pasting.
    pub(super) fn trimmed(mut self) -> Self {
        let end = self.bytes.trim_ascii_end().len();
        self.bytes.truncate(end);
        self.places.truncate(end);
        let lead = end - self.bytes.trim_ascii_start().len();
        self.bytes.drain(..lead);
        self.places.drain(..lead);
        self
    }
}

/// The parts of a template whose fields have no names yet.
#[derive(Debug, Default)]
pub(super) struct Draft {
    parts: Vec<DraftPart>,
}

#[derive(Debug)]
enum DraftPart {
    Literal(Vec<u8>),
    Field(Meaning, (usize, usize)),
}

impl Draft {
    pub(super) fn literal(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if let Some(DraftPart::Literal(literal)) = self.parts.last_mut() {
            literal.extend_from_slice(bytes);
        } else {
            self.parts.push(DraftPart::Literal(bytes.to_vec()));
        }
    }

    /// Adds a field. Adjacent parts of a time become one field.
    pub(super) fn field(&mut self, meaning: Meaning, written: (usize, usize)) {
        if let Some(DraftPart::Field(before, place)) = self.parts.last_mut()
            && let Some(joined) = joined(before, &meaning)
        {
            *before = joined;
            place.1 = written.1;
            return;
        }
        self.parts.push(DraftPart::Field(meaning, written));
    }

    /// Whether the last part ends with a space.
    pub(super) fn ends_blank(&self) -> bool {
        matches!(self.parts.last(), Some(DraftPart::Literal(literal)) if literal.ends_with(b" "))
    }

    pub(super) fn meanings(&mut self) -> impl Iterator<Item = &mut Meaning> {
        self.parts.iter_mut().filter_map(|part| match part {
            DraftPart::Field(meaning, _) => Some(meaning),
            DraftPart::Literal(_) => None,
        })
    }

    /// Names the fields and returns the template, unless the border of adjacent fields is
    /// ambiguous.
    pub(super) fn finish(mut self, text: &str) -> Result<Template, TemplateError> {
        let trailing_blanks = self.trim_end();
        self.check(text)?;
        if self.meanings().count() > MAX_FIELDS {
            return Err(too_many((0, text.len())));
        }
        let mut meanings: Vec<Meaning> = self.meanings().map(|meaning| meaning.clone()).collect();
        let names = meaning::assign_names(&mut meanings);
        let mut fields = names.into_iter().zip(meanings);
        let parts = self.parts.into_iter().filter_map(|part| match part {
            DraftPart::Literal(literal) => Some(Part::Literal(literal)),
            DraftPart::Field(_, written) => {
                fields.next().map(|(name, Meaning { syntax, read, .. })| {
                    Part::Field(Slot { name, syntax, read, written })
                })
            }
        });
        let parts = parts.collect();
        Ok(Template { parts, blanks: Blanks::Exact, trailing_blanks, ..Template::default() })
    }

    /// Drops blanks at the end, because lines are trimmed before they are matched. Returns how many
    /// they were, without line ends.
    fn trim_end(&mut self) -> usize {
        let Some(DraftPart::Literal(literal)) = self.parts.last_mut() else { return 0 };
        let text = literal.trim_ascii_end().len();
        let blanks = literal[text..].iter().take_while(|byte| **byte == b' ').count();
        literal.truncate(text);
        if literal.is_empty() {
            self.parts.pop();
        }
        blanks
    }

    /// Rejects adjacent fields, unless the first has a fixed length.
    fn check(&self, text: &str) -> Result<(), TemplateError> {
        for pair in self.parts.windows(2) {
            let [DraftPart::Field(first, left), DraftPart::Field(_, right)] = pair else {
                continue;
            };
            if first.syntax == Syntax::Status {
                continue;
            }
            let write = |place: &(usize, usize)| text.get(place.0..place.1).unwrap_or_default();
            let (first, second) = (write(left), write(right));
            let why = if left.1 < right.0 {
                format!(
                    "{first} and {second} are adjacent, because the quoted strings are joined \
                     without a space; end the first string with a space"
                )
            } else {
                format!(
                    "{first} and {second} are adjacent, so the end of {first} is ambiguous; put a \
                     space or another character between them"
                )
            };
            return Err(error((left.0, right.1), why));
        }
        Ok(())
    }
}

pub(super) fn too_many(place: (usize, usize)) -> TemplateError {
    error(place, format!("too many fields: the limit is {MAX_FIELDS}"))
}

/// The meaning of two adjacent parts of a time, if they can be parsed as one.
fn joined(first: &Meaning, second: &Meaning) -> Option<Meaning> {
    let (FieldType::Time(before), FieldType::Time(after)) = (&first.read, &second.read) else {
        return None;
    };
    if first.standard != second.standard || first.syntax != second.syntax {
        return None;
    }
    let format = match (before, after) {
        (TimeFormat::Epoch(0), TimeFormat::Strftime(fraction)) if &**fraction == "%3f" => {
            TimeFormat::Epoch(-3)
        }
        (TimeFormat::Epoch(0), TimeFormat::Strftime(fraction)) if &**fraction == "%6f" => {
            TimeFormat::Epoch(-6)
        }
        (TimeFormat::Strftime(before), TimeFormat::Strftime(after)) => {
            TimeFormat::Strftime(format!("{before}{after}").into())
        }
        _ => return None,
    };
    Some(Meaning { read: FieldType::Time(format), ..first.clone() })
}
