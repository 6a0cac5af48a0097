//! logfmt: `key=value` pairs separated by blanks, values with blanks in quotes.
//!
//! The usual keys of JSON logs are mapped to standard fields; any other key is a field with its own
//! name. A quoted value has the escapes of Go and JSON. The last of two equal keys counts. A key
//! without `=` is true, as for Go's decoders. Since any text has words, a line has to begin with a
//! pair, and one with such keys needs two pairs.

use super::super::field_type::{Encoding, FieldType};
use super::super::parsed::{FoundField, Reject, Span};
use super::find::{PrefixSet, find_either};
use super::json::{aliases, without_port};
use super::{bom_len, empty_line, found, is_blank, own_type, with_spans};

/// How many values are stored on the stack.
const MANY: usize = 320;

/// The format, with the keys to find.
#[derive(Clone, Debug)]
pub(crate) struct Logfmt {
    found: Vec<FoundField>,
    fields: Vec<Field>,
    /// The keys with their equals signs.
    keys: PrefixSet,
}

#[derive(Clone, Debug)]
struct Field {
    /// The keys that it may have; the first one with a value counts.
    keys: Vec<usize>,
    /// Whether it is not a standard field.
    own: bool,
    /// Whether it is the client's address, which may have a port.
    host: bool,
}

/// A pair of a line, or a key alone.
struct Pair {
    key: Span,
    /// The inside of the quotes, or what follows the equals sign; of a key alone the key itself.
    value: Span,
    has_value: bool,
    end: usize,
}

impl Logfmt {
    /// The format with all standard fields.
    pub(crate) fn new() -> Self {
        Self::of(known_fields())
    }

    /// The format with only these fields; a name that is not that of a standard field is a key.
    pub(crate) fn with_fields(names: &[&str]) -> Self {
        let mut fields: Vec<(&str, FieldType, &str)> = Vec::new();
        for &name in names {
            let before = fields.len();
            known_fields().filter(|field| *field.0 == *name).for_each(|field| fields.push(field));
            if fields.len() == before {
                fields.push((name, own_type(name), name));
            }
        }
        Self::of(fields.into_iter())
    }

    fn of<'a>(fields: impl Iterator<Item = (&'a str, FieldType, &'a str)>) -> Self {
        let mut logfmt = Self { found: Vec::new(), fields: Vec::new(), keys: PrefixSet::default() };
        for (name, read, names) in fields {
            let own = read == FieldType::Any;
            let names = if own { vec![names] } else { names.split('|').collect() };
            let prefixes = names.into_iter().map(|key| (key.replace('\\', "") + "=").into_bytes());
            let keys = prefixes.map(|prefix| logfmt.keys.number_of(prefix)).collect();
            logfmt.fields.push(Field { keys, own, host: name == "host" });
            logfmt.found.push(found(name, read, Encoding::Logfmt));
        }
        logfmt
    }

    /// The fields, in the order of the spans.
    pub(crate) fn found(&self) -> &[FoundField] {
        &self.found
    }

    /// Finds the fields of a line.
    pub(crate) fn split(&self, line: &[u8], spans: &mut [Span]) -> Result<(), Reject> {
        with_spans::<MANY, _>(self.keys.len(), |values| self.split_into(line, spans, values))
    }

    fn split_into(
        &self,
        line: &[u8],
        spans: &mut [Span],
        values: &mut [Span],
    ) -> Result<(), Reject> {
        let mut at = blanks(line, bom_len(line));
        let (mut pairs, mut alone) = (0, None);
        while at < line.len() {
            let pair = pair(line, at)?;
            if pair.has_value {
                pairs += 1;
                if let Some((known, _)) = self.keys.match_prefix(&line[at..]) {
                    values[known] = pair.value;
                }
            } else if pairs == 0 {
                return Err(expected_pair(line, at));
            } else {
                alone = alone.or(Some(at));
                self.set_alone(line, &pair, values);
            }
            at = blanks(line, pair.end);
        }
        match alone {
            _ if pairs == 0 => return Err(empty_line()),
            Some(at) if pairs == 1 => return Err(expected_pair(line, at)),
            _ => {}
        }
        for (field, span) in self.fields.iter().zip(spans) {
            let mut values = field.keys.iter().map(|&key| values[key]);
            let value =
                values.find(|value| value.is_some() && (field.own || value.start() < value.end()));
            *span = match value {
                Some(value) if field.own => value,
                Some(value) if is_alone(line, value.start()) => Span::NONE,
                Some(value) if field.host => without_port(line, value),
                Some(value) => value,
                None => Span::NONE,
            };
        }
        Ok(())
    }

    /// Sets the value of a key without an equals sign.
    #[cold]
    fn set_alone(&self, line: &[u8], pair: &Pair, values: &mut [Span]) {
        let name = [pair.key.of(line).unwrap_or_default(), b"="].concat();
        if let Some(known) = self.keys.get(&name) {
            values[known] = pair.value;
        }
    }
}

