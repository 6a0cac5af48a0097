//! JSON: one object per line.
//!
//! A line is checked to be valid JSON (RFC 8259), and the positions of the requested values are
//! recorded on the way; other values are only skipped. Bytes that are not UTF-8 and control bytes
//! in strings are accepted: no byte alone is a reason to reject a line. Objects and arrays may be
//! nested `MAX_DEPTH` deep. The last of two equal keys counts, as in Python's `json`. Keys are
//! compared after decoding their escapes.
//!
//! Two things that are not valid are accepted: the escapes `\xHH` and `\v`, and the brackets and
//! commas of an array with one object per line.

mod aliases;
mod docker;
pub(super) mod field_paths;
mod keys;
pub(crate) mod members;
mod syntax;

pub(crate) use self::aliases::{ALIASES as JSON_KEYS, aliases};
pub(crate) use self::docker::Wrapped;
use self::field_paths::{FieldPaths, MAX_KEY_LEN, MAX_PATH, Path};
pub(crate) use self::keys::push_keys;
pub(crate) use self::syntax::is_between_objects;
use self::syntax::{
    Expected, StepResult, SyntaxError, before_object, blanks, colon, comma, escaped, expect_end,
    skip,
};
use super::super::field_type::{Encoding, FieldType};
use super::super::parsed::{FoundField, LineKind, Reject, Span};
use super::super::template::TemplateError;
use super::find::{PrefixSet, find_either};
use super::{bom_len, column, decode, empty_line, found, is_blank, own_type, with_spans};

/// How many positions are stored on the stack: two sizes, for few and for many.
const FEW: usize = 64;
const MANY: usize = 384;

/// The format, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Json {
    field_paths: Vec<FieldPaths>,
    /// Whether other names are paths.
    any: bool,
    /// Whether a line's other keys are fields that it has.
    own: bool,
    /// Whether it reads the objects in which Docker wraps lines.
    reads_wrapper: bool,
    found: Vec<FoundField>,
    fields: Vec<Field>,
    /// The tree of the keys that lead to requested values. The first node is the object of the
    /// line.
    nodes: Vec<Node>,
    /// The number of different paths.
    slots: usize,
}

/// The positions where a field may have its value.
#[derive(Clone, Debug)]
struct Field {
    slots: Vec<usize>,
    condition: Option<usize>,
    required: Option<&'static str>,
    prefix: Option<&'static str>,
    nested: bool,
    /// Whether it is the client's address, which may have a port.
    host: bool,
}

/// A node of the tree of keys.
#[derive(Clone, Debug, Default)]
struct Node {
    edges: Vec<Edge>,
    /// Their keys as they are in a line, after the first quote.
    keys: PrefixSet,
    /// The indexes of the edges whose keys are always escaped in a line.
    special: Vec<usize>,
    /// The index of its value, if that is requested.
    slot: Option<usize>,
    /// Whether its value may be an object or an array.
    nested: bool,
    /// The range of the indexes of the values in its subtree.
    subtree: (usize, usize),
}

#[derive(Clone, Debug)]
struct Edge {
    key: Box<[u8]>,
    /// The key as the index of an array element.
    number: Option<u32>,
    node: usize,
}

impl Json {
    /// The format of objects with these fields.
    #[cfg(test)]
    pub(crate) fn new(fields: &[FieldPaths]) -> Self {
        Self::of(fields.to_vec(), false)
    }

    /// The format of a list of names and paths, as in the definitions of named formats. Other names
    /// are paths.
    ///
    /// A field without a name is a condition: `key^PREFIX` for a key whose value, if there is one,
    /// begins with the prefix.
    pub(crate) fn listed(fields: &[(&'static str, &'static str)]) -> Result<Self, TemplateError> {
        let field = |&(name, paths): &(&'static str, &'static str)| {
            let Some((paths, prefix)) = paths.split_once('^').filter(|_| name.is_empty()) else {
                return FieldPaths::new(name, paths);
            };
            let field = FieldPaths::at(name, FieldType::Text, paths, 0)?;
            Ok(FieldPaths { prefix: Some(prefix), ..field })
        };
        let field_paths: Result<_, _> = fields.iter().map(field).collect();
        Ok(Self::of(field_paths?, true))
    }

