//! A disk that fails at any operation: what was acknowledged stays, what was refused is not there.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::disk::{Disk, Double, DoubleFile, Fault, Image, Random};
use crate::workload::{Engine, Outcome, round, run};
use crate::{profile, random};
use tailrace_store::{ErrorKind, Storage, Store, StoreError, StoredFile};

const EINTR: i32 = 4;
const EIO: i32 = 5;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
#[cfg(target_os = "linux")]
const EDQUOT: i32 = 122;
#[cfg(not(target_os = "linux"))]
const EDQUOT: i32 = 69;

const FAULTS: [Fault; 12] = [
    Fault::Error(EINTR),
    Fault::Short,
    Fault::Error(ENOSPC),
    Fault::Error(EDQUOT),
    Fault::Error(EIO),
    Fault::Error(EROFS),
    Fault::Error(EMFILE),
    Fault::ShortThen(ENOSPC),
    Fault::ShortThen(EINTR),
    Fault::ShortThen(EIO),
    Fault::Lost { is_readable: true },
    Fault::Lost { is_readable: false },
];

const IDS: std::ops::Range<u32> = 0..23;

/// Whether to try this one: each one in CI, a quarter of them elsewhere.
fn is_drawn(random: &mut Random) -> bool {
    random.below(100) < profile::scaled(100) as usize
}

/// Recovers an image, and again after a crash that loses what is not durable.
fn check(image: Image, expected: &Outcome, context: &str) -> Vec<u32> {
    let disk = Disk::new(image);
    let engine = Engine::open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert!(
        expected.allows(&engine.rounds),
        "{context}: expected {:?} and perhaps {:?}, found {:?}",
        expected.acknowledged,
        expected.trying,
        engine.rounds
    );
    let rounds = engine.rounds.clone();
    drop(engine);
    let disk = Disk::new(disk.image().without_unsynced());
    let engine = Engine::open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(engine.rounds, rounds, "{context}: what a recovery returned stays");
    rounds
}

#[test]
fn any_fault_at_any_operation_of_a_run() {
    let clean = Disk::default();
    run(&clean, IDS);
    let (mut random, mut draw) = (random(), random());
    for operation in 0..clean.operations() {
        for fault in FAULTS.into_iter().filter(|_| is_drawn(&mut draw)) {
            let context = format!("{fault:?} at operation {operation}");
            let disk = Disk::default();
            disk.fail_at(operation, fault);
            let outcome = run(&disk, IDS);
            let is_harmless =
                matches!(fault, Fault::Error(EINTR) | Fault::Short | Fault::ShortThen(EINTR));
            if is_harmless {
                assert_eq!(outcome.error, None, "{context}");
                assert_eq!(outcome.acknowledged.len(), IDS.len(), "{context}");
            }
            if let Some(error) = &outcome.error
                && !outcome.acknowledged.is_empty()
            {
                assert_eq!(error.kind(), ErrorKind::Other, "{context}: {error}");
                assert!(error.message().contains("disk"), "{context}: {error}");
            }
            // The process ends, and perhaps the machine.
            check(disk.image(), &outcome, &context);
            for crashed in disk.image().crashes(2, &mut random) {
                check(crashed, &outcome, &context);
            }
        }
    }
}

