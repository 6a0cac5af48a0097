//! The journal in a real directory.
#![expect(clippy::unwrap_used, reason = "a test fails where a value is missing")]
#![expect(clippy::print_stderr, reason = "a check that is left out is reported")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::TryRecvError;

use tailrace_store::{
    Content, Directory, ErrorKind, Problem, Recovered, Store, StoreError, View, inspect,
};

/// A directory that is removed at the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Temporary {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tailrace-store-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        Temporary(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn open(path: &Path) -> Result<Store<Directory>, StoreError> {
    Store::open(Directory::create(path)?, b"query", 7)
}

fn error(path: &Path) -> StoreError {
    open(path).err().unwrap()
}

fn rounds(store: &mut impl Recovered) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    store
        .rounds(|round| {
            found.push(round.to_vec());
            Ok::<_, StoreError>(())
        })
        .unwrap();
    found
}

fn content(store: &mut impl Recovered) -> Vec<(Content, Vec<u8>)> {
    let mut found = Vec::new();
    store
        .content(|content, bytes| {
            found.push((content, bytes));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn what_is_written_is_there_after_a_restart() {
    let place = Temporary::new();
    let path = place.0.join("a/b");
    let mut store = open(&path).unwrap();
    assert!(store.is_new() && store.state().is_none() && store.warnings().is_empty());
    store.append(b"one").unwrap();
    store.add_closed(-3, &[b'x'; 5000]).unwrap();
    store.append(b"").unwrap();
    drop(store);

    let mut store = open(&path).unwrap();
    assert!(!store.is_new());
    assert_eq!(store.head(), b"query");
    assert_eq!(rounds(&mut store), [&b"one"[..], b""]);
    assert_eq!(store.newest_closed(), None);
    store.add_closed(-3, &[b'x'; 5000]).unwrap();
    store.add_closed(4, b"four").unwrap();
    let panes = [(5, b"open".to_vec())];
    store.write_state(b"other", b"state", &[-3, 4], &panes, Some(b"totals")).unwrap();
    store.append(b"three").unwrap();
    store.add_closed(5, b"five").unwrap();
    drop(store);

    let mut store = open(&path).unwrap();
    assert_eq!((store.head(), store.state()), (&b"other"[..], Some(&b"state"[..])));
    assert_eq!(rounds(&mut store), [b"three"]);
    let expected = [
        (Content::Closed(-3), vec![b'x'; 5000]),
        (Content::Closed(4), b"four".to_vec()),
        (Content::Open(5), b"open".to_vec()),
        (Content::Totals, b"totals".to_vec()),
    ];
    assert_eq!(content(&mut store), expected);
    assert_eq!(store.newest_closed(), Some(4));
    assert!(store.warnings().is_empty());

    assert_eq!([mode(&path), mode(&place.0.join("a"))], [0o700, 0o700]);
    for entry in fs::read_dir(&path).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn one_process_at_a_time() {
    let place = Temporary::new();
    let mut store = open(&place.0).unwrap();
    let found = error(&place.0);
    assert_eq!(found.kind(), ErrorKind::Locked);
    assert!(found.message().contains(&format!("process {} uses it", std::process::id())));
    // Looking needs no lock.
    let mut kinds = Vec::new();
    inspect(Directory::open(&place.0).unwrap(), |frame| kinds.push(frame.kind)).unwrap();
    assert_eq!(kinds, ["head"]);
    let view = |place: &Path| View::open(Directory::open(place).unwrap()).unwrap();
    store.append(b"one").unwrap();
    let mut seen = view(&place.0).unwrap();
    assert_eq!(rounds(&mut seen), [b"one"]);
    assert_eq!((seen.head(), seen.start()), (&b"query"[..], None));
    store.add_closed(3, b"pane").unwrap();
    store.write_state(b"other", b"state", &[3], &[(4, b"open".to_vec())], None).unwrap();
    store.append(b"two").unwrap();
    let mut seen = view(&place.0).unwrap();
    assert_eq!((seen.head(), seen.start(), seen.sequence()), (&b"other"[..], Some((2, 1)), 2));
    assert_eq!((seen.state(), seen.cut()), (Some(&b"state"[..]), None));
    assert_eq!(rounds(&mut seen), [b"two"]);
    let expected = [(Content::Closed(3), b"pane".to_vec()), (Content::Open(4), b"open".to_vec())];
    assert_eq!(content(&mut seen), expected);
    assert_eq!(seen.replay().iter().map(|log| (log.log, log.rounds)).collect::<Vec<_>>(), [(2, 1)]);
    drop(store);
    open(&place.0).unwrap();
}

#[test]
fn a_directory_can_be_inspected_while_it_is_written() {
    let place = Temporary::new();
    let mut store = open(&place.0).unwrap();
    let (ended, is_ended) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for (count, number) in (0..).enumerate() {
                store.append(&vec![b'r'; [0, 20_000, 400_000][count % 3]]).unwrap();
                store.add_closed(number, &[b'p'; 300]).unwrap();
                if number % 4 == 3 {
                    let closed: Vec<i64> = ((number - 6).max(0)..=number).collect();
                    store.write_state(b"query", b"state", &closed, &[], None).unwrap();
                }
                if is_ended.try_recv() != Err(TryRecvError::Empty) {
                    break;
                }
            }
        });
        // Dropped when an assertion fails, so that the other thread ends.
        let ended = ended;
        let mut newest = 0;
        for _ in 0..200 {
            inspect(Directory::open(&place.0).unwrap(), |frame| {
                assert!(!matches!(frame.problem, Some(Problem::Damage(_))), "{frame:?}");
                newest = newest.max(frame.sequence);
            })
            .unwrap();
        }
        ended.send(()).unwrap();
        assert!(newest > 0);
    });
}

