//! Skips JSON values, checking their syntax.

use super::super::find::find_either;
use crate::text::format::parsed::Reject;

/// How deep objects and arrays may be nested, including the object of the line. Python's parser
/// stops at about 1,000, serde's at 128; access logs have about five levels.
const MAX_DEPTH: u32 = 64;

/// The position after something that was skipped, or an error.
pub(super) type StepResult = Result<usize, SyntaxError>;

/// A syntax error: a position and what was expected there, packed into one number so that a
/// `StepResult` is returned in two registers.
#[derive(Clone, Copy)]
pub(super) struct SyntaxError(u64);

impl SyntaxError {
    pub(super) fn new(at: usize, expected: Expected) -> Self {
        Self((at as u64) << 8 | expected as u64)
    }
}

impl From<SyntaxError> for Reject {
    fn from(fault: SyntaxError) -> Self {
        let known = EXPECTED.iter().find(|known| known.0 as u64 == fault.0 & 0xff);
        Self::new((fault.0 >> 8) as usize, known.map_or("JSON", |known| known.1))
    }
}

#[derive(Clone, Copy)]
pub(super) enum Expected {
    Line,
    Key,
    Colon,
    Value,
    Member,
    Element,
    Quote,
    Escape,
    Digit,
    NoZero,
    Depth,
    End,
    OneObject,
}

const EXPECTED: &[(Expected, &str)] = &[
    (Expected::Line, "a JSON object"),
    (Expected::Key, "a key in quotes"),
    (Expected::Colon, "a colon after the key"),
    (Expected::Value, "a JSON value"),
    (Expected::Member, "a comma or }"),
    (Expected::Element, "a comma or ]"),
    (Expected::Quote, "the quote that closes the string"),
    (Expected::Escape, "a valid JSON escape"),
    (Expected::Digit, "a digit"),
    (Expected::NoZero, "a number without leading zeros"),
    (Expected::Depth, "at most 64 nested objects and arrays"),
    (Expected::End, "the end of the line"),
    (
        Expected::OneObject,
        "the end of the line after one object; write each object on its own line",
    ),
];

#[inline]
pub(super) fn blanks(line: &[u8], at: usize) -> usize {
    if line.get(at).is_some_and(|&byte| byte <= b' ') { some_blanks(line, at) } else { at }
}

#[cold]
fn some_blanks(line: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = line.get(at) {
        at += 1;
    }
    at
}

/// Whether a line is part of the array around the objects, and no object.
#[cold]
pub(crate) fn is_between_objects(line: &[u8]) -> bool {
    matches!(line.trim_ascii(), b"[" | b"]" | b"[]" | b",")
}

/// Skips what may be before the object of an array: its bracket, or a comma.
#[cold]
pub(super) fn before_object(line: &[u8], at: usize) -> StepResult {
    let start = match line.get(at) {
        Some(b'[' | b',') => some_blanks(line, at + 1),
        _ => at,
    };
    if line.get(start) == Some(&b'{') {
        Ok(start)
    } else {
        Err(SyntaxError::new(start, Expected::Line))
    }
}

/// Checks that only blanks follow the object of the line, which ends here. In an array, a comma or
/// its bracket may follow.
#[inline]
pub(super) fn expect_end(line: &[u8], end: usize) -> StepResult {
    if end == line.len() { Ok(end) } else { after_object(line, end) }
}

#[cold]
fn after_object(line: &[u8], end: usize) -> StepResult {
    let mut at = some_blanks(line, end);
    let has_comma = line.get(at) == Some(&b',');
    if has_comma {
        at = some_blanks(line, at + 1);
    }
    match line.get(at) {
        None => Ok(end),
        Some(b']') if some_blanks(line, at + 1) == line.len() => Ok(end),
        Some(b'{') if has_comma => Err(SyntaxError::new(at, Expected::OneObject)),
        Some(_) => Err(SyntaxError::new(at, Expected::End)),
    }
}

/// Skips a comma and the blanks after it.
#[inline]
pub(super) fn comma(line: &[u8], at: usize, end: u8) -> StepResult {
    if line.get(at) == Some(&b',') {
        return Ok(blanks(line, at + 1));
    }
    let object = end == b'}';
    Err(SyntaxError::new(at, if object { Expected::Member } else { Expected::Element }))
}

/// Skips the colon after a key and the blanks around it.
#[inline]
pub(super) fn colon(line: &[u8], at: usize) -> StepResult {
    let at = blanks(line, at);
    if line.get(at) == Some(&b':') {
        Ok(blanks(line, at + 1))
    } else {
        Err(SyntaxError::new(at, Expected::Colon))
    }
}

