//! tailrace's own format syntax: the text of a line, with its fields in braces.
//!
//! `{host} {ident} {user} [{time}] "{request}" {status} {size}`
//!
//! `{name}` is a field. Its type is the one that the name has in all formats, or else a word;
//! `{name:TYPE}` sets it. `{}` skips a word, `{:text}` any text. A line may end at `{?}`, and
//! `{...}` at the end allows a blank and more text. `{{` and `}}` are literal braces.

use super::{Part, Slot, Syntax, Template, TemplateError};
use crate::ground::quoted;
use crate::text::format::field_type::FieldType;
use crate::text::format::standard_fields;
use crate::text::format::time::TimeFormat;

/// The types that `{name:TYPE}` accepts.
const TYPES: [&str; 13] = [
    "word",
    "text",
    "int",
    "float",
    "s",
    "ms",
    "us",
    "ns",
    "clf",
    "iso",
    "epoch",
    "epoch_ms",
    "time(...)",
];

/// Compiles a template.
pub(crate) fn compile(text: &str) -> Result<Template, TemplateError> {
    let mut compiler = Compiler { text, at: 0, template: Template::default(), untyped: Vec::new() };
    while compiler.at < text.len() {
        compiler.piece()?;
    }
    compiler.finish()
}

struct Compiler<'a> {
    text: &'a str,
    at: usize,
    template: Template,
    /// Fields without a type. How they are read depends on the literals around them, so it is
    /// decided at the end.
    untyped: Vec<usize>,
}

