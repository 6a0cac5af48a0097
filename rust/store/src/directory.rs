//! The real directory.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::{ErrorKind, StoreError};
use crate::storage::{Storage, StoredFile};

const LOCK: &str = "lock";

/// A directory of a file system.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Open, so that no sync fails because too many files are.
    entries: File,
    /// Open for as long as it is locked.
    lock: Option<File>,
}

impl Directory {
    /// A directory to write, which is created if it does not exist.
    ///
    /// Only its owner may be able to write it, and has to be the user of this process.
    pub fn create(path: &Path) -> Result<Directory, StoreError> {
        if path.as_os_str().is_empty() {
            return Err(other("checkpoint: expected a directory, found ''".into()));
        }
        create_durably(path).map_err(|error| {
            StoreError::io(&path.display().to_string(), "cannot create the directory", &error)
        })?;
        let directory = Directory::open(path)?;
        directory.check_owner()?;
        Ok(directory)
    }

    /// A directory to read.
    pub fn open(path: &Path) -> Result<Directory, StoreError> {
        let place = path.display();
        let found = std::fs::metadata(path)
            .map_err(|error| StoreError::io(&place.to_string(), "cannot open", &error))?;
        if !found.is_dir() {
            return Err(other(format!(
                "{place}: expected a directory, found a file; choose another path"
            )));
        }
        let entries = File::open(path)
            .map_err(|error| StoreError::io(&place.to_string(), "cannot open", &error))?;
        Ok(Directory { path: path.to_owned(), entries, lock: None })
    }

    fn check_owner(&self) -> Result<(), StoreError> {
        let place = self.place();
        let found = std::fs::metadata(&self.path)
            .map_err(|error| StoreError::io(&place, "cannot open", &error))?;
        if found.mode() & 0o022 != 0 {
            return Err(other(format!(
                "{place}: expected a directory that only its owner can write, found mode {:03o}; \
                 run chmod go-w on it, or choose a directory within it",
                found.mode() & 0o7777
            )));
        }
        // The owner of this entry is the user of this process; other systems have no such entry.
        let user = std::fs::metadata("/proc/self").map(|entry| entry.uid());
        if let Ok(user) = user
            && user != found.uid()
        {
            return Err(other(format!(
                "{place}: expected a directory of user {user}, found one of user {}; \
                 run as that user, or run chown on it",
                found.uid()
            )));
        }
        Ok(())
    }

    /// A file of the directory: not a symbolic link, and nothing else than a file.
    fn check_file(&self, name: &str) -> io::Result<()> {
        let found = std::fs::symlink_metadata(self.path.join(name))?;
        if found.is_file() { Ok(()) } else { Err(not_a_file(&found)) }
    }

    fn open_lock(&self) -> io::Result<File> {
        match self.check_file(LOCK) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        options.open(self.path.join(LOCK))
    }
}

fn not_a_file(found: &Metadata) -> io::Error {
    let kind = found.file_type();
    let what = if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_dir() {
        "a directory"
    } else {
        "something else"
    };
    io::Error::other(format!("expected a file, found {what}"))
}

fn other(message: String) -> StoreError {
    StoreError::new(ErrorKind::Other, message)
}

/// Creates a directory and its parents, so that a crash does not lose them.
fn create_durably(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_durably(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        // Another process was first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

impl Storage for Directory {
    type File = File;

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn lock(&mut self) -> Result<(), StoreError> {
        let place = self.path.join(LOCK).display().to_string();
        let mut file = self
            .open_lock()
            .map_err(|error| StoreError::io(&place, "cannot open for writing", &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = std::fs::read_to_string(self.path.join(LOCK)).unwrap_or_default();
                let holder = holder.trim();
                let who = if holder.is_empty() || holder.parse::<u32>().is_err() {
                    "another process".to_owned()
                } else {
                    format!("process {holder}")
                };
                return Err(StoreError::new(
                    ErrorKind::Locked,
                    format!(
                        "{}: expected a directory that no process uses, found that {who} uses it; \
                         stop it, or choose another directory",
                        self.path.display()
                    ),
                ));
            }
            Err(TryLockError::Error(error)) => {
                return Err(other(format!(
                    "{place}: cannot lock: {error}; choose a directory on a local disk, since \
                     some network file systems have no locks"
                )));
            }
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(|error| StoreError::io(&place, "cannot write", &error))?;
        self.lock = Some(file);
        Ok(())
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            // Our names are text, so other names are not ours.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn create(&mut self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600).open(self.path.join(name))
    }

    fn open(&mut self, name: &str) -> io::Result<File> {
        self.check_file(name)?;
        let path = self.path.join(name);
        // A process that only looks may be another user's, who is allowed to read.
        OpenOptions::new().read(true).write(self.lock.is_some()).open(path)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn sync_dir(&mut self) -> io::Result<()> {
        self.entries.sync_all()
    }
}

impl StoredFile for File {
    fn len(&self) -> io::Result<u64> {
        self.metadata().map(|found| found.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
