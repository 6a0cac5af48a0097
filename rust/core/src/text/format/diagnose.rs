//! Explains why a line matches neither the combined format nor the common one.
//!
//! The matcher keeps no record of where it failed, which would slow it down. So a rejected line is
//! parsed again, from the left; each of its bytes is visited a bounded number of times.

use super::Reject;
use super::combined::{self, trim};
use super::identity::{LONGEST_TIME, host_ident_user, reads_as_time};
use super::quotes_and_brackets::{Brackets, Quotes};
use super::scan::FollowMask;
use super::whitespace::{is_blank, skip_blanks, word_end};
use crate::ground::block::Block;

/// What is expected of the whole line, if the second pass finds no error.
const WHOLE_LINE: &str = "host, ident, user, a time in brackets, a request in quotes, status, size";

/// Returns the reject with the most helpful position, and what was expected there.
#[cold]
pub(super) fn diagnose(line: &[u8], reject: Reject, is_common: bool) -> Reject {
    let (lead, line) = trim(line);
    if line.len() == lead {
        return Reject::new(0, "a line that is not empty");
    }
    let walk = Diagnosis { line, lead, is_common };
    let (byte, expected) = walk.mismatch().unwrap_or((reject.byte(), WHOLE_LINE));
    Reject::new(byte, expected)
}

struct Diagnosis<'a> {
    line: &'a [u8],
    lead: usize,
    is_common: bool,
}

