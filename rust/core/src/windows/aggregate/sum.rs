//! The sum of values, their mean, and what they add up to in a second: exact, whatever came and left.

use super::exact_sum::ExactSum;
use super::{Aggregate, Cell, Input, Invertible, Scope};
use crate::ground::Kind;
use crate::windows::varint::{get_varint, put_varint};

/// `sum`, `mean` and `rate` of a field, exact: sums of whole numbers are whole; those of others are
/// rounded once, as `math.fsum` does it, and then divided.
///
/// A partial has 48 bytes, a window as many for each key; see [`ExactSum`].
#[derive(Clone, Debug)]
pub(super) struct Sum;

/// The sum, and of how many values it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Partial {
    values: u64,
    sum: ExactSum,
}

impl Aggregate for Sum {
    type Partial = Partial;

    #[inline]
    fn add(&self, partial: &mut Partial, input: &Input<'_>) {
        partial.values += u64::from(partial.sum.add_value(input.value));
    }

    /// What was read from bytes may be of any number, so it is added without a check.
    fn merge(&self, partial: &mut Partial, other: &Partial) {
        partial.values = partial.values.wrapping_add(other.values);
        partial.sum.merge(&other.sum);
    }

    fn emit_partial(&self, partial: &Partial, scope: &Scope<'_>) -> Cell {
        #[expect(clippy::cast_precision_loss, reason = "fewer values than 2^53")]
        let values = partial.values as f64;
        match (scope.spec.function.as_str(), scope.kind) {
            (_, _) if partial.values == 0 => Cell::Null,
            ("mean", _) => Cell::Float(partial.sum.value() / values),
            ("rate", _) if scope.seconds > 0.0 => Cell::Float(partial.sum.value() / scope.seconds),
            // Where no time passes.
            ("rate", _) => Cell::Null,
            (_, Kind::Int) => {
                partial.sum.whole().map_or_else(|| Cell::Float(partial.sum.value()), Cell::Int)
            }
            _ => Cell::Float(partial.sum.value()),
        }
    }

    fn encode(&self, partial: &Partial, out: &mut Vec<u8>) {
        put_varint(out, partial.values);
        partial.sum.encode(out);
    }

    fn decode(&self, bytes: &mut &[u8]) -> Option<Partial> {
        Some(Partial { values: get_varint(bytes)?, sum: ExactSum::decode(bytes)? })
    }
}

impl Invertible for Sum {
    fn subtract(&self, partial: &mut Partial, other: &Partial) {
        partial.values = partial.values.wrapping_sub(other.values);
        partial.sum.subtract(&other.sum);
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "the oracle rounds as the answer does")]
mod tests {
    use super::*;
    use crate::windows::aggregate::exact_sum::fsum;
    use crate::windows::aggregate::harness::{self, Event, TestValue};
    use proptest::prelude::*;

    fn oracle(events: &[&Event], scope: &Scope<'_>) -> Cell {
        let ints: Vec<i128> = events
            .iter()
            .filter_map(|event| match event.value {
                TestValue::Int(number) => Some(number.into()),
                _ => None,
            })
            .collect();
        // The sum of whole numbers, in pieces that floats hold.
        let whole: i128 = ints.iter().sum();
        let mut numbers: Vec<f64> = (0..3)
            .map(|piece| (whole >> (40 * piece) & 0xff_ffff_ffff) as f64 * 2_f64.powi(40 * piece))
            .collect();
        numbers.push((whole >> 120) as f64 * 2_f64.powi(120));
        let floats = events.iter().filter_map(|event| match event.value {
            TestValue::Float(number) => Some(number),
            _ => None,
        });
        numbers.extend(floats);
        let count = ints.len() + numbers.len() - 4;
        match (scope.spec.function.as_str(), scope.kind) {
            _ if count == 0 => Cell::Null,
            ("sum", Kind::Int) => Cell::Int(whole),
            ("sum", _) => Cell::Float(fsum(&numbers)),
            ("mean", _) => Cell::Float(fsum(&numbers) / count as f64),
            _ => Cell::Float(fsum(&numbers) / scope.seconds),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn numbers_of_the_window_add_up(
            run in harness::runs(harness::medium()),
            what in prop::sample::select(vec!["sum", "mean", "rate"]),
        ) {
            harness::check(&Sum, &harness::spec(what), Kind::Float, &run, oracle);
        }

        #[test]
        fn whole_numbers_of_the_window_add_up(
            run in harness::runs(harness::ints()),
            what in prop::sample::select(vec!["sum", "mean", "rate"]),
        ) {
            harness::check(&Sum, &harness::spec(what), Kind::Int, &run, oracle);
        }

        #[test]
        fn no_bytes_make_it_stop(bytes in harness::bytes(200)) {
            harness::check_bytes(&Sum, &harness::spec("sum"), &bytes);
        }

        #[test]
        fn no_damage_makes_it_stop(
            run in harness::runs(harness::numbers()), at: usize, to: u8,
        ) {
            harness::check_damage(&Sum, &harness::spec("sum"), &run, at, to);
        }
    }

    #[test]
    fn a_partial_has_the_documented_size() {
        assert_eq!(size_of::<Partial>(), 48);
    }
}
