//! The bytes of the journal: what changes a state, and what a state holds.
//!
//! A round is a list of changes ([`Changes`]), in the order in which an engine applies them. An
//! engine that replays the rounds of another one, from an equal state on, is in the state of that
//! one; the seeds of their hashes can differ. Content is a delta as bytes: what one chunk adds, or
//! what a pane holds. Unlike an export it keeps the order of entries, so that nothing is sorted.
//! The state of an engine is everything else.
//!
//! `docs/internals/journal.md` describes the bytes. Reading fails at the first byte that the
//! writers do not produce, and no allocation is larger than the bytes justify.

mod changes;
mod content;
mod saved;
mod watermark;

use std::fmt;

pub use changes::Changes;
pub(crate) use changes::{Change, read_changes};
pub(crate) use content::ContentReader;
pub use content::encode_content;
pub(crate) use saved::Missing;
pub use saved::{Content, SavedState};

use super::export::{SeenKind, code_of, kind_by};
use super::varint::{get_signed, get_varint, put_signed, put_varint, take};
use crate::ground::{COUNTERS, Counters};

/// The version of the bytes. It changes whenever their meaning changes, here or in a partial.
pub const RECORDS_VERSION: u8 = 1;

/// Why a round, a state or content cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// The bytes are truncated, or invalid from this byte on.
    Damaged {
        /// What the bytes are.
        what: &'static str,
        /// The index of the byte.
        byte: usize,
    },
    /// The state is of a version that is not supported.
    Version(u8),
    /// The state belongs to another query, or its content is incomplete. The message names the
    /// difference.
    Incompatible(String),
    /// A panic left the state half changed.
    Unusable,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { what, byte } => write!(f, "the {what} is damaged at byte {byte}"),
            Self::Version(version) => write!(
                f,
                "state: expected version {RECORDS_VERSION}, found version {version}; use the \
                 version of tailrace that wrote it"
            ),
            Self::Incompatible(what) => f.write_str(what),
            Self::Unusable => f.write_str("unusable: an earlier call panicked"),
        }
    }
}

impl std::error::Error for RecordError {}

/// How far a state has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The number of the pane with which the last answered window ends.
    pub end: i64,
    /// How many of its lengths have a snapshot; `None` if the end was skipped.
    pub lengths: Option<usize>,
    /// The last end of the other lengths, if their ranks depend on it.
    pub before: Option<i64>,
}

/// Times and pane numbers are in this distance from 0, so that sums of a few do not overflow.
const FARTHEST: i64 = 1 << 60;

/// Counters are at most this.
const MOST: u64 = 1 << 60;

fn get_byte(bytes: &mut &[u8]) -> Option<u8> {
    take(bytes).map(|[byte]| byte)
}

fn get_flag(bytes: &mut &[u8]) -> Option<bool> {
    match get_byte(bytes)? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// Reads a time or a pane number.
fn get_place(bytes: &mut &[u8]) -> Option<i64> {
    get_signed(bytes).filter(|place| (-FARTHEST..=FARTHEST).contains(place))
}

fn get_size(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(get_varint(bytes)?).ok()
}

/// Writes whether there is a number, and the number.
fn put_optional(out: &mut Vec<u8>, number: Option<i64>) {
    out.push(number.is_some().into());
    if let Some(number) = number {
        put_signed(out, number);
    }
}

#[expect(clippy::option_option, reason = "damaged, none, or a number")]
fn get_optional(bytes: &mut &[u8]) -> Option<Option<i64>> {
    Some(if get_flag(bytes)? { Some(get_place(bytes)?) } else { None })
}

/// Writes which counters are not zero, and these.
fn put_counters(out: &mut Vec<u8>, lines: &Counters) {
    let values = lines.values();
    let bits = (0..).zip(values).filter(|&(_, value)| value > 0).map(|(bit, _)| 1 << bit);
    put_varint(out, bits.sum());
    values.into_iter().filter(|&value| value > 0).for_each(|value| put_varint(out, value));
}

fn get_counters(bytes: &mut &[u8]) -> Option<Counters> {
    let bits = get_varint(bytes).filter(|bits| bits >> COUNTERS == 0)?;
    let mut values = [0; COUNTERS];
    for (bit, value) in (0..).zip(&mut values) {
        if bits >> bit & 1 != 0 {
            *value = get_varint(bytes).filter(|&value| 0 < value && value <= MOST)?;
        }
    }
    Some(Counters::of_values(values))
}

/// Writes the counters of lines in no pane, by the pane that was reached.
fn put_skipped(out: &mut Vec<u8>, skipped: &[(Option<i64>, Counters)]) {
    put_varint(out, skipped.len() as u64);
    for (pane, lines) in skipped {
        put_optional(out, *pane);
        put_counters(out, lines);
    }
}

fn get_skipped(bytes: &mut &[u8]) -> Option<Vec<(Option<i64>, Counters)>> {
    let count = get_size(bytes)?;
    let mut skipped = Vec::with_capacity(count.min(bytes.len() / 2));
    for _ in 0..count {
        skipped.push((get_optional(bytes)?, get_counters(bytes)?));
    }
    Some(skipped)
}

fn put_kinds(out: &mut Vec<u8>, kinds: &[SeenKind]) {
    put_varint(out, kinds.len() as u64);
    out.extend(kinds.iter().map(|&kind| code_of(kind)));
}

fn get_kinds(bytes: &mut &[u8]) -> Option<Vec<SeenKind>> {
    let count = get_size(bytes)?;
    let (codes, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    codes.iter().map(|&code| kind_by(code)).collect()
}
