//! The parts of a chunk whose events name their senders.
//!
//! A sender is known from its first time on, and what other senders have shown before decides
//! whether its first events are late. So a round of parts ends before the first time of each
//! sender of the chunk, and the part of that sender comes first in the next round. Then chunk
//! boundaries have no effect: within a round all senders are known, and their order does not
//! matter.

use std::collections::BTreeMap;

use super::watermark::MAX_SENDERS;
use crate::ground::Counters;

/// The longest name of a sender in bytes; of a longer one, the beginning counts.
const MAX_NAME: usize = 255;

/// What one sender sent in a round.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// The number of its sender.
    sender: usize,
    round: u32,
    pub(super) newest: Option<i64>,
    /// Its lines that are in no pane, by the pane that it had reached in this chunk.
    pub(super) skipped: Vec<(Option<i64>, Counters)>,
}

#[derive(Debug)]
struct Sender {
    /// Its name with a mark, so that no address of a peer equals it; `None` for the peer.
    name: Option<Box<[u8]>>,
    /// Its latest part.
    part: usize,
    has_time: bool,
}

/// The parts of a delta.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    senders: Vec<Sender>,
    numbers: BTreeMap<Option<Box<[u8]>>, usize>,
    all: Vec<Part>,
    round: u32,
    /// The sender of the current part.
    current: Option<usize>,
    /// The part of each pane.
    of_panes: Vec<usize>,
    /// The oldest and the newest time of all finished parts.
    bounds: TimeBounds,
}

/// The oldest and the newest event time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeBounds {
    oldest: i64,
    pub(super) newest: i64,
}

impl Default for TimeBounds {
    fn default() -> Self {
        Self { oldest: i64::MAX, newest: i64::MIN }
    }
}

impl TimeBounds {
    pub(crate) fn new(oldest: Option<i64>, newest: Option<i64>) -> Self {
        Self { oldest: oldest.unwrap_or(i64::MAX), newest: newest.unwrap_or(i64::MIN) }
    }

    #[inline]
    pub(super) fn add(&mut self, time: i64) {
        self.oldest = self.oldest.min(time);
        self.newest = self.newest.max(time);
    }

    pub(super) fn include(&mut self, other: Self) {
        self.oldest = self.oldest.min(other.oldest);
        self.newest = self.newest.max(other.newest);
    }

    pub(crate) fn oldest(self) -> Option<i64> {
        Some(self.oldest).filter(|&oldest| oldest < i64::MAX)
    }

    pub(crate) fn newest(self) -> Option<i64> {
        Some(self.newest).filter(|&newest| newest > i64::MIN)
    }
}

/// A part as a state adds it.
#[derive(Debug)]
pub(super) struct PartView<'a> {
    /// The name of its sender; `None` if the source is its only one.
    pub(super) sender: Option<&'a [u8]>,
    pub(super) newest: Option<i64>,
    pub(super) skipped: &'a [(Option<i64>, Counters)],
    /// The places of its panes in the delta.
    pub(super) places: Vec<usize>,
}

impl Parts {
    /// Adds a finished part after the others: its sender (`None` for the peer), its newest time, its
    /// lines that are in no pane, and its number of panes, which come after those of other parts.
    pub(super) fn push(
        &mut self,
        name: Option<&[u8]>,
        newest: Option<i64>,
        skipped: Vec<(Option<i64>, Counters)>,
        panes: usize,
    ) {
        let Self { senders, all, of_panes, .. } = self;
        let (part, sender) = (all.len(), senders.len());
        senders.push(Sender { name: name.map(Into::into), part, has_time: newest.is_some() });
        all.push(Part { sender, newest, skipped, ..Part::default() });
        of_panes.resize(of_panes.len() + panes, part);
    }

    /// Returns whether a sender is the current one; `None` is the peer.
    pub(super) fn is_current(&self, name: Option<&[u8]>) -> bool {
        let current = self.current.and_then(|current| self.senders.get(current));
        current.is_some_and(|sender| sender.name.as_deref().map(|name| &name[1..]) == name.map(cut))
    }

    /// Makes a sender the current one, and exchanges the times and lines of its part.
    pub(super) fn turn_to(&mut self, name: Option<&[u8]>, working: &mut Working<'_>) {
        self.put_back(working);
        let name = name.map(|name| [b"=", cut(name)].concat().into_boxed_slice());
        let Self { senders, numbers, all, round, .. } = self;
        let is_full = senders.len() > MAX_SENDERS;
        let number = match numbers.get(&name) {
            Some(&number) => number,
            // The last sender is all others.
            None if is_full => senders.len() - 1,
            None => {
                numbers.insert(name.clone(), senders.len());
                senders.push(Sender { name, part: usize::MAX, has_time: false });
                senders.len() - 1
            }
        };
        let sender = &mut senders[number];
        if all.get(sender.part).is_none_or(|part| part.round != *round) {
            sender.part = all.len();
            all.push(Part { sender: number, round: *round, ..Part::default() });
        }
        let part = &mut all[sender.part];
        *working.bounds = TimeBounds::new(None, part.newest);
        *working.skipped = std::mem::take(&mut part.skipped);
        self.current = Some(number);
    }

    /// Begins a round if the current sender has shown its first time.
    pub(super) fn note_first_time(&mut self) {
        if let Some(sender) = self.current.and_then(|current| self.senders.get_mut(current))
            && !std::mem::replace(&mut sender.has_time, true)
        {
            self.round += 1;
            self.all[sender.part].round = self.round;
        }
    }

    /// Puts the times and lines of the current part back into it.
    fn put_back(&mut self, working: &mut Working<'_>) {
        if let Some(current) = self.current.take() {
            let part = &mut self.all[self.senders[current].part];
            part.newest = working.bounds.newest();
            part.skipped = std::mem::take(working.skipped);
            self.bounds.include(*working.bounds);
        }
    }

    /// Ends the chunk, and puts the times of all parts into place.
    pub(super) fn finish(&mut self, working: &mut Working<'_>) {
        self.put_back(working);
        *working.bounds = self.bounds;
    }

    /// Returns the number of the current part.
    pub(super) fn current(&self) -> usize {
        self.current.map_or(0, |current| self.senders[current].part)
    }

    /// Returns the part of each pane. Whoever adds a pane to the delta adds its part here.
    pub(super) fn of_panes(&mut self) -> &mut Vec<usize> {
        &mut self.of_panes
    }

    /// Returns all parts in the order in which a state adds them.
    pub(super) fn views<'a>(&'a self, peer: Option<&'a [u8]>) -> Vec<PartView<'a>> {
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        // The part that begins a round is older than the others in it.
        order.sort_by_key(|&number| self.all[number].round);
        let mut places = vec![Vec::new(); self.all.len()];
        for (place, &part) in self.of_panes.iter().enumerate() {
            places[part].push(place);
        }
        let view = |number: usize| {
            let Part { sender, newest, skipped, .. } = &self.all[number];
            let sender = self.senders[*sender].name.as_deref().or(peer);
            let places = std::mem::take(&mut places[number]);
            PartView { sender, newest: *newest, skipped, places }
        };
        order.into_iter().map(view).collect()
    }
}

/// The times and the skipped lines of the part that a delta works on.
pub(super) struct Working<'a> {
    pub(super) bounds: &'a mut TimeBounds,
    pub(super) skipped: &'a mut Vec<(Option<i64>, Counters)>,
}

fn cut(name: &[u8]) -> &[u8] {
    &name[..name.len().min(MAX_NAME)]
}