impl Compiler<'_> {
    fn piece(&mut self) -> Result<(), TemplateError> {
        let rest = &self.text[self.at..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            self.literal(&rest[..1]);
            self.at += 2;
        } else if rest.starts_with('{') {
            return self.braces();
        } else if rest.starts_with('}') {
            return Err(self.error(1, "unexpected }: no { is open; write }} for a literal }"));
        } else {
            let end = rest.find(['{', '}']).unwrap_or(rest.len());
            self.literal(&rest[..end]);
            self.at += end;
        }
        Ok(())
    }

    fn literal(&mut self, text: &str) {
        if let Some(Part::Literal(literal)) = self.template.parts.last_mut() {
            literal.extend(text.bytes());
        } else {
            self.template.parts.push(Part::Literal(text.into()));
        }
    }

    fn braces(&mut self) -> Result<(), TemplateError> {
        let start = self.at;
        let rest = &self.text[start..];
        let Some(length) = rest.find('}').map(|end| end + 1) else {
            let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
            return Err(
                self.error(length, "unclosed brace: write } after the name, or {{ for a literal {")
            );
        };
        match &rest[1..length - 1] {
            "..." if start + length < self.text.len() => {
                return Err(self.error(length, "{...} must be at the end of the format"));
            }
            "..." => {
                self.template.open_ended = true;
                self.trim();
            }
            "?" => self.mark_end(),
            inside => {
                let slot = self.slot(inside, length)?;
                self.template.parts.push(Part::Field(slot));
            }
        }
        self.at = start + length;
        Ok(())
    }

    /// Drops the blanks before `{...}`, which matches a blank itself.
    fn trim(&mut self) {
        if let Some(Part::Literal(text)) = self.template.parts.last_mut() {
            text.truncate(text.trim_ascii_end().len());
        }
        self.template.parts.pop_if(|part| matches!(part, Part::Literal(text) if text.is_empty()));
    }

    /// Lets a line end before the next literal. With a literal on both sides of `{?}`, both are
    /// one part: the matcher keeps a quote at its start with the field before it.
    fn mark_end(&mut self) {
        let parts = &self.template.parts;
        let within = matches!(parts.last(), Some(Part::Literal(_)));
        let part = parts.len() - usize::from(within);
        self.template.may_end_before.push(part);
    }

    fn slot(&mut self, inside: &str, length: usize) -> Result<Slot, TemplateError> {
        let (name, kind) = match inside.split_once(':') {
            Some((name, kind)) => (name, Some(kind)),
            None => (inside, None),
        };
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if !name.bytes().all(is_plain) {
            let message = format!(
                "invalid field name {}; use only letters, digits, -, _ and .",
                quoted(name)
            );
            return Err(self.error(length, &message));
        }
        if !name.is_empty() && name != "time" && self.has(name) {
            let message =
                format!("duplicate field '{name}'; rename one of them, or write {{}} to skip it");
            return Err(self.error(length, &message));
        }
        let (syntax, read) = match kind {
            Some(kind) => self.typed(name, kind, length)?,
            None => self.untyped(name),
        };
        let written = (self.at, self.at + length);
        Ok(Slot { name: name.to_owned(), syntax, read, written })
    }

    fn has(&self, name: &str) -> bool {
        let is_it = |part: &Part| matches!(part, Part::Field(slot) if slot.name == name);
        self.template.parts.iter().any(is_it)
    }

    fn untyped(&mut self, name: &str) -> (Syntax, FieldType) {
        let read = standard_fields::standard_field(name)
            .map_or(FieldType::Text, |known| known.read.clone());
        self.untyped.push(self.template.parts.len());
        let syntax = match &read {
            FieldType::Request => Syntax::Free,
            FieldType::Text | FieldType::Verbatim => Syntax::Word,
            FieldType::Int if name == "status" => Syntax::Status,
            read => syntax_of(name, read),
        };
        (syntax, read)
    }

    fn typed(
        &self,
        name: &str,
        kind: &str,
        length: usize,
    ) -> Result<(Syntax, FieldType), TemplateError> {
        let time = kind.strip_prefix("time(").map(|text| text.strip_suffix(')'));
        let read = match (kind, time) {
            ("word", _) => return Ok((Syntax::Word, FieldType::Text)),
            ("text", _) if name == "request" => return Ok((Syntax::Free, FieldType::Request)),
            ("text", _) => return Ok((Syntax::Free, FieldType::Text)),
            ("cut", _) => return Ok((Syntax::Cut, FieldType::Request)),
            ("text-", _) => return Ok((Syntax::FreeOrDash, FieldType::Text)),
            ("text1", _) => return Ok((Syntax::OneQuoted, FieldType::Text)),
            ("unquoted", _) => return Ok((Syntax::Unquoted, FieldType::Text)),
            ("s.", _) => return Ok((Syntax::NumberWithPoint, FieldType::Seconds(0))),
            ("+int", _) => return Ok((Syntax::Signed, FieldType::Int)),
            ("+ms", _) => return Ok((Syntax::Signed, FieldType::Seconds(-3))),
            ("int", _) => FieldType::Int,
            ("float", _) => FieldType::Float,
            ("s", _) => FieldType::Seconds(0),
            ("ms", _) => FieldType::Seconds(-3),
            ("us", _) => FieldType::Seconds(-6),
            ("ns", _) => FieldType::Seconds(-9),
            ("clf", _) => FieldType::Time(TimeFormat::Clf),
            ("iso", _) => FieldType::Time(TimeFormat::Iso),
            ("epoch", _) => FieldType::Time(TimeFormat::Epoch(0)),
            ("epoch_ms", _) => FieldType::Time(TimeFormat::Epoch(-3)),
            (_, Some(Some(text))) if text.contains('%') => {
                FieldType::Time(TimeFormat::Strftime(text.into()))
            }
            (_, Some(Some(_))) => {
                return Err(self.error(
                    length,
                    "expected a strftime format in time(...); write for example time(%d/%b/%Y)",
                ));
            }
            (_, Some(None)) => {
                return Err(
                    self.error(length, "unclosed parenthesis in time(...): add the closing )")
                );
            }
            _ => return Err(self.error(length, &unknown_type(kind))),
        };
        let read = match read {
            FieldType::Int if is_added_up(name) => FieldType::IntList,
            read => read,
        };
        Ok((syntax_of(name, &read), read))
    }

    /// Text between quotes may contain blanks, and a time between brackets is that of an access
    /// log.
    fn finish(mut self) -> Result<Template, TemplateError> {
        let parts = &mut self.template.parts;
        for &at in &self.untyped {
            let opens = |byte| {
                matches!(at.checked_sub(1).map(|at| &parts[at]),
                    Some(Part::Literal(text)) if text.ends_with(&[byte]))
            };
            let closes = |byte| {
                matches!(parts.get(at + 1),
                    Some(Part::Literal(text)) if text.starts_with(&[byte]))
            };
            let is_quoted = opens(b'"') && closes(b'"');
            let is_bracketed = opens(b'[') && closes(b']');
            let Part::Field(slot) = &mut parts[at] else { continue };
            if is_quoted && slot.syntax == Syntax::Word {
                slot.syntax = Syntax::Free;
            } else if is_bracketed && slot.read == FieldType::Time(TimeFormat::Any) {
                slot.read = FieldType::Time(TimeFormat::Clf);
            }
        }
        if parts.iter().any(|part| matches!(part, Part::Field(_))) {
            return Ok(self.template);
        }
        self.at = 0;
        Err(self.error(self.text.len(), "a format needs at least one field, such as {host}"))
    }

    fn error(&self, length: usize, message: &str) -> TemplateError {
        TemplateError { start: self.at, end: self.at + length, message: message.to_owned() }
    }
}

