//! The day of lines that have only a time of day, from the `#Date:` lines before them.
//!
//! The header names the day, and a file may go on past midnight. A time that is earlier than the
//! newest one by more than half a day is on the next day. One that is a little earlier is out of
//! order. Anything between is neither, so the day is unknown until a header names it again.

use super::super::time::{DAY, TimeFormat, TimeParser};
use crate::ground::SECOND;

/// How far lines can be out of order.
const DISORDER: i64 = 600 * SECOND;

/// What servers write after `#Date:`. The second and third are those of the W3C's draft.
const HEADER_DATES: [fn() -> TimeFormat; 4] = [
    || TimeFormat::Iso,
    || TimeFormat::Strftime("%d-%b-%Y %H:%M:%S".into()),
    || TimeFormat::Strftime("%d-%b-%Y".into()),
    || TimeFormat::Strftime("%a %b %d %H:%M:%S %Z %Y".into()),
];

/// The day that the lines have reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Days {
    /// Its midnight in microseconds since the epoch, if it is known.
    midnight: Option<i64>,
    /// The newest time of the day, in microseconds.
    newest: i64,
    /// Whether the day before it was reached by lines too.
    is_later: bool,
}

impl Days {
    /// The day in a `#Date:` line.
    pub(super) fn named(text: &[u8]) -> Self {
        let text = text.trim_ascii();
        let mut parsers = HEADER_DATES.iter().filter_map(|form| TimeParser::new(&[form()]).ok());
        match parsers.find_map(|parser| parser.read(std::iter::once(Some(text)))) {
            Some(time) => {
                let newest = time.rem_euclid(DAY);
                Self { midnight: Some(time - newest), newest, is_later: false }
            }
            None => Self::default(),
        }
    }

    /// Whether a header has named the day.
    pub(crate) fn is_known(self) -> bool {
        self.midnight.is_some()
    }

    /// Goes on to a line with this time of day, and returns the midnight of its day.
    pub(crate) fn advance(&mut self, time: i64) -> Option<i64> {
        let midnight = self.midnight?;
        let back = self.newest - time;
        if back > DAY / 2 {
            *self = Self { midnight: Some(midnight + DAY), newest: time, is_later: true };
        } else if back > DISORDER {
            *self = Self::default();
        } else if self.is_later && back + DAY <= DISORDER {
            // Out of order, from before midnight.
            return Some(midnight - DAY);
        } else {
            self.newest = self.newest.max(time);
        }
        self.midnight
    }
}

/// The microseconds since midnight, if the text is a time of day.
pub(crate) fn time_of_day(text: &[u8]) -> Option<i64> {
    let iso = TimeParser::new(&[TimeFormat::Iso]).ok()?;
    let time = iso.read_on(Some(0), std::iter::once(Some(text)))?;
    (0..DAY).contains(&time).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIFTH: i64 = 1_707_091_200 * SECOND;

    fn time(hour: i64, minute: i64) -> i64 {
        (hour * 60 + minute) * 60 * SECOND
    }

    #[test]
    fn the_day_is_read_in_each_form_or_unknown() {
        for text in [
            "2024-02-05",
            " 2024-02-05 00:00:00\r",
            "05-Feb-2024 00:00:00",
            "5-feb-2024",
            "2024-02-05T01:00:00+01:00",
            "Mon Feb 05 00:00:00 GMT 2024",
        ] {
            let days = Days::named(text.as_bytes());
            assert_eq!((days.midnight, days.newest), (Some(FIFTH), 0), "{text}");
        }
        assert_eq!(Days::named(b"2024-02-05 11:56:17").newest, time(11, 56) + 17 * SECOND);
        for text in ["", "today", "2024-02-30", "02/05/2024", "502-Jan-2008 10:00:00"] {
            assert_eq!(Days::named(text.as_bytes()), Days::default(), "{text}");
        }
    }

    #[test]
    fn midnight_disorder_and_doubt() {
        let mut days = Days::named(b"2024-02-05 23:50:00");
        let mut day =
            |hour, minute| days.advance(time(hour, minute)).map(|day| (day - FIFTH) / DAY);
        let lines = [(23, 59), (23, 51), (0, 0), (23, 55), (0, 1), (12, 0), (11, 50), (23, 59)];
        let found: Vec<_> = lines.iter().map(|&(hour, minute)| day(hour, minute)).collect();
        assert_eq!(found, [0, 0, 1, 0, 1, 1, 1, 1].map(Some));
        // Neither disorder nor certainly another day.
        assert_eq!([day(20, 0), day(21, 0), day(0, 0)], [None; 3]);
    }

    #[test]
    fn a_time_of_day_may_have_a_fraction() {
        assert_eq!(time_of_day(b"11:56:17.25"), Some(time(11, 56) + 17_250_000));
        for text in ["", "-", "24:00:00", "2024-02-05 11:56:17"] {
            assert_eq!(time_of_day(text.as_bytes()), None, "{text}");
        }
    }
}
