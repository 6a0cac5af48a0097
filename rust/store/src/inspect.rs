//! What a directory holds, frame by frame, also while a process writes it.

use std::io;

use crate::error::StoreError;
use crate::examine::{examine, words};
use crate::frame::{Fault, Kind, Source};
use crate::log::read_head;
use crate::name::Series;
use crate::state::{names, place_of};
use crate::storage::{Storage, StoredFile, again};

/// What is wrong with the bytes at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// They differ from what was written.
    Damage(&'static str),
    /// They are the end of the newest files, not written as a whole or not yet.
    Unfinished,
}

/// A frame, or the bytes after the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameInfo {
    /// The name of the file.
    pub file: String,
    /// Where in the file it begins.
    pub byte: u64,
    /// How many bytes of the file it takes.
    pub size: u64,
    /// How many bytes its payload has before it is compressed.
    pub payload: u64,
    /// `head`, `round`, `closed pane`, `open pane`, `totals` or `state`; empty for other bytes.
    pub kind: &'static str,
    /// The number of a round; of other frames, that of the last round before.
    pub sequence: u64,
    /// The number of a pane.
    pub pane: Option<i64>,
    /// The description of the query, of a head.
    pub description: Option<Vec<u8>>,
    /// What is wrong with it.
    pub problem: Option<Problem>,
}

/// How often a directory is looked at that changes meanwhile.
const ATTEMPTS: usize = 20;

/// Hands out every frame of every file, in order, and returns the warnings of a recovery.
///
/// The error is that of a recovery. Nothing is locked or changed.
pub fn inspect<S: Storage>(
    mut storage: S,
    mut each: impl FnMut(FrameInfo),
) -> Result<Vec<String>, StoreError> {
    let found = names(&mut storage)?;
    let newest = found.iter().filter(|name| name.series == Series::Log).map(|name| name.number);
    let newest = newest.max().unwrap_or(0);
    for &name in &found {
        let place = place_of(&storage, name);
        let file = match again(|| storage.open(&name.to_string())) {
            // A running process has removed it since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(|error| StoreError::io(&place, "cannot open", &error))?,
        };
        let is_growing = match name.series {
            Series::Log => name.number >= newest,
            Series::State => name.number > newest,
        };
        walk(&Source::new(&file, name, &place)?, is_growing, &mut each)?;
    }
    // A process that writes meanwhile can cause an error, but not the same one twice.
    let mut last = examine(&mut storage);
    for _ in 0..ATTEMPTS {
        let Err(error) = &last else { break };
        let again = examine(&mut storage);
        if again.as_ref().is_err_and(|other| other == error) {
            break;
        }
        last = again;
    }
    last.map(|plan| plan.warnings)
}

fn walk<F: StoredFile>(
    source: &Source<'_, F>,
    is_growing: bool,
    each: &mut impl FnMut(FrameInfo),
) -> Result<(), StoreError> {
    let (mut at, mut id, mut last) = (0, None, 0);
    while at < source.len {
        let info = FrameInfo {
            file: source.name.to_string(),
            byte: at,
            size: source.len - at,
            payload: 0,
            kind: "",
            sequence: last,
            pane: None,
            description: None,
            problem: None,
        };
        match source.check(at, id)? {
            Ok(header) => {
                id = Some(header.id);
                last = header.sequence;
                at = header.end();
                let is_pane = matches!(header.kind, Kind::Closed | Kind::Open);
                let description = match header.kind {
                    Kind::Head => read_head(source, id)?.map(|head| head.description),
                    _ => None,
                };
                each(FrameInfo {
                    size: header.size(),
                    payload: u64::from(header.raw),
                    kind: words(header.kind),
                    sequence: header.sequence,
                    pane: is_pane.then_some(header.number),
                    description,
                    ..info
                });
            }
            Err(fault) => {
                // A process that is killed leaves a shorter frame, a power cut often zeros. Anything
                // else can be damage of the last round.
                let is_torn = is_growing
                    && (fault == Fault::Short || source.is_zero(at)?)
                    && !source.proves_synced(at, id, last)?;
                let problem =
                    if is_torn { Problem::Unfinished } else { Problem::Damage(fault.words()) };
                each(FrameInfo { problem: Some(problem), ..info });
                break;
            }
        }
    }
    Ok(())
}
