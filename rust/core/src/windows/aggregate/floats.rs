//! Floats as whole numbers times powers of two.

/// The exponent of the smallest float.
pub(super) const MIN_EXPONENT: i32 = -1074;

/// The exponent of the largest one.
pub(super) const MAX_EXPONENT: i32 = 971;

/// A finite number as a whole one times a power of two.
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

/// The nearest float of a whole number times a power of two.
pub(super) fn scaled(number: i128, exponent: i32) -> f64 {
    // To round to 53 bits and to scale are one rounding: what has more bits than these is far above
    // where floats get fewer.
    #[expect(clippy::cast_precision_loss, reason = "this is the rounding")]
    let rounded = number as f64;
    let half = exponent / 2;
    rounded * power(half) * power(exponent - half)
}

fn power(exponent: i32) -> f64 {
    f64::from_bits(u64::try_from(exponent + 1023).unwrap_or(0) << 52)
}
