//! Rounds: lists of changes.

use super::content::{ContentReader, put_delta};
use super::{
    Answered, RecordError, get_flag, get_kinds, get_optional, get_place, get_size, put_kinds,
    put_optional,
};
use crate::windows::delta::Delta;
use crate::windows::export::SeenKind;
use crate::windows::varint::{get_text, get_varint, put_signed, put_text, put_varint, take};

/// Ends a round, so that a part of one is not a round.
const LAST: u8 = 0;
const DELTA: u8 = 1;
const HEARD_DELTA: u8 = 2;
const ABANDON: u8 = 3;
const ADVANCE: u8 = 4;
const IDLE: u8 = 5;
const END: u8 = 6;
const ADD_SOURCE: u8 = 7;
const LISTEN: u8 = 8;
const REOPEN: u8 = 9;
const ANSWERED: u8 = 10;
const FINISH: u8 = 11;
const KINDS: u8 = 12;
const NOTE: u8 = 13;
const START: u8 = 14;

/// The bytes of a round: what changes an engine, in the order in which it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    bytes: Vec<u8>,
}

impl Changes {
    /// Creates a round without changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the start time of an engine for logs, which comes before all other changes of it.
    pub fn start(&mut self, start: i64) {
        self.add(START, |out| put_signed(out, start));
    }

    /// Adds a delta ([`Engine::apply_heard`](crate::Engine::apply_heard)).
    pub fn delta(&mut self, delta: &Delta, listened: Option<i64>) {
        match listened {
            None => self.add(DELTA, |out| put_delta(out, delta)),
            Some(listened) => self.add(HEARD_DELTA, |out| {
                put_signed(out, listened);
                put_delta(out, delta);
            }),
        }
    }

    /// Adds the lines of a chunk that was dropped ([`Engine::abandon`](crate::Engine::abandon)).
    pub fn abandon(&mut self, source: usize, sender: Option<&[u8]>, now: i64, count: u64) {
        self.add(ABANDON, |out| {
            put_sender(out, source, sender);
            put_signed(out, now);
            put_varint(out, count);
        });
    }

    /// Adds the clock ([`Engine::advance`](crate::Engine::advance)).
    pub fn advance(&mut self, now: i64) {
        self.add(ADVANCE, |out| put_signed(out, now));
    }

    /// Adds the silence of live sources ([`State::mark_idle`](crate::State::mark_idle)).
    pub fn idle(&mut self, before: i64) {
        self.add(IDLE, |out| put_signed(out, before));
    }

    /// Adds the end of a source, or of one of its senders.
    pub fn end(&mut self, source: usize, sender: Option<&[u8]>) {
        self.add(END, |out| put_sender(out, source, sender));
    }

    /// Adds a source, which gets the next number.
    pub fn add_source(&mut self) {
        self.add(ADD_SOURCE, |_| {});
    }

    /// Adds that a source is a live one, which is listened to from now on.
    pub fn listen(&mut self, source: usize, listened: i64) {
        self.add(LISTEN, |out| {
            put_varint(out, source as u64);
            put_signed(out, listened);
        });
    }

    /// Adds that a source that has ended goes on
    /// ([`State::reopen_source`](crate::State::reopen_source)).
    pub fn reopen(&mut self, source: usize) {
        self.add(REOPEN, |out| put_varint(out, source as u64));
    }

    /// Adds that all ends up to this one were answered
    /// ([`Engine::answered`](crate::Engine::answered)).
    pub fn answered(&mut self, answered: Answered) {
        self.add(ANSWERED, |out| {
            put_signed(out, answered.end);
            put_varint(out, answered.lengths.map_or(0, |lengths| lengths as u64 + 1));
            put_optional(out, answered.before);
        });
    }

    /// Adds the end of the input ([`Engine::finish`](crate::Engine::finish)).
    pub fn finish(&mut self) {
        self.add(FINISH, |_| {});
    }

    /// Adds the kinds of keys and values, for input that reveals them only with its first values.
    pub(crate) fn kinds(&mut self, keys: &[SeenKind], values: &[SeenKind]) {
        self.add(KINDS, |out| {
            put_kinds(out, keys);
            put_kinds(out, values);
        });
    }

