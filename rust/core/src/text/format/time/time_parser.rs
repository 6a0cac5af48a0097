//! Parses times of known formats, in one part or several.

use super::TimeFormat;
use super::clf;
use super::epoch;
use super::iso;
use super::strftime::Strftime;
use super::time_parts::TimeParts;

/// Parses times whose parts have these formats.
#[derive(Clone, Debug)]
pub(crate) struct TimeParser {
    parts: Box<[PartParser]>,
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
        Ok(Self { parts })
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
    pub(crate) fn read<'a>(
        &self,
        mut texts: impl Iterator<Item = Option<&'a [u8]>>,
    ) -> Option<i64> {
        if let [part] = &*self.parts {
            return part.parse(texts.next()??);
        }
        let mut parts = TimeParts::default();
        for part in &self.parts {
            part.add(texts.next()??, &mut parts)?;
        }
        parts.micros()
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

    /// Parses a text that is the whole time.
    fn parse(&self, text: &[u8]) -> Option<i64> {
        let mut fast = None;
        match self {
            Self::Clf => return clf::parse(text),
            Self::Epoch(power) => return epoch::read(text, *power),
            // The format of most logs has a fast path.
            Self::Any => fast = clf::parse_fixed(text),
            Self::Strftime(strftime) if strftime.is_clf() => fast = clf::parse_fixed(text),
            Self::Iso | Self::Strftime(_) => {}
        }
        if fast.is_some() {
            return fast;
        }
        let mut parts = TimeParts::default();
        self.add(text, &mut parts)?;
        parts.micros()
    }

    /// Parses a text into the parts of a time.
    fn add(&self, text: &[u8], parts: &mut TimeParts) -> Option<()> {
        match self {
            Self::Clf => parts.epoch = Some(clf::parse(text)?),
            Self::Iso => iso::read(text, parts)?,
            Self::Epoch(power) => parts.epoch = Some(epoch::read(text, *power)?),
            Self::Strftime(strftime) => strftime.read(text, parts)?,
            Self::Any => match text {
                [_, b'/', ..] | [_, _, b'/', ..] => parts.epoch = Some(clf::parse(text)?),
                [_, _, b':', ..] | [_, _, _, _, b'-', ..] => iso::read(text, parts)?,
                _ => parts.epoch = Some(epoch::by_length(text)?),
            },
        }
        Some(())
    }
}
