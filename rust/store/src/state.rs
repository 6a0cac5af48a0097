//! States: panes, then one frame that makes them a state.

use std::collections::BTreeMap;

use crate::bytes::Reader;
use crate::error::StoreError;
use crate::frame::{Kind, Source};
use crate::name::Name;
use crate::storage::{Storage, StoredFile, again};

/// Where a closed pane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the state file.
    pub(crate) file: u64,
    pub(crate) byte: u64,
}

/// What the last frame of a state file says.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// The last round that is in it.
    pub(crate) sequence: u64,
    pub(crate) number: u64,
    /// How long the log was that ends with that round.
    pub(crate) log_len: u64,
    pub(crate) description: Vec<u8>,
    pub(crate) closed: BTreeMap<i64, Place>,
    pub(crate) open: Vec<(i64, u64)>,
    pub(crate) totals: Option<u64>,
    pub(crate) bytes: Vec<u8>,
    /// The bytes that each state writes again.
    pub(crate) again: u64,
}

impl State {
    pub(crate) fn encode(&self, state: &[u8]) -> Vec<u8> {
        let mut payload = Vec::with_capacity(
            48 + self.description.len()
                + 24 * self.closed.len()
                + 16 * self.open.len()
                + state.len(),
        );
        let count = |len: usize, payload: &mut Vec<u8>| {
            payload.extend_from_slice(&(len as u64).to_le_bytes());
        };
        payload.extend_from_slice(&self.log_len.to_le_bytes());
        count(self.description.len(), &mut payload);
        payload.extend_from_slice(&self.description);
        count(self.closed.len(), &mut payload);
        for (number, place) in &self.closed {
            payload.extend_from_slice(&number.to_le_bytes());
            payload.extend_from_slice(&place.file.to_le_bytes());
            payload.extend_from_slice(&place.byte.to_le_bytes());
        }
        count(self.open.len(), &mut payload);
        for (number, byte) in &self.open {
            payload.extend_from_slice(&number.to_le_bytes());
            payload.extend_from_slice(&byte.to_le_bytes());
        }
        // No pane begins at byte 0: the head does.
        payload.extend_from_slice(&self.totals.unwrap_or(0).to_le_bytes());
        payload.extend_from_slice(state);
        payload
    }

    fn parse(payload: &[u8]) -> Option<State> {
        let mut reader = Reader(payload);
        let log_len = reader.u64()?;
        let len = usize::try_from(reader.u64()?).ok()?;
        let description = reader.take(len)?.to_vec();
        let mut closed = BTreeMap::new();
        for _ in 0..reader.u64()? {
            let number = reader.i64()?;
            closed.insert(number, Place { file: reader.u64()?, byte: reader.u64()? });
        }
        let mut open = Vec::new();
        for _ in 0..reader.u64()? {
            open.push((reader.i64()?, reader.u64()?));
        }
        let totals = Some(reader.u64()?).filter(|&byte| byte > 0);
        let bytes = reader.0.to_vec();
        Some(State { log_len, description, closed, open, totals, bytes, ..State::default() })
    }

    /// The state files that it needs besides its own.
    pub(crate) fn files(&self) -> impl Iterator<Item = u64> + '_ {
        self.closed.values().map(|place| place.file)
    }
}

