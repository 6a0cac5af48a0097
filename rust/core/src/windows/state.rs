//! Turns deltas into snapshots: keeps the open panes, the window and the line counters.
//!
//! `apply` adds a delta. `next_snapshot` closes panes up to the watermark, one slide per call, and
//! returns a snapshot. Without calls, nothing is computed.
//!
//! Every line belongs to a pane, even if it is counted in none: the pane that its source had
//! reached. The counters of a snapshot cover the panes up to the end of its window. So, like its
//! rows, they do not depend on how far the input happens to have been read.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;

use super::delta::{Delta, Entry, Evicted};
use super::delta_builder::DeltaBuilder;
use super::keys::KeyTable;
use super::pane::Pane;
use super::parts::{PartView, TimeBounds};
use super::schedule::Schedule;
use super::settings::{Clock, Settings};
use super::snapshot::{ClosedPane, Snapshot, SnapshotBuilder};
use super::totals::Totals;
use super::watermark::{Shown, Watermark};
use super::window::Window;
use crate::ground::{Counters, Kind, Panes, Rows};

/// Everything that is kept between chunks.
#[derive(Debug)]
pub struct State {
    pub(super) settings: Settings,
    pub(super) keys: KeyTable,
    pub(super) window: Window,
    /// The number of lookbacks of the newest end that were answered.
    pub(super) lengths_answered: usize,
    /// The first pane that was ever in a window.
    pub(super) first: Option<i64>,
    /// The panes that are not in the window yet, by number.
    pub(super) open: BTreeMap<i64, Pane>,
    pub(super) watermark: Watermark,
    pub(super) schedule: Schedule,
    /// The counters of all lines.
    pub(super) lines: Counters,
    /// Those of the lines up to the last answered pane.
    pub(super) reported: Counters,
    /// Those of all other lines, by pane.
    pub(super) unreported: BTreeMap<i64, Counters>,
    pub(super) oldest: Option<i64>,
    pub(super) newest: Option<i64>,
    /// What imported states had evicted, and the panes that were handed out.
    pub(super) evicted: Option<Evicted>,
    /// Whether panes are handed out.
    pub(super) is_handing_out: bool,
    /// At the end of the input, the end whose snapshot reports all remaining lines.
    pub(super) ended: Option<i64>,
}

impl State {
    /// Creates an empty state. By arrival, `start` is the current time: the first end after it is
    /// the first to be answered.
    pub fn new(settings: Settings, start: i64) -> Self {
        let panes = settings.panes;
        let lateness = panes.map_or(0, |panes| panes.lateness);
        // Without panes, the only lookback is unlimited.
        let since_start = [None];
        let (oldest, newest) = settings.bounds.unzip();
        let lengths = if panes.is_some() { &settings.lengths } else { &since_start[..] };
        Self {
            keys: KeyTable::new(settings.max_key_bytes),
            window: Window::new(
                &settings.plan,
                lengths,
                settings.max_keys,
                panes.is_some() && (settings.limit.is_none() || settings.track_ranks),
            ),
            lengths_answered: usize::MAX,
            first: None,
            open: BTreeMap::new(),
            watermark: Watermark::new(settings.clock, lateness, settings.sources),
            schedule: Schedule::new(&settings, panes.map(|panes| panes.number(start))),
            settings,
            lines: Counters::default(),
            reported: Counters::default(),
            unreported: BTreeMap::new(),
            oldest,
            newest,
            evicted: None,
            is_handing_out: false,
            ended: None,
        }
    }

    /// Sets the kinds of keys and values, for input that reveals them only with its first values.
    pub fn set_kinds(&mut self, keys: Vec<Kind>, values: Vec<Kind>, raw: [Vec<bool>; 2]) {
        self.settings.keys = keys;
        self.settings.values = values;
        self.settings.raw = raw;
    }

    /// Adds a delta. The deltas of a source have to come in the order of its bytes.
    pub fn apply(&mut self, delta: &Delta) {
        self.apply_heard(delta, None);
    }

