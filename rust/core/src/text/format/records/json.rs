//! JSON: one object a line.
//!
//! The line is checked to be JSON as RFC 8259 has it, and the places of the wanted values are
//! noted on the way; what nobody wants is looked at no more than that needs. Bytes that are not
//! UTF-8 and bare control bytes in strings are taken as they are: no byte is a reason to reject a
//! line. Objects and arrays may be `MAX_DEPTH` deep. Of a key that occurs twice the last one
//! counts, as in Python's `json`. Keys are compared by what their escapes say.

use super::super::parsed::{Found, Reject, Span};
use super::super::read::{Encoding, Read};
use super::super::template::TemplateError;
use super::find::{Words, either};
use super::{blank, column, decode, empty_line, found, lead, standard};

/// How deep objects and arrays may be, the object that is the line included. Python's own parser
/// ends at about 1,000, serde's at 128; access logs have five.
const MAX_DEPTH: u32 = 64;

/// How many keys a path may have.
const MAX_PATH: usize = 16;

/// How long a key of a path may be, in bytes.
const LONGEST_KEY: usize = 128;

/// How many wanted places are kept on the stack; twice, for few and for many.
const FEW: usize = 32;
const MANY: usize = 320;

/// A field and where it is looked for.
#[derive(Clone, Debug)]
pub(crate) struct Want {
    name: Box<str>,
    read: Read,
    /// The first one with a value that is not null counts.
    paths: Vec<Path>,
    /// What a line lacks that has none of them, if it has to have one.
    required: Option<&'static str>,
    /// Whether an object or an array is a value.
    nested: bool,
}

type Path = Vec<Box<[u8]>>;

impl Want {
    /// A field `name` or `name:type` by its paths: keys with points between them, alternatives
    /// with bars, `!` at the end if a line has to have it. An element of an array has its number
    /// for a key. A backslash takes the meaning from the character behind it.
    pub(crate) fn new(name: &str, paths: &str) -> Result<Self, TemplateError> {
        let (name, read) = column(name, 0)?;
        Self::at(name, read, paths, 0)
    }

    /// The same, with the place of the paths in the text that they were written in.
    fn at(name: &str, read: Read, written: &str, start: usize) -> Result<Self, TemplateError> {
        let (text, required) = match written.strip_suffix('!') {
            Some(text) if !text.ends_with('\\') => (text, Some(missing(text))),
            _ => (written, None),
        };
        let error = |message: &str| TemplateError {
            start,
            end: start + written.len(),
            message: message.to_owned(),
        };
        let mut paths = vec![vec![Vec::new()]];
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            let Some(path) = paths.last_mut() else { break };
            match byte {
                b'|' => paths.push(vec![Vec::new()]),
                b'.' => path.push(Vec::new()),
                _ => {
                    let byte = if byte == b'\\' { bytes.next() } else { Some(byte) };
                    let byte = byte.ok_or_else(|| error("nothing behind the backslash"))?;
                    path.last_mut().into_iter().for_each(|key| key.push(byte));
                }
            }
        }
        if paths.iter().flatten().any(Vec::is_empty) {
            return Err(error("a path has a key between points, and none is empty"));
        }
        if paths.iter().flatten().any(|key| key.len() > LONGEST_KEY) {
            return Err(error("a key has at most 128 bytes"));
        }
        if paths.iter().any(|path| path.len() > MAX_PATH) {
            return Err(error("a path has at most 16 keys"));
        }
        let paths = paths.into_iter().map(|path| path.into_iter().map(Into::into).collect());
        let nested = matches!(read, Read::Text | Read::Verbatim);
        Ok(Self { name: name.into(), read, paths: paths.collect(), required, nested })
    }

    /// A path of which every character is meant.
    fn own(name: &str) -> Option<Self> {
        Self::at(name, standard(name), name, 0).ok()
    }
}

/// What is expected where none of these paths leads to a value.
///
/// A reject's words are made before there is a line, so those of the named formats are listed.
fn missing(paths: &str) -> &'static str {
    match paths {
        "request.uri" => "the key request.uri",
        "request.method" => "the key request.method",
        "ts" => "the key ts",
        "RequestPath" => "the key RequestPath",
        "DownstreamStatus" => "the key DownstreamStatus",
        "response_code" => "the key response_code",
        "start_time" => "the key start_time",
        _ => "a key that the format requires",
    }
}

