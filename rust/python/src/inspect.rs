//! What the directory of a checkpoint holds, for a process that only looks.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use tailrace_core::{Engine, State};
use tailrace_store::{Directory, FrameInfo, Problem, View};

use crate::convert::{counters, error};
use crate::journal::{Failure, name_of, restored};
use crate::window::PyWindow;

/// A frame: the file, its byte, its size, that of its payload, its kind, a round, a pane, and what
/// is wrong with it.
type Frame = (String, u64, u64, u64, &'static str, u64, Option<i64>, Option<&'static str>);

/// The kind and the message of an error.
type Refusal = Option<(&'static str, String)>;

/// Returns every frame of every file, and the kind and message of what keeps it from being
/// recovered. The end of a file that is written now is `unfinished`.
#[pyfunction]
#[pyo3(signature = (path, /))]
pub(crate) fn inspect(py: Python<'_>, path: PathBuf) -> PyResult<(Vec<Frame>, Refusal)> {
    let (frames, recovered) = py
        .detach(|| {
            let mut frames = Vec::new();
            let each = |frame: FrameInfo| {
                let problem = frame.problem.map(|problem| match problem {
                    Problem::Damage(words) => words,
                    Problem::Unfinished => "unfinished",
                });
                let FrameInfo { file, byte, size, payload, kind, sequence, pane, .. } = frame;
                frames.push((file, byte, size, payload, kind, sequence, pane, problem));
            };
            let recovered = tailrace_store::inspect(Directory::open(&path)?, each);
            Ok((frames, recovered))
        })
        .map_err(|error: Failure| error.raised(py))?;
    let refusal = recovered.err();
    Ok((frames, refusal.map(|error| (name_of(error.kind()), error.message().to_owned()))))
}

/// Returns what a recovery would find now, None in an empty directory. A window is brought into
/// the state that it would have.
#[pyfunction]
#[pyo3(signature = (path, /, window=None))]
pub(crate) fn look<'py>(
    py: Python<'py>,
    path: PathBuf,
    window: Option<&PyWindow>,
) -> PyResult<Option<Bound<'py, PyDict>>> {
    let raised = |failure: Failure| failure.raised(py);
    let opened = py.detach(|| Ok(View::open(Directory::open(&path)?)?)).map_err(raised)?;
    let Some(mut view) = opened else { return Ok(None) };
    let seen = PyDict::new(py);
    seen.set_item("head", PyBytes::new(py, view.head()))?;
    seen.set_item("round", view.sequence())?;
    seen.set_item("warnings", view.warnings())?;
    seen.set_item("cut", view.cut())?;
    seen.set_item("state", view.start())?;
    let replay = view.replay().into_iter().map(|log| (log.log, log.rounds, log.bytes));
    seen.set_item("replay", replay.collect::<Vec<_>>())?;
    if let Some(window) = window {
        let engine: &Engine = &window.0;
        let found = py.detach(|| restored(&mut view, engine)).map_err(raised)?;
        seen.set_item("note", found.note.map(|note| PyBytes::new(py, &note)))?;
        let notes = found.notes.iter().map(|note| PyBytes::new(py, note));
        seen.set_item("notes", notes.collect::<Vec<_>>())?;
        seen.set_item("now", found.last.now)?;
        let answered = engine.answered().map_err(error)?;
        seen.set_item("answered", answered.map(|answered| answered.end))?;
        let read = |state: &mut State| (state.times(), *state.lines());
        let (times, lines) = engine.with(read).map_err(error)?;
        seen.set_item("times", times)?;
        seen.set_item("lines", counters(py, &lines)?)?;
    }
    Ok(Some(seen))
}
