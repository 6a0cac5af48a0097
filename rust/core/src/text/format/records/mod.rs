//! Formats whose lines or files name their fields: JSON, LTSV, CSV, W3C.

pub(crate) mod days;
pub(crate) mod decode;
mod delimited;
mod find;
mod json;
pub(crate) mod logfmt;
mod ltsv;
mod named;
mod w3c;

#[cfg(test)]
mod tests;

use super::field_type::{Encoding, FieldType};
use super::parsed::{FoundField, Reject, Span};
use super::standard_fields;
use super::template::TemplateError;
use super::time::TimeFormat;
use crate::ground::quoted;

pub(crate) use delimited::Delimited;
pub(crate) use json::members as json_members;
pub(crate) use json::{JSON_KEYS, Json, Wrapped, is_between_objects, push_keys as push_json_keys};
pub(crate) use logfmt::{Logfmt, each_member as logfmt_members};
pub(crate) use ltsv::{Ltsv, each_member as ltsv_members};
pub(crate) use named::RECORD_FORMATS;
pub(crate) use w3c::W3c;

/// The types of columns, as written in `name:type`.
const TYPES: &[(&str, FieldType)] = &[
    ("text", FieldType::Text),
    ("int", FieldType::Int),
    ("float", FieldType::Float),
    ("s", FieldType::Seconds(0)),
    ("ms", FieldType::Seconds(-3)),
    ("us", FieldType::Seconds(-6)),
    ("ns", FieldType::Seconds(-9)),
    ("iso", FieldType::Time(TimeFormat::Iso)),
    ("epoch", FieldType::Time(TimeFormat::Epoch(0))),
    ("epoch_ms", FieldType::Time(TimeFormat::Epoch(-3))),
    ("clf", FieldType::Time(TimeFormat::Clf)),
];

/// Parses a column written as `name` or `name:type` at this offset of a text.
fn column(written: &str, start: usize) -> Result<(&str, FieldType), TemplateError> {
    let error =
        |start: usize, end: usize, message: String| Err(TemplateError { start, end, message });
    let end = start + written.len();
    let (name, read) = if let Some((name, of_type)) = written.rsplit_once(':') {
        let Some((_, read)) = TYPES.iter().find(|known| known.0 == of_type) else {
            let types: Vec<_> = TYPES.iter().map(|known| known.0).collect();
            let message =
                format!("unknown type {}; expected one of {}", quoted(of_type), types.join(", "));
            return error(start + name.len() + 1, end, message);
        };
        (name, read.clone())
    } else {
        (written, standard_type(written))
    };
    if name.trim().is_empty() {
        return error(
            start,
            end,
            "expected a column name; write one, or remove a comma".to_owned(),
        );
    }
    Ok((name, read))
}

/// The type of a standard field; other fields are text.
fn standard_type(name: &str) -> FieldType {
    standard_fields::standard_field(name).map_or(FieldType::Text, |known| known.read.clone())
}

/// The type of a field: that of the standard field, else that of each value.
pub(super) fn own_type(name: &str) -> FieldType {
    standard_fields::standard_field(name).map_or(FieldType::Any, |known| known.read.clone())
}

fn found(name: &str, read: FieldType, encoding: Encoding) -> FoundField {
    FoundField { name: name.into(), read, encoding }
}

/// Calls `work` with this many spans, which are on the stack if there are at most `MANY`.
#[inline]
fn with_spans<const MANY: usize, R>(count: usize, work: impl FnOnce(&mut [Span]) -> R) -> R {
    if count <= MANY { work(&mut [Span::NONE; MANY]) } else { work(&mut vec![Span::NONE; count]) }
}

/// The length of a byte-order mark at the start.
fn bom_len(line: &[u8]) -> usize {
    if line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }
}

/// Whether the line has only blanks.
fn is_blank(line: &[u8]) -> bool {
    line[bom_len(line)..].iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

fn empty_line() -> Reject {
    Reject::new(0, "a line that is not empty")
}
