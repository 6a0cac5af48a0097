//! The watermark: how far time has advanced.
//!
//! It is the clock (by arrival), the oldest of the senders' newest event times minus the lateness
//! (by event time), or set by the caller (`Clock::Manual`). It never goes back.
//!
//! A source is its own only sender, or its deltas name senders. These are known from their first
//! event time on and are forgotten when they end or are idle: one that comes back is a new one.

use std::collections::{BTreeMap, BTreeSet};

use super::settings::Clock;

/// Clocks of machines differ by less than this, in microseconds, unless one of them is wrong.
const CLOCK_TOLERANCE: i64 = 60_000_000;

/// More senders of a source than this at once share a watermark.
pub(super) const MAX_SENDERS: usize = 10_000;

/// The watermark and the members that move it: sources without senders, and senders.
#[derive(Debug)]
pub(super) struct Watermark {
    clock: Clock,
    lateness: i64,
    pub(super) sources: Vec<Source>,
    /// The members by number, which is that of a forgotten one before.
    pub(super) members: Vec<Member>,
    pub(super) free: Vec<usize>,
    /// The members that hold the watermark back, by their newest time.
    pub(super) holding: BTreeSet<(Option<i64>, usize)>,
    /// The members that can be idle, by the time at which they were heard, or an earlier one.
    pub(super) heard: BTreeSet<(i64, usize)>,
    /// How far the members have moved the watermark, each as if it were the only one.
    pub(super) moved: Option<i64>,
    /// The newest time of a member that was far ahead of the clock.
    pub(super) ahead: Option<i64>,
    pub(super) time: Option<i64>,
}

#[derive(Debug, Default)]
pub(super) struct Source {
    /// The number of the source as a member.
    pub(super) own: usize,
    pub(super) is_live: bool,
    pub(super) ended: bool,
    /// Whether it has had a sender. Then it does not count itself.
    pub(super) is_shared: bool,
    pub(super) senders: BTreeMap<Box<[u8]>, usize>,
    /// All senders above the limit.
    pub(super) others: Option<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Member {
    pub(super) source: usize,
    /// Its name, if it is a sender; none for those above the limit.
    pub(super) name: Option<Box<[u8]>>,
    pub(super) newest: Option<i64>,
    /// How far it moves the watermark if no other member holds it back.
    pub(super) moves: Option<i64>,
    /// The clock when its newest time was received.
    pub(super) received: i64,
    pub(super) holds: bool,
    /// How long live sources had been listened to when it last gave a time.
    pub(super) listened: i64,
    /// Its key in `heard`.
    pub(super) queued: Option<i64>,
}

/// The newest event time of a sender in a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    pub(super) source: usize,
    /// The name of the sender; `None` if the source is its only one.
    pub(super) sender: Option<&'a [u8]>,
    pub(super) newest: Option<i64>,
    /// The clock when the chunk was received.
    pub(super) received: i64,
    /// How long live sources had been listened to; `None` if no member can be idle.
    pub(super) listened: Option<i64>,
}

impl Watermark {
    /// Creates a watermark before any time.
    pub(super) fn new(clock: Clock, lateness: i64, sources: usize) -> Self {
        let mut watermark = Self {
            clock,
            lateness,
            sources: Vec::with_capacity(sources),
            members: Vec::with_capacity(sources),
            free: Vec::new(),
            holding: BTreeSet::new(),
            heard: BTreeSet::new(),
            moved: None,
            ahead: None,
            time: None,
        };
        for _ in 0..sources {
            watermark.add_source();
        }
        watermark
    }

    /// Adds a source without an event time and returns its number.
    pub(super) fn add_source(&mut self) -> usize {
        let source = self.sources.len();
        let own = self.add_member(source, None);
        self.sources.push(Source {
            own,
            is_live: false,
            ended: false,
            is_shared: false,
            senders: BTreeMap::new(),
            others: None,
        });
        source
    }

    /// Marks a source as a live one, which is listened to from now on.
    pub(super) fn listen_to(&mut self, source: usize, listened: i64) {
        if let Some(source) = self.sources.get_mut(source) {
            source.is_live = true;
            let own = source.own;
            self.hear(own, listened);
        }
    }

    /// Returns the watermark, once there is one.
    pub(super) fn time(&self) -> Option<i64> {
        self.time
    }

