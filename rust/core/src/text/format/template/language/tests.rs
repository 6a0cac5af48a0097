use proptest::prelude::*;

use super::{Language, language};

#[test]
#[expect(clippy::literal_string_with_formatting_args, reason = "formats in braces")]
fn a_language_is_detected_by_syntax_that_only_it_has() {
    for (text, expected) in [
        (r#"$remote_addr - [$time_local] "$request" $status"#, Language::Nginx),
        ("log_format main '$status 100%';", Language::Nginx),
        (r#"{"time":"$time_iso8601","status":$status,"a":{}}"#, Language::Nginx),
        ("'{ \"a\": \"$host\" }'", Language::Nginx),
        ("escape=json '$host'", Language::Nginx),
        ("${status}", Language::Nginx),
        (r#"%h %l %u %t "%r" %>s %b"#, Language::Apache),
        (r#""%h %l %u %t \"%r\" %>s %b \"%{Referer}i\"""#, Language::Apache),
        ("%{%d/%b/%Y %T}t.%{msec_frac}t %R", Language::Apache),
        ("%h %s %b", Language::Apache),
        ("%v %h %u %t", Language::Apache),
        ("%h %D $", Language::Apache),
        ("%400,501{User-agent}i", Language::Apache),
        ("LogFormat combined", Language::Apache),
        (r#"%h %^[%d:%t %^] "%r" %s %b "%R" "%u""#, Language::GoAccess),
        ("%v:%^ %h %x", Language::GoAccess),
        ("~h{, } %s", Language::GoAccess),
        ("log-format %h %s", Language::GoAccess),
        ("goaccess --log-format='%h'", Language::GoAccess),
        (r#"{host} {ident} [{time}] "{request}" {}"#, Language::Braces),
        ("{time:time(%d/%b/%Y)} {x:int}", Language::Braces),
        ("{{x}} {:text}", Language::Braces),
    ] {
        assert_eq!(language(text), Ok(expected), "{text}");
    }
}

#[test]
fn ambiguous_and_mixed_syntax_is_an_error() {
    for text in
        ["$status %h", "{host} %h", "%h %R", r#"%h "%r" %u"#, "%l %^", "", "hello", "100% $"]
    {
        let found = language(text).unwrap_err();
        assert!(text.get(found.start..found.end).is_some(), "{text} {found:?}");
    }
}

#[test]
fn the_length_is_limited() {
    assert!(language(&format!("$host{}", " ".repeat(16 * 1024 - 5))).is_ok());
    assert!(language(&format!("$host{}", " ".repeat(16 * 1024 - 4))).is_err());
}

proptest! {
    #![proptest_config(crate::ground::profile::cases(256))]

    #[test]
    fn any_text_gives_a_language_or_an_error(text in r#"([%\$~\{\}"'\\<>!,\^ 4:é\n]|[a-z]|%d|%t|~h\{){0,24}"#) {
        if let Err(found) = language(&text) {
            prop_assert!(text.get(found.start..found.end).is_some(), "{text:?} {found:?}");
        }
    }
}
