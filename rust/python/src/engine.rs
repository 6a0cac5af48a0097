//! A query over sources.

use std::sync::Mutex;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tailrace_core::{
    Clock, Delta, Origin, Panes, Query, Reason, Seed, Settings, State, Time, UnknownField,
};

use crate::convert::{
    Answer, FormatArg, answer, batch_error, chunk, counters, lock, unknown_field,
};
use crate::filter::{PyFilter, checked};

/// What one chunk adds.
#[pyclass(name = "Delta", module = "tailrace._core", frozen)]
pub(crate) struct PyDelta(Delta);

#[pymethods]
impl PyDelta {
    /// Whether it tells how far its source has come.
    #[getter]
    fn has_time(&self) -> bool {
        self.0.has_time()
    }

    /// How many lines there were, and how many of them are not of their format.
    #[getter]
    fn lines(&self) -> (u64, u64) {
        let lines = self.0.lines();
        (lines.fed, lines.rejected(Reason::NoMatch) + lines.rejected(Reason::TooLong))
    }
}

/// Counts lines by a field.
#[pyclass(name = "Engine", module = "tailrace._core", frozen)]
pub(crate) struct PyEngine {
    query: Query,
    state: Mutex<State>,
}

#[pymethods]
impl PyEngine {
    #[new]
    #[pyo3(signature = (*, formats, by, time, limit, window_us, lateness_us, sources,
                        start_us, hash_seed, filter=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword-only in Python")]
    #[expect(clippy::needless_pass_by_value, reason = "a list of Python's cannot be borrowed")]
    fn new(
        formats: Vec<FormatArg<'_>>,
        by: &str,
        time: &str,
        limit: Option<usize>,
        window_us: Option<(i64, i64)>,
        lateness_us: i64,
        sources: usize,
        start_us: i64,
        hash_seed: u64,
        filter: Option<PyRef<'_, PyFilter>>,
    ) -> PyResult<Self> {
        let formats = formats.iter().map(FormatArg::get).collect::<PyResult<Vec<_>>>()?;
        let mut kinds = Vec::new();
        let mut bound = None;
        for format in &formats {
            bound = checked(filter.as_deref(), format)?;
            let unknown = || unknown_field(UnknownField { name: by.to_owned() });
            kinds.push(format.kind(by).ok_or_else(unknown)?);
        }
        let Some(&kind) = kinds.first() else {
            return Err(PyValueError::new_err("no format"));
        };
        if kinds.iter().any(|&other| other != kind) {
            let specs: Vec<_> = formats.iter().map(tailrace_core::Format::spec).collect();
            return Err(PyValueError::new_err(format!(
                "{by:?} is of several types in the formats {}; give all sources one format, or count by \
                 another field",
                specs.join(", ")
            )));
        }
        let (time, clock) = match time {
            "arrival" => (Time::Arrival, Clock::Arrival),
            "header" => (Time::Header, Clock::Events),
            "log" => (Time::Log, Clock::Events),
            _ => return Err(PyValueError::new_err(format!("no time {time:?}"))),
        };
        let (panes, length) = panes(window_us, lateness_us)?;
        let settings = Settings { panes, length, clock, sources, limit, kind };
        Ok(Self {
            query: Query { by: by.into(), time, panes, filter: bound, seed: Seed::new(hash_seed) },
            state: Mutex::new(State::new(settings, start_us)),
        })
    }

    #[pyo3(signature = (data, /, *, kind, span, source, format, now_us, max_ahead_us))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword-only in Python")]
    fn absorb(
        &self,
        py: Python<'_>,
        data: &[u8],
        kind: &str,
        span: (usize, usize),
        source: usize,
        format: FormatArg<'_>,
        now_us: i64,
        max_ahead_us: Option<i64>,
    ) -> PyResult<PyDelta> {
        let chunk = chunk(kind, data, span)?;
        let format = format.get()?;
        let origin = Origin { source, format, now: now_us, max_ahead: max_ahead_us };
        py.detach(|| self.query.absorb(chunk, &origin)).map(PyDelta).map_err(batch_error)
    }

    #[pyo3(signature = (delta, /))]
    fn apply(&self, py: Python<'_>, delta: &PyDelta) -> PyResult<()> {
        py.detach(|| lock(&self.state).map(|mut state| state.apply(&delta.0)))
    }

    #[pyo3(signature = (source, /))]
    fn end_source(&self, source: usize) -> PyResult<()> {
        lock(&self.state).map(|mut state| state.end_source(source))
    }

    #[pyo3(signature = (now_us, /))]
    fn advance(&self, now_us: i64) -> PyResult<()> {
        lock(&self.state).map(|mut state| state.advance(now_us))
    }

    /// Leaves a source that was silent for too long out of the watermark.
    #[pyo3(signature = (source, /))]
    fn leave_out(&self, source: usize) -> PyResult<()> {
        lock(&self.state).map(|mut state| state.leave_out(source))
    }

    /// The source to read next, so that the fewest panes stay open.
    fn behind(&self) -> PyResult<Option<usize>> {
        lock(&self.state).map(|state| state.behind())
    }

    fn finish(&self) -> PyResult<()> {
        lock(&self.state).map(|mut state| state.finish(false))
    }

    fn next_snapshot<'py>(&self, py: Python<'py>) -> PyResult<Option<Answer<'py>>> {
        let next = py.detach(|| lock(&self.state).map(|mut state| state.next_snapshot()))?;
        next.map(|snapshot| answer(py, snapshot, false)).transpose()
    }

    fn last_snapshot<'py>(&self, py: Python<'py>) -> PyResult<Option<Answer<'py>>> {
        let last = py.detach(|| lock(&self.state).map(|mut state| state.last_snapshot()))?;
        last.map(|snapshot| answer(py, snapshot, false)).transpose()
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Answer<'py>> {
        let snapshot = py.detach(|| lock(&self.state).map(|state| state.snapshot()))?;
        answer(py, snapshot, false)
    }

    fn lines<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let lines = lock(&self.state).map(|state| *state.lines())?;
        counters(py, &lines)
    }

    /// How many keys were in memory at once.
    fn key_capacity(&self) -> PyResult<usize> {
        lock(&self.state).map(|state| state.key_capacity())
    }
}

/// Panes for a window of this length and slide, and how many of them it has.
pub(crate) fn panes(
    window_us: Option<(i64, i64)>,
    lateness: i64,
) -> PyResult<(Option<Panes>, i64)> {
    match window_us {
        None => Ok((None, 1)),
        Some((length, width)) if width > 0 && length >= width && length % width == 0 => {
            Ok((Some(Panes { width, lateness }), length / width))
        }
        Some((length, width)) => Err(PyValueError::new_err(format!(
            "the slide of {width} us does not divide the length of {length} us"
        ))),
    }
}
