//! Converts dates to days since the epoch, and writes times.

use super::SECOND;

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

/// Writes a time as `2015-05-17T10:05:03Z`, with a fraction only if it is not zero.
pub fn write_iso(micros: i64, out: &mut Vec<u8>) {
    let days = micros.div_euclid(86_400 * SECOND);
    let of_day = micros.rem_euclid(86_400 * SECOND);
    // Hinnant's `civil_from_days` (<https://howardhinnant.github.io/date_algorithms.html>).
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let second = of_day / SECOND;
    let text = format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        second / 3_600,
        second / 60 % 60,
        second % 60
    );
    out.extend_from_slice(text.as_bytes());
    let fraction = of_day % SECOND;
    if fraction > 0 {
        let digits = format!(".{fraction:06}");
        out.extend_from_slice(digits.trim_end_matches('0').as_bytes());
    }
    out.push(b'Z');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_text_has_a_fraction_only_where_needed() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (1_431_857_103 * SECOND, "2015-05-17T10:05:03Z"),
            (1_431_857_103 * SECOND + 250_000, "2015-05-17T10:05:03.25Z"),
            (951_868_799 * SECOND, "2000-02-29T23:59:59Z"),
        ] {
            let mut out = Vec::new();
            write_iso(micros, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

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
