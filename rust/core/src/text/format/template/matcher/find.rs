//! Search within a line that costs the same whatever the line is full of.
//!
//! Fields mostly end at the first delimiter, which is looked for by itself. Where it is not the
//! first, 64 bytes are looked at together, and what stands around a delimiter turns nearly all of
//! them away at once, before any is looked at by itself.

use super::steps::{ByteClass, Delimiter, NextBytes, Prefilter};
use crate::ground::block::Block;
use crate::text::format::quotes_and_brackets::{Brackets, Quotes};
use crate::text::format::scan::{BitPositions, past_end};

impl NextBytes {
    pub(super) const ANY: Self = Self::new(ByteClass::Any, ByteClass::Any);
    pub(super) const BLANK: Self = Self::new(ByteClass::Blank, ByteClass::Any);

    pub(super) const fn new(first: ByteClass, second: ByteClass) -> Self {
        Self { first, second }
    }

    #[inline]
    pub(super) fn may_match(self, line: &[u8], at: usize) -> bool {
        let rest = line.get(at..).unwrap_or_default();
        self.first.has(rest.first()) && self.second().has(rest.get(1), self.first)
    }

    fn second(self) -> Second {
        Second(self.second)
    }

    /// Which bytes of a block have this behind them.
    #[inline]
    fn mask_before(self, line: &[u8], start: usize, block: &Block, past_end: u64) -> u64 {
        let end = start + Block::LEN;
        let ahead = |bits: u64, next: bool| bits >> 1 | u64::from(next) << (Block::LEN - 1);
        let first = ahead(self.first.mask(block) | past_end, self.first.has(line.get(end)));
        if self.second == ByteClass::Any {
            return first;
        }
        let mut second = self.second.mask(block) | past_end;
        if self.first == ByteClass::Blank {
            // Of more than two blanks the steps know.
            let blanks = block.blanks();
            second |= blanks & ((second | blanks) >> 1 | 1 << (Block::LEN - 1));
        }
        let has = |at| self.second().has(line.get(at), self.first);
        first & ahead(ahead(second, has(end)), has(end + 1))
    }
}

struct Second(ByteClass);

impl Second {
    #[inline]
    fn has(self, byte: Option<&u8>, first: ByteClass) -> bool {
        self.0.has(byte) || first == ByteClass::Blank && ByteClass::Blank.has(byte)
    }
}

/// What has to stand behind a delimiter, and how far it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookahead<'a> {
    pub(super) next_bytes: NextBytes,
    pub(super) prefilter: &'a Prefilter,
}

impl Lookahead<'_> {
    pub(super) const ANY: Self = Self::only(NextBytes::ANY);
    pub(super) const BLANK: Self = Self::only(NextBytes::BLANK);

    const fn only(next_bytes: NextBytes) -> Self {
        static NONE: Prefilter = Prefilter::NONE;
        Self { next_bytes, prefilter: &NONE }
    }

    /// The quotes that have this behind them.
    pub(super) fn quotes(
        self,
        line: &[u8],
        start: usize,
    ) -> Quotes<'_, impl FnMut(&Block, usize, u64, u64) -> u64> {
        let keep =
            move |block: &Block, start, quotes, _| self.filter(line, start, block, quotes, b'"');
        Quotes::new(line, start, keep)
    }

    /// The brackets that have this behind them; `bare` ones have no other between them.
    pub(super) fn brackets(
        self,
        line: &[u8],
        start: usize,
        bare: bool,
    ) -> Brackets<'_, impl FnMut(&Block, usize, u64) -> u64> {
        let keep =
            move |block: &Block, start, closing| self.filter(line, start, block, closing, b']');
        Brackets::new(line, start, bare, keep)
    }

    /// Those of the marks of a block behind which this may stand. They all are the same byte.
    #[inline]
    fn filter(
        self,
        line: &[u8],
        start: usize,
        block: &Block,
        delimiters: u64,
        delimiter: u8,
    ) -> u64 {
        // The outline of one is looked at sooner by itself.
        let several = delimiters & delimiters.wrapping_sub(1) != 0;
        match (several, self.prefilter.is_empty()) {
            (true, false) => {
                self.prefilter.mask_before(block, past_end(line, start), delimiters, delimiter)
            }
            _ if delimiters == 0 => 0,
            _ => {
                delimiters & self.next_bytes.mask_before(line, start, block, past_end(line, start))
            }
        }
    }
}

