//! What the journal needs of a disk: a trait, so that tests can break it.

use std::io;

use crate::error::StoreError;

/// A directory of files.
pub trait Storage: Send {
    /// An open file.
    type File: StoredFile;

    /// The directory as messages name it.
    fn place(&self) -> String;

    /// Takes the directory for this process until the storage is dropped.
    fn lock(&mut self) -> Result<(), StoreError>;

    /// The names of all files.
    fn names(&mut self) -> io::Result<Vec<String>>;

    /// Creates a file that does not exist yet.
    fn create(&mut self, name: &str) -> io::Result<Self::File>;

    /// Opens a file.
    fn open(&mut self, name: &str) -> io::Result<Self::File>;

    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// Makes durable which files exist.
    fn sync_dir(&mut self) -> io::Result<()>;
}

/// An open file of a [`Storage`].
#[expect(clippy::len_without_is_empty, reason = "no caller asks whether a file is empty")]
pub trait StoredFile: Send {
    /// How many bytes it has.
    fn len(&self) -> io::Result<u64>;

    /// Reads bytes from an offset on, possibly fewer than requested; none at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes bytes at an offset, possibly fewer than given.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Cuts the file to a length.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Makes durable what was written.
    fn sync(&mut self) -> io::Result<()>;
}

/// Repeats a call that a signal interrupted.
pub(crate) fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

pub(crate) fn write_all(
    file: &mut impl StoredFile,
    mut bytes: &[u8],
    mut at: u64,
) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = again(|| file.write_at(bytes, at))?;
        if written == 0 {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        bytes = bytes.get(written..).unwrap_or_default();
        at += written as u64;
    }
    Ok(())
}

/// Reads until the buffer is full or the file ends; returns how many bytes were read.
pub(crate) fn read_full(
    file: &impl StoredFile,
    buffer: &mut [u8],
    mut at: u64,
) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        let read = again(|| file.read_at(&mut buffer[filled..], at))?;
        if read == 0 {
            break;
        }
        filled += read;
        at += read as u64;
    }
    Ok(filled)
}
