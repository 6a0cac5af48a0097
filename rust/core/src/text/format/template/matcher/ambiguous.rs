//! Unquoted fields that may contain blanks, although a blank follows them.

use super::find::Delimiters;
use super::run::{Cursor, StepResult, furthest_of};
use super::scanners::Scanner;
use super::steps::{EndRule, Op, Program, TextRule, Until};
use crate::text::format::parsed::Span;
use crate::text::format::whitespace::{is_blank, skip_blanks, trim_blanks_end};

impl Program {
    /// Whether a line does not match because a field could end at several places.
    pub(super) fn is_ambiguous(&self, failed: Cursor) -> bool {
        let is_final = |rule| match rule {
            EndRule::Only { .. } => true,
            EndRule::Leaves { text, .. } => text != TextRule::Any,
            _ => false,
        };
        matches!(&self.steps[failed.step].op, Op::Until(until) if is_final(until.rule))
    }

    /// Ends a field a number of words before a delimiter, or before the end of the line.
    pub(super) fn leaves(
        &self,
        line: &[u8],
        cursor: Cursor,
        until: &Until,
        spans: &mut [Span],
    ) -> StepResult {
        let Some(delimiter) = until.delimiter else {
            return self.leaves_before(line, cursor, until, line.len(), spans)?;
        };
        let mut furthest = None;
        for place in Delimiters::new(line, cursor.at, delimiter, &until.prefilter) {
            let Some(end) = until.ends_before(line, cursor.at, place, self.exact) else { continue };
            match self.leaves_before(line, cursor, until, end, spans) {
                Ok(result) => return result,
                Err(failed) => furthest = furthest_of(furthest, failed),
            }
        }
        Err(furthest.unwrap_or(Cursor { at: line.len(), step: cursor.step + 1 }))
    }

    /// The final result, if the steps match with the run of words ending here, or how far they
    /// match.
    fn leaves_before(
        &self,
        line: &[u8],
        cursor: Cursor,
        until: &Until,
        end: usize,
        spans: &mut [Span],
    ) -> Result<StepResult, Cursor> {
        let EndRule::Leaves { words, dash, text, .. } = until.rule else {
            return Err(cursor);
        };
        let start = cursor.at;
        let step = cursor.step + 1;
        let here = self
            .before_words(line, start, end, words)
            .filter(|here| *here > start || until.may_be_empty)
            .ok_or(Cursor { at: end, step })?;
        let reached = self.run(line, Cursor { at: here, step }, until.limit, spans)?;
        let is_dash = || {
            let ident = self.before_words(line, here, end, 2).map_or(&b""[..], |at| &line[at..end]);
            ident.trim_ascii_start().starts_with(b"- ")
        };
        if dash && !is_dash() || !text.accepts(&line[start..here]) {
            return Ok(Err(cursor));
        }
        spans[until.field] = Span::new(start, here);
        Ok(Ok(reached))
    }

    /// The position that many words before `end`, not before `start`.
    fn before_words(
        &self,
        line: &[u8],
        start: usize,
        mut end: usize,
        words: usize,
    ) -> Option<usize> {
        for _ in 0..words {
            if !self.exact {
                end = trim_blanks_end(line, end).max(start);
            }
            let is_end = |byte: &u8| if self.exact { *byte == b' ' } else { is_blank(*byte) };
            end = start + line.get(start..end)?.iter().rposition(is_end)?;
            if !self.exact {
                end = trim_blanks_end(line, end).max(start);
            }
        }
        Some(end)
    }

