//! Compiles Apache's `LogFormat` to a template.
//!
//! Accepts the format string, with or without the quotes and escapes of a configuration, or a
//! whole `LogFormat` or `CustomLog` line.

mod config;
mod directives;
mod times;

use super::draft::{Body, Draft, error};
use super::meaning::Meaning;
use super::{Syntax, Template, TemplateError};
use crate::text::format::field_type::FieldType;

pub(super) use config::is_directive;
pub(super) use directives::is_known;
pub(super) use times::strftime;

/// Compiles a `LogFormat`: the format string or the whole directive.
pub(crate) fn compile(text: &str) -> Result<Template, TemplateError> {
    compile_for(text, &config::read(text)?, Server::Apache)
}

/// Compiles the pattern of an access log of Tomcat 9 or older, which has Apache's syntax.
pub(crate) fn compile_tomcat9(pattern: &str) -> Result<Template, TemplateError> {
    compile_for(pattern, &config::pattern(pattern), Server::Tomcat9)
}

/// What writes a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Apache,
    Tomcat9,
}

fn compile_for(text: &str, body: &Body, server: Server) -> Result<Template, TemplateError> {
    let mut draft = Draft::default();
    let mut at = 0;
    while let Some(byte) = body.get(at) {
        at = if byte == b'%' {
            directive(body, at, server, &mut draft)?
        } else {
            literal(body, at, &mut draft)?
        };
    }
    if draft.meanings().next().is_none() {
        let message = "expected a directive, such as %h (the client), %t (the time) or %r (the \
                       request), found none";
        return Err(error((0, text.len()), message));
    }
    name_end_time(&mut draft);
    draft.finish(text)
}

/// Adds the bytes up to the next directive, unescaped.
fn literal(body: &Body, start: usize, draft: &mut Draft) -> Result<usize, TemplateError> {
    let mut at = start;
    while let Some(byte) = body.get(at).filter(|&byte| byte != b'%') {
        if byte == b'\n' {
            let message = "unexpected newline: a log entry is one line; join the lines of the \
                           format";
            return Err(error(body.place(at, at + 1), message));
        }
        let escaped = match (byte, body.get(at + 1)) {
            (b'\\', Some(b'n')) => b'\n',
            (b'\\', Some(b'r')) => b'\r',
            (b'\\', Some(b't')) => b'\t',
            (b'\\', Some(next @ (b'\\' | b'"'))) => next,
            _ => {
                draft.literal(&[byte]);
                at += 1;
                continue;
            }
        };
        draft.literal(&[escaped]);
        at += 2;
    }
    Ok(at)
}

/// A directive with its modifiers.
#[derive(Debug, Default)]
struct Directive {
    /// The text in its braces.
    argument: Option<Argument>,
    /// Whether it refers to the final (`>`) or the original (`<`) request, if it says so.
    is_final: Option<bool>,
    /// Whether only responses with certain statuses have a value, and all others a `-`.
    conditional: bool,
    letter: String,
    /// The position of the percent sign.
    start: usize,
    end: usize,
}

/// The text in the braces of a directive, and its position.
#[derive(Debug)]
struct Argument {
    text: String,
    start: usize,
    end: usize,
}

impl Directive {
    fn argument(&self) -> &str {
        self.argument.as_ref().map_or("", |argument| argument.text.as_str())
    }
}

