//! The directive `%t` and its time formats.

use super::super::draft::{Body, Draft, error};
use super::super::meaning::Meaning;
use super::super::{Syntax, TemplateError};
use super::{Directive, if_present};
use crate::text::format::field_type::FieldType;
use crate::text::format::time::TimeFormat;

/// Adds the time, in brackets if the directive has no time format.
pub(super) fn compile(
    body: &Body,
    directive: &Directive,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let (at_end, text, skipped) = split_argument(directive.argument());
    let (own, rank, format) = match text {
        "" => ("clf", 4, TimeFormat::Clf),
        "sec" => ("sec", 3, TimeFormat::Epoch(0)),
        "msec" => ("msec", 1, TimeFormat::Epoch(-3)),
        "usec" => ("usec", 0, TimeFormat::Epoch(-6)),
        "msec_frac" => ("msec_frac", 5, TimeFormat::Strftime("%3f".into())),
        "usec_frac" => ("usec_frac", 5, TimeFormat::Strftime("%6f".into())),
        text => ("text", 2, custom(body, directive, text, skipped)?),
    };
    let prefix = if at_end { "end_time" } else { "time" };
    let meaning = Meaning {
        standard: if at_end { "" } else { "time" },
        rank,
        own: format!("{prefix}_{own}"),
        syntax: Syntax::Time,
        read: FieldType::Time(format),
    };
    let written = body.place(directive.start, directive.end);
    if directive.conditional {
        // Without a value, the brackets are missing too.
        draft.field(if_present(meaning), written);
    } else if text.is_empty() {
        draft.literal(b"[");
        draft.field(meaning, written);
        draft.literal(b"]");
    } else {
        draft.field(meaning, written);
    }
    Ok(())
}

/// Whether the time is the end of the request, its format, and the length of the prefix before it.
fn split_argument(argument: &str) -> (bool, &str, usize) {
    match argument {
        "begin" => (false, "", 0),
        "end" => (true, "", 0),
        _ => {
            let (at_end, format) = match argument.strip_prefix("end:") {
                Some(format) => (true, format),
                None => (false, argument.strip_prefix("begin:").unwrap_or(argument)),
            };
            (at_end, format, argument.len() - format.len())
        }
    }
}

fn custom(
    body: &Body,
    directive: &Directive,
    format: &str,
    skipped: usize,
) -> Result<TimeFormat, TemplateError> {
    let start = directive.argument.as_ref().map_or(0, |argument| argument.start) + skipped;
    let place = |from: usize, to: usize| body.place(start + from, start + to);
    for token in ["msec_frac", "usec_frac"] {
        if let Some(at) = format.find(token) {
            let message =
                format!("{token} needs a directive of its own; write %{{...}}t.%{{{token}}}t");
            return Err(error(place(at, at + token.len()), message));
        }
    }
    if !format.contains('%') {
        let message = format!(
            "expected sec, msec, usec, msec_frac, usec_frac or a strftime format, found '{format}'; \
             write for example %{{%Y-%m-%d %H:%M:%S}}t"
        );
        return Err(error(place(0, format.len()), message));
    }
    strftime(format).map_err(|(from, to, message)| error(place(from, to), message))
}

/// The time format of a `strftime` text; or the start, the end and the message of an error in it.
pub(in super::super) fn strftime(format: &str) -> Result<TimeFormat, (usize, usize, String)> {
    if format == "%s" {
        return Ok(TimeFormat::Epoch(0));
    }
    let mut out = String::with_capacity(format.len());
    let mut rest = format.char_indices();
    while let Some((at, character)) = rest.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let Some((_, letter)) = rest.next() else {
            let message = "expected a letter after % in the time format; write %% for a literal %";
            return Err((at, format.len(), message.to_owned()));
        };
        match letter {
            'T' | 'X' => out.push_str("%H:%M:%S"),
            'R' => out.push_str("%H:%M"),
            'F' => out.push_str("%Y-%m-%d"),
            'D' | 'x' => out.push_str("%m/%d/%y"),
            'r' => out.push_str("%I:%M:%S %p"),
            'c' => out.push_str("%a %b %e %H:%M:%S %Y"),
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'P' => out.push_str("%p"),
            'a' | 'A' | 'b' | 'B' | 'h' | 'd' | 'e' | 'f' | 'm' | 'y' | 'Y' | 'j' | 'H' | 'I'
            | 'k' | 'l' | 'M' | 'S' | 'p' | 'Z' | 'z' | 's' | '%' => {
                out.push('%');
                out.push(letter);
            }
            other => {
                let message = format!(
                    "unsupported %{other} in a time format; write a date as %d/%b/%Y or %F, a time \
                     of day as %T, a zone as %z"
                );
                return Err((at, at + 1 + other.len_utf8(), message));
            }
        }
    }
    if out == "%d/%b/%Y:%H:%M:%S %z" {
        return Ok(TimeFormat::Clf);
    }
    Ok(TimeFormat::Strftime(out.into()))
}
