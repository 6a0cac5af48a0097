use proptest::prelude::*;

use super::super::draft::Pasted;
use super::super::testing::{check, only, read, shown, slots};
use super::{compile, paste};

/// Every documented variable, with its field.
const DOCUMENTED: &str = include_str!("documented.txt");

fn documented() -> impl Iterator<Item = (&'static str, &'static str)> {
    DOCUMENTED
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(" -> ").unwrap())
}

/// The compiled template, as text.
fn template(text: &str) -> String {
    shown(&compile(text).unwrap_or_else(|found| panic!("{text:?}: {found:?}")))
}

fn fields(text: &str) -> Vec<String> {
    slots(&compile(text).unwrap()).iter().map(|slot| slot.name.clone()).collect()
}

fn keys(text: &str) -> Vec<String> {
    let Pasted::Json(fields) = paste(text).unwrap() else { panic!("{text:?} is not an object") };
    let line = |(name, path, how): &(String, Vec<String>, _)| {
        format!("{name} <- {} {}", path.join("."), read(how))
    };
    fields.iter().map(line).collect()
}

#[test]
fn every_documented_variable_has_its_name_syntax_and_type() {
    assert!(documented().count() > 180);
    for (variable, expected) in documented() {
        let dollar = compile(&format!("<${variable}>")).unwrap();
        assert_eq!(only(&dollar), expected, "{variable}");
        let braces = compile(&format!("<${{{variable}}}>")).unwrap();
        assert_eq!(only(&braces), expected, "{variable}");
    }
}

#[test]
fn only_escape_none_writes_values_as_they_are() {
    for (text, raw) in [
        ("log_format x escape=none '$status';", true),
        ("escape=none '$status'", true),
        ("log_format x escape=default '$status';", false),
        ("log_format x escape=json '$status';", false),
        ("log_format x '$status';", false),
        ("$status", false),
    ] {
        assert_eq!(compile(text).unwrap().raw, raw, "{text}");
    }
}

#[test]
fn variable_names_ignore_case() {
    assert_eq!(template("$STATUS"), "status:Status:int");
    assert_eq!(template("$My_Map"), "my_map:Free:text");
}

const COMBINED: &str = r#"host:Word:text " - " user:Free:text " [" time:Time:clf "] \"" request:Free:request "\" " status:Status:int " " size:Int:int " \"" referer:Free:text "\" \"" agent:Free:text "\"""#;

#[test]
fn combined_compiles_alike_as_a_format_and_as_a_directive() {
    // The examples of ngx_http_log_module's documentation.
    let body = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;
    let directive = r#"
# kind nginx comes with
log_format combined '$remote_addr - $remote_user [$time_local] '
                    '"$request" $status $body_bytes_sent ' # the middle
                    '"$http_referer" "$http_user_agent"';
"#;
    assert_eq!(template(body), COMBINED);
    assert_eq!(template(directive), COMBINED);
    assert_eq!(template(&format!("  {body} \n")), COMBINED);
    assert_eq!(template(directive.split_once("combined ").unwrap().1), COMBINED);
    assert_eq!(template(&directive.replace("combined '", "main escape=default '")), COMBINED);
    assert_eq!(template(&format!("'{body}'")), COMBINED);
    let double = format!("log_format x \"{}\";", body.replace('"', "\\\""));
    assert_eq!(template(&double), COMBINED);
}

