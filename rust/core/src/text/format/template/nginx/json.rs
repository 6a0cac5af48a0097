//! A body of `log_format` that is a JSON object: which variable is at which path.

use super::super::super::field_type::FieldType;
use super::super::super::standard_fields;
use super::super::TemplateError;
use super::super::draft::{Body, MAX_FIELDS, error, too_many};
use super::super::meaning::{self, Meaning};
use super::{Token, TokenKind, tokens, variables};

/// Deeper objects are refused: formats have one or two levels.
const DEEPEST: usize = 16;

/// Whether a body is meant as an object: a brace, then a key or the other brace.
pub(super) fn is_object(body: &Body) -> bool {
    let Some(rest) = body.bytes.trim_ascii_start().strip_prefix(b"{") else { return false };
    matches!(rest.trim_ascii_start().first(), Some(b'"' | b'}') | None)
}

/// The fields of an object, with the paths where they are.
pub(super) fn compile(body: &Body) -> Result<Vec<(String, Vec<String>, FieldType)>, TemplateError> {
    let mut reader = Reader { body, at: 0, path: Vec::new(), found: Vec::new() };
    reader.blanks();
    reader.object()?;
    reader.blanks();
    if reader.at < body.bytes.len() {
        return Err(reader.error("something follows the object; the format ends with its }"));
    }
    if reader.found.is_empty() {
        let all = body.place(0, body.bytes.len());
        return Err(error(all, "there is no $variable in this object"));
    }
    if reader.found.len() > MAX_FIELDS {
        return Err(too_many(body.place(0, body.bytes.len())));
    }
    let (paths, mut meanings): (Vec<_>, Vec<_>) = reader.found.into_iter().unzip();
    let names = meaning::assign_names(&mut meanings);
    let fields = names.into_iter().zip(paths).zip(meanings);
    Ok(fields
        .filter(|((name, _), _)| !name.is_empty())
        .map(|((name, path), meaning)| (name, path, meaning.read))
        .collect())
}

struct Reader<'a> {
    body: &'a Body,
    at: usize,
    path: Vec<String>,
    found: Vec<(Vec<String>, Meaning)>,
}

impl Reader<'_> {
    fn next(&self) -> Option<u8> {
        self.body.get(self.at)
    }

    fn blanks(&mut self) {
        while self.next().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn error(&self, message: &str) -> TemplateError {
        let end = self.body.after_character(self.at);
        error(self.body.place(self.at, end), message)
    }

    fn expect(&mut self, byte: u8, message: &str) -> Result<(), TemplateError> {
        self.blanks();
        if self.next() != Some(byte) {
            return Err(self.error(message));
        }
        self.at += 1;
        Ok(())
    }

    /// Reads the object that begins here.
    fn object(&mut self) -> Result<(), TemplateError> {
        self.check_depth()?;
        self.at += 1;
        self.blanks();
        if self.next() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.expect(
                b'"',
                "a key in double quotes is expected here, as in \"status\": $status",
            )?;
            let (start, end) = self.string()?;
            let key = self.body.text(start, end);
            if key.contains('$') {
                let place = self.body.place(start, end);
                return Err(error(place, "a key cannot be a variable; write a name in its place"));
            }
            self.expect(b':', "a colon is expected behind the key")?;
            self.path.push(unescaped(&key));
            self.value()?;
            self.path.pop();
            self.blanks();
            match self.next() {
                Some(b',') => self.comma()?,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                None => return Err(self.error("the object is not closed; write }")),
                Some(_) => return Err(self.error("a comma or } is expected behind the value")),
            }
        }
    }

    /// Passes over a comma, which another member has to follow.
    fn comma(&mut self) -> Result<(), TemplateError> {
        let comma = self.at;
        self.at += 1;
        self.blanks();
        if self.next() == Some(b'}') {
            let place = self.body.place(comma, comma + 1);
            return Err(error(place, "nothing follows this comma; drop it, or no line is JSON"));
        }
        Ok(())
    }

    /// Reads on to the quote that ends the string whose first quote was read.
    fn string(&mut self) -> Result<(usize, usize), TemplateError> {
        let start = self.at;
        while let Some(byte) = self.next() {
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok((start, self.at - 1));
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        let place = self.body.place(start - 1, self.body.bytes.len());
        Err(error(place, "this quote is not closed; write \" where the text ends"))
    }

    fn value(&mut self) -> Result<(), TemplateError> {
        self.blanks();
        match self.next() {
            Some(b'{') => self.object(),
            Some(b'"') => {
                self.at += 1;
                let (start, end) = self.string()?;
                self.take(start, end)
            }
            Some(b'[') => self.array(),
            None | Some(b',' | b'}' | b']' | b':') => Err(self.error("a value is expected here")),
            Some(_) => {
                let start = self.at;
                while self.next().is_some_and(|byte| !matches!(byte, b',' | b'}' | b']')) {
                    self.at += self.braced().unwrap_or(1);
                }
                let written = &self.body.bytes[start..self.at];
                self.take(start, start + written.trim_ascii_end().len())
            }
        }
    }

    /// The length of a `${name}` that is here, whose brace closes no object.
    fn braced(&self) -> Option<usize> {
        let rest = &self.body.bytes[self.at..];
        rest.starts_with(b"${").then(|| {
            rest.iter().position(|&byte| byte == b'}').map_or(rest.len(), |closing| closing + 1)
        })
    }

    /// Reads the list that begins here; the number of an element is its key.
    fn array(&mut self) -> Result<(), TemplateError> {
        let start = self.at;
        self.check_depth()?;
        self.at += 1;
        self.blanks();
        if self.next() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        for number in 0_usize.. {
            self.path.push(number.to_string());
            self.value()?;
            self.path.pop();
            self.blanks();
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                None => {
                    let place = self.body.place(start, start + 1);
                    return Err(error(place, "this list is not closed; write ]"));
                }
                Some(_) => return Err(self.error("a comma or ] is expected behind the value")),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn check_depth(&self) -> Result<(), TemplateError> {
        if self.path.len() < DEEPEST {
            return Ok(());
        }
        Err(self.error("this is nested too deeply: sixteen levels are read"))
    }

    /// Notes the field whose value is written here; what is the same on every line is none.
    fn take(&mut self, start: usize, end: usize) -> Result<(), TemplateError> {
        let piece = self.body.slice(start, end);
        let tokens = tokens(&piece)?;
        let meaning = match tokens.as_slice() {
            [Token { kind: TokenKind::Variables(names), .. }] => variables::joined(names),
            tokens if tokens.iter().all(|token| token.kind == TokenKind::Literal) => return Ok(()),
            _ if piece.bytes == b"$request_method $request_uri $server_protocol" => {
                variables::meaning("request")
            }
            _ => by_key(&self.path.join("_")),
        };
        self.found.push((self.path.clone(), meaning));
        Ok(())
    }
}

/// What is put together of several variables is named by its key.
fn by_key(key: &str) -> Meaning {
    match standard_fields::standard_field(key).filter(|known| known.read == FieldType::Text) {
        Some(known) => Meaning { standard: known.name, rank: 9, ..Meaning::text(key) },
        None => Meaning::text(key),
    }
}

/// A key without its escapes; others than these three do not occur in formats.
fn unescaped(key: &str) -> String {
    key.replace("\\\"", "\"").replace("\\/", "/").replace("\\\\", "\\")
}
