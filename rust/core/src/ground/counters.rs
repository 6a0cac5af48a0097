//! Counters of lines.

/// Why a line was rejected; each reason has a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It does not match the format.
    NoMatch,
    /// It is longer than `MAX_LINE_BYTES`.
    TooLong,
    /// Its time is missing or invalid, and the query needs it.
    NoTime,
    /// Its time is too far ahead of the clock.
    Future,
    /// Its time is too far behind the clock.
    Past,
}

impl Reason {
    /// Every reason with its name in snapshots.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("no-match", Self::NoMatch),
        ("too-long", Self::TooLong),
        ("no-time", Self::NoTime),
        ("future", Self::Future),
        ("past", Self::Past),
    ];

    /// Returns the reason's name in snapshots.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// The number of counters.
pub(crate) const COUNTERS: usize = 7 + Reason::NAMES.len();

/// What happened to every line: `fed = counted + late + filtered + Σ rejected`. The lines of
/// `abandoned` and `resent` are not in this sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// All lines.
    pub fed: u64,
    /// Lines that were counted.
    pub counted: u64,
    /// Lines whose pane was closed already.
    pub late: u64,
    /// Lines that the query does not select.
    pub filtered: u64,
    /// Headers and comments, which are not lines of the log: they are in no other counter.
    pub headers: u64,
    /// Lines that were dropped because their sender had stopped waiting for an answer.
    pub abandoned: u64,
    /// Lines that were skipped because they were counted when they were sent before.
    pub resent: u64,
    rejected: [u64; Reason::NAMES.len()],
}

impl Counters {
    pub(crate) fn of_counted(count: u64) -> Self {
        Self { fed: count, counted: count, ..Self::default() }
    }

    pub(crate) fn of_abandoned(count: u64) -> Self {
        Self { abandoned: count, ..Self::default() }
    }

    pub(crate) fn of_resent(count: u64) -> Self {
        Self { resent: count, ..Self::default() }
    }

    pub(crate) fn of_late(count: u64) -> Self {
        Self { fed: count, late: count, ..Self::default() }
    }

    /// Returns the number of lines rejected for this reason.
    pub fn rejected(&self, reason: Reason) -> u64 {
        self.rejected[reason as usize]
    }

    /// Counts a rejected line.
    pub fn reject(&mut self, reason: Reason) {
        self.reject_all(reason, 1);
    }

    pub(crate) fn reject_all(&mut self, reason: Reason, count: u64) {
        self.rejected[reason as usize] += count;
    }

    /// Adds other counters. Those of an import can have any value.
    pub fn add(&mut self, other: &Self) {
        self.fed = self.fed.saturating_add(other.fed);
        self.counted = self.counted.saturating_add(other.counted);
        self.late = self.late.saturating_add(other.late);
        self.filtered = self.filtered.saturating_add(other.filtered);
        self.headers = self.headers.saturating_add(other.headers);
        self.abandoned = self.abandoned.saturating_add(other.abandoned);
        self.resent = self.resent.saturating_add(other.resent);
        for (sum, more) in self.rejected.iter_mut().zip(other.rejected) {
            *sum = sum.saturating_add(more);
        }
    }

    /// Returns all counters, in a fixed order.
    pub(crate) fn values(&self) -> [u64; COUNTERS] {
        let Self { fed, counted, late, filtered, headers, abandoned, resent, rejected } = *self;
        let [no_match, too_long, no_time, future, past] = rejected;
        [
            fed, counted, late, filtered, no_match, too_long, no_time, headers, abandoned, resent,
            future, past,
        ]
    }

    /// Returns the counters with these values, in the order of [`values`](Self::values).
    pub(crate) fn of_values(values: [u64; COUNTERS]) -> Self {
        let [
            fed,
            counted,
            late,
            filtered,
            no_match,
            too_long,
            no_time,
            headers,
            abandoned,
            resent,
            future,
            past,
        ] = values;
        let rejected = [no_match, too_long, no_time, future, past];
        Self { fed, counted, late, filtered, headers, abandoned, resent, rejected }
    }

    /// Returns these counters without `counted` counted lines.
    pub(crate) fn without(mut self, counted: u64) -> Self {
        self.fed = self.fed.saturating_sub(counted);
        self.counted = self.counted.saturating_sub(counted);
        self
    }
}