    /// Adds a delta that was received after this much listening to live sources.
    pub fn apply_heard(&mut self, delta: &Delta, listened: Option<i64>) {
        self.lines.add(&delta.lines);
        self.oldest = [self.oldest, delta.time_bounds.oldest()].into_iter().flatten().min();
        self.newest = self.newest.max(delta.time_bounds.newest());
        let Some(panes) = self.settings.panes else {
            self.window.enter_all(delta, &mut self.keys);
            return;
        };
        let mut numbers = self.keys.numbers(&delta.keys);
        if let Some(other) = delta.other {
            numbers[other as usize] = u32::MAX;
        }
        let by_pane = delta.by_pane();
        for part in delta.parts() {
            self.apply_part(panes, delta, &part, &by_pane, &mut numbers);
            let PartView { sender, newest, .. } = part;
            let (source, received) = (delta.source, delta.received);
            self.watermark.note(Shown { source, sender, newest, received, listened });
        }
        if let Some(evicted) = delta.evicted {
            self.note_evicted(evicted);
        }
    }

    /// Adds what one sender sent. `numbers` has the number of each key of the delta, if it is known.
    fn apply_part(
        &mut self,
        panes: Panes,
        delta: &Delta,
        part: &PartView<'_>,
        by_pane: &[Vec<u32>],
        numbers: &mut [u32],
    ) {
        let Self { keys, open, settings, window, unreported, .. } = self;
        let seen = self.watermark.seen(delta.source, part.sender);
        let reached = seen.map(|time| panes.number(time));
        let mut note = |pane: Option<i64>, lines: &Counters| {
            unreported.entry(pane.unwrap_or(i64::MIN)).or_default().add(lines);
        };
        for &place in &part.places {
            let (number, entries) = (delta.panes[place], &by_pane[place]);
            let entry = |place: &u32| delta.entries[*place as usize];
            let count: u64 = entries.iter().map(|place| u64::from(entry(place).count)).sum();
            if count == 0 {
                continue;
            }
            if panes.is_late(number, seen) {
                self.lines.counted -= count;
                self.lines.late = self.lines.late.saturating_add(count);
                // If it were late by this chunk alone, the chunk would have skipped it.
                note(reached, &Counters::of_late(count));
                continue;
            }
            note(Some(number), &Counters::of_counted(count));
            for place in entries {
                let key = entry(place).key;
                let known = &mut numbers[key as usize];
                if *known == u32::MAX {
                    let is_other = delta.other == Some(key);
                    let admitted = if is_other { None } else { keys.admit(&delta.keys, key) };
                    *known = admitted.unwrap_or_else(|| window.other_key(keys));
                }
            }
            let is_newest = open.last_key_value().is_none_or(|(&newest, _)| number >= newest);
            let pane = open.entry(number).or_insert_with(|| Pane::new(settings.plan.columns()));
            let entries = entries.iter().map(|place| {
                let Entry { key, count, .. } = entry(place);
                (numbers[key as usize], count, *place)
            });
            pane.add(keys, entries, &delta.columns, is_newest);
        }
        for (pane, lines) in part.skipped {
            note(reached.max(*pane), lines);
        }
    }

    /// Counts lines that a sender has given up, in the pane that it has reached: this one, or that
    /// of its newest time.
    pub(crate) fn abandon(
        &mut self,
        source: usize,
        sender: Option<&[u8]>,
        reached: Option<i64>,
        count: u64,
    ) {
        let lines = Counters::of_abandoned(count);
        self.lines.add(&lines);
        if let Some(panes) = self.settings.panes.filter(|_| count > 0) {
            let seen = self.watermark.seen(source, sender).map(|time| panes.number(time));
            let pane = seen.max(reached).unwrap_or(i64::MIN);
            self.unreported.entry(pane).or_default().add(&lines);
        }
    }

    /// Records what is no longer available.
    fn note_evicted(&mut self, evicted: Evicted) {
        let evicted = self.evicted.map_or(evicted, |known| known.combined_with(evicted));
        self.evicted = Some(evicted);
        self.schedule.skip_before(evicted.complete_from);
        self.first = [self.first, evicted.first].into_iter().flatten().min();
    }

    /// Adds a source and returns its number. Until it has an event time, it holds the watermark
    /// back. Its events are late by its own times and by the panes that are closed already.
    pub fn add_source(&mut self) -> usize {
        self.watermark.add_source()
    }

    /// Marks a source as a live one, which can be idle and is listened to from now on.
    pub fn listen_to(&mut self, source: usize, listened: i64) {
        self.watermark.listen_to(source, listened);
    }

