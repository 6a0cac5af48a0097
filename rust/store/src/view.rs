//! What a recovery finds, and a view of it for a process that only looks.

use crate::error::StoreError;
use crate::examine::examine;
use crate::frame::{Fault, Kind, Source};
use crate::log::Rounds;
use crate::name::Name;
use crate::state::{Place, State, open, place_of};
use crate::storage::Storage;

/// What a pane of a state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A closed pane, by its number.
    Closed(i64),
    /// An open pane, by its number.
    Open(i64),
    /// What left the panes and is still counted.
    Totals,
}

/// What a recovery reads.
pub trait Recovered {
    /// The bytes of the recovered state.
    fn state(&self) -> Option<&[u8]>;

    /// Hands out the panes of the recovered state: closed ones in order, open ones, totals.
    fn content<E: From<StoreError>>(
        &mut self,
        each: impl FnMut(Content, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E>;

    /// Hands out the rounds after the recovered state, in order.
    fn rounds<E: From<StoreError>>(
        &mut self,
        each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E>;
}

/// A log with rounds that a recovery replays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The number of the log.
    pub log: u64,
    /// How many rounds.
    pub rounds: u64,
    /// The bytes of these rounds.
    pub bytes: u64,
}

/// What a recovery would find now. Nothing is locked or changed, and a running process may remove
/// a file before it is read here, which is an error.
pub struct View<S: Storage> {
    storage: S,
    id: u64,
    description: Vec<u8>,
    state: Option<State>,
    logs: Vec<Rounds>,
    sequence: u64,
    warnings: Vec<String>,
    cut: Option<String>,
}

impl<S: Storage> View<S> {
    /// Examines a directory; `None` if it holds nothing yet.
    pub fn open(mut storage: S) -> Result<Option<View<S>>, StoreError> {
        let plan = examine(&mut storage)?;
        let Some(id) = plan.id else { return Ok(None) };
        Ok(Some(View {
            storage,
            id,
            description: plan.description,
            state: plan.state,
            logs: plan.logs,
            sequence: plan.sequence,
            warnings: plan.warnings,
            cut: plan.cut,
        }))
    }

    /// The description of the query that the directory was last written with.
    pub fn head(&self) -> &[u8] {
        &self.description
    }

    /// The last round.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What is wrong without being an error.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What is cut from the newest log, in words.
    pub fn cut(&self) -> Option<&str> {
        self.cut.as_deref()
    }

    /// The state to begin with: the number of its file, and the last round in it.
    pub fn start(&self) -> Option<(u64, u64)> {
        self.state.as_ref().map(|state| (state.number, state.sequence))
    }

    /// The logs with rounds after the state.
    pub fn replay(&self) -> Vec<Replay> {
        let replayed = self.logs.iter().map(|log| Replay {
            log: log.number,
            rounds: log.count,
            bytes: log.end - log.start,
        });
        replayed.collect()
    }
}

impl<S: Storage> Recovered for View<S> {
    fn state(&self) -> Option<&[u8]> {
        self.state.as_ref().map(|state| &state.bytes[..])
    }

    fn content<E: From<StoreError>>(
        &mut self,
        each: impl FnMut(Content, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        match &self.state {
            Some(state) => each_content(&mut self.storage, self.id, state, each),
            None => Ok(()),
        }
    }

    fn rounds<E: From<StoreError>>(
        &mut self,
        each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        each_round(&mut self.storage, self.id, &self.logs, each)
    }
}

pub(crate) fn each_content<S: Storage, E: From<StoreError>>(
    storage: &mut S,
    id: u64,
    state: &State,
    mut each: impl FnMut(Content, Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let own = state.number;
    let closed = state.closed.iter();
    let closed = closed.map(|(&number, &place)| (Content::Closed(number), place));
    let place = |byte| Place { file: own, byte };
    let open_panes = state.open.iter().map(|&(n, byte)| (Content::Open(n), place(byte)));
    let totals = state.totals.map(|byte| (Content::Totals, place(byte)));
    let mut current: Option<(u64, S::File, String)> = None;
    for (content, at) in closed.chain(open_panes).chain(totals) {
        let name = Name::state(at.file);
        if current.as_ref().is_none_or(|(number, ..)| *number != at.file) {
            let place = place_of(storage, name);
            current = Some((at.file, open(storage, name)?, place));
        }
        let Some((_, file, place)) = &current else { unreachable!("it was opened above") };
        let source = Source::new(file, name, place)?;
        match source.payload(at.byte, Some(id))? {
            Ok((_, payload)) => each(content, payload)?,
            Err(fault) => return Err(StoreError::damaged(place, at.byte, fault.words()).into()),
        }
    }
    Ok(())
}

pub(crate) fn each_round<S: Storage, E: From<StoreError>>(
    storage: &mut S,
    id: u64,
    logs: &[Rounds],
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    for rounds in logs {
        let name = Name::log(rounds.number);
        let place = place_of(storage, name);
        let file = open(storage, name)?;
        let source = Source::new(&file, name, &place)?;
        let mut at = rounds.start;
        while at < rounds.end {
            match source.payload(at, Some(id))? {
                Ok((header, payload)) if header.kind == Kind::Round => {
                    each(&payload)?;
                    at = header.end();
                }
                Ok(_) => {
                    let words = Fault::Sequence.words();
                    return Err(StoreError::damaged(&place, at, words).into());
                }
                Err(fault) => {
                    return Err(StoreError::damaged(&place, at, fault.words()).into());
                }
            }
        }
    }
    Ok(())
}
