//! What a window holds as a table, for other windows.
//!
//! A row is a key in a pane: where the pane begins, the fields of the key, the count, and each
//! aggregate's part as bytes. What belongs to no row is in the metadata of the schema: under
//! `tailrace` the head of the same export as bytes, in hexadecimal digits.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3_arrow::PyRecordBatchReader;
use tailrace_core::{Delta, EXPORT_VERSION, ImportError, Imported, Layout, Seed, Value};

use crate::arrow::{self, error};
use crate::columns::{Given, for_each};
use crate::lines::PyTable;
use crate::window::import_error;

/// Where the head is.
const HEAD: &str = "tailrace";

/// The name of the column that tells the row of keys without room from the null key.
const OTHER: &str = "other";

pub(crate) fn table(layout: &Layout, delta: &Delta) -> PyResult<PyTable> {
    let rows = layout.rows(delta).ok_or_else(|| {
        PyValueError::new_err("more than a table of Arrow holds in a column; export it as bytes")
    })?;
    let mut names = names(layout);
    if rows.columns.len() > names.len() {
        names.push(OTHER.to_owned());
    }
    let batch = arrow::batch(&names, rows).map_err(error)?;
    let aggregates: Vec<_> = layout.plan.column_names().collect();
    let mut metadata = HashMap::from([
        (HEAD.to_owned(), to_hex(&layout.head(delta))),
        ("tailrace.version".to_owned(), EXPORT_VERSION.to_string()),
        ("tailrace.aggregates".to_owned(), aggregates.join(", ")),
    ]);
    if let Some(panes) = layout.panes {
        metadata.insert("tailrace.pane_us".to_owned(), panes.width.to_string());
        metadata.insert("tailrace.offset_us".to_owned(), panes.offset.to_string());
    }
    let schema = batch.schema().as_ref().clone().with_metadata(metadata);
    batch.with_schema(schema.into()).map(PyTable::of_batch).map_err(error)
}

/// The names of the columns that there always are.
fn names(layout: &Layout) -> Vec<String> {
    let keys = layout.keys.iter().map(|key| key.name.as_str());
    let names = ["pane"].into_iter().chain(keys).chain(["count"]);
    names.chain(layout.plan.column_names()).map(str::to_owned).collect()
}

/// A table that somebody gave.
pub(crate) struct Read {
    schema: SchemaRef,
    columns: Vec<Given>,
    len: usize,
}

impl Read {
    pub(crate) fn new(table: PyRecordBatchReader) -> PyResult<Self> {
        let reader = table.into_reader()?;
        let schema = reader.schema();
        let batches = reader.collect::<Result<Vec<RecordBatch>, _>>().map_err(error)?;
        let column = |place: usize| {
            Given::of_arrays(batches.iter().map(|batch| Ok(batch.column(place).clone())), "column")
        };
        let columns = (0..schema.fields().len()).map(column).collect::<PyResult<_>>()?;
        let len = batches.iter().map(RecordBatch::num_rows).sum();
        Ok(Self { schema, columns, len })
    }

    pub(crate) fn import(&self, layout: &Layout, seed: &Seed) -> PyResult<Imported> {
        let head = self.schema.metadata().get(HEAD).and_then(|hex| of_hex(hex));
        let head = head.ok_or_else(|| {
            PyValueError::new_err(
                "the table has no metadata of a window's export; what does not keep the metadata \
                 of a schema, such as a polars data frame, cannot carry it",
            )
        })?;
        let mut importer = layout.importer(&head, seed).map_err(import_error)?;
        let keys = 1..1 + layout.keys.len();
        let parts = keys.end + 1..keys.end + 1 + importer.parts();
        let fields = self.schema.fields().len();
        let mut wanted = names(layout);
        let found = self.schema.fields().iter().map(|field| field.name());
        if fields > wanted.len() {
            wanted.push(OTHER.to_owned());
        }
        if !found.eq(&wanted) {
            let wanted = names(layout).join(", ");
            return Err(PyValueError::new_err(format!(
                "the table has {fields} columns; those of an export are {wanted}, and {OTHER} \
                 where a window has a limit"
            )));
        }
        let mut broken = None;
        let mut room = Vec::new();
        for_each(&self.columns.iter().collect::<Vec<_>>(), (0, self.len), |row, cells| {
            room.clear();
            room.extend(cells[parts.clone()].iter().map_while(|part| match *part {
                Value::Text(part) => Some(part),
                _ => None,
            }));
            let is_other = matches!(cells.get(parts.end), Some(Value::Int(1)));
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
            (row, _) => Err(import_error(ImportError::Row(row.unwrap_or(self.len)))),
        }
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
