//! How much there is in a second.

use super::{Cell, Input, Invertible, Scope};

/// `rate` without a field: the events of a second, divided once. How many events there are is known
/// anyway, so a part has no bytes. The rate of a field is that of its sum.
#[derive(Clone, Debug)]
pub(super) struct Rate;

/// As much a second; null where no time passes.
pub(super) fn per_second(amount: f64, scope: &Scope<'_>) -> Cell {
    if scope.seconds > 0.0 { Cell::Float(amount / scope.seconds) } else { Cell::Null }
}

impl Invertible for Rate {
    type Part = ();

    fn add(&self, _part: &mut (), _input: &Input<'_>) {}

    fn merge(&self, _part: &mut (), _other: &()) {}

    fn subtract(&self, _part: &mut (), _other: &()) {}

    fn emit(&self, _part: &(), scope: &Scope<'_>) -> Cell {
        #[expect(clippy::cast_precision_loss, reason = "fewer events than 2^53")]
        let events = scope.count as f64;
        per_second(events, scope)
    }

    fn encode(&self, _part: &(), _out: &mut Vec<u8>) {}

    fn decode(&self, _bytes: &mut &[u8]) -> Option<()> {
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::harness;
    use crate::format::Kind;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn events_of_the_window_are_divided_by_its_seconds(
            run in harness::runs(harness::numbers()),
        ) {
            harness::check(&Rate, &harness::ask("rate"), Kind::Float, &run, |events, scope| {
                Cell::Float(events.len() as f64 / scope.seconds)
            });
        }
    }

    #[test]
    fn without_time_there_is_no_rate() {
        let ask = harness::ask("rate");
        for seconds in [0.0, -1.0, f64::NAN] {
            let scope = Scope { ask: &ask, kind: Kind::Int, seconds, count: 5 };
            assert_eq!(Invertible::emit(&Rate, &(), &scope), Cell::Null);
        }
    }
}
