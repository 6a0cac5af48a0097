//! Memory for the bytes of keys.

use super::{grow, index32};

/// The bytes of keys, in blocks of whole words. A free block is reused for the next key of the same
/// number of words.
#[derive(Debug, Default)]
pub(super) struct Arena {
    pub(super) words: Vec<[u8; WORD]>,
    /// Free blocks by their number of words.
    free: Vec<Vec<u32>>,
    /// The number of words in free blocks.
    pub(super) unused: usize,
}

/// With fewer unused words, compaction does not pay.
const MIN_UNUSED_WORDS: usize = 4_096;

pub(super) const WORD: usize = 8;

impl Arena {
    pub(super) fn put(&mut self, key: &[u8]) -> u32 {
        let (words, rest) = key.as_chunks::<WORD>();
        let mut last = [0; WORD];
        last.iter_mut().zip(rest).for_each(|(to, &from)| *to = from);
        let all = words.iter().copied().chain((!rest.is_empty()).then_some(last));
        let len = key.len().div_ceil(WORD);
        let Some(at) = self.free.get_mut(len).and_then(Vec::pop) else {
            let at = index32(self.words.len());
            grow(&mut self.words, len);
            self.words.extend(all);
            return at;
        };
        self.unused -= len;
        for (to, from) in self.words[at as usize..].iter_mut().zip(all) {
            *to = from;
        }
        at
    }

    /// Returns whether a fifth of the words is unused, for example because keys became longer.
    pub(super) fn is_fragmented(&self) -> bool {
        self.unused > self.words.len() / 5 + MIN_UNUSED_WORDS
    }

    pub(super) fn free(&mut self, at: u32, len: u32) {
        let words = (len as usize).div_ceil(WORD);
        if words >= self.free.len() {
            self.free.resize_with(words + 1, Vec::new);
        }
        self.free[words].push(at);
        self.unused += words;
    }

    pub(super) fn get(&self, at: u32, len: u32) -> Option<&[u8]> {
        let start = at as usize;
        let words = self.words.get(start..start + (len as usize).div_ceil(WORD))?;
        words.as_flattened().get(..len as usize)
    }
}
