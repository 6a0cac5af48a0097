//! The watermark: how far time has advanced.
//!
//! It is the clock (by arrival), the oldest of the sources' newest event times minus the lateness
//! (by event time), or set by the caller (`Clock::Manual`). It never goes back.

use super::settings::Clock;

/// The watermark and the sources that move it.
#[derive(Debug)]
pub(super) struct Watermark {
    clock: Clock,
    lateness: i64,
    sources: Vec<Source>,
    time: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Source {
    newest: Option<i64>,
    /// Whether the watermark ignores it until it has a new event time.
    idle: bool,
    ended: bool,
}

impl Watermark {
    /// Creates a watermark before any time.
    pub(super) fn new(clock: Clock, lateness: i64, sources: usize) -> Self {
        Self { clock, lateness, sources: vec![Source::default(); sources], time: None }
    }

    /// Adds a source without an event time and returns its number.
    pub(super) fn add_source(&mut self) -> usize {
        self.sources.push(Source::default());
        self.sources.len() - 1
    }

    /// Returns the watermark, once there is one.
    pub(super) fn time(&self) -> Option<i64> {
        self.time
    }

    /// Returns the time that decides which events of a source are late, before the lateness is
    /// subtracted.
    pub(super) fn seen(&self, source: usize) -> Option<i64> {
        let newest = self.sources.get(source).and_then(|source| source.newest);
        // `is_late` subtracts the lateness, which the watermark already contains. The watermark can
        // be ahead of a source that was idle.
        let passed = self.time.map(|time| time.saturating_add(self.lateness));
        match self.clock {
            Clock::Events => newest.max(passed),
            Clock::Arrival | Clock::Manual => passed,
        }
    }

    /// Records the newest event time of a part of a source, if it has one.
    pub(super) fn note(&mut self, source: usize, newest: Option<i64>) {
        if let Some(source) = self.sources.get_mut(source) {
            source.newest = source.newest.max(newest);
            source.idle &= newest.is_none();
        }
        self.follow_sources();
    }

    /// Removes a source that has ended.
    pub(super) fn end_source(&mut self, source: usize) {
        if let Some(source) = self.sources.get_mut(source) {
            source.ended = true;
        }
        self.follow_sources();
    }

    /// Excludes an idle source until it has a new event time.
    pub(super) fn mark_idle(&mut self, source: usize) {
        if let Some(source) = self.sources.get_mut(source) {
            source.idle = true;
        }
        self.follow_sources();
    }

    fn follow_sources(&mut self) {
        if self.clock != Clock::Events {
            return;
        }
        let remaining = || self.sources.iter().filter(|source| !source.ended);
        // A source without an event time holds the watermark back. If all remaining sources are
        // idle, the newest time of any source counts, even of one that has ended. If no source
        // remains, `finish` follows.
        let oldest = if remaining().next().is_some() && remaining().all(|source| source.idle) {
            self.sources.iter().filter_map(|source| source.newest).max()
        } else {
            remaining().filter(|source| !source.idle).map(|source| source.newest).min().flatten()
        };
        self.raise(oldest.map(|time| time.saturating_sub(self.lateness)));
    }

    /// Returns the source that holds the watermark back.
    pub(super) fn slowest_source(&self) -> Option<usize> {
        let running = self.sources.iter().enumerate().filter(|(_, source)| !source.ended);
        running.min_by_key(|(_, source)| source.newest).map(|(number, _)| number)
    }

    /// Moves the clock, unless the sources do.
    pub(super) fn advance(&mut self, now: i64) {
        if self.clock != Clock::Events {
            self.raise(Some(now.saturating_sub(self.lateness)));
        }
    }

    /// Raises the watermark to a time, if that is later.
    pub(super) fn raise(&mut self, time: Option<i64>) {
        self.time = self.time.max(time);
    }
}
