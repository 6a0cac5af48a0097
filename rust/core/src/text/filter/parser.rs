//! Parses tokens into conditions.

use super::condition::{Comparison, Condition, Literal, Predicate, TextMatch};
use super::lexer::{self, Operator, Token};
use super::pattern::{self, MAX_PATTERNS};
use super::{FilterError, MAX_BYTES, MAX_DEPTH, Node, SourceRange};
use crate::ground::quoted;

type FieldNames = Vec<(Box<str>, SourceRange)>;

/// Parses an expression into its conditions and the fields that they use.
pub(super) fn parse(text: &str) -> Result<(Node<Condition>, FieldNames), FilterError> {
    if text.len() > MAX_BYTES {
        let range = SourceRange { start: MAX_BYTES, end: text.len() };
        return Err(FilterError::new(
            range,
            format!("the condition is longer than {MAX_BYTES} bytes; shorten it"),
        ));
    }
    let (token, range) = lexer::next(text, 0)?;
    let mut parser =
        Parser { text, token, range, previous_end: 0, depth: 0, patterns: 0, names: Vec::new() };
    if parser.token == Token::End {
        return parser.error("the condition is empty; write one, such as status >= 500");
    }
    let root = parser.or_expression()?;
    match parser.token {
        Token::End => Ok((root, parser.names)),
        Token::Close => parser.error("unmatched closing parenthesis; remove it"),
        _ => parser.error(format!("expected 'and' or 'or' before {}", parser.found())),
    }
}

struct Parser<'a> {
    text: &'a str,
    /// The next token and its range.
    token: Token<'a>,
    range: SourceRange,
    /// Where the previous token ends.
    previous_end: usize,
    depth: usize,
    patterns: usize,
    names: FieldNames,
}

impl<'a> Parser<'a> {
    fn error<T>(&self, message: impl Into<String>) -> Result<T, FilterError> {
        Err(FilterError::new(self.range, message))
    }

    /// The next token as written, in quotes.
    fn found(&self) -> String {
        let written = &self.text[self.range.start..self.range.end];
        match self.token {
            Token::Quoted(_) | Token::Name(_) => written.to_owned(),
            _ => quoted(written),
        }
    }

    fn advance(&mut self) -> Result<(Token<'a>, SourceRange), FilterError> {
        let (token, range) = lexer::next(self.text, self.range.end)?;
        self.previous_end = self.range.end;
        let range = std::mem::replace(&mut self.range, range);
        Ok((std::mem::replace(&mut self.token, token), range))
    }

    /// Whether the next token is this keyword.
    fn is_word(&self, word: &str) -> bool {
        matches!(self.token, Token::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn or_expression(&mut self) -> Result<Node<Condition>, FilterError> {
        let mut nodes = vec![self.and_expression()?];
        while self.token == Token::Or || self.is_word("or") {
            self.advance()?;
            nodes.push(self.and_expression()?);
        }
        Ok(single_or(nodes, Node::Or))
    }

    fn and_expression(&mut self) -> Result<Node<Condition>, FilterError> {
        let mut nodes = vec![self.not_expression()?];
        while self.token == Token::And || self.is_word("and") {
            self.advance()?;
            nodes.push(self.not_expression()?);
        }
        Ok(single_or(nodes, Node::And))
    }

    fn not_expression(&mut self) -> Result<Node<Condition>, FilterError> {
        if self.token != Token::Not && !self.is_word("not") {
            return self.primary();
        }
        self.nest()?;
        self.advance()?;
        let node = self.not_expression()?;
        self.depth -= 1;
        Ok(Node::Not(Box::new(node)))
    }

    fn primary(&mut self) -> Result<Node<Condition>, FilterError> {
        if self.token != Token::Open {
            return self.condition();
        }
        self.nest()?;
        let (_, open) = self.advance()?;
        let node = self.or_expression()?;
        match self.token {
            Token::Close => self.advance()?,
            Token::End => return Err(FilterError::new(open, "unclosed parenthesis")),
            _ => {
                return self.error(format!(
                    "expected 'and', 'or' or a closing parenthesis before {}",
                    self.found()
                ));
            }
        };
        self.depth -= 1;
        Ok(node)
    }

    /// Enters a level of nesting. Parsing, binding and evaluating recurse as deep as the expression
    /// is nested, so the depth is limited.
    fn nest(&mut self) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self
                .error(format!("nested deeper than {MAX_DEPTH} levels; remove parentheses"));
        }
        Ok(())
    }

