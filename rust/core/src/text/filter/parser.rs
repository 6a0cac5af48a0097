//! Words and signs to conditions.

use super::condition::{Asked, Condition, Literal, Order, Part};
use super::lexer::{self, NO_PATTERNS, Sign, Token};
use super::{FilterError, MAX_BYTES, MAX_DEPTH, Node, Place};

type Names = Vec<(Box<str>, Place)>;

/// The conditions of an expression, and the fields that they are about.
pub(super) fn parse(text: &str) -> Result<(Node<Condition>, Names), FilterError> {
    if text.len() > MAX_BYTES {
        let place = Place { start: MAX_BYTES, end: text.len() };
        return Err(FilterError::new(
            place,
            format!("longer than {MAX_BYTES} bytes; ask for less"),
        ));
    }
    let (token, place) = lexer::next(text, 0)?;
    let mut parser = Parser { text, token, place, before: 0, depth: 0, names: Vec::new() };
    if parser.token == Token::End {
        return parser.wrong("nothing is asked here; write a condition, such as status >= 500");
    }
    let root = parser.any()?;
    match parser.token {
        Token::End => Ok((root, parser.names)),
        Token::Close => parser.wrong("no parenthesis is open here; leave this one out"),
        _ => parser.wrong("and/or is missing before this"),
    }
}

struct Parser<'a> {
    text: &'a str,
    /// What comes next.
    token: Token<'a>,
    place: Place,
    /// Where what came last ends.
    before: usize,
    depth: usize,
    names: Names,
}

impl<'a> Parser<'a> {
    fn wrong<T>(&self, message: impl Into<String>) -> Result<T, FilterError> {
        Err(FilterError::new(self.place, message))
    }

    fn advance(&mut self) -> Result<(Token<'a>, Place), FilterError> {
        let (token, place) = lexer::next(self.text, self.place.end)?;
        self.before = self.place.end;
        let place = std::mem::replace(&mut self.place, place);
        Ok((std::mem::replace(&mut self.token, token), place))
    }

