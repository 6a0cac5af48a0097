//! Files that are not as they were written: an error that names them, or the right result.

use std::collections::{BTreeMap, BTreeSet};

use crate::disk::{Disk, Image};
use crate::workload::{Engine, round, run};
use crate::{profile, random};
use tailrace_store::{ErrorKind, FrameInfo, Problem, Store, StoreError, inspect};

type Files = BTreeMap<String, Vec<u8>>;

const LAST: u32 = 47;
const NEWEST: &str = "log-0000000000000005";
const STATE: &str = "state-0000000000000005";

/// The files after a run, and all that they were before.
fn written() -> (Files, BTreeSet<(String, Vec<u8>)>) {
    let disk = Disk::default();
    disk.record();
    let outcome = run(&disk, 0..LAST);
    assert_eq!(outcome.error, None);
    let versions = disk.history().into_iter().flat_map(|(_, image)| image.files());
    let versions = versions.collect();
    (disk.image().files(), versions)
}

fn frames(files: &Files) -> Vec<FrameInfo> {
    let mut frames = Vec::new();
    let disk = Disk::new(Image::from_files(files));
    inspect(disk.storage(), |frame| frames.push(frame)).unwrap();
    frames
}

/// What a recovery of these files makes of them.
fn recovered(files: &Files) -> Result<(Vec<u32>, Vec<String>), StoreError> {
    let disk = Disk::new(Image::from_files(files));
    let found = Engine::open(&disk).map(|engine| {
        let warnings = engine.store.warnings().to_vec();
        (engine.rounds, warnings)
    });
    if let Err(error) = &found {
        // An error changes nothing, and stays.
        assert_eq!(&disk.image().files(), files, "{error}");
        assert_eq!(&Engine::open(&disk).err().unwrap(), error);
    }
    found
}

/// Checks what a recovery makes of a damaged file: nothing wrong, and nothing less, except at the
/// end of the newest log, which looks like a write that was not finished.
fn check(files: &Files, name: &str, may_lose: impl Fn(usize) -> bool, context: &str) -> bool {
    match recovered(files) {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Damaged, "{context}: {error}");
            assert!(error.message().contains(name), "{context}: {error}");
            assert!(error.message().contains("; restore the directory"), "{context}: {error}");
            true
        }
        Ok((rounds, warnings)) => {
            let all: Vec<u32> = (0..LAST).collect();
            assert!(all.starts_with(&rounds), "{context}: {rounds:?}");
            let lost = all.len() - rounds.len();
            assert!(lost == 0 || name == NEWEST && may_lose(lost), "{context}: lost {lost}");
            assert!(warnings.iter().all(|warning| warning.contains(name)), "{context}");
            false
        }
    }
}

#[test]
fn a_flipped_bit_is_named_or_harmless() {
    let (files, _) = written();
    let last = frames(&files).into_iter().rfind(|frame| frame.file == NEWEST).unwrap();
    let mut random = random();
    let (mut named, mut harmless) = (0, 0);
    for (name, bytes) in &files {
        let mut at = 0;
        while at < bytes.len() {
            let mut damaged = files.clone();
            damaged.get_mut(name).unwrap()[at] ^= 1 << random.below(8);
            let context = format!("{name}, byte {at}");
            let is_last = name == NEWEST && at as u64 >= last.byte;
            if check(&damaged, name, |lost| is_last && lost == 1, &context) {
                named += 1;
            } else {
                harmless += 1;
            }
            at += 1 + random.below(2 * 30_000 / profile::scaled(1_500) as usize);
        }
    }
    assert!(named > 100 && harmless > 100, "{named} {harmless}");
}

/// What is wrong with these files, by name.
fn problems(files: &Files) -> Vec<(String, Problem)> {
    let mut problems = Vec::new();
    let disk = Disk::new(Image::from_files(files));
    let recovered = inspect(disk.storage(), |frame| {
        problems.extend(frame.problem.map(|problem| (frame.file, problem)));
    });
    // Not all damage prevents a recovery, but what does is named.
    assert!(recovered.is_ok() || !problems.is_empty());
    problems
}

#[test]
fn every_flipped_bit_is_found_by_a_look() {
    let (files, _) = written();
    assert_eq!(problems(&files), []);
    let mut random = random();
    for (name, bytes) in &files {
        let mut at = 0;
        while at < bytes.len() {
            let mut damaged = files.clone();
            damaged.get_mut(name).unwrap()[at] ^= 1 << random.below(8);
            let found = problems(&damaged);
            let [(file, Problem::Damage(_))] = &found[..] else { panic!("{name} {at}: {found:?}") };
            assert_eq!(file, name);
            at += 1 + random.below(2 * 30_000 / profile::scaled(600) as usize);
        }
    }
}

