//! Time zones: how a text names one, and the table of one.

use super::SECOND;
use super::digits::{digit, exactly, literal};

/// The zone in a text of a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Zone<'a> {
    /// The text has none.
    #[default]
    Unknown,
    /// An offset from UTC in microseconds.
    Offset(i64),
    /// Letters other than those of UTC: their meaning depends on the zone table.
    Name(&'a [u8]),
}

/// How UTC is called, in any case.
const UTC: [&[u8]; 4] = [b"UTC", b"GMT", b"Z", b"UT"];

impl<'a> Zone<'a> {
    /// Parses an offset, the name of a zone, or `GMT` with an offset.
    pub(super) fn read(rest: &mut &'a [u8]) -> Option<Self> {
        if matches!(rest.first()?, b'+' | b'-') {
            return offset(rest).map(Self::Offset);
        }
        let letters = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let (word, after) = rest.split_at(letters);
        if UTC.iter().any(|name| name.eq_ignore_ascii_case(word)) {
            *rest = after;
            return match after {
                [b'+' | b'-', ..] => offset(rest).map(Self::Offset),
                _ => Some(Self::Offset(0)),
            };
        }
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(byte);
        let length = match after {
            // The name of a zone in the tz database.
            [b'/' | b'_', ..] => rest.iter().take_while(is_part).count(),
            _ => letters,
        };
        let (name, after) = rest.split_at(length);
        *rest = after;
        (letters > 0).then_some(Self::Name(name))
    }
}

/// `+0200`, `+02:00`, `+02`, or with seconds and a fraction of one, `+02:00:01.5`; in microseconds.
pub(super) fn offset(rest: &mut &[u8]) -> Option<i64> {
    let (&sign, mut after) = rest.split_first()?;
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = exactly::<2>(&mut after)?;
    let has_colon = literal(&mut after, b':').is_some();
    let pair = |after: &mut &[u8]| {
        let mut further = *after;
        let value = exactly::<2>(&mut further)?;
        *after = further;
        Some(value)
    };
    let minutes = match pair(&mut after) {
        Some(minutes) => minutes,
        None if has_colon => return None,
        None => 0,
    };
    let mut offset = (hours * 60 + minutes) * 60 * SECOND;
    let mut further = after;
    if has_colon == literal(&mut further, b':').is_some()
        && let Some(seconds) = pair(&mut further)
    {
        after = further;
        if seconds > 59 {
            return None;
        }
        offset += seconds * SECOND + part_of_second(&mut after);
    }
    *rest = after;
    (hours <= 23 && minutes <= 59).then_some(sign * offset)
}

/// The digits after a dot, as microseconds.
fn part_of_second(rest: &mut &[u8]) -> i64 {
    let [b'.', digits @ ..] = *rest else { return 0 };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count().min(6);
    let (digits, after) = digits.split_at(length);
    if length > 0 {
        *rest = after;
    }
    let units = [100_000, 10_000, 1_000, 100, 10, 1];
    digits.iter().zip(units).filter_map(|(&byte, unit)| Some(digit(byte)? * unit)).sum()
}

/// The local times of a time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneTable {
    name: Box<str>,
    periods: Box<[Period]>,
}

/// A time in which a zone keeps its offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Period {
    /// The first instant, in microseconds since the epoch.
    pub(super) start: i64,
    /// The first local time of this period: where clocks are turned back, that is when the earlier
    /// period has ended.
    local_start: i64,
    /// The offset from UTC in microseconds.
    pub(super) offset: i64,
    /// How the zone is called in this time, such as CET.
    letters: Box<[u8]>,
}