    /// Ends a field at the only blank after which the line matches.
    pub(super) fn only(
        &self,
        line: &[u8],
        cursor: Cursor,
        until: &Until,
        spans: &mut [Span],
    ) -> StepResult {
        let EndRule::Only { text, whole } = until.rule else { return Err(cursor) };
        let start = cursor.at;
        let step = cursor.step + 1;
        let mut furthest = None;
        // The places for requests with a protocol, and for other text.
        let mut fits = [Fits::default(), Fits::default()];
        let mut next = start;
        // A list of numbers begins at its first one.
        let ahead = &self.steps[step..until.limit.min(self.steps.len())];
        let numbers = ahead.iter().find_map(|step| match &step.op {
            Op::Scanned { field, scanner: Scanner::Numbers { .. }, .. } => Some(*field),
            _ => None,
        });
        let end = self.quote_of_format(line, start).unwrap_or(line.len());
        for place in Delimiters::of_blanks(&line[..end], start) {
            let is_first = place >= next && (self.exact || matches!(line[place], b' ' | b'\t'));
            if !is_first || place == start && !until.may_be_empty {
                continue;
            }
            next = if self.exact { place + 1 } else { skip_blanks(line, place) };
            if let Some(field) = numbers {
                spans[field] = Span::NONE;
            }
            let reached = self.run(line, Cursor { at: place, step }, until.limit, spans);
            if let Some(list) = numbers.map(|field| spans[field]).filter(|span| span.is_some())
                && list.of(line).is_some_and(|text| text.contains(&b',') || text.contains(&b':'))
            {
                next = next.max(list.end());
            }
            match reached {
                Ok(_) => {
                    let is_certain = text.is_certain(&line[start..place]);
                    if is_certain || text != TextRule::RequestLine {
                        fits[usize::from(!is_certain)].push(place);
                    }
                }
                Err(failed) => furthest = furthest_of(furthest, failed),
            }
        }
        let fits = if fits[0].count > 0 { fits[0] } else { fits[1] };
        let place = match fits.count {
            0 => return Err(furthest.unwrap_or(Cursor { at: line.len(), step })),
            1 => fits.places[0],
            2..=MAX_FITS if whole => {
                let mut whole = fits.places[..fits.count].iter().filter(|place| {
                    let rest = self.run_to(line, Cursor { at: **place, step }, None, spans);
                    rest.map_or_else(|failed| self.is_ambiguous(failed), |_| true)
                });
                match (whole.next(), whole.next()) {
                    (Some(place), None) => *place,
                    _ => return Err(cursor),
                }
            }
            _ => return Err(cursor),
        };
        // Later attempts may have overwritten the spans after the field.
        let reached = self.run(line, Cursor { at: place, step }, until.limit, spans)?;
        spans[until.field] = Span::new(start, place);
        Ok(reached)
    }
}

/// The most places at which a field may seem to end. Each costs a pass over the rest of the line.
const MAX_FITS: usize = 3;

/// The first places at which a field may end, and how many there are.
#[derive(Clone, Copy, Default)]
struct Fits {
    places: [usize; MAX_FITS],
    count: usize,
}

impl Fits {
    fn push(&mut self, place: usize) {
        if let Some(free) = self.places.get_mut(self.count) {
            *free = place;
        }
        self.count += 1;
    }
}

impl TextRule {
    /// Whether the text is one of its kind where no other text is possible.
    fn accepts(self, text: &[u8]) -> bool {
        match self {
            Self::Any => true,
            // A request whose protocol is not its last word has a part of the next field.
            Self::Request => {
                last_word_is_protocol(text) || !text.split(|byte| *byte == b' ').any(is_protocol)
            }
            Self::RequestLine => self.is_certain(text),
        }
    }

    /// Whether the text is of its kind even where other text is possible.
    fn is_certain(self, text: &[u8]) -> bool {
        match self {
            Self::Any => false,
            Self::Request => last_word_is_protocol(text),
            Self::RequestLine => {
                let mut words = text.split(|byte| *byte == b' ');
                let has_three = (0..3).all(|_| words.next().is_some_and(|word| !word.is_empty()));
                text == b"-" || has_three && words.next().is_none() && last_word_is_protocol(text)
            }
        }
    }
}

fn last_word_is_protocol(text: &[u8]) -> bool {
    text.rsplit(|byte| *byte == b' ').next().is_some_and(is_protocol)
}

/// Whether a word is a protocol with its version, such as `HTTP/1.1`. Agents look alike.
fn is_protocol(word: &[u8]) -> bool {
    let Some(slash) = word.iter().position(|byte| *byte == b'/') else { return false };
    let (name, version) = (&word[..slash], &word[slash + 1..]);
    let is_version = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let names = ["http", "rtsp", "sip", "icap"];
    names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
        && !version.is_empty()
        && version.iter().all(is_version)
}
