//! Durations as people write them: `90s`, `1h30m`, `1 hour 30 minutes`, `2w`.

use std::fmt;

use super::quoted;

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurationError {
    kind: ErrorKind,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ErrorKind {
    NoDuration,
    NoUnit {
        number: String,
    },
    UnknownUnit {
        unit: String,
    },
    /// A month or a year, and the same number of them in days.
    NoFixedLength {
        unit: String,
        days: String,
    },
    /// `M`, and the number of minutes and of days.
    Ambiguous {
        number: String,
        days: String,
    },
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        match &self.kind {
            ErrorKind::NoDuration => {
                write!(f, "expected a duration such as 300s, 5m, 1h30m or 1d, found {text}")
            }
            ErrorKind::NoUnit { number } => write!(
                f,
                "expected a unit after {number}, such as {number}s or {number}m, found {text}"
            ),
            ErrorKind::UnknownUnit { unit } => {
                write!(f, "expected a unit such as ms, s, m, h, d or w, found {unit} in {text}")
            }
            ErrorKind::NoFixedLength { unit, days } => write!(
                f,
                "expected units of a fixed length, found {unit} in {text}; write days, such as \
                 {days}d"
            ),
            ErrorKind::Ambiguous { number, days } => write!(
                f,
                "expected m for minutes, found M in {text}, which could be months; write \
                 {number}m or {days}d"
            ),
        }
    }
}

impl std::error::Error for DurationError {}

const SECOND: i128 = super::SECOND as i128;
const DAY: i128 = 86_400 * SECOND;

const UNITS: [(&[&str], i128); 7] = [
    // The micro sign and the Greek letter.
    (&["us", "\u{b5}s", "\u{3bc}s", "usec", "usecs", "microsecond", "microseconds"], 1),
    (&["ms", "msec", "msecs", "millisecond", "milliseconds"], 1_000),
    (&["s", "sec", "secs", "second", "seconds"], SECOND),
    (&["m", "min", "mins", "minute", "minutes"], 60 * SECOND),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600 * SECOND),
    (&["d", "day", "days"], DAY),
    (&["w", "wk", "wks", "week", "weeks"], 7 * DAY),
];

/// Units whose length depends on the date, and about how many days they have.
const NOT_FIXED: [(&[&str], i128); 2] =
    [(&["mo", "mon", "mons", "month", "months"], 30), (&["y", "yr", "yrs", "year", "years"], 365)];

/// Digits after the point that are read. Further ones are less than a microsecond of any unit.
const FRACTION_DIGITS: usize = 18;
const SCALE: i128 = 10_i128.pow(18);

/// The length of a quoted text in messages.
const MAX_SHOWN: usize = 80;

