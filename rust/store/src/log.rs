//! Logs: a head, then rounds with consecutive numbers.

use crate::bytes::Reader;
use crate::error::StoreError;
use crate::frame::{Fault, Header, Kind, Source};
use crate::storage::StoredFile;

/// The payload of a head. What follows the counted part is the caller's description of the query,
/// so that part can grow.
pub(crate) fn encode_head(previous: u64, description: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(12 + description.len());
    payload.extend_from_slice(&8_u32.to_le_bytes());
    payload.extend_from_slice(&previous.to_le_bytes());
    payload.extend_from_slice(description);
    payload
}

/// The head of a file.
pub(crate) struct Head {
    pub(crate) header: Header,
    /// How long the log before was when this file began; 0 without one.
    pub(crate) previous: u64,
    pub(crate) description: Vec<u8>,
}

fn parse_head(payload: &[u8]) -> Option<(u64, &[u8])> {
    let mut reader = Reader(payload);
    let counted = reader.u32()? as usize;
    let mut fixed = Reader(reader.take(counted)?);
    Some((fixed.u64()?, reader.0))
}

/// Reads the head of a file; `None` if it was never written as a whole, so that nothing follows.
pub(crate) fn read_head<F: StoredFile>(
    source: &Source<'_, F>,
    id: Option<u64>,
) -> Result<Option<Head>, StoreError> {
    let damaged = |fault: Fault| Err(StoreError::damaged(source.place, 0, fault.words()));
    match source.payload(0, id)? {
        Ok((header, payload)) => match parse_head(&payload) {
            Some((previous, description)) if header.kind == Kind::Head => {
                Ok(Some(Head { header, previous, description: description.to_vec() }))
            }
            _ => damaged(Fault::Bytes),
        },
        Err(fault @ (Fault::Short | Fault::Bytes)) => {
            if source.proves_synced(0, id, 0)? {
                return damaged(fault);
            }
            Ok(None)
        }
        Err(fault) => damaged(fault),
    }
}

/// The rounds of a log, all of them checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    pub(crate) number: u64,
    /// Where the first one begins.
    pub(crate) start: u64,
    /// Where the last one ends.
    pub(crate) end: u64,
    pub(crate) count: u64,
    /// The number of the last round, or of the last one before.
    pub(crate) last: u64,
    /// The log is certainly durable up to this byte.
    pub(crate) synced: u64,
}

/// Checks the rounds of a log, and returns them with what is wrong after the last good one.
pub(crate) fn read_rounds<F: StoredFile>(
    source: &Source<'_, F>,
    head: &Header,
) -> Result<(Rounds, Option<Fault>), StoreError> {
    let start = head.end();
    let number = source.name.number;
    let mut rounds = Rounds { number, start, end: start, count: 0, last: head.sequence, synced: 0 };
    while rounds.end < source.len {
        match source.check(rounds.end, Some(head.id))? {
            Ok(found) if found.kind == Kind::Round && found.sequence == rounds.last + 1 => {
                rounds.end = found.end();
                rounds.count += 1;
                rounds.last = found.sequence;
                rounds.synced = found.synced;
            }
            Ok(_) => return Ok((rounds, Some(Fault::Sequence))),
            Err(fault) => return Ok((rounds, Some(fault))),
        }
    }
    Ok((rounds, None))
}
