//! A query over sources.

use std::sync::Mutex;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tailrace_core::{Clock, Delta, Panes, Query, Seed, Settings, State, Time};

use crate::convert::{Answer, answer, batch_error, chunk, counters, field, format, lock};

/// What one chunk adds.
#[pyclass(name = "Delta", module = "tailrace._core", frozen)]
pub(crate) struct PyDelta(Delta);

/// Counts lines by a field.
#[pyclass(name = "Engine", module = "tailrace._core", frozen)]
pub(crate) struct PyEngine {
    query: Query,
    state: Mutex<State>,
}

#[pymethods]
impl PyEngine {
    #[new]
    #[pyo3(signature = (*, format, by, time, limit, window_us, lateness_us, max_ahead_us, sources,
                        start_us, hash_seed))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword-only in Python")]
    fn new(
        format: &str,
        by: &str,
        time: &str,
        limit: Option<usize>,
        window_us: Option<(i64, i64)>,
        lateness_us: i64,
        max_ahead_us: Option<i64>,
        sources: usize,
        start_us: i64,
        hash_seed: u64,
    ) -> PyResult<Self> {
        let format = self::format(format)?;
        let by = field(format, by)?;
        let (time, clock) = match time {
            "arrival" => (Time::Arrival, Clock::Arrival),
            "log" => (Time::Log { max_ahead: max_ahead_us }, Clock::Log),
            _ => return Err(PyValueError::new_err(format!("no time {time:?}"))),
        };
        let (panes, length) = panes(window_us, lateness_us)?;
        let kind = format.kind(by);
        let seed = Seed::new(hash_seed);
        let settings = Settings { panes, length, clock, sources, limit, kind };
        Ok(Self {
            query: Query { format, by, time, panes, seed },
            state: Mutex::new(State::new(settings, start_us)),
        })
    }

    #[pyo3(signature = (data, /, *, kind, span, source, now_us))]
    fn absorb(
        &self,
        py: Python<'_>,
        data: &[u8],
        kind: &str,
        span: (usize, usize),
        source: usize,
        now_us: i64,
    ) -> PyResult<PyDelta> {
        let chunk = chunk(kind, data, span)?;
        py.detach(|| self.query.absorb(chunk, source, now_us)).map(PyDelta).map_err(batch_error)
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
