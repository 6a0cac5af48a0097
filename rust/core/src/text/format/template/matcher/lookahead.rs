//! What steps know of those behind them before a line is seen.

use memchr::memchr_iter;

use super::scanners::Scanner;
use super::steps::{ByteClass, NextBytes, Op, Prefilter, SearchFrom, Step};

/// Tells steps that are searched for what stands behind them, and how far they may look ahead.
pub(super) fn fill(steps: &mut [Step], open: bool) {
    for at in 0..steps.len() {
        let (this, rest) = steps[at..].split_at_mut(1);
        match &mut this[0].op {
            Op::Quoted(quoted) => {
                quoted.next_bytes = next_bytes(rest, 0, open);
                quoted.prefilter = Prefilter::new(rest, 0, open);
                quoted.quotes_after = if open { None } else { quotes_in(rest) };
            }
            Op::Head(head) => {
                head.next_bytes = next_bytes(rest, 0, open);
                head.prefilter = Prefilter::new(rest, 0, open);
                let opens = rest.iter().take(2).position(|step| matches!(step.op, Op::Open));
                head.request = opens.map_or(usize::MAX, |offset| at + 2 + offset);
            }
            Op::Until(until) => {
                let anchor = until.delimiter.map(|delimiter| delimiter.byte);
                let limit = limit(rest, anchor);
                until.limit = limit.map_or(usize::MAX, |limit| at + 1 + limit);
                let rest = &rest[..limit.unwrap_or(rest.len())];
                if let Some(delimiter) = &mut until.delimiter {
                    until.search_from = search_from(rest, delimiter.byte, until.word, open);
                    (delimiter.next_bytes, until.prefilter) = match until.search_from {
                        SearchFrom::Enclosing(_) => {
                            (NextBytes::ANY, Prefilter::new(&rest[2..], 1, open))
                        }
                        _ => after_anchor(rest, delimiter.byte, open),
                    };
                }
            }
            _ => {}
        }
    }
}

/// How many quotes are in what these steps take, most first: the line may end before some.
fn quotes_in(rest: &[Step]) -> Option<Box<[usize]>> {
    let mut counts = Vec::new();
    let mut quotes = 0;
    for step in rest {
        let ends = step.optional || matches!(step.op, Op::End);
        if ends && counts.last() != Some(&quotes) {
            counts.push(quotes);
        }
        match &step.op {
            Op::Text(text) => quotes += memchr_iter(b'"', text).count(),
            Op::Scanned { scanner, .. } if scanner.may_contain(Some(b'"')) => return None,
            Op::Scanned { .. } | Op::Blank | Op::StatusAndSize { .. } | Op::End | Op::Done => {}
            _ => return None,
        }
    }
    counts.reverse();
    Some(counts.into())
}

/// The first of the steps into which a search for a byte may not look ahead: one that may have it,
/// or a line of such bytes would be read over and over.
fn limit(rest: &[Step], anchor: Option<u8>) -> Option<usize> {
    rest.iter().position(|step| match &step.op {
        Op::Scanned { scanner, .. } => scanner.may_contain(anchor),
        Op::StatusAndSize { .. } => Scanner::Int.may_contain(anchor),
        _ => false,
    })
}

/// What stands behind something that steps follow, of whose first literal some bytes are taken.
fn next_bytes(rest: &[Step], taken: usize, open: bool) -> NextBytes {
    let Some(next) = rest.first() else { return NextBytes::ANY };
    // Where the line may end instead, a blank may be behind that end.
    let may_end = next.optional && open && taken == 0;
    let class =
        |at| rest.get(at).map_or(ByteClass::Any, |step| first_byte_class(step, &rest[at..], open));
    let (first, second) = match &next.op {
        Op::Text(text) => match &text[taken.min(text.len())..] {
            [] => return next_bytes(&rest[1..], 0, open),
            [b' ', ..] if may_end => (ByteClass::Blank, ByteClass::Any),
            _ if may_end => (ByteClass::Any, ByteClass::Any),
            [first] => (byte_class(*first), class(1)),
            [first, second, ..] => (byte_class(*first), byte_class(*second)),
        },
        Op::Blank => (ByteClass::Blank, class(1)),
        Op::StatusAndSize { .. } => (ByteClass::Blank, ByteClass::NumberAndBlank),
        _ => (class(0), ByteClass::Any),
    };
    NextBytes::new(first, second)
}

