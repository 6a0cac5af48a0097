//! Templates whose fields have single bytes between them.

use super::shapes::Look;
use super::steps::{Op, Program, Step, Until, Way};
use crate::text::format::columns::{Column, Columns, Kind};
use crate::text::format::words::is_blank;

/// The columns of a program, if that has nothing else.
pub(super) fn columns(program: &Program) -> Option<Columns> {
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
        columns.push(column(step, delimiter)?);
        if delimiter.is_none() {
            return Some(Columns::new(columns));
        }
        steps = rest;
    }
    None
}

fn column(step: &Step, delimiter: Option<u8>) -> Option<Column> {
    let (field, kind) = match &step.op {
        Op::Known { field, look, .. } if ends_digits(look, delimiter) => (*field, Kind::Digits),
        Op::Word { field } => (*field, Kind::Word { may_be_empty: false }),
        // Without a blank in it, a list is a word.
        Op::List { field, .. } if delimiter.is_none() => {
            (*field, Kind::Word { may_be_empty: false })
        }
        Op::Rest { field } => (*field, Kind::Text { may_be_empty: true }),
        Op::Until(Until {
            field, mark: Some(mark), word, may_be_empty, way: Way::First, ..
        }) if !mark.blank_before && Some(mark.byte) == delimiter => {
            let may_be_empty = *may_be_empty;
            let kind =
                if *word { Kind::Word { may_be_empty } } else { Kind::Text { may_be_empty } };
            (*field, kind)
        }
        _ => return None,
    };
    Some(Column { field, kind, delimiter })
}

/// Whether digits with this behind them are all of such a field.
fn ends_digits(look: &Look, delimiter: Option<u8>) -> bool {
    match look {
        Look::Int => true,
        Look::Number => !matches!(delimiter, Some(b'.' | b'e' | b'E')),
        Look::Time(shape) => match delimiter {
            Some(byte) if !is_blank(byte) => shape.ends_before(byte),
            _ => shape.ends_before_blank(),
        },
        Look::Status | Look::Numbers => false,
    }
}
