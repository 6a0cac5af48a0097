//! Text that is in a line or was decoded into a buffer.

/// Text in the line, or a range of the buffer.
#[derive(Clone, Copy)]
pub(super) enum TextRef<'a> {
    Line(&'a [u8]),
    Buffer(usize, usize),
}

impl<'a> TextRef<'a> {
    pub(super) fn of<'b>(self, buffer: &'b [u8]) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Line(text) => text,
            Self::Buffer(start, end) => &buffer[start..end],
        }
    }

    pub(super) fn cut(self, (start, end): (usize, usize)) -> Self {
        match self {
            Self::Line(text) => Self::Line(&text[start..end]),
            Self::Buffer(offset, _) => Self::Buffer(offset + start, offset + end),
        }
    }
}
