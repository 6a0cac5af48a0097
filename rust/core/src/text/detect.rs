//! Format detection: how many of a log's first lines each format matches.

use super::flume::BatchError;
use super::format::{Format, LineKind, Reader, is_between_objects};
use super::lines::{Chunk, MAX_LINE_BYTES};

/// How many lines were tried, and how many of them each format matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchCounts {
    /// Lines tried: those that are not blank, up to the limit.
    pub lines: usize,
    /// How many lines each format matches, in the order of the formats.
    pub matched: Vec<usize>,
    /// How many lines each format matches with nothing passed over.
    pub complete: Vec<usize>,
    /// For each format and each other format: how many lines only the other one matches.
    pub matched_elsewhere: Vec<Vec<usize>>,
}

/// Tries each format on the first lines of a chunk.
///
/// Blank lines and the brackets around JSON objects are skipped: they say nothing about the other
/// lines. A line that is too long to be parsed counts as tried and matches no format.
pub fn count_matches(
    chunk: Chunk<'_>,
    formats: &[Format],
    limit: usize,
) -> Result<MatchCounts, BatchError> {
    let mut lines = 0;
    let mut matched = vec![0; formats.len()];
    let mut complete = matched.clone();
    let mut matched_elsewhere = vec![matched.clone(); formats.len()];
    let mut readers: Vec<_> = formats.iter().map(Reader::for_detection).collect();
    chunk.for_each(|line| {
        if lines == limit || line.trim_ascii().is_empty() || is_between_objects(line) {
            return;
        }
        lines += 1;
        if line.len() <= MAX_LINE_BYTES {
            let mut accepts = vec![false; readers.len()];
            for (at, reader) in readers.iter_mut().enumerate() {
                let Ok(kind) = reader.read(line) else { continue };
                if reader.swallows_fields(line) {
                    continue;
                }
                accepts[at] = true;
                complete[at] += usize::from(kind == LineKind::Header || reader.is_complete(line));
            }
            for (format, _) in accepts.iter().enumerate().filter(|(_, matches)| **matches) {
                matched[format] += 1;
                for (_, elsewhere) in
                    accepts.iter().zip(&mut matched_elsewhere).filter(|other| !other.0)
                {
                    elsewhere[format] += 1;
                }
            }
        }
    })?;
    Ok(MatchCounts { lines, matched, complete, matched_elsewhere })
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
    fn each_format_is_tried_on_each_line() {
        let text = format!("{COMMON}\n{COMMON} \"-\" \"ua\"\nno line\n");
        assert_eq!(found(&text, 10), (3, vec![1, 2, 1]));
    }

    #[test]
    fn lines_that_only_another_format_matches_are_counted() {
        let combined = format!("{COMMON} \"-\" \"ua\"");
        let text = format!("{COMMON}\n{combined}\n{combined}\nno line\n");
        let found = count_matches(Chunk::Lines(text.as_bytes()), &all(), 10).unwrap();
        assert_eq!(found.matched_elsewhere, [vec![0, 2, 2], vec![0, 0, 0], vec![1, 1, 0]]);
    }

    #[test]
    fn no_line_is_tried_beyond_the_limit() {
        let text = format!("no line\n{COMMON}\n{COMMON}\n{COMMON}\n");
        assert_eq!(found(&text, 2), (2, vec![1, 1, 0]));
        assert_eq!(found(&text, 0), (0, vec![0, 0, 0]));
    }

    #[test]
    fn blank_lines_are_skipped() {
        assert_eq!(found(&format!("\n \t\r\n{COMMON}\n\n"), 1), (1, vec![1, 1, 0]));
    }

    #[test]
    fn a_line_that_is_too_long_matches_no_format() {
        let line = format!("{COMMON} {}", "x".repeat(MAX_LINE_BYTES - COMMON.len() - 1));
        assert_eq!(found(&line, 10), (1, vec![1, 1, 0]));
        assert_eq!(found(&format!("{line}x"), 10), (1, vec![0, 0, 0]));
    }

    #[test]
    fn the_event_bodies_of_a_batch_are_lines() {
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
