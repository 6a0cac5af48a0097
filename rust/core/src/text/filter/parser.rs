//! Words and signs to conditions.

use super::condition::{Comparison, Condition, Literal, Predicate, TextMatch};
use super::lexer::{self, NO_REGEX, Operator, Token};
use super::{FilterError, MAX_BYTES, MAX_DEPTH, Node, SourceRange};

type FieldNames = Vec<(Box<str>, SourceRange)>;

/// The conditions of an expression, and the fields that they are about.
pub(super) fn parse(text: &str) -> Result<(Node<Condition>, FieldNames), FilterError> {
    if text.len() > MAX_BYTES {
        let place = SourceRange { start: MAX_BYTES, end: text.len() };
        return Err(FilterError::new(
            place,
            format!("longer than {MAX_BYTES} bytes; ask for less"),
        ));
    }
    let (token, place) = lexer::next(text, 0)?;
    let mut parser = Parser { text, token, place, previous_end: 0, depth: 0, names: Vec::new() };
    if parser.token == Token::End {
        return parser.error("nothing is asked here; write a condition, such as status >= 500");
    }
    let root = parser.or_expression()?;
    match parser.token {
        Token::End => Ok((root, parser.names)),
        Token::Close => parser.error("no parenthesis is open here; leave this one out"),
        _ => parser.error("and/or is missing before this"),
    }
}

struct Parser<'a> {
    text: &'a str,
    /// What comes next.
    token: Token<'a>,
    place: SourceRange,
    /// Where what came last ends.
    previous_end: usize,
    depth: usize,
    names: FieldNames,
}

impl<'a> Parser<'a> {
    fn error<T>(&self, message: impl Into<String>) -> Result<T, FilterError> {
        Err(FilterError::new(self.place, message))
    }

    fn advance(&mut self) -> Result<(Token<'a>, SourceRange), FilterError> {
        let (token, place) = lexer::next(self.text, self.place.end)?;
        self.previous_end = self.place.end;
        let place = std::mem::replace(&mut self.place, place);
        Ok((std::mem::replace(&mut self.token, token), place))
    }

