//! Templates that are a list of columns: fields separated by single bytes.

use super::scanners::Scanner;
use super::steps::{EndRule, Op, Program, QuotesOfText, SearchFrom, Step, Until};
use crate::text::format::fast_columns::{FastColumn, FastColumnKind, FastColumns};
use crate::text::format::whitespace::is_blank;

/// The columns of a program, if it has only columns.
pub(super) fn columns(program: &Program) -> Option<FastColumns> {
    let mut columns = Vec::new();
    let mut steps = &program.steps[..];
    while let [step, next, rest @ ..] = steps
        && !(step.optional || next.optional || program.open_ended || program.raw)
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
        columns.push(column(step, delimiter)?);
        if delimiter.is_none() {
            return Some(FastColumns::new(columns));
        }
        steps = rest;
    }
    None
}

fn column(step: &Step, delimiter: Option<u8>) -> Option<FastColumn> {
    let (field, kind) = match &step.op {
        Op::Scanned { field, scanner, .. } if ends_digits(scanner, delimiter) => {
            (*field, FastColumnKind::Digits)
        }
        Op::Word { field } => (*field, FastColumnKind::Word { may_be_empty: false }),
        // A list that contains no blank is a word.
        Op::List { field, .. } if delimiter.is_none() => {
            (*field, FastColumnKind::Word { may_be_empty: false })
        }
        Op::Rest { field, quotes: QuotesOfText::Any } => {
            (*field, FastColumnKind::Text { may_be_empty: true })
        }
        Op::Until(Until {
            field,
            delimiter: Some(own),
            word,
            may_be_empty,
            search_from: SearchFrom::Start,
            rule: EndRule::First,
            ..
        }) if !own.blank_before && Some(own.byte) == delimiter => {
            let may_be_empty = *may_be_empty;
            let kind = if *word {
                FastColumnKind::Word { may_be_empty }
            } else {
                FastColumnKind::Text { may_be_empty }
            };
            (*field, kind)
        }
        _ => return None,
    };
    Some(FastColumn { field, kind, delimiter })
}

/// Whether a run of digits up to this delimiter is a complete field of this syntax.
fn ends_digits(scanner: &Scanner, delimiter: Option<u8>) -> bool {
    match scanner {
        Scanner::Int => true,
        Scanner::Number => !matches!(delimiter, Some(b'.' | b'e' | b'E')),
        Scanner::Time(time) => match delimiter {
            Some(byte) if !is_blank(byte) => time.ends_before(byte),
            _ => time.ends_before_blank(),
        },
        Scanner::Status | Scanner::Signed | Scanner::NumberWithPoint | Scanner::Numbers { .. } => {
            false
        }
    }
}
