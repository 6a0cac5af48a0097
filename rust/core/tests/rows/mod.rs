//! The rows of a snapshot, for comparison.

use tailrace_core::{Cell, Snapshot};

/// Returns text keys with their counts, in rank order.
pub(crate) fn counts(snapshot: &Snapshot) -> Vec<(Vec<u8>, u64)> {
    let row = |place| {
        let cells: Vec<_> = snapshot.rows.columns.iter().map(|column| column.cell(place)).collect();
        match &cells[..] {
            [Cell::Text(key), Cell::Int(count)] => {
                (key.to_vec(), u64::try_from(*count).unwrap_or(u64::MAX))
            }
            other => unreachable!("{other:?}"),
        }
    };
    (0..snapshot.rows.len).map(row).collect()
}
