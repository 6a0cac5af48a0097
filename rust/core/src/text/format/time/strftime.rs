//! Compiles `strptime` formats to lists of items, each of which consumes its part of the text.
//!
//! No item backtracks or tries several lengths, so a hostile text costs the same as any other. So
//! an item takes as many digits as there are, up to its maximum.

use super::SECOND;
use super::digits::{blanks, exactly, fraction, literal, number};
use super::names::{day_name, month_name};
use super::time_parts::TimeParts;
use super::zone::{self, Zone as ZoneOfText};

/// A compiled format.
#[derive(Clone, Debug)]
pub(super) struct Strftime {
    items: Box<[Item]>,
    is_clf: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Byte(u8),
    Blanks,
    Year,
    YearOfCentury,
    Month,
    MonthName,
    Day,
    YearDay,
    DayName,
    Hour,
    HalfDayHour,
    HalfDay,
    Minute,
    Second,
    Fraction { least: u8, most: u8 },
    Epoch,
    Zone,
    ZoneName,
}

use Item::{
    Blanks, Byte, Day, DayName, Epoch, Fraction, HalfDay, HalfDayHour, Hour, Minute, Month,
    MonthName, Second, Year, YearDay, YearOfCentury, Zone, ZoneName,
};

/// The items of each directive letter.
const DIRECTIVES: &[(u8, &[Item])] = &[
    (b'%', &[Byte(b'%')]),
    (b'A', &[DayName]),
    (b'B', &[MonthName]),
    (b'D', &[Month, Byte(b'/'), Day, Byte(b'/'), YearOfCentury]),
    (b'F', &[Year, Byte(b'-'), Month, Byte(b'-'), Day]),
    (b'H', &[Hour]),
    (b'I', &[HalfDayHour]),
    (b'L', &[Fraction { least: 3, most: 3 }]),
    (b'M', &[Minute]),
    (b'N', &[Fraction { least: 1, most: 9 }]),
    (b'R', &[Hour, Byte(b':'), Minute]),
    (b'S', &[Second]),
    (b'T', &[Hour, Byte(b':'), Minute, Byte(b':'), Second]),
    (b'Y', &[Year]),
    (b'Z', &[ZoneName]),
    (b'a', &[DayName]),
    (b'b', &[MonthName]),
    (b'd', &[Day]),
    (b'e', &[Day]),
    (b'f', &[Fraction { least: 1, most: 9 }]),
    (b'h', &[MonthName]),
    (b'j', &[YearDay]),
    (b'k', &[Hour]),
    (b'l', &[HalfDayHour]),
    (b'm', &[Month]),
    (b'n', &[Blanks]),
    (b'p', &[HalfDay]),
    (b's', &[Epoch]),
    (b't', &[Blanks]),
    (b'y', &[YearOfCentury]),
    (b'z', &[Zone]),
];

/// The format of most logs, which has a fast path.
const CLF: &[Item] = &[
    Day,
    Byte(b'/'),
    MonthName,
    Byte(b'/'),
    Year,
    Byte(b':'),
    Hour,
    Byte(b':'),
    Minute,
    Byte(b':'),
    Second,
    Blanks,
    Zone,
];

impl Strftime {
    /// Compiles a format. An error is its byte in the text, and a message that says what to write
    /// instead.
    pub(super) fn new(text: &str) -> Result<Self, (usize, String)> {
        let mut items = Vec::new();
        let mut rest = text;
        while let Some(byte) = rest.bytes().next() {
            if byte == b'%' {
                let (found, after) =
                    directive(&rest[1..]).map_err(|message| (text.len() - rest.len(), message))?;
                items.extend(found);
                rest = after;
            } else if byte.is_ascii_whitespace() {
                items.push(Blanks);
                rest = rest.trim_ascii_start();
            } else {
                let end = rest.find(|c: char| c == '%' || c.is_ascii_whitespace());
                let (plain, after) = rest.split_at(end.unwrap_or(rest.len()));
                items.extend(plain.bytes().map(Byte));
                rest = after;
            }
        }
        if items.iter().all(|item| matches!(item, Byte(_) | Blanks)) {
            let message = "expected a time format as for strptime, such as %Y-%m-%d %H:%M:%S";
            return Err((0, message.to_owned()));
        }
        // The first of two `Blanks` takes all of them and would leave none for the second.
        items.dedup_by(|next, item| (*next, *item) == (Blanks, Blanks));
        Ok(Self { is_clf: items == CLF, items: items.into() })
    }

