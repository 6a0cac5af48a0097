//! Snapshots: ranked rows as columns.

use super::aggregate::KeyContext;
use super::key_encoding;
use super::keys::KeyTable;
use super::pane::Pane;
use super::rank::{Basis, Order, OrderBy, Ranker, Ranking};
use super::settings::Settings;
use super::totals::Totals;
use crate::ground::{AnyColumn, Bits, Cell, Column, Counters, Kind, Rows, Values, lossy};

/// The name of the row that collects keys above the limit.
const OTHER: &[u8] = b"(other)";

/// A ranked result of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The index of its lookback in the settings.
    pub lookback: usize,
    /// The start of the window in microseconds since the epoch; without windows, the oldest time.
    pub start: Option<i64>,
    /// The end of the window; without windows, the newest time.
    pub end: Option<i64>,
    /// The number of keys in the window.
    pub keys: usize,
    /// The number of events in the window.
    pub total: u64,
    /// The first keys in order. The columns are the fields of the key, the aggregates, and if ranks
    /// are tracked the rank and its change. The row of the keys above the limit comes last.
    pub rows: Rows,
    /// The number of events in the row of the keys above the limit, if there is one.
    pub other: Option<u64>,
    /// If ranks are tracked, the keys of the last snapshot's rows that are not in the rows of this
    /// one.
    pub dropped: Option<Rows>,
    /// One row with the results of all keys together, where the partials of keys are cheap to
    /// merge. The other columns are null.
    pub totals: Rows,
    /// The counters of all lines up to the end of the window.
    pub lines: Counters,
}

/// A pane that was handed out.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosedPane<T> {
    /// Its start in microseconds since the epoch.
    pub start: i64,
    /// Its end.
    pub end: i64,
    /// The values of its keys.
    pub content: T,
    /// The counters of the lines up to its end that no earlier pane has reported.
    pub lines: Counters,
}

/// Builds snapshots.
pub(super) struct SnapshotBuilder<'a> {
    pub(super) settings: &'a Settings,
    pub(super) keys: &'a KeyTable,
    /// The start and the end of the window.
    pub(super) bounds: (Option<i64>, Option<i64>),
}

