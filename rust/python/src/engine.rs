//! A query over sources.

use std::sync::Mutex;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tailrace_core::{
    AggregateSpec, Counters, Delta, Engine, Logs, Order, OrderBy, Origin, Reason, Settings, State,
    Time,
};

use crate::convert::{Answer, FormatArg, Pane, answer, chunk, counters, error, lock, next_pane};
use crate::filter::PyFilter;

/// What one chunk adds.
#[pyclass(name = "Delta", module = "tailrace._core", frozen)]
pub(crate) struct PyDelta {
    /// Taken when it is applied.
    delta: Mutex<Option<Delta>>,
    newest_us: Option<i64>,
    lines: Counters,
}

impl PyDelta {
    /// Calls a function with the delta, which must not have been applied yet.
    pub(crate) fn with<T>(&self, run: impl FnOnce(&Delta) -> PyResult<T>) -> PyResult<T> {
        let delta = lock(&self.delta)?;
        run(delta.as_ref().ok_or_else(applied)?)
    }
}

fn applied() -> PyErr {
    PyValueError::new_err("the delta was applied already")
}

#[pymethods]
impl PyDelta {
    /// Returns the newest time of its lines, which is how far its source has read.
    #[getter]
    fn newest_us(&self) -> Option<i64> {
        self.newest_us
    }

    /// Returns the number of lines, how many of them do not match their format, and the number of
    /// headers.
    #[getter]
    fn lines(&self) -> (u64, u64, u64) {
        let lines = &self.lines;
        let rejected = lines.rejected(Reason::NoMatch) + lines.rejected(Reason::TooLong);
        (lines.fed, rejected, lines.headers)
    }
}

/// Aggregates the lines of sources by key.
#[pyclass(name = "Engine", module = "tailrace._core", frozen)]
pub(crate) struct PyEngine(pub(crate) Engine);

