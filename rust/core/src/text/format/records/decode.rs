//! Decodes the text of fields.

use crate::ground::Value;
use memchr::memchr;

use super::super::field_type::Encoding;

/// Decodes a span of a line that begins at `start`. The buffer is used only if the decoded text
/// differs from the raw text.
pub(crate) fn decoded<'a>(
    encoding: Encoding,
    raw: &'a [u8],
    line: &[u8],
    start: usize,
    buffer: &'a mut Vec<u8>,
) -> &'a [u8] {
    match (encoding, is_after_quote(line, start)) {
        (Encoding::Json, true) => json(raw, buffer),
        (Encoding::Logfmt, true) => go(raw, buffer),
        (Encoding::Csv | Encoding::Plus, true) => doubled(raw, buffer),
        (Encoding::Plus, false) => plus(raw, buffer),
        (Encoding::Percent, _) => percents(raw, true, buffer),
        (Encoding::Raw, _) | (Encoding::Json | Encoding::Logfmt | Encoding::Csv, false) => raw,
    }
}

/// Whether a span that begins here is the inside of quotes.
pub(crate) fn is_after_quote(line: &[u8], start: usize) -> bool {
    start.checked_sub(1).and_then(|before| line.get(before)) == Some(&b'"')
}

/// Decodes the escapes that Apache and nginx write: `\xHH`, `\"`, `\\` and those of C. Other
/// backslashes stay.
pub(crate) fn unescape<'a>(raw: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    replaced(
        raw,
        buffer,
        |rest| near(b'\\', rest),
        |rest, buffer| {
            let byte = match rest.get(1)? {
                b'x' => {
                    buffer.push(hex_byte(rest.get(2..4)?)?);
                    return Some(4);
                }
                byte @ (b'"' | b'\\') => *byte,
                b'a' => 7,
                b'b' => 8,
                b't' => b'\t',
                b'n' => b'\n',
                b'v' => 11,
                b'f' => 12,
                b'r' => b'\r',
                _ => return None,
            };
            buffer.push(byte);
            Some(2)
        },
    )
}

/// Decodes `%HH`. Other percent signs stay.
pub(crate) fn percent<'a>(raw: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    percents(raw, false, buffer)
}

/// Decodes `%HH`; with `twice` also `%25HH`, which is `%HH` escaped again.
fn percents<'a>(raw: &'a [u8], twice: bool, buffer: &'a mut Vec<u8>) -> &'a [u8] {
    replaced(
        raw,
        buffer,
        |rest| near(b'%', rest),
        |rest, buffer| {
            let byte = hex_byte(rest.get(1..3)?)?;
            let again =
                if twice && byte == b'%' { rest.get(3..5).and_then(hex_byte) } else { None };
            buffer.push(again.unwrap_or(byte));
            Some(if again.is_some() { 5 } else { 3 })
        },
    )
}

fn plus<'a>(raw: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    replaced(
        raw,
        buffer,
        |rest| near(b'+', rest),
        |_, buffer| {
            buffer.push(b' ');
            Some(1)
        },
    )
}

/// Decodes the inside of a quoted field, in which quotes are doubled.
fn doubled<'a>(raw: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    replaced(
        raw,
        buffer,
        |rest| near(b'"', rest),
        |rest, buffer| {
            buffer.push(b'"');
            Some(if rest.get(1) == Some(&b'"') { 2 } else { 1 })
        },
    )
}

/// Decodes the inside of a JSON string.
fn json<'a>(raw: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    if memchr(b'\\', raw).is_none() {
        return raw;
    }
    buffer.clear();
    buffer.resize(raw.len(), 0);
    // A decoded escape is shorter than the escape.
    let length = json_into(raw, buffer).unwrap_or_default();
    buffer.truncate(length);
    buffer
}

/// Decodes the escapes of Go's literals, which include those of JSON. Other backslashes stay.
fn go<'a>(raw: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    let code = |digits: &[u8], radix| {
        let digits = std::str::from_utf8(digits).ok()?;
        u32::from_str_radix(digits, radix).ok()
    };
    replaced(
        raw,
        buffer,
        |rest| near(b'\\', rest),
        |rest, buffer| {
            let (byte, taken) = match rest.get(1)? {
                b'a' => (7, 2),
                b'0'..=b'7' => (u8::try_from(code(rest.get(1..4)?, 8)?).ok()?, 4),
                b'U' => {
                    let character = char::from_u32(code(rest.get(2..10)?, 16)?)?;
                    buffer.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    return Some(10);
                }
                _ => {
                    let (decoded, taken) = json_escape(rest)?;
                    buffer.extend_from_slice(decoded.bytes());
                    return Some(taken);
                }
            };
            buffer.push(byte);
            Some(taken)
        },
    )
}