    /// Returns the time that decides which events of a sender are late, before the lateness is
    /// subtracted.
    pub(super) fn seen(&self, source: usize, sender: Option<&[u8]>) -> Option<i64> {
        let newest = self.find(source, sender).and_then(|member| self.members[member].newest);
        // `is_late` subtracts the lateness, which the watermark already contains. The watermark can
        // be ahead of a member that is new or was idle.
        let passed = self.time.map(|time| time.saturating_add(self.lateness));
        match self.clock {
            Clock::Events => newest.max(passed),
            Clock::Arrival | Clock::Manual => passed,
        }
    }

    /// Records the newest event time of a sender in a chunk, if it has one. Without a time, a
    /// stranger becomes no sender, so that it holds nothing back.
    pub(super) fn note(&mut self, shown: Shown<'_>) {
        let Shown { source, sender, newest, received, listened } = shown;
        if self.clock != Clock::Events && sender.is_some() {
            return;
        }
        if let Some(newest) = newest
            && let Some(number) = self.member_of(source, sender)
        {
            let Self { sources, members, .. } = self;
            let (known, count) = (&sources[source], sources.len());
            // If nobody else is affected, a log goes by its own clock. Otherwise a time far ahead
            // of the clock counts as behind it by as much: it says that one of them is wrong, and
            // by how much.
            let is_alone = sender.is_none() && (count == 1 || !known.is_live);
            let ahead = newest.saturating_sub(received);
            let ahead = if is_alone || ahead <= CLOCK_TOLERANCE { 0 } else { ahead };
            let moves = newest.saturating_sub(ahead.saturating_mul(2));
            let holds = !known.ended && (sender.is_some() || !known.is_shared);
            let is_live = known.is_live;
            let member = &mut members[number];
            let before = (member.newest, member.holds);
            if member.newest < Some(newest) {
                (member.newest, member.received) = (Some(newest), received);
            }
            member.moves = member.moves.max(Some(moves));
            member.holds = holds;
            self.moved = self.moved.max(Some(moves));
            if ahead > 0 {
                self.ahead = self.ahead.max(Some(newest));
            }
            let after = (member.newest, holds);
            if before != after {
                if before.1 {
                    self.holding.remove(&(before.0, number));
                }
                if holds {
                    self.holding.insert((after.0, number));
                }
            }
            if let Some(listened) = listened.filter(|_| is_live && holds) {
                self.hear(number, listened);
            }
        }
        self.follow();
    }

    /// Removes a source that has ended, and its senders.
    pub(super) fn end_source(&mut self, source: usize) {
        if let Some(ended) = self.sources.get_mut(source) {
            ended.ended = true;
            let own = ended.own;
            let senders = std::mem::take(&mut ended.senders).into_values();
            let senders: Vec<_> = senders.chain(ended.others.take()).collect();
            self.release(own);
            for sender in senders {
                self.forget(sender);
            }
        }
        self.follow();
    }

    /// Makes a source that has ended go on: it holds the watermark back again.
    pub(super) fn reopen_source(&mut self, source: usize) {
        if let Some(known) = self.sources.get_mut(source)
            && std::mem::take(&mut known.ended)
            && !known.is_shared
        {
            let own = known.own;
            let member = &mut self.members[own];
            member.holds = true;
            self.holding.insert((member.newest, own));
        }
    }

    /// Returns the names of the senders of a source.
    pub(super) fn senders(&self, source: usize) -> impl Iterator<Item = &[u8]> {
        let senders = self.sources.get(source).map(|source| source.senders.keys());
        senders.into_iter().flatten().map(|name| &**name)
    }

    /// Forgets a sender that has ended, if it is known.
    pub(super) fn end_sender(&mut self, source: usize, sender: &[u8]) {
        let known = self.sources.get_mut(source).and_then(|known| known.senders.remove(sender));
        if let Some(number) = known {
            self.forget(number);
            self.follow();
        }
    }

    /// Excludes the members of live sources that gave their last event time before this much
    /// listening, each until it gives one again.
    pub(super) fn mark_idle(&mut self, before: i64) {
        while let Some(&(at, number)) = self.heard.first().filter(|&&(at, _)| at < before) {
            self.heard.remove(&(at, number));
            let member = &mut self.members[number];
            member.queued = None;
            if member.listened >= before {
                let listened = member.listened;
                self.hear(number, listened);
                continue;
            }
            let source = &mut self.sources[member.source];
            if source.own == number {
                self.release(number);
            } else {
                match member.name.take() {
                    Some(name) => _ = source.senders.remove(&name),
                    None => source.others = None,
                }
                self.forget(number);
            }
        }
        self.follow();
    }

    /// Returns the source that holds the watermark back.
    pub(super) fn slowest_source(&self) -> Option<usize> {
        let running = self.sources.iter().enumerate().filter(|(_, source)| !source.ended);
        let newest = |source: &Source| self.members[source.own].newest;
        running.min_by_key(|(_, source)| newest(source)).map(|(number, _)| number)
    }

