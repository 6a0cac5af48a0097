//! All that is there for speed against the same steps without it: no short way, no look at what
//! stands around a delimiter, nothing shared between alternatives.

use proptest::prelude::*;

use super::steps::{Behind, Op, Outline, Way};
use super::tests::{ATTACKS, compile, templates};
use super::*;

/// The same matcher, which tries every delimiter from the left by the steps.
fn dull(mut matcher: Matcher) -> Matcher {
    matcher.shared = 0;
    matcher.columns = None;
    for step in matcher.programs.iter_mut().flat_map(|program| &mut program.steps) {
        match &mut step.op {
            Op::Quoted(quoted) => {
                quoted.behind = Behind::ANY;
                quoted.outline = Outline::default();
                quoted.quotes_behind = None;
            }
            Op::Head(head) => {
                head.behind = Behind::ANY;
                head.outline = Outline::default();
            }
            Op::Until(until) => {
                until.way = Way::First;
                until.outline = Outline::default();
                if let Some(mark) = &mut until.mark {
                    mark.behind = Behind::ANY;
                }
            }
            Op::Front(front) => front.close(),
            _ => {}
        }
    }
    matcher
}

/// Formats that servers are told to write, and what the named ones do not have.
const PASTED: &[(&str, &str)] = &[
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
];

/// Lines that are columns and nothing else, and how many.
const COLUMNS: &[(usize, &str, &str)] = &[
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

/// An example with pieces put into it, and one of them many times over.
fn broken(example: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let example = example.as_bytes().to_vec();
    let piece = prop_oneof![
        3 => prop::sample::select(PIECES).prop_map(str::to_owned),
        1 => (prop::sample::select(ATTACKS), 1..40_usize)
            .prop_map(|(attack, times)| attack.repeat(times)),
    ];
    let cut = (any::<prop::sample::Index>(), 0..5_usize, piece);
    prop::collection::vec(cut, 0..5).prop_map(move |cuts| {
        let mut line = example.clone();
        for (place, gone, piece) in cuts {
            let start = place.index(line.len() + 1);
            let end = line.len().min(start + gone);
            line.splice(start..end, piece.bytes());
        }
        line
    })
}

fn spans_of(matcher: &Matcher) -> Vec<Span> {
    vec![Span::NONE; matcher.found().len()]
}

#[test]
fn what_is_there_for_speed_changes_no_answer() {
    let pasted =
        PASTED.iter().map(|(text, example)| (compile(&[text]), dull(compile(&[text])), *example));
    let named =
        templates().map(|(_, example, texts)| (compile(texts), dull(compile(texts)), example));
    let columns = COLUMNS.iter().map(|(count, text, example)| {
        let fast = compile(&[text]);
        assert_eq!(fast.columns.as_ref().map(Columns::len), Some(*count), "{text}");
        let split = |columns: &Columns| columns.split(example.as_bytes(), &mut spans_of(&fast));
        assert!(fast.columns.as_ref().is_some_and(split), "{text}");
        (fast, dull(compile(&[text])), *example)
    });
    for (fast, dull, example) in pasted.chain(columns).chain(named) {
        let mut spans = spans_of(&fast);
        assert!(fast.split(example.as_bytes(), &mut spans).is_ok(), "{example}");
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(
            if cfg!(debug_assertions) { 5_000 } else { 100_000 },
        ));
        let result = runner.run(&broken(example), |line| {
            let mut spans = [spans.clone(), spans.clone()];
            let fits = fast.split(&line, &mut spans[0]).is_ok();
            prop_assert_eq!(
                fits,
                dull.split(&line, &mut spans[1]).is_ok(),
                "{}",
                line.escape_ascii()
            );
            if fits {
                prop_assert_eq!(&spans[0], &spans[1], "{}", line.escape_ascii());
            }
            Ok(())
        });
        assert!(result.is_ok(), "{result:?}");
    }
}
