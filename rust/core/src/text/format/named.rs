//! The definitions of named formats, and the list of those for text lines.

/// A named format.
#[derive(Debug)]
pub struct NamedFormat {
    /// The name.
    pub name: &'static str,
    /// What writes it, in one line.
    pub about: &'static str,
    /// An example line.
    pub example: &'static str,
    /// How it is compiled.
    pub(crate) definition: Definition,
    /// Whether it takes part in detection. Of formats that match equally many lines the first in
    /// the list is chosen, so more specific formats come first.
    pub detected: bool,
    /// Where it is documented.
    pub source: &'static str,
}

/// How a named format is compiled.
#[derive(Debug)]
pub(crate) enum Definition {
    Classic,
    Common,
    Combined,
    VhostCombined,
    /// A template with fields in braces.
    Template(&'static str),
    /// Several templates with fields in braces, tried in order.
    Either(&'static [&'static str]),
    /// One JSON object per line: names of fields and their paths. A path may have alternatives,
    /// separated by bars. Those with a `!` are required.
    Json(&'static [(&'static str, &'static str)]),
    /// Any JSON object, with fields found by their usual names.
    AnyJson,
    Ltsv,
    /// logfmt.
    Logfmt,
    /// Columns named by a `#Fields:` line.
    W3c,
    CloudFront,
    /// Columns named by the first line, separated by this byte.
    Delimited(u8),
}

impl Definition {
    /// Whether it has the text of templates.
    pub(crate) fn is_template(&self) -> bool {
        matches!(self, Self::Template(_) | Self::Either(_))
    }
}

const MOD_LOG_CONFIG: &str = "https://httpd.apache.org/docs/2.4/mod/mod_log_config.html";
const NGINX_LOG: &str = "https://nginx.org/en/docs/http/ngx_http_log_module.html";

/// A line of `haproxy` up to the queues, and these fields.
macro_rules! haproxy_cut {
    ($rest:literal) => {
        concat!(
            "{host}:{client_port:int} [{time:time(%d/%b/%Y:%H:%M:%S.%f)}] {frontend} ",
            "{backend}/{server} {tq:ms}/{tw:ms}/{tc:ms}/{upstream_time:ms}/{request_time:+ms} ",
            "{status:int} {bytes_out:+int} {request_cookie} {response_cookie} ",
            "{termination_state} ",
            "{actconn:int}/{feconn:int}/{beconn:int}/{srv_conn:int}/{retries} ",
            "{srv_queue:int}/{backend_queue:int} ",
            $rest,
        )
    };
}

/// As `haproxy_cut`, with what `option httpslog` adds to a line.
macro_rules! haproxy {
    ($rest:literal) => {
        concat!(
            haproxy_cut!($rest),
            " {fc_err}/{ssl_fc_err}/{ssl_c_err}/{ssl_c_ca_err}/{ssl_fc_is_resumed} ",
            "{ssl_server_name}/{ssl_protocol}/{ssl_cipher}",
        )
    };
}

/// The formats for text lines, the more specific first; `records` lists the others.
pub(crate) const TEXT_FORMATS: &[NamedFormat] = &[
    NamedFormat {
        name: "k8s-ingress",
        about: "Kubernetes ingress-nginx",
        example: r#"192.168.1.5 - - [17/May/2015:10:05:03 +0000] "GET /api HTTP/1.1" 200 612 "-" "curl/7.81.0" 79 0.003 [default-web-80] [] 10.244.0.7:8080 612 0.002 200 4b1f0e7a2c9d8b6f5e3a1c0d9e8f7a6b"#,
        definition: Definition::Template(concat!(
            r#"{host} - {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}" "#,
            "{bytes_in} {request_time} [{proxy_upstream_name}] ",
            "[{proxy_alternative_upstream_name}] {upstream} {upstream_response_length:int} ",
            "{upstream_time} {upstream_status} {request_id}",
        )),
        detected: true,
        source: "https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/log-format/",
    },
    NamedFormat {
        name: "traefik",
        about: "Traefik, Common Log Format",
        example: r#"10.0.0.1 - Client [10/Nov/2009:23:00:00 +0000] "GET /foo http" 123 132 "referer" "agent" - "foo" "http://10.0.0.2/toto" 123000ms"#,
        definition: Definition::Template(concat!(
            r#"{host} - {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}" "#,
            r#"{requests:int} "{router}" "{upstream}" {request_time:ms}ms"#,
        )),
        detected: true,
        source: "https://doc.traefik.io/traefik/observability/access-logs/",
    },
    NamedFormat {
        name: "combinedio",
        about: "Apache: combined plus bytes received and sent",
        example: r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326 "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)" 302 2590"#,
        definition: Definition::Template(concat!(
            r#"{host} {ident} {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}" "#,
            "{bytes_in} {bytes_out}",
        )),
        detected: true,
        source: MOD_LOG_CONFIG,
    },
    NamedFormat {
        name: "main-rt",
        about: "nginx: main or combined plus named times (rt=, uct=, uht=, urt=)",
        example: r#"192.168.1.5 - - [17/May/2015:10:05:03 +0000] "GET /api HTTP/1.1" 200 612 "-" "curl/7.81.0" "203.0.113.9" rt=0.012 uct="0.001" uht="0.010" urt="0.010""#,
        definition: Definition::Either(&[
            concat!(
                r#"{host} - {user} [{time}] "{request}" {status} {size} "{referer:text1}" "{agent:text1}" "#,
                r#""{xff:unquoted}" rt={request_time:s.} uct="{upstream_connect_time:s}" "#,
                r#"uht="{upstream_header_time:s}" urt="{upstream_time}""#,
            ),
            concat!(
                r#"{host} - {user} [{time}] "{request}" {status} {size} "{referer:text1}" "{agent:text1}" "#,
                r#"rt={request_time:s.} uct="{upstream_connect_time:s}" "#,
                r#"uht="{upstream_header_time:s}" urt="{upstream_time}""#,
            ),
        ]),
        detected: true,
        source: NGINX_LOG,
    },
    NamedFormat {
        name: "main-timed",
        about: "nginx: main plus request and upstream time",
        example: r#"192.168.1.5 - - [17/May/2015:10:05:03 +0000] "GET /api HTTP/1.1" 200 612 "-" "curl/7.81.0" "203.0.113.9" 0.012 "0.010""#,
        definition: Definition::Either(&[
            concat!(
                r#"{host} - {user} [{time}] "{request}" {status} {size} "{referer:text1}" "{agent:text1}" "#,
                r#""{xff:unquoted}" {request_time:s.}{?} "{upstream_time}""#,
            ),
            concat!(
                r#"{host} - {user} [{time}] "{request}" {status} {size} "{referer:text1}" "{agent:text1}" "#,
                r#""{xff:unquoted}" {request_time:s.} {upstream_time}{?} {pipe}"#,
            ),
            concat!(
                r#"{host} - {user} [{time}] "{request}" {status} {size} "{referer:text1}" "{agent:text1}" "#,
                r#""{xff:unquoted}" "{request_time:s.}"{?} "{upstream_time}""#,
            ),
        ]),
        detected: true,
        source: NGINX_LOG,
    },
    NamedFormat {
        name: "combined-timed",
        about: "nginx: combined plus request and upstream time",
        example: r#"192.168.1.5 - - [17/May/2015:10:05:03 +0000] "GET /api HTTP/1.1" 200 612 "-" "curl/7.81.0" 0.012 "0.010""#,
        definition: Definition::Either(&[
            concat!(
                r#"{host} - {user} [{time}] "{request}" {status} {size} "{referer:text1}" "{agent:text1}" "#,
                r#"{request_time:s.}{?} "{upstream_time}""#,
            ),
            concat!(
                r#"{host} - {user} [{time}] "{request}" {status} {size} "{referer:text1}" "{agent:text1}" "#,
                r#"{request_time:s.} {upstream_time}{?} {pipe}"#,
            ),
        ]),
        detected: true,
        source: NGINX_LOG,
    },
    NamedFormat {
        name: "main",
        about: "nginx packages: combined plus X-Forwarded-For",
        example: r#"192.168.1.5 - - [17/May/2015:10:05:03 +0000] "GET /api HTTP/1.1" 200 612 "-" "curl/7.81.0" "203.0.113.9""#,
        definition: Definition::Template(concat!(
            r#"{host} - {user} [{time}] "{request}" {status} {size} "{referer:text1}" "{agent:text1}" "#,
            r#""{xff:unquoted}""#,
        )),
        detected: true,
        source: NGINX_LOG,
    },
    NamedFormat {
        name: "vhost_combined",
        about: "Apache on Debian and Ubuntu: virtual host with optional port, then combined",
        example: r#"www.example.com:80 127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326 "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)""#,
        definition: Definition::VhostCombined,
        detected: true,
        source: MOD_LOG_CONFIG,
    },
    NamedFormat {
        name: "alb",
        about: "AWS Application Load Balancer",
        example: r#"http 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0" - - arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067 "Root=1-58337262-36d228ad5d99923122bbe354" "-" "-" 0 2018-07-02T22:22:48.364000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-" TID_1234abcd5678ef90 "-" "-" "-""#,
        definition: Definition::Template(concat!(
            "{type} {time:iso} {elb} {host}:{client_port:int} {upstream} ",
            "{request_processing_time:s} {upstream_time} {response_processing_time:s} ",
            r#"{status} {upstream_status} {bytes_in} {bytes_out} "{request}" "{agent}" "#,
            r#"{ssl_cipher} {ssl_protocol} {target_group_arn} "{trace_id}""#,
            r#"{?} "{domain_name}" "{chosen_cert_arn}""#,
            r#"{?} {matched_rule_priority:int} {request_creation_time:iso}"#,
            r#"{?} "{actions_executed}"{?} "{redirect_url}"{?} "{error_reason}""#,
            r#"{?} "{target_port_list}" "{target_status_code_list}""#,
            r#"{?} "{classification}" "{classification_reason}"{?} {conn_trace_id}"#,
            r#"{?} "{transformed_host}" "{transformed_uri}" "{request_transform_status}"{...}"#,
        )),
        detected: true,
        source: "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html",
    },
    NamedFormat {
        name: "elb",
        about: "AWS Classic Load Balancer",
        example: r#"2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.39:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.38.0" - -"#,
        definition: Definition::Template(concat!(
            "{time:iso} {elb} {host}:{client_port:int} {upstream} {request_processing_time:s} ",
            "{upstream_time} {response_processing_time:s} {status} {upstream_status} ",
            r#"{received_bytes:int} {size} "{request}"{?} "{agent}" {ssl_cipher} {ssl_protocol}"#,
            "{...}",
        )),
        detected: true,
        source: "https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/access-log-collection.html",
    },
    NamedFormat {
        name: "s3",
        about: "Amazon S3 server access log",
        example: r#"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be amzn-s3-demo-bucket1 [06/Feb/2019:00:00:38 +0000] 192.0.2.3 79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be 3E57427F3EXAMPLE REST.GET.VERSIONING - "GET /amzn-s3-demo-bucket1?versioning HTTP/1.1" 200 - 113 - 7 - "-" "S3Console/0.4" - s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234= SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com TLSV1.2 arn:aws:s3:us-west-1:123456789012:accesspoint/example-AP Yes"#,
        definition: Definition::Template(concat!(
            "{bucket_owner} {bucket} [{time}] {host} {user:word} {request_id} {operation} {key} ",
            r#""{request}" {status} {error_code} {size} {object_size:int} {request_time:ms} "#,
            r#"{turn_around_time:ms} "{referer:text-}" "{agent:text-}"{?} {version_id}{?} "#,
            "{host_id}",
            "{?} {signature_version}{?} {ssl_cipher}{?} {authentication_type}{?} {vhost}",
            "{?} {ssl_protocol}{?} {access_point_arn}{?} {acl_required}{...}",
        )),
        detected: true,
        source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html",
    },
    NamedFormat {
        name: "envoy",
        about: "Envoy, default text format",
        example: r#"[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations" "tcp://10.0.2.1:80""#,
        definition: Definition::Template(concat!(
            r#"[{time:iso}] "{request}" {status:int} {response_flags} {bytes_in} {bytes_out} "#,
            r#"{request_time:ms} {upstream_time:ms} "{xff}" "{agent}" "{request_id}" "{vhost}" "#,
            r#""{upstream}""#,
        )),
        detected: true,
        source: "https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage",
    },
    NamedFormat {
        name: "haproxy",
        about: "HAProxy with option httplog, httpslog or tcplog",
        example: r#"10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1""#,
        definition: Definition::Either(&[
            haproxy!(r#""{request}"{?}"#),
            haproxy!(r#"{{{request_headers:text}}} {{{response_headers:text}}} "{request}"{?}"#),
            haproxy!(r#"{{{request_headers:text}}} "{request}"{?}"#),
            // A request that syslog cut off.
            haproxy_cut!(r#""{request:cut}"#),
            haproxy_cut!(
                r#"{{{request_headers:text}}} {{{response_headers:text}}} "{request:cut}"#
            ),
            haproxy_cut!(r#"{{{request_headers:text}}} "{request:cut}"#),
            concat!(
                "{host}:{client_port:int} [{time:time(%d/%b/%Y:%H:%M:%S.%f)}] {frontend} ",
                "{backend}/{server} {tw:ms}/{tc:ms}/{request_time:+ms} {bytes_out:+int} ",
                "{termination_state} ",
                "{actconn:int}/{feconn:int}/{beconn:int}/{srv_conn:int}/{retries} ",
                "{srv_queue:int}/{backend_queue:int}",
            ),
        ]),
        detected: true,
        source: "https://docs.haproxy.org/3.0/configuration.html#8.2.3",
    },
    NamedFormat {
        name: "squid",
        about: "Squid native log",
        example: "979992041.366    502 192.168.1.160 TCP_IMS_HIT/304 216 GET http://example.com/home2.html - NONE/- text/html",
        definition: Definition::Template(concat!(
            "{time:epoch} {request_time:ms} {host} {cache_result}/{status} {bytes_out} {method} ",
            "{url:text} {user:word} {hierarchy}/{upstream} {content_type}{...}",
        )),
        detected: true,
        source: "https://wiki.squid-cache.org/Features/LogFormat",
    },
    NamedFormat {
        name: "common",
        about: "Common Log Format: the default of Apache and many other servers",
        example: r#"1.2.3.4 - joe [17/May/2015:10:05:03 +0000] "GET /a?b=1 HTTP/1.1" 200 512"#,
        definition: Definition::Common,
        detected: true,
        source: "https://httpd.apache.org/docs/2.4/logs.html#common",
    },
    NamedFormat {
        name: "combined",
        about: "common plus referer and agent: the default of nginx and most Apache setups",
        example: r#"1.2.3.4 - joe [17/May/2015:10:05:03 +0000] "GET /a?b=1 HTTP/1.1" 200 512 "http://example.com/" "Mozilla/5.0 (X11)""#,
        definition: Definition::Combined,
        detected: true,
        source: "https://httpd.apache.org/docs/2.4/logs.html#combined",
    },
    NamedFormat {
        name: "classic",
        about: "combined, parsed with the regular expression of older Spark programs; all values are text",
        example: r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "curl/8.5""#,
        definition: Definition::Classic,
        detected: false,
        source: "https://spark.apache.org/docs/2.4.8/streaming-flume-integration.html",
    },
];

#[cfg(test)]
mod tests;
