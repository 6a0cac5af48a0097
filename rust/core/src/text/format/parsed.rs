//! Where the fields of a line stand, and where it stops being one.

use super::field_type::{Encoding, FieldType};
use super::whitespace::ByteRange;

/// A piece of a line, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// No piece at all, which is not the same as an empty one.
    pub(crate) const NONE: Self = Self { start: u32::MAX, end: 0 };

    /// From one byte up to another; lines are shorter than four billion bytes.
    #[expect(clippy::cast_possible_truncation, reason = "lines have a limit far below")]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// The same piece in a text that has the line from this place on.
    #[inline]
    pub(crate) fn moved(self, offset: u32) -> Self {
        Self { start: self.start.saturating_add(offset), end: self.end + offset }
    }

    /// Whether there is one.
    pub(crate) fn is_some(self) -> bool {
        self.start <= self.end
    }

    /// Where it begins.
    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    /// Where it ends.
    pub(crate) fn end(self) -> usize {
        self.end as usize
    }

    /// The piece of this line.
    pub(crate) fn of(self, line: &[u8]) -> Option<&[u8]> {
        line.get(self.start as usize..self.end as usize)
    }
}

impl From<ByteRange> for Span {
    fn from((start, end): ByteRange) -> Self {
        Self::new(start, end)
    }
}

/// A line that is not of its format: from which byte on, and what was expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    byte: usize,
    expected: &'static str,
}

impl Reject {
    /// What was expected is a noun for people: `"a status of three digits"`.
    pub(crate) fn new(byte: usize, expected: &'static str) -> Self {
        Self { byte, expected }
    }

    pub(crate) fn at(byte: usize) -> Self {
        Self { byte, expected: "" }
    }

    /// Offset in the line.
    pub fn byte(self) -> usize {
        self.byte
    }

    /// What should have been there.
    pub fn expected(self) -> &'static str {
        self.expected
    }
}

/// What a line turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A line of the log; its spans are set.
    Fields,
    /// A line about the log: a comment, or one that names the columns.
    Header,
}

/// A field that a matcher finds, in the order of its spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundField {
    /// One of the names that are the same in all formats, or its own; empty for what is passed
    /// over. Several called `time` are parts of one.
    pub(crate) name: Box<str>,
    /// How its text is read.
    pub(crate) read: FieldType,
    /// How its text is written.
    pub(crate) encoding: Encoding,
}
