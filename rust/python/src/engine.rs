//! A query over sources.

use std::sync::Mutex;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tailrace_core::{
    Ask, Clock, Counters, Delta, Format, Kind, Order, Origin, Panes, Plan, Query, Reason, Seed,
    Settings, Spent, State, Time, UnknownField,
};

use crate::convert::{
    Answer, FormatArg, answer, batch_error, chunk, counters, lock, unknown_field,
};
use crate::filter::{PyFilter, checked};

/// What one chunk adds.
#[pyclass(name = "Delta", module = "tailrace._core", frozen)]
pub(crate) struct PyDelta {
    /// Until it is applied.
    delta: Mutex<Option<Delta>>,
    has_time: bool,
    lines: Counters,
}

impl PyDelta {
    fn new(delta: Delta) -> Self {
        let (has_time, lines) = (delta.has_time(), *delta.lines());
        Self { delta: Mutex::new(Some(delta)), has_time, lines }
    }
}

#[pymethods]
impl PyDelta {
    /// Whether it tells how far its source has come.
    #[getter]
    fn has_time(&self) -> bool {
        self.has_time
    }

    /// How many lines there were, and how many of them are not of their format.
    #[getter]
    fn lines(&self) -> (u64, u64) {
        let lines = &self.lines;
        (lines.fed, lines.rejected(Reason::NoMatch) + lines.rejected(Reason::TooLong))
    }
}

/// Counts lines by a field.
#[pyclass(name = "Engine", module = "tailrace._core", frozen)]
pub(crate) struct PyEngine {
    query: Query,
    state: Mutex<State>,
    /// What is left of deltas that were applied, for the next chunks.
    spent: Mutex<Vec<Spent>>,
    /// Of the columns of answers.
    names: Vec<String>,
}

#[pymethods]
impl PyEngine {
    #[new]
    #[pyo3(signature = (*, formats, by, aggregates, time, shape, sources, start_us, hash_seed,
                        filter=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword-only in Python")]
    #[expect(clippy::needless_pass_by_value, reason = "a list of Python's cannot be borrowed")]
    fn new(
        formats: Vec<FormatArg<'_>>,
        by: Vec<String>,
        aggregates: Vec<AskArg>,
        time: &str,
        shape: PyRef<'_, Shape>,
        sources: usize,
        start_us: i64,
        hash_seed: u64,
        filter: Option<PyRef<'_, PyFilter>>,
    ) -> PyResult<Self> {
        let formats = formats.iter().map(FormatArg::get).collect::<PyResult<Vec<_>>>()?;
        let seed = Seed::new(hash_seed);
        let plan = plan(aggregates, &seed)?;
        let mut bound = None;
        for format in &formats {
            bound = checked(filter.as_deref(), format)?;
        }
        let keys = by.iter().map(|field| kind_in(&formats, field, "count by"));
        let keys = keys.collect::<PyResult<Vec<_>>>()?;
        let values = plan.fields().iter().map(|field| kind_in(&formats, field, "aggregate"));
        let values = values.collect::<PyResult<Vec<_>>>()?;
        plan.kinds(&values).map_err(|error| PyValueError::new_err(error.0))?;
        let (time, clock) = match time {
            "arrival" => (Time::Arrival, Clock::Arrival),
            "header" => (Time::Header, Clock::Events),
            "log" => (Time::Log, Clock::Events),
            _ => return Err(PyValueError::new_err(format!("no time {time:?}"))),
        };
        let names = shape.names(&by, &plan);
        let settings = shape.settings(plan.clone(), clock, sources, keys, values);
        let by = by.into_iter().map(Into::into).collect();
        Ok(Self {
            query: Query { by, plan, time, panes: shape.panes(), filter: bound, seed },
            state: Mutex::new(State::new(settings, start_us)),
            spent: Mutex::default(),
            names,
        })
    }

    #[pyo3(signature = (data, /, *, kind, span, source, format, now_us, max_ahead_us))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword-only in Python")]
    #[expect(clippy::needless_pass_by_value, reason = "an argument of Python's")]
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
        let spent = lock(&self.spent)?.pop();
        py.detach(|| self.query.absorb_after(spent, chunk, &origin))
            .map(PyDelta::new)
            .map_err(batch_error)
    }

    /// Adds it, once.
    #[pyo3(signature = (delta, /))]
    fn apply(&self, py: Python<'_>, delta: &PyDelta) -> PyResult<()> {
        py.detach(|| {
            let delta = lock(&delta.delta)?.take();
            let delta = delta.ok_or_else(|| PyValueError::new_err("it was applied already"))?;
            lock(&self.state)?.apply(&delta);
            keep(&self.spent, delta)
        })
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
        next.map(|snapshot| answer(py, snapshot, &self.names)).transpose()
    }

    fn last_snapshot<'py>(&self, py: Python<'py>) -> PyResult<Option<Answer<'py>>> {
        let last = py.detach(|| lock(&self.state).map(|mut state| state.last_snapshot()))?;
        last.map(|snapshot| answer(py, snapshot, &self.names)).transpose()
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Answer<'py>> {
        let snapshot = py.detach(|| lock(&self.state).map(|state| state.snapshot(0)))?;
        answer(py, snapshot, &self.names)
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