impl ByteClass {
    /// Whether a byte is one of these, or the line ends.
    #[inline]
    fn has(self, byte: Option<&u8>) -> bool {
        let Some(&byte) = byte else { return true };
        match self {
            Self::Any => true,
            Self::Nothing => false,
            // As control bytes are no blanks, these have to be looked at again.
            Self::Blank => byte <= b' ',
            Self::Number | Self::NumberAndBlank => (b'-'..=b'9').contains(&byte),
            Self::Opening => matches!(byte, b'"' | b'-'),
            Self::Byte(wanted) => byte == wanted,
        }
    }

    #[inline]
    fn mask(self, block: &Block) -> u64 {
        match self {
            Self::Any => u64::MAX,
            Self::Nothing => 0,
            Self::Blank => block.blanks(),
            Self::Number => block.numbers(),
            Self::NumberAndBlank => {
                let numbers = block.numbers();
                let goes_on = (numbers | block.blanks()) >> 1 | 1 << (Block::LEN - 1);
                numbers & (goes_on | !block.places(b'-'))
            }
            Self::Opening => {
                block.places(b'"') | block.places(b'-') & (block.blanks() >> 1 | 1 << 63)
            }
            Self::Byte(byte) => block.places(byte),
        }
    }
}

/// The places of a mark, in order.
pub(super) struct Delimiters<'a> {
    line: &'a [u8],
    class: ByteClass,
    delimiter: Delimiter,
    prefilter: &'a Prefilter,
    start: usize,
    bits: BitPositions,
    after_blank: bool,
}

impl<'a> Delimiters<'a> {
    pub(super) fn new(
        line: &'a [u8],
        start: usize,
        delimiter: Delimiter,
        prefilter: &'a Prefilter,
    ) -> Self {
        let before = start.checked_sub(1).and_then(|before| line.get(before));
        let after_blank = before.is_some_and(|byte| *byte <= b' ');
        let class = ByteClass::Byte(delimiter.byte);
        let mut this = Self {
            line,
            class,
            delimiter,
            prefilter,
            start,
            bits: BitPositions::new(0, 0),
            after_blank,
        };
        this.scanner();
        this
    }

    /// The places of all blanks, and of control bytes.
    pub(super) fn of_blanks(line: &'a [u8], start: usize) -> Self {
        let delimiter = Delimiter { byte: b' ', blank_before: false, next_bytes: NextBytes::ANY };
        let Lookahead { prefilter, .. } = Lookahead::ANY;
        let (class, bits) = (ByteClass::Blank, BitPositions::new(0, 0));
        let mut this = Self { line, class, delimiter, prefilter, start, bits, after_blank: false };
        this.scanner();
        this
    }

    #[inline(never)]
    fn scanner(&mut self) {
        let Self { line, class, delimiter, prefilter, start, .. } = *self;
        let block = Block::at(line, start);
        let mut bits = class.mask(&block) & !past_end(line, start);
        if delimiter.blank_before {
            let blanks = block.blanks();
            bits &= blanks << 1 | u64::from(self.after_blank);
            self.after_blank = blanks >> (Block::LEN - 1) == 1;
        }
        let lookahead = Lookahead { next_bytes: delimiter.next_bytes, prefilter };
        self.bits =
            BitPositions::new(lookahead.filter(line, start, &block, bits, delimiter.byte), start);
    }
}

