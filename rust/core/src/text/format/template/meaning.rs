//! What a directive or a variable stands for, and which name that gets in a format.

use super::super::names;
use super::super::read::Read;
use super::super::time::TimeFormat;
use super::Shape;

/// What a directive or a variable of a pasted format stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    /// The name that it has in all formats, or none.
    pub(super) standard: &'static str,
    /// Of several that could have that name in one format, the least gets it.
    pub(super) rank: u8,
    /// The name that it has otherwise.
    pub(super) own: String,
    /// What its text may look like.
    pub(super) shape: Shape,
    /// How its text is read.
    pub(super) read: Read,
}

impl Meaning {
    /// Something that has no name but its own.
    pub(super) fn own(own: impl Into<String>, shape: Shape, read: Read) -> Self {
        Self { standard: "", rank: 0, own: own.into(), shape, read }
    }

    /// Text of its own name.
    pub(super) fn text(own: impl Into<String>) -> Self {
        Self::own(own, Shape::Free, Read::Text)
    }

    /// What is passed over.
    pub(super) fn nothing(shape: Shape) -> Self {
        Self::own("", shape, Read::Text)
    }
}

/// Gives each meaning its final name and its final type.
///
/// A name is given once, to the best that could have it. What is part of something else in the
/// same format, such as the method beside the whole request, keeps its own name; so does a
/// second time. What stands there twice is passed over the second time.
pub(super) fn name(meanings: &mut [Meaning]) -> Vec<String> {
    let times = times(meanings);
    let mut names: Vec<String> = Vec::with_capacity(meanings.len());
    for index in 0..meanings.len() {
        let meaning = &meanings[index];
        let standard = meaning.standard;
        let wins = match standard {
            "" => false,
            "time" => times[index],
            _ => best(meanings, standard) == Some(index) && !is_part(meanings, standard),
        };
        let name = if wins {
            standard.to_owned()
        } else if meaning.own.is_empty() || meanings[..index].contains(meaning) {
            String::new()
        } else {
            free(&names, meanings, &meaning.own)
        };
        if standard == "time" && !wins && !is_complete(&meaning.read) {
            // A part of a time alone is no time, and text of as many words as it has.
            let of_words = |text: &str| text.contains([' ', '\t']);
            if matches!(&meanings[index].read, Read::Time(TimeFormat::Strftime(text)) if of_words(text))
            {
                meanings[index].shape = Shape::Free;
            }
            meanings[index].read = Read::Text;
        }
        names.push(name);
    }
    names
}

/// The first of the least rank.
fn best(meanings: &[Meaning], standard: &str) -> Option<usize> {
    let of_it = meanings.iter().enumerate().filter(|(_, meaning)| meaning.standard == standard);
    of_it.min_by_key(|(_, meaning)| meaning.rank).map(|(index, _)| index)
}

/// Whether the format has something whole of which this is derived.
fn is_part(meanings: &[Meaning], standard: &str) -> bool {
    let has = |whole: &str| meanings.iter().any(|meaning| meaning.standard == whole);
    match standard {
        "method" | "url" | "protocol" => has("request"),
        "path" | "query" => has("request") || has("url"),
        _ => false,
    }
}

/// The name, or with a number behind it where it means something else.
fn free(names: &[String], meanings: &[Meaning], own: &str) -> String {
    let is_taken = |name: &str| {
        names.iter().any(|taken| taken == name)
            || names::known(name).is_some()
            || meanings.iter().any(|meaning| meaning.standard == name)
    };
    if !is_taken(own) {
        return own.to_owned();
    }
    // Every name that is taken has a meaning, so there is a number that is not.
    (2..=meanings.len() + 2)
        .map(|number| format!("{own}_{number}"))
        .find(|name| !is_taken(name))
        .unwrap_or_default()
}

/// Which meanings are the time of the line: the best whole one and what makes it finer, or all
/// parts where they are a time only together.
fn times(meanings: &[Meaning]) -> Vec<bool> {
    let told: Vec<Option<Tells>> = meanings
        .iter()
        .map(|meaning| match (&meaning.read, meaning.standard) {
            (Read::Time(format), "time") => Some(Tells::by(format)),
            _ => None,
        })
        .collect();
    let whole = told.iter().enumerate().filter(|(_, tells)| tells.is_some_and(Tells::is_whole));
    let Some((best, Some(chosen))) = whole.min_by_key(|(index, _)| meanings[*index].rank) else {
        let all = Tells(told.iter().flatten().fold(0_u8, |all, tells| all | tells.0));
        return told.iter().map(|tells| tells.is_some() && all.is_whole()).collect();
    };
    let adds = |tells: Tells| tells.adds_to(*chosen);
    told.iter().enumerate().map(|(index, tells)| index == best || tells.is_some_and(adds)).collect()
}

fn is_complete(read: &Read) -> bool {
    matches!(read, Read::Time(format) if Tells::by(format).is_whole())
}

/// What of a time a text tells: a sum of the four below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tells(u8);

const DAY: u8 = 1;
const CLOCK: u8 = 2;
const FRACTION: u8 = 4;
const ZONE: u8 = 8;

impl Tells {
    fn by(format: &TimeFormat) -> Self {
        match format {
            TimeFormat::Clf | TimeFormat::Epoch(0) => Self(DAY | CLOCK | ZONE),
            TimeFormat::Iso | TimeFormat::Epoch(_) | TimeFormat::Any => {
                Self(DAY | CLOCK | FRACTION | ZONE)
            }
            TimeFormat::Strftime(text) => Self::by_strftime(text),
        }
    }

    fn by_strftime(text: &str) -> Self {
        let directives = text.split('%').skip(1).map(|rest| rest.trim_start_matches(['3', '6']));
        let letters: Vec<u8> = directives.filter_map(|rest| rest.bytes().next()).collect();
        let has = |wanted: &[u8]| letters.iter().any(|letter| wanted.contains(letter));
        let of_the_year = has(b"j") || (has(b"mbBh") && has(b"de"));
        let tells = [
            (DAY, has(b"s") || (has(b"yY") && of_the_year)),
            (CLOCK, has(b"HIkls")),
            (FRACTION, has(b"f")),
            (ZONE, has(b"zZs")),
        ];
        Self(tells.iter().filter(|(_, told)| *told).map(|(what, _)| what).sum())
    }

    fn is_whole(self) -> bool {
        self.0 & (DAY | CLOCK) == DAY | CLOCK
    }

    /// Whether this is a fraction or a zone that the whole time does not have itself.
    fn adds_to(self, whole: Self) -> bool {
        self.0 & (DAY | CLOCK) == 0 && self.0 & whole.0 == 0
    }
}
