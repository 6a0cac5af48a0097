//! Lines to rows.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use tailrace_core::{Column, Field, Rejects, Table, lossy};

use crate::convert::{batch_error, chunk, counters, field, format, iso, output};

/// The names of the fields that a format can give.
#[pyfunction]
#[pyo3(signature = (format, /))]
pub(crate) fn fields(format: &str) -> PyResult<Vec<&'static str>> {
    Ok(names(self::format(format)?.fields()))
}

/// The names of the fields that it gives unless others are asked for.
#[pyfunction]
#[pyo3(signature = (format, /))]
pub(crate) fn columns(format: &str) -> PyResult<Vec<&'static str>> {
    Ok(names(self::format(format)?.columns()))
}

/// The types of the values that its fields have: `text`, `int` or `time`.
#[pyfunction]
#[pyo3(signature = (format, /))]
pub(crate) fn kinds(format: &str) -> PyResult<Vec<(&'static str, &'static str)>> {
    let format = self::format(format)?;
    Ok(format.fields().iter().map(|&field| (field.name(), format.kind(field).name())).collect())
}

/// How many lines of a chunk were looked at, and how many of them each format accepts.
#[pyfunction]
#[pyo3(signature = (data, /, *, kind, span, formats, limit))]
#[expect(clippy::needless_pass_by_value, reason = "a list of Python's cannot be borrowed")]
pub(crate) fn agreeing(
    py: Python<'_>,
    data: &[u8],
    kind: &str,
    span: (usize, usize),
    formats: Vec<String>,
    limit: usize,
) -> PyResult<(usize, Vec<usize>)> {
    let formats = formats.iter().map(|name| format(name)).collect::<PyResult<Vec<_>>>()?;
    let chunk = chunk(kind, data, span)?;
    let found =
        py.detach(|| tailrace_core::agreeing(chunk, &formats, limit)).map_err(batch_error)?;
    Ok((found.lines, found.agreed))
}

fn names(fields: &[Field]) -> Vec<&'static str> {
    fields.iter().map(|field| field.name()).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "a list of Python's cannot be borrowed")]
fn fields_of(format: tailrace_core::Format, names: Vec<String>) -> PyResult<Vec<Field>> {
    names.iter().map(|name| field(format, name)).collect()
}

/// The fields of a chunk's lines.
#[pyclass(name = "Table", module = "tailrace._core", frozen)]
pub(crate) struct PyTable {
    data: Py<PyBytes>,
    format: tailrace_core::Format,
    fields: Vec<Field>,
    rows: usize,
    rejects: Vec<(usize, usize, &'static str)>,
}

#[pymethods]
impl PyTable {
    fn __len__(&self) -> usize {
        self.rows
    }

    /// Line, byte and reason of each line that was not accepted.
    #[getter]
    fn rejects(&self) -> Vec<(usize, usize, &'static str)> {
        self.rejects.clone()
    }

    /// One dictionary for each accepted line.
    fn to_dicts<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let data = self.data.as_bytes(py);
        let table = py.detach(|| Table::parse(self.format, &self.fields, data));
        let names: Vec<_> = self.fields.iter().map(|field| field.name()).collect();
        (0..table.rows)
            .map(|row| {
                let object = PyDict::new(py);
                for (name, column) in names.iter().zip(&table.columns) {
                    object.set_item(name, value(py, column, row)?)?;
                }
                Ok(object)
            })
            .collect()
    }
}

fn value<'py>(py: Python<'py>, column: &Column<'_>, row: usize) -> PyResult<Bound<'py, PyAny>> {
    match column {
        Column::Text(values) => {
            values[row].map(|text| PyString::new(py, &lossy(text))).into_bound_py_any(py)
        }
        Column::Int(values) => values[row].into_bound_py_any(py),
        Column::Time(values) => values[row].map(iso).into_bound_py_any(py),
    }
}

/// Parses newline text.
#[pyfunction]
#[pyo3(signature = (data, /, *, format, fields))]
pub(crate) fn parse(
    py: Python<'_>,
    data: Py<PyBytes>,
    format: &str,
    fields: Vec<String>,
) -> PyResult<PyTable> {
    let format = self::format(format)?;
    let fields = fields_of(format, fields)?;
    let bytes = data.as_bytes(py);
    let table = py.detach(|| Table::parse(format, &[], bytes));
    let rejects = table
        .rejects
        .iter()
        .map(|reject| (reject.line, reject.byte, reject.reason.name()))
        .collect();
    let rows = table.rows;
    Ok(PyTable { data, format, fields, rows, rejects })
}

/// The rows of a chunk's lines, the lines that gave none, and where all of them went.
#[pyfunction]
#[pyo3(signature = (data, /, *, kind, span, format, fields, output="jsonl", rejects=None))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub(crate) fn write_rows<'py>(
    py: Python<'py>,
    data: &[u8],
    kind: &str,
    span: (usize, usize),
    format: &str,
    fields: Vec<String>,
    output: &str,
    rejects: Option<(Vec<u8>, u64)>,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyDict>)> {
    let format = self::format(format)?;
    let fields = fields_of(format, fields)?;
    let output = self::output(output)?;
    let chunk = chunk(kind, data, span)?;
    let mut rejects =
        rejects.map(|(prefix, before)| Rejects { prefix, before, ..Rejects::default() });
    let (out, lines) = py
        .detach(|| {
            let mut out = Vec::new();
            tailrace_core::write_rows(format, &fields, output, chunk, &mut out, rejects.as_mut())
                .map(|lines| (out, lines))
        })
        .map_err(batch_error)?;
    let rejected = rejects.map_or(Vec::new(), |rejects| rejects.out);
    Ok((PyBytes::new(py, &out), PyBytes::new(py, &rejected), counters(py, &lines)?))
}
