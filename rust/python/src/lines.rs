//! Parses lines into rows.

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{IntoPyDict, PyBytes, PyCapsule, PyDict, PyString};
use pyo3_arrow::input::AnyArray;
use std::sync::Arc;
use tailrace_core::{
    Chunk, DevicePattern, ExplainValue, Format, InLine, Kind, Lookups, NamedRows, Rejected,
    Rejects, Table, TableBuilder, ZoneTable,
};

use crate::arrow;
use crate::convert::{FormatArg, chunk, error, output, with_headers};
use crate::filter::{PyFilter, checked, reader};
use crate::items;

/// The number and byte of a rejected line, what was expected there, and the line.
type Sample<'py> = (usize, usize, &'static str, Bound<'py, PyBytes>);

/// A range of bytes and the format there.
type Section = ((usize, usize), PyFormat);

/// The local times of a time zone.
#[pyclass(name = "Zone", module = "tailrace._core", frozen)]
pub(crate) struct PyZone(Arc<ZoneTable>);

#[pymethods]
impl PyZone {
    #[new]
    fn new(name: &str, periods: Vec<(i64, i64, String)>) -> PyResult<Self> {
        let table = ZoneTable::new(name, periods).map_err(PyValueError::new_err)?;
        Ok(Self(Arc::new(table)))
    }
}

/// Data in which values are looked up: the bytes of a database of countries, patterns with the
/// families that they find, and those of devices and crawlers.
#[pyclass(name = "Lookups", module = "tailrace._core", frozen)]
pub(crate) struct PyLookups(Lookups);

#[pymethods]
impl PyLookups {
    #[new]
    #[pyo3(signature = (*, countries=None, families=None, bots=None))]
    fn new(
        py: Python<'_>,
        countries: Option<&[u8]>,
        families: Option<Vec<(String, String)>>,
        bots: Option<(Vec<DevicePattern>, Vec<String>)>,
    ) -> PyResult<Self> {
        let lookups = py.detach(|| Lookups::new(countries, families, bots));
        Ok(Self(lookups.map_err(PyValueError::new_err)?))
    }
}

/// A format of lines.
#[pyclass(name = "Format", module = "tailrace._core", frozen)]
pub(crate) struct PyFormat(pub(crate) Format);

#[pymethods]
impl PyFormat {
    #[new]
    #[pyo3(signature = (spec, /, zone=None, lookups=Vec::new()))]
    fn new(
        spec: &str,
        zone: Option<PyRef<'_, PyZone>>,
        lookups: Vec<PyRef<'_, PyLookups>>,
    ) -> PyResult<Self> {
        let format = Format::new(spec).map_err(error)?;
        let format = zone.map_or(format.clone(), |zone| format.with_zone(&zone.0));
        Ok(Self(lookups.iter().fold(format, |format, more| format.with_lookups(&more.0))))
    }

    /// Returns the spec that it was made from: a name or a text.
    #[getter]
    fn spec(&self) -> &str {
        self.0.spec()
    }

    /// Returns whether lines of the log can name its columns.
    #[getter]
    fn has_header(&self) -> bool {
        self.0.has_header()
    }

    /// Returns whether lines can have fields of any name.
    #[getter]
    fn is_open(&self) -> bool {
        self.0.has_own_fields()
    }

    /// Splits a chunk where its columns change. Returns the range and format of each section, and
    /// the format after the last one. A chunk that is not newline-separated text is one section.
    #[pyo3(signature = (data, /, *, kind, span))]
    fn sections(
        &self,
        data: &[u8],
        kind: &str,
        span: (usize, usize),
    ) -> PyResult<(Vec<Section>, Self)> {
        let (sections, after) = self.0.sections_of(chunk(kind, data, span)?);
        let moved = |((start, end), format)| ((span.0 + start, span.0 + end), Self(format));
        Ok((sections.into_iter().map(moved).collect(), Self(after)))
    }
}

/// Returns the names of the fields that a format gives by default.
#[pyfunction]
#[pyo3(signature = (format, /))]
pub(crate) fn default_fields(format: FormatArg<'_>) -> PyResult<Vec<String>> {
    Ok(format.get()?.default_names())
}

