//! Decides for which window ends a snapshot is returned.
//!
//! A window ends with a pane, and the number of that pane identifies the end. Every `step`-th pane
//! is an end. With [`Clock::Arrival`] every end is answered, but of the ends that passed between
//! two calls only those of one window length. Otherwise an empty window is answered once, and the
//! following ends are skipped until the next event.

use super::settings::{Clock, Settings};

/// The ends answered so far, and the ends that follow from them.
#[derive(Debug)]
pub(super) struct Schedule {
    clock: Clock,
    step: i64,
    /// The longest lookback that is not unlimited.
    longest: Option<i64>,
    /// The last end that was answered; by arrival, initially the end before the first.
    pub(super) answered: Option<i64>,
    /// Whether an empty window was answered, so that ends are skipped until the next event.
    pub(super) idle: bool,
    /// The first end whose window is complete, if panes were evicted or handed out before.
    pub(super) earliest: Option<i64>,
    /// At the end of the input, the pane of the newest line if that line is not an event.
    pub(super) line: Option<i64>,
}

impl Schedule {
    /// Creates a schedule. By arrival, `start` is the current pane of the clock, and the first end
    /// at or after it is answered first.
    pub(super) fn new(settings: &Settings, start: Option<i64>) -> Self {
        let mut schedule = Self {
            clock: settings.clock,
            step: settings.step,
            longest: settings.longest(),
            answered: None,
            idle: false,
            earliest: None,
            line: None,
        };
        if settings.clock == Clock::Arrival {
            schedule.answered = start.map(|start| schedule.floor(start - 1));
        }
        schedule
    }

    /// Returns the last end at or before this pane.
    pub(super) fn floor(&self, number: i64) -> i64 {
        number.saturating_sub(number.saturating_add(1).rem_euclid(self.step))
    }

    /// Returns the first end at or after this pane.
    pub(super) fn ceil(&self, number: i64) -> i64 {
        self.floor(number.saturating_add(self.step - 1))
    }

    /// Returns the last end that was answered; by arrival, initially the end before the first.
    pub(super) fn answered(&self) -> Option<i64> {
        self.answered
    }

    /// Returns the first end whose window is complete, if panes were evicted or handed out before.
    pub(super) fn earliest(&self) -> Option<i64> {
        self.earliest
    }

    /// Returns the end to answer next. The watermark has passed all ends up to `passed`; `open` is
    /// the oldest pane that is not in the window yet.
    pub(super) fn next(&self, passed: i64, open: Option<i64>) -> Option<i64> {
        let next = match (self.clock, self.answered) {
            (Clock::Arrival, answered) => {
                let window = self.longest.unwrap_or(self.step);
                self.floor(answered?.max(passed.saturating_sub(window))).saturating_add(self.step)
            }
            (Clock::Events | Clock::Manual, Some(answered)) if !self.idle => {
                answered.saturating_add(self.step)
            }
            (Clock::Events | Clock::Manual, answered) => {
                let line = || self.line.filter(|&line| Some(line) > answered);
                self.ceil(open.or_else(line)?)
            }
        };
        let next = self.earliest.map_or(next, |earliest| earliest.max(next));
        (next <= passed).then_some(next)
    }

    /// Returns the last end to answer, if there is a next one. `newest` is the newest pane with an
    /// event up to `passed`.
    pub(super) fn last(&self, passed: i64, newest: Option<i64>) -> i64 {
        if self.clock == Clock::Arrival {
            return passed;
        }
        // An empty window is answered once, so the end after the last event is the last.
        let lookback = self.longest.unwrap_or(0);
        let emptied = newest.map(|number| self.ceil(number.saturating_add(lookback)));
        let line = self.line.map_or(i64::MIN, |line| self.ceil(line));
        emptied.map_or(passed, |emptied| emptied.min(passed)).max(line)
    }

    /// Records that an end was answered or skipped, and whether its window is empty.
    pub(super) fn answer(&mut self, end: i64, is_empty: bool) {
        self.answered = Some(end);
        self.idle = is_empty;
    }

    /// Skips the ends whose windows begin before this pane.
    pub(super) fn skip_before(&mut self, complete_from: i64) {
        let lookback = self.longest.unwrap_or(0);
        self.earliest = Some(self.ceil(complete_from.saturating_add(lookback - 1)));
    }

