//! Other names of the standard fields, as servers and tools call them.
//!
//! A request for one of them gives the standard field, unless the format or the line has a field of
//! that very name.

use std::borrow::Cow;

use super::records::JSON_KEYS;
use super::standard_fields::standard_field;

/// Names that are not keys of JSON lines, in addition to `JSON_KEYS`: variables of nginx,
/// specifiers of GoAccess that mean the same in Apache, fields of W3C and of the Elastic Common
/// Schema, and what people type. `host` is a standard field although it is another variable of
/// nginx.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("host", "addr|client_host|remote|visitor|realip_remote_addr|cs-host-ip|%h"),
    ("user", "userid|auth|%e"),
    ("time", "date_time_local|time_received|datetime_local|%x"),
    ("method", "http_verb|%m"),
    ("url", "target|request_target|%U"),
    ("protocol", "http_protocol|network.protocol|%H"),
    ("request", "req_line|%r"),
    ("path", "document_uri|pathname|resource"),
    ("query", "querystring|qs|%q"),
    ("status", "statuscode|resp_status|response_status|%s|%>s"),
    ("size", "length|bytes_body|resp_size|body_size|response_bytes|%b"),
    ("referer", "ref|referral|cs(referer)|%R"),
    ("agent", "browser|cs(user-agent)|user_agent_string"),
    ("vhost", "hostname|virtualhost|server_host|cs-host|cs_host|host_header|%v"),
    ("port", "destination.port"),
    (
        "request_time",
        "latency|duration|response_time|serve_time|elapsed|rt|took|time-taken|time_taken|%T",
    ),
    ("upstream_time", "urt|backend_time|upstream_latency"),
    ("upstream", "backend|upstream_server"),
    ("xff", "forwarded|cs(X-Forwarded-For)"),
    ("request_id", "rid|trace_id|http.request.id"),
];

/// All other names with their standard fields; the first entry of a name counts.
pub fn aliases() -> impl Iterator<Item = (&'static str, &'static str)> {
    let rows = JSON_KEYS.iter().chain(OTHER_NAMES);
    let names = rows.flat_map(|(field, names)| names.split('|').map(move |name| (name, *field)));
    names.filter(|(name, _)| standard_field(name).is_none())
}

/// The name of a field with its standard name in place of another one. Steps after a colon stay.
pub(super) fn standard_name(name: &str) -> Option<Cow<'static, str>> {
    let (base, steps) = split_steps(name);
    let (_, field) = aliases().find(|(alias, _)| *alias == base)?;
    Some(if steps.is_empty() { field.into() } else { format!("{field}{steps}").into() })
}

/// A name without its steps, and these. A name may begin with a colon: `:authority`.
pub(super) fn split_steps(name: &str) -> (&str, &str) {
    let end = name.char_indices().skip(1).find(|&(_, found)| found == ':');
    name.split_at(end.map_or(name.len(), |(at, _)| at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_steps() {
        for (name, standard) in [
            ("ip", Some("host")),
            ("request_uri", Some("url")),
            ("request_uri:noquery:2", Some("url:noquery:2")),
            (":authority", Some("vhost")),
            (":authority:decode", Some("vhost:decode")),
            ("cs(User-Agent)", Some("agent")),
            ("url", None),
            ("statsu", None),
            ("", None),
        ] {
            assert_eq!(standard_name(name).as_deref(), standard, "{name}");
        }
    }

    #[test]
    fn other_names_mean_a_standard_field() {
        for (name, field) in OTHER_NAMES
            .iter()
            .flat_map(|(field, names)| names.split('|').map(move |name| (name, field)))
        {
            assert!(standard_field(field).is_some(), "{field}");
            assert!(standard_field(name).is_none(), "{name}");
            let known = aliases().find(|(alias, _)| *alias == name);
            assert_eq!(known.map(|known| known.1), Some(*field), "{name}");
        }
    }
}