    fn condition(&mut self) -> Result<Node<Condition>, FilterError> {
        let (field, name, range) = self.field()?;
        let negated = self.is_word("not");
        if negated {
            self.advance()?;
        }
        let ends = matches!(self.token, Token::End | Token::And | Token::Or | Token::Close);
        if !negated && (ends || self.at_joiner()) {
            let message = format!(
                "expected an operator after {name}; to test whether there is a value, \
                 write {name} != null"
            );
            return Err(FilterError::new(range, message));
        }
        let (not, predicate) = match self.token {
            Token::Matches if !negated => (false, self.pattern(name)?),
            Token::MatchesNot if !negated => (true, self.pattern(name)?),
            Token::Operator(operator) if !negated => self.comparison(operator)?,
            Token::Word(word) => (negated, self.word_operator(word, name)?),
            _ if negated => {
                return self
                    .error("expected in, contains, icontains, startswith or endswith after not");
            }
            _ => {
                return self.error(format!(
                    "expected an operator, such as ==, between {name} and {}",
                    self.found()
                ));
            }
        };
        self.expect_end()?;
        let node = Node::Leaf(Condition { field, range, predicate });
        Ok(if not { Node::Not(Box::new(node)) } else { node })
    }

    fn field(&mut self) -> Result<(usize, &'a str, SourceRange), FilterError> {
        let name = match self.token {
            Token::Name(name) => name,
            Token::Word(word) if self.at_joiner() => {
                return self.error(format!("expected a condition before '{word}'"));
            }
            Token::Word(word) => match word.find('~') {
                // As other operators, it needs no blank before it. In a value it is text.
                Some(length) if length > 0 => {
                    self.range.end = self.range.start + length;
                    &word[..length]
                }
                _ => word,
            },
            Token::Quoted(ref text) => {
                let field = if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                {
                    text.clone()
                } else {
                    format!("`{text}`")
                };
                return self.error(format!(
                    "a condition begins with a field name, without quotes: {field} == ..."
                ));
            }
            _ => return self.error("expected a field name, such as status"),
        };
        let (token, range) = self.advance()?;
        if let (Token::Word(word), Token::Operator(operator)) = (&token, &self.token)
            && word.parse::<f64>().is_ok()
        {
            let field = match lexer::next(self.text, self.range.end) {
                Ok((Token::Word(field), _)) if field.parse::<f64>().is_err() => field,
                _ => "status",
            };
            let operator = flipped(*operator);
            let message = format!("put the field first: {field} {operator} {word}");
            return Err(FilterError::new(range, message));
        }
        let known = self.names.iter().position(|(known, _)| &**known == name);
        let field = known.unwrap_or(self.names.len());
        if known.is_none() {
            self.names.push((name.into(), range));
        }
        Ok((field, name, range))
    }

    fn comparison(&mut self, operator: Operator) -> Result<(bool, Predicate), FilterError> {
        let (_, range) = self.advance()?;
        let value = self.literal("after the operator")?;
        let (not, order) = match operator {
            Operator::Equal => (false, Comparison::Equal),
            Operator::NotEqual => (true, Comparison::Equal),
            Operator::Less => (false, Comparison::Less),
            Operator::LessOrEqual => (false, Comparison::LessOrEqual),
            Operator::Greater => (false, Comparison::Greater),
            Operator::GreaterOrEqual => (false, Comparison::GreaterOrEqual),
        };
        if value.is_null() && order != Comparison::Equal {
            let message = "null has no order; write == null or != null";
            return Err(FilterError::new(range, message));
        }
        Ok((not, Predicate::Compare(order, value)))
    }

    fn word_operator(&mut self, word: &str, name: &str) -> Result<Predicate, FilterError> {
        let part = match &*word.to_ascii_lowercase() {
            "in" => return self.list(),
            "contains" => TextMatch::Contains,
            "icontains" => return self.in_any_case(word, name),
            "startswith" => TextMatch::StartsWith,
            "endswith" => TextMatch::EndsWith,
            "matches" | "regex" | "regexp" | "rlike" | "like" | "ilike" => {
                let message = format!(
                    "unknown operator '{word}'; use ~ for a regular expression, or contains"
                );
                return self.error(message);
            }
            "is" => return self.error("unknown operator 'is'; use == null or != null"),
            _ => {
                return self.error(
                    "expected ==, !=, <, <=, >, >=, ~, !~, in, contains, icontains, startswith or \
                     endswith",
                );
            }
        };
        self.advance()?;
        let value = self.text(&format!("after {word}"), name)?;
        Ok(Predicate::Text(part, value))
    }

    /// A literal that is not null.
    fn text(&mut self, whereabouts: &str, name: &str) -> Result<Literal, FilterError> {
        let value = self.literal(whereabouts)?;
        if value.is_null() {
            let message = format!("null is not text; write {name} == null, or put it in quotes");
            return Err(FilterError::new(value.range, message));
        }
        Ok(value)
    }

    fn in_any_case(&mut self, word: &str, name: &str) -> Result<Predicate, FilterError> {
        self.advance()?;
        let value = self.text(&format!("after {word}"), name)?;
        self.count_pattern(value.range)?;
        let text = std::str::from_utf8(&value.text).unwrap_or_default();
        Ok(Predicate::Pattern(pattern::in_any_case(text, value.range)?))
    }

