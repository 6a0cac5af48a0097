//! Blanks, and the words between them.
//!
//! Where a hostile line may have many words, 64 bytes are compared at a time.

use super::scan::{BitPositions, near_word_end, past_end};
use crate::ground::block::Block;

/// A range of bytes: its start and its end.
pub(super) type ByteRange = (usize, usize);

/// Line ends are blanks: the body of a Flume event may contain them.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The first position at or after `from` without a blank, or the end.
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

/// The position after one or more blanks.
#[inline]
pub(super) fn after_blanks(line: &[u8], at: usize) -> Option<usize> {
    match line.get(at..)? {
        [b' ', next, ..] if *next > b' ' => Some(at + 1),
        [blank, ..] if is_blank(*blank) => Some(skip_blanks(line, at + 1)),
        _ => None,
    }
}

#[inline(never)]
fn skip_many_blanks(line: &[u8], from: usize) -> usize {
    for start in (from..line.len()).step_by(Block::LEN) {
        let others = !blanks_of(&Block::at(line, start));
        if others != 0 {
            return line.len().min(start + others.trailing_zeros() as usize);
        }
    }
    line.len()
}

pub(super) fn blanks_of(block: &Block) -> u64 {
    b" \t\r\n".iter().fold(0, |bits, byte| bits | block.places(*byte))
}

/// The position after the last byte before `end` that is not a blank.
pub(super) fn trim_blanks_end(line: &[u8], mut end: usize) -> usize {
    let near = end.saturating_sub(4);
    while end > 0 && is_blank(line[end - 1]) {
        end -= 1;
        if end == near {
            return trim_many_blanks_end(line, end);
        }
    }
    end
}

#[inline(never)]
fn trim_many_blanks_end(line: &[u8], mut end: usize) -> usize {
    while let Some(start) = end.checked_sub(Block::LEN) {
        let others = !blanks_of(&Block::at(line, start));
        if others != 0 {
            return end - others.leading_zeros() as usize;
        }
        end = start;
    }
    line[..end].iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1)
}

/// The first position at or after `from` with a blank, or the end.
#[inline]
pub(super) fn word_end(line: &[u8], from: usize) -> usize {
    match near_word_end(line, from) {
        Some(end) if is_blank(line[end]) => end,
        _ => far_word_end(line, from),
    }
}

/// The end of a word that is long, has control bytes, or ends near the end of the line.
#[inline(never)]
fn far_word_end(line: &[u8], from: usize) -> usize {
    for start in (from..line.len()).step_by(Block::LEN) {
        let blanks = blanks_of(&Block::at(line, start));
        if blanks != 0 {
            return start + blanks.trailing_zeros() as usize;
        }
    }
    line.len()
}

/// The end of the word that begins here, including the words after it while a comma separates them.
pub(super) fn list_end(line: &[u8], start: usize) -> usize {
    let end = word_end(line, start);
    if !line[start..end].ends_with(b",") {
        return end;
    }
    let next = ListStarts::new(line, start).flatten().find(|&begin| begin > start);
    trim_blanks_end(line, next.unwrap_or(line.len()))
}

/// The starts of words that do not follow a comma, block by block.
pub(super) struct ListStarts<'a> {
    line: &'a [u8],
    start: usize,
    after_blank: bool,
    /// Whether only blanks are between a comma and the block.
    after_comma: bool,
}

impl<'a> ListStarts<'a> {
    pub(super) fn new(line: &'a [u8], start: usize) -> Self {
        Self { line, start, after_blank: true, after_comma: false }
    }
}

impl Iterator for ListStarts<'_> {
    type Item = BitPositions;

    fn next(&mut self) -> Option<BitPositions> {
        let Self { line, start, after_blank, after_comma } = *self;
        if start >= line.len() {
            return None;
        }
        let block = Block::at(line, start);
        let (commas, blanks) = (block.places(b','), blanks_of(&block));
        let first = u64::from(after_comma);
        // The addition carries the bit after a comma to the end of the blanks that follow it.
        let (sum, leaves_block) = ((commas << 1 | first) & blanks).overflowing_add(blanks);
        let tied = (sum | first) & !blanks;
        let begins = (blanks << 1 | u64::from(after_blank)) & !blanks & !tied;
        self.start += Block::LEN;
        self.after_blank = blanks >> (Block::LEN - 1) == 1;
        self.after_comma = leaves_block || commas >> (Block::LEN - 1) == 1;
        Some(BitPositions::new(begins & !past_end(line, start), start))
    }
}

#[cfg(test)]
mod tests {
    use super::super::naive;
    use super::*;
    use proptest::prelude::*;

    /// Lines of few different bytes, so that all combinations occur.
    fn lines() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop::sample::select(b"  \t\n\x01x,,,--".to_vec());
        let runs = prop::collection::vec((byte, prop_oneof![1..4_usize, 1..150_usize]), 0..40);
        runs.prop_map(|runs| runs.iter().flat_map(|&(byte, count)| vec![byte; count]).collect())
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(5_000))]

        #[test]
        fn words_end_where_the_naive_code_ends_them(line in lines(), from in 0..400_usize) {
            let from = from.min(line.len());
            let end = |blank| {
                let offset = line[from..].iter().position(|byte| is_blank(*byte) == blank);
                offset.map_or(line.len(), |offset| from + offset)
            };
            prop_assert_eq!(skip_blanks(&line, from), end(false));
            prop_assert_eq!(word_end(&line, from), end(true));
            let last = line[..from].iter().rposition(|byte| !is_blank(*byte));
            prop_assert_eq!(trim_blanks_end(&line, from), last.map_or(0, |last| last + 1));
            let words = naive::words(&line, from);
            let tied = |word: &ByteRange| line[word.1 - 1] == b',';
            if let Some(first) = words.first().filter(|word| word.0 == from) {
                let list = words.iter().find(|word| !tied(word)).or(words.last());
                prop_assert_eq!(list_end(&line, from), list.unwrap_or(first).1);
            }
        }
    }
}
