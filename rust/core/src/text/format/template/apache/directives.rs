//! The directives of `LogFormat` except `%t`: those of `mod_log_config`, `mod_logio` and `mod_ssl`.
//!
//! <https://httpd.apache.org/docs/current/mod/mod_log_config.html#formats>

use super::super::draft::{Body, error};
use super::super::meaning::Meaning;
use super::super::{Syntax, TemplateError};
use super::{Directive, if_present};
use crate::text::format::field_type::FieldType;

/// The directives that are three bytes long.
pub(super) const LONG: [&str; 4] = ["^FB", "^FU", "^ti", "^to"];

/// An entry of the table of directives.
struct DirectiveInfo {
    letter: &'static str,
    /// What it logs, in a few words.
    about: &'static str,
    /// The argument that it needs in braces, with an example; empty if it needs none.
    needs: (&'static str, &'static str),
}

const fn known(letter: &'static str, about: &'static str) -> DirectiveInfo {
    DirectiveInfo { letter, about, needs: ("", "") }
}

const fn needs(
    letter: &'static str,
    about: &'static str,
    what: &'static str,
    example: &'static str,
) -> DirectiveInfo {
    DirectiveInfo { letter, about, needs: (what, example) }
}

const KNOWN: &[DirectiveInfo] = &[
    known("a", "the client's address"),
    known("A", "the server's address"),
    known("b", "the size"),
    known("B", "the size"),
    needs("c", "a value of TLS", "the name of a value of TLS", "%{cipher}c"),
    needs("C", "a cookie", "the name of a cookie", "%{session}C"),
    known("D", "the duration in microseconds"),
    needs("e", "an environment variable", "the name of an environment variable", "%{UNIQUE_ID}e"),
    known("f", "the file name"),
    known("F", "whether the response was flushed"),
    known("h", "the client"),
    known("H", "the protocol"),
    needs("i", "a request header", "the name of a header", "%{Referer}i"),
    known("I", "the bytes received"),
    known("k", "the number of earlier requests on the connection"),
    known("l", "the client's logname"),
    known("L", "the id in the error log"),
    known("m", "the method"),
    needs("n", "a note", "the name of a note", "%{ratio}n"),
    needs("o", "a response header", "the name of a header", "%{Content-Type}o"),
    known("O", "the bytes sent"),
    known("p", "the port"),
    known("P", "the process id"),
    known("q", "the query"),
    known("r", "the request"),
    known("R", "the handler"),
    known("s", "the status"),
    known("S", "the bytes received and sent"),
    known("t", "the time"),
    known("T", "the duration in seconds"),
    known("u", "the user"),
    known("U", "the path"),
    known("v", "the virtual host"),
    known("V", "the server's name"),
    needs("x", "a variable of TLS", "the name of a variable", "%{SSL_PROTOCOL}x"),
    known("X", "the state of the connection"),
    known("^FB", "the time to the first byte"),
    known("^FU", "the time to the end of the upload"),
    needs("^ti", "a request trailer", "the name of a trailer", "%{Checksum}^ti"),
    needs("^to", "a response trailer", "the name of a trailer", "%{Checksum}^to"),
];

/// Whether Apache has this directive.
pub(in super::super) fn is_known(letter: &str) -> bool {
    KNOWN.iter().any(|known| known.letter == letter)
}

/// The message for a letter that is not a directive.
pub(super) fn unknown(letter: &str) -> String {
    let found = format!("unknown LogFormat directive %{letter}");
    let other: String = if letter.chars().all(char::is_lowercase) {
        letter.to_uppercase()
    } else {
        letter.to_lowercase()
    };
    match letter {
        "d" | "Y" | "y" | "M" | "Z" | "z" | "j" => {
            format!("{found}; expected %t for the time, or %{{%{letter}}}t for a part of it")
        }
        "^" | "~" => format!("{found}: it is GoAccess syntax, and a format cannot mix the two"),
        _ => match KNOWN.iter().find(|known| known.letter == other) {
            Some(known) => {
                let written = if known.needs.1.is_empty() {
                    format!("%{}", known.letter)
                } else {
                    known.needs.1.to_owned()
                };
                format!("{found}; {written} is {}", known.about)
            }
            None => format!("{found}; write %% for a literal %"),
        },
    }
}

