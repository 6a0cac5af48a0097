//! Searches a line for delimiters, at a cost that hardly depends on the content of the line.
//!
//! Most fields end at their first delimiter, which the callers try on its own. The code here finds
//! the later ones, 64 bytes at a time: the bytes around each delimiter rule out nearly all of
//! them by masks, before any position is tried on its own.

use memchr::{memchr, memchr_iter};

use super::steps::{ByteClass, Delimiter, NextBytes, Prefilter, Program, QuotesOfText};
use crate::ground::block::Block;
use crate::text::format::quotes_and_brackets::{Brackets, Quotes};
use crate::text::format::scan::{BitPositions, past_end};

fn quote(line: &[u8], start: usize) -> Option<usize> {
    memchr(b'"', &line[start..]).map(|offset| start + offset)
}

/// The first quote that is not escaped. Servers escape those of text.
fn unescaped_quote(line: &[u8], start: usize) -> Option<usize> {
    let mut quotes = memchr_iter(b'"', &line[start..]).map(|offset| start + offset);
    quotes.find(|at| *at == start || line[*at - 1] != b'\\')
}

impl Program {
    /// The first quote that is not a part of a value.
    pub(super) fn quote_of_format(&self, line: &[u8], start: usize) -> Option<usize> {
        if self.raw { quote(line, start) } else { unescaped_quote(line, start) }
    }
}

impl QuotesOfText {
    /// Whether the line has a quote that is not one of these.
    pub(super) fn has_other(self, line: &[u8], start: usize) -> bool {
        match self {
            Self::Any => false,
            Self::Escaped => unescaped_quote(line, start).is_some(),
            Self::None => quote(line, start).is_some(),
        }
    }
}

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

    /// The positions in a block whose next bytes are in these classes.
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
            // The steps check runs of more than two blanks.
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

/// What has to follow a delimiter.
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

    /// The quotes that this may follow.
    pub(super) fn quotes(
        self,
        line: &[u8],
        start: usize,
    ) -> Quotes<'_, impl FnMut(&Block, usize, u64, u64) -> u64> {
        let keep =
            move |block: &Block, start, quotes, _| self.filter(line, start, block, quotes, b'"');
        Quotes::new(line, start, keep)
    }

    /// The pairs of brackets that this may follow. With `bare`, none that has a bracket inside.
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

    /// Drops the delimiters of a block that this cannot follow. All are the byte `delimiter`.
    #[inline]
    fn filter(
        self,
        line: &[u8],
        start: usize,
        block: &Block,
        delimiters: u64,
        delimiter: u8,
    ) -> u64 {
        // For a single delimiter it is cheaper to check the prefilter at its position, which the
        // callers do, than to compute the prefilter's mask.
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
    /// Whether a byte is in the class, or the line ends.
    #[inline]
    fn has(self, byte: Option<&u8>) -> bool {
        let Some(&byte) = byte else { return true };
        match self {
            Self::Any => true,
            Self::LineEnd => false,
            // Also accepts control bytes, which are not blanks; the steps reject them.
            Self::Blank => byte <= b' ',
            Self::Number | Self::NumberAndBlank => (b'-'..=b'9').contains(&byte),
            Self::QuoteOrDash => matches!(byte, b'"' | b'-'),
            Self::Byte(wanted) => byte == wanted,
        }
    }

    #[inline]
    fn mask(self, block: &Block) -> u64 {
        match self {
            Self::Any => u64::MAX,
            Self::LineEnd => 0,
            Self::Blank => block.blanks(),
            Self::Number => block.numbers(),
            Self::NumberAndBlank => {
                let numbers = block.numbers();
                let goes_on = (numbers | block.blanks()) >> 1 | 1 << (Block::LEN - 1);
                numbers & (goes_on | !block.places(b'-'))
            }
            Self::QuoteOrDash => {
                block.places(b'"') | block.places(b'-') & (block.blanks() >> 1 | 1 << 63)
            }
            Self::Byte(byte) => block.places(byte),
        }
    }
}

/// The positions of a delimiter, in ascending order.
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
        this.load_block();
        this
    }

    /// The positions of all blanks and control bytes.
    pub(super) fn of_blanks(line: &'a [u8], start: usize) -> Self {
        let delimiter = Delimiter { byte: b' ', blank_before: false, next_bytes: NextBytes::ANY };
        let Lookahead { prefilter, .. } = Lookahead::ANY;
        let (class, bits) = (ByteClass::Blank, BitPositions::new(0, 0));
        let mut this = Self { line, class, delimiter, prefilter, start, bits, after_blank: false };
        this.load_block();
        this
    }

    #[inline(never)]
    fn load_block(&mut self) {
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
            self.load_block();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::format::whitespace::is_blank;
    use proptest::prelude::*;

    /// Short lines of few different bytes, so that all combinations of neighbours occur.
    fn lines() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop::sample::select(b"\"\"\\[[]] \t\n\x01x0-.9/".to_vec());
        prop::collection::vec(byte, 0..200)
    }

    fn classes() -> impl Strategy<Value = ByteClass> {
        use ByteClass::{Any, Blank, Byte, LineEnd, Number, NumberAndBlank, QuoteOrDash};
        prop::sample::select(vec![
            Any,
            LineEnd,
            Blank,
            Number,
            NumberAndBlank,
            QuoteOrDash,
            Byte(b'"'),
            Byte(b'0'),
        ])
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(5_000))]

        #[test]
        fn no_delimiter_is_missed(
            line in lines(), start in 0..70_usize, first in classes(), second in classes(),
        ) {
            let start = start.min(line.len());
            let next_bytes = NextBytes::new(first, second);
            let lookahead = Lookahead::only(next_bytes);
            // A dash that replaces a request or a number is a word of its own.
            let fits = |at: &usize| {
                let opening = |class, at: usize| {
                    let next = line.get(at + 1);
                    line.get(at) != Some(&b'-')
                        || next.is_none_or(|byte| *byte <= b' ')
                        || match class {
                            ByteClass::QuoteOrDash => false,
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
