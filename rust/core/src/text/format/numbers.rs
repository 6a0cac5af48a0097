//! Finds the end of a number, or of the dash that means a missing one.
//!
//! Each function stops at the first byte that cannot be part of the number, so the cost is linear.

use super::whitespace::{ByteRange, after_blanks, skip_blanks};

/// Eighteen digits always fit into 63 bits.
const MAX_DIGITS: usize = 18;

/// Three digits, or `-`.
pub(super) fn status(line: &[u8], at: usize) -> Option<usize> {
    match line.get(at..)? {
        [b'-', ..] => Some(at + 1),
        [a, b, c, ..] if a.is_ascii_digit() && b.is_ascii_digit() && c.is_ascii_digit() => {
            Some(at + 3)
        }
        _ => None,
    }
}

/// The ranges of status and size, from the blank before the status. An error says how many of
/// blank, status, blank and size were found, and where the next was expected.
#[inline]
pub(super) fn status_and_size(
    line: &[u8],
    at: usize,
    size_end: impl Fn(&[u8], usize) -> Option<usize>,
) -> Result<[ByteRange; 2], (usize, usize)> {
    let start = after_blanks(line, at).ok_or((0, at))?;
    let end = status(line, start).ok_or((1, start))?;
    let size = after_blanks(line, end).ok_or((2, end))?;
    Ok([(start, end), (size, size_end(line, size).ok_or((3, size))?)])
}

/// Digits, optionally after a minus, or `-`.
pub(super) fn int(line: &[u8], at: usize) -> Option<usize> {
    let start = at + usize::from(line.get(at) == Some(&b'-'));
    let end = digits(line, start);
    match end - start {
        0 => (start > at).then_some(start),
        1..=MAX_DIGITS => Some(end),
        _ => None,
    }
}

/// A decimal number, optionally with a minus and an exponent, or `-`.
pub(super) fn number(line: &[u8], at: usize) -> Option<usize> {
    let end = decimal(line, at)?;
    if end == at + 1 && line[at] == b'-' || !matches!(line.get(end), Some(b'e' | b'E')) {
        return Some(end);
    }
    let signed = end + 1 + usize::from(matches!(line.get(end + 1), Some(b'+' | b'-')));
    let exponent_end = digits(line, signed);
    Some(if exponent_end > signed { exponent_end } else { end })
}

/// As `number`, with a decimal point, or `-`.
pub(super) fn number_with_point(line: &[u8], at: usize) -> Option<usize> {
    number(line, at).filter(|end| line[at..*end].contains(&b'.') || line[at..*end] == *b"-")
}

/// Numbers separated by commas and colons, with optional blanks around these. A colon between two
/// blanks may be the end, if another blank follows. With `spaced`, a comma without a blank after it
/// ends them.
pub(super) fn numbers(line: &[u8], at: usize, spaced: bool) -> Option<usize> {
    let mut end = decimal(line, at)?;
    loop {
        let mark = skip_few_blanks(line, end);
        if !matches!(line.get(mark), Some(b',' | b':')) {
            return Some(end);
        }
        if spaced && line[mark] == b',' && !line[mark + 1..].starts_with(b" ") {
            return Some(end);
        }
        let ends_with_colon = line[mark] == b':' && mark > end;
        if ends_with_colon && matches!(line.get(mark + 1..), Some([] | [b' ', b' ', ..])) {
            return Some(mark + 1);
        }
        match decimal(line, skip_few_blanks(line, mark + 1)) {
            Some(next) => end = next,
            None => return Some(end),
        }
    }
}

/// As `skip_blanks`, optimized for no blanks.
#[inline]
fn skip_few_blanks(line: &[u8], at: usize) -> usize {
    match line.get(at) {
        Some(byte) if *byte <= b' ' => skip_blanks(line, at),
        _ => at,
    }
}

#[inline]
fn decimal(line: &[u8], at: usize) -> Option<usize> {
    let start = at + usize::from(line.get(at) == Some(&b'-'));
    let whole = digits(line, start);
    let end = if line.get(whole) == Some(&b'.') { digits(line, whole + 1) } else { whole };
    let some = whole > start || end > whole + 1;
    if some { Some(end) } else { (start > at).then_some(start) }
}

/// The end of the digits, at most one more than a number can have.
#[inline]
fn digits(line: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(byte) = line.get(at)
        && byte.is_ascii_digit()
        && at <= from + MAX_DIGITS
    {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(end: impl Fn(&[u8], usize) -> Option<usize>, text: &str) -> Option<&str> {
        end(text.as_bytes(), 0).map(|end| &text[..end])
    }

    #[test]
    fn a_number_ends_at_the_first_other_byte() {
        for (text, expected) in [
            ("200 5", Some("200")),
            ("-", Some("-")),
            ("20", None),
            ("2000", Some("200")),
            ("", None),
        ] {
            assert_eq!(taken(status, text), expected, "{text:?}");
        }
        for (text, expected) in [
            ("5 ", Some("5")),
            ("-5", Some("-5")),
            ("- ", Some("-")),
            ("x", None),
            ("999999999999999999", Some("999999999999999999")),
            ("9999999999999999999", None),
        ] {
            assert_eq!(taken(int, text), expected, "{text:?}");
        }
        for (text, expected) in [
            ("0.012 ", Some("0.012")),
            ("12ms", Some("12")),
            (".5", Some(".5")),
            ("-1", Some("-1")),
            ("1e-3 ", Some("1e-3")),
            ("1e", Some("1")),
            (".", None),
            ("-", Some("-")),
        ] {
            assert_eq!(taken(number, text), expected, "{text:?}");
        }
        for (text, expected) in
            [("0.012 ", Some("0.012")), ("-", Some("-")), ("12", None), ("-1", None), ("", None)]
        {
            assert_eq!(taken(number_with_point, text), expected, "{text:?}");
        }
        for (text, expected) in [
            ("0.001, 0.002 : 0.010 200", Some("0.001, 0.002 : 0.010")),
            ("0.1 0.2", Some("0.1")),
            ("-, 0.2,", Some("-, 0.2")),
            ("401 :  0.1", Some("401 :")),
            ("401 :", Some("401 :")),
            ("10.0.0.1:80", Some("10.0")),
            ("", None),
        ] {
            let found = taken(|line, at| numbers(line, at, false), text);
            assert_eq!(found, expected, "{text:?}");
        }
        for (text, expected) in [
            ("0.001, 0.002,0.003", "0.001, 0.002"),
            ("-,0.003", "-"),
            ("0.1 : 0.2,0.3", "0.1 : 0.2"),
            ("0.1,", "0.1"),
        ] {
            let found = taken(|line, at| numbers(line, at, true), text);
            assert_eq!(found, Some(expected), "{text:?}");
        }
    }
}
