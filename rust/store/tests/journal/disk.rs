//! A disk in memory that remembers what is durable, and fails where it is told to.
//!
//! A write is durable after a sync of its file, a name after a sync of the directory. A crash may
//! lose any part of everything else.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use tailrace_store::{ErrorKind, Storage, StoreError, StoredFile};

/// A small generator of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// A number below a limit.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or(0)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let words = len.div_ceil(8);
        let mut bytes: Vec<u8> = (0..words).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(len);
        bytes
    }
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Arc<[u8]> },
    Truncate(usize),
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Change::Write { at, bytes } => {
                let len = file.len();
                if len < *at {
                    file.resize(*at, 0);
                }
                // Almost all of them append.
                let (over, rest) = bytes.split_at((len.max(*at) - at).min(bytes.len()));
                file[*at..*at + over.len()].copy_from_slice(over);
                file.extend_from_slice(rest);
            }
            Change::Truncate(len) => file.resize(*len, 0),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Inode {
    durable: Arc<Vec<u8>>,
    current: Arc<Vec<u8>>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Link {
    Add(String, usize),
    Remove(String, usize),
}

impl Link {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Link::Add(name, inode) => names.insert(name.clone(), *inode),
            Link::Remove(name, _) => names.remove(name),
        };
    }
}

/// What is on the disk, and what is only on its way there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    inodes: Vec<Inode>,
    durable: BTreeMap<String, usize>,
    current: BTreeMap<String, usize>,
    pending: Vec<Link>,
}

/// How the bytes of a lost write are, where the file has them at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    /// The file ends before them.
    Nothing,
    Zeros,
    Garbage,
    /// Bytes from elsewhere in the file.
    Stale,
}

impl Image {
    /// A disk with these files, all durable.
    pub(crate) fn from_files(files: &BTreeMap<String, Vec<u8>>) -> Image {
        let mut image = Image::default();
        for (name, bytes) in files {
            let bytes = Arc::new(bytes.clone());
            image.durable.insert(name.clone(), image.inodes.len());
            let inode = Inode { durable: bytes.clone(), current: bytes, pending: Vec::new() };
            image.inodes.push(inode);
        }
        image.current.clone_from(&image.durable);
        image
    }

    /// The files as a process sees them.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let file = |&inode: &usize| self.inodes[inode].current.to_vec();
        self.current.iter().map(|(name, inode)| (name.clone(), file(inode))).collect()
    }

    /// How many bytes the files have.
    pub(crate) fn size(&self) -> usize {
        self.current.values().map(|&inode| self.inodes[inode].current.len()).sum()
    }

    /// The disk after a crash that loses everything that is not durable.
    pub(crate) fn without_unsynced(&self) -> Image {
        self.crashed(&[], &mut Random(0))
    }

    /// Disks as they may be after a crash: every subset of what is not durable when there is
    /// little of it, others at random, with torn and garbled writes.
    pub(crate) fn crashes(&self, most: usize, random: &mut Random) -> Vec<Image> {
        let linked: Vec<usize> = self.pending_inodes();
        let count = linked.iter().map(|&i| self.inodes[i].pending.len()).sum::<usize>()
            + self.pending.len();
        let all = 1_usize << count.min(20);
        let masks: Vec<Vec<bool>> = if all <= most {
            (0..all).map(|mask| (0..count).map(|bit| mask >> bit & 1 == 1).collect()).collect()
        } else {
            let draw = |random: &mut Random| (0..count).map(|_| random.below(2) == 1).collect();
            let mut masks = vec![vec![true; count], vec![false; count]];
            masks.extend((2..most).map(|_| draw(random)));
            masks
        };
        masks.iter().map(|mask| self.crashed(mask, random)).collect()
    }

    fn pending_inodes(&self) -> Vec<usize> {
        (0..self.inodes.len()).filter(|&inode| !self.inodes[inode].pending.is_empty()).collect()
    }

    /// The mask says which changes arrive; what does not arrive is missing in some way.
    fn crashed(&self, mask: &[bool], random: &mut Random) -> Image {
        let mut mask = mask.iter().copied().chain(std::iter::repeat(false));
        let mut names = self.durable.clone();
        for link in &self.pending {
            if mask.next() == Some(true) {
                link.apply(&mut names);
            }
        }
        let mut files: Vec<Vec<u8>> =
            self.inodes.iter().map(|inode| inode.durable.to_vec()).collect();
        for inode in self.pending_inodes() {
            let file = &mut files[inode];
            for change in &self.inodes[inode].pending {
                let arrives = mask.next() == Some(true);
                match change {
                    Change::Write { at, bytes } => {
                        // Half of those that arrive are torn.
                        if arrives && random.below(2) == 0 {
                            change.apply(file);
                        } else {
                            tear(file, *at, bytes, arrives, random);
                        }
                    }
                    Change::Truncate(_) if arrives => change.apply(file),
                    Change::Truncate(_) => {}
                }
            }
        }
        let files = names.into_iter().map(|(name, inode)| (name, files[inode].clone())).collect();
        Image::from_files(&files)
    }
}

