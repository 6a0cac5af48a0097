//! The journal of a checkpoint, and the changes that its rounds consist of.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tailrace_core::{
    Changes, Content, Delta, Engine, EngineError, RecordError, Replayed, SavedState, encode_content,
};
use tailrace_store::{Counts, Directory, ErrorKind, Recovered, Store, StoreError};

use crate::convert::{error, lock};
use crate::engine::{PyDelta, PyEngine};
use crate::window::PyWindow;

pyo3::create_exception!(
    tailrace._core,
    JournalError,
    pyo3::exceptions::PyException,
    "The journal cannot be read or written; `kind` is locked, damaged, version, full or other."
);

/// What changes an engine, in order: what a round of the journal holds.
#[pyclass(name = "Changes", module = "tailrace._core", frozen)]
#[derive(Default)]
pub(crate) struct PyChanges(Mutex<Changes>);

impl PyChanges {
    fn add<T>(&self, add: impl FnOnce(&mut Changes) -> T) -> PyResult<T> {
        Ok(add(&mut *lock(&self.0)?))
    }
}

#[pymethods]
impl PyChanges {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn __len__(&self) -> PyResult<usize> {
        self.add(|changes| changes.as_bytes().len())
    }

    /// Adds a delta that was not applied yet, and how long live sources had been listened to.
    #[pyo3(signature = (delta, /, listened_us=None))]
    fn delta(&self, py: Python<'_>, delta: &PyDelta, listened_us: Option<i64>) -> PyResult<()> {
        py.detach(|| delta.with(|delta| self.add(|changes| changes.delta(delta, listened_us))))
    }

    /// Adds lines that were dropped.
    #[pyo3(signature = (source, sender, now_us, count, /))]
    fn abandon(
        &self,
        source: usize,
        sender: Option<&[u8]>,
        now_us: i64,
        count: u64,
    ) -> PyResult<()> {
        self.add(|changes| changes.abandon(source, sender, now_us, count))
    }

    #[pyo3(signature = (now_us, /))]
    fn advance(&self, now_us: i64) -> PyResult<()> {
        self.add(|changes| changes.advance(now_us))
    }

    #[pyo3(signature = (before_us, /))]
    fn idle(&self, before_us: i64) -> PyResult<()> {
        self.add(|changes| changes.idle(before_us))
    }

    #[pyo3(signature = (source, /, sender=None))]
    fn end_source(&self, source: usize, sender: Option<&[u8]>) -> PyResult<()> {
        self.add(|changes| changes.end(source, sender))
    }

    /// Adds the start time of a new engine, which comes before everything else.
    #[pyo3(signature = (start_us, /))]
    fn start(&self, start_us: i64) -> PyResult<()> {
        self.add(|changes| changes.start(start_us))
    }

    fn add_source(&self) -> PyResult<()> {
        self.add(Changes::add_source)
    }

    #[pyo3(signature = (source, /))]
    fn reopen_source(&self, source: usize) -> PyResult<()> {
        self.add(|changes| changes.reopen(source))
    }

    /// Adds up to which end an engine has answered.
    #[pyo3(signature = (engine, /))]
    fn answered(&self, py: Python<'_>, engine: &PyEngine) -> PyResult<()> {
        match py.detach(|| engine.0.answered()).map_err(error)? {
            Some(answered) => self.add(|changes| changes.answered(answered)),
            None => Ok(()),
        }
    }

    #[pyo3(signature = (source, listened_us, /))]
    fn listen_to(&self, source: usize, listened_us: i64) -> PyResult<()> {
        self.add(|changes| changes.listen(source, listened_us))
    }

    /// Adds bytes for the caller, which `Journal.restore` returns.
    #[pyo3(signature = (note, /))]
    fn note(&self, note: &[u8]) -> PyResult<()> {
        self.add(|changes| changes.note(note))
    }

    /// Adds what has changed a window since the last call, or since its journal was restored.
    #[pyo3(signature = (window, /))]
    fn take(&self, py: Python<'_>, window: &PyWindow) -> PyResult<()> {
        py.detach(|| {
            let taken = window.0.take_recorded().map_err(error)?;
            self.add(|changes| changes.append(&taken))
        })
    }
}

/// What a journal is kept for.
#[derive(FromPyObject)]
pub(crate) enum Kept<'py> {
    Engine(PyRef<'py, PyEngine>),
    Window(PyRef<'py, PyWindow>),
}

impl Kept<'_> {
    fn engine(&self) -> &Engine {
        match self {
            Self::Engine(engine) => &engine.0,
            Self::Window(window) => &window.0,
        }
    }
}

/// What is to be written before the next round.
#[derive(Default)]
struct Collected {
    /// The closed panes up to this one are in the journal, or below.
    newest: Option<i64>,
    closed: BTreeMap<i64, Delta>,
    state: Option<(Vec<u8>, SavedState)>,
}

/// A journal that is written by one process.
#[pyclass(name = "Journal", module = "tailrace._core", frozen)]
pub(crate) struct PyJournal {
    /// None once it is closed.
    store: Mutex<Option<Store<Directory>>>,
    collected: Mutex<Collected>,
    /// Known without waiting for a commit.
    is_state_due: AtomicBool,
    counts: Mutex<Counts>,
}

