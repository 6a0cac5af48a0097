//! Quotes text in messages.

/// Text in single quotes, with escapes for a single quote and for what does not print.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for character in text.chars() {
        match character {
            '"' => quoted.push('"'),
            other => quoted.extend(other.escape_debug()),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_in_single_quotes() {
        for (text, expected) in [
            ("a b", "'a b'"),
            ("a\"b", "'a\"b'"),
            ("it's", r"'it\'s'"),
            ("\t\u{1b}", r"'\t\u{1b}'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