    /// Parses a field map: `name=paths` separated by commas, or `name` alone if the path is the
    /// same; a name may be followed by a colon and a type.
    pub(crate) fn written(map: &str) -> Result<Self, TemplateError> {
        let mut field_paths = Vec::new();
        let mut start = 0;
        for piece in map.split(',') {
            let (name, paths) = piece
                .split_once('=')
                .unwrap_or_else(|| (piece, piece.rsplit_once(':').map_or(piece, |(name, _)| name)));
            let at = start + if piece.contains('=') { name.len() + 1 } else { 0 };
            let is_typed = name.contains(':');
            let (name, read) = column(name, start)?;
            let read = if is_typed { read } else { own_type(name) };
            field_paths.push(FieldPaths::at(name, read, paths, at)?);
            start += piece.len() + 1;
        }
        // Only the objects in which Docker wraps lines have these keys.
        let is_wrapper = |path: &Path| matches!(&*path[0], b"log" | b"stream");
        let reads_wrapper = field_paths.iter().any(|field| field.paths.iter().any(is_wrapper));
        Ok(Self { reads_wrapper, ..Self::of(field_paths, false) })
    }

    /// The format of any object, with fields found by their usual names. Other names passed to
    /// `narrowed` are paths.
    pub(crate) fn any() -> Self {
        let field_paths = aliases().filter_map(|(name, read, paths)| {
            let (paths, condition) = match paths.split_once(" if ") {
                Some((paths, key)) => (paths, Some(vec![key.as_bytes().into()])),
                None => (paths, None),
            };
            let field = FieldPaths::at(name, read, paths, 0).ok()?;
            // `"request": {...}` is not a request line.
            Some(FieldPaths { nested: false, condition, ..field })
        });
        Self { own: true, ..Self::of(field_paths.collect(), true) }
    }

    /// The format of fields with the keys that lead to each.
    pub(crate) fn pasted(fields: Vec<(String, Vec<String>, FieldType)>) -> Self {
        let field = |(name, path, read): (String, Vec<String>, FieldType)| {
            let path = path.into_iter().map(|key| key.into_bytes().into()).collect();
            FieldPaths {
                name: name.into(),
                read,
                paths: vec![path],
                condition: None,
                required: None,
                prefix: None,
                nested: false,
            }
        };
        Self::of(fields.into_iter().map(field).collect(), false)
    }

    /// Whether a line's other keys are fields that it has.
    pub(crate) fn lists_own(&self) -> bool {
        self.own
    }

    /// Whether fields of any name may be requested, as paths.
    pub(crate) fn is_any(&self) -> bool {
        self.any
    }

    /// The format with only these fields and those that are required.
    pub(crate) fn narrowed(&self, names: &[&str]) -> Self {
        let is_needed = |field: &&FieldPaths| {
            field.required.is_some() || field.prefix.is_some() || names.contains(&&*field.name)
        };
        let mut field_paths: Vec<_> = self.field_paths.iter().filter(is_needed).cloned().collect();
        if self.any {
            for name in names {
                if !field_paths.iter().any(|field| &*field.name == *name) {
                    field_paths.extend(FieldPaths::own(name));
                }
            }
        }
        let Self { reads_wrapper, own, any, .. } = *self;
        Self { own, reads_wrapper, ..Self::of(field_paths, any) }
    }