/// Reads a state and checks every pane that it needs; the inner error says why it is not whole.
pub(crate) fn read_state<S: Storage>(
    storage: &mut S,
    number: u64,
    id: u64,
) -> Result<Result<State, StoreError>, StoreError> {
    let name = Name::state(number);
    let place = place_of(storage, name);
    let file = open(storage, name)?;
    let source = Source::new(&file, name, &place)?;
    let state = match read_whole(&source, id)? {
        Ok(state) => state,
        Err((byte, what)) => return Ok(Err(StoreError::damaged(&place, byte, what))),
    };

    let own = (state.open.iter().map(|&(number, byte)| (Kind::Open, number, byte)))
        .chain(state.totals.map(|byte| (Kind::Totals, 0, byte)));
    if let Some(error) = first_bad(&source, id, own)? {
        return Ok(Err(error));
    }
    let mut others: BTreeMap<u64, Vec<(Kind, i64, u64)>> = BTreeMap::new();
    for (&pane, place) in &state.closed {
        others.entry(place.file).or_default().push((Kind::Closed, pane, place.byte));
    }
    let names = names(storage)?;
    for (number, panes) in others {
        let name = Name::state(number);
        let place = place_of(storage, name);
        if !names.contains(&name) {
            return Ok(Err(StoreError::missing(&place)));
        }
        let file = open(storage, name)?;
        let source = Source::new(&file, name, &place)?;
        if let Some(error) = first_bad(&source, id, panes.into_iter())? {
            return Ok(Err(error));
        }
    }
    Ok(Ok(state))
}

fn first_bad<F: StoredFile>(
    source: &Source<'_, F>,
    id: u64,
    panes: impl Iterator<Item = (Kind, i64, u64)>,
) -> Result<Option<StoreError>, StoreError> {
    for (kind, number, byte) in panes {
        let what = match source.check(byte, Some(id))? {
            Ok(header) if header.kind == kind && header.number == number => continue,
            Ok(_) => "expected a pane of the window, found another frame",
            Err(fault) => fault.words(),
        };
        return Ok(Some(StoreError::damaged(source.place, byte, what)));
    }
    Ok(None)
}

/// Reads the last frame of a state file; the inner error is where and why it is not whole.
fn read_whole<F: StoredFile>(
    source: &Source<'_, F>,
    id: u64,
) -> Result<Result<State, (u64, &'static str)>, StoreError> {
    let (mut at, mut size) = (0, 0);
    loop {
        let header = match source.header(at, Some(id))? {
            Ok(header) => header,
            Err(fault) => return Ok(Err((at, fault.words()))),
        };
        match header.kind {
            Kind::State => break,
            Kind::Open | Kind::Totals => size += header.size(),
            Kind::Head | Kind::Round | Kind::Closed => {}
        }
        at = header.end();
    }
    let (header, payload) = match source.payload(at, Some(id))? {
        Ok(found) => found,
        Err(fault) => return Ok(Err((at, fault.words()))),
    };
    if header.end() != source.len {
        return Ok(Err((header.end(), "expected the end of the file, found more")));
    }
    let Some(state) = State::parse(&payload) else {
        return Ok(Err((at, "expected a state, found bytes that are not one")));
    };
    let again = size + header.size();
    Ok(Ok(State { number: source.name.number, sequence: header.sequence, again, ..state }))
}

/// The newest round that an unfinished state file was written after.
pub(crate) fn newest_sequence<F: StoredFile>(
    source: &Source<'_, F>,
    id: u64,
) -> Result<u64, StoreError> {
    let (mut at, mut newest) = (0, 0);
    while let Ok(header) = source.header(at, Some(id))? {
        newest = header.sequence.max(newest);
        at = header.end();
    }
    Ok(newest)
}

pub(crate) fn place_of(storage: &impl Storage, name: Name) -> String {
    format!("{}/{name}", storage.place())
}

pub(crate) fn open<S: Storage>(storage: &mut S, name: Name) -> Result<S::File, StoreError> {
    let place = place_of(storage, name);
    again(|| storage.open(&name.to_string()))
        .map_err(|error| StoreError::io(&place, "cannot open", &error))
}

/// The files of the journal, sorted.
pub(crate) fn names(storage: &mut impl Storage) -> Result<Vec<Name>, StoreError> {
    let place = storage.place();
    let found =
        again(|| storage.names()).map_err(|error| StoreError::io(&place, "cannot list", &error))?;
    let mut names: Vec<Name> = found.iter().filter_map(|name| Name::parse(name)).collect();
    names.sort_unstable();
    Ok(names)
}