    /// A pattern: as it is written, so that its backslashes are its own.
    fn pattern(&mut self, name: &str) -> Result<Predicate, FilterError> {
        let (_, operator) = self.advance()?;
        let place = self.range;
        if let (Token::Word(word), Some(b'|' | b'&')) = (&self.token, self.byte_at(place.end))
            && !is_reserved(word)
            && self.byte_at(place.end) != self.byte_at(place.end + 1)
        {
            let range = SourceRange { start: place.end, end: place.end + 1 };
            return Err(FilterError::new(range, "a pattern with this character has to be quoted"));
        }
        if matches!(self.token, Token::Word(word) if word.starts_with('*'))
            && place.start == operator.end
        {
            let range = SourceRange { start: operator.start, end: place.start + 1 };
            let message = "unknown operator '~*'; for any case, begin the pattern with (?i)";
            return Err(FilterError::new(range, message));
        }
        let value = self.text("after the operator", name)?;
        self.count_pattern(place)?;
        let place = if value.quoted {
            SourceRange { start: place.start + 1, end: place.end - 1 }
        } else {
            place
        };
        let written = &self.text[place.start..place.end];
        Ok(Predicate::Pattern(pattern::pattern(written, place)?))
    }

    fn byte_at(&self, place: usize) -> Option<u8> {
        self.text.as_bytes().get(place).copied()
    }

    fn count_pattern(&mut self, range: SourceRange) -> Result<(), FilterError> {
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            let message =
                format!("more than {MAX_PATTERNS} patterns; combine some of them, as in \"a|b\"");
            return Err(FilterError::new(range, message));
        }
        Ok(())
    }

    fn list(&mut self) -> Result<Predicate, FilterError> {
        self.advance()?;
        if self.token != Token::Open {
            return self.error("expected a list in parentheses, such as in (404, 410)");
        }
        let (_, open) = self.advance()?;
        let mut values = Vec::new();
        loop {
            values.push(self.literal("in this list")?);
            match self.token {
                Token::Comma => self.advance()?,
                Token::Close => {
                    self.advance()?;
                    break;
                }
                Token::End => {
                    return Err(FilterError::new(open, "unclosed parenthesis"));
                }
                _ => {
                    return self.error(format!(
                        "expected a comma or a closing parenthesis before {}",
                        self.found()
                    ));
                }
            };
        }
        Ok(Predicate::one_of(values))
    }

    fn literal(&mut self, whereabouts: &str) -> Result<Literal, FilterError> {
        let range = self.range;
        let (text, quoted) = match &self.token {
            Token::Word(word) if is_reserved(word) => {
                return self.error(format!(
                    "expected a value {whereabouts}, found the keyword '{word}'; if it is text, \
                     put it in quotes"
                ));
            }
            Token::Word("-") => {
                let message = "- means a missing value; write null, or put it in quotes";
                return self.error(message);
            }
            Token::Word(word) => ((*word).to_owned(), false),
            Token::Quoted(text) => (text.clone(), true),
            Token::Name(name) => {
                let message =
                    format!("expected a value, found a field name; for the text write '{name}'");
                return self.error(message);
            }
            _ => return self.error(format!("expected a value {whereabouts}")),
        };
        self.advance()?;
        Ok(Literal { text: text.into_bytes().into(), quoted, range })
    }

    /// Whether the next token is a keyword that joins conditions.
    fn at_joiner(&self) -> bool {
        self.is_word("and") || self.is_word("or")
    }

    /// Checks that a condition ends before the next token.
    fn expect_end(&self) -> Result<(), FilterError> {
        if matches!(self.token, Token::End | Token::And | Token::Or | Token::Close)
            || self.at_joiner()
        {
            return Ok(());
        }
        let adjacent = self.previous_end == self.range.start;
        match self.token {
            Token::Operator(_) | Token::Matches | Token::MatchesNot if !adjacent => {
                self.error("comparisons cannot be chained; write status >= 400 and status < 500")
            }
            Token::Word(word) => self.error(format!(
                "expected 'and' or 'or' before '{word}', or quotes around the text"
            )),
            _ if adjacent => self.error("text with this character has to be quoted"),
            _ => self.error(format!("expected 'and' or 'or' before {}", self.found())),
        }
    }
}

fn single_or(
    mut nodes: Vec<Node<Condition>>,
    many: impl Fn(Vec<Node<Condition>>) -> Node<Condition>,
) -> Node<Condition> {
    match nodes.pop() {
        Some(node) if nodes.is_empty() => node,
        last => {
            nodes.extend(last);
            many(nodes)
        }
    }
}

/// The operator that means the same with its operands exchanged.
fn flipped(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal => "==",
        Operator::NotEqual => "!=",
        Operator::Less => ">",
        Operator::LessOrEqual => ">=",
        Operator::Greater => "<",
        Operator::GreaterOrEqual => "<=",
    }
}

/// Whether a word is a keyword, which is a value only in quotes.
fn is_reserved(word: &str) -> bool {
    ["and", "or", "not", "in"].iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}
