//! Exports: deltas as bytes, for other processes and for later.
//!
//! An export holds what a chunk adds, or all that a state holds
//! ([`State::export`](crate::State::export)), in a form that another state can add: counts and
//! partials by pane and key, and the counters of lines that are in no pane. Its header describes
//! the panes, keys and aggregates. Importing it into a state that does not match is an error that
//! names the difference. Equal deltas have equal bytes if their partials do.
//!
//! # The format, version 3
//!
//! In version 1 quantiles had no bounds, and keys of integers had at most 63 bits. Version 2 lacked
//! the outcomes abandoned, resent and past; it can be read, since its bytes mean the same.
//!
//! A *number* is LEB128: seven bits per byte, lowest first, with the high bit set in all bytes but
//! the last. A *signed* number is the number 2n if n is not negative, else -2n - 1. A *text* is its
//! length in bytes as a number, then the bytes. A *list* is its length as a number, then the items.
//!
//! The header:
//!
//! | content | encoding |
//! |---|---|
//! | `tlrc` | 4 bytes |
//! | version | 1 byte |
//! | whether there are panes | 1 byte, 0 or 1; if 1, their width and offset in microseconds, both signed |
//! | key fields | list of: name as text, kind as 1 byte |
//! | value fields | list of: name as text, kind as 1 byte |
//! | aggregate columns | list of texts, such as `sum(size)` |
//! | source | number |
//! | flags | 1 byte: 1 oldest time, 2 newest time, 4 evicted, 8 first pane, 16 since the start |
//! | oldest time, newest time | signed, microseconds since the epoch, each if its flag is set |
//! | evicted: the first complete pane | signed, if its flag is set |
//! | the first pane that ever existed | signed, if its flag is set |
//! | lines in no pane | list of: 0, or 1 and the pane that was reached as a signed number; list of: outcome as 1 byte, count as a number |
//!
//! Kinds are 0 unknown, 1 text, 2 bytes, 3 integer, 4 float, 5 time, 6 any. Outcomes of lines are 0
//! counted, in panes that were evicted; 1 late; 2 filtered; 3 abandoned; 4 resent; and rejected as
//! 16 no-match, 17 too-long, 18 no-time, 19 future, 20 past. The flag "since the start" means that
//! the panes before the first complete one are contained as one pane.
//!
//! The body:
//!
//! | content | encoding |
//! |---|---|
//! | special keys | 1 byte: 1 the null key, 2 the keys above the limit |
//! | keys | list of texts in their stored form, ascending; the null key and the keys above the limit follow them |
//! | panes | list of: number, the first one signed, then the distance from the previous one; list of entries; for each column the partials of these entries |
//! | an entry | the distance of its key's place from the previous one (the first from 0) and its count, both as numbers |
//!
//! The stored form of a key of one field is its text, or for numbers 8 bytes, highest first, that
//! sort like them, and 16 for integers above 63 bits (`keys`). `key_encoding.rs` documents the form of several fields. A key has one
//! entry in a pane, and another one if its count exceeds 32 bits. Each aggregate documents the
//! encoding of its partials.

mod compatibility;
mod decode;
mod encode;
mod order;
mod rows;

use std::fmt;

pub(crate) use compatibility::{code_of, kind_by, kind_of, merged_kind, name_of};
pub(crate) use order::{SortedEntries, SortedKeys};

use super::aggregate::Plan;
use super::delta::Delta;
use crate::ground::{Kind, Panes};

const MAGIC: [u8; 4] = *b"tlrc";

/// The version of the format. It changes whenever the meaning of bytes changes, here or in a
/// partial.
pub(crate) const VERSION: u8 = 3;

/// The oldest version that can be read. Its bytes mean the same in the versions after it.
pub(crate) const OLDEST_VERSION: u8 = 2;

/// The maximum number of lines. No log has more, and sums of them do not overflow.
pub(crate) const MAX_LINES: u64 = 1 << 53;

const OLDEST: u8 = 1;
const NEWEST: u8 = 2;
const EVICTED: u8 = 4;
const FIRST: u8 = 8;
const SINCE_START: u8 = 16;

const NULL_KEY: u8 = 1;
const OTHER_KEYS: u8 = 2;

const COUNTED: u8 = 0;
const LATE: u8 = 1;
const FILTERED: u8 = 2;
const ABANDONED: u8 = 3;
const RESENT: u8 = 4;
/// Plus the index of the reason.
const REJECTED: u8 = 16;

/// The kind of values, and whether text is given as raw bytes; `None` until there is a value.
pub type SeenKind = Option<(Kind, bool)>;

/// A field and the kind of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedField {
    /// Its name.
    pub name: String,
    /// The kind of its values.
    pub kind: SeenKind,
}

/// What deltas must have in common to be added to one state.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The panes; `None` for one count of everything.
    pub panes: Option<Panes>,
    /// The aggregates of each key.
    pub plan: Plan,
    /// The key fields.
    pub keys: Vec<TypedField>,
    /// The kinds of the plan's fields.
    pub values: Vec<SeenKind>,
    /// Whether snapshots cover everything since the start.
    pub since_start: bool,
}

/// A decoded delta, and the common kinds of its values and those of the state.
#[derive(Debug)]
pub struct Imported {
    /// The delta.
    pub delta: Delta,
    /// The kinds of the key fields.
    pub keys: Vec<SeenKind>,
    /// The kinds of the plan's fields.
    pub values: Vec<SeenKind>,
}

/// Why an import failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// The bytes are not an export.
    NotAnExport,
    /// The format has a version that is not supported.
    Version(u8),
    /// The export is truncated, or invalid from this byte on.
    Damaged(usize),
    /// This row of the table is invalid.
    DamagedRow(usize),
    /// The export belongs to a different window. The message names the difference and how to
    /// resolve it.
    Incompatible(String),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnExport => f.write_str("not an export of a window"),
            Self::Version(version) => write!(
                f,
                "expected version {VERSION} of the export format, found version {version}; use the \
                 same version of tailrace on both sides"
            ),
            Self::Damaged(byte) => {
                write!(f, "the export is damaged at byte {byte}; export the window again")
            }
            Self::DamagedRow(row) => {
                write!(f, "the export is damaged at row {row}; export the window again")
            }
            Self::Incompatible(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for ImportError {}