    fn of(field_paths: Vec<FieldPaths>, any: bool) -> Self {
        let mut nodes = vec![Node::default()];
        let mut ends = Vec::new();
        for field in &field_paths {
            let of_want: Vec<_> =
                field.paths.iter().map(|path| insert_path(&mut nodes, path)).collect();
            for &node in &of_want {
                nodes[node].slot = Some(0);
                nodes[node].nested |= field.nested;
            }
            let condition = field.condition.as_ref().map(|path| insert_path(&mut nodes, path));
            if let Some(node) = condition {
                nodes[node].slot = Some(0);
            }
            ends.push((of_want, condition));
        }
        let mut slots = 0;
        number(&mut nodes, 0, &mut slots);
        let fields = ends.into_iter().zip(&field_paths).map(|((ends, condition), field)| Field {
            slots: ends.into_iter().filter_map(|node| nodes[node].slot).collect(),
            condition: condition.and_then(|node| nodes[node].slot),
            required: field.required,
            prefix: field.prefix,
            nested: field.nested,
            host: &*field.name == "host",
        });
        Self {
            fields: fields.collect(),
            found: field_paths
                .iter()
                .map(|field| found(&field.name, field.read.clone(), Encoding::Json))
                .collect(),
            field_paths,
            any,
            own: false,
            reads_wrapper: false,
            nodes,
            slots,
        }
    }

    /// The fields, in the order of the spans.
    pub(crate) fn found(&self) -> &[FoundField] {
        &self.found
    }

    /// Whether a line that Docker wrapped in an object is read without the object.
    pub(crate) fn unwraps(&self) -> bool {
        !self.reads_wrapper
    }

    /// Finds the fields of a line.
    pub(crate) fn split(&self, line: &[u8], spans: &mut [Span]) -> Result<LineKind, Reject> {
        if self.slots <= FEW {
            self.split_into(line, spans, &mut [Span::NONE; FEW])
        } else {
            with_spans::<MANY, _>(self.slots, |slots| self.split_into(line, spans, slots))
        }
    }

    fn split_into(
        &self,
        line: &[u8],
        spans: &mut [Span],
        slots: &mut [Span],
    ) -> Result<LineKind, Reject> {
        let end = match self.walk(line, slots) {
            Ok(end) => end,
            Err(_) if is_between_objects(line) => return Ok(LineKind::Header),
            Err(_) if is_blank(line) => return Err(empty_line()),
            Err(fault) => return Err(fault.into()),
        };
        for (field, span) in self.fields.iter().zip(spans) {
            let value =
                field.slots.iter().map(|&slot| slots[slot]).find(|value| {
                    value.is_some() && (field.nested || !is_nested(line, value.start()))
                });
            let value = value.filter(|_| field.condition.is_none_or(|slot| slots[slot].is_some()));
            if let (Some(prefix), Some(value)) = (field.prefix, value)
                && !value.of(line).unwrap_or_default().starts_with(prefix.as_bytes())
            {
                return Err(Reject::new(
                    value.start(),
                    "a logger that begins with http.log.access",
                ));
            }
            *span = match (value, field.required) {
                (Some(value), _) if field.host => without_port(line, value),
                (Some(value), _) => value,
                (None, None) => Span::NONE,
                (None, Some(required)) => return Err(Reject::new(end - 1, required)),
            };
        }
        Ok(LineKind::Fields)
    }

    /// Walks the line, records the positions of the requested values, and returns the end of its
    /// object.
    fn walk(&self, line: &[u8], slots: &mut [Span]) -> StepResult {
        let mut at = blanks(line, bom_len(line));
        if line.get(at) != Some(&b'{') {
            at = before_object(line, at)?;
        }
        // Only keys of the tree have a frame, so no line can need more than these.
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
                if let (Some(slot), true) = (node.slot, node.nested) {
                    slots[slot] = Span::new(frame.start, at);
                }
                if depth == 0 {
                    return expect_end(line, at);
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
                // The values of an earlier key with this name no longer count.
                slots[reached.subtree.0..reached.subtree.1].fill(Span::NONE);
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
            if let Some(slot) = reached.slot {
                slots[slot] = value(line, at, end, reached.nested);
            }
            at = end;
        }
    }

