//! A window without a log and a clock.

use std::sync::Mutex;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyList, PyString};
use tailrace_core::{Clock, Events, Kind, MAX_TIME, Panes, SECOND, Seed, Settings, State, number};

use crate::convert::{Answer, answer, lock};
use crate::engine::panes;

/// What the keys of a window are; all of one window are of one kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    Text,
    Bytes,
    Numbers,
}

/// Counts keys in panes of their time.
#[pyclass(name = "Window", module = "tailrace._core", frozen)]
pub(crate) struct PyWindow {
    panes: Panes,
    seed: Seed,
    inner: Mutex<(State, Option<Keys>)>,
}

#[pymethods]
impl PyWindow {
    #[new]
    #[pyo3(signature = (*, window_us, lateness_us, limit, hash_seed))]
    fn new(
        window_us: (i64, i64),
        lateness_us: i64,
        limit: Option<usize>,
        hash_seed: u64,
    ) -> PyResult<Self> {
        let (panes, length) = panes(Some(window_us), lateness_us)?;
        let clock = Clock::Manual;
        let settings = Settings { panes, length, clock, sources: 0, limit, kind: Kind::Text };
        Ok(Self {
            panes: panes.unwrap_or(Panes { width: window_us.1, lateness: lateness_us }),
            seed: Seed::new(hash_seed),
            inner: Mutex::new((State::new(settings, 0), None)),
        })
    }

    /// Counts every key at its time: seconds, datetimes, or with `micros` whole microseconds.
    #[pyo3(signature = (keys, times, /, *, micros))]
    fn add(
        &self,
        py: Python<'_>,
        keys: &Bound<'_, PyList>,
        times: &Bound<'_, PyList>,
        micros: bool,
    ) -> PyResult<()> {
        if keys.len() != times.len() {
            return Err(PyValueError::new_err(format!(
                "{} keys but {} times; each key has its time",
                keys.len(),
                times.len()
            )));
        }
        let mut kind = py.detach(|| lock(&self.inner).map(|inner| inner.1))?;
        let mut events = Events::new(self.panes, self.seed.clone());
        for (index, (key, time)) in keys.iter().zip(times.iter()).enumerate() {
            let time = if micros { time.extract().ok() } else { micros_of(&time, index)? };
            let time = time
                .filter(|time: &i64| time.unsigned_abs() <= MAX_TIME.unsigned_abs())
                .ok_or_else(|| out_of_range("time", index, "years 1684 to 2255"))?;
            if key.is_none() {
                events.push(None, time);
            } else if let Ok(text) = key.cast::<PyString>() {
                agree(&mut kind, Keys::Text, index)?;
                events.push(Some(text.to_str()?.as_bytes()), time);
            } else if let Ok(bytes) = key.cast::<PyBytes>() {
                agree(&mut kind, Keys::Bytes, index)?;
                events.push(Some(bytes.as_bytes()), time);
            } else if key.is_instance_of::<PyInt>() {
                agree(&mut kind, Keys::Numbers, index)?;
                let value = key.extract();
                let value = value.map_err(|_| out_of_range("key", index, "64 bits"))?;
                events.push(Some(&number(value)), time);
            } else {
                return Err(PyTypeError::new_err(format!(
                    "key {index} is of type {}; keys are text, bytes, integers or None",
                    key.get_type().name()?
                )));
            }
        }
        let delta = events.finish();
        py.detach(|| {
            let mut inner = lock(&self.inner)?;
            if inner.1.is_some() && inner.1 != kind {
                return Err(PyTypeError::new_err("another thread added keys of another type"));
            }
            inner.1 = kind;
            let numbers = kind == Some(Keys::Numbers);
            inner.0.set_kind(if numbers { Kind::Int } else { Kind::Text });
            inner.0.skip();
            inner.0.apply(&delta);
            Ok(())
        })
    }

    #[pyo3(signature = (now_us, /))]
    fn advance(&self, py: Python<'_>, now_us: i64) -> PyResult<()> {
        py.detach(|| {
            let mut inner = lock(&self.inner)?;
            inner.0.skip();
            inner.0.advance(now_us);
            Ok(())
        })
    }

    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| {
            let mut inner = lock(&self.inner)?;
            inner.0.skip();
            inner.0.finish(true);
            Ok(())
        })
    }

    fn next_snapshot<'py>(&self, py: Python<'py>) -> PyResult<Option<Answer<'py>>> {
        let (next, kind) =
            py.detach(|| lock(&self.inner).map(|mut inner| (inner.0.next_snapshot(), inner.1)))?;
        next.map(|snapshot| answer(py, snapshot, kind == Some(Keys::Bytes))).transpose()
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Answer<'py>> {
        let (snapshot, kind) = py.detach(|| {
            lock(&self.inner).map(|mut inner| {
                inner.0.skip();
                (inner.0.snapshot(), inner.1)
            })
        })?;
        answer(py, snapshot, kind == Some(Keys::Bytes))
    }
}

fn agree(kind: &mut Option<Keys>, found: Keys, index: usize) -> PyResult<()> {
    if *kind.get_or_insert(found) == found {
        return Ok(());
    }
    Err(PyTypeError::new_err(format!(
        "key {index} is of another type than the keys before; a window has text, bytes or integers"
    )))
}

/// Microseconds since the epoch of an aware datetime or of seconds, if 64 bits can hold them.
fn micros_of(time: &Bound<'_, PyAny>, index: usize) -> PyResult<Option<i64>> {
    if time.is_instance_of::<PyInt>() {
        return Ok(time.extract().ok().and_then(|seconds: i64| seconds.checked_mul(SECOND)));
    }
    if time.hasattr("tzinfo")? && time.hasattr("timestamp")? {
        if time.getattr("tzinfo")?.is_none() {
            return Err(PyValueError::new_err(format!(
                "time {index} is a datetime without a zone; make it aware, for instance with \
                 tzinfo=timezone.utc"
            )));
        }
        // A float has whole seconds of any datetime, and the rest is apart.
        let seconds: f64 = time.call_method0("timestamp")?.extract()?;
        let micros: i32 = time.getattr("microsecond")?.extract()?;
        #[expect(clippy::cast_possible_truncation, reason = "years 1 to 9999")]
        let whole = (seconds - f64::from(micros) / 1e6).round() as i64;
        return Ok(Some(whole * SECOND + i64::from(micros)));
    }
    let seconds: f64 = time.extract().map_err(|_| {
        PyTypeError::new_err(format!(
            "time {index} is no aware datetime and no number of seconds since the epoch"
        ))
    })?;
    #[expect(clippy::cast_possible_truncation, reason = "what is too large is out of range")]
    Ok((!seconds.is_nan()).then_some((seconds * 1e6).round() as i64))
}

fn out_of_range(what: &str, index: usize, range: &str) -> PyErr {
    PyValueError::new_err(format!("{what} {index} is out of range ({range})"))
}
