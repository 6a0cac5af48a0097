//! Counts of lines by pane, for tables that others group and merge.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use tailrace_core::{Engine, Logs, Origin, Time};

use crate::columns::given;
use crate::convert::{FormatArg, counters, error};
use crate::engine::{AggregateArg, specs};
use crate::filter::PyFilter;
use crate::lines::PyTable;

/// Aggregates of the keys of lines, in panes of their time.
#[pyclass(name = "PaneCounter", module = "tailrace._core", frozen)]
pub(crate) struct PyPaneCounter {
    engine: Engine,
    origin: Origin,
}

#[pymethods]
impl PyPaneCounter {
    #[new]
    #[pyo3(signature = (*, format, by, aggregates, time, width_us, offset_us, hash_seed,
                        filter=None))]
    fn new(
        format: FormatArg<'_>,
        by: Vec<String>,
        aggregates: Vec<AggregateArg>,
        time: &str,
        width_us: i64,
        offset_us: i64,
        hash_seed: u64,
        filter: Option<PyRef<'_, PyFilter>>,
    ) -> PyResult<Self> {
        let format = format.get()?;
        let filter = filter.map(|filter| filter.0.clone());
        let formats = vec![format.clone()];
        let logs = Logs { formats, time: Time::Log, filter, sources: 1, start: 0 };
        let panes = (width_us, offset_us);
        let engine = Engine::for_panes(by, specs(aggregates), panes, hash_seed, logs, time);
        let origin = Origin::new(0, format, 0);
        Ok(Self { engine: engine.map_err(error)?, origin })
    }

    /// Counts the lines of an Arrow array of text or bytes. Nulls are skipped.
    #[pyo3(signature = (lines, /))]
    fn add(&self, py: Python<'_>, lines: &Bound<'_, PyAny>) -> PyResult<()> {
        let lines = given(lines, "line")?;
        py.detach(|| self.engine.add_lines(&lines, &self.origin)).map_err(error)
    }

    /// Returns what was counted, with a row for each key and pane.
    fn table(&self, py: Python<'_>) -> PyResult<PyTable> {
        py.detach(|| PyTable::of_named(self.engine.pane_table().map_err(error)?))
    }

    fn lines<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        counters(py, &py.detach(|| self.engine.with(|state| *state.lines())).map_err(error)?)
    }
}
