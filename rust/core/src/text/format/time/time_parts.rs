//! The parts of a time that have been parsed so far.

use super::calendar::{days_before, days_in};
use super::digits::of_day;
use super::zone::{Zone, ZoneTable};
use super::{DAY, SECOND, in_range};

/// The parts of a time. A later value replaces an earlier one; a time since the epoch takes
/// precedence over a date.
pub(super) struct TimeParts<'a> {
    /// Microseconds.
    pub(super) epoch: Option<i64>,
    pub(super) year: Option<i64>,
    /// Midnight of the day, in microseconds since the epoch; used if there is no year.
    pub(super) midnight: Option<i64>,
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
    /// The zone, if the text has one.
    pub(super) zone: Zone<'a>,
}

impl Default for TimeParts<'_> {
    fn default() -> Self {
        Self {
            epoch: None,
            year: None,
            midnight: None,
            month: 1,
            day: 1,
            year_day: None,
            hour: None,
            half_day_hour: None,
            is_afternoon: false,
            minute: 0,
            second: 0,
            fraction: None,
            zone: Zone::Unknown,
        }
    }
}

impl TimeParts<'_> {
    /// The time, in the zone of this table if it has no zone of its own.
    pub(super) fn micros(&self, table: Option<&ZoneTable>) -> Option<i64> {
        let fraction = self.fraction.unwrap_or(0);
        if let Some(epoch) = self.epoch {
            // A log may have the fraction twice: in the microseconds, and on its own.
            let whole = epoch % SECOND == 0;
            return in_range(if whole { epoch + fraction } else { epoch });
        }
        let midnight = match (self.year, self.year_day) {
            (None, _) => self.midnight?,
            (Some(year), Some(day)) if (1..=337 + days_in(year, 2)).contains(&day) => {
                (days_before(year, 1, 1) + day - 1) * DAY
            }
            (Some(year), None) if self.is_date(year) => {
                days_before(year, self.month, self.day) * DAY
            }
            _ => return None,
        };
        let local = midnight + self.of_day()? + fraction;
        in_range(to_utc(local, self.zone, table)?)
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

/// Converts a local time to UTC, both in microseconds. The letters of a zone are known only from the
/// table; without one, a time without a zone is UTC.
#[inline]
pub(super) fn to_utc(local: i64, zone: Zone<'_>, table: Option<&ZoneTable>) -> Option<i64> {
    let offset = match (zone, table) {
        (Zone::Offset(offset), _) => offset,
        (Zone::Unknown, None) => 0,
        (Zone::Unknown, Some(table)) => table.offset_at(local),
        (Zone::Name(letters), table) => table?.offset_of(local, letters)?,
    };
    Some(local - offset)
}
