//! Converts deltas to tables.

use super::compatibility::kind_of;
use super::order::{SortedEntries, SortedEntry, SortedKeys};
use super::{Layout, TypedField};
use crate::ground::{Bits, Cell, Column, Kind, Rows, Values};
use crate::windows::delta::Delta;
use crate::windows::key_encoding;
use crate::windows::snapshot::ColumnBuilder;

impl Layout {
    /// Converts a delta to a table: the start of the pane, the fields of the key, the count, and
    /// the partial of each column of the plan. If some rows collect keys above the limit, a last
    /// column marks them. Returns `None` if the partials of a column exceed 2^31 bytes.
    pub(crate) fn rows(&self, delta: &Delta) -> Option<Rows> {
        let keys = SortedKeys::new(delta);
        let sorted = SortedEntries::new(delta, &keys);
        let kinds: Vec<Kind> = self.keys.iter().map(|key| kind_of(key.kind).0).collect();
        let builder = |key: &TypedField| {
            // Values of any type are in their stored form.
            match kind_of(key.kind) {
                (Kind::Any, _) => ColumnBuilder::new(Kind::Text, false, true),
                (kind, raw) => ColumnBuilder::new(kind, false, raw),
            }
        };
        let mut cells: Vec<ColumnBuilder> = self.keys.iter().map(builder).collect();
        for entry in &sorted.entries {
            let key = delta.keys.key(keys.ids[entry.key as usize]);
            key_encoding::decode(key, &kinds, |place, cell| {
                if kinds[place] != Kind::Any {
                    cells[place].push(cell);
                }
            });
            key_encoding::split(key, &kinds, |place, stored| {
                if kinds[place] == Kind::Any {
                    cells[place]
                        .push(stored.map_or(Cell::Null, |stored| Cell::Text(stored.into())));
                }
            });
        }
        let start = |entry: &SortedEntry| {
            let pane = sorted.panes[entry.pane as usize];
            self.panes.map_or(0, |panes| panes.end(pane.saturating_sub(1)))
        };
        let times = sorted.entries.iter().map(start).collect();
        let counts = sorted.entries.iter().map(|entry| entry.count.into()).collect();
        let is_other =
            |entry: &SortedEntry| i64::from(delta.other == Some(keys.ids[entry.key as usize]));
        let rows = sorted.entries.len();
        let full = |values| Column { valid: Bits { len: rows, ..Bits::default() }, values };
        let mut columns = vec![full(Values::Time(times))];
        columns.extend(cells.into_iter().map(ColumnBuilder::finish));
        columns.push(full(Values::Int(counts)));
        for column in sorted.columns(delta) {
            let (mut offsets, mut data) = (vec![0], Vec::new());
            for place in 0..rows {
                column.encode(sorted.partial_at(place), &mut data);
                offsets.push(i32::try_from(data.len()).ok()?);
            }
            columns.push(full(Values::Bytes { offsets, data }));
        }
        if delta.other.is_some() {
            columns.push(full(Values::Int(sorted.entries.iter().map(is_other).collect())));
        }
        Some(Rows { columns, len: rows })
    }
}
