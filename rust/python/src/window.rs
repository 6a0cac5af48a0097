//! A window without a log and a clock.

use std::sync::Mutex;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use pyo3_arrow::PyRecordBatchReader;
use tailrace_core::{
    Clock, Delta, Events, ImportError, Imported, Kind, Layout, Panes, Plan, Seed, Seen, Spent,
    State, Typed,
};

use crate::columns::{Given, agreed, for_each};
use crate::convert::{Answer, answer, lock};
use crate::engine::{AskArg, Shape, keep, plan};
use crate::lines::PyTable;
use crate::merging;

/// So many events become one delta: few enough that what they are sorted into stays at hand.
const EVENTS_AT_ONCE: usize = 1 << 16;

/// Aggregates of keys in panes of their time.
#[pyclass(name = "Window", module = "tailrace._core", frozen)]
pub(crate) struct PyWindow {
    panes: Panes,
    plan: Plan,
    seed: Seed,
    by: Vec<String>,
    since_start: bool,
    names: Vec<String>,
    inner: Mutex<Inner>,
    /// What is left of deltas that were applied, for the next events.
    spent: Mutex<Vec<Spent>>,
}

struct Inner {
    state: State,
    keys: Vec<Seen>,
    values: Vec<Seen>,
}

#[pymethods]
impl PyWindow {
    #[new]
    #[pyo3(signature = (*, by, aggregates, shape, hash_seed))]
    #[expect(clippy::needless_pass_by_value, reason = "arguments of Python's")]
    fn new(
        by: Vec<String>,
        aggregates: Vec<AskArg>,
        shape: PyRef<'_, Shape>,
        hash_seed: u64,
    ) -> PyResult<Self> {
        let seed = Seed::new(hash_seed);
        let plan = plan(aggregates, &seed)?;
        let names = shape.names(&by, &plan);
        let keys = vec![Kind::Text; by.len()];
        let values = vec![Kind::Int; plan.fields().len()];
        let settings = shape.settings(plan.clone(), Clock::Manual, 0, keys, values);
        let panes = shape.panes().ok_or_else(|| PyValueError::new_err("no window"))?;
        let inner = Inner {
            state: State::new(settings, 0),
            keys: vec![None; by.len()],
            values: vec![None; plan.fields().len()],
        };
        let since_start = shape.since_start();
        let (inner, spent) = (Mutex::new(inner), Mutex::default());
        Ok(Self { panes, plan, seed, by, since_start, names, inner, spent })
    }

    /// The names of the columns of values that `add` takes, in order.
    #[getter]
    fn fields(&self) -> Vec<&str> {
        self.plan.fields().iter().map(String::as_str).collect()
    }