    /// Whether this word of the language comes next.
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
            Token::End => return Err(FilterError::new(open, "this parenthesis is never closed")),
            _ => return self.error("and/or or a closing parenthesis is missing before this"),
        };
        self.depth -= 1;
        Ok(node)
    }

    /// Parsing, binding and asking go down as deep as the expression does.
    fn nest(&mut self) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self
                .error(format!("nested deeper than {MAX_DEPTH} levels; leave parentheses out"));
        }
        Ok(())
    }

    fn condition(&mut self) -> Result<Node<Condition>, FilterError> {
        let (field, name, place) = self.field()?;
        let negated = self.is_word("not");
        if negated {
            self.advance()?;
        }
        let ends = matches!(self.token, Token::End | Token::And | Token::Or | Token::Close);
        if !negated && (ends || self.at_joiner()) {
            let message = format!("what of {name}? To ask whether there is one: {name} != null");
            return Err(FilterError::new(place, message));
        }
        let (not, predicate) = match self.token {
            Token::Operator(operator) if !negated => self.comparison(operator)?,
            Token::Word(word) => (negated, self.word_operator(word, name)?),
            _ if negated => {
                return self.error("behind not comes in, contains, startswith or endswith");
            }
            _ => {
                return self
                    .error(format!("a sign is missing between {name} and this, such as =="));
            }
        };
        self.expect_end()?;
        let node = Node::Leaf(Condition { field, place, predicate });
        Ok(if not { Node::Not(Box::new(node)) } else { node })
    }

    fn field(&mut self) -> Result<(usize, &'a str, SourceRange), FilterError> {
        let name = match self.token {
            Token::Name(name) => name,
            Token::Word(word) if self.at_joiner() => {
                return self.error(format!("a condition is missing before {word}"));
            }
            Token::Word(word) => word,
            Token::Quoted(ref text) => {
                let field = if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                {
                    text.clone()
                } else {
                    format!("`{text}`")
                };
                return self.error(format!(
                    "a condition begins with a field, which has no quotes: {field} == ..."
                ));
            }
            _ => return self.error("a field is missing here, such as status"),
        };
        let (token, place) = self.advance()?;
        if let (Token::Word(word), Token::Operator(_)) = (&token, &self.token)
            && word.parse::<f64>().is_ok()
        {
            let message = format!("the field comes first: status >= {word}");
            return Err(FilterError::new(place, message));
        }
        let known = self.names.iter().position(|(known, _)| &**known == name);
        let field = known.unwrap_or(self.names.len());
        if known.is_none() {
            self.names.push((name.into(), place));
        }
        Ok((field, name, place))
    }

    fn comparison(&mut self, operator: Operator) -> Result<(bool, Predicate), FilterError> {
        let (_, place) = self.advance()?;
        let value = self.literal("behind the sign")?;
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
            return Err(FilterError::new(place, message));
        }
        Ok((not, Predicate::Compare(order, value)))
    }

    fn word_operator(&mut self, word: &str, name: &str) -> Result<Predicate, FilterError> {
        let part = match &*word.to_ascii_lowercase() {
            "in" => return self.list(),
            "contains" => TextMatch::Contains,
            "startswith" => TextMatch::StartsWith,
            "endswith" => TextMatch::EndsWith,
            "matches" | "like" | "regex" | "~" | "~*" => return self.error(NO_REGEX),
            "is" => return self.error("write == null or != null"),
            _ => {
                return self.error(
                    "no operator; write ==, !=, <, <=, >, >=, in, contains, startswith or endswith",
                );
            }
        };
        self.advance()?;
        let value = self.literal(&format!("behind {word}"))?;
        if value.is_null() {
            let message = format!("null has no text; write {name} == null, or quotes around it");
            return Err(FilterError::new(value.place, message));
        }
        Ok(Predicate::Text(part, value))
    }

    fn list(&mut self) -> Result<Predicate, FilterError> {
        self.advance()?;
        if self.token != Token::Open {
            return self.error("a list stands in parentheses: in (404, 410)");
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
                    return Err(FilterError::new(open, "this parenthesis is never closed"));
                }
                _ => return self.error("a comma or a closing parenthesis is missing before this"),
            };
        }
        Ok(Predicate::one_of(values))
    }

    fn literal(&mut self, whereabouts: &str) -> Result<Literal, FilterError> {
        let place = self.place;
        let (text, quoted) = match &self.token {
            Token::Word(word) if is_reserved(word) => {
                return self.error(format!(
                    "a value is missing {whereabouts}; if {word} is meant, put it in quotes"
                ));
            }
            Token::Word("-") => {
                let message = "- stands for a missing value; write null, or quotes around it";
                return self.error(message);
            }
            Token::Word(word) => ((*word).to_owned(), false),
            Token::Quoted(text) => (text.clone(), true),
            Token::Name(name) => {
                let message =
                    format!("a field is compared with a value; write '{name}' if it is one");
                return self.error(message);
            }
            _ => return self.error(format!("a value is missing {whereabouts}")),
        };
        self.advance()?;
        Ok(Literal { text: text.into_bytes().into(), quoted, place })
    }

    /// Whether a word that joins conditions comes next.
    fn at_joiner(&self) -> bool {
        self.is_word("and") || self.is_word("or")
    }

    /// Sees that what follows a condition is no more of it.
    fn expect_end(&self) -> Result<(), FilterError> {
        if matches!(self.token, Token::End | Token::And | Token::Or | Token::Close)
            || self.at_joiner()
        {
            return Ok(());
        }
        let adjacent = self.previous_end == self.place.start;
        match self.token {
            Token::Operator(_) if !adjacent => {
                self.error("one comparison at a time; write status >= 400 and status < 500")
            }
            Token::Word(_) => {
                self.error("and/or is missing before this, or quotes around the text")
            }
            _ if adjacent => self.error("text with such a sign in it stands in quotes"),
            _ => self.error("and/or is missing before this"),
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

/// Words that are no values unless they stand in quotes.
fn is_reserved(word: &str) -> bool {
    ["and", "or", "not", "in"].iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}
