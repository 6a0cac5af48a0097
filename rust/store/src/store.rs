//! The journal while it is written.

use std::collections::{BTreeMap, BTreeSet};

use crate::bound::{FRAME_LIMIT, LOG_BYTES, LOG_ROUNDS};
use crate::error::{ErrorKind, StoreError};
use crate::examine::{Plan, examine};
use crate::frame::{Fault, Kind, Label, encode};
use crate::log::{Rounds, encode_head};
use crate::name::{Name, Series};
use crate::state::{Place, State, names, open, place_of};
use crate::storage::{Storage, StoredFile, again, read_full, write_all};
use crate::view::{Content, Recovered, each_content, each_round};

/// What was written since the journal was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rounds.
    pub rounds: u64,
    /// Bytes of all frames.
    pub bytes: u64,
    /// How often a file or the directory was synced.
    pub syncs: u64,
}

/// A state file is synced each time it has grown by this much, so that no sync takes long.
const SYNC_BYTES: u64 = 4 << 20;
/// After a state did not fit on the disk, the log grows by this much before the next one.
const RETRY_BYTES: u64 = 1 << 20;
/// A larger buffer is not kept.
const BUFFER_BYTES: usize = 4 << 20;

/// A file that is appended to.
struct Growing<F> {
    file: F,
    name: Name,
    place: String,
    end: u64,
    synced: u64,
}

/// The journal of a directory.
pub struct Store<S: Storage> {
    storage: S,
    id: u64,
    description: Vec<u8>,
    is_new: bool,
    warnings: Vec<String>,
    /// The newest whole state: what was recovered, or the last one that was written.
    state: State,
    has_state: bool,
    /// The logs with the rounds after the recovered state.
    replay: Vec<Rounds>,
    log: Growing<S::File>,
    /// The state that is not finished yet.
    next: Option<Growing<S::File>>,
    /// The last round.
    sequence: u64,
    /// Where the closed panes are which the next state may need.
    closed: BTreeMap<i64, Place>,
    newest_closed: Option<i64>,
    /// The log since the newest state.
    bytes_since: u64,
    rounds_since: u64,
    retry_at: u64,
    counts: Counts,
    buffer: Vec<u8>,
    failed: Option<StoreError>,
}

impl<S: Storage> Recovered for Store<S> {
    fn state(&self) -> Option<&[u8]> {
        self.has_state.then_some(&self.state.bytes)
    }

    fn content<E: From<StoreError>>(
        &mut self,
        each: impl FnMut(Content, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.has_state {
            return Ok(());
        }
        each_content(&mut self.storage, self.id, &self.state, each)
    }

    fn rounds<E: From<StoreError>>(
        &mut self,
        each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        each_round(&mut self.storage, self.id, &self.replay, each)
    }
}

impl<S: Storage> Store<S> {
    /// Locks a directory, recovers what it holds, and makes it ready to be written.
    ///
    /// The description of the query and the random id are for a new directory.
    pub fn open(mut storage: S, description: &[u8], id: u64) -> Result<Store<S>, StoreError> {
        storage.lock()?;
        let plan = examine(&mut storage)?;
        let mut counts = Counts::default();
        let log = carry_out(&mut storage, &plan, description, id, &mut counts)?;
        let is_new = plan.id.is_none();
        let state = plan.state.unwrap_or_default();
        Ok(Store {
            storage,
            id: plan.id.unwrap_or(id),
            description: if is_new { description.to_vec() } else { plan.description },
            is_new,
            warnings: plan.warnings.into_iter().chain(plan.cut).collect(),
            has_state: state.number > 0,
            closed: state.closed.clone(),
            newest_closed: state.closed.keys().next_back().copied(),
            state,
            log,
            next: None,
            sequence: plan.sequence,
            bytes_since: plan.logs.iter().map(|rounds| rounds.end - rounds.start).sum(),
            rounds_since: plan.logs.iter().map(|rounds| rounds.count).sum(),
            replay: plan.logs,
            retry_at: 0,
            counts,
            buffer: Vec::new(),
            failed: None,
        })
    }

    /// The description of the query that the directory was last written with.
    pub fn head(&self) -> &[u8] {
        &self.description
    }

    /// Whether the directory was empty.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// What an operator has to know about the recovery.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Appends a round. It is durable when this returns.
    pub fn append(&mut self, round: &[u8]) -> Result<(), StoreError> {
        self.is_alive()?;
        let result = self.try_append(round);
        self.remember(result)
    }

