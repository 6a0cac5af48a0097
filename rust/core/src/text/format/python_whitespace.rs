//! Whitespace as Python defines it, on UTF-8 bytes.
//!
//! Python's `\s` and `str.split()` know 29 characters (`str.isspace` in `unicodedata`). Rust's
//! `char::is_whitespace` lacks four of them, U+001C to U+001F. Each of them begins with a byte that
//! never continues another character, so the bytes at a position decide, even next to bytes that
//! are not UTF-8, which Python decodes to ordinary characters (surrogateescape).

/// The length of the whitespace character at `at` in bytes, or 0 if there is none.
pub(super) fn len_at(text: &[u8], at: usize) -> usize {
    match text.get(at) {
        Some(b' ' | 0x09..=0x0d | 0x1c..=0x1f) => 1,
        Some(0xc2) if matches!(text.get(at + 1), Some(0x85 | 0xa0)) => 2,
        Some(0xe1..=0xe3) if is_wide(text.get(at..at + 3)) => 3,
        _ => 0,
    }
}

/// The length of the whitespace character before `end` in bytes, or 0 if there is none.
fn len_before(text: &[u8], end: usize) -> usize {
    (1..=end.min(3)).find(|&n| len_at(&text[..end], end - n) == n).unwrap_or(0)
}

fn is_wide(character: Option<&[u8]>) -> bool {
    matches!(
        character,
        Some(
            [0xe1, 0x9a, 0x80]
                | [0xe2, 0x80, 0x80..=0x8a | 0xa8 | 0xa9 | 0xaf]
                | [0xe2, 0x81, 0x9f]
                | [0xe3, 0x80, 0x80]
        )
    )
}

/// The first position at or after `at` that is not whitespace.
pub(super) fn skip(text: &[u8], mut at: usize) -> usize {
    loop {
        match len_at(text, at) {
            0 => return at,
            n => at += n,
        }
    }
}

/// The first position at or after `at` that is whitespace, or the end.
pub(super) fn word_end(text: &[u8], at: usize) -> usize {
    (at..text.len()).find(|&i| len_at(text, i) > 0).unwrap_or(text.len())
}

/// The end of the text without trailing whitespace.
pub(super) fn trimmed_end(text: &[u8]) -> usize {
    let mut end = text.len();
    loop {
        match len_before(text, end) {
            0 => return end,
            n => end -= n,
        }
    }
}

/// The word of `text.split()` with this index.
pub(super) fn word(text: &[u8], number: usize) -> Option<&[u8]> {
    let mut at = skip(text, 0);
    for _ in 0..number {
        at = skip(text, word_end(text, at));
    }
    (at < text.len()).then(|| &text[at..word_end(text, at)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whitespace_is_that_of_rust_and_four_separators() {
        for code in 0..=0x0010_ffff {
            let Some(character) = char::from_u32(code) else { continue };
            let text = character.to_string();
            let expected = character.is_whitespace() || (0x1c..=0x1f).contains(&code);
            let found = len_at(text.as_bytes(), 0);
            assert_eq!(found, if expected { text.len() } else { 0 }, "U+{code:04X}");
            assert_eq!(len_before(text.as_bytes(), text.len()), found, "U+{code:04X} backwards");
        }
    }

    #[test]
    fn a_byte_that_is_not_utf_8_is_no_whitespace() {
        for text in [&b"\x85"[..], b"\xa0", b"\xc2", b"\xe2\x80", b"\xe3\x80x"] {
            assert_eq!(word(text, 0), Some(text));
        }
    }

    #[test]
    fn words_are_those_of_str_split() {
        assert_eq!(word(b" GET\xc2\xa0 /a\x1cb ", 1), Some(&b"/a"[..]));
        assert_eq!(word(b"GET ", 1), None);
        assert_eq!(word(b"", 0), None);
    }
}