#[test]
fn a_full_disk_refuses_until_there_is_space() {
    let clean = Disk::default();
    run(&clean, IDS);
    let first = {
        let disk = Disk::default();
        drop(Engine::open(&disk).unwrap());
        disk.operations()
    };
    let mut refused = 0;
    for number in [ENOSPC, EDQUOT] {
        for start in first..clean.operations() {
            for len in [1, 2, 3, 5, 8, 20, 60] {
                let context = format!("full for {len} from operation {start}");
                let disk = Disk::default();
                disk.full_within(start..start + len, number);
                let outcome = run(&disk, IDS);
                assert_eq!(outcome.error, None, "{context}");
                refused += IDS.len() - outcome.acknowledged.len();
                let rounds = check(disk.image(), &outcome, &context);
                assert_eq!(rounds, outcome.acknowledged, "{context}");
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn any_fault_at_any_operation_of_a_recovery() {
    let disk = Disk::default();
    disk.record();
    run(&disk, IDS);
    let (mut random, mut draw) = (random(), random());
    let history = disk.history();
    for (acknowledged, image) in history.iter().step_by(7) {
        let crashed = image.crashes(1, &mut random).remove(0);
        let expected = Outcome {
            acknowledged: IDS.take(*acknowledged).collect(),
            trying: IDS.clone().nth(*acknowledged),
            error: None,
        };
        let clean = Disk::new(crashed.clone());
        drop(Engine::open(&clean).unwrap());
        for operation in 0..clean.operations() {
            for fault in FAULTS.into_iter().filter(|_| is_drawn(&mut draw)) {
                let context = format!("{fault:?} at operation {operation}");
                let disk = Disk::new(crashed.clone());
                disk.fail_at(operation, fault);
                match Engine::open(&disk) {
                    Ok(engine) => assert!(expected.allows(&engine.rounds), "{context}"),
                    Err(error) => {
                        assert!(!matches!(fault, Fault::Error(EINTR)), "{context}: {error}");
                        // A short read or write is tried again.
                        assert!(!matches!(fault, Fault::Short), "{context}: {error}");
                        assert!(error.message().contains("disk"), "{context}: {error}");
                    }
                }
                check(disk.image(), &expected, &context);
                check(disk.image().without_unsynced(), &expected, &context);
            }
        }
    }
}

#[test]
fn one_at_a_time() {
    let disk = Disk::default();
    let engine = Engine::open(&disk).unwrap();
    let before = disk.image().files();
    assert_eq!(Engine::open(&disk).err().unwrap().kind(), ErrorKind::Locked);
    assert_eq!(disk.image().files(), before);
    drop(engine);
    Engine::open(&disk).unwrap();
}

/// A disk whose syncs wait until they may go on.
struct Slow {
    disk: Double,
    begun: Sender<()>,
    may_end: Option<Receiver<()>>,
}

struct SlowFile {
    file: DoubleFile,
    begun: Sender<()>,
    may_end: Option<Receiver<()>>,
}

impl Slow {
    fn file(&mut self, file: DoubleFile) -> SlowFile {
        SlowFile { file, begun: self.begun.clone(), may_end: self.may_end.take() }
    }
}

impl Storage for Slow {
    type File = SlowFile;

    fn place(&self) -> String {
        self.disk.place()
    }

    fn lock(&mut self) -> Result<(), StoreError> {
        self.disk.lock()
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        self.disk.names()
    }

    fn create(&mut self, name: &str) -> io::Result<SlowFile> {
        let file = self.disk.create(name)?;
        Ok(self.file(file))
    }

    fn open(&mut self, name: &str) -> io::Result<SlowFile> {
        let file = self.disk.open(name)?;
        Ok(self.file(file))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_dir(&mut self) -> io::Result<()> {
        self.disk.sync_dir()
    }
}

impl StoredFile for SlowFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.truncate(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Some(may_end) = &self.may_end {
            self.begun.send(()).unwrap();
            may_end.recv().unwrap();
        }
        self.file.sync()
    }
}

#[test]
fn a_round_waits_for_its_sync_however_long_it_takes() {
    let disk = Disk::default();
    let (begun, is_begun) = channel();
    let (end, may_end) = channel();
    let storage = Slow { disk: disk.storage(), begun, may_end: Some(may_end) };
    let writing = std::thread::spawn(move || {
        let mut store = Store::open(storage, b"query 0", 77).unwrap();
        store.append(&round(1)).unwrap();
    });
    // The head of the log, then the round.
    is_begun.recv().unwrap();
    end.send(()).unwrap();
    is_begun.recv().unwrap();
    assert!(!writing.is_finished());
    let lost = Disk::new(disk.image().without_unsynced());
    assert!(Engine::open(&lost).unwrap().rounds.is_empty());
    end.send(()).unwrap();
    writing.join().unwrap();
    let kept = Disk::new(disk.image().without_unsynced());
    assert_eq!(Engine::open(&kept).unwrap().rounds, [1]);
}
