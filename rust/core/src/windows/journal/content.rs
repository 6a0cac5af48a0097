//! Deltas as bytes.

use std::collections::BTreeMap;

use super::{
    RecordError, get_counters, get_place, get_size, get_skipped, put_counters, put_skipped,
};
use crate::ground::{MAX_TIME, Panes};
use crate::windows::aggregate::Plan;
use crate::windows::delta::{Delta, Entry, Evicted};
use crate::windows::keys::{Seed, index32};
use crate::windows::parts::{Parts, TimeBounds};
use crate::windows::varint::{get_signed, get_text, get_varint, put_signed, put_text, put_varint};

const SENDER: u64 = 1;
const RECEIVED: u64 = 2;
const OLDEST: u64 = 4;
const NEWEST: u64 = 8;
const SPLIT: u64 = 16;
const NULL_KEY: u64 = 32;
const OTHER_KEYS: u64 = 64;
const EVICTED: u64 = 128;
const FIRST: u64 = 256;
const SINCE_START: u64 = 512;

/// Encodes a delta: all that it adds to a state, in the order in which it is added.
pub fn encode_content(delta: &Delta) -> Vec<u8> {
    let mut out = Vec::new();
    put_delta(&mut out, delta);
    out
}

pub(super) fn put_delta(out: &mut Vec<u8>, delta: &Delta) {
    let keys = || (0..).zip(delta.keys.all());
    let (mut null, mut size) = (None, 64 + 2 * delta.entries.len());
    for (id, (_, key)) in keys() {
        match key {
            Some(key) => size += key.len() + 1,
            None if delta.other != Some(id) => null = Some(id),
            None => {}
        }
    }
    out.reserve(size);
    let received = Some(delta.received).filter(|&received| received < i64::MAX);
    let (oldest, newest) = (delta.time_bounds.oldest(), delta.time_bounds.newest());
    let evicted = delta.evicted;
    let first = evicted.and_then(|evicted| evicted.first);
    let flags = [
        (SENDER, delta.sender().is_some()),
        (RECEIVED, received.is_some()),
        (OLDEST, oldest.is_some()),
        (NEWEST, newest.is_some()),
        (SPLIT, delta.is_split()),
        (NULL_KEY, null.is_some()),
        (OTHER_KEYS, delta.other.is_some()),
        (EVICTED, evicted.is_some()),
        (FIRST, first.is_some()),
        (SINCE_START, evicted.is_some_and(|evicted| evicted.since_start)),
    ];
    put_varint(out, flags.iter().filter(|flag| flag.1).map(|flag| flag.0).sum());
    put_varint(out, delta.source as u64);
    if let Some(sender) = delta.sender() {
        put_text(out, sender);
    }
    // Each is near the one before it.
    let mut before = 0;
    for time in [received, newest, oldest].into_iter().flatten() {
        put_signed(out, time.wrapping_sub(before));
        before = time;
    }
    for pane in [evicted.map(|evicted| evicted.complete_from), first].into_iter().flatten() {
        put_signed(out, pane);
    }
    put_counters(out, &delta.lines);

    for special in [null, delta.other].into_iter().flatten() {
        put_varint(out, special.into());
    }
    put_varint(out, delta.keys.len() as u64);
    for (_, (_, key)) in keys() {
        if let Some(key) = key {
            put_text(out, key);
        }
    }

    let places = put_panes(out, delta);
    for column in &delta.columns {
        for &place in places.iter().flatten() {
            column.encode(place as usize, out);
        }
    }
}

