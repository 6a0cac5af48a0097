//! Which lines are accepted, and what becomes of those that are not.

use super::filter::{BoundFilter, Verdict};
use super::format::{LineKind, Reader, Reject};
use super::lines::MAX_LINE_BYTES;
use crate::ground::Reason;

/// The lines that were not accepted, each with its number, the byte from which on it was not of
/// the format, and the reason; tabs between them.
#[derive(Debug, Default)]
pub struct Rejects {
    /// Stands before each line, where there are several sources.
    pub prefix: Vec<u8>,
    /// How many lines of the source came before the chunk.
    pub before: u64,
    /// What was written.
    pub out: Vec<u8>,
}

impl Rejects {
    pub(crate) fn write(&mut self, number: u64, byte: usize, reason: Reason, line: &[u8]) {
        let out = &mut self.out;
        out.extend_from_slice(&self.prefix);
        let place = format!("{}\t{byte}\t{}\t", self.before + number, reason.name());
        out.extend_from_slice(place.as_bytes());
        // Sources hold no more than this of a line that is too long, some of them.
        let held = &line[..line.len().min(MAX_LINE_BYTES)];
        for (place, part) in held.split(|&byte| byte == b'\n').enumerate() {
            if place > 0 {
                out.extend_from_slice(b"\\n");
            }
            out.extend_from_slice(part);
        }
        out.push(b'\n');
    }
}

/// Reads a line and says whether it is one to keep, or as `read` why there is no telling.
#[inline]
pub(crate) fn read_filtered(
    reader: &mut Reader,
    filter: Option<&BoundFilter>,
    line: &[u8],
) -> Result<bool, (usize, Reason, &'static str)> {
    if read(reader, line)? == LineKind::Header {
        return Ok(false);
    }
    let Some(filter) = filter else { return Ok(true) };
    match filter.verdict(reader, line) {
        Verdict::Keep => Ok(true),
        Verdict::Skip => Ok(false),
        Verdict::NoTime => {
            Err((filter.time_offset(reader), Reason::NoTime, "a time that can be read"))
        }
    }
}

/// Reads a line, or says from which byte on it has no fields, why, and what was expected there.
#[inline]
pub(crate) fn read(
    reader: &mut Reader,
    line: &[u8],
) -> Result<LineKind, (usize, Reason, &'static str)> {
    if line.len() > MAX_LINE_BYTES {
        return Err((MAX_LINE_BYTES, Reason::TooLong, "the end of the line"));
    }
    reader.read(line).map_err(|reject| (reject.byte(), Reason::NoMatch, reject.expected()))
}

/// Why a line has no fields, for whoever reads it: by another look at it, where that tells more.
pub(crate) fn explain_reject(reader: &mut Reader, line: &[u8], lost: Lost) -> Lost {
    let (byte, reason, expected) = lost;
    if reason != Reason::NoMatch {
        return lost;
    }
    let told = reader.explain_reject(line, Reject::new(byte, expected));
    (told.byte(), reason, told.expected())
}

/// From which byte on, why, and what was expected there.
pub(crate) type Lost = (usize, Reason, &'static str);
