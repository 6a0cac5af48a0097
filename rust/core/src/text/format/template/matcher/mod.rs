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
mod scanners;
mod steps;
mod until;

use super::{Part, Template, TemplateError};
use crate::text::format::combined::{ends_in_quote, without_last_quote};
use crate::text::format::fast_columns::FastColumns;
use crate::text::format::parsed::{FoundField, Reject, Span};
use crate::text::format::whitespace::{is_blank, skip_blanks};
use run::Cursor;
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
            .map(|template| compile::compile(template, &mut found))
            .collect::<Result<Vec<_>, _>>()?;
        let parts = || templates.iter().flat_map(|template| &template.parts);
        let trims_tabs =
            !parts().any(|part| matches!(part, Part::Literal(text) if text.contains(&b'\t')));
        let shared = shared(&programs);
        let columns = if let [only] = &programs[..] { as_columns::columns(only) } else { None };
        let has_head = programs.iter().all(Program::has_head);
        let ends_in_quote = templates.iter().any(|template| {
            matches!(template.parts.last(), Some(Part::Literal(text)) if text.ends_with(b"\""))
        });
        let quotes = has_head.then_some(ends_in_quote);
        Ok(Self { found, programs, shared, trims_tabs, columns, quotes })
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
        let (at, line) = self.trim(line);
        let start = Cursor { at, step: 0 };
        if let Some(ends) = self.quotes
            && let Some(inside) = without_last_quote(line, at)
        {
            let is_inside = !ends || ends_in_quote(inside);
            let [first, second] = if is_inside { [inside, line] } else { [line, inside] };
            return self
                .split_trimmed(first, start, spans)
                .or_else(|_| self.split_trimmed(second, start, spans));
        }
        self.split_trimmed(line, start, spans)
    }

    #[inline]
    fn split_trimmed(
        &self,
        line: &[u8],
        start: Cursor,
        spans: &mut [Span],
    ) -> Result<(), (Reject, usize)> {
        match &self.programs[..] {
            [only] => match only.run_to(line, start, None, spans) {
                Ok(_) => Ok(()),
                Err(failed) => Err(only.reject_at(line, failed)),
            },
            programs => self.split_either(line, start, programs, spans),
        }
    }

    fn split_either(
        &self,
        line: &[u8],
        start: Cursor,
        programs: &[Program],
        spans: &mut [Span],
    ) -> Result<(), (Reject, usize)> {
        spans.fill(Span::NONE);
        let from = match programs.first() {
            Some(first) => first
                .run_to(line, start, Some(self.shared), spans)
                .map_err(|failed| first.reject_at(line, failed))?,
            None => start,
        };
        let mut furthest: Option<(Reject, usize)> = None;
        for program in programs {
            let Err(failed) = program.run_to(line, from, None, spans) else { return Ok(()) };
            let reject = program.reject_at(line, failed);
            if furthest.is_none_or(|known| reject.0.byte() > known.0.byte()) {
                furthest = Some(reject);
            }
            for step in &program.steps[self.shared..] {
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

/// The number of leading steps that all programs share, up to a step that all of them search for.
fn shared(programs: &[Program]) -> usize {
    let [first, others @ ..] = programs else { return 0 };
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
#[expect(clippy::literal_string_with_formatting_args, reason = "templates have braces")]
mod tests;
