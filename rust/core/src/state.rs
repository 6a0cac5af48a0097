//! Deltas to snapshots: the open panes, the window, the watermark.
//!
//! `apply` adds a delta. `next_snapshot` closes panes up to the watermark, one slide a call, and
//! answers; a caller that does not ask pays nothing until it asks again. The watermark is the
//! clock (by arrival), or the oldest of the sources' newest event times minus lateness (by event
//! time), or what the caller says (`Clock::Manual`). It never goes back.
//!
//! Every line has a pane, also one that is counted in none: that to which its source had come.
//! The counters of a snapshot are those of the panes up to the end of its window, so they tell no
//! more than its rows do of how far the input happened to be read.

use std::collections::BTreeMap;

use crate::delta::{Counters, Delta};
use crate::format::Kind;
use crate::keys::{KeyTable, to_float, to_number};
use crate::pane::Pane;
use crate::query::Panes;
use crate::rank::{self, Ranked};
use crate::window::{Totals, Window};

/// What moves the watermark, and with it which ends are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// `advance`, the clock of the machine: every end is answered.
    Arrival,
    /// The events of the sources: empty windows are answered once, then jumped.
    Events,
    /// `advance`, minus lateness: as by event time.
    Manual,
}

/// What is kept of the past, and how it is answered.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The panes, or nothing for one count of everything.
    pub panes: Option<Panes>,
    /// How many panes a window has.
    pub length: i64,
    /// What moves the watermark.
    pub clock: Clock,
    /// How many sources there are.
    pub sources: usize,
    /// How many rows a snapshot has at most.
    pub limit: Option<usize>,
    /// What keys are.
    pub kind: Kind,
}

/// A key of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    /// The line has none.
    Null,
    /// Text as it stood in the line; not always UTF-8.
    Text(Vec<u8>),
    /// A whole number.
    Number(i64),
    /// A number.
    Float(f64),
    /// Microseconds since the epoch.
    Time(i64),
}

/// A ranked answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Where the window begins, in microseconds since the epoch; the oldest time without one.
    pub start: Option<i64>,
    /// Where it ends; the newest time without a window.
    pub end: Option<i64>,
    /// How many keys it holds.
    pub keys: usize,
    /// How many events it holds.
    pub total: u64,
    /// The first keys in order with their counts.
    pub rows: Vec<(Key, u64)>,
    /// Where all lines up to the end of the window went.
    pub lines: Counters,
}

/// Everything that is remembered between chunks.
#[derive(Debug)]
pub struct State {
    settings: Settings,
    keys: KeyTable,
    window: Window,
    /// Panes that are not in the window yet, by number.
    open: BTreeMap<i64, Pane>,
    sources: Vec<Source>,
    watermark: Option<i64>,
    /// The last pane that was answered, or by arrival the one before the first.
    answered: Option<i64>,
    /// An empty window was answered, so ends are jumped until there is an event.
    idle: bool,
    /// At the end of the input, the pane of its newest line where that is no event.
    end: Option<i64>,
    /// Where all lines went.
    lines: Counters,
    /// The part of them up to the last pane that was answered.
    settled: Counters,
    /// The rest, by pane.
    unsettled: BTreeMap<i64, Counters>,
    oldest: Option<i64>,
    newest: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    newest: Option<i64>,
    /// Whether the watermark does without it until it tells a time again.
    idle: bool,
    ended: bool,
}

impl State {
    /// Starts empty. By arrival, `start` is the clock: the first end after it is the first answer.
    pub fn new(settings: Settings, start: i64) -> Self {
        let answered = match settings {
            Settings { panes: Some(panes), clock: Clock::Arrival, .. } => {
                Some(panes.number(start) - 1)
            }
            _ => None,
        };
        Self {
            settings,
            keys: KeyTable::default(),
            window: Window::default(),
            open: BTreeMap::new(),
            sources: vec![Source { newest: None, idle: false, ended: false }; settings.sources],
            watermark: None,
            answered,
            idle: false,
            end: None,
            lines: Counters::default(),
            settled: Counters::default(),
            unsettled: BTreeMap::new(),
            oldest: None,
            newest: None,
        }
    }

