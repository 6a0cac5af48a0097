//! The standard field names, which mean the same in all formats.

use super::field_type::FieldType;
use super::time::TimeFormat;
use crate::ground::Kind;

/// A field name that means the same in every format.
#[derive(Debug)]
pub struct StandardField {
    /// The name.
    pub name: &'static str,
    /// Its type, unless a format specifies another.
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

/// All standard fields, in the order in which they are listed.
pub const STANDARD_FIELDS: &[StandardField] = &[
    text("host", "the client's address or name"),
    text("user", "the authenticated user"),
    StandardField {
        name: "time",
        read: FieldType::Time(TimeFormat::Any),
        about: "the time of the log entry, in UTC",
    },
    text("method", "the method of the request line"),
    text("url", "the target of the request line, as sent"),
    text("protocol", "the protocol of the request line"),
    StandardField { name: "request", read: FieldType::Request, about: "the whole request line" },
    text("path", "the URL without query, scheme and host"),
    text("query", "the part of the URL after the first ?"),
    int("status", "the status code of the response"),
    int("status_class", "the first digit of the status"),
    int("size", "bytes of the response body"),
    int("bytes_in", "bytes received, headers included"),
    int("bytes_out", "bytes sent, headers included"),
    text("referer", "the Referer header: the page with the link"),
    text("agent", "the User-Agent header: the client's program"),
    text("vhost", "the virtual host or Host header"),
    int("port", "the server's port"),
    text("scheme", "http, https, ws, ..."),
    seconds("request_time", "how long the request took, in seconds"),
    seconds("upstream_time", "how long upstream servers took in total, in seconds"),
    text("upstream", "the upstream server's address"),
    text("upstream_status", "the upstream server's status, or a list of several"),
    text("xff", "the X-Forwarded-For header"),
    text("request_id", "the unique id of the request"),
    text(
        "request_flag",
        "what is wrong with the request line: empty, missing, garbage or truncated",
    ),
];

/// The standard field with this name, if there is one.
pub(super) fn standard_field(name: &str) -> Option<&'static StandardField> {
    STANDARD_FIELDS.iter().find(|known| known.name == name)
}