/// Returns the types of the fields of a format: `text`, `int`, `float` or `time`.
#[pyfunction]
#[pyo3(signature = (format, /))]
pub(crate) fn field_kinds(format: FormatArg<'_>) -> PyResult<Vec<(String, &'static str)>> {
    let fields = format.get()?.fields();
    Ok(fields.into_iter().map(|field| (field.name.into(), field.kind.name())).collect())
}

/// Returns the type of a field, if the format has it, by default or on demand.
#[pyfunction]
#[pyo3(signature = (format, field, /))]
pub(crate) fn field_kind(format: FormatArg<'_>, field: &str) -> PyResult<Option<&'static str>> {
    Ok(format.get()?.kind(field).map(Kind::name))
}

/// Describes a named format: a summary, an example, and a link to its documentation.
#[pyfunction]
#[pyo3(signature = (name, /))]
pub(crate) fn describe_format(name: &str) -> Option<(&'static str, &'static str, &'static str)> {
    let named = Format::named().find(|named| named.name == name)?;
    Some((named.about, named.example, named.source))
}

/// Returns the field names that mean the same in every format: name, type, meaning.
#[pyfunction]
pub(crate) fn standard_fields() -> Vec<(&'static str, &'static str, &'static str)> {
    tailrace_core::STANDARD_FIELDS
        .iter()
        .map(|name| (name.name, name.kind().name(), name.about))
        .collect()
}

/// Returns whether every line of the format has a field.
#[pyfunction]
#[pyo3(signature = (format, field, /))]
pub(crate) fn has_field(format: FormatArg<'_>, field: &str) -> PyResult<bool> {
    Ok(format.get()?.has(field))
}

/// Returns what is wrong with the steps of a field: the step, what it follows, the known ones, and
/// what it applies to with an example.
#[pyfunction]
#[pyo3(signature = (format, field, /))]
pub(crate) fn step_problem(format: FormatArg<'_>, field: &str) -> PyResult<Option<Problem>> {
    let found = format.get()?.step_problem(field);
    Ok(found.map(|found| (found.step, found.of, found.known, found.applies_to)))
}

type Problem = (String, String, Vec<&'static str>, Option<(&'static str, &'static str)>);

/// Returns what a field is looked up in, if it is: `country`, `family` or `bot`.
#[pyfunction]
#[pyo3(signature = (format, field, /))]
pub(crate) fn lookup_of(format: FormatArg<'_>, field: &str) -> PyResult<Option<&'static str>> {
    Ok(format.get()?.lookup_of(field))
}

/// Returns how many lines of a chunk were examined, how many of them each format matches, and
/// matches with nothing passed over, and for each format how many only another one matches.
#[pyfunction]
#[pyo3(signature = (data, /, *, kind, span, formats, limit))]
#[expect(clippy::type_complexity, reason = "the counts for each format")]
pub(crate) fn count_matches(
    py: Python<'_>,
    data: &[u8],
    kind: &str,
    span: (usize, usize),
    formats: Vec<FormatArg<'_>>,
    limit: usize,
) -> PyResult<(usize, Vec<usize>, Vec<usize>, Vec<Vec<usize>>)> {
    let formats = formats.iter().map(FormatArg::get).collect::<PyResult<Vec<_>>>()?;
    let chunk = chunk(kind, data, span)?;
    let all = py.detach(|| tailrace_core::count_matches(chunk, &formats, limit)).map_err(error)?;
    Ok((all.lines, all.matched, all.complete, all.matched_elsewhere))
}

/// Returns what a format does not read in the first lines of a chunk.
#[pyfunction]
#[pyo3(signature = (data, /, *, kind, span, format, fields, limit))]
pub(crate) fn first_lines(
    py: Python<'_>,
    data: &[u8],
    kind: &str,
    span: (usize, usize),
    format: FormatArg<'_>,
    fields: Vec<String>,
    limit: usize,
) -> PyResult<Py<PyAny>> {
    let found =
        tailrace_core::first_lines(chunk(kind, data, span)?, &format.get()?, &fields, limit);
    explained(py, ExplainValue::Object(found.map_err(error)?))
}

/// The fields of parsed lines.
#[pyclass(name = "Table", module = "tailrace._core", frozen)]
pub(crate) struct PyTable {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    filtered: usize,
    rejects: Vec<Rejected>,
}

impl PyTable {
    fn new(table: Table) -> PyResult<Self> {
        table.check().map_err(error)?;
        let batches = table.batches.into_iter().map(|rows| {
            arrow::batch(NamedRows { names: table.fields.clone(), rows, metadata: Vec::new() })
        });
        let batches: Vec<_> = batches.collect::<Result<_, _>>().map_err(arrow::error)?;
        let schema = batches.first().map_or_else(|| Schema::empty().into(), RecordBatch::schema);
        Ok(Self { schema, batches, filtered: table.filtered, rejects: table.rejects })
    }

    pub(crate) fn of_named(table: NamedRows) -> PyResult<Self> {
        let batch = arrow::batch(table).map_err(arrow::error)?;
        let (schema, batches) = (batch.schema(), vec![batch]);
        Ok(Self { schema, batches, filtered: 0, rejects: Vec::new() })
    }
}

#[pymethods]
impl PyTable {
    fn __len__(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.schema == other.schema && self.batches == other.batches
    }

    /// Returns the names of the columns.
    #[getter]
    fn fields(&self) -> Vec<&str> {
        self.schema.fields().iter().map(|field| field.name().as_str()).collect()
    }

    /// Returns a table of only these columns.
    #[pyo3(signature = (names, /))]
    fn select(&self, names: Vec<String>) -> PyResult<Self> {
        let place = |name: &String| {
            let unknown = || PyValueError::new_err(format!("unknown column '{name}'"));
            self.schema.index_of(name).map_err(|_| unknown())
        };
        let places = names.iter().map(place).collect::<PyResult<Vec<_>>>()?;
        let batches = self.batches.iter().map(|batch| batch.project(&places));
        let batches = batches.collect::<Result<_, _>>().map_err(arrow::error)?;
        let schema = self.schema.project(&places).map_err(arrow::error)?;
        Ok(Self { schema: schema.into(), batches, filtered: self.filtered, rejects: Vec::new() })
    }

    /// Returns a table of the first rows.
    #[pyo3(signature = (rows, /))]
    fn head(&self, rows: usize) -> Self {
        let mut left = rows;
        let mut first = |batch: &RecordBatch| {
            let batch = batch.slice(0, left.min(batch.num_rows()));
            left -= batch.num_rows();
            batch
        };
        let batches = self.batches.iter().map(&mut first).collect();
        let schema = self.schema.clone();
        Self { schema, batches, filtered: self.filtered, rejects: Vec::new() }
    }

    /// Returns the number of lines that the filter does not keep.
    #[getter]
    fn filtered(&self) -> usize {
        self.filtered
    }

    /// Returns the line, byte and reason of each rejected line, and what was expected there.
    #[getter]
    fn rejects(&self) -> Vec<(usize, usize, &'static str, &'static str)> {
        let rejects = self.rejects.iter();
        rejects.map(|one| (one.line, one.byte, one.reason.name(), one.expected)).collect()
    }

    /// Returns one dictionary per row.
    fn to_dicts<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let names: Vec<_> = self.fields().iter().map(|name| PyString::new(py, name)).collect();
        let mut dicts = Vec::with_capacity(self.__len__());
        for batch in &self.batches {
            for row in 0..batch.num_rows() {
                let dict = PyDict::new(py);
                let columns = names.iter().zip(self.schema.fields()).zip(batch.columns());
                for ((name, field), column) in columns {
                    dict.set_item(name, arrow::cell(py, field, column, row)?)?;
                }
                dicts.push(dict);
            }
        }
        Ok(dicts)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        arrow::schema_capsule(py, &self.schema)
    }

    #[pyo3(signature = (requested_schema=None))]
    #[expect(unused_variables, reason = "part of the interface")]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        arrow::stream_capsule(py, &self.schema, &self.batches)
    }
}

/// Lines as a caller passes them.
#[derive(FromPyObject)]
pub(crate) enum Lines {
    Text(PyBackedBytes),
    Arrow(AnyArray),
    Items(Vec<PyBackedBytes>),
}

impl Lines {
    /// Returns the text that can begin with a header.
    fn text(&self) -> &[u8] {
        if let Self::Text(text) = self { text } else { &[] }
    }

    fn push_all(self, builder: &mut TableBuilder) -> PyResult<()> {
        match self {
            Self::Text(text) => {
                Chunk::Lines(&text).for_each(|line| builder.push(line)).map_err(error)
            }
            Self::Arrow(arrays) => items::push_all(arrays, builder),
            Self::Items(lines) => {
                for line in &lines {
                    builder.push(line);
                }
                Ok(())
            }
        }
    }
}

/// Parses lines.
#[pyfunction]
#[pyo3(signature = (lines, /, *, format, fields, filter=None))]
pub(crate) fn parse(
    py: Python<'_>,
    lines: Lines,
    format: FormatArg<'_>,
    fields: Option<Vec<String>>,
    filter: Option<PyRef<'_, PyFilter>>,
) -> PyResult<PyTable> {
    let format = format.get()?;
    let filter = checked(filter.as_deref(), &format)?;
    py.detach(|| {
        let builder = TableBuilder::new(&format, lines.text(), fields.as_deref(), filter.as_ref());
        let mut builder = builder.map_err(error)?;
        lines.push_all(&mut builder)?;
        PyTable::new(builder.finish())
    })
}

/// Parses lines into rows that are in line with them. Returns the rows, which lines have one if not
/// all have, and the number, byte, reason and expectation of the first rejected line.
#[pyfunction]
#[pyo3(signature = (lines, /, *, format, fields, filter=None, keep_rejected, reasons=None,
                    bad_utf8=None))]
