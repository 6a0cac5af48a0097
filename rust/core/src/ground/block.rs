//! Blocks of bytes for SIMD comparisons.

use wide::u8x16;

pub(crate) const LANES: usize = 16;

/// A block of a line; bytes after the end of the line are zero.
pub(crate) struct Block([u8x16; 4]);

impl Block {
    /// The length of a block.
    pub(crate) const LEN: usize = 4 * LANES;

    /// Returns the block that starts at this place.
    #[inline]
    pub(crate) fn at(line: &[u8], start: usize) -> Self {
        let rest = line.get(start..).unwrap_or_default();
        match rest.first_chunk() {
            Some(bytes) => Self::of(bytes),
            None => Self::of_few(rest),
        }
    }

    #[inline]
    fn of(bytes: &[u8; Self::LEN]) -> Self {
        let (parts, _) = bytes.as_chunks::<LANES>();
        Self([0, 1, 2, 3].map(|part| u8x16::new(parts[part])))
    }

    #[inline(never)]
    fn of_few(rest: &[u8]) -> Self {
        let mut bytes = [0; Self::LEN];
        bytes[..rest.len()].copy_from_slice(rest);
        Self::of(&bytes)
    }

    /// Returns the places of a byte as a bit mask, the first place in the lowest bit.
    pub(crate) fn places(&self, byte: u8) -> u64 {
        self.bits(|part| part.cmp_eq(u8x16::splat(byte)))
    }

    /// Returns the places of spaces, control bytes, and all bytes after the end of the line.
    pub(crate) fn blanks(&self) -> u64 {
        self.bits(blanks)
    }

    /// Returns the places of bytes that can begin a number, and of slashes.
    pub(crate) fn numbers(&self) -> u64 {
        self.range(b'-', b'9')
    }

    /// Returns the places of digits.
    pub(crate) fn digits(&self) -> u64 {
        self.range(b'0', b'9')
    }

    /// Returns the places of letters.
    pub(crate) fn letters(&self) -> u64 {
        let (least, most) = (u8x16::splat(b'a'), u8x16::splat(b'z'));
        let small = u8x16::splat(b'a' ^ b'A');
        self.bits(|part| {
            let part = part | small;
            part.max(least).cmp_eq(part) & part.min(most).cmp_eq(part)
        })
    }

    fn range(&self, least: u8, most: u8) -> u64 {
        let (least, most) = (u8x16::splat(least), u8x16::splat(most));
        self.bits(|part| part.max(least).cmp_eq(part) & part.min(most).cmp_eq(part))
    }

    fn bits(&self, found: impl Fn(u8x16) -> u8x16) -> u64 {
        let [a, b, c, d] = self.0.map(|part| u64::from(bits(found(part))));
        a | b << LANES | c << (2 * LANES) | d << (3 * LANES)
    }
}

pub(crate) fn blanks(bytes: u8x16) -> u8x16 {
    bytes.max(u8x16::splat(b' ')).cmp_eq(u8x16::splat(b' '))
}

#[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "16 bits of 32")]
pub(crate) fn bits(mask: u8x16) -> u16 {
    mask.move_mask() as u16
}
