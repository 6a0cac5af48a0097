//! Searches for delimiters, at a cost that hostile lines cannot raise.
//!
//! Many bytes are compared at once, and the positions of matching bytes become the bits of a
//! number. So a block without matches costs as much as one that is full of them, and conditions on
//! the matches (is a blank after it, is it escaped) are evaluated for all of them at once.

use memchr::memrchr;
use wide::u8x16;

use crate::ground::block::{Block, LANES, bits, blanks};

/// How many bytes are compared one by one before memrchr is called.
const NEAR: usize = 8;

/// The bits of a block after the end of the line.
pub(super) fn past_end(line: &[u8], start: usize) -> u64 {
    match line.len().saturating_sub(start) {
        left if left < Block::LEN => u64::MAX << left,
        _ => 0,
    }
}

/// Iterates over the positions of the bits of a block, lowest first.
#[derive(Debug)]
pub(super) struct BitPositions {
    pub(super) left: u64,
    start: usize,
}

impl BitPositions {
    /// Creates an iterator over the bits of the block that begins at `start`.
    pub(super) fn new(bits: u64, start: usize) -> Self {
        Self { left: bits, start }
    }

    /// The last position.
    pub(super) fn highest(self) -> Option<usize> {
        let last = (Block::LEN - 1).checked_sub(self.left.leading_zeros() as usize)?;
        Some(self.start + last)
    }
}

impl Iterator for BitPositions {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let position = self.start + self.left.trailing_zeros() as usize;
        let found = self.left != 0;
        self.left &= self.left.wrapping_sub(1);
        found.then_some(position)
    }
}

/// Tests what follows the marks of a block, for all marks at once.
///
/// Each mark starts a match that advances over the bytes after it. No other mark may lie within a
/// match, so the last mark before a position is the one that reached it. A match that leaves the
/// block counts as successful.
#[derive(Clone, Copy, Debug)]
pub(super) struct FollowMask {
    marks: u64,
    /// The positions that the matches have reached.
    at: u64,
    leaves_block: bool,
}

impl FollowMask {
    /// Starts a match after each of these marks.
    pub(super) fn after(marks: u64) -> Self {
        Self { marks, at: marks << 1, leaves_block: marks >> (Block::LEN - 1) == 1 }
    }

    /// Advances over one of these bytes.
    pub(super) fn one(self, bytes: u64) -> Self {
        let at = self.at & bytes;
        let leaves_block = self.leaves_block || at >> (Block::LEN - 1) == 1;
        Self { at: at << 1, leaves_block, ..self }
    }

    /// Advances over a run of these bytes, which must not be empty.
    pub(super) fn one_or_more(self, bytes: u64) -> Self {
        // The addition carries the bit of each match to the end of its run, and clears the run.
        let (sum, leaves_block) = (self.at & bytes).overflowing_add(bytes);
        Self { at: sum & !bytes, leaves_block: self.leaves_block || leaves_block, ..self }
    }

    /// Advances over a run of these bytes, which may be empty.
    pub(super) fn zero_or_more(self, bytes: u64) -> Self {
        let stayed = self.at & !bytes;
        let advanced = self.one_or_more(bytes);
        Self { at: advanced.at | stayed, ..advanced }
    }

    /// Advances over a status: three bytes of a number, or a dash.
    pub(super) fn status(self, block: &Block, past_end: u64) -> Self {
        let numbers = block.numbers() | past_end;
        let dash = self.one(block.places(b'-') | past_end);
        self.one(numbers).one(numbers).one(numbers).or(dash)
    }

    /// The matches of either of two masks.
    pub(super) fn or(self, other: Self) -> Self {
        let leaves_block = self.leaves_block || other.leaves_block;
        Self { at: self.at | other.at, leaves_block, ..self }
    }

    /// Keeps the matches that are followed by one of these bytes.
    pub(super) fn followed_by(self, bytes: u64) -> Self {
        Self { at: self.at & bytes, ..self }
    }

    /// Whether no match is left within the block.
    pub(super) fn is_empty(self) -> bool {
        self.at == 0
    }