    /// Whether this word of the language comes next.
    fn is_word(&self, word: &str) -> bool {
        matches!(self.token, Token::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn any(&mut self) -> Result<Node<Condition>, FilterError> {
        let mut nodes = vec![self.all()?];
        while self.token == Token::Or || self.is_word("or") {
            self.advance()?;
            nodes.push(self.all()?);
        }
        Ok(one_or(nodes, Node::Any))
    }

    fn all(&mut self) -> Result<Node<Condition>, FilterError> {
        let mut nodes = vec![self.negated()?];
        while self.token == Token::And || self.is_word("and") {
            self.advance()?;
            nodes.push(self.negated()?);
        }
        Ok(one_or(nodes, Node::All))
    }

    fn negated(&mut self) -> Result<Node<Condition>, FilterError> {
        if self.token != Token::Not && !self.is_word("not") {
            return self.grouped();
        }
        self.deeper()?;
        self.advance()?;
        let node = self.negated()?;
        self.depth -= 1;
        Ok(Node::Not(Box::new(node)))
    }

    fn grouped(&mut self) -> Result<Node<Condition>, FilterError> {
        if self.token != Token::Open {
            return self.condition();
        }
        self.deeper()?;
        let (_, open) = self.advance()?;
        let node = self.any()?;
        match self.token {
            Token::Close => self.advance()?,
            Token::End => return Err(FilterError::new(open, "this parenthesis is never closed")),
            _ => return self.wrong("and/or or a closing parenthesis is missing before this"),
        };
        self.depth -= 1;
        Ok(node)
    }

    /// Parsing, binding and asking go down as deep as the expression does.
    fn deeper(&mut self) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self
                .wrong(format!("nested deeper than {MAX_DEPTH} levels; leave parentheses out"));
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
        if !negated && (ends || self.joins()) {
            let message = format!("what of {name}? To ask whether there is one: {name} != null");
            return Err(FilterError::new(place, message));
        }
        let (not, asked) = match self.token {
            Token::Order(sign) if !negated => self.compared(sign)?,
            Token::Word(word) => (negated, self.asked_in_words(word, name)?),
            _ if negated => {
                return self.wrong("behind not comes in, contains, startswith or endswith");
            }
            _ => {
                return self
                    .wrong(format!("a sign is missing between {name} and this, such as =="));
            }
        };
        self.see_end()?;
        let node = Node::One(Condition { field, place, asked });
        Ok(if not { Node::Not(Box::new(node)) } else { node })
    }

    fn field(&mut self) -> Result<(usize, &'a str, Place), FilterError> {
        let name = match self.token {
            Token::Name(name) => name,
            Token::Word(word) if self.joins() => {
                return self.wrong(format!("a condition is missing before {word}"));
            }
            Token::Word(word) => word,
            Token::Quoted(ref text) => {
                let field = if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                {
                    text.clone()
                } else {
                    format!("`{text}`")
                };
                return self.wrong(format!(
                    "a condition begins with a field, which has no quotes: {field} == ..."
                ));
            }
            _ => return self.wrong("a field is missing here, such as status"),
        };
        let (token, place) = self.advance()?;
        if let (Token::Word(word), Token::Order(_)) = (&token, &self.token)
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

    fn compared(&mut self, sign: Sign) -> Result<(bool, Asked), FilterError> {
        let (_, place) = self.advance()?;
        let value = self.literal("behind the sign")?;
        let (not, order) = match sign {
            Sign::Equal => (false, Order::Equal),
            Sign::NotEqual => (true, Order::Equal),
            Sign::Less => (false, Order::Less),
            Sign::LessOrEqual => (false, Order::LessOrEqual),
            Sign::Greater => (false, Order::Greater),
            Sign::GreaterOrEqual => (false, Order::GreaterOrEqual),
        };
        if value.is_null() && order != Order::Equal {
            let message = "null has no order; write == null or != null";
            return Err(FilterError::new(place, message));
        }
        Ok((not, Asked::Compare(order, value)))
    }

    fn asked_in_words(&mut self, word: &str, name: &str) -> Result<Asked, FilterError> {
        let part = match &*word.to_ascii_lowercase() {
            "in" => return self.list(),
            "contains" => Part::Anywhere,
            "startswith" => Part::Start,
            "endswith" => Part::End,
            "matches" | "like" | "regex" | "~" | "~*" => return self.wrong(NO_PATTERNS),
            "is" => return self.wrong("write == null or != null"),
            _ => {
                return self.wrong(
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
        Ok(Asked::Part(part, value))
    }

    fn list(&mut self) -> Result<Asked, FilterError> {
        self.advance()?;
        if self.token != Token::Open {
            return self.wrong("a list stands in parentheses: in (404, 410)");
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
                _ => return self.wrong("a comma or a closing parenthesis is missing before this"),
            };
        }
        Ok(Asked::one_of(values))
    }

    fn literal(&mut self, whereabouts: &str) -> Result<Literal, FilterError> {
        let place = self.place;
        let (text, quoted) = match &self.token {
            Token::Word(word) if is_reserved(word) => {
                return self.wrong(format!(
                    "a value is missing {whereabouts}; if {word} is meant, put it in quotes"
                ));
            }
            Token::Word("-") => {
                let message = "- stands for a missing value; write null, or quotes around it";
                return self.wrong(message);
            }
            Token::Word(word) => ((*word).to_owned(), false),
            Token::Quoted(text) => (text.clone(), true),
            Token::Name(name) => {
                let message =
                    format!("a field is compared with a value; write '{name}' if it is one");
                return self.wrong(message);
            }
            _ => return self.wrong(format!("a value is missing {whereabouts}")),
        };
        self.advance()?;
        Ok(Literal { text: text.into_bytes().into(), quoted, place })
    }

    /// Whether a word that joins conditions comes next.
    fn joins(&self) -> bool {
        self.is_word("and") || self.is_word("or")
    }

    /// Sees that what follows a condition is no more of it.
    fn see_end(&self) -> Result<(), FilterError> {
        if matches!(self.token, Token::End | Token::And | Token::Or | Token::Close) || self.joins()
        {
            return Ok(());
        }
        let adjacent = self.before == self.place.start;
        match self.token {
            Token::Order(_) if !adjacent => {
                self.wrong("one comparison at a time; write status >= 400 and status < 500")
            }
            Token::Word(_) => {
                self.wrong("and/or is missing before this, or quotes around the text")
            }
            _ if adjacent => self.wrong("text with such a sign in it stands in quotes"),
            _ => self.wrong("and/or is missing before this"),
        }
    }
}

fn one_or(
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
