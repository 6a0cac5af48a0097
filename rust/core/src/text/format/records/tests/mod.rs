//! Tests that concern all matchers for records, with examples of real servers.

mod against_json;
mod decoding;
mod delimiting;
mod labels;
mod maps;
mod w3c_lines;

use super::super::named::Definition;
use super::super::parsed::{FoundField, LineKind, Span};
use super::*;

/// Any of the matchers.
pub(super) enum Matcher {
    Json(Json),
    Ltsv(Ltsv),
    Logfmt(Logfmt),
    Delimited(Delimited),
    W3c(W3c),
}

impl Matcher {
    /// The format of this name.
    fn named(name: &str) -> Self {
        match RECORD_FORMATS.iter().find(|row| row.name == name).expect(name).definition {
            Definition::Json(fields) => Self::Json(Json::listed(fields).unwrap()),
            Definition::AnyJson => Self::Json(Json::any()),
            Definition::Ltsv => Self::Ltsv(Ltsv::new()),
            Definition::Logfmt => Self::Logfmt(Logfmt::new()),
            Definition::W3c => Self::W3c(W3c::new()),
            Definition::CloudFront => Self::W3c(W3c::cloudfront()),
            Definition::Delimited(delimiter) => Self::Delimited(Delimited::new(delimiter)),
            _ => panic!("{name} is no record"),
        }
    }

    fn found(&self) -> &[FoundField] {
        match self {
            Self::Json(json) => json.found(),
            Self::Ltsv(ltsv) => ltsv.found(),
            Self::Logfmt(logfmt) => logfmt.found(),
            Self::Delimited(delimited) => delimited.found(),
            Self::W3c(w3c) => w3c.found(),
        }
    }

    fn split(&self, line: &[u8], spans: &mut [Span]) -> Result<LineKind, Reject> {
        match self {
            Self::Json(json) => json.split(line, spans),
            Self::Ltsv(ltsv) => ltsv.split(line, spans).map(|()| LineKind::Fields),
            Self::Logfmt(logfmt) => logfmt.split(line, spans).map(|()| LineKind::Fields),
            Self::Delimited(delimited) => delimited.split(line, spans),
            Self::W3c(w3c) => w3c.split(line, spans),
        }
    }

    /// The names and decoded texts of the fields of a line, in order.
    pub(super) fn texts(&self, line: &[u8]) -> Result<Vec<(String, String)>, Reject> {
        let mut spans = vec![Span::new(0, 0); self.found().len()];
        if self.split(line, &mut spans)? == LineKind::Header {
            return Ok(Vec::new());
        }
        let mut texts = Vec::new();
        let mut buffer = Vec::new();
        for (found, span) in self.found().iter().zip(spans) {
            let Some(raw) = span.of(line) else { continue };
            let text = decode::decoded(found.encoding, raw, line, span.start(), &mut buffer);
            texts.push((found.name.to_string(), String::from_utf8_lossy(text).into_owned()));
        }
        Ok(texts)
    }

    /// The type of a field.
    fn read(&self, name: &str) -> &FieldType {
        &self.found().iter().find(|found| &*found.name == name).expect(name).read
    }
}

/// The byte of a reject, and what was expected there.
pub(super) fn rejected<T: std::fmt::Debug>(found: Result<T, Reject>) -> (usize, &'static str) {
    let reject = found.unwrap_err();
    (reject.byte(), reject.expected())
}

pub(super) fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// The last line of an example; the lines before it are headers.
fn last_line(row: &crate::text::format::NamedFormat) -> &'static [u8] {
    row.example.lines().next_back().unwrap().as_bytes()
}

fn example(name: &str) -> Vec<(String, String)> {
    let row = RECORD_FORMATS.iter().find(|row| row.name == name).unwrap();
    Matcher::named(name).texts(last_line(row)).unwrap()
}

#[test]
fn every_example_matches_its_format_with_blanks_and_a_byte_order_mark_around() {
    for row in RECORD_FORMATS {
        let matcher = match Matcher::named(row.name) {
            Matcher::Delimited(_) => Matcher::Delimited(
                Delimited::with_columns(if row.name == "csv" { b',' } else { b'\t' }, "time,a,b")
                    .unwrap(),
            ),
            Matcher::W3c(w3c) if w3c.found().is_empty() => {
                Matcher::W3c(w3c.with_header(w3c_lines::FIELDS).unwrap())
            }
            matcher => matcher,
        };
        let plain = matcher.texts(last_line(row)).unwrap();
        assert!(plain.len() > 2, "{}", row.name);
        let line = [b"\xef\xbb\xbf", last_line(row), b"\r"].concat();
        assert_eq!(matcher.texts(&line).unwrap(), plain, "{}", row.name);
        for line in [&b""[..], b"\r", b" \t", b"\xef\xbb\xbf"] {
            let mut spans = vec![Span::NONE; matcher.found().len()];
            let found = matcher.split(line, &mut spans);
            assert_eq!(rejected(found), (0, "a line that is not empty"), "{}", row.name);
        }
    }
}

#[test]
fn fields_of_caddy() {
    assert_eq!(
        example("caddy"),
        pairs(&[
            ("", "http.log.access"),
            ("host", "127.0.0.1"),
            ("user", ""),
            ("time", "1646861401.5241024"),
            ("method", "GET"),
            ("url", "/"),
            ("protocol", "HTTP/2.0"),
            ("status", "200"),
            ("size", "10900"),
            ("bytes_in", "0"),
            ("agent", "curl/7.82.0"),
            ("vhost", "localhost"),
            ("request_time", "0.000929675"),
        ])
    );
}

