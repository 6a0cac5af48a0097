//! Compiles GoAccess's `log-format` to a template.
//!
//! Accepts the string alone, lines of a `goaccess.conf`, or options of its command line. The date
//! and time formats are separate settings there; without them, only `%x` and the usual
//! combinations of `%d` and `%t` are accepted.

mod options;

use super::apache::strftime;
use super::draft::{Body, Draft, error};
use super::meaning::Meaning;
use super::{Syntax, Template, TemplateError};
use crate::text::format::field_type::FieldType;
use crate::text::format::time::TimeFormat;
use options::Options;

pub(super) use options::is_options;

/// The predefined formats of GoAccess that are templates.
const PRESETS: &[(&str, &str)] = &[
    ("COMBINED", r#"%h %^[%d:%t %^] "%r" %s %b "%R" "%u""#),
    ("VCOMBINED", r#"%v:%^ %h %^[%d:%t %^] "%r" %s %b "%R" "%u""#),
    ("COMMON", r#"%h %^[%d:%t %^] "%r" %s %b"#),
    ("VCOMMON", r#"%v:%^ %h %^[%d:%t %^] "%r" %s %b"#),
];

/// The usual date format of access logs, which a time zone follows.
const DATE_FORMAT: &str = "%d/%b/%Y";
const TIME_FORMAT: &str = "%H:%M:%S";

/// Compiles a `log-format`.
pub(crate) fn compile(text: &str) -> Result<Template, TemplateError> {
    let options = options::read(text)?;
    let body = expanded(&options.log);
    if body.bytes.starts_with(b"{") {
        let message = "GoAccess's JSON formats are not supported; use the format json, which names \
                       the fields after their keys";
        return Err(error(body.place(0, body.bytes.len()), message));
    }
    let mut compiler = Compiler { body: &body, options: &options, draft: Draft::default() };
    let mut at = 0;
    while let Some(byte) = body.get(at) {
        at = match (byte, body.get(at + 1)) {
            (b'%', _) => compiler.specifier(at)?,
            (b'~', Some(b'h')) => compiler.forwarded_for(at)?,
            _ => compiler.literal(at),
        };
    }
    let mut draft = compiler.draft;
    if draft.meanings().all(|meaning| meaning.own.is_empty()) {
        let message = "expected a specifier, such as %h (the client), %r (the request) or %s (the \
                       status), found none";
        return Err(error((0, text.len()), message));
    }
    path_or_url(&mut draft);
    // GoAccess ignores what follows its format.
    Ok(Template { open_ended: true, ..draft.finish(text)? })
}

/// The predefined format of this name, or the text itself.
fn expanded(written: &Body) -> Body {
    let name = written.text(0, written.bytes.len());
    let Some((_, format)) = PRESETS.iter().find(|preset| preset.0 == name) else {
        return written.clone();
    };
    let (start, end) = written.place(0, written.bytes.len());
    let mut body = Body::default();
    format.bytes().for_each(|byte| body.push(byte, start, end));
    body
}

/// Makes `%U` a path if the format has `%q`; otherwise it includes the query.
fn path_or_url(draft: &mut Draft) {
    if draft.meanings().any(|meaning| meaning.standard == "query") {
        for meaning in draft.meanings().filter(|meaning| meaning.standard == "url") {
            meaning.standard = "path";
        }
    }
}

struct Compiler<'a> {
    body: &'a Body,
    options: &'a Options,
    draft: Draft,
}

impl Compiler<'_> {
    fn literal(&mut self, at: usize) -> usize {
        let escaped = match (self.body.get(at), self.body.get(at + 1)) {
            (Some(b'\\'), Some(b't')) => b'\t',
            (Some(b'\\'), Some(b'n')) => b'\n',
            (Some(b'\\'), Some(next @ (b'\\' | b'"'))) => next,
            (Some(byte), _) => {
                self.draft.literal(&[byte]);
                return at + 1;
            }
            (None, _) => return at + 1,
        };
        self.draft.literal(&[escaped]);
        at + 2
    }

    /// Adds the specifier whose percent sign is here, and returns its end.
    fn specifier(&mut self, at: usize) -> Result<usize, TemplateError> {
        let end =
            if at + 1 < self.body.bytes.len() { self.body.after_character(at + 1) } else { at + 1 };
        let place = self.body.place(at, end);
        let letter = self.body.text(at + 1, end);
        let meaning = match letter.as_str() {
            "d" | "t" | "x" => return self.time(at),
            "~" => {
                if !self.draft.ends_blank() {
                    self.draft.literal(b" ");
                }
                return Ok(end);
            }
            "^" => {
                let syntax = match self.body.get(end) {
                    Some(b' ' | b'\t') | None => Syntax::Word,
                    _ => Syntax::Free,
                };
                Meaning::skipped(syntax)
            }
            letter => specifier(letter).ok_or_else(|| error(place, unknown(letter)))?,
        };
        self.draft.field(meaning, place);
        Ok(end)
    }

    /// Adds the time that begins here: a date, a time of day, or both with their zone.
    fn time(&mut self, at: usize) -> Result<usize, TemplateError> {
        let rest = &self.body.bytes[at..];
        let given = |format: &Option<(String, (usize, usize))>| format.is_some();
        let usual = !given(&self.options.date) && !given(&self.options.time);
        let (length, format) = if rest.starts_with(b"%x") {
            (2, self.datetime_format()?)
        } else if usual && rest.starts_with(b"%d:%t %^") {
            (8, TimeFormat::Clf)
        } else if usual && rest.starts_with(b"%d:%t") {
            (5, TimeFormat::Strftime(format!("{DATE_FORMAT}:{TIME_FORMAT}").into()))
        } else if usual && rest.starts_with(b"%dT%t") {
            // ISO 8601, with the fraction and the zone that GoAccess skips.
            let more = [&b".%^"[..], b"%^"].into_iter().find(|more| rest[5..].starts_with(more));
            (5 + more.map_or(0, <[u8]>::len), TimeFormat::Iso)
        } else {
            (2, self.date_or_time_format(at)?)
        };
        let meaning = Meaning {
            standard: "time",
            ..Meaning::own("datetime", Syntax::Time, FieldType::Time(format))
        };
        self.draft.field(meaning, self.body.place(at, at + length));
        Ok(at + length)
    }

    /// The time format of `%x`: the given one, or any that can be detected.
    fn datetime_format(&self) -> Result<TimeFormat, TemplateError> {
        match (&self.options.datetime, &self.options.date, &self.options.time) {
            (Some(format), _, _) => read(format),
            (None, Some(date), Some(time)) if date.0 == time.0 => read(date),
            _ => Ok(TimeFormat::Any),
        }
    }

    /// The time format of a single `%d` or `%t`, which has to be given.
    fn date_or_time_format(&self, at: usize) -> Result<TimeFormat, TemplateError> {
        let is_date = self.body.get(at + 1) == Some(b'd');
        let (specifier, option, format) = if is_date {
            ("%d", "date-format", &self.options.date)
        } else {
            ("%t", "time-format", &self.options.time)
        };
        if let Some(format) = format {
            return read(format);
        }
        let message = format!(
            "{specifier} needs GoAccess's {option}, which is missing; paste the lines log-format, \
             date-format and time-format of goaccess.conf together (without them, only \
             [%d:%t %^], %dT%t and %x are supported)"
        );
        Err(error(self.body.place(at, at + 2), message))
    }

    /// Adds the list of addresses whose `~h{delimiters}` is here, and returns its end.
    fn forwarded_for(&mut self, at: usize) -> Result<usize, TemplateError> {
        let rest = &self.body.bytes[at..];
        let closing = rest.iter().position(|&byte| byte == b'}');
        let (Some(b'{'), Some(length)) = (self.body.get(at + 2), closing) else {
            let message =
                "expected the separators of the addresses in braces after ~h, as in ~h{, }";
            return Err(error(self.body.place(at, at + 2), message));
        };
        let end = at + length + 1;
        let delimiters = &rest[3..length];
        let after = &self.body.bytes[end..];
        let literal = after.iter().take_while(|&&byte| byte != b'%' && byte != b'~').count();
        if literal > 0 && after[..literal].iter().all(|byte| delimiters.contains(byte)) {
            let message = "the end of this list is ambiguous, because the text after it is one of \
                           its separators; put quotes around it in the format, as in \"~h{, }\"";
            return Err(error(self.body.place(at, end + literal), message));
        }
        let meaning = Meaning { standard: "xff", ..Meaning::text("http_x_forwarded_for") };
        self.draft.field(meaning, self.body.place(at, end));
        Ok(end)
    }
}

/// The time format of an option: strftime, or GoAccess's own formats for numbers.
fn read(format: &(String, (usize, usize))) -> Result<TimeFormat, TemplateError> {
    let (text, place) = format;
    match text.as_str() {
        "%f" => Ok(TimeFormat::Epoch(-6)),
        "%*" => Ok(TimeFormat::Epoch(-3)),
        text => strftime(text).map_err(|(_, _, message)| error(*place, message)),
    }
}

/// The meaning of a specifier that is not a time.
fn specifier(letter: &str) -> Option<Meaning> {
    let standard = |standard, meaning: Meaning| Meaning { standard, ..meaning };
    let word = |own: &str| Meaning::own(own, Syntax::Word, FieldType::Text);
    let duration = |rank, own: &str, power| {
        let meaning = Meaning::own(own, Syntax::Number, FieldType::Seconds(power));
        Meaning { standard: "request_time", rank, ..meaning }
    };
    Some(match letter {
        "h" => standard("host", word("remote_addr")),
        "v" => standard("vhost", word("server_name")),
        "e" => standard("user", Meaning::text("remote_user")),
        "C" => word("cache_status"),
        "r" => standard("request", Meaning::own("request_line", Syntax::Free, FieldType::Request)),
        "m" => standard("method", word("request_method")),
        "U" => standard("url", Meaning::text("request_uri")),
        "q" => standard("query", Meaning::own("args", Syntax::Free, FieldType::Query)),
        "H" => standard("protocol", word("server_protocol")),
        "s" => standard("status", Meaning::own("status", Syntax::Status, FieldType::Int)),
        "b" => standard("size", Meaning::own("body_bytes_sent", Syntax::Int, FieldType::Int)),
        "R" => standard("referer", Meaning::text("http_referer")),
        "u" => standard("agent", Meaning::text("http_user_agent")),
        "K" => word("ssl_protocol"),
        "k" => word("ssl_cipher"),
        "M" => Meaning::text("sent_http_content_type"),
        "n" => duration(0, "request_time_ns", -9),
        "D" => duration(1, "request_time_us", -6),
        "L" => duration(2, "request_time_ms", -3),
        "T" => duration(3, "request_time_s", 0),
        _ => return None,
    })
}

/// Whether GoAccess has a specifier with this letter.
pub(super) fn is_known(letter: &str) -> bool {
    matches!(letter, "d" | "t" | "x" | "^" | "~") || specifier(letter).is_some()
}

fn unknown(letter: &str) -> String {
    if letter.trim().is_empty() {
        return "expected a letter after %, as in %h".to_owned();
    }
    let hint = match letter {
        "{" | ">" | "<" | "l" => "it is Apache syntax, and a format cannot mix the two",
        "%" => "GoAccess has no literal %; write %^ to skip it",
        _ => "write %^ to skip a field without a specifier",
    };
    format!("unknown GoAccess specifier %{letter}; {hint}")
}

#[cfg(test)]
mod tests;
