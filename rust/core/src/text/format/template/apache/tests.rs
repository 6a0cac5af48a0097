use proptest::prelude::*;

use super::super::testing::{check, only, shown, slots};
use super::{compile, strftime};
use crate::text::format::field_type::FieldType;
use crate::text::format::time::TimeParser;

/// Every documented directive, with its field.
const DOCUMENTED: &str = include_str!("documented.txt");

fn documented() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = DOCUMENTED.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(" -> ").unwrap())
}

fn template(text: &str) -> String {
    shown(&compile(text).unwrap_or_else(|found| panic!("{text:?}: {found:?}")))
}

fn fields(text: &str) -> Vec<String> {
    slots(&compile(text).unwrap()).iter().map(|slot| slot.name.clone()).collect()
}

#[test]
fn every_documented_directive_has_its_name_syntax_and_type() {
    assert!(documented().count() > 70);
    for (directive, expected) in documented() {
        let compiled = compile(&format!("<{directive}>")).unwrap();
        assert_eq!(only(&compiled), expected, "{directive}");
        let written = slots(&compiled)[0].written;
        assert_eq!(written, (1, 1 + directive.len()), "{directive}");
    }
}

const COMMON: &str = r#"host:Word:text " " ident:Word:text " " user:Free:text " [" time:Time:clf "] \"" request:Free:request "\" " status:Status:int " " size:Int:int"#;

