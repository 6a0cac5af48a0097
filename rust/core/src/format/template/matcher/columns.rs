//! A short way through lines that are columns and nothing else, one byte between two of them.
//!
//! It finds what the steps would, or leaves a line to them.

use super::shapes::Look;
use super::steps::{Op, Program, Step, Until, Way};
use crate::format::parsed::Span;
use crate::format::scan::{byte_or_blank, digits, has_blank, near_byte};
use crate::format::words::is_blank;

/// Numbers of more digits are left to the steps, which tell how many may be.
const MOST_DIGITS: usize = 18;

#[derive(Debug)]
pub(super) struct Columns(Box<[Column]>);

#[derive(Debug)]
struct Column {
    field: usize,
    kind: Kind,
    /// What stands behind it, if not the end of the line. A blank is one.
    delimiter: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A number or a time that is all digits.
    Digits,
    /// Text without blanks.
    Word { may_be_empty: bool },
    /// Any text.
    Text { may_be_empty: bool },
}

impl Columns {
    /// The columns of a program, if that has nothing else.
    pub(super) fn of(program: &Program) -> Option<Self> {
        let mut columns = Vec::new();
        let mut steps = &program.steps[..];
        while let [step, next, rest @ ..] = steps
            && !(step.optional || next.optional || program.open)
        {
            let delimiter = match &next.op {
                Op::Blank => Some(b' '),
                Op::Text(text) => match **text {
                    [byte] if !byte.is_ascii_digit() => Some(byte),
                    _ => return None,
                },
                Op::End => None,
                _ => return None,
            };
            columns.push(Column::of(step, delimiter)?);
            if delimiter.is_none() {
                return Some(Self(columns.into()));
            }
            steps = rest;
        }
        None
    }

    /// Whether the line is the columns as they mostly are.
    #[inline]
    pub(super) fn split(&self, line: &[u8], spans: &mut [Span]) -> bool {
        let mut at = 0;
        for column in &self.0 {
            let Some(end) = column.end(line, at) else { return false };
            spans[column.field] = Span::new(at, end);
            at = end + 1;
        }
        true
    }
}

#[cfg(test)]
impl Columns {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Column {
    fn of(step: &Step, delimiter: Option<u8>) -> Option<Self> {
        let (field, kind) = match &step.op {
            Op::Known { field, look, .. } if ends_digits(look, delimiter) => (*field, Kind::Digits),
            // Without a blank in it, a list is a word.
            Op::Word { field } => (*field, Kind::Word { may_be_empty: false }),
            Op::List { field, .. } if delimiter.is_none() => {
                (*field, Kind::Word { may_be_empty: false })
            }
            Op::Rest { field } => (*field, Kind::Text { may_be_empty: true }),
            Op::Until(Until { field, mark: Some(mark), word, may_be_empty, way, .. })
                if *way == Way::First && !mark.blank_before && Some(mark.byte) == delimiter =>
            {
                let may_be_empty = *may_be_empty;
                let word =
                    if *word { Kind::Word { may_be_empty } } else { Kind::Text { may_be_empty } };
                (*field, word)
            }
            _ => return None,
        };
        Some(Self { field, kind, delimiter })
    }

    /// Where it ends if it begins here.
    #[inline]
    fn end(&self, line: &[u8], at: usize) -> Option<usize> {
        let rest = line.get(at..)?;
        let (length, fits) = match self.kind {
            Kind::Digits => {
                let digits = digits(rest);
                (digits, (1..=MOST_DIGITS).contains(&digits))
            }
            Kind::Word { may_be_empty } => {
                let length = match self.delimiter {
                    Some(delimiter) => byte_or_blank(rest, delimiter)?,
                    None if has_blank(rest) => return None,
                    None => rest.len(),
                };
                (length, may_be_empty || length > 0)
            }
            Kind::Text { may_be_empty } => {
                let length = match self.delimiter {
                    Some(delimiter) => near_byte(rest, delimiter)?,
                    None => rest.len(),
                };
                (length, may_be_empty || length > 0)
            }
        };
        let ends = rest.get(length).copied() == self.delimiter;
        // More blanks may follow.
        let is_clear = self.delimiter != Some(b' ') || rest.get(length + 1) > Some(&b' ');
        (fits && ends && is_clear).then_some(at + length)
    }
}

/// Whether digits with this behind them are all of such a field.
fn ends_digits(look: &Look, delimiter: Option<u8>) -> bool {
    match look {
        Look::Int => true,
        Look::Number => !matches!(delimiter, Some(b'.' | b'e' | b'E')),
        Look::Time(shape) => match delimiter {
            None => shape.ends_before_blank(),
            Some(byte) if is_blank(byte) => shape.ends_before_blank(),
            Some(byte) => shape.ends_before(byte),
        },
        Look::Status | Look::Numbers => false,
    }
}
