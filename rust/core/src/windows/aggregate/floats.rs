//! Floats as integers times powers of two.

/// The exponent of the smallest float.
pub(super) const MIN_EXPONENT: i32 = -1074;

/// The exponent of the largest float.
pub(super) const MAX_EXPONENT: i32 = 971;

/// Splits a finite number into an integer and a power of two.
#[inline]
pub(super) fn decompose(number: f64) -> Option<(i64, i32)> {
    let bits = number.to_bits();
    let raw = i32::try_from(bits >> 52 & 0x7ff).unwrap_or(0);
    let fraction = i64::try_from(bits & ((1 << 52) - 1)).unwrap_or(0);
    let (mantissa, exponent) = match raw {
        0x7ff => return None,
        0 => (fraction, MIN_EXPONENT),
        raw => (fraction | 1 << 52, MIN_EXPONENT + raw - 1),
    };
    Some((if number.is_sign_negative() { -mantissa } else { mantissa }, exponent))
}

/// Returns the float nearest to `number` times 2^`exponent`.
pub(super) fn scaled(number: i128, exponent: i32) -> f64 {
    // Rounding to 53 bits and scaling round only once: a number with more than 53 bits is far above
    // the range where floats have fewer bits.
    #[expect(clippy::cast_precision_loss, reason = "this is the rounding")]
    let rounded = number as f64;
    let half = exponent / 2;
    rounded * power(half) * power(exponent - half)
}

fn power(exponent: i32) -> f64 {
    f64::from_bits(u64::try_from(exponent + 1023).unwrap_or(0) << 52)
}
