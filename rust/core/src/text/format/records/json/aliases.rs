//! The usual names of fields in JSON logs.

use super::super::super::field_type::FieldType;
use super::super::standard_type;

/// The standard fields with their usual names: nginx variables, Caddy, Traefik, Envoy, the Elastic
/// Common Schema, LTSV, and what clouds, gateways and frameworks document.
pub(crate) const ALIASES: &[(&str, &str)] = &[
    (
        "host",
        "remote_addr|client_ip|remote_ip|ClientHost|clientip|client_addr|clientIp|remoteAddress|\
         remoteIp|remote_host|remote_address|client_address|c_ip|c-ip|source_ip|src_ip|ip|client|\
         ClientIP|cliIP|request.client_ip|request.remote_ip|client.ip|source.ip|source.address|\
         client.address|httpRequest.remoteIp|httpRequest.clientIp|properties.clientIP|\
         properties.clientIp|req.remoteAddress|meta.req.ip|proxy.clientIp|http_x_real_ip|host",
    ),
    (
        "user",
        "user|remote_user|ClientUsername|user_id|username|user_name|auth_user|cs_username|\
         cs-username|auth|user.name",
    ),
    (
        "time",
        "timestamp(ms)|time|ts|timestamp|@timestamp|time_iso8601|time_local|msec|start_time|\
         StartUTC|datetime|date_time|event_time|requestTime|request_timestamp|local_time|\
         eventTime|time_start|timeStamp|EdgeStartTimestamp|reqTimeSec|started_at|proxy.timestamp|\
         date",
    ),
    (
        "method",
        "method|request_method|RequestMethod|http_method|requestMethod|verb|cs_method|cs-method|\
         httpMethod|ClientRequestMethod|reqMethod|request.method|http.method|\
         http\\.method|http.request.method|httpRequest.requestMethod|httpRequest.httpMethod|\
         properties.httpMethod|req.method|meta.req.method|proxy.method",
    ),
    (
        "url",
        "url|request_uri|uri|RequestPath|requestUri|request_url|requestUrl|x-envoy-origin-path|\
         ClientRequestURI|request.uri|request.url|http.url|http\\.url|http\\.target|url.original|\
         url.full|httpRequest.requestUrl|properties.originalRequestUriWithArgs|\
         properties.requestUri|req.url|meta.req.url|proxy.path",
    ),
    (
        "protocol",
        "protocol|server_protocol|RequestProtocol|http_version|httpversion|httpVersion|\
         cs_version|cs-version|request_protocol|ClientRequestProtocol|request.proto|http.version|\
         httpRequest.protocol|httpRequest.httpVersion|properties.httpVersion|\
         meta.req.httpVersion|proto",
    ),
    ("request", "request|req|request_line|requestLine"),
    (
        "path",
        "path|uri_path|url_path|cs-uri-stem|cs_uri_stem|reqPath|ClientRequestPath|url.path|\
         httpRequest.uri",
    ),
    (
        "query",
        "query|query_string|args|uri_query|cs-uri-query|cs_uri_query|queryStr|url.query|\
         httpRequest.args",
    ),
    (
        "status",
        "status|status_code|statusCode|DownstreamStatus|response_code|http_status|\
         http_status_code|response|code|sc_status|sc-status|httpStatus|response_status|\
         EdgeResponseStatus|response.status|response.status_code|http.status_code|\
         http\\.status_code|http.response.status_code|httpRequest.status|properties.httpStatus|\
         properties.httpStatusCode|res.statusCode|res.status|meta.res.statusCode|\
         proxy.statusCode|responseCodeSent",
    ),
    (
        "size",
        "size|body_bytes_sent|DownstreamContentSize|bytes|response_size|responseSize|\
         responseLength|response_body_size|resp_body_size|EdgeResponseBodyBytes|content_length|\
         bytes_written|http.response.body.bytes|httpRequest.responseSize|response.size|\
         res.headers.content-length",
    ),
    (
        "bytes_in",
        "bytes_in|bytes_read|bytes_received|request_length|RequestContentSize|request_size|\
         cs_bytes|cs-bytes|ClientRequestBytes|http.request.bytes|httpRequest.requestSize|\
         request.size|properties.receivedBytes|properties.requestBytes",
    ),
    (
        "bytes_out",
        "bytes_out|bytes_sent|sc_bytes|sc-bytes|EdgeResponseBytes|http.response.bytes|\
         properties.sentBytes|properties.responseBytes",
    ),
    (
        "referer",
        "referer|http_referer|referrer|http_referrer|request_Referer|cs_referer|cs(Referer)|\
         request_referer|ClientRequestReferer|request.headers.Referer.0|request.headers.referer|\
         http.request.referrer|httpRequest.referer|properties.referer|properties.referrer|\
         req.headers.referer|meta.req.headers.referer|proxy.referer",
    ),
    (
        "agent",
        "agent|user_agent|http_user_agent|ua|userAgent|user-agent|useragent|request_User-Agent|\
         cs_user_agent|cs(User-Agent)|request_user_agent|ClientRequestUserAgent|UA|\
         request.headers.User-Agent.0|request.headers.user-agent|user_agent.original|\
         httpRequest.userAgent|properties.userAgent|req.headers.user-agent|\
         meta.req.headers.user-agent|proxy.userAgent.0",
    ),
    (
        "vhost",
        "vhost|http_host|server_name|RequestHost|virtual_host|authority|:authority|domain|\
         ClientRequestHost|reqHost|request.host|request.headers.host|url.domain|\
         properties.originalHost|properties.hostName|properties.host|req.headers.host|\
         meta.req.headers.host|proxy.host|x-host-header|cs(Host)|host",
    ),
    ("port", "port|server_port|s_port|s-port|reqPort|url.port"),
    (
        "scheme",
        "scheme|request_scheme|RequestScheme|ClientRequestScheme|cs-protocol|url.scheme|\
         proxy.scheme",
    ),
    ("request_time", "request_time|reqtime"),
    (
        "upstream_time",
        "upstream_time|upstream_response_time|apptime|properties.serverResponseLatency",
    ),
    (
        "upstream",
        "upstream|upstream_addr|upstream_host|ServiceAddr|OriginIP|httpRequest.serverIp|\
         properties.serverRouted",
    ),
    (
        "upstream_status",
        "upstream_status|OriginStatus|OriginResponseStatus|properties.serverStatus",
    ),
    (
        "xff",
        "xff|http_x_forwarded_for|x_forwarded_for|x-forwarded-for|forwarded_for|forwardedfor|\
         request_X-Forwarded-For|xForwardedFor|request.headers.X-Forwarded-For.0|\
         request.headers.x-forwarded-for|req.headers.x-forwarded-for|\
         meta.req.headers.x-forwarded-for",
    ),
    (
        "request_id",
        "request_id|req_id|requestId|x_request_id|x-request-id|http_x_request_id|\
         request_X-Request-Id|RayID|reqId|request.headers.X-Request-Id.0|request.id|req.id|\
         httpRequest.requestId|properties.transactionId|properties.trackingReference|\
         x-edge-request-id",
    ),
];

