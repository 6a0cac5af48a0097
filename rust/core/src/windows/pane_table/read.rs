//! Reads pane tables.

use std::ops::Range;

use super::partial::{NONE, PartialCell};
use crate::ground::{Counters, InputError, Kind, MAX_TIME, Panes, Value, quoted};
use crate::windows::aggregate::{Event, PlanError};
use crate::windows::delta::{Delta, Entry};
use crate::windows::export::{Imported, Layout, MAX_LINES, SeenKind, merged_kind, name_of};
use crate::windows::export_table::InputTable;
use crate::windows::input_columns::{InputArray, InputColumn, for_each};
use crate::windows::key_encoding;
use crate::windows::keys::Seed;

impl Layout {
    /// Reads a pane table into a delta for a state of this layout, which has counted `known` lines.
    /// Rows can be in any order. A pane of the table is added to the pane of this layout that
    /// contains its start. Errors name aggregates of `fields` and those of the plan.
    pub(crate) fn read_pane_table<P: InputArray>(
        &self,
        table: &InputTable<P>,
        seed: &Seed,
        known: u64,
        fields: &[&str],
    ) -> Result<Imported, InputError> {
        let Some(panes) = self.panes else {
            return Err(InputError::value("expected a window length"));
        };
        let names = self.pane_table_names();
        if table.names != names {
            let (expected, found) = (names.join(", "), table.names.join(", "));
            return Err(InputError::Value(format!(
                "columns: expected {expected}, found {found}; select them in this order"
            )));
        }
        let cells = PartialCell::of(self);
        let keys = self.kinds_of_pane_table(table, &cells)?;
        let mut reader = RowReader {
            layout: self,
            fields,
            panes,
            seed,
            cells,
            keys: 1..1 + keys.len(),
            values: self.values.clone(),
            delta: Delta::new(0, self.plan.columns()),
            events: 0,
            room_for_events: MAX_LINES.saturating_sub(known),
            room: Vec::new(),
        };
        let mut failed = None;
        let columns: Vec<_> = table.columns.iter().collect();
        let rows = table.columns.first().map_or(0, InputColumn::rows);
        for_each(&columns, 0..rows, |row, values| {
            if failed.is_none() {
                failed = reader.read(values).err().map(|(column, error)| (row, column, error));
            }
        });
        if let Some((row, column, error)) = failed {
            let column = names.get(column).map_or("", String::as_str);
            return Err(InputError::Value(format!("{column}[{row}]: {error}")));
        }
        let RowReader { mut delta, values, events, .. } = reader;
        let entries = delta.entries.len();
        delta.columns.iter_mut().for_each(|column| column.resize(entries));
        delta.lines = Counters::of_counted(events);
        delta.sort_panes();
        let kinds: Vec<Kind> =
            values.iter().map(|kind| kind.map_or(Kind::Int, |kind| kind.0)).collect();
        self.plan.kinds(&kinds).map_err(|PlanError(what)| InputError::Type(what))?;
        Ok(Imported { delta, keys, values })
    }

    /// Checks the types of the columns, and returns the common kinds of its keys and those before.
    fn kinds_of_pane_table<P: InputArray>(
        &self,
        table: &InputTable<P>,
        cells: &[Option<PartialCell>],
    ) -> Result<Vec<SeenKind>, InputError> {
        let kind = |column: usize| table.columns.get(column).and_then(InputColumn::kind);
        let wrong = |column: usize, expected: &str| {
            let name = table.names.get(column).map_or("", String::as_str);
            InputError::Type(format!(
                "{}: expected {expected}, found {}; pass the column as it was made",
                quoted(name),
                name_of(kind(column)),
            ))
        };
        if kind(0) != Some((Kind::Time, false)) {
            return Err(wrong(0, "times"));
        }
        let keys = (1..).zip(&self.keys).map(|(column, here)| {
            let found = kind(column);
            if found.is_some_and(|(_, raw)| raw) {
                return Err(wrong(column, "text, numbers or times"));
            }
            merged_kind(here.kind, found, true).ok_or_else(|| wrong(column, name_of(here.kind)))
        });
        let keys = keys.collect::<Result<_, _>>()?;
        for (column, cell) in (1 + self.keys.len()..).zip(cells) {
            let (expected, name) = match cell {
                None => ((Kind::Int, false), "integers"),
                Some(_) => ((Kind::Text, true), "bytes"),
            };
            if kind(column) != Some(expected) {
                return Err(wrong(column, name));
            }
        }
        Ok(keys)
    }
}

