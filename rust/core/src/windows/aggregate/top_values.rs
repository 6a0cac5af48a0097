//! The most frequent values of a field.

use std::cmp::Ordering;

use super::codes::Codes;
use super::datum::Datum;
use super::{Cell, Scope};

/// The default number of values.
const DEFAULT: usize = 3;

/// Returns the most frequent values of a key, each with its count, ties by value.
///
/// Exact. Shares the column of `count_distinct`; `value_counts.rs` documents its cost and encoding.
/// A result takes a scan of all values of the key, and memory for twice the number of values asked
/// for.
pub(super) fn emit(
    counts: impl Iterator<Item = (u32, u64)>,
    codes: &Codes,
    scope: &Scope<'_>,
) -> Cell {
    let most = most(scope.spec.number);
    let mut best: Vec<(Datum<'_>, u64)> = Vec::new();
    let mut least = 0;
    for (code, count) in counts {
        if count < least {
            continue;
        }
        best.push((codes.value(code), count));
        if best.len() >= most.saturating_mul(2) {
            best.select_nth_unstable_by(most - 1, order);
            best.truncate(most);
            least = best[most - 1].1;
        }
    }
    best.sort_unstable_by(order);
    best.truncate(most);
    if best.is_empty() {
        return Cell::Null;
    }
    Cell::List(best.into_iter().map(|(datum, count)| (datum.cell(scope.kind), count)).collect())
}

fn most(number: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number that is too large means all values"
    )]
    if number >= 1.0 { number as usize } else { DEFAULT }
}

fn order(one: &(Datum<'_>, u64), other: &(Datum<'_>, u64)) -> Ordering {
    other.1.cmp(&one.1).then_with(|| one.0.compare(other.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::datum::testing::{panes, scope, slide, spec_of};
    use super::super::value_counts::testing::Values;
    use super::*;
    use crate::ground::Kind;

    #[expect(clippy::float_cmp, reason = "the values are bit for bit the same")]
    fn same(one: &Cell, other: &Cell) -> bool {
        match (one, other) {
            (Cell::Float(one), Cell::Float(other)) => {
                one == other || one.is_nan() && other.is_nan()
            }
            _ => one == other,
        }
    }

    /// Counts by comparing all pairs.
    fn oracle(values: &[Cell], most: usize) -> Cell {
        let mut counts: Vec<(Cell, u64)> = Vec::new();
        for value in values.iter().filter(|value| **value != Cell::Null) {
            match counts.iter_mut().find(|(other, _)| same(other, value)) {
                Some((_, count)) => *count += 1,
                None => counts.push((value.clone(), 1)),
            }
        }
        counts.sort_by(|(one, count), (other, others)| {
            // Ascending: numbers first, then NaN.
            others.cmp(count).then(other.is_ranked().cmp(&one.is_ranked())).then(one.rank(other))
        });
        counts.truncate(most);
        if counts.is_empty() { Cell::Null } else { Cell::List(counts) }
    }

    fn check(cell: &Cell, values: &[Cell], most: usize) {
        let expected = oracle(values, most);
        let (Cell::List(one), Cell::List(other)) = (cell, &expected) else {
            assert_eq!(*cell, expected);
            return;
        };
        assert_eq!(one.len(), other.len(), "{one:?} {other:?}");
        for (one, other) in one.iter().zip(other) {
            assert!(same(&one.0, &other.0) && one.1 == other.1, "{one:?} {other:?}");
        }
    }

    fn texts() -> impl Strategy<Value = Cell> {
        prop_oneof![
            1 => Just(Cell::Null),
            4 => "[ab]{0,3}".prop_map(|text| Cell::Text(text.into_bytes().into())),
            1 => "[a-f]{30}".prop_map(|text| Cell::Text(text.into_bytes().into())),
        ]
    }

    fn floats() -> impl Strategy<Value = Cell> {
        prop_oneof![
            (-5..20_i32).prop_map(|number| Cell::Float(f64::from(number) / 2.0)),
            prop::sample::select(vec![f64::NAN, 1e300, f64::INFINITY, f64::NEG_INFINITY, -0.0])
                .prop_map(Cell::Float),
        ]
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn the_most_frequent_texts_come_first(
            panes in panes(texts(), 40), length in 1..12_i64, most in 1..6_u8,
        ) {
            let spec = spec_of("top_values", most.into(), 0.0);
            slide(&Values, &scope(&spec, Kind::Text), &panes, length, |cell, values| {
                check(cell, values, most.into());
            });
        }

        #[test]
        fn floats_round_trip_in_order(panes in panes(floats(), 20), length in 1..12_i64) {
            let spec = spec_of("top_values", 4.0, 0.0);
            slide(&Values, &scope(&spec, Kind::Float), &panes, length, |cell, values| {
                check(cell, values, 4);
            });
        }

        #[test]
        fn integers_and_times_keep_their_kind(
            numbers in panes((-9..9_i64).prop_map(|number| Cell::Int(number.into())), 20),
            times in panes((-9..9_i64).prop_map(Cell::Time), 20),
        ) {
            let spec = spec_of("top_values", 0.0, 0.0);
            for (panes, kind) in [(numbers, Kind::Int), (times, Kind::Time)] {
                slide(&Values, &scope(&spec, kind), &panes, 4, |cell, values| {
                    check(cell, values, DEFAULT);
                });
            }
        }
    }
}