impl SnapshotBuilder<'_> {
    pub(super) fn snapshot(
        &self,
        lookback: usize,
        totals: &Totals,
        other: Option<u32>,
        mut ranking: Option<&mut Ranking>,
        lines: Counters,
    ) -> Snapshot {
        let Settings { order, limit, track_ranks, keys: kinds, plan, .. } = self.settings;
        let (start, end) = self.bounds;
        let wholes = self.wholes(totals);
        let cell = &self.cells(totals, &wholes);
        let other = other.filter(|&id| totals.count(id) > 0);
        let &Order { by, ascending } = order;
        let ranker = Ranker {
            totals,
            keys: self.keys,
            ascending,
            except: other,
            basis: match by {
                OrderBy::Count if !ascending => Basis::Counts,
                OrderBy::Key(place) => Basis::Key(place, kinds),
                by => Basis::Cells(move |id: u32, count: u64| match by {
                    OrderBy::Aggregate(place) => cell(place, id, count),
                    _ => Cell::Int(count.into()),
                }),
            },
        };
        let ids = match &mut ranking {
            Some(ranking) => {
                if matches!(by, OrderBy::Aggregate(place) if plan.is_share(place)) {
                    ranking.sort_again();
                }
                ranking.top(&ranker, *limit)
            }
            None => ranker.top(*limit),
        };
        let changes = match ranking {
            Some(ranking) if *track_ranks => Some(ranking.changes(&ids, self.keys)),
            _ => None,
        };
        let mut rows = self.rows(&ids, other, |place, id| cell(place, id, totals.count(id)));
        if *track_ranks {
            let rank_changes = changes.as_ref().map_or(&[][..], |changes| &changes.rank_changes);
            rows.columns.extend(ranks(ids.len(), other.is_some(), rank_changes));
        }
        Snapshot {
            lookback,
            start,
            end,
            keys: totals.keys() - usize::from(other.is_some()),
            total: totals.total(),
            rows,
            other: other.map(|id| totals.count(id)),
            dropped: changes.map(|changes| self.keys_of(&changes.dropped)),
            totals: self.row_of(&wholes),
            lines,
        }
    }

    /// Returns the aggregates of the keys of a pane, sorted by key.
    pub(super) fn pane(&self, pane: &Pane, other: Option<u32>) -> Rows {
        let mut totals = Totals::new(&self.settings.plan, true);
        totals.enter(pane.entries().iter().copied(), pane.columns(), 0, None);
        let except = other.filter(|&id| totals.count(id) > 0);
        let basis = Basis::<fn(u32, u64) -> Cell>::Key(0, &self.settings.keys);
        let ranker = Ranker { totals: &totals, keys: self.keys, ascending: true, except, basis };
        let wholes = self.wholes(&totals);
        let cell = self.cells(&totals, &wholes);
        self.rows(&ranker.top(None), except, |place, id| cell(place, id, totals.count(id)))
    }

    /// Returns a function that computes the cell of an aggregate for a key.
    fn cells<'a>(
        &'a self,
        totals: &'a Totals,
        wholes: &'a [Cell],
    ) -> impl Fn(usize, u32, u64) -> Cell {
        let context = self.context(wholes);
        move |place, id, count| {
            let context = KeyContext { count, ..context };
            self.settings.plan.emit(place, totals.columns(), id, &context)
        }
    }

    fn wholes(&self, totals: &Totals) -> Vec<Cell> {
        let context = KeyContext { count: totals.total(), ..self.context(&[]) };
        self.settings.plan.wholes(totals.columns(), &context)
    }

    fn context<'a>(&'a self, wholes: &'a [Cell]) -> KeyContext<'a> {
        let (start, end) = self.bounds;
        #[expect(clippy::cast_precision_loss, reason = "far less than 2^53 microseconds")]
        let seconds = start.zip(end).map_or(0.0, |(start, end)| (end - start) as f64 / 1e6);
        KeyContext { kinds: &self.settings.values, seconds, count: 0, wholes }
    }

    /// Returns a row without a key of what all keys have together.
    fn row_of(&self, wholes: &[Cell]) -> Rows {
        let Settings { plan, values, .. } = self.settings;
        let mut columns = self.key_columns();
        for column in &mut columns {
            column.push(Cell::Null);
        }
        let kinds = plan.kinds(values).unwrap_or_default();
        for (place, (kind, lists)) in kinds.into_iter().zip(plan.lists()).enumerate() {
            let mut column = ColumnBuilder::new(kind, lists, false);
            let whole = wholes.get(place).cloned().unwrap_or(Cell::Null);
            column.push(match whole.number() {
                // All keys have a share of 1 of anything.
                number if plan.is_share(place) => {
                    let is_whole = number.is_finite() && number != 0.0;
                    if is_whole { Cell::Float(1.0) } else { Cell::Null }
                }
                _ => whole,
            });
            columns.push(column);
        }
        Rows { columns: columns.into_iter().map(ColumnBuilder::finish).collect(), len: 1 }
    }

    fn rows(&self, ids: &[u32], other: Option<u32>, cell: impl Fn(usize, u32) -> Cell) -> Rows {
        let Settings { plan, keys: kinds, values, raw, .. } = self.settings;
        let mut columns = self.key_columns();
        for &id in ids {
            key_encoding::decode(self.keys.key(id), kinds, |place, cell| columns[place].push(cell));
        }
        if other.is_some() {
            for (place, (column, kind)) in columns.iter_mut().zip(kinds).enumerate() {
                let name = place == 0 && matches!(kind, Kind::Text | Kind::Any);
                column.push(if name { Cell::Text(OTHER.into()) } else { Cell::Null });
            }
        }
        // A plan that does not accept its values was rejected when it was created.
        let kinds = plan.kinds(values).unwrap_or_default();
        let raw = plan.of_fields(&raw[1]);
        for (place, (kind, lists)) in kinds.into_iter().zip(plan.lists()).enumerate() {
            let mut column = ColumnBuilder::new(kind, lists, raw[place]);
            for &id in ids.iter().chain(&other) {
                column.push(cell(place, id));
            }
            columns.push(column);
        }
        let columns = columns.into_iter().map(ColumnBuilder::finish).collect();
        Rows { columns, len: ids.len() + usize::from(other.is_some()) }
    }

    fn keys_of(&self, keys: &[Option<Box<[u8]>>]) -> Rows {
        let mut columns = self.key_columns();
        for key in keys {
            let kinds = &self.settings.keys;
            key_encoding::decode(key.as_deref(), kinds, |place, cell| columns[place].push(cell));
        }
        let columns = columns.into_iter().map(ColumnBuilder::finish).collect();
        Rows { columns, len: keys.len() }
    }

    fn key_columns(&self) -> Vec<ColumnBuilder> {
        let Settings { keys, raw, .. } = self.settings;
        let raw = raw[0].iter().copied().chain(std::iter::repeat(false));
        keys.iter().zip(raw).map(|(&kind, raw)| ColumnBuilder::new(kind, false, raw)).collect()
    }
}