impl Iterator for Delimiters<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        loop {
            if let Some(place) = self.bits.next() {
                return Some(place);
            }
            self.start += Block::LEN;
            if self.start >= self.line.len() {
                return None;
            }
            self.scanner();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::format::whitespace::is_blank;
    use proptest::prelude::*;

    /// Short lines of few bytes, so that all kinds of neighbours occur.
    fn lines() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop::sample::select(b"\"\"\\[[]] \t\n\x01x0-.9/".to_vec());
        prop::collection::vec(byte, 0..200)
    }

    fn classes() -> impl Strategy<Value = ByteClass> {
        use ByteClass::{Any, Blank, Byte, Nothing, Number, NumberAndBlank, Opening};
        prop::sample::select(vec![
            Any,
            Nothing,
            Blank,
            Number,
            NumberAndBlank,
            Opening,
            Byte(b'"'),
            Byte(b'0'),
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn no_mark_is_missed(
            line in lines(), start in 0..70_usize, first in classes(), second in classes(),
        ) {
            let start = start.min(line.len());
            let next_bytes = NextBytes::new(first, second);
            let lookahead = Lookahead::only(next_bytes);
            // A dash that stands for a request, or for a number, is a word by itself.
            let fits = |at: &usize| {
                let opening = |class, at: usize| {
                    let next = line.get(at + 1);
                    line.get(at) != Some(&b'-')
                        || next.is_none_or(|byte| *byte <= b' ')
                        || match class {
                            ByteClass::Opening => false,
                            ByteClass::NumberAndBlank => ByteClass::Number.has(next),
                            _ => true,
                        }
                };
                let is_in = |class: ByteClass, at: usize| class.has(line.get(at)) && opening(class, at);
                let blank = |at: usize| line.get(at).is_none_or(|byte| *byte <= b' ');
                is_in(first, at + 1)
                    && (is_in(second, at + 2)
                        || first == ByteClass::Blank
                            && blank(at + 2)
                            && (is_in(second, at + 3) || blank(at + 3)))
            };
            let quotes = (start..line.len()).filter(|at| line[*at] == b'"');
            let quotes: Vec<_> = quotes.filter(fits).collect();
            let delimiter = Delimiter { byte: b'"', blank_before: false, next_bytes };
            let fitting = |found: &Vec<usize>| found.iter().copied().filter(fits).collect::<Vec<_>>();
            let delimiters: Vec<_> = Delimiters::new(&line, start, delimiter, lookahead.prefilter).collect();
            prop_assert_eq!(fitting(&delimiters), quotes);
            prop_assert!(delimiters.iter().all(|at| next_bytes.may_match(&line, at + 1)));

            let mut found = lookahead.quotes(&line, start);
            let found: Vec<_> = std::iter::from_fn(|| found.next()).collect();
            prop_assert_eq!(found.iter().map(|found| found.0).collect::<Vec<_>>(), delimiters);
            for (place, escaped) in found {
                let run = line[start..place].iter().rev().take_while(|byte| **byte == b'\\').count();
                prop_assert_eq!(escaped, run % 2 == 1);
            }

            let blank_before = |at: &usize| *at > start && is_blank(line[at - 1]);
            for bare in [false, true] {
                let mut open = None;
                let mut pairs = Vec::new();
                for (at, byte) in line.iter().enumerate().skip(start) {
                    match byte {
                        b']' => {
                            if let Some(open) = open && fits(&at) {
                                pairs.push((open, at));
                            }
                            open = open.filter(|_| !bare);
                        }
                        b'[' if blank_before(&at) => open = Some(at),
                        b'[' if bare => open = None,
                        _ => {}
                    }
                }
                let found: Vec<_> = lookahead.brackets(&line, start, bare)
                    .filter(|(_, close)| fits(close))
                    .collect();
                prop_assert_eq!(found, pairs);
            }
        }
    }
}
