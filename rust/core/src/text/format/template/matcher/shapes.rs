//! Fields that are known by their look: where one that begins here ends.
//!
//! Each stops at the first byte that cannot be part of it, so none costs more than it is long.

use crate::text::format::time::TimeFormat;
use crate::text::format::words::{is_blank, skip_blanks};

/// Eighteen digits always fit into 63 bits.
const MOST_DIGITS: usize = 18;

/// No time is written longer.
const LONGEST_TIME: usize = 64;

/// Three digits, or `-`.
pub(super) fn status(line: &[u8], at: usize) -> Option<usize> {
    match line.get(at..)? {
        [b'-', ..] => Some(at + 1),
        [a, b, c, ..] if a.is_ascii_digit() && b.is_ascii_digit() && c.is_ascii_digit() => {
            Some(at + 3)
        }
        _ => None,
    }
}

/// Digits, perhaps behind a minus, or `-`.
pub(super) fn int(line: &[u8], at: usize) -> Option<usize> {
    let start = at + usize::from(line.get(at) == Some(&b'-'));
    let end = digits(line, start);
    match end - start {
        0 => (start > at).then_some(start),
        1..=MOST_DIGITS => Some(end),
        _ => None,
    }
}

/// Digits with a point, perhaps behind a minus, perhaps with an exponent, or `-`.
pub(super) fn number(line: &[u8], at: usize) -> Option<usize> {
    let end = decimal(line, at)?;
    if end == at + 1 && line[at] == b'-' || !matches!(line.get(end), Some(b'e' | b'E')) {
        return Some(end);
    }
    let signed = end + 1 + usize::from(matches!(line.get(end + 1), Some(b'+' | b'-')));
    let behind = digits(line, signed);
    Some(if behind > signed { behind } else { end })
}

/// Numbers with commas and colons between them, blanks around these.
pub(super) fn numbers(line: &[u8], at: usize) -> Option<usize> {
    let mut end = decimal(line, at)?;
    loop {
        let mark = behind_blanks(line, end);
        if !matches!(line.get(mark), Some(b',' | b':')) {
            return Some(end);
        }
        match decimal(line, behind_blanks(line, mark + 1)) {
            Some(next) => end = next,
            None => return Some(end),
        }
    }
}

/// As `skip_blanks`, where there mostly is none.
#[inline]
fn behind_blanks(line: &[u8], at: usize) -> usize {
    match line.get(at) {
        Some(byte) if *byte <= b' ' => skip_blanks(line, at),
        _ => at,
    }
}

#[inline]
fn decimal(line: &[u8], at: usize) -> Option<usize> {
    let start = at + usize::from(line.get(at) == Some(&b'-'));
    let whole = digits(line, start);
    let end = if line.get(whole) == Some(&b'.') { digits(line, whole + 1) } else { whole };
    let some = whole > start || end > whole + 1;
    if some { Some(end) } else { (start > at).then_some(start) }
}

/// No more of them than can be a number, and one.
#[inline]
fn digits(line: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(byte) = line.get(at)
        && byte.is_ascii_digit()
        && at <= from + MOST_DIGITS
    {
        at += 1;
    }
    at
}

/// A look by which a field is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    Status,
    Int,
    Number,
    Numbers,
    Time(TimeShape),
}

impl Look {
    pub(super) fn end(&self, line: &[u8], at: usize) -> Option<usize> {
        match self {
            Self::Status => status(line, at),
            Self::Int => int(line, at),
            Self::Number => number(line, at),
            Self::Numbers => numbers(line, at),
            Self::Time(shape) => shape.end(line, at),
        }
    }

    /// Whether a byte may be in such a field, so that a search for it would find it there.
    pub(super) fn has(&self, byte: Option<u8>) -> bool {
        let byte = byte.unwrap_or(b' ');
        match self {
            Self::Status | Self::Int => byte.is_ascii_digit() || byte == b'-',
            Self::Number => byte.is_ascii_digit() || b"-+.eE".contains(&byte),
            Self::Numbers => byte.is_ascii_digit() || b"-.,: ".contains(&byte),
            Self::Time(shape) => shape.has(byte),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Status => "a status of three digits",
            Self::Int => "a whole number",
            Self::Number => "a number",
            Self::Numbers => "a number, or several with commas between them",
            Self::Time(_) => "a time",
        }
    }
}

/// What a time of one format looks like, and what ends it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TimeShape {
    /// What follows it: this byte, or a blank, or the end of the line.
    behind: Option<u8>,
    /// How many of these stand inside it; a run of blanks is one.
    inside: usize,
    /// Which bytes may be in it.
    bytes: Box<[bool; 256]>,
}

