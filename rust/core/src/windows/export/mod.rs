//! Deltas as bytes, for other processes and for later.
//!
//! What a chunk adds, or all that a state holds ([`State::export`](crate::State::export)), is
//! written so that whoever reads it can add it: counts and the parts of aggregates by pane and key,
//! and where lines went that are in no pane. It says of itself which panes, keys and aggregates it
//! is of, and what does not fit is one error that says what differs. Deltas that hold the same give
//! the same bytes, as far as the parts of their aggregates do.
//!
//! # The format, version 1
//!
//! A *number* is LEB128: seven bits a byte, lowest first, the highest bit set but in the last. A
//! *signed* one is the number 2n where n is not negative, else -2n - 1. A *text* is the number of
//! its bytes, then these. A *list* is the number of its items, then these.
//!
//! The head:
//!
//! | what | how |
//! |---|---|
//! | `tlrc` | 4 bytes |
//! | version | 1 byte |
//! | whether there are panes | 1 byte, 0 or 1; with them the width as a number and the offset as a signed one, both in microseconds |
//! | fields of keys | list of: name as text, kind as 1 byte |
//! | fields of values | the same |
//! | columns of aggregates | list of texts, such as `sum(size)` |
//! | source | number |
//! | what follows | 1 byte: 1 oldest time, 2 newest time, 4 past, 8 first pane, 16 since the start |
//! | oldest time, newest time | signed, microseconds since the epoch, each where it is there |
//! | past: from which pane on nothing is missing | signed |
//! | first pane that there ever was | signed |
//! | lines in no pane | list of: 0, or 1 and the pane that was reached as signed; list of: 1 byte for what became of them, how many as a number |
//!
//! Kinds are 0 none seen, 1 text, 2 bytes, 3 whole numbers, 4 floats, 5 times. Lines are 0 counted,
//! in panes that have left since; 1 late; 2 filtered; rejected as 16 no-match, 17 too-long, 18
//! no-time, 19 future. "Since the start" says that the panes before that from which on nothing is
//! missing are there too, as one.
//!
//! The body:
//!
//! | what | how |
//! |---|---|
//! | other keys | 1 byte: 1 the null key, 2 those that there was no room for |
//! | keys | list of texts in their stored form, ascending; the null key and the others come after them |
//! | panes | list of: number, the first signed, then by how much it is higher than the last; list of entries; for each column the parts of these entries |
//! | an entry | by how much the place of its key is higher than the last, the first than 0; its count, both numbers |
//!
//! The stored form of a key of one field is the text, or for numbers 8 bytes, highest first, that
//! sort as they do (`keys`); of several fields, what `composite.rs` says. A key stands in a pane
//! once, and once more where its count is beyond 32 bits. How a part is written is told where its
//! aggregate is.

mod compatibility;
mod decode;
mod encode;
mod order;
mod rows;

use std::fmt;

pub(crate) use compatibility::merged_kind;

use super::aggregate::Plan;
use super::delta::Delta;
use crate::ground::{Kind, Panes};

const MAGIC: [u8; 4] = *b"tlrc";

/// Of the format. It changes whenever bytes would mean something else, here or in a part.
pub(crate) const VERSION: u8 = 1;

/// More lines than this no log has; their sum fits.
const MAX_LINES: u64 = 1 << 53;

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
/// Plus the place of the reason.
const REJECTED: u8 = 16;

/// What values are, and whether text is given as it stands; nothing as long as there was none.
pub type SeenKind = Option<(Kind, bool)>;

/// A field and what its values are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedField {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: SeenKind,
}

/// What deltas have in common that can be added to one state.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The panes, or nothing for one count of everything.
    pub panes: Option<Panes>,
    /// What is asked of each key.
    pub plan: Plan,
    /// The fields of keys.
    pub keys: Vec<TypedField>,
    /// What the values of the plan's fields are.
    pub values: Vec<SeenKind>,
    /// Whether answers are wanted about everything since the start.
    pub since_start: bool,
}

/// A delta that was read, and what its keys and values are together with those that were known.
#[derive(Debug)]
pub struct Imported {
    /// The delta.
    pub delta: Delta,
    /// What the fields of keys are.
    pub keys: Vec<SeenKind>,
    /// What the values of the plan's fields are.
    pub values: Vec<SeenKind>,
}

/// Why something cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// It is no export.
    NotAnExport,
    /// It is of a version of the format that is not known here.
    Version(u8),
    /// It ends too early or means nothing from this byte on.
    Damaged(usize),
    /// It is a table in which this row means nothing.
    DamagedRow(usize),
    /// It is of a window of another shape: what differs, and what to do.
    Incompatible(String),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnExport => f.write_str("no export of a window"),
            Self::Version(version) => write!(
                f,
                "the export is of version {version} of the format, and version {VERSION} is read \
                 here; use the same version of tailrace for both"
            ),
            Self::Damaged(byte) => {
                write!(f, "the export is damaged at byte {byte}; export the window again")
            }
            Self::DamagedRow(row) => {
                write!(f, "the export is damaged in row {row}; export it again")
            }
            Self::Incompatible(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for ImportError {}
