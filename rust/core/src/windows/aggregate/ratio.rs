//! The ratio of two sums.

use super::exact_sum::ExactSum;
use super::{Aggregate, Cell, Input, Invertible, Scope};
use crate::ground::Value;

/// `ratio` of two fields: the exact sum of the first divided by the exact sum of the second. Each
/// sum is rounded once before the division. Only events with a number in both fields count. Null if
/// the second sum is zero, so also if there is no such event.
///
/// A partial takes 64 bytes, a window 64 bytes per key; see [`ExactSum`] for both sums.
#[derive(Clone, Debug)]
pub(super) struct Ratio;

/// Both sums.
#[derive(Clone, Debug, Default)]
pub(super) struct Partial {
    first: ExactSum,
    second: ExactSum,
}

impl Aggregate for Ratio {
    type Partial = Partial;

    const ADDS_UP: bool = true;

    fn add(&self, partial: &mut Partial, input: &Input<'_>) {
        if is_number(input.value) && is_number(input.second) {
            partial.first.add_value(input.value);
            partial.second.add_value(input.second);
        }
    }

    fn merge(&self, partial: &mut Partial, other: &Partial) {
        partial.first.merge(&other.first);
        partial.second.merge(&other.second);
    }

    fn emit_partial(&self, partial: &Partial, _scope: &Scope<'_>) -> Cell {
        // A nonzero sum of floats never rounds to zero, because no sum is smaller than the smallest
        // float.
        let second = partial.second.value();
        if second == 0.0 { Cell::Null } else { Cell::Float(partial.first.value() / second) }
    }

    fn encode(&self, partial: &Partial, out: &mut Vec<u8>) {
        partial.first.encode(out);
        partial.second.encode(out);
    }

    fn decode(&self, bytes: &mut &[u8]) -> Option<Partial> {
        Some(Partial { first: ExactSum::decode(bytes)?, second: ExactSum::decode(bytes)? })
    }
}

impl Invertible for Ratio {
    fn subtract(&self, partial: &mut Partial, other: &Partial) {
        partial.first.subtract(&other.first);
        partial.second.subtract(&other.second);
    }
}

fn is_number(value: Value<'_>) -> bool {
    matches!(value, Value::Int(_) | Value::Large(_) | Value::Float(_))
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "the oracle rounds as the aggregate does")]
mod tests {
    use super::*;
    use crate::ground::Kind;
    use crate::windows::aggregate::exact_sum::fsum;
    use crate::windows::aggregate::harness::{self, Event, TestValue};
    use proptest::prelude::*;

    /// Splits an integer into two floats without rounding.
    fn halves(held: &TestValue) -> Option<[f64; 2]> {
        match *held {
            TestValue::Int(number) => {
                Some([(number >> 32 << 32) as f64, (number & 0xffff_ffff) as f64])
            }
            TestValue::Float(number) => Some([number, 0.0]),
            _ => None,
        }
    }

    fn oracle(events: &[&Event]) -> Cell {
        let both =
            events.iter().filter_map(|event| Some((halves(&event.value)?, halves(&event.second)?)));
        let (first, second): (Vec<_>, Vec<_>) = both.unzip();
        let second = fsum(second.as_flattened());
        if second == 0.0 { Cell::Null } else { Cell::Float(fsum(first.as_flattened()) / second) }
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(300))]

        #[test]
        fn sums_of_events_with_both_fields_are_divided(
            run in harness::runs_of_two(harness::medium(), harness::medium()),
        ) {
            harness::check(&Ratio, &harness::spec("ratio"), Kind::Float, &run, |events, _| {
                oracle(events)
            });
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in harness::bytes(200)) {
            harness::check_bytes(&Ratio, &harness::spec("ratio"), &bytes);
        }

        #[test]
        fn damaged_bytes_do_not_panic(
            run in harness::runs_of_two(harness::numbers(), harness::numbers()),
            at: usize,
            to: u8,
        ) {
            harness::check_damage(&Ratio, &harness::spec("ratio"), &run, at, to);
        }
    }

    #[test]
    fn a_partial_has_the_documented_size() {
        assert!(size_of::<Partial>() <= 64);
    }
}
