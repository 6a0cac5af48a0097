//! Fields by the keys that lead to them.

use super::super::{column, standard_type};
use crate::text::format::field_type::FieldType;
use crate::text::format::template::TemplateError;

/// How many keys a path may have.
pub(super) const MAX_PATH: usize = 16;

/// How long a key of a path may be, in bytes.
pub(super) const MAX_KEY_LEN: usize = 128;

/// A field and where it is looked for.
#[derive(Clone, Debug)]
pub(crate) struct FieldPaths {
    pub(super) name: Box<str>,
    pub(super) read: FieldType,
    /// The first one with a value that is not null counts.
    pub(super) paths: Vec<Path>,
    /// What a line lacks that has none of them, if it has to have one.
    pub(super) required: Option<&'static str>,
    /// Whether an object or an array is a value.
    pub(super) nested: bool,
}

pub(super) type Path = Vec<Box<[u8]>>;

impl FieldPaths {
    /// A field `name` or `name:type` by its paths: keys with points between them, alternatives
    /// with bars, `!` at the end if a line has to have it. An element of an array has its number
    /// for a key. A backslash takes the meaning from the character behind it.
    pub(crate) fn new(name: &str, paths: &str) -> Result<Self, TemplateError> {
        let (name, read) = column(name, 0)?;
        Self::at(name, read, paths, 0)
    }

    /// The same, with the place of the paths in the text that they were written in.
    pub(super) fn at(
        name: &str,
        read: FieldType,
        written: &str,
        start: usize,
    ) -> Result<Self, TemplateError> {
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
        if paths.iter().flatten().any(|key| key.len() > MAX_KEY_LEN) {
            return Err(error("a key has at most 128 bytes"));
        }
        if paths.iter().any(|path| path.len() > MAX_PATH) {
            return Err(error("a path has at most 16 keys"));
        }
        let paths = paths.into_iter().map(|path| path.into_iter().map(Into::into).collect());
        let nested = matches!(read, FieldType::Text | FieldType::Verbatim);
        Ok(Self { name: name.into(), read, paths: paths.collect(), required, nested })
    }

    /// A path of which every character is meant.
    pub(super) fn own(name: &str) -> Option<Self> {
        Self::at(name, standard_type(name), name, 0).ok()
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