#[test]
fn an_unfinished_end_is_no_damage() {
    let (files, _) = written();
    let all = frames(&files);
    for name in [NEWEST, "state-0000000000000006"] {
        let last = all.iter().rfind(|frame| frame.file == name).unwrap();
        let start = usize::try_from(last.byte).unwrap();
        for len in (start + 1..files[name].len()).step_by(13) {
            let mut cut = files.clone();
            cut.get_mut(name).unwrap().truncate(len);
            assert_eq!(problems(&cut), [(name.to_owned(), Problem::Unfinished)], "{len}");
            cut.get_mut(name).unwrap()[start..].fill(0);
            assert_eq!(problems(&cut), [(name.to_owned(), Problem::Unfinished)], "{len}");
        }
    }
}

#[test]
fn a_damaged_state_is_replaced_by_the_one_before() {
    let (files, _) = written();
    let mut damaged = files.clone();
    let len = files[STATE].len();
    damaged.get_mut(STATE).unwrap()[len - 1] ^= 1;

    let disk = Disk::new(Image::from_files(&damaged));
    let mut engine = Engine::open(&disk).unwrap();
    assert_eq!(engine.rounds, (0..LAST).collect::<Vec<_>>());
    let [warning] = engine.store.warnings() else { panic!("expected one warning") };
    assert!(warning.starts_with("disk/state-0000000000000005: byte "), "{warning}");
    assert!(warning.ends_with("an older state is used, and nothing is lost"), "{warning}");
    // It goes on, and the state before stays until there are two again.
    for id in LAST..LAST + 25 {
        let before = disk.image();
        engine.step(id, &disk).unwrap();
        if engine.rounds.len().is_multiple_of(10) {
            let again = Disk::new(before);
            assert_eq!(Engine::open(&again).unwrap().rounds, (0..id).collect::<Vec<_>>());
            let mut newest = disk.image().files();
            let state = newest.keys().rfind(|name| name.starts_with("state")).unwrap().clone();
            *newest.get_mut(&state).unwrap().last_mut().unwrap() ^= 1;
            let all: Vec<u32> = (0..=id).collect();
            assert_eq!(recovered(&newest).unwrap().0, all, "{state}");
        }
    }

    // The log before the newest one is shorter than it was.
    let log = "log-0000000000000004";
    let frame = frames(&files).into_iter().rfind(|frame| frame.file == log).unwrap();
    let mut shorter = damaged.clone();
    shorter.get_mut(log).unwrap().truncate(usize::try_from(frame.byte).unwrap());
    let error = recovered(&shorter).unwrap_err();
    assert!(error.message().starts_with("disk/log-0000000000000004: byte "), "{error}");

    // Both are damaged.
    let before = damaged.get_mut("state-0000000000000004").unwrap();
    *before.last_mut().unwrap() ^= 1;
    let error = recovered(&damaged).unwrap_err();
    assert!(error.message().starts_with("disk/state-0000000000000005: byte "), "{error}");
}

#[test]
fn a_missing_or_shorter_file_is_named_or_harmless() {
    let (files, _) = written();
    let mut random = random();
    for (name, bytes) in &files {
        let mut damaged = files.clone();
        damaged.remove(name);
        if name == NEWEST {
            let error = recovered(&damaged).unwrap_err();
            assert!(error.message().contains(NEWEST), "{error}");
        } else {
            check(&damaged, name, |_| false, &format!("without {name}"));
        }
        let mut len = 0;
        while len < bytes.len() {
            for filler in [None, Some(0), Some(0xff)] {
                let mut damaged = files.clone();
                let file = damaged.get_mut(name).unwrap();
                file.truncate(len);
                file.resize(filler.map_or(len, |_| bytes.len()), filler.unwrap_or(0));
                // The unfinished state was written after round 45.
                let context = format!("{name} cut to {len} bytes, then {filler:?}");
                check(&damaged, name, |lost| lost <= 2, &context);
            }
            len += 1 + random.below(2 * 30_000 / profile::scaled(600) as usize);
        }
    }
}

#[test]
fn an_old_file_that_is_put_back_is_named_or_harmless() {
    let (files, versions) = written();
    let other = {
        let disk = Disk::default();
        let mut store = Store::open(disk.storage(), b"query 0", 78).unwrap();
        for id in 0..60 {
            store.append(&round(id)).unwrap();
            if id % 10 == 9 {
                store.write_state(b"query 0", b"state", &[], &[], None).unwrap();
            }
        }
        drop(store);
        disk.image().files()
    };
    let mut random = random();
    let most = profile::scaled(40) as usize;
    let places =
        (1..=7).flat_map(|number| [format!("log-{number:016x}"), format!("state-{number:016x}")]);
    for place in places {
        let own = versions.iter().filter(|(name, _)| *name == place);
        let others: Vec<_> = versions.iter().filter(|(name, _)| *name != place).collect();
        let drawn: Vec<_> = (0..most).map(|_| others[random.below(others.len())]).collect();
        let foreign: Vec<_> =
            other.iter().map(|(name, bytes)| (name.clone(), bytes.clone())).collect();
        for (name, bytes) in own.chain(drawn).chain(&foreign) {
            let mut damaged = files.clone();
            damaged.insert(place.clone(), bytes.clone());
            let context = format!("a {name} of {} bytes as {place}", bytes.len());
            match recovered(&damaged) {
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Damaged, "{context}: {error}");
                }
                Ok((rounds, _)) => {
                    let all: Vec<u32> = (0..LAST).collect();
                    assert!(all.starts_with(&rounds), "{context}: {rounds:?}");
                    // Of the newest log an older version is as good as a newer one, unless panes
                    // were written since.
                    let may_lose = if place == NEWEST && *name == place { 2 } else { 0 };
                    assert!(all.len() - rounds.len() <= may_lose, "{context}: {rounds:?}");
                }
            }
        }
    }
}