/// Decodes the inside of a JSON string into a buffer. Returns the length, if it fits.
pub(super) fn json_into(mut raw: &[u8], buffer: &mut [u8]) -> Option<usize> {
    let mut length = 0;
    while let Some(&byte) = raw.first() {
        let taken = if byte == b'\\'
            && let Some((decoded, taken)) = json_escape(raw)
        {
            buffer.get_mut(length..length + decoded.len())?.copy_from_slice(decoded.bytes());
            length += decoded.len();
            taken
        } else {
            let next = near(b'\\', &raw[1..]).map_or(raw.len(), |offset| 1 + offset);
            buffer.get_mut(length..length + next)?.copy_from_slice(&raw[..next]);
            length += next;
            next
        };
        raw = &raw[taken..];
    }
    Some(length)
}

/// The position in the inside of a JSON string of a byte of the decoded text.
pub(super) fn json_raw_position(raw: &[u8], decoded: usize) -> usize {
    let mut at = 0;
    let mut length = 0;
    while length < decoded && at < raw.len() {
        let (escape, taken) = json_unit(&raw[at..]);
        length += escape;
        at += taken;
    }
    at
}

/// The length of the inside of a JSON string after decoding.
pub(super) fn json_decoded_len(raw: &[u8]) -> usize {
    let mut at = 0;
    let mut length = 0;
    while at < raw.len() {
        let (decoded, taken) = json_unit(&raw[at..]);
        length += decoded;
        at += taken;
    }
    length
}

/// The lengths of what begins here, decoded and as written.
fn json_unit(text: &[u8]) -> (usize, usize) {
    json_escape(text).map_or((1, 1), |(decoded, taken)| (decoded.len(), taken))
}

/// What an escape means: a byte or a character.
enum Decoded {
    Byte([u8; 1]),
    Char([u8; 4], usize),
}

impl Decoded {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Byte(byte) => byte,
            Self::Char(bytes, length) => &bytes[..*length],
        }
    }

    fn len(&self) -> usize {
        self.bytes().len()
    }
}

/// What the escape that begins here means, and its length. A lone surrogate is U+FFFD. `\xHH` and
/// `\v` are no JSON, but servers write them.
fn json_escape(text: &[u8]) -> Option<(Decoded, usize)> {
    let [b'\\', escape, ..] = text else { return None };
    let byte = match escape {
        b'"' | b'\\' | b'/' => *escape,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'x' => return Some((Decoded::Byte([hex_byte(text.get(2..4)?)?]), 4)),
        b'u' => {
            let (character, taken) = utf16(text)?;
            let mut bytes = [0; 4];
            let length = character.encode_utf8(&mut bytes).len();
            return Some((Decoded::Char(bytes, length), taken));
        }
        _ => return None,
    };
    Some((Decoded::Byte([byte]), 2))
}

fn utf16(text: &[u8]) -> Option<(char, usize)> {
    let first = utf16_unit(text)?;
    if (0xd800..0xdc00).contains(&first)
        && let Some(second @ 0xdc00..0xe000) = utf16_unit(&text[6..])
    {
        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return Some((char::from_u32(code)?, 12));
    }
    Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}

fn utf16_unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.first_chunk::<4>()?;
    Some(u32::from(hex_byte(&digits[..2])?) << 8 | u32::from(hex_byte(&digits[2..])?))
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let [high, low] = digits else { return None };
    Some(hex(*high)? << 4 | hex(*low)?)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The first position of a byte. Calling memchr costs as much as comparing a dozen bytes, and a
/// hostile text has a match at nearly every byte.
fn near(byte: u8, text: &[u8]) -> Option<usize> {
    const NEAR: usize = 8;
    let first = text.iter().take(NEAR).position(|found| *found == byte);
    first.or_else(|| memchr(byte, text.get(NEAR..)?).map(|offset| NEAR + offset))
}

/// Replaces parts of a text. `find` returns the position of the next candidate; `replace` appends
/// the replacement and returns the length of the replaced text, or nothing to keep the text.
fn replaced<'a>(
    raw: &'a [u8],
    buffer: &'a mut Vec<u8>,
    find: impl Fn(&[u8]) -> Option<usize>,
    replace: impl Fn(&[u8], &mut Vec<u8>) -> Option<usize>,
) -> &'a [u8] {
    let Some(mut position) = find(raw) else { return raw };
    let mut rest = raw;
    buffer.clear();
    loop {
        buffer.extend_from_slice(&rest[..position]);
        rest = &rest[position..];
        let length = replace(rest, buffer).unwrap_or_else(|| {
            buffer.push(rest[0]);
            1
        });
        rest = &rest[length..];
        let Some(next) = find(rest) else { break };
        position = next;
    }
    buffer.extend_from_slice(rest);
    buffer
}
/// The number that a text in a column without a type is, if it is written in digits, maybe with a
/// decimal point. With leading zeros, a plus or an exponent it is text, as it may be a code.
pub(crate) fn csv_number(text: &[u8]) -> Option<Value<'_>> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_fraction = match &digits[whole..] {
        [] => true,
        [b'.', fraction @ ..] => !fraction.is_empty() && fraction.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !is_fraction || whole == 0 || (whole > 1 && digits[0] == b'0') {
        return None;
    }
    match Value::of_json_number(text) {
        number @ (Value::Int(_) | Value::Float(_)) => Some(number),
        _ => None,
    }
}
