//! Finds the quotes and brackets around a field, 64 bytes at a time.
//!
//! The caller passes a filter that drops candidates of a block by the bytes that follow them, so a
//! line that is full of quotes costs no more than one without any.

use super::scan::{BitPositions, escaped};
use super::whitespace::is_blank;
use crate::ground::block::Block;

/// Iterates over the positions of candidate quotes, in order, and whether a backslash escapes them.
pub(super) struct Quotes<'a, K> {
    line: &'a [u8],
    /// The filter: returns which quotes of a block are candidates, from the block, its start, its
    /// quotes, and its escaped bytes.
    keep: K,
    start: usize,
    bits: BitPositions,
    escaped: u64,
    carry: bool,
}

impl<'a, K: FnMut(&Block, usize, u64, u64) -> u64> Quotes<'a, K> {
    pub(super) fn new(line: &'a [u8], start: usize, keep: K) -> Self {
        let mut this =
            Self { line, keep, start, bits: BitPositions::new(0, 0), escaped: 0, carry: false };
        this.load_block();
        this
    }

    #[inline(never)]
    fn load_block(&mut self) {
        let block = Block::at(self.line, self.start);
        self.escaped = escaped(block.places(b'\\'), &mut self.carry);
        let quotes = block.places(b'"');
        let bits = (self.keep)(&block, self.start, quotes, self.escaped);
        self.bits = BitPositions::new(bits, self.start);
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<(usize, bool)> {
        loop {
            if let Some(position) = self.bits.next() {
                return Some((position, self.escaped >> (position - self.start) & 1 == 1));
            }
            self.start += Block::LEN;
            if self.start >= self.line.len() {
                return None;
            }
            self.load_block();
        }
    }

    /// Drops the remaining escaped quotes of the current block.
    #[inline]
    pub(super) fn drop_escaped(&mut self) {
        self.bits.left &= !self.escaped;
    }
}

/// Iterates over pairs of brackets: a candidate closing bracket, and the last opening bracket
/// before it that begins a word.
pub(super) struct Brackets<'a, K> {
    line: &'a [u8],
    /// The filter: returns which closing brackets of a block are candidates, from the block, its
    /// start and its closing brackets.
    keep: K,
    /// Whether only pairs without other brackets between them count.
    innermost_only: bool,
    start: usize,
    /// The opening brackets of the block that begin words, and all brackets that can invalidate a
    /// pair.
    opening: u64,
    between: u64,
    closing: BitPositions,
    after_blank: bool,
    /// The last opening bracket before the block.
    pub(super) open: Option<usize>,
}

impl<'a, K: FnMut(&Block, usize, u64) -> u64> Brackets<'a, K> {
    pub(super) fn new(line: &'a [u8], start: usize, innermost_only: bool, keep: K) -> Self {
        let mut this = Self {
            line,
            keep,
            innermost_only,
            start,
            opening: 0,
            between: 0,
            closing: BitPositions::new(0, 0),
            // A bracket at the very start belongs to another field.
            after_blank: false,
            open: None,
        };
        this.load_block();
        this
    }

    #[inline(never)]
    fn load_block(&mut self) {
        let block = Block::at(self.line, self.start);
        let opening = block.places(b'[');
        self.opening = match opening {
            0 => 0,
            _ => opening & (block.blanks() << 1 | u64::from(self.after_blank)),
        };
        let last = self.line.get(self.start + Block::LEN - 1);
        self.after_blank = last.is_some_and(|byte| *byte <= b' ');
        let is_open = self.open.is_some() || self.opening != 0;
        let closing = if self.innermost_only || is_open { block.places(b']') } else { 0 };
        self.between = if self.innermost_only { opening | closing } else { self.opening };
        let closing = if is_open { (self.keep)(&block, self.start, closing) } else { 0 };
        self.closing = BitPositions::new(closing, self.start);
    }

    /// The last opening bracket before a bit of the block.
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
            // `Block::blanks` includes control bytes, which are not blanks.
            if is_blank(self.line[self.start + last - 1]) {
                return Some(self.start + last);
            }
            self.opening ^= 1 << last;
            if !self.innermost_only {
                self.between ^= 1 << last;
            }
        }
    }
}

impl<K: FnMut(&Block, usize, u64) -> u64> Iterator for Brackets<'_, K> {
    type Item = (usize, usize);

    #[inline]
    fn next(&mut self) -> Option<(usize, usize)> {
        loop {
            while let Some(position) = self.closing.next() {
                if let Some(open) = self.open_before(position - self.start) {
                    return Some((open, position));
                }
            }
            self.open = self.open_before(Block::LEN);
            self.start += Block::LEN;
            if self.start >= self.line.len() {
                return None;
            }
            self.load_block();
        }
    }
}
