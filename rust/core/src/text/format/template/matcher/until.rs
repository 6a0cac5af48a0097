//! Fields that end where the literal behind them stands.

use memchr::{memchr, memchr2, memrchr};

use super::find::{Ahead, Marks};
use super::run::{Cursor, Reached, further};
use super::steps::{Program, Until, Way};
use crate::text::format::parsed::Span;
use crate::text::format::words::{skip_blanks, without_blanks, word_end};

impl Program {
    pub(super) fn until(
        &self,
        line: &[u8],
        cursor: Cursor,
        until: &Until,
        spans: &mut [Span],
    ) -> Reached {
        let start = cursor.at;
        let line_end = if until.word { word_end(line, start) } else { line.len() };
        let inside = &line[..line_end];
        let mut search = Search { program: self, line, cursor, until, furthest: None };
        let first = match until.mark {
            Some(mark) if until.way == Way::Last => memrchr(mark.byte, &inside[start..]),
            Some(mark) => memchr(mark.byte, &inside[start..]),
            None => memchr2(b' ', b'\t', &inside[start..]),
        };
        if let Some(first) = first.map(|offset| start + offset) {
            if let Some(reached) = search.ends_at(first, spans) {
                return Ok(reached);
            }
            if let Some(reached) = search.among_others(inside, first, spans) {
                return Ok(reached);
            }
        }
        let step = cursor.step + 1;
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
}

impl Search<'_> {
    /// Where the first delimiter did not end the field, one of those behind it may.
    #[inline(never)]
    fn among_others(&mut self, inside: &[u8], first: usize, spans: &mut [Span]) -> Option<Cursor> {
        match (self.until.way, self.until.mark) {
            (Way::Last, _) => None,
            (Way::Enclosing(behind), _) => {
                let ahead = Ahead { behind, outline: &self.until.outline };
                ahead
                    .brackets(inside, self.cursor.at, true)
                    .filter(|(open, close)| {
                        *open > first && self.until.outline.may_be(inside, close + 1)
                    })
                    .find_map(|(open, _)| self.ends_at(open, spans))
            }
            (Way::First, Some(mark)) => Marks::new(inside, first + 1, mark, &self.until.outline)
                .find_map(|place| self.ends_at(place, spans)),
            (Way::First, None) => {
                // Blanks side by side are one.
                let mut behind = skip_blanks(self.line, first);
                Marks::of_blanks(inside, behind).find_map(|place| {
                    if place < behind || !matches!(inside[place], b' ' | b'\t') {
                        return None;
                    }
                    behind = skip_blanks(self.line, place);
                    self.ends_at(place, spans)
                })
            }
        }
    }

    /// Where to go on if the field ends before a delimiter at this place.
    fn ends_at(&mut self, place: usize, spans: &mut [Span]) -> Option<Cursor> {
        let end = self.until.ends_before(self.line, self.cursor.at, place)?;
        let cursor = Cursor { at: end, step: self.cursor.step + 1 };
        match self.program.run(self.line, cursor, self.until.limit, spans) {
            Ok(reached) => {
                spans[self.until.field] = Span::new(self.cursor.at, end);
                Some(reached)
            }
            Err(failed) => {
                self.furthest = further(self.furthest, failed);
                None
            }
        }
    }
}

impl Until {
    /// Where the field ends if its delimiter is at this place.
    fn ends_before(&self, line: &[u8], start: usize, place: usize) -> Option<usize> {
        let mut end = place;
        if self.mark.is_some_and(|mark| mark.blank_before) {
            end = without_blanks(line, end).max(start);
            if end == place {
                return None;
            }
        }
        (end > start || self.may_be_empty).then_some(end)
    }
}