#[test]
fn headers_of_caddy_are_lists_and_its_address_may_have_a_port() {
    let line = br#"{"ts":"2023-10-27T10:00:00Z","request":{"remote_addr":"[2001:db8::1]:54321","uri":"/a","headers":{"X-Forwarded-For":["1.1.1.1","2.2.2.2"],"Referer":["http://e/?a=\"b\""]}}}"#;
    assert_eq!(
        Matcher::named("caddy").texts(line).unwrap(),
        pairs(&[
            ("host", "2001:db8::1"),
            ("time", "2023-10-27T10:00:00Z"),
            ("url", "/a"),
            ("referer", "http://e/?a=\"b\""),
            ("xff", "1.1.1.1"),
        ])
    );
}

#[test]
fn fields_of_traefik() {
    assert_eq!(
        example("traefik-json"),
        pairs(&[
            ("host", "172.16.100.61"),
            ("user", "-"),
            ("time", "2021-06-05T04:03:22.742209746Z"),
            ("method", "GET"),
            ("url", "/"),
            ("protocol", "HTTP/1.1"),
            ("status", "404"),
            ("size", "19"),
            ("bytes_in", "0"),
            ("vhost", "172.16.100.61"),
            ("scheme", "http"),
            ("request_time", "204055"),
        ])
    );
    let matcher = Matcher::named("traefik-json");
    assert_eq!(*matcher.read("request_time"), FieldType::Seconds(-9));
    assert_eq!(*matcher.read("upstream_time"), FieldType::Seconds(-9));
    let line = br#"{"time":"t","RequestPath":"/","DownstreamStatus":1,"request_User-Agent":"u","request_Referer":"r","request_X-Forwarded-For":"x","OriginDuration":5}"#;
    assert_eq!(
        matcher.texts(line).unwrap(),
        pairs(&[
            ("time", "t"),
            ("url", "/"),
            ("status", "1"),
            ("referer", "r"),
            ("agent", "u"),
            ("upstream_time", "5"),
            ("xff", "x"),
        ])
    );
}

#[test]
fn fields_of_envoy_as_gateway_and_istio_name_them() {
    assert_eq!(
        example("envoy-json"),
        pairs(&[
            ("host", "10.224.0.7"),
            ("time", "2026-05-08T04:08:52.539Z"),
            ("method", "GET"),
            ("url", "/"),
            ("protocol", "HTTP/1.1"),
            ("status", "200"),
            ("size", "896"),
            ("bytes_in", "0"),
            ("agent", "curl/8.5.0"),
            ("vhost", "10.224.0.5"),
            ("request_time", "1"),
            ("upstream", "10.244.1.95:80"),
            ("xff", "10.224.0.7"),
            ("request_id", "8046a128-142c-455e-af0a-cd6c64823e95"),
            ("response_flags", "-"),
        ])
    );
    let istio = br#"{"authority":"h","bytes_received":"0","bytes_sent":"521","downstream_remote_address":"172.17.0.9:50168","duration":"3","method":"GET","path":"/headers?v=1","protocol":"HTTP/1.1","request_id":"c4","response_code":"200","start_time":"2020-03-07T16:06:58.480Z","upstream_service_time":"2","user_agent":"curl/7.58.0","x_forwarded_for":"-"}"#;
    let matcher = Matcher::named("envoy-json");
    let texts = matcher.texts(istio).unwrap();
    for pair in pairs(&[("url", "/headers?v=1"), ("upstream_time", "2"), ("status", "200")]) {
        assert!(texts.contains(&pair), "{pair:?}");
    }
    assert_eq!(*matcher.read("request_time"), FieldType::Seconds(-3));
}

#[test]
fn nginx_with_json_escapes() {
    assert_eq!(
        example("json"),
        pairs(&[
            ("host", "192.0.2.1"),
            ("user", ""),
            ("time", "06/Nov/2026:10:00:01 +0000"),
            ("request", "GET /a?b=1 HTTP/1.1"),
            ("status", "200"),
            ("size", "612"),
            ("referer", ""),
            ("agent", "curl/8.5.0"),
            ("request_time", "0.005"),
        ])
    );
}

#[test]
fn fields_of_ltsv() {
    assert_eq!(
        example("ltsv"),
        pairs(&[
            ("host", "127.0.0.1"),
            ("user", "frank"),
            ("time", "10/Oct/2000:13:55:36 -0700"),
            ("request", "GET /apache_pb.gif HTTP/1.0"),
            ("status", "200"),
            ("size", "2326"),
            ("referer", "http://www.example.com/start.html"),
            ("agent", "Mozilla/4.08 [en] (Win98; I ;Nav)"),
        ])
    );
}

#[test]
fn each_detected_format_rejects_the_examples_of_the_others() {
    let lines = RECORD_FORMATS.iter().filter(|row| row.detected);
    for line in lines {
        for row in RECORD_FORMATS.iter().filter(|row| row.detected && row.name != line.name) {
            // Any JSON object matches json, and w3c needs a header first.
            let matcher = Matcher::named(row.name);
            let mut spans = vec![Span::NONE; matcher.found().len()];
            let accepted = matcher.split(last_line(line), &mut spans).is_ok();
            let json = last_line(line).starts_with(b"{") && row.name == "json";
            assert_eq!(accepted, json, "{} by {}", line.name, row.name);
        }
    }
}
