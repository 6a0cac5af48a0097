//! The time of an access-log line.
//!
//! `17/May/2015:10:05:03 +0000`, read as Python's `%d/%b/%Y:%H:%M:%S %z` with English month
//! names whatever the locale. What `strptime` allows besides (one digit for a day, several
//! blanks, `Z`, `+HH:MM:SS`) is read too. A leap second is the first second of the next minute,
//! as POSIX counts, where Python's `datetime` gives up.

/// Microseconds in a second, the unit of every time in the core.
pub const SECOND: i64 = 1_000_000;

/// The furthest from the epoch that a time may be, in microseconds: years 1684 to 2255.
///
/// Up to here a float of seconds has whole microseconds, and windows of any length end within
/// the years that a calendar has. A log time beyond it is no time.
pub const MAX_TIME: i64 = 9_000_000_000_000_000;

const MONTHS: [&[u8; 3]; 12] = [
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
];

/// How a time is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// As access logs do: `17/May/2015:10:05:03 +0000`.
    Clf,
    /// ISO 8601 (RFC 3339): `2015-05-17T10:05:03.120Z`; UTC where no zone is given.
    Iso,
    /// A number since the epoch, in seconds times ten to this power.
    Epoch(i8),
    /// What `strptime` would read with this text; several fields of a line may be parts of one
    /// time.
    Strftime(Box<str>),
    /// Any of the first three, seen by its look; a bare number is seconds.
    Any,
}

