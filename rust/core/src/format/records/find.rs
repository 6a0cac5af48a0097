//! Search in short pieces of text, and for one of a few words that are known beforehand.
//!
//! Values are a dozen bytes long, and a call of memchr costs as much as looking at thirty. So the
//! first words of eight bytes are looked at here.

use memchr::memchr2;

const ONES: u64 = 0x0101_0101_0101_0101;

/// How many words are looked at before memchr is called.
const WORDS: usize = 4;

/// The first place at or after this one where either byte stands, or the end of the text.
#[inline]
pub(super) fn either(text: &[u8], mut at: usize, one: u8, two: u8) -> usize {
    for _ in 0..WORDS {
        let Some(word) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) else {
            return near_end(text, at, one, two);
        };
        let word = u64::from_le_bytes(*word);
        let hits = zeros(word ^ (ONES * u64::from(one))) | zeros(word ^ (ONES * u64::from(two)));
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    memchr2(one, two, &text[at..]).map_or(text.len(), |offset| at + offset)
}

fn near_end(text: &[u8], at: usize, one: u8, two: u8) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.iter()
        .position(|&byte| byte == one || byte == two)
        .map_or(text.len(), |offset| at + offset)
}

/// The high bit of every byte that is zero; above the lowest one there may be wrong ones.
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

/// A word to be looked for, with its first eight bytes at hand.
#[derive(Clone, Debug)]
pub(super) struct Word {
    head: u64,
    text: Box<[u8]>,
}

impl Word {
    pub(super) fn new(text: &[u8]) -> Self {
        Self { head: Sought::new(text, 0, text.len()).head, text: text.into() }
    }

    /// The word itself.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Its first eight bytes.
    pub(super) fn head(&self) -> u64 {
        self.head
    }
}

/// A piece of a line, to be compared with words.
#[derive(Clone, Copy)]
pub(super) struct Sought<'a> {
    head: u64,
    text: &'a [u8],
}

impl<'a> Sought<'a> {
    #[inline]
    pub(super) fn new(line: &'a [u8], start: usize, end: usize) -> Self {
        let text = &line[start..end];
        let head = match line[start..].first_chunk::<8>() {
            Some(head) if text.len() >= 8 => u64::from_le_bytes(*head),
            Some(head) => u64::from_le_bytes(*head) & ((1 << (8 * text.len())) - 1),
            // The line ends within eight bytes, and the text with it.
            None => text.iter().rev().fold(0, |head, &byte| head << 8 | u64::from(byte)),
        };
        Self { head, text }
    }

    /// Its first eight bytes.
    pub(super) fn head(self) -> u64 {
        self.head
    }

    #[inline]
    pub(super) fn is(self, word: &Word) -> bool {
        self.head == word.head
            && self.text.len() == word.text.len()
            && (self.text.len() <= 8 || self.text[8..] == word.text[8..])
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
    fn a_word_is_itself_and_no_other() {
        let words = ["", "a", "ab", "status", "duration", "duration2", "RequestHost", "a\0"];
        for word in words {
            for (line, start) in [(word.to_owned(), 0), (format!("\"{word}\":12345678"), 1)] {
                let sought = Sought::new(line.as_bytes(), start, start + word.len());
                for other in words {
                    assert_eq!(sought.is(&Word::new(other.as_bytes())), word == other);
                }
            }
        }
    }
}
