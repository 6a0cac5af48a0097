//! Exports of windows as Arrow tables.
//!
//! A row is a key in a pane: the start of the pane, the fields of the key, the count, and the
//! encoded partial of each aggregate. The metadata holds the rest: under `tailrace`, the header of
//! the binary export in hexadecimal.

use std::iter::once;

use super::delta::Delta;
use super::export::{ImportError, Imported, Layout, VERSION};
use super::input_columns::{InputArray, InputColumn, for_each};
use super::keys::Seed;
use crate::ground::{InputError, NamedRows, Value};

/// The metadata name of the header.
const HEADER: &str = "tailrace";

/// The column that marks the row of the keys above the limit, which otherwise looks like the null
/// key.
const OTHER: &str = "other";

/// A table to import.
#[derive(Debug)]
pub struct InputTable<P> {
    /// The names of its columns.
    pub names: Vec<String>,
    /// Its columns.
    pub columns: Vec<InputColumn<P>>,
    /// Its metadata, as names and values.
    pub metadata: Vec<(String, String)>,
}

impl Layout {
    /// Converts a delta to a table.
    pub(crate) fn table(&self, delta: &Delta) -> Result<NamedRows, InputError> {
        let rows = self.rows(delta).ok_or_else(|| {
            InputError::value(
                "a column is too large for an Arrow table; export the window as bytes",
            )
        })?;
        let mut names = self.table_names();
        if rows.columns.len() > names.len() {
            names.push(OTHER.to_owned());
        }
        let aggregates: Vec<_> = self.plan.column_names().collect();
        let mut metadata = vec![
            (HEADER.to_owned(), to_hex(&self.header(delta))),
            ("tailrace.version".to_owned(), VERSION.to_string()),
            ("tailrace.aggregates".to_owned(), aggregates.join(", ")),
        ];
        if let Some(panes) = self.panes {
            metadata.push(("tailrace.pane_us".to_owned(), panes.width.to_string()));
            metadata.push(("tailrace.offset_us".to_owned(), panes.offset.to_string()));
        }
        Ok(NamedRows { names, rows, metadata })
    }

    /// Returns the names of the columns that every table has.
    fn table_names(&self) -> Vec<String> {
        let keys = self.keys.iter().map(|key| key.name.as_str());
        let names = once("pane").chain(keys).chain(once("count"));
        names.chain(self.plan.column_names()).map(str::to_owned).collect()
    }

    /// Reads a table into a delta for a state of this layout.
    pub(crate) fn read_table<P: InputArray>(
        &self,
        table: &InputTable<P>,
        seed: &Seed,
    ) -> Result<Imported, InputError> {
        let header = table.metadata.iter().find(|(name, _)| name == HEADER);
        let header = header.and_then(|(_, hex)| of_hex(hex)).ok_or_else(|| {
            InputError::value(
                "the table lacks the metadata of an export; do not pass it through tools that drop \
                 Arrow schema metadata, such as polars data frames",
            )
        })?;
        let mut importer = self.importer(&header, seed)?;
        let keys = 1..1 + self.keys.len();
        let partials = keys.end + 1..keys.end + 1 + importer.partial_count();
        let mut names = self.table_names();
        let expected = names.join(", ");
        if table.columns.len() > names.len() {
            names.push(OTHER.to_owned());
        }
        if table.names != names {
            let found = table.names.join(", ");
            return Err(InputError::Value(format!(
                "columns: expected {expected}, and {OTHER} if the window limits its keys, found \
                 {found}; pass the table as it was exported"
            )));
        }
        let rows = table.columns.first().map_or(0, InputColumn::rows);
        let mut broken = None;
        let mut room = Vec::new();
        for_each(&table.columns.iter().collect::<Vec<_>>(), 0..rows, |row, cells| {
            room.clear();
            room.extend(cells[partials.clone()].iter().map_while(|partial| match *partial {
                Value::Text(partial) => Some(partial),
                _ => None,
            }));
            let is_other = matches!(cells.get(partials.end), Some(Value::Int(1)));
            let key = (!is_other).then_some(&cells[keys.clone()]);
            let done = match (cells[0], cells[keys.end]) {
                (Value::Time(start), Value::Int(count)) => importer.push(start, key, count, &room),
                _ => None,
            };
            if done.is_none() {
                broken = broken.or(Some(row));
            }
        });
        match (broken, importer.finish()) {
            (None, Some(read)) => Ok(read),
            (row, _) => Err(ImportError::DamagedRow(row.unwrap_or(rows)).into()),
        }
    }
}

impl From<ImportError> for InputError {
    fn from(error: ImportError) -> Self {
        Self::Value(error.to_string())
    }
}

fn to_hex(bytes: &[u8]) -> String {
    let digit = |digit: u8| char::from_digit(digit.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn of_hex(text: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(pair).collect()
}