    /// Removes a source that has ended from the watermark.
    pub fn end_source(&mut self, source: usize) {
        self.watermark.end_source(source);
    }

    /// Makes a source that has ended go on, as after a restart: the watermark waits for it again.
    pub fn reopen_source(&mut self, source: usize) {
        self.watermark.reopen_source(source);
    }

    /// Returns the names of the senders of a source that the watermark waits for.
    pub fn senders(&self, source: usize) -> Vec<Vec<u8>> {
        self.watermark.senders(source).map(<[u8]>::to_vec).collect()
    }

    /// Removes a sender that has ended from the watermark. If it comes back, it is a new one.
    pub fn end_sender(&mut self, source: usize, sender: &[u8]) {
        self.watermark.end_sender(source, sender);
    }

    /// Excludes live sources and senders from the watermark that gave their last event time before
    /// this much listening, each until it gives one again.
    pub fn mark_idle(&mut self, before: i64) {
        self.watermark.mark_idle(before);
    }

    /// Returns whether a source has had so many senders at once that some share a watermark.
    pub fn is_crowded(&self, source: usize) -> bool {
        self.watermark.is_crowded(source)
    }

    /// Returns the time that it is by the events of the living senders, given the clock; `None`
    /// while none of them has a time.
    pub fn log_time(&self, now: i64) -> Option<i64> {
        self.watermark.log_time(now)
    }

    /// Returns the source that holds the watermark back. Reading it first keeps the fewest panes
    /// open.
    pub fn slowest_source(&self) -> Option<usize> {
        self.watermark.slowest_source()
    }

    /// Returns the time before which events are late, for a clock that is moved by hand.
    pub fn late_before(&self) -> Option<i64> {
        let (panes, watermark) = self.settings.panes.zip(self.watermark.time())?;
        // The pane of the watermark is the first open one.
        Some(panes.end(panes.number(watermark).saturating_sub(1)))
    }

    /// Moves the clock, and the watermark with it.
    pub fn advance(&mut self, now: i64) {
        self.watermark.advance(now);
    }

    /// Ends the input and closes the open panes: up to the window that ends after the newest event,
    /// or with `drain` up to the last window that still contains it.
    pub fn finish(&mut self, drain: bool) {
        let Some(panes) = self.settings.panes else { return };
        let newest = self.open.last_key_value().map(|(&number, _)| number);
        let newest = newest.max(self.window.newest());
        let reached = self.unreported.last_key_value().map(|(&number, _)| number);
        let reached = reached.filter(|&number| number > i64::MIN);
        let (newest, last) = self.schedule.finish(newest, reached, drain);
        // Lines after the newest event belong to the last snapshot.
        self.ended = Some(newest.unwrap_or(i64::MAX));
        self.watermark.raise(last.map(|number| panes.end(number)));
    }

    /// Returns the snapshot of the next end that the watermark has reached, if there is one. With
    /// several lookbacks, each call returns one of them.
    pub fn next_snapshot(&mut self) -> Option<Snapshot> {
        let panes = self.settings.panes?;
        if self.lengths_answered >= self.settings.lengths.len() {
            let number = self.next_end(panes)?;
            if self.window.has_due_ranks() {
                self.rank_due();
            }
            self.slide_to(number);
            self.lengths_answered = 0;
        }
        let lookback = self.lengths_answered;
        self.lengths_answered += 1;
        Some(self.snapshot_of(panes, self.schedule.answered()?, lookback))
    }

    /// Closes what the watermark has passed and returns only the snapshot of the last end.
    pub fn last_snapshot(&mut self) -> Option<Snapshot> {
        if self.skip().is_some() {
            self.lengths_answered = 0;
        }
        if self.lengths_answered < self.settings.lengths.len() {
            self.next_snapshot()
        } else {
            None
        }
    }

    /// Closes what the watermark has passed without a snapshot, and returns the last end.
    pub fn skip(&mut self) -> Option<i64> {
        let panes = self.settings.panes?;
        self.lengths_answered = usize::MAX;
        let last = self.last_end(panes)?;
        self.window.forget_answers();
        // In one step: a walk would compute every slide of a window that nobody reads.
        self.slide_to(last);
        Some(last)
    }