/// The meaning of a directive.
pub(super) fn meaning(body: &Body, directive: &Directive) -> Result<Meaning, TemplateError> {
    let argument = directive.argument();
    let place = body.place(directive.start, directive.end);
    if let Some(known) = KNOWN.iter().find(|known| known.letter == directive.letter)
        && !known.needs.0.is_empty()
        && argument.is_empty()
    {
        let DirectiveInfo { letter, needs: (what, example), .. } = known;
        return Err(error(place, format!("%{letter} needs {what}, as in {example}")));
    }
    let meaning = match directive.letter.as_str() {
        "c" | "p" | "P" | "T" => by_argument(directive).map_err(|message| {
            let argument = directive.argument.as_ref();
            let place = argument.map_or(place, |found| body.place(found.start, found.end));
            error(place, message)
        })?,
        "a" | "h" | "L" if argument == "c" => match directive.letter.as_str() {
            "a" => word("peer_addr"),
            "h" => word("peer_host"),
            _ => word("connection_log_id"),
        },
        "s" | "u" => status_or_user(directive),
        "C" | "e" | "i" | "n" | "o" | "x" | "^ti" | "^to" => named(&directive.letter, argument),
        letter => plain(letter),
    };
    Ok(if directive.conditional { if_present(meaning) } else { meaning })
}

/// The directives that mean something else in Tomcat 9 and older.
///
/// <https://tomcat.apache.org/tomcat-9.0-doc/config/valve.html#Access_Logging>
pub(super) fn of_tomcat9(letter: &str) -> Option<Meaning> {
    let millis = |own: &str| Meaning::own(own, Syntax::Int, FieldType::Seconds(-3));
    Some(match letter {
        "D" => standard("request_time", 0, millis("request_time_ms")),
        "F" => millis("commit_time"),
        "I" => word("thread"),
        "S" => word("session_id"),
        _ => return None,
    })
}

fn word(own: &str) -> Meaning {
    Meaning::own(own, Syntax::Word, FieldType::Text)
}

fn int(own: &str) -> Meaning {
    Meaning::own(own, Syntax::Int, FieldType::Int)
}

fn micros(own: &str) -> Meaning {
    Meaning::own(own, Syntax::Int, FieldType::Seconds(-6))
}

fn standard(standard: &'static str, rank: u8, meaning: Meaning) -> Meaning {
    Meaning { standard, rank, ..meaning }
}

/// Directives whose argument does not change their meaning.
fn plain(letter: &str) -> Meaning {
    match letter {
        "a" => standard("host", 1, word("remote_addr")),
        "A" => word("server_addr"),
        "b" => standard("size", 1, int("size_clf")),
        "B" => standard("size", 0, int("body_bytes_sent")),
        "D" => standard("request_time", 0, micros("request_time_us")),
        "f" => Meaning::text("request_filename"),
        "F" => word("flushed"),
        "h" => standard("host", 0, word("remote_host")),
        "H" => standard("protocol", 0, word("server_protocol")),
        "I" => standard("bytes_in", 0, int("bytes_received")),
        "k" => int("keepalive_requests"),
        "l" => word("ident"),
        "L" => word("log_id"),
        "m" => standard("method", 0, word("request_method")),
        "O" => standard("bytes_out", 0, int("bytes_sent")),
        "q" => standard("query", 0, Meaning::own("args", Syntax::Free, FieldType::Query)),
        "r" => {
            let read = FieldType::Request;
            standard("request", 0, Meaning::own("request_line", Syntax::Free, read))
        }
        "R" => word("handler"),
        "S" => int("bytes_transferred"),
        "U" => standard("path", 0, Meaning::text("uri")),
        "v" => standard("vhost", 0, word("server_name")),
        "V" => standard("vhost", 1, word("server_name_used")),
        "X" => word("connection_status"),
        "^FB" => micros("first_byte_time"),
        "^FU" => micros("upload_time"),
        other => Meaning::text(other),
    }
}

