//! The fuzzed formats, and lines of some of them.

/// An input refers to a format by its index, so new ones are appended.
pub(crate) const FORMATS: &[&str] = &[
    "classic",
    "common",
    "combined",
    "vhost_combined",
    "combinedio",
    "main",
    "main-timed",
    "k8s-ingress",
    "w3c",
    "iis",
    "cloudfront",
    "elb",
    "alb",
    "s3",
    "traefik",
    "envoy",
    "haproxy",
    "squid",
    "caddy",
    "traefik-json",
    "envoy-json",
    "json",
    "ltsv",
    "csv",
    "tsv",
    "json:a,b=x.y|x.z,c:int,d=e.0,time=t|u",
    "csv:time,device,temperature:float",
    "combined,json,common",
    r#"log_format x '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for" $request_time "$upstream_response_time"';"#,
    r#"$host $remote_addr [$time_iso8601] $request_method "$request_uri" $status $upstream_addr $pipe"#,
    r#"log_format j escape=json '{"t":"$time_iso8601","r":"$request","s":$status,"h":{"a":"$http_user_agent"}}';"#,
    r#"LogFormat "%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\" %D %{ms}T" x"#,
    r#"%h %{%Y-%m-%d %H:%M:%S}t.%{usec_frac}t \"%m %U%q %H\" %s %b \"%{X-Forwarded-For}i\" \"%{Cookie}i\""#,
    r#"%h %^[%d:%t %^] "%r" %s %b "%R" "%u" %T"#,
    "{a:text}: {b:text}={c:text} {d:int}",
    r#"[{time:time(%d/%b/%Y:%H:%M:%S.%f)}] {} "{request}" {status}{?} {x:s}{...}"#,
    "main-rt",
    "combined-timed",
];

/// The formats whose lines are never another line with a prefix.
pub(crate) const PREFIXED_FORMATS: &[&str] = &[
    "main",
    "k8s-ingress",
    "traefik",
    "envoy",
    "caddy",
    "traefik-json",
    "envoy-json",
    "json",
    "json:a,b=x.y|x.z,c:int,d=e.0,time=t|u",
];

pub(crate) const PREFIXES: &[&str] = &[
    "2025-01-02T03:04:05.123456789Z stdout F ",
    "web-1  | ",
    "<190>May  6 07:08:09 host nginx: ",
    "<165>1 2003-10-11T22:14:15.003Z host app - - [a@1 b=\"]\\\" \"] ",
];

pub(crate) const LINES: &[&str] = &[
    r#"www.example.com:80 1.2.3.4 - frank [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 5 "-" "ua" "1.1.1.1, 2.2.2.2" 0.012 "0.001, - : 0.010""#,
    r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "\x16\x03\"" 400 - "-" "-""#,
    r#"{"time":"2026-11-06T10:00:01Z","request":{"uri":"/a","headers":{"A":["b"]}},"status":200,"a":1.5e3}"#,
    "host:1.2.3.4\ttime:[10/Oct/2000:13:55:36 -0700]\tstatus:200",
    "#Fields: date time c-ip cs-uri-stem sc-status",
    "2002-05-02 17:42:15 172.22.255.255 /images/picture.jpg 200",
    "time,device,temperature",
    "2026-11-06T10:00:01Z,\"cel\"\"lar\",11.5",
    "",
];