    /// Ranks the keys of the answers that were given before a restart.
    pub(super) fn rank_due(&mut self) {
        let Some((panes, number)) = self.settings.panes.zip(self.schedule.answered()) else {
            return;
        };
        for lookback in 0..self.settings.lengths.len() {
            if self.window.is_rank_due(lookback) {
                self.snapshot_of(panes, number, lookback);
            }
        }
    }

    /// Returns the last end that the watermark has passed, answered or not.
    pub(super) fn passed(&self, panes: Panes) -> Option<i64> {
        Some(self.schedule.floor(panes.number(self.watermark.time()?).saturating_sub(1)))
    }

    /// Returns the last end to answer that the watermark has passed.
    fn last_end(&self, panes: Panes) -> Option<i64> {
        self.next_end(panes)?;
        let passed = self.passed(panes)?;
        let newest = self.open.range(..=passed).next_back().map(|(&number, _)| number);
        Some(self.schedule.last(passed, newest.max(self.window.newest())))
    }

    /// Returns the next end to answer.
    fn next_end(&self, panes: Panes) -> Option<i64> {
        let open = self.open.first_key_value().map(|(&number, _)| number);
        self.schedule.next(self.passed(panes)?, open)
    }

    /// Returns whether panes are handed out, which begins with the first request for one.
    pub(crate) fn is_handing_out(&self) -> bool {
        self.is_handing_out
    }

    /// Closes the next pane that the watermark has passed and hands it out, with the aggregates of
    /// its keys in ascending order, null last. At the end of the input, all remaining panes are
    /// handed out. A pane without events and lines is skipped. Lines from before the first event
    /// time are reported with the next pane; without one, only [`lines`](Self::lines) reports them.
    ///
    /// A pane that is handed out goes into no window, and its keys are released. No snapshot can
    /// contain it, so a caller that takes panes does not call for snapshots as well. Neither the
    /// row limit nor `max_keys` applies.
    pub fn next_pane(&mut self) -> Option<ClosedPane<Rows>> {
        let Ok(pane) = self.hand_out(|state, _, pane| {
            let bounds = (Some(pane.start), Some(pane.end));
            let builder = SnapshotBuilder { settings: &state.settings, keys: &state.keys, bounds };
            Ok::<_, Infallible>(builder.pane(pane.content, state.window.other()))
        });
        pane
    }

    /// Like [`next_pane`](Self::next_pane), but hands out the partials of the pane, for states that
    /// merge them.
    pub fn next_partials(&mut self) -> Option<ClosedPane<Delta>> {
        let Ok(pane) = self.next_partials_as(Ok::<_, Infallible>);
        pane
    }

    /// Like [`next_partials`](Self::next_partials), but converts them first. If the conversion
    /// fails, the pane stays.
    pub(crate) fn next_partials_as<T, E>(
        &mut self,
        form: impl FnOnce(Delta) -> Result<T, E>,
    ) -> Result<Option<ClosedPane<T>>, E> {
        self.hand_out(|state, number, pane| {
            let delta = Delta::new(0, state.settings.plan.columns());
            let mut builder = DeltaBuilder::new(delta, &state.keys, state.window.other());
            let counted = builder.pane(number, pane.content);
            builder.lines(Some(number), pane.lines.without(counted));
            form(builder.finish())
        })
    }

    fn hand_out<T, E>(
        &mut self,
        show: impl FnOnce(&Self, i64, &ClosedPane<&Pane>) -> Result<T, E>,
    ) -> Result<Option<ClosedPane<T>>, E> {
        let Some(panes) = self.settings.panes else { return Ok(None) };
        self.is_handing_out = true;
        let passed = self.watermark.time().map(|time| panes.number(time).saturating_sub(1));
        let passed = if self.ended.is_some() { Some(i64::MAX) } else { passed };
        // Every pane with an event has a line.
        let has_line = |&(&number, lines): &(&i64, &Counters)| {
            number > i64::MIN && *lines != Counters::default()
        };
        let found = passed.and_then(|passed| self.unreported.range(..=passed).find(has_line));
        let Some((&number, _)) = found else { return Ok(None) };
        let mut lines = Counters::default();
        self.unreported.range(..=number).for_each(|(_, some)| lines.add(some));
        if let Some(pane) = self.open.get_mut(&number) {
            pane.close(&mut self.keys);
        }
        let none = Pane::default();
        let content = self.open.get(&number).unwrap_or(&none);
        let (start, end) = (panes.end(number.saturating_sub(1)), panes.end(number));
        let content = show(self, number, &ClosedPane { start, end, content, lines })?;
        self.report_lines_up_to(number);
        if let Some(pane) = self.open.remove(&number) {
            self.window.release(&pane, &mut self.keys);
        }
        let complete_from = number.saturating_add(1);
        self.note_evicted(Evicted { complete_from, first: None, since_start: false });
        // At the end of the input the watermark may not have reached this pane.
        self.watermark.raise(Some(end));
        Ok(Some(ClosedPane { start, end, content, lines }))
    }

