//! What all forms of a time are read with: each takes what it reads off the front of the text.

use super::SECOND;

/// Up to `most` digits; a blank may stand for the first where the field is padded.
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

/// As many digits as there have to be.
pub(super) fn exactly<const N: usize>(rest: &mut &[u8]) -> Option<i64> {
    let (digits, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    digits.iter().try_fold(0, |sum, &byte| Some(sum * 10 + digit(byte)?))
}

/// The digits behind a decimal mark, at least and at most so many, as microseconds.
pub(super) fn fraction(rest: &mut &[u8], least: usize, most: usize) -> Option<i64> {
    let digits = rest.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    if digits < least {
        return None;
    }
    let (text, after) = rest.split_at(digits);
    *rest = after;
    let mut micros = 0;
    for place in 0..6 {
        micros = micros * 10 + text.get(place).and_then(|&byte| digit(byte)).unwrap_or(0);
    }
    Some(micros)
}

pub(super) fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

/// One byte, whatever its case.
pub(super) fn literal(rest: &mut &[u8], expected: u8) -> Option<()> {
    let (&first, after) = rest.split_first()?;
    first.eq_ignore_ascii_case(&expected).then(|| *rest = after)
}

/// Any blanks, and how many they were.
pub(super) fn blanks(rest: &mut &[u8]) -> usize {
    let count = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    *rest = &rest[count..];
    count
}

/// Hour, minute and second of `hh:mm:ss`, by one look at its eight bytes.
pub(super) fn clock(text: [u8; 8]) -> Option<[i64; 3]> {
    const TENS: u64 = 0xF0F0_FFF0_F0FF_F0F0;
    let values = u64::from_le_bytes(text) ^ u64::from_le_bytes(*b"00:00:00");
    // What is no digit has an upper half now, or gets one by adding six; a colon is zero.
    if (values | values.wrapping_add(0x0606_0006_0600_0606)) & TENS != 0 {
        return None;
    }
    let [hour, _, _, minute, _, _, second, _] = pairs(values);
    Some([hour.into(), minute.into(), second.into()])
}

/// The numbers of four pairs of digits, by one look at their eight bytes.
pub(super) fn four_pairs(text: [u8; 8]) -> Option<[i64; 4]> {
    let values = u64::from_le_bytes(text) ^ u64::from_le_bytes(*b"00000000");
    if (values | values.wrapping_add(0x0606_0606_0606_0606)) & 0xF0F0_F0F0_F0F0_F0F0 != 0 {
        return None;
    }
    let [first, _, second, _, third, _, fourth, _] = pairs(values);
    Some([first.into(), second.into(), third.into(), fourth.into()])
}

/// The number of 8 to 16 digits, by a look at the first eight and one at the last.
#[inline]
pub(super) fn long_number(text: &[u8]) -> Option<u64> {
    let more = text.len().checked_sub(8)?;
    let first = eight(*text.first_chunk()?, 0)?;
    // What both have counts once.
    let last = eight(*text.last_chunk()?, 8_usize.checked_sub(more)?)?;
    Some(first * TENS.get(more)? + last)
}

const TENS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The number of 8 to 15 digits with which a text begins that has at least 16 bytes, and how many
/// they are.
#[inline]
pub(super) fn leading_number(text: &[u8]) -> Option<(u64, usize)> {
    let [first, second] = text.first_chunk::<16>()?.as_chunks::<8>().0 else { return None };
    let values = |word: &[u8; 8]| u64::from_le_bytes(*word) ^ u64::from_le_bytes(*b"00000000");
    let (first, second) = (values(first), values(second));
    // What is no digit is more than nine, and gets its highest bit. From the lowest byte up no byte
    // is touched by a carry before the first of these.
    let others = |values: u64| (values.wrapping_add(ONES * (0x80 - 10)) | values) & (ONES * 0x80);
    let behind = others(second);
    if others(first) != 0 || behind == 0 {
        return None;
    }
    let more = behind.trailing_zeros() / 8;
    // Behind zeros, which come first.
    let second = second.checked_shl(64 - 8 * more).unwrap_or(0);
    let more = more as usize;
    Some((number_of(first) * TENS.get(more)? + number_of(second), 8 + more))
}

const ONES: u64 = u64::MAX / 0xff;

/// The number of eight digits, of which so many at the front are zeros whatever they are.
#[inline]
fn eight(text: [u8; 8], zeros: usize) -> Option<u64> {
    let values = u64::from_le_bytes(text) ^ u64::from_le_bytes(*b"00000000");
    if (values | values.wrapping_add(0x0606_0606_0606_0606)) & 0xF0F0_F0F0_F0F0_F0F0 != 0 {
        return None;
    }
    Some(number_of(if zeros < 8 { values >> (8 * zeros) << (8 * zeros) } else { 0 }))
}

/// The number that the values of eight digits are.
#[inline]
fn number_of(values: u64) -> u64 {
    // Two, then four, then eight digits in a lane: no lane is too narrow for what it gets.
    let twos = (values * 10 + (values >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (twos * 100 + (twos >> 16)) & 0x0000_FFFF_0000_FFFF;
    (fours * 10_000 + (fours >> 32)) & 0xFFFF_FFFF
}

/// Each digit as the tens of the one behind it: no sum is above 99, so none carries.
fn pairs(values: u64) -> [u8; 8] {
    (values * 10 + (values >> 8)).to_le_bytes()
}

/// A time of day; a leap second is the first of the next minute, as POSIX counts.
pub(super) fn seconds_of_day([hour, minute, second]: [i64; 3]) -> Option<i64> {
    (hour <= 23 && minute <= 59 && second <= 60).then_some(hour * 3_600 + minute * 60 + second)
}

/// The same in microseconds.
pub(super) fn of_day(time: [i64; 3]) -> Option<i64> {
    seconds_of_day(time).map(|seconds| seconds * SECOND)
}

/// `+HHMM` and `+HH:MM` as microseconds, `+HH` too, or `Z`.
pub(super) fn zone(rest: &mut &[u8]) -> Option<i64> {
    let (&first, mut after) = rest.split_first()?;
    let sign = match first {
        b'+' => 1,
        b'-' => -1,
        b'Z' | b'z' => {
            *rest = after;
            return Some(0);
        }
        _ => return None,
    };
    let hours = exactly::<2>(&mut after)?;
    let mut minutes = 0;
    let mut further = after;
    let colon = literal(&mut further, b':').is_some();
    if let Some(value) = exactly::<2>(&mut further) {
        minutes = value;
        after = further;
    } else if colon {
        return None;
    }
    *rest = after;
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60 * SECOND)
}
