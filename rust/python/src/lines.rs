//! Lines to rows.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use tailrace_core::{Cell, Chunk, Format, Kind, Rejects, Table, Tabulator, lossy};

use crate::convert::{FormatArg, batch_error, chunk, compiled, counters, iso, output, reader};

/// What a line looks like.
#[pyclass(name = "Format", module = "tailrace._core", frozen)]
pub(crate) struct PyFormat(pub(crate) Format);

#[pymethods]
impl PyFormat {
    #[new]
    #[pyo3(signature = (spec, /))]
    fn new(spec: &str) -> PyResult<Self> {
        compiled(spec).map(Self)
    }

    /// What it was made from: a name, or a text.
    #[getter]
    fn spec(&self) -> &str {
        self.0.spec()
    }

    /// Whether lines of the log may say what its columns are.
    #[getter]
    fn has_header(&self) -> bool {
        self.0.has_header()
    }

    /// The parts of a chunk that have the same columns, with the format of each, and the format of
    /// what follows it. What is no newline text has one part.
    #[pyo3(signature = (data, /, *, kind, span))]
    fn sections(
        &self,
        data: &[u8],
        kind: &str,
        span: (usize, usize),
    ) -> PyResult<(Vec<((usize, usize), Self)>, Self)> {
        let chunk = chunk(kind, data, span)?;
        let Chunk::Lines(text) = chunk else {
            let after = self.0.after(chunk).unwrap_or_else(|_| self.0.clone());
            return Ok((vec![(span, Self(self.0.clone()))], Self(after)));
        };
        let sections = self.0.sections(text);
        let after = sections.last().map_or_else(|| self.0.clone(), |(_, format)| format.clone());
        let ends = sections.iter().skip(1).map(|(start, _)| span.0 + start).chain([span.1]);
        let sections = sections.iter().zip(ends);
        let sections =
            sections.map(|((start, format), end)| ((span.0 + start, end), Self(format.clone())));
        Ok((sections.collect(), Self(after)))
    }
}

/// The names of the fields that a format can give.
#[pyfunction]
#[pyo3(signature = (format, /))]
#[expect(clippy::needless_pass_by_value, reason = "an argument of Python's")]
pub(crate) fn fields(format: FormatArg<'_>) -> PyResult<Vec<String>> {
    Ok(format.get()?.fields().into_iter().map(|field| field.name.into()).collect())
}

/// The names of the fields that it gives unless others are asked for.
#[pyfunction]
#[pyo3(signature = (format, /))]
#[expect(clippy::needless_pass_by_value, reason = "an argument of Python's")]
pub(crate) fn columns(format: FormatArg<'_>) -> PyResult<Vec<String>> {
    let fields = format.get()?.fields();
    Ok(fields.into_iter().filter(|field| !field.on_demand).map(|field| field.name.into()).collect())
}

/// The types of the values that its fields have: `text`, `int`, `float` or `time`.
#[pyfunction]
#[pyo3(signature = (format, /))]
#[expect(clippy::needless_pass_by_value, reason = "an argument of Python's")]
pub(crate) fn kinds(format: FormatArg<'_>) -> PyResult<Vec<(String, &'static str)>> {
    let fields = format.get()?.fields();
    Ok(fields.into_iter().map(|field| (field.name.into(), field.kind.name())).collect())
}

