//! Parses a time in any form that servers write between the brackets of an access log.
//!
//! The text alone decides how it is read. A day, a year, or the name of a weekday or a month comes
//! first, or the text is a number since the epoch. A month is a name or comes after the year, so no
//! text has two readings.

use super::calendar::{days_before, days_in};
use super::clf;
use super::digits::{
    blanks, clock, digit, exactly, four_pairs, fraction, literal, number, seconds_of_day,
};
use super::epoch;
use super::names::{day_name, month_name, month_of};
use super::time_parts::{TimeParts, to_utc};
use super::zone::{Zone, ZoneTable};
use super::{SECOND, in_range};

/// Longer than any time that a server writes.
const LONGEST: usize = 80;

/// Parses a time. A time without a zone is one of this zone, or UTC.
#[inline]
pub(in super::super) fn parse(text: &[u8], table: Option<&ZoneTable>) -> Option<i64> {
    match clf::parse_fixed(text) {
        Some(micros) => Some(micros),
        None => of_another_form(text, table),
    }
}

#[inline(never)]
pub(super) fn of_another_form(text: &[u8], table: Option<&ZoneTable>) -> Option<i64> {
    if let Some((local, zone)) = full_width(text) {
        return in_range(to_utc(local, zone, table)?);
    }
    let mut parts = TimeParts::default();
    read(text, &mut parts)?;
    parts.micros(table)
}

/// Parses `17/May/2015:10:05:03` or `2015-05-17T10:05:03`, both with a blank as the separator or a
/// fraction too, and a zone of digits, `Z` or none. Returns the local time in microseconds.
#[inline]
fn full_width(text: &[u8]) -> Option<(i64, Zone<'static>)> {
    let (year, month, day, rest) = match *text {
        [d1, d2, b'/', m1, m2, m3, b'/', y1, y2, y3, y4, b':' | b' ', ref rest @ ..] => {
            let [century, year, day, _] = four_pairs([y1, y2, y3, y4, d1, d2, b'0', b'0'])?;
            (century * 100 + year, month_of([m1, m2, m3])?, day, rest)
        }
        [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b' ', ref rest @ ..] => {
            let [century, year, month, day] = four_pairs([y1, y2, y3, y4, m1, m2, d1, d2])?;
            (century * 100 + year, month, day, rest)
        }
        _ => return None,
    };
    let is_date =
        (1..=12).contains(&month) && day > 0 && (day <= 28 || day <= days_in(year, month));
    let (&time, mut rest) = rest.split_first_chunk()?;
    let seconds = seconds_of_day(clock(time)?)?;
    let mut local = (days_before(year, month, day) * 86_400 + seconds) * SECOND;
    if let [b'.' | b',', after @ ..] = rest {
        rest = after;
        local += fraction(&mut rest, 1, 9)?;
    }
    let zone = match *rest.strip_prefix(b" ").unwrap_or(rest) {
        [] if rest.is_empty() => Zone::Unknown,
        [b'Z'] => Zone::Offset(0),
        [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => {
            let hours = digit(h1)? * 10 + digit(h2)?;
            let minutes = digit(m1)? * 10 + digit(m2)?;
            let offset = (hours * 60 + minutes) * 60 * SECOND;
            match sign {
                _ if hours > 23 || minutes > 59 => return None,
                b'+' => Zone::Offset(offset),
                b'-' => Zone::Offset(-offset),
                _ => return None,
            }
        }
        _ => return None,
    };
    is_date.then_some((local, zone))
}

/// Parses all forms into the parts of a time.
pub(super) fn read<'a>(text: &'a [u8], parts: &mut TimeParts<'a>) -> Option<()> {
    if text.len() > LONGEST {
        return None;
    }
    let mut rest = text.trim_ascii();
    match rest.iter().take_while(|byte| byte.is_ascii_digit()).count() {
        0 => return after_a_name(&mut rest, parts),
        1 | 2 => day_month_year(&mut rest, parts)?,
        4 => year_month_day(&mut rest, parts)?,
        8 => compact_date(&mut rest, parts)?,
        14 => {
            compact_date(&mut rest, parts)?;
            compact_time_of_day(&mut rest, parts)?;
            return zone_up_to_end(&mut rest, parts);
        }
        digits => {
            parts.epoch = Some(since_epoch(rest, digits)?);
            return Some(());
        }
    }
    time_after_date(&mut rest, parts)
}