    /// The node of the member or element that begins here, and where its value begins.
    #[inline]
    fn member(
        &self,
        line: &[u8],
        at: usize,
        frame: &mut Frame,
    ) -> Result<(Option<usize>, usize), SyntaxError> {
        let node = &self.nodes[frame.node];
        if frame.end == b']' {
            let number = Some(frame.elements);
            frame.elements = frame.elements.saturating_add(1);
            let edge = node.edges.iter().find(|edge| edge.number == number);
            return Ok((edge.map(|edge| edge.node), at));
        }
        if line.get(at) != Some(&b'"') {
            return Err(SyntaxError::new(at, Expected::Key));
        }
        let start = at + 1;
        if let Some((number, length)) = node.keys.match_prefix(&line[start..]) {
            return Ok((Some(node.edges[number].node), colon(line, start + length)?));
        }
        let end = find_either(line, start, b'"', b'\\');
        if line.get(end) == Some(&b'"') {
            return Ok((None, colon(line, end + 1)?));
        }
        let end = escaped(line, end)?;
        Ok((node.escaped(&line[start..end - 1]), colon(line, end)?))
    }
}

impl Node {
    /// The node of a key with escapes.
    #[cold]
    fn escaped(&self, key: &[u8]) -> Option<usize> {
        let mut unescaped = [0; MAX_KEY_LEN + 1];
        let length = decode::json_into(key, &mut unescaped[..MAX_KEY_LEN])?;
        unescaped[length] = b'"';
        let edge = match self.keys.get(&unescaped[..=length]) {
            Some(number) => Some(&self.edges[number]),
            None => self
                .special
                .iter()
                .map(|&number| &self.edges[number])
                .find(|edge| *edge.key == unescaped[..length]),
        };
        edge.map(|edge| edge.node)
    }
}

/// An object or array that is being walked.
#[derive(Clone, Copy, Default)]
struct Frame {
    node: usize,
    start: usize,
    /// The byte that ends it.
    end: u8,
    elements: u32,
}

/// Adds a path to the tree, and returns its node.
fn insert_path(nodes: &mut Vec<Node>, path: &Path) -> usize {
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

/// The index of an array element, if the key is one.
fn element(key: &str) -> Option<u32> {
    key.parse().ok().filter(|number: &u32| number.to_string() == key)
}

/// Numbers the values of a node and its subtree.
fn number(nodes: &mut [Node], node: usize, slots: &mut usize) {
    let first = *slots;
    if nodes[node].slot.is_some() {
        nodes[node].slot = Some(*slots);
        *slots += 1;
    }
    for edge in 0..nodes[node].edges.len() {
        number(nodes, nodes[node].edges[edge].node, slots);
    }
    nodes[node].subtree = (first, *slots);
}

/// The depth inside this many frames and the object of the line.
#[expect(clippy::cast_possible_truncation, reason = "there are at most 16 frames")]
fn depth_of(frames: usize) -> u32 {
    frames as u32 + 1
}

/// The span of a value that was skipped.
#[inline]
fn value(line: &[u8], start: usize, end: usize, nested: bool) -> Span {
    match line[start] {
        b'"' => Span::new(start + 1, end - 1),
        b'n' => Span::NONE,
        b'{' | b'[' if !nested => Span::NONE,
        _ => Span::new(start, end),
    }
}

/// Whether the value that begins here is an object or an array.
fn is_nested(line: &[u8], start: usize) -> bool {
    matches!(line[start - 1..], [before, b'{' | b'[', ..] if before != b'"')
}

/// An address without its port: `192.0.2.1:80`, `[2001:db8::1]:80`.
pub(crate) fn without_port(line: &[u8], value: Span) -> Span {
    let text = value.of(line).unwrap_or_default();
    let Some(colon) = text.iter().rposition(|&byte| byte == b':') else { return value };
    if !text[colon + 1..].iter().all(u8::is_ascii_digit) {
        return value;
    }
    match &text[..colon] {
        [b'[', address @ .., b']'] => {
            Span::new(value.start() + 1, value.start() + 1 + address.len())
        }
        // The last group of an IPv6 address is not a port.
        address if address.contains(&b':') => value,
        address => Span::new(value.start(), value.start() + address.len()),
    }
}
