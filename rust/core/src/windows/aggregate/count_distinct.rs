//! How many different values there are, exactly.

use super::Cell;

/// The number of values of a key.
///
/// Exact. What leaves is subtracted, so how often each value came has to be known: that is the
/// column of `value_counts.rs`, of `top_values` too, where its cost and bytes are stated. What is many
/// values for too little memory is for `approx_count_distinct`.
pub(super) fn emit(values: usize) -> Cell {
    Cell::Int(values as i128)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::datum::testing::{
        merges_in_any_order, mixed, panes, reads_only_what_is_written, scope, slide, spec_of,
        survives_changes,
    };
    use super::super::value_counts::testing::Values;
    use super::*;
    use crate::ground::Kind;

    /// What a value is called, in words of its own.
    fn name(cell: &Cell) -> Option<String> {
        match cell {
            Cell::Null | Cell::List(_) => None,
            Cell::Text(text) => Some(format!("text {text:?}")),
            Cell::Time(time) => Some(format!("time {time}")),
            Cell::Int(number) => Some(format!("number {number}")),
            Cell::Float(number) if number.is_nan() => Some("nan".to_owned()),
            Cell::Float(number) if number.is_infinite() => Some(format!("number {number}")),
            // Display writes all digits of a float, and no fraction where there is none.
            Cell::Float(number) => Some(format!("number {}", number + 0.0)),
        }
    }

    proptest! {
        #[test]
        fn values_of_the_window_are_counted_once(panes in panes(mixed(), 40), length in 1..12_i64) {
            let spec = spec_of("count_distinct", 0.0, 0.0);
            slide(&Values, &scope(&spec, Kind::Text), &panes, length, |cell, values| {
                let names: BTreeSet<_> = values.iter().filter_map(name).collect();
                assert_eq!(*cell, Cell::Int(names.len() as i128));
            });
        }

        #[test]
        fn the_order_of_merging_makes_no_odds(
            groups in prop::collection::vec(prop::collection::vec(mixed(), 0..60), 0..5),
        ) {
            merges_in_any_order(&Values, &groups);
        }

        #[test]
        fn bytes_that_are_no_part_are_told(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
            values in prop::collection::vec(mixed(), 0..20),
            changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4),
        ) {
            reads_only_what_is_written(&Values, &bytes);
            survives_changes(&Values, &values, &changes);
        }
    }
}
