//! Splits chunks into lines.
//!
//! A chunk holds whole lines: newline-separated text, or the events of one Flume call. The source
//! cuts its stream at newlines, so nothing here carries an unfinished line to the next chunk.

use super::flume::{self, BatchError};
use crate::ground::block::Block;

/// The longest line that is parsed, in bytes; longer ones are rejected as `too-long`.
///
/// 64 KiB: web servers cut a request line at 8 KiB (Apache, nginx) and log each byte as up to four
/// (`\xHH`), so a real line stays below 40 KiB; Flume's own default is 2,048 characters.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// The bytes that Python hands to the core in one call.
#[derive(Clone, Copy, Debug)]
pub enum Chunk<'a> {
    /// Newline-terminated lines; the newline of the last one is optional.
    Lines(&'a [u8]),
    /// The encoded parameter of Flume's `appendBatch`: an Avro array of events.
    Batch(&'a [u8]),
    /// The encoded parameter of Flume's `append`: one event.
    Event(&'a [u8]),
}

impl<'a> Chunk<'a> {
    /// Calls `line` for every line in order; an error means that the whole chunk is malformed.
    pub fn for_each(self, mut line: impl FnMut(&'a [u8])) -> Result<(), BatchError> {
        self.for_each_stamped(|body, _| line(body))
    }

    /// Returns the number of lines; a malformed chunk has none.
    pub fn count(self) -> u64 {
        let mut count = 0;
        self.for_each(|_| count += 1).map_or(0, |()| count)
    }

    /// Calls `line` for every line, with the text of its event's `timestamp` header if it has one.
    pub(crate) fn for_each_stamped(
        self,
        mut line: impl FnMut(&'a [u8], Option<&'a [u8]>),
    ) -> Result<(), BatchError> {
        match self {
            Self::Lines(text) => {
                Lines::new(text).for_each(|text| line(text, None));
                Ok(())
            }
            Self::Batch(bytes) => {
                flume::for_each_event(bytes, |event| line(event.body, event.timestamp))
            }
            Self::Event(bytes) => {
                let event = flume::event(bytes, |_| false)?;
                line(event.body, event.timestamp);
                Ok(())
            }
        }
    }

    /// Calls `line` for every line in order, with the texts of the headers `timestamp` and `name`
    /// of its event, as far as it has them.
    pub(crate) fn for_each_sent(
        self,
        name: &[u8],
        mut line: impl FnMut(&'a [u8], Option<&'a [u8]>, Option<&'a [u8]>),
    ) -> Result<(), BatchError> {
        let is_header = |header: &[u8]| header == name;
        match self {
            Self::Lines(_) => self.for_each(|body| line(body, None, None)),
            Self::Batch(bytes) => flume::for_each_event_with(bytes, is_header, |event| {
                line(event.body, event.timestamp, event.header);
            }),
            Self::Event(bytes) => {
                let event = flume::event(bytes, is_header)?;
                line(event.body, event.timestamp, event.header);
                Ok(())
            }
        }
    }
}

/// The lines of a text, without their newlines. What follows the last newline is a line unless it
/// is empty.
///
/// It compares 64 bytes at a time: a memchr call per line costs as much as a short line.
pub(crate) struct Lines<'a> {
    text: &'a [u8],
    /// Where the next line begins.
    start: usize,
    /// Where the next block begins.
    next: usize,
    /// The newlines of the current block that are still to come, one bit each.
    ends: u64,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, start: 0, next: 0, ends: 0 }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        while self.ends == 0 {
            if self.next >= self.text.len() {
                let rest = self.text.get(self.start..).filter(|rest| !rest.is_empty())?;
                self.start = self.text.len();
                return Some(rest);
            }
            self.ends = Block::at(self.text, self.next).places(b'\n');
            self.next += Block::LEN;
        }
        let end = self.next - Block::LEN + self.ends.trailing_zeros() as usize;
        let line = self.text.get(self.start..end);
        self.start = end + 1;
        self.ends &= self.ends - 1;
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<&[u8]> {
        let mut seen = Vec::new();
        Chunk::Lines(text).for_each(|line| seen.push(line)).unwrap();
        seen
    }

    #[test]
    fn the_last_line_needs_no_newline() {
        assert_eq!(lines(b"a\nb"), [b"a", b"b"]);
        assert_eq!(lines(b"a\nb\n"), [b"a", b"b"]);
    }

    #[test]
    fn an_empty_line_is_a_line_but_an_empty_text_has_none() {
        assert_eq!(lines(b"\n\nx"), [&b""[..], b"", b"x"]);
        assert!(lines(b"").is_empty());
    }

    #[test]
    fn a_carriage_return_belongs_to_the_line() {
        assert_eq!(lines(b"a\r\nb"), [&b"a\r"[..], b"b"]);
    }
}
