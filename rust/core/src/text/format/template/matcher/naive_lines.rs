//! Formats, and the pieces of broken lines, for the comparison with the naive matcher.

use proptest::prelude::*;

use super::tests::ATTACKS;

/// Formats as servers are configured, with features that no named format has.
pub(super) const PASTED: &[(&str, &str)] = &[
    (
        r#"{host} {ident} {user} [{time}] "{request}" {status} {size}"#,
        r#"h - joe [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5"#,
    ),
    (
        r#"{host} {ident} {user} [{time}] "{request}" {status} {size}{?} "{referer}" "{agent}"{...}"#,
        r#"h - joe [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "ua" more"#,
    ),
    (
        r#"{host} - {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}" {x}={y:int} {z:text},{upstream_time} "{w}""#,
        r#"h - joe [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "ua" a=b=5 c,1,2 "w""#,
    ),
    (
        r#"{host} - {user} [{time}] {status} "{request}" {a:text} {size} [{b}] ({c:text}) {d}"#,
        r#"h - joe x [17/May/2015:10:05:03 +0000] 200 "GET / HTTP/1.1" a b 7 [x] (y) z"#,
    ),
    (
        r#"{xff} {user} [{time:iso}] "{request}","{a}" {b:int}.{c:int} {d}:{e:ms}ms {f:text}"#,
        r#"1, 2 joe [2015-05-17T10:05:03Z] "GET / HTTP/1.1","x" 5.6 a:b:7ms x y"#,
    ),
    ("{a:text}\t{request_time}\t{b:text}\t{c}", "x y\t0.5\t\tz"),
    (
        r#"{time:iso} {host} "{method} {url} {protocol}" {status} {bytes_out} {request_time:ms}"#,
        r#"2015-05-17T10:05:03Z h "GET /a?b HTTP/1.1" 200 5 7"#,
    ),
    ("[{a} {b}] {host} {server_addr}:{port:int}", "[x y] h 10.0.0.1:80"),
];

/// Formats that are only columns, with the number of columns.
pub(super) const COLUMNS: &[(usize, &str, &str)] = &[
    (2, "{time:epoch_ms}\t{key}", "1700000000123\t/path/to/item000043.html"),
    (2, "{time:epoch} {key}", "1700000000 key"),
    (2, "{host}\t{time:iso}", "1.2.3.4\t2015"),
    (2, "{time},{host}", "1700000000,1.2.3.4"),
    (3, "{a};{b:int};{c:ms}", "x;5;7"),
    (4, "{a:text}|{time:time(%s)}|{b}|{c:text}", "x y|1700000000|z|a b"),
    (3, "{a} {b:int} {upstream}", "x 5 10.0.0.1:80"),
    (2, "{time:time(%Y)}.{a}", "2015.x"),
    (3, "{time:time(%H-%M)} {b}\t{c}", "10 x\ty"),
    (3, "{a:int}:{b:s}-{c:int}", "123456789012345678:5-7"),
    (2, "{a}\u{1}{b}", "x\u{1}y"),
];

const PIECES: &[&str] = &[
    "\"",
    "\\",
    " ",
    "  ",
    "\t",
    "\r",
    "\n",
    "\x01",
    "[",
    "]",
    "-",
    ":",
    "=",
    ",",
    ".",
    "5",
    "ms",
    "\" ",
    " \"",
    "] \"",
    "] -",
    "] - 5 5",
    " [",
    "\" \"",
    "\" 200 5 ",
    "\" 5 ",
    "\" - ",
    " - ",
    "\\\"",
    "\\\" 5 ",
    " HTTP/1.1 200 ",
    "17/May/2015:10:05:03 +0000",
    "[17/May/2015:10:05:03 +0000]",
    "1, 2",
    "\u{feff}",
    "é",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
];

/// An example line with random pieces inserted, some of them many times in a row.
pub(super) fn broken(example: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let example = example.as_bytes().to_vec();
    let piece = prop_oneof![
        3 => prop::sample::select(PIECES).prop_map(str::to_owned),
        1 => (prop::sample::select(ATTACKS), 1..40_usize)
            .prop_map(|(attack, times)| attack.repeat(times)),
    ];
    let cut = (any::<prop::sample::Index>(), 0..5_usize, piece);
    prop::collection::vec(cut, 0..5).prop_map(move |cuts| {
        let mut line = example.clone();
        for (place, removed, piece) in cuts {
            let start = place.index(line.len() + 1);
            let end = line.len().min(start + removed);
            line.splice(start..end, piece.bytes());
        }
        line
    })
}
