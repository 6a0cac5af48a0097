//! A window of events, without a log or a clock.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use pyo3_arrow::PyRecordBatchReader;
use tailrace_core::{Engine, State};

use crate::columns::{given, table};
use crate::convert::{Answer, Pane, answer, error, next_pane};
use crate::engine::{AggregateArg, WindowSettings, specs, time_by};
use crate::lines::PyTable;

/// Aggregates of keys in panes of their time.
#[pyclass(name = "Window", module = "tailrace._core", frozen)]
pub(crate) struct PyWindow(pub(crate) Engine);

#[pymethods]
impl PyWindow {
    /// With a time it takes the state of a query.
    #[new]
    #[pyo3(signature = (*, by, aggregates, settings, hash_seed, time=None))]
    fn new(
        by: Vec<String>,
        aggregates: Vec<AggregateArg>,
        settings: PyRef<'_, WindowSettings>,
        hash_seed: u64,
        time: Option<&str>,
    ) -> PyResult<Self> {
        let (specs, settings) = (specs(aggregates), settings.0.clone());
        let engine = match time {
            None => Engine::for_events(by, specs, settings, hash_seed),
            Some(time) => Engine::for_restoring(by, specs, settings, hash_seed, time_by(time)?),
        };
        engine.map(Self).map_err(error)
    }

    /// Returns the names of the value columns that `add` takes, in order.
    #[getter]
    fn fields(&self) -> Vec<&str> {
        self.0.fields().iter().map(String::as_str).collect()
    }

    /// Adds an event for each row, and returns the rows that were late.
    #[pyo3(signature = (keys, values, times, /))]
    fn add(
        &self,
        py: Python<'_>,
        keys: Vec<Bound<'_, PyAny>>,
        values: Vec<Bound<'_, PyAny>>,
        times: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<usize>> {
        let columns = |all: &[Bound<'_, PyAny>], what| {
            all.iter().map(|column| given(column, what)).collect::<PyResult<Vec<_>>>()
        };
        let (keys, values) = (columns(&keys, "key")?, columns(&values, "value")?);
        let times = given(times, "time")?;
        py.detach(|| self.0.add(&keys, &values, &times)).map_err(error)
    }

    #[pyo3(signature = (now_us, /))]
    fn advance(&self, py: Python<'_>, now_us: i64) -> PyResult<()> {
        py.detach(|| self.0.advance(now_us)).map_err(error)
    }

    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.finish()).map_err(error)
    }

    fn next_snapshot<'py>(&self, py: Python<'py>) -> PyResult<Option<Answer<'py>>> {
        answer(py, &self.0, State::next_snapshot)
    }

    /// Closes the next pane and hands it out instead of adding it to a window. After the first
    /// call, panes wait to be handed out.
    #[pyo3(signature = (*, partials=false))]
    fn next_pane<'py>(&self, py: Python<'py>, partials: bool) -> PyResult<Option<Pane<'py>>> {
        next_pane(py, &self.0, partials)
    }

    /// Returns the current snapshot of a lookback, for the window that ends with the newest open
    /// pane.
    #[pyo3(signature = (lookback, /))]
    fn snapshot<'py>(&self, py: Python<'py>, lookback: usize) -> PyResult<Option<Answer<'py>>> {
        answer(py, &self.0, |state| Some(state.snapshot(lookback)))
    }

    /// Exports the contents for another window.
    fn export<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| self.0.export()).map_err(error)?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Exports the contents as a table with one row per key and pane.
    fn export_table(&self, py: Python<'_>) -> PyResult<PyTable> {
        py.detach(|| PyTable::of_named(self.0.export_table().map_err(error)?))
    }

    /// Merges the export of another window.
    #[pyo3(signature = (data, /))]
    fn merge(&self, py: Python<'_>, data: PyBackedBytes) -> PyResult<()> {
        py.detach(|| self.0.merge(&data)).map_err(error)
    }

    #[pyo3(signature = (table, /))]
    fn merge_table(&self, py: Python<'_>, table: PyRecordBatchReader) -> PyResult<()> {
        let table = self::table(table)?;
        py.detach(|| self.0.merge_table(&table)).map_err(error)
    }

    /// Adds a pane table and returns how many of its events were late.
    #[pyo3(signature = (table, /))]
    fn add_panes(&self, py: Python<'_>, table: PyRecordBatchReader) -> PyResult<u64> {
        let table = self::table(table)?;
        py.detach(|| self.0.add_panes(&table)).map_err(error)
    }

    /// Returns the open and closed panes, with a row for each key and pane.
    fn panes_table(&self, py: Python<'_>) -> PyResult<PyTable> {
        py.detach(|| PyTable::of_named(self.0.pane_table().map_err(error)?))
    }
}
