//! The sum of values, and their mean: exact, whatever came and left.

use super::exact::ExactSum;
use super::{Cell, Input, Invertible, Scope, take};
use crate::format::{Kind, Value};

/// Sums of whole numbers are whole; those of others are rounded once, as `math.fsum` does it.
#[derive(Clone, Debug)]
pub(super) struct Sum;

/// The sum, and of how many values it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    values: u64,
    sum: ExactSum,
}

impl Invertible for Sum {
    type Part = Part;

    fn add(&self, part: &mut Part, input: &Input<'_>) {
        match input.value {
            Value::Int(number) => part.sum.add_int(number),
            Value::Float(number) => part.sum.add(number),
            _ => return,
        }
        part.values += 1;
    }

    fn merge(&self, part: &mut Part, other: &Part) {
        part.values += other.values;
        part.sum.merge(&other.sum);
    }

    fn subtract(&self, part: &mut Part, other: &Part) {
        part.values -= other.values;
        part.sum.unmerge(&other.sum);
    }

    fn emit(&self, part: &Part, scope: &Scope<'_>) -> Cell {
        #[expect(clippy::cast_precision_loss, reason = "fewer values than 2^53")]
        let values = part.values as f64;
        match (scope.ask.what.as_str(), scope.kind) {
            (_, _) if part.values == 0 => Cell::Null,
            ("mean", _) => Cell::Float(part.sum.value() / values),
            (_, Kind::Int) => {
                part.sum.whole().map_or_else(|| Cell::Float(part.sum.value()), Cell::Int)
            }
            _ => Cell::Float(part.sum.value()),
        }
    }

    fn encode(&self, part: &Part, out: &mut Vec<u8>) {
        out.extend_from_slice(&part.values.to_le_bytes());
        part.sum.encode(out);
    }

    fn decode(&self, bytes: &mut &[u8]) -> Option<Part> {
        Some(Part { values: u64::from_le_bytes(take(bytes)?), sum: ExactSum::decode(bytes)? })
    }
}