#[expect(clippy::type_complexity, reason = "a reject in a tuple")]
pub(crate) fn parse_rows(
    py: Python<'_>,
    lines: AnyArray,
    format: FormatArg<'_>,
    fields: Vec<String>,
    filter: Option<PyRef<'_, PyFilter>>,
    keep_rejected: bool,
    reasons: Option<String>,
    bad_utf8: Option<String>,
) -> PyResult<(PyTable, Option<PyTable>, Option<(usize, usize, &'static str, &'static str)>)> {
    let format = format.get()?;
    let filter = checked(filter.as_deref(), &format)?;
    py.detach(|| {
        let how = InLine { keep_rejected, reasons, bad_utf8 };
        let builder = TableBuilder::in_line(&format, &fields, filter.as_ref(), how);
        let mut builder = builder.map_err(error)?;
        items::push_all(lines, &mut builder)?;
        let mut table = builder.finish();
        let kept = table.kept.take().map(|rows| {
            let names = vec!["kept".to_owned()];
            PyTable::of_named(NamedRows { names, rows, metadata: Vec::new() })
        });
        let table = PyTable::new(table)?;
        let first = table.rejects().first().copied();
        Ok((table, kept.transpose()?, first))
    })
}

/// Returns the fields of a chunk's lines, the rejected lines, and the line counters.
#[pyfunction]
#[pyo3(signature = (data, /, *, kind, span, format, fields, rejects=None, filter=None))]
pub(crate) fn parse_chunk<'py>(
    py: Python<'py>,
    data: &[u8],
    kind: &str,
    span: (usize, usize),
    format: FormatArg<'py>,
    fields: Option<Vec<String>>,
    rejects: Option<(Vec<u8>, u64)>,
    filter: Option<PyRef<'py, PyFilter>>,
) -> PyResult<(PyTable, Bound<'py, PyBytes>, Bound<'py, PyDict>)> {
    let (own, (reader, filter)) =
        (fields.is_none(), reader(&format.get()?, fields, filter.as_deref()));
    let chunk = chunk(kind, data, span)?;
    let mut rejects = rejects_of(rejects);
    let (table, lines) = py.detach(|| {
        let done = tailrace_core::parse_chunk(reader, filter, own, chunk, rejects.as_mut());
        let (table, lines) = done.map_err(error)?;
        PyTable::new(table).map(|table| (table, lines))
    })?;
    let rejected = rejects.map_or(Vec::new(), |rejects| rejects.out);
    Ok((table, PyBytes::new(py, &rejected), with_headers(py, &lines)?))
}

