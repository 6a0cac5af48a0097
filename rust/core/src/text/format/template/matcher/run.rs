//! Runs the steps of a program over a line.

use memchr::memchr;

use super::steps::{Op, Program};
use crate::text::format::numbers::{int, status_and_size};
use crate::text::format::parsed::Span;
use crate::text::format::whitespace::{
    after_blanks, is_blank, list_end, skip_blanks, trim_blanks_end, word_end,
};

/// A position in the line, and the next step to run there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) at: usize,
    pub(super) step: usize,
}

/// The cursor after the steps that matched, or the step that did not match and where.
pub(super) type StepResult = Result<Cursor, Cursor>;

/// The failure that got to the later step.
pub(super) fn furthest_of(one: Option<Cursor>, other: Cursor) -> Option<Cursor> {
    one.filter(|one| one.step >= other.step).or(Some(other))
}

impl Program {
    /// Runs the steps from a cursor up to the given step, or all of them.
    pub(super) fn run_to(
        &self,
        line: &[u8],
        from: Cursor,
        up_to: Option<usize>,
        spans: &mut [Span],
    ) -> StepResult {
        let mut cursor = from;
        let last = self.steps.len() - 1;
        let up_to = up_to.unwrap_or(last);
        while cursor.step < up_to {
            cursor = match &self.steps[cursor.step].op {
                Op::Quoted(quoted) => self.quoted(line, cursor, quoted, spans)?,
                Op::Until(until) => self.until(line, cursor, until, spans)?,
                Op::FastPath(path) => self.fast_path(line, cursor, path, spans),
                Op::Head(head) => self.head(line, cursor, head, spans)?,
                Op::Word { field } => {
                    let end = word_end(line, cursor.at);
                    self.word(*field, cursor, end, spans)?
                }
                Op::List { field, colons, check } => {
                    let end = if *colons {
                        upstreams_end(line, cursor.at)
                    } else {
                        list_end(line, cursor.at)
                    };
                    if !check.accepts(&line[cursor.at..end]) {
                        return Err(cursor);
                    }
                    self.word(*field, cursor, end, spans)?
                }
                Op::Rest { quotes, .. } if quotes.has_other(line, cursor.at) => {
                    return Err(cursor);
                }
                Op::Rest { field, .. } => {
                    // A line that is read exactly is not trimmed.
                    let end = trim_blanks_end(line, line.len()).max(cursor.at);
                    spans[*field] = Span::new(cursor.at, end);
                    Cursor { at: line.len(), step: cursor.step + 1 }
                }
                _ => self.run(line, cursor, usize::MAX, spans)?,
            };
        }
        // Running further would begin steps that the alternatives do not share.
        debug_assert!(cursor.step == last || cursor.step <= up_to);
        Ok(cursor)
    }

    /// Matches literals and scanned fields, up to the next searched field or the limit.
    pub(super) fn run(
        &self,
        line: &[u8],
        cursor: Cursor,
        limit: usize,
        spans: &mut [Span],
    ) -> StepResult {
        let Cursor { mut at, mut step } = cursor;
        while step < limit {
            let this = &self.steps[step];
            let next = match &this.op {
                Op::Blank if self.exact => (line.get(at) == Some(&b' ')).then_some(at + 1),
                Op::Blank => after_blanks(line, at),
                Op::Text(text) => self.literal(line, at, text),
                Op::TailWord { field, closes } => {
                    let word = &line[at..word_end(line, at)];
                    let closes = closes.and_then(|byte| memchr(byte, word));
                    let end = at + closes.unwrap_or(word.len());
                    spans[*field] = Span::new(at, end);
                    (end > at || self.exact).then_some(end)
                }
                Op::StatusAndSize { status, size } => {
                    status_and_size(line, at, int).ok().map(|[one, other]| {
                        spans[*status] = Span::from(one);
                        spans[*size] = Span::from(other);
                        other.1
                    })
                }
                Op::Scanned { field, scanner, may_be_empty } => {
                    let end = scanner.end(line, at).or(may_be_empty.then_some(at));
                    spans[*field] = Span::new(at, end.unwrap_or(at));
                    end
                }
                Op::OpenRequest => match line.get(at) {
                    Some(b'"') => Some(at + 1),
                    Some(b'-') => {
                        if let Op::Quoted(quoted) = &self.steps[step + 1].op {
                            spans[quoted.field] = Span::new(at, at + 1);
                        }
                        step += 1;
                        Some(at + 1)
                    }
                    _ => None,
                },
                Op::End => self.ends(line, at).then_some(at),
                _ => break,
            };
            match next {
                Some(next) => (at, step) = (next, step + 1),
                None if this.optional && self.ends(line, at) => {
                    for step in &self.steps[step..] {
                        step.clear(spans);
                    }
                    return Ok(Cursor { at, step: self.steps.len() - 1 });
                }
                None => return Err(Cursor { at, step }),
            }
        }
        Ok(Cursor { at, step })
    }

    /// The position after a literal, if it matches here.
    #[inline]
    pub(super) fn literal(&self, line: &[u8], at: usize, text: &[u8]) -> Option<usize> {
        if self.exact {
            return line.get(at..)?.starts_with(text).then_some(at + text.len());
        }
        literal(line, at, text)
    }

    /// Records a word that ends here.
    fn word(&self, field: usize, cursor: Cursor, end: usize, spans: &mut [Span]) -> StepResult {
        if cursor.at == end && !self.exact {
            return Err(cursor);
        }
        spans[field] = Span::new(cursor.at, end);
        Ok(Cursor { at: end, step: cursor.step + 1 })
    }

    /// Whether a line may end here.
    pub(super) fn ends(&self, line: &[u8], at: usize) -> bool {
        match line.get(at) {
            None => true,
            Some(byte) => self.open_ended && matches!(byte, b' ' | b'\t'),
        }
    }
}

/// The position after a literal whose blanks are runs of blanks.
#[inline]
fn literal(line: &[u8], mut at: usize, text: &[u8]) -> Option<usize> {
    for &byte in text {
        if byte == b' ' {
            at = after_blanks(line, at)?;
        } else if line.get(at) == Some(&byte) {
            at += 1;
        } else {
            return None;
        }
    }
    Some(at)
}

/// The end of a list of upstreams that begins here. nginx separates them by commas and, between
/// server groups, by lone colons. A lone colon may also be the end; the blank after it and the one
/// that separates the next field are then two.
fn upstreams_end(line: &[u8], start: usize) -> usize {
    let mut end = list_end(line, start);
    loop {
        let next = skip_blanks(line, end);
        let is_colon =
            line.get(next) == Some(&b':') && line.get(next + 1).copied().is_none_or(is_blank);
        let after_colon = line[..end].ends_with(b" :") && !line[end..].starts_with(b"  ");
        if next == line.len() || !is_colon && !after_colon {
            return end;
        }
        end = list_end(line, next);
    }
}
