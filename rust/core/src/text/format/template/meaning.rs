//! What a directive or a variable means, and the name its field gets in a format.

use super::super::field_type::FieldType;
use super::super::standard_fields;
use super::super::time::TimeFormat;
use super::Syntax;

/// What a directive or a variable of a pasted format means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    /// The field name that all formats share, or empty.
    pub(super) standard: &'static str,
    /// Where several in one format could have that name, the lowest rank gets it.
    pub(super) rank: u8,
    /// The name it gets otherwise; empty if its text is skipped.
    pub(super) own: String,
    /// The syntax of its text.
    pub(super) syntax: Syntax,
    /// How its text is read.
    pub(super) read: FieldType,
}

impl Meaning {
    /// A meaning without a shared name.
    pub(super) fn own(own: impl Into<String>, syntax: Syntax, read: FieldType) -> Self {
        Self { standard: "", rank: 0, own: own.into(), syntax, read }
    }

    /// Free text with a name of its own.
    pub(super) fn text(own: impl Into<String>) -> Self {
        Self::own(own, Syntax::Free, FieldType::Text)
    }

    /// Text that is matched and skipped.
    pub(super) fn skipped(syntax: Syntax) -> Self {
        Self::own("", syntax, FieldType::Text)
    }
}

/// Gives each meaning its final name and its final type.
///
/// Each shared name is given once, to the candidate with the lowest rank. A meaning that is part
/// of another one in the same format, such as the method beside the whole request, keeps its own
/// name; so does a second time. A repeated directive is skipped the second time.
pub(super) fn assign_names(meanings: &mut [Meaning]) -> Vec<String> {
    let times = times(meanings);
    let mut names: Vec<String> = Vec::with_capacity(meanings.len());
    for index in 0..meanings.len() {
        let meaning = &meanings[index];
        let standard = meaning.standard;
        let wins = match standard {
            "" => false,
            "time" => times[index],
            _ => best(meanings, standard) == Some(index) && !has_whole(meanings, standard),
        };
        let name = if wins {
            standard.to_owned()
        } else if meaning.own.is_empty() || meanings[..index].contains(meaning) {
            String::new()
        } else {
            unused_name(&names, meanings, &meaning.own)
        };
        if standard == "time" && !wins && !is_complete(&meaning.read) {
            // An incomplete time alone cannot be parsed, so it is text, with as many words as its
            // format has.
            let has_blanks = |text: &str| text.contains([' ', '\t']);
            if matches!(&meanings[index].read, FieldType::Time(TimeFormat::Strftime(text)) if has_blanks(text))
            {
                meanings[index].syntax = Syntax::Free;
            }
            meanings[index].read = FieldType::Text;
        }
        names.push(name);
    }
    names
}

/// The first candidate with the lowest rank.
fn best(meanings: &[Meaning], standard: &str) -> Option<usize> {
    let candidates =
        meanings.iter().enumerate().filter(|(_, meaning)| meaning.standard == standard);
    candidates.min_by_key(|(_, meaning)| meaning.rank).map(|(index, _)| index)
}

/// Whether the format also has the whole that this is a part of.
fn has_whole(meanings: &[Meaning], standard: &str) -> bool {
    let has = |whole: &str| meanings.iter().any(|meaning| meaning.standard == whole);
    match standard {
        "method" | "url" | "protocol" => has("request"),
        "path" | "query" => has("request") || has("url"),
        _ => false,
    }
}

/// The name, with a number appended if it is taken.
fn unused_name(names: &[String], meanings: &[Meaning], own: &str) -> String {
    let is_taken = |name: &str| {
        names.iter().any(|taken| taken == name)
            || standard_fields::standard_field(name).is_some()
            || meanings.iter().any(|meaning| meaning.standard == name)
    };
    if !is_taken(own) {
        return own.to_owned();
    }
    // Each taken name belongs to a meaning, so one of these numbers is free.
    (2..=meanings.len() + 2)
        .map(|number| format!("{own}_{number}"))
        .find(|name| !is_taken(name))
        .unwrap_or_default()
}

/// Which meanings belong to the time of the line: the best complete one with whatever adds a
/// fraction or a zone to it, or all of them where only together they are complete.
fn times(meanings: &[Meaning]) -> Vec<bool> {
    let parts: Vec<Option<TimeParts>> = meanings
        .iter()
        .map(|meaning| match (&meaning.read, meaning.standard) {
            (FieldType::Time(format), "time") => Some(TimeParts::of(format)),
            _ => None,
        })
        .collect();
    let complete =
        parts.iter().enumerate().filter(|(_, has)| has.is_some_and(TimeParts::is_complete));
    let Some((best, Some(chosen))) = complete.min_by_key(|(index, _)| meanings[*index].rank) else {
        let all = TimeParts(parts.iter().flatten().fold(0_u8, |all, has| all | has.0));
        return parts.iter().map(|has| has.is_some() && all.is_complete()).collect();
    };
    let adds = |has: TimeParts| has.adds_to(*chosen);
    parts.iter().enumerate().map(|(index, has)| index == best || has.is_some_and(adds)).collect()
}

fn is_complete(read: &FieldType) -> bool {
    matches!(read, FieldType::Time(format) if TimeParts::of(format).is_complete())
}

/// The parts of a timestamp that a time format contains: a bit set of the constants below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct TimeParts(u8);

const DATE: u8 = 1;
const TIME_OF_DAY: u8 = 2;
const FRACTION: u8 = 4;
const ZONE: u8 = 8;

impl TimeParts {
    fn of(format: &TimeFormat) -> Self {
        match format {
            TimeFormat::Clf | TimeFormat::Epoch(0) => Self(DATE | TIME_OF_DAY | ZONE),
            TimeFormat::Iso | TimeFormat::Epoch(_) | TimeFormat::Any => {
                Self(DATE | TIME_OF_DAY | FRACTION | ZONE)
            }
            TimeFormat::Strftime(text) => Self::of_strftime(text),
        }
    }

    fn of_strftime(text: &str) -> Self {
        let directives = text.split('%').skip(1).map(|rest| rest.trim_start_matches(['3', '6']));
        let letters: Vec<u8> = directives.filter_map(|rest| rest.bytes().next()).collect();
        let has = |wanted: &[u8]| letters.iter().any(|letter| wanted.contains(letter));
        let has_day_of_year = has(b"j") || (has(b"mbBh") && has(b"de"));
        let parts = [
            (DATE, has(b"s") || (has(b"yY") && has_day_of_year)),
            (TIME_OF_DAY, has(b"HIkls")),
            (FRACTION, has(b"f")),
            (ZONE, has(b"zZs")),
        ];
        Self(parts.iter().filter(|(_, is_present)| *is_present).map(|(part, _)| part).sum())
    }

    fn is_complete(self) -> bool {
        self.0 & (DATE | TIME_OF_DAY) == DATE | TIME_OF_DAY
    }

    /// Whether this has only a fraction or a zone, which the complete time lacks.
    fn adds_to(self, complete: Self) -> bool {
        self.0 & (DATE | TIME_OF_DAY) == 0 && self.0 & complete.0 == 0
    }
}