/// The note of a state, the notes since, the newest time of the clock, and how long live sources
/// were listened to.
type Restored<'py> =
    (Option<Bound<'py, PyBytes>>, Vec<Bound<'py, PyBytes>>, Option<i64>, Option<i64>);

#[pymethods]
impl PyJournal {
    /// Opens, locks and recovers a journal, or creates one with this head.
    #[new]
    #[pyo3(signature = (path, head, /, *, random))]
    fn new(py: Python<'_>, path: PathBuf, head: &[u8], random: u64) -> PyResult<Self> {
        let opened = py.detach(|| Store::open(Directory::create(&path)?, head, random));
        let store = opened.map_err(|error| Failure::Store(error).raised(py))?;
        let collected = Collected { newest: store.newest_closed(), ..Collected::default() };
        Ok(Self {
            is_state_due: AtomicBool::new(store.is_state_due()),
            counts: Mutex::new(store.counts()),
            store: Mutex::new(Some(store)),
            collected: Mutex::new(collected),
        })
    }

    #[getter]
    fn head<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.with(py, |store| Ok(store.head().to_vec())).map(|head| PyBytes::new(py, &head))
    }

    /// Returns whether it was created now.
    #[getter]
    fn is_new(&self, py: Python<'_>) -> PyResult<bool> {
        self.with(py, |store| Ok(store.is_new()))
    }

    /// Returns what was repaired when it was opened.
    #[getter]
    fn warnings(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.with(py, |store| Ok(store.warnings().to_vec()))
    }

    #[getter]
    fn is_state_due(&self) -> bool {
        self.is_state_due.load(Ordering::Relaxed)
    }

    /// Returns how many rounds, bytes and syncs there were.
    #[getter]
    fn counts(&self) -> PyResult<BTreeMap<&'static str, u64>> {
        let Counts { rounds, bytes, syncs } = *lock(&self.counts)?;
        Ok(BTreeMap::from([("rounds", rounds), ("bytes", bytes), ("syncs", syncs)]))
    }

    /// Brings a new engine into the state that the journal holds. The changes of a window are
    /// recorded from now on.
    #[pyo3(signature = (kept, /))]
    fn restore<'py>(&self, py: Python<'py>, kept: Kept<'py>) -> PyResult<Restored<'py>> {
        let engine = kept.engine();
        let found = self.with(py, |store| restored(store, engine))?;
        if let Kept::Window(_) = kept {
            engine.record().map_err(error)?;
        }
        let bytes = |note: Vec<u8>| PyBytes::new(py, &note);
        let notes = found.notes.into_iter().map(bytes).collect();
        Ok((found.note.map(bytes), notes, found.last.now, found.last.listened))
    }

    /// Copies what is to be written before the next round: the panes that have closed, and with a
    /// note the state.
    #[pyo3(signature = (kept, /, note=None))]
    fn collect(&self, py: Python<'_>, kept: Kept<'_>, note: Option<Vec<u8>>) -> PyResult<()> {
        let engine = kept.engine();
        py.detach(|| self.collect_from(engine, note)).map_err(error)
    }

    /// Writes what was collected, and the changes as a round, with a note at its end. On an error
    /// the round is not durable.
    #[pyo3(signature = (changes, /, note=None))]
    fn commit(&self, py: Python<'_>, changes: &PyChanges, note: Option<&[u8]>) -> PyResult<()> {
        self.with(py, |store| {
            self.write(store, None)?;
            let mut round = changes.0.lock().map_err(|_| EngineError::Unusable)?.clone();
            if let Some(note) = note {
                round.note(note);
            }
            if !round.is_empty() {
                store.append(round.as_bytes())?;
            }
            Ok(())
        })
    }

    /// Writes a state, with another head from now on.
    #[pyo3(signature = (kept, head, note, /))]
    fn save(&self, py: Python<'_>, kept: Kept<'_>, head: &[u8], note: Vec<u8>) -> PyResult<()> {
        let engine = kept.engine();
        self.with(py, |store| {
            self.collect_from(engine, Some(note))?;
            self.write(store, Some(head))
        })
    }

    /// Releases the directory.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| lock(&self.store).map(|mut store| drop(store.take())))
    }
}