/// Skips a key and its colon.
#[inline]
fn key(line: &[u8], at: usize) -> StepResult {
    if line.get(at) != Some(&b'"') {
        return Err(SyntaxError::new(at, Expected::Key));
    }
    colon(line, string(line, at)?)
}

/// Skips a string, starting at its first quote.
#[inline]
fn string(line: &[u8], at: usize) -> StepResult {
    let end = find_either(line, at + 1, b'"', b'\\');
    if line.get(end) == Some(&b'"') { Ok(end + 1) } else { escaped(line, end) }
}

/// Skips the rest of a string, starting at an escape.
#[inline(never)]
pub(super) fn escaped(line: &[u8], mut at: usize) -> StepResult {
    loop {
        match line.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => {
                at += match line.get(at + 1) {
                    // `\v` and `\x` are not JSON, but what nginx writes without escape=json, and Apache.
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'v') => 2,
                    Some(b'u') if are_digits(line, at + 2, 4) => 6,
                    Some(b'x') if are_digits(line, at + 2, 2) => 4,
                    _ => return Err(SyntaxError::new(at, Expected::Escape)),
                }
            }
            Some(_) => at = find_either(line, at + 1, b'"', b'\\'),
            None => return Err(SyntaxError::new(at, Expected::Quote)),
        }
    }
}

/// Whether this many hexadecimal digits are here.
fn are_digits(line: &[u8], at: usize, count: usize) -> bool {
    line.get(at..at + count).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Skips a value.
#[inline]
pub(super) fn skip(line: &[u8], at: usize, depth: u32) -> StepResult {
    match line.get(at) {
        Some(b'"') => string(line, at),
        Some(b'-' | b'0'..=b'9') => numeral(line, at),
        Some(b'{' | b'[') => skip_nested(line, at, depth),
        _ => word(line, at),
    }
}

/// Skips an object or an array that is nested in this many others.
fn skip_nested(line: &[u8], mut at: usize, outer: u32) -> StepResult {
    // One bit per open object or array, the innermost lowest: whether it is an object.
    let mut objects = 0_u64;
    let mut depth = outer;
    loop {
        match line.get(at) {
            Some(b'"') => at = string(line, at)?,
            Some(b'-' | b'0'..=b'9') => at = numeral(line, at)?,
            Some(open @ (b'{' | b'[')) => {
                if depth == MAX_DEPTH {
                    return Err(SyntaxError::new(at, Expected::Depth));
                }
                depth += 1;
                objects = objects << 1 | u64::from(*open == b'{');
                at = blanks(line, at + 1);
                if line.get(at) != Some(&(open + 2)) {
                    if *open == b'{' {
                        at = key(line, at)?;
                    }
                    continue;
                }
            }
            _ => at = word(line, at)?,
        }
        // After a value, or at the end of an empty object or array.
        loop {
            at = blanks(line, at);
            if line.get(at) != Some(&end_of(objects)) {
                break;
            }
            at += 1;
            depth -= 1;
            objects >>= 1;
            if depth == outer {
                return Ok(at);
            }
        }
        at = comma(line, at, end_of(objects))?;
        if objects & 1 == 1 {
            at = key(line, at)?;
        }
    }
}

/// Skips `true`, `false` or `null`.
fn word(line: &[u8], at: usize) -> StepResult {
    let rest = line.get(at..).unwrap_or_default();
    let words: [&[u8]; 3] = [b"true", b"false", b"null"];
    let found = words.iter().find(|word| rest.starts_with(word));
    found.map(|word| at + word.len()).ok_or(SyntaxError::new(at, Expected::Value))
}

/// Skips a number.
#[inline]
fn numeral(line: &[u8], start: usize) -> StepResult {
    let start = start + usize::from(line.get(start) == Some(&b'-'));
    let mut at = digits(line, start)?;
    if line.get(start) == Some(&b'0') && at > start + 1 {
        return Err(SyntaxError::new(start + 1, Expected::NoZero));
    }
    if line.get(at) == Some(&b'.') {
        at = digits(line, at + 1)?;
    }
    if let Some(b'e' | b'E') = line.get(at) {
        let sign = matches!(line.get(at + 1), Some(b'+' | b'-'));
        at = digits(line, at + 1 + usize::from(sign))?;
    }
    Ok(at)
}

/// Skips at least one digit.
#[inline]
fn digits(line: &[u8], start: usize) -> StepResult {
    let mut at = start;
    while let Some(b'0'..=b'9') = line.get(at) {
        at += 1;
    }
    if at == start { Err(SyntaxError::new(at, Expected::Digit)) } else { Ok(at) }
}

/// The byte that ends the innermost object or array.
fn end_of(objects: u64) -> u8 {
    if objects & 1 == 1 { b'}' } else { b']' }
}
