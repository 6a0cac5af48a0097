//! The ratio of two sums.

use super::exact::ExactSum;
use super::{Aggregate, Cell, Input, Invertible, Scope};
use crate::ground::Value;

/// `ratio` of two fields: the exact sum of the first through the exact sum of the second, each
/// rounded once and then divided. Only events that have a number in both count. Null where the
/// second sum is zero, so also where there is no such event.
///
/// A part has 64 bytes, a window as many for each key; both sums are as in [`ExactSum`].
#[derive(Clone, Debug)]
pub(super) struct Ratio;

/// Both sums.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    first: ExactSum,
    second: ExactSum,
}

impl Aggregate for Ratio {
    type Part = Part;

    fn add(&self, part: &mut Part, input: &Input<'_>) {
        if is_number(input.value) && is_number(input.second) {
            part.first.add_value(input.value);
            part.second.add_value(input.second);
        }
    }

    fn merge(&self, part: &mut Part, other: &Part) {
        part.first.merge(&other.first);
        part.second.merge(&other.second);
    }

    fn emit_part(&self, part: &Part, _scope: &Scope<'_>) -> Cell {
        // A sum of floats that is not zero is never rounded to zero: none is smaller than a float.
        let second = part.second.value();
        if second == 0.0 { Cell::Null } else { Cell::Float(part.first.value() / second) }
    }

    fn encode(&self, part: &Part, out: &mut Vec<u8>) {
        part.first.encode(out);
        part.second.encode(out);
    }

    fn decode(&self, bytes: &mut &[u8]) -> Option<Part> {
        Some(Part { first: ExactSum::decode(bytes)?, second: ExactSum::decode(bytes)? })
    }
}

impl Invertible for Ratio {
    fn subtract(&self, part: &mut Part, other: &Part) {
        part.first.unmerge(&other.first);
        part.second.unmerge(&other.second);
    }
}

fn is_number(value: Value<'_>) -> bool {
    matches!(value, Value::Int(_) | Value::Float(_))
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "the oracle rounds as the answer does")]
mod tests {
    use super::*;
    use crate::ground::Kind;
    use crate::windows::aggregate::exact::fsum;
    use crate::windows::aggregate::harness::{self, Event, Held};
    use proptest::prelude::*;

    /// Whole numbers in halves, which are floats.
    fn halves(held: &Held) -> Option<[f64; 2]> {
        match *held {
            Held::Int(number) => Some([(number >> 32 << 32) as f64, (number & 0xffff_ffff) as f64]),
            Held::Float(number) => Some([number, 0.0]),
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
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn sums_of_events_that_have_both_are_divided(
            run in harness::runs_of_two(harness::medium(), harness::medium()),
        ) {
            harness::check(&Ratio, &harness::ask("ratio"), Kind::Float, &run, |events, _| {
                oracle(events)
            });
        }

        #[test]
        fn no_bytes_make_it_stop(bytes in harness::bytes(200)) {
            harness::check_bytes(&Ratio, &harness::ask("ratio"), &bytes);
        }

        #[test]
        fn no_damage_makes_it_stop(
            run in harness::runs_of_two(harness::numbers(), harness::numbers()),
            at: usize,
            to: u8,
        ) {
            harness::check_damage(&Ratio, &harness::ask("ratio"), &run, at, to);
        }
    }

    #[test]
    fn a_part_has_the_stated_size() {
        assert!(size_of::<Part>() <= 64);
    }
}
