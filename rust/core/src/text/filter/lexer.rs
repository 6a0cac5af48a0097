//! An expression to its words and signs.

use super::{FilterError, SourceRange};

/// A word or a sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Without quotes: a name, a value or a word of the language.
    Word(&'a str),
    /// In quotes, without them and their escapes.
    Quoted(String),
    /// In backquotes: a name whatever it is made of.
    Name(&'a str),
    Operator(Operator),
    And,
    Or,
    Not,
    Open,
    Close,
    Comma,
    End,
}

/// A sign between a field and a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What signs are made of, longest first: a sign that begins another one comes behind it.
const OPERATORS: [(&str, Token<'_>); 16] = [
    ("==", Token::Operator(Operator::Equal)),
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

pub(super) const NO_REGEX: &str =
    "there are no regular expressions; write contains, startswith or endswith";

/// What ends a word besides blanks.
fn is_sign(byte: u8) -> bool {
    matches!(
        byte,
        b'(' | b')' | b',' | b'"' | b'\'' | b'`' | b'&' | b'|' | b'<' | b'>' | b'=' | b'!'
    )
}

/// The token at a byte or behind the blanks there, and where it stands.
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
    if rest.starts_with("=~") || rest.starts_with("!~") {
        return Err(FilterError::new(upto(start + 2), NO_REGEX));
    }
    if let Some((sign, token)) = OPERATORS.into_iter().find(|(sign, _)| rest.starts_with(sign)) {
        let place = upto(start + sign.len());
        if matches!(sign, "&" | "|") {
            let word = if sign == "&" { "and" } else { "or" };
            let message = format!("{sign:?} is none of the signs here; write {word}");
            return Err(FilterError::new(place, message));
        }
        return Ok((token, place));
    }
    let length =
        rest.bytes().take_while(|&byte| !byte.is_ascii_whitespace() && !is_sign(byte)).count();
    Ok((Token::Word(&rest[..length]), upto(start + length)))
}

/// What stands in quotes. A backslash is one unless the quote or another backslash follows: logs
/// are full of them.
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
        let place = SourceRange { start, end: bytes.len() };
        let held = bytes.last() == Some(&quote) && bytes.len() > start + 1;
        let mend = if held { "; a backslash before it is written \\\\" } else { "" };
        return Err(FilterError::new(place, format!("this quote has no end{mend}")));
    }
    let inside = &text[start + 1..at];
    let place = SourceRange { start, end: at + 1 };
    if quote == b'`' {
        return match inside {
            "" => Err(FilterError::new(place, "a name is missing between the backquotes")),
            name => Ok((Token::Name(name), place)),
        };
    }
    let mut plain = String::with_capacity(inside.len());
    let mut rest = inside.chars().peekable();
    while let Some(character) = rest.next() {
        let escaped = (character == '\\')
            .then(|| rest.next_if(|&next| next == '\\' || next == char::from(quote)));
        plain.push(escaped.flatten().unwrap_or(character));
    }
    Ok((Token::Quoted(plain), place))
}