#[pymethods]
impl PyEngine {
    #[new]
    #[pyo3(signature = (*, formats, by, aggregates, time, settings, sources, start_us, hash_seed,
                        filter=None))]
    fn new(
        formats: Vec<FormatArg<'_>>,
        by: Vec<String>,
        aggregates: Vec<AggregateArg>,
        time: &str,
        settings: PyRef<'_, WindowSettings>,
        sources: usize,
        start_us: i64,
        hash_seed: u64,
        filter: Option<PyRef<'_, PyFilter>>,
    ) -> PyResult<Self> {
        let time = time_by(time)?;
        let formats = formats.iter().map(FormatArg::get).collect::<PyResult<_>>()?;
        let filter = filter.map(|filter| filter.0.clone());
        let logs = Logs { formats, time, filter, sources, start: start_us };
        let engine = Engine::for_logs(by, specs(aggregates), settings.0.clone(), hash_seed, logs);
        engine.map(Self).map_err(error)
    }

    #[pyo3(signature = (data, /, *, kind, span, source, format, now_us, max_ahead_us,
                        max_behind_us=None, sender=None, sender_header=None, resent=0))]
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
        max_behind_us: Option<i64>,
        sender: Option<&[u8]>,
        sender_header: Option<&[u8]>,
        resent: u64,
    ) -> PyResult<PyDelta> {
        let chunk = chunk(kind, data, span)?;
        let format = format.get()?;
        let origin = Origin {
            max_ahead: max_ahead_us,
            max_behind: max_behind_us,
            sender: sender.map(Into::into),
            sender_header: sender_header.map(Into::into),
            resent,
            ..Origin::new(source, format, now_us)
        };
        let delta = py.detach(|| self.0.absorb(chunk, &origin)).map_err(error)?;
        let (newest_us, lines) = (delta.newest_time(), *delta.lines());
        Ok(PyDelta { delta: Mutex::new(Some(delta)), newest_us, lines })
    }

    /// Counts the lines of a chunk that is dropped, and returns their number.
    #[pyo3(signature = (data, /, *, kind, span, source, now_us, sender=None))]
    fn abandon(
        &self,
        py: Python<'_>,
        data: &[u8],
        kind: &str,
        span: (usize, usize),
        source: usize,
        now_us: i64,
        sender: Option<&[u8]>,
    ) -> PyResult<u64> {
        let chunk = chunk(kind, data, span)?;
        py.detach(|| self.0.abandon(chunk, source, sender, now_us)).map_err(error)
    }

    /// Adds a delta, after this much listening to live sources. Each delta can be applied once.
    #[pyo3(signature = (delta, /, listened_us=None))]
    fn apply(&self, py: Python<'_>, delta: &PyDelta, listened_us: Option<i64>) -> PyResult<()> {
        py.detach(|| {
            let delta = lock(&delta.delta)?.take();
            let delta = delta.ok_or_else(applied)?;
            self.0.apply_heard(delta, listened_us).map_err(error)
        })
    }

    /// Adds a source and returns its number. The watermark waits for it.
    fn add_source(&self, py: Python<'_>) -> PyResult<usize> {
        py.detach(|| self.0.with(State::add_source)).map_err(error)
    }

    /// Marks a source as a live one, which can be idle and is listened to from now on.
    #[pyo3(signature = (source, /, listened_us=0))]
    fn listen_to(&self, py: Python<'_>, source: usize, listened_us: i64) -> PyResult<()> {
        py.detach(|| self.0.with(|state| state.listen_to(source, listened_us))).map_err(error)
    }

    /// Lets a source that has ended go on.
    #[pyo3(signature = (source, /))]
    fn reopen_source(&self, py: Python<'_>, source: usize) -> PyResult<()> {
        py.detach(|| self.0.with(|state| state.reopen_source(source))).map_err(error)
    }

    /// Returns the names of the senders of a source that the watermark waits for.
    #[pyo3(signature = (source, /))]
    fn senders(&self, py: Python<'_>, source: usize) -> PyResult<Vec<Vec<u8>>> {
        py.detach(|| self.0.senders(source)).map_err(error)
    }

    /// Ends a source, or one of its senders.
    #[pyo3(signature = (source, /, sender=None))]
    fn end_source(&self, py: Python<'_>, source: usize, sender: Option<&[u8]>) -> PyResult<()> {
        let end = |state: &mut State| match sender {
            None => state.end_source(source),
            Some(sender) => state.end_sender(source, sender),
        };
        py.detach(|| self.0.with(end)).map_err(error)
    }

    #[pyo3(signature = (now_us, /))]
    fn advance(&self, py: Python<'_>, now_us: i64) -> PyResult<()> {
        py.detach(|| self.0.advance(now_us)).map_err(error)
    }

    /// Excludes live sources and senders from the watermark that gave their last event time before
    /// this much listening.
    #[pyo3(signature = (before_us, /))]
    fn mark_idle(&self, py: Python<'_>, before_us: i64) -> PyResult<()> {
        py.detach(|| self.0.with(|state| state.mark_idle(before_us))).map_err(error)
    }

    /// Returns whether a source has had so many senders at once that some share a watermark.
    #[pyo3(signature = (source, /))]
    fn is_crowded(&self, py: Python<'_>, source: usize) -> PyResult<bool> {
        py.detach(|| self.0.with(|state| state.is_crowded(source))).map_err(error)
    }

    /// Returns the time that it is by the events of the living senders.
    #[pyo3(signature = (now_us, /))]
    fn log_time(&self, py: Python<'_>, now_us: i64) -> PyResult<Option<i64>> {
        py.detach(|| self.0.with(|state| state.log_time(now_us))).map_err(error)
    }

    /// Returns the source to read next, so that the fewest panes stay open.
    fn slowest_source(&self, py: Python<'_>) -> PyResult<Option<usize>> {
        py.detach(|| self.0.with(|state| state.slowest_source())).map_err(error)
    }

    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.finish()).map_err(error)
    }

    fn next_snapshot<'py>(&self, py: Python<'py>) -> PyResult<Option<Answer<'py>>> {
        answer(py, &self.0, State::next_snapshot)
    }

    /// Closes the next pane and hands it out instead of adding it to a window.
    #[pyo3(signature = (*, partials=false))]
    fn next_pane<'py>(&self, py: Python<'py>, partials: bool) -> PyResult<Option<Pane<'py>>> {
        next_pane(py, &self.0, partials)
    }

    fn last_snapshot<'py>(&self, py: Python<'py>) -> PyResult<Option<Answer<'py>>> {
        answer(py, &self.0, State::last_snapshot)
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Option<Answer<'py>>> {
        answer(py, &self.0, |state| Some(state.snapshot(0)))
    }

    /// Returns the window at a moment as it is, and closes nothing.
    #[pyo3(signature = (at_us, /))]
    fn current<'py>(&self, py: Python<'py>, at_us: i64) -> PyResult<Option<Answer<'py>>> {
        answer(py, &self.0, |state| Some(state.current(0, at_us)))
    }

    /// Closes what the watermark has passed without a snapshot.
    fn skip(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.with(State::skip)).map_err(error).map(drop)
    }

    /// Returns the oldest and the newest time so far, and the watermark.
    fn times(&self, py: Python<'_>) -> PyResult<Times> {
        py.detach(|| self.0.with(|state| state.times().into())).map_err(error)
    }

    fn lines<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        counters(py, &py.detach(|| self.0.with(|state| *state.lines())).map_err(error)?)
    }

    /// Returns whether there was no room for a key.
    fn has_refused_keys(&self, py: Python<'_>) -> PyResult<bool> {
        py.detach(|| self.0.with(|state| state.has_refused_keys())).map_err(error)
    }

    /// Returns the largest number of keys that were in memory at once.
    fn key_capacity(&self, py: Python<'_>) -> PyResult<usize> {
        py.detach(|| self.0.with(|state| state.key_capacity())).map_err(error)
    }
}