/// Microseconds since the epoch, or nothing where the text is no time.
pub(super) fn parse(text: &[u8]) -> Option<i64> {
    let mut rest = text;
    let day = number(&mut rest, 2, true)?;
    literal(&mut rest, b'/')?;
    let (name, after) = rest.split_first_chunk::<3>()?;
    let month = MONTHS.iter().position(|month| name.eq_ignore_ascii_case(*month))? + 1;
    rest = after;
    literal(&mut rest, b'/')?;
    let (year, after) = rest.split_first_chunk::<4>()?;
    let year = year.iter().try_fold(0, |sum, &byte| Some(sum * 10 + digit(byte)?))?;
    rest = after;
    literal(&mut rest, b':')?;
    let hour = number(&mut rest, 2, false)?;
    literal(&mut rest, b':')?;
    let minute = number(&mut rest, 2, false)?;
    literal(&mut rest, b':')?;
    let second = number(&mut rest, 2, false)?;
    let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    if blanks == 0 || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let offset = zone(&rest[blanks..])?;
    let month = i64::try_from(month).ok()?;
    if day == 0 || day > days_in(year, month) {
        return None;
    }
    let seconds = days_before(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let micros = seconds * SECOND - offset;
    (-MAX_TIME..=MAX_TIME).contains(&micros).then_some(micros)
}

/// `+HHMM`, `+HH:MM`, either with seconds and a fraction, or `Z`, in microseconds.
fn zone(text: &[u8]) -> Option<i64> {
    let (sign, mut rest) = match text.split_first()? {
        (b'Z', []) => return Some(0),
        (b'+', rest) => (1, rest),
        (b'-', rest) => (-1, rest),
        _ => return None,
    };
    let hours = two_digits(&mut rest)?;
    let colon = literal(&mut rest, b':').is_some();
    let minutes = two_digits(&mut rest)?;
    let mut offset = (hours * 3_600 + minutes * 60) * SECOND;
    if minutes > 59 || hours > 23 {
        return None;
    }
    if !rest.is_empty() {
        if colon != literal(&mut rest, b':').is_some() {
            return None;
        }
        let seconds = two_digits(&mut rest)?;
        if seconds > 59 {
            return None;
        }
        offset += seconds * SECOND;
    }
    if literal(&mut rest, b'.').is_some() {
        if rest.is_empty() || rest.len() > 6 {
            return None;
        }
        let mut unit = SECOND;
        for &byte in rest {
            unit /= 10;
            offset += digit(byte)? * unit;
        }
        rest = &[];
    }
    rest.is_empty().then_some(sign * offset)
}

/// Up to `most` digits; a blank may stand for the first where the field is padded.
fn number(rest: &mut &[u8], most: usize, padded: bool) -> Option<i64> {
    let skip = usize::from(padded && rest.first() == Some(&b' '));
    let mut value = 0;
    let mut digits = 0;
    while digits + skip < most {
        let Some(next) = rest.get(skip + digits).and_then(|&byte| digit(byte)) else { break };
        value = value * 10 + next;
        digits += 1;
    }
    *rest = &rest[skip + digits..];
    (digits > 0).then_some(value)
}

fn two_digits(rest: &mut &[u8]) -> Option<i64> {
    let (&[tens, ones], after) = rest.split_first_chunk::<2>()?;
    *rest = after;
    Some(digit(tens)? * 10 + digit(ones)?)
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

fn literal(rest: &mut &[u8], expected: u8) -> Option<()> {
    let (&first, after) = rest.split_first()?;
    (first == expected).then(|| *rest = after)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the epoch to this date, by Hinnant's `days_from_civil`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Writes a time as `2015-05-17T10:05:03Z`, with a fraction only where there is one.
pub fn write_iso(micros: i64, out: &mut Vec<u8>) {
    let days = micros.div_euclid(86_400 * SECOND);
    let of_day = micros.rem_euclid(86_400 * SECOND);
    // The inverse of `days_before`, from the same source.
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
    fn a_plain_time_is_seconds_since_the_epoch() {
        assert_eq!(parse(b"17/May/2015:10:05:03 +0000"), Some(1_431_857_103 * SECOND));
        assert_eq!(parse(b"01/Jan/1970:00:00:00 +0000"), Some(0));
        assert_eq!(parse(b"29/Feb/2000:23:59:59 +0000"), Some(951_868_799 * SECOND));
    }

    #[test]
    fn zones_move_it() {
        let utc = 1_431_857_103 * SECOND;
        assert_eq!(parse(b"17/May/2015:13:35:03 +0330"), Some(utc));
        assert_eq!(parse(b"17/May/2015:02:05:03 -08:00"), Some(utc));
        assert_eq!(parse(b"17/May/2015:10:05:03 Z"), Some(utc));
        assert_eq!(parse(b"17/May/2015:10:05:04 +00:00:01.5"), Some(utc - SECOND / 2));
    }

    #[test]
    fn what_strptime_takes_is_taken() {
        let time = parse(b"07/May/2015:01:02:03 +0000");
        assert!(time.is_some());
        for text in [
            "7/may/2015:1:2:3 +0000",
            " 7/MAY/2015:01:02:03 +0000",
            "07/May/2015:01:02:03  \t+0000",
        ] {
            assert_eq!(parse(text.as_bytes()), time, "{text:?}");
        }
    }

    #[test]
    fn a_leap_second_is_the_next_minute() {
        assert_eq!(parse(b"30/Jun/2015:23:59:60 +0000"), parse(b"01/Jul/2015:00:00:00 +0000"));
    }

    #[test]
    fn what_is_no_time_is_nothing() {
        for text in [
            "",
            "hello",
            "17/May/2015",
            "31/Feb/2015:10:05:03 +0000",
            "00/May/2015:10:05:03 +0000",
            "17/Mai/2015:10:05:03 +0000",
            "17/May/2015:24:05:03 +0000",
            "17/May/2015:10:60:03 +0000",
            "17/May/2015:10:05:61 +0000",
            "17/May/2015:10:05:03",
            "17/May/2015:10:05:03+0000",
            "17/May/2015:10:05:03 0000",
            "17/May/2015:10:05:03 +00",
            "17/May/2015:10:05:03 +0000 ",
            "17/May/0000:10:05:03 +0000",
            "17/May/2015:10:05:03 +0060",
            "17/May/2015:10:05:03 z",
            "01/Jan/1600:00:00:00 +0000",
            "31/Dec/9999:23:59:59 +0000",
            "117/May/2015:10:05:03 +0000",
            "17/May/2015:10:05:03 +00:0000",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }

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
    fn every_day_of_four_centuries_comes_back() {
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