    /// Returns whether a source has more senders than have a watermark of their own.
    pub(super) fn is_crowded(&self, source: usize) -> bool {
        self.sources.get(source).is_some_and(|source| source.others.is_some())
    }

    /// Returns the time that it is by the members' times, each carried on by the clock since it was
    /// received: the median, and of two in the middle the one that is nearer to the clock.
    pub(super) fn log_time(&self, now: i64) -> Option<i64> {
        let carried = |&(newest, number): &(Option<i64>, usize)| {
            let since = now.saturating_sub(self.members[number].received).max(0);
            Some(newest?.saturating_add(since))
        };
        let mut times: Vec<i64> = self.holding.iter().filter_map(carried).collect();
        times.sort_unstable();
        let middle = [times.len().checked_sub(1)? / 2, times.len() / 2];
        middle.iter().map(|&place| times[place]).min_by_key(|time| time.abs_diff(now))
    }

    /// Moves the clock, unless the members do.
    pub(super) fn advance(&mut self, now: i64) {
        if self.clock != Clock::Events {
            self.raise(Some(now.saturating_sub(self.lateness)));
        } else if let Some(ahead) = self.ahead.filter(|&ahead| ahead <= now) {
            self.ahead = None;
            self.moved = self.moved.max(Some(ahead));
            self.follow();
        }
    }

    /// Raises the watermark to a time, if that is later.
    pub(super) fn raise(&mut self, time: Option<i64>) {
        self.time = self.time.max(time);
    }

    fn follow(&mut self) {
        if self.clock != Clock::Events {
            return;
        }
        // A source without an event time holds the watermark back. If nothing does, the newest time
        // of any member counts, even of one that has ended. If no source remains, `finish` follows.
        let time = match self.holding.first() {
            Some(&(_, number)) => self.members[number].moves,
            None if self.sources.iter().all(|source| source.ended) => return,
            None => self.moved,
        };
        self.raise(time.map(|time| time.saturating_sub(self.lateness)));
    }

    fn find(&self, source: usize, sender: Option<&[u8]>) -> Option<usize> {
        let source = self.sources.get(source)?;
        match sender {
            None => Some(source.own),
            Some(name) => {
                let others = source.others.filter(|_| source.senders.len() >= MAX_SENDERS);
                source.senders.get(name).copied().or(others)
            }
        }
    }

    /// Returns the member of a sender, which begins with its first time.
    fn member_of(&mut self, source: usize, sender: Option<&[u8]>) -> Option<usize> {
        let known = self.sources.get(source)?;
        let Some(name) = sender else { return Some(known.own) };
        if let Some(&number) = known.senders.get(name) {
            return Some(number);
        }
        let is_full = known.senders.len() >= MAX_SENDERS;
        if is_full && known.others.is_some() {
            return known.others;
        }
        let own = known.own;
        let name: Option<Box<[u8]>> = (!is_full).then(|| name.into());
        let number = self.add_member(source, name.clone());
        let known = &mut self.sources[source];
        known.is_shared = true;
        match name {
            Some(name) => _ = known.senders.insert(name, number),
            None => known.others = Some(number),
        }
        self.release(own);
        Some(number)
    }

    /// Adds a member that holds the watermark back, and returns its number.
    fn add_member(&mut self, source: usize, name: Option<Box<[u8]>>) -> usize {
        let member = Member { source, name, holds: true, ..Member::default() };
        let number = self.free.pop().unwrap_or(self.members.len());
        if number == self.members.len() {
            self.members.push(member);
        } else {
            self.members[number] = member;
        }
        self.holding.insert((None, number));
        number
    }

    /// Forgets a sender.
    fn forget(&mut self, number: usize) {
        self.release(number);
        self.members[number] = Member::default();
        self.free.push(number);
    }

    /// Lets a member neither hold the watermark back nor become idle.
    fn release(&mut self, number: usize) {
        let member = &mut self.members[number];
        if std::mem::take(&mut member.holds) {
            self.holding.remove(&(member.newest, number));
        }
        if let Some(at) = member.queued.take() {
            self.heard.remove(&(at, number));
        }
    }

    /// Records that a member gave a time, or was added, after this much listening.
    fn hear(&mut self, number: usize, listened: i64) {
        let member = &mut self.members[number];
        member.listened = member.listened.max(listened);
        // Moving its key each time would cost more than to look at it again when it is due.
        if member.queued.is_none() {
            member.queued = Some(member.listened);
            self.heard.insert((member.listened, number));
        }
    }
}