    /// Says what keys are, where that shows only with the first of them.
    pub fn set_kind(&mut self, kind: Kind) {
        self.settings.kind = kind;
    }

    /// Adds what a chunk holds. Chunks of one source come in the order of their bytes.
    pub fn apply(&mut self, delta: &Delta) {
        self.lines.add(&delta.lines);
        self.oldest = [self.oldest, delta.oldest].into_iter().flatten().min();
        self.newest = self.newest.max(delta.newest);
        let mut numbers = vec![None; delta.keys.len()];
        let Self { keys, window, open, .. } = self;
        let mut number_of =
            |key: u32| *numbers[key as usize].get_or_insert_with(|| keys.number(&delta.keys, key));
        let Some(panes) = self.settings.panes else {
            for entry in &delta.entries {
                window.totals_mut().add(number_of(entry.key), entry.count.into());
            }
            return;
        };
        let source = self.sources.get(delta.source).and_then(|source| source.newest);
        // `is_late` takes the lateness off; the watermark has it off already. It is ahead of a
        // source that was idle.
        let passed = self.watermark.map(|watermark| watermark.saturating_add(panes.lateness));
        let seen = match self.settings.clock {
            Clock::Events => source.max(passed),
            Clock::Arrival | Clock::Manual => passed,
        };
        let reached = seen.map(|time| panes.number(time));
        let late: Vec<bool> = delta.panes.iter().map(|&pane| panes.is_late(pane, seen)).collect();
        let unsettled = &mut self.unsettled;
        let mut note = |pane: Option<i64>, lines: &Counters| {
            unsettled.entry(pane.unwrap_or(i64::MIN)).or_default().add(lines);
        };
        let mut entries = &delta.entries[..];
        while let Some(first) = entries.first() {
            let run = entries.iter().take_while(|entry| entry.pane == first.pane).count();
            let count: u64 = entries[..run].iter().map(|entry| u64::from(entry.count)).sum();
            if late[first.pane] {
                self.lines.counted -= count;
                self.lines.late += count;
                // Late for this chunk alone, it would have been lost by it.
                note(reached, &Counters::of_late(count));
            } else {
                let number = delta.panes[first.pane];
                note(Some(number), &Counters::of_counted(count));
                let pane = open.entry(number).or_default();
                for entry in &entries[..run] {
                    let key = *numbers[entry.key as usize]
                        .get_or_insert_with(|| keys.number(&delta.keys, entry.key));
                    pane.add(key, entry.count, keys);
                }
            }
            entries = &entries[run..];
        }
        for (pane, lines) in &delta.lost {
            note(reached.max(*pane), lines);
        }
        if let Some(source) = self.sources.get_mut(delta.source) {
            source.newest = source.newest.max(delta.newest);
            source.idle &= !delta.has_time();
        }
        self.follow_sources();
    }

    /// Leaves a source that has ended out of the watermark.
    pub fn end_source(&mut self, source: usize) {
        if let Some(source) = self.sources.get_mut(source) {
            source.ended = true;
        }
        self.follow_sources();
    }

    /// Leaves a source that was silent for too long out of the watermark, until it tells a time.
    pub fn leave_out(&mut self, source: usize) {
        if let Some(source) = self.sources.get_mut(source) {
            source.idle = true;
        }
        self.follow_sources();
    }

    fn follow_sources(&mut self) {
        let Settings { clock: Clock::Events, panes: Some(panes), .. } = self.settings else {
            return;
        };
        let (idle, running): (Vec<&Source>, Vec<&Source>) =
            self.sources.iter().filter(|source| !source.ended).partition(|source| source.idle);
        // A source that has shown nothing yet holds all back. With all of them idle it is no
        // matter which was last, and those that have ended count too; with none left `finish` is
        // due.
        let oldest = if running.is_empty() && !idle.is_empty() {
            self.sources.iter().filter_map(|source| source.newest).max()
        } else {
            running.iter().map(|source| source.newest).min().flatten()
        };
        self.raise(oldest.map(|time| time.saturating_sub(panes.lateness)));
    }

