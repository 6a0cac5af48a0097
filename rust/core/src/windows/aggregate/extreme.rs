//! The smallest and the largest value.

use std::cmp::Ordering;

use super::candidates::Candidates;
use super::number::Number;
use super::{Aggregate, Cell, Input, Scope, Windowed};
use crate::windows::varint::take;

/// `min` and `max` of numbers and times. Exact. NaN is ignored; the result is null if there is no
/// other value.
///
/// A partial takes 16 bytes. A window takes 24 bytes per key. Once two panes hold candidates for a
/// key, it takes 24 more for each pane whose extreme no later pane beats: about the logarithm of
/// the number of panes for values in random order, all panes at worst. An event costs a comparison.
/// A slide costs a comparison for most keys and two binary searches for the others, never a step
/// per pane.
#[derive(Clone, Debug)]
pub(super) struct Extreme {
    better: Ordering,
}

impl Extreme {
    pub(super) fn smallest() -> Self {
        Self { better: Ordering::Less }
    }

    pub(super) fn largest() -> Self {
        Self { better: Ordering::Greater }
    }

    fn take(&self, partial: &mut Option<Number>, number: Number) {
        if partial.is_none_or(|best| number.order(best) == self.better) {
            *partial = Some(number);
        }
    }
}

impl Aggregate for Extreme {
    type Partial = Option<Number>;

    #[inline]
    fn add(&self, partial: &mut Self::Partial, input: &Input<'_>) {
        match Number::of(input.value) {
            Some(Number::Float(number)) if number.is_nan() => {}
            Some(number) => self.take(partial, number),
            None => {}
        }
    }

    fn merge(&self, partial: &mut Self::Partial, other: &Self::Partial) {
        if let Some(number) = *other {
            self.take(partial, number);
        }
    }

    fn emit_partial(&self, partial: &Self::Partial, scope: &Scope<'_>) -> Cell {
        partial.map_or(Cell::Null, |number| number.cell(scope.kind))
    }

    fn encode(&self, partial: &Self::Partial, out: &mut Vec<u8>) {
        out.push(partial.is_some().into());
        if let Some(number) = partial {
            number.encode(out);
        }
    }

    fn decode(&self, bytes: &mut &[u8]) -> Option<Self::Partial> {
        match take(bytes)? {
            [0] => Some(None),
            [1] => match Number::decode(bytes)? {
                Number::Float(number) if number.is_nan() => None,
                number => Some(Some(number)),
            },
            _ => None,
        }
    }
}

impl Windowed for Extreme {
    type Total = Candidates<Number>;

    fn enter(&self, total: &mut Self::Total, partial: &Self::Partial, pane: i64) {
        if let Some(number) = *partial {
            total.enter(pane, number, |earlier| earlier.order(number) != self.better);
        }
    }

    fn leave(&self, total: &mut Self::Total, _part: &Self::Partial, pane: i64) {
        total.leave(pane);
    }

    fn emit(&self, total: &Self::Total, scope: &Scope<'_>) -> Cell {
        total.best().map_or(Cell::Null, |number| number.cell(scope.kind))
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "the oracle rounds as the aggregate does")]
mod tests {
    use super::*;
    use crate::ground::Kind;
    use crate::windows::aggregate::harness::{self, Event, TestValue};
    use proptest::prelude::*;

    /// Sorts all values and takes the first or the last one.
    fn oracle(largest: bool) -> impl Fn(&[&Event], &Scope<'_>) -> Cell {
        move |events, scope| {
            let mut cells: Vec<Cell> = events
                .iter()
                .filter_map(|event| match event.value {
                    TestValue::Int(number) if scope.kind == Kind::Float => {
                        Some(Cell::Float(number as f64))
                    }
                    TestValue::Int(number) => Some(Cell::Int(number.into())),
                    TestValue::Float(number) => (!number.is_nan()).then_some(Cell::Float(number)),
                    TestValue::Time(time) => Some(Cell::Time(time)),
                    _ => None,
                })
                .collect();
            cells.sort_by(Cell::rank);
            let place = if largest { cells.pop() } else { cells.into_iter().next() };
            place.unwrap_or(Cell::Null)
        }
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(500))]

        #[test]
        fn extremes_of_integers_match_the_window(
            run in harness::runs(harness::ints()), largest: bool,
        ) {
            let aggregate = if largest { Extreme::largest() } else { Extreme::smallest() };
            harness::check(&aggregate, &harness::spec("max"), Kind::Int, &run, oracle(largest));
        }

        #[test]
        fn extremes_of_integers_and_floats_match_the_window(
            run in harness::runs(harness::numbers()), largest: bool,
        ) {
            let aggregate = if largest { Extreme::largest() } else { Extreme::smallest() };
            harness::check(&aggregate, &harness::spec("max"), Kind::Float, &run, oracle(largest));
        }

        #[test]
        fn extremes_of_times_are_times(run in harness::runs(harness::times()), largest: bool) {
            let aggregate = if largest { Extreme::largest() } else { Extreme::smallest() };
            harness::check(&aggregate, &harness::spec("max"), Kind::Time, &run, oracle(largest));
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in harness::bytes(40)) {
            harness::check_bytes(&Extreme::largest(), &harness::spec("max"), &bytes);
        }
    }

    #[test]
    fn large_integers_and_floats_are_compared_exactly() {
        let mut partial = None;
        for value in
            [TestValue::Float(9_007_199_254_740_992.0), TestValue::Int(9_007_199_254_740_993)]
        {
            Extreme::largest().add(&mut partial, &Event::of(value).input());
        }
        assert!(matches!(partial, Some(Number::Int(9_007_199_254_740_993))));
    }

    #[test]
    fn infinities_can_be_extremes_and_nan_cannot() {
        let mut partial = None;
        Extreme::smallest().add(&mut partial, &Event::of(TestValue::Float(f64::NAN)).input());
        assert!(partial.is_none());
        Extreme::smallest().add(&mut partial, &Event::of(TestValue::Float(f64::INFINITY)).input());
        assert!(matches!(partial, Some(Number::Float(f64::INFINITY))));
    }

    #[test]
    fn a_key_with_one_candidate_is_small() {
        assert_eq!(size_of::<Option<Number>>(), 16);
        assert_eq!(size_of::<Candidates<Number>>(), 24);
    }
}
