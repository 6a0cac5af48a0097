//! Bytes of a log as text for people and for JSON.

use std::borrow::Cow;

/// The text with each run of bytes that is not UTF-8 as one U+FFFD.
pub fn lossy(text: &[u8]) -> Cow<'_, str> {
    if let Ok(valid) = std::str::from_utf8(text) {
        return Cow::Borrowed(valid);
    }
    let mut out = String::with_capacity(text.len());
    let mut in_run = false;
    for part in text.utf8_chunks() {
        out.push_str(part.valid());
        in_run &= part.valid().is_empty();
        if !part.invalid().is_empty() && !in_run {
            out.push(char::REPLACEMENT_CHARACTER);
            in_run = true;
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_one_replacement_however_many_sequences_it_breaks() {
        assert_eq!(lossy(b"\xff"), "\u{fffd}");
        assert_eq!(lossy(b"a\xff\xfe\xe2\x80b\x80"), "a\u{fffd}b\u{fffd}");
        assert_eq!(lossy("é".as_bytes()), "é");
    }
}
