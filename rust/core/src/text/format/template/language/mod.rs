//! Detects the language of a pasted format.

use super::draft::error;
use super::{TemplateError, apache, goaccess, nginx};
use crate::ground::quoted;

/// The languages a format can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// `$name`, nginx's `log_format`.
    Nginx,
    /// `%h`, Apache's `LogFormat`.
    Apache,
    /// `%h`, GoAccess's `log-format`.
    GoAccess,
    /// `{host}`, our own.
    Braces,
}

/// Longer texts are not formats. A limit, because parts of compiling take quadratic time.
const MAX_LENGTH: usize = 16 * 1024;

/// Returns the language of a text, by the syntax that only one language has.
pub(crate) fn language(text: &str) -> Result<Language, TemplateError> {
    if text.len() > MAX_LENGTH {
        let message = format!("the format is too long: the limit is {MAX_LENGTH} bytes");
        return Err(error((0, text.len()), message));
    }
    if nginx::is_directive(text) || text.trim_start().starts_with("escape=") {
        return Ok(Language::Nginx);
    }
    if apache::is_directive(text) {
        return Ok(Language::Apache);
    }
    if goaccess::is_options(text) {
        return Ok(Language::GoAccess);
    }
    let markers = Markers::of(text);
    if markers.nginx.is_some() && is_object(text) {
        return Ok(Language::Nginx);
    }
    let found = [
        ("nginx", markers.nginx, Language::Nginx),
        ("Apache or GoAccess", markers.percent, Language::Apache),
        ("tailrace", markers.braces, Language::Braces),
    ];
    let mut found = found
        .into_iter()
        .filter_map(|(owner, marker, language)| marker.map(|place| (owner, place, language)));
    let Some((owner, place, language)) = found.next() else { return Err(no_field(text)) };
    if let Some((other, second, _)) = found.next() {
        let (first, second, owner, other) = if place.0 < second.0 {
            (place, second, owner, other)
        } else {
            (second, place, other, owner)
        };
        let write = |place: (usize, usize)| text.get(place.0..place.1).unwrap_or_default();
        let message = format!(
            "{} is {owner} syntax, but {} is {other} syntax; a format cannot mix them",
            write(first),
            write(second)
        );
        return Err(error(second, message));
    }
    if language == Language::Apache { apache_or_goaccess(text, &markers) } else { Ok(language) }
}

/// Whether a text begins like a JSON object, whose braces are not fields.
fn is_object(text: &str) -> bool {
    let rest = text.trim_start_matches(|byte: char| byte == '\'' || byte.is_ascii_whitespace());
    rest.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with('"'))
}

fn no_field(text: &str) -> TemplateError {
    if let Some((start, inside)) = invalid_name(text) {
        let place = (start, start + inside.len() + 2);
        let name = inside.split(':').next().unwrap_or_default();
        let message =
            format!("invalid field name {}; use only letters, digits, -, _ and .", quoted(name));
        return error(place, message);
    }
    let message = "expected at least one field, found none; give a name that 'tailrace formats' \
                   lists, or a format with fields, such as nginx's $remote_addr, Apache's %h or \
                   {host}";
    error((0, text.len()), message)
}

/// What the first braces of a text contain if it was probably intended as a field's name, and
/// where they are.
fn invalid_name(text: &str) -> Option<(usize, &str)> {
    if is_object(text) {
        return None;
    }
    let start = text.find('{')?;
    let inside = text[start + 1..].split_once('}')?.0;
    let is_one =
        !inside.contains(['{', '\n']) && inside.starts_with(|first: char| first.is_alphanumeric());
    is_one.then_some((start, inside))
}

/// The first position of each kind of syntax that identifies a language.
#[derive(Debug, Default)]
struct Markers {
    nginx: Option<(usize, usize)>,
    /// A directive of Apache or GoAccess.
    percent: Option<(usize, usize)>,
    braces: Option<(usize, usize)>,
    apache: Option<(usize, usize)>,
    goaccess: Option<(usize, usize)>,
    /// A directive that Apache and GoAccess both have, with different meanings.
    either: Option<(usize, usize)>,
    /// `%t`: a time in Apache, a time of day in GoAccess.
    clock: Option<(usize, usize)>,
    /// `%d`, a date in GoAccess.
    date: Option<(usize, usize)>,
}

