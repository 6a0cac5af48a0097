//! Fields and the paths to their values.

use super::super::{column, own_type};
use crate::text::format::field_type::FieldType;
use crate::text::format::template::TemplateError;

/// The most keys in a path.
pub(super) const MAX_PATH: usize = 16;

/// The longest key of a path, in bytes.
pub(super) const MAX_KEY_LEN: usize = 128;

/// A field and the paths to its value.
#[derive(Clone, Debug)]
pub(crate) struct FieldPaths {
    pub(super) name: Box<str>,
    pub(super) read: FieldType,
    /// The first path to a value that is not null counts.
    pub(super) paths: Vec<Path>,
    /// The path to a value that a line must have for the others to count.
    pub(super) condition: Option<Path>,
    /// If the field is required: what is expected in a line without it.
    pub(super) required: Option<&'static str>,
    /// What a text value has to begin with, if there is one.
    pub(super) prefix: Option<&'static str>,
    /// Whether an object or an array is a value.
    pub(super) nested: bool,
}

pub(super) type Path = Vec<Box<[u8]>>;

impl FieldPaths {
    /// Parses a field `name` or `name:type` and its paths: keys separated by dots, alternatives
    /// separated by bars, and `!` at the end if the field is required. The key of an array element
    /// is its index. A backslash escapes the next character.
    pub(crate) fn new(name: &str, paths: &str) -> Result<Self, TemplateError> {
        let (name, read) = column(name, 0)?;
        Self::at(name, read, paths, 0)
    }

    /// As `new`, for paths at this offset of a text.
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
                    let byte =
                        byte.ok_or_else(|| error("expected a character after the backslash"))?;
                    path.last_mut().into_iter().for_each(|key| key.push(byte));
                }
            }
        }
        if paths.iter().flatten().any(Vec::is_empty) {
            return Err(error("expected a key, found none; separate keys by single dots"));
        }
        if paths.iter().flatten().any(|key| key.len() > MAX_KEY_LEN) {
            return Err(error("expected keys of at most 128 bytes"));
        }
        if paths.iter().any(|path| path.len() > MAX_PATH) {
            return Err(error("expected a path of at most 16 keys"));
        }
        let paths = paths.into_iter().map(|path| path.into_iter().map(Into::into).collect());
        let nested = matches!(read, FieldType::Text | FieldType::Verbatim | FieldType::Any);
        Ok(Self {
            name: name.into(),
            read,
            paths: paths.collect(),
            condition: None,
            required,
            prefix: None,
            nested,
        })
    }

    /// A field whose name is its key, dots included, or else its path.
    pub(super) fn own(name: &str) -> Option<Self> {
        let read = own_type(name);
        let nested = read == FieldType::Any;
        let key: Path = vec![name.as_bytes().into()];
        let paths = Self::at(name, read.clone(), name, 0).map_or(Vec::new(), |field| field.paths);
        let others = paths.into_iter().filter(|path| *path != key);
        let key = (name.len() <= MAX_KEY_LEN).then(|| key.clone());
        let paths: Vec<_> = key.into_iter().chain(others).collect();
        let is_some = !paths.is_empty();
        is_some.then(|| Self {
            name: name.into(),
            read,
            paths,
            condition: None,
            required: None,
            prefix: None,
            nested,
        })
    }
}

/// What is expected in a line without a value at any of these paths.
///
/// The text has to be static, so those of the named formats are listed.
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
