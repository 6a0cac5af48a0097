//! The members of the object of a line.

use super::syntax::{before_object, blanks, colon, comma, escaped, skip};
use super::{bom_len, find_either};
use crate::text::format::parsed::Span;

/// Calls `take` with the key of each member, inside its quotes, and its value, with its quotes.
/// The line has to be one that matches.
pub(crate) fn each(line: &[u8], mut take: impl FnMut(Span, Span)) {
    let Ok(start) = before_object(line, blanks(line, bom_len(line))) else { return };
    let mut at = start + 1;
    let mut first = true;
    loop {
        at = blanks(line, at);
        if line.get(at) != Some(&b'"') && first {
            return;
        }
        if !first {
            match comma(line, at, b'}') {
                Ok(after) => at = after,
                Err(_) => return,
            }
        }
        first = false;
        let start = at + 1;
        let Some(end) = string_end(line, start) else { return };
        let Ok(value) = colon(line, end + 1) else { return };
        let Ok(after) = skip(line, value, 1) else { return };
        take(Span::new(start, end), Span::new(value, after));
        at = after;
    }
}

/// Where a string ends whose inside begins here.
fn string_end(line: &[u8], start: usize) -> Option<usize> {
    let end = find_either(line, start, b'"', b'\\');
    match line.get(end)? {
        b'"' => Some(end),
        _ => escaped(line, end).ok().map(|end| end - 1),
    }
}
