//! Durations as people write them: `15m`, `1h30m`, `1d`.

/// The longest: a hundred years.
const LONGEST: i64 = 36_525 * DAY;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

const UNITS: [(&str, i64); 7] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3_600 * SECOND),
    ("d", DAY),
    ("w", 7 * DAY),
];

/// The microseconds of a duration: numbers with units, the largest unit first.
pub(super) fn micros(text: &str) -> Option<i64> {
    let mut rest = text;
    let (mut sum, mut largest) = (0.0, i64::MAX);
    while !rest.is_empty() {
        let digits = rest.find(|found: char| !found.is_ascii_digit() && found != '.')?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|found: char| !found.is_ascii_lowercase()).unwrap_or(after.len());
        let (_, unit) = UNITS.iter().find(|known| known.0 == &after[..letters])?;
        let is_number =
            number.starts_with(|first: char| first.is_ascii_digit()) && !number.ends_with('.');
        if !is_number || *unit >= largest {
            return None;
        }
        largest = *unit;
        #[expect(clippy::cast_precision_loss, reason = "units are exact floats")]
        let unit = *unit as f64;
        sum += number.parse::<f64>().ok()? * unit;
        rest = &after[letters..];
    }
    #[expect(clippy::cast_possible_truncation, reason = "longer ones are none")]
    let micros = sum.round() as i64;
    (1..=LONGEST).contains(&micros).then_some(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_units() {
        for (text, micros_of) in [
            ("1h", Some(3_600 * SECOND)),
            ("90m", Some(5_400 * SECOND)),
            ("1h30m", Some(5_400 * SECOND)),
            ("1.5h", Some(5_400 * SECOND)),
            ("1w", Some(7 * DAY)),
            ("250ms", Some(250_000)),
            ("1us", Some(1)),
            ("36525d", Some(LONGEST)),
            ("36526d", None),
            ("99999999999999999999d", None),
            ("0s", None),
            ("0.1us", None),
            ("-1h", None),
            ("+1h", None),
            ("1", None),
            ("h", None),
            ("", None),
            (".5h", None),
            ("1.h", None),
            ("1.5.5h", None),
            ("30m1h", None),
            ("1h1h", None),
            ("1 h", None),
            ("1H", None),
            ("1hour", None),
            ("1h30", None),
        ] {
            assert_eq!(micros(text), micros_of, "{text}");
        }
    }
}