/// Writes parts, panes and entries, and returns the places of the entries in the written order.
fn put_panes(out: &mut Vec<u8>, delta: &Delta) -> Vec<Vec<u32>> {
    let mut by_pane = delta.by_pane();
    let mut written = Vec::with_capacity(by_pane.len());
    let mut senders = BTreeMap::new();
    let mut next_key = 0;
    let mut before = 0;
    let parts = delta.parts();
    if delta.is_split() {
        put_varint(out, parts.len() as u64);
    }
    for part in parts {
        if delta.is_split() {
            put_part_sender(
                out,
                part.sender.filter(|_| part.sender != delta.sender()),
                &mut senders,
            );
            super::put_optional(out, part.newest);
        }
        put_skipped(out, part.skipped);
        put_varint(out, part.places.len() as u64);
        for place in part.places {
            put_signed(out, delta.panes[place].wrapping_sub(before));
            before = delta.panes[place];
            let places = std::mem::take(&mut by_pane[place]);
            put_varint(out, places.len() as u64);
            for &at in &places {
                let Entry { key, count, .. } = delta.entries[at as usize];
                // Nearly every key is new, and nearly every one of these has one event.
                let distance = i64::from(next_key) - i64::from(key);
                let zigzag = (distance << 1 ^ distance >> 63).cast_unsigned();
                put_varint(out, zigzag << 1 | u64::from(count > 1));
                if count > 1 {
                    put_varint(out, count.into());
                }
                next_key = next_key.max(key + 1);
            }
            written.push(places);
        }
    }
    written
}

/// Writes the number of a sender: 0 for the peer, 1 for a new one, whose name follows.
fn put_part_sender<'a>(
    out: &mut Vec<u8>,
    sender: Option<&'a [u8]>,
    known: &mut BTreeMap<&'a [u8], u64>,
) {
    let Some(name) = sender else {
        put_varint(out, 0);
        return;
    };
    if let Some(number) = known.get(name) {
        put_varint(out, *number);
        return;
    }
    known.insert(name, known.len() as u64 + 2);
    put_varint(out, 1);
    put_text(out, name);
}

/// Reads content for an engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContentReader<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) panes: Option<Panes>,
    pub(crate) seed: &'a Seed,
}