impl TimeShape {
    pub(super) fn new(format: Option<&TimeFormat>, behind: Option<u8>) -> Self {
        let text = match format {
            Some(TimeFormat::Clf | TimeFormat::Any) => "%d/%b/%Y:%T %z",
            Some(TimeFormat::Strftime(text)) => text,
            Some(TimeFormat::Iso | TimeFormat::Epoch(_)) | None => "",
        };
        let text = written_out(text);
        let behind = behind.filter(|&byte| !is_blank(byte));
        let inside = match behind {
            // A bare number is a time of any format too.
            None if matches!(format, Some(TimeFormat::Any)) => 0,
            None => text.split_ascii_whitespace().count().saturating_sub(1),
            Some(byte) => text.bytes().filter(|&found| found == byte).count(),
        };
        let mut bytes = Box::new([false; 256]);
        for byte in 0..=u8::MAX {
            bytes[usize::from(byte)] = byte.is_ascii_alphanumeric()
                || b"/:+-.,".contains(&byte)
                || byte != b'%' && text.as_bytes().contains(&byte)
                || is_blank(byte) && (behind.is_some() || inside > 0);
        }
        Self { behind, inside, bytes }
    }

    /// Whether a byte can be in it.
    pub(super) fn has(&self, byte: u8) -> bool {
        self.bytes[usize::from(byte)]
    }

    /// What ends it, if that is no blank.
    pub(super) fn behind(&self) -> Option<u8> {
        self.behind
    }

    /// Whether it goes up to the first of these bytes.
    pub(super) fn ends_before(&self, byte: u8) -> bool {
        self.behind == Some(byte) && self.inside == 0
    }

    /// Whether it goes up to the first blank.
    pub(super) fn ends_before_blank(&self) -> bool {
        self.behind.is_none() && self.inside == 0
    }

    pub(super) fn end(&self, line: &[u8], start: usize) -> Option<usize> {
        let mut inside = self.inside;
        let mut at = start;
        while at < line.len() && at <= start + LONGEST_TIME {
            let ends = match self.behind {
                Some(byte) => line[at] == byte,
                None => is_blank(line[at]),
            };
            if ends && inside == 0 {
                break;
            }
            if ends {
                inside -= 1;
                at = if self.behind.is_none() { skip_blanks(line, at) } else { at + 1 };
            } else if self.has(line[at]) {
                at += 1;
            } else {
                return None;
            }
        }
        (start < at && at <= start + LONGEST_TIME).then_some(at)
    }
}

/// The text of a time's format with the directives that stand for several.
fn written_out(text: &str) -> String {
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

    fn taken(end: impl Fn(&[u8], usize) -> Option<usize>, text: &str) -> Option<&str> {
        end(text.as_bytes(), 0).map(|end| &text[..end])
    }

    #[test]
    fn numbers_end_where_they_stop_to_be_numbers() {
        for (text, expected) in [
            ("200 5", Some("200")),
            ("-", Some("-")),
            ("20", None),
            ("2000", Some("200")),
            ("", None),
        ] {
            assert_eq!(taken(status, text), expected, "{text:?}");
        }
        for (text, expected) in [
            ("5 ", Some("5")),
            ("-5", Some("-5")),
            ("- ", Some("-")),
            ("x", None),
            ("999999999999999999", Some("999999999999999999")),
            ("9999999999999999999", None),
        ] {
            assert_eq!(taken(int, text), expected, "{text:?}");
        }
        for (text, expected) in [
            ("0.012 ", Some("0.012")),
            ("12ms", Some("12")),
            (".5", Some(".5")),
            ("-1", Some("-1")),
            ("1e-3 ", Some("1e-3")),
            ("1e", Some("1")),
            (".", None),
            ("-", Some("-")),
        ] {
            assert_eq!(taken(number, text), expected, "{text:?}");
        }
        for (text, expected) in [
            ("0.001, 0.002 : 0.010 200", Some("0.001, 0.002 : 0.010")),
            ("0.1 0.2", Some("0.1")),
            ("-, 0.2,", Some("-, 0.2")),
            ("10.0.0.1:80", Some("10.0")),
            ("", None),
        ] {
            assert_eq!(taken(numbers, text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_time_has_as_many_blanks_as_its_format() {
        let strftime = |text: &str| Some(TimeFormat::Strftime(text.into()));
        for (format, behind, text, expected) in [
            (Some(TimeFormat::Clf), None, "10/Oct/2000:13:55:36 -0700 x", 26),
            (Some(TimeFormat::Clf), Some(b']'), "10/Oct/2000:13:55:36 -0700] x", 26),
            (Some(TimeFormat::Iso), None, "2015-05-17T10:05:03.120Z x", 24),
            (Some(TimeFormat::Epoch(0)), None, "1431857103.120 x", 14),
            (strftime("%H:%M:%S"), Some(b':'), "10:05:03:x", 8),
            (strftime("%b %e %T"), None, "May  6 07:08:09 x", 15),
            (strftime("%Y_%m_%d"), None, "2015_05_17 x", 10),
        ] {
            let shape = TimeShape::new(format.as_ref(), behind);
            assert_eq!(shape.end(text.as_bytes(), 0), Some(expected), "{text}");
        }
        let shape = TimeShape::new(Some(&TimeFormat::Clf), Some(b']'));
        assert_eq!(shape.end(b"10/Oct[2000]", 0), None);
        assert_eq!(shape.end(&[b'1'; 65], 0), None);
    }
}
