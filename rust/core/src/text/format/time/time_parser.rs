//! Parses times of known formats, in one part or several.

use std::sync::Arc;

use super::TimeFormat;
use super::bracketed;
use super::clf;
use super::epoch;
use super::iso;
use super::strftime::Strftime;
use super::time_parts::TimeParts;
use super::zone::ZoneTable;

/// Parses times whose parts have these formats.
#[derive(Clone, Debug)]
pub(crate) struct TimeParser {
    parts: Box<[PartParser]>,
    /// The zone of times without one; UTC by default.
    zone: Option<Arc<ZoneTable>>,
}

#[derive(Clone, Debug)]
enum PartParser {
    Clf,
    Iso,
    Epoch(i32),
    Strftime(Strftime),
    Any,
}

impl TimeParser {
    /// Compiles the formats of the parts. An error has the index of the part, the byte in its
    /// format, and a message that says what to write instead.
    pub(crate) fn new(formats: &[TimeFormat]) -> Result<Self, (usize, usize, String)> {
        let compiled = |(part, format): (usize, &TimeFormat)| {
            PartParser::new(format).map_err(|(byte, message)| (part, byte, message))
        };
        let parts = formats.iter().enumerate().map(compiled).collect::<Result<_, _>>()?;
        Ok(Self { parts, zone: None })
    }

    /// Reads times without a zone as those of this one.
    pub(crate) fn set_zone(&mut self, zone: &Arc<ZoneTable>) {
        self.zone = Some(Arc::clone(zone));
    }

    /// The power of ten of its unit in seconds, if the time is a single number.
    pub(crate) fn epoch(&self) -> Option<i32> {
        match *self.parts {
            [PartParser::Epoch(power)] => Some(power),
            _ => None,
        }
    }

    /// Parses a time to microseconds since the epoch. Returns nothing if a part is missing or
    /// invalid, or the time is out of range.
    pub(crate) fn read<'a>(&self, texts: impl Iterator<Item = Option<&'a [u8]>>) -> Option<i64> {
        self.read_on(None, texts)
    }

    /// As `read`; a time without a date is on the day that begins at this time.
    pub(crate) fn read_on<'a>(
        &self,
        midnight: Option<i64>,
        mut texts: impl Iterator<Item = Option<&'a [u8]>>,
    ) -> Option<i64> {
        if let ([part], None) = (&*self.parts, midnight) {
            return self.parse(part, texts.next()??);
        }
        let mut parts = TimeParts { midnight, ..TimeParts::default() };
        for part in &self.parts {
            part.add(texts.next()??, &mut parts)?;
        }
        parts.micros(self.zone.as_deref())
    }

    /// Parses a text that is the whole time.
    #[inline]
    fn parse(&self, part: &PartParser, text: &[u8]) -> Option<i64> {
        // The form of most logs has a fast path.
        let fast = match part {
            PartParser::Clf | PartParser::Any => clf::parse_fixed(text),
            PartParser::Epoch(power) => return epoch::read(text, *power),
            PartParser::Strftime(strftime) if strftime.is_clf() => clf::parse_fixed(text),
            PartParser::Iso | PartParser::Strftime(_) => None,
        };
        match fast {
            Some(micros) => Some(micros),
            None => self.parse_any_form(part, text),
        }
    }

    #[inline(never)]
    fn parse_any_form(&self, part: &PartParser, text: &[u8]) -> Option<i64> {
        let zone = self.zone.as_deref();
        if matches!(part, PartParser::Clf | PartParser::Any) {
            let found = bracketed::of_another_form(text, zone);
            if found.is_some() || matches!(part, PartParser::Clf) {
                return found;
            }
        }
        let mut parts = TimeParts::default();
        part.add(text, &mut parts)?;
        parts.micros(zone)
    }
}

impl PartParser {
    fn new(format: &TimeFormat) -> Result<Self, (usize, String)> {
        Ok(match format {
            TimeFormat::Clf => Self::Clf,
            TimeFormat::Iso => Self::Iso,
            TimeFormat::Epoch(power) => Self::Epoch((*power).into()),
            TimeFormat::Strftime(text) => Self::Strftime(Strftime::new(text)?),
            TimeFormat::Any => Self::Any,
        })
    }

    /// Parses a text into the parts of a time.
    fn add<'a>(&self, text: &'a [u8], parts: &mut TimeParts<'a>) -> Option<()> {
        match self {
            Self::Clf => bracketed::read(text, parts)?,
            Self::Iso => iso::read(text, parts)?,
            Self::Epoch(power) => parts.epoch = Some(epoch::read(text, *power)?),
            Self::Strftime(strftime) => strftime.read(text, parts)?,
            Self::Any => match text {
                [_, _, b':', ..] | [_, _, _, _, b'-', ..] => iso::read(text, parts)?,
                _ => match epoch::by_length(text) {
                    Some(micros) => parts.epoch = Some(micros),
                    None => bracketed::read(text, parts)?,
                },
            },
        }
        Some(())
    }
}