impl ZoneTable {
    /// Creates a table from its periods in order: the first instant of each in seconds since the
    /// epoch, its offset in seconds, and its letters. The first one has no beginning.
    ///
    /// # Errors
    ///
    /// There is no period, or they are not in order.
    pub fn new(name: &str, periods: Vec<(i64, i64, String)>) -> Result<Self, &'static str> {
        const MOST: i64 = 86_400;
        let mut out: Vec<Period> = Vec::with_capacity(periods.len());
        for (start, offset, letters) in periods {
            if !(-MOST..=MOST).contains(&offset) {
                return Err("expected offsets of at most a day");
            }
            let offset = offset * SECOND;
            let (start, local_start) = match out.last() {
                None => (i64::MIN, i64::MIN),
                Some(last) => {
                    let start = start.saturating_mul(SECOND);
                    if start <= last.start {
                        return Err("expected periods in the order of their starts");
                    }
                    (start, start.saturating_add(offset.max(last.offset)))
                }
            };
            let letters = letters.into_bytes().into();
            out.push(Period { start, local_start, offset, letters });
        }
        if out.is_empty() {
            return Err("expected at least one period");
        }
        Ok(Self { name: name.into(), periods: out.into() })
    }

    /// The name that it was made with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The offset of a local time, both in microseconds. A local time that occurs twice is the
    /// first one; one that is skipped has the offset from before the change.
    pub(super) fn offset_at(&self, local: i64) -> i64 {
        self.periods[self.index_at(local)].offset
    }

    /// The offset at an instant, or none if the zone is UTC.
    pub(crate) fn offset_from_utc(&self, micros: i64) -> Option<i64> {
        if &*self.name == "UTC" {
            return None;
        }
        let index = self.periods.partition_point(|period| period.start <= micros);
        Some(self.periods[index.saturating_sub(1)].offset)
    }

    /// The offset of a local time for which a text has these letters, if they are in use then.
    pub(super) fn offset_of(&self, local: i64, letters: &[u8]) -> Option<i64> {
        if letters == self.name.as_bytes() {
            return Some(self.offset_at(local));
        }
        let index = self.index_at(local);
        // The letters decide between the two local times when clocks are turned back.
        [Some(index), index.checked_add(1)].into_iter().flatten().find_map(|index| {
            let period = self.periods.get(index)?;
            let utc = local.saturating_sub(period.offset);
            let end = self.periods.get(index + 1).map_or(i64::MAX, |next| next.start);
            let is_in_use = *period.letters == *letters && (period.start..end).contains(&utc);
            is_in_use.then_some(period.offset)
        })
    }

    /// The place of the period that holds an instant.
    pub(super) fn place_of(&self, instant: i64) -> usize {
        self.periods.partition_point(|period| period.start <= instant).saturating_sub(1)
    }

    /// A period and its end.
    pub(super) fn period(&self, place: usize) -> (&Period, i64) {
        let end = self.periods.get(place + 1).map_or(i64::MAX, |next| next.start);
        (&self.periods[place], end)
    }

    fn index_at(&self, local: i64) -> usize {
        self.periods.partition_point(|period| period.local_start <= local).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600 * SECOND;

    /// Winter, summer from 100 h on, winter from 200 h on.
    fn table() -> ZoneTable {
        let periods = [(0, 1, "CET"), (100, 2, "CEST"), (200, 1, "CET")];
        let periods = periods
            .map(|(start, offset, letters)| (start * 3_600, offset * 3_600, letters.to_owned()));
        ZoneTable::new("Europe/Berlin", periods.into()).unwrap()
    }

    #[test]
    fn a_skipped_time_has_the_offset_before_and_a_double_one_is_the_first() {
        let half = HOUR / 2;
        for (local, offset) in [
            (-1_000 * HOUR, 1),
            (100 * HOUR + half, 1),
            // From 101 to 102 h no local time exists.
            (101 * HOUR + half, 1),
            (102 * HOUR, 2),
            (201 * HOUR - half, 2),
            // From 201 to 202 h every local time exists twice.
            (201 * HOUR + half, 2),
            (202 * HOUR, 1),
            (9_000 * HOUR, 1),
        ] {
            assert_eq!(table().offset_at(local), offset * HOUR, "{local}");
        }
    }

    #[test]
    fn an_instant_has_the_offset_of_its_period() {
        for (hour, offset) in [(-1_000, 1), (99, 1), (100, 2), (199, 2), (200, 1)] {
            assert_eq!(table().offset_from_utc(hour * HOUR), Some(offset * HOUR), "{hour}");
        }
        let utc = ZoneTable::new("UTC", vec![(0, 0, "UTC".to_owned())]).unwrap();
        assert_eq!(utc.offset_from_utc(0), None);
    }

    #[test]
    fn letters_are_read_only_while_they_are_in_use() {
        let half = HOUR / 2;
        for (local, letters, offset) in [
            (50 * HOUR, "CET", Some(1)),
            (50 * HOUR, "CEST", None),
            (150 * HOUR, "CEST", Some(2)),
            (150 * HOUR, "CET", None),
            (150 * HOUR, "cest", None),
            (201 * HOUR + half, "CEST", Some(2)),
            (201 * HOUR + half, "CET", Some(1)),
            (101 * HOUR + half, "CET", None),
            (101 * HOUR + half, "CEST", None),
            (150 * HOUR, "Europe/Berlin", Some(2)),
            (150 * HOUR, "Europe/Paris", None),
        ] {
            let found = table().offset_of(local, letters.as_bytes());
            assert_eq!(found, offset.map(|hours| hours * HOUR), "{local} {letters}");
        }
    }

    #[test]
    fn a_table_out_of_order_is_an_error() {
        let period = |start: i64, offset: i64| (start, offset, String::new());
        for periods in
            [vec![], vec![period(0, 0), period(5, 1), period(5, 2)], vec![period(0, 86_401)]]
        {
            assert!(ZoneTable::new("x", periods).is_err());
        }
    }

    #[test]
    fn a_zone_is_read_up_to_its_end() {
        for (text, zone, rest) in [
            ("+0200 x", Some(Zone::Offset(2 * HOUR)), " x"),
            ("-03:30", Some(Zone::Offset(-7 * HOUR / 2)), ""),
            ("+02", Some(Zone::Offset(2 * HOUR)), ""),
            ("GMT+0100 (CET)", Some(Zone::Offset(HOUR)), " (CET)"),
            ("utc", Some(Zone::Offset(0)), ""),
            ("CEST 2024", Some(Zone::Name(b"CEST")), " 2024"),
            ("America/Port-au-Prince", Some(Zone::Name(b"America/Port-au-Prince")), ""),
            ("--500", None, ""),
            ("+24:00", None, ""),
            ("+2", None, ""),
            ("2024", None, ""),
            ("", None, ""),
        ] {
            let mut left = text.as_bytes();
            let found = Zone::read(&mut left);
            assert_eq!(found, zone, "{text}");
            assert!(found.is_none() || left == rest.as_bytes(), "{text}");
        }
    }
}