impl PyJournal {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        run: impl FnOnce(&mut Store<Directory>) -> Result<T, Failure> + Send,
    ) -> PyResult<T> {
        let result = py.detach(|| {
            let mut store = self.store.lock().map_err(|_| EngineError::Unusable)?;
            let store = store.as_mut().ok_or(Failure::Closed)?;
            let result = run(store);
            self.is_state_due.store(store.is_state_due(), Ordering::Relaxed);
            *self.counts.lock().map_err(|_| EngineError::Unusable)? = store.counts();
            result
        });
        result.map_err(|failure| failure.raised(py))
    }

    fn collect_from(&self, engine: &Engine, note: Option<Vec<u8>>) -> Result<(), EngineError> {
        let mut collected = self.collected.lock().map_err(|_| EngineError::Unusable)?;
        for (number, delta) in engine.closed_panes(collected.newest)? {
            collected.newest = collected.newest.max(Some(number));
            collected.closed.insert(number, delta);
        }
        if let Some(note) = note {
            collected.state = Some((note, engine.save()?));
        }
        Ok(())
    }

    /// Writes what was collected. A pane that could not be written stays; a state is collected
    /// again.
    fn write(&self, store: &mut Store<Directory>, head: Option<&[u8]>) -> Result<(), Failure> {
        let mut collected = self.collected.lock().map_err(|_| EngineError::Unusable)?;
        let mut closed = std::mem::take(&mut collected.closed);
        let state = collected.state.take();
        // Further ones can be collected while these are written.
        drop(collected);
        while let Some((&number, delta)) = closed.first_key_value() {
            if let Err(error) = store.add_closed(number, &encode_content(delta)) {
                let mut collected = self.collected.lock().map_err(|_| EngineError::Unusable)?;
                collected.closed.append(&mut closed);
                return Err(error.into());
            }
            closed.pop_first();
        }
        if let Some((note, SavedState { state, closed, open, totals })) = state {
            let known = store.head().to_vec();
            let open: Vec<_> =
                open.iter().map(|(number, delta)| (*number, encode_content(delta))).collect();
            let totals = totals.as_ref().map(encode_content);
            let state = with_note(&note, &state);
            let head = head.unwrap_or(&known);
            store.write_state(head, &state, &closed, &open, totals.as_deref())?;
        }
        Ok(())
    }
}

/// Returns a state with the note before it.
fn with_note(note: &[u8], state: &[u8]) -> Vec<u8> {
    let length = u32::try_from(note.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes(), note, state].concat()
}

fn split_note(state: &[u8]) -> Result<(&[u8], &[u8]), RecordError> {
    let split = state.split_first_chunk().and_then(|(length, rest)| {
        rest.split_at_checked(u32::from_le_bytes(*length).try_into().ok()?)
    });
    split.ok_or(RecordError::Damaged { what: "state", byte: 0 })
}

/// What was restored.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) note: Option<Vec<u8>>,
    pub(crate) notes: Vec<Vec<u8>>,
    pub(crate) last: Replayed,
}

/// Restores the state of an engine, and replays the rounds after it.
pub(crate) fn restored(
    store: &mut (impl Recovered + Send),
    engine: &Engine,
) -> Result<Found, Failure> {
    let mut found = Found::default();
    if let Some(state) = store.state() {
        let (note, state) = split_note(state)?;
        engine.restore(state)?;
        found.note = Some(note.to_vec());
        enter_contents(store, engine)?;
        engine.finish_restore()?;
    }
    store.rounds(|round| {
        let replayed = engine.replay(round, &mut |note| found.notes.push(note.to_vec()))?;
        found.last.now = found.last.now.max(replayed.now);
        found.last.listened = found.last.listened.max(replayed.listened);
        Ok::<_, Failure>(())
    })?;
    Ok(found)
}

/// Enters panes and totals; a second thread reads and decodes them meanwhile.
fn enter_contents(store: &mut (impl Recovered + Send), engine: &Engine) -> Result<(), Failure> {
    let (sender, receiver) = mpsc::sync_channel(DECODED);
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            store.content(|content, bytes| {
                let content = match content {
                    tailrace_store::Content::Closed(number) => Content::Closed(number),
                    tailrace_store::Content::Open(number) => Content::Open(number),
                    tailrace_store::Content::Totals => Content::Totals,
                };
                let delta = engine.decode_content(&bytes)?;
                // An error of the other thread ends it.
                sender.send((content, delta)).map_err(|_| Failure::Closed)
            })
        });
        let entered = receiver
            .into_iter()
            .try_for_each(|(content, delta)| engine.enter_content(content, delta));
        let read = reader.join().map_err(|_| EngineError::Unusable)?;
        entered?;
        read
    })
}

/// How many decoded panes wait to be entered.
const DECODED: usize = 4;

pub(crate) enum Failure {
    Store(StoreError),
    Record(RecordError),
    Engine(EngineError),
    Closed,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl Failure {
    pub(crate) fn raised(self, py: Python<'_>) -> PyErr {
        let (kind, message) = match self {
            Self::Engine(failure) => return error(failure),
            Self::Closed => return PyValueError::new_err("the journal is closed"),
            Self::Store(error) => (name_of(error.kind()), error.message().to_owned()),
            Self::Record(error) => {
                let kind = match error {
                    RecordError::Version(_) => "version",
                    _ => "damaged",
                };
                (kind, error.to_string())
            }
        };
        journal_error(py, kind, message)
    }
}

fn journal_error(py: Python<'_>, kind: &str, message: String) -> PyErr {
    let raised = JournalError::new_err(message);
    match raised.value(py).setattr("kind", kind) {
        Ok(()) => raised,
        Err(error) => error,
    }
}

pub(crate) fn name_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Locked => "locked",
        ErrorKind::Damaged => "damaged",
        ErrorKind::Version => "version",
        ErrorKind::Full => "full",
        ErrorKind::Other => "other",
    }
}