#[test]
fn a_frame_twice_missing_or_moved_is_named_or_harmless() {
    let (files, _) = written();
    let all = frames(&files);
    let bytes = |frame: &FrameInfo| {
        let start = usize::try_from(frame.byte).unwrap();
        start..start + usize::try_from(frame.size).unwrap()
    };
    for (place, frame) in all.iter().enumerate() {
        let file = &files[&frame.file];
        let range = bytes(frame);
        let is_last = all.get(place + 1).is_none_or(|next| next.file != frame.file);
        for change in ["twice", "missing", "swapped", "at the end", "zeros"] {
            let changed = match change {
                "twice" => [&file[..range.end], &file[range.start..]].concat(),
                "missing" => [&file[..range.start], &file[range.end..]].concat(),
                "at the end" => [&file[..], &file[range.clone()]].concat(),
                "zeros" => {
                    let mut file = file.clone();
                    file[range.clone()].fill(0);
                    file
                }
                _ if is_last => continue,
                _ => {
                    let next = bytes(&all[place + 1]);
                    let swapped = [next.clone(), range.clone()].concat_of(file);
                    [&file[..range.start], &swapped, &file[next.end..]].concat()
                }
            };
            let mut damaged = files.clone();
            damaged.insert(frame.file.clone(), changed);
            let context = format!("{} of {} at {} {change}", frame.kind, frame.file, frame.byte);
            let may_lose = |lost| is_last && lost == 1 && matches!(change, "missing" | "zeros");
            check(&damaged, &frame.file, may_lose, &context);
        }
    }
}

/// Parts of a file, one after the other.
trait ConcatOf {
    fn concat_of(&self, file: &[u8]) -> Vec<u8>;
}

impl ConcatOf for [std::ops::Range<usize>; 2] {
    fn concat_of(&self, file: &[u8]) -> Vec<u8> {
        self.iter().flat_map(|range| file[range.clone()].to_vec()).collect()
    }
}

#[test]
fn a_newer_version_is_named() {
    let (mut files, _) = written();
    let file = files.get_mut(NEWEST).unwrap();
    file[4] = 2;
    let crc = crc32fast::hash(&file[..64]);
    file[64..68].copy_from_slice(&crc.to_le_bytes());
    let error = recovered(&files).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Version);
    assert_eq!(
        error.message(),
        "disk/log-0000000000000005: expected format version 1, found 2, written by a newer \
         tailrace; update tailrace, or start with an empty directory"
    );
}

#[test]
fn logs_must_follow_each_other() {
    let (files, _) = written();
    let mut damaged = files.clone();
    damaged.remove(STATE);
    let (rounds, warnings) = recovered(&damaged).unwrap();
    assert_eq!(rounds.len(), LAST as usize);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    damaged.remove("log-0000000000000004");
    let error = recovered(&damaged).unwrap_err();
    assert!(error.message().contains(STATE), "{error}");

    // States without logs, and numbers that do not follow.
    let states = |name: &String, _: &mut Vec<u8>| name.starts_with("state");
    let only: Files = files.clone().extract_if(.., states).collect();
    let error = recovered(&only).unwrap_err();
    assert_eq!(
        error.message(),
        "disk/log-0000000000000005: expected this file, found none; restore the directory \
         from a backup, or start with an empty one"
    );
    let mut far = files;
    let newest = far[STATE].clone();
    far.insert("state-0000000000000009".into(), newest);
    let error = recovered(&far).unwrap_err();
    assert!(error.message().starts_with("disk/log-0000000000000008: expected this file"));
}

#[test]
fn empty_files_are_a_new_directory_or_unfinished() {
    let empty = |name: &str| Files::from([(name.to_owned(), Vec::new())]);
    for files in [Files::new(), empty("lock"), empty("log-0000000000000001"), empty("other")] {
        let disk = Disk::new(Image::from_files(&files));
        let engine = Engine::open(&disk).unwrap();
        assert!(engine.store.is_new());
        assert!(engine.rounds.is_empty());
    }
    let (mut files, _) = written();
    files.insert("state-0000000000000006".into(), Vec::new());
    assert_eq!(recovered(&files).unwrap().0.len(), LAST as usize);
    files.insert("log-0000000000000006".into(), Vec::new());
    files.remove("state-0000000000000006");
    let error = recovered(&files);
    // Its state was durable before it was created.
    assert!(error.is_ok_and(|(rounds, warnings)| rounds.len() == 47 && warnings.len() == 1));
}
