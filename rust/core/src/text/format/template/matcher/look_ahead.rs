//! What steps know of those behind them before a line is seen.

use memchr::memchr_iter;

use super::shapes::Look;
use super::steps::{Behind, Class, Op, Outline, Step, Way};

/// Tells steps that are searched for what stands behind them, and how far they may look ahead.
pub(super) fn prepare(steps: &mut [Step], open: bool) {
    for at in 0..steps.len() {
        let (this, rest) = steps[at..].split_at_mut(1);
        match &mut this[0].op {
            Op::Quoted(quoted) => {
                quoted.behind = behind(rest, 0, open);
                quoted.outline = Outline::new(rest, 0, open);
                quoted.quotes_behind = if open { None } else { quotes_in(rest) };
            }
            Op::Head(head) => {
                head.behind = behind(rest, 0, open);
                head.outline = Outline::new(rest, 0, open);
                let opens = rest.iter().take(2).position(|step| matches!(step.op, Op::Open));
                head.request = opens.map_or(usize::MAX, |offset| at + 2 + offset);
            }
            Op::Until(until) => {
                let anchor = until.mark.map(|mark| mark.byte);
                let limit = limit(rest, anchor);
                until.limit = limit.map_or(usize::MAX, |limit| at + 1 + limit);
                let rest = &rest[..limit.unwrap_or(rest.len())];
                if let Some(mark) = &mut until.mark {
                    until.way = way(rest, mark.byte, until.word, open);
                    (mark.behind, until.outline) = match until.way {
                        Way::Enclosing(_) => (Behind::ANY, Outline::new(&rest[2..], 1, open)),
                        _ => behind_anchor(rest, mark.byte, open),
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
            Op::Known { look, .. } if look.has(Some(b'"')) => return None,
            Op::Known { .. } | Op::Blank | Op::StatusAndSize { .. } | Op::End | Op::Done => {}
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
        Op::Known { look, .. } => look.has(anchor),
        Op::StatusAndSize { .. } => Look::Int.has(anchor),
        _ => false,
    })
}

/// What stands behind something that steps follow, of whose first literal some bytes are taken.
fn behind(rest: &[Step], taken: usize, open: bool) -> Behind {
    let Some(next) = rest.first() else { return Behind::ANY };
    // Where the line may end instead, a blank may be behind that end.
    let may_end = next.optional && open && taken == 0;
    let class = |at| rest.get(at).map_or(Class::Any, |step| class_of(step, &rest[at..], open));
    let (first, second) = match &next.op {
        Op::Text(text) => match &text[taken.min(text.len())..] {
            [] => return behind(&rest[1..], 0, open),
            [b' ', ..] if may_end => (Class::Blank, Class::Any),
            _ if may_end => (Class::Any, Class::Any),
            [first] => (class_of_byte(*first), class(1)),
            [first, second, ..] => (class_of_byte(*first), class_of_byte(*second)),
        },
        Op::Blank => (Class::Blank, class(1)),
        Op::StatusAndSize { .. } => (Class::Blank, Class::NumberAndBlank),
        _ => (class(0), Class::Any),
    };
    Behind::new(first, second)
}

fn class_of_byte(byte: u8) -> Class {
    if byte == b' ' { Class::Blank } else { Class::Byte(byte) }
}

/// With which bytes a step begins.
fn class_of(step: &Step, from: &[Step], open: bool) -> Class {
    if step.optional && open && !matches!(step.op, Op::Blank) {
        return Class::Any;
    }
    match &step.op {
        Op::Blank | Op::StatusAndSize { .. } => Class::Blank,
        Op::Text(text) => text.first().map_or(Class::Any, |byte| class_of_byte(*byte)),
        Op::Known { look: Look::Time(_), .. } | Op::Known { may_be_empty: true, .. } => Class::Any,
        Op::Known { look: Look::Numbers, .. } => Class::Number,
        Op::Known { .. } => match from.get(1).map(|step| (&step.op, step.optional && open)) {
            Some((Op::Blank | Op::StatusAndSize { .. }, _)) => Class::NumberAndBlank,
            Some((Op::Text(text), false)) if text.first() == Some(&b' ') => Class::NumberAndBlank,
            _ => Class::Number,
        },
        // A dash in place of a request is a word.
        Op::Open => match from.get(2).map(|step| (&step.op, step.optional)) {
            Some((Op::Blank | Op::StatusAndSize { .. }, false)) => Class::Opening,
            Some((Op::Text(text), false)) if text.first() == Some(&b' ') => Class::Opening,
            _ => Class::Any,
        },
        Op::End if open => Class::Blank,
        Op::End => Class::Nothing,
        _ => Class::Any,
    }
}

/// What stands behind the byte that is searched for, in the literal that has it.
fn behind_anchor(rest: &[Step], anchor: u8, open: bool) -> (Behind, Outline) {
    if let Some(Step { op: Op::Text(text), optional: false, .. }) = rest.first()
        && let Some(place) = text.iter().position(|byte| *byte == anchor)
    {
        return (behind(rest, place + 1, open), Outline::new(rest, place + 1, open));
    }
    (Behind::ANY, Outline::default())
}

fn way(rest: &[Step], anchor: u8, word: bool, open: bool) -> Way {
    let [
        Step { op: Op::Text(text), optional: false, .. },
        Step { op: Op::Known { look, may_be_empty, .. }, .. },
        next,
        ..,
    ] = rest
    else {
        return Way::First;
    };
    let ends_word = match &next.op {
        Op::Blank | Op::StatusAndSize { .. } | Op::End => true,
        Op::Text(text) => text.first() == Some(&b' '),
        _ => false,
    };
    match (&text[..], look) {
        ([_], look) if word && !may_be_empty && ends_word && !look.has(Some(anchor)) => Way::Last,
        ([b' ', b'['], Look::Time(shape))
            if shape.ends_before(b']')
                && !shape.has(b'[')
                && matches!(&next.op, Op::Text(text) if text.first() == Some(&b']'))
                && !next.optional =>
        {
            Way::Enclosing(behind(&rest[2..], 1, open))
        }
        _ => Way::First,
    }
}
