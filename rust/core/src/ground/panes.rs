//! Panes: the intervals of time that windows consist of.

use std::ops::Range;

use super::MAX_TIME;

/// The panes that events are assigned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panes {
    /// The width of a pane in microseconds.
    pub width: i64,
    /// The start of a pane, relative to the epoch.
    pub offset: i64,
    /// How long a pane stays open after the newest event, in microseconds.
    pub lateness: i64,
}

impl Panes {
    /// Returns the number of the pane that contains a time.
    pub(crate) fn number(self, time: i64) -> i64 {
        time.saturating_sub(self.offset).div_euclid(self.width)
    }

    /// Returns whether a pane can contain events. A window can start before the earliest time.
    pub(crate) fn can_contain_events(self, number: i64) -> bool {
        (self.number(-2 * MAX_TIME)..=self.number(2 * MAX_TIME)).contains(&number)
    }

    /// Returns the end of a pane.
    pub(crate) fn end(self, number: i64) -> i64 {
        number.saturating_add(1).saturating_mul(self.width).saturating_add(self.offset)
    }

    /// Returns the times in a pane; `None` if they exceed 64 bits.
    pub(crate) fn times(self, number: i64) -> Option<Range<i64>> {
        let start = number.checked_mul(self.width)?;
        let end = start.checked_add(self.width)?;
        Some(start.checked_add(self.offset)?..end.checked_add(self.offset)?)
    }

    /// Returns whether a source that has reached `newest` has closed a pane.
    pub(crate) fn is_late(self, number: i64, newest: Option<i64>) -> bool {
        newest.is_some_and(|newest| newest.saturating_sub(self.lateness) >= self.end(number))
    }
}
