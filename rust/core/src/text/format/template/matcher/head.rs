//! The beginning of lines in most formats: `host ident user [time]`.
//!
//! User names may contain blanks and brackets, and collectors write words before the host, so all
//! four fields are found together, by the brackets around the time and the lone `-` of the ident.

use super::find::Lookahead;
use super::run::{Cursor, StepResult, furthest_of};
use super::steps::{Head, Program};
use crate::text::format::parsed::Span;
use crate::text::format::time;
use crate::text::format::whitespace::{ByteRange, host_ident_user, skip_blanks, word_end};

/// The longest text between brackets that is parsed as a time. A bound, because a line may have
/// many `]` and each may be tried.
const LONGEST_TIME: usize = 64;

/// The length of a time in the usual format: `17/May/2015:10:05:03 +0000`.
const CLF_TIME_LEN: usize = 26;

impl Program {
    /// Finds host, ident, user and time, and runs the steps after the closing bracket.
    pub(super) fn head(
        &self,
        line: &[u8],
        cursor: Cursor,
        head: &Head,
        spans: &mut [Span],
    ) -> StepResult {
        let start = cursor.at;
        let step = cursor.step + 1;
        if let Some(([host, ident, user], close)) = usual(line, start)
            && (head.ident.is_some() || &line[ident.0..ident.1] == b"-")
            && let Ok(reached) = self.run(line, Cursor { at: close + 1, step }, usize::MAX, spans)
            && reached.step <= head.request
        {
            head.set([host, ident, user, (close - CLF_TIME_LEN, close)], spans);
            return Ok(reached);
        }
        let (open, close, reached) = self.brackets(line, cursor, head, spans)?;
        let Some([host, ident, user]) = head.words(&line[..open], start) else {
            let second = skip_blanks(line, word_end(line, start)).min(open);
            return Err(Cursor { at: second, ..cursor });
        };
        head.set([host, ident, user, (open + 1, close)], spans);
        Ok(reached)
    }

    /// The brackets around the time: the first `]` after which the steps match, and the last `[`
    /// before it that begins a word. The first word is the host, which may be a bracketed IPv6
    /// address.
    fn brackets(
        &self,
        line: &[u8],
        cursor: Cursor,
        head: &Head,
        spans: &mut [Span],
    ) -> Result<(usize, usize, Cursor), Cursor> {
        let step = cursor.step + 1;
        let mut furthest = None;
        let lookahead = Lookahead { next_bytes: head.next_bytes, prefilter: &head.prefilter };
        let mut brackets = lookahead.brackets(line, cursor.at, false);
        for (open, close) in brackets.by_ref() {
            let is_missing = || line.get(skip_blanks(line, close + 1)) == Some(&b'-');
            let is_long = close - open > LONGEST_TIME && head.request != usize::MAX;
            if is_long && is_missing() || !head.prefilter.may_match(line, close + 1) {
                continue;
            }
            match self.run(line, Cursor { at: close + 1, step }, usize::MAX, spans) {
                Ok(reached)
                    if reached.step <= head.request
                        || self.goes_on(line, reached) && is_time(&line[open + 1..close]) =>
                {
                    return Ok((open, close, reached));
                }
                Ok(_) => {}
                Err(failed) => furthest = furthest_of(furthest, failed),
            }
        }
        // Nothing matched: report what is missing after the first brackets that a blank follows.
        let closest = Lookahead::BLANK.brackets(line, cursor.at, false).next();
        let closest_failure = || {
            let cursor = Cursor { at: closest?.1 + 1, step };
            self.run(line, cursor, usize::MAX, spans).err()
        };
        let here = Cursor { at: brackets.open.unwrap_or(line.len()), ..cursor };
        Err(furthest.or_else(closest_failure).unwrap_or(here))
    }

    /// Whether the line ends here or a later step has matched.
    fn goes_on(&self, line: &[u8], reached: Cursor) -> bool {
        reached.at == line.len() || reached.step + 1 < self.steps.len()
    }
}

/// Host, ident and user if they are words without brackets, and the closing bracket of a time of
/// the usual length.
fn usual(line: &[u8], start: usize) -> Option<([ByteRange; 3], usize)> {
    let mut words = [(0, 0); 3];
    let mut at = start;
    for word in &mut words {
        let first = at;
        while !matches!(line.get(at)?, b' ' | b'\t' | b'\r' | b'\n') {
            if matches!(line[at], b'[' | b']') {
                return None;
            }
            at += 1;
        }
        *word = (first, at);
        at = skip_blanks(line, at);
        if first == word.1 {
            return None;
        }
    }
    let [b'[', inside @ ..] = line.get(at..)? else { return None };
    let (inside, [b']', ..]) = inside.split_at_checked(CLF_TIME_LEN)? else { return None };
    let plain = inside.iter().fold(true, |plain, byte| plain & !matches!(byte, b'[' | b']'));
    plain.then_some((words, at + 1 + CLF_TIME_LEN))
}

/// A user may be called `[a] -`: servers escape quotes but not blanks and brackets. So the text in
/// brackets that no quote follows has to be a time.
fn is_time(text: &[u8]) -> bool {
    text.len() <= LONGEST_TIME && time::parse_bracketed(text).is_some()
}

impl Head {
    /// Host, ident and user before the time.
    fn words(&self, line: &[u8], start: usize) -> Option<[ByteRange; 3]> {
        let found = host_ident_user(line, start)?;
        let ident = &line[found[1].0..found[1].1];
        (self.ident.is_some() || ident == b"-").then_some(found)
    }

    fn set(&self, [host, ident, user, time]: [ByteRange; 4], spans: &mut [Span]) {
        spans[self.host] = Span::new(host.0, host.1);
        if let Some(field) = self.ident {
            spans[field] = Span::new(ident.0, ident.1);
        }
        spans[self.user] = Span::new(user.0, user.1);
        spans[self.time] = Span::new(time.0, time.1);
    }
}