/// Returns the number of lines of a chunk; a malformed one has none.
#[pyfunction]
#[pyo3(signature = (data, /, *, kind, span))]
pub(crate) fn count_events(
    py: Python<'_>,
    data: &[u8],
    kind: &str,
    span: (usize, usize),
) -> PyResult<u64> {
    let chunk = chunk(kind, data, span)?;
    Ok(py.detach(|| chunk.count()))
}

/// Returns the fields that the first lines of a chunk have, each with the number of these lines;
/// those of the line's own that cannot be requested are called `own.NAME`.
#[pyfunction]
#[pyo3(signature = (data, /, *, kind, span, format, limit))]
pub(crate) fn found_fields(
    py: Python<'_>,
    data: &[u8],
    kind: &str,
    span: (usize, usize),
    format: FormatArg<'_>,
    limit: usize,
) -> PyResult<Vec<(String, usize)>> {
    let (format, chunk) = (format.get()?, chunk(kind, data, span)?);
    py.detach(|| tailrace_core::found_fields(chunk, &format, limit)).map_err(error)
}

/// Creates the buffer of rejected lines, given their prefix and the number of lines before the
/// chunk.
fn rejects_of(place: Option<(Vec<u8>, u64)>) -> Option<Rejects> {
    place.map(|(prefix, before)| Rejects { prefix, before, ..Rejects::default() })
}

