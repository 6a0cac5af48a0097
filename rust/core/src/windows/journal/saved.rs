//! What a state holds, to be restored by another one.

use super::watermark::{get_schedule, get_watermark, put_schedule, put_watermark};
use super::{
    Answered, RECORDS_VERSION, RecordError, get_byte, get_counters, get_flag, get_kinds,
    get_optional, get_place, get_size, get_skipped, put_counters, put_kinds, put_optional,
    put_skipped,
};
use crate::ground::Counters;
use crate::windows::delta::{Delta, Evicted};
use crate::windows::delta_builder::{DeltaBuilder, copy};
use crate::windows::export::SeenKind;
use crate::windows::keys::{Dictionary, KeyBytes, KeyTable, Seed};
use crate::windows::pane::Pane;
use crate::windows::rank::Ranking;
use crate::windows::schedule::Schedule;
use crate::windows::state::State;
use crate::windows::varint::{get_signed, get_text, get_varint, put_signed, put_text, put_varint};
use crate::windows::window::Lookback;

/// What a state holds at a moment. Its parts are encoded later ([`encode_content`]).
///
/// [`encode_content`]: super::encode_content
#[derive(Debug)]
pub struct SavedState {
    /// Everything but the content of panes.
    pub state: Vec<u8>,
    /// The numbers of the closed panes in the window, ascending.
    pub closed: Vec<i64>,
    /// The open panes, ascending.
    pub open: Vec<(i64, Delta)>,
    /// The totals of what left the window, for lengths since the start, or of everything.
    pub totals: Option<Delta>,
}

/// What content holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The closed pane with this number.
    Closed(i64),
    /// The open pane with this number.
    Open(i64),
    /// What left the window, for lengths since the start, or everything.
    Totals,
}

/// What a restored state still needs.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    /// The numbers of closed panes, descending.
    closed: Vec<i64>,
    open: usize,
    totals: bool,
    ranks: Vec<SavedRanks>,
}

impl Missing {
    /// Returns the numbers of closed panes, ascending.
    pub(crate) fn closed(&self) -> Vec<i64> {
        self.closed.iter().rev().copied().collect()
    }
}

/// The ranks of a lookback in an answer that can no longer be computed.
#[derive(Debug)]
struct SavedRanks {
    lookback: usize,
    end: i64,
    ranks: Vec<(u32, Option<Box<[u8]>>)>,
    shown: Vec<Option<Box<[u8]>>>,
}

/// How the ranks of a lookback are saved.
const NO_RANKS: u8 = 0;
const LAST_RANKS: u8 = 1;
const ALL_RANKS: u8 = 2;

const HANDING_OUT: u8 = 1;
const REFUSED: u8 = 2;
const OTHER: u8 = 4;
const SINCE_START: u8 = 8;
const ENDED: u8 = 16;
const TOTALS: u8 = 32;

impl State {
    /// Returns how far the state has answered.
    pub(crate) fn answered(&self) -> Option<Answered> {
        let end = self.schedule.answered()?;
        let next = self.window.lookbacks.get(self.lengths_answered);
        let before = next.filter(|_| self.settings.track_ranks).and_then(Lookback::ranked);
        let lengths = Some(self.lengths_answered).filter(|&lengths| lengths < usize::MAX);
        Some(Answered { end, lengths, before })
    }

    /// Answers up to an end without a snapshot; `None` if it is not an end that the watermark has
    /// passed, or one before the last.
    pub(crate) fn answer(&mut self, answered: Answered) -> Option<()> {
        let (panes, Answered { end, lengths, before }) = (self.settings.panes?, answered);
        let all = self.settings.lengths.len();
        if lengths.is_some_and(|lengths| lengths > all) {
            return None;
        }
        if self.schedule.answered() != Some(end) {
            // Before the first line any end can be the last, whenever this state began.
            let is_next = self.lines == Counters::default()
                || self.schedule.answered().is_none_or(|last| last < end);
            if !is_next || self.schedule.floor(end) != end || end > self.passed(panes)? {
                return None;
            }
            match lengths {
                None => self.window.forget_answers(),
                // The other lengths keep the ranks of the answer before.
                Some(lengths) if lengths < all => {
                    let is_partly =
                        before == self.schedule.answered() && self.lengths_answered < all;
                    if let Some(end) = before
                        && (is_partly || before > self.schedule.answered())
                    {
                        self.answer(Answered { end, lengths: Some(all), before: None })?;
                    }
                    self.rank_due();
                }
                Some(_) => {}
            }
            self.slide_to(end);
        }
        self.lengths_answered = lengths.unwrap_or(usize::MAX);
        for lookback in self.window.lookbacks.iter_mut().take(lengths.unwrap_or(0)) {
            if let Some(ranking) = &mut lookback.ranking
                && ranking.end() != Some(end)
            {
                *ranking = Ranking::due(end);
            }
        }
        Some(())
    }

