//! Converts dates to days since the epoch.

pub(super) fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the epoch to this date, for years 0 to 9999.
///
/// The year is taken to begin in March, so that the leap day is its last.
#[inline]
pub(super) fn days_before(year: i64, month: i64, day: i64) -> i64 {
    // Counted from March.
    const BEFORE_MONTH: [u64; 12] = [306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275];
    let before = usize::try_from(month - 1).ok().and_then(|month| BEFORE_MONTH.get(month));
    // Shifted by 400 years, one cycle of the calendar, to be never negative (January of the year 0
    // belongs to the year before): unsigned division is a shift or a multiplication.
    let year = (year + 400 - i64::from(month <= 2)).cast_unsigned();
    let centuries = year / 100;
    let days = year * 365 + year / 4 - centuries + centuries / 4 + before.unwrap_or(&0);
    days.cast_signed() + day - 1 - 719_468 - 146_097
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::{SECOND, write_iso};

    #[test]
    fn every_day_of_ten_centuries_round_trips() {
        for day in -200_000..200_000 {
            let mut out = Vec::new();
            write_iso(day * 86_400 * SECOND, &mut out);
            let text = String::from_utf8(out).unwrap();
            let (date, _) = text.split_once('T').unwrap();
            let mut parts = date.split('-').map(|part| part.parse::<i64>().unwrap());
            let (y, m, d) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            assert_eq!(days_before(y, m, d), day, "{date}");
        }
    }
}
