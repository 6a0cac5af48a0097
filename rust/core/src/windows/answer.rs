//! What is answered: ranked rows as columns.

use crate::ground::{Bits, Cell, Column, Counters, Kind, Rows, Values, lossy};

/// A ranked answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Which of the lengths it is of, by place.
    pub back: usize,
    /// Where the window begins, in microseconds since the epoch; the oldest time without one.
    pub start: Option<i64>,
    /// Where it ends; the newest time without a window.
    pub end: Option<i64>,
    /// How many keys it holds.
    pub keys: usize,
    /// How many events it holds.
    pub total: u64,
    /// The first keys in order: the fields of the key, then what was asked of it, then rank and
    /// how far up it has come, where that was asked. Behind them stands the row of the keys that
    /// there was no room for.
    pub rows: Rows,
    /// How many events that row is of, where there is one.
    pub other: Option<u64>,
    /// Where it was asked how keys moved, those that were rows of the last answer and are not of
    /// this one.
    pub gone: Option<Rows>,
    /// Where all lines up to the end of the window went.
    pub lines: Counters,
}

/// Makes a column of cells.
#[derive(Debug)]
pub(crate) struct Builder {
    kind: Kind,
    lists: bool,
    raw: bool,
    cells: Vec<Cell>,
}

impl Builder {
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
    let mut values = Builder::new(kind, false, raw);
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