/// Writes some blocks of a write; what is in place of the others is a matter of luck.
fn tear(file: &mut Vec<u8>, at: usize, bytes: &[u8], arrives: bool, random: &mut Random) {
    let unit = [1, 512, 4096][random.below(3)];
    let missing = [Fill::Nothing, Fill::Zeros, Fill::Garbage, Fill::Stale][random.below(4)];
    let old = file.clone();
    // A prefix at the granularity of bytes, any blocks otherwise.
    let prefix = random.below(bytes.len() + 1);
    let mut start = 0;
    while start < bytes.len() {
        // Blocks are those of the file, not of the write.
        let end = if unit == 1 { bytes.len() } else { ((at + start) / unit + 1) * unit - at };
        let end = end.min(bytes.len());
        let (from, to) = if unit == 1 { (0, prefix) } else { (start, end) };
        if arrives && (unit == 1 || random.below(2) == 0) {
            let part = Change::Write { at: at + from, bytes: bytes[from..to].into() };
            part.apply(file);
        }
        if unit == 1 && prefix < end || unit > 1 {
            let lost = if unit == 1 { prefix } else { start };
            let is_old = at + lost < old.len();
            let is_there = file.len() >= at + end && unit > 1;
            if !is_old && !is_there {
                let len = end - lost;
                let filler = match missing {
                    Fill::Nothing => Vec::new(),
                    Fill::Zeros => vec![0; len],
                    Fill::Garbage => random.bytes(len),
                    Fill::Stale => old.iter().copied().cycle().take(len).collect(),
                };
                if !filler.is_empty() {
                    Change::Write { at: at + lost, bytes: filler.into() }.apply(file);
                }
            }
        }
        start = end;
    }
}

/// What goes wrong at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails with this number and does nothing.
    Error(i32),
    /// A write writes half of its bytes and says so.
    Short,
    /// A write writes half of its bytes; the next one fails with this number.
    ShortThen(i32),
    /// A sync fails, and what was to be synced is lost; it can still be read, or not.
    Lost { is_readable: bool },
}

#[derive(Default)]
struct Inner {
    image: Image,
    operations: usize,
    fault: Option<(usize, Fault)>,
    /// The first operations that write and fail because the disk is full, and their number.
    full: Option<(std::ops::Range<usize>, i32)>,
    is_recording: bool,
    history: Vec<(usize, Image)>,
    note: usize,
    is_locked: bool,
}

/// A disk; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<Inner>>);