/// Parses a duration: numbers, each with a unit, whose lengths are added.
///
/// It is in microseconds, rounded to the nearest. A minus sign at the start makes all of it
/// negative. A longer one than an `i64` holds is `i64::MAX` or `i64::MIN`.
pub fn parse_duration(text: &str) -> Result<i64, DurationError> {
    let shown = || quoted(&text.chars().take(MAX_SHOWN).collect::<String>());
    let error = |kind| DurationError { kind, text: shown() };
    let trimmed = text.trim();
    let (negative, mut rest) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    // In units of 10⁻¹⁸ microseconds.
    let mut total: i128 = 0;
    loop {
        let (number, scaled, after) = number(rest).ok_or_else(|| error(ErrorKind::NoDuration))?;
        let after = after.trim_start();
        let end = after.find(|one: char| !one.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if unit.is_empty() {
            let is_end = after.is_empty();
            let number = number.to_owned();
            let kind = if is_end { ErrorKind::NoUnit { number } } else { ErrorKind::NoDuration };
            return Err(error(kind));
        }
        let size = size(unit, number, scaled).map_err(error)?;
        total = total.saturating_add(scaled.saturating_mul(size));
        rest = after.trim_start();
        if rest.is_empty() {
            break;
        }
    }
    let rounded = total.saturating_add(SCALE / 2) / SCALE;
    let signed = if negative { -rounded } else { rounded };
    let bound = if negative { i64::MIN } else { i64::MAX };
    Ok(i64::try_from(signed).unwrap_or(bound))
}

/// The number that a text begins with, as text and times 10¹⁸, and what follows it.
fn number(text: &str) -> Option<(&str, i128, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let fraction = text[whole..].strip_prefix('.').map_or(0, digits);
    let end = if fraction > 0 { whole + 1 + fraction } else { whole };
    if end == 0 {
        return None;
    }
    let mut scaled: i128 = 0;
    let kept = &text[end - fraction..end][..fraction.min(FRACTION_DIGITS)];
    for digit in text[..whole].bytes().chain(kept.bytes()) {
        scaled = scaled.saturating_mul(10).saturating_add(i128::from(digit - b'0'));
    }
    for _ in kept.len()..FRACTION_DIGITS {
        scaled = scaled.saturating_mul(10);
    }
    Some((&text[..end], scaled, &text[end..]))
}

/// The microseconds of a unit. The number before it is for the message.
fn size(unit: &str, number: &str, scaled: i128) -> Result<i128, ErrorKind> {
    let lower = unit.to_lowercase();
    let find = |table: &[(&[&str], i128)]| {
        table.iter().find(|(names, _)| names.contains(&&*lower)).map(|&(_, size)| size)
    };
    let days = |each: i128| {
        let all = scaled.saturating_mul(each) / SCALE;
        if all > 0 { all } else { each }.to_string()
    };
    if unit == "M" {
        return Err(ErrorKind::Ambiguous { number: number.to_owned(), days: days(30) });
    }
    if let Some(each) = find(&NOT_FIXED) {
        return Err(ErrorKind::NoFixedLength { unit: quoted(unit), days: days(each) });
    }
    find(&UNITS).ok_or_else(|| {
        let unit = quoted(&unit.chars().take(MAX_SHOWN).collect::<String>());
        ErrorKind::UnknownUnit { unit }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_are_added() {
        for (text, seconds) in [
            ("300s", 300.0),
            ("90 sec", 90.0),
            ("1 minute", 60.0),
            ("5 Minutes", 300.0),
            ("1h30m", 5_400.0),
            ("1H30m", 5_400.0),
            ("1 hour 30 minutes", 5_400.0),
            ("1hour30min", 5_400.0),
            ("1.5h", 5_400.0),
            (".5h", 1_800.0),
            ("1d12h", 129_600.0),
            ("1w", 604_800.0),
            (" 2 W ", 1_209_600.0),
            ("250ms", 0.25),
            ("250\u{b5}s", 0.000_25),
            ("-5h", -18_000.0),
            ("-1h30m", -5_400.0),
            ("+5h", 18_000.0),
            ("0s", 0.0),
        ] {
            #[expect(clippy::cast_possible_truncation, reason = "whole microseconds")]
            let expected = (seconds * 1e6) as i64;
            assert_eq!(parse_duration(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_fraction_is_exact_and_rounded_once() {
        assert_eq!(parse_duration("0.0000004s 0.0000004s"), Ok(1));
        assert_eq!(parse_duration("0.4us"), Ok(0));
        assert_eq!(parse_duration("0.000001000000000000000000000001s"), Ok(1));
        assert_eq!(parse_duration("0.1s"), Ok(100_000));
    }

    #[test]
    fn a_number_of_any_length_has_a_bound() {
        assert_eq!(parse_duration(&format!("{}s", "9".repeat(400))), Ok(i64::MAX));
        assert_eq!(parse_duration(&format!("-{}w", "9".repeat(400))), Ok(i64::MIN));
        assert_eq!(parse_duration(&format!("{}w", "9".repeat(19))), Ok(i64::MAX));
    }

    #[test]
    fn an_error_says_what_to_write() {
        for (text, message) in [
            ("", "expected a duration such as 300s, 5m, 1h30m or 1d, found ''"),
            ("soon", "expected a duration such as 300s, 5m, 1h30m or 1d, found 'soon'"),
            ("1:30", "expected a duration such as 300s, 5m, 1h30m or 1d, found '1:30'"),
            ("1.h", "expected a duration such as 300s, 5m, 1h30m or 1d, found '1.h'"),
            ("- 5h", "expected a duration such as 300s, 5m, 1h30m or 1d, found '- 5h'"),
            ("300", "expected a unit after 300, such as 300s or 300m, found '300'"),
            ("1h30", "expected a unit after 30, such as 30s or 30m, found '1h30'"),
            ("1h3x", "expected a unit such as ms, s, m, h, d or w, found 'x' in '1h3x'"),
            (
                "5M",
                "expected m for minutes, found M in '5M', which could be months; write 5m or 150d",
            ),
            (
                "1mo",
                "expected units of a fixed length, found 'mo' in '1mo'; write days, such as 30d",
            ),
            (
                "2 Years",
                "expected units of a fixed length, found 'Years' in '2 Years'; write days, such \
                 as 730d",
            ),
        ] {
            assert_eq!(parse_duration(text).unwrap_err().to_string(), message, "{text}");
        }
        let long = parse_duration(&format!("1{}", "\u{e9}".repeat(10_000))).unwrap_err();
        assert!(long.to_string().len() < 500);
    }
}
