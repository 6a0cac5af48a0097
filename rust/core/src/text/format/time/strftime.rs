//! What `strptime` reads, compiled once: a list of items that each take what is theirs.
//!
//! No item looks back and none tries another length, so a hostile text costs what any other does.
//! Hence digits are taken as many as there are, up to those that the item has.

use super::SECOND;
use super::digits::{blanks, exactly, fraction, literal, number, zone};
use super::names::{day_name, month_name};
use super::time_parts::TimeParts;

/// The parts of a time that a text has, in order.
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

/// What each letter behind a `%` stands for.
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

/// What most logs have, which is read in one go.
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
    /// Compiles a text; the error says at which byte and what to write instead.
    pub(super) fn new(text: &str) -> Result<Self, (usize, String)> {
        let mut items = Vec::new();
        let mut rest = text;
        while let Some(byte) = rest.bytes().next() {
            if byte == b'%' {
                let (found, after) =
                    directive(&rest[1..]).map_err(|mend| (text.len() - rest.len(), mend))?;
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
            let mend = "write one as for strptime, such as %Y-%m-%d %H:%M:%S";
            return Err((0, format!("no part of a time; {mend}")));
        }
        // Blanks take all there are, so that what is told twice would find none.
        items.dedup_by(|next, item| (*next, *item) == (Blanks, Blanks));
        Ok(Self { is_clf: items == CLF, items: items.into() })
    }

    /// Whether its times are those of an access log.
    pub(super) fn is_clf(&self) -> bool {
        self.is_clf
    }

    /// Takes what the text says into the moment.
    pub(super) fn read(&self, text: &[u8], parts: &mut TimeParts) -> Option<()> {
        let mut rest = text;
        for item in &self.items {
            item.take(&mut rest, parts)?;
        }
        rest.is_empty().then_some(())
    }
}

impl Item {
    fn take(self, rest: &mut &[u8], parts: &mut TimeParts) -> Option<()> {
        match self {
            Byte(byte) => literal(rest, byte)?,
            Blanks => return (blanks(rest) > 0).then_some(()),
            Year => parts.year = Some(exactly::<4>(rest)?),
            YearOfCentury => {
                // As POSIX has it.
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
            Zone => parts.offset = zone(rest)?,
            ZoneName => {
                let name = [&b"UTC"[..], b"GMT", b"Z"].into_iter().find(|name| {
                    rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
                })?;
                *rest = &rest[name.len()..];
                parts.offset = 0;
            }
        }
        Some(())
    }
}

/// What the text behind a `%` begins with, and what follows that; or what to write instead.
fn directive(text: &str) -> Result<(Vec<Item>, &str), String> {
    let mut letters = text.chars();
    let Some(letter) = letters.next() else {
        return Err("nothing follows the %; write %% for a percent sign".to_owned());
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
            format!("%{letter} has to go on with f, as in %{letter}f: digits of a fraction")
        }
        (':', Some('z')) => "%:z is unknown; write %z, it reads +02:00 too".to_owned(),
        ('-' | '_' | '^' | '#' | 'E' | 'O', Some(next)) => {
            format!("%{letter}{next} is unknown; write %{next}, it reads all of its forms")
        }
        ('c' | 'x' | 'X' | 'r' | '+', _) => {
            format!("%{letter} differs from system to system; write out its parts, such as %F %T")
        }
        ('C' | 'G' | 'U' | 'V' | 'W' | 'g' | 'u' | 'w', _) => {
            format!("%{letter} tells no day by itself; %Y, %m and %d or %j do")
        }
        _ => {
            let known: String =
                DIRECTIVES.iter().flat_map(|&(byte, _)| ['%', char::from(byte), ' ']).collect();
            format!("%{} is unknown; known are {}", letter.escape_debug(), known.trim_end())
        }
    })
}