/// The type of a field's values, if the format has the field, on demand or not.
#[pyfunction]
#[pyo3(signature = (format, field, /))]
#[expect(clippy::needless_pass_by_value, reason = "an argument of Python's")]
pub(crate) fn kind(format: FormatArg<'_>, field: &str) -> PyResult<Option<&'static str>> {
    Ok(format.get()?.kind(field).map(Kind::name))
}

/// What there is to say about a named format: in a line, an example, where it is documented.
#[pyfunction]
#[pyo3(signature = (name, /))]
pub(crate) fn about(name: &str) -> Option<(&'static str, &'static str, &'static str)> {
    let named = Format::named().find(|named| named.name == name)?;
    Some((named.about, named.example, named.source))
}

/// Names that mean the same in every format: name, type, meaning.
#[pyfunction]
pub(crate) fn names() -> Vec<(&'static str, &'static str, &'static str)> {
    tailrace_core::NAMES.iter().map(|name| (name.name, name.kind().name(), name.about)).collect()
}

/// Whether the format is sure to have a field.
#[pyfunction]
#[pyo3(signature = (format, field, /))]
#[expect(clippy::needless_pass_by_value, reason = "an argument of Python's")]
pub(crate) fn has(format: FormatArg<'_>, field: &str) -> PyResult<bool> {
    Ok(format.get()?.has(field))
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
    formats: Vec<FormatArg<'_>>,
    limit: usize,
) -> PyResult<(usize, Vec<usize>)> {
    let formats = formats.iter().map(FormatArg::get).collect::<PyResult<Vec<_>>>()?;
    let chunk = chunk(kind, data, span)?;
    let found =
        py.detach(|| tailrace_core::agreeing(chunk, &formats, limit)).map_err(batch_error)?;
    Ok((found.lines, found.agreed))
}

/// The fields of a chunk's lines.
#[pyclass(name = "Table", module = "tailrace._core", frozen)]
pub(crate) struct PyTable {
    names: Vec<String>,
    table: Table,
}

#[pymethods]
impl PyTable {
    fn __len__(&self) -> usize {
        self.table.rows
    }

    /// Line, byte and reason of each line that was not accepted, and what was expected there.
    #[getter]
    fn rejects(&self) -> Vec<(usize, usize, &'static str, &'static str)> {
        let rejects = self.table.rejects.iter();
        rejects.map(|one| (one.line, one.byte, one.reason.name(), one.expected)).collect()
    }

    /// One dictionary for each accepted line.
    fn to_dicts<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let mut dicts = Vec::with_capacity(self.table.rows);
        for batch in &self.table.batches {
            for row in 0..batch.len {
                let object = PyDict::new(py);
                for (name, column) in self.names.iter().zip(&batch.columns) {
                    object.set_item(name, cell(py, column.get(row))?)?;
                }
                dicts.push(object);
            }
        }
        Ok(dicts)
    }
}

fn cell<'py>(py: Python<'py>, cell: Cell<'_>) -> PyResult<Bound<'py, PyAny>> {
    match cell {
        Cell::Null => Ok(py.None().into_bound(py)),
        Cell::Text(text) => PyString::new(py, &lossy(text)).into_bound_py_any(py),
        Cell::Int(value) => value.into_bound_py_any(py),
        Cell::Float(value) => value.into_bound_py_any(py),
        Cell::Time(micros) => iso(micros).into_bound_py_any(py),
    }
}

/// Parses newline text.
#[pyfunction]
#[pyo3(signature = (data, /, *, format, fields))]
#[expect(clippy::needless_pass_by_value, reason = "arguments of Python's")]
pub(crate) fn parse(
    py: Python<'_>,
    data: &[u8],
    format: FormatArg<'_>,
    fields: Vec<String>,
) -> PyResult<PyTable> {
    let mut tabulator = Tabulator::new(reader(&format.get()?, &fields)?);
    let walked = py.detach(|| {
        Chunk::Lines(data).for_each(|line| tabulator.push(line)).map(|()| tabulator.finish())
    });
    Ok(PyTable { names: fields, table: walked.map_err(batch_error)? })
}

/// The rows of a chunk's lines, the lines that gave none, and where all of them went.
#[pyfunction]
#[pyo3(signature = (data, /, *, kind, span, format, fields, output="jsonl", rejects=None))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
#[expect(clippy::needless_pass_by_value, reason = "arguments of Python's")]
pub(crate) fn write_rows<'py>(
    py: Python<'py>,
    data: &[u8],
    kind: &str,
    span: (usize, usize),
    format: FormatArg<'py>,
    fields: Vec<String>,
    output: &str,
    rejects: Option<(Vec<u8>, u64)>,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyDict>)> {
    let mut reader = reader(&format.get()?, &fields)?;
    let output = self::output(output)?;
    let chunk = chunk(kind, data, span)?;
    let mut rejects =
        rejects.map(|(prefix, before)| Rejects { prefix, before, ..Rejects::default() });
    let (out, lines) = py
        .detach(|| {
            let mut out = Vec::new();
            tailrace_core::write_rows(&mut reader, output, chunk, &mut out, rejects.as_mut())
                .map(|lines| (out, lines))
        })
        .map_err(batch_error)?;
    let rejected = rejects.map_or(Vec::new(), |rejects| rejects.out);
    Ok((PyBytes::new(py, &out), PyBytes::new(py, &rejected), counters(py, &lines)?))
}
