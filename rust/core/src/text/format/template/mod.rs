//! Templates: formats that are a sequence of literal bytes and fields.
//!
//! An nginx `log_format`, an Apache `LogFormat`, a GoAccess `log-format` and our own `{field}`
//! syntax compile to a template, and most named formats are templates.

pub(super) mod apache;
pub(super) mod braces;
pub(super) mod caret;
pub(super) mod draft;
pub(super) mod goaccess;
pub(super) mod language;
mod matcher;
mod meaning;
pub(super) mod nginx;
#[cfg(test)]
mod spec_errors;
#[cfg(test)]
mod testing;

pub(crate) use matcher::{Matcher, is_combined};

use super::field_type::FieldType;

/// A format as a sequence of parts, independent of the language it was written in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Template {
    /// Literals and fields, in the order of the line. No two literals are adjacent.
    pub(crate) parts: Vec<Part>,
    /// Whether a blank and more text may follow at the end of a line, for formats that add columns
    /// over time.
    pub(crate) open_ended: bool,
    /// The indices of the literals before which a line may end, because older lines lack the
    /// columns after them.
    pub(crate) may_end_before: Vec<usize>,
    /// How blanks are read, and with them unquoted values.
    pub(crate) blanks: Blanks,
    /// How many blanks a line has after its last field.
    pub(crate) trailing_blanks: usize,
    /// Whether values are written as they are, without escapes: a backslash is text.
    pub(crate) raw: bool,
}

/// How the blanks of a format are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Blanks {
    /// A blank matches one or more. An unquoted value is not empty.
    #[default]
    Runs,
    /// A blank is exactly one, as servers write it, so an unquoted value may be empty. A line that
    /// does not match this way is read with runs.
    Exact,
    /// Runs first, because people align columns, then exactly one.
    RunsThenExact,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Bytes that match themselves, except blanks: see `Blanks`.
    Literal(Vec<u8>),
    /// A field.
    Field(Slot),
}

/// A field of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// One of the names that all formats share, or a name of its own. Empty for a skipped field.
    pub(crate) name: String,
    /// The syntax of its text.
    pub(crate) syntax: Syntax,
    /// How its text is parsed.
    pub(crate) read: FieldType,
    /// Its start and end in the text of the format, in bytes.
    pub(crate) written: (usize, usize),
}

/// The syntax of a field's text. The literal after the field determines which bytes end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// At least one byte, no blanks.
    Word,
    /// Any text, also with blanks or empty. Between quotes a backslash escapes.
    Free,
    /// As `Free`; a bare `-` may replace it and the quotes around it.
    FreeOrDash,
    /// As `Free`, between quotes, without an unescaped quote.
    Unquoted,
    /// As `Unquoted`, but only a quote that ends the field has ` "` after it.
    OneQuoted,
    /// Text up to the end of the line, which was cut off within quotes: without a quote.
    Cut,
    /// A three-digit status, or `-`.
    Status,
    /// At most eighteen digits with an optional minus sign, or `-`.
    Int,
    /// As `Int`, after an optional plus.
    Signed,
    /// A decimal number with an optional minus sign and exponent, or `-`.
    Number,
    /// As `Number`, with a decimal point, or `-`.
    NumberWithPoint,
    /// Numbers or `-`, separated by commas, colons and blanks, as nginx lists upstreams.
    Numbers,
    /// A time: at most 64 bytes, all of them possible in its time format.
    Time,
}

/// An error in the text of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TemplateError {
    /// The byte at which the error starts.
    pub(crate) start: usize,
    /// The byte at which it ends.
    pub(crate) end: usize,
    /// The error in one clause, and how to fix it.
    pub(crate) message: String,
}
