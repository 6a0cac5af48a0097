//! Running totals over the last panes.
//!
//! A pane is added to the totals when it closes and subtracted when it leaves, so a slide costs
//! the two panes at the edges however long the window is. That works because counting has an
//! exact inverse. It would not for a maximum, and a float sum would drift: what these do instead
//! stands with each aggregate. (Arasu and Widom, "Resource Sharing in Continuous Sliding-Window
//! Aggregates", VLDB 2004, call it subtract-on-evict.)
//!
//! Several lengths look lookback over the same panes, each with totals of its own; one without a
//! length is of everything since the start.

use std::collections::VecDeque;

use super::aggregate::Plan;
use super::delta::Delta;
use super::keys::KeyTable;
use super::pane::Pane;
use super::rank::{Ranking, by_key};
use super::totals::Totals;

#[derive(Debug)]
pub(crate) struct Window {
    /// Closed panes that have an event, with their numbers, oldest first.
    panes: VecDeque<(i64, Pane)>,
    lookbacks: Vec<Lookback>,
    /// Which of them is the longest.
    longest: usize,
    /// How many keys it may hold.
    max_keys: usize,
    /// The number of the key that stands for those that there was no room for, here or elsewhere.
    other: Option<u32>,
    /// What left all of them, where one is since the start: what it holds apart from the panes, for
    /// who takes both along.
    evicted: Option<Totals>,
}

/// A look lookback over the panes.
#[derive(Debug)]
struct Lookback {
    /// Over how many; over all that there ever were without.
    length: Option<i64>,
    totals: Totals,
    /// The pane from which on they are in its totals.
    first: i64,
    /// The order of its keys, where that is kept.
    ranking: Option<Ranking>,
}

impl Lookback {
    /// Notes which keys a pane changes.
    fn note(&mut self, pane: &Pane) {
        if let Some(ranking) = &mut self.ranking {
            pane.entries().iter().for_each(|&(key, _)| ranking.note(key));
        }
    }
}

impl Window {
    /// Starts empty. Each length is in panes; none is everything since the start.
    pub(crate) fn new(
        plan: &Plan,
        lengths: &[Option<i64>],
        max_keys: Option<usize>,
        keeps_order: bool,
    ) -> Self {
        let lookback = |&length: &Option<i64>| Lookback {
            length,
            totals: Totals::new(plan, length.is_none()),
            first: i64::MIN,
            ranking: keeps_order.then(Ranking::default),
        };
        let longest = (0..lengths.len()).max_by_key(|&at| lengths[at].unwrap_or(i64::MAX));
        Self {
            panes: VecDeque::new(),
            lookbacks: lengths.iter().map(lookback).collect(),
            longest: longest.unwrap_or(0),
            max_keys: max_keys.unwrap_or(usize::MAX),
            other: None,
            evicted: (lengths.contains(&None) && lengths.iter().any(Option::is_some))
                .then(|| Totals::new(plan, true)),
        }
    }

    /// Moves to the window that ends with the pane of this number and adds that pane, whose number
    /// is higher than that of any before.
    pub(crate) fn enter(&mut self, number: i64, mut pane: Pane, keys: &mut KeyTable) {
        self.leave_below(number, keys);
        pane.close(keys);
        self.limit_keys(&mut pane, keys);
        for lookback in &mut self.lookbacks {
            lookback.totals.enter(
                pane.entries().iter().copied(),
                pane.columns(),
                number,
                Some(keys),
            );
            lookback.note(&pane);
        }
        self.panes.push_back((number, pane));
    }

    /// Counts keys that there is no room for as the other ones. Of new keys those with the most
    /// events come first, so that their order in the input makes no odds.
    fn limit_keys(&mut self, pane: &mut Pane, keys: &mut KeyTable) {
        let room = self.room();
        if pane.entries().len() <= room {
            return;
        }
        let totals = &self.lookbacks[self.longest].totals;
        let is_new = |key| totals.count(key) == 0 && Some(key) != self.other;
        let mut new: Vec<(u32, u32, u32)> = (0..)
            .zip(pane.entries())
            .filter(|&(_, &(key, _))| is_new(key))
            .map(|(entry, &(key, count))| (count, key, entry))
            .collect();
        if new.len() <= room {
            return;
        }
        new.sort_unstable_by(|one, other| {
            other.0.cmp(&one.0).then_with(|| by_key(keys.key(one.1), keys.key(other.1)))
        });
        let mut refused: Vec<u32> = new[room..].iter().map(|&(_, _, entry)| entry).collect();
        refused.sort_unstable();
        pane.rename(&refused, self.other_key(keys), keys);
    }

    /// For how many more keys there is room.
    fn room(&self) -> usize {
        let held = self.lookbacks.get(self.longest).map_or(0, |Lookback { totals, .. }| {
            totals.keys() - usize::from(self.other.is_some_and(|other| totals.count(other) > 0))
        });
        self.max_keys.saturating_sub(held)
    }

