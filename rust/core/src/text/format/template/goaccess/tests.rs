use proptest::prelude::*;

use super::super::testing::{check, only, shown, slots};
use super::{PRESETS, compile};

fn template(text: &str) -> String {
    shown(&compile(text).unwrap_or_else(|found| panic!("{text:?}: {found:?}")))
}

fn fields(text: &str) -> Vec<String> {
    slots(&compile(text).unwrap()).iter().map(|slot| slot.name.clone()).collect()
}

const COMMON: &str = r#"host:Word:text " " :Free:text "[" time:Time:clf "] \"" request:Free:request "\" " status:Status:int " " size:Int:int"#;

#[test]
fn the_presets_compile() {
    let expected = [
        ("COMBINED", format!(r#"{COMMON} " \"" referer:Free:text "\" \"" agent:Free:text "\"""#)),
        (
            "VCOMBINED",
            format!(
                r#"vhost:Word:text ":" :Word:text " " {COMMON} " \"" referer:Free:text "\" \"" agent:Free:text "\"""#
            ),
        ),
        ("COMMON", COMMON.to_owned()),
        ("VCOMMON", format!(r#"vhost:Word:text ":" :Word:text " " {COMMON}"#)),
    ];
    for (name, expected) in expected {
        let text = PRESETS.iter().find(|preset| preset.0 == name).unwrap().1;
        assert_eq!(template(text), format!("{expected} ..."), "{name}");
        assert_eq!(template(&format!("log-format {name}")), format!("{expected} ..."));
    }
}

#[test]
fn every_specifier_has_its_name_syntax_and_type() {
    // The manual page of GoAccess 1.11.
    for (specifier, expected) in [
        ("%x", "time:Time:any"),
        ("%v", "vhost:Word:text"),
        ("%e", "user:Free:text"),
        ("%C", "cache_status:Word:text"),
        ("%h", "host:Word:text"),
        ("%r", "request:Free:request"),
        ("%q", "query:Free:query"),
        ("%m", "method:Word:text"),
        ("%U", "url:Free:text"),
        ("%H", "protocol:Word:text"),
        ("%s", "status:Status:int"),
        ("%b", "size:Int:int"),
        ("%R", "referer:Free:text"),
        ("%u", "agent:Free:text"),
        ("%K", "ssl_protocol:Word:text"),
        ("%k", "ssl_cipher:Word:text"),
        ("%M", "sent_http_content_type:Free:text"),
        ("%D", "request_time:Number:seconds(-6)"),
        ("%T", "request_time:Number:seconds(0)"),
        ("%L", "request_time:Number:seconds(-3)"),
        ("%n", "request_time:Number:seconds(-9)"),
        ("~h{, }", "xff:Free:text"),
    ] {
        assert_eq!(only(&compile(&format!("<{specifier}>")).unwrap()), expected, "{specifier}");
    }
}

#[test]
fn presets_with_an_unambiguous_time_compile() {
    // Cloud Storage, S3, ALB, Squid and Traefik as GoAccess 1.11 has them.
    assert_eq!(
        fields(r#""%x","%h",%^,%^,"%m","%U","%s",%^,"%b","%D",%^,"%R","%u""#),
        [
            "time",
            "host",
            "",
            "",
            "method",
            "url",
            "status",
            "",
            "size",
            "request_time",
            "",
            "referer",
            "agent"
        ]
    );
    assert_eq!(
        fields(r#"%^ %v [%d:%t %^] %h %^"%r" %s %^ %b %^ %L %^ "%R" "%u""#),
        [
            "",
            "vhost",
            "time",
            "host",
            "",
            "request",
            "status",
            "",
            "size",
            "",
            "request_time",
            "",
            "referer",
            "agent"
        ]
    );
    assert_eq!(
        template("%^ %dT%t.%^ %v %h:%^ %^ %^ %T"),
        r#":Word:text " " time:Time:iso " " vhost:Word:text " " host:Word:text ":" :Word:text " " :Word:text " " :Word:text " " request_time:Number:seconds(0) ..."#
    );
    assert_eq!(
        template("%^: %x.%^ %~%L %h"),
        r#":Free:text ": " time:Time:any "." :Word:text " " request_time:Number:seconds(-3) " " host:Word:text ..."#
    );
    assert_eq!(
        fields(r#"%h - %e [%d:%t %^] "%r" %s %b "%R" "%u" %^ "%v" "%U" %Lms"#),
        [
            "host",
            "user",
            "time",
            "request",
            "status",
            "size",
            "referer",
            "agent",
            "",
            "vhost",
            "request_uri",
            "request_time"
        ]
    );
}

#[test]
fn given_date_and_time_formats_are_used() {
    // CloudFront's begin, as goaccess.conf has it.
    let configuration = "time-format %H:%M:%S\n# comment\ndate-format %Y-%m-%d\n\nlog-format %d\\t%t\\t%^\\t%b\\t%h\n";
    assert_eq!(
        template(configuration),
        r#"time:Time:time(%Y-%m-%d) "\t" time:Time:time(%H:%M:%S) "\t" :Free:text "\t" size:Int:int "\t" host:Word:text ..."#
    );
    let options = r#"goaccess access.log --log-format='%h %^[%x] "%r" %s' --datetime-format='%d/%b/%Y:%H:%M:%S %z' --tz=UTC"#;
    assert_eq!(
        template(options),
        r#"host:Word:text " " :Free:text "[" time:Time:clf "] \"" request:Free:request "\" " status:Status:int ..."#
    );
    assert_eq!(
        template("log-format %x %h\ndate-format %f\ntime-format %f"),
        r#"time:Time:epoch(-6) " " host:Word:text ..."#
    );
}

#[test]
fn a_separate_query_makes_the_url_a_path() {
    assert_eq!(fields("%h %U %q"), ["host", "path", "query"]);
    assert_eq!(fields("%h %U"), ["host", "url"]);
}

proptest! {
    #![proptest_config(crate::ground::profile::cases(256))]

    #[test]
    fn any_text_gives_a_template_or_an_error(
        text in r#"(log-format |goaccess --log-format=)?([%~\{\}"'\\ =\-#é\n]|[a-zA-Z]|%\^|~h\{|-format|%d:%t){0,24}"#,
    ) {
        check(&text, &compile(&text));
    }
}