    /// The marks whose matches succeeded or left the block.
    pub(super) fn matching(self) -> u64 {
        let mut ends = self.at;
        let mut found = 0;
        let last = |marks: u64| (1 << (Block::LEN - 1)) >> marks.leading_zeros();
        while ends != 0 {
            let before = self.marks & ((ends & ends.wrapping_neg()) - 1);
            if before != 0 {
                found |= last(before);
            }
            ends &= ends - 1;
        }
        if self.leaves_block { found | last(self.marks) } else { found }
    }
}

/// The bytes that a backslash escapes, from the bits of all backslashes.
///
/// Each backslash escapes the next byte unless it is escaped itself. Subtracting the first bit of a
/// run from a pattern of odd positions carries through the run, so no run has to be walked
/// (Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019). `carry` says whether the
/// previous block escapes the first byte, and is set to whether this block escapes the first byte
/// of the next.
pub(super) fn escaped(backslashes: u64, carry: &mut bool) -> u64 {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    let first = u64::from(*carry);
    let starts = backslashes & !first;
    let ends = (starts << 1 | ODD).wrapping_sub(starts) ^ ODD;
    *carry = (ends & backslashes) >> (Block::LEN - 1) == 1;
    ends ^ (backslashes | first)
}

/// The first quote or backslash at or after a position, if there is one.
pub(super) fn find_quote_or_backslash(line: &[u8], from: usize) -> Option<usize> {
    let found = |bytes: &[u8; LANES]| {
        let bytes = u8x16::new(*bytes);
        bytes.cmp_eq(u8x16::splat(b'"')) | bytes.cmp_eq(u8x16::splat(b'\\'))
    };
    let rest = line.get(from..)?;
    let (pairs, _) = rest.as_chunks::<{ 2 * LANES }>();
    for (number, pair) in pairs.iter().enumerate() {
        let (one, two) = (found(pair.first_chunk()?), found(pair.last_chunk()?));
        if bits(one | two) != 0 {
            let both = u32::from(bits(one)) | u32::from(bits(two)) << LANES;
            return Some(from + number * 2 * LANES + both.trailing_zeros() as usize);
        }
    }
    // Compares the last 32 bytes again, which is cheaper than the new ones among them one by one.
    let last = line.last_chunk::<{ 2 * LANES }>()?;
    let (one, two) = (found(last.first_chunk()?), found(last.last_chunk()?));
    let both = u64::from(bits(one)) | u64::from(bits(two)) << LANES;
    let left = rest.len() % (2 * LANES);
    let found = both >> (2 * LANES - left);
    (found != 0).then(|| line.len() - left + found.trailing_zeros() as usize)
}

/// The first blank or control byte at or after a position, if it is within 48 bytes.
pub(super) fn near_word_end(line: &[u8], from: usize) -> Option<usize> {
    find_within_48_bytes(line, from, blanks)
}

/// The first byte up to `)`, or bracket, at or after a position, if it is within 48 bytes. Blanks,
/// quotes and parentheses are such bytes.
#[inline]
pub(super) fn near_plain_word_end(line: &[u8], from: usize) -> Option<usize> {
    let last = u8x16::splat(b')');
    let difference = u8x16::splat(b'[' ^ b']');
    find_within_48_bytes(line, from, |part| {
        part.max(last).cmp_eq(last) | (part | difference).cmp_eq(u8x16::splat(b'[' | (b'[' ^ b']')))
    })
}

#[inline]
fn find_within_48_bytes(
    line: &[u8],
    from: usize,
    is_sought: impl Fn(u8x16) -> u8x16,
) -> Option<usize> {
    let bytes = line.get(from..)?;
    let (parts, _) = bytes.as_chunks::<LANES>();
    for (number, part) in parts.iter().take(3).enumerate() {
        let found = bits(is_sought(u8x16::new(*part)));
        if found != 0 {
            return Some(from + number * LANES + lowest(found));
        }
    }
    None
}

/// The first position of a byte, or of any blank or control byte.
#[inline]
pub(super) fn find_byte_or_blank(text: &[u8], byte: u8) -> Option<usize> {
    let sought = u8x16::splat(byte);
    find_first(text, |part| part.cmp_eq(sought) | blanks(part))
}

/// The first position of a byte that is usually near.
#[inline]
pub(super) fn find_near(text: &[u8], byte: u8) -> Option<usize> {
    let sought = u8x16::splat(byte);
    find_first(text, |part| part.cmp_eq(sought))
}

