//! Formats that are a sequence of literal bytes and fields.
//!
//! What an nginx `log_format`, an Apache `LogFormat`, a GoAccess string and our own `{field}`
//! templates compile to, and what most named formats are made of.

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

/// A format as a sequence of parts, whatever language it was written in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Template {
    /// Literals and fields, in the order of the line. No two literals stand side by side.
    pub(crate) parts: Vec<Part>,
    /// Whether more may follow at the end of a line, behind a blank: formats that grow columns.
    pub(crate) open: bool,
    /// The literals before which a line may end: columns that older lines lack.
    pub(crate) ends: Vec<usize>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Bytes that stand there. A blank stands for one blank or more.
    Literal(Vec<u8>),
    /// A field.
    Field(Slot),
}

/// A field of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Its name: one of the names that are the same in all formats, or its own.
    /// Empty for what is passed over.
    pub(crate) name: String,
    /// What its text may look like.
    pub(crate) syntax: Syntax,
    /// How its text is read.
    pub(crate) read: FieldType,
    /// Where in the text of the template it was written, in bytes: start and end.
    pub(crate) written: (usize, usize),
}

/// What the text of a field may look like. Which bytes end it is for the literal behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// No blanks, at least one byte.
    Word,
    /// Anything, blanks and nothing included. Between quotes a backslash escapes.
    Free,
    /// A status of three digits, or `-`.
    Status,
    /// Digits, at most eighteen, with a minus in front or none; or `-`.
    Int,
    /// Digits with a point, a minus, an exponent; or `-`.
    Number,
    /// Numbers or `-`, with commas, colons and blanks between them, as nginx lists upstreams.
    Numbers,
    /// A time: no more than 64 bytes, and none that cannot be in a time of its format.
    Time,
}

/// What is wrong with a text that should be a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TemplateError {
    /// From which byte of the text on.
    pub(crate) start: usize,
    /// Up to which.
    pub(crate) end: usize,
    /// In words, with what to write instead.
    pub(crate) message: String,
}