    /// Ends the input. Returns the end after its newest line and the last end to answer. `event` is
    /// the pane of the newest event, `line` that of the newest line. With `drain`, every window
    /// that still contains the event is answered.
    pub(super) fn finish(
        &mut self,
        event: Option<i64>,
        line: Option<i64>,
        drain: bool,
    ) -> (Option<i64>, Option<i64>) {
        if self.clock != Clock::Manual {
            // The input can continue after the newest event with filtered lines. The last snapshot
            // is taken at its end, so that its counters include them.
            self.line = line.filter(|_| line > event);
        }
        let newest = event.max(self.line).map(|number| self.ceil(number));
        let window = self.longest.unwrap_or(self.step);
        let drained = event.filter(|_| drain);
        let drained = drained.map(|number| self.floor(number.saturating_add(window - 1)));
        (newest, newest.max(drained))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ground::Kind;
    use proptest::prelude::*;

    /// The range of pane numbers in all tests.
    const PANES: std::ops::Range<i64> = -20..80;

    /// One step of an input: events, as the distance of their pane from the last passed one, and
    /// the number of panes that pass.
    type Step = (Vec<i64>, i64);

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let events = prop::collection::vec(1..12_i64, 0..3);
        prop::collection::vec((events, 0..9_i64), 1..6)
    }

    fn settings(clock: Clock, step: i64, length: Option<i64>) -> Settings {
        let plain = Settings::counting(None, 1, clock, Kind::Text);
        Settings { step, lengths: vec![length, None], ..plain }
    }

    /// A schedule with the panes of a state.
    struct Run {
        schedule: Schedule,
        length: i64,
        passed: i64,
        events: BTreeSet<i64>,
    }

    impl Run {
        fn new(settings: &Settings, start: i64) -> Self {
            let schedule = Schedule::new(settings, Some(start));
            let length = settings.longest().unwrap_or(0);
            Self { schedule, length, passed: start - 1, events: BTreeSet::new() }
        }

        fn take(&mut self, (events, passed): &Step) {
            self.events.extend(events.iter().map(|ahead| self.passed + ahead));
            self.passed += passed;
        }

        fn next(&self) -> Option<i64> {
            let answered = self.schedule.answered().unwrap_or(i64::MIN);
            let open = self.events.range(answered.saturating_add(1)..).next().copied();
            self.schedule.next(self.schedule.floor(self.passed), open)
        }

        fn last(&self) -> Option<i64> {
            self.next()?;
            let passed = self.schedule.floor(self.passed);
            // Panes that left the window are unknown.
            let is_kept =
                |pane| self.schedule.answered().is_none_or(|end| pane > end - self.length);
            let newest = self.events.iter().rfind(|&&pane| pane <= passed && is_kept(pane));
            Some(self.schedule.last(passed, newest.copied()))
        }

        fn answer(&mut self, end: i64) {
            self.schedule.answer(end, !holds(&self.events, end, self.length));
        }

        fn answers(&mut self) -> Vec<i64> {
            let mut answers = Vec::new();
            while let Some(end) = self.next() {
                self.answer(end);
                answers.push(end);
            }
            answers
        }
    }

    fn is_end(number: i64, step: i64) -> bool {
        (number + 1) % step == 0
    }

    /// Returns whether the window with this end contains an event.
    fn holds(events: &BTreeSet<i64>, end: i64, length: i64) -> bool {
        events.iter().any(|&pane| end - length < pane && pane <= end)
    }

