//! The names that fields have in all formats.

use super::field_type::FieldType;
use super::time::TimeFormat;
use crate::ground::Kind;

/// A name that means the same in every format.
#[derive(Debug)]
pub struct StandardField {
    /// As it is asked for.
    pub name: &'static str,
    /// How it is read where a format says nothing else.
    pub(crate) read: FieldType,
    /// What it means, with its unit.
    pub about: &'static str,
}

impl StandardField {
    /// The type of its values.
    pub fn kind(&self) -> Kind {
        self.read.kind()
    }
}

const fn text(name: &'static str, about: &'static str) -> StandardField {
    StandardField { name, read: FieldType::Text, about }
}

const fn int(name: &'static str, about: &'static str) -> StandardField {
    StandardField { name, read: FieldType::Int, about }
}

const fn seconds(name: &'static str, about: &'static str) -> StandardField {
    StandardField { name, read: FieldType::Seconds(0), about }
}

/// All of them, in the order in which texts list them.
pub const STANDARD_FIELDS: &[StandardField] = &[
    text("host", "the client: address or name"),
    text("user", "who was logged in"),
    StandardField {
        name: "time",
        read: FieldType::Time(TimeFormat::Any),
        about: "when the request was logged, in UTC",
    },
    text("method", "the method of the request line"),
    text("url", "the target of the request line, as it was sent"),
    text("protocol", "the protocol of the request line"),
    StandardField {
        name: "request",
        read: FieldType::Request,
        about: "the request line as it stands",
    },
    text("path", "the url without query, scheme and host"),
    text("query", "what follows the first ? of the url"),
    int("status", "the status code of the answer"),
    int("status_class", "the first digit of the status"),
    int("size", "bytes of the answer's body"),
    int("bytes_in", "bytes received, headers included"),
    int("bytes_out", "bytes sent, headers included"),
    text("referer", "the page that led here"),
    text("agent", "the client's program"),
    text("vhost", "the virtual host or Host header"),
    int("port", "the server's port"),
    text("scheme", "http, https, ws, ..."),
    seconds("request_time", "how long the request took, in seconds"),
    seconds("upstream_time", "how long upstream servers took, in seconds; of several the sum"),
    text("upstream", "the upstream server's address"),
    text("upstream_status", "the upstream server's status; of several all"),
    text("xff", "the header X-Forwarded-For"),
    text("request_id", "the request's own id"),
    text("request_flag", "empty, missing or garbage where the request line is"),
];

/// The name, if it is one that is the same in all formats.
pub(super) fn standard_field(name: &str) -> Option<&'static StandardField> {
    STANDARD_FIELDS.iter().find(|known| known.name == name)
}
