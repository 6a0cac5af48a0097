//! Numbers in text.

/// A number of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    Float(f64),
}

/// A longer text is no number that anyone has written.
const MAX_BYTES: usize = 1_024;

/// Every decimal number with this many digits survives the way to a normal float and back.
const SAFE_DIGITS: usize = 15;

/// Parses a number: an integer if it is written as one and fits, else the nearest float. Infinite
/// numbers are none.
pub(crate) fn nearest(text: &[u8]) -> Option<Number> {
    let first = text.first()?;
    let is_part =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.'))
        || text.len() > MAX_BYTES
        || !text.iter().all(is_part)
    {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(number) = text.parse() {
        return Some(Number::Int(number));
    }
    text.parse().ok().filter(|number: &f64| number.is_finite()).map(Number::Float)
}

/// Parses a number that 64 bits keep without a change: an integer that fits, or a float whose
/// shortest decimal form has the same digits.
pub(crate) fn exact(text: &[u8]) -> Option<Number> {
    match nearest(text)? {
        Number::Float(number) if !keeps(text, number) => None,
        number => Some(number),
    }
}

/// Whether a float keeps all digits of the number that it was parsed from.
fn keeps(text: &[u8], number: f64) -> bool {
    let Some((digits, power)) = decimal(text) else { return false };
    if digits.is_empty() || (digits.len() <= SAFE_DIGITS && number.is_normal()) {
        return true;
    }
    decimal(format!("{number:e}").as_bytes()) == Some((digits, power))
}

/// The significant digits of a number, and the power of ten of the first.
fn decimal(text: &[u8]) -> Option<(Vec<u8>, i64)> {
    let text = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let end = text.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(text.len());
    let (mantissa, exponent) = text.split_at(end);
    let mut power: i64 = match exponent {
        [] => 0,
        [_, exponent @ ..] => std::str::from_utf8(exponent).ok()?.parse().ok()?,
    };
    let whole = mantissa.iter().position(|&byte| byte == b'.').unwrap_or(mantissa.len());
    let mut digits: Vec<u8> = mantissa.iter().copied().filter(u8::is_ascii_digit).collect();
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    digits.drain(..zeros);
    while digits.last() == Some(&b'0') {
        digits.pop();
    }
    power = power.checked_add(i64::try_from(whole).ok()?)?;
    power = power.checked_sub(i64::try_from(zeros).ok()?)?;
    Some((digits, power))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_kept_or_it_is_none() {
        for (text, number) in [
            ("5", Some(Number::Int(5))),
            ("-0", Some(Number::Int(0))),
            ("9223372036854775807", Some(Number::Int(i64::MAX))),
            ("-9223372036854775808", Some(Number::Int(i64::MIN))),
            ("9223372036854775808", None),
            ("18446744073709551615", None),
            ("12345678901234567890", None),
            ("0.1", Some(Number::Float(0.1))),
            ("1E3", Some(Number::Float(1000.0))),
            ("1.0", Some(Number::Float(1.0))),
            ("0e999", Some(Number::Float(0.0))),
            ("1.7976931348623157e308", Some(Number::Float(f64::MAX))),
            ("1e400", None),
            ("1e-400", None),
            ("5e-324", Some(Number::Float(5e-324))),
            ("4e-324", None),
            ("0.30000000000000004", Some(Number::Float(0.1 + 0.2))),
            ("0.10000000000000000555", None),
            ("1e99999999999999999999", None),
        ] {
            assert_eq!(exact(text.as_bytes()), number, "{text}");
        }
    }

    #[test]
    fn other_text_is_no_number() {
        for text in ["", "-", "+", ".", "e5", "5 ", " 5", "0x10", "inf", "NaN", "1_000", "1,5"] {
            assert_eq!(nearest(text.as_bytes()), None, "{text}");
        }
        assert_eq!(
            nearest(b"12345678901234567890"),
            Some(Number::Float(12_345_678_901_234_567_890.0))
        );
        assert_eq!(nearest(b"+.5"), Some(Number::Float(0.5)));
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn every_float_keeps_its_shortest_form(number in any::<f64>()) {
            if number.is_finite() && number != 0.0 {
                let found = exact(format!("{number:e}").as_bytes());
                let whole = number.fract().abs() < f64::MIN_POSITIVE && number.abs() < 1e15;
                prop_assert!(whole || found == Some(Number::Float(number)), "{:?}", found);
            }
        }
    }
}
