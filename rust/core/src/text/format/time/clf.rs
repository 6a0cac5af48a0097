//! Parses the times of access logs.
//!
//! `17/May/2015:10:05:03 +0000` is parsed like Python's `%d/%b/%Y:%H:%M:%S %z`, with English month
//! names whatever the locale. Variants that `strptime` allows (one digit for a day, several blanks,
//! `Z`, `+HH:MM:SS`) are accepted too. A leap second is the first second of the next minute, as in
//! POSIX, where Python's `datetime` fails.

use super::calendar::{days_before, days_in};
use super::digits::{
    blanks, clock, digit, exactly, four_pairs, literal, number, of_day, seconds_of_day,
};
use super::names::{month_at, month_of};
use super::{SECOND, in_range};

/// Parses a time to microseconds since the epoch.
pub(in super::super) fn parse(text: &[u8]) -> Option<i64> {
    match parse_fixed(text) {
        Some(micros) => Some(micros),
        None => parse_any_form(text),
    }
}

/// Parses the form that servers write, with every part at a fixed position.
#[inline]
pub(super) fn parse_fixed(text: &[u8]) -> Option<i64> {
    let text: &[u8; 26] = text.try_into().ok()?;
    let &[
        d1,
        d2,
        b'/',
        m1,
        m2,
        m3,
        b'/',
        y1,
        y2,
        y3,
        y4,
        b':',
        h1,
        h2,
        c1,
        i1,
        i2,
        c2,
        s1,
        s2,
        b' ',
        sign,
        z1,
        z2,
        z3,
        z4,
    ] = text
    else {
        return None;
    };
    let time = seconds_of_day(clock([h1, h2, c1, i1, i2, c2, s1, s2])?)?;
    let [century, year, hours, minutes] = four_pairs([y1, y2, y3, y4, z1, z2, z3, z4])?;
    let day = digit(d1)? * 10 + digit(d2)?;
    let month = month_of([m1, m2, m3])?;
    let year = century * 100 + year;
    if day == 0 || (day > 28 && day > days_in(year, month)) {
        return None;
    }
    let zone = (hours * 60 + minutes) * 60;
    let zone = match sign {
        b'+' => -zone,
        b'-' => zone,
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    in_range((days_before(year, month, day) * 86_400 + time + zone) * SECOND)
}

/// Parses all other forms that `strptime` accepts.
#[cold]
pub(super) fn parse_any_form(text: &[u8]) -> Option<i64> {
    let mut rest = text;
    let day = number(&mut rest, 2, true)?;
    literal(&mut rest, b'/')?;
    let month = month_at(&mut rest)?;
    literal(&mut rest, b'/')?;
    let year = exactly::<4>(&mut rest)?;
    literal(&mut rest, b':')?;
    let hour = number(&mut rest, 2, false)?;
    literal(&mut rest, b':')?;
    let minute = number(&mut rest, 2, false)?;
    literal(&mut rest, b':')?;
    let second = number(&mut rest, 2, false)?;
    let time = of_day([hour, minute, second])?;
    if blanks(&mut rest) == 0 {
        return None;
    }
    let offset = zone(rest)?;
    if day == 0 || day > days_in(year, month) {
        return None;
    }
    in_range(days_before(year, month, day) * 86_400 * SECOND + time - offset)
}

/// `+HHMM`, `+HH:MM`, either with seconds and a fraction, or `Z`, in microseconds.
fn zone(text: &[u8]) -> Option<i64> {
    let (sign, mut rest) = match text.split_first()? {
        (b'Z', []) => return Some(0),
        (b'+', rest) => (1, rest),
        (b'-', rest) => (-1, rest),
        _ => return None,
    };
    let hours = exactly::<2>(&mut rest)?;
    let colon = literal(&mut rest, b':').is_some();
    let minutes = exactly::<2>(&mut rest)?;
    let mut offset = (hours * 3_600 + minutes * 60) * SECOND;
    if minutes > 59 || hours > 23 {
        return None;
    }
    if !rest.is_empty() {
        if colon != literal(&mut rest, b':').is_some() {
            return None;
        }
        let seconds = exactly::<2>(&mut rest)?;
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
    fn zones_are_converted_to_utc() {
        let utc = 1_431_857_103 * SECOND;
        assert_eq!(parse(b"17/May/2015:13:35:03 +0330"), Some(utc));
        assert_eq!(parse(b"17/May/2015:02:05:03 -08:00"), Some(utc));
        assert_eq!(parse(b"17/May/2015:10:05:03 Z"), Some(utc));
        assert_eq!(parse(b"17/May/2015:10:05:04 +00:00:01.5"), Some(utc - SECOND / 2));
    }

    #[test]
    fn forms_that_strptime_accepts_are_accepted() {
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
    fn invalid_times_are_none() {
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
}
