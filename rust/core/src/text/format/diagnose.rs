//! Why a line is neither of the combined format nor of the common one: where it stops, in words.
//!
//! What splits lines has no time to remember where it was turned away, so a line that was is looked
//! at again, from the left, each of its bytes a bounded number of times.

use super::Reject;
use super::combined::{self, trim};
use super::quotes_and_brackets::{Brackets, Quotes};
use super::scan::FollowMask;
use super::whitespace::{is_blank, skip_blanks, word_end};
use crate::ground::block::Block;

/// What a line should have been, where a look from the left finds nothing wrong with it.
const WHOLE_LINE: &str = "host, ident, user, a time in brackets, a request in quotes, status, size";

/// The same reject, with the place that tells a reader most and what was expected there.
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
    /// Where the line stops being one, if that can be told.
    fn mismatch(&self) -> Option<Mismatch> {
        let (open, close) = match self.brackets() {
            Ok(brackets) => brackets,
            Err(stop) => return Some(stop),
        };
        if self.words(open) < 3 {
            return Some((open, "host, ident and user in front of the time"));
        }
        let request = skip_blanks(self.line, close + 1);
        if self.line.get(request) == Some(&b'-') {
            // For a bare - all else has to be in order, the time too.
            let end = status_and_size(self.line, request + 1);
            let stop = end.map(|end| self.after_size(end).unwrap_or((request, REQUEST)));
            return Some(stop.unwrap_or_else(|stop| stop));
        }
        let close = "the quote that closes the request";
        let levels = |behind: FollowMask, block: &Block, level: usize| {
            let blanks = block.blanks();
            match level {
                0 => behind.followed_by(blanks),
                1 => behind.one_or_more(blanks).status(block, 0).followed_by(blanks),
                _ => behind
                    .one_or_more(blanks)
                    .status(block, 0)
                    .one_or_more(blanks)
                    .followed_by(block.numbers()),
            }
        };
        let behind = |at| status_and_size(self.line, at);
        match self.quoted(request, REQUEST, close, levels, behind) {
            Ok(end) => self.after_size(end),
            Err(stop) => Some(stop),
        }
    }

    fn after_size(&self, end: usize) -> Option<Mismatch> {
        let referer = skip_blanks(self.line, end);
        if self.line.get(referer) != Some(&b'"') {
            return None;
        }
        if self.is_common {
            return Some((referer, "the end of the line, or a field without quotes"));
        }
        let agent = |at| match skip_blanks(self.line, at) {
            agent if self.line.get(agent) == Some(&b'"') => Ok(agent),
            agent => Err((agent, "the agent in quotes")),
        };
        let close = "the quote that closes the referer";
        let levels = |behind: FollowMask, block: &Block, level: usize| match level {
            0 => behind.followed_by(block.blanks()),
            _ => behind.one_or_more(block.blanks()).followed_by(block.places(b'"')),
        };
        let agent = match self.quoted(referer, "", close, levels, agent) {
            Ok(agent) => agent,
            Err(stop) => return Some(stop),
        };
        let levels = |behind: FollowMask, block: &Block, _| behind.followed_by(block.blanks());
        self.quoted(agent, "", "the quote that closes the agent", levels, Ok).err()
    }

    /// The brackets around the time: the first `]` behind which a request begins, and the last `[`
    /// that begins a word in front of it.
    fn brackets(&self) -> Result<(usize, usize), Mismatch> {
        let before_request = |block: &Block, _, closing| {
            let begins = block.places(b'"') | block.places(b'-');
            FollowMask::after(closing).one_or_more(block.blanks()).followed_by(begins).matching()
        };
        let mut close = None;
        let mut brackets = Brackets::new(self.line, self.lead, false, before_request);
        for (open, place) in brackets.by_ref() {
            let request = skip_blanks(self.line, place + 1);
            match self.line.get(request) {
                Some(b'"') if request > place + 1 => return Ok((open, place)),
                Some(b'-') if request > place + 1 => close = close.or(Some((open, place))),
                _ => {}
            }
        }
        // A bare - stands for a missing request, if nothing else can be one.
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
                    Err((at, "a blank"))
                }
                at => Err((skip_blanks(self.line, at), REQUEST)),
            },
        }
    }

    /// How many words stand in front of a place, up to three.
    fn words(&self, end: usize) -> usize {
        let head = &self.line[self.lead..end];
        head.split(|byte| is_blank(*byte)).filter(|word| !word.is_empty()).take(3).count()
    }

    /// A field in quotes from this place on: what is behind the first quote that closes it, or
    /// the stop that came furthest behind one which may.
    ///
    /// `levels` are the quotes behind which more and more fits: of all levels but the last, which
    /// only a size that is none can stop, the first quote says what the others say.
    fn quoted(
        &self,
        open: usize,
        opening: &'static str,
        closing: &'static str,
        levels: impl Fn(FollowMask, &Block, usize) -> FollowMask,
        behind: impl Fn(usize) -> Result<usize, Mismatch>,
    ) -> Result<usize, Mismatch> {
        const LEVELS: usize = 3;
        if self.line.get(open) != Some(&b'"') {
            return Err((open, opening));
        }
        let mut stops: [Option<Mismatch>; 2] = [None; 2];
        let mut seen = [[false; 2]; LEVELS - 1];
        let keep = |block: &Block, _, quotes: u64, escaped: u64| {
            if quotes == 0 {
                return 0;
            }
            let marks = |level| levels(FollowMask::after(quotes), block, level).matching();
            let mut wanted = marks(LEVELS - 1);
            for (level, seen) in seen.iter_mut().enumerate().filter(|one| *one.1 != [true; 2]) {
                let marks = marks(level);
                for (bits, seen) in [marks & !escaped, marks & escaped].into_iter().zip(seen) {
                    if bits != 0 && !*seen {
                        wanted |= bits & bits.wrapping_neg();
                        *seen = true;
                    }
                }
            }
            wanted
        };
        let mut escaped_end = None;
        let mut quotes = Quotes::new(self.line, open + 1, keep);
        while let Some((quote, is_escaped)) = quotes.next() {
            let ends = self.line.get(quote + 1).is_none_or(|byte| is_blank(*byte));
            if !ends || is_escaped && escaped_end.is_some() {
                continue;
            }
            match behind(quote + 1) {
                Ok(end) if !is_escaped => return Ok(end),
                Ok(end) => escaped_end = Some(end),
                Err(stop) => {
                    let known = &mut stops[usize::from(is_escaped)];
                    let is_further = |known: Mismatch| rank(stop.1) > rank(known.1);
                    if known.is_none_or(is_further) {
                        *known = Some(stop);
                    }
                }
            }
        }
        let stop = stops[0].or(stops[1]).unwrap_or((self.line.len(), closing));
        escaped_end.ok_or(stop)
    }
}

