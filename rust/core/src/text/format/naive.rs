//! A naive implementation that works byte by byte, which tests compare with the fast code.
//!
//! Nothing here calls the code that it is compared with.

use super::whitespace::ByteRange;

pub(super) fn is_blank(byte: u8) -> bool {
    b" \t\r\n".contains(&byte)
}

/// The first position at or after `at` without a blank, or the end.
pub(super) fn after_blanks(line: &[u8], at: usize) -> usize {
    (at..line.len()).find(|&at| !is_blank(line[at])).unwrap_or(line.len())
}

/// The words from a position on.
pub(super) fn words(line: &[u8], start: usize) -> Vec<ByteRange> {
    let is_start = |&at: &usize| !is_blank(line[at]) && (at == start || is_blank(line[at - 1]));
    let end = |at| (at..line.len()).find(|&end| is_blank(line[end])).unwrap_or(line.len());
    (start..line.len()).filter(is_start).map(|at| (at, end(at))).collect()
}

/// Finds host, ident and user in the words from a position on.
pub(super) fn host_ident_user(line: &[u8], start: usize) -> Option<[ByteRange; 3]> {
    let words = words(line, start);
    let [first, second, third, .., last] = words[..] else {
        return <[ByteRange; 3]>::try_from(words).ok();
    };
    let is_dash = |at: &usize| line[words[*at].0..words[*at].1] == *b"-";
    Some(match (1..words.len() - 1).find(is_dash) {
        None => [first, second, (third.0, last.1)],
        Some(dash) => {
            let begins = |&at: &usize| at == 0 || line[words[at - 1].1 - 1] != b',';
            let host = (0..dash).rev().find(begins).unwrap_or(0);
            [(words[host].0, words[dash - 1].1), words[dash], (words[dash + 1].0, last.1)]
        }
    })
}

/// The positions of closing brackets, each with the last opening one before it that begins a word.
/// A bracket at `start` is no opening bracket.
pub(super) fn brackets(line: &[u8], start: usize) -> Vec<(usize, usize)> {
    let opens = |&at: &usize| line[at] == b'[' && is_blank(line[at - 1]);
    let pair = |close: usize| Some(((start + 1..close).rev().find(opens)?, close));
    (start..line.len()).filter(|&at| line[at] == b']').filter_map(pair).collect()
}

/// The unescaped quotes from `start` on, followed by the escaped ones. The first of two backslashes
/// escapes the second.
pub(super) fn quotes(line: &[u8], start: usize) -> Vec<usize> {
    let is_escaped = |&at: &usize| {
        let run = line[start..at].iter().rev().take_while(|&&byte| byte == b'\\');
        run.count() % 2 == 1
    };
    let quotes = (start..line.len()).filter(|&at| line[at] == b'"');
    let (escaped, plain): (Vec<_>, Vec<_>) = quotes.partition(is_escaped);
    [plain, escaped].concat()
}

/// The range of the line without a byte-order mark and these bytes at its ends.
pub(super) fn trimmed(line: &[u8], blanks: &[u8]) -> ByteRange {
    let mark = if line.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
    let others = |&at: &usize| !blanks.contains(&line[at]);
    let start = (mark..line.len()).find(others).unwrap_or(line.len());
    let end = (start..line.len()).rev().find(others).map_or(start, |last| last + 1);
    (start, end)
}