/// Adds the directive whose percent sign is here, and returns its end.
fn directive(
    body: &Body,
    start: usize,
    server: Server,
    draft: &mut Draft,
) -> Result<usize, TemplateError> {
    if body.get(start + 1) == Some(b'%') {
        draft.literal(b"%");
        return Ok(start + 2);
    }
    let directive = parse(body, start)?;
    if directive.letter == "t" {
        times::compile(body, &directive, draft)?;
        return Ok(directive.end);
    }
    let mut end = directive.end;
    let query_follows = body.bytes[end..].starts_with(b"%q");
    let mut meaning = if directive.letter == "U" && query_follows {
        end += 2;
        Meaning { standard: "url", ..Meaning::text("uri") }
    } else if let Some(meaning) = directives::of_tomcat9(&directive.letter)
        && server == Server::Tomcat9
    {
        meaning
    } else {
        directives::meaning(body, &directive)?
    };
    if directive.conditional {
        // A directive without a condition gets the shared name first. Two with different
        // conditions must not count as repetitions, so each has a rank of its own.
        meaning.rank = u8::try_from(draft.meanings().count())
            .map_or(u8::MAX, |count| count.saturating_add(10));
    }
    draft.field(meaning, body.place(start, end));
    Ok(end)
}

/// Parses a directive up to its letter.
fn parse(body: &Body, start: usize) -> Result<Directive, TemplateError> {
    let mut found = Directive { start, ..Directive::default() };
    let mut at = start + 1;
    loop {
        match body.get(at) {
            None => return Err(incomplete(body, &found, at)),
            Some(b'<') => found.is_final = Some(false),
            Some(b'>') => found.is_final = Some(true),
            Some(b'!' | b',') => {}
            Some(b'0'..=b'9') => found.conditional = true,
            Some(b'{') => {
                let argument = argument(body, at)?;
                at = argument.end;
                found.argument = Some(argument);
            }
            Some(_) => break,
        }
        at += 1;
    }
    let rest = &body.bytes[at..];
    let long = directives::LONG.iter().find(|long| rest.starts_with(long.as_bytes()));
    let end = long.map_or_else(|| body.after_character(at), |long| at + long.len());
    found.letter = body.text(at, end);
    found.end = end;
    if found.letter.trim().is_empty() || found.letter == "\"" {
        return Err(incomplete(body, &found, at));
    }
    if !directives::is_known(&found.letter) {
        let message = directives::unknown(&found.letter);
        return Err(error(body.place(start, end), message));
    }
    Ok(found)
}

/// Parses the text in the braces that open here.
fn argument(body: &Body, open: usize) -> Result<Argument, TemplateError> {
    let rest = &body.bytes[open..];
    let closing = rest.iter().position(|&byte| byte == b'}');
    // After a quote or another opening brace, the closing brace belongs to a later directive.
    let is_misplaced = |end: &usize| rest[1..*end].iter().any(|byte| matches!(byte, b'"' | b'{'));
    let Some(length) = closing.filter(|end| !is_misplaced(end)) else {
        let word = rest.iter().take_while(|byte| !matches!(byte, b' ' | b'"')).count();
        let written = body.text(open, open + word);
        let message = format!("unclosed brace: write %{written}}} followed by a letter");
        return Err(error(body.place(open, open + word), message));
    };
    Ok(Argument { text: body.text(open + 1, open + length), start: open + 1, end: open + length })
}

fn incomplete(body: &Body, found: &Directive, at: usize) -> TemplateError {
    let written = body.text(found.start, at);
    let message = match &found.argument {
        Some(_) => format!(
            "expected a letter after {written}; {written}i is a request header, {written}o a \
             response header"
        ),
        None => {
            format!("expected a letter after {written}, as in %h; write %% for a literal %")
        }
    };
    error(body.place(found.start, at), message)
}

/// The time of a line is the begin of the request, or its end if the format has only that.
fn name_end_time(draft: &mut Draft) {
    if !draft.meanings().any(|meaning| meaning.standard == "time") {
        for meaning in draft.meanings().filter(|meaning| meaning.own.starts_with("end_time")) {
            meaning.standard = "time";
        }
    }
}

/// A time that only some lines have is text, because the others have a `-`.
fn if_present(meaning: Meaning) -> Meaning {
    match meaning.syntax {
        Syntax::Time => {
            Meaning { standard: "", syntax: Syntax::Free, read: FieldType::Text, ..meaning }
        }
        _ => meaning,
    }
}

#[cfg(test)]
mod tests;