/// The format, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Json {
    wants: Vec<Want>,
    /// Whether names that are not among these are paths.
    any: bool,
    found: Vec<Found>,
    fields: Vec<Field>,
    /// The keys that lead to wanted values. The first node is the line's object.
    nodes: Vec<Node>,
    /// How many different paths there are.
    places: usize,
}

/// Which places a field may have its value in.
#[derive(Clone, Debug)]
struct Field {
    places: Vec<usize>,
    required: Option<&'static str>,
    nested: bool,
    /// Whether it is the client, which some write with its port.
    host: bool,
}

/// Where some path leads to.
#[derive(Clone, Debug, Default)]
struct Node {
    edges: Vec<Edge>,
    /// Their keys as they stand in a line, behind the first quote.
    keys: Words,
    /// The numbers of the edges whose keys never stand in a line as they are.
    special: Vec<usize>,
    /// Its own place, if it is a value that is wanted.
    place: Option<usize>,
    /// Whether it is wanted too if it is an object or an array.
    nested: bool,
    /// The places of it and of all below it; they are neighbours.
    below: (usize, usize),
}

#[derive(Clone, Debug)]
struct Edge {
    key: Box<[u8]>,
    /// The key as the number of an element.
    number: Option<u32>,
    node: usize,
}

impl Json {
    /// Objects with these fields.
    #[cfg(test)]
    pub(crate) fn new(fields: &[Want]) -> Self {
        Self::of(fields.to_vec(), false)
    }

    /// Fields as named formats list them: names and paths.
    pub(crate) fn listed(fields: &[(&str, &str)]) -> Result<Self, TemplateError> {
        let wants: Result<_, _> =
            fields.iter().map(|(name, paths)| Want::new(name, paths)).collect();
        Ok(Self::of(wants?, false))
    }

    /// A field map as people write it: `name=paths` with commas between them, or `name` alone
    /// where the path is called the same; a name may have a type behind a colon.
    pub(crate) fn written(map: &str) -> Result<Self, TemplateError> {
        let mut wants = Vec::new();
        let mut start = 0;
        for piece in map.split(',') {
            let (name, paths) = piece
                .split_once('=')
                .unwrap_or_else(|| (piece, piece.rsplit_once(':').map_or(piece, |(name, _)| name)));
            let at = start + if piece.contains('=') { name.len() + 1 } else { 0 };
            let (name, read) = column(name, start)?;
            wants.push(Want::at(name, read, paths, at)?);
            start += piece.len() + 1;
        }
        Ok(Self::of(wants, false))
    }

    /// Any object, by the usual names of its fields. Other names that `narrowed` is asked for are
    /// paths.
    pub(crate) fn any() -> Self {
        let wants = ALIASES.iter().filter_map(|(name, paths)| {
            let want = Want::at(name, standard(name), paths, 0).ok()?;
            // `"request": {...}` is no request line.
            Some(Want { nested: false, ..want })
        });
        Self::of(wants.collect(), true)
    }

    /// Fields with the keys that lead to each.
    pub(crate) fn pasted(fields: Vec<(String, Vec<String>, Read)>) -> Self {
        let want = |(name, path, read): (String, Vec<String>, Read)| {
            let path = path.into_iter().map(|key| key.into_bytes().into()).collect();
            Want { name: name.into(), read, paths: vec![path], required: None, nested: false }
        };
        Self::of(fields.into_iter().map(want).collect(), false)
    }

    /// Whether any name is a path.
    pub(crate) fn is_any(&self) -> bool {
        self.any
    }

    /// The same format with only these fields and those that a line has to have.
    pub(crate) fn narrowed(&self, names: &[&str]) -> Self {
        let asked = |want: &&Want| want.required.is_some() || names.contains(&&*want.name);
        let mut wants: Vec<_> = self.wants.iter().filter(asked).cloned().collect();
        if self.any {
            for name in names {
                if !wants.iter().any(|want| &*want.name == *name) {
                    wants.extend(Want::own(name));
                }
            }
        }
        Self::of(wants, self.any)
    }