/// Calls `take` with the key and the value of each pair of a line that matches.
pub(crate) fn each_member(line: &[u8], mut take: impl FnMut(Span, Span)) {
    let mut at = blanks(line, bom_len(line));
    while let Ok(pair) = pair(line, at) {
        take(pair.key, pair.value);
        at = blanks(line, pair.end);
    }
}

/// Whether a value that begins here is a key without an equals sign.
pub(crate) fn is_alone(line: &[u8], start: usize) -> bool {
    !matches!(start.checked_sub(1).and_then(|before| line.get(before)), Some(b'=' | b'"'))
}

/// The standard fields with the keys that they may have: those of JSON, and those of Heroku's
/// router.
fn known_fields() -> impl Iterator<Item = (&'static str, FieldType, &'static str)> {
    let router =
        [("host", own_type("host"), "fwd"), ("request_time", FieldType::Duration, "service")];
    let (first, last) = router.split_at(1);
    let (first, last) = (first.to_vec(), last.to_vec());
    let of_json = aliases().filter(|(_, _, keys)| !keys.contains(" if "));
    first.into_iter().chain(of_json).chain(last)
}

/// The pair that begins here.
fn pair(line: &[u8], start: usize) -> Result<Pair, Reject> {
    let is_key = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'=' | b'"');
    let rest = line.get(start..).unwrap_or_default();
    let length = rest.iter().take_while(|&&byte| is_key(byte)).count();
    let end = start + length;
    let begins =
        rest.first().is_some_and(|byte| byte.is_ascii_alphabetic() || b"_@$".contains(byte));
    let key = Span::new(start, end);
    match line.get(end) {
        _ if !begins => Err(expected_pair(line, start)),
        None | Some(b' ' | b'\t' | b'\r' | b'\n') => {
            Ok(Pair { key, value: key, has_value: false, end })
        }
        Some(b'=') if line.get(end + 1) == Some(&b'"') => {
            let value = end + 2;
            let Some(close) = closing_quote(line, value) else {
                return Err(Reject::new(line.len(), "the quote that closes the value"));
            };
            if !matches!(line.get(close + 1), None | Some(b' ' | b'\t' | b'\r' | b'\n')) {
                return Err(Reject::new(close + 1, "a blank after the quoted value"));
            }
            let value = Span::new(value, close);
            Ok(Pair { key, value, has_value: true, end: close + 1 })
        }
        Some(b'=') => {
            let mut close = find_either(line, end + 1, b' ', b'\t');
            if close == line.len() {
                let blanks = line[end + 1..].iter().rev();
                close -= blanks.take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            }
            Ok(Pair { key, value: Span::new(end + 1, close), has_value: true, end: close })
        }
        Some(_) => Err(Reject::new(end, "an equals sign after the key")),
    }
}

/// The quote that closes the value that begins here.
fn closing_quote(line: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = find_either(line, at, b'"', b'\\');
        match line.get(at)? {
            b'"' => return Some(at),
            _ => at += 2,
        }
    }
}

fn blanks(line: &[u8], at: usize) -> usize {
    let rest = line.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count()
}

fn expected_pair(line: &[u8], at: usize) -> Reject {
    if is_blank(line) { empty_line() } else { Reject::new(at, "a key, an equals sign and a value") }
}
