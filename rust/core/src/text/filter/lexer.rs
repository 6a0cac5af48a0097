//! Splits a condition into tokens.

use super::{FilterError, SourceRange};

/// A word, a quoted text, an operator or punctuation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Unquoted: a field name, a value or a keyword.
    Word(&'a str),
    /// A quoted text, without the quotes and with escapes undone.
    Quoted(String),
    /// A field name in backquotes, which may have any characters.
    Name(&'a str),
    Operator(Operator),
    Matches,
    MatchesNot,
    And,
    Or,
    Not,
    Open,
    Close,
    Comma,
    End,
}

/// A comparison operator between a field and a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// All operators and punctuation. An operator comes before its own prefixes, so that the first
/// match is the longest.
const OPERATORS: [(&str, Token<'_>); 19] = [
    ("==", Token::Operator(Operator::Equal)),
    ("=~", Token::Matches),
    ("!~", Token::MatchesNot),
    ("~", Token::Matches),
    ("!=", Token::Operator(Operator::NotEqual)),
    ("<>", Token::Operator(Operator::NotEqual)),
    ("<=", Token::Operator(Operator::LessOrEqual)),
    (">=", Token::Operator(Operator::GreaterOrEqual)),
    ("&&", Token::And),
    ("||", Token::Or),
    ("=", Token::Operator(Operator::Equal)),
    ("<", Token::Operator(Operator::Less)),
    (">", Token::Operator(Operator::Greater)),
    ("!", Token::Not),
    ("(", Token::Open),
    (")", Token::Close),
    (",", Token::Comma),
    ("&", Token::And),
    ("|", Token::Or),
];

/// Whether a byte ends a word, as whitespace does.
fn is_delimiter(byte: u8) -> bool {
    matches!(
        byte,
        b'(' | b')' | b',' | b'"' | b'\'' | b'`' | b'&' | b'|' | b'<' | b'>' | b'=' | b'!'
    )
}

/// Returns the first token at or after a byte, and its range.
pub(super) fn next(text: &str, from: usize) -> Result<(Token<'_>, SourceRange), FilterError> {
    let bytes = text.as_bytes();
    let blanks = bytes[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let start = from + blanks;
    let upto = |end: usize| SourceRange { start, end };
    let Some(&first) = bytes.get(start) else { return Ok((Token::End, upto(start))) };
    if matches!(first, b'"' | b'\'' | b'`') {
        return quoted(text, start);
    }
    let rest = &text[start..];
    if let Some((sign, token)) = OPERATORS.into_iter().find(|(sign, _)| rest.starts_with(sign)) {
        let range = upto(start + sign.len());
        if matches!(sign, "&" | "|") {
            let word = if sign == "&" { "and" } else { "or" };
            let message = format!("unknown operator '{sign}'; use '{word}'");
            return Err(FilterError::new(range, message));
        }
        return Ok((token, range));
    }
    let length =
        rest.bytes().take_while(|&byte| !byte.is_ascii_whitespace() && !is_delimiter(byte)).count();
    Ok((Token::Word(&rest[..length]), upto(start + length)))
}

/// Returns a quoted token. A backslash escapes only the quote and another backslash, and is literal
/// otherwise: logs are full of backslashes.
fn quoted(text: &str, start: usize) -> Result<(Token<'_>, SourceRange), FilterError> {
    let bytes = text.as_bytes();
    let quote = bytes[start];
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != quote {
        let escapes = quote != b'`' && bytes[at] == b'\\';
        let skipped =
            escapes && bytes.get(at + 1).is_some_and(|&next| next == quote || next == b'\\');
        at += 1 + usize::from(skipped);
    }
    if at >= bytes.len() {
        let range = SourceRange { start, end: bytes.len() };
        let held = bytes.last() == Some(&quote) && bytes.len() > start + 1;
        let hint = if held { "; write \\\\ for a backslash before the closing quote" } else { "" };
        return Err(FilterError::new(range, format!("unclosed quote{hint}")));
    }
    let inside = &text[start + 1..at];
    let range = SourceRange { start, end: at + 1 };
    if quote == b'`' {
        return match inside {
            "" => Err(FilterError::new(range, "expected a field name between the backquotes")),
            name => Ok((Token::Name(name), range)),
        };
    }
    let mut plain = String::with_capacity(inside.len());
    let mut rest = inside.chars().peekable();
    while let Some(character) = rest.next() {
        let escaped = (character == '\\')
            .then(|| rest.next_if(|&next| next == '\\' || next == char::from(quote)));
        plain.push(escaped.flatten().unwrap_or(character));
    }
    Ok((Token::Quoted(plain), range))
}