    /// Subtracts what is not of the windows that end with the pane of this number.
    pub(crate) fn leave_below(&mut self, number: i64, keys: &mut KeyTable) {
        let mut needed = number.saturating_add(1);
        for lookback in &mut self.lookbacks {
            let Some(length) = lookback.length else { continue };
            let first = number.saturating_sub(length - 1);
            needed = needed.min(first);
            let from = self.panes.partition_point(|&(number, _)| number < lookback.first);
            let upto = self.panes.partition_point(|&(number, _)| number < first);
            for (number, pane) in self.panes.range(from..upto.max(from)) {
                lookback.totals.leave(pane, *number);
                lookback.note(pane);
            }
            lookback.first = lookback.first.max(first);
        }
        while self.panes.front().is_some_and(|&(oldest, _)| oldest < needed)
            && let Some((number, pane)) = self.panes.pop_front()
        {
            if let Some(evicted) = &mut self.evicted {
                evicted.enter(pane.entries().iter().copied(), pane.columns(), number, Some(keys));
            }
            self.release(&pane, keys);
        }
    }

    /// Lets go of the keys of a pane that is in no window, or in none any more.
    pub(crate) fn release(&mut self, pane: &Pane, keys: &mut KeyTable) {
        for &(key, _) in pane.entries() {
            // Keys are client addresses and paths, so there is no end of them. One that
            // was left here at zero would stay for the life of the process.
            if keys.release(key) {
                let rankings = self.lookbacks.iter_mut().flat_map(|lookback| &mut lookback.ranking);
                rankings.for_each(|ranking| ranking.forget(key));
            }
        }
    }

    /// Takes in all that a delta holds, without panes. Where there is no room for more keys, those
    /// that came first have it.
    pub(crate) fn enter_all(&mut self, delta: &Delta, keys: &mut KeyTable) {
        let mut room = self.room();
        let mut numbers = vec![u32::MAX; delta.keys.len()];
        let mut entries = Vec::with_capacity(delta.entries.len());
        for entry in &delta.entries {
            let known = &mut numbers[entry.key as usize];
            if *known == u32::MAX {
                let is_other = delta.other == Some(entry.key);
                *known = match keys.find(&delta.keys, entry.key).filter(|_| !is_other) {
                    Some(key) => key,
                    None if is_other || room == 0 => self.other_key(keys),
                    None => {
                        room -= 1;
                        keys.number(&delta.keys, entry.key)
                    }
                };
            }
            entries.push((*known, entry.count));
        }
        for lookback in &mut self.lookbacks {
            lookback.totals.enter(entries.iter().copied(), &delta.columns, 0, Some(keys));
        }
    }

    /// The number of the key that stands for those that there was no room for, here or elsewhere.
    pub(crate) fn other_key(&mut self, keys: &mut KeyTable) -> u32 {
        *self.other.get_or_insert_with(|| keys.other())
    }

    /// Everything since the start that is in no pane of it, where that is remembered.
    pub(crate) fn evicted(&self) -> Option<&Totals> {
        let since_start = self.lookbacks.iter().find(|lookback| lookback.length.is_none());
        self.evicted.as_ref().or(since_start.map(|lookback| &lookback.totals))
    }

    /// Ends pass without an answer, so the next one follows none.
    pub(crate) fn forget_answers(&mut self) {
        for lookback in &mut self.lookbacks {
            if let Some(ranking) = &mut lookback.ranking {
                *ranking = Ranking::default();
            }
        }
    }

    /// The totals of a look lookback and the order of its keys, where that is kept.
    pub(crate) fn ranking(&mut self, lookback: usize) -> Option<(&Totals, Option<&mut Ranking>)> {
        self.lookbacks
            .get_mut(lookback)
            .map(|lookback| (&lookback.totals, lookback.ranking.as_mut()))
    }

    /// The totals of each look lookback.
    pub(crate) fn totals(&self, lookback: usize) -> Option<&Totals> {
        self.lookbacks.get(lookback).map(|lookback| &lookback.totals)
    }

    /// Whether no look lookback of a length holds an event.
    pub(crate) fn is_empty(&self) -> bool {
        let mut totals = self.lookbacks.iter().filter(|lookback| lookback.length.is_some());
        self.panes.is_empty() && totals.all(|lookback| lookback.totals.keys() == 0)
    }

    /// The number of the key that stands for those that there was no room for.
    pub(crate) fn other(&self) -> Option<u32> {
        self.other
    }

    /// The panes from this number on.
    pub(crate) fn panes_from(&self, first: i64) -> impl Iterator<Item = (&i64, &Pane)> {
        self.panes.iter().filter(move |(number, _)| *number >= first).map(|(n, pane)| (n, pane))
    }

    /// The number of the newest pane in it.
    pub(crate) fn newest(&self) -> Option<i64> {
        self.panes.back().map(|&(number, _)| number)
    }
}