#[inline]
fn find_first(text: &[u8], found: impl Fn(u8x16) -> u8x16) -> Option<usize> {
    let (parts, rest) = text.as_chunks::<LANES>();
    for (number, part) in parts.iter().enumerate() {
        let found = bits(found(u8x16::new(*part)));
        if found != 0 {
            return Some(number * LANES + lowest(found));
        }
    }
    if rest.is_empty() {
        return None;
    }
    // Compares the last 16 bytes at once, including some that were already compared.
    if let Some(last) = text.last_chunk::<LANES>() {
        let found = bits(found(u8x16::new(*last))) >> (LANES - rest.len());
        return (found != 0).then(|| text.len() - rest.len() + lowest(found));
    }
    let mut last = [0; LANES];
    last[..rest.len()].copy_from_slice(rest);
    let found = lowest(bits(found(u8x16::new(last))));
    (found < rest.len()).then_some(found)
}

/// Whether there is any blank or control byte.
#[inline]
pub(super) fn has_blank(text: &[u8]) -> bool {
    if text.len() < LANES { text.iter().any(|byte| *byte <= b' ') } else { has_blank_from(text, 0) }
}

/// Whether there is one at or after a position; also true of a line shorter than a vector.
#[inline]
pub(super) fn has_blank_from(line: &[u8], start: usize) -> bool {
    let (Some(last), Some(text)) = (line.last_chunk::<LANES>(), line.get(start..)) else {
        return true;
    };
    let mut lowest = u8x16::new(*last);
    if text.len() < LANES {
        return u32::from(bits(blanks(lowest))) >> (LANES - text.len()) != 0;
    }
    let mut rest = text;
    while let Some((part, after)) = rest.split_first_chunk::<LANES>() {
        lowest = lowest.min(u8x16::new(*part));
        rest = after;
    }
    bits(blanks(lowest)) != 0
}