    fn try_append(&mut self, round: &[u8]) -> Result<(), StoreError> {
        let label = label(&self.log, Kind::Round, self.id, self.sequence + 1, 0);
        fill(label, &self.log.place, round, &mut self.buffer)?;
        let start = self.log.end;
        if let Err(error) = self.log.write(&self.buffer, &mut self.counts) {
            return Err(self.log.undo(start, error, &mut self.counts));
        }
        self.log.sync(&mut self.counts)?;
        self.sequence += 1;
        self.bytes_since += self.log.end - start;
        self.rounds_since += 1;
        self.counts.rounds += 1;
        Ok(())
    }

    /// Writes a pane that closed, for the next state to refer to.
    ///
    /// It becomes durable with that state; until then the rounds hold what is in it.
    pub fn add_closed(&mut self, number: i64, content: &[u8]) -> Result<(), StoreError> {
        self.is_alive()?;
        let result = self.try_add_closed(number, content);
        self.remember(result)
    }

    fn try_add_closed(&mut self, number: i64, content: &[u8]) -> Result<(), StoreError> {
        let byte = self.write_frame(Kind::Closed, number, content)?;
        self.closed.insert(number, Place { file: self.log.name.number + 1, byte });
        self.newest_closed = self.newest_closed.max(Some(number));
        Ok(())
    }

    /// Writes a state as of the last round, and starts a new log.
    ///
    /// `closed` are the numbers of the closed panes that it needs.
    pub fn write_state(
        &mut self,
        description: &[u8],
        state: &[u8],
        closed: &[i64],
        open: &[(i64, Vec<u8>)],
        totals: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        self.is_alive()?;
        let result = self.try_write_state(description, state, closed, open, totals);
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Full) {
            self.retry_at = self.bytes_since + RETRY_BYTES;
        }
        self.remember(result)
    }

    fn try_write_state(
        &mut self,
        description: &[u8],
        state: &[u8],
        closed: &[i64],
        open: &[(i64, Vec<u8>)],
        totals: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let mut needed = BTreeMap::new();
        for &number in closed {
            let Some(&place) = self.closed.get(&number) else {
                return Err(StoreError::new(
                    ErrorKind::Other,
                    format!("{}: pane {number} was never written", self.storage.place()),
                ));
            };
            needed.insert(number, place);
        }
        let new_number = self.log.name.number + 1;
        let start = self.next_file()?.end;
        let mut written = State {
            sequence: self.sequence,
            number: new_number,
            log_len: self.log.end,
            description: description.to_vec(),
            closed: needed,
            ..State::default()
        };
        let log = match self.write_rest(&mut written, state, open, totals) {
            Ok(log) => log,
            Err(error) if error.kind() == ErrorKind::Full => {
                return Err(self.undo_state(start, error));
            }
            Err(error) => return Err(error),
        };
        written.again = self.next.take().map_or(0, |next| next.end - start);
        self.log = log;
        let previous = std::mem::replace(&mut self.state, written);
        self.has_state = true;
        self.closed.clone_from(&self.state.closed);
        self.description = description.to_vec();
        (self.bytes_since, self.rounds_since, self.retry_at) = (0, 0, 0);
        self.replay.clear();
        self.remove_others(&previous)
    }

    /// Writes the frames of a state after its closed panes, and the log that follows it.
    fn write_rest(
        &mut self,
        written: &mut State,
        state: &[u8],
        open: &[(i64, Vec<u8>)],
        totals: Option<&[u8]>,
    ) -> Result<Growing<S::File>, StoreError> {
        for (number, content) in open {
            let byte = self.write_frame(Kind::Open, *number, content)?;
            written.open.push((*number, byte));
        }
        if let Some(content) = totals {
            written.totals = Some(self.write_frame(Kind::Totals, 0, content)?);
        }
        self.write_frame(Kind::State, 0, &written.encode(state))?;
        if let Some(next) = &mut self.next {
            next.sync(&mut self.counts)?;
        }
        sync_dir(&mut self.storage, &mut self.counts)?;
        create(
            &mut self.storage,
            Name::log(written.number),
            self.id,
            self.sequence,
            &encode_head(self.log.end, &written.description),
            &mut self.counts,
        )
    }