/// Builds a delta from the rows of a pane table.
struct RowReader<'a> {
    layout: &'a Layout,
    fields: &'a [&'a str],
    panes: Panes,
    seed: &'a Seed,
    cells: Vec<Option<PartialCell>>,
    /// The columns of the key.
    keys: Range<usize>,
    /// The kinds of the plan's fields.
    values: Vec<SeenKind>,
    delta: Delta,
    /// The number of events so far, and how many there can be.
    events: u64,
    room_for_events: u64,
    /// Buffer for keys.
    room: Vec<u8>,
}

/// The column of an error, and the error.
type CellError = (usize, InputError);

impl RowReader<'_> {
    fn read(&mut self, row: &[Value<'_>]) -> Result<(), CellError> {
        let start = start_of(row.first())?;
        let events = self.events_of(row)?;
        if events > self.room_for_events - self.events {
            let message = "expected at most 2^53 events in all panes, found more";
            return Err((self.keys.end, InputError::value(message)));
        }
        self.events += events;
        let Self { delta, seed, room, keys, .. } = self;
        delta.note_time(start);
        let pane = delta.place_of(self.panes.number(start), seed);
        let mut fields = KeyFields(&row[keys.clone()]);
        let key = key_encoding::encode(&mut fields, keys.len(), room);
        let key = delta.keys.number(key, seed);
        let entry = delta.entries.len();
        let mut rest = events;
        while rest > 0 {
            let count = u32::try_from(rest).unwrap_or(u32::MAX);
            delta.entries.push(Entry { pane, key, count });
            rest -= u64::from(count);
        }
        self.decode(row, entry)
    }

    /// Returns the number of events of a row, which all its cells agree on.
    fn events_of(&mut self, row: &[Value<'_>]) -> Result<u64, CellError> {
        let Self { cells, values, layout, fields, .. } = self;
        let mut events = None;
        for (column, cell) in (self.keys.end..).zip(cells) {
            let found = match (cell, row[column]) {
                (None, Value::Int(count)) => u64::try_from(count).unwrap_or(0),
                (Some(cell), Value::Text(bytes)) => {
                    cell.read(bytes, values, layout, fields).map_err(|error| (column, error))?.0
                }
                (None, _) => {
                    return Err((column, InputError::value("expected a count, found null")));
                }
                (Some(cell), _) => return Err((column, cell.damaged("null"))),
            };
            if found == 0 || found > MAX_LINES {
                let found = match row[column] {
                    Value::Int(count) => count.to_string(),
                    _ => found.to_string(),
                };
                let message = format!("expected a count of 1 to 2^53, found {found}");
                return Err((column, InputError::Value(message)));
            }
            if let Some(expected) = events.filter(|&events| events != found) {
                let message = format!(
                    "expected {expected} events as in the columns before it, found {found}; merge \
                     all columns of a key together"
                );
                return Err((column, InputError::Value(message)));
            }
            events = Some(found);
        }
        events.ok_or_else(|| (0, InputError::value("expected a column of an aggregate")))
    }

    /// Decodes the partials of a row.
    fn decode(&mut self, row: &[Value<'_>], entry: usize) -> Result<(), CellError> {
        let Self { cells, values, layout, fields, delta, .. } = self;
        for (column, cell) in (self.keys.end..).zip(cells) {
            let (Some(cell), Value::Text(bytes)) = (cell, row[column]) else { continue };
            let (_, mut rest) =
                cell.read(bytes, values, layout, fields).map_err(|error| (column, error))?;
            let partials = cell.column.and_then(|column| delta.columns.get_mut(column));
            let done = partials.map_or(Some(()), |partials| partials.decode(entry, &mut rest));
            if done.is_none() || !rest.is_empty() {
                return Err((column, cell.damaged(NONE)));
            }
        }
        Ok(())
    }
}

fn start_of(value: Option<&Value<'_>>) -> Result<i64, CellError> {
    let found = match value {
        Some(&Value::Time(start)) if start.unsigned_abs() <= 2 * MAX_TIME.unsigned_abs() => {
            return Ok(start);
        }
        Some(Value::Time(_)) => "one out of range (years 1399 to 2540)",
        _ => "null",
    };
    Err((0, InputError::Value(format!("expected the start of a pane, found {found}"))))
}

/// The fields of a key; all NaN are one key.
struct KeyFields<'a>(&'a [Value<'a>]);

impl Event for KeyFields<'_> {
    #[inline]
    fn value(&mut self, place: usize) -> Value<'_> {
        match self.0.get(place).copied() {
            Some(Value::Float(number)) if number.is_nan() => Value::Float(f64::NAN),
            value => value.unwrap_or(Value::Null),
        }
    }
}
