//! Keys and their numbers.
//!
//! Dense numbers allow totals to be arrays. A chunk has its own dictionary, which only grows. The
//! state has a table that reuses the numbers of keys that left. Both hash with a seed that the
//! caller passes: clients choose the keys, and whoever knew the hashes could make all of them
//! collide.

mod arena;
mod dictionary;
mod seed;
mod table;

pub(crate) use dictionary::{Dictionary, LastEntry};
pub use seed::Seed;
pub(crate) use table::KeyTable;

/// A key in its stored form; `None` is the null key.
///
/// Text is stored unchanged, numbers so that their bytes sort like them.
pub type KeyBytes<'a> = Option<&'a [u8]>;

/// Encodes an integer as a key.
pub fn encode_int(value: i64) -> [u8; 8] {
    (value.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// Encodes a float as a key; both zeros have the same form.
pub(crate) fn encode_float(value: f64) -> [u8; 8] {
    let bits = (value + 0.0).to_bits().cast_signed();
    // Among negative floats, the larger has the smaller bits.
    encode_int(if bits < 0 { bits ^ i64::MAX } else { bits })
}

/// Decodes a float key.
pub(crate) fn decode_float(bytes: &[u8]) -> Option<f64> {
    let bits = decode_int(bytes)?;
    Some(f64::from_bits((if bits < 0 { bits ^ i64::MAX } else { bits }).cast_unsigned()))
}

/// Decodes an integer key.
pub(crate) fn decode_int(bytes: &[u8]) -> Option<i64> {
    let bytes = bytes.try_into().ok()?;
    Some((u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed())
}

/// Reserves room for `more` items and at most an eighth beyond them, because these vectors are
/// large.
pub(crate) fn grow<T>(all: &mut Vec<T>, more: usize) {
    if all.capacity() - all.len() < more {
        all.reserve_exact(all.len() / 8 + more.max(8));
    }
}

/// Converts an index of keys or entries. Four billion of them do not fit into memory, so this does
/// not overflow.
#[inline]
pub(crate) fn index32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_sort_like_their_bytes() {
        let values = [i64::MIN, -2, -1, 0, 1, 255, 256, i64::MAX];
        for pair in values.windows(2) {
            assert!(encode_int(pair[0]) < encode_int(pair[1]), "{pair:?}");
        }
        assert!(values.iter().all(|&value| decode_int(&encode_int(value)) == Some(value)));
    }

    #[test]
    fn floats_sort_like_their_bytes() {
        let values = [f64::MIN, -1.5, -0.5, -1e-300, 0.0, 1e-300, 0.5, 1.5, f64::MAX];
        for pair in values.windows(2) {
            assert!(encode_float(pair[0]) < encode_float(pair[1]), "{pair:?}");
        }
        for value in values {
            assert_eq!(decode_float(&encode_float(value)).map(f64::to_bits), Some(value.to_bits()));
        }
        assert_eq!(encode_float(-0.0), encode_float(0.0));
    }
}