/// More threads than this do not absorb at once.
const MOST_SPENT: usize = 16;

/// Keeps what is left of a delta that was applied.
pub(crate) fn keep(all: &Mutex<Vec<Spent>>, delta: Delta) -> PyResult<()> {
    let mut all = lock(all)?;
    if all.len() < MOST_SPENT {
        all.push(delta.spent());
    }
    Ok(())
}

/// What an aggregate is asked: its name in answers, which it is, its fields, its number, its error.
pub(crate) type AskArg = (String, String, Vec<String>, f64, f64);

pub(crate) fn plan(aggregates: Vec<AskArg>, seed: &Seed) -> PyResult<Plan> {
    let ask = |(name, what, fields, number, error)| Ask { name, what, fields, number, error };
    let asks = aggregates.into_iter().map(ask).collect();
    Plan::new(asks, seed).map_err(|error| PyValueError::new_err(error.0))
}

/// What the values of a field are; the same in all formats.
fn kind_in(formats: &[Format], field: &str, what: &str) -> PyResult<Kind> {
    let unknown = || unknown_field(UnknownField { name: field.to_owned() });
    let kinds = formats.iter().map(|format| format.kind(field).ok_or_else(unknown));
    let kinds = kinds.collect::<PyResult<Vec<_>>>()?;
    let Some(&kind) = kinds.first() else {
        return Err(PyValueError::new_err("no format"));
    };
    if kinds.iter().any(|&other| other != kind) {
        let specs: Vec<_> = formats.iter().map(Format::spec).collect();
        return Err(PyValueError::new_err(format!(
            "{field:?} is of several types in the formats {}; give all sources one format, or \
             {what} another field",
            specs.join(", ")
        )));
    }
    Ok(kind)
}

/// How far windows look back and how often they are answered, and how.
#[pyclass(name = "Shape", module = "tailrace._core", frozen)]
pub(crate) struct Shape {
    panes: Option<Panes>,
    lengths: Vec<Option<i64>>,
    step: i64,
    limit: Option<usize>,
    order: Order,
    changes: bool,
    max_keys: Option<usize>,
}

#[pymethods]
impl Shape {
    /// Without a slide there is one window of everything; a length that is None is since the
    /// start.
    #[new]
    #[pyo3(signature = (*, lengths_us, slide_us, offset_us, lateness_us, limit, order_by,
                        ascending, changes, max_keys))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword-only in Python")]
    #[expect(clippy::needless_pass_by_value, reason = "a list of Python's cannot be borrowed")]
    fn new(
        lengths_us: Vec<Option<i64>>,
        slide_us: Option<i64>,
        offset_us: i64,
        lateness_us: i64,
        limit: Option<usize>,
        order_by: Option<usize>,
        ascending: bool,
        changes: bool,
        max_keys: Option<usize>,
    ) -> PyResult<Self> {
        let order = Order { by: order_by, ascending };
        let lengths = vec![None];
        let none = Self { panes: None, lengths, step: 1, limit, order, changes, max_keys };
        let Some(slide) = slide_us else { return Ok(none) };
        if slide < 1 || lengths_us.is_empty() || lengths_us.iter().flatten().any(|&us| us < 1) {
            return Err(PyValueError::new_err("a window has a length and a slide"));
        }
        let width = lengths_us.iter().flatten().fold(slide, |width, &length| gcd(width, length));
        Ok(Self {
            panes: Some(Panes { width, offset: offset_us, lateness: lateness_us }),
            lengths: lengths_us.iter().map(|length| length.map(|us| us / width)).collect(),
            step: slide / width,
            ..none
        })
    }
}

impl Shape {
    /// The names of the columns of answers.
    pub(crate) fn names(&self, by: &[String], plan: &Plan) -> Vec<String> {
        let names = by.iter().cloned().chain(plan.asks().map(|ask| ask.name.clone()));
        let changes = ["rank", "moved"].iter().filter(|_| self.changes);
        names.chain(changes.map(|&name| name.to_owned())).collect()
    }

    pub(crate) fn panes(&self) -> Option<Panes> {
        self.panes
    }

    /// Whether an answer is about everything since the start.
    pub(crate) fn since_start(&self) -> bool {
        self.lengths.contains(&None)
    }

    pub(crate) fn settings(
        &self,
        plan: Plan,
        clock: Clock,
        sources: usize,
        keys: Vec<Kind>,
        values: Vec<Kind>,
    ) -> Settings {
        let Self { panes, ref lengths, step, limit, order, changes, max_keys } = *self;
        let lengths = lengths.clone();
        let raw = [Vec::new(), Vec::new()];
        Settings {
            panes,
            lengths,
            step,
            clock,
            sources,
            limit,
            order,
            changes,
            max_keys,
            plan,
            keys,
            values,
            raw,
        }
    }
}

fn gcd(mut one: i64, mut other: i64) -> i64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}
