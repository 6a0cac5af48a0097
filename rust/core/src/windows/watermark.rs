//! How far time has come.
//!
//! The watermark is the clock (by arrival), or the oldest of the sources' newest event times minus
//! lateness (by event time), or what the caller says (`Clock::Manual`). It never goes back.

use super::settings::Clock;

/// The watermark, and the sources that move it.
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
    /// Whether the watermark does without it until it tells a time again.
    idle: bool,
    ended: bool,
}

impl Watermark {
    /// Starts before any time.
    pub(super) fn new(clock: Clock, lateness: i64, sources: usize) -> Self {
        Self { clock, lateness, sources: vec![Source::default(); sources], time: None }
    }

    /// Adds a source that has shown nothing yet, and returns its number.
    pub(super) fn add_source(&mut self) -> usize {
        self.sources.push(Source::default());
        self.sources.len() - 1
    }

    /// Where it stands.
    pub(super) fn time(&self) -> Option<i64> {
        self.time
    }

    /// The time by which events of a source are late, before lateness is taken off.
    pub(super) fn seen(&self, source: usize) -> Option<i64> {
        let newest = self.sources.get(source).and_then(|source| source.newest);
        // `is_late` takes the lateness off; the watermark has it off already. It is ahead of a
        // source that was idle.
        let passed = self.time.map(|time| time.saturating_add(self.lateness));
        match self.clock {
            Clock::Events => newest.max(passed),
            Clock::Arrival | Clock::Manual => passed,
        }
    }

    /// Notes the newest time of a part of a source, if it tells one.
    pub(super) fn note(&mut self, source: usize, newest: Option<i64>) {
        if let Some(source) = self.sources.get_mut(source) {
            source.newest = source.newest.max(newest);
            source.idle &= newest.is_none();
        }
        self.follow_sources();
    }

    /// Leaves a source that has ended out.
    pub(super) fn end_source(&mut self, source: usize) {
        if let Some(source) = self.sources.get_mut(source) {
            source.ended = true;
        }
        self.follow_sources();
    }

    /// Leaves a source that was silent for too long out, until it tells a time.
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
        // A source that has shown nothing yet holds all back. With all of them idle it is no
        // matter which was last, and those that have ended count too; with none left `finish` is
        // due.
        let oldest = if remaining().next().is_some() && remaining().all(|source| source.idle) {
            self.sources.iter().filter_map(|source| source.newest).max()
        } else {
            remaining().filter(|source| !source.idle).map(|source| source.newest).min().flatten()
        };
        self.raise(oldest.map(|time| time.saturating_sub(self.lateness)));
    }

    /// The source that holds it back.
    pub(super) fn slowest_source(&self) -> Option<usize> {
        let running = self.sources.iter().enumerate().filter(|(_, source)| !source.ended);
        running.min_by_key(|(_, source)| source.newest).map(|(number, _)| number)
    }

    /// Moves the clock, unless sources do.
    pub(super) fn advance(&mut self, now: i64) {
        if self.clock != Clock::Events {
            self.raise(Some(now.saturating_sub(self.lateness)));
        }
    }

    /// Moves it to a time, if that is ahead.
    pub(super) fn raise(&mut self, time: Option<i64>) {
        self.time = self.time.max(time);
    }
}