/// The status and the user of the final or of the original request.
fn status_or_user(directive: &Directive) -> Meaning {
    let is_status = directive.letter == "s";
    // Apache's defaults: the original status, the final user.
    let is_final = directive.is_final.unwrap_or(!is_status);
    let own = match (is_status, is_final) {
        (true, true) => "final_status",
        (true, false) => "original_status",
        (false, true) => "final_user",
        (false, false) => "original_user",
    };
    if is_status {
        let meaning = Meaning::own(own, Syntax::Status, FieldType::Int);
        standard("status", u8::from(!is_final), meaning)
    } else {
        standard("user", u8::from(!is_final), Meaning::text(own))
    }
}

/// Headers, cookies and the like, with the names that nginx gives them.
fn named(letter: &str, argument: &str) -> Meaning {
    let name = identifier(argument);
    match (letter, name.as_str()) {
        ("i", "referer") => standard("referer", 0, Meaning::text("http_referer")),
        ("i", "user_agent") => standard("agent", 0, Meaning::text("http_user_agent")),
        ("i", "x_forwarded_for") => standard("xff", 0, Meaning::text("http_x_forwarded_for")),
        ("i", "host") => standard("vhost", 2, Meaning::text("http_host")),
        ("e", "unique_id") => standard("request_id", 0, word("env_unique_id")),
        ("i" | "o", "content_length") => {
            let own =
                if letter == "i" { "http_content_length" } else { "sent_http_content_length" };
            Meaning::own(own, Syntax::Free, FieldType::Int)
        }
        ("x", _) => Meaning::text(name),
        _ => {
            let prefix = match letter {
                "C" => "cookie",
                "e" => "env",
                "i" => "http",
                "n" => "note",
                "o" => "sent_http",
                "^ti" => "http_trailer",
                _ => "sent_trailer",
            };
            Meaning::text(format!("{prefix}_{name}"))
        }
    }
}

/// A name of lower-case letters, digits and underscores.
fn identifier(text: &str) -> String {
    let plain = |character: char| if character.is_alphanumeric() { character } else { '_' };
    text.chars().flat_map(char::to_lowercase).map(plain).collect()
}

/// Directives whose argument is one of a list of words.
fn by_argument(directive: &Directive) -> Result<Meaning, String> {
    let argument = directive.argument();
    let meaning = match (directive.letter.as_str(), argument.to_ascii_lowercase().as_str()) {
        ("c", "version") => Meaning::text("ssl_protocol"),
        ("c", "cipher") => Meaning::text("ssl_cipher"),
        ("c", "subjectdn" | "clientcert") => Meaning::text("ssl_client_s_dn"),
        ("c", "issuerdn" | "cacert") => Meaning::text("ssl_client_i_dn"),
        ("c", "errcode") => Meaning::text("ssl_errcode"),
        ("c", "errstr") => Meaning::text("ssl_client_verify_errstr"),
        ("c", _) => {
            let list = "version, cipher, subjectdn, issuerdn, errcode or errstr";
            return Err(format!("expected {list} as the argument of %c, found '{argument}'"));
        }
        ("p", "" | "canonical") => standard("port", 0, int("server_port")),
        ("p", "local") => standard("port", 1, int("local_port")),
        ("p", "remote") => int("remote_port"),
        ("p", _) => {
            return Err(format!(
                "expected canonical, local or remote as the argument of %p, found '{argument}'"
            ));
        }
        ("P", "" | "pid") => int("pid"),
        ("P", "tid") => int("tid"),
        ("P", "hextid") => word("tid_hex"),
        ("P", _) => {
            return Err(format!(
                "expected pid, tid or hextid as the argument of %P, found '{argument}'"
            ));
        }
        // Apache writes whole seconds; other servers with its syntax write fractions.
        (_, "" | "s") => {
            let read = FieldType::Seconds(0);
            standard("request_time", 2, Meaning::own("request_time_s", Syntax::Number, read))
        }
        (_, "ms") => {
            let read = FieldType::Seconds(-3);
            standard("request_time", 1, Meaning::own("request_time_ms", Syntax::Int, read))
        }
        (_, "us") => standard("request_time", 0, micros("request_time_us")),
        _ => return Err(format!("expected s, ms or us as the unit of %T, found '{argument}'")),
    };
    Ok(meaning)
}