    /// Slides the window so that it ends with this pane.
    pub(super) fn slide_to(&mut self, number: i64) {
        while let Some(entry) = self.open.first_entry().filter(|entry| *entry.key() <= number) {
            let (closed, pane) = entry.remove_entry();
            self.first = Some(self.first.map_or(closed, |first| first.min(closed)));
            self.window.enter(closed, pane, &mut self.keys);
        }
        self.window.leave_below(number, &mut self.keys);
        let is_last = self.open.is_empty() && self.ended.is_some_and(|last| number >= last);
        self.report_lines_up_to(if is_last { i64::MAX } else { number });
        self.schedule.answer(number, self.window.is_empty());
    }

    /// Reports the lines up to this pane.
    fn report_lines_up_to(&mut self, number: i64) {
        while let Some(entry) = self.unreported.first_entry().filter(|entry| *entry.key() <= number)
        {
            self.reported.add(&entry.remove());
        }
    }

    fn snapshot_of(&mut self, panes: Panes, number: i64, lookback: usize) -> Snapshot {
        // A caller that moves the clock by hand gets the counters of all lines so far.
        let manual = self.settings.clock == Clock::Manual;
        let lines = if manual { self.lines } else { self.reported };
        let bounds = self.bounds(panes, number, lookback);
        let builder = SnapshotBuilder { settings: &self.settings, keys: &self.keys, bounds };
        let other = self.window.other();
        match self.window.ranking(lookback) {
            Some((totals, mut ranking)) => {
                if let Some(ranking) = &mut ranking {
                    ranking.begin(number);
                }
                builder.snapshot(lookback, totals, other, ranking, lines)
            }
            None => builder.snapshot(lookback, &Totals::default(), None, None, lines),
        }
    }

    /// Returns the start and the end of the window of this lookback that ends with a pane.
    fn bounds(&self, panes: Panes, number: i64, lookback: usize) -> (Option<i64>, Option<i64>) {
        let length = self.settings.lengths.get(lookback).copied().flatten();
        let before = match length {
            Some(length) => Some(number.saturating_sub(length)),
            None => self.first.map(|first| first.saturating_sub(1)),
        };
        (before.map(|number| panes.end(number)), Some(panes.end(number)))
    }

    /// Returns the current snapshot: of the window that ends with the newest open pane, or of
    /// everything.
    ///
    /// Closes nothing. Open panes are counted for this snapshot alone; the limit of keys applies to
    /// them when they close.
    pub fn snapshot(&mut self, lookback: usize) -> Snapshot {
        let Some(panes) = self.settings.panes else {
            let bounds = (self.oldest, self.newest);
            return self.unfinished(0, bounds, i64::MIN..i64::MAX);
        };
        let passed = self.watermark.time().map(|time| panes.number(time));
        let newest = self.open.last_key_value().map(|(&number, _)| self.schedule.ceil(number));
        let newest = newest.filter(|&number| passed.is_none_or(|passed| number >= passed));
        let reached =
            self.last_end(panes).max(self.schedule.answered()).max(self.schedule.earliest());
        let Some(number) = newest.max(reached) else {
            return self.unfinished(lookback, (None, None), i64::MIN..i64::MAX);
        };
        self.window_to(panes, number, lookback)
    }

    /// Returns the window at a moment as it is: of the windows that can still be answered or were
    /// answered last, the first that ends after `at`. Without panes, everything.
    ///
    /// Closes nothing, as [`snapshot`](Self::snapshot).
    pub fn current(&mut self, lookback: usize, at: i64) -> Snapshot {
        let Some(panes) = self.settings.panes else { return self.snapshot(lookback) };
        let number = self.schedule.ceil(panes.number(at));
        let answered = self.schedule.answered().max(self.schedule.earliest());
        self.window_to(panes, answered.map_or(number, |answered| answered.max(number)), lookback)
    }