/// The syntax of a field with this name and type.
fn syntax_of(name: &str, read: &FieldType) -> Syntax {
    match read {
        FieldType::Time(_) => Syntax::Time,
        // nginx lists one value for each upstream that it tried.
        FieldType::Int | FieldType::Float | FieldType::Seconds(_)
            if name.starts_with("upstream_") =>
        {
            Syntax::Numbers
        }
        FieldType::IntList => Syntax::Numbers,
        FieldType::Int => Syntax::Int,
        FieldType::Float | FieldType::Seconds(_) | FieldType::TimeTaken => Syntax::Number,
        FieldType::Verbatim
        | FieldType::Text
        | FieldType::Request
        | FieldType::Query
        | FieldType::Protocol
        | FieldType::Quoted
        | FieldType::Duration
        | FieldType::Any => Syntax::Word,
    }
}

/// Whether nginx writes a number of bytes for each upstream into a field with this name.
fn is_added_up(name: &str) -> bool {
    name.starts_with("upstream_") && (name.contains("length") || name.contains("bytes"))
}

fn unknown_type(kind: &str) -> String {
    let name = kind.split_once('(').map_or(kind, |(name, _)| name);
    let near = TYPES
        .iter()
        .map(|known| (edit_distance(name, known.trim_end_matches("(...)")), known))
        .filter(|(distance, known)| *distance < known.len() && is_near(name, known, *distance))
        .min();
    match near {
        Some((_, near)) => format!("unknown type {}; did you mean '{near}'?", quoted(kind)),
        None => {
            format!("unknown type {}; expected one of {}", quoted(kind), TYPES.join(", "))
        }
    }
}

/// Whether a name is probably a mistyped other one. Two changes in three letters make any word of
/// any other, unless two letters are swapped.
fn is_near(name: &str, known: &str, distance: usize) -> bool {
    let sorted = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.sort_unstable();
        bytes
    };
    distance <= 1 || (distance == 2 && (name.len() >= 5 || sorted(name) == sorted(known)))
}

