//! Matches a line against a template and finds the span of each field.
//!
//! A line is read from left to right. A *scanned* field (a status, a number, a time) ends where
//! its own syntax ends. A *searched* field ends at the first position where what follows it
//! matches: the literal after it and, as a lookahead, the scanned fields and literals after that.
//! So nothing that a client writes can move a field to the left of it. The lookahead stops before
//! the next searched field, and before a scanned field that may contain the byte searched for; so
//! each byte is read a bounded number of times.
//!
//! A blank in a template matches one or more whitespace bytes.
//!
//! Between quotes a backslash escapes, as Apache and nginx write it. Some loggers do not escape:
//! where no unescaped quote closes a field, an escaped one may (`"ua\"`).

mod ambiguous;
mod as_columns;
mod compile;
mod fast_path;
mod find;
mod head;
mod is_combined;
mod lookahead;
mod prefilter;
mod quoted;
mod reject;
mod run;
mod runs;
mod scanners;
mod steps;
mod until;

use super::{Blanks, Part, Template, TemplateError};
use crate::text::format::combined::{ends_in_quote, without_last_quote};
use crate::text::format::fast_columns::FastColumns;
use crate::text::format::parsed::{FoundField, Reject, Span};
use crate::text::format::whitespace::{is_blank, skip_blanks};
use compile::Reading;
use run::Cursor;
use runs::{counts_blanks, has_list_and_user};
use steps::{Op, Program, Step};

pub(crate) use is_combined::is_combined;

/// A compiled template, or several alternatives that are tried in order.
#[derive(Debug)]
pub(crate) struct Matcher {
    found: Vec<FoundField>,
    programs: Vec<Program>,
    /// The number of leading steps that all programs share; these run once per line. The step
    /// after them is searched for, so no lookahead crosses that boundary.
    shared: usize,
    /// Whether tabs at either end of a line are trimmed. Where tabs are delimiters, they mark
    /// empty columns and stay.
    trims_tabs: bool,
    /// A faster way to split most lines, if the only template is a list of columns.
    columns: Option<FastColumns>,
    /// Whether lines may be in quotes: whether they begin with the host and end in a quote.
    quotes: Option<EndsInQuote>,
    /// How many quotes a line has if its values are not escaped: those of the format.
    raw_quotes: Option<usize>,
}

type EndsInQuote = bool;

impl Matcher {
    /// Compiles a template.
    pub(crate) fn new(template: &Template) -> Result<Self, TemplateError> {
        Self::either(std::slice::from_ref(template))
    }

    /// Compiles alternatives; a line is split by the first one that matches. They share the fields
    /// that have the same name and type.
    pub(crate) fn either(templates: &[Template]) -> Result<Self, TemplateError> {
        let mut found = Vec::new();
        let programs = templates
            .iter()
            .flat_map(|template| readings(template).map(move |reading| (template, reading)))
            .map(|(template, reading)| compile::compile(template, reading, &mut found))
            .collect::<Result<Vec<_>, _>>()?;
        let parts = || templates.iter().flat_map(|template| &template.parts);
        let trims_tabs =
            !parts().any(|part| matches!(part, Part::Literal(text) if text.contains(&b'\t')));
        let shared = shared(&programs);
        // Where no blank follows another one, all readings are alike.
        let columns = match (&programs[..], templates) {
            ([first, ..], [_]) => as_columns::columns(first),
            _ => None,
        };
        let has_head = programs.iter().all(Program::has_head);
        let ends_in_quote = templates.iter().any(|template| {
            matches!(template.parts.last(), Some(Part::Literal(text)) if text.ends_with(b"\""))
        });
        let raw = templates.iter().find(|template| template.raw);
        let raw_quotes = raw.map(quotes_of);
        let quotes = (has_head && raw.is_none()).then_some(ends_in_quote);
        Ok(Self { found, programs, shared, trims_tabs, columns, quotes, raw_quotes })
    }

