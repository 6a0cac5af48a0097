//! A window without a log and a clock.

use std::sync::Mutex;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyList, PyString};
use tailrace_core::{Clock, Events, Panes, SECOND, Seed, Settings, State, number};

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
        let settings = Settings { panes, length, clock, sources: 0, limit, numbers: false };
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
            let time = if micros { time.extract()? } else { time_of(&time, index)? };
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
                events.push(Some(&number(key.extract()?)), time);
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
            inner.0.set_numbers(kind == Some(Keys::Numbers));
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

/// Microseconds since the epoch of an aware datetime or of seconds.
fn time_of(time: &Bound<'_, PyAny>, index: usize) -> PyResult<i64> {
    if let Ok(seconds) = time.extract::<i64>() {
        return seconds.checked_mul(SECOND).ok_or_else(|| out_of_range(index));
    }
    let seconds = if time.hasattr("tzinfo")? {
        if time.getattr("tzinfo")?.is_none() {
            return Err(PyValueError::new_err(format!(
                "time {index} is a datetime without a zone; make it aware, for instance with \
                 tzinfo=timezone.utc"
            )));
        }
        time.call_method0("timestamp")?.extract::<f64>()?
    } else {
        time.extract::<f64>().map_err(|_| {
            PyTypeError::new_err(format!(
                "time {index} is no aware datetime and no number of seconds since the epoch"
            ))
        })?
    };
    let micros = (seconds * 1e6).round();
    // Beyond this a float has no whole microseconds.
    if micros.is_nan() || micros.abs() > 9e15 {
        return Err(out_of_range(index));
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked above")]
    Ok(micros as i64)
}

fn out_of_range(index: usize) -> PyErr {
    PyValueError::new_err(format!("time {index} is out of range (years 1684 to 2255)"))
}
