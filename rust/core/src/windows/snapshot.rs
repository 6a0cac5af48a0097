//! What is answered: ranked rows as columns.

use super::aggregate::About;
use super::key_encoding;
use super::keys::KeyTable;
use super::pane::Pane;
use super::rank::{Order, Ranker, Ranking};
use super::settings::Settings;
use super::totals::Totals;
use crate::ground::{Bits, Cell, Column, Counters, Kind, Rows, Values, lossy};

/// What stands for the keys that there was no room for.
const OTHER: &[u8] = b"(other)";

/// A ranked answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Which of the lengths it is of, by place.
    pub lookback: usize,
    /// Where the window begins, in microseconds since the epoch; the oldest time without one.
    pub start: Option<i64>,
    /// Where it ends; the newest time without a window.
    pub end: Option<i64>,
    /// How many keys it holds.
    pub keys: usize,
    /// How many events it holds.
    pub total: u64,
    /// The first keys in order: the fields of the key, then what was builder of it, then rank and
    /// how far up it has come, where that was builder. Behind them stands the row of the keys that
    /// there was no room for.
    pub rows: Rows,
    /// How many events that row is of, where there is one.
    pub other: Option<u64>,
    /// Where it was builder how keys moved, those that were rows of the last answer and are not of
    /// this one.
    pub dropped: Option<Rows>,
    /// Where all lines up to the end of the window went.
    pub lines: Counters,
}

/// A pane that was handed out.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosedPane<T> {
    /// Where it begins, in microseconds since the epoch.
    pub start: i64,
    /// Where it ends.
    pub end: i64,
    /// What there is of its keys.
    pub content: T,
    /// Where the lines up to its end went that no pane before it has told.
    pub lines: Counters,
}

/// What an answer is made by.
pub(super) struct SnapshotBuilder<'a> {
    pub(super) settings: &'a Settings,
    pub(super) keys: &'a KeyTable,
    /// Where the window begins and ends.
    pub(super) bounds: (Option<i64>, Option<i64>),
}

impl SnapshotBuilder<'_> {
    pub(super) fn answer(
        &self,
        lookback: usize,
        totals: &Totals,
        other: Option<u32>,
        mut ranking: Option<&mut Ranking>,
        lines: Counters,
    ) -> Snapshot {
        let Settings { order, limit, track_ranks, .. } = self.settings;
        let (start, end) = self.bounds;
        let cell = self.cells(totals);
        let other = other.filter(|&id| totals.count(id) > 0);
        let &Order { by, ascending } = order;
        let ranker = Ranker {
            totals,
            keys: self.keys,
            ascending,
            except: other,
            cell: (by.is_some() || ascending).then_some(|id: u32, count: u64| match by {
                Some(place) => cell(place, id, count),
                None => Cell::Int(count.into()),
            }),
        };
        let ids = match &mut ranking {
            Some(ranking) => ranking.top(&ranker, *limit),
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
            lines,
        }
    }

    /// What was builder of the keys of a pane, in their order.
    pub(super) fn pane(&self, pane: &Pane, other: Option<u32>) -> Rows {
        let mut totals = Totals::new(&self.settings.plan, true);
        totals.enter(pane.entries().iter().copied(), pane.columns(), 0, None);
        let except = other.filter(|&id| totals.count(id) > 0);
        // Where nothing tells keys apart they are in their own order.
        let cell = Some(|_: u32, _: u64| Cell::Null);
        let ranker = Ranker { totals: &totals, keys: self.keys, ascending: false, except, cell };
        let cell = self.cells(&totals);
        self.rows(&ranker.top(None), except, |place, id| cell(place, id, totals.count(id)))
    }

    /// What there is to say of a key, to what was builder at a place.
    fn cells(&self, totals: &Totals) -> impl Fn(usize, u32, u64) -> Cell {
        let Settings { plan, values, .. } = self.settings;
        let (start, end) = self.bounds;
        #[expect(clippy::cast_precision_loss, reason = "far less than 2^53 microseconds")]
        let seconds = start.zip(end).map_or(0.0, |(start, end)| (end - start) as f64 / 1e6);
        move |place, id, count| {
            plan.emit(place, totals.columns(), id, &About { kinds: values, seconds, count })
        }
    }

    fn rows(&self, ids: &[u32], other: Option<u32>, cell: impl Fn(usize, u32) -> Cell) -> Rows {
        let Settings { plan, keys: kinds, values, raw, .. } = self.settings;
        let mut columns = self.key_columns();
        for &id in ids {
            key_encoding::decode(self.keys.key(id), kinds, |place, cell| columns[place].push(cell));
        }
        if other.is_some() {
            for (place, (column, kind)) in columns.iter_mut().zip(kinds).enumerate() {
                let name = place == 0 && *kind == Kind::Text;
                column.push(if name { Cell::Text(OTHER.into()) } else { Cell::Null });
            }
        }
        // A plan that does not fit its values was turned away when it was made.
        let says = plan.kinds(values).unwrap_or_default();
        let raw = plan.of_fields(&raw[1]);
        for (place, (kind, lists)) in says.into_iter().zip(plan.lists()).enumerate() {
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

/// Columns of ranks from 1, and of how far up each has come.
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

/// Makes a column of cells.
#[derive(Debug)]
pub(crate) struct ColumnBuilder {
    kind: Kind,
    lists: bool,
    raw: bool,
    cells: Vec<Cell>,
}

impl ColumnBuilder {
    /// Of cells of this kind, or of lists of them; text that is `raw` may be other than UTF-8.
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
    // A sum that is beyond whole numbers of 128 bits is a float, and so are all beside it then.
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
