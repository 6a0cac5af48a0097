//! Search within a line that costs the same whatever the line is full of.
//!
//! Fields mostly end at the first delimiter, which is looked for by itself. Where it is not the
//! first, 64 bytes are looked at together, and what stands around a delimiter turns nearly all of
//! them away at once, before any is looked at by itself.

use crate::format::scan::{Block, end_of_word, escaped};

/// Line ends are blanks: they may stand inside the body of a Flume event.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The first place at or after `from` that has no blank, or the end.
#[inline]
pub(super) fn skip_blanks(line: &[u8], mut from: usize) -> usize {
    let near = from + 4;
    while from < line.len() && is_blank(line[from]) {
        from += 1;
        if from == near {
            return skip_many_blanks(line, from);
        }
    }
    from
}

#[inline(never)]
fn skip_many_blanks(line: &[u8], from: usize) -> usize {
    for start in (from..line.len()).step_by(Block::LEN) {
        let block = Block::at(line, start);
        let others = !b" \t\r\n".iter().fold(0, |bits, byte| bits | block.places(*byte));
        if others != 0 {
            return line.len().min(start + others.trailing_zeros() as usize);
        }
    }
    line.len()
}

/// The first place at or after `from` that has a blank, or the end.
#[inline]
pub(super) fn word_end(line: &[u8], from: usize) -> usize {
    match end_of_word(line, from) {
        Some(end) if is_blank(line[end]) => end,
        _ => end_of_odd_word(line, from),
    }
}

/// Of a word that is long, has control bytes, or ends near the end of the line.
#[inline(never)]
fn end_of_odd_word(line: &[u8], from: usize) -> usize {
    for start in (from..line.len()).step_by(Block::LEN) {
        let blanks = Block::at(line, start).blanks();
        if let Some(end) =
            Bits(blanks).find(|&bit| line.get(start + bit).copied().is_none_or(is_blank))
        {
            return start + end;
        }
    }
    line.len()
}

/// The first lone `-` at or after `from` with blanks around it.
pub(super) fn lone_dash(line: &[u8], from: usize) -> Option<usize> {
    let dash = Mark { byte: b'-', blank_before: true, behind: Behind::BLANK };
    Marks::new(line, from, dash).find(|&place| {
        is_blank(line[place - 1]) && line.get(place + 1).is_some_and(|byte| is_blank(*byte))
    })
}

/// What the bytes behind a delimiter have to be, as far as that is known before a line is seen.
/// The end of the line is asked about later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind {
    pub(super) first: Class,
    /// Of the byte behind that. Behind one blank there may always be another.
    pub(super) second: Class,
}

/// Some of the bytes that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Any,
    /// None: the line has to end.
    Nothing,
    Blank,
    /// A byte with which a number may begin.
    Number,
    /// A quote, or the dash that stands for a request.
    Opening,
    Byte(u8),
}

impl Behind {
    pub(super) const ANY: Self = Self::new(Class::Any, Class::Any);
    pub(super) const BLANK: Self = Self::new(Class::Blank, Class::Any);

    pub(super) const fn new(first: Class, second: Class) -> Self {
        Self { first, second }
    }

    #[inline]
    pub(super) fn may_be(self, line: &[u8], at: usize) -> bool {
        let rest = line.get(at..).unwrap_or_default();
        self.first.has(rest.first()) && self.second().has(rest.get(1), self.first)
    }

    fn second(self) -> Second {
        Second(self.second)
    }

    /// Which bytes of a block have this behind them.
    #[inline]
    fn before(self, line: &[u8], start: usize, block: &Block, past: u64) -> u64 {
        let end = start + Block::LEN;
        let ahead = |bits: u64, next: bool| bits >> 1 | u64::from(next) << (Block::LEN - 1);
        let first = ahead(self.first.bits(block) | past, self.first.has(line.get(end)));
        if self.second == Class::Any {
            return first;
        }
        let mut second = self.second.bits(block) | past;
        if self.first == Class::Blank {
            second |= block.blanks();
        }
        let has = |at| self.second().has(line.get(at), self.first);
        first & ahead(ahead(second, has(end)), has(end + 1))
    }
}

struct Second(Class);

impl Second {
    #[inline]
    fn has(self, byte: Option<&u8>, first: Class) -> bool {
        self.0.has(byte) || first == Class::Blank && Class::Blank.has(byte)
    }
}

impl Class {
    /// Whether a byte is one of these, or the line ends.
    #[inline]
    fn has(self, byte: Option<&u8>) -> bool {
        let Some(&byte) = byte else { return true };
        match self {
            Self::Any => true,
            Self::Nothing => false,
            // As control bytes are no blanks, these have to be looked at again.
            Self::Blank => byte <= b' ',
            Self::Number => (b'-'..=b'9').contains(&byte),
            Self::Opening => matches!(byte, b'"' | b'-'),
            Self::Byte(wanted) => byte == wanted,
        }
    }

    #[inline]
    fn bits(self, block: &Block) -> u64 {
        match self {
            Self::Any => u64::MAX,
            Self::Nothing => 0,
            Self::Blank => block.blanks(),
            Self::Number => block.numbers(),
            Self::Opening => {
                block.places(b'"') | block.places(b'-') & (block.blanks() >> 1 | 1 << 63)
            }
            Self::Byte(byte) => block.places(byte),
        }
    }
}