impl Disk {
    pub(crate) fn new(image: Image) -> Disk {
        Disk(Arc::new(Mutex::new(Inner { image, ..Inner::default() })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Records the disk after each operation that changes it, with the note of that moment.
    pub(crate) fn record(&self) {
        self.inner().is_recording = true;
    }

    pub(crate) fn set_note(&self, note: usize) {
        self.inner().note = note;
    }

    pub(crate) fn history(&self) -> Vec<(usize, Image)> {
        std::mem::take(&mut self.inner().history)
    }

    pub(crate) fn image(&self) -> Image {
        self.inner().image.clone()
    }

    pub(crate) fn operations(&self) -> usize {
        self.inner().operations
    }

    pub(crate) fn fail_at(&self, operation: usize, fault: Fault) {
        self.inner().fault = Some((operation, fault));
    }

    /// Operations that need space fail for a while.
    pub(crate) fn full_within(&self, operations: std::ops::Range<usize>, number: i32) {
        self.inner().full = Some((operations, number));
    }

    pub(crate) fn storage(&self) -> Double {
        Double { disk: self.clone(), has_lock: false }
    }
}

impl Inner {
    /// Counts an operation, and fails if it is to fail.
    fn begin(&mut self, needs_space: bool) -> io::Result<Option<Fault>> {
        let operation = self.operations;
        self.operations += 1;
        if let Some((range, number)) = &self.full
            && needs_space
            && range.contains(&operation)
        {
            return Err(io::Error::from_raw_os_error(*number));
        }
        match self.fault {
            Some((at, Fault::Error(number))) if at == operation => {
                Err(io::Error::from_raw_os_error(number))
            }
            Some((at, fault)) if at == operation => Ok(Some(fault)),
            _ => Ok(None),
        }
    }

    fn changed(&mut self) {
        if self.is_recording {
            let recorded = (self.note, self.image.clone());
            self.history.push(recorded);
        }
    }
}

/// The directory on such a disk.
pub(crate) struct Double {
    disk: Disk,
    has_lock: bool,
}

impl Drop for Double {
    fn drop(&mut self) {
        if self.has_lock {
            self.disk.inner().is_locked = false;
        }
    }
}

/// A file on such a disk.
pub(crate) struct DoubleFile {
    disk: Disk,
    inode: usize,
}

impl Storage for Double {
    type File = DoubleFile;

    fn place(&self) -> String {
        "disk".to_owned()
    }

    fn lock(&mut self) -> Result<(), StoreError> {
        let mut inner = self.disk.inner();
        if inner.is_locked {
            return Err(StoreError::new(ErrorKind::Locked, "locked"));
        }
        inner.is_locked = true;
        drop(inner);
        self.has_lock = true;
        Ok(())
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        let mut inner = self.disk.inner();
        inner.begin(false)?;
        Ok(inner.image.current.keys().cloned().collect())
    }

    fn create(&mut self, name: &str) -> io::Result<DoubleFile> {
        let mut inner = self.disk.inner();
        inner.begin(true)?;
        if inner.image.current.contains_key(name) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        let inode = inner.image.inodes.len();
        inner.image.inodes.push(Inode::default());
        inner.image.current.insert(name.to_owned(), inode);
        inner.image.pending.push(Link::Add(name.to_owned(), inode));
        inner.changed();
        Ok(DoubleFile { disk: self.disk.clone(), inode })
    }

    fn open(&mut self, name: &str) -> io::Result<DoubleFile> {
        let mut inner = self.disk.inner();
        inner.begin(false)?;
        let inode = inner.image.current.get(name).copied();
        let inode = inode.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(DoubleFile { disk: self.disk.clone(), inode })
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut inner = self.disk.inner();
        inner.begin(false)?;
        let Some(inode) = inner.image.current.remove(name) else {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        };
        inner.image.pending.push(Link::Remove(name.to_owned(), inode));
        inner.changed();
        Ok(())
    }

    fn sync_dir(&mut self) -> io::Result<()> {
        let mut inner = self.disk.inner();
        let fault = inner.begin(false)?;
        let image = &mut inner.image;
        if let Some(Fault::Lost { is_readable }) = fault {
            // Names are lost or stay; they cannot be written once more.
            if !is_readable {
                image.current.clone_from(&image.durable);
                image.pending.clear();
            }
            return Err(io::Error::from_raw_os_error(5));
        }
        let pending = std::mem::take(&mut image.pending);
        for link in pending {
            link.apply(&mut image.durable);
            if let Link::Remove(_, inode) = link {
                image.inodes[inode] = Inode::default();
            }
        }
        inner.changed();
        Ok(())
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl StoredFile for DoubleFile {
    fn len(&self) -> io::Result<u64> {
        let mut inner = self.disk.inner();
        inner.begin(false)?;
        Ok(inner.image.inodes[self.inode].current.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut inner = self.disk.inner();
        let fault = inner.begin(false)?;
        let current = &inner.image.inodes[self.inode].current;
        let rest = current.get(index(offset)..).unwrap_or_default();
        let mut len = rest.len().min(buffer.len());
        if fault.is_some() {
            len = len.div_ceil(2);
        }
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut inner = self.disk.inner();
        let fault = inner.begin(true)?;
        let bytes = if fault.is_some() { &bytes[..bytes.len() / 2] } else { bytes };
        if let Some(Fault::ShortThen(number)) = fault {
            inner.fault = Some((inner.operations, Fault::Error(number)));
        }
        let change = Change::Write { at: index(offset), bytes: bytes.into() };
        let inode = &mut inner.image.inodes[self.inode];
        change.apply(Arc::make_mut(&mut inode.current));
        inode.pending.push(change);
        inner.changed();
        Ok(bytes.len())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut inner = self.disk.inner();
        inner.begin(false)?;
        let change = Change::Truncate(index(len));
        let inode = &mut inner.image.inodes[self.inode];
        change.apply(Arc::make_mut(&mut inode.current));
        inode.pending.push(change);
        inner.changed();
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut inner = self.disk.inner();
        let fault = inner.begin(false)?;
        let inode = &mut inner.image.inodes[self.inode];
        let pending = std::mem::take(&mut inode.pending);
        if let Some(Fault::Lost { is_readable }) = fault {
            if !is_readable {
                inode.current = inode.durable.clone();
            }
            return Err(io::Error::from_raw_os_error(5));
        }
        // What an earlier sync has lost stays lost, although it can be read.
        let durable = Arc::make_mut(&mut inode.durable);
        for change in pending {
            change.apply(durable);
        }
        inner.changed();
        Ok(())
    }
}
