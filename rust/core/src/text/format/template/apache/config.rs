//! Parses the directives `LogFormat` and `CustomLog` of a configuration.

use super::super::TemplateError;
use super::super::draft::{Body, Word, error, quoted_char, reject_trailing, skip_comments};

/// The nicknames that Apache's and Debian's default configurations define.
const NICKNAMES: &[(&str, &str)] = &[
    ("common", r#"%h %l %u %t "%r" %>s %b"#),
    ("combined", r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#),
    ("combinedio", r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %I %O"#),
    ("vhost_common", r#"%v %h %l %u %t "%r" %>s %b"#),
    ("vhost_combined", r#"%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i""#),
    ("referer", "%{Referer}i -> %U"),
    ("agent", "%{User-agent}i"),
];

const DIRECTIVES: [&str; 5] =
    ["LogFormat", "CustomLog", "GlobalLog", "TransferLog", "ErrorLogFormat"];

/// Whether the text is a whole directive, not only a format string.
pub(in super::super) fn is_directive(text: &str) -> bool {
    directive(text).is_some()
}

/// The directive at the start of the text.
fn directive(text: &str) -> Option<&'static str> {
    let first = skip_comments(text).split(|next: char| next.is_ascii_whitespace()).next()?;
    DIRECTIVES.into_iter().find(|name| first.eq_ignore_ascii_case(name))
}

/// The start of a later line that begins with a directive.
fn later_directive(text: &str) -> Option<usize> {
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    ends.filter(|at| !text[*at..].trim_start().starts_with('#'))
        .find(|at| directive(&text[*at..]).is_some())
}

/// Extracts the format string of a text, with or without quotes, or of a whole directive.
pub(super) fn read(text: &str) -> Result<Body, TemplateError> {
    let Some(name) = directive(text) else {
        return match later_directive(text) {
            Some(at) => {
                let message = "unexpected text before the directive; paste only the directive";
                Err(error((0, at), message))
            }
            None => Ok(bare(text)),
        };
    };
    let words = words(text)?;
    let directive_place = words.first().map_or((0, text.len()), |word| (word.start, word.end));
    let format = match name {
        "LogFormat" => words.get(1),
        "CustomLog" | "GlobalLog" => words.get(2),
        other => {
            let message = match other {
                "TransferLog" => "TransferLog only names a file; paste the LogFormat it uses",
                _ => {
                    "ErrorLogFormat describes the error log; paste the LogFormat of the access log"
                }
            };
            return Err(error(directive_place, message));
        }
    };
    let Some(format) = format else {
        let reads = match name {
            "LogFormat" => "LogFormat \"%h %l %u %t ...\" name",
            _ => "CustomLog file \"%h %l %u %t ...\"",
        };
        let message = format!("expected a format after {name}; write {reads}");
        return Err(error((directive_place.0, text.trim_end().len()), message));
    };
    if name == "LogFormat"
        && let Some(more) = words.get(3)
    {
        let message = "unexpected text after the name of the LogFormat; write \\\" for a quote \
                       inside the format";
        return Err(error((more.start, more.end), message));
    }
    if format.body.bytes.contains(&b'%') {
        return Ok(format.body.clone());
    }
    nickname(format)
}

/// The pattern of a Tomcat valve, or the one that its name stands for.
pub(super) fn pattern(text: &str) -> Body {
    let body = bare(text);
    let name = body.text(0, body.bytes.len());
    match NICKNAMES.iter().find(|known| known.0 == name) {
        Some((_, format)) => named(format, body.place(0, body.bytes.len())),
        None => body,
    }
}

/// A format whose bytes are all at the place of its name.
fn named(format: &str, (start, end): (usize, usize)) -> Body {
    let mut body = Body::default();
    for byte in format.bytes() {
        body.push(byte, start, end);
    }
    body
}

/// The format string of a text that is not a directive. Quotes around all of it are not part of
/// the format.
fn bare(text: &str) -> Body {
    let body = Body::verbatim(text, 0, text.len()).trimmed();
    let Some(quote) = body.get(0).filter(|quote| matches!(quote, b'"' | b'\'')) else {
        return body;
    };
    let mut at = 1;
    while let Some(byte) = body.get(at).filter(|&byte| byte != quote) {
        at += if byte == b'\\' { 2 } else { 1 };
    }
    if at + 1 == body.bytes.len() { body.slice(1, at) } else { body }
}

fn nickname(word: &Word) -> Result<Body, TemplateError> {
    let name = word.body.text(0, word.body.bytes.len());
    let known = NICKNAMES.iter().find(|known| known.0 == name);
    let Some((_, format)) = known else {
        let message = format!(
            "{name} is a nickname that is defined elsewhere; paste the LogFormat line that ends \
             with {name}"
        );
        return Err(error((word.start, word.end), message));
    };
    Ok(named(format, (word.start, word.end)))
}

/// The directive and its arguments, unquoted and unescaped. A backslash at the end of a line
/// continues it.
fn words(text: &str) -> Result<Vec<Word>, TemplateError> {
    let bytes = text.as_bytes();
    let mut at = text.len() - skip_comments(text).len();
    let mut words = Vec::new();
    loop {
        match bytes.get(at) {
            None => return Ok(words),
            Some(b'\\') if continuation(bytes, at) > 0 => at += continuation(bytes, at),
            Some(b'\n') => {
                reject_trailing(text, at, "directive")?;
                return Ok(words);
            }
            Some(byte) if byte.is_ascii_whitespace() => at += 1,
            Some(&quote @ (b'"' | b'\'')) => {
                let word = quoted(text, at, quote)?;
                at = word.end;
                words.push(word);
            }
            Some(_) => {
                let word = unquoted(bytes, at);
                at = word.end;
                words.push(word);
            }
        }
    }
}

/// The length of a line continuation here: a backslash and a newline.
fn continuation(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at..) {
        Some([b'\\', b'\n', ..]) => 2,
        Some([b'\\', b'\r', b'\n', ..]) => 3,
        _ => 0,
    }
}

fn quoted(text: &str, start: usize, quote: u8) -> Result<Word, TemplateError> {
    let bytes = text.as_bytes();
    let mut body = Body::default();
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at).filter(|&&byte| byte != quote && byte != b'\n') {
        if continuation(bytes, at) > 0 {
            at += continuation(bytes, at);
        } else if byte == b'\\' && bytes.get(at + 1) == Some(&quote) {
            body.push(quote, at, at + 2);
            at += 2;
        } else if byte == b'\\' && bytes.get(at + 1) == Some(&b'\\') {
            // The format string has escapes of its own, which are processed later.
            body.push(b'\\', at, at + 2);
            at += 2;
        } else {
            body.push(byte, at, at + 1);
            at += 1;
        }
    }
    let shown = char::from(quote);
    if bytes.get(at) != Some(&quote) {
        let message = format!("unclosed quote: add the closing {shown} at the end of the format");
        return Err(error((start, at), message));
    }
    let end = at + 1;
    if !matches!(bytes.get(end), None | Some(b' ' | b'\t' | b'\r' | b'\n')) {
        let found = quoted_char(text, end);
        let message = format!(
            "expected a space after the closing {shown}, found {found}; write \\{shown} for a \
             {shown} inside the format"
        );
        return Err(error((at, end), message));
    }
    Ok(Word { body, start, end })
}

fn unquoted(bytes: &[u8], start: usize) -> Word {
    let mut body = Body::default();
    let mut at = start;
    while let Some(&byte) = bytes.get(at).filter(|byte| !byte.is_ascii_whitespace()) {
        body.push(byte, at, at + 1);
        at += 1;
    }
    Word { body, start, end: at }
}