/// The Levenshtein distance between two words, in bytes.
fn edit_distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (count, from) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = count + 1;
        for (at, to) in other.bytes().enumerate() {
            let changed = diagonal + usize::from(from != to);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
#[expect(clippy::literal_string_with_formatting_args, reason = "templates have braces")]
mod tests {
    use super::*;

    fn literal(text: &str) -> Part {
        Part::Literal(text.into())
    }

    fn field(name: &str, syntax: Syntax, read: FieldType, written: (usize, usize)) -> Part {
        Part::Field(Slot { name: name.to_owned(), syntax, read, written })
    }

    /// The syntax and type of a template's only field.
    fn only(text: &str) -> (Syntax, FieldType) {
        let template = compile(text).unwrap();
        let mut slots = template.parts.into_iter().filter_map(|part| match part {
            Part::Field(slot) => Some((slot.syntax, slot.read)),
            Part::Literal(_) => None,
        });
        let slot = slots.next().unwrap();
        assert_eq!(slots.next(), None, "{text}");
        slot
    }

    #[test]
    fn a_template_has_literals_and_fields() {
        let template = compile(r#"{host} "{request}"{?} {{{x:ms}}}{...}"#).unwrap();
        let parts = [
            field("host", Syntax::Word, FieldType::Text, (0, 6)),
            literal(" \""),
            field("request", Syntax::Free, FieldType::Request, (8, 17)),
            literal("\" {"),
            field("x", Syntax::Number, FieldType::Seconds(-3), (24, 30)),
            literal("}"),
        ];
        assert_eq!(
            template,
            Template {
                parts: parts.into(),
                open_ended: true,
                may_end_before: vec![3],
                ..Template::default()
            }
        );
    }

    #[test]
    fn known_names_have_their_type_and_others_are_words() {
        for (text, expected) in [
            ("{host}", (Syntax::Word, FieldType::Text)),
            ("{whatever}", (Syntax::Word, FieldType::Text)),
            ("\"{agent}\"", (Syntax::Free, FieldType::Text)),
            ("\"{whatever}\"", (Syntax::Free, FieldType::Text)),
            ("\"{whatever:word}\"", (Syntax::Word, FieldType::Text)),
            ("[{agent}]", (Syntax::Word, FieldType::Text)),
            ("{status}", (Syntax::Status, FieldType::Int)),
            ("{size}", (Syntax::Int, FieldType::Int)),
            ("{request}", (Syntax::Free, FieldType::Request)),
            ("{request_time}", (Syntax::Number, FieldType::Seconds(0))),
            ("{upstream_time}", (Syntax::Numbers, FieldType::Seconds(0))),
            ("{time}", (Syntax::Time, FieldType::Time(TimeFormat::Any))),
            ("[{time}]", (Syntax::Time, FieldType::Time(TimeFormat::Clf))),
        ] {
            assert_eq!(only(text), expected, "{text}");
        }
    }

    #[test]
    fn a_field_may_have_a_type() {
        for (text, expected) in [
            ("{x:word}", (Syntax::Word, FieldType::Text)),
            ("{x:text}", (Syntax::Free, FieldType::Text)),
            ("{:text}", (Syntax::Free, FieldType::Text)),
            ("{x:int}", (Syntax::Int, FieldType::Int)),
            ("{x:float}", (Syntax::Number, FieldType::Float)),
            ("{x:s}", (Syntax::Number, FieldType::Seconds(0))),
            ("{x:ms}", (Syntax::Number, FieldType::Seconds(-3))),
            ("{x:us}", (Syntax::Number, FieldType::Seconds(-6))),
            ("{x:ns}", (Syntax::Number, FieldType::Seconds(-9))),
            ("{upstream_x:ms}", (Syntax::Numbers, FieldType::Seconds(-3))),
            ("{x:clf}", (Syntax::Time, FieldType::Time(TimeFormat::Clf))),
            ("{x:iso}", (Syntax::Time, FieldType::Time(TimeFormat::Iso))),
            ("{x:epoch}", (Syntax::Time, FieldType::Time(TimeFormat::Epoch(0)))),
            ("{x:epoch_ms}", (Syntax::Time, FieldType::Time(TimeFormat::Epoch(-3)))),
            (
                "{x:time(%d/%b %H:%M)}",
                (Syntax::Time, FieldType::Time(TimeFormat::Strftime("%d/%b %H:%M".into()))),
            ),
        ] {
            assert_eq!(only(text), expected, "{text}");
        }
    }

    #[test]
    fn an_error_has_its_position_and_a_fix() {
        for (text, place, message) in [
            (
                "{host} {user",
                (7, 12),
                "unclosed brace: write } after the name, or {{ for a literal {",
            ),
            (
                "{host} {user [{time}]",
                (7, 20),
                "invalid field name 'user [{time'; use only letters, digits, -, _ and .",
            ),
            ("{host} }x", (7, 8), "unexpected }: no { is open; write }} for a literal }"),
            ("{x:itn}", (0, 7), "unknown type 'itn'; did you mean 'int'?"),
            ("{x:tim(%d)}", (0, 11), "unknown type 'tim(%d)'; did you mean 'time(...)'?"),
            ("{x:time}", (0, 8), "unknown type 'time'; did you mean 'time(...)'?"),
            (
                "{x:millis}",
                (0, 10),
                "unknown type 'millis'; expected one of word, text, int, float, s, ms, us, ns, clf, iso, epoch, epoch_ms, time(...)",
            ),
            ("{x:time(%d}", (0, 11), "unclosed parenthesis in time(...): add the closing )"),
            (
                "{x:time(dd)}",
                (0, 12),
                "expected a strftime format in time(...); write for example time(%d/%b/%Y)",
            ),
            ("{...} {host}", (0, 5), "{...} must be at the end of the format"),
            (
                "{host} {host}",
                (7, 13),
                "duplicate field 'host'; rename one of them, or write {} to skip it",
            ),
            ("host", (0, 4), "a format needs at least one field, such as {host}"),
            ("", (0, 0), "a format needs at least one field, such as {host}"),
        ] {
            let error = compile(text).unwrap_err();
            assert_eq!(((error.start, error.end), &*error.message), (place, message), "{text}");
        }
        // The parts of a time share the name `time`.
        assert!(compile("{time:time(%F)} {time:time(%T)}").is_ok());
    }
}