    /// The fields in the order of the spans. Skipped fields are included, with an empty name.
    pub(crate) fn found(&self) -> &[FoundField] {
        &self.found
    }

    /// Whether lines may continue after the last field.
    pub(crate) fn is_open_ended(&self) -> bool {
        self.programs.iter().any(|program| program.open_ended)
    }

    /// Whether lines begin with host, ident, user and time, before which words are passed over.
    pub(crate) fn begins_with_head(&self) -> bool {
        let first = self.programs.first().and_then(|program| program.steps.first());
        first.is_some_and(|step| matches!(step.op, Op::Head(_) | Op::FastPath(_)))
    }

    /// A faster way to split most lines, if there is one.
    pub(crate) fn columns(&self) -> Option<&FastColumns> {
        self.columns.as_ref()
    }

    /// Finds the fields of a line, or reports where it stops matching.
    #[inline]
    pub(crate) fn split(&self, line: &[u8], spans: &mut [Span]) -> Result<(), Reject> {
        self.split_traced(line, spans).map_err(|(reject, _)| reject)
    }

    /// Like `split`, but a failure also has the index of the template part that did not match:
    /// the number of parts where it is the end of the line. With several alternatives, reports
    /// the one that matched furthest.
    pub(crate) fn split_traced(
        &self,
        line: &[u8],
        spans: &mut [Span],
    ) -> Result<(), (Reject, usize)> {
        if let Some(columns) = &self.columns
            && columns.split(line, spans)
        {
            return Ok(());
        }
        if let Some(ends) = self.quotes {
            let (at, trimmed) = self.trim(line);
            if let Some(inside) = without_last_quote(trimmed, at) {
                let is_inside = !ends || ends_in_quote(inside);
                let [first, second] = if is_inside { [inside, trimmed] } else { [trimmed, inside] };
                return self.split_whole(first, spans).or_else(|_| self.split_whole(second, spans));
            }
        }
        self.split_whole(line, spans)?;
        if let Some(count) = self.raw_quotes
            && let Some(at) = memchr::memchr_iter(b'"', line).nth(count)
        {
            let end = self.programs.first().and_then(|program| program.steps.last());
            let part = end.map_or(0, |step| step.part);
            return Err((Reject::new(at, "no quote inside a value"), part));
        }
        Ok(())
    }

    #[inline]
    fn split_whole(&self, line: &[u8], spans: &mut [Span]) -> Result<(), (Reject, usize)> {
        match &self.programs[..] {
            [only] if !only.exact => {
                let (at, line) = self.trim(line);
                match only.run_to(line, Cursor { at, step: 0 }, None, spans) {
                    Ok(_) => Ok(()),
                    Err(failed) => Err(only.reject_at(line, failed)),
                }
            }
            programs => self.split_either(line, programs, spans),
        }
    }

    fn split_either(
        &self,
        whole: &[u8],
        programs: &[Program],
        spans: &mut [Span],
    ) -> Result<(), (Reject, usize)> {
        spans.fill(Span::NONE);
        let trimmed = self.trim(whole);
        let mut shared = Cursor { at: trimmed.0, step: 0 };
        if self.shared > 0
            && let Some(first) = programs.first()
        {
            shared = first
                .run_to(trimmed.1, shared, Some(self.shared), spans)
                .map_err(|failed| first.reject_at(trimmed.1, failed))?;
        }
        let mut furthest: Option<(Reject, usize)> = None;
        let mut ambiguous = None;
        for program in programs {
            if ambiguous.is_some_and(|exact| exact != program.exact) {
                break;
            }
            let (from, line) = if program.exact {
                let (at, line) = trim_exactly(whole, program.trailing_blanks);
                (Cursor { at, step: 0 }, line)
            } else {
                (shared, trimmed.1)
            };
            let Err(failed) = program.run_to(line, from, None, spans) else { return Ok(()) };
            if program.is_ambiguous(failed) {
                // Reading its blanks in another way would hide that.
                ambiguous = Some(program.exact);
            }
            let reject = program.reject_at(line, failed);
            if furthest.is_none_or(|known| reject.0.byte() > known.0.byte()) {
                furthest = Some(reject);
            }
            let shared = if program.exact { 0 } else { self.shared };
            for step in &program.steps[shared..] {
                step.clear(spans);
            }
        }
        Err(furthest.unwrap_or((Reject::new(0, ""), 0)))
    }

