//! Runs a template over a line: finds where its fields stand.
//!
//! A line is read from the left. A field ends at the first place where what follows it fits: the
//! literal behind it and, as a look ahead, the fields behind that which are known by their look,
//! with their literals. So nothing that a client wrote can move a field to the left of it. The
//! look ahead stops before the first field that may be long, and before one that could hold the
//! byte which is searched for; so each byte is looked at a bounded number of times.
//!
//! Between quotes a backslash escapes, as Apache and nginx write it. Loggers that do not escape
//! are survived: where no unescaped quote closes a field an escaped one may (`"ua\"`).

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
use crate::text::format::fast_columns::FastColumns;
use crate::text::format::parsed::{FoundField, Reject, Span};
use crate::text::format::whitespace::{is_blank, skip_blanks};
use run::Cursor;
use steps::{Program, Step};

pub(crate) use is_combined::is_combined;

/// A compiled template, or several that are tried in order.
#[derive(Debug)]
pub(crate) struct Matcher {
    found: Vec<FoundField>,
    programs: Vec<Program>,
    /// How many steps all programs begin with, so that these are taken once. What follows them
    /// is searched for, so that no look ahead goes beyond.
    shared: usize,
    /// Whether tabs at the end of a line are blanks, and not columns without a value.
    trims_tabs: bool,
    /// A short way through most lines, if it has one template and that is of this kind.
    columns: Option<FastColumns>,
}

impl Matcher {
    /// Compiles a template.
    pub(crate) fn new(template: &Template) -> Result<Self, TemplateError> {
        Self::either(std::slice::from_ref(template))
    }

    /// Compiles templates of which a line is the first that fits. They share the fields that they
    /// have in common.
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
        Ok(Self { found, programs, shared, trims_tabs, columns })
    }

    /// The fields, in the order of the spans: one for each of the template, those that are passed
    /// over included.
    pub(crate) fn found(&self) -> &[FoundField] {
        &self.found
    }

    /// A short way through most lines, if there is one.
    pub(crate) fn columns(&self) -> Option<&FastColumns> {
        self.columns.as_ref()
    }

    /// Finds the fields of a line, or says where it stops being one.
    #[inline]
    pub(crate) fn split(&self, line: &[u8], spans: &mut [Span]) -> Result<(), Reject> {
        self.split_traced(line, spans).map_err(|(reject, _)| reject)
    }

    /// The same, and tells the part of the template that did not fit; one more than there are
    /// where it is the end. Of several templates it is that which came furthest.
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

    /// Where the line begins without byte-order mark and blanks, and all but blanks at its end.
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

/// How many steps all of several programs begin with, up to one that all search for.
fn shared(programs: &[Program]) -> usize {
    let [first, others @ ..] = programs else { return 0 };
    let same = |at: usize| others.iter().all(|other| other.steps.get(at) == first.steps.get(at));
    let same = (0..first.steps.len()).take_while(|&at| same(at)).count();
    let searched = |at: &usize| {
        programs.iter().all(|program| program.steps.get(*at).is_some_and(Step::is_searched))
    };
    let same_open = others.iter().all(|other| other.open == first.open);
    (0..=same).rev().find(searched).filter(|_| same_open).unwrap_or(0)
}

#[cfg(test)]
mod against_combined;
#[cfg(test)]
mod naive;
#[cfg(test)]
#[expect(clippy::literal_string_with_formatting_args, reason = "templates have braces")]
mod tests;
