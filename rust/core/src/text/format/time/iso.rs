//! Parses ISO 8601 times as RFC 3339 defines them and programs write them.

use super::digits::{blanks, clock, exactly, four_pairs, fraction, literal};
use super::time_parts::TimeParts;
use super::zone::Zone;

/// Parses a date, a time of day, or both.
pub(super) fn read<'a>(text: &'a [u8], parts: &mut TimeParts<'a>) -> Option<()> {
    let mut rest = text;
    if text.get(2) != Some(&b':') {
        let (&date, after) = rest.split_first_chunk::<10>()?;
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else { return None };
        let [century, year, month, day] = four_pairs([y1, y2, y3, y4, m1, m2, d1, d2])?;
        parts.year = Some(century * 100 + year);
        [parts.month, parts.day] = [month, day];
        rest = after;
        let Some((mark, after)) = rest.split_first() else { return Some(()) };
        if !matches!(mark, b'T' | b't' | b' ') {
            return None;
        }
        rest = after;
    }
    time_of_day(&mut rest, parts)?;
    let blanks = blanks(&mut rest);
    if blanks > 0 || !rest.is_empty() {
        parts.zone = Zone::read(&mut rest)?;
    }
    rest.is_empty().then_some(())
}

/// `hh:mm`, or `hh:mm:ss` with an optional fraction.
fn time_of_day(rest: &mut &[u8], parts: &mut TimeParts<'_>) -> Option<()> {
    if let Some((&text, after)) = rest.split_first_chunk::<8>()
        && let Some(time) = clock(text)
    {
        *rest = after;
        [parts.minute, parts.second] = [time[1], time[2]];
        parts.hour = Some(time[0]);
        if let [b'.' | b',', after @ ..] = rest {
            *rest = after;
            parts.fraction = Some(fraction(rest, 1, 9)?);
        }
        return Some(());
    }
    parts.hour = Some(exactly::<2>(rest)?);
    literal(rest, b':')?;
    parts.minute = exactly::<2>(rest)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::format::time::SECOND;

    fn micros(text: &str) -> Option<i64> {
        let mut parts = TimeParts::default();
        read(text.as_bytes(), &mut parts)?;
        parts.micros(None)
    }

    #[test]
    fn the_default_is_midnight_in_utc_but_a_date_is_required() {
        let noon = 1_431_864_000 * SECOND;
        for text in [
            "2015-05-17T12:00:00Z",
            "2015-05-17 12:00:00",
            "2015-05-17t12:00z",
            "2015-05-17T12:00:00,000000000+00",
            "2015-05-17 14:00:00 +0200",
            "2015-05-17T06:30:00.0-05:30",
        ] {
            assert_eq!(micros(text), Some(noon), "{text}");
        }
        assert_eq!(micros("2015-05-17"), Some(noon - 43_200 * SECOND));
        assert_eq!(micros("12:00:00Z"), None);
    }

    #[test]
    fn invalid_times_are_none() {
        for text in [
            "",
            "2015",
            "2015-05",
            "2015-05-17T",
            "2015-05-17 ",
            "2015-05-17T12",
            "2015-05-17T12:",
            "2015-05-17T12:00:",
            "2015-05-17T12:00:0",
            "2015-05-17T24:00:00",
            "2015-05-17T12:00:61",
            "2015-05-17T12:00:00.",
            "2015-05-17T12:00:00.1234567890",
            "2015-05-17T12:00:00+",
            "2015-05-17T12:00:00+2",
            "2015-05-17T12:00:00+02:",
            "2015-05-17T12:00:00+02:6",
            "2015-05-17T12:00:00+24:00",
            "2015-05-17T12:00:00+02:60",
            "2015-05-17T12:00:00 ",
            "2015-05-17T12:00:00Zx",
            "2015-13-17",
            "2015-00-17",
            "2015-02-29",
            "2015-05-00",
            "15-05-17",
            "2015/05/17",
            "2015-05-17_12:00:00",
            "1600-01-01",
            "9999-12-31",
        ] {
            assert_eq!(micros(text), None, "{text:?}");
        }
    }
}
