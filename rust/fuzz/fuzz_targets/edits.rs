//! Edits of a small journal, and its recovery.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use tailrace_store::{Recovered, Store, StoreError, inspect};

use crate::disk::{Disk, Image};
use crate::workload::{Engine, run};

type Files = BTreeMap<String, Vec<u8>>;

/// How many rounds the journals have: without a state, with one, and with several.
const ROUNDS: [u32; 4] = [2, 7, 13, 47];

/// The most that an input may add, so that memory and time are those of a small directory.
const MOST: usize = 1 << 20;

/// The bytes of an input, one after the other; zeros at its end.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> usize {
        let (&first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        usize::from(first)
    }

    fn word(&mut self) -> usize {
        self.byte() << 8 | self.byte()
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let (front, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        front
    }
}

fn written(choice: usize) -> &'static Files {
    static WRITTEN: OnceLock<Vec<Files>> = OnceLock::new();
    let all = WRITTEN.get_or_init(|| {
        let write = |rounds| {
            let disk = Disk::default();
            assert!(run(&disk, 0..rounds).error.is_none());
            disk.image().files()
        };
        ROUNDS.into_iter().map(write).collect()
    });
    &all[choice % all.len()]
}

/// Where a frame begins in a file, and its size, of the frames whose header can be read.
fn frames(file: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(header) = file.get(at..at + 72) {
        let stored = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        if header[..4] != *b"\xf5TRJ" || at + 72 + stored > file.len() {
            break;
        }
        found.push((at, 72 + stored));
        at += 72 + stored;
    }
    found
}

/// Makes the checksums of a frame right.
fn forge(file: &mut [u8], (start, size): (usize, usize)) {
    let frame = &mut file[start..start + size];
    let crc = crc32fast::hash(&frame[..64]);
    frame[64..68].copy_from_slice(&crc.to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&frame[..68]);
    hasher.update(&frame[72..]);
    frame[68..72].copy_from_slice(&hasher.finalize().to_le_bytes());
}

/// Applies the edits of an input; returns whether checksums were forged.
fn edit(files: &mut Files, input: &mut Input<'_>) -> bool {
    let mut is_forged = false;
    let mut added = 0;
    while !input.0.is_empty() && !files.is_empty() && added < MOST {
        let action = input.byte();
        let choice = input.byte() % files.len();
        let name = files.keys().nth(choice).unwrap().clone();
        let file = files.get_mut(&name).unwrap();
        let all = frames(file);
        let at = input.word() % (file.len() + 1);
        // Near the beginning of a frame, where most of what matters is.
        let near = all.get(at % all.len().max(1)).map_or(at, |&(start, _)| start);
        match action % 12 {
            0 => {
                let at = (near + input.byte()).min(file.len());
                if let Some(byte) = file.get_mut(at) {
                    *byte ^= input.byte() as u8;
                }
            }
            1 => file.truncate(at),
            2 => {
                let len = input.byte();
                let bytes = input.take(len).to_vec();
                added += bytes.len();
                file.splice(at..at, bytes);
            }
            3 => {
                let len = input.byte();
                let bytes = input.take(len);
                let at = (near + input.byte()).min(file.len());
                let end = (at + bytes.len()).min(file.len());
                file.splice(at..end, bytes.to_vec());
            }
            4 => {
                let end = (at + input.word()).min(file.len());
                file.drain(at..end);
            }
            5 => {
                let len = input.word();
                added += len;
                let end = file.len() + len;
                file.resize(end, input.byte() as u8);
            }
            6 => {
                files.remove(&name);
            }
            7 => {
                // A frame to another place.
                let (start, size) = *all.get(input.byte() % all.len().max(1)).unwrap_or(&(0, 0));
                let frame = file[start..start + size].to_vec();
                added += size;
                let choice = input.byte() % files.len();
                let target = files.values_mut().nth(choice).unwrap();
                let all = frames(target);
                let at = match input.byte() {
                    0 => target.len(),
                    n => all.get(n % all.len().max(1)).map_or(0, |&(start, _)| start),
                };
                target.splice(at..at, frame);
            }
            8 => {
                // A file under another name.
                let number = input.byte() % 9;
                let series = ["log", "state"][input.byte() % 2];
                let bytes = file.clone();
                added += bytes.len();
                files.insert(format!("{series}-{number:016x}"), bytes);
            }
            9 => file.clear(),
            10 => {
                let end = (at + input.word()).min(file.len());
                file[at..end].fill(0);
            }
            _ => {
                is_forged = true;
                if let Some(&frame) = all.get(at % all.len().max(1)) {
                    // A field of the header, or the beginning of the payload.
                    let field = input.byte() % frame.1;
                    let len = 1 + input.byte() % 8;
                    let bytes = input.take(len.min(frame.1 - field));
                    file[frame.0 + field..frame.0 + field + bytes.len()].copy_from_slice(bytes);
                    forge(file, frame);
                }
            }
        }
    }
    is_forged
}

/// Reads everything that a recovery returns.
fn read(disk: &Disk) -> Result<(), StoreError> {
    let mut store = Store::open(disk.storage(), b"query 0", 77)?;
    store.content(|_, _| Ok::<_, StoreError>(()))?;
    store.rounds(|_| Ok::<_, StoreError>(()))?;
    store.append(b"more")?;
    store.write_state(b"query 0", b"state", &[], &[], None)
}

/// Recovers an edited journal: no panic, and a prefix of what was written or an error.
pub fn journal(data: &[u8]) {
    let mut input = Input(data);
    let choice = input.byte();
    let mut files = written(choice).clone();
    let is_forged = edit(&mut files, &mut input);
    let disk = Disk::new(Image::from_files(&files));
    let mut frames = 0;
    let inspected = inspect(disk.storage(), |_| frames += 1);
    if is_forged {
        // Right checksums over anything: all that matters is that it ends.
        let _: Result<(), StoreError> = read(&disk);
        return;
    }
    match Engine::open(&disk) {
        Ok(engine) => {
            assert!(inspected.is_ok());
            let rounds: Vec<u32> = (0..ROUNDS[choice % ROUNDS.len()]).collect();
            assert!(rounds.starts_with(&engine.rounds), "{:?}", engine.rounds);
            drop(engine);
            let again = Engine::open(&disk).unwrap();
            assert!(rounds.starts_with(&again.rounds));
        }
        Err(error) => {
            assert_eq!(inspected.unwrap_err(), error);
            assert_eq!(disk.image().files(), files);
        }
    }
}
