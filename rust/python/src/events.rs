//! Packs lines into the batches that a Flume client sends, and compares batches.

use std::sync::Mutex;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tailrace_core::{Batch, Batcher, Headers};

use crate::convert::{chunk, error, lock};

/// An encoded parameter and its number of events.
type Encoded<'py> = (Bound<'py, PyBytes>, usize);

/// Cuts newline-separated text into batches of events.
#[pyclass(name = "Batcher", module = "tailrace._core", frozen)]
pub(crate) struct PyBatcher {
    inner: Mutex<Batcher>,
}

#[pymethods]
impl PyBatcher {
    #[new]
    #[pyo3(signature = (*, size, max_bytes))]
    fn new(size: usize, max_bytes: usize) -> PyResult<Self> {
        if size == 0 {
            return Err(PyValueError::new_err("size: expected at least 1 event, found 0"));
        }
        Ok(Self { inner: Mutex::new(Batcher::new(size, max_bytes)) })
    }

    /// Returns the end of the text that was taken, and the batch that it completed.
    #[pyo3(signature = (data, start, /, *, headers))]
    fn take<'py>(
        &self,
        py: Python<'py>,
        data: &[u8],
        start: usize,
        headers: Vec<(String, String)>,
    ) -> PyResult<(usize, Option<Encoded<'py>>)> {
        let text = data.get(start..).ok_or_else(|| {
            PyValueError::new_err(format!("start: expected at most {}, found {start}", data.len()))
        })?;
        let headers = encode(headers);
        let (taken, batch) =
            py.detach(|| lock(&self.inner).map(|mut inner| inner.take(text, &headers)))?;
        Ok((start + taken, encoded(py, batch)))
    }

    #[pyo3(signature = (*, headers))]
    fn end_text<'py>(
        &self,
        py: Python<'py>,
        headers: Vec<(String, String)>,
    ) -> PyResult<Option<Encoded<'py>>> {
        let headers = encode(headers);
        let batch = py.detach(|| lock(&self.inner).map(|mut inner| inner.end_text(&headers)))?;
        Ok(encoded(py, batch))
    }

    fn drop_line(&self) -> PyResult<()> {
        lock(&self.inner)?.drop_line();
        Ok(())
    }

    fn flush<'py>(&self, py: Python<'py>) -> PyResult<Option<Encoded<'py>>> {
        let batch = py.detach(|| lock(&self.inner).map(|mut inner| inner.flush()))?;
        Ok(encoded(py, batch))
    }

    #[getter]
    fn pending(&self) -> PyResult<usize> {
        Ok(lock(&self.inner)?.pending())
    }

    #[getter]
    fn long(&self) -> PyResult<u64> {
        Ok(lock(&self.inner)?.long())
    }

    #[getter]
    fn unsendable(&self) -> PyResult<u64> {
        Ok(lock(&self.inner)?.unsendable())
    }
}

fn encode(headers: Vec<(String, String)>) -> Headers {
    Headers::new(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

fn encoded(py: Python<'_>, batch: Option<Batch>) -> Option<Encoded<'_>> {
    batch.map(|batch| (PyBytes::new(py, &batch.parameter), batch.events))
}

/// Returns the number of events of a chunk, at most `first`, and a digest over these; a malformed
/// chunk has none.
#[pyfunction]
#[pyo3(signature = (data, /, *, kind, span, first=None))]
pub(crate) fn digest_events<'py>(
    py: Python<'py>,
    data: &[u8],
    kind: &str,
    span: (usize, usize),
    first: Option<u64>,
) -> PyResult<(u64, Bound<'py, PyBytes>)> {
    let chunk = chunk(kind, data, span)?;
    // The first event is read sooner than the GIL is released.
    let (count, digest) =
        if first == Some(1) { chunk.digest(first) } else { py.detach(|| chunk.digest(first)) };
    Ok((count, PyBytes::new(py, &digest.to_be_bytes())))
}

/// Returns a batch of the events that follow the first ones of a chunk.
#[pyfunction]
#[pyo3(signature = (data, /, *, kind, span, first))]
pub(crate) fn without_events<'py>(
    py: Python<'py>,
    data: &[u8],
    kind: &str,
    span: (usize, usize),
    first: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    let chunk = chunk(kind, data, span)?;
    let rest = py.detach(|| chunk.without(first)).map_err(error)?;
    Ok(PyBytes::new(py, &rest))
}