/// The number of digits at the start of a text.
#[inline]
pub(super) fn leading_digits(text: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        // Digits become 0 to 9, other bytes more. Adding sets the highest bit of the others;
        // carries cannot affect a byte below the first of them.
        let values = u64::from_le_bytes(*word) ^ (ONES * u64::from(b'0'));
        let others = (values.wrapping_add(ONES * (0x80 - 10)) | values) & (ONES * 0x80);
        if others != 0 {
            return number * 8 + others.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Whether there may be a bracket among these bytes; `Y` and `_` count as brackets.
pub(super) fn may_have_bracket(bytes: &[u8; LANES]) -> bool {
    const DIFFERENT: u8 = b'[' ^ b']';
    let bytes = u8x16::new(*bytes) | u8x16::splat(DIFFERENT);
    bits(bytes.cmp_eq(u8x16::splat(b'[' | DIFFERENT))) != 0
}

fn lowest(bits: u16) -> usize {
    bits.trailing_zeros() as usize
}

/// The positions of a byte in `start..end`, last first.
pub(super) fn rfind_all(
    line: &[u8],
    byte: u8,
    start: usize,
    end: usize,
) -> impl Iterator<Item = usize> + use<'_> {
    let mut end = end;
    let mut dense = false;
    std::iter::from_fn(move || {
        if dense {
            let near = &line[start.max(end.saturating_sub(NEAR)).min(end)..end];
            if let Some(offset) = near.iter().rposition(|&found| found == byte) {
                end = end - near.len() + offset;
                return Some(end);
            }
            end -= near.len();
        }
        dense = true;
        end = start + memrchr(byte, line.get(start..end)?)?;
        Some(end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Short lines of few different bytes, so that all combinations occur.
    fn lines() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop::sample::select(br#""\\[]Y_ x0189:/@azAZ`{"#.to_vec());
        prop::collection::vec(byte, 0..300)
    }

    fn bits_of(line: &[u8], start: usize, is_it: impl Fn(usize) -> bool) -> u64 {
        (0..Block::LEN)
            .filter(|&bit| start + bit < line.len() && is_it(start + bit))
            .fold(0, |bits, bit| bits | 1 << bit)
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn bits_are_the_positions_of_bytes(line in lines(), start in 0..100_usize) {
            let block = Block::at(&line, start);
            for byte in *br#""\[] "# {
                prop_assert_eq!(block.places(byte), bits_of(&line, start, |at| line[at] == byte));
            }
            let numbers = bits_of(&line, start, |at| (b'-'..=b'9').contains(&line[at]));
            prop_assert_eq!(block.numbers(), numbers);
            let digits = bits_of(&line, start, |at| line[at].is_ascii_digit());
            prop_assert_eq!(block.digits(), digits);
            let letters = bits_of(&line, start, |at| line[at].is_ascii_alphabetic());
            prop_assert_eq!(block.letters(), letters);
            let inside = bits_of(&line, start, |_| true);
            prop_assert_eq!(block.blanks(), bits_of(&line, start, |at| line[at] <= b' ') | !inside);
        }

        #[test]
        fn escaped_bytes_are_those_of_a_sequential_scan(line in lines(), start in 0..100_usize) {
            let mut walked = vec![false; line.len() + 1];
            let mut at = start;
            while at < line.len() {
                let skip = line[at] == b'\\';
                walked[at + usize::from(skip)] = skip;
                at += 1 + usize::from(skip);
            }
            let mut carry = false;
            for start in (start..line.len()).step_by(Block::LEN) {
                let inside = bits_of(&line, start, |_| true);
                let found = escaped(Block::at(&line, start).places(b'\\'), &mut carry);
                prop_assert_eq!(found & inside, bits_of(&line, start, |at| walked[at]));
            }
        }

        #[test]
        fn the_first_delimiter_is_found_from_every_position(line in lines(), from in 0..301_usize) {
            let first = |is_it: fn(u8) -> bool| {
                line.iter().skip(from).position(|&byte| is_it(byte)).map(|offset| from + offset)
            };
            // Lines shorter than two vectors are left to the callers.
            if line.len() >= 2 * LANES && from < line.len() {
                let expected = first(|byte| matches!(byte, b'"' | b'\\'));
                prop_assert_eq!(find_quote_or_backslash(&line, from), expected);
            }
            let digits_at = |line: &[u8]| line.iter().take_while(|b| b.is_ascii_digit()).count();
            let rest = line.get(from..).unwrap_or_default();
            prop_assert_eq!(leading_digits(rest), digits_at(rest));
            if let Some(end) = near_word_end(&line, from) {
                prop_assert_eq!(Some(end), first(|byte| byte <= b' '));
            }
            if let Some(end) = near_plain_word_end(&line, from) {
                let ends = |byte| byte <= b')' || matches!(byte, b'[' | b']' | b'Y' | b'_');
                prop_assert_eq!(Some(end), first(ends));
            }
            let absolute = |offset: usize| from + offset;
            prop_assert_eq!(find_near(rest, b'"').map(absolute), first(|byte| byte == b'"'));
            let expected = first(|byte| byte == b'"' || byte <= b' ');
            prop_assert_eq!(find_byte_or_blank(rest, b'"').map(absolute), expected);
            prop_assert_eq!(has_blank(rest), first(|byte| byte <= b' ').is_some());
            if line.len() >= LANES && from <= line.len() {
                prop_assert_eq!(has_blank_from(&line, from), has_blank(rest));
            }
        }

        #[test]
        fn no_bracket_is_missed(line in prop::array::uniform16(any::<u8>())) {
            let has = line.iter().any(|byte| matches!(byte, b'[' | b']' | b'Y' | b'_'));
            prop_assert_eq!(may_have_bracket(&line), has);
        }
    }

    #[test]
    fn every_position_is_found_backwards_whatever_the_gaps() {
        for gap in 0..40 {
            let mut line = vec![b'x'; 200];
            let positions: Vec<_> = (3..200).step_by(gap + 1).collect();
            for &position in &positions {
                line[position] = b'"';
            }
            let quotes: Vec<_> =
                positions.iter().rev().copied().filter(|at| (10..190).contains(at)).collect();
            assert_eq!(rfind_all(&line, b'"', 10, 190).collect::<Vec<_>>(), quotes);
        }
        assert_eq!(rfind_all(b"\"", b'"', 1, 1).next(), None);
    }
}