/// A number in seconds, milliseconds, microseconds or nanoseconds, as many digits as present-day
/// times have, so that a process number or a duration is no time.
fn since_epoch(text: &[u8], digits: usize) -> Option<i64> {
    let power = match digits {
        10 => 0,
        13 => -3,
        16 => -6,
        19 => -9,
        _ => return None,
    };
    let fits = match &text[digits..] {
        [] => true,
        [b'.', fraction @ ..] => !fraction.is_empty() && fraction.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if fits { epoch::read(text, power) } else { None }
}

/// `20150517`.
fn compact_date(rest: &mut &[u8], parts: &mut TimeParts<'_>) -> Option<()> {
    parts.year = Some(exactly::<4>(rest)?);
    [parts.month, parts.day] = [exactly::<2>(rest)?, exactly::<2>(rest)?];
    Some(())
}

/// `100503`, or with a fraction.
fn compact_time_of_day(rest: &mut &[u8], parts: &mut TimeParts<'_>) -> Option<()> {
    parts.hour = Some(exactly::<2>(rest)?);
    [parts.minute, parts.second] = [exactly::<2>(rest)?, exactly::<2>(rest)?];
    part_of_second(rest, parts)
}

/// `17/May/2015`, `17-May-2015`, `17 May 2015`, or with a year of two digits.
fn day_month_year(rest: &mut &[u8], parts: &mut TimeParts<'_>) -> Option<()> {
    parts.day = number(rest, 2, false)?;
    let mark = *rest.first()?;
    date_mark(rest, mark)?;
    parts.month = month_name(rest)?;
    date_mark(rest, mark)?;
    parts.year = Some(match rest.iter().take_while(|byte| byte.is_ascii_digit()).count() {
        // As POSIX defines it.
        2 => (exactly::<2>(rest)? + 31) % 100 + 1969,
        _ => exactly::<4>(rest)?,
    });
    Some(())
}

/// `2015-05-17`, `2015/05/17`, `2015.5.17` or `2015-May-17`.
fn year_month_day(rest: &mut &[u8], parts: &mut TimeParts<'_>) -> Option<()> {
    parts.year = Some(exactly::<4>(rest)?);
    let mark = *rest.first()?;
    date_mark(rest, mark)?;
    parts.month = match rest.first()? {
        b'0'..=b'9' => number(rest, 2, false)?,
        _ => month_name(rest)?,
    };
    date_mark(rest, mark)?;
    parts.day = number(rest, 2, false)?;
    Some(())
}

/// The byte between the parts of a date; blanks count as one.
fn date_mark(rest: &mut &[u8], mark: u8) -> Option<()> {
    match mark {
        b'/' | b'-' | b'.' => literal(rest, mark),
        _ => (blanks(rest) > 0).then_some(()),
    }
}

/// A time of day after a date, with its zone, up to the end.
fn time_after_date<'a>(rest: &mut &'a [u8], parts: &mut TimeParts<'a>) -> Option<()> {
    match rest.first()? {
        b'T' | b't' | b':' => *rest = &rest[1..],
        b' ' | b'\t' => {}
        _ => return None,
    }
    blanks(rest);
    time_of_day(rest, parts)?;
    zone_up_to_end(rest, parts)
}

/// `10:05`, `10:05:03` or `10:05:03.120`; `100503` too.
fn time_of_day(rest: &mut &[u8], parts: &mut TimeParts<'_>) -> Option<()> {
    if rest.first_chunk::<6>().is_some_and(|six| six.iter().all(u8::is_ascii_digit)) {
        return compact_time_of_day(rest, parts);
    }
    parts.hour = Some(number(rest, 2, false)?);
    literal(rest, b':')?;
    parts.minute = number(rest, 2, false)?;
    if literal(rest, b':').is_some() {
        parts.second = number(rest, 2, false)?;
        part_of_second(rest, parts)?;
    }
    Some(())
}

fn part_of_second(rest: &mut &[u8], parts: &mut TimeParts<'_>) -> Option<()> {
    if let [b'.' | b',', after @ ..] = rest {
        *rest = after;
        parts.fraction = Some(fraction(rest, 1, 9)?);
    }
    Some(())
}

/// A zone if there is one, and what servers write after it: a fraction, or the zone's name.
fn zone_up_to_end<'a>(rest: &mut &'a [u8], parts: &mut TimeParts<'a>) -> Option<()> {
    blanks(rest);
    if rest.is_empty() {
        return Some(());
    }
    parts.zone = Zone::read(rest)?;
    if parts.fraction.is_none() {
        part_of_second(rest, parts)?;
    }
    if matches!(parts.zone, Zone::Offset(_)) && blanks(rest) > 0 {
        let is_name = match rest {
            [b'(', name @ .., b')'] => !name.is_empty(),
            name => name.iter().all(u8::is_ascii_alphabetic),
        };
        return is_name.then_some(());
    }
    rest.is_empty().then_some(())
}

