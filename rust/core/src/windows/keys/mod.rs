//! Keys and the numbers that stand for them.
//!
//! Counting wants dense numbers, so that totals are an array. A chunk has a dictionary of its
//! own, which only grows; the state has a table whose numbers are used again when a key left.
//! Both hash with a seed from outside: keys are what clients ask for, and somebody who knew the
//! hashes could make every one of them collide.

mod arena;
mod dictionary;
mod seed;
mod table;

pub(crate) use dictionary::{Dictionary, LastEntry};
pub use seed::Seed;
pub(crate) use table::KeyTable;

/// A key in its stored form, or nothing for the null key.
///
/// Text is stored as it stands, numbers so that their bytes sort as they do.
pub type KeyBytes<'a> = Option<&'a [u8]>;

/// The stored form of a number.
pub fn encode_int(value: i64) -> [u8; 8] {
    (value.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The stored form of a number with a fraction; zero has one form.
pub(crate) fn encode_float(value: f64) -> [u8; 8] {
    let bits = (value + 0.0).to_bits().cast_signed();
    // Of negative numbers the larger has the smaller bits.
    encode_int(if bits < 0 { bits ^ i64::MAX } else { bits })
}

/// The number that was stored so.
pub(crate) fn decode_float(bytes: &[u8]) -> Option<f64> {
    let bits = decode_int(bytes)?;
    Some(f64::from_bits((if bits < 0 { bits ^ i64::MAX } else { bits }).cast_unsigned()))
}

/// The number that was stored so.
pub(crate) fn decode_int(bytes: &[u8]) -> Option<i64> {
    let bytes = bytes.try_into().ok()?;
    Some((u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed())
}

/// Makes room for so many more, and no more than an eighth of all for those after them: there is as
/// much for each key.
pub(crate) fn grow<T>(all: &mut Vec<T>, more: usize) {
    if all.capacity() - all.len() < more {
        all.reserve_exact(all.len() / 8 + more.max(8));
    }
}

/// A place among keys, entries or the like: four thousand million of them do not fit into memory
/// before this overflows.
#[inline]
pub(crate) fn index32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_their_bytes_do() {
        let values = [i64::MIN, -2, -1, 0, 1, 255, 256, i64::MAX];
        for pair in values.windows(2) {
            assert!(encode_int(pair[0]) < encode_int(pair[1]), "{pair:?}");
        }
        assert!(values.iter().all(|&value| decode_int(&encode_int(value)) == Some(value)));
    }

    #[test]
    fn numbers_with_a_fraction_do_too() {
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