    /// Returns the window that ends with a pane, which is not before the last answered one.
    fn window_to(&mut self, panes: Panes, number: i64, lookback: usize) -> Snapshot {
        let length = self.settings.lengths.get(lookback).copied().flatten();
        let first = length.map_or(i64::MIN, |length| number.saturating_sub(length - 1));
        let (mut start, end) = self.bounds(panes, number, lookback);
        if length.is_none() {
            let open = self.open.first_key_value();
            let open = open.map(|(&number, _)| panes.end(number.saturating_sub(1)));
            start = [start, open].into_iter().flatten().min();
        }
        self.unfinished(lookback, (start, end), first..number.saturating_add(1))
    }

    /// Builds a snapshot that is not the answer of an end, from closed and open panes.
    fn unfinished(
        &mut self,
        lookback: usize,
        bounds: (Option<i64>, Option<i64>),
        panes: Range<i64>,
    ) -> Snapshot {
        let Self { settings, keys, window, open, lines, .. } = self;
        let (first, other) = (panes.start, window.other());
        let builder = SnapshotBuilder { settings, keys, bounds };
        let show = |totals: &Totals| builder.snapshot(lookback, totals, other, None, *lines);
        window.with_panes(lookback, first, open.range(panes), &settings.plan, show)
    }

    /// Exports the contents as a delta for another state with the same panes, keys and aggregates.
    ///
    /// A state that adds the deltas of several states, in any order, answers as if it had seen all
    /// of their input, beginning with the last end that any of them answered: what came before has
    /// been evicted. For snapshots since the start, the evicted panes are exported as one pane
    /// before the others. A state can only apply the delta itself if it uses the same seed;
    /// otherwise encode and decode it.
    pub fn export(&self) -> Delta {
        let mut delta = Delta::new(0, self.settings.plan.columns());
        delta.lines = self.lines;
        delta.time_bounds = TimeBounds::new(self.oldest, self.newest);
        let mut builder = DeltaBuilder::new(delta, &self.keys, self.window.other());
        if self.settings.panes.is_none() {
            let counted = self.window.evicted().map_or(0, |evicted| builder.totals(0, evicted));
            builder.lines(None, self.lines.without(counted));
            return builder.finish();
        }
        let longest = self.settings.longest().unwrap_or(0);
        let closed = self.schedule.answered().map(|answered| answered.saturating_sub(longest));
        let mut counted = 0;
        if let (Some(number), Some(evicted)) = (closed, self.window.evicted()) {
            counted += builder.totals(number, evicted);
        }
        for (&number, pane) in self.window.panes_from(i64::MIN) {
            counted += builder.pane(number, pane);
        }
        // In the pane before all times, which is reported with the first answer.
        builder.lines(None, self.reported.without(counted));
        for (&number, &lines) in &self.unreported {
            let open = self.open.get(&number);
            let counted = open.map_or(0, |pane| builder.pane(number, pane));
            builder.lines(Some(number).filter(|&number| number > i64::MIN), lines.without(counted));
        }
        let since_start = self.settings.lengths.contains(&None);
        let own = closed.map(|closed| Evicted {
            complete_from: closed.saturating_add(1),
            first: self.first,
            since_start,
        });
        let evicted = self
            .evicted
            .map_or(own, |evicted| Some(own.map_or(evicted, |own| own.combined_with(evicted))));
        let mut delta = builder.finish();
        delta.evicted = evicted;
        delta
    }

    /// Returns the oldest and the newest time so far, and the watermark.
    pub fn times(&self) -> [Option<i64>; 3] {
        [self.oldest, self.newest, self.watermark.time()]
    }

    /// Returns the counters of all lines so far.
    pub fn lines(&self) -> &Counters {
        &self.lines
    }

    /// Returns whether there was no room for a key, so that it is counted with others.
    pub fn has_refused_keys(&self) -> bool {
        self.keys.has_refused()
    }

    /// Returns the largest number of keys that were in memory at once. Key numbers are reused, so
    /// it stays flat while keys come and go.
    pub fn key_capacity(&self) -> usize {
        self.keys.capacity()
    }
}