    fn of(wants: Vec<Want>, any: bool) -> Self {
        let mut nodes = vec![Node::default()];
        let mut ends = Vec::new();
        for want in &wants {
            let of_want: Vec<_> = want.paths.iter().map(|path| reach(&mut nodes, path)).collect();
            for &node in &of_want {
                nodes[node].place = Some(0);
                nodes[node].nested |= want.nested;
            }
            ends.push(of_want);
        }
        let mut places = 0;
        number(&mut nodes, 0, &mut places);
        let fields = ends.into_iter().zip(&wants).map(|(ends, want)| Field {
            places: ends.into_iter().filter_map(|node| nodes[node].place).collect(),
            required: want.required,
            nested: want.nested,
            host: &*want.name == "host",
        });
        Self {
            fields: fields.collect(),
            found: wants
                .iter()
                .map(|want| found(&want.name, want.read.clone(), Encoding::Json))
                .collect(),
            wants,
            any,
            nodes,
            places,
        }
    }

    /// The fields, in the order of the spans.
    pub(crate) fn found(&self) -> &[Found] {
        &self.found
    }

    /// Finds the fields of a line.
    pub(crate) fn split(&self, line: &[u8], spans: &mut [Span]) -> Result<(), Reject> {
        if self.places <= FEW {
            self.split_into(line, spans, &mut [Span::NONE; FEW])
        } else if self.places <= MANY {
            self.split_into(line, spans, &mut [Span::NONE; MANY])
        } else {
            self.split_into(line, spans, &mut vec![Span::NONE; self.places])
        }
    }

    fn split_into(
        &self,
        line: &[u8],
        spans: &mut [Span],
        places: &mut [Span],
    ) -> Result<(), Reject> {
        let end = match self.walk(line, places) {
            Ok(end) => end,
            Err(_) if blank(line) => return Err(empty_line()),
            Err(fault) => return Err(fault.into()),
        };
        for (field, span) in self.fields.iter().zip(spans) {
            let value =
                field.places.iter().map(|&place| places[place]).find(|value| {
                    value.is_some() && (field.nested || !is_nested(line, value.start()))
                });
            *span = match (value, field.required) {
                (Some(value), _) if field.host => without_port(line, value),
                (Some(value), _) => value,
                (None, None) => Span::NONE,
                (None, Some(required)) => return Err(Reject::new(end - 1, required)),
            };
        }
        Ok(())
    }

    /// Goes through the line, sets the places of what is wanted, and says where its object ends.
    fn walk(&self, line: &[u8], places: &mut [Span]) -> Step {
        let mut at = blanks(line, lead(line));
        if line.get(at) != Some(&b'{') {
            return Err(Fault::new(at, Expected::Line));
        }
        // Only keys that lead somewhere have a frame, so no line can ask for more than these.
        let mut outer = [Frame::default(); MAX_PATH];
        let mut depth = 0;
        let mut frame = Frame { node: 0, start: at, end: b'}', elements: 0 };
        let mut first = true;
        at += 1;
        loop {
            at = blanks(line, at);
            if line.get(at) == Some(&frame.end) {
                at += 1;
                let node = &self.nodes[frame.node];
                if let (Some(place), true) = (node.place, node.nested) {
                    places[place] = Span::new(frame.start, at);
                }
                if depth == 0 {
                    return ended(line, at);
                }
                depth -= 1;
                frame = outer[depth];
                first = false;
                continue;
            }
            if !first {
                at = comma(line, at, frame.end)?;
            }
            first = false;
            let node;
            (node, at) = self.member(line, at, &mut frame)?;
            let Some(node) = node else {
                at = skip(line, at, depth_of(depth))?;
                continue;
            };
            let reached = &self.nodes[node];
            if !reached.edges.is_empty() {
                // What an earlier key of this name had below it counts no more.
                places[reached.below.0..reached.below.1].fill(Span::NONE);
                if let Some(open @ (b'{' | b'[')) = line.get(at) {
                    let inner = Frame { node, start: at, end: open + 2, elements: 0 };
                    outer[depth] = std::mem::replace(&mut frame, inner);
                    depth += 1;
                    at += 1;
                    first = true;
                    continue;
                }
            }
            let end = skip(line, at, depth_of(depth))?;
            if let Some(place) = reached.place {
                places[place] = value(line, at, end, reached.nested);
            }
            at = end;
        }
    }

