//! Computes from the steps of a template, once, what may follow each searched field.

use memchr::memchr_iter;

use super::scanners::Scanner;
use super::steps::{ByteClass, EndRule, NextBytes, Op, Prefilter, SearchFrom, Step};

/// Fills in what may follow each searched step, and how far its lookahead may go.
pub(super) fn fill(steps: &mut [Step], open_ended: bool) {
    for at in 0..steps.len() {
        let (this, rest) = steps[at..].split_at_mut(1);
        match &mut this[0].op {
            Op::Quoted(quoted) => {
                quoted.next_bytes = next_bytes(rest, 0, open_ended);
                quoted.prefilter = Prefilter::new(rest, 0, open_ended);
                quoted.quotes_after = if open_ended { None } else { quotes_in(rest) };
            }
            Op::Head(head) => {
                head.next_bytes = next_bytes(rest, 0, open_ended);
                head.prefilter = Prefilter::new(rest, 0, open_ended);
                let opens = rest.iter().take(2).position(|step| matches!(step.op, Op::OpenRequest));
                head.request = opens.map_or(usize::MAX, |offset| at + 2 + offset);
            }
            Op::Until(until) => {
                let anchor = until.delimiter.map(|delimiter| delimiter.byte);
                let after_words = match until.rule {
                    EndRule::Leaves { end, .. } => {
                        rest.iter().position(|step| step.part >= end).unwrap_or(0)
                    }
                    _ => 0,
                };
                let rest = &rest[after_words..];
                // A search for the only place goes on after a list of numbers.
                let is_only = matches!(until.rule, EndRule::Only { .. });
                let limit = limit(rest, anchor, is_only);
                until.limit = limit.map_or(usize::MAX, |limit| at + 1 + after_words + limit);
                let rest = &rest[..limit.unwrap_or(rest.len())];
                if let Some(delimiter) = &mut until.delimiter {
                    until.search_from = match until.rule {
                        EndRule::Leaves { .. } => SearchFrom::Start,
                        _ => search_from(rest, delimiter.byte, until.word, open_ended),
                    };
                    (delimiter.next_bytes, until.prefilter) = match until.search_from {
                        SearchFrom::Brackets(_) => {
                            (NextBytes::ANY, Prefilter::new(&rest[2..], 1, open_ended))
                        }
                        _ => after_anchor(rest, delimiter.byte, open_ended),
                    };
                }
            }
            _ => {}
        }
    }
}

/// The number of quotes that these steps match, if it is fixed: one count for each point where the
/// line may end, the largest first.
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

/// The first step that may contain the byte searched for. The lookahead stops before it: otherwise
/// a line full of such bytes would be scanned again from each of them.
fn limit(rest: &[Step], anchor: Option<u8>, has_numbers: bool) -> Option<usize> {
    rest.iter().position(|step| match &step.op {
        Op::Scanned { scanner: Scanner::Numbers { .. }, .. } if has_numbers => false,
        Op::Scanned { scanner, .. } => scanner.may_contain(anchor),
        Op::StatusAndSize { .. } => Scanner::Int.may_contain(anchor),
        _ => false,
    })
}

/// The classes of the next two bytes. The first `taken` bytes of the first literal have matched
/// already.
fn next_bytes(rest: &[Step], taken: usize, open_ended: bool) -> NextBytes {
    let Some(next) = rest.first() else { return NextBytes::ANY };
    // An open-ended line may end here, and a blank and more text may follow its end.
    let may_end = next.optional && open_ended && taken == 0;
    let class = |at| {
        rest.get(at).map_or(ByteClass::Any, |step| first_byte_class(step, &rest[at..], open_ended))
    };
    let (first, second) = match &next.op {
        Op::Text(text) => match &text[taken.min(text.len())..] {
            [] => return next_bytes(&rest[1..], 0, open_ended),
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

/// The class of the first byte of a step.
fn first_byte_class(step: &Step, from: &[Step], open_ended: bool) -> ByteClass {
    if step.optional && open_ended && !matches!(step.op, Op::Blank) {
        return ByteClass::Any;
    }
    match &step.op {
        Op::Blank | Op::StatusAndSize { .. } => ByteClass::Blank,
        Op::Text(text) => text.first().map_or(ByteClass::Any, |byte| byte_class(*byte)),
        Op::Scanned { scanner: Scanner::Time(_) | Scanner::Signed, .. }
        | Op::Scanned { may_be_empty: true, .. } => ByteClass::Any,
        Op::Scanned { scanner: Scanner::Numbers { .. }, .. } => ByteClass::Number,
        Op::Scanned { .. } => match from.get(1).map(|step| (&step.op, step.optional && open_ended))
        {
            Some((Op::Blank | Op::StatusAndSize { .. }, _)) => ByteClass::NumberAndBlank,
            Some((Op::Text(text), false)) if text.first() == Some(&b' ') => {
                ByteClass::NumberAndBlank
            }
            _ => ByteClass::Number,
        },
        // A blank follows the dash that replaces a request.
        Op::OpenRequest => match from.get(2).map(|step| (&step.op, step.optional)) {
            Some((Op::Blank | Op::StatusAndSize { .. }, false)) => ByteClass::QuoteOrDash,
            Some((Op::Text(text), false)) if text.first() == Some(&b' ') => ByteClass::QuoteOrDash,
            _ => ByteClass::Any,
        },
        Op::End if open_ended => ByteClass::Blank,
        Op::End => ByteClass::LineEnd,
        _ => ByteClass::Any,
    }
}

/// What may follow the byte searched for, which is in the first literal.
fn after_anchor(rest: &[Step], anchor: u8, open_ended: bool) -> (NextBytes, Prefilter) {
    if let Some(Step { op: Op::Text(text), optional: false, .. }) = rest.first()
        && let Some(place) = text.iter().position(|byte| *byte == anchor)
    {
        return (
            next_bytes(rest, place + 1, open_ended),
            Prefilter::new(rest, place + 1, open_ended),
        );
    }
    (NextBytes::ANY, Prefilter::default())
}

fn search_from(rest: &[Step], anchor: u8, word: bool, open_ended: bool) -> SearchFrom {
    let [
        Step { op: Op::Text(text), optional: false, .. },
        Step { op: Op::Scanned { scanner, may_be_empty, .. }, .. },
        next,
        ..,
    ] = rest
    else {
        return SearchFrom::Start;
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
            SearchFrom::End
        }
        ([b' ', b'['], Scanner::Time(time))
            if time.ends_before(b']')
                && !time.may_contain(b'[')
                && matches!(&next.op, Op::Text(text) if text.first() == Some(&b']'))
                && !next.optional =>
        {
            SearchFrom::Brackets(next_bytes(&rest[2..], 1, open_ended))
        }
        _ => SearchFrom::Start,
    }
}
