//! Tests of the example of each format, and of more lines from vendors' documentation.

use super::*;
use crate::text::format::Format;
use crate::text::format::parsed::{Reject, Span};

/// Whether a format has a matcher of its own, and needs no header.
fn is_specific(definition: &Definition) -> bool {
    definition.is_template() || matches!(definition, Definition::VhostCombined)
}

fn spans(format: &Format, line: &str) -> Result<Vec<Span>, Reject> {
    let mut spans = vec![Span::NONE; format.0.found.len()];
    format.split(line.as_bytes(), &mut spans).map(|_| spans)
}

/// The fields of a line as `name=text`, without absent ones.
fn split(name: &str, line: &str) -> Vec<String> {
    let format = Format::new(name).unwrap();
    let spans = match spans(&format, line) {
        Ok(spans) => spans,
        Err(reject) => {
            panic!("{name}: byte {}, expected {}\n{line}", reject.byte(), reject.expected())
        }
    };
    let text = |span: &Span| span.of(line.as_bytes()).map(|text| str::from_utf8(text).unwrap());
    let pairs = format.0.found.iter().zip(&spans);
    pairs.filter_map(|(found, span)| Some(format!("{}={}", found.name, text(span)?))).collect()
}

fn example(name: &str) -> &'static str {
    TEXT_FORMATS.iter().find(|named| named.name == name).unwrap().example
}

#[track_caller]
fn check(name: &str, line: &str, expected: &str) {
    let lines = expected.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut expected: Vec<_> = lines.collect();
    let mut found = split(name, line);
    // Fields that not all alternatives have come last.
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected, "{line}");
}

#[test]
fn every_example_matches_its_format() {
    for named in TEXT_FORMATS {
        assert!(named.source.starts_with("https://"), "{}", named.name);
        if is_specific(&named.definition) {
            assert!(split(named.name, named.example).len() > 4, "{}", named.name);
        }
    }
}

/// If a format matches the lines of another one, the more specific format comes first.
#[test]
fn no_example_matches_a_format_before_its_own() {
    for (index, named) in TEXT_FORMATS.iter().enumerate() {
        for before in &TEXT_FORMATS[..index] {
            if !is_specific(&before.definition) {
                continue;
            }
            let found = spans(&Format::new(before.name).unwrap(), named.example);
            assert!(found.is_err(), "{} matches {}", named.name, before.name);
        }
    }
}

#[test]
fn k8s_ingress() {
    check(
        "k8s-ingress",
        example("k8s-ingress"),
        r"
        host=192.168.1.5
        user=-
        time=17/May/2015:10:05:03 +0000
        request=GET /api HTTP/1.1
        status=200
        size=612
        referer=-
        agent=curl/7.81.0
        bytes_in=79
        request_time=0.003
        proxy_upstream_name=default-web-80
        proxy_alternative_upstream_name=
        upstream=10.244.0.7:8080
        upstream_response_length=612
        upstream_time=0.002
        upstream_status=200
        request_id=4b1f0e7a2c9d8b6f5e3a1c0d9e8f7a6b
    ",
    );
    // Several upstreams are separated as in
    // https://nginx.org/en/docs/http/ngx_http_upstream_module.html#var_upstream_addr
    let line = r#"192.168.1.5 - bob [17/May/2015:10:05:03 +0000] "GET /api HTTP/1.1" 200 612 "-" "curl/7.81.0" 79 0.003 [default-web-80] [default-b-80] 192.168.1.1:80, 192.168.1.2:80, unix:/tmp/sock : 192.168.10.1:80 0, 0, 0 : 612 0.001, 0.002, - : 0.010 502, 502, - : 200 4b1f"#;
    let found = split("k8s-ingress", line);
    for field in [
        "upstream=192.168.1.1:80, 192.168.1.2:80, unix:/tmp/sock : 192.168.10.1:80",
        "upstream_response_length=0, 0, 0 : 612",
        "upstream_time=0.001, 0.002, - : 0.010",
        "upstream_status=502, 502, - : 200",
        "request_id=4b1f",
    ] {
        assert!(found.iter().any(|found| found == field), "{field}: {found:?}");
    }
}

#[test]
fn traefik() {
    check(
        "traefik",
        example("traefik"),
        r"
        host=10.0.0.1
        user=Client
        time=10/Nov/2009:23:00:00 +0000
        request=GET /foo http
        status=123
        size=132
        referer=referer
        agent=agent
        requests=-
        router=foo
        upstream=http://10.0.0.2/toto
        request_time=123000
    ",
    );
}