    /// Adds bytes for the caller; an engine passes them on when it replays the round.
    pub fn note(&mut self, note: &[u8]) {
        self.add(NOTE, |out| put_text(out, note));
    }

    /// Adds the changes of another round.
    pub fn append(&mut self, other: &Self) {
        if let Some(bytes) = other.bytes.strip_suffix(&[LAST]) {
            self.bytes.pop();
            self.bytes.extend_from_slice(bytes);
            self.bytes.push(LAST);
        }
    }

    /// Returns whether there is no change.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the bytes of the round.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn add(&mut self, what: u8, write: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.pop();
        self.bytes.push(what);
        write(&mut self.bytes);
        self.bytes.push(LAST);
    }
}

fn put_sender(out: &mut Vec<u8>, source: usize, sender: Option<&[u8]>) {
    put_varint(out, source as u64);
    out.push(sender.is_some().into());
    if let Some(sender) = sender {
        put_text(out, sender);
    }
}

/// A change of a round.
#[derive(Debug)]
pub(crate) enum Change<'a> {
    Delta(Box<Delta>, Option<i64>),
    Abandon { source: usize, sender: Option<&'a [u8]>, now: i64, count: u64 },
    Advance(i64),
    Idle(i64),
    End(usize, Option<&'a [u8]>),
    AddSource,
    Listen(usize, i64),
    Reopen(usize),
    Answered(Answered),
    Finish,
    Kinds([Vec<SeenKind>; 2]),
    Note(&'a [u8]),
    Start(i64),
}

/// Reads the changes of a round, each with its first byte.
pub(crate) fn read_changes<'a>(
    round: &'a [u8],
    reader: &ContentReader<'_>,
) -> Result<Vec<(usize, Change<'a>)>, RecordError> {
    let (mut rest, mut changes) = (round, Vec::new());
    while rest != [LAST] {
        let byte = round.len() - rest.len();
        let change = next_change(&mut rest, reader);
        let what = "round";
        let damaged = || RecordError::Damaged { what, byte: round.len() - rest.len() };
        changes.push((byte, change.ok_or_else(damaged)?));
    }
    Ok(changes)
}

/// Reads a change from the front of a round.
fn next_change<'a>(bytes: &mut &'a [u8], reader: &ContentReader<'_>) -> Option<Change<'a>> {
    let [what] = take(bytes)?;
    Some(match what {
        DELTA => Change::Delta(Box::new(reader.counted(bytes)?), None),
        HEARD_DELTA => {
            let listened = get_place(bytes)?;
            Change::Delta(Box::new(reader.counted(bytes)?), Some(listened))
        }
        ABANDON => {
            let (source, sender) = get_sender(bytes)?;
            let now = get_place(bytes)?;
            let count = get_varint(bytes).filter(|&count| count <= super::MOST)?;
            Change::Abandon { source, sender, now, count }
        }
        ADVANCE => Change::Advance(get_place(bytes)?),
        IDLE => Change::Idle(get_place(bytes)?),
        END => {
            let (source, sender) = get_sender(bytes)?;
            Change::End(source, sender)
        }
        ADD_SOURCE => Change::AddSource,
        LISTEN => Change::Listen(get_size(bytes)?, get_place(bytes)?),
        REOPEN => Change::Reopen(get_size(bytes)?),
        ANSWERED => {
            let (end, lengths) = (get_place(bytes)?, get_size(bytes)?);
            let (lengths, before) = (lengths.checked_sub(1), get_optional(bytes)?);
            Change::Answered(Answered { end, lengths, before })
        }
        FINISH => Change::Finish,
        KINDS => Change::Kinds([get_kinds(bytes)?, get_kinds(bytes)?]),
        NOTE => Change::Note(get_text(bytes)?),
        START => Change::Start(get_place(bytes)?),
        _ => return None,
    })
}

fn get_sender<'a>(bytes: &mut &'a [u8]) -> Option<(usize, Option<&'a [u8]>)> {
    let source = get_size(bytes)?;
    let sender = if get_flag(bytes)? { Some(get_text(bytes)?) } else { None };
    Some((source, sender))
}