    /// Adds an event for each row, and tells which rows were late.
    #[pyo3(signature = (keys, values, times, /))]
    #[expect(clippy::needless_pass_by_value, reason = "arguments of Python's")]
    fn add(
        &self,
        py: Python<'_>,
        keys: Vec<Bound<'_, PyAny>>,
        values: Vec<Bound<'_, PyAny>>,
        times: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<usize>> {
        let columns = |given: &[Bound<'_, PyAny>], what| {
            given.iter().map(|column| Given::new(column, what)).collect::<PyResult<Vec<_>>>()
        };
        let (keys, values) = (columns(&keys, "key")?, columns(&values, "value")?);
        let times = Given::new(times, "time")?.into_times()?;
        for (columns, what) in [(&keys, "keys"), (&values, "values")] {
            if let Some(column) = columns.iter().find(|column| column.len() != times.len()) {
                let each = if what == "keys" { "key" } else { "value" };
                return Err(PyValueError::new_err(format!(
                    "{} {what} but {} times; each {each} has its time",
                    column.len(),
                    times.len()
                )));
            }
        }
        py.detach(|| self.take(&keys, &values, &times))
    }

    #[pyo3(signature = (now_us, /))]
    fn advance(&self, py: Python<'_>, now_us: i64) -> PyResult<()> {
        py.detach(|| {
            let mut inner = lock(&self.inner)?;
            inner.state.skip();
            inner.state.advance(now_us);
            Ok(())
        })
    }

    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| {
            let mut inner = lock(&self.inner)?;
            inner.state.skip();
            inner.state.finish(true);
            Ok(())
        })
    }

    fn next_snapshot<'py>(&self, py: Python<'py>) -> PyResult<Option<Answer<'py>>> {
        let next = py.detach(|| lock(&self.inner).map(|mut inner| inner.state.next_snapshot()))?;
        next.map(|snapshot| answer(py, snapshot, &self.names)).transpose()
    }

    /// The window of the length at this place that ends with the newest open pane, as it stands.
    #[pyo3(signature = (back, /))]
    fn snapshot<'py>(&self, py: Python<'py>, back: usize) -> PyResult<Answer<'py>> {
        let snapshot = py.detach(|| lock(&self.inner).map(|inner| inner.state.snapshot(back)))?;
        answer(py, snapshot, &self.names)
    }

    /// All that it holds, for another window.
    fn export<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| {
            let (layout, delta) = self.held()?;
            Ok::<_, PyErr>(layout.encode(&delta))
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The same as a table, of which a row is a key in a pane.
    fn export_table(&self, py: Python<'_>) -> PyResult<PyTable> {
        py.detach(|| {
            let (layout, delta) = self.held()?;
            merging::table(&layout, &delta)
        })
    }

    /// Adds what another window holds.
    #[pyo3(signature = (data, /))]
    #[expect(clippy::needless_pass_by_value, reason = "an argument of Python's")]
    fn merge(&self, py: Python<'_>, data: PyBackedBytes) -> PyResult<()> {
        py.detach(|| self.import(|layout| layout.decode(&data, &self.seed).map_err(import_error)))
    }

    #[pyo3(signature = (table, /))]
    fn merge_table(&self, py: Python<'_>, table: PyRecordBatchReader) -> PyResult<()> {
        let table = merging::Read::new(table)?;
        py.detach(|| self.import(|layout| table.import(layout, &self.seed)))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn import_error(error: ImportError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

impl Inner {
    fn set_kinds(&mut self, keys: Vec<Seen>, values: Vec<Seen>) {
        (self.keys, self.values) = (keys, values);
        let raw = [&self.keys, &self.values]
            .map(|seen| seen.iter().map(|seen| seen.is_some_and(|(_, raw)| raw)).collect());
        let (keys, values) = (kinds_of(&self.keys, Kind::Text), kinds_of(&self.values, Kind::Int));
        self.state.set_kinds(keys, values, raw);
    }
}

impl PyWindow {
    fn layout(&self, inner: &Inner) -> Layout {
        let keys = self.by.iter().zip(&inner.keys);
        Layout {
            panes: Some(self.panes),
            plan: self.plan.clone(),
            keys: keys.map(|(name, &kind)| Typed { name: name.clone(), kind }).collect(),
            values: inner.values.clone(),
            since_start: self.since_start,
        }
    }

    fn held(&self) -> PyResult<(Layout, Delta)> {
        let inner = lock(&self.inner)?;
        Ok((self.layout(&inner), inner.state.export()))
    }

    fn import(&self, read: impl FnOnce(&Layout) -> PyResult<Imported>) -> PyResult<()> {
        let mut inner = lock(&self.inner)?;
        let Imported { delta, keys, values } = read(&self.layout(&inner))?;
        inner.set_kinds(keys, values);
        inner.state.apply(&delta);
        Ok(())
    }

    fn take(&self, keys: &[Given], values: &[Given], times: &[i64]) -> PyResult<Vec<usize>> {
        // What would fail fails before anything is added.
        let value_kinds = {
            let inner = lock(&self.inner)?;
            kinds(&inner.keys, keys, "key")?;
            kinds(&inner.values, values, "value")?
        };
        self.plan
            .kinds(&kinds_of(&value_kinds, Kind::Int))
            .map_err(|error| PyTypeError::new_err(error.0))?;
        let (mut start, mut late) = (0, Vec::new());
        while start < times.len() {
            let end = times.len().min(start + EVENTS_AT_ONCE);
            let spent = lock(&self.spent)?.pop();
            let delta = self.delta(spent, keys, values, times, (start, end));
            let mut inner = lock(&self.inner)?;
            // Another thread may have added others meanwhile.
            if start == 0 {
                let keys = kinds(&inner.keys, keys, "key")?;
                let values = kinds(&inner.values, values, "value")?;
                inner.set_kinds(keys, values);
            }
            if let Some(open) = inner.state.late_before() {
                late.extend((start..end).filter(|&row| times[row] < open));
            }
            inner.state.apply(&delta);
            drop(inner);
            keep(&self.spent, delta)?;
            start = end;
        }
        Ok(late)
    }

    fn delta(
        &self,
        spent: Option<Spent>,
        keys: &[Given],
        values: &[Given],
        times: &[i64],
        rows: (usize, usize),
    ) -> Delta {
        let mut events = Events::after(spent, self.panes, self.plan.clone(), self.seed.clone());
        if let ([keys], []) = (keys, values)
            && let Some(texts) = keys.texts(rows)
        {
            events.push_texts(texts.zip(times[rows.0..rows.1].iter().copied()));
            return events.finish();
        }
        let columns: Vec<&Given> = keys.iter().chain(values).collect();
        for_each(&columns, rows, |row, cells| {
            let (key, values) = cells.split_at(keys.len());
            events.push(key, values, times[row]);
        });
        events.finish()
    }
}

fn kinds(known: &[Seen], given: &[Given], what: &str) -> PyResult<Vec<Seen>> {
    let kinds = known.iter().zip(given).map(|(&known, given)| {
        let Some(kind) = given.kind else { return Ok(known) };
        if what == "key" && matches!(kind, Kind::Float | Kind::Time) {
            return Err(PyTypeError::new_err(format!(
                "keys of type {}; keys are text, bytes, integers or null",
                kind.name()
            )));
        }
        agreed(known, (kind, given.raw), what, 0).map(Some)
    });
    kinds.collect()
}

fn kinds_of(seen: &[Seen], unseen: Kind) -> Vec<Kind> {
    seen.iter().map(|seen| seen.map_or(unseen, |(kind, _)| kind)).collect()
}