type Mismatch = (usize, &'static str);

impl Diagnosis<'_> {
    /// Where the line stops matching, if that can be found.
    fn mismatch(&self) -> Option<Mismatch> {
        let (open, close) = match self.brackets() {
            Ok(brackets) => brackets,
            Err(mismatch) => return Some(mismatch),
        };
        if let Err(mismatch) = host_ident_user(self.line, self.lead, (open, close)) {
            return Some(self.after_earlier_time(open).unwrap_or(mismatch));
        }
        let request = skip_blanks(self.line, close + 1);
        if self.line.get(request) == Some(&b'-') {
            // A bare - counts as the request only if everything else matches, including the time.
            let end = status_and_size(self.line, request + 1);
            let mismatch = end.map(|end| self.after_size(end).unwrap_or((request, REQUEST)));
            return Some(mismatch.unwrap_or_else(|mismatch| mismatch));
        }
        let close = "the quote that closes the request";
        let levels = |follow: FollowMask, block: &Block, level: usize| {
            let blanks = block.blanks();
            match level {
                0 => follow.followed_by(blanks),
                1 => follow.one_or_more(blanks).status(block, 0).followed_by(blanks),
                _ => follow
                    .one_or_more(blanks)
                    .status(block, 0)
                    .one_or_more(blanks)
                    .followed_by(block.numbers()),
            }
        };
        let after_quote = |at| status_and_size(self.line, at);
        match self.quoted(request, REQUEST, close, levels, after_quote) {
            Ok(end) => self.after_size(end),
            Err(mismatch) => Some(mismatch),
        }
    }

    fn after_size(&self, end: usize) -> Option<Mismatch> {
        let referer = skip_blanks(self.line, end);
        if self.line.get(referer) != Some(&b'"') {
            return None;
        }
        if self.is_common {
            return Some((referer, "the end of the line or an unquoted field"));
        }
        let agent = |at| match skip_blanks(self.line, at) {
            agent if self.line.get(agent) == Some(&b'"') => Ok(agent),
            agent => Err((agent, "the agent in quotes")),
        };
        let close = "the quote that closes the referer";
        let levels = |follow: FollowMask, block: &Block, level: usize| match level {
            0 => follow.followed_by(block.blanks()),
            _ => follow.one_or_more(block.blanks()).followed_by(block.places(b'"')),
        };
        let agent = match self.quoted(referer, "", close, levels, agent) {
            Ok(agent) => agent,
            Err(mismatch) => return Some(mismatch),
        };
        let levels = |follow: FollowMask, block: &Block, _| follow.followed_by(block.blanks());
        self.quoted(agent, "", "the quote that closes the agent", levels, Ok).err()
    }

    /// The brackets around the time: the first `]` that is followed by a request, and the last `[`
    /// before it that begins a word.
    fn brackets(&self) -> Result<(usize, usize), Mismatch> {
        let before_request = |block: &Block, _, closing| {
            let begins = block.places(b'"') | block.places(b'-');
            FollowMask::after(closing).one_or_more(block.blanks()).followed_by(begins).matching()
        };
        let mut close = None;
        let mut brackets = Brackets::new(self.line, self.lead, false, before_request);
        for (open, closing) in brackets.by_ref() {
            let request = skip_blanks(self.line, closing + 1);
            match self.line.get(request) {
                Some(b'"') if request > closing + 1 => return Ok((open, closing)),
                Some(b'-') if request > closing + 1 => close = close.or(Some((open, closing))),
                _ => {}
            }
        }
        // A bare - is a missing request if nothing else can be the request.
        if let Some(brackets) = close {
            return Ok(brackets);
        }
        let Some(open) = brackets.open else {
            let at =
                (0..3).fold(self.lead, |at, _| skip_blanks(self.line, word_end(self.line, at)));
            return Err((at, "a time in brackets"));
        };
        match self.line[open..].iter().position(|byte| *byte == b']') {
            None => Err((open, "a time in brackets, closed by ]")),
            Some(length) => match open + length + 1 {
                at if self.line.get(at).is_some_and(|byte| !is_blank(*byte)) => {
                    Err((at, "a space"))
                }
                at => Err((skip_blanks(self.line, at), REQUEST)),
            },
        }
    }

    /// What was expected after the first brackets, if these have a time but no request follows.
    fn after_earlier_time(&self, before: usize) -> Option<Mismatch> {
        let head = &self.line[self.lead..before];
        let blank = head.windows(2).position(|two| is_blank(two[0]) && two[1] == b'[')?;
        let open = self.lead + blank + 1;
        let near = self.line[open + 1..].iter().take(LONGEST_TIME);
        let close = open + 1 + near.take_while(|byte| **byte != b']').count();
        let is_time =
            self.line.get(close) == Some(&b']') && reads_as_time(&self.line[open + 1..close]);
        is_time.then(|| (skip_blanks(self.line, close + 1), REQUEST))
    }

    /// Parses a quoted field that opens here. Returns the position after what follows the first
    /// quote that closes it, or the mismatch that is furthest after a candidate quote.
    ///
    /// `levels` selects the quotes after which more and more of what follows matches. For all
    /// levels but the last, the first quote of a level represents the others: they would stop at
    /// the same point. At the last level only an invalid size can cause a mismatch.
    fn quoted(
        &self,
        open: usize,
        opening: &'static str,
        closing: &'static str,
        levels: impl Fn(FollowMask, &Block, usize) -> FollowMask,
        after_quote: impl Fn(usize) -> Result<usize, Mismatch>,
    ) -> Result<usize, Mismatch> {
        const LEVELS: usize = 3;
        if self.line.get(open) != Some(&b'"') {
            return Err((open, opening));
        }
        let mut mismatches: [Option<Mismatch>; 2] = [None; 2];
        let mut seen = [[false; 2]; LEVELS - 1];
        let keep = |block: &Block, _, quotes: u64, escaped: u64| {
            if quotes == 0 {
                return 0;
            }
            let marks = |level| levels(FollowMask::after(quotes), block, level).matching();
            let mut candidates = marks(LEVELS - 1);
            for (level, seen) in seen.iter_mut().enumerate().filter(|one| *one.1 != [true; 2]) {
                let marks = marks(level);
                for (bits, seen) in [marks & !escaped, marks & escaped].into_iter().zip(seen) {
                    if bits != 0 && !*seen {
                        candidates |= bits & bits.wrapping_neg();
                        *seen = true;
                    }
                }
            }
            candidates
        };
        let mut escaped_end = None;
        let mut quotes = Quotes::new(self.line, open + 1, keep);
        while let Some((quote, is_escaped)) = quotes.next() {
            let ends = self.line.get(quote + 1).is_none_or(|byte| is_blank(*byte));
            if !ends || is_escaped && escaped_end.is_some() {
                continue;
            }
            match after_quote(quote + 1) {
                Ok(end) if !is_escaped => return Ok(end),
                Ok(end) => escaped_end = Some(end),
                Err(mismatch) => {
                    let known = &mut mismatches[usize::from(is_escaped)];
                    let is_further = |known: Mismatch| rank(mismatch.1) > rank(known.1);
                    if known.is_none_or(is_further) {
                        *known = Some(mismatch);
                    }
                }
            }
        }
        let mismatch = mismatches[0].or(mismatches[1]).unwrap_or((self.line.len(), closing));
        escaped_end.ok_or(mismatch)
    }
}

const REQUEST: &str = "a request in quotes";
const BLANK_BEFORE_STATUS: &str = "a space and the status";
const STATUS: &str = "a status of three digits";
const SIZE: &str = "a size in digits";

