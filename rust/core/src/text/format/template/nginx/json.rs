//! A `log_format` that writes a JSON object: finds the path of each variable.

use super::super::super::field_type::FieldType;
use super::super::super::standard_fields;
use super::super::TemplateError;
use super::super::draft::{Body, MAX_FIELDS, error, quoted_char, too_many};
use super::super::meaning::{self, Meaning};
use super::{Token, TokenKind, tokens, variables};

/// The most levels of nesting. Real formats have one or two.
const DEEPEST: usize = 16;

/// Whether a format is a JSON object: a brace, then a key or the closing brace.
pub(super) fn is_object(body: &Body) -> bool {
    let Some(rest) = body.bytes.trim_ascii_start().strip_prefix(b"{") else { return false };
    matches!(rest.trim_ascii_start().first(), Some(b'"' | b'}') | None)
}

/// The fields of an object: name, path and type of each.
pub(super) fn compile(body: &Body) -> Result<Vec<(String, Vec<String>, FieldType)>, TemplateError> {
    let mut reader = Reader { body, at: 0, path: Vec::new(), found: Vec::new() };
    reader.blanks();
    reader.object()?;
    reader.blanks();
    if reader.at < body.bytes.len() {
        return Err(reader.expected("the end of the format after the object"));
    }
    if reader.found.is_empty() {
        let all = body.place(0, body.bytes.len());
        let message =
            "expected a $variable, such as $status, as a value in this object, found none";
        return Err(error(all, message));
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

    /// The error that something else was expected here.
    fn expected(&self, expected: &str) -> TemplateError {
        let end = self.body.after_character(self.at);
        let found = match self.next() {
            Some(_) => quoted_char(&self.body.text(self.at, end), 0),
            None => "the end of the format".to_owned(),
        };
        error(self.body.place(self.at, end), format!("expected {expected}, found {found}"))
    }

    fn expect(&mut self, byte: u8, expected: &str) -> Result<(), TemplateError> {
        self.blanks();
        if self.next() != Some(byte) {
            return Err(self.expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// Parses the object that begins here.
    fn object(&mut self) -> Result<(), TemplateError> {
        self.check_depth()?;
        self.at += 1;
        self.blanks();
        if self.next() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.expect(b'"', "a key in double quotes")?;
            let (start, end) = self.string()?;
            let key = self.body.text(start, end);
            if key.contains('$') {
                let place = self.body.place(start, end);
                return Err(error(place, "a key cannot contain a variable; write a fixed name"));
            }
            self.expect(b':', "a colon after the key")?;
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
                _ => return Err(self.expected("a comma or } after the value")),
            }
        }
    }

    /// Skips a comma, after which another member has to follow.
    fn comma(&mut self) -> Result<(), TemplateError> {
        let comma = self.at;
        self.at += 1;
        self.blanks();
        if self.next() == Some(b'}') {
            let place = self.body.place(comma, comma + 1);
            let message = "expected another key after the comma, found }; remove the comma, or the \
                           lines are not JSON";
            return Err(error(place, message));
        }
        Ok(())
    }

    /// Parses a string after its opening quote, up to the closing one.
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
        Err(error(place, "unclosed quote: add the closing \" at the end of the string"))
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
            None | Some(b',' | b'}' | b']' | b':') => Err(self.expected("a value")),
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

    /// The length of a `${name}` that begins here. Its brace does not close the object.
    fn braced(&self) -> Option<usize> {
        let rest = &self.body.bytes[self.at..];
        rest.starts_with(b"${").then(|| {
            rest.iter().position(|&byte| byte == b'}').map_or(rest.len(), |closing| closing + 1)
        })
    }

    /// Parses the array that begins here; the index of an element is its key.
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
                    return Err(error(
                        place,
                        "unclosed bracket: add the closing ] at the end of the array",
                    ));
                }
                Some(_) => return Err(self.expected("a comma or ] after the value")),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn check_depth(&self) -> Result<(), TemplateError> {
        if self.path.len() < DEEPEST {
            return Ok(());
        }
        let place = self.body.place(self.at, self.body.after_character(self.at));
        Err(error(place, format!("nested too deeply: the limit is {DEEPEST} levels")))
    }

    /// Records the field whose value is written here. A constant value is not a field.
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

/// The meaning of a value that combines several variables: text with the name of its key.
fn by_key(key: &str) -> Meaning {
    match standard_fields::standard_field(key).filter(|known| known.read == FieldType::Text) {
        Some(known) => Meaning { standard: known.name, rank: 9, ..Meaning::text(key) },
        None => Meaning::text(key),
    }
}

/// Unescapes a key. Formats do not use other escapes than these three.
fn unescaped(key: &str) -> String {
    key.replace("\\\"", "\"").replace("\\/", "/").replace("\\\\", "\\")
}
