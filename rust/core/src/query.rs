//! Chunks to deltas: which time, which key, which pane.

use crate::delta::{Delta, Reason};
use crate::flume::BatchError;
use crate::format::{Field, Fields, Format, Value};
use crate::keys::{KeyBytes, Seed, number};
use crate::lines::{Chunk, MAX_LINE_BYTES};

/// Which time an event has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// That at which its chunk was received; windows follow the clock.
    Arrival,
    /// That of the line itself.
    Log {
        /// How far ahead of the clock a time may be before it is rejected, where that is checked.
        max_ahead: Option<i64>,
    },
}

/// The panes that events fall into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panes {
    /// How long a pane is, in microseconds: the slide of the window.
    pub width: i64,
    /// How long a pane stays open behind the newest event.
    pub lateness: i64,
}

impl Panes {
    /// The number of the pane that a time falls into.
    pub(crate) fn number(self, time: i64) -> i64 {
        time.div_euclid(self.width)
    }

    /// Where the pane of this number ends.
    pub(crate) fn end(self, number: i64) -> i64 {
        number.saturating_add(1).saturating_mul(self.width)
    }

    /// Whether a source that has come to `newest` is past the pane of this number.
    pub(crate) fn is_late(self, number: i64, newest: Option<i64>) -> bool {
        newest.is_some_and(|newest| newest.saturating_sub(self.lateness) >= self.end(number))
    }
}

/// What is asked of every line. Absorbing changes nothing, so threads may share it.
#[derive(Clone, Debug)]
pub struct Query {
    /// What the lines look like.
    pub format: Format,
    /// The field to count by.
    pub by: Field,
    /// Which time events have.
    pub time: Time,
    /// The panes to sort events into, or nothing for one count of everything.
    pub panes: Option<Panes>,
    /// How keys are hashed.
    pub seed: Seed,
}

impl Query {
    /// Works out what a chunk of this source, received at `now`, adds.
    ///
    /// An error means that the chunk is malformed as a whole; nothing of it counts.
    pub fn absorb(&self, chunk: Chunk<'_>, source: usize, now: i64) -> Result<Delta, BatchError> {
        let mut delta = Delta::new(source);
        let mut clock = Clock::default();
        chunk.for_each(|line| {
            delta.lines.fed += 1;
            match self.event(line, now, &mut clock) {
                Ok((fields, time)) => self.count(&fields, time, &mut delta),
                Err(reason) => delta.lines.reject(reason),
            }
        })?;
        Ok(delta)
    }

    fn event<'a>(
        &self,
        line: &'a [u8],
        now: i64,
        clock: &mut Clock<'a>,
    ) -> Result<(Fields<'a>, Option<i64>), Reason> {
        if line.len() > MAX_LINE_BYTES {
            return Err(Reason::TooLong);
        }
        let fields = self.format.split(line).map_err(|_| Reason::NoMatch)?;
        let time = match self.time {
            Time::Arrival => Some(now),
            Time::Log { max_ahead } => {
                let time = clock.read(&fields);
                // Without a window the time places nothing, so a line may go without.
                if time.is_none() && self.panes.is_some() {
                    return Err(Reason::NoTime);
                }
                if let (Some(time), Some(max_ahead)) = (time, max_ahead)
                    && time > now.saturating_add(max_ahead)
                {
                    return Err(Reason::Future);
                }
                time
            }
        };
        Ok((fields, time))
    }

    fn count(&self, fields: &Fields<'_>, time: Option<i64>, delta: &mut Delta) {
        let mut pane = 0;
        if let (Some(panes), Some(time)) = (self.panes, time) {
            pane = panes.number(time);
            // Against what the chunk itself has shown so far. What came before the chunk is
            // looked at by `apply`, for whole panes; so the borders of chunks make no odds.
            if panes.is_late(pane, delta.newest) {
                delta.lines.late += 1;
                return;
            }
        }
        if let Some(time) = time {
            delta.note_time(time);
        }
        match self.format.value(fields, self.by) {
            Value::Null => delta.count(pane, None, &self.seed),
            Value::Text(text) => delta.count(pane, Some(text), &self.seed),
            Value::Int(value) | Value::Time(value) => {
                delta.count(pane, Some(&number(value)), &self.seed);
            }
        }
    }
}

/// Makes a delta of events that are no lines: a key and a time each.
#[derive(Debug)]
pub struct Events {
    delta: Delta,
    panes: Panes,
    seed: Seed,
}

impl Events {
    /// Starts without an event.
    pub fn new(panes: Panes, seed: Seed) -> Self {
        Self { delta: Delta::new(0), panes, seed }
    }

    /// Counts an event.
    pub fn push(&mut self, key: KeyBytes<'_>, time: i64) {
        self.delta.lines.fed += 1;
        self.delta.note_time(time);
        self.delta.count(self.panes.number(time), key, &self.seed);
    }

    /// The delta of all of them.
    pub fn finish(self) -> Delta {
        self.delta
    }
}

/// Neighbours in a log mostly have the same second, which need not be read twice.
#[derive(Default)]
struct Clock<'a> {
    text: &'a [u8],
    time: Option<i64>,
}

impl<'a> Clock<'a> {
    fn read(&mut self, fields: &Fields<'a>) -> Option<i64> {
        let text = fields.raw_time();
        if text != self.text {
            self.time = fields.log_time();
            self.text = text;
        }
        self.time
    }
}
