//! What a log is of: how many of its first lines each format accepts.

use super::flume::BatchError;
use super::format::{Format, Reader};
use super::lines::{Chunk, MAX_LINE_BYTES};

/// How many lines were looked at, and how many of them each format accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchCounts {
    /// Lines that are not blank, up to the limit.
    pub lines: usize,
    /// A number for each format, in the order in which they were given.
    pub matched: Vec<usize>,
    /// For each format, how many of the lines that it does not accept each of the others does.
    pub matched_elsewhere: Vec<Vec<usize>>,
}

/// Tries formats on the first lines of a chunk.
///
/// A blank line is passed over: it is of no format, and says nothing about the others. One that
/// is too long to be parsed is looked at and agrees with none.
pub fn count_matches(
    chunk: Chunk<'_>,
    formats: &[Format],
    limit: usize,
) -> Result<MatchCounts, BatchError> {
    let mut lines = 0;
    let mut matched = vec![0; formats.len()];
    let mut matched_elsewhere = vec![matched.clone(); formats.len()];
    let mut readers: Vec<_> = formats.iter().map(|format| Reader::lenient(format, &[])).collect();
    chunk.for_each(|line| {
        if lines == limit || line.trim_ascii().is_empty() {
            return;
        }
        lines += 1;
        if line.len() <= MAX_LINE_BYTES {
            let accepts: Vec<_> =
                readers.iter_mut().map(|reader| reader.read(line).is_ok()).collect();
            for (one, _) in accepts.iter().enumerate().filter(|(_, accepts)| **accepts) {
                matched[one] += 1;
                for (_, matched_elsewhere) in
                    accepts.iter().zip(&mut matched_elsewhere).filter(|other| !other.0)
                {
                    matched_elsewhere[one] += 1;
                }
            }
        }
    })?;
    Ok(MatchCounts { lines, matched, matched_elsewhere })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMON: &str = r#"h - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5"#;

    fn all() -> [Format; 3] {
        ["common", "combined", "classic"].map(|name| Format::new(name).unwrap())
    }

    fn found(text: &str, limit: usize) -> (usize, Vec<usize>) {
        let MatchCounts { lines, matched, .. } =
            count_matches(Chunk::Lines(text.as_bytes()), &all(), limit).unwrap();
        (lines, matched)
    }

    #[test]
    fn each_format_is_asked_about_each_line() {
        let text = format!("{COMMON}\n{COMMON} \"-\" \"ua\"\nno line\n");
        assert_eq!(found(&text, 10), (3, vec![1, 2, 1]));
    }

    #[test]
    fn of_the_lines_that_a_format_does_not_accept_it_is_told_which_others_do() {
        let combined = format!("{COMMON} \"-\" \"ua\"");
        let text = format!("{COMMON}\n{combined}\n{combined}\nno line\n");
        let found = count_matches(Chunk::Lines(text.as_bytes()), &all(), 10).unwrap();
        assert_eq!(found.matched_elsewhere, [vec![0, 2, 2], vec![0, 0, 0], vec![1, 1, 0]]);
    }

    #[test]
    fn no_line_is_looked_at_beyond_the_limit() {
        let text = format!("no line\n{COMMON}\n{COMMON}\n{COMMON}\n");
        assert_eq!(found(&text, 2), (2, vec![1, 1, 0]));
        assert_eq!(found(&text, 0), (0, vec![0, 0, 0]));
    }

    #[test]
    fn a_blank_line_is_none() {
        assert_eq!(found(&format!("\n \t\r\n{COMMON}\n\n"), 1), (1, vec![1, 1, 0]));
    }

    #[test]
    fn a_line_that_is_too_long_agrees_with_none() {
        let line = format!("{COMMON} {}", "x".repeat(MAX_LINE_BYTES - COMMON.len() - 1));
        assert_eq!(found(&line, 10), (1, vec![1, 1, 0]));
        assert_eq!(found(&format!("{line}x"), 10), (1, vec![0, 0, 0]));
    }

    #[test]
    fn the_bodies_of_a_batch_are_lines() {
        let mut batch = vec![4];
        for body in [COMMON, "no line"] {
            // No headers, and the length as a varint of one byte.
            batch.extend([0, u8::try_from(2 * body.len()).unwrap()]);
            batch.extend(body.bytes());
        }
        batch.push(0);
        let found = count_matches(Chunk::Batch(&batch), &all()[..1], 10).unwrap();
        assert_eq!((found.lines, found.matched), (2, vec![1]));
        assert!(count_matches(Chunk::Batch(&batch[1..]), &all(), 10).is_err());
    }
}
