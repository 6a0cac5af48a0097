//! The journal: the files of a checkpoint directory.
//!
//! [`Store`] writes rounds and states and recovers them, [`inspect`] lists what a directory holds,
//! [`View`] reads what a recovery would.
//! `docs/internals/journal.md` describes the files. What rounds, panes and states mean is the
//! caller's matter; here they are bytes.

mod bound;
mod bytes;
mod directory;
mod error;
mod examine;
mod frame;
mod inspect;
mod log;
mod name;
mod state;
mod storage;
mod store;
mod view;

pub use bound::{FRAME_LIMIT, LOG_BYTES, LOG_ROUNDS, Load};
pub use directory::Directory;
pub use error::{ErrorKind, StoreError};
pub use inspect::{FrameInfo, Problem, inspect};
pub use storage::{Storage, StoredFile};
pub use store::{Counts, Store};
pub use view::{Content, Recovered, Replay, View};
