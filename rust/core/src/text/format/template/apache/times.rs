//! The directive `%t` and its forms.

use super::super::draft::{Body, Draft, error};
use super::super::meaning::Meaning;
use super::super::{Syntax, TemplateError};
use super::{Directive, if_present};
use crate::text::format::field_type::FieldType;
use crate::text::format::time::TimeFormat;

/// Adds the time: in brackets where no form is given.
pub(super) fn compile(
    body: &Body,
    directive: &Directive,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let (at_end, form, skipped) = form(directive.argument());
    let (own, rank, format) = match form {
        "" => ("clf", 4, TimeFormat::Clf),
        "sec" => ("sec", 3, TimeFormat::Epoch(0)),
        "msec" => ("msec", 1, TimeFormat::Epoch(-3)),
        "usec" => ("usec", 0, TimeFormat::Epoch(-6)),
        "msec_frac" => ("msec_frac", 5, TimeFormat::Strftime("%3f".into())),
        "usec_frac" => ("usec_frac", 5, TimeFormat::Strftime("%6f".into())),
        form => ("text", 2, custom(body, directive, form, skipped)?),
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
        // The brackets too are there only with these statuses.
        draft.field(if_present(meaning), written);
    } else if form.is_empty() {
        draft.literal(b"[");
        draft.field(meaning, written);
        draft.literal(b"]");
    } else {
        draft.field(meaning, written);
    }
    Ok(())
}

/// Whether the time is that of the end, its form, and how many bytes of prefix are in front.
fn form(argument: &str) -> (bool, &str, usize) {
    match argument {
        "begin" => (false, "", 0),
        "end" => (true, "", 0),
        _ => {
            let (at_end, form) = match argument.strip_prefix("end:") {
                Some(form) => (true, form),
                None => (false, argument.strip_prefix("begin:").unwrap_or(argument)),
            };
            (at_end, form, argument.len() - form.len())
        }
    }
}

fn custom(
    body: &Body,
    directive: &Directive,
    form: &str,
    skipped: usize,
) -> Result<TimeFormat, TemplateError> {
    let start = directive.argument.as_ref().map_or(0, |argument| argument.start) + skipped;
    let place = |from: usize, to: usize| body.place(start + from, start + to);
    for token in ["msec_frac", "usec_frac"] {
        if let Some(at) = form.find(token) {
            let message = format!(
                "{token} cannot be joined with other parts of a time; write %{{...}}t.%{{{token}}}t"
            );
            return Err(error(place(at, at + token.len()), message));
        }
    }
    if !form.contains('%') {
        let message = format!(
            "{form} is no form of the time; it is sec, msec, usec, msec_frac, usec_frac or \
             strftime's, as in %{{%Y-%m-%d %H:%M:%S}}t"
        );
        return Err(error(place(0, form.len()), message));
    }
    strftime(form).map_err(|(from, to, message)| error(place(from, to), message))
}

/// The format of a time that is written by `strftime` with this text; or from where to where
/// something is wrong with it, and what.
pub(in super::super) fn strftime(form: &str) -> Result<TimeFormat, (usize, usize, String)> {
    if form == "%s" {
        return Ok(TimeFormat::Epoch(0));
    }
    let mut out = String::with_capacity(form.len());
    let mut rest = form.char_indices();
    while let Some((at, character)) = rest.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let Some((_, letter)) = rest.next() else {
            let message = "a percent sign at the end of a time is written %%";
            return Err((at, form.len(), message.to_owned()));
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
                    "%{other} is not read in a time; a day is written %d/%b/%Y or %F, a time of \
                     day %T, a zone %z"
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
