//! Python bindings. Each function converts, releases the GIL, calls the core, and converts back.
//! Policy belongs in the core or in Python.

#![expect(
    clippy::needless_pass_by_value,
    clippy::too_many_arguments,
    reason = "Python arguments are owned, and each option is a keyword"
)]

mod arrow;
mod columns;
mod convert;
mod engine;
mod events;
mod filter;
mod inspect;
mod items;
mod journal;
mod lines;
mod panes;
mod window;

use pyo3::prelude::*;

pyo3::create_exception!(
    tailrace._core,
    BatchError,
    pyo3::exceptions::PyValueError,
    "The bytes of a chunk are malformed for its kind. Nothing of the chunk was added."
);

/// The compiled core of tailrace. Its interface can change with every release.
#[pymodule(gil_used = false)]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::BatchError;
    #[pymodule_export]
    use crate::convert::parse_duration;
    #[pymodule_export]
    use crate::engine::{PyDelta, PyEngine, WindowSettings};
    #[pymodule_export]
    use crate::events::{PyBatcher, digest_events, without_events};
    #[pymodule_export]
    use crate::filter::{FilterError, PyFilter};
    #[pymodule_export]
    use crate::inspect::{inspect, look};
    #[pymodule_export]
    use crate::journal::{JournalError, PyChanges, PyJournal};
    #[pymodule_export]
    use crate::lines::{
        PyFormat, PyLookups, PyTable, PyZone, count_events, count_matches, default_fields,
        describe_format, explain, field_kind, field_kinds, first_lines, found_fields, has_field,
        lookup_of, parse, parse_chunk, parse_rows, sample_rejects, standard_fields, step_problem,
        write_rows,
    };
    #[pymodule_export]
    use crate::panes::PyPaneCounter;
    #[pymodule_export]
    use crate::window::PyWindow;

    #[pymodule_export]
    const MAX_LINE_BYTES: usize = tailrace_core::MAX_LINE_BYTES;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        let names: Vec<_> = tailrace_core::Format::named().map(|named| named.name).collect();
        module.add("FORMATS", names)?;
        let detected = tailrace_core::Format::named().filter(|named| named.detected);
        let detected: Vec<_> = detected.map(|named| named.name).collect();
        module.add("DETECTED", detected)?;
        let steps = tailrace_core::STEPS.iter().map(|step| (step.name, step.example, step.about));
        module.add("STEPS", steps.collect::<Vec<_>>())?;
        module.add("ALIASES", tailrace_core::aliases().collect::<Vec<_>>())?;
        module.add("TERMINAL_CONTROLS", tailrace_core::terminal_controls())?;
        module.add("_debug_build", cfg!(debug_assertions))
    }
}