    /// The source that holds the watermark back; to read it first keeps the fewest panes open.
    pub fn behind(&self) -> Option<usize> {
        let running = self.sources.iter().enumerate().filter(|(_, source)| !source.ended);
        running.min_by_key(|(_, source)| source.newest).map(|(number, _)| number)
    }

    /// Moves the clock: the watermark is there at once.
    pub fn advance(&mut self, now: i64) {
        if let (Some(panes), Clock::Arrival | Clock::Manual) =
            (self.settings.panes, self.settings.clock)
        {
            self.raise(Some(now.saturating_sub(panes.lateness)));
        }
    }

    fn raise(&mut self, watermark: Option<i64>) {
        self.watermark = self.watermark.max(watermark);
    }

    /// Ends the input: closes the open panes, up to the window that ends behind the newest
    /// event, or with `drain` up to the last window that still holds it.
    pub fn finish(&mut self, drain: bool) {
        let Some(panes) = self.settings.panes else { return };
        let newest = self.open.last_key_value().map(|(&number, _)| number);
        let mut newest = newest.max(self.window.newest());
        if self.settings.clock == Clock::Events {
            // Of lines that a filter left out the log may go on beyond the newest event. The last
            // answer is that at its end, so that it has the counters of all of them.
            let reached = self.unsettled.last_key_value().map(|(&number, _)| number);
            self.end = reached.filter(|&number| number > i64::MIN).filter(|_| reached > newest);
            newest = newest.max(self.end);
        }
        // Lines that came after the newest event belong to the last answer.
        if let Some(number) = newest {
            let mut lines = Counters::default();
            for (_, after) in self.unsettled.split_off(&number.saturating_add(1)) {
                lines.add(&after);
            }
            self.unsettled.entry(number).or_default().add(&lines);
        }
        let further = if drain { self.settings.length - 1 } else { 0 };
        self.raise(newest.map(|number| panes.end(number.saturating_add(further))));
    }

    /// Answers the next end that the watermark has reached, if there is one.
    pub fn next_snapshot(&mut self) -> Option<Snapshot> {
        let panes = self.settings.panes?;
        let number = self.next_end(panes)?;
        self.slide_to(number);
        Some(self.snapshot_of(panes, number))
    }

    /// Closes what the watermark has passed and answers only the last end of it.
    pub fn last_snapshot(&mut self) -> Option<Snapshot> {
        let panes = self.settings.panes?;
        self.skip().map(|number| self.snapshot_of(panes, number))
    }

    /// Closes what the watermark has passed without an answer, and returns the last pane of it.
    pub fn skip(&mut self) -> Option<i64> {
        let panes = self.settings.panes?;
        self.next_end(panes)?;
        // In one step: to walk would cost every slide of a window that nobody looked at.
        let mut last = panes.number(self.watermark?) - 1;
        if self.settings.clock != Clock::Arrival {
            // An empty window is answered once, so the end after the last event is the last.
            let newest = self.open.range(..=last).next_back().map(|(&number, _)| number);
            let newest = newest.max(self.window.newest());
            let emptied = newest.map(|number| number.saturating_add(self.settings.length));
            last =
                emptied.map_or(last, |emptied| emptied.min(last)).max(self.end.unwrap_or(i64::MIN));
        }
        self.slide_to(last);
        Some(last)
    }