const REQUEST: &str = "a request in quotes";
const BLANK_BEFORE_STATUS: &str = "a blank and the status";
const STATUS: &str = "a status of three digits";
const SIZE: &str = "a size in digits";

/// How far behind a quote a stop is; of equals the first tells more.
fn rank(expected: &str) -> usize {
    [BLANK_BEFORE_STATUS, STATUS, SIZE].iter().position(|known| *known == expected).unwrap_or(0)
}

/// Behind a status of three digits and a size, each of which may be `-`.
fn status_and_size(line: &[u8], at: usize) -> Result<usize, Mismatch> {
    match combined::status_and_size(line, at) {
        Ok([_, size]) => Ok(size.1),
        Err((0, at)) => Err((at, BLANK_BEFORE_STATUS)),
        Err((1, at)) => Err((at, STATUS)),
        // Something that is no blank belongs to the status.
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

    /// The line behind the place where it stops, and what was expected there.
    fn stop<'a>(format: &str, line: &'a str) -> (&'a str, &'static str) {
        let format = Format::new(format).unwrap();
        let mut reader = Reader::lenient(&format, &[]);
        let reject = reader.read(line.as_bytes()).unwrap_err();
        let reject = reader.explain_reject(line.as_bytes(), reject);
        (&line[reject.byte()..], reject.expected())
    }

    #[test]
    fn a_line_is_shown_where_it_stops() {
        for (line, rest, expected) in [
            ("", "", "a line that is not empty"),
            ("no log line", "", "a time in brackets"),
            ("h - - GET / 200 5", "GET / 200 5", "a time in brackets"),
            (
                "h - [t] \"GET /\" 200 5",
                "[t] \"GET /\" 200 5",
                "host, ident and user in front of the time",
            ),
            ("h - - [t \"GET /\" 200 5", "[t \"GET /\" 200 5", "a time in brackets, closed by ]"),
            ("h - - [t]\"GET /\" 200 5", "\"GET /\" 200 5", "a blank"),
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
            assert_eq!(stop("combined", line), (rest, expected), "{line}");
        }
    }

    #[test]
    fn common_ends_before_a_quoted_field() {
        let line = "h - - [t] \"GET /\" 200 5 \"-\" \"ua\"";
        let expected = "the end of the line, or a field without quotes";
        assert_eq!(stop("common", line), ("\"-\" \"ua\"", expected));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn every_rejected_line_has_a_place_and_words(
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
