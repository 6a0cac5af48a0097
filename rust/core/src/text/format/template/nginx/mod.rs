//! What nginx's `log_format` says, as a template.
//!
//! The body of the directive or the whole of it, as it stands in a configuration. A body that is
//! a JSON object is one of paths instead: there the order and the escapes are not the format's.

mod config;
mod json;
mod variables;

#[cfg(test)]
use super::Template;
use super::draft::{Body, Draft, Pasted, error};
use super::meaning::Meaning;
use super::{Syntax, TemplateError};

pub(super) use config::is_directive;

/// The template of a `log_format`, the body or the whole directive.
#[cfg(test)]
pub(crate) fn compile(text: &str) -> Result<Template, TemplateError> {
    match paste(text)? {
        Pasted::Template(template) => Ok(template),
        Pasted::Json(_) => {
            let message = "a log_format that is a JSON object is read by its keys, not by its text";
            Err(error((0, text.len()), message))
        }
    }
}

/// What a `log_format` says, be it a template or a JSON object.
pub(crate) fn paste(text: &str) -> Result<Pasted, TemplateError> {
    let format = config::read(text)?;
    if json::is_object(&format.body) {
        return json::compile(&format.body).map(Pasted::Json);
    }
    let mut draft = Draft::default();
    for token in tokens(&format.body)? {
        let place = format.body.place(token.start, token.end);
        match token.kind {
            TokenKind::Literal => {
                let literal = &format.body.bytes[token.start..token.end];
                if let Some(at) = literal.iter().position(|&byte| byte == b'\n') {
                    let place = format.body.place(token.start + at, token.start + at + 1);
                    let message = "a newline inside the format makes two lines of one entry; \
                                   write each line of the format as a piece in quotes";
                    return Err(error(place, message));
                }
                draft.literal(literal);
            }
            TokenKind::Variables(names) => {
                let mut meaning = variables::joined(&names);
                if !format.dash_if_missing {
                    may_be_empty(&mut meaning);
                }
                draft.field(meaning, place);
            }
        }
    }
    if draft.meanings().next().is_none() {
        let hint = if text.contains('%') {
            "; %h and its like are Apache's or GoAccess's"
        } else {
            ", which is the name of something that is logged: $remote_addr, $status"
        };
        return Err(error((0, text.len()), format!("there is no $variable in this format{hint}")));
    }
    draft.finish(text).map(Pasted::Template)
}

/// What is not there is written as nothing, not as `-`, by `escape=json` and `escape=none`.
fn may_be_empty(meaning: &mut Meaning) {
    if !variables::is_always_set(&meaning.own) {
        meaning.syntax = Syntax::Free;
    }
}

/// A literal, or variables that are one field.
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

/// The tokens of a body. Variables side by side that are one thing are one token.
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

/// `$scheme://` in front of a host and a target belongs to the same URL.
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

/// The name, in lower case, and the end of the variable whose dollar sign is here.
fn variable(body: &Body, at: usize) -> Result<(String, usize), TemplateError> {
    let braced = body.get(at + 1) == Some(b'{');
    let start = at + 1 + usize::from(braced);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let end = start + body.bytes[start..].iter().take_while(|byte| is_name(byte)).count();
    let name = body.text(start, end);
    if braced && body.get(end) != Some(b'}') {
        let mend = if name.is_empty() { "status" } else { &name };
        let message = format!("the brace of ${{{name} is not closed; write ${{{mend}}}");
        return Err(error(body.place(at, end), message));
    }
    let end = end + usize::from(braced);
    if name.is_empty() {
        let found = if braced { "${} has no name" } else { "$ stands alone" };
        let message = format!(
            "{found}: a variable is written $status or ${{status}}, and a dollar sign itself \
             cannot be written"
        );
        return Err(error(body.place(at, end), message));
    }
    Ok((name.to_ascii_lowercase(), end))
}

#[cfg(test)]
mod tests;
