//! Exact count of distinct values.

use super::Cell;

/// Returns the number of distinct values of a key.
///
/// Exact. Values that leave are subtracted, so the window has to know how often each of them
/// occurred. It shares the column of `top_values`; `value_counts.rs` documents its cost and
/// encoding. Use `approx_count_distinct` if the values do not fit into memory.
pub(super) fn emit(values: usize) -> Cell {
    Cell::Int(values as i128)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::datum::testing::{
        decodes_only_what_is_encoded, merges_in_any_order, mixed, panes, scope, slide, spec_of,
        survives_changes,
    };
    use super::super::value_counts::testing::Values;
    use super::*;
    use crate::ground::Kind;

    /// Returns an independent name for each distinct value.
    fn name(cell: &Cell) -> Option<String> {
        match cell {
            Cell::Null | Cell::List(_) => None,
            Cell::Flag(flag) => Some(format!("flag {flag}")),
            Cell::Text(text) => Some(format!("text {text:?}")),
            Cell::Time(time) => Some(format!("time {time}")),
            Cell::Int(number) => Some(format!("number {number}")),
            Cell::Float(number) if number.is_nan() => Some("nan".to_owned()),
            Cell::Float(number) if number.is_infinite() => Some(format!("number {number}")),
            // Display writes all digits of a float, and no fraction if there is none.
            Cell::Float(number) => Some(format!("number {}", number + 0.0)),
        }
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn each_value_of_the_window_counts_once(panes in panes(mixed(), 40), length in 1..12_i64) {
            let spec = spec_of("count_distinct", 0.0, 0.0);
            slide(&Values, &scope(&spec, Kind::Text), &panes, length, |cell, values| {
                let names: BTreeSet<_> = values.iter().filter_map(name).collect();
                assert_eq!(*cell, Cell::Int(names.len() as i128));
            });
        }

        #[test]
        fn merging_is_commutative_and_associative(
            groups in prop::collection::vec(prop::collection::vec(mixed(), 0..60), 0..5),
        ) {
            merges_in_any_order(&Values, &groups);
        }

        #[test]
        fn invalid_bytes_are_detected(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
            values in prop::collection::vec(mixed(), 0..20),
            changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4),
        ) {
            decodes_only_what_is_encoded(&Values, &bytes);
            survives_changes(&Values, &values, &changes);
        }
    }
}