    /// Where the member or the element that begins here leads to, and where its value begins.
    #[inline]
    fn member(
        &self,
        line: &[u8],
        at: usize,
        frame: &mut Frame,
    ) -> Result<(Option<usize>, usize), Fault> {
        let node = &self.nodes[frame.node];
        if frame.end == b']' {
            let number = Some(frame.elements);
            frame.elements = frame.elements.saturating_add(1);
            let edge = node.edges.iter().find(|edge| edge.number == number);
            return Ok((edge.map(|edge| edge.node), at));
        }
        if line.get(at) != Some(&b'"') {
            return Err(Fault::new(at, Expected::Key));
        }
        let start = at + 1;
        if let Some((number, length)) = node.keys.beginning(&line[start..]) {
            return Ok((Some(node.edges[number].node), colon(line, start + length)?));
        }
        let end = either(line, start, b'"', b'\\');
        if line.get(end) == Some(&b'"') {
            return Ok((None, colon(line, end + 1)?));
        }
        let end = escaped(line, end)?;
        Ok((node.escaped(&line[start..end - 1]), colon(line, end)?))
    }
}

impl Node {
    /// Where a key leads to that is written with escapes.
    #[cold]
    fn escaped(&self, key: &[u8]) -> Option<usize> {
        let mut said = [0; LONGEST_KEY + 1];
        let length = decode::json_into(key, &mut said[..LONGEST_KEY])?;
        said[length] = b'"';
        let found = self.keys.beginning(&said[..=length]).filter(|found| found.1 == length + 1);
        let edge = match found {
            Some((number, _)) => Some(&self.edges[number]),
            None => self
                .special
                .iter()
                .map(|&number| &self.edges[number])
                .find(|edge| *edge.key == said[..length]),
        };
        edge.map(|edge| edge.node)
    }
}

/// An object or array whose insides are looked at.
#[derive(Clone, Copy, Default)]
struct Frame {
    node: usize,
    start: usize,
    /// The byte that ends it.
    end: u8,
    elements: u32,
}

/// The node that a path leads to.
fn reach(nodes: &mut Vec<Node>, path: &Path) -> usize {
    let mut at = 0;
    for key in path {
        let node = nodes.len();
        let from = &mut nodes[at];
        if let Some(edge) = from.edges.iter().find(|edge| edge.key == *key) {
            at = edge.node;
            continue;
        }
        if key.iter().any(|&byte| matches!(byte, b'"' | b'\\')) {
            from.special.push(from.edges.len());
        } else {
            from.keys.push(from.edges.len(), [key, &b"\""[..]].concat());
        }
        let number = std::str::from_utf8(key).ok().and_then(element);
        from.edges.push(Edge { key: key.clone(), number, node });
        nodes.push(Node::default());
        at = node;
    }
    at
}

/// The number of an element, if this is how one is written.
fn element(key: &str) -> Option<u32> {
    key.parse().ok().filter(|number: &u32| number.to_string() == key)
}

/// Numbers the places of a node and all below it.
fn number(nodes: &mut [Node], node: usize, places: &mut usize) {
    let first = *places;
    if nodes[node].place.is_some() {
        nodes[node].place = Some(*places);
        *places += 1;
    }
    for edge in 0..nodes[node].edges.len() {
        number(nodes, nodes[node].edges[edge].node, places);
    }
    nodes[node].below = (first, *places);
}

/// How deep one is inside this many frames and the line's object.
#[expect(clippy::cast_possible_truncation, reason = "there are at most 16 frames")]
fn depth_of(frames: usize) -> u32 {
    frames as u32 + 1
}

/// A step through the line: the place behind something, if it is there.
type Step = Result<usize, Fault>;

/// What was expected at which place, as one number: a step then comes back in two registers.
#[derive(Clone, Copy)]
struct Fault(u64);

