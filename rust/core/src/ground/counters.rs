//! Where every line went.

/// Why a line was not counted; each has a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is not of the format.
    NoMatch,
    /// It is longer than `MAX_LINE_BYTES`.
    TooLong,
    /// Its time is missing or cannot be read, and the query goes by it.
    NoTime,
    /// Its time is further ahead of the clock than is plausible.
    Future,
}

impl Reason {
    /// Every reason by its name in snapshots.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("no-match", Self::NoMatch),
        ("too-long", Self::TooLong),
        ("no-time", Self::NoTime),
        ("future", Self::Future),
    ];

    /// The reason's name in snapshots.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// Where every line went: `fed = counted + late + filtered + Σ rejected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Lines seen.
    pub fed: u64,
    /// Lines that count.
    pub counted: u64,
    /// Lines of a pane that was closed already.
    pub late: u64,
    /// Lines that the query did not ask for.
    pub filtered: u64,
    rejected: [u64; Reason::NAMES.len()],
}

impl Counters {
    pub(crate) fn of_counted(count: u64) -> Self {
        Self { fed: count, counted: count, ..Self::default() }
    }

    pub(crate) fn of_late(count: u64) -> Self {
        Self { fed: count, late: count, ..Self::default() }
    }

    /// How many lines were rejected for this reason.
    pub fn rejected(&self, reason: Reason) -> u64 {
        self.rejected[reason as usize]
    }

    /// Counts a line that was rejected.
    pub fn reject(&mut self, reason: Reason) {
        self.reject_all(reason, 1);
    }

    pub(crate) fn reject_all(&mut self, reason: Reason, count: u64) {
        self.rejected[reason as usize] += count;
    }

    /// Adds the counters of other lines. Those of an import may be anything.
    pub fn add(&mut self, other: &Self) {
        self.fed = self.fed.saturating_add(other.fed);
        self.counted = self.counted.saturating_add(other.counted);
        self.late = self.late.saturating_add(other.late);
        self.filtered = self.filtered.saturating_add(other.filtered);
        for (sum, more) in self.rejected.iter_mut().zip(other.rejected) {
            *sum = sum.saturating_add(more);
        }
    }

    /// The same but for as many that count.
    pub(crate) fn without(mut self, counted: u64) -> Self {
        self.fed = self.fed.saturating_sub(counted);
        self.counted = self.counted.saturating_sub(counted);
        self
    }
}
