//! How the text of a field becomes a value.

use super::time::TimeFormat;
use crate::ground::Kind;

/// How the text of a field is read.
///
/// But for `Verbatim`, nothing and a lone `-` are null, and so is what cannot be read: what a
/// line must not be is said by the matcher, which sees it first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldType {
    /// Text as it stands, even none.
    Verbatim,
    /// Text as it stands.
    Text,
    /// A request line, of which method, url and protocol are parts.
    Request,
    /// A whole number in decimal.
    Int,
    /// A number in decimal.
    Float,
    /// A query behind its `?`, as Apache writes it.
    Query,
    /// A duration in seconds times ten to this power: 0 for seconds, -3 for milliseconds. Below
    /// zero it is null (load balancers write -1 for none). Of a list, as nginx writes it for
    /// several upstreams, it is the sum.
    Seconds(i8),
    /// A point in time. Where several fields of a line are called `time`, each is a part of it.
    Time(TimeFormat),
}

impl FieldType {
    /// The type of what is read.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Verbatim | Self::Text | Self::Request | Self::Query => Kind::Text,
            Self::Int => Kind::Int,
            Self::Float | Self::Seconds(_) => Kind::Float,
            Self::Time(_) => Kind::Time,
        }
    }
}

/// How the text of a field is written in its line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is.
    #[default]
    Raw,
    /// As JSON: what stands behind a quote is a string's inside, with its escapes.
    Json,
    /// As CSV: what stands behind a quote has its own quotes doubled.
    Csv,
    /// With `+` for a blank, as IIS writes it.
    Plus,
    /// With `%HH`, as CloudFront writes it, some of it twice.
    Percent,
}
