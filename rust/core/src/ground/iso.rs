//! Writes times.

use super::SECOND;

/// Writes a time as `2015-05-17T10:05:03Z`, with a fraction only if it is not zero.
pub fn write_iso(micros: i64, out: &mut Vec<u8>) {
    write_clock(micros, out);
    out.push(b'Z');
}

/// Writes a time with the clock of a zone, as `2015-05-17T12:05:03+02:00`.
pub(crate) fn write_iso_at(micros: i64, offset: i64, out: &mut Vec<u8>) {
    write_clock(micros.saturating_add(offset), out);
    let sign = if offset < 0 { '-' } else { '+' };
    let seconds = offset.abs() / SECOND;
    let text = format!("{sign}{:02}:{:02}", seconds / 3_600, seconds / 60 % 60);
    out.extend_from_slice(text.as_bytes());
    if seconds % 60 > 0 {
        out.extend_from_slice(format!(":{:02}", seconds % 60).as_bytes());
    }
}

fn write_clock(micros: i64, out: &mut Vec<u8>) {
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
    fn a_local_time_has_its_offset() {
        let at = 1_431_857_103 * SECOND + 250_000;
        for (offset, text) in [
            (7_200, "2015-05-17T12:05:03.25+02:00"),
            (-12_600, "2015-05-17T06:35:03.25-03:30"),
            (0, "2015-05-17T10:05:03.25+00:00"),
            (53 * 60 + 28, "2015-05-17T10:58:31.25+00:53:28"),
        ] {
            let mut out = Vec::new();
            write_iso_at(at, offset * SECOND, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