    /// Takes back a state that did not fit on the disk.
    ///
    /// The log goes first: a state without one is as good as the logs before it, but only until
    /// another round is appended to them.
    fn undo_state(&mut self, start: u64, error: StoreError) -> StoreError {
        let name = Name::log(self.log.name.number + 1);
        let removed = names(&mut self.storage).and_then(|found| {
            if !found.contains(&name) {
                return Ok(());
            }
            remove(&mut self.storage, name)?;
            sync_dir(&mut self.storage, &mut self.counts)
        });
        if let Err(other) = removed {
            return other.fatal();
        }
        match &mut self.next {
            Some(next) => next.undo(start, error, &mut self.counts),
            None => error,
        }
    }

    /// Appends a frame to the unfinished state, and returns where it begins.
    fn write_frame(&mut self, kind: Kind, number: i64, content: &[u8]) -> Result<u64, StoreError> {
        self.next_file()?;
        let Some(next) = &mut self.next else { unreachable!("it was opened above") };
        let start = next.end;
        let label = label(next, kind, self.id, self.sequence, number);
        fill(label, &next.place, content, &mut self.buffer)?;
        if let Err(error) = next.write(&self.buffer, &mut self.counts) {
            return Err(next.undo(start, error, &mut self.counts));
        }
        if next.end - next.synced >= SYNC_BYTES {
            next.sync(&mut self.counts)?;
        }
        Ok(start)
    }

    /// The unfinished state, which is created here.
    fn next_file(&mut self) -> Result<&mut Growing<S::File>, StoreError> {
        if self.next.is_none() {
            let name = Name::state(self.log.name.number + 1);
            let head = encode_head(self.log.end, &self.description);
            let created =
                create(&mut self.storage, name, self.id, self.sequence, &head, &mut self.counts);
            let next = match created {
                Err(error) if error.kind() == ErrorKind::Full => {
                    // What is left of it would be in the way of the next attempt.
                    if names(&mut self.storage)?.contains(&name) {
                        remove(&mut self.storage, name).map_err(StoreError::fatal)?;
                    }
                    return Err(error);
                }
                other => other?,
            };
            self.next = Some(next);
        }
        match &mut self.next {
            Some(next) => Ok(next),
            None => unreachable!("it was created above"),
        }
    }

    /// Removes what neither the newest state nor the one before needs.
    fn remove_others(&mut self, previous: &State) -> Result<(), StoreError> {
        let oldest_log = previous.number.max(1);
        let mut states = BTreeSet::from([previous.number, self.state.number]);
        states.extend(previous.files());
        states.extend(self.state.files());
        let is_needed = |name: &Name| match name.series {
            Series::Log => name.number >= oldest_log,
            Series::State => states.contains(&name.number),
        };
        let mut is_changed = false;
        for name in names(&mut self.storage)?.into_iter().filter(|name| !is_needed(name)) {
            remove(&mut self.storage, name)?;
            is_changed = true;
        }
        if is_changed {
            sync_dir(&mut self.storage, &mut self.counts)?;
        }
        Ok(())
    }

    /// Whether the log has grown so much that a state is due.
    pub fn is_state_due(&self) -> bool {
        let bytes = LOG_BYTES.max(2 * self.state.again).max(self.retry_at);
        self.bytes_since >= bytes || self.rounds_since >= LOG_ROUNDS && self.retry_at == 0
    }

    /// The highest number of a closed pane that was written.
    pub fn newest_closed(&self) -> Option<i64> {
        self.newest_closed
    }

    /// What was written since the journal was opened.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn is_alive(&self) -> Result<(), StoreError> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// Keeps an error after which nobody knows what is durable, and no large buffer.
    fn remember(&mut self, result: Result<(), StoreError>) -> Result<(), StoreError> {
        if self.buffer.capacity() > BUFFER_BYTES {
            self.buffer = Vec::new();
        }
        if let Err(error) = &result
            && error.kind() != ErrorKind::Full
        {
            self.failed = Some(error.clone());
        }
        result
    }
}

impl<F: StoredFile> Growing<F> {
    fn write(&mut self, bytes: &[u8], counts: &mut Counts) -> Result<(), StoreError> {
        write_all(&mut self.file, bytes, self.end)
            .map_err(|error| StoreError::io(&self.place, "cannot write", &error))?;
        self.end += bytes.len() as u64;
        counts.bytes += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self, counts: &mut Counts) -> Result<(), StoreError> {
        again(|| self.file.sync())
            .map_err(|error| StoreError::io(&self.place, "cannot sync", &error).fatal())?;
        self.synced = self.end;
        counts.syncs += 1;
        Ok(())
    }