#[test]
fn other_files_stay() {
    let place = Temporary::new();
    for name in ["log-1", "notes", "state-xyz"] {
        fs::write(place.0.join(name), "mine").unwrap();
    }
    for state in 0..3_u8 {
        let mut store = open(&place.0).unwrap();
        store.write_state(b"query", &[state], &[], &[], None).unwrap();
    }
    for name in ["log-1", "notes", "state-xyz"] {
        assert_eq!(fs::read(place.0.join(name)).unwrap(), b"mine");
    }
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let place = Temporary::new();
    for bits in [0o770, 0o707, 0o1777] {
        fs::set_permissions(&place.0, fs::Permissions::from_mode(bits)).unwrap();
        let found = error(&place.0);
        assert_eq!(found.kind(), ErrorKind::Other);
        assert!(found.message().contains(&format!("found mode {bits:03o}; run chmod go-w")));
    }
    fs::set_permissions(&place.0, fs::Permissions::from_mode(0o755)).unwrap();
    open(&place.0).unwrap();
}

#[test]
fn a_directory_of_another_user_is_refused() {
    let place = Temporary::new();
    if std::os::unix::fs::chown(&place.0, Some(12_345), None).is_err() {
        eprintln!("not checked: only root can give a directory away");
        return;
    }
    let found = error(&place.0);
    assert!(found.message().contains("found one of user 12345; run as that user"), "{found}");
}

#[test]
fn what_is_no_directory_or_file_is_named() {
    let place = Temporary::new();
    let file = place.0.join("file");
    fs::write(&file, "").unwrap();
    assert!(error(&file).message().contains("expected a directory, found a file"));
    assert!(error(&file.join("below")).message().contains("cannot create the directory"));
    assert!(error(Path::new("")).message().contains("expected a directory, found ''"));

    for name in ["lock", "log-0000000000000001", "log-0000000000000009"] {
        let path = place.0.join(name.replace('-', "_"));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        symlink(&file, path.join(name)).unwrap();
        let found = error(&path);
        assert!(found.message().contains("expected a file, found a symbolic link"), "{found}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"");
}