/// Fields that have other types in the lines of a program, which has the key after `if`.
///
/// Logstash's pattern `QS` keeps the quotes around a text.
const IN_QUOTES: &[(&str, FieldType, &str)] = &[
    ("referer", FieldType::Quoted, "referrer if verb"),
    ("agent", FieldType::Quoted, "agent if verb"),
];

/// More names of durations, by unit. Names that are used with several units, such as `duration`,
/// count only if the value has its unit. `if` and a key make the names depend on that key.
const DURATIONS: &[(&str, FieldType, &str)] = &[
    (
        "request_time",
        FieldType::Seconds(-3),
        "responseTime|responseLatency|meta.responseTime|latencies.request|request_time_ms|\
         duration_ms|durationMs|elapsed_ms|latency_ms|response_time_ms|responseTimeMs",
    ),
    ("request_time", FieldType::Seconds(-6), "request_time_us|duration_us|latency_us|elapsed_us"),
    (
        "request_time",
        FieldType::Seconds(-9),
        "event.duration|event\\.duration|duration_ns|latency_ns|elapsed_ns",
    ),
    // Azure Application Gateway: version 2, which has a `timeStamp`, writes seconds, version 1
    // milliseconds.
    ("request_time", FieldType::Seconds(0), "properties.timeTaken if timeStamp"),
    ("request_time", FieldType::TimeTaken, "properties.timeTaken|time-taken"),
    (
        "request_time",
        FieldType::Duration,
        "httpRequest.latency|latency_human|latency|duration|elapsed|response_time",
    ),
    ("upstream_time", FieldType::Seconds(-9), "OriginResponseTime"),
    (
        "upstream_time",
        FieldType::Seconds(-3),
        "OriginResponseDurationMs|integrationLatency|latencies.proxy",
    ),
];

/// The names, types and paths of the fields.
pub(crate) fn aliases() -> impl Iterator<Item = (&'static str, FieldType, &'static str)> {
    let read = |name: &str| match name {
        // Many loggers write only its version.
        "protocol" => FieldType::Protocol,
        _ => standard_type(name),
    };
    let typed =
        |entry: &(&'static str, FieldType, &'static str)| (entry.0, entry.1.clone(), entry.2);
    // The first entry of a name with a value counts, and the fields keep the order of the first list.
    let plain = ALIASES.iter().flat_map(move |(name, paths)| {
        let others = IN_QUOTES.iter().filter(move |other| other.0 == *name).map(typed);
        others.chain([(*name, read(name), *paths)])
    });
    plain.chain(DURATIONS.iter().map(typed))
}
