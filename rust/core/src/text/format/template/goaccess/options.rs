//! Extracts GoAccess's formats from a configuration or a command line.

use super::super::TemplateError;
use super::super::draft::{Body, error};

/// The formats that a text has.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) log: Body,
    pub(super) date: Option<(String, (usize, usize))>,
    pub(super) time: Option<(String, (usize, usize))>,
    pub(super) datetime: Option<(String, (usize, usize))>,
}

const NAMES: [&str; 4] = ["log-format", "date-format", "time-format", "datetime-format"];

/// Whether the text has named settings, not only a format.
pub(in super::super) fn is_options(text: &str) -> bool {
    let lines = text.lines().map(str::trim_start);
    let mut settings = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    settings.next().is_some_and(|line| name(line.trim_start_matches("--")).is_some())
        || text.contains("--log-format")
}

/// The name of the setting at the start of a text.
fn name(text: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|name| {
        text.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(|next: char| next == '=' || next.is_whitespace()))
    })
}

/// The formats of a text: all of them, or only the log format.
pub(super) fn read(text: &str) -> Result<Options, TemplateError> {
    let mut options = Options::default();
    if !is_options(text) {
        options.log = Body::verbatim(text, 0, text.len()).trimmed();
        return Ok(options);
    }
    let mut at = 0;
    while let Some(found) = text[at..].find("-format") {
        let after = at + found + "-format".len();
        let begin = text[..after].rfind(|byte: char| byte.is_whitespace() || byte == '\n');
        let begin = begin.map_or(0, |blank| blank + 1).max(at);
        let word = text[begin..].trim_start_matches("--");
        let is_comment = text[..begin].rsplit('\n').next().is_some_and(|line| line.contains('#'))
            || word.starts_with('#');
        let Some(name) = name(word).filter(|_| !is_comment) else {
            at = after;
            continue;
        };
        let from_options = text[begin..].starts_with("--");
        let (value, end) = value(text, after, from_options)?;
        let place = value.place(0, value.bytes.len());
        let format = value.text(0, value.bytes.len());
        match name {
            "log-format" => options.log = value,
            "date-format" => options.date = Some((format, place)),
            "time-format" => options.time = Some((format, place)),
            _ => options.datetime = Some((format, place)),
        }
        at = end;
    }
    if options.log.bytes.is_empty() {
        let message = "log-format is missing; paste its line too";
        return Err(error((0, text.trim_end().len()), message));
    }
    Ok(options)
}

/// The value of the setting whose name ends here, and the end of the value.
fn value(text: &str, at: usize, from_options: bool) -> Result<(Body, usize), TemplateError> {
    let rest = &text[at..];
    let line = at + rest.find('\n').unwrap_or(rest.len());
    let is_between = |next: char| next == '=' || next == ' ' || next == '\t';
    let start = at + rest.len() - rest.trim_start_matches(is_between).len();
    let start = start.min(line);
    let quote = text[start..].chars().next().filter(|quote| matches!(quote, '\'' | '"'));
    if !from_options {
        return Ok((Body::verbatim(text, start, line).trimmed(), line));
    }
    let Some(quote) = quote else {
        let length = text[start..].find(char::is_whitespace).unwrap_or(text.len() - start);
        return Ok((Body::verbatim(text, start, start + length), start + length));
    };
    let mut body = Body::default();
    let bytes = text.as_bytes();
    let mut end = start + 1;
    while let Some(&byte) = bytes.get(end) {
        if char::from(byte) == quote {
            return Ok((body, end + 1));
        }
        // A shell processes escapes only inside double quotes.
        let escaped = quote == '"' && byte == b'\\' && bytes.get(end + 1) == Some(&b'"');
        if escaped {
            body.push(b'"', end, end + 2);
        } else {
            body.push(byte, end, end + 1);
        }
        end += if escaped { 2 } else { 1 };
    }
    let message = format!("unclosed quote: add the closing {quote} at the end of the format");
    Err(error((start, line), message))
}
