//! The time of an access log where all of its digits are there.
//!
//! `17/May/2015:10:05:03 +0000` is what nearly all servers write, always in as many bytes, so
//! each number is at a place that is known. `time` reads whatever differs, and says what is none.

use super::time::{self, SECOND};

const LENGTH: usize = 26;

/// The days of a common year in front of each month, and of all.
const DAYS_BEFORE: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

/// Microseconds since the epoch, or nothing where the text is no time.
pub(super) fn parse(text: &[u8]) -> Option<i64> {
    text.try_into().ok().and_then(usual).or_else(|| time::parse(text))
}

fn usual(text: &[u8; LENGTH]) -> Option<i64> {
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
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
        b' ',
        sign @ (b'+' | b'-'),
        o1,
        o2,
        o3,
        o4,
    ] = text
    else {
        return None;
    };
    let month: usize = match &[m1, m2, m3] {
        b"Jan" => 0,
        b"Feb" => 1,
        b"Mar" => 2,
        b"Apr" => 3,
        b"May" => 4,
        b"Jun" => 5,
        b"Jul" => 6,
        b"Aug" => 7,
        b"Sep" => 8,
        b"Oct" => 9,
        b"Nov" => 10,
        b"Dec" => 11,
        _ => return None,
    };
    let mut highest = 0;
    let mut two = |tens: u8, ones: u8| {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        highest = highest.max(tens).max(ones);
        i64::from(tens) * 10 + i64::from(ones)
    };
    let (day, year) = (two(d1, d2), two(y1, y2) * 100 + two(y3, y4));
    let (hour, minute, second) = (two(h1, h2), two(n1, n2), two(s1, s2));
    let (hours, minutes) = (two(o1, o2), two(o3, o4));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = DAYS_BEFORE[month + 1] - DAYS_BEFORE[month] + i64::from(leap && month == 1);
    let fits = highest <= 9
        && (1..=last).contains(&day)
        && (1970..=2200).contains(&year)
        && hour <= 23
        && minute <= 59
        && second <= 60
        && hours <= 23
        && minutes <= 59;
    if !fits {
        return None;
    }
    // Leap days from 1970 to the year before: 1968 is the last one in front of them, 1900 and
    // 1600 the last whole centuries without and with one.
    let before = year - 1;
    let leaps = (before - 1968) / 4 - (before - 1900) / 100 + (before - 1600) / 400;
    let of_year = DAYS_BEFORE[month] + i64::from(leap && month > 1) + day - 1;
    let days = (year - 1970) * 365 + leaps + of_year;
    let offset = (hours * 60 + minutes) * 60;
    let seconds = days * 86_400 + (hour * 60 + minute) * 60 + second;
    Some((if sign == b'-' { seconds + offset } else { seconds - offset }) * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MONTHS: [&str; 13] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "dec"];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn the_short_way_gives_what_the_long_way_gives(
            date in (0..33_u8, prop::sample::select(&MONTHS[..]), 1960..2260_u16),
            clock in (0..25_u8, 0..61_u8, 0..62_u8),
            zone in (prop::sample::select(vec!['+', '-', 'Z']), 0..25_u8, 0..61_u8),
            change in (any::<prop::sample::Index>(), prop::sample::select(b"0019/: +-x".to_vec())),
        ) {
            let ((day, month, year), (hour, minute, second)) = (date, clock);
            let (sign, hours, minutes) = zone;
            let text = format!(
                "{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02} {sign}{hours:02}{minutes:02}"
            );
            prop_assert_eq!(parse(text.as_bytes()), time::parse(text.as_bytes()), "{}", text);
            let mut changed = text.into_bytes();
            changed[change.0.index(LENGTH)] = change.1;
            prop_assert_eq!(parse(&changed), time::parse(&changed), "{:?}", changed);
        }
    }

    #[test]
    fn every_day_from_1970_to_2200_takes_the_short_way_and_is_a_day_after_the_last() {
        let mut expected = 0;
        for year in 1970..=2200 {
            for month in &MONTHS[..12] {
                for day in 1..=31 {
                    let text = format!("{day:02}/{month}/{year}:00:00:00 +0000");
                    let found = usual(text.as_bytes().try_into().unwrap());
                    assert_eq!(found, time::parse(text.as_bytes()), "{text}");
                    if found.is_some() {
                        assert_eq!(found, Some(expected * 86_400 * SECOND), "{text}");
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(expected, 231 * 365 + 56);
    }
}
