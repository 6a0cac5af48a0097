//! The parts of a time that have been parsed so far.

use super::calendar::{days_before, days_in};
use super::digits::of_day;
use super::{SECOND, in_range};

/// The parts of a time. A later value replaces an earlier one; a time since the epoch takes
/// precedence over a date.
pub(super) struct TimeParts {
    /// Microseconds.
    pub(super) epoch: Option<i64>,
    pub(super) year: Option<i64>,
    pub(super) month: i64,
    pub(super) day: i64,
    /// The day of the year, from 1; takes precedence over month and day.
    pub(super) year_day: Option<i64>,
    /// The hour on the 24-hour clock.
    pub(super) hour: Option<i64>,
    /// The hour on the 12-hour clock, used if there is no other.
    pub(super) half_day_hour: Option<i64>,
    pub(super) is_afternoon: bool,
    pub(super) minute: i64,
    pub(super) second: i64,
    /// Microseconds within the second.
    pub(super) fraction: Option<i64>,
    /// The offset of the zone from UTC in microseconds.
    pub(super) offset: i64,
}

impl Default for TimeParts {
    fn default() -> Self {
        Self {
            epoch: None,
            year: None,
            month: 1,
            day: 1,
            year_day: None,
            hour: None,
            half_day_hour: None,
            is_afternoon: false,
            minute: 0,
            second: 0,
            fraction: None,
            offset: 0,
        }
    }
}

impl TimeParts {
    pub(super) fn micros(&self) -> Option<i64> {
        let fraction = self.fraction.unwrap_or(0);
        if let Some(epoch) = self.epoch {
            // A log may have the fraction twice: in the microseconds, and on its own.
            let whole = epoch % SECOND == 0;
            return in_range(if whole { epoch + fraction } else { epoch });
        }
        let year = self.year?;
        let days = match self.year_day {
            Some(day) if (1..=337 + days_in(year, 2)).contains(&day) => {
                days_before(year, 1, 1) + day - 1
            }
            None if self.is_date(year) => days_before(year, self.month, self.day),
            _ => return None,
        };
        in_range(days * 86_400 * SECOND + self.of_day()? + fraction - self.offset)
    }

    fn of_day(&self) -> Option<i64> {
        let hour = match (self.hour, self.half_day_hour) {
            (Some(hour), _) => hour,
            (None, Some(hour)) if (1..=12).contains(&hour) => {
                hour % 12 + 12 * i64::from(self.is_afternoon)
            }
            (None, Some(_)) => return None,
            (None, None) => 0,
        };
        of_day([hour, self.minute, self.second])
    }

    fn is_date(&self, year: i64) -> bool {
        (1..=12).contains(&self.month) && (1..=days_in(year, self.month)).contains(&self.day)
    }
}