#[test]
fn the_documented_examples_compile() {
    // mod_log_config: "Some commonly used log format strings are".
    let common = r#""%h %l %u %t \"%r\" %>s %b""#;
    let combined = format!(r#"{COMMON} " \"" referer:Free:text "\" \"" agent:Free:text "\"""#);
    assert_eq!(template(common), COMMON);
    assert_eq!(template(r#"%h %l %u %t "%r" %>s %b"#), COMMON);
    assert_eq!(template(r#"%h %l %u %t \"%r\" %>s %b"#), COMMON);
    assert_eq!(
        template(r#""%v %h %l %u %t \"%r\" %>s %b""#),
        format!(r#"vhost:Word:text " " {COMMON}"#)
    );
    assert_eq!(
        template(r#""%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\"""#),
        combined
    );
    assert_eq!(template(r#""%{Referer}i -> %U""#), r#"referer:Free:text " -> " path:Free:text"#);
    assert_eq!(template(r#""%{User-agent}i""#), "agent:Free:text");
    assert_eq!(
        template(r#""%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t""#),
        r#"time:Time:time(%d/%b/%Y %H:%M:%S) "." time:Time:time(%3f) " " time:Time:time(%z)"#
    );
    // mod_deflate, mod_usertrack, mod_ssl.
    assert_eq!(
        fields(r#"LogFormat '"%r" %{outstream}n/%{instream}n (%{ratio}n%%)' deflate"#),
        ["request", "note_outstream", "note_instream", "note_ratio"]
    );
    assert_eq!(
        template(r#"LogFormat "%{Apache}n %r %t" usertrack"#),
        r#"note_apache:Free:text " " request:Free:request " [" time:Time:clf "]""#
    );
    assert_eq!(
        fields(
            r#"CustomLog "logs/ssl_request_log" "%t %h %{SSL_PROTOCOL}x %{SSL_CIPHER}x \"%r\" %b""#
        ),
        ["time", "host", "ssl_protocol", "ssl_cipher", "request", "size"]
    );
}

#[test]
fn a_directive_may_use_a_default_nickname() {
    assert_eq!(template("LogFormat common"), COMMON);
    assert_eq!(template("customlog logs/access_log common env=!local"), COMMON);
    assert_eq!(
        fields("CustomLog /var/log/apache2/other_vhosts_access.log vhost_combined"),
        [
            "vhost",
            "port",
            "host",
            "ident",
            "user",
            "time",
            "request",
            "status",
            "bytes_out",
            "referer",
            "agent"
        ]
    );
    for name in ["combined", "combinedio", "referer", "agent", "vhost_common"] {
        assert!(compile(&format!("LogFormat {name}")).is_ok(), "{name}");
    }
}

#[test]
fn comments_and_continued_lines_are_accepted() {
    let text =
        "# as Debian has it\nLogFormat \"%h %l %u \\\n%t \\\"%r\\\" %>s %b\" common\n# end\n";
    assert_eq!(template(text), COMMON);
    assert_eq!(template("LogFormat '%h %l %u %t \"%r\" %>s %b' common"), COMMON);
    assert_eq!(template(r#"LogFormat "%h %l %u %t \"%r\" %>s %b""#), COMMON);
}

/// Found by a fuzzer: a form feed neither ended nor began a word.
#[test]
fn any_whitespace_separates_words() {
    assert_eq!(fields("LogFormat\x0c\"%h %>s\" \x0c x"), fields("LogFormat \"%h %>s\" x"));
    assert!(compile("LogFormat \x0c").is_err());
}

#[test]
fn parts_of_the_request_are_method_url_and_protocol() {
    assert_eq!(
        template(r#""%m %U%q %H""#),
        r#"method:Word:text " " url:Free:text " " protocol:Word:text"#
    );
    assert_eq!(fields("%U %q"), ["path", "query"]);
    assert_eq!(
        fields(r#"\"%r\" %m %U%q %H"#),
        ["request", "request_method", "uri", "server_protocol"]
    );
}

#[test]
fn each_shared_name_is_given_once_to_the_best_candidate() {
    assert_eq!(fields("%s %>s"), ["original_status", "status"]);
    assert_eq!(fields("%a %h"), ["remote_addr", "host"]);
    assert_eq!(fields("%T/%D"), ["request_time_s", "request_time"]);
    assert_eq!(fields("%T %{ms}T"), ["request_time_s", "request_time"]);
    assert_eq!(fields("%V %{Host}i %v"), ["server_name_used", "http_host", "vhost"]);
    assert_eq!(fields("%b %B %O %I"), ["size_clf", "size", "bytes_out", "bytes_in"]);
    assert_eq!(fields("%<u %u"), ["original_user", "user"]);
    assert_eq!(fields("%h %h"), ["host", ""]);
}

#[test]
fn parts_of_a_time_are_all_called_time() {
    assert_eq!(fields("%{%Y-%m-%d}t %{%H:%M:%S}t"), ["time", "time"]);
    assert_eq!(fields("%t %{usec_frac}t"), ["time", "time"]);
    assert_eq!(template("%{sec}t.%{usec_frac}t"), r#"time:Time:epoch(0) "." time:Time:time(%6f)"#);
}

#[test]
fn adjacent_parts_of_a_time_are_one_field() {
    assert_eq!(template("%{sec}t%{msec_frac}t"), "time:Time:epoch(-3)");
    assert_eq!(template("%{sec}t%{usec_frac}t"), "time:Time:epoch(-6)");
    assert_eq!(template("%{%F}t%{T%T}t"), "time:Time:time(%Y-%m-%dT%H:%M:%S)");
}

#[test]
#[expect(clippy::literal_string_with_formatting_args, reason = "formats of Apache")]
fn a_second_time_keeps_its_own_name() {
    assert_eq!(fields("%t %{usec}t"), ["time_clf", "time"]);
    assert_eq!(fields("%t %{end:msec}t"), ["time", "end_time_msec"]);
    assert_eq!(fields("%{end:%F %T}t.%{end:msec_frac}t"), ["time", "time"]);
    assert_eq!(fields("%t %{%H}t"), ["time", "time_text"]);
}

#[test]
fn a_part_of_a_time_alone_is_text() {
    assert_eq!(template("%{%H:%M}t"), "time_text:Time:text");
}

#[test]
fn a_header_under_two_conditions_is_two_fields() {
    assert_eq!(fields("%400{Referer}i %!400{Referer}i"), ["referer", "http_referer"]);
    assert_eq!(fields("%400{Referer}i %{Referer}i"), ["http_referer", "referer"]);
}

#[test]
fn a_time_with_a_condition_is_text() {
    assert_eq!(template("<%400t>"), r#""<" time_clf:Free:text ">""#);
}

#[test]
fn literals_have_escapes_of_their_own() {
    assert_eq!(template(r"%h\t%s\\%%\x"), r#"host:Word:text "\t" status:Status:int "\\%\\x""#);
    assert_eq!(template(r"%h\n"), "host:Word:text");
    assert_eq!(template("%Dus"), r#"request_time:Int:seconds(-6) "us""#);
}

#[test]
fn every_accepted_time_format_can_be_parsed() {
    for letter in (b' '..=b'~').map(char::from) {
        let Ok(format) = strftime(&format!("%Y %{letter}")) else { continue };
        assert!(TimeParser::new(&[format]).is_ok(), "%{letter}");
    }
    for (text, line, expected) in [
        (
            "%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t",
            vec!["17/May/2015 12:05:03", "250", "+0200"],
            250_000,
        ),
        ("%t %{usec_frac}t", vec!["17/May/2015:10:05:03 +0000", "000250"], 250),
        ("%{sec}t.%{msec_frac}t", vec!["1431857103", "007"], 7_000),
        ("%{sec}t%{msec_frac}t", vec!["1431857103007"], 7_000),
        ("%{%F}t %{%r}t", vec!["2015-05-17", "10:05:03 am"], 0),
    ] {
        let template = compile(text).unwrap();
        let formats: Vec<_> = slots(&template)
            .iter()
            .map(|slot| match &slot.read {
                FieldType::Time(format) => format.clone(),
                other => panic!("{text}: {other:?}"),
            })
            .collect();
        let parts = line.iter().map(|part| Some(part.as_bytes()));
        let read = TimeParser::new(&formats).unwrap().read(parts);
        assert_eq!(read, Some(1_431_857_103_000_000 + expected), "{text}");
    }
}

proptest! {
    #![proptest_config(crate::ground::profile::cases(256))]

    #[test]
    fn any_text_gives_a_template_or_an_error(
        text in r#"(LogFormat |CustomLog f )?([%\{\}"'\\<>!,\^ 4:#é\n]|[a-zA-Z]|%t|\}t|\}i|%\{|sec|_frac){0,24}"#,
    ) {
        check(&text, &compile(&text));
    }

    /// Quoting a format for a configuration does not change it.
    #[test]
    fn a_directive_compiles_like_its_format(
        parts in proptest::collection::vec((0_usize..70, r#"[ "'\[\]|;-]{1,3}"#), 1..8),
        single in any::<bool>(),
    ) {
        let all: Vec<_> = documented().collect();
        let directives = parts.iter().map(|(index, literal)| [all[*index].0, literal].concat());
        let format = directives.collect::<String>();
        let quote = if single { '\'' } else { '"' };
        let quoted = format.replace(quote, &format!("\\{quote}"));
        let directive = format!("LogFormat {quote}{quoted}{quote} name");
        prop_assert_eq!(
            compile(&directive).map(|found| shown(&found)).ok(),
            compile(&format).map(|found| shown(&found)).ok()
        );
    }
}
