//! Compiles nginx's `log_format` to a template.
//!
//! Accepts the format or the whole directive of a configuration. A format that writes a JSON object
//! becomes a list of paths instead, because JSON does not fix the order and the escapes.

mod config;
mod json;
mod variables;

use super::draft::{Body, Draft, Pasted, error};
use super::{Template, TemplateError};

pub(super) use config::is_directive;

/// Compiles a `log_format` that is not a JSON object: the format or the whole directive.
#[cfg(test)]
pub(crate) fn compile(text: &str) -> Result<Template, TemplateError> {
    match paste(text)? {
        Pasted::Template(template) => Ok(template),
        Pasted::Json(_) => {
            let message = "a log_format that writes a JSON object is not a template";
            Err(error((0, text.len()), message))
        }
    }
}

/// Compiles a `log_format` to a template or, if it writes a JSON object, to its paths.
pub(crate) fn paste(text: &str) -> Result<Pasted, TemplateError> {
    let (body, raw) = config::read(text)?;
    if json::is_object(&body) {
        return json::compile(&body).map(Pasted::Json);
    }
    let mut draft = Draft::default();
    for token in tokens(&body)? {
        let place = body.place(token.start, token.end);
        match token.kind {
            TokenKind::Literal => {
                let literal = &body.bytes[token.start..token.end];
                if let Some(at) = literal.iter().position(|&byte| byte == b'\n') {
                    let place = body.place(token.start + at, token.start + at + 1);
                    let message = "unexpected newline: a log entry is one line; put each line of \
                                   the format in quotes";
                    return Err(error(place, message));
                }
                draft.literal(literal);
            }
            TokenKind::Variables(names) => {
                draft.field(variables::joined(&names), place);
            }
        }
    }
    if draft.meanings().next().is_none() {
        let hint =
            if text.contains('%') { "; %h and the like are Apache or GoAccess syntax" } else { "" };
        let message =
            format!("expected a $variable, such as $remote_addr or $status, found none{hint}");
        return Err(error((0, text.len()), message));
    }
    draft.finish(text).map(|template| Pasted::Template(Template { raw, ..template }))
}

/// A literal, or adjacent variables that are one field.
#[derive(Debug)]
struct Token {
    start: usize,
    end: usize,
    kind: TokenKind,
}

#[derive(Debug, PartialEq, Eq)]
enum TokenKind {
    Literal,
    Variables(Vec<String>),
}

/// The tokens of a format. Adjacent variables that make up one value are one token.
fn tokens(body: &Body) -> Result<Vec<Token>, TemplateError> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some(byte) = body.get(at) {
        let start = at;
        if byte != b'$' {
            let rest = &body.bytes[at..];
            at += rest.iter().position(|&byte| byte == b'$').unwrap_or(rest.len());
            tokens.push(Token { start, end: at, kind: TokenKind::Literal });
            continue;
        }
        let (name, end) = variable(body, at)?;
        at = end;
        if let Some(Token { end, kind: TokenKind::Variables(names), .. }) = tokens.last_mut()
            && variables::continues(names, &name)
        {
            *end = at;
            names.push(name);
        } else {
            tokens.push(Token { start, end: at, kind: TokenKind::Variables(vec![name]) });
        }
    }
    Ok(whole_urls(body, tokens))
}

/// Joins `$scheme://` with the host and the target after it, because they are one URL.
fn whole_urls(body: &Body, tokens: Vec<Token>) -> Vec<Token> {
    let mut joined: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        if let TokenKind::Variables(names) = &token.kind
            && variables::starts_with_host(names)
            && let [.., scheme, between] = joined.as_slice()
            && scheme.kind == TokenKind::Variables(vec!["scheme".to_owned()])
            && &body.bytes[between.start..between.end] == b"://"
        {
            let start = scheme.start;
            joined.truncate(joined.len() - 2);
            let kind = TokenKind::Variables(vec!["request_uri".to_owned()]);
            joined.push(Token { start, end: token.end, kind });
        } else {
            joined.push(token);
        }
    }
    joined
}

/// The lower-case name and the end of the variable whose dollar sign is here.
fn variable(body: &Body, at: usize) -> Result<(String, usize), TemplateError> {
    let braced = body.get(at + 1) == Some(b'{');
    let start = at + 1 + usize::from(braced);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let end = start + body.bytes[start..].iter().take_while(|byte| is_name(byte)).count();
    let name = body.text(start, end);
    if braced && body.get(end) != Some(b'}') {
        let name_in_example = if name.is_empty() { "status" } else { &name };
        let message = format!("expected }} after ${{{name}; write ${{{name_in_example}}}");
        return Err(error(body.place(at, end), message));
    }
    let end = end + usize::from(braced);
    if name.is_empty() {
        let place_of_name = if braced { "in ${}" } else { "after $" };
        let message = format!(
            "expected a variable name {place_of_name}, as in $status or ${{status}}; log_format \
             cannot write a literal $"
        );
        return Err(error(body.place(at, end), message));
    }
    Ok((name.to_ascii_lowercase(), end))
}

#[cfg(test)]
mod tests;