impl ContentReader<'_> {
    /// Decodes content that [`encode_content`] has written.
    pub(crate) fn decode(&self, bytes: &[u8]) -> Result<Delta, RecordError> {
        let mut rest = bytes;
        let delta = self.delta(&mut rest).filter(|_| rest.is_empty());
        let mut delta = delta
            .ok_or(RecordError::Damaged { what: "content", byte: bytes.len() - rest.len() })?;
        delta.columns.iter_mut().for_each(|column| column.shrink());
        Ok(delta)
    }

    /// Reads a delta whose entries are among its counted lines.
    pub(super) fn counted(&self, bytes: &mut &[u8]) -> Option<Delta> {
        let delta = self.delta(bytes)?;
        let counted: u64 = delta.entries.iter().map(|entry| u64::from(entry.count)).sum();
        (counted <= delta.lines.counted).then_some(delta)
    }

    fn delta(&self, bytes: &mut &[u8]) -> Option<Delta> {
        let flags = get_varint(bytes).filter(|&flags| flags < 2 * SINCE_START)?;
        if flags & EVICTED == 0 && flags & (FIRST | SINCE_START) != 0 {
            return None;
        }
        let mut delta = Delta::new(get_size(bytes)?, self.plan.columns());
        let sender = if flags & SENDER == 0 { None } else { Some(get_text(bytes)?) };
        let mut before = 0_i64;
        let mut time = |flag: u64, bytes: &mut &[u8]| {
            if flags & flag == 0 {
                return Some(None);
            }
            before = before.wrapping_add(get_signed(bytes)?);
            Some(Some(before))
        };
        let received = time(RECEIVED, bytes)?;
        let (newest, oldest) = (time(NEWEST, bytes)?, time(OLDEST, bytes)?);
        if received.is_some_and(|received| received.unsigned_abs() > super::MOST)
            || ![newest, oldest].into_iter().flatten().all(is_time)
        {
            return None;
        }
        delta.received_from(sender, received.unwrap_or(i64::MAX));
        delta.time_bounds = TimeBounds::new(oldest, newest);
        if flags & EVICTED != 0 {
            let complete_from = get_place(bytes)?;
            let first = if flags & FIRST == 0 { None } else { Some(get_place(bytes)?) };
            let since_start = flags & SINCE_START != 0;
            delta.evicted = Some(Evicted { complete_from, first, since_start });
        }
        delta.lines = get_counters(bytes)?;
        self.keys(&mut delta, flags, bytes)?;
        self.parts(&mut delta, flags & SPLIT != 0, bytes)?;
        let entries = delta.entries.len();
        for column in &mut delta.columns {
            column.resize(entries);
            for entry in 0..entries {
                column.decode(entry, bytes)?;
            }
        }
        Some(delta)
    }

    fn keys(&self, delta: &mut Delta, flags: u64, bytes: &mut &[u8]) -> Option<()> {
        let special = |flag: u64, bytes: &mut &[u8]| {
            if flags & flag == 0 { Some(None) } else { get_size(bytes).map(Some) }
        };
        let (null, other) = (special(NULL_KEY, bytes)?, special(OTHER_KEYS, bytes)?);
        let count = get_size(bytes)?;
        let is_known = |place: Option<usize>| place.is_none_or(|place| place < count);
        if !is_known(null) || !is_known(other) || (null == other && null.is_some()) {
            return None;
        }
        delta.keys.reserve(count.min(bytes.len()));
        for place in 0..count {
            if Some(place) == null {
                delta.keys.append(None, self.seed);
            } else if Some(place) == other {
                delta.other = Some(delta.keys.other());
            } else {
                delta.keys.append(Some(get_text(bytes)?), self.seed);
            }
        }
        Some(())
    }

    fn parts(&self, delta: &mut Delta, is_split: bool, bytes: &mut &[u8]) -> Option<()> {
        let mut next_key = 0;
        let mut pane = 0;
        if !is_split {
            delta.skipped = get_skipped(bytes)?;
            self.panes(delta, &mut next_key, &mut pane, bytes)?;
            return Some(());
        }
        let mut parts = Parts::default();
        let mut names: Vec<&[u8]> = Vec::new();
        for _ in 0..get_size(bytes)? {
            let name = match get_size(bytes)? {
                0 => None,
                1 => {
                    let name = get_text(bytes)?;
                    names.push(name);
                    Some(name)
                }
                known => Some(*names.get(known - 2)?),
            };
            let newest = super::get_optional(bytes)?;
            if !newest.is_none_or(is_time) {
                return None;
            }
            let skipped = get_skipped(bytes)?;
            let panes = self.panes(delta, &mut next_key, &mut pane, bytes)?;
            parts.push(name, newest, skipped, panes);
        }
        delta.set_parts(parts);
        Some(())
    }

    /// Reads the panes of a part, and returns their number.
    fn panes(
        &self,
        delta: &mut Delta,
        next_key: &mut u32,
        number: &mut i64,
        bytes: &mut &[u8],
    ) -> Option<usize> {
        let keys = index32(delta.keys.len());
        let count = get_size(bytes)?;
        for _ in 0..count {
            *number = number.wrapping_add(get_signed(bytes)?);
            let is_in_range = match self.panes {
                None => *number == 0,
                Some(panes) => panes.can_contain_events(*number),
            };
            if !is_in_range {
                return None;
            }
            let pane = delta.panes.len();
            delta.panes.push(*number);
            let entries = get_size(bytes)?;
            delta.entries.reserve(entries.min(bytes.len()));
            for _ in 0..entries {
                let bits = get_varint(bytes)?;
                let zigzag = bits >> 1;
                let distance = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
                let key = i64::from(*next_key).checked_sub(distance)?;
                let key = u32::try_from(key).ok().filter(|&key| key < keys)?;
                let count = if bits & 1 == 0 {
                    1
                } else {
                    u32::try_from(get_varint(bytes)?).ok().filter(|&count| count > 1)?
                };
                *next_key = (*next_key).max(key + 1);
                delta.entries.push(Entry { pane, key, count });
            }
        }
        Some(count)
    }
}

/// Returns whether an event or the start of a pane of a table can have this time.
fn is_time(time: i64) -> bool {
    time.unsigned_abs() <= 2 * MAX_TIME.unsigned_abs()
}
