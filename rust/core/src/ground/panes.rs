//! The panes of time.

use std::ops::Range;

/// The panes that events fall into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panes {
    /// How long a pane is, in microseconds.
    pub width: i64,
    /// How far from the epoch one begins.
    pub offset: i64,
    /// How long a pane stays open behind the newest event.
    pub lateness: i64,
}

impl Panes {
    /// The number of the pane that a time falls into.
    pub(crate) fn number(self, time: i64) -> i64 {
        time.saturating_sub(self.offset).div_euclid(self.width)
    }

    /// Where the pane of this number ends.
    pub(crate) fn end(self, number: i64) -> i64 {
        number.saturating_add(1).saturating_mul(self.width).saturating_add(self.offset)
    }

    /// The times of the pane of this number, where they are far from what can be told.
    pub(crate) fn times(self, number: i64) -> Option<Range<i64>> {
        let start = number.checked_mul(self.width)?;
        let end = start.checked_add(self.width)?;
        Some(start.checked_add(self.offset)?..end.checked_add(self.offset)?)
    }

    /// Whether a source that has come to `newest` is past the pane of this number.
    pub(crate) fn is_late(self, number: i64, newest: Option<i64>) -> bool {
        newest.is_some_and(|newest| newest.saturating_sub(self.lateness) >= self.end(number))
    }
}
