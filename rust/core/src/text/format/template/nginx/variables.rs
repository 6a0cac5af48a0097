//! The variables of nginx: <https://nginx.org/en/docs/varindex.html>, as of July 2026.

use super::super::super::field_type::FieldType;
use super::super::super::standard_fields;
use super::super::super::time::TimeFormat;
use super::super::Syntax;
use super::super::meaning::Meaning;

/// A variable whose field has a name that all formats share.
struct Standard {
    variable: &'static str,
    name: &'static str,
    rank: u8,
    syntax: Syntax,
    read: FieldType,
}

const fn standard(
    variable: &'static str,
    name: &'static str,
    rank: u8,
    syntax: Syntax,
    read: FieldType,
) -> Standard {
    Standard { variable, name, rank, syntax, read }
}

const STANDARD: &[Standard] = &[
    standard("args", "query", 0, Syntax::Free, FieldType::Text),
    standard("body_bytes_sent", "size", 0, Syntax::Int, FieldType::Int),
    standard("bytes_received", "bytes_in", 1, Syntax::Int, FieldType::Int),
    standard("bytes_sent", "bytes_out", 0, Syntax::Int, FieldType::Int),
    standard("document_uri", "path", 1, Syntax::Free, FieldType::Text),
    standard("host", "vhost", 0, Syntax::Word, FieldType::Text),
    standard("http_host", "vhost", 1, Syntax::Free, FieldType::Text),
    standard("http_referer", "referer", 0, Syntax::Free, FieldType::Text),
    standard("http_user_agent", "agent", 0, Syntax::Free, FieldType::Text),
    standard("http_x_forwarded_for", "xff", 0, Syntax::Free, FieldType::Text),
    standard("msec", "time", 1, Syntax::Time, FieldType::Time(TimeFormat::Epoch(0))),
    standard("protocol", "protocol", 1, Syntax::Word, FieldType::Text),
    standard("proxy_add_x_forwarded_for", "xff", 1, Syntax::Free, FieldType::Text),
    standard("query_string", "query", 1, Syntax::Free, FieldType::Text),
    standard("remote_addr", "host", 0, Syntax::Word, FieldType::Text),
    standard("remote_user", "user", 0, Syntax::Free, FieldType::Text),
    standard("req_id", "request_id", 1, Syntax::Free, FieldType::Text),
    standard("request", "request", 0, Syntax::Free, FieldType::Request),
    standard("request_id", "request_id", 0, Syntax::Word, FieldType::Text),
    standard("request_length", "bytes_in", 0, Syntax::Int, FieldType::Int),
    standard("request_method", "method", 0, Syntax::Word, FieldType::Text),
    standard("request_time", "request_time", 0, Syntax::Number, FieldType::Seconds(0)),
    standard("request_uri", "url", 0, Syntax::Free, FieldType::Text),
    standard("scheme", "scheme", 0, Syntax::Word, FieldType::Text),
    standard("server_name", "vhost", 2, Syntax::Word, FieldType::Text),
    standard("server_port", "port", 0, Syntax::Int, FieldType::Int),
    standard("server_protocol", "protocol", 0, Syntax::Word, FieldType::Text),
    standard("status", "status", 0, Syntax::Status, FieldType::Int),
    standard("time_iso8601", "time", 2, Syntax::Time, FieldType::Time(TimeFormat::Iso)),
    standard("time_iso8601_ms", "time", 0, Syntax::Time, FieldType::Time(TimeFormat::Iso)),
    standard("time_local", "time", 2, Syntax::Time, FieldType::Time(TimeFormat::Clf)),
    standard("upstream_addr", "upstream", 0, Syntax::Free, FieldType::Text),
    standard("upstream_response_time", "upstream_time", 0, Syntax::Numbers, FieldType::Seconds(0)),
    standard("upstream_status", "upstream_status", 0, Syntax::Numbers, FieldType::Text),
    standard("uri", "path", 0, Syntax::Free, FieldType::Text),
];