impl Fault {
    fn new(at: usize, expected: Expected) -> Self {
        Self((at as u64) << 8 | expected as u64)
    }
}

impl From<Fault> for Reject {
    fn from(fault: Fault) -> Self {
        let known = EXPECTED.iter().find(|known| known.0 as u64 == fault.0 & 0xff);
        Self::new((fault.0 >> 8) as usize, known.map_or("JSON", |known| known.1))
    }
}

#[derive(Clone, Copy)]
enum Expected {
    Line,
    Key,
    Colon,
    Value,
    Member,
    Element,
    Quote,
    Escape,
    Digit,
    NoZero,
    Depth,
    End,
}

const EXPECTED: &[(Expected, &str)] = &[
    (Expected::Line, "a JSON object, which begins with {"),
    (Expected::Key, "a key in quotes"),
    (Expected::Colon, "the colon behind the key"),
    (Expected::Value, "a JSON value"),
    (Expected::Member, "a comma or the }"),
    (Expected::Element, "a comma or the ]"),
    (Expected::Quote, "the quote that closes the string"),
    (Expected::Escape, "an escape that JSON has"),
    (Expected::Digit, "a digit"),
    (Expected::NoZero, "a number without leading zeros"),
    (Expected::Depth, "at most 64 objects and arrays in each other"),
    (Expected::End, "the end of the line"),
];

#[inline]
fn blanks(line: &[u8], at: usize) -> usize {
    if line.get(at).is_some_and(|&byte| byte <= b' ') { some_blanks(line, at) } else { at }
}

#[cold]
fn some_blanks(line: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = line.get(at) {
        at += 1;
    }
    at
}

/// Nothing but blanks may follow the line's object, which ends here.
fn ended(line: &[u8], end: usize) -> Step {
    let at = blanks(line, end);
    if at < line.len() { Err(Fault::new(at, Expected::End)) } else { Ok(end) }
}

/// Passes a comma and the blanks behind it.
#[inline]
fn comma(line: &[u8], at: usize, end: u8) -> Step {
    if line.get(at) == Some(&b',') {
        return Ok(blanks(line, at + 1));
    }
    let object = end == b'}';
    Err(Fault::new(at, if object { Expected::Member } else { Expected::Element }))
}

/// Passes the colon behind a key and the blanks around it.
#[inline]
fn colon(line: &[u8], at: usize) -> Step {
    let at = blanks(line, at);
    if line.get(at) == Some(&b':') {
        Ok(blanks(line, at + 1))
    } else {
        Err(Fault::new(at, Expected::Colon))
    }
}

/// Passes a key and its colon.
#[inline]
fn key(line: &[u8], at: usize) -> Step {
    if line.get(at) != Some(&b'"') {
        return Err(Fault::new(at, Expected::Key));
    }
    colon(line, string(line, at)?)
}

/// Passes a string, from its first quote on.
#[inline]
fn string(line: &[u8], at: usize) -> Step {
    let end = either(line, at + 1, b'"', b'\\');
    if line.get(end) == Some(&b'"') { Ok(end + 1) } else { escaped(line, end) }
}

/// Passes the rest of a string, from an escape on.
#[inline(never)]
fn escaped(line: &[u8], mut at: usize) -> Step {
    loop {
        match line.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => {
                at += match line.get(at + 1) {
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                    Some(b'u') if four_digits(line, at + 2) => 6,
                    _ => return Err(Fault::new(at, Expected::Escape)),
                }
            }
            Some(_) => at = either(line, at + 1, b'"', b'\\'),
            None => return Err(Fault::new(at, Expected::Quote)),
        }
    }
}

