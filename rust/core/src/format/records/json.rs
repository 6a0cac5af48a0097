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
        let mut scan = Scan { line, at: lead(line) };
        if let Err(expected) = self.walk(&mut scan, places) {
            return Err(if blank(line) { empty_line() } else { Reject::new(scan.at, expected) });
        }
        for (field, span) in self.fields.iter().zip(spans) {
            let value =
                field.places.iter().map(|&place| places[place]).find(|value| {
                    value.is_some() && (field.nested || !is_nested(line, value.start()))
                });
            *span = match (value, field.required) {
                (Some(value), _) if field.host => without_port(line, value),
                (Some(value), _) => value,
                (None, None) => Span::NONE,
                (None, Some(required)) => return Err(Reject::new(scan.at, required)),
            };
        }
        Ok(())
    }

    /// Goes through the line and sets the places of what is wanted.
    fn walk(&self, scan: &mut Scan<'_>, places: &mut [Span]) -> Result<(), Expected> {
        scan.blanks();
        if scan.byte() != Some(b'{') {
            return Err("a JSON object, which begins with {");
        }
        // Only keys that lead somewhere have a frame, so no line can ask for more than these.
        let mut outer = [Frame::default(); MAX_PATH];
        let mut depth = 0;
        let mut frame = Frame { node: 0, start: scan.at, end: b'}', elements: 0 };
        scan.at += 1;
        let mut first = true;
        loop {
            scan.blanks();
            if scan.byte() == Some(frame.end) {
                scan.at += 1;
                let node = &self.nodes[frame.node];
                if let (Some(place), true) = (node.place, node.nested) {
                    places[place] = Span::new(frame.start, scan.at);
                }
                if depth == 0 {
                    return scan.ended();
                }
                depth -= 1;
                frame = outer[depth];
                first = false;
                continue;
            }
            if !first {
                scan.comma(frame.end)?;
            }
            first = false;
            let Some(node) = self.member(scan, &mut frame)? else {
                scan.skip(depth_of(depth))?;
                continue;
            };
            let reached = &self.nodes[node];
            if reached.edges.is_empty() {
                let value = scan.leaf(depth_of(depth), reached.nested)?;
                reached.place.into_iter().for_each(|place| places[place] = value);
                continue;
            }
            // What an earlier key of this name had below it counts no more.
            places[reached.below.0..reached.below.1].fill(Span::NONE);
            match scan.byte() {
                Some(open @ (b'{' | b'[')) => {
                    let inner = Frame { node, start: scan.at, end: open + 2, elements: 0 };
                    outer[depth] = std::mem::replace(&mut frame, inner);
                    depth += 1;
                    scan.at += 1;
                    first = true;
                }
                _ => {
                    let value = scan.leaf(depth_of(depth), false)?;
                    reached.place.into_iter().for_each(|place| places[place] = value);
                }
            }
        }
    }

    /// Where the member or the element that begins here leads to; its value comes next.
    #[inline]
    fn member(&self, scan: &mut Scan<'_>, frame: &mut Frame) -> Result<Option<usize>, Expected> {
        let edges = &self.nodes[frame.node].edges;
        if frame.end == b']' {
            let number = Some(frame.elements);
            frame.elements = frame.elements.saturating_add(1);
            return Ok(edges.iter().find(|edge| edge.number == number).map(|edge| edge.node));
        }
        let start = scan.at + 1;
        let text = scan.line.get(start..).unwrap_or_default();
        let edge = match self.nodes[frame.node].keys.beginning(text) {
            Some((number, length)) if scan.byte() == Some(b'"') => {
                scan.at = start + length;
                Some(&edges[number])
            }
            _ if scan.key()? => {
                let key = &scan.line[start..scan.at - 1];
                edges.iter().find(|edge| decode::json_is(key, &edge.key))
            }
            _ => None,
        };
        scan.colon()?;
        Ok(edge.map(|edge| edge.node))
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
        let known = nodes[at].edges.iter().find(|edge| edge.key == *key);
        at = match known {
            Some(edge) => edge.node,
            None => {
                let node = nodes.len();
                let number = std::str::from_utf8(key).ok().and_then(element);
                // What has to be escaped never stands in a line as it is.
                let plain = key.iter().all(|&byte| !matches!(byte, b'"' | b'\\'));
                nodes[at].keys.push(plain.then(|| [key, &b"\""[..]].concat()));
                nodes[at].edges.push(Edge { key: key.clone(), number, node });
                nodes.push(Node::default());
                node
            }
        };
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

/// What should have been where a scan stands.
type Expected = &'static str;

/// A line on the way through it. Where something else was expected, it stands there.
struct Scan<'a> {
    line: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    #[inline]
    fn byte(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    #[inline]
    fn blanks(&mut self) {
        if self.byte().is_some_and(|byte| byte <= b' ') {
            self.some_blanks();
        }
    }

    #[cold]
    fn some_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
    }

    /// Nothing but blanks may follow the line's object; afterwards it stands at its end.
    fn ended(&mut self) -> Result<(), Expected> {
        let end = self.at - 1;
        self.blanks();
        if self.at < self.line.len() {
            return Err("the end of the line");
        }
        self.at = end;
        Ok(())
    }

    /// Passes a comma and the blanks around it.
    #[inline]
    fn comma(&mut self, end: u8) -> Result<(), Expected> {
        if self.byte() != Some(b',') {
            let object = end == b'}';
            return Err(if object { "a comma or the }" } else { "a comma or the ]" });
        }
        self.at += 1;
        self.blanks();
        Ok(())
    }

    /// Passes a key and says whether it has escapes.
    #[inline]
    fn key(&mut self) -> Result<bool, Expected> {
        if self.byte() == Some(b'"') { self.string() } else { Err("a key in quotes") }
    }

    /// Passes the colon behind a key and the blanks around it.
    #[inline]
    fn colon(&mut self) -> Result<(), Expected> {
        if self.byte() != Some(b':') {
            self.blanks();
            if self.byte() != Some(b':') {
                return Err("the colon behind the key");
            }
        }
        self.at += 1;
        self.blanks();
        Ok(())
    }

    /// Passes a string, from its first quote on, and says whether it has escapes.
    #[inline]
    fn string(&mut self) -> Result<bool, Expected> {
        self.at = either(self.line, self.at + 1, b'"', b'\\');
        if self.byte() == Some(b'"') {
            self.at += 1;
            return Ok(false);
        }
        self.escaped()?;
        Ok(true)
    }

    /// Passes the rest of a string, from an escape on.
    #[cold]
    fn escaped(&mut self) -> Result<(), Expected> {
        loop {
            while self.byte() == Some(b'\\') {
                self.at += match self.line.get(self.at + 1) {
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                    Some(b'u') if self.four_digits() => 6,
                    _ => return Err("an escape that JSON has"),
                };
            }
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) => self.at = either(self.line, self.at, b'"', b'\\'),
                None => return Err("the quote that closes the string"),
            }
        }
    }

    fn four_digits(&self) -> bool {
        let digits = self.line.get(self.at + 2..self.at + 6);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    }

    /// Passes a value; what it is for a field.
    #[inline]
    fn leaf(&mut self, depth: u32, nested: bool) -> Result<Span, Expected> {
        let start = self.at;
        match self.byte() {
            Some(b'"') => {
                self.string()?;
                return Ok(Span::new(start + 1, self.at - 1));
            }
            Some(b'{' | b'[') => self.skip_nested(depth)?,
            _ => self.bare()?,
        }
        let null = self.line[start] == b'n';
        let other = !nested && matches!(self.line[start], b'{' | b'[');
        Ok(if null || other { Span::NONE } else { Span::new(start, self.at) })
    }

    /// Passes a value that nobody wants.
    #[inline]
    fn skip(&mut self, depth: u32) -> Result<(), Expected> {
        match self.byte() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{' | b'[') => self.skip_nested(depth),
            _ => self.bare(),
        }
    }

    /// Passes an object or an array with this many around it.
    fn skip_nested(&mut self, outer: u32) -> Result<(), Expected> {
        // A bit for each that is open, the innermost lowest: whether it is an object.
        let mut objects = 0_u64;
        let mut depth = outer;
        loop {
            match self.byte() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == MAX_DEPTH {
                        return Err("at most 64 objects and arrays in each other");
                    }
                    depth += 1;
                    objects = objects << 1 | u64::from(open == b'{');
                    self.at += 1;
                    self.blanks();
                    if self.byte() != Some(open + 2) {
                        if open == b'{' {
                            self.key()?;
                            self.colon()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => {
                    self.string()?;
                }
                _ => self.bare()?,
            }
            // Behind a value, or at the end of what has none.
            loop {
                self.blanks();
                if self.byte() != Some(end_of(objects)) {
                    break;
                }
                self.at += 1;
                depth -= 1;
                objects >>= 1;
                if depth == outer {
                    return Ok(());
                }
            }
            self.comma(end_of(objects))?;
            if objects & 1 == 1 {
                self.key()?;
                self.colon()?;
            }
        }
    }

    /// Passes a number, or `true`, `false` or `null`.
    fn bare(&mut self) -> Result<(), Expected> {
        let word: &[u8] = match self.byte() {
            Some(b'-' | b'0'..=b'9') => return self.number(),
            Some(b't') => b"true",
            Some(b'f') => b"false",
            Some(b'n') => b"null",
            _ => return Err("a JSON value"),
        };
        if !self.line[self.at..].starts_with(word) {
            return Err("a JSON value");
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Expected> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
            if let Some(b'0'..=b'9') = self.byte() {
                return Err("a number without leading zeros");
            }
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Passes at least one digit.
    #[inline]
    fn digits(&mut self) -> Result<(), Expected> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        if self.at == start { Err("a digit") } else { Ok(()) }
    }
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
