//! Parsing functions shared by all time formats; each consumes what it parses from the front of the
//! text.

use super::SECOND;

/// Up to `most` digits; if `padded`, a space may replace the first.
pub(super) fn number(rest: &mut &[u8], most: usize, padded: bool) -> Option<i64> {
    let skip = usize::from(padded && rest.first() == Some(&b' '));
    let mut value = 0;
    let mut digits = 0;
    while digits + skip < most {
        let Some(next) = rest.get(skip + digits).and_then(|&byte| digit(byte)) else { break };
        value = value * 10 + next;
        digits += 1;
    }
    *rest = &rest[skip + digits..];
    (digits > 0).then_some(value)
}

/// Exactly `N` digits.
pub(super) fn exactly<const N: usize>(rest: &mut &[u8]) -> Option<i64> {
    let (digits, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    digits.iter().try_fold(0, |sum, &byte| Some(sum * 10 + digit(byte)?))
}

/// The digits after a decimal mark, between `least` and `most` of them, as microseconds.
pub(super) fn fraction(rest: &mut &[u8], least: usize, most: usize) -> Option<i64> {
    let digits = rest.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    if digits < least {
        return None;
    }
    let (text, after) = rest.split_at(digits);
    *rest = after;
    let mut micros = 0;
    for index in 0..6 {
        micros = micros * 10 + text.get(index).and_then(|&byte| digit(byte)).unwrap_or(0);
    }
    Some(micros)
}

pub(super) fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

/// One byte, in any case.
pub(super) fn literal(rest: &mut &[u8], expected: u8) -> Option<()> {
    let (&first, after) = rest.split_first()?;
    first.eq_ignore_ascii_case(&expected).then(|| *rest = after)
}

/// Any blanks; returns their number.
pub(super) fn blanks(rest: &mut &[u8]) -> usize {
    let count = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    *rest = &rest[count..];
    count
}

/// Hour, minute and second of `hh:mm:ss`, parsing all eight bytes at once.
pub(super) fn clock(text: [u8; 8]) -> Option<[i64; 3]> {
    const TENS: u64 = 0xF0F0_FFF0_F0FF_F0F0;
    let values = u64::from_le_bytes(text) ^ u64::from_le_bytes(*b"00:00:00");
    // A byte that is not a digit has a nonzero upper half now, or after adding six; a colon is
    // zero.
    if (values | values.wrapping_add(0x0606_0006_0600_0606)) & TENS != 0 {
        return None;
    }
    let [hour, _, _, minute, _, _, second, _] = pairs(values);
    Some([hour.into(), minute.into(), second.into()])
}

/// The numbers of four pairs of digits, parsing all eight bytes at once.
pub(super) fn four_pairs(text: [u8; 8]) -> Option<[i64; 4]> {
    let values = u64::from_le_bytes(text) ^ u64::from_le_bytes(*b"00000000");
    if (values | values.wrapping_add(0x0606_0606_0606_0606)) & 0xF0F0_F0F0_F0F0_F0F0 != 0 {
        return None;
    }
    let [first, _, second, _, third, _, fourth, _] = pairs(values);
    Some([first.into(), second.into(), third.into(), fourth.into()])
}

/// A number of 8 to 16 digits, parsing the first eight and the last eight bytes at once.
#[inline]
pub(super) fn long_number(text: &[u8]) -> Option<u64> {
    let more = text.len().checked_sub(8)?;
    let first = eight(*text.first_chunk()?, 0)?;
    // Digits that are in both count once.
    let last = eight(*text.last_chunk()?, 8_usize.checked_sub(more)?)?;
    Some(first * TENS.get(more)? + last)
}

const TENS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The number of 8 to 15 digits at the start of a text of at least 16 bytes, and how many digits it
/// has.
#[inline]
pub(super) fn leading_number(text: &[u8]) -> Option<(u64, usize)> {
    let [first, second] = text.first_chunk::<16>()?.as_chunks::<8>().0 else { return None };
    let values = |word: &[u8; 8]| u64::from_le_bytes(*word) ^ u64::from_le_bytes(*b"00000000");
    let (first, second) = (values(first), values(second));
    // A byte that is not a digit is more than nine and gets its highest bit set. Carries cannot
    // affect a byte below the first of these.
    let others = |values: u64| (values.wrapping_add(ONES * (0x80 - 10)) | values) & (ONES * 0x80);
    let after = others(second);
    if others(first) != 0 || after == 0 {
        return None;
    }
    let more = after.trailing_zeros() / 8;
    // Shifts leading zeros in front of the digits.
    let second = second.checked_shl(64 - 8 * more).unwrap_or(0);
    let more = more as usize;
    Some((number_of(first) * TENS.get(more)? + number_of(second), 8 + more))
}

const ONES: u64 = u64::MAX / 0xff;

/// The number of eight digits, of which the first `zeros` count as zeros.
#[inline]
fn eight(text: [u8; 8], zeros: usize) -> Option<u64> {
    let values = u64::from_le_bytes(text) ^ u64::from_le_bytes(*b"00000000");
    if (values | values.wrapping_add(0x0606_0606_0606_0606)) & 0xF0F0_F0F0_F0F0_F0F0 != 0 {
        return None;
    }
    Some(number_of(if zeros < 8 { values >> (8 * zeros) << (8 * zeros) } else { 0 }))
}

/// Combines the values of eight digits.
#[inline]
fn number_of(values: u64) -> u64 {
    // Two, then four, then eight digits per lane; every lane is wide enough for its sum.
    let twos = (values * 10 + (values >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (twos * 100 + (twos >> 16)) & 0x0000_FFFF_0000_FFFF;
    (fours * 10_000 + (fours >> 32)) & 0xFFFF_FFFF
}

/// Adds ten times each digit to the next one: no sum exceeds 99, so none carries.
fn pairs(values: u64) -> [u8; 8] {
    (values * 10 + (values >> 8)).to_le_bytes()
}

/// A time of day in seconds; a leap second is the first of the next minute, as in POSIX.
pub(super) fn seconds_of_day([hour, minute, second]: [i64; 3]) -> Option<i64> {
    (hour <= 23 && minute <= 59 && second <= 60).then_some(hour * 3_600 + minute * 60 + second)
}

/// A time of day in microseconds.
pub(super) fn of_day(time: [i64; 3]) -> Option<i64> {
    seconds_of_day(time).map(|seconds| seconds * SECOND)
}