    /// The offset after the byte-order mark and the leading blanks, and the line without its
    /// trailing blanks.
    fn trim<'a>(&self, line: &'a [u8]) -> (usize, &'a [u8]) {
        let start = if line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let is_end = |byte| is_blank(byte) && (byte != b'\t' || self.trims_tabs);
        let mut end = line.len();
        while end > start && is_end(line[end - 1]) {
            end -= 1;
        }
        let line = &line[..end];
        let blanks = if self.trims_tabs {
            skip_blanks(line, start) - start
        } else {
            line[start..].iter().take_while(|byte| is_end(**byte)).count()
        };
        (start + blanks, line)
    }
}

/// The number of quotes in the literals of a template.
fn quotes_of(template: &Template) -> usize {
    let literals = template.parts.iter().filter_map(|part| match part {
        Part::Literal(text) => Some(text),
        Part::Field(_) => None,
    });
    literals.flatten().filter(|byte| **byte == b'"').count()
}

/// The ways in which the lines of a template are read, in order.
fn readings(template: &Template) -> impl Iterator<Item = Reading> + use<> {
    let has_user = has_list_and_user(&template.parts);
    let of = |exact: bool| {
        let word = has_user.then_some(Reading { exact, user_is_word: Some(true) });
        [word, Some(Reading { exact, user_is_word: Some(false) })]
    };
    let readings = match template.blanks {
        Blanks::Runs => [Some(Reading { exact: false, user_is_word: None }), None, None, None],
        Blanks::Exact if counts_blanks(&template.parts) => {
            let [one, two] = of(true);
            [one, two, None, None]
        }
        Blanks::Exact => {
            let ([one, two], [three, four]) = (of(true), of(false));
            [one, two, three, four]
        }
        Blanks::RunsThenExact => {
            let ([one, two], [three, four]) = (of(false), of(true));
            [one, two, three, four]
        }
    };
    readings.into_iter().flatten()
}

/// The offset after the byte-order mark, and the line without its end and without the blanks that
/// the format has there.
fn trim_exactly(line: &[u8], trailing_blanks: usize) -> (usize, &[u8]) {
    let start = if line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut end = line.len();
    while end > start && matches!(line[end - 1], b'\r' | b'\n') {
        end -= 1;
    }
    for _ in 0..trailing_blanks {
        end -= usize::from(end > start && line[end - 1] == b' ');
    }
    (start, &line[..end])
}

/// The number of leading steps that all programs share, up to a step that all of them search for.
fn shared(programs: &[Program]) -> usize {
    let [first, others @ ..] = programs else { return 0 };
    if programs.iter().any(|program| program.exact) {
        return 0;
    }
    let same = |at: usize| others.iter().all(|other| other.steps.get(at) == first.steps.get(at));
    let same = (0..first.steps.len()).take_while(|&at| same(at)).count();
    let searched = |at: &usize| {
        programs.iter().all(|program| program.steps.get(*at).is_some_and(Step::is_searched))
    };
    let same_end = others.iter().all(|other| other.open_ended == first.open_ended);
    (0..=same).rev().find(searched).filter(|_| same_end).unwrap_or(0)
}

#[cfg(test)]
mod against_combined;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod naive_lines;
#[cfg(test)]
mod read_back;
#[cfg(test)]
#[expect(clippy::literal_string_with_formatting_args, reason = "templates have braces")]
mod tests;