/// A text that begins with a weekday or a month: `Sun, 17 May 2015 10:05:03 GMT`,
/// `Sun May 17 10:05:03.120 UTC 2015`, `May 17 2015 10:05:03`.
fn after_a_name<'a>(rest: &mut &'a [u8], parts: &mut TimeParts<'a>) -> Option<()> {
    if day_name(rest).is_some() {
        let _ = literal(rest, b',');
        if blanks(rest) == 0 {
            return None;
        }
        if rest.first()?.is_ascii_digit() {
            day_month_year(rest, parts)?;
            return time_after_date(rest, parts);
        }
    }
    parts.month = month_name(rest)?;
    blanks(rest);
    parts.day = number(rest, 2, false)?;
    let _ = literal(rest, b',');
    if blanks(rest) == 0 {
        return None;
    }
    if rest.iter().take(4).all(u8::is_ascii_digit) {
        parts.year = Some(exactly::<4>(rest)?);
        return time_after_date(rest, parts);
    }
    time_of_day(rest, parts)?;
    if blanks(rest) == 0 {
        return None;
    }
    if !rest.first()?.is_ascii_digit() {
        parts.zone = Zone::read(rest)?;
        if blanks(rest) == 0 {
            return None;
        }
    }
    parts.year = Some(exactly::<4>(rest)?);
    match parts.zone {
        Zone::Unknown => zone_up_to_end(rest, parts),
        _ => rest.is_empty().then_some(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utc(text: &str) -> Option<i64> {
        parse(text.as_bytes(), None)
    }

    #[test]
    fn a_plain_time_is_seconds_since_the_epoch() {
        assert_eq!(utc("17/May/2015:10:05:03 +0000"), Some(1_431_857_103 * SECOND));
        assert_eq!(utc("01/Jan/1970:00:00:00 +0000"), Some(0));
        assert_eq!(utc("29/Feb/2000:23:59:59 +0000"), Some(951_868_799 * SECOND));
    }

    #[test]
    fn every_form_is_the_same_instant() {
        let expected = Some(1_431_857_103 * SECOND);
        for text in [
            "17/May/2015:10:05:03 +0000",
            "17/May/2015:10:05:03",
            "17/May/2015 10:05:03",
            "17/May/2015 10:05:03 +0000",
            "17/May/2015:10:05:03+0000",
            "17/May/2015:10:05:03 +00",
            "17/May/2015:10:05:03 Z",
            "17/May/2015:10:05:03 z",
            "17/May/2015:10:05:03 UTC",
            "17/May/2015:10:05:03 gmt",
            "17/May/2015:10:05:03 UT",
            "17/May/2015:13:35:03 +0330",
            "17/May/2015:02:05:03 -08:00",
            "17/May/2015:10:05:04 +00:00:01",
            "17/May/2015:10:05:03.000 +0000",
            "17/May/2015:10:05:03 +0000.000000",
            "17/May/2015:10:5:3 +0000",
            "17/may/2015: 10:05:03 +0000",
            " 17/MAY/2015:10:05:03  \t+0000 ",
            "17-May-2015 10:05:03",
            "17 May 2015 10:05:03",
            "17 May 2015 12:05:03 +0200",
            "2015-05-17T10:05:03Z",
            "2015-05-17T10:05:03+00:00",
            "2015-05-17t10:05:03.000000000Z",
            "2015-05-17 10:05:03,000",
            "2015-05-17 12:05:03 +02",
            "2015-05-17 10:05:03 UTC",
            "2015-05-17 12:05:03.000 +0200 CEST",
            "2015/05/17 10:05:03",
            "2015-May-17 10:05:03.000000",
            "2015-05-17:10:05:03",
            "20150517T10:05:03Z",
            "20150517T120503+0200",
            "20150517100503",
            "2015.5.17 10:05:03",
            "Sun, 17 May 2015 10:05:03 GMT",
            "Sunday, 17-May-15 10:05:03 GMT",
            "Sun May 17 10:05:03 2015",
            "Sun May 17 10:05:03.000000 2015",
            "Sun May 17 10:05:03 UTC 2015",
            "Sun May 17 12:05:03 +0200 2015",
            "Sun May 17 2015 12:05:03 GMT+0200 (Central European Summer Time)",
            "May 17, 2015 10:05:03",
            "1431857103",
            "1431857103.000",
            "1431857103000",
            "1431857103000000",
            "1431857103000000000",
        ] {
            assert_eq!(utc(text), expected, "{text:?}");
        }
    }

    #[test]
    fn parts_are_padded_with_a_blank_or_a_zero() {
        let expected = utc("04/Jun/2021:06:07:15 +0000");
        assert!(expected.is_some());
        for text in [
            "04/Jun/2021: 6:07:15 +0000",
            " 4/Jun/2021: 6:07:15 +0000",
            "4/Jun/2021:6:7:15 +0000",
            "Fri Jun  4 06:07:15 2021",
            "Fri Jun 04 06:07:15 2021",
        ] {
            assert_eq!(utc(text), expected, "{text:?}");
        }
    }

    #[test]
    fn fractions_are_kept_to_the_microsecond() {
        let expected = Some(1_431_857_103_123_456);
        for text in [
            "17/May/2015:10:05:03.123456 +0000",
            "17/May/2015:10:05:03 +0000.123456",
            "17/May/2015 10:05:03,123456",
            "2015-05-17T10:05:03.1234569Z",
            "Sun May 17 10:05:03.123456 2015",
            "1431857103.123456",
            "1431857103123.456",
            "1431857103123456",
            "1431857103123456789",
        ] {
            assert_eq!(utc(text), expected, "{text:?}");
        }
        let half = Some(1_431_857_103 * SECOND - SECOND / 2);
        assert_eq!(utc("17/May/2015:10:05:04 +00:00:01.5"), half);
    }

    #[test]
    fn a_leap_second_is_the_next_minute() {
        let midnight = utc("01/Jul/2015:00:00:00 +0000");
        for text in ["30/Jun/2015:23:59:60 +0000", "30/Jun/2015 23:59:60", "2015-06-30T23:59:60Z"] {
            assert_eq!(utc(text), midnight, "{text:?}");
        }
    }

    #[test]
    fn invalid_times_are_none() {
        for text in [
            "",
            "-",
            "hello",
            "17/May/2015",
            "2015-05-17",
            "10:05:03",
            "31/Feb/2015:10:05:03 +0000",
            "31/Feb/2015:10:05:03",
            "2015-02-31T10:05:03Z",
            "00/May/2015:10:05:03 +0000",
            "17/Mai/2015:10:05:03 +0000",
            "17/05/2015:10:05:03 +0000",
            "05/17/2015 10:05:03",
            "17/May/2015:24:05:03 +0000",
            "17/May/2015:10:60:03 +0000",
            "17/May/2015:10:05:61 +0000",
            "17/May/2015:10:05:03 0000",
            "17/May/2015:10:05:03.",
            "17/May/2015:10:05:03.1234567890",
            "17/May/2015:10:05:03 PM",
            "17/May/2015:10:05:03 PST",
            "17/May/2015:10:05:03 CEST",
            "17/May/2015:10:05:03 Europe/Berlin",
            "17/May/0000:10:05:03 +0000",
            "17/May/2015:10:05:03 +0060",
            "17/May/2015:10:05:03 +2400",
            "01/Jan/1600:00:00:00 +0000",
            "31/Dec/9999:23:59:59 +0000",
            "117/May/2015:10:05:03 +0000",
            "17/May/2015:10:05:03 +00:0000",
            "17/May/2015:10:05:03 +0000 x1",
            "17/May/2015T10:05:03Zx",
            "17/May-2015:10:05:03",
            "May 17 10:05:03",
            "Sun May 17 10:05:03",
            "12345",
            "0.003",
            "143185710",
            "20151317100503",
            "20150517246060",
            "31/Mar/2009:14:15:37 --500",
            "30/avril/2014:07:45:31 +0200",
            "1431857103.",
            "1431857103.12x",
            "-1431857103",
        ] {
            assert_eq!(utc(text), None, "{text:?}");
        }
    }

    /// A time of a usual width, with a byte changed in some.
    fn nearly_full_width() -> impl Strategy<Value = Vec<u8>> {
        let date = prop_oneof![
            "[0-3][0-9]/(Jan|feb|MAR|Dec|Jux)/(19|20)[0-9]{2}[: ]",
            "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9][T ]",
        ];
        let zone = "( |)(|Z|[+-][0-2][0-9][0-6][0-9]|[+-][01][0-9]:[0-5][0-9]|[+-]02|UTC|CEST)";
        let text = (date, "[0-2][0-9]:[0-5][0-9]:[0-6][0-9]", "(|[.,][0-9]{1,10})", zone);
        let spoiled = prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
        (text, spoiled).prop_map(|((date, time, fraction, zone), spoiled)| {
            let mut text = format!("{date}{time}{fraction}{zone}").into_bytes();
            if let Some((index, byte)) = spoiled {
                let index = index.index(text.len());
                text[index] = byte;
            }
            text
        })
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(4_000))]

        #[test]
        fn a_time_of_full_width_is_read_as_by_its_parts(text in nearly_full_width()) {
            let zone = ZoneTable::new("+1", vec![(0, 3_600, "CEST".into())]).unwrap();
            for table in [None, Some(&zone)] {
                let mut parts = TimeParts::default();
                let expected = read(&text, &mut parts).and_then(|()| parts.micros(table));
                prop_assert_eq!(parse(&text, table), expected);
                if let Some((local, zone)) = full_width(&text) {
                    let fast = to_utc(local, zone, table).and_then(in_range);
                    prop_assert_eq!(fast, expected);
                }
            }
        }
    }
}
