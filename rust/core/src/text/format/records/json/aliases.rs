//! The usual names of fields in JSON logs.

/// The standard fields with their usual names: nginx variables, Caddy, Traefik, Envoy, the Elastic
/// Common Schema, LTSV, and common frameworks.
///
/// Durations are in seconds here, so those of Envoy and Traefik are left to their own formats.
pub(super) const ALIASES: &[(&str, &str)] = &[
    (
        "host",
        "remote_addr|client_ip|remote_ip|ClientHost|clientip|client_addr|clientIp|remoteAddress|\
         remoteIp|remote_host|remote_address|client_address|c_ip|c-ip|source_ip|src_ip|ip|client|\
         request.client_ip|request.remote_ip|client.ip|source.ip|source.address|\
         httpRequest.remoteIp|http_x_real_ip|host",
    ),
    (
        "user",
        "user|remote_user|ClientUsername|user_id|username|user_name|auth_user|cs_username|\
         cs-username|user.name",
    ),
    (
        "time",
        "time|ts|timestamp|@timestamp|time_iso8601|time_local|msec|start_time|StartUTC|datetime|\
         date_time|event_time|requestTime|request_timestamp|local_time|eventTime|date",
    ),
    (
        "method",
        "method|request_method|RequestMethod|http_method|requestMethod|verb|cs_method|cs-method|\
         request.method|http.method|http.request.method|httpRequest.requestMethod",
    ),
    (
        "url",
        "url|request_uri|uri|RequestPath|requestUri|request_url|requestUrl|x-envoy-origin-path|\
         request.uri|request.url|http.url|url.original|httpRequest.requestUrl",
    ),
    (
        "protocol",
        "protocol|server_protocol|RequestProtocol|proto|http_version|httpversion|httpVersion|\
         cs_version|cs-version|request.proto|httpRequest.protocol",
    ),
    ("request", "request|req|request_line|requestLine"),
    ("path", "path|uri_path|url_path|cs-uri-stem|cs_uri_stem|url.path"),
    ("query", "query|query_string|args|uri_query|cs-uri-query|cs_uri_query|url.query"),
    (
        "status",
        "status|status_code|statusCode|DownstreamStatus|response_code|http_status|\
         http_status_code|response|code|sc_status|sc-status|response.status|\
         http.response.status_code|httpRequest.status",
    ),
    (
        "size",
        "size|body_bytes_sent|DownstreamContentSize|bytes|response_size|responseSize|\
         content_length|bytes_written|http.response.body.bytes|httpRequest.responseSize",
    ),
    (
        "bytes_in",
        "bytes_in|bytes_read|bytes_received|request_length|RequestContentSize|request_size|\
         cs_bytes|cs-bytes|http.request.bytes|httpRequest.requestSize",
    ),
    ("bytes_out", "bytes_out|bytes_sent|sc_bytes|sc-bytes|http.response.bytes"),
    (
        "referer",
        "referer|http_referer|referrer|http_referrer|request_Referer|cs_referer|\
         request.headers.Referer.0|http.request.referrer|httpRequest.referer",
    ),
    (
        "agent",
        "agent|user_agent|http_user_agent|ua|userAgent|user-agent|useragent|request_User-Agent|\
         cs_user_agent|request.headers.User-Agent.0|user_agent.original|httpRequest.userAgent",
    ),
    (
        "vhost",
        "vhost|http_host|server_name|RequestHost|virtual_host|authority|:authority|domain|\
         request.host|url.domain|host",
    ),
    ("port", "port|server_port|s_port|s-port|url.port"),
    ("scheme", "scheme|request_scheme|RequestScheme|url.scheme"),
    ("request_time", "request_time|reqtime|duration"),
    ("upstream_time", "upstream_time|upstream_response_time|apptime"),
    ("upstream", "upstream|upstream_addr|upstream_host|ServiceAddr"),
    ("upstream_status", "upstream_status|OriginStatus"),
    (
        "xff",
        "xff|http_x_forwarded_for|x_forwarded_for|x-forwarded-for|forwarded_for|forwardedfor|\
         request_X-Forwarded-For|request.headers.X-Forwarded-For.0",
    ),
    (
        "request_id",
        "request_id|req_id|requestId|x_request_id|x-request-id|http_x_request_id|\
         request_X-Request-Id|request.headers.X-Request-Id.0",
    ),
];
