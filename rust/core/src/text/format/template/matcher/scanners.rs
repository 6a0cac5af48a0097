//! Scanners for fields that end where their own syntax ends.
//!
//! Each stops at the first byte that cannot be part of the field, so it costs no more than the
//! length of the field.

use crate::text::format::numbers::{int, number, number_with_point, numbers, status};
use crate::text::format::time::TimeFormat;
use crate::text::format::whitespace::{is_blank, skip_blanks};

/// Longer than any time format writes.
const LONGEST_TIME: usize = 80;

/// The syntax of a scanned field.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scanner {
    Status,
    Int,
    Signed,
    Number,
    NumberWithPoint,
    /// With `spaced`, a bare comma follows, and each comma inside has a blank after it.
    Numbers {
        spaced: bool,
    },
    Time(TimeScanner),
}

impl Scanner {
    pub(super) fn end(&self, line: &[u8], at: usize) -> Option<usize> {
        match self {
            Self::Status => status(line, at),
            Self::Int => int(line, at),
            Self::Signed => int(line, at + usize::from(line.get(at) == Some(&b'+'))),
            Self::Number => number(line, at),
            Self::NumberWithPoint => number_with_point(line, at),
            Self::Numbers { spaced } => numbers(line, at, *spaced),
            Self::Time(time) => time.end(line, at),
        }
    }

    /// Whether such a field may contain this byte, so that a search for the byte could stop in it.
    /// `None` means a blank.
    pub(super) fn may_contain(&self, byte: Option<u8>) -> bool {
        let byte = byte.unwrap_or(b' ');
        match self {
            Self::Status | Self::Int => byte.is_ascii_digit() || byte == b'-',
            Self::Signed => byte.is_ascii_digit() || b"-+".contains(&byte),
            Self::Number | Self::NumberWithPoint => {
                byte.is_ascii_digit() || b"-+.eE".contains(&byte)
            }
            Self::Numbers { .. } => byte.is_ascii_digit() || b"-.,: ".contains(&byte),
            Self::Time(time) => time.may_contain(byte),
        }
    }

    pub(super) fn expected(&self) -> &'static str {
        match self {
            Self::Status => "a status of three digits",
            Self::Int | Self::Signed => "a whole number",
            Self::Number => "a number",
            Self::NumberWithPoint => "a number with a decimal point",
            Self::Numbers { .. } => "a number or a comma-separated list of numbers",
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
    /// Its syntax, where the number of terminators inside is not known.
    shape: Option<TimeShape>,
}

impl TimeScanner {
    /// With `is_written`, a time is exactly as servers write it.
    pub(super) fn new(
        format: Option<&TimeFormat>,
        terminator: Option<u8>,
        is_written: bool,
    ) -> Self {
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
        let shape = match terminator {
            Some(byte) => format.and_then(|format| TimeShape::new(format, byte)),
            None if is_written && matches!(format, Some(TimeFormat::Epoch(_))) => {
                format.and_then(|format| TimeShape::new(format, b' '))
            }
            None => None,
        };
        Self { terminator, inner_terminators, bytes, shape }
    }

    /// Ends an epoch at the first point, where another field has the fraction.
    pub(super) fn without_fraction(mut self) -> Self {
        if self.terminator == Some(b'.') {
            self.shape = None;
        }
        self
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
        self.terminator == Some(byte) && self.inner_terminators == 0 && self.shape.is_none()
    }

    /// Whether it ends at the first blank.
    pub(super) fn ends_before_blank(&self) -> bool {
        self.terminator.is_none() && self.inner_terminators == 0
    }