/// Returns columns of ranks from 1 and of their changes.
fn ranks(rows: usize, has_other: bool, rank_changes: &[Option<i64>]) -> [Column; 2] {
    let mut columns = [0, 1].map(|_| ColumnBuilder::new(Kind::Int, false, false));
    for (place, rank) in (0..rows).zip(1_i128..) {
        columns[0].push(Cell::Int(rank));
        let change = rank_changes.get(place).copied().flatten();
        columns[1].push(change.map_or(Cell::Null, |change| Cell::Int(change.into())));
    }
    if has_other {
        for column in &mut columns {
            column.push(Cell::Null);
        }
    }
    columns.map(ColumnBuilder::finish)
}

/// Builds a column from cells.
#[derive(Debug)]
pub(crate) struct ColumnBuilder {
    kind: Kind,
    lists: bool,
    raw: bool,
    cells: Vec<Cell>,
}

impl ColumnBuilder {
    /// Creates a builder for cells of this kind, or for lists of them. With `raw`, text may be
    /// invalid UTF-8.
    pub(crate) fn new(kind: Kind, lists: bool, raw: bool) -> Self {
        Self { kind, lists, raw, cells: Vec::new() }
    }

    pub(crate) fn push(&mut self, cell: Cell) {
        self.cells.push(cell);
    }

    pub(crate) fn finish(self) -> Column {
        let Self { kind, lists, raw, cells } = self;
        let mut valid = Bits::default();
        for cell in &cells {
            valid.push(!matches!(cell, Cell::Null));
        }
        let values = match kind {
            _ if lists => counted(cells, kind, raw),
            Kind::Any => {
                let mut column = AnyColumn::default();
                cells.iter().enumerate().for_each(|(row, cell)| column.set_cell(row, cell));
                let kind = column.common_type();
                return column.finish(cells.len(), kind);
            }
            Kind::Text => text(&cells, raw),
            Kind::Int => ints(&cells),
            Kind::Float => Values::Float(cells.iter().map(Cell::number).collect()),
            Kind::Time => {
                let time = |cell: &Cell| if let Cell::Time(time) = cell { *time } else { 0 };
                Values::Time(cells.iter().map(time).collect())
            }
        };
        Column { valid, values }
    }
}

fn text(cells: &[Cell], raw: bool) -> Values {
    let (mut offsets, mut data) = (vec![0], Vec::new());
    for cell in cells {
        match cell {
            Cell::Text(text) if raw => data.extend_from_slice(text),
            Cell::Text(text) => data.extend_from_slice(lossy(text).as_bytes()),
            _ => {}
        }
        offsets.push(i32::try_from(data.len()).unwrap_or(i32::MAX));
    }
    if raw { Values::Bytes { offsets, data } } else { Values::Text { offsets, data } }
}

fn ints(cells: &[Cell]) -> Values {
    // An integer sum that exceeds 128 bits is a float, and then the whole column is.
    if cells.iter().any(|cell| matches!(cell, Cell::Float(_))) {
        return Values::Float(cells.iter().map(Cell::number).collect());
    }
    let number = |cell: &Cell| if let Cell::Int(number) = cell { *number } else { 0 };
    let small: Result<Vec<i64>, _> = cells.iter().map(|cell| i64::try_from(number(cell))).collect();
    small.map_or_else(|_| Values::Large(cells.iter().map(number).collect()), Values::Int)
}

fn counted(cells: Vec<Cell>, kind: Kind, raw: bool) -> Values {
    let mut offsets = vec![0];
    let mut counts = Vec::new();
    let mut values = ColumnBuilder::new(kind, false, raw);
    for cell in cells {
        if let Cell::List(list) = cell {
            for (value, count) in list {
                values.push(value);
                counts.push(count);
            }
        }
        offsets.push(i32::try_from(counts.len()).unwrap_or(i32::MAX));
    }
    Values::Counted { offsets, values: Box::new(values.finish()), counts }
}