    /// Walks over all panes and answers each end after a new event or line, and each end after a
    /// window with an event.
    fn walked(
        [step, length, earliest, passed]: [i64; 4],
        events: &BTreeSet<i64>,
        line: Option<i64>,
    ) -> Vec<i64> {
        let mut answers: Vec<i64> = Vec::new();
        let mut is_full = false;
        for end in PANES.start..=passed {
            if !is_end(end, step) || end < earliest {
                continue;
            }
            let is_new = |&pane: &i64| pane <= end && answers.iter().all(|&last| pane > last);
            if is_full || events.iter().chain(&line).any(is_new) {
                answers.push(end);
                is_full = holds(events, end, length);
            }
        }
        answers
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn every_step_th_pane_is_an_end(step in 1..7_i64, number in PANES) {
            let schedule = Schedule::new(&settings(Clock::Events, step, None), None);
            let floor = (number - step..=number).rfind(|&number| is_end(number, step));
            prop_assert_eq!(Some(schedule.floor(number)), floor);
            let ceil = (number..=number + step).find(|&number| is_end(number, step));
            prop_assert_eq!(Some(schedule.ceil(number)), ceil);
        }

        #[test]
        fn by_events_the_ends_are_those_of_a_walk(
            step in 1..5_i64,
            length in prop::option::of(1..8_i64),
            clock in prop::sample::select(vec![Clock::Events, Clock::Manual]),
            complete_from in prop::option::of(0..20_i64),
            steps in steps(),
            asked in any::<[bool; 6]>(),
        ) {
            let mut run = Run::new(&settings(clock, step, length), 0);
            if let Some(complete_from) = complete_from {
                run.schedule.skip_before(complete_from);
            }
            let mut answers = Vec::new();
            for (step, is_asked) in steps.iter().zip(asked) {
                run.take(step);
                if is_asked {
                    answers.extend(run.answers());
                }
            }
            answers.extend(run.answers());
            // The first window without an evicted pane.
            let first = complete_from.map(|from| from + length.unwrap_or(0) - 1);
            let numbers = [step, run.length, first.unwrap_or(i64::MIN), run.passed];
            prop_assert_eq!(answers, walked(numbers, &run.events, None));
        }

        #[test]
        fn by_arrival_all_ends_of_one_window_are_answered(
            step in 1..5_i64,
            length in prop::option::of(1..8_i64),
            start in 0..5_i64,
            moves in prop::collection::vec(0..15_i64, 1..5),
        ) {
            let mut run = Run::new(&settings(Clock::Arrival, step, length), start);
            let mut answered = i64::MIN;
            for passed in moves {
                run.take(&(Vec::new(), passed));
                let last = (PANES.start..=run.passed).rfind(|&end| is_end(end, step)).unwrap();
                let oldest = last - length.unwrap_or(step) + 1;
                let expected: Vec<i64> = (start.max(oldest)..=last)
                    .filter(|&end| is_end(end, step) && end > answered)
                    .collect();
                prop_assert_eq!(run.last(), expected.last().copied());
                prop_assert_eq!(run.answers(), expected.clone());
                answered = expected.last().copied().unwrap_or(answered);
            }
        }

        #[test]
        fn the_last_end_is_the_last_of_all_ends_to_answer(
            step in 1..5_i64,
            length in prop::option::of(1..8_i64),
            steps in steps(),
            asked in any::<[bool; 6]>(),
        ) {
            let mut run = Run::new(&settings(Clock::Events, step, length), 0);
            for (step, is_asked) in steps.iter().zip(asked) {
                run.take(step);
                let last = run.last();
                if is_asked {
                    prop_assert_eq!(run.answers().last().copied(), last);
                } else if let Some(last) = last {
                    run.answer(last);
                    prop_assert_eq!(run.next(), None);
                }
            }
        }

        #[test]
        fn the_end_of_the_input_answers_all_remaining_ends(
            step in 1..5_i64,
            length in prop::option::of(1..8_i64),
            steps in steps(),
            line in prop::option::of(1..12_i64),
            (drain, skips) in any::<(bool, bool)>(),
        ) {
            let mut run = Run::new(&settings(Clock::Events, step, length), 0);
            for step in &steps {
                run.take(step);
            }
            let event = run.events.last().copied();
            let line = line.map(|ahead| run.passed + ahead);
            let mut answers = run.answers();
            let (newest, last) = run.schedule.finish(event, line, drain);

            let end_after = |pane: i64| (pane..pane + step).find(|&end| is_end(end, step)).unwrap();
            prop_assert_eq!(newest, event.max(line).map(end_after));
            let window = length.unwrap_or(step);
            let holds = |&end: &i64| event.is_some_and(|event| end - window < event);
            let held = PANES.filter(|&end| drain && is_end(end, step)).rfind(holds);
            prop_assert_eq!(last, newest.max(held));

            run.passed = run.passed.max(last.unwrap_or(run.passed));
            let line = line.filter(|_| line > event);
            let expected = walked([step, run.length, i64::MIN, run.passed], &run.events, line);
            if skips {
                answers.extend(run.last());
                prop_assert_eq!(answers.last(), expected.last());
            } else {
                answers.extend(run.answers());
                prop_assert_eq!(answers, expected);
            }
        }
    }
}
