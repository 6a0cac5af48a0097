//! The beginning of lines in most formats: `host ident user [time]`.
//!
//! User names may contain blanks, and collectors write words before the host, so all four fields are
//! found together, by the brackets around the time and the lone `-` of the ident.

use super::find::Lookahead;
use super::run::{Cursor, StepResult, furthest_of};
use super::steps::{Head, Op, Program};
use crate::text::format::identity::{LONGEST_TIME, host_ident_user, reads_as_time};
use crate::text::format::parsed::Span;
use crate::text::format::scan::near_plain_word_end;
use crate::text::format::whitespace::{ByteRange, skip_blanks};

/// The length of a time in the usual format: `17/May/2015:10:05:03 +0000`.
const CLF_TIME_LEN: usize = 26;

impl Program {
    /// Whether lines begin with host, ident, user and time.
    pub(super) fn has_head(&self) -> bool {
        self.steps.iter().take(2).any(|step| matches!(step.op, Op::Head(_)))
    }

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
            && let Ok(reached) = self.run(line, Cursor { at: close + 1, step }, usize::MAX, spans)
            && reached.step <= head.request
        {
            head.set([host, ident, user].map(Span::from), (close - CLF_TIME_LEN, close), spans);
            return Ok(reached);
        }
        let (open, close, reached) = self.brackets(line, cursor, head, spans)?;
        let identity = host_ident_user(line, start, (open, close)).map_err(|(at, _)| {
            // Text between the time and what should follow it looks like a part of the user.
            let first = Lookahead::BLANK.brackets(line, start, false).next();
            let time = first.filter(|&(open, close)| reads_as_time(&line[open + 1..close]));
            let after = time.map(|(_, close)| Cursor { at: close + 1, step });
            after
                .and_then(|after| self.run(line, after, usize::MAX, spans).err())
                .unwrap_or(Cursor { at, ..cursor })
        })?;
        let ident = identity[1];
        if head.ident.is_none() && ident.of(line) != Some(b"-") {
            return Err(Cursor { at: ident.start(), ..cursor });
        }
        head.set(identity, (open + 1, close), spans);
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
                        || self.goes_on(line, reached) && reads_as_time(&line[open + 1..close]) =>
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

/// Host, ident and user in their usual form, with `-` as the ident, and the closing bracket of a
/// time of the usual length.
fn usual(line: &[u8], start: usize) -> Option<([ByteRange; 3], usize)> {
    let host = near_plain_word_end(line, start)?;
    let rest = line.get(host..)?.strip_prefix(b" - ")?;
    let at = host + 3;
    let user = if rest.starts_with(b"- ") { at + 1 } else { near_plain_word_end(line, at)? };
    let rest = line.get(user..)?.strip_prefix(b" [")?;
    let (inside, [b']', ..]) = rest.split_at_checked(CLF_TIME_LEN)? else { return None };
    let plain = inside.iter().fold(true, |plain, byte| plain & !matches!(byte, b'[' | b']'));
    let close = user + 2 + CLF_TIME_LEN;
    let words = [(start, host), (host + 1, host + 2), (at, user)];
    (plain && host > start && user > at).then_some((words, close))
}

impl Head {
    fn set(&self, [host, ident, user]: [Span; 3], time: ByteRange, spans: &mut [Span]) {
        spans[self.host] = host;
        if let Some(field) = self.ident {
            spans[field] = ident;
        }
        spans[self.user] = user;
        spans[self.time] = time.into();
    }
}
