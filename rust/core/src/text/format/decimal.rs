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

/// The sum of a list of durations, without negative ones and `-`.
pub(super) fn seconds(text: &[u8], power: i8) -> Option<f64> {
    let mut sum = None;
    for part in text.split(|byte| matches!(byte, b',' | b':' | b' ')) {
        if !is_present(part) {
            continue;
        }
        let number = float(part)?;
        if number >= 0.0 {
            sum = Some(sum.unwrap_or(0.0) + scaled(number, power));
        }
    }
    sum
}

/// Divides instead of multiplying by a fraction, so that 120 ms is 0.12 s to the last bit.
pub(super) fn scaled(number: f64, power: i8) -> f64 {
    if power == 0 {
        return number;
    }
    let factor = 10_f64.powi(i32::from(power.abs()));
    if power < 0 { number / factor } else { number * factor }
}
