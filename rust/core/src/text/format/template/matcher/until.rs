//! Fields that end at the literal after them.

use std::net::IpAddr;

use memchr::{memchr, memchr2, memrchr};

use super::find::{Delimiters, Lookahead};
use super::run::{Cursor, StepResult, furthest_of};
use super::steps::{EndRule, Program, SearchFrom, Until};
use crate::text::format::identity::user_mismatch;
use crate::text::format::parsed::Span;
use crate::text::format::whitespace::{is_blank, skip_blanks, trim_blanks_end, word_end};

/// The most bytes of an address: an IPv6 address with an IPv4 address at its end.
const LONGEST_ADDRESS: usize = 45;

/// Whether text before the time can be a user: any word, or words that cannot be the ident, another
/// time or a quoted field.
fn is_user(text: &[u8]) -> bool {
    word_end(text, 0) == text.len() || user_mismatch(text).is_none()
}

impl Program {
    pub(super) fn until(
        &self,
        line: &[u8],
        cursor: Cursor,
        until: &Until,
        spans: &mut [Span],
    ) -> StepResult {
        match until.rule {
            EndRule::Leaves { .. } => return self.leaves(line, cursor, until, spans),
            EndRule::Only { .. } => return self.only(line, cursor, until, spans),
            EndRule::User => {
                let reached = self.first(line, cursor, until, spans)?;
                let user = spans[until.field].of(line).unwrap_or_default();
                return if is_user(user) { Ok(reached) } else { Err(cursor) };
            }
            EndRule::First | EndRule::Address => {}
        }
        self.first(line, cursor, until, spans)
    }

    /// Ends a field at the first delimiter after which the steps match.
    fn first(&self, line: &[u8], cursor: Cursor, until: &Until, spans: &mut [Span]) -> StepResult {
        let start = cursor.at;
        let line_end = if until.word { word_end(line, start) } else { line.len() };
        let inside = &line[..line_end];
        let mut search =
            Search { program: self, line, cursor, until, furthest: None, refused: false };
        if until.rule == EndRule::Address
            && let Some(reached) = search.after_address(spans)
        {
            return Ok(reached);
        }
        if until.rule == EndRule::User
            && let Some(reached) = search.without_user(spans)
        {
            return Ok(reached);
        }
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

    /// The cursor after an address that ends at a colon of the format, the longest one.
    fn after_address(&mut self, spans: &mut [Span]) -> Option<Cursor> {
        let start = self.cursor.at;
        let is_address = |byte: &&u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
        let rest = self.line.get(start..)?;
        let length = rest.iter().take(LONGEST_ADDRESS + 1).take_while(is_address).count();
        let colons = (0..length).rev().filter(|at| rest[*at] == b':');
        let is_whole = |at: &usize| {
            str::from_utf8(&rest[..*at]).is_ok_and(|text| text.parse::<IpAddr>().is_ok())
        };
        colons.filter(is_whole).find_map(|at| self.ends_at(start + at, spans))
    }

    /// The cursor after a user that is missing together with the blank before or after it.
    fn without_user(&mut self, spans: &mut [Span]) -> Option<Cursor> {
        let (start, line) = (self.cursor.at, self.line);
        let delimiter = self.until.delimiter.filter(|delimiter| delimiter.blank_before)?;
        let before = start.checked_sub(1).filter(|before| is_blank(line[*before]))?;
        if self.program.exact || line.get(start) != Some(&delimiter.byte) {
            return None;
        }
        let cursor = Cursor { at: before, step: self.cursor.step + 1 };
        let reached = self.program.run(line, cursor, self.until.limit, spans).ok()?;
        spans[self.until.field] = Span::new(start, start);
        Some(reached)
    }

    /// The cursor after the following steps, if they match with the field ending at this
    /// delimiter.
    fn ends_at(&mut self, place: usize, spans: &mut [Span]) -> Option<Cursor> {
        if self.refused {
            return None;
        }
        let exact = self.program.exact;
        let end = self.until.ends_before(self.line, self.cursor.at, place, exact)?;
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
    pub(super) fn ends_before(
        &self,
        line: &[u8],
        start: usize,
        place: usize,
        exact: bool,
    ) -> Option<usize> {
        let mut end = place;
        if self.delimiter.is_some_and(|delimiter| delimiter.blank_before) {
            end = match exact {
                true if place > start && line[place - 1] == b' ' => place - 1,
                true => place,
                false => trim_blanks_end(line, end).max(start),
            };
            if end == place {
                return None;
            }
        }
        (end > start || self.may_be_empty).then_some(end)
    }
}