    /// Writes once more what may not be durable.
    ///
    /// After a failed sync a file can be read as it was written although the disk has something
    /// else, and the next sync succeeds.
    fn write_again(&mut self) -> Result<(), StoreError> {
        let mut block =
            vec![0; BUFFER_BYTES.min(usize::try_from(self.end).unwrap_or(BUFFER_BYTES))];
        let mut at = self.synced;
        while at < self.end {
            let size = usize::try_from(self.end - at).map_or(block.len(), |n| n.min(block.len()));
            let read = read_full(&self.file, &mut block[..size], at)
                .map_err(|error| StoreError::io(&self.place, "cannot read", &error))?;
            if read < size {
                return Err(StoreError::damaged(&self.place, at, Fault::Short.words()));
            }
            write_all(&mut self.file, &block[..size], at)
                .map_err(|error| StoreError::io(&self.place, "cannot write", &error))?;
            at += size as u64;
        }
        Ok(())
    }

    /// Cuts what a failed write has left, if the disk is merely full.
    fn undo(&mut self, len: u64, error: StoreError, counts: &mut Counts) -> StoreError {
        if error.kind() != ErrorKind::Full {
            return error;
        }
        let cut = again(|| self.file.truncate(len))
            .map_err(|error| StoreError::io(&self.place, "cannot truncate", &error).fatal());
        self.end = len;
        match cut.and_then(|()| self.sync(counts)) {
            Ok(()) => error,
            Err(other) => other,
        }
    }
}

fn label<F>(file: &Growing<F>, kind: Kind, id: u64, sequence: u64, number: i64) -> Label {
    let &Growing { name, end, synced, .. } = file;
    Label { kind, id, file: name, sequence, synced, byte: end, number }
}

fn fill(label: Label, place: &str, payload: &[u8], buffer: &mut Vec<u8>) -> Result<(), StoreError> {
    encode(label, payload, buffer).ok_or_else(|| {
        StoreError::new(
            ErrorKind::Other,
            format!(
                "{place}: expected at most {FRAME_LIMIT} bytes at once, found {}; \
                 limit the number of keys, or shorten the slide",
                payload.len()
            ),
        )
    })
}

fn create<S: Storage>(
    storage: &mut S,
    name: Name,
    id: u64,
    sequence: u64,
    head: &[u8],
    counts: &mut Counts,
) -> Result<Growing<S::File>, StoreError> {
    let place = place_of(storage, name);
    let file = again(|| storage.create(&name.to_string()))
        .map_err(|error| StoreError::io(&place, "cannot create", &error))?;
    let mut created = Growing { file, name, place, end: 0, synced: 0 };
    let mut frame = Vec::new();
    fill(label(&created, Kind::Head, id, sequence, 0), &created.place, head, &mut frame)?;
    created.write(&frame, counts)?;
    created.sync(counts)?;
    if name.series == Series::Log {
        sync_dir(storage, counts)?;
    }
    Ok(created)
}

fn remove(storage: &mut impl Storage, name: Name) -> Result<(), StoreError> {
    again(|| storage.remove(&name.to_string()))
        .map_err(|error| StoreError::io(&place_of(storage, name), "cannot remove", &error))
}

fn sync_dir(storage: &mut impl Storage, counts: &mut Counts) -> Result<(), StoreError> {
    again(|| storage.sync_dir())
        .map_err(|error| StoreError::io(&storage.place(), "cannot sync", &error).fatal())?;
    counts.syncs += 1;
    Ok(())
}

/// Does what a recovery found to be necessary, and returns the log that goes on.
fn carry_out<S: Storage>(
    storage: &mut S,
    plan: &Plan,
    description: &[u8],
    id: u64,
    counts: &mut Counts,
) -> Result<Growing<S::File>, StoreError> {
    for &name in &plan.remove {
        remove(storage, name)?;
    }
    let name = Name::log(plan.log);
    if plan.create {
        let description = if plan.id.is_none() { description } else { &plan.description };
        let head = encode_head(plan.previous, description);
        return create(storage, name, plan.id.unwrap_or(id), plan.sequence, &head, counts);
    }
    let place = place_of(storage, name);
    let file = open(storage, name)?;
    let (synced, end) = plan.logs.last().map_or((0, 0), |rounds| (rounds.synced, rounds.end));
    let mut log = Growing { file, name, place, end, synced };
    if plan.cut.is_some() {
        again(|| log.file.truncate(end))
            .map_err(|error| StoreError::io(&log.place, "cannot truncate", &error))?;
    }
    log.write_again()?;
    log.sync(counts)?;
    sync_dir(storage, counts)?;
    Ok(log)
}