#[test]
fn main_with_times() {
    check(
        "main-rt",
        example("main-rt"),
        r"
        host=192.168.1.5
        user=-
        time=17/May/2015:10:05:03 +0000
        request=GET /api HTTP/1.1
        status=200
        size=612
        referer=-
        agent=curl/7.81.0
        xff=203.0.113.9
        request_time=0.012
        upstream_connect_time=0.001
        upstream_header_time=0.010
        upstream_time=0.010
    ",
    );
    let start = r#"h - - [17/May/2015:10:05:03 +0000] "GET /api HTTP/1.1" 200 612 "-" "ua""#;
    for (suffix, fields) in [
        (
            r#" rt=0.012 uct="-" uht="-" urt="-""#,
            "request_time=0.012 upstream_connect_time=- upstream_header_time=- upstream_time=-",
        ),
        (r#" "10.0.0.1" 0.012 0.010"#, "xff=10.0.0.1 request_time=0.012 upstream_time=0.010"),
        (
            r#" "10.0.0.1" 0.012 0.010 ."#,
            "xff=10.0.0.1 request_time=0.012 upstream_time=0.010 pipe=.",
        ),
        (r#" "10.0.0.1" "0.012" "-""#, "xff=10.0.0.1 request_time=0.012 upstream_time=-"),
        (r#" "10.0.0.1" 0.012 "0.010""#, "xff=10.0.0.1 request_time=0.012 upstream_time=0.010"),
        (r#" "10.0.0.1" 0.012"#, "xff=10.0.0.1 request_time=0.012"),
        (r" 0.012", "request_time=0.012"),
        (r" 0.640 0.640 .", "request_time=0.640 upstream_time=0.640 pipe=."),
    ] {
        let line = format!("{start}{suffix}");
        let name = match suffix {
            _ if suffix.contains("rt=") => "main-rt",
            _ if suffix.contains("10.0.0.1") => "main-timed",
            _ => "combined-timed",
        };
        let rest = split(name, &line).into_iter().filter(|field| {
            !["host", "user", "time", "request", "status", "size", "referer", "agent"]
                .iter()
                .any(|name| field.split_once('=').unwrap().0 == *name)
        });
        let mut rest: Vec<_> = rest.collect();
        let mut expected: Vec<_> = fields.split(' ').collect();
        rest.sort_unstable();
        expected.sort_unstable();
        assert_eq!(rest, expected, "{line}");
    }
}

#[test]
fn main() {
    check(
        "main",
        example("main"),
        r"
        host=192.168.1.5
        user=-
        time=17/May/2015:10:05:03 +0000
        request=GET /api HTTP/1.1
        status=200
        size=612
        referer=-
        agent=curl/7.81.0
        xff=203.0.113.9
    ",
    );
}

#[test]
fn combinedio() {
    check(
        "combinedio",
        example("combinedio"),
        r"
        host=127.0.0.1
        ident=-
        user=frank
        time=10/Oct/2000:13:55:36 -0700
        request=GET /apache_pb.gif HTTP/1.0
        status=200
        size=2326
        referer=http://www.example.com/start.html
        agent=Mozilla/4.08 [en] (Win98; I ;Nav)
        bytes_in=302
        bytes_out=2590
    ",
    );
}

#[test]
fn vhost_combined() {
    check(
        "vhost_combined",
        example("vhost_combined"),
        r"
        vhost=www.example.com
        port=80
        host=127.0.0.1
        ident=-
        user=frank
        time=10/Oct/2000:13:55:36 -0700
        request=GET /apache_pb.gif HTTP/1.0
        status=200
        size=2326
        referer=http://www.example.com/start.html
        agent=Mozilla/4.08 [en] (Win98; I ;Nav)
    ",
    );
    check(
        "vhost_combined",
        r#"[::1]:443 ::2 - John Smith [17/May/2015:10:05:03 +0000] - 408 - "-" "-""#,
        r"
        vhost=[::1]
        port=443
        host=::2
        ident=-
        user=John Smith
        time=17/May/2015:10:05:03 +0000
        request=-
        status=408
        size=-
        referer=-
        agent=-
    ",
    );
    check(
        "vhost_combined",
        r#"www.example.com 10.0.0.1, 10.0.0.2 - - [t] "" 400 0"#,
        r"
        vhost=www.example.com
        host=10.0.0.1, 10.0.0.2
        ident=-
        user=-
        time=t
        request=
        status=400
        size=0
    ",
    );
}

#[test]
fn vhost_combined_has_an_address_or_a_name_as_the_host() {
    let format = Format::new("vhost_combined").unwrap();
    let matches = |who: &str| {
        let line = format!("{who} [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 5");
        spans(&format, &line).is_ok()
    };
    for who in [
        "www.example.com:80 192.0.2.1 - -",
        "www.example.com 192.0.2.1 - -",
        "127.0.1.1:80 192.0.2.1 - joe",
        "[::1]:443 fe80::1%eth0 - -",
        "example.com. 14.212.143.11:42918 - -",
        "my_host web-1.example.org - John Smith",
        "xn--bcher-kva.example unix: - -",
        "_ [2001:db8::1]:443 - -",
        "- 192.0.2.1 - -",
        "example.com - - -",
        "example.com:80 192.0.2.1 -",
        "example.com 192.0.2.1 - ",
        "example.com unknown, 192.0.2.1 - -",
        "example.com:80 192.0.2.1 ident joe",
    ] {
        assert!(matches(who), "{who}");
    }
    for who in [
        "192.0.2.1 203.0.113.7 - -",
        "192.0.2.1 (203.0.113.7) - -",
        "example.com (203.0.113.7) - -",
        "example.com 203.0.113.7: - -",
        "example.com 192.0.2.1 - req1 -",
        "example.com 192.0.2.1 -",
        "example.com web 192.0.2.1 - -",
        "example.com 192.0.2.1 ident joe",
        "2001:db8::1 - John Smith",
        "2001:db8::1:80 - -",
        "192.0.2.1:80 - -",
        "0.003 192.0.2.1 - -",
        "2025-01-02 192.0.2.1 - -",
        "4b1f0e7a2c9d8b6f5e3a1c0d9e8f7a6b 192.0.2.1 - -",
        "web nginx: - -",
        "example.com 12345 - -",
        "192.0.2.1 - -",
        "example.com:80",
    ] {
        assert!(!matches(who), "{who}");
    }
}

#[test]
fn alb() {
    check(
        "alb",
        example("alb"),
        r"
        type=http
        time=2018-07-02T22:23:00.186641Z
        elb=app/my-loadbalancer/50dc6c495c0c9188
        host=192.168.131.39
        client_port=2817
        upstream=10.0.0.1:80
        request_processing_time=0.000
        upstream_time=0.001
        response_processing_time=0.000
        status=200
        upstream_status=200
        bytes_in=34
        bytes_out=366
        request=GET http://www.example.com:80/ HTTP/1.1
        agent=curl/7.46.0
        ssl_cipher=-
        ssl_protocol=-
        target_group_arn=arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067
        trace_id=Root=1-58337262-36d228ad5d99923122bbe354
        domain_name=-
        chosen_cert_arn=-
        matched_rule_priority=0
        request_creation_time=2018-07-02T22:22:48.364000Z
        actions_executed=forward
        redirect_url=-
        error_reason=-
        target_port_list=10.0.0.1:80
        target_status_code_list=200
        classification=-
        classification_reason=-
        conn_trace_id=TID_1234abcd5678ef90
        transformed_host=-
        transformed_uri=-
        request_transform_status=-
    ",
    );
    // A request that the load balancer could not parse, and a column that is not documented yet.
    let bad = r#"https 2018-07-02T22:23:00.186641Z app/x/5 192.168.131.39:2817 - -1 -1 -1 400 - 0 272 "- http://x.example:80- -" "-" - - - "-" "-" "-" - 2018-07-02T22:22:48.364000Z "-" "-" "-" "-" "-" "-" "-" TID_1 "-" "-" "-" new"#;
    let found = split("alb", bad);
    for field in ["request=- http://x.example:80- -", "upstream_time=-1", "conn_trace_id=TID_1"] {
        assert!(found.iter().any(|found| found == field), "{field}: {found:?}");
    }
    // The format of 2016, with the columns up to the trace.
    let old = r#"h2 2016-08-10T00:10:33.145057Z app/x/5 10.0.1.252:48160 10.0.0.66:9000 0.000 0.002 0.000 200 200 5 257 "GET https://10.0.2.105:773/ HTTP/2.0" "curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:x "Root=1-58337327-72bd00b0343d75b906739c42""#;
    assert_eq!(split("alb", old).len(), 19);
}

#[test]
fn elb() {
    check(
        "elb",
        example("elb"),
        r"
        time=2015-05-13T23:39:43.945958Z
        elb=my-loadbalancer
        host=192.168.131.39
        client_port=2817
        upstream=10.0.0.1:80
        request_processing_time=0.000073
        upstream_time=0.001048
        response_processing_time=0.000057
        status=200
        upstream_status=200
        received_bytes=0
        size=29
        request=GET http://www.example.com:80/ HTTP/1.1
        agent=curl/7.38.0
        ssl_cipher=-
        ssl_protocol=-
    ",
    );
    let tcp = r#"2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.39:2817 10.0.0.1:80 0.001069 0.000028 0.000041 - - 82 305 "- - - " "-" - -"#;
    let found = split("elb", tcp);
    for field in ["status=-", "upstream_status=-", "size=305", "request=- - - "] {
        assert!(found.iter().any(|found| found == field), "{field}: {found:?}");
    }
}

#[test]
fn s3() {
    check(
        "s3",
        example("s3"),
        r"
        bucket_owner=79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be
        bucket=amzn-s3-demo-bucket1
        time=06/Feb/2019:00:00:38 +0000
        host=192.0.2.3
        user=79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be
        request_id=3E57427F3EXAMPLE
        operation=REST.GET.VERSIONING
        key=-
        request=GET /amzn-s3-demo-bucket1?versioning HTTP/1.1
        status=200
        error_code=-
        size=113
        object_size=-
        request_time=7
        turn_around_time=-
        referer=-
        agent=S3Console/0.4
        version_id=-
        host_id=s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234=
        signature_version=SigV4
        ssl_cipher=ECDHE-RSA-AES128-GCM-SHA256
        authentication_type=AuthHeader
        vhost=amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com
        ssl_protocol=TLSV1.2
        access_point_arn=arn:aws:s3:us-west-1:123456789012:accesspoint/example-AP
        acl_required=Yes
    ",
    );
    // The format of 2014.
    let old = r#"79a5 mybucket [06/Feb/2014:00:00:38 +0000] 192.0.2.3 79a5 3E57427F3EXAMPLE REST.GET.VERSIONING - "GET /mybucket?versioning HTTP/1.1" 200 - 113 - 7 - "-" "S3Console/0.4" -"#;
    let found = split("s3", old);
    assert_eq!(found.last().unwrap(), "version_id=-");
    assert_eq!(found.len(), 18);
}

#[test]
fn envoy() {
    check(
        "envoy",
        example("envoy"),
        r"
        time=2016-04-15T20:17:00.310Z
        request=POST /api/v1/locations HTTP/2
        status=204
        response_flags=-
        bytes_in=154
        bytes_out=0
        request_time=226
        upstream_time=100
        xff=10.0.35.28
        agent=nsq2http
        request_id=cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2
        vhost=locations
        upstream=tcp://10.0.2.1:80
    ",
    );
}

#[test]
fn haproxy() {
    check(
        "haproxy",
        example("haproxy"),
        r"
        host=10.0.1.2
        client_port=33317
        time=06/Feb/2009:12:14:14.655
        frontend=http-in
        backend=static
        server=srv1
        tq=10
        tw=0
        tc=30
        upstream_time=69
        request_time=109
        status=200
        bytes_out=2750
        request_cookie=-
        response_cookie=-
        termination_state=----
        actconn=1
        feconn=1
        beconn=1
        srv_conn=1
        retries=0
        srv_queue=0
        backend_queue=0
        request_headers=1wt.eu
        response_headers=
        request=GET /index.html HTTP/1.1
    ",
    );
    let plain = r#"192.168.30.102:36969 [26/Mar/2019:11:37:21.576] localhost web1/web1 0/0/0/1/1 302 196 - - ---- 1/1/0/1/+3 0/0 "GET / HTTP/1.1""#;
    let found = split("haproxy", plain);
    for field in ["retries=+3", "request=GET / HTTP/1.1"] {
        assert!(found.iter().any(|found| found == field), "{field}: {found:?}");
    }
}

#[test]
fn squid() {
    check(
        "squid",
        example("squid"),
        r"
        time=979992041.366
        request_time=502
        host=192.168.1.160
        cache_result=TCP_IMS_HIT
        status=304
        bytes_out=216
        method=GET
        url=http://example.com/home2.html
        user=-
        hierarchy=NONE
        upstream=-
        content_type=text/html
    ",
    );
}
