//! Filters that select lines.

use pyo3::prelude::*;
use tailrace_core::{BoundFilter, Filter, Format, Reader};

use crate::convert::{FormatArg, error};

pyo3::create_exception!(
    tailrace._core,
    FilterError,
    pyo3::exceptions::PyValueError,
    "What is wrong with an expression, from which of its bytes on, and up to which."
);

/// Conditions on fields, and a range of time.
#[pyclass(name = "Filter", module = "tailrace._core", frozen)]
pub(crate) struct PyFilter(pub(crate) Filter);

#[pymethods]
impl PyFilter {
    #[new]
    #[pyo3(signature = (text, /, *, since_us=None, until_us=None))]
    fn new(text: Option<&str>, since_us: Option<i64>, until_us: Option<i64>) -> PyResult<Self> {
        let filter = text.map_or_else(|| Ok(Filter::default()), Filter::parse);
        Ok(Self(filter.map_err(error)?.between(since_us, until_us)))
    }

    /// Returns the names of the fields that it reads, and where in the text each first appears.
    #[getter]
    fn fields(&self) -> Vec<(&str, Option<(usize, usize)>)> {
        self.0.fields().map(|name| (name, self.0.field_range(name))).collect()
    }

    /// Checks that a format has the fields, with types that can be compared as written.
    #[pyo3(signature = (format, /))]
    fn check(&self, format: FormatArg<'_>) -> PyResult<()> {
        self.0.check(&format.get()?).map_err(error)
    }
}

/// Returns the filter, if it applies to the lines of a format.
pub(crate) fn checked(filter: Option<&PyFilter>, format: &Format) -> PyResult<Option<Filter>> {
    let Some(PyFilter(filter)) = filter else { return Ok(None) };
    filter.check(format).map_err(error)?;
    Ok(Some(filter.clone()))
}

/// Creates a reader of these fields, or those that the format has by default, and those of the
/// filter. A missing field is null, because a header can name fewer columns than the one before it.
pub(crate) fn reader(
    format: &Format,
    names: Option<Vec<String>>,
    filter: Option<&PyFilter>,
) -> (Reader, Option<BoundFilter>) {
    let names = names.unwrap_or_else(|| format.default_names());
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let Some(PyFilter(filter)) = filter else {
        return (Reader::lenient(format, &names), None);
    };
    let read = filter.reader(format, &names);
    let (reader, bound) = read.unwrap_or_else(|_| filter.lenient_reader(format, &names));
    (reader, Some(bound))
}
