//! Conversions between Python values and the core.

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{IntoPyDict, PyDateTime, PyDelta, PyDict, PyTzInfo};
use std::sync::{Mutex, MutexGuard};
use tailrace_core::{
    Chunk, ClosedPane, Counters, Engine, EngineError, Format, InputError, NamedRows, Output,
    Reason, Snapshot, State,
};

use crate::BatchError;
use crate::filter::FilterError;
use crate::lines::{PyFormat, PyTable};

/// The fields of a snapshot, in the order in which `Snapshot` in Python takes them: lookback,
/// start, end, keys, total, events of keys above the limit, rows, dropped keys, totals, and
/// counters.
pub(crate) type Answer<'py> = (
    usize,
    Option<i64>,
    Option<i64>,
    usize,
    u64,
    Option<u64>,
    PyTable,
    Option<PyTable>,
    PyTable,
    Bound<'py, PyDict>,
);

/// Returns the next snapshot of an engine.
pub(crate) fn answer<'py>(
    py: Python<'py>,
    engine: &Engine,
    next: impl FnOnce(&mut State) -> Option<Snapshot> + Send,
) -> PyResult<Option<Answer<'py>>> {
    let Some(snapshot) = py.detach(|| engine.with(next)).map_err(error)? else { return Ok(None) };
    let Snapshot { lookback, start, end, keys, total, other, rows, dropped, totals, lines } =
        snapshot;
    let names = || engine.names().to_vec();
    let table = |rows| PyTable::of_named(NamedRows { names: names(), rows, metadata: Vec::new() });
    let (rows, dropped, totals) = (table(rows)?, dropped.map(table).transpose()?, table(totals)?);
    let lines = counters(py, &lines)?;
    Ok(Some((lookback, start, end, keys, total, other, rows, dropped, totals, lines)))
}

/// The start and end of a pane, the values of its keys, and counters.
pub(crate) type Pane<'py> = (i64, i64, PyTable, Bound<'py, PyDict>);

/// Hands out the next pane of an engine.
pub(crate) fn next_pane<'py>(
    py: Python<'py>,
    engine: &Engine,
    partials: bool,
) -> PyResult<Option<Pane<'py>>> {
    let Some(pane) = py.detach(|| engine.next_pane(partials)).map_err(error)? else {
        return Ok(None);
    };
    let ClosedPane { start, end, content, lines } = pane;
    Ok(Some((start, end, PyTable::of_named(content)?, counters(py, &lines)?)))
}

/// An aware datetime in UTC.
pub(crate) fn datetime(py: Python<'_>, micros: i64) -> PyResult<Bound<'_, PyAny>> {
    static EPOCH: PyOnceLock<Py<PyDateTime>> = PyOnceLock::new();
    let epoch = EPOCH.get_or_try_init(py, || {
        let utc = PyTzInfo::utc(py)?.to_owned();
        PyDateTime::new(py, 1970, 1, 1, 0, 0, 0, 0, Some(&utc)).map(Bound::unbind)
    })?;
    // Each part fits into 32 bits, which `timedelta` is made of here.
    let (days, rest) = (micros.div_euclid(DAY_US), micros.rem_euclid(DAY_US));
    let (seconds, rest) = (rest / SECOND_US, rest % SECOND_US);
    let part = |number: i64| i32::try_from(number).map_err(PyErr::from);
    let since = PyDelta::new(py, part(days)?, part(seconds)?, part(rest)?, false)?;
    epoch.bind(py).add(since)
}

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

pub(crate) fn counters<'py>(py: Python<'py>, lines: &Counters) -> PyResult<Bound<'py, PyDict>> {
    let rejected = Reason::NAMES.into_iter().map(|(name, reason)| (name, lines.rejected(reason)));
    let rejected = rejected.filter(|&(_, count)| count > 0).into_py_dict(py)?;
    let all = PyDict::new(py);
    all.set_item("fed", lines.fed)?;
    all.set_item("counted", lines.counted)?;
    all.set_item("late", lines.late)?;
    all.set_item("filtered", lines.filtered)?;
    all.set_item("rejected", rejected)?;
    for (name, count) in [("abandoned", lines.abandoned), ("resent", lines.resent)] {
        if count > 0 {
            all.set_item(name, count)?;
        }
    }
    Ok(all)
}

/// Returns the counters of a chunk, and the number of headers in it.
pub(crate) fn with_headers<'py>(py: Python<'py>, lines: &Counters) -> PyResult<Bound<'py, PyDict>> {
    let all = counters(py, lines)?;
    all.set_item("headers", lines.headers)?;
    Ok(all)
}

/// Creates a chunk of the kind with this name from a range of the bytes.
pub(crate) fn chunk<'a>(kind: &str, data: &'a [u8], span: (usize, usize)) -> PyResult<Chunk<'a>> {
    let length = data.len();
    let outside = || format!("span: expected a range within {length} bytes, found {span:?}");
    let data = data.get(span.0..span.1).ok_or_else(|| PyValueError::new_err(outside()))?;
    match kind {
        "lines" => Ok(Chunk::Lines(data)),
        "batch" => Ok(Chunk::Batch(data)),
        "event" => Ok(Chunk::Event(data)),
        _ => Err(PyValueError::new_err(format!(
            "kind: expected lines, batch or event, found '{kind}'"
        ))),
    }
}

/// A compiled format, or the spec to compile.
#[derive(FromPyObject)]
pub(crate) enum FormatArg<'py> {
    Compiled(PyRef<'py, PyFormat>),
    Spec(String),
}

impl FormatArg<'_> {
    pub(crate) fn get(&self) -> PyResult<Format> {
        match self {
            Self::Compiled(format) => Ok(format.0.clone()),
            Self::Spec(spec) => Format::new(spec).map_err(error),
        }
    }
}

pub(crate) fn output(name: &str) -> PyResult<Output> {
    let known = Output::NAMES.iter().find(|known| known.0 == name).map(|known| known.1);
    known.ok_or_else(|| PyValueError::new_err(format!("unknown output '{name}'")))
}

/// Returns a duration, written as text, in microseconds.
#[pyfunction]
#[pyo3(signature = (text, /))]
pub(crate) fn parse_duration(text: &str) -> PyResult<i64> {
    tailrace_core::parse_duration(text).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Converts an error of the core to a Python exception.
pub(crate) fn error(error: impl Into<EngineError>) -> PyErr {
    let error = error.into();
    let message = error.to_string();
    match error {
        EngineError::Input(InputError::Type(_)) => PyTypeError::new_err(message),
        EngineError::Input(InputError::Value(_)) => PyValueError::new_err(message),
        EngineError::Filter(error) => FilterError::new_err((message, error.start, error.end)),
        EngineError::Batch(_) => BatchError::new_err(message),
        EngineError::Unusable => PyRuntimeError::new_err(message),
    }
}

/// Locks a mutex, unless a panic left its contents half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> PyResult<MutexGuard<'_, T>> {
    mutex.lock().map_err(|_| error(EngineError::Unusable))
}