/// A delimiter, and what has to stand around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) byte: u8,
    pub(super) blank_before: bool,
    pub(super) behind: Behind,
}

/// The places of a mark, in order.
pub(super) struct Marks<'a> {
    line: &'a [u8],
    is: Class,
    mark: Mark,
    start: usize,
    bits: Bits,
    behind_blank: bool,
}

impl<'a> Marks<'a> {
    pub(super) fn new(line: &'a [u8], start: usize, mark: Mark) -> Self {
        let before = start.checked_sub(1).and_then(|before| line.get(before));
        let behind_blank = before.is_some_and(|byte| *byte <= b' ');
        let is = Class::Byte(mark.byte);
        let mut this = Self { line, is, mark, start, bits: Bits(0), behind_blank };
        this.look();
        this
    }

    /// The places of all blanks, and of control bytes.
    pub(super) fn of_blanks(line: &'a [u8], start: usize) -> Self {
        let mark = Mark { byte: b' ', blank_before: false, behind: Behind::ANY };
        let bits = Bits(0);
        let mut this = Self { line, is: Class::Blank, mark, start, bits, behind_blank: false };
        this.look();
        this
    }

    #[inline(never)]
    fn look(&mut self) {
        let Self { line, is, mark, start, .. } = *self;
        let block = Block::at(line, start);
        let mut bits = is.bits(&block) & !past(line, start);
        if mark.blank_before {
            let blanks = block.blanks();
            bits &= blanks << 1 | u64::from(self.behind_blank);
            self.behind_blank = blanks >> (Block::LEN - 1) == 1;
        }
        if bits != 0 {
            bits &= mark.behind.before(line, start, &block, past(line, start));
        }
        self.bits = Bits(bits);
    }
}

impl Iterator for Marks<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        loop {
            if let Some(bit) = self.bits.next() {
                return Some(self.start + bit);
            }
            self.start += Block::LEN;
            if self.start >= self.line.len() {
                return None;
            }
            self.look();
        }
    }
}

/// The places of quotes that have something behind them, in order, and whether a backslash
/// escapes them.
pub(super) struct Quotes<'a> {
    line: &'a [u8],
    behind: Behind,
    start: usize,
    bits: Bits,
    escaped: u64,
    carry: bool,
}

impl<'a> Quotes<'a> {
    pub(super) fn new(line: &'a [u8], start: usize, behind: Behind) -> Self {
        let mut this = Self { line, behind, start, bits: Bits(0), escaped: 0, carry: false };
        this.look();
        this
    }

    #[inline(never)]
    fn look(&mut self) {
        let block = Block::at(self.line, self.start);
        self.escaped = escaped(block.places(b'\\'), &mut self.carry);
        let mut bits = block.places(b'"');
        if bits != 0 {
            bits &= self.behind.before(self.line, self.start, &block, past(self.line, self.start));
        }
        self.bits = Bits(bits);
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<(usize, bool)> {
        loop {
            if let Some(bit) = self.bits.next() {
                return Some((self.start + bit, self.escaped >> bit & 1 == 1));
            }
            self.start += Block::LEN;
            if self.start >= self.line.len() {
                return None;
            }
            self.look();
        }
    }

    /// Leaves out all escaped ones of the block that is looked at.
    #[inline]
    pub(super) fn without_escaped(&mut self) {
        self.bits.0 &= !self.escaped;
    }
}

/// Brackets that enclose something: a closing one that has something behind it, and the opening
/// one before it that begins a word.
pub(super) struct Brackets<'a> {
    line: &'a [u8],
    behind: Behind,
    /// Whether no other bracket may stand between them.
    bare: bool,
    start: usize,
    /// Those of the block that begin words, and all brackets that may stand between.
    opening: u64,
    between: u64,
    closing: Bits,
    behind_blank: bool,
    /// The last opening one before the block.
    pub(super) open: Option<usize>,
}

impl<'a> Brackets<'a> {
    pub(super) fn new(line: &'a [u8], start: usize, behind: Behind, bare: bool) -> Self {
        let mut this = Self {
            line,
            behind,
            bare,
            start,
            opening: 0,
            between: 0,
            closing: Bits(0),
            // What begins here is another field.
            behind_blank: false,
            open: None,
        };
        this.look();
        this
    }

    #[inline(never)]
    fn look(&mut self) {
        let Self { line, start, .. } = *self;
        let block = Block::at(line, start);
        let (opening, closing) = (block.places(b'['), block.places(b']'));
        let blanks = block.blanks();
        self.opening = opening & (blanks << 1 | u64::from(self.behind_blank));
        self.behind_blank = blanks >> (Block::LEN - 1) == 1;
        self.between = if self.bare { opening | closing } else { self.opening };
        self.closing = Bits(0);
        if closing != 0 && (self.open.is_some() || self.opening != 0) {
            let behind = self.behind.before(line, start, &block, past(line, start));
            self.closing = Bits(closing & behind);
        }
    }