    pub(super) fn end(&self, line: &[u8], start: usize) -> Option<usize> {
        if let Some(shape) = &self.shape {
            return shape.end(line, start);
        }
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

/// The number of words of a time in this format.
pub(super) fn words_of_time(format: &TimeFormat) -> usize {
    match format {
        TimeFormat::Clf => 2,
        TimeFormat::Strftime(text) => expanded(text).split_ascii_whitespace().count().max(1),
        TimeFormat::Iso | TimeFormat::Epoch(_) | TimeFormat::Any => 1,
    }
}

/// The syntax of a time, for a terminator that the time itself may contain: a `-` ends
/// `$time_iso8601-$remote_addr`, but not at its first place.
#[derive(Debug, PartialEq, Eq)]
struct TimeShape(Box<[TimePiece]>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TimePiece {
    Byte(u8),
    /// One of two bytes.
    Either(u8, u8),
    /// At most this many digits, at least one.
    Digits(usize),
    /// A blank in place of a first digit.
    Padding,
    Letters,
    /// A point or a comma and digits, or nothing. A comma is never a terminator here.
    Fraction,
    /// As `Fraction`, or nothing where no point follows: the point is that of the format.
    FractionBeforePoint,
    /// `Z`, or hours and minutes after a sign.
    Zone,
}

impl TimeShape {
    /// The syntax of times in a format, if the terminator may be inside of such a time.
    fn new(format: &TimeFormat, terminator: u8) -> Option<Self> {
        use TimePiece::{Byte, Digits, Either, Fraction, FractionBeforePoint, Zone};
        let colon = Byte(b':');
        let (inside, pieces) = match format {
            TimeFormat::Iso => {
                let date = [Digits(4), Byte(b'-'), Digits(2), Byte(b'-'), Digits(2)];
                let time = [Either(b'T', b' '), Digits(2), colon, Digits(2), colon, Digits(2)];
                (&b"-:.+"[..], [&date[..], &time, &[Fraction, Zone]].concat())
            }
            TimeFormat::Clf => (&b"/:+-"[..], pieces("%d/%b/%Y:%H:%M:%S %z")),
            TimeFormat::Epoch(_) if terminator == b'.' => {
                (&b"."[..], vec![Digits(18), FractionBeforePoint])
            }
            TimeFormat::Epoch(_) => (&b" "[..], vec![Digits(18), Fraction]),
            TimeFormat::Strftime(text) if text.contains("%z") => {
                (&b"+-:"[..], pieces(&expanded(text)))
            }
            TimeFormat::Strftime(_) | TimeFormat::Any => return None,
        };
        inside.contains(&terminator).then(|| Self(pieces.into()))
    }

    fn end(&self, line: &[u8], start: usize) -> Option<usize> {
        self.0.iter().try_fold(start, |at, piece| piece.end(line, at))
    }
}

/// The pieces of an expanded strftime format.
fn pieces(text: &str) -> Vec<TimePiece> {
    let mut pieces = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let letter = match byte {
            b'%' => bytes.find(|byte| !byte.is_ascii_digit()),
            _ => None,
        };
        if let Some(b'e' | b'k' | b'l') = letter {
            pieces.push(TimePiece::Padding);
        }
        pieces.push(match letter {
            None | Some(b'%') => TimePiece::Byte(byte),
            Some(b'Y') => TimePiece::Digits(4),
            Some(b'j') => TimePiece::Digits(3),
            Some(b'f') => TimePiece::Digits(9),
            Some(b's') => TimePiece::Digits(18),
            Some(b'z') => TimePiece::Zone,
            Some(b'a' | b'A' | b'b' | b'B' | b'h' | b'p' | b'Z') => TimePiece::Letters,
            Some(_) => TimePiece::Digits(2),
        });
    }
    pieces
}

impl TimePiece {
    /// The end of a piece that begins here.
    fn end(self, line: &[u8], at: usize) -> Option<usize> {
        let byte = line.get(at).copied();
        let run = |most: usize, is_inside: fn(&u8) -> bool| {
            let rest = line.get(at..).unwrap_or_default();
            at + rest.iter().take(most).take_while(|byte| is_inside(byte)).count()
        };
        match self {
            Self::Byte(wanted) => (byte == Some(wanted)).then_some(at + 1),
            Self::Either(one, other) => {
                (byte == Some(one) || byte == Some(other)).then_some(at + 1)
            }
            Self::Digits(most) => Some(run(most, u8::is_ascii_digit)).filter(|end| *end > at),
            Self::Padding => Some(at + usize::from(byte == Some(b' '))),
            Self::Letters => {
                Some(run(LONGEST_TIME, u8::is_ascii_alphabetic)).filter(|end| *end > at)
            }
            Self::Fraction => {
                let is_mark = matches!(byte, Some(b'.' | b','));
                let end = Self::Digits(9).end(line, at + 1).filter(|_| is_mark);
                Some(end.unwrap_or(at))
            }
            Self::FractionBeforePoint => {
                let end = Self::Fraction.end(line, at)?;
                Some(if line.get(end) == Some(&b'.') { end } else { at })
            }
            Self::Zone if byte == Some(b'Z') => Some(at + 1),
            Self::Zone if matches!(byte, Some(b'+' | b'-')) => {
                let hours = Self::Digits(2).end(line, at + 1)?;
                let colon = hours + usize::from(line.get(hours) == Some(&b':'));
                Self::Digits(2).end(line, colon).or(Some(hours))
            }
            Self::Zone => None,
        }
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
            let time = TimeScanner::new(format.as_ref(), terminator, false);
            assert_eq!(time.end(text.as_bytes(), 0), Some(expected), "{text}");
        }
        for (format, terminator, text, expected) in [
            (TimeFormat::Iso, b'-', "2024-01-02T03:04:05-05:00-x", 25),
            (TimeFormat::Iso, b':', "2024-01-02T03:04:05+00:00: x", 25),
            (TimeFormat::Iso, b':', "2024-01-02T03:04:05.120Z:1", 24),
            (TimeFormat::Clf, b'-', "10/Oct/2000:13:55:36 -0700-x", 26),
            (TimeFormat::Clf, b'/', "10/Oct/2000:13:55:36 -0700/x", 26),
            (TimeFormat::Epoch(0), b'.', "1431857103.120.200", 14),
            (TimeFormat::Epoch(0), b'.', "1431857103.120 x", 10),
            (TimeFormat::Strftime("%FT%T%z".into()), b'-', "2024-01-02T03:04:05-0500-x", 24),
        ] {
            let time = TimeScanner::new(Some(&format), Some(terminator), false);
            assert_eq!(time.end(text.as_bytes(), 0), Some(expected), "{text}");
        }
        let seconds = TimeScanner::new(Some(&TimeFormat::Epoch(0)), Some(b'.'), true);
        assert_eq!(seconds.without_fraction().end(b"1431857103.120.192", 0), Some(10));
        let time = TimeScanner::new(Some(&TimeFormat::Clf), Some(b']'), false);
        assert_eq!(time.end(b"10/Oct[2000]", 0), None);
        assert_eq!(time.end(&[b'1'; 81], 0), None);
    }
}