    /// Begins at this time; `None` if the state has changed already.
    pub(crate) fn start_at(&mut self, start: i64) -> Option<()> {
        if self.lines != Counters::default() || self.watermark.time().is_some() {
            return None;
        }
        let start = self.settings.panes.map(|panes| panes.number(start));
        self.schedule = Schedule::new(&self.settings, start);
        Some(())
    }

    /// Returns copies of the closed panes of the window with a number above this one.
    pub(crate) fn closed_panes(&self, after: Option<i64>) -> Vec<(i64, Delta)> {
        let first = self.window.panes.partition_point(|&(number, _)| Some(number) <= after);
        self.copies(self.window.panes.range(first..).map(|(number, pane)| (*number, pane)))
    }

    fn copies<'a>(&self, panes: impl Iterator<Item = (i64, &'a Pane)>) -> Vec<(i64, Delta)> {
        let fresh = || Delta::new(0, self.settings.plan.columns());
        let other = self.window.other();
        panes.map(|pane| (pane.0, copy(fresh(), &self.keys, other, pane))).collect()
    }

    /// Returns a copy of what the state holds, without the content of closed panes.
    pub(crate) fn save(&self, keys: &[SeenKind], values: &[SeenKind]) -> SavedState {
        let open = self.copies(self.open.iter().map(|(&number, pane)| (number, pane)));
        let totals = self.window.evicted().map(|totals| {
            let delta = Delta::new(0, self.settings.plan.columns());
            let mut builder = DeltaBuilder::new(delta, &self.keys, self.window.other());
            builder.totals(0, totals);
            builder.finish()
        });
        let closed = self.window.panes.iter().map(|&(number, _)| number).collect();
        let mut state = vec![RECORDS_VERSION];
        put_kinds(&mut state, keys);
        put_kinds(&mut state, values);
        self.put(&mut state);
        SavedState { state, closed, open, totals }
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_counters(out, &self.lines);
        put_counters(out, &self.reported);
        let by_pane = |(&pane, &lines): (&i64, &Counters)| {
            (Some(pane).filter(|&pane| pane > i64::MIN), lines)
        };
        put_skipped(out, &self.unreported.iter().map(by_pane).collect::<Vec<_>>());
        let flags = [
            (self.is_handing_out, HANDING_OUT),
            (self.keys.has_refused(), REFUSED),
            (self.window.other().is_some(), OTHER),
            (self.evicted.is_some_and(|evicted| evicted.since_start), SINCE_START),
            (self.ended.is_some(), ENDED),
            (self.window.evicted().is_some(), TOTALS),
        ];
        out.push(flags.iter().filter(|flag| flag.0).map(|flag| flag.1).sum());
        let evicted = self.evicted;
        for number in [
            self.oldest,
            self.newest,
            self.first,
            evicted.map(|evicted| evicted.complete_from),
            evicted.and_then(|evicted| evicted.first),
            self.ended.filter(|&ended| ended < i64::MAX),
        ] {
            put_optional(out, number);
        }
        put_varint(out, (self.lengths_answered as u64).wrapping_add(1));
        put_schedule(out, &self.schedule);
        put_watermark(out, &self.watermark);
        put_varint(out, self.window.lookbacks.len() as u64);
        for lookback in &self.window.lookbacks {
            put_optional(out, Some(lookback.first).filter(|&first| first > i64::MIN));
            self.put_ranks(out, lookback);
        }
        put_varint(out, self.open.len() as u64);
        put_varint(out, self.window.panes.len() as u64);
        let mut before = 0;
        for &(number, _) in &self.window.panes {
            put_signed(out, number.wrapping_sub(before));
            before = number;
        }
    }

    fn put_ranks(&self, out: &mut Vec<u8>, lookback: &Lookback) {
        let ranking = lookback.ranking.as_ref().filter(|_| self.settings.track_ranks);
        let Some((ranking, end)) = ranking.and_then(|ranking| Some((ranking, ranking.end()?)))
        else {
            out.push(NO_RANKS);
            return;
        };
        if Some(end) == self.schedule.answered() {
            out.push(LAST_RANKS);
            return;
        }
        out.push(ALL_RANKS);
        put_signed(out, end);
        let (ranks, shown) = (ranking.ranks(), ranking.shown());
        let ranks = (0..).zip(ranks).filter(|&(_, &rank)| rank > 0);
        let mut ranks: Vec<_> = ranks.map(|(key, &rank)| (rank, self.keys.key(key))).collect();
        ranks.sort_unstable();
        put_varint(out, ranks.len() as u64);
        for (rank, key) in ranks {
            put_varint(out, rank.into());
            put_key(out, key);
        }
        put_varint(out, shown.len() as u64);
        for key in shown {
            put_key(out, key.as_deref());
        }
    }

    /// Replaces a state by a saved one, whose content has to be entered. Returns the kinds of keys
    /// and values, which have to fit, and what is missing. On an error, nothing changes.
    pub(crate) fn restore(
        &mut self,
        saved: &[u8],
        fit: impl FnOnce(&[Vec<SeenKind>; 2]) -> bool,
    ) -> Result<([Vec<SeenKind>; 2], Missing), RecordError> {
        let mut rest = saved;
        let damaged =
            |rest: &[u8]| RecordError::Damaged { what: "state", byte: saved.len() - rest.len() };
        match get_byte(&mut rest) {
            Some(RECORDS_VERSION) => {}
            Some(version) => return Err(RecordError::Version(version)),
            None => return Err(damaged(rest)),
        }
        let mut kinds = || Some([get_kinds(&mut rest)?, get_kinds(&mut rest)?]);
        let kinds = kinds();
        let kinds = kinds.ok_or_else(|| damaged(rest))?;
        if !fit(&kinds) {
            let what = "state: expected keys and values of other types; start a new checkpoint";
            return Err(RecordError::Incompatible(what.to_owned()));
        }
        let mut state = Self::new(self.settings.clone(), 0);
        let missing = state.get(&mut rest).filter(|_| rest.is_empty());
        let missing = missing.ok_or_else(|| damaged(rest))?;
        *self = state;
        Ok((kinds, missing))
    }

    fn get(&mut self, bytes: &mut &[u8]) -> Option<Missing> {
        (self.lines, self.reported) = (get_counters(bytes)?, get_counters(bytes)?);
        for (pane, lines) in get_skipped(bytes)? {
            self.unreported.insert(pane.unwrap_or(i64::MIN), lines);
        }
        let flags = get_byte(bytes).filter(|&flags| flags < 2 * TOTALS)?;
        self.is_handing_out = flags & HANDING_OUT != 0;
        if flags & REFUSED != 0 {
            self.keys.note_refused();
        }
        if flags & OTHER != 0 {
            self.window.other_key(&mut self.keys);
        }
        self.oldest = get_optional(bytes)?;
        self.newest = get_optional(bytes)?;
        self.first = get_optional(bytes)?;
        let (complete_from, first) = (get_optional(bytes)?, get_optional(bytes)?);
        let since_start = flags & SINCE_START != 0;
        self.evicted =
            complete_from.map(|complete_from| Evicted { complete_from, first, since_start });
        if self.evicted.is_none() && (first.is_some() || since_start) {
            return None;
        }
        let ended = get_optional(bytes)?;
        self.ended = (flags & ENDED != 0).then(|| ended.unwrap_or(i64::MAX));
        let lengths = get_varint(bytes)?;
        self.lengths_answered = match lengths.checked_sub(1) {
            None => usize::MAX,
            Some(lengths) => {
                let lengths = usize::try_from(lengths).ok()?;
                Some(lengths).filter(|&lengths| lengths <= self.settings.lengths.len())?
            }
        };
        get_schedule(bytes, &mut self.schedule)?;
        get_watermark(bytes, &mut self.watermark)?;
        let mut missing = Missing { totals: flags & TOTALS != 0, ..Missing::default() };
        if missing.totals != self.window.evicted().is_some()
            || get_size(bytes)? != self.window.lookbacks.len()
        {
            return None;
        }
        let answered = self.schedule.answered();
        for (place, lookback) in self.window.lookbacks.iter_mut().enumerate() {
            lookback.first = get_optional(bytes)?.unwrap_or(i64::MIN);
            match get_byte(bytes)? {
                NO_RANKS => {}
                LAST_RANKS => *lookback.ranking.as_mut()? = Ranking::due(answered?),
                ALL_RANKS => missing.ranks.push(get_ranks(place, bytes)?),
                _ => return None,
            }
        }
        missing.open = get_size(bytes)?;
        let mut before = None;
        for _ in 0..get_size(bytes)? {
            let number = before.unwrap_or(0_i64).wrapping_add(get_signed(bytes)?);
            if before.is_some_and(|before| before >= number) {
                return None;
            }
            missing.closed.push(number);
            before = Some(number);
        }
        missing.closed.reverse();
        Some(missing)
    }

    /// Enters content into a state that is being restored.
    pub(crate) fn enter_content(
        &mut self,
        missing: &mut Missing,
        content: Content,
        delta: Delta,
    ) -> Result<(), RecordError> {
        let number =
            if let Content::Closed(number) | Content::Open(number) = content { number } else { 0 };
        let is_needed = match content {
            Content::Closed(number) => missing.closed.last() == Some(&number),
            Content::Open(number) => missing.open > 0 && !self.open.contains_key(&number),
            Content::Totals => missing.totals,
        };
        if !is_needed
            || delta.panes != [number]
            || delta.columns.len() != self.settings.plan.columns().len()
        {
            let what = format!("state: expected other content than {content:?}");
            return Err(RecordError::Incompatible(what));
        }
        let numbers = self.numbers_of(&delta);
        let entries = delta.entries.iter().map(|entry| (numbers[entry.key as usize], entry.count));
        let Self { keys, window, open, settings, .. } = self;
        match content {
            Content::Closed(_) => {
                missing.closed.pop();
                let entries: Vec<(u32, u32)> = entries.collect();
                window.enter_closed(number, Pane::closed(entries, delta.columns, keys), keys);
            }
            Content::Open(_) => {
                missing.open -= 1;
                let mut pane = Pane::new(settings.plan.columns());
                let is_newest = open.last_key_value().is_none_or(|(&newest, _)| number >= newest);
                let entries = (0..).zip(entries).map(|(place, (key, count))| (key, count, place));
                pane.add(keys, entries, &delta.columns, is_newest);
                open.insert(number, pane);
            }
            Content::Totals => {
                missing.totals = false;
                window.enter_totals(&entries, &delta.columns, keys);
            }
        }
        Ok(())
    }

    /// Returns the numbers of the keys of a delta, and adds new ones whatever the limit: they have
    /// been admitted before.
    fn numbers_of(&mut self, delta: &Delta) -> Vec<u32> {
        let mut numbers = self.keys.numbers(&delta.keys);
        for (id, number) in (0..).zip(&mut numbers) {
            if delta.other == Some(id) {
                *number = self.window.other_key(&mut self.keys);
            } else if *number == u32::MAX {
                *number = self.keys.number(&delta.keys, id);
            }
        }
        numbers
    }

    /// Ends a restoration, once all content is entered.
    pub(crate) fn finish_restore(
        &mut self,
        missing: Missing,
        seed: &Seed,
    ) -> Result<(), RecordError> {
        if let Some(number) = missing.closed.last() {
            let what = format!("state: expected the closed pane {number}, found none");
            return Err(RecordError::Incompatible(what));
        }
        if missing.open > 0 || missing.totals {
            let what = "state: expected more open panes or totals, found none".to_owned();
            return Err(RecordError::Incompatible(what));
        }
        for SavedRanks { lookback, end, ranks, shown } in missing.ranks {
            let mut by_number = vec![0; self.keys.capacity()];
            for (rank, key) in ranks {
                if let Some(number) = find(&self.keys, key.as_deref(), seed) {
                    by_number[number as usize] = rank;
                }
            }
            if let Some(lookback) = self.window.lookbacks.get_mut(lookback) {
                lookback.ranking = Some(Ranking::of_ranks(end, by_number, shown));
            }
        }
        Ok(())
    }
}

fn find(keys: &KeyTable, key: KeyBytes<'_>, seed: &Seed) -> Option<u32> {
    let mut dictionary = Dictionary::default();
    let id = dictionary.append(key, seed);
    keys.find(&dictionary, id)
}

fn put_key(out: &mut Vec<u8>, key: KeyBytes<'_>) {
    out.push(key.is_some().into());
    put_text(out, key.unwrap_or_default());
}

#[expect(clippy::option_option, reason = "damaged, the null key, or another one")]
fn get_key(bytes: &mut &[u8]) -> Option<Option<Box<[u8]>>> {
    let is_some = get_flag(bytes)?;
    let text = get_text(bytes)?;
    Some(is_some.then(|| text.into()))
}

fn get_ranks(lookback: usize, bytes: &mut &[u8]) -> Option<SavedRanks> {
    let end = get_place(bytes)?;
    let (mut ranks, mut shown) = (Vec::new(), Vec::new());
    for _ in 0..get_size(bytes)? {
        ranks.push((u32::try_from(get_varint(bytes)?).ok()?, get_key(bytes)?));
    }
    for _ in 0..get_size(bytes)? {
        shown.push(get_key(bytes)?);
    }
    Some(SavedRanks { lookback, end, ranks, shown })
}
