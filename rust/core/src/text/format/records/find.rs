//! Searches short texts, and finds which of a set of known prefixes a text has.
//!
//! Values are about a dozen bytes long, and calling memchr costs as much as comparing thirty. So
//! the first blocks of sixteen bytes are searched inline.

use memchr::memchr2;
use wide::u8x16;

/// The length of a block.
const BLOCK: usize = 16;

/// How many blocks are searched before memchr is called.
const BLOCKS: usize = 3;

/// The first position at or after this one with either byte, or the end of the text.
#[inline]
pub(super) fn find_either(text: &[u8], mut at: usize, one: u8, two: u8) -> usize {
    // A hostile line has a match at nearly every byte, which must not cost a block each.
    match text.get(at) {
        Some(&byte) if byte != one && byte != two => at += 1,
        _ => return at.min(text.len()),
    }
    for _ in 0..BLOCKS {
        let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk) else {
            return near_end(text, at, one, two);
        };
        let hits = hits(*block, one, two);
        if hits != 0 {
            return at + hits.trailing_zeros() as usize;
        }
        at += BLOCK;
    }
    far(text, at, one, two)
}

#[inline(never)]
fn far(text: &[u8], at: usize, one: u8, two: u8) -> usize {
    memchr2(one, two, &text[at..]).map_or(text.len(), |offset| at + offset)
}

#[cold]
fn near_end(text: &[u8], at: usize, one: u8, two: u8) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.iter()
        .position(|&byte| byte == one || byte == two)
        .map_or(text.len(), |offset| at + offset)
}

/// One bit per byte: whether it is either of the two.
#[inline]
fn hits(block: [u8; BLOCK], one: u8, two: u8) -> u32 {
    let block = u8x16::new(block);
    (block.cmp_eq(u8x16::splat(one)) | block.cmp_eq(u8x16::splat(two))).move_mask().cast_unsigned()
}

/// A set of prefixes that a text may have. Each includes its delimiter, so none is a prefix of
/// another. They are grouped by their first byte, so only few are compared with each text.
#[derive(Clone, Debug)]
pub(super) struct PrefixSet {
    words: Vec<PrefixEntry>,
    /// The start of each group.
    groups: [u32; GROUPS + 1],
}

/// Enough for all lowercase letters to be in different groups.
const GROUPS: usize = 32;

#[derive(Clone, Debug)]
struct PrefixEntry {
    /// Up to eight first bytes.
    head: u64,
    mask: u64,
    text: Box<[u8]>,
    number: usize,
}

impl Default for PrefixSet {
    fn default() -> Self {
        Self { words: Vec::new(), groups: [0; GROUPS + 1] }
    }
}

impl PrefixSet {
    /// The number of a prefix, which gets the next one if it is not there; for sets that are
    /// numbered in this way only.
    pub(super) fn number_of(&mut self, text: Vec<u8>) -> usize {
        self.get(&text).unwrap_or_else(|| {
            self.push(self.words.len(), text);
            self.words.len() - 1
        })
    }

    /// How many prefixes there are.
    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    /// The number of the prefix that is the whole text.
    pub(super) fn get(&self, text: &[u8]) -> Option<usize> {
        self.group(text).iter().find(|word| *word.text == *text).map(|word| word.number)
    }

    /// The prefixes with which the text is compared.
    #[inline]
    fn group(&self, text: &[u8]) -> &[PrefixEntry] {
        let group = group_of(text.first());
        let words = self.groups[group] as usize..self.groups[group + 1] as usize;
        self.words.get(words).unwrap_or_default()
    }

    /// Adds a prefix with a number; the first of equal prefixes counts.
    pub(super) fn push(&mut self, number: usize, text: Vec<u8>) {
        let group = group_of(text.first());
        let index = self.groups[group + 1] as usize;
        let head = text.iter().take(8);
        let word = PrefixEntry {
            mask: head.clone().fold(0, |mask, _| mask << 8 | 0xff),
            head: head.rev().fold(0, |head, &byte| head << 8 | u64::from(byte)),
            text: text.into(),
            number,
        };
        self.words.insert(index, word);
        self.groups[group + 1..].iter_mut().for_each(|start| *start = start.saturating_add(1));
    }

    /// The number and the length of the prefix that the text has.
    #[inline]
    pub(super) fn match_prefix(&self, text: &[u8]) -> Option<(usize, usize)> {
        let words = self.group(text);
        let found = if let Some(head) = text.first_chunk() {
            let head = u64::from_le_bytes(*head);
            words.iter().find(|word| {
                head & word.mask == word.head
                    && (word.text.len() <= 8 || text.starts_with(&word.text))
            })
        } else {
            words.iter().find(|word| text.starts_with(&word.text))
        };
        found.map(|word| (word.number, word.text.len()))
    }
}

fn group_of(first: Option<&u8>) -> usize {
    first.map_or(0, |&byte| usize::from(byte) % GROUPS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_bytes_is_found_wherever_it_is() {
        for length in 0..80 {
            for position in 0..=length {
                for byte in [b'"', b'\\'] {
                    let mut text = vec![b'!'; length];
                    // Bytes that differ from the searched ones in one bit, and more matches later.
                    text.iter_mut().step_by(3).for_each(|byte| *byte = b'#');
                    text.iter_mut().skip(position).for_each(|found| *found = byte);
                    for from in 0..=length {
                        let naive = (from..length).find(|&at| matches!(text[at], b'"' | b'\\'));
                        assert_eq!(find_either(&text, from, b'"', b'\\'), naive.unwrap_or(length));
                    }
                }
            }
        }
    }

    #[test]
    fn the_prefix_of_a_text_is_found() {
        let names = ["", "a", "ab", "status", "duration", "duration2", "RequestHost", "a\0"];
        let mut words = PrefixSet::default();
        for (number, name) in names.iter().enumerate() {
            words.push(number, [name, "\""].concat().into());
        }
        for (number, name) in names.iter().enumerate() {
            for suffix in ["", ":1", ":12345678"] {
                let text = [name, "\"", suffix].concat();
                let found = words.match_prefix(text.as_bytes());
                assert_eq!(found, Some((number, name.len() + 1)), "{text}");
            }
            assert_eq!(words.match_prefix([name, "x\"12345678"].concat().as_bytes()), None);
            assert_eq!(words.match_prefix(name.as_bytes()), None);
        }
    }
}