impl Markers {
    fn of(text: &str) -> Self {
        let mut markers = Self::default();
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            at = match byte {
                b'$' => markers.dollar(bytes, at),
                b'%' => markers.percent(text, at),
                b'~' if bytes[at..].starts_with(b"~h{") => {
                    let end = closing_brace(bytes, at + 2).unwrap_or(at + 3);
                    first(&mut markers.percent, at, end);
                    first(&mut markers.goaccess, at, end)
                }
                b'{' => markers.brace(bytes, at),
                _ => at + 1,
            };
        }
        // GoAccess has a time of day only together with a date.
        let whole =
            if markers.date.is_some() { &mut markers.goaccess } else { &mut markers.apache };
        *whole = whole.or(markers.clock);
        markers
    }

    /// A dollar sign is nginx syntax if a name follows; otherwise it is a literal.
    fn dollar(&mut self, bytes: &[u8], at: usize) -> usize {
        let braced = bytes.get(at + 1) == Some(&b'{');
        let start = at + 1 + usize::from(braced);
        let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let end = start + bytes[start..].iter().take_while(is_name).count();
        if end > start || braced {
            let end = end + usize::from(braced && bytes.get(end) == Some(&b'}'));
            return first(&mut self.nginx, at, end);
        }
        at + 1
    }

    fn brace(&mut self, bytes: &[u8], at: usize) -> usize {
        let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let name = bytes[at + 1..].iter().take_while(is_name).count();
        let next = bytes.get(at + 1 + name);
        if !matches!(next, Some(b'}' | b':')) {
            return at + 1;
        }
        // A time format in braces has percent signs, so skip all of it.
        let end = closing_brace(bytes, at).unwrap_or(at + 1 + name);
        first(&mut self.braces, at, end)
    }

    fn percent(&mut self, text: &str, at: usize) -> usize {
        let bytes = text.as_bytes();
        let modifiers = bytes[at + 1..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'<' | b'>' | b'!' | b','))
            .count();
        let mut letter = at + 1 + modifiers;
        let braced = bytes.get(letter) == Some(&b'{');
        if braced {
            letter = closing_brace(bytes, letter).unwrap_or(bytes.len());
        }
        let is_long = ["^FB", "^FU", "^ti", "^to"]
            .iter()
            .any(|long| bytes[letter.min(bytes.len())..].starts_with(long.as_bytes()));
        let length =
            text.get(letter..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let end = letter.min(bytes.len()) + if is_long { 3 } else { length };
        let written = text.get(letter..end).unwrap_or_default();
        if written == "%" || (written.trim().is_empty() && !braced) {
            return at + 2;
        }
        first(&mut self.percent, at, end);
        if modifiers > 0 || braced || is_long {
            return first(&mut self.apache, at, end);
        }
        match written {
            "t" => first(&mut self.clock, at, end),
            "R" | "u" | "L" | "k" => first(&mut self.either, at, end),
            // In Apache these need braces.
            "d" => {
                first(&mut self.date, at, end);
                first(&mut self.goaccess, at, end)
            }
            "e" | "C" | "n" | "x" => first(&mut self.goaccess, at, end),
            other => match (apache::is_known(other), goaccess::is_known(other)) {
                (true, false) => first(&mut self.apache, at, end),
                (false, true) => first(&mut self.goaccess, at, end),
                _ => end,
            },
        }
    }
}

/// Records a position if it is the first of its kind, and returns where to continue.
fn first(marker: &mut Option<(usize, usize)>, start: usize, end: usize) -> usize {
    marker.get_or_insert((start, end));
    end.max(start + 1)
}

/// The position after the brace that closes the one here.
fn closing_brace(bytes: &[u8], open: usize) -> Option<usize> {
    bytes[open..].iter().position(|&byte| byte == b'}').map(|length| open + length + 1)
}

fn apache_or_goaccess(text: &str, markers: &Markers) -> Result<Language, TemplateError> {
    let write = |place: (usize, usize)| text.get(place.0..place.1).unwrap_or_default();
    match (markers.apache, markers.goaccess, markers.either) {
        (Some(apache), Some(goaccess), _) => {
            let message = format!(
                "{} is Apache syntax, but {} is GoAccess syntax; a format cannot mix them",
                write(apache),
                write(goaccess)
            );
            Err(error(if apache.0 < goaccess.0 { goaccess } else { apache }, message))
        }
        (None, Some(_), _) => Ok(Language::GoAccess),
        (None, None, Some(place)) => {
            let (apache, goaccess) = match write(place) {
                "%R" => ("the handler", "the referer"),
                "%u" => ("the user", "the agent"),
                "%L" => ("an id", "a duration"),
                _ => ("a number", "a cipher"),
            };
            let message = format!(
                "{} is ambiguous: {apache} in Apache, {goaccess} in GoAccess; write LogFormat \
                 \"...\" around the format, or log-format before it",
                write(place)
            );
            Err(error(place, message))
        }
        _ => Ok(Language::Apache),
    }
}

#[cfg(test)]
mod tests;
