//! The result of matching a line: the spans of its fields, or where it stops matching.

use super::field_type::{Encoding, FieldType};
use super::whitespace::ByteRange;

/// A range of bytes of a line, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// No range at all, which is not the same as an empty one.
    pub(crate) const NONE: Self = Self { start: u32::MAX, end: 0 };

    /// Creates a span; lines are shorter than four billion bytes.
    #[expect(clippy::cast_possible_truncation, reason = "lines have a limit far below")]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// The span in a text that contains the line at this offset.
    #[inline]
    pub(crate) fn moved(self, offset: u32) -> Self {
        Self { start: self.start.saturating_add(offset), end: self.end + offset }
    }

    /// Whether this is a range.
    pub(crate) fn is_some(self) -> bool {
        self.start <= self.end
    }

    /// The first byte.
    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    /// The byte after the last.
    pub(crate) fn end(self) -> usize {
        self.end as usize
    }

    /// The bytes of the span in this line.
    pub(crate) fn of(self, line: &[u8]) -> Option<&[u8]> {
        line.get(self.start as usize..self.end as usize)
    }
}

impl From<ByteRange> for Span {
    fn from((start, end): ByteRange) -> Self {
        Self::new(start, end)
    }
}

/// Why a line does not match a format: the byte where it stops matching, and what was expected
/// there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    byte: usize,
    expected: &'static str,
}

impl Reject {
    /// `expected` is a noun phrase for people, such as `"a status of three digits"`.
    pub(crate) fn new(byte: usize, expected: &'static str) -> Self {
        Self { byte, expected }
    }

    pub(crate) fn at(byte: usize) -> Self {
        Self { byte, expected: "" }
    }

    /// The offset in the line.
    pub fn byte(self) -> usize {
        self.byte
    }

    /// What was expected there.
    pub fn expected(self) -> &'static str {
        self.expected
    }
}

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A log entry; its spans are set.
    Fields,
    /// A comment, or a line that names the columns.
    Header,
}

/// A field that a matcher finds; its index is that of its span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundField {
    /// A standard name or the format's own; empty for text that is skipped. Several fields called
    /// `time` are parts of one time.
    pub(crate) name: Box<str>,
    /// The type as which its text is read.
    pub(crate) read: FieldType,
    /// How its text is encoded.
    pub(crate) encoding: Encoding,
}
