//! Scanners for fields that end where their own syntax ends.
//!
//! Each stops at the first byte that cannot be part of the field, so it costs no more than the
//! length of the field.

use crate::text::format::numbers::{int, number, numbers, status};
use crate::text::format::time::TimeFormat;
use crate::text::format::whitespace::{is_blank, skip_blanks};

/// Longer than any time format writes.
const LONGEST_TIME: usize = 80;

/// The syntax of a scanned field.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scanner {
    Status,
    Int,
    Number,
    Numbers,
    Time(TimeScanner),
}

impl Scanner {
    pub(super) fn end(&self, line: &[u8], at: usize) -> Option<usize> {
        match self {
            Self::Status => status(line, at),
            Self::Int => int(line, at),
            Self::Number => number(line, at),
            Self::Numbers => numbers(line, at),
            Self::Time(time) => time.end(line, at),
        }
    }

    /// Whether such a field may contain this byte, so that a search for the byte could stop in it.
    /// `None` means a blank.
    pub(super) fn may_contain(&self, byte: Option<u8>) -> bool {
        let byte = byte.unwrap_or(b' ');
        match self {
            Self::Status | Self::Int => byte.is_ascii_digit() || byte == b'-',
            Self::Number => byte.is_ascii_digit() || b"-+.eE".contains(&byte),
            Self::Numbers => byte.is_ascii_digit() || b"-.,: ".contains(&byte),
            Self::Time(time) => time.may_contain(byte),
        }
    }

    pub(super) fn expected(&self) -> &'static str {
        match self {
            Self::Status => "a status of three digits",
            Self::Int => "a whole number",
            Self::Number => "a number",
            Self::Numbers => "a number or a comma-separated list of numbers",
            Self::Time(_) => "a time",
        }
    }
}

/// The bytes of a time in one format, and what ends it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TimeScanner {
    /// The byte that ends it, or `None` for a blank. The end of the line always ends it.
    terminator: Option<u8>,
    /// How many terminators the time itself contains; a run of blanks counts as one.
    inner_terminators: usize,
    /// The bytes it may contain.
    bytes: Box<[bool; 256]>,
}

impl TimeScanner {
    pub(super) fn new(format: Option<&TimeFormat>, terminator: Option<u8>) -> Self {
        let text = match format {
            Some(TimeFormat::Clf | TimeFormat::Any) => "%d/%b/%Y:%T %z",
            Some(TimeFormat::Strftime(text)) => text,
            Some(TimeFormat::Iso | TimeFormat::Epoch(_)) | None => "",
        };
        let text = expanded(text);
        let terminator = terminator.filter(|&byte| !is_blank(byte));
        let inner_terminators = match terminator {
            // `Any` also accepts a bare number, which contains no blank.
            None if matches!(format, Some(TimeFormat::Any)) => 0,
            None => text.split_ascii_whitespace().count().saturating_sub(1),
            Some(byte) => text.bytes().filter(|&found| found == byte).count(),
        };
        let is_bracketed = terminator == Some(b']');
        let mut bytes = Box::new([false; 256]);
        for byte in 0..=u8::MAX {
            bytes[usize::from(byte)] = byte.is_ascii_alphanumeric()
                || b"/:+-.,".contains(&byte)
                || is_bracketed && b"_()".contains(&byte)
                || byte != b'%' && text.as_bytes().contains(&byte)
                || is_blank(byte) && (terminator.is_some() || inner_terminators > 0);
        }
        Self { terminator, inner_terminators, bytes }
    }

    /// Whether a time may contain this byte.
    pub(super) fn may_contain(&self, byte: u8) -> bool {
        self.bytes[usize::from(byte)]
    }

    /// The byte that ends it, or `None` for a blank.
    pub(super) fn terminator(&self) -> Option<u8> {
        self.terminator
    }

    /// Whether it ends at the first byte of this value.
    pub(super) fn ends_before(&self, byte: u8) -> bool {
        self.terminator == Some(byte) && self.inner_terminators == 0
    }

    /// Whether it ends at the first blank.
    pub(super) fn ends_before_blank(&self) -> bool {
        self.terminator.is_none() && self.inner_terminators == 0
    }

    pub(super) fn end(&self, line: &[u8], start: usize) -> Option<usize> {
        let mut inner_terminators = self.inner_terminators;
        let mut at = start;
        while at < line.len() && at <= start + LONGEST_TIME {
            let ends = match self.terminator {
                Some(byte) => line[at] == byte,
                None => is_blank(line[at]),
            };
            if ends && inner_terminators == 0 {
                break;
            }
            if ends {
                inner_terminators -= 1;
                at = if self.terminator.is_none() { skip_blanks(line, at) } else { at + 1 };
            } else if self.may_contain(line[at]) {
                at += 1;
            } else {
                return None;
            }
        }
        (start < at && at <= start + LONGEST_TIME).then_some(at)
    }
}

/// A strftime format with its shorthands expanded.
fn expanded(text: &str) -> String {
    [
        ("%T", "%H:%M:%S"),
        ("%R", "%H:%M"),
        ("%D", "%m/%d/%y"),
        ("%F", "%Y-%m-%d"),
        ("%c", "%a %b %e %H:%M:%S %Y"),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (short, long)| text.replace(short, long))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_contains_as_many_terminators_as_its_format() {
        let strftime = |text: &str| Some(TimeFormat::Strftime(text.into()));
        for (format, terminator, text, expected) in [
            (Some(TimeFormat::Clf), None, "10/Oct/2000:13:55:36 -0700 x", 26),
            (Some(TimeFormat::Clf), Some(b']'), "10/Oct/2000:13:55:36 -0700] x", 26),
            (Some(TimeFormat::Iso), None, "2015-05-17T10:05:03.120Z x", 24),
            (Some(TimeFormat::Epoch(0)), None, "1431857103.120 x", 14),
            (strftime("%H:%M:%S"), Some(b':'), "10:05:03:x", 8),
            (strftime("%b %e %T"), None, "May  6 07:08:09 x", 15),
            (strftime("%Y_%m_%d"), None, "2015_05_17 x", 10),
        ] {
            let time = TimeScanner::new(format.as_ref(), terminator);
            assert_eq!(time.end(text.as_bytes(), 0), Some(expected), "{text}");
        }
        let time = TimeScanner::new(Some(&TimeFormat::Clf), Some(b']'));
        assert_eq!(time.end(b"10/Oct[2000]", 0), None);
        assert_eq!(time.end(&[b'1'; 81], 0), None);
    }
}
