//! Parses a number since the epoch, exactly.

use super::SECOND;
use super::digits::{digit, leading_number, long_number};

/// The most significant digits down to the microsecond that a number in range can have.
const MAX_DIGITS: u32 = 19;

/// Parses a decimal number in seconds times ten to this power to microseconds. Digits below a
/// microsecond are cut off.
#[inline]
pub(crate) fn read(text: &[u8], power: i32) -> Option<i64> {
    // Most numbers are integers in one of these units.
    let Some(unit) = unit_of(power) else { return read_any(text, power) };
    let Some(number) = long_number(text) else { return read_any(text, power) };
    let micros = i64::try_from(number).ok()?.checked_mul(unit)?;
    super::in_range(micros)
}

/// Parses the digits at the start of a text, in units of `unit` microseconds, if there are as many
/// as in present-day times. Returns the microseconds and the number of digits.
#[inline]
pub(crate) fn read_leading(text: &[u8], unit: i64) -> Option<(i64, usize)> {
    let (number, digits) = leading_number(text)?;
    let micros = i64::try_from(number).ok()?.checked_mul(unit)?;
    Some((super::in_range(micros)?, digits))
}

/// The microseconds of a second times ten to this power, if they are an integer that is in use.
pub(crate) fn unit_of(power: i32) -> Option<i64> {
    match power {
        0 => Some(SECOND),
        -3 => Some(SECOND / 1_000),
        -6 => Some(1),
        _ => None,
    }
}

fn read_any(text: &[u8], power: i32) -> Option<i64> {
    let (negative, mut rest) = match text {
        [sign @ (b'-' | b'+'), rest @ ..] => (*sign == b'-', rest),
        rest => (false, rest),
    };
    let mut number = Number { digits: 0, kept: 0, scale: power + 6, any: false };
    number.add(&mut rest, 0);
    if let [b'.', fraction @ ..] = rest {
        rest = fraction;
        number.add(&mut rest, -1);
    }
    if !number.any {
        return None;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        number.scale = number.scale.saturating_add(whole(exponent)?);
    } else if !rest.is_empty() {
        return None;
    }
    let micros = number.value()?;
    super::in_range(if negative { -micros } else { micros })
}

/// Parses a bare number: its number of digits determines whether it is seconds, milliseconds,
/// microseconds or nanoseconds.
pub(super) fn by_length(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let power = match digits.len() {
        13 => -3,
        16 => -6,
        19 => -9,
        _ => 0,
    };
    let whole = power == 0 || digits.iter().all(u8::is_ascii_digit);
    read(text, if whole { power } else { 0 })
}

/// The number of the digits, times ten to the scale.
struct Number {
    digits: u64,
    kept: u32,
    scale: i32,
    any: bool,
}

impl Number {
    /// Takes the next digits; each of them adds `step` to the scale.
    fn add(&mut self, rest: &mut &[u8], step: i32) {
        while let Some((value, after)) =
            rest.split_first().and_then(|(&byte, after)| Some((digit(byte)?, after)))
        {
            *rest = after;
            self.any = true;
            if self.kept == MAX_DIGITS {
                // Dropped: it is below a microsecond, or the number is out of range.
                self.scale = self.scale.saturating_add(step + 1);
                continue;
            }
            self.digits = self.digits * 10 + value.unsigned_abs();
            self.kept += u32::from(self.digits > 0);
            self.scale = self.scale.saturating_add(step);
        }
    }

    fn value(&self) -> Option<i64> {
        if self.digits == 0 {
            return Some(0);
        }
        let ten = |power: i32| 10_u64.checked_pow(u32::try_from(power).ok()?);
        let value = if self.scale >= 0 {
            self.digits.checked_mul(ten(self.scale)?)?
        } else {
            // If the power is too large for an integer, all digits are cut off.
            ten(self.scale.saturating_neg()).map_or(0, |unit| self.digits / unit)
        };
        i64::try_from(value).ok()
    }
}

/// An exponent, saturating.
fn whole(text: &[u8]) -> Option<i32> {
    let (negative, digits) = match text {
        [sign @ (b'-' | b'+'), digits @ ..] => (*sign == b'-', digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0_i32, |sum, &byte| {
        let next = i32::try_from(digit(byte)?).ok()?;
        Some(sum.saturating_mul(10).saturating_add(next))
    })?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn the_fast_path_for_integers_agrees_with_the_general_one(
            text in "[+-]?[0-9]{0,20}[.e/:]?[0-9]{0,2}",
            power in prop::sample::select(vec![0, -3, -6, -9]),
        ) {
            prop_assert_eq!(read(text.as_bytes(), power), read_any(text.as_bytes(), power));
        }

        #[test]
        fn eight_to_sixteen_digits_are_one_number(number in any::<u64>(), width in 8..=16_usize) {
            let number = number % 10_u64.pow(u32::try_from(width).unwrap());
            let text = format!("{number:0width$}");
            prop_assert_eq!(long_number(text.as_bytes()), Some(number));
            for at in 0..width {
                for other in [b'/', b':', b' ', 0, 0xb0, b'0' | 0x80] {
                    let mut text = text.clone().into_bytes();
                    text[at] = other;
                    prop_assert_eq!(long_number(&text), None);
                }
            }
        }

        #[test]
        fn leading_digits_are_read_as_the_number_they_form(
            text in "[0-9]{0,20}[^0-9]{0,3}[0-9]{0,12}",
            power in prop::sample::select(vec![0, -3, -6]),
        ) {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            let all = read_any(&text.as_bytes()[..digits], power);
            let fits = (8..16).contains(&digits) && text.len() >= 16;
            let expected = all.filter(|_| fits).map(|micros| (micros, digits));
            prop_assert_eq!(read_leading(text.as_bytes(), unit_of(power).unwrap()), expected);
        }
    }
}