/// How far after a quote a mismatch is; of equal ones the first is more helpful.
fn rank(expected: &str) -> usize {
    [BLANK_BEFORE_STATUS, STATUS, SIZE].iter().position(|known| *known == expected).unwrap_or(0)
}

/// The position after a status of three digits and a size, each of which may be `-`.
fn status_and_size(line: &[u8], at: usize) -> Result<usize, Mismatch> {
    match combined::status_and_size(line, at) {
        Ok([_, size]) => Ok(size.1),
        Err((0, at)) => Err((at, BLANK_BEFORE_STATUS)),
        Err((1, at)) => Err((at, STATUS)),
        // A byte that is not a blank belongs to the status.
        Err((2, end)) if end < line.len() => Err((skip_blanks(line, at), STATUS)),
        Err((_, at)) => Err((at, SIZE)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Format;
    use super::super::reader::Reader;

    const HEAD: &str = "1.2.3.4 - - [17/May/2015:10:05:03 +0000] ";

    /// The rest of the line from where it stops matching, and what was expected there.
    fn mismatch<'a>(format: &str, line: &'a str) -> (&'a str, &'static str) {
        let format = Format::new(format).unwrap();
        let mut reader = Reader::lenient(&format, &[]);
        let reject = reader.read(line.as_bytes()).unwrap_err();
        let reject = reader.explain_reject(line.as_bytes(), reject);
        (&line[reject.byte()..], reject.expected())
    }

    #[test]
    fn a_reject_is_where_the_line_stops_matching() {
        for (line, rest, expected) in [
            ("", "", "a line that is not empty"),
            ("no log line", "", "a time in brackets"),
            ("h - - GET / 200 5", "GET / 200 5", "a time in brackets"),
            (
                "h - [t] \"GET /\" 200 5",
                "[t] \"GET /\" 200 5",
                "host, ident and user before the time",
            ),
            ("h - - [t \"GET /\" 200 5", "[t \"GET /\" 200 5", "a time in brackets, closed by ]"),
            ("h - - [t]\"GET /\" 200 5", "\"GET /\" 200 5", "a space"),
            ("h - - [t] GET / 200 5", "GET / 200 5", "a request in quotes"),
            ("h - - [t]", "", "a request in quotes"),
            ("h - - [t] \"GET / 200 5", "", "the quote that closes the request"),
            ("h - - [t] \"GET /\" OK 5", "OK 5", "a status of three digits"),
            (
                "h - - [t] \"GET /\" 2000 5 \"-\" \"ua\"",
                "2000 5 \"-\" \"ua\"",
                "a status of three digits",
            ),
            ("h - - [t] \"GET /\" 200", "", "a size in digits"),
            ("h - - [t] \"GET /\" 200 5k \"-\" \"ua\"", "5k \"-\" \"ua\"", "a size in digits"),
            ("h - - [t] - 40 5", "40 5", "a status of three digits"),
            ("h - - [t] \"GET /\" 200 5 \"-\"", "", "the agent in quotes"),
            ("h - - [t] \"GET /\" 200 5 \"http://", "", "the quote that closes the referer"),
            ("h - - [t] \"GET /\" 200 5 \"-\" \"ua", "", "the quote that closes the agent"),
            ("h - - [t] \"GET /\" 200 5 \"-\" ua", "ua", "the agent in quotes"),
        ] {
            assert_eq!(mismatch("combined", line), (rest, expected), "{line}");
        }
    }

    #[test]
    fn common_ends_before_a_quoted_field() {
        let line = "h - - [t] \"GET /\" 200 5 \"-\" \"ua\"";
        let expected = "the end of the line or an unquoted field";
        assert_eq!(mismatch("common", line), ("\"-\" \"ua\"", expected));
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(20_000))]

        #[test]
        fn every_rejected_line_has_a_position_and_an_explanation(
            pieces in prop::collection::vec(
                prop::sample::select(&[
                    HEAD, "\"GET /\" ", "200 5", " \"-\"", " \"ua\"", "[", "]", "\"", "\\", " ", "-", "x",
                    "\u{feff}", "] - ", "200", "é",
                ][..]),
                0..12,
            ),
        ) {
            let line = pieces.concat();
            for name in ["combined", "common"] {
                let format = Format::new(name).unwrap();
                let mut reader = Reader::lenient(&format, &[]);
                if let Err(reject) = reader.read(line.as_bytes()) {
                    let reject = reader.explain_reject(line.as_bytes(), reject);
                    prop_assert!(reject.byte() <= line.len());
                    prop_assert_ne!(reject.expected(), super::WHOLE_LINE);
                    prop_assert_ne!(reject.expected(), "");
                }
            }
        }
    }
}
