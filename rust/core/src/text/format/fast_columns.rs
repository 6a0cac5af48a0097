//! A fast matcher for lines that consist only of columns with one byte between them.
//!
//! It finds what the full matcher finds in lines of the usual form, and leaves all other lines to
//! that. So it decides by a quick check: digits where there has to be a number, no quotes, no
//! blanks next to a blank delimiter, no odd bytes at the ends of the line.

use super::parsed::Span;
use super::scan::{find_byte_or_blank, find_near, has_blank, has_blank_from, leading_digits};
use super::time::{read_epoch, read_leading_epoch, unit_of_epoch};

/// Longer numbers are left to the full matcher, which knows how many digits are allowed.
const MAX_DIGITS: usize = 18;

/// The columns of a line.
#[derive(Clone, Debug)]
pub(super) struct FastColumns(Box<[FastColumn]>);

#[derive(Clone, Debug)]
pub(super) struct FastColumn {
    /// The index of the matcher's field.
    pub(super) field: usize,
    pub(super) kind: FastColumnKind,
    /// The byte after the column, or none for the end of the line. For a blank it is a single one.
    pub(super) delimiter: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FastColumnKind {
    /// A number or a time of digits only.
    Digits,
    /// Text without blanks.
    Word { may_be_empty: bool },
    /// Any text.
    Text { may_be_empty: bool },
    /// Any text, also empty, that does not begin with a quote, up to this byte or the end of the
    /// line.
    Unquoted { up_to: u8 },
}

impl FastColumns {
    /// Creates a matcher; only the last column has no delimiter.
    pub(super) fn new(columns: Vec<FastColumn>) -> Self {
        Self(columns.into())
    }

    /// Finds the fields of a line, if it has the usual form.
    #[inline]
    pub(super) fn split(&self, line: &[u8], spans: &mut [Span]) -> bool {
        self.each(line, |field, span| spans[field] = span).is_some()
    }

    #[inline]
    fn each(&self, line: &[u8], mut found: impl FnMut(usize, Span)) -> Option<()> {
        // Lines that have to be trimmed or that may be in an object are left to the full matcher. A
        // byte-order mark is not ASCII.
        if !(b'!'..b'{').contains(line.first()?) || *line.last()? <= b' ' {
            return None;
        }
        let mut at = 0;
        for column in &self.0 {
            let end = column.end(line, at)?;
            found(column.field, Span::new(at, end));
            at = end + 1;
        }
        Some(())
    }
}

#[cfg(test)]
impl FastColumns {
    /// The number of columns.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl FastColumn {
    /// The end of the column, if it begins at `at`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a call for each column is a tenth of all")]
    fn end(&self, line: &[u8], at: usize) -> Option<usize> {
        let rest = line.get(at..)?;
        let length = match (self.kind, self.delimiter) {
            (FastColumnKind::Digits, _) => leading_digits(rest),
            (FastColumnKind::Unquoted { .. }, _) if rest.first() == Some(&b'"') => return None,
            (FastColumnKind::Word { .. }, Some(delimiter)) => find_byte_or_blank(rest, delimiter)?,
            (FastColumnKind::Word { .. }, None) if has_blank(rest) => return None,
            (FastColumnKind::Unquoted { up_to }, _) => find_near(rest, up_to).unwrap_or(rest.len()),
            (_, Some(delimiter)) => find_near(rest, delimiter)?,
            (_, None) => rest.len(),
        };
        let fits = match self.kind {
            FastColumnKind::Digits => (1..=MAX_DIGITS).contains(&length),
            FastColumnKind::Word { may_be_empty } | FastColumnKind::Text { may_be_empty } => {
                may_be_empty || length > 0
            }
            FastColumnKind::Unquoted { .. } => true,
        };
        let ends = rest.get(length).copied() == self.delimiter;
        // More than one blank is left to the full matcher.
        let is_clear = self.delimiter != Some(b' ') || rest.get(length + 1) > Some(&b' ');
        (fits && ends && is_clear).then_some(at + length)
    }
}

/// Reads two columns: a text, and a time as a number of seconds times ten to a power.
///
/// Reading both at once is half the work of a reader.
#[derive(Clone, Debug)]
pub(crate) struct TextAndTime {
    columns: FastColumns,
    text: usize,
    time: usize,
    power: i32,
    /// If a line consists of a time and a word: the time's unit in microseconds, and the byte
    /// between them.
    only: Option<(i64, u8)>,
}

impl TextAndTime {
    /// Creates a reader of these two fields, if both are among the columns.
    pub(super) fn new(
        mut columns: FastColumns,
        text: usize,
        (time, power): (usize, i32),
    ) -> Option<Self> {
        let mut times = columns.0.iter_mut().filter(|column| column.field == time);
        times.next()?.kind = FastColumnKind::Digits;
        let between = match &*columns.0 {
            [first, FastColumn { kind: FastColumnKind::Word { .. }, .. }]
                if first.field == time =>
            {
                first.delimiter
            }
            _ => None,
        };
        let has_text = columns.0.iter().any(|column| column.field == text);
        let only = unit_of_epoch(power).zip(between);
        (has_text && text != time).then_some(Self { columns, text, time, power, only })
    }

    /// The text and the time of a line, or nothing if only a full reader can tell.
    #[inline]
    pub(crate) fn read<'a>(&self, line: &'a [u8]) -> Option<(&'a [u8], i64)> {
        match self.only.and_then(|only| time_and_word(line, only)) {
            Some(found) => Some(found),
            None => self.of_several(line),
        }
    }

    #[inline(never)]
    fn of_several<'a>(&self, line: &'a [u8]) -> Option<(&'a [u8], i64)> {
        let (mut text, mut time) = (Span::NONE, Span::NONE);
        self.columns.each(line, |field, span| {
            if field == self.text {
                text = span;
            } else if field == self.time {
                time = span;
            }
        })?;
        // The line may have a syslog priority.
        if line.starts_with(b"<") {
            return None;
        }
        let (text, time) = (text.of(line)?, read_epoch(time.of(line)?, self.power)?);
        (!matches!(text, b"" | b"-")).then_some((text, time))
    }
}

/// As `each` for a time and a word, for lines that are neither short nor odd.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a call for each line is a tenth of a short one")]
fn time_and_word(line: &[u8], (unit, between): (i64, u8)) -> Option<(&[u8], i64)> {
    let (time, digits) = read_leading_epoch(line, unit)?;
    let (&byte, word) = line.get(digits..)?.split_first()?;
    let fits = byte == between && !has_blank_from(line, digits + 1);
    (fits && !matches!(word, b"" | b"-")).then_some((word, time))
}
