//! Tests of field maps: how they are written, and what they find.

use super::super::super::field_type::FieldType;
use super::super::super::parsed::Span;
use super::super::super::time::TimeFormat;
use super::super::Json;
use super::super::json::field_paths::FieldPaths;
use super::{Matcher, pairs, rejected};

fn map(written: &str) -> Matcher {
    Matcher::Json(Json::written(written).unwrap())
}

fn texts(written: &str, line: &str) -> Vec<(String, String)> {
    map(written).texts(line.as_bytes()).unwrap()
}

#[test]
fn a_path_leads_through_objects_and_arrays() {
    let line = r#"{"a":{"b":[10,{"c":"x"}],"0":7},"a.b":"dotted","d":[[1,2],[3]]}"#;
    let found = texts(r"p=a.b.1.c,q=a.b.0,r=a.0,s=a\.b,t=d.0.1,u=d.1.0,v=d.1.1,w=a.b.00", line);
    let expected = [("p", "x"), ("q", "10"), ("r", "7"), ("s", "dotted"), ("t", "2"), ("u", "3")];
    assert_eq!(found, pairs(&expected));
}

#[test]
fn the_first_alternative_with_a_value_counts_wherever_it_is_in_the_line() {
    for line in [r#"{"b":"second","a":"first"}"#, r#"{"a":"first","b":"second"}"#] {
        assert_eq!(texts("x=a|b", line), pairs(&[("x", "first")]));
    }
    assert_eq!(texts("x=a|b", r#"{"b":"second","a":null}"#), pairs(&[("x", "second")]));
    assert_eq!(texts("x=a|b", r#"{"b":null,"a":null}"#), []);
}

#[test]
fn the_last_of_two_equal_keys_counts_with_its_subtree() {
    assert_eq!(texts("a", r#"{"a":1,"a":2}"#), pairs(&[("a", "2")]));
    assert_eq!(texts("a", r#"{"a":1,"a":null}"#), []);
    assert_eq!(texts("x=a|b", r#"{"b":"b","a":1,"a":null}"#), pairs(&[("x", "b")]));
    assert_eq!(texts("x=a.b,y=a.c", r#"{"a":{"b":1},"a":{"c":2}}"#), pairs(&[("y", "2")]));
    assert_eq!(texts("x=a.b", r#"{"a":{"b":1},"a":5}"#), []);
    assert_eq!(texts("x=a.0", r#"{"a":["b"],"a":[]}"#), []);
}

#[test]
fn objects_and_arrays_are_text_but_not_numbers_or_times() {
    let line = r#"{"a": {"b" : [1] } ,"c":[ ]}"#;
    assert_eq!(
        texts("a,c,d=a.b", line),
        pairs(&[("a", r#"{"b" : [1] }"#), ("c", "[ ]"), ("d", "[1]"),])
    );
    assert_eq!(texts("a:int,c:iso", line), []);
    // The same value is text, but not a number.
    assert_eq!(texts("a:int,b=a", line), pairs(&[("b", r#"{"b" : [1] }"#)]));
    assert_eq!(texts("a:int", r#"{"a":"[1]"}"#), pairs(&[("a", "[1]")]));
}

#[test]
fn keys_are_compared_after_decoding() {
    let line = r#"{"\u0061":1,"q\"\\":2,"\ud83d\ude00":3,"b\n":4}"#;
    let found = texts("a,q=q\"\\\\,smile=😀,n=b\n", line);
    assert_eq!(found, pairs(&[("a", "1"), ("q", "2"), ("smile", "3"), ("n", "4")]));
    assert_eq!(texts("a", r#"{"\u0061b":1,"":2,"A":3}"#), []);
}

#[test]
fn a_line_needs_the_required_keys() {
    let matcher = map("url=a|b!,status:int=s");
    assert_eq!(matcher.texts(br#"{"b":"/"}"#).unwrap(), pairs(&[("url", "/")]));
    for line in [r#"{"s":1}"#, r#"{"s":1,"a":null} "#] {
        let found = rejected(matcher.texts(line.as_bytes()));
        assert_eq!(found, (line.trim_end().len() - 1, "a key that the format requires"));
    }
    let found = rejected(Matcher::named("caddy").texts(br#"{"ts":1,"request":{}}"#));
    assert_eq!(found, (20, "the key request.uri"));
}

#[test]
fn every_required_key_of_a_named_format_has_its_message() {
    for row in super::RECORD_FORMATS {
        let super::Definition::Json(fields) = row.definition else { continue };
        let all = Json::listed(fields).unwrap();
        let mut spans = vec![Span::NONE; all.found().len()];
        let (_, message) = rejected(all.split(b"{}", &mut spans));
        assert!(message.starts_with("the key "), "{}: {message}", row.name);
    }
}

#[test]
fn a_narrowed_format_finds_the_requested_fields_and_rejects_the_same_lines() {
    let Matcher::Json(json) = Matcher::named("caddy") else { unreachable!() };
    let narrowed = json.narrowed(&["agent", "nonsense"]);
    let names: Vec<_> = narrowed.found().iter().map(|found| &*found.name).collect();
    assert_eq!(names, ["", "time", "url", "agent", "nonsense"]);
    assert!(Matcher::Json(narrowed).texts(br#"{"ts":1}"#).is_err());

    let Matcher::Json(any) = Matcher::named("json") else { unreachable!() };
    let narrowed = Matcher::Json(any.narrowed(&["url", "level", "a.b"]));
    let line = br#"{"level":"info","request":{"uri":"/"},"a":{"b":true}}"#;
    let expected = [("url", "/"), ("level", "info"), ("a.b", "true")];
    assert_eq!(narrowed.texts(line).unwrap(), pairs(&expected));
}

#[test]
fn an_object_is_no_request_line_and_a_host_name_no_client() {
    let any = Matcher::named("json");
    let line =
        br#"{"request":{"uri":"/","method":"GET"},"host":"example.com","remote_addr":"::1"}"#;
    assert_eq!(
        any.texts(line).unwrap(),
        pairs(&[("host", "::1"), ("method", "GET"), ("url", "/"), ("vhost", "example.com")])
    );
    let line = br#"{"host":"192.0.2.1","url":"/"}"#;
    assert!(any.texts(line).unwrap().contains(&("host".to_owned(), "192.0.2.1".to_owned())));
}

#[test]
fn an_address_loses_its_port_and_nothing_else() {
    for (written, host) in [
        ("192.0.2.1:80", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::1", "::1"),
        ("name:http", "name:http"),
        ("unix:", "unix"),
        (":80", ""),
    ] {
        let line = format!(r#"{{"host":"{written}"}}"#);
        assert_eq!(texts("host", &line), pairs(&[("host", host)]));
    }
}

#[test]
fn types_are_those_given_or_those_of_the_standard_field() {
    let Matcher::Json(json) = map("status,x=a,took:us=d,ts:epoch,time") else { unreachable!() };
    let reads: Vec<_> = json.found().iter().map(|found| found.read.clone()).collect();
    let expected = [
        FieldType::Int,
        FieldType::Any,
        FieldType::Seconds(-6),
        FieldType::Time(TimeFormat::Epoch(0)),
        FieldType::Time(TimeFormat::Any),
    ];
    assert_eq!(reads, expected);
}

#[test]
fn an_error_in_a_map_has_its_range() {
    for (written, range, message) in [
        ("a:number=b", (2, 8), "unknown type 'number'; expected one of text, int, "),
        ("a=b,=c", (4, 4), "expected a column name"),
        ("a=b..c", (2, 6), "expected a key, found none; separate keys by single dots"),
        ("a=", (2, 2), "expected a key, found none; separate keys by single dots"),
        ("a=b\\", (2, 4), "expected a character after the backslash"),
        ("a=1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17", (2, 43), "expected a path of at most 16"),
    ] {
        let error = Json::written(written).unwrap_err();
        assert_eq!((error.start, error.end), range, "{written}");
        assert!(error.message.starts_with(message), "{written}: {}", error.message);
    }
}

#[test]
fn there_may_be_any_number_of_paths() {
    for count in [1, 32, 33, 320, 321, 1_000] {
        let names: Vec<_> = (0..count).map(|number| format!("k{number}")).collect();
        let wants: Vec<_> = names.iter().map(|name| FieldPaths::new(name, name).unwrap()).collect();
        let members: Vec<_> = names.iter().map(|name| format!(r#""{name}":"{name}!""#)).collect();
        let line = format!("{{{}}}", members.join(","));
        let texts = Matcher::Json(Json::new(&wants)).texts(line.as_bytes()).unwrap();
        let expected: Vec<_> =
            names.into_iter().map(|name| (name.clone(), format!("{name}!"))).collect();
        assert_eq!(texts, expected);
    }
}
