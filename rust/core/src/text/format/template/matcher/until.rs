//! Fields that end at the literal after them.

use memchr::{memchr, memchr2, memrchr};

use super::find::{Delimiters, Lookahead};
use super::run::{Cursor, StepResult, furthest_of};
use super::steps::{Program, SearchFrom, Until};
use crate::text::format::parsed::Span;
use crate::text::format::whitespace::{skip_blanks, trim_blanks_end, word_end};

impl Program {
    pub(super) fn until(
        &self,
        line: &[u8],
        cursor: Cursor,
        until: &Until,
        spans: &mut [Span],
    ) -> StepResult {
        let start = cursor.at;
        let line_end = if until.word { word_end(line, start) } else { line.len() };
        let inside = &line[..line_end];
        let mut search =
            Search { program: self, line, cursor, until, furthest: None, refused: false };
        let first = match until.delimiter {
            Some(delimiter) if until.search_from == SearchFrom::End => {
                memrchr(delimiter.byte, &inside[start..])
            }
            Some(delimiter) => memchr(delimiter.byte, &inside[start..]),
            None => memchr2(b' ', b'\t', &inside[start..]),
        };
        if let Some(first) = first.map(|offset| start + offset) {
            if let Some(reached) = search.ends_at(first, spans) {
                return Ok(reached);
            }
            if let Some(reached) = search.at_a_later_delimiter(inside, first, spans) {
                return Ok(reached);
            }
        }
        let step = cursor.step + 1;
        if search.refused {
            return Err(cursor);
        }
        if self.steps[step].optional && start < line.len() && line_end == line.len() {
            spans[until.field] = Span::new(start, line_end);
            return self.run(line, Cursor { at: line_end, step }, usize::MAX, spans);
        }
        Err(search.furthest.unwrap_or(Cursor { at: line_end, step }))
    }
}

struct Search<'a> {
    program: &'a Program,
    line: &'a [u8],
    cursor: Cursor,
    until: &'a Until,
    furthest: Option<Cursor>,
    /// Whether the field ended, but with a text that it cannot have.
    refused: bool,
}

impl Search<'_> {
    /// Tries the delimiters after the first one, which did not end the field.
    #[inline(never)]
    fn at_a_later_delimiter(
        &mut self,
        inside: &[u8],
        first: usize,
        spans: &mut [Span],
    ) -> Option<Cursor> {
        match (self.until.search_from, self.until.delimiter) {
            (SearchFrom::End, _) => None,
            (SearchFrom::Brackets(next_bytes), _) => {
                let lookahead = Lookahead { next_bytes, prefilter: &self.until.prefilter };
                lookahead
                    .brackets(inside, self.cursor.at, true)
                    .filter(|(open, close)| {
                        *open > first && self.until.prefilter.may_match(inside, close + 1)
                    })
                    .find_map(|(open, _)| self.ends_at(open, spans))
            }
            (SearchFrom::Start, Some(delimiter)) => {
                Delimiters::new(inside, first + 1, delimiter, &self.until.prefilter)
                    .find_map(|place| self.ends_at(place, spans))
            }
            (SearchFrom::Start, None) => {
                // A run of blanks is one delimiter.
                let mut after_blanks = skip_blanks(self.line, first);
                Delimiters::of_blanks(inside, after_blanks).find_map(|place| {
                    if place < after_blanks || !matches!(inside[place], b' ' | b'\t') {
                        return None;
                    }
                    after_blanks = skip_blanks(self.line, place);
                    self.ends_at(place, spans)
                })
            }
        }
    }

    /// The cursor after the following steps, if they match with the field ending at this
    /// delimiter.
    fn ends_at(&mut self, place: usize, spans: &mut [Span]) -> Option<Cursor> {
        if self.refused {
            return None;
        }
        let end = self.until.ends_before(self.line, self.cursor.at, place)?;
        let cursor = Cursor { at: end, step: self.cursor.step + 1 };
        match self.program.run(self.line, cursor, self.until.limit, spans) {
            Ok(_) if !self.until.check.accepts(&self.line[self.cursor.at..end]) => {
                self.refused = true;
                None
            }
            Ok(reached) => {
                spans[self.until.field] = Span::new(self.cursor.at, end);
                Some(reached)
            }
            Err(failed) => {
                self.furthest = furthest_of(self.furthest, failed);
                None
            }
        }
    }
}

impl Until {
    /// The end of the field if its delimiter is at this position.
    fn ends_before(&self, line: &[u8], start: usize, place: usize) -> Option<usize> {
        let mut end = place;
        if self.delimiter.is_some_and(|delimiter| delimiter.blank_before) {
            end = trim_blanks_end(line, end).max(start);
            if end == place {
                return None;
            }
        }
        (end > start || self.may_be_empty).then_some(end)
    }
}
