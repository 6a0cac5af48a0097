//! Search in short pieces of text, and for one of a few words that are known beforehand.
//!
//! Values are a dozen bytes long, and a call of memchr costs as much as looking at thirty. So the
//! first blocks of sixteen bytes are looked at here.

use memchr::memchr2;

/// How many bytes a block has.
const BLOCK: usize = 16;

/// How many blocks are looked at before memchr is called.
const BLOCKS: usize = 4;

/// The first place at or after this one where either byte stands, or the end of the text.
#[inline]
pub(super) fn either(text: &[u8], mut at: usize, one: u8, two: u8) -> usize {
    for _ in 0..BLOCKS {
        let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk) else {
            return near_end(text, at, one, two);
        };
        let hits = hits(block, one, two);
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
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

/// A byte for each of the block, not zero where it is either of the two; the compiler makes a few
/// vector instructions of it.
#[inline]
fn hits(block: &[u8; BLOCK], one: u8, two: u8) -> u128 {
    u128::from_le_bytes(block.map(|byte| if byte == one || byte == two { 0xff } else { 0 }))
}

/// Words that a text may begin with, each with the byte behind it; none of them is the beginning
/// of another.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    heads: Vec<Head>,
    texts: Vec<Box<[u8]>>,
}

/// The first eight bytes of a word, or as many as it has.
#[derive(Clone, Copy, Debug)]
struct Head {
    mask: u64,
    text: u64,
}

impl Words {
    /// Adds a word; nothing stands for one that no text begins with.
    pub(super) fn push(&mut self, word: Option<Vec<u8>>) {
        let head = word.as_ref().map_or(Head { mask: 0, text: 1 }, |word| Head {
            mask: word.iter().take(8).fold(0, |mask, _| mask << 8 | 0xff),
            text: word.iter().take(8).rev().fold(0, |text, &byte| text << 8 | u64::from(byte)),
        });
        self.heads.push(head);
        self.texts.push(word.unwrap_or_default().into());
    }

    /// The number of the word that the text begins with, and how long that is.
    #[inline]
    pub(super) fn beginning(&self, text: &[u8]) -> Option<(usize, usize)> {
        let Some(head) = text.first_chunk() else { return self.beginning_short(text) };
        let head = u64::from_le_bytes(*head);
        let found = self.heads.iter().zip(&self.texts).position(|(word, whole)| {
            head & word.mask == word.text && (whole.len() <= 8 || text.starts_with(whole))
        });
        found.map(|number| (number, self.texts[number].len()))
    }

    #[cold]
    fn beginning_short(&self, text: &[u8]) -> Option<(usize, usize)> {
        let is = |word: &Box<[u8]>| !word.is_empty() && text.starts_with(word);
        let found = self.texts.iter().position(is);
        found.map(|number| (number, self.texts[number].len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_bytes_is_found_wherever_it_is() {
        for length in 0..80 {
            for place in 0..=length {
                for byte in [b'"', b'\\'] {
                    let mut text = vec![b'!'; length];
                    // Bytes that differ from the ones sought in one bit, and ones behind the hit.
                    text.iter_mut().step_by(3).for_each(|byte| *byte = b'#');
                    text.iter_mut().skip(place).for_each(|found| *found = byte);
                    for from in 0..=length {
                        let naive = (from..length).find(|&at| matches!(text[at], b'"' | b'\\'));
                        assert_eq!(either(&text, from, b'"', b'\\'), naive.unwrap_or(length));
                    }
                }
            }
        }
    }

    #[test]
    fn a_text_begins_with_the_word_that_it_begins_with() {
        let names = ["", "a", "ab", "status", "duration", "duration2", "RequestHost", "a\0"];
        let mut words = Words::default();
        words.push(None);
        for name in names {
            words.push(Some([name, "\""].concat().into()));
        }
        for (number, name) in names.iter().enumerate() {
            for behind in ["", ":1", ":12345678"] {
                let text = [name, "\"", behind].concat();
                let found = words.beginning(text.as_bytes());
                assert_eq!(found, Some((number + 1, name.len() + 1)), "{text}");
            }
            assert_eq!(words.beginning([name, "x\"12345678"].concat().as_bytes()), None);
            assert_eq!(words.beginning(name.as_bytes()), None);
        }
    }
}
