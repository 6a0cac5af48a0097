//! Parses the directive `log_format` of a configuration.

use super::super::TemplateError;
use super::super::draft::{Body, Word, error, quoted_char, reject_trailing, skip_comments};

/// Whether the text is a whole directive, not only a format.
pub(in super::super) fn is_directive(text: &str) -> bool {
    let text = skip_comments(text);
    ["log_format", "access_log"].iter().any(|name| {
        text.strip_prefix(name).is_some_and(|rest| {
            rest.is_empty()
                || rest.starts_with(|next: char| next.is_ascii_whitespace() || next == ';')
        })
    })
}

/// Whether nginx writes values without escapes.
type IsRaw = bool;

/// Extracts the format from a text: the bare format, its quoted strings, or a whole directive.
pub(super) fn read(text: &str) -> Result<(Body, IsRaw), TemplateError> {
    if !is_directive(text)
        && let Some(at) = text.find("log_format ")
    {
        let message =
            "unexpected text before log_format; paste only the log_format directive, up to its ;";
        return Err(error((0, at), message));
    }
    if !is_directive(text) && !is_pieces(text) {
        return Ok((Body::verbatim(text, 0, text.len()).trimmed(), false));
    }
    let words = words(text)?;
    let mut rest = words.as_slice();
    if is_directive(text)
        && let Some((directive, parameters)) = rest.split_first()
    {
        rest = name(text, directive, parameters)?;
    }
    let mut is_raw = false;
    if let Some((first, others)) = rest.split_first()
        && let Some(escape) = first.body.bytes.strip_prefix(b"escape=")
    {
        check_escape(first, escape)?;
        is_raw = escape == b"none";
        rest = others;
    }
    if rest.is_empty() {
        let message =
            "expected a format in log_format, found none; paste all its lines, up to its ;";
        return Err(error((0, text.trim_end().len()), message));
    }
    check_strings(text, rest)?;
    let mut body = Body::default();
    for word in rest {
        body.append(&word.body);
    }
    Ok((body, is_raw))
}

/// Whether a text without the directive's name consists of quoted strings.
fn is_pieces(text: &str) -> bool {
    let text = skip_comments(text).trim_end();
    let Some(quote) = text.chars().next() else { return false };
    if text.starts_with("escape=") {
        return true;
    }
    if quote != '\'' && quote != '"' {
        return false;
    }
    // A single quoted string is quoted by the configuration, but the quotes of `"$request"` are
    // part of the format.
    let closing = text[1..].find(quote).map_or(text.len(), |at| at + 1);
    let is_one = closing + 1 == text.len();
    let one = is_one && (quote == '\'' || text.matches('$').count() != 1);
    one || text.ends_with(';') || text.contains('\n')
}

/// The parameters after the name of the format.
fn name<'a>(
    text: &str,
    directive: &Word,
    parameters: &'a [Word],
) -> Result<&'a [Word], TemplateError> {
    if directive.body.bytes == b"access_log" {
        let message =
            "access_log only refers to a format by name; paste the log_format with that name";
        return Err(error((directive.start, directive.end), message));
    }
    let Some((name, rest)) = parameters.split_first() else {
        let message = "expected a name and a format after log_format; write log_format main \
                       '$remote_addr ...';";
        return Err(error((0, text.trim_end().len()), message));
    };
    if name.body.bytes.contains(&b'$') || name.body.bytes.starts_with(b"escape=") {
        let message = "expected a name between log_format and the format; write log_format main \
                       '$remote_addr ...';";
        return Err(error((name.start, name.end), message));
    }
    Ok(rest)
}

fn check_escape(word: &Word, escape: &[u8]) -> Result<(), TemplateError> {
    if matches!(escape, b"default" | b"json" | b"none") {
        return Ok(());
    }
    let other = String::from_utf8_lossy(escape);
    let message = format!("expected escape=default, json or none, found escape={other}");
    Err(error((word.start, word.end), message))
}

/// Rejects a bare word without a variable beside quoted strings. nginx would append it without a
/// space, which is hardly what is meant.
fn check_strings(text: &str, words: &[Word]) -> Result<(), TemplateError> {
    let is_quoted = |word: &Word| matches!(text.as_bytes()[word.start], b'\'' | b'"');
    let is_junk = |word: &&Word| !is_quoted(word) && !word.body.bytes.contains(&b'$');
    let strings = if words.iter().any(is_quoted) { words } else { &[] };
    match strings.iter().find(is_junk) {
        Some(word) => {
            let found = text.get(word.start..word.end).unwrap_or_default();
            let message = format!(
                "expected ; after the format, found {}; remove it, or put it in quotes if it is a \
                 part of the format",
                crate::ground::quoted(found)
            );
            Err(error((word.start, word.end), message))
        }
        None => Ok(()),
    }
}

/// The parameters up to the semicolon, unquoted and unescaped.
fn words(text: &str) -> Result<Vec<Word>, TemplateError> {
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b'#' => at += line(&bytes[at..]),
            b';' => {
                reject_trailing(text, at + 1, "log_format")?;
                break;
            }
            b'\'' | b'"' => {
                let word = quoted(text, at, byte)?;
                check_end(text, &word)?;
                at = word.end;
                words.push(word);
            }
            _ => {
                let word = bare(bytes, at);
                at = word.end;
                words.push(word);
            }
        }
    }
    Ok(words)
}

fn line(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len())
}

fn quoted(text: &str, start: usize, quote: u8) -> Result<Word, TemplateError> {
    let bytes = text.as_bytes();
    let mut body = Body::default();
    let mut at = start + 1;
    loop {
        match bytes.get(at) {
            None => {
                let quote = char::from(quote);
                let end = start + line(&bytes[start..]);
                let message =
                    format!("unclosed quote: add the closing {quote} at the end of the string");
                return Err(error((start, end), message));
            }
            Some(&byte) if byte == quote => break,
            Some(&byte) => at = unescaped(bytes, at, byte, &mut body),
        }
    }
    Ok(Word { body, start, end: at + 1 })
}

fn bare(bytes: &[u8], start: usize) -> Word {
    let mut body = Body::default();
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b';') {
            break;
        }
        at = unescaped(bytes, at, byte, &mut body);
    }
    Word { body, start, end: at }
}

/// Adds one byte, or what an escape sequence stands for, and returns its end.
fn unescaped(bytes: &[u8], at: usize, byte: u8, body: &mut Body) -> usize {
    let escaped = match (byte, bytes.get(at + 1)) {
        (b'\\', Some(&next @ (b'"' | b'\'' | b'\\'))) => next,
        (b'\\', Some(b't')) => b'\t',
        (b'\\', Some(b'r')) => b'\r',
        (b'\\', Some(b'n')) => b'\n',
        _ => {
            body.push(byte, at, at + 1);
            return at + 1;
        }
    };
    body.push(escaped, at, at + 2);
    at + 2
}

/// Checks that a blank or the end of the directive follows a quoted string.
fn check_end(text: &str, word: &Word) -> Result<(), TemplateError> {
    let next = text.as_bytes().get(word.end);
    if matches!(next, None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';')) {
        return Ok(());
    }
    let quote = text.get(word.start..=word.start).unwrap_or_default();
    let found = quoted_char(text, word.end);
    let message = format!(
        "expected a space or ; after the closing {quote}, found {found}; add the {quote} that is \
         missing before it, or write \\{quote} for a {quote} inside the format"
    );
    Err(error((word.end - 1, word.end), message))
}
