//! Search within a line that costs the same wherever the hits are.
//!
//! A call of memchr costs as much as to look at some twenty bytes. A hostile line is full of hits,
//! and many fields are short. So sixteen bytes are looked at, eight at a time, before it is called.

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

/// The first place of either byte at or after `from`.
#[inline]
pub(super) fn either(line: &[u8], from: usize, one: u8, two: u8) -> Option<usize> {
    let rest = line.get(from..)?;
    let Some((near, far)) = rest.split_first_chunk::<16>() else {
        let is_hit = |byte: &u8| *byte == one || *byte == two;
        return rest.iter().position(is_hit).map(|offset| from + offset);
    };
    let (ones, twos) = (LOW * u64::from(one), LOW * u64::from(two));
    let (halves, _) = near.as_chunks::<8>();
    for (index, half) in halves.iter().enumerate() {
        let eight = u64::from_le_bytes(*half);
        let hits = zeros(eight ^ ones) | zeros(eight ^ twos);
        if hits != 0 {
            return Some(from + 8 * index + hits.trailing_zeros() as usize / 8);
        }
    }
    memchr2(one, two, far).map(|offset| from + 16 + offset)
}

/// The first place of a byte at or after `from`.
pub(super) fn byte(line: &[u8], from: usize, wanted: u8) -> Option<usize> {
    either(line, from, wanted, wanted)
}

/// The high bit of each byte that is zero; above the first of them others may be set too.
fn zeros(bytes: u64) -> u64 {
    bytes.wrapping_sub(LOW) & !bytes & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_bytes_is_found_wherever_it_is() {
        let mut seed = 1_u64;
        for length in 0..40 {
            for _ in 0..200 {
                let line: Vec<u8> = (0..length)
                    .map(|_| {
                        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        b"\"\\!]\xa2\x00#\xdcxyzxyzxyz"[(seed >> 40) as usize % 17]
                    })
                    .collect();
                for from in 0..=length + 1 {
                    let expected = (from..length).find(|&at| line[at] == b'"' || line[at] == b'\\');
                    assert_eq!(either(&line, from, b'"', b'\\'), expected, "{line:?} {from}");
                    let expected = (from..length).find(|&at| line[at] == b'#');
                    assert_eq!(byte(&line, from, b'#'), expected);
                }
            }
        }
    }
}
