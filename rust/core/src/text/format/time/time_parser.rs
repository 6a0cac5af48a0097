//! Times as a format tells how they are written, in one part or several.

use super::TimeFormat;
use super::clf;
use super::epoch;
use super::iso;
use super::strftime::Strftime;
use super::time_parts::TimeParts;

/// Reads times whose parts are written in certain forms.
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
    /// Compiles the forms of the parts. The error is of a part, at a byte of its text, and says
    /// what to write instead.
    pub(crate) fn new(formats: &[TimeFormat]) -> Result<Self, (usize, usize, String)> {
        let compiled = |(part, format): (usize, &TimeFormat)| {
            PartParser::new(format).map_err(|(byte, mend)| (part, byte, mend))
        };
        let parts = formats.iter().enumerate().map(compiled).collect::<Result<_, _>>()?;
        Ok(Self { parts })
    }

    /// Where it is one number, to which power of ten that counts seconds.
    pub(crate) fn epoch(&self) -> Option<i32> {
        match *self.parts {
            [PartParser::Epoch(power)] => Some(power),
            _ => None,
        }
    }

    /// Microseconds since the epoch, or nothing where a part is missing or unreadable, or all of
    /// them are no time in range.
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

    /// The time of a text that is all of it.
    fn parse(&self, text: &[u8]) -> Option<i64> {
        let mut usual = None;
        match self {
            Self::Clf => return clf::parse(text),
            Self::Epoch(power) => return epoch::read(text, *power),
            // What most logs have, at once.
            Self::Any => usual = clf::as_usual(text),
            Self::Strftime(strftime) if strftime.is_clf() => usual = clf::as_usual(text),
            Self::Iso | Self::Strftime(_) => {}
        }
        if usual.is_some() {
            return usual;
        }
        let mut parts = TimeParts::default();
        self.add(text, &mut parts)?;
        parts.micros()
    }

    /// Takes what a text says into the moment.
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