    /// The last opening one before a bit of the block.
    #[inline]
    fn open_before(&mut self, bit: usize) -> Option<usize> {
        let before = if bit < Block::LEN { (1 << bit) - 1 } else { u64::MAX };
        loop {
            let between = self.between & before;
            if between == 0 {
                return self.open;
            }
            let last = Block::LEN - 1 - between.leading_zeros() as usize;
            if self.opening >> last & 1 == 0 {
                return None;
            }
            // A control byte is no blank.
            if is_blank(self.line[self.start + last - 1]) {
                return Some(self.start + last);
            }
            self.opening ^= 1 << last;
            if !self.bare {
                self.between ^= 1 << last;
            }
        }
    }
}

impl Iterator for Brackets<'_> {
    type Item = (usize, usize);

    #[inline]
    fn next(&mut self) -> Option<(usize, usize)> {
        loop {
            while let Some(bit) = self.closing.next() {
                if let Some(open) = self.open_before(bit) {
                    return Some((open, self.start + bit));
                }
            }
            self.open = self.open_before(Block::LEN);
            self.start += Block::LEN;
            if self.start >= self.line.len() {
                return None;
            }
            self.look();
        }
    }
}

/// The bits of a block that are behind the line's end.
fn past(line: &[u8], start: usize) -> u64 {
    match line.len().saturating_sub(start) {
        left if left < Block::LEN => u64::MAX << left,
        _ => 0,
    }
}

/// The places of bits, lowest first.
#[derive(Clone, Copy)]
struct Bits(u64);

impl Iterator for Bits {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let place = self.0.trailing_zeros() as usize;
        let found = self.0 != 0;
        self.0 &= self.0.wrapping_sub(1);
        found.then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Short lines of few bytes, so that all kinds of neighbours occur.
    fn lines() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop::sample::select(b"\"\"\\[[]] \t\n\x01x0-.9/".to_vec());
        prop::collection::vec(byte, 0..200)
    }

    fn classes() -> impl Strategy<Value = Class> {
        use Class::{Any, Blank, Byte, Nothing, Number, Opening};
        prop::sample::select(vec![Any, Nothing, Blank, Number, Opening, Byte(b'"'), Byte(b'0')])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn words_and_blanks_end_where_a_walk_ends(line in lines(), from in 0..200_usize) {
            let from = from.min(line.len());
            let end = |blank| {
                let offset = line[from..].iter().position(|byte| is_blank(*byte) == blank);
                offset.map_or(line.len(), |offset| from + offset)
            };
            prop_assert_eq!(skip_blanks(&line, from), end(false));
            prop_assert_eq!(word_end(&line, from), end(true));
            let dash = |at: &usize| {
                let around = [at.checked_sub(1), Some(at + 1)];
                line[*at] == b'-'
                    && around.iter().all(|at| {
                        at.and_then(|at| line.get(at)).is_some_and(|byte| is_blank(*byte))
                    })
            };
            prop_assert_eq!(lone_dash(&line, from), (from..line.len()).find(dash));
        }

        #[test]
        fn no_mark_is_missed(
            line in lines(), start in 0..70_usize, first in classes(), second in classes(),
        ) {
            let start = start.min(line.len());
            let behind = Behind::new(first, second);
            // Where a dash stands for a request it is a word by itself.
            let fits = |at: &usize| {
                let opening = |class, at: usize| {
                    class != Class::Opening
                        || line.get(at) != Some(&b'-')
                        || line.get(at + 1).is_none_or(|byte| *byte <= b' ')
                };
                behind.may_be(&line, at + 1)
                    && opening(first, at + 1)
                    && (opening(second, at + 2) || first == Class::Blank && line[*at + 2] <= b' ')
            };
            let quotes = (start..line.len()).filter(|at| line[*at] == b'"');
            let quotes: Vec<_> = quotes.filter(fits).collect();
            let mark = Mark { byte: b'"', blank_before: false, behind };
            let near = |found: &Vec<usize>| found.iter().copied().filter(fits).collect::<Vec<_>>();
            let marks: Vec<_> = Marks::new(&line, start, mark).collect();
            prop_assert_eq!(near(&marks), quotes);
            prop_assert!(marks.iter().all(|at| behind.may_be(&line, at + 1)));

            let mut found = Quotes::new(&line, start, behind);
            let found: Vec<_> = std::iter::from_fn(|| found.next()).collect();
            prop_assert_eq!(found.iter().map(|found| found.0).collect::<Vec<_>>(), marks);
            for (place, escaped) in found {
                let run = line[start..place].iter().rev().take_while(|byte| **byte == b'\\').count();
                prop_assert_eq!(escaped, run % 2 == 1);
            }

            let blank_before = |at: &usize| *at > start && is_blank(line[at - 1]);
            for bare in [false, true] {
                let mut open = None;
                let mut pairs = Vec::new();
                for at in start..line.len() {
                    match line[at] {
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
                let found: Vec<_> = Brackets::new(&line, start, behind, bare)
                    .filter(|(_, close)| fits(close))
                    .collect();
                prop_assert_eq!(found, pairs);
            }
        }
    }
}
