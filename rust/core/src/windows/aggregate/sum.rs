//! The exact sum of values, their mean, the sum per second, and its share of the sum of all keys.

use super::exact_sum::ExactSum;
use super::{Aggregate, Cell, Input, Invertible, Scope};
use crate::ground::Kind;
use crate::windows::varint::{get_varint, put_varint};

/// `sum`, `mean`, `rate` and `share` of a field. Exact: a sum of integers is an integer. Any other
/// sum is rounded once, as `math.fsum` rounds it, and then divided.
///
/// A partial takes 48 bytes, a window 48 bytes per key; see [`ExactSum`].
#[derive(Clone, Debug)]
pub(super) struct Sum;

/// The sum and the number of values in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Partial {
    values: u64,
    sum: ExactSum,
}

impl Aggregate for Sum {
    type Partial = Partial;

    const ADDS_UP: bool = true;

    #[inline]
    fn add(&self, partial: &mut Partial, input: &Input<'_>) {
        partial.values += u64::from(partial.sum.add_value(input.value));
    }

    /// A decoded partial can hold any number, so the addition is unchecked.
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
            // A window of no length has no rate.
            ("rate", _) => Cell::Null,
            ("share", _) => scope.share(partial.sum.value()),
            (_, Kind::Int | Kind::Any) => {
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
#[expect(clippy::cast_precision_loss, reason = "the oracle rounds as the aggregate does")]
mod tests {
    use super::*;
    use crate::ground::Value;
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
        // Sums integers in pieces that floats represent exactly.
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

    #[test]
    fn a_share_is_a_part_of_all_sums() {
        let partial = |values: &[f64]| {
            let mut partial = Partial::default();
            for &number in values {
                let (value, second) = (Value::Float(number), Value::Null);
                Sum.add(&mut partial, &Input { value, second, time: None });
            }
            partial
        };
        let all = [partial(&[0.1, 1e16]), partial(&[-1e16]), partial(&[]), partial(&[0.3])];
        let emit = |function: &str, partial: &Partial, whole: Option<f64>| {
            let (spec, kind) = (harness::spec(function), Kind::Float);
            let scope = Scope { spec: &spec, kind, seconds: 1.0, count: 1, whole };
            Sum.emit_partial(partial, &scope)
        };
        let sum = Sum.whole(all.iter()).map(|all| emit("sum", &all, None));
        assert_eq!(sum, Some(Cell::Float(0.4)));
        let whole = Some(0.4);
        let share = |partial: &Partial, whole| emit("share", partial, whole);
        assert_eq!(share(&all[3], whole), Cell::Float(0.3 / 0.4));
        for (partial, whole) in [(&all[2], whole), (&all[3], Some(0.0)), (&all[3], None)] {
            assert_eq!(share(partial, whole), Cell::Null);
        }
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(300))]

        #[test]
        fn numbers_in_the_window_are_summed(
            run in harness::runs(harness::medium()),
            what in prop::sample::select(vec!["sum", "mean", "rate"]),
        ) {
            harness::check(&Sum, &harness::spec(what), Kind::Float, &run, oracle);
        }

        #[test]
        fn integers_in_the_window_are_summed(
            run in harness::runs(harness::ints()),
            what in prop::sample::select(vec!["sum", "mean", "rate"]),
        ) {
            harness::check(&Sum, &harness::spec(what), Kind::Int, &run, oracle);
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in harness::bytes(200)) {
            harness::check_bytes(&Sum, &harness::spec("sum"), &bytes);
        }

        #[test]
        fn damaged_bytes_do_not_panic(
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
