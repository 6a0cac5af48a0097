//! Conversion of log bytes to text for display and JSON.

use std::borrow::Cow;

/// Returns the text with each run of invalid UTF-8 replaced by a single U+FFFD.
pub fn lossy(text: &[u8]) -> Cow<'_, str> {
    if let Ok(valid) = std::str::from_utf8(text) {
        return Cow::Borrowed(valid);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_run = false;
    while let Some(part) = rest.utf8_chunks().next() {
        out.push_str(part.valid());
        in_run &= part.valid().is_empty();
        if !part.invalid().is_empty() && !in_run {
            out.push(char::REPLACEMENT_CHARACTER);
            in_run = true;
        }
        let after = &rest[part.valid().len() + part.invalid().len()..];
        // Bytes that never begin a character extend the run.
        let never = |byte: &&u8| in_run && matches!(byte, 0x80..=0xc1 | 0xf5..);
        rest = &after[after.iter().take_while(never).count()..];
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_run_of_invalid_bytes_is_one_replacement() {
        assert_eq!(lossy(b"\xff"), "\u{fffd}");
        assert_eq!(lossy(b"a\xff\xfe\xe2\x80b\x80"), "a\u{fffd}b\u{fffd}");
        assert_eq!(lossy("é".as_bytes()), "é");
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn only_invalid_runs_are_replaced(text in prop::collection::vec(prop::sample::select(
            b"a\x80\xbf\xc1\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\xf5\xff".to_vec()), 0..30)) {
            let mut expected = String::new();
            for character in String::from_utf8_lossy(&text).chars() {
                if !(character == char::REPLACEMENT_CHARACTER && expected.ends_with(character)) {
                    expected.push(character);
                }
            }
            prop_assert_eq!(lossy(&text), expected);
        }
    }
}
