//! The directives `LogFormat` and `CustomLog` as they stand in a configuration.

use super::super::TemplateError;
use super::super::draft::{Body, Word, error, reject_trailing, skip_comments};

/// The nicknames that the configuration which comes with Apache, or Debian's, defines.
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

/// Whether the text is a directive of Apache and not only a format.
pub(in super::super) fn is_directive(text: &str) -> bool {
    directive(text).is_some()
}

/// The directive with which the text begins.
fn directive(text: &str) -> Option<&'static str> {
    let first = skip_comments(text).split(|next: char| next.is_ascii_whitespace()).next()?;
    DIRECTIVES.into_iter().find(|name| first.eq_ignore_ascii_case(name))
}

/// Where a later line begins with a directive.
fn later_directive(text: &str) -> Option<usize> {
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    ends.filter(|at| !text[*at..].trim_start().starts_with('#'))
        .find(|at| directive(&text[*at..]).is_some())
}

/// The format that a text says: with or without quotes around it, or a whole directive.
pub(super) fn read(text: &str) -> Result<Body, TemplateError> {
    let Some(name) = directive(text) else {
        return match later_directive(text) {
            Some(at) => {
                let message = "something stands in front of the directive; paste it alone";
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
                "TransferLog" => "TransferLog only names a file; paste the LogFormat it goes by",
                _ => "ErrorLogFormat is for the error log; paste the LogFormat of the access log",
            };
            return Err(error(directive_place, message));
        }
    };
    let Some(format) = format else {
        let reads = match name {
            "LogFormat" => "LogFormat \"%h %l %u %t ...\" name",
            _ => "CustomLog file \"%h %l %u %t ...\"",
        };
        let message = format!("{name} has no format; it reads {reads}");
        return Err(error((directive_place.0, text.trim_end().len()), message));
    };
    if name == "LogFormat"
        && let Some(more) = words.get(3)
    {
        let message = "LogFormat has one format and one name, and more follows; a quote inside \
                       the format is written \\\"";
        return Err(error((more.start, more.end), message));
    }
    if format.body.bytes.contains(&b'%') {
        return Ok(format.body.clone());
    }
    nickname(format)
}

/// A format outside a configuration; quotes around all of it are the configuration's.
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
            "{name} is the name of a format that is defined elsewhere; paste the LogFormat line \
             that ends with {name}"
        );
        return Err(error((word.start, word.end), message));
    };
    let mut body = Body::default();
    for byte in format.bytes() {
        body.push(byte, word.start, word.end);
    }
    Ok(body)
}

/// The directive and its arguments, with quotes and escapes undone. A backslash at the end of a
/// line continues it.
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

/// How many bytes the end of a line takes that a backslash here makes a blank of.
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
            // The format has escapes of its own, which are undone after those of the quotes.
            body.push(b'\\', at, at + 2);
            at += 2;
        } else {
            body.push(byte, at, at + 1);
            at += 1;
        }
    }
    let shown = char::from(quote);
    if bytes.get(at) != Some(&quote) {
        let message = format!("this {shown} is not closed; write {shown} where the format ends");
        return Err(error((start, at), message));
    }
    let end = at + 1;
    if !matches!(bytes.get(end), None | Some(b' ' | b'\t' | b'\r' | b'\n')) {
        let message = format!(
            "this {shown} closes the format, so a blank has to follow; a {shown} inside the \
             format is written \\{shown}"
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
