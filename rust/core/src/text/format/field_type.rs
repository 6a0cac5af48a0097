//! The types of fields, and how their text is encoded.

use super::time::TimeFormat;
use crate::ground::Kind;

/// The type of a field: how its text becomes a value.
///
/// Except for `Verbatim`, empty text and a lone `-` are null, and so is text that cannot be
/// converted: rejecting lines is up to the matcher, which sees them first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldType {
    /// Text, never null.
    Verbatim,
    /// Text.
    Text,
    /// A value of a type of its own: that of a JSON key. An unquoted `-` and empty text are text.
    Any,
    /// A request line, from which method, url and protocol are derived.
    Request,
    /// A decimal integer.
    Int,
    /// A list of integers, which nginx writes for several upstreams. It is added up.
    IntList,
    /// A decimal number.
    Float,
    /// A query after its `?`, as Apache writes it.
    Query,
    /// A duration in seconds times ten to this power: 0 for seconds, -3 for milliseconds. Negative
    /// durations are null (load balancers write -1 for none). A list, which nginx writes for
    /// several upstreams, is added up.
    Seconds(i8),
    /// A duration in milliseconds if it is an integer, in seconds if it has a decimal point.
    TimeTaken,
    /// A duration with its unit, such as `12ms` or `1m2.5s`. A number without a unit is null, because
    /// its unit is not known.
    Duration,
    /// A protocol, or only its version: `1.1` is `HTTP/1.1`. A scheme is null.
    Protocol,
    /// Text that may be in quotes.
    Quoted,
    /// A time. Where several fields of a line are called `time`, each is a part of one time.
    Time(TimeFormat),
}

impl FieldType {
    /// The type of its values.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Verbatim
            | Self::Text
            | Self::Request
            | Self::Query
            | Self::Protocol
            | Self::Quoted => Kind::Text,
            Self::Int | Self::IntList => Kind::Int,
            Self::Float | Self::Seconds(_) | Self::TimeTaken | Self::Duration => Kind::Float,
            Self::Time(_) => Kind::Time,
            Self::Any => Kind::Any,
        }
    }
}

/// How the text of a field is encoded in its line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Unchanged.
    #[default]
    Raw,
    /// JSON: text after a quote is the inside of a string, with escapes.
    Json,
    /// logfmt: text after a quote has escapes.
    Logfmt,
    /// CSV: text after a quote has its own quotes doubled.
    Csv,
    /// `+` for a space, as IIS writes it.
    Plus,
    /// `%HH`, as CloudFront writes it, some of it escaped twice.
    Percent,
}