pub(crate) fn time_by(name: &str) -> PyResult<Time> {
    match name {
        "arrival" => Ok(Time::Arrival),
        "header" => Ok(Time::Header),
        "log" => Ok(Time::Log),
        _ => Err(PyValueError::new_err(format!(
            "time: expected arrival, header or log, found '{name}'"
        ))),
    }
}

/// The oldest and the newest time, and the watermark.
type Times = (Option<i64>, Option<i64>, Option<i64>);

/// An aggregate: its name in snapshots, function, fields, numeric parameter and error.
pub(crate) type AggregateArg = (String, String, Vec<String>, f64, f64);

pub(crate) fn specs(aggregates: Vec<AggregateArg>) -> Vec<AggregateSpec> {
    let ask = |(name, function, fields, number, error)| AggregateSpec {
        name,
        function,
        fields,
        number,
        error,
    };
    aggregates.into_iter().map(ask).collect()
}

/// The lengths of windows, how often they end, and what their snapshots contain.
#[pyclass(name = "WindowSettings", module = "tailrace._core", frozen)]
pub(crate) struct WindowSettings(pub(crate) Settings);

#[pymethods]
impl WindowSettings {
    /// Without a slide, everything is one window. A length of None means since the start.
    #[new]
    #[pyo3(signature = (*, lengths_us, slide_us, offset_us, lateness_us, limit, order_by,
                        ascending, track_ranks, max_keys, max_key_bytes=None, bounds_us=None))]
    fn new(
        lengths_us: Vec<Option<i64>>,
        slide_us: Option<i64>,
        offset_us: i64,
        lateness_us: i64,
        limit: Option<usize>,
        order_by: Option<(&str, usize)>,
        ascending: bool,
        track_ranks: bool,
        max_keys: Option<usize>,
        max_key_bytes: Option<usize>,
        bounds_us: Option<(i64, i64)>,
    ) -> PyResult<Self> {
        let by = match order_by {
            None => OrderBy::Count,
            Some(("key", place)) => OrderBy::Key(place),
            Some((_, place)) => OrderBy::Aggregate(place),
        };
        let order = Order { by, ascending };
        let windows = Settings::of_windows(&lengths_us, slide_us, offset_us, lateness_us);
        let windows = windows.map_err(error)?;
        let bounds = bounds_us;
        Ok(Self(Settings { limit, order, track_ranks, max_keys, max_key_bytes, bounds, ..windows }))
    }
}