#[test]
fn the_documented_examples_of_other_modules_compile() {
    // ngx_http_gzip_module, ngx_stream_log_module, ngx_http_upstream_module, ingress-nginx.
    assert_eq!(
        template(
            r#"log_format compression '$remote_addr - $remote_user [$time_local] '
                       '"$request" $status $bytes_sent '
                       '"$http_referer" "$http_user_agent" "$gzip_ratio"';"#
        ),
        COMBINED.replace("size:", "bytes_out:").strip_suffix(r#""\"""#).unwrap().to_owned()
            + r#""\" \"" gzip_ratio:Number:float "\"""#
    );
    assert_eq!(
        fields(
            "log_format basic '$remote_addr [$time_local] '
                     '$protocol $status $bytes_sent $bytes_received '
                     '$session_time';"
        ),
        ["host", "time", "protocol", "status", "bytes_out", "bytes_in", "session_time"]
    );
    assert_eq!(
        fields(
            r#"log_format upstreaminfo '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id';"#
        ),
        [
            "host",
            "user",
            "time",
            "request",
            "status",
            "size",
            "referer",
            "agent",
            "bytes_in",
            "request_time",
            "proxy_upstream_name",
            "proxy_alternative_upstream_name",
            "upstream",
            "upstream_response_length",
            "upstream_time",
            "upstream_status",
            "request_id",
        ]
    );
}

#[test]
fn quotes_and_escapes_follow_the_configuration_syntax() {
    assert_eq!(
        template(r"log_format a '\'$status\'\t$host\\';"),
        r#""'" status:Status:int "'\t" vhost:Word:text "\\""#
    );
    assert_eq!(template("log_format a $status;"), "status:Status:int");
    assert_eq!(template("log_format a $status' $host';"), template("$status'$host'"));
    assert_eq!(template(r"log_format a '${status}x';"), r#"status:Status:int "x""#);
    // Other backslashes are literal.
    assert_eq!(template(r"$status\x"), r#"status:Status:int "\\x""#);
}

#[test]
fn quotes_around_a_single_variable_belong_to_the_format() {
    assert_eq!(template(r#""$request""#), r#""\"" request:Free:request "\"""#);
    assert_eq!(
        template(r#""$status" "$host""#),
        r#""\"" status:Status:int "\" \"" vhost:Word:text "\"""#
    );
    assert_eq!(template(r#""$status $host""#), r#"status:Status:int " " vhost:Word:text"#);
    assert_eq!(template("'$status|$host'"), r#"status:Status:int "|" vhost:Word:text"#);
    assert_eq!(template("'$status'"), "status:Status:int");
}

#[test]
fn the_escape_changes_no_field() {
    let text = "'a=$upstream_response_time s=$status b=$http_x';";
    let default = template(&format!("log_format a {text}"));
    for escape in ["escape=none", "escape=json", "escape=default"] {
        assert_eq!(template(&format!("log_format a {escape} {text}")), default);
    }
}

#[test]
fn a_word_beside_the_strings_is_an_error() {
    for text in ["log_format main '$host' junk;", "log_format main junk '$host';", "'$host' x;"] {
        let error = compile(text).unwrap_err();
        assert!(error.message.starts_with("expected ; after the format, found"), "{text}");
        assert!(["junk", "x"].contains(&&text[error.start..error.end]), "{text}");
    }
    assert_eq!(template("log_format main '$host ' $status;"), template("$host $status"));
}

#[test]
fn each_shared_name_is_given_once_to_the_best_candidate() {
    assert_eq!(fields("$http_host $host"), ["http_host", "vhost"]);
    assert_eq!(fields("$server_name $http_host"), ["server_name", "vhost"]);
    assert_eq!(fields("$server_name"), ["vhost"]);
    assert_eq!(fields("[$time_local] $msec"), ["time_local", "time"]);
    assert_eq!(fields("$msec [$time_local] $time_iso8601_ms"), ["msec", "time_local", "time"]);
    assert_eq!(fields("$status $status"), ["status", ""]);
    assert_eq!(fields("$request_method $uri $args"), ["method", "path", "query"]);
    assert_eq!(fields("$request_method $request_uri $uri"), ["method", "url", "uri"]);
    assert_eq!(
        fields("$request | $request_method $request_uri $server_protocol"),
        ["request", "request_method", "request_uri", "server_protocol"]
    );
}

#[test]
fn a_user_defined_variable_with_a_known_name_has_its_type() {
    assert_eq!(template("<$size>"), r#""<" size:Free:int ">""#);
    assert_eq!(fields("$body_bytes_sent $size"), ["size", "size_2"]);
    assert_eq!(fields("$request $method"), ["request", "method_2"]);
    // `$user` is not `$remote_user`, and `$host` is the virtual host.
    assert_eq!(fields("$host $user $vhost"), ["vhost", "user", "vhost_2"]);
}

#[test]
fn adjacent_variables_that_make_up_a_url_are_one_field() {
    assert_eq!(template("<$uri$is_args$args>"), r#""<" url:Free:text ">""#);
    assert_eq!(template("<$document_uri$is_args$query_string>"), r#""<" url:Free:text ">""#);
    assert_eq!(template("<$scheme://$host$request_uri>"), r#""<" url:Free:text ">""#);
    assert_eq!(template("<$scheme://$host>"), r#""<" scheme:Word:text "://" vhost:Word:text ">""#);
    assert_eq!(template("<$http_host$request_uri>"), r#""<" http_host_request_uri:Free:text ">""#);
}

#[test]
fn a_status_may_precede_any_field() {
    assert_eq!(template("$status$pipe"), "status:Status:int pipe:Word:text");
}

#[test]
fn blanks_at_the_end_are_dropped() {
    assert_eq!(
        template("log_format a '$status $host ';"),
        r#"status:Status:int " " vhost:Word:text"#
    );
}

#[test]
fn the_number_of_fields_is_limited() {
    let text = |count| (0..count).map(|_| "$status ").collect::<String>();
    assert!(compile(&text(256)).is_ok());
    assert!(compile(&text(257)).is_err());
    let members = |count| (0..count).map(|_| "\"a\":$status,").collect::<String>();
    assert!(paste(&format!("{{{}\"b\":$host}}", members(255))).is_ok());
    assert!(paste(&format!("{{{}\"b\":$host}}", members(256))).is_err());
}

#[test]
fn a_field_has_its_position_in_the_text() {
    let text = "log_format a '\\'${status} '\n  '$host';";
    let template = compile(text).unwrap();
    let written: Vec<_> =
        slots(&template).iter().map(|slot| &text[slot.written.0..slot.written.1]).collect();
    assert_eq!(written, ["${status}", "$host"]);
}

#[test]
fn an_object_compiles_to_paths() {
    let text = r#"log_format j escape=json '{"time":"$time_iso8601", "status":$status,'
        '"request":"$request_method $request_uri $server_protocol","type":"nginx","n":1,'
        ' "url": "$scheme://$host$request_uri", "up": { "t": "$upstream_response_time", "all":[$bytes_sent, 2] },'
        '"size" : ${body_bytes_sent} , "who":"$remote_addr:$remote_port"}';"#;
    assert_eq!(
        keys(text),
        [
            "time <- time iso",
            "status <- status int",
            "request <- request request",
            "request_uri <- url text",
            "upstream_time <- up.t seconds(0)",
            "bytes_out <- up.all.0 int",
            "size <- size int",
            "who <- who text",
        ]
    );
    assert_eq!(keys(r#"{"a b\"c":"$host"}"#), [r#"vhost <- a b"c text"#]);
    assert_eq!(keys("{ \"t\": $msec }"), ["time <- t epoch(0)"]);
    assert_eq!(
        keys(r#"{"l":[[],[ "x", "$host:$server_port" ] ,{"k":["$status"]}]}"#),
        ["l_1_1 <- l.1.1 text", "status <- l.2.k.0 int"]
    );
    assert!(paste(&format!("{{\"a\":{}$host{}}}", "[".repeat(16), "]".repeat(16))).is_err());
}

#[test]
fn an_object_is_not_a_template() {
    assert!(compile(r#"{"status":$status}"#).is_err());
    let text = r#"x {"status":$status}"#;
    assert_eq!(template(text), r#""x {\"status\":" status:Status:int "}""#);
}

fn bodies() -> impl Strategy<Value = Vec<String>> {
    let variables: Vec<String> = documented().map(|(name, _)| format!("${{{name}}}")).collect();
    let literal = proptest::sample::select(vec![" ", " - ", "] [", "\" \"", "|", "\\", "'", "; #"]);
    let pair = (proptest::sample::select(variables), literal)
        .prop_map(|(variable, literal)| format!("{variable}{literal}"));
    proptest::collection::vec(pair, 1..12)
}

proptest! {
    #![proptest_config(crate::ground::profile::cases(256))]

    #[test]
    fn any_text_gives_a_format_or_an_error(text in r#"(log_format |escape=json )?[$\{\}'"\\a-c_ ;#:,\[\]\n%é]{0,40}"#) {
        check(&text, &compile(&text));
        if let Ok(Pasted::Json(fields)) = paste(&text) {
            prop_assert!(!fields.is_empty());
        }
    }

    #[test]
    fn a_broken_object_gives_a_position_inside_the_text(
        cut in 0_usize..120, put in r#"[\{\}"$,:\[\]\\x]{0,3}"#, drop in 0_usize..4,
    ) {
        let whole = r#"{"a":"$status","b":{"c":${msec},"d":["$host",[1]]},"e":"$request \"x\"" , "f": -1}"#;
        let cut = cut.min(whole.len());
        let text = format!("{}{put}{}", &whole[..cut], &whole[(cut + drop).min(whole.len())..]);
        if let Err(found) = paste(&text) {
            prop_assert!(text.get(found.start..found.end).is_some(), "{text} {found:?}");
        }
    }

    #[test]
    fn a_format_may_be_split_into_strings_anywhere(body in bodies(), cuts in proptest::collection::vec(0_usize..12, 0..5)) {
        let whole = compile(&body.concat()).map(|found| shown(&found));
        let mut directive = "log_format some\n".to_owned();
        for (at, piece) in body.iter().enumerate() {
            let quote = if cuts.contains(&at) { '"' } else { '\'' };
            directive.push(quote);
            for character in piece.chars() {
                if character == quote || character == '\\' {
                    directive.push('\\');
                }
                directive.push(character);
            }
            directive.push(quote);
            directive.push('\n');
        }
        directive.push(';');
        prop_assert_eq!(compile(&directive).map(|found| shown(&found)).ok(), whole.ok());
    }
}
