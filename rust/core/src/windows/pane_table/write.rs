//! Writes pane tables.

use super::partial::{PartialCell, put_head};
use crate::ground::{
    Bits, Cell, Column, InputError, Kind, NamedRows, Rows, Value, Values, lossy, write_iso,
};
use crate::windows::delta::Delta;
use crate::windows::export::{Layout, SortedEntries, SortedKeys, kind_of};
use crate::windows::key_encoding;
use crate::windows::keys::{Dictionary, KeyBytes, Seed};
use crate::windows::snapshot::ColumnBuilder;

/// The column of the start of a pane.
const PANE: &str = "pane";

impl Layout {
    /// Returns the names of the columns of a pane table.
    pub(super) fn pane_table_names(&self) -> Vec<String> {
        let keys = self.keys.iter().map(|key| key.name.clone());
        let names = std::iter::once(PANE.to_owned()).chain(keys);
        names.chain(self.plan.specs().map(|spec| spec.name.clone())).collect()
    }

    /// Converts a delta to a pane table, sorted by pane and key. Keys are text that is UTF-8, or
    /// numbers, or times.
    pub(crate) fn pane_table(
        &self,
        mut delta: Delta,
        seed: &Seed,
    ) -> Result<NamedRows, InputError> {
        if delta.other.is_some() {
            return Err(InputError::value(
                "max_keys: the keys above the limit are in no pane of their own; merge panes in a \
                 window without max_keys and max_key_bytes",
            ));
        }
        // They are one pane, and a window of another length would take them for a part of it.
        if delta.evicted.is_some_and(|evicted| evicted.since_start) {
            return Err(InputError::value(
                "expected a window that keeps its panes, found one of everything since the start \
                 that has closed some; use an export",
            ));
        }
        let kinds: Vec<Kind> = self.keys.iter().map(|key| kind_of(key.kind).0).collect();
        make_keys_text(&mut delta, &kinds, seed);
        let delta = &delta;
        let kinds: Vec<Kind> = kinds.into_iter().map(as_text).collect();
        let keys = SortedKeys::new(delta);
        let sorted = SortedEntries::new(delta, &keys);
        // A key whose count exceeds 32 bits has several entries.
        let runs =
            || sorted.entries.chunk_by(|one, two| (one.pane, one.key) == (two.pane, two.key));
        let start = |pane: u32| {
            let number = sorted.panes[pane as usize];
            self.panes.map_or(0, |panes| panes.end(number.saturating_sub(1)))
        };
        let (mut times, mut counts, mut places) = (Vec::new(), Vec::new(), Vec::new());
        let mut place = 0;
        for run in runs() {
            times.push(start(run[0].pane));
            counts.push(run.iter().map(|entry| u64::from(entry.count)).sum::<u64>());
            places.push(place);
            place += run.len();
        }
        let of_rows = runs().map(|run| delta.keys.key(keys.ids[run[0].key as usize]));
        let columns = key_columns(of_rows, &kinds)?;
        let mut columns: Vec<Column> =
            std::iter::once(full(Values::Time(times), counts.len())).chain(columns).collect();
        let partials = sorted.columns(delta);
        for cell in PartialCell::of(self) {
            let Some(cell) = cell else {
                let counts = counts.iter().map(|&count| i64::try_from(count).unwrap_or(i64::MAX));
                columns.push(full(Values::Int(counts.collect()), places.len()));
                continue;
            };
            let head = cell.head(&self.values);
            let (mut offsets, mut data) = (vec![0], Vec::new());
            for (&place, &events) in places.iter().zip(&counts) {
                put_head(&mut data, &head, events);
                if let Some(column) = cell.column.and_then(|column| partials.get(column)) {
                    column.encode(sorted.partial_at(place), &mut data);
                }
                offsets.push(i32::try_from(data.len()).map_err(|_| too_large())?);
            }
            columns.push(full(Values::Bytes { offsets, data }, places.len()));
        }
        let rows = Rows { columns, len: places.len() };
        Ok(NamedRows { names: self.pane_table_names(), rows, metadata: Vec::new() })
    }
}

fn too_large() -> InputError {
    InputError::value(
        "a column of the panes has more than 2^31 bytes; count fewer lines at once, as in more \
         partitions",
    )
}

fn full(values: Values, len: usize) -> Column {
    Column { valid: Bits { len, ..Bits::default() }, values }
}

fn as_text(kind: Kind) -> Kind {
    if kind == Kind::Any { Kind::Text } else { kind }
}

