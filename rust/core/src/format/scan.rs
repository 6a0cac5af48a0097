//! Search for delimiters that stays cheap where a hostile line has nothing else.
//!
//! A call of memchr costs about ten nanoseconds before it looks at a byte. That is nothing where
//! the next delimiter is a field away, and ten times too much where every byte is one. So after a
//! hit a few bytes are looked at one by one before memchr is called again.

use memchr::{memchr2, memrchr};

/// How many bytes are looked at one by one.
const NEAR: usize = 8;

/// The places of two bytes from `start` on; `find` goes on from wherever it is told to.
pub(super) struct Forwards<'a> {
    line: &'a [u8],
    bytes: [u8; 2],
    dense: bool,
}

impl<'a> Forwards<'a> {
    pub(super) fn new(line: &'a [u8], bytes: [u8; 2]) -> Self {
        Self { line, bytes, dense: false }
    }

    /// The first place at or after this one.
    pub(super) fn find(&mut self, mut from: usize) -> Option<usize> {
        let [one, two] = self.bytes;
        if self.dense {
            let near = self.line.get(from..)?;
            let near = &near[..near.len().min(NEAR)];
            if let Some(offset) = near.iter().position(|&byte| byte == one || byte == two) {
                return Some(from + offset);
            }
            from += near.len();
        }
        self.dense = true;
        memchr2(one, two, self.line.get(from..)?).map(|offset| from + offset)
    }
}

/// The places of a byte in `start..end`, last first.
pub(super) fn backwards(
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

    #[test]
    fn every_place_is_found_whatever_lies_between() {
        for gap in 0..40 {
            let mut line = vec![b'x'; 200];
            let places: Vec<_> = (3..200).step_by(gap + 1).collect();
            for &place in &places {
                line[place] = if place % 2 == 0 { b'"' } else { b'\\' };
            }
            let mut search = Forwards::new(&line, *b"\"\\");
            let mut from = 0;
            let mut found = Vec::new();
            while let Some(place) = search.find(from) {
                found.push(place);
                from = place + 1;
            }
            assert_eq!(found, places);

            let quotes: Vec<_> = places
                .iter()
                .rev()
                .copied()
                .filter(|at| at % 2 == 0 && (10..190).contains(at))
                .collect();
            assert_eq!(backwards(&line, b'"', 10, 190).collect::<Vec<_>>(), quotes);
        }
        assert_eq!(backwards(b"\"", b'"', 1, 1).next(), None);
    }
}
