//! Decimal numbers and durations in text.

/// Whether there is a value.
pub(super) fn is_present(text: &[u8]) -> bool {
    !text.is_empty() && text != b"-"
}

/// A finite number in the notation of Rust and JSON.
pub(super) fn float(text: &[u8]) -> Option<f64> {
    let is_number =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    if text.is_empty() || text.len() > 64 || !text.iter().all(is_number) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The elements of a list that nginx writes for several upstreams, without those that are missing.
pub(super) fn elements(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| matches!(byte, b',' | b':' | b' ')).filter(|part| is_present(part))
}

/// The sum of a list of durations, without negative ones and `-`.
pub(super) fn seconds(text: &[u8], power: i8) -> Option<f64> {
    let mut parts = elements(text);
    let (Some(first), second) = (parts.next(), parts.next()) else { return None };
    if second.is_none() {
        return float(first).filter(|number| *number >= 0.0).map(|number| scaled(number, power));
    }
    let mut sum = None;
    for part in elements(text) {
        if part.first() == Some(&b'-') {
            float(part)?;
            continue;
        }
        let Some(number) = Decimal::of(part) else { return sum_of_floats(text, power) };
        let Some(next) = sum.unwrap_or(Decimal::ZERO).plus(number) else {
            return sum_of_floats(text, power);
        };
        sum = Some(next);
    }
    sum.and_then(|sum| sum.value(power))
}

/// The sum of a list with exponents or very long numbers.
fn sum_of_floats(text: &[u8], power: i8) -> Option<f64> {
    let mut sum = None;
    for part in elements(text) {
        let number = float(part)?;
        if number >= 0.0 {
            sum = Some(sum.unwrap_or(0.0) + scaled(number, power));
        }
    }
    sum
}

/// A number as written: digits and how many of them are after the point.
#[derive(Clone, Copy)]
struct Decimal {
    digits: u64,
    places: u32,
}

impl Decimal {
    const ZERO: Self = Self { digits: 0, places: 0 };

    fn of(text: &[u8]) -> Option<Self> {
        let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
            Some(point) => (&text[..point], &text[point + 1..]),
            None => (text, &b""[..]),
        };
        let mut digits = 0_u64;
        for byte in whole.iter().chain(fraction) {
            let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
            digits = digits.checked_mul(10)?.checked_add(digit)?;
        }
        (!text.is_empty() && text != b".")
            .then_some(Self { digits, places: u32::try_from(fraction.len()).ok()? })
    }

    fn plus(self, other: Self) -> Option<Self> {
        let places = self.places.max(other.places);
        let aligned =
            |number: Self| number.digits.checked_mul(10_u64.checked_pow(places - number.places)?);
        Some(Self { digits: aligned(self)?.checked_add(aligned(other)?)?, places })
    }

    /// The float nearest to this number times ten to a power.
    fn value(self, power: i8) -> Option<f64> {
        let exponent = i64::from(power) - i64::from(self.places);
        format!("{}e{exponent}", self.digits).parse().ok()
    }
}

/// Divides instead of multiplying by a fraction, so that 120 ms is 0.12 s to the last bit.
pub(super) fn scaled(number: f64, power: i8) -> f64 {
    if power == 0 {
        return number;
    }
    let factor = 10_f64.powi(i32::from(power.abs()));
    if power < 0 { number / factor } else { number * factor }
}