/// Makes the text of keys UTF-8, and values of any kind text. Keys that become equal are one key.
fn make_keys_text(delta: &mut Delta, kinds: &[Kind], seed: &Seed) {
    let is_plain = |cell: &Cell| !matches!(cell, Cell::Text(text) if str::from_utf8(text).is_err());
    let is_kept = |number: u32| match (kinds, delta.keys.key(number)) {
        ([Kind::Text], key) => key.is_none_or(|text| str::from_utf8(text).is_ok()),
        (_, key) => {
            let mut all = true;
            key_encoding::decode(key, kinds, |_, cell| all &= is_plain(&cell));
            all
        }
    };
    let numbers = || (0..).take(delta.keys.len());
    let has_text = kinds.contains(&Kind::Text);
    if !kinds.contains(&Kind::Any) && (!has_text || numbers().all(is_kept)) {
        return;
    }
    let mut keys = Dictionary::default();
    let (mut cells, mut room) = (Vec::new(), Vec::new());
    let changed: Vec<u32> = numbers()
        .map(|number| {
            cells.clear();
            key_encoding::decode(delta.keys.key(number), kinds, |place, cell| {
                cells.push(if kinds[place] == Kind::Any { text_of(cell) } else { plain(cell) });
            });
            let values: Vec<Value<'_>> = cells.iter().map(value_of).collect();
            keys.number(key_encoding::encode(&mut &values[..], values.len(), &mut room), seed)
        })
        .collect();
    for entry in &mut delta.entries {
        entry.key = changed[entry.key as usize];
    }
    delta.keys = keys;
}

fn plain(cell: Cell) -> Cell {
    match cell {
        Cell::Text(text) => Cell::Text(lossy(&text).as_bytes().into()),
        cell => cell,
    }
}

/// Returns a value of any kind as text: text as it is, others as their JSON.
fn text_of(cell: Cell) -> Cell {
    let text = match cell {
        Cell::Null | Cell::List(_) => return Cell::Null,
        Cell::Text(_) => return plain(cell),
        Cell::Int(number) => number.to_string(),
        Cell::Float(number) if number.is_finite() => format!("{number:?}"),
        Cell::Float(number) => number.to_string(),
        Cell::Flag(flag) => flag.to_string(),
        Cell::Time(time) => {
            let mut text = Vec::new();
            write_iso(time, &mut text);
            return Cell::Text(text.into());
        }
    };
    Cell::Text(text.into_bytes().into())
}

fn value_of(cell: &Cell) -> Value<'_> {
    match cell {
        Cell::Text(text) => Value::Text(text),
        Cell::Int(number) => Value::integer(*number).unwrap_or(Value::Null),
        Cell::Float(number) => Value::Float(*number),
        Cell::Time(time) => Value::Time(*time),
        Cell::Null | Cell::Flag(_) | Cell::List(_) => Value::Null,
    }
}

/// Returns a column for each field of the keys of all rows.
fn key_columns<'a>(
    keys: impl Iterator<Item = KeyBytes<'a>>,
    kinds: &[Kind],
) -> Result<Vec<Column>, InputError> {
    if let [Kind::Text] = kinds {
        return Ok(vec![text_column(keys)?]);
    }
    let builder = |&kind: &Kind| ColumnBuilder::new(kind, false, false);
    let mut columns: Vec<ColumnBuilder> = kinds.iter().map(builder).collect();
    for key in keys {
        key_encoding::decode(key, kinds, |place, cell| columns[place].push(cell));
    }
    let columns: Vec<Column> = columns.into_iter().map(ColumnBuilder::finish).collect();
    for column in &columns {
        match &column.values {
            Values::Text { data, .. } if i32::try_from(data.len()).is_err() => {
                return Err(too_large());
            }
            Values::Large(_) => {
                return Err(InputError::value(
                    "keys: expected integers of 64 bits with a sign, found one above them; convert \
                     them to text",
                ));
            }
            _ => {}
        }
    }
    Ok(columns)
}

fn text_column<'a>(keys: impl Iterator<Item = KeyBytes<'a>>) -> Result<Column, InputError> {
    let (mut valid, mut offsets, mut data) = (Bits::default(), vec![0], Vec::new());
    for key in keys {
        valid.push(key.is_some());
        data.extend_from_slice(key.unwrap_or_default());
        offsets.push(i32::try_from(data.len()).map_err(|_| too_large())?);
    }
    Ok(Column { valid, values: Values::Text { offsets, data } })
}
