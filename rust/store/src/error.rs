//! What can go wrong, in words that name the file, the byte and what to do.

use std::fmt;
use std::io;

/// What kind of error it is, for the choice of what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Another process uses the directory.
    Locked,
    /// A file is not as it was written.
    Damaged,
    /// A newer tailrace wrote the directory.
    Version,
    /// The disk or a quota is full. Nothing of the call was kept; a later call may succeed.
    Full,
    /// Everything else. A running store is of no further use.
    Other,
}

/// An error of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    kind: ErrorKind,
    message: String,
}

impl StoreError {
    /// An error with a whole message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> StoreError {
        StoreError { kind, message: message.into() }
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn damaged(place: &str, byte: u64, what: &str) -> StoreError {
        StoreError::new(ErrorKind::Damaged, format!("{place}: byte {byte}: {what}; {RESTORE}"))
    }

    pub(crate) fn missing(place: &str) -> StoreError {
        let message = format!("{place}: expected this file, found none; {RESTORE}");
        StoreError::new(ErrorKind::Damaged, message)
    }

    /// The message without what to do.
    pub(crate) fn finding(&self) -> &str {
        self.message.strip_suffix(RESTORE).unwrap_or(&self.message)
    }

    pub(crate) fn io(place: &str, action: &str, error: &io::Error) -> StoreError {
        let kind = if is_full(error) { ErrorKind::Full } else { ErrorKind::Other };
        StoreError::new(kind, format!("{place}: {action}: {error}{}", hint(error)))
    }

    /// The same error, of a store that cannot go on.
    pub(crate) fn fatal(mut self) -> StoreError {
        self.kind = ErrorKind::Other;
        self
    }
}

const RESTORE: &str = "restore the directory from a backup, or start with an empty one";

impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for StoreError {}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => "; free space on this disk",
        io::ErrorKind::QuotaExceeded => "; raise the quota or free space",
        io::ErrorKind::ReadOnlyFilesystem => "; choose a directory on a disk that can be written",
        io::ErrorKind::PermissionDenied => "; the user of this process needs to read and write it",
        _ => match error.raw_os_error() {
            Some(EIO) => "; check the disk, and the log of the kernel",
            Some(EMFILE) => "; raise the limit on open files (ulimit -n)",
            _ => "",
        },
    }
}

// These have no `io::ErrorKind`; the numbers are those of Linux and macOS.
const EIO: i32 = 5;
const EMFILE: i32 = 24;
