//! Search within a line that costs the same wherever the hits are.
//!
//! A call of memchr costs as much as to look at some twenty bytes. A hostile line is full of hits,
//! and many fields are short. So eight bytes are looked at at once, all the hits among them are
//! kept, and memchr is called where there were none.

use memchr::memchr2;

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Line ends are blanks: they may stand inside the body of a Flume event.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The first place at or after `from` that has no blank, or the end.
pub(super) fn skip_blanks(line: &[u8], mut from: usize) -> usize {
    while from < line.len() && is_blank(line[from]) {
        from += 1;
    }
    from
}

/// The first place at or after `from` that has a blank, or the end.
pub(super) fn word_end(line: &[u8], mut from: usize) -> usize {
    while from < line.len() && !is_blank(line[from]) {
        from += 1;
    }
    from
}

/// The places of two bytes, in order.
pub(super) struct Hits<'a> {
    line: &'a [u8],
    bytes: [u8; 2],
    /// Where the eight bytes begin that are looked at.
    base: usize,
    /// The high bits of those of them that were hit and not yet told.
    left: u64,
}

impl<'a> Hits<'a> {
    #[inline]
    pub(super) fn new(line: &'a [u8], start: usize, bytes: [u8; 2]) -> Self {
        let mut this = Self { line, bytes, base: start, left: 0 };
        this.look();
        this
    }

    /// The next place.
    #[inline]
    pub(super) fn next(&mut self) -> Option<usize> {
        if self.left == 0 {
            self.go_on()?;
        }
        let place = self.base + self.left.trailing_zeros() as usize / 8;
        self.left &= self.left - 1;
        Some(place)
    }

    /// Leaves out the places before this one.
    #[inline]
    pub(super) fn skip_to(&mut self, place: usize) {
        let skipped = place.saturating_sub(self.base);
        if skipped < 8 {
            self.left &= u64::MAX << (8 * skipped);
        } else {
            self.base = place;
            self.look();
        }
    }

    /// Goes on to eight bytes that have a hit.
    fn go_on(&mut self) -> Option<()> {
        self.base += 8;
        self.look();
        if self.left == 0 {
            let from = self.base + 8;
            let rest = self.line.get(from..)?;
            self.base = from + memchr2(self.bytes[0], self.bytes[1], rest)?;
            self.look();
        }
        Some(())
    }

    #[inline]
    fn look(&mut self) {
        let rest = self.line.get(self.base..).unwrap_or_default();
        let eight = rest.first_chunk::<8>().copied().unwrap_or_else(|| {
            // Ones are neither blanks nor printed.
            let mut eight = [1; 8];
            eight[..rest.len()].copy_from_slice(rest);
            eight
        });
        let eight = u64::from_le_bytes(eight);
        let [one, two] = self.bytes.map(|byte| LOW * u64::from(byte));
        self.left = zeros(eight ^ one) | zeros(eight ^ two);
    }
}

/// The high bit of each byte that is zero.
fn zeros(bytes: u64) -> u64 {
    !(((bytes & !HIGH) + !HIGH) | bytes | !HIGH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_places_are_found_wherever_they_are() {
        let mut seed = 1_u64;
        let mut random = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 40) as usize
        };
        for length in 0..60 {
            for sparse in [10, 40, 400] {
                for _ in 0..60 {
                    let line: Vec<u8> = (0..length)
                        .map(|_| {
                            *b"\"\\!]\xa2\x00#\xdc\x01".get(random() % sparse).unwrap_or(&b'x')
                        })
                        .collect();
                    let is_hit = |at: &usize| line[*at] == b'"' || line[*at] == b'\\';
                    let start = random() % (length + 1);
                    let mut hits = Hits::new(&line, start, [b'"', b'\\']);
                    for place in (start..length).filter(is_hit) {
                        assert_eq!(hits.next(), Some(place), "{line:?} {start}");
                    }
                    assert_eq!(hits.next(), None, "{line:?} {start}");

                    let skip = start + random() % (length + 1 - start);
                    let mut hits = Hits::new(&line, start, [b'"', b'\\']);
                    hits.skip_to(skip);
                    assert_eq!(hits.next(), (skip..length).find(is_hit), "{line:?} {start} {skip}");
                }
            }
        }
    }
}
