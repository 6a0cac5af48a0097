//! Intervals of equal length, such as hours and days, on the clock of a zone.

use std::ops::Range;

use super::DAY;
use super::zone::ZoneTable;

/// The Monday before the epoch, which intervals of whole days are counted from.
const MONDAY: i64 = -3 * DAY;

/// The start of the interval of this length that holds a time, and times around it that have the
/// same start.
///
/// Days begin at midnight on the clock of the zone and weeks on Monday, so a day may last 23 or 25
/// hours. When clocks are turned back, an interval holds both passes of the repeated time if it is
/// longer than that; else each pass has its own.
pub(in crate::text::format) fn interval_at(
    time: i64,
    length: i64,
    zone: Option<&ZoneTable>,
) -> (i64, Range<i64>) {
    let floor = |local: i64| {
        let first = if length % DAY == 0 { MONDAY } else { 0 };
        local - (local - first).rem_euclid(length)
    };
    match zone {
        None => {
            let start = floor(time);
            (start, start..start + length)
        }
        Some(zone) => {
            let current = zone.place_of(time);
            let (period, end) = zone.period(current);
            let local = floor(time + period.offset);
            let begin = local - period.offset;
            let around = begin.max(period.start)..begin.saturating_add(length).min(end);
            (zone.instant_of(local, current, length), around)
        }
    }
}

impl ZoneTable {
    /// The instant at which clocks show a local time, or skip it, in this period or an earlier one.
    fn instant_of(&self, local: i64, mut place: usize, length: i64) -> i64 {
        let at = |place: usize| local - self.period(place).0.offset;
        while place > 0 && at(place) < self.period(place).0.start {
            // A skipped local time is that of the change.
            if at(place - 1) >= self.period(place).0.start {
                return self.period(place).0.start;
            }
            place -= 1;
        }
        let repeated = |place: usize| {
            let (before, end) = self.period(place - 1);
            let turned_back = before.offset - self.period(place).0.offset;
            turned_back > 0 && turned_back < length && at(place - 1) < end
        };
        if place > 0 && repeated(place) { at(place - 1) } else { at(place) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::SECOND;

    const HOUR: i64 = 3_600 * SECOND;

    #[test]
    fn without_a_zone_days_begin_at_midnight_utc_and_weeks_on_monday() {
        for (time, length, start) in [
            (0, HOUR, 0),
            (HOUR - 1, HOUR, 0),
            (-1, HOUR, -HOUR),
            (DAY + 1, DAY, DAY),
            (-1, DAY, -DAY),
            (0, 7 * DAY, -3 * DAY),
            (4 * DAY - 1, 7 * DAY, -3 * DAY),
            (4 * DAY, 7 * DAY, 4 * DAY),
            (5 * HOUR + 1, 7 * HOUR, 0),
        ] {
            assert_eq!(interval_at(time, length, None), (start, start..start + length));
        }
    }

    /// Starts in hours, for a change from one offset to another at hour 1,000 (UTC); days of the
    /// zone begin at multiples of 24 of the local time.
    fn starts(offsets: [i64; 2], length: i64, times: &[i64]) -> Vec<i64> {
        let seconds = |hours: i64| hours * 3_600;
        let periods = vec![
            (i64::MIN, seconds(offsets[0]), String::new()),
            (seconds(1_000), seconds(offsets[1]), String::new()),
        ];
        let zone = ZoneTable::new("x", periods).unwrap();
        let start = |&time: &i64| {
            let (start, around) = interval_at(time * HOUR, length * HOUR, Some(&zone));
            assert!(around.contains(&(time * HOUR)));
            for other in [around.start, around.end - 1] {
                assert_eq!(interval_at(other, length * HOUR, Some(&zone)).0, start);
            }
            start / HOUR
        };
        times.iter().map(start).collect()
    }

    #[test]
    fn a_day_lasts_23_or_25_hours_when_clocks_change() {
        // 1,000 = 41 * 24 + 16.
        let day = 41 * 24;
        assert_eq!(
            starts([1, 2], 24, &[day - 2, day - 1, day + 21, day + 22, day + 46]),
            [day - 25, day - 1, day - 1, day + 22, day + 46]
        );
        assert_eq!(
            starts([2, 1], 24, &[day - 3, day - 2, day + 22, day + 23]),
            [day - 26, day - 2, day - 2, day + 23]
        );
    }

    #[test]
    fn a_skipped_midnight_is_the_change_and_a_repeated_one_the_first() {
        // Local midnight at hour 1,008 = 42 * 24.
        assert_eq!(starts([8, 9], 24, &[999, 1_000, 1_001]), [976, 1_000, 1_000]);
        assert_eq!(starts([9, 8], 24, &[998, 999, 1_000, 1_001]), [975, 999, 999, 999]);
    }

    #[test]
    fn a_repeated_hour_is_two_intervals_unless_they_are_longer() {
        assert_eq!(starts([2, 1], 1, &[998, 999, 1_000, 1_001]), [998, 999, 1_000, 1_001]);
        // From 1,000 on the local time is that from 999 on.
        assert_eq!(starts([2, 1], 2, &[998, 999, 1_000, 1_001]), [998, 998, 998, 1_001]);
        assert_eq!(starts([1, 2], 2, &[998, 999, 1_000, 1_001]), [997, 999, 1_000, 1_000]);
    }
}