fn four_digits(line: &[u8], at: usize) -> bool {
    line.get(at..at + 4).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// What a value that was passed is for a field.
#[inline]
fn value(line: &[u8], start: usize, end: usize, nested: bool) -> Span {
    match line[start] {
        b'"' => Span::new(start + 1, end - 1),
        b'n' => Span::NONE,
        b'{' | b'[' if !nested => Span::NONE,
        _ => Span::new(start, end),
    }
}

/// Passes a value.
#[inline]
fn skip(line: &[u8], at: usize, depth: u32) -> Step {
    match line.get(at) {
        Some(b'"') => string(line, at),
        Some(b'-' | b'0'..=b'9') => numeral(line, at),
        Some(b'{' | b'[') => skip_nested(line, at, depth),
        _ => word(line, at),
    }
}

/// Passes an object or an array with this many around it.
fn skip_nested(line: &[u8], mut at: usize, outer: u32) -> Step {
    // A bit for each that is open, the innermost lowest: whether it is an object.
    let mut objects = 0_u64;
    let mut depth = outer;
    loop {
        match line.get(at) {
            Some(b'"') => at = string(line, at)?,
            Some(b'-' | b'0'..=b'9') => at = numeral(line, at)?,
            Some(open @ (b'{' | b'[')) => {
                if depth == MAX_DEPTH {
                    return Err(Fault::new(at, Expected::Depth));
                }
                depth += 1;
                objects = objects << 1 | u64::from(*open == b'{');
                at = blanks(line, at + 1);
                if line.get(at) != Some(&(open + 2)) {
                    if *open == b'{' {
                        at = key(line, at)?;
                    }
                    continue;
                }
            }
            _ => at = word(line, at)?,
        }
        // Behind a value, or at the end of what has none.
        loop {
            at = blanks(line, at);
            if line.get(at) != Some(&end_of(objects)) {
                break;
            }
            at += 1;
            depth -= 1;
            objects >>= 1;
            if depth == outer {
                return Ok(at);
            }
        }
        at = comma(line, at, end_of(objects))?;
        if objects & 1 == 1 {
            at = key(line, at)?;
        }
    }
}

/// Passes `true`, `false` or `null`.
fn word(line: &[u8], at: usize) -> Step {
    let rest = line.get(at..).unwrap_or_default();
    let words: [&[u8]; 3] = [b"true", b"false", b"null"];
    let found = words.iter().find(|word| rest.starts_with(word));
    found.map(|word| at + word.len()).ok_or(Fault::new(at, Expected::Value))
}

/// Passes a number.
#[inline]
fn numeral(line: &[u8], start: usize) -> Step {
    let start = start + usize::from(line.get(start) == Some(&b'-'));
    let mut at = digits(line, start)?;
    if line.get(start) == Some(&b'0') && at > start + 1 {
        return Err(Fault::new(start + 1, Expected::NoZero));
    }
    if line.get(at) == Some(&b'.') {
        at = digits(line, at + 1)?;
    }
    if let Some(b'e' | b'E') = line.get(at) {
        let sign = matches!(line.get(at + 1), Some(b'+' | b'-'));
        at = digits(line, at + 1 + usize::from(sign))?;
    }
    Ok(at)
}

/// Passes at least one digit.
#[inline]
fn digits(line: &[u8], start: usize) -> Step {
    let mut at = start;
    while let Some(b'0'..=b'9') = line.get(at) {
        at += 1;
    }
    if at == start { Err(Fault::new(at, Expected::Digit)) } else { Ok(at) }
}

/// The byte that ends the innermost one.
fn end_of(objects: u64) -> u8 {
    if objects & 1 == 1 { b'}' } else { b']' }
}

/// Whether the value whose place begins here is an object or an array.
fn is_nested(line: &[u8], start: usize) -> bool {
    matches!(line[start - 1..], [before, b'{' | b'[', ..] if before != b'"')
}

/// An address without its port: `192.0.2.1:80`, `[2001:db8::1]:80`.
fn without_port(line: &[u8], value: Span) -> Span {
    let text = value.of(line).unwrap_or_default();
    let Some(colon) = text.iter().rposition(|&byte| byte == b':') else { return value };
    if !text[colon + 1..].iter().all(u8::is_ascii_digit) {
        return value;
    }
    match &text[..colon] {
        [b'[', address @ .., b']'] => {
            Span::new(value.start() + 1, value.start() + 1 + address.len())
        }
        // The last part of an address of version 6 is no port.
        address if address.contains(&b':') => value,
        address => Span::new(value.start(), value.start() + address.len()),
    }
}

/// The usual names: those of nginx variables, of Caddy, Traefik and Envoy, of Elastic's common
/// schema, of LTSV, and of what frameworks write.
///
/// Durations are in seconds here, so Envoy's and Traefik's are left to their own formats.
const ALIASES: &[(&str, &str)] = &[
    (
        "host",
        "remote_addr|client_ip|remote_ip|ClientHost|clientip|client_addr|clientIp|remoteAddress|\
         remoteIp|remote_host|remote_address|client_address|c_ip|c-ip|source_ip|src_ip|ip|client|\
         request.client_ip|request.remote_ip|client.ip|source.ip|source.address|\
         httpRequest.remoteIp|http_x_real_ip|host",
    ),
    (
        "user",
        "user|remote_user|ClientUsername|user_id|username|user_name|auth_user|cs_username|\
         cs-username|user.name",
    ),
    (
        "time",
        "time|ts|timestamp|@timestamp|time_iso8601|time_local|msec|start_time|StartUTC|datetime|\
         date_time|event_time|requestTime|request_timestamp|local_time|eventTime|date",
    ),
    (
        "method",
        "method|request_method|RequestMethod|http_method|requestMethod|verb|cs_method|cs-method|\
         request.method|http.method|http.request.method|httpRequest.requestMethod",
    ),
    (
        "url",
        "url|request_uri|uri|RequestPath|requestUri|request_url|requestUrl|x-envoy-origin-path|\
         request.uri|request.url|http.url|url.original|httpRequest.requestUrl",
    ),
    (
        "protocol",
        "protocol|server_protocol|RequestProtocol|proto|http_version|httpversion|httpVersion|\
         cs_version|cs-version|request.proto|httpRequest.protocol",
    ),
    ("request", "request|req|request_line|requestLine"),
    ("path", "path|uri_path|url_path|cs-uri-stem|cs_uri_stem|url.path"),
    ("query", "query|query_string|args|uri_query|cs-uri-query|cs_uri_query|url.query"),
    (
        "status",
        "status|status_code|statusCode|DownstreamStatus|response_code|http_status|\
         http_status_code|response|code|sc_status|sc-status|response.status|\
         http.response.status_code|httpRequest.status",
    ),
    (
        "size",
        "size|body_bytes_sent|DownstreamContentSize|bytes|response_size|responseSize|\
         content_length|bytes_written|http.response.body.bytes|httpRequest.responseSize",
    ),
    (
        "bytes_in",
        "bytes_in|bytes_read|bytes_received|request_length|RequestContentSize|request_size|\
         cs_bytes|cs-bytes|http.request.bytes|httpRequest.requestSize",
    ),
    ("bytes_out", "bytes_out|bytes_sent|sc_bytes|sc-bytes|http.response.bytes"),
    (
        "referer",
        "referer|http_referer|referrer|http_referrer|request_Referer|cs_referer|\
         request.headers.Referer.0|http.request.referrer|httpRequest.referer",
    ),
    (
        "agent",
        "agent|user_agent|http_user_agent|ua|userAgent|user-agent|useragent|request_User-Agent|\
         cs_user_agent|request.headers.User-Agent.0|user_agent.original|httpRequest.userAgent",
    ),
    (
        "vhost",
        "vhost|http_host|server_name|RequestHost|virtual_host|authority|:authority|domain|\
         request.host|url.domain|host",
    ),
    ("port", "port|server_port|s_port|s-port|url.port"),
    ("scheme", "scheme|request_scheme|RequestScheme|url.scheme"),
    ("request_time", "request_time|reqtime|duration"),
    ("upstream_time", "upstream_time|upstream_response_time|apptime"),
    ("upstream", "upstream|upstream_addr|upstream_host|ServiceAddr"),
    ("upstream_status", "upstream_status|OriginStatus"),
    (
        "xff",
        "xff|http_x_forwarded_for|x_forwarded_for|x-forwarded-for|forwarded_for|forwardedfor|\
         request_X-Forwarded-For|request.headers.X-Forwarded-For.0",
    ),
    (
        "request_id",
        "request_id|req_id|requestId|x_request_id|x-request-id|http_x_request_id|\
         request_X-Request-Id|request.headers.X-Request-Id.0",
    ),
];
