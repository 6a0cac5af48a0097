//! Reads lines, and writes those that were rejected.

use super::filter::{BoundFilter, Verdict};
use super::format::{LineKind, Reader, Reject};
use super::lines::MAX_LINE_BYTES;
use crate::ground::Reason;

/// The rejected lines as text: number, byte at which the line stops matching, reason and the line,
/// separated by tabs.
#[derive(Debug, Default)]
pub struct Rejects {
    /// Written before each line, to name its source where there are several.
    pub prefix: Vec<u8>,
    /// How many lines of the source came before the chunk.
    pub before: u64,
    /// The text.
    pub out: Vec<u8>,
}

impl Rejects {
    pub(crate) fn write(&mut self, number: u64, byte: usize, reason: Reason, line: &[u8]) {
        let out = &mut self.out;
        out.extend_from_slice(&self.prefix);
        let columns = format!("{}\t{byte}\t{}\t", self.before + number, reason.name());
        out.extend_from_slice(columns.as_bytes());
        // Some sources keep only this much of a line that is too long; so all are cut here.
        let held = &line[..line.len().min(MAX_LINE_BYTES)];
        for (number, part) in held.split(|&byte| byte == b'\n').enumerate() {
            if number > 0 {
                out.extend_from_slice(b"\\n");
            }
            out.extend_from_slice(part);
        }
        out.push(b'\n');
    }
}

/// What becomes of a line that matches the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The filter keeps it.
    Kept,
    Filtered,
    /// It is no line of the log.
    Header,
}

/// Reads a line and returns what becomes of it.
#[inline]
pub(crate) fn read_filtered(
    reader: &mut Reader,
    filter: Option<&BoundFilter>,
    line: &[u8],
) -> Result<Fate, RejectInfo> {
    if read(reader, line)? == LineKind::Header {
        return Ok(Fate::Header);
    }
    let Some(filter) = filter else { return Ok(Fate::Kept) };
    match filter.verdict(reader, line) {
        Verdict::Keep => Ok(Fate::Kept),
        Verdict::Skip => Ok(Fate::Filtered),
        Verdict::NoTime => {
            let byte = filter.time_offset(reader, line);
            Err(RejectInfo { byte, reason: Reason::NoTime, expected: "a valid time" })
        }
    }
}

/// Reads a line.
#[inline]
pub(crate) fn read(reader: &mut Reader, line: &[u8]) -> Result<LineKind, RejectInfo> {
    if line.len() > MAX_LINE_BYTES {
        return Err(RejectInfo {
            byte: MAX_LINE_BYTES,
            reason: Reason::TooLong,
            expected: "the end of the line",
        });
    }
    reader.read(line).map_err(|reject| RejectInfo {
        byte: reject.byte(),
        reason: Reason::NoMatch,
        expected: reject.expected(),
    })
}

/// Finds the best explanation of a reject, by another pass over the line where the format's
/// matcher gives up too early to tell.
pub(crate) fn explain_reject(reader: &mut Reader, line: &[u8], info: RejectInfo) -> RejectInfo {
    if info.reason != Reason::NoMatch {
        return info;
    }
    let reject = reader.explain_reject(line, Reject::new(info.byte, info.expected));
    RejectInfo { byte: reject.byte(), expected: reject.expected(), ..info }
}

/// Why a line was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RejectInfo {
    /// The byte at which it stops matching.
    pub(crate) byte: usize,
    pub(crate) reason: Reason,
    /// What was expected there.
    pub(crate) expected: &'static str,
}