/// Returns the rows of a chunk's lines, the rejected lines, and the line counters. Without `fields`
/// a row has the fields of the format, or, as JSON, those of its line if these are of any name.
#[pyfunction]
#[pyo3(signature = (data, /, *, kind, span, format, fields, output="jsonl", rejects=None,
                    filter=None))]
pub(crate) fn write_rows<'py>(
    py: Python<'py>,
    data: &[u8],
    kind: &str,
    span: (usize, usize),
    format: FormatArg<'py>,
    fields: Option<Vec<String>>,
    output: &str,
    rejects: Option<(Vec<u8>, u64)>,
    filter: Option<PyRef<'py, PyFilter>>,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyDict>)> {
    let (own, output) = (fields.is_none(), self::output(output)?);
    let (mut reader, filter) = reader(&format.get()?, fields, filter.as_deref());
    let chunk = chunk(kind, data, span)?;
    let mut rejects = rejects_of(rejects);
    let (out, lines) = py
        .detach(|| {
            let mut out = Vec::new();
            let (filter, rejects) = (filter.as_ref(), rejects.as_mut());
            tailrace_core::write_rows(&mut reader, filter, (output, own), chunk, &mut out, rejects)
                .map(|lines| (out, lines))
        })
        .map_err(error)?;
    let rejected = rejects.map_or(Vec::new(), |rejects| rejects.out);
    Ok((PyBytes::new(py, &out), PyBytes::new(py, &rejected), with_headers(py, &lines)?))
}

/// Explains how the first line of a text is parsed, or why it is rejected.
#[pyfunction]
#[pyo3(signature = (data, /, *, format))]
#[expect(clippy::needless_pass_by_value, reason = "a Python argument")]
pub(crate) fn explain(py: Python<'_>, data: &[u8], format: FormatArg<'_>) -> PyResult<Py<PyAny>> {
    explained(py, ExplainValue::Object(tailrace_core::explain(&format.get()?, data)))
}

fn explained(py: Python<'_>, value: ExplainValue) -> PyResult<Py<PyAny>> {
    match value {
        ExplainValue::Null => Ok(py.None()),
        ExplainValue::Flag(flag) => flag.into_py_any(py),
        ExplainValue::Int(number) => number.into_py_any(py),
        ExplainValue::Float(number) => number.into_py_any(py),
        ExplainValue::Text(text) => text.into_py_any(py),
        ExplainValue::List(items) => {
            let items = items.into_iter().map(|item| explained(py, item));
            items.collect::<PyResult<Vec<_>>>()?.into_py_any(py)
        }
        ExplainValue::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| Ok((name, explained(py, value)?)));
            Ok(fields.collect::<PyResult<Vec<_>>>()?.into_py_dict(py)?.into_any().unbind())
        }
    }
}

/// Returns the first lines of a chunk that do not match the format: number, byte, what was
/// expected, and the line.
#[pyfunction]
#[pyo3(signature = (data, /, *, kind, span, format, limit))]
#[expect(clippy::needless_pass_by_value, reason = "a Python argument")]
pub(crate) fn sample_rejects<'py>(
    py: Python<'py>,
    data: &[u8],
    kind: &str,
    span: (usize, usize),
    format: FormatArg<'py>,
    limit: usize,
) -> PyResult<Vec<Sample<'py>>> {
    let (format, chunk) = (format.get()?, chunk(kind, data, span)?);
    let samples = py.detach(|| tailrace_core::sample_rejects(chunk, &format, limit));
    let shown = |one: tailrace_core::RejectSample| {
        (one.number, one.byte, one.expected, PyBytes::new(py, &one.line))
    };
    Ok(samples.map_err(error)?.into_iter().map(shown).collect())
}