fn byte_class(byte: u8) -> ByteClass {
    if byte == b' ' { ByteClass::Blank } else { ByteClass::Byte(byte) }
}

/// With which bytes a step begins.
fn first_byte_class(step: &Step, from: &[Step], open: bool) -> ByteClass {
    if step.optional && open && !matches!(step.op, Op::Blank) {
        return ByteClass::Any;
    }
    match &step.op {
        Op::Blank | Op::StatusAndSize { .. } => ByteClass::Blank,
        Op::Text(text) => text.first().map_or(ByteClass::Any, |byte| byte_class(*byte)),
        Op::Scanned { scanner: Scanner::Time(_), .. } | Op::Scanned { may_be_empty: true, .. } => {
            ByteClass::Any
        }
        Op::Scanned { scanner: Scanner::Numbers, .. } => ByteClass::Number,
        Op::Scanned { .. } => match from.get(1).map(|step| (&step.op, step.optional && open)) {
            Some((Op::Blank | Op::StatusAndSize { .. }, _)) => ByteClass::NumberAndBlank,
            Some((Op::Text(text), false)) if text.first() == Some(&b' ') => {
                ByteClass::NumberAndBlank
            }
            _ => ByteClass::Number,
        },
        // A dash in place of a request is a word.
        Op::Open => match from.get(2).map(|step| (&step.op, step.optional)) {
            Some((Op::Blank | Op::StatusAndSize { .. }, false)) => ByteClass::Opening,
            Some((Op::Text(text), false)) if text.first() == Some(&b' ') => ByteClass::Opening,
            _ => ByteClass::Any,
        },
        Op::End if open => ByteClass::Blank,
        Op::End => ByteClass::Nothing,
        _ => ByteClass::Any,
    }
}

/// What stands behind the byte that is searched for, in the literal that has it.
fn after_anchor(rest: &[Step], anchor: u8, open: bool) -> (NextBytes, Prefilter) {
    if let Some(Step { op: Op::Text(text), optional: false, .. }) = rest.first()
        && let Some(place) = text.iter().position(|byte| *byte == anchor)
    {
        return (next_bytes(rest, place + 1, open), Prefilter::new(rest, place + 1, open));
    }
    (NextBytes::ANY, Prefilter::default())
}

fn search_from(rest: &[Step], anchor: u8, word: bool, open: bool) -> SearchFrom {
    let [
        Step { op: Op::Text(text), optional: false, .. },
        Step { op: Op::Scanned { scanner, may_be_empty, .. }, .. },
        next,
        ..,
    ] = rest
    else {
        return SearchFrom::First;
    };
    let ends_word = match &next.op {
        Op::Blank | Op::StatusAndSize { .. } | Op::End => true,
        Op::Text(text) => text.first() == Some(&b' '),
        _ => false,
    };
    match (&text[..], scanner) {
        ([_], scanner)
            if word && !may_be_empty && ends_word && !scanner.may_contain(Some(anchor)) =>
        {
            SearchFrom::Last
        }
        ([b' ', b'['], Scanner::Time(time))
            if time.ends_before(b']')
                && !time.may_contain(b'[')
                && matches!(&next.op, Op::Text(text) if text.first() == Some(&b']'))
                && !next.optional =>
        {
            SearchFrom::Enclosing(next_bytes(&rest[2..], 1, open))
        }
        _ => SearchFrom::First,
    }
}
