//! Lines to fields.
//!
//! A format splits a line into slices of it and allocates nothing. Fields are typed when they
//! are asked for, not before. To add a format: one file, one variant here.

mod classic;
mod clf_time;
mod combined;
mod common;
mod scan;
mod space;
mod time;

pub use time::{MAX_TIME, SECOND, write_iso};

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The common log format, typed.
    Common,
    /// The combined log format, typed.
    Combined,
    /// What the classic Python program's regular expression accepts; all fields are raw text.
    Classic,
}

/// A field that a format can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The client: address or name.
    Host,
    /// The authenticated user.
    User,
    /// When the request was logged.
    Time,
    /// The method of the request line.
    Method,
    /// The target of the request line.
    Url,
    /// The protocol of the request line.
    Protocol,
    /// The request line as it stands.
    Request,
    /// The status code of the answer.
    Status,
    /// How many bytes the answer had.
    Size,
    /// The page that led here.
    Referer,
    /// The client's program.
    Agent,
}

/// A typed value of a field, borrowed from the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// There is none.
    Null,
    /// Text as it stands; not always UTF-8.
    Text(&'a [u8]),
    /// A whole number.
    Int(i64),
    /// Microseconds since the epoch.
    Time(i64),
}

/// The type of the values that a field has in a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `Value::Text`.
    Text,
    /// `Value::Int`.
    Int,
    /// `Value::Time`.
    Time,
}

/// A line that is not of its format, and the byte from which on it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    byte: usize,
}

impl Reject {
    fn at(byte: usize) -> Self {
        Self { byte }
    }

    /// Offset in the line.
    pub fn byte(self) -> usize {
        self.byte
    }
}

/// A parsed line: raw slices of it, empty where the line has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    pub(crate) host: &'a [u8],
    pub(crate) user: &'a [u8],
    pub(crate) time: &'a [u8],
    pub(crate) request: &'a [u8],
    pub(crate) status: &'a [u8],
    pub(crate) size: &'a [u8],
    pub(crate) referer: &'a [u8],
    pub(crate) agent: &'a [u8],
}

const CLASSIC: [Field; 9] = [
    Field::Host,
    Field::User,
    Field::Time,
    Field::Request,
    Field::Status,
    Field::Size,
    Field::Referer,
    Field::Agent,
    Field::Url,
];

const COMMON: [Field; 9] = [
    Field::Host,
    Field::User,
    Field::Time,
    Field::Method,
    Field::Url,
    Field::Protocol,
    Field::Status,
    Field::Size,
    // On demand only, see `Format::columns`.
    Field::Request,
];

const COMBINED: [Field; 11] = [
    Field::Host,
    Field::User,
    Field::Time,
    Field::Method,
    Field::Url,
    Field::Protocol,
    Field::Status,
    Field::Size,
    Field::Referer,
    Field::Agent,
    // On demand only, see `Format::columns`.
    Field::Request,
];

impl Format {
    /// Every format, by the name it is asked for.
    pub const NAMES: [(&'static str, Self); 3] =
        [("common", Self::Common), ("combined", Self::Combined), ("classic", Self::Classic)];

    /// The fields that can be asked for.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::Common => &COMMON,
            Self::Combined => &COMBINED,
            Self::Classic => &CLASSIC,
        }
    }

    /// The fields of a parsed line unless others are asked for.
    pub fn columns(self) -> &'static [Field] {
        match self {
            Self::Common => &COMMON[..8],
            Self::Combined => &COMBINED[..10],
            Self::Classic => &CLASSIC,
        }
    }

    /// The type of a field's values.
    pub fn kind(self, field: Field) -> Kind {
        match (self, field) {
            (Self::Common | Self::Combined, Field::Status | Field::Size) => Kind::Int,
            (Self::Common | Self::Combined, Field::Time) => Kind::Time,
            _ => Kind::Text,
        }
    }

    /// Splits a line into its fields.
    pub fn split(self, line: &[u8]) -> Result<Fields<'_>, Reject> {
        match self {
            Self::Common => common::split(line),
            Self::Combined => combined::split(line),
            Self::Classic => classic::split(line),
        }
    }

    /// The value of one field of a line that this format split.
    pub fn value<'a>(self, fields: &Fields<'a>, field: Field) -> Value<'a> {
        match self {
            Self::Common | Self::Combined => fields.combined(field),
            Self::Classic => fields.classic(field),
        }
    }
}

impl<'a> Fields<'a> {
    /// The time of the line in microseconds since the epoch, if it can be read.
    pub fn log_time(&self) -> Option<i64> {
        clf_time::parse(self.time)
    }

    /// The text that `log_time` reads.
    pub(crate) fn raw_time(&self) -> &'a [u8] {
        self.time
    }

    fn classic(&self, field: Field) -> Value<'a> {
        match field {
            Field::Host => Value::Text(self.host),
            Field::User => Value::Text(self.user),
            Field::Time => Value::Text(self.time),
            Field::Request => Value::Text(self.request),
            Field::Status => Value::Text(self.status),
            Field::Size => Value::Text(self.size),
            Field::Referer => Value::Text(self.referer),
            Field::Agent => Value::Text(self.agent),
            Field::Url => text(space::word(self.request, 1)),
            Field::Method | Field::Protocol => Value::Null,
        }
    }

    fn combined(&self, field: Field) -> Value<'a> {
        match field {
            Field::Host => Value::Text(self.host),
            Field::User if self.user == b"\"\"" => Value::Null,
            Field::User => present(self.user),
            Field::Time => self.log_time().map_or(Value::Null, Value::Time),
            Field::Request => present(self.request),
            Field::Method => text(combined::request(self.request)[0]),
            Field::Url => text(combined::request(self.request)[1]),
            Field::Protocol => text(combined::request(self.request)[2]),
            Field::Status => int(self.status),
            Field::Size => int(self.size),
            Field::Referer => present(self.referer),
            Field::Agent => present(self.agent),
        }
    }
}

fn text(value: Option<&[u8]>) -> Value<'_> {
    value.map_or(Value::Null, Value::Text)
}

/// Text, or nothing where the server wrote `-` or nothing.
fn present(value: &[u8]) -> Value<'_> {
    if value.is_empty() || value == b"-" { Value::Null } else { Value::Text(value) }
}

/// Digits as a number; the format saw to it that they fit.
fn int(digits: &[u8]) -> Value<'_> {
    if !digits.first().is_some_and(u8::is_ascii_digit) {
        return Value::Null;
    }
    Value::Int(digits.iter().fold(0_i64, |sum, &digit| {
        sum.wrapping_mul(10).wrapping_add(i64::from(digit.wrapping_sub(b'0')))
    }))
}

impl Kind {
    /// The kind's name in texts for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "int",
            Self::Time => "time",
        }
    }
}

impl Field {
    const NAMES: [(&'static str, Self); 11] = [
        ("host", Self::Host),
        ("user", Self::User),
        ("time", Self::Time),
        ("method", Self::Method),
        ("url", Self::Url),
        ("protocol", Self::Protocol),
        ("request", Self::Request),
        ("status", Self::Status),
        ("size", Self::Size),
        ("referer", Self::Referer),
        ("agent", Self::Agent),
    ];

    /// The field's name in queries and output.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }

    /// The field of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|known| known.0 == name).map(|known| known.1)
    }
}

#[cfg(test)]
mod tests;