/// Variables that keep their own name and whose syntax is stricter than free text.
const OWN: &[(Syntax, FieldType, &[&str])] = &[
    (
        Syntax::Int,
        FieldType::Int,
        &[
            "connection",
            "connection_requests",
            "connections_active",
            "connections_reading",
            "connections_waiting",
            "connections_writing",
            "content_length",
            "geoip_area_code",
            "geoip_dma_code",
            "limit_rate",
            "pid",
            "proxy_port",
            "proxy_protocol_port",
            "proxy_protocol_server_port",
            "realip_remote_port",
            "remote_port",
            "request_port",
            "ssl_client_v_remain",
            "tcpinfo_rcv_space",
            "tcpinfo_rtt",
            "tcpinfo_rttvar",
            "tcpinfo_snd_cwnd",
        ],
    ),
    (Syntax::Number, FieldType::Seconds(0), &["connection_time", "session_time"]),
    (
        Syntax::Word,
        FieldType::Text,
        &[
            "geoip_city_continent_code",
            "geoip_city_country_code",
            "geoip_city_country_code3",
            "geoip_country_code",
            "geoip_country_code3",
            "hostname",
            "limit_conn_status",
            "limit_req_status",
            "nginx_version",
            "otel_parent_id",
            "otel_span_id",
            "otel_trace_id",
            "pipe",
            "proxy_host",
            "proxy_protocol_addr",
            "proxy_protocol_server_addr",
            "realip_remote_addr",
            "server_addr",
            "session_log_id",
            "ssl_alpn_protocol",
            "ssl_cipher",
            "ssl_ciphers",
            "ssl_client_fingerprint",
            "ssl_client_serial",
            "ssl_client_sigalg",
            "ssl_curve",
            "ssl_curves",
            "ssl_ech_outer_server_name",
            "ssl_ech_status",
            "ssl_preread_protocol",
            "ssl_protocol",
            "ssl_server_name",
            "ssl_session_id",
            "ssl_session_reused",
            "ssl_sigalg",
            "ssl_sigalgs",
            "upstream_cache_status",
            "upstream_last_addr",
            "upstream_last_server_name",
        ],
    ),
    (Syntax::Number, FieldType::Float, &["geoip_latitude", "geoip_longitude", "gzip_ratio"]),
    (Syntax::Free, FieldType::Int, &["sent_http_content_length"]),
    (
        Syntax::Numbers,
        FieldType::IntList,
        &["upstream_bytes_received", "upstream_bytes_sent", "upstream_response_length"],
    ),
    (
        Syntax::Numbers,
        FieldType::Seconds(0),
        &[
            "upstream_connect_time",
            "upstream_first_byte_time",
            "upstream_header_time",
            "upstream_queue_time",
            "upstream_session_time",
        ],
    ),
];

/// The variables with a name of the server, which a request target can follow directly.
const HOSTS: &[&str] = &["host", "http_host", "server_name", "hostname"];

const PATHS: &[&str] = &["uri", "document_uri"];

/// The meaning of a variable. A name that is not in the tables is text: a header, a cookie, an
/// argument, a capture, or a variable that `map`, `set` or a module defines.
pub(super) fn meaning(variable: &str) -> Meaning {
    let own = if variable.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("capture_{variable}")
    } else {
        variable.to_owned()
    };
    if let Some(known) = STANDARD.iter().find(|known| known.variable == variable) {
        let Standard { name, rank, syntax, ref read, .. } = *known;
        return Meaning { standard: name, rank, own, syntax, read: read.clone() };
    }
    if let Some((syntax, read, _)) = OWN.iter().find(|(_, _, names)| names.contains(&variable)) {
        return Meaning::own(own, *syntax, read.clone());
    }
    match standard_fields::standard_field(variable) {
        Some(known) => {
            let read = known.read.clone();
            Meaning { standard: known.name, rank: 9, own, syntax: Syntax::Free, read }
        }
        None => Meaning::text(own),
    }
}

/// Whether a variable directly after these belongs to the same value.
pub(super) fn continues(before: &[String], variable: &str) -> bool {
    let Some(last) = before.last().map(String::as_str) else { return false };
    if HOSTS.contains(&last) {
        return variable == "request_uri" || PATHS.contains(&variable);
    }
    match variable {
        "is_args" => PATHS.contains(&last),
        "args" | "query_string" => last == "is_args" && before.len() > 1,
        _ => false,
    }
}

/// Whether adjacent variables begin with the server, not with the path.
pub(super) fn starts_with_host(names: &[String]) -> bool {
    names.len() > 1 && names.first().is_some_and(|first| HOSTS.contains(&first.as_str()))
}

/// The meaning of adjacent variables.
pub(super) fn joined(names: &[String]) -> Meaning {
    match names {
        [one] => meaning(one),
        names if starts_with_host(names) => Meaning::text(names.join("_")),
        names => Meaning { standard: "url", rank: 1, ..Meaning::text(names.join("_")) },
    }
}