    /// Whether this is the format of access logs.
    pub(super) fn is_clf(&self) -> bool {
        self.is_clf
    }

    /// Parses a text into the parts of a time.
    pub(super) fn read<'a>(&self, text: &'a [u8], parts: &mut TimeParts<'a>) -> Option<()> {
        let mut rest = text;
        for item in &self.items {
            item.take(&mut rest, parts)?;
        }
        rest.is_empty().then_some(())
    }
}

impl Item {
    fn take<'a>(self, rest: &mut &'a [u8], parts: &mut TimeParts<'a>) -> Option<()> {
        match self {
            Byte(byte) => literal(rest, byte)?,
            Blanks => return (blanks(rest) > 0).then_some(()),
            Year => parts.year = Some(exactly::<4>(rest)?),
            YearOfCentury => {
                // As POSIX defines it.
                let year = exactly::<2>(rest)?;
                parts.year = Some(if year < 69 { 2000 + year } else { 1900 + year });
            }
            Month => parts.month = number(rest, 2, true)?,
            MonthName => parts.month = month_name(rest)?,
            Day => parts.day = number(rest, 2, true)?,
            YearDay => parts.year_day = Some(number(rest, 3, false)?),
            DayName => day_name(rest)?,
            Hour => parts.hour = Some(number(rest, 2, true)?),
            HalfDayHour => parts.half_day_hour = Some(number(rest, 2, true)?),
            HalfDay => {
                let (half, after) = rest.split_first_chunk::<2>()?;
                parts.is_afternoon = half.eq_ignore_ascii_case(b"pm");
                if !parts.is_afternoon && !half.eq_ignore_ascii_case(b"am") {
                    return None;
                }
                *rest = after;
            }
            Minute => parts.minute = number(rest, 2, false)?,
            Second => parts.second = number(rest, 2, false)?,
            Fraction { least, most } => {
                parts.fraction = Some(fraction(rest, least.into(), most.into())?);
            }
            Epoch => parts.epoch = Some(number(rest, 10, false)? * SECOND),
            Zone => {
                parts.zone = match rest {
                    [b'Z' | b'z', after @ ..] => {
                        *rest = after;
                        ZoneOfText::Offset(0)
                    }
                    _ => ZoneOfText::Offset(zone::offset(rest)?),
                }
            }
            ZoneName => parts.zone = ZoneOfText::read(rest)?,
        }
        Some(())
    }
}

/// Parses the directive after a `%`. Returns its items and the rest of the text, or what to write
/// instead.
fn directive(text: &str) -> Result<(Vec<Item>, &str), String> {
    let mut letters = text.chars();
    let Some(letter) = letters.next() else {
        return Err("expected a directive after %; write %% for a percent sign".to_owned());
    };
    let after = letters.as_str();
    if let Some(&(_, items)) = DIRECTIVES.iter().find(|(byte, _)| char::from(*byte) == letter) {
        return Ok((items.to_vec(), after));
    }
    let next = letters.next();
    if let (Some(digits @ 1..=9), Some('f' | 'N')) = (letter.to_digit(10), next) {
        let digits = u8::try_from(digits).unwrap_or_default();
        return Ok((vec![Fraction { least: digits, most: digits }], letters.as_str()));
    }
    Err(match (letter, next) {
        ('0'..='9', _) => {
            format!("expected f after %{letter}, as in %{letter}f for the digits of a fraction")
        }
        (':', Some('z')) => "unknown directive %:z; write %z, which also reads +02:00".to_owned(),
        ('-' | '_' | '^' | '#' | 'E' | 'O', Some(next)) => {
            format!("unknown directive %{letter}{next}; write %{next}, which reads all its forms")
        }
        ('c' | 'x' | 'X' | 'r' | '+', _) => {
            format!("%{letter} depends on the system; write out its parts, such as %F %T")
        }
        ('C' | 'G' | 'U' | 'V' | 'W' | 'g' | 'u' | 'w', _) => {
            format!("%{letter} does not determine a date; use %Y, %m and %d, or %Y and %j")
        }
        _ => {
            let known: String =
                DIRECTIVES.iter().flat_map(|&(byte, _)| ['%', char::from(byte), ' ']).collect();
            format!(
                "unknown directive %{}; expected one of {}",
                letter.escape_debug(),
                known.trim_end()
            )
        }
    })
}