    /// The number of the pane whose end is to be answered next.
    fn next_end(&mut self, panes: Panes) -> Option<i64> {
        let watermark = self.watermark?;
        let last = panes.number(watermark) - 1;
        let next = match self.settings.clock {
            // Of ends that passed while nobody looked, one window's worth is answered.
            Clock::Arrival => self.answered?.max(last - self.settings.length) + 1,
            Clock::Events | Clock::Manual => match self.answered {
                Some(answered) if !self.idle => answered + 1,
                answered => match self.open.first_key_value() {
                    Some((&number, _)) => number,
                    None => self.end.filter(|&end| Some(end) > answered)?,
                },
            },
        };
        (next <= last).then_some(next)
    }

    /// Moves the window so that it ends with this pane.
    fn slide_to(&mut self, number: i64) {
        while let Some(entry) = self.open.first_entry().filter(|entry| *entry.key() <= number) {
            let (closed, mut pane) = entry.remove_entry();
            pane.close();
            self.window.enter(closed, pane);
        }
        let first = number.saturating_sub(self.settings.length - 1);
        self.window.leave_below(first, &mut self.keys);
        while let Some(entry) = self.unsettled.first_entry().filter(|entry| *entry.key() <= number)
        {
            self.settled.add(&entry.remove());
        }
        self.answered = Some(number);
        self.idle = self.window.totals().keys() == 0;
    }

    fn snapshot_of(&self, panes: Panes, number: i64) -> Snapshot {
        let end = panes.end(number);
        let start = end.saturating_sub(self.settings.length.saturating_mul(panes.width));
        // Who moves the clock by hand is told of all that there was.
        let manual = self.settings.clock == Clock::Manual;
        let lines = if manual { self.lines } else { self.settled };
        self.answer(Some(start), Some(end), self.window.totals(), lines)
    }

    /// The window that ends with the newest open pane, or everything, as it stands.
    ///
    /// Nothing closes: what is open is counted for this answer alone.
    pub fn snapshot(&self) -> Snapshot {
        let Some(panes) = self.settings.panes else {
            return self.answer(self.oldest, self.newest, self.window.totals(), self.lines);
        };
        let newest = self.open.last_key_value().map(|(&number, _)| number);
        let Some(number) = newest.max(self.window.newest()).max(self.answered) else {
            return self.answer(None, None, &Totals::default(), self.lines);
        };
        let first = number.saturating_sub(self.settings.length - 1);
        let mut totals = Totals::default();
        for (_, pane) in self.window.panes_from(first).chain(self.open.range(first..)) {
            for &(key, count) in pane.entries() {
                totals.add(key, count.into());
            }
        }
        let end = panes.end(number);
        let start = end.saturating_sub(self.settings.length.saturating_mul(panes.width));
        self.answer(Some(start), Some(end), &totals, self.lines)
    }

    fn answer(
        &self,
        start: Option<i64>,
        end: Option<i64>,
        totals: &Totals,
        lines: Counters,
    ) -> Snapshot {
        let rows = rank::top(totals, &self.keys, self.settings.limit);
        Snapshot {
            start,
            end,
            keys: totals.keys(),
            total: totals.total(),
            rows: rows.into_iter().map(|row| self.row(row)).collect(),
            lines,
        }
    }

    fn row(&self, row: Ranked<'_>) -> (Key, u64) {
        let number = |key: fn(i64) -> Key| row.key.and_then(to_number).map_or(Key::Null, key);
        let key = match (row.key, self.settings.kind) {
            (None, _) => Key::Null,
            (Some(bytes), Kind::Text) => Key::Text(bytes.to_vec()),
            (_, Kind::Int) => number(Key::Number),
            (Some(bytes), Kind::Float) => to_float(bytes).map_or(Key::Null, Key::Float),
            (_, Kind::Time) => number(Key::Time),
        };
        (key, row.count)
    }

    /// Where all lines so far went.
    pub fn lines(&self) -> &Counters {
        &self.lines
    }

    /// How many keys are or were in memory at once: numbers are used again, so this is flat
    /// when keys come and go.
    pub fn key_capacity(&self) -> usize {
        self.keys.capacity()
    }
}
