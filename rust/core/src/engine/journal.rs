//! Records what changes an engine, and restores it from that.

use super::{Engine, EngineError, Inner, lock};
use crate::query::Query;
use crate::windows::delta::Delta;
use crate::windows::export::SeenKind;
use crate::windows::journal::{
    Answered, Change, Changes, Content, ContentReader, Missing, RecordError, SavedState,
    read_changes,
};

/// What a replayed round contained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// The newest time of the clock.
    pub now: Option<i64>,
    /// The longest time of listening to live sources.
    pub listened: Option<i64>,
    /// The number of events that its deltas counted.
    pub events: u64,
}

impl From<EngineError> for RecordError {
    fn from(_: EngineError) -> Self {
        Self::Unusable
    }
}

impl Engine {
    /// Records from now on what changes the state.
    pub fn record(&self) -> Result<(), EngineError> {
        let mut inner = lock(&self.inner)?;
        let answered = inner.state.answered();
        inner.recorded.get_or_insert((Changes::new(), answered));
        Ok(())
    }

    /// Returns what has changed the state since the last call, or since it is recorded.
    pub fn take_recorded(&self) -> Result<Changes, EngineError> {
        let mut inner = lock(&self.inner)?;
        inner.record(|_| {});
        let recorded = inner.recorded.as_mut();
        Ok(recorded.map_or_else(Changes::new, |(changes, _)| std::mem::take(changes)))
    }

    /// Returns how far ends were answered.
    pub fn answered(&self) -> Result<Option<Answered>, EngineError> {
        self.with(|state| state.answered())
    }

    /// Applies the changes of a round, and passes its notes on, which must not use the engine. An
    /// end that was not answered after the clock passed it is answered later. If the bytes are
    /// damaged, nothing changes; if they do not fit the state, it is unusable.
    pub fn replay(
        &self,
        round: &[u8],
        note: &mut dyn FnMut(&[u8]),
    ) -> Result<Replayed, RecordError> {
        let changes = read_changes(round, &self.content_reader())?;
        let mut replayed = Replayed::default();
        let mut inner = lock(&self.inner)?;
        for (byte, change) in changes {
            if let Change::Note(bytes) = change {
                note(bytes);
            } else {
                replayed.see(&change);
                let done = self.replay_change(&mut inner, change);
                done.ok_or(RecordError::Damaged { what: "round", byte })?;
            }
        }
        Ok(replayed)
    }

    /// Applies a change; `None` if it does not fit the state.
    fn replay_change(&self, inner: &mut Inner, change: Change<'_>) -> Option<()> {
        let state = &mut inner.state;
        match change {
            Change::Delta(delta, listened) => state.apply_heard(&delta, listened),
            Change::Abandon { source, sender, now, count } => {
                state.abandon(source, sender, self.reached(now), count);
            }
            Change::Advance(now) => self.advance_to(inner, now),
            Change::Idle(before) => state.mark_idle(before),
            Change::End(source, None) => state.end_source(source),
            Change::End(source, Some(sender)) => state.end_sender(source, sender),
            Change::AddSource => _ = state.add_source(),
            Change::Listen(source, listened) => state.listen_to(source, listened),
            Change::Reopen(source) => state.reopen_source(source),
            Change::Answered(answered) => state.answer(answered)?,
            Change::Finish => self.finish_input(inner),
            Change::Kinds([keys, values]) => {
                inner.check_kinds(&keys, &values)?.set_kinds(keys, values);
            }
            Change::Note(_) => {}
            Change::Start(start) => state.start_at(start)?,
        }
        Some(())
    }

    /// Returns copies of the closed panes of the window with a number above this one.
    pub fn closed_panes(&self, after: Option<i64>) -> Result<Vec<(i64, Delta)>, EngineError> {
        self.with(|state| state.closed_panes(after))
    }

    /// Returns a copy of all that the state holds, without the content of closed panes.
    pub fn save(&self) -> Result<SavedState, EngineError> {
        let inner = lock(&self.inner)?;
        Ok(inner.state.save(&inner.keys, &inner.values))
    }

    /// Replaces the state by a saved one, and returns the numbers of the closed panes that it
    /// needs, ascending. These, then the open ones and the totals have to be entered
    /// ([`enter_content`](Self::enter_content)). On an error, nothing changes.
    pub fn restore(&self, state: &[u8]) -> Result<Vec<i64>, RecordError> {
        let mut inner = lock(&self.inner)?;
        let ([keys, values], missing) = inner.restored(state)?;
        let closed = missing.closed();
        inner.missing = missing;
        inner.set_kinds(keys, values);
        Ok(closed)
    }

    /// Decodes content of a saved state, on any thread.
    pub fn decode_content(&self, bytes: &[u8]) -> Result<Delta, RecordError> {
        self.content_reader().decode(bytes)
    }

    /// Enters content of the state that is being restored.
    pub fn enter_content(&self, content: Content, delta: Delta) -> Result<(), RecordError> {
        let mut inner = lock(&self.inner)?;
        let Inner { state, missing, .. } = &mut *inner;
        state.enter_content(missing, content, delta)
    }

    /// Ends a restoration: fails if content is missing.
    pub fn finish_restore(&self) -> Result<(), RecordError> {
        let mut inner = lock(&self.inner)?;
        let missing = std::mem::take(&mut inner.missing);
        inner.state.finish_restore(missing, &self.query.seed)
    }

    /// Returns the names of the senders of a source that the watermark waits for.
    pub fn senders(&self, source: usize) -> Result<Vec<Vec<u8>>, EngineError> {
        self.with(|state| state.senders(source))
    }

    fn content_reader(&self) -> ContentReader<'_> {
        let Query { plan, panes, seed, .. } = &self.query;
        ContentReader { plan, panes: *panes, seed }
    }
}

impl Inner {
    /// Returns itself if these are kinds of as many keys and values.
    fn check_kinds(&mut self, keys: &[SeenKind], values: &[SeenKind]) -> Option<&mut Self> {
        (keys.len() == self.keys.len() && values.len() == self.values.len()).then_some(self)
    }

    /// Restores a saved state, unless its kinds of keys and values differ from those of formats.
    fn restored(&mut self, saved: &[u8]) -> Result<([Vec<SeenKind>; 2], Missing), RecordError> {
        let Self { state, keys, values, .. } = self;
        state.restore(saved, |[saved_keys, saved_values]| {
            let fit = |own: &[SeenKind], saved: &[SeenKind]| {
                let mut pairs = own.iter().zip(saved);
                own.len() == saved.len() && pairs.all(|(own, saved)| own.is_none() || own == saved)
            };
            fit(keys, saved_keys) && fit(values, saved_values)
        })
    }

    /// Adds a delta, and records it.
    pub(super) fn apply(&mut self, delta: &Delta) {
        self.record(|changes| changes.delta(delta, None));
        self.state.apply(delta);
    }

    /// Records a change that follows, and the answers before it.
    pub(super) fn record(&mut self, change: impl FnOnce(&mut Changes)) {
        let Some((changes, known)) = &mut self.recorded else { return };
        let answered = self.state.answered();
        if *known != answered
            && let Some(answered) = answered
        {
            changes.answered(answered);
            *known = Some(answered);
        }
        change(changes);
    }
}

impl Replayed {
    fn see(&mut self, change: &Change<'_>) {
        let (now, listened) = match change {
            Change::Delta(delta, listened) => {
                self.events += delta.lines().counted;
                (Some(delta.received).filter(|&received| received < i64::MAX), *listened)
            }
            Change::Abandon { now, .. } | Change::Advance(now) | Change::Start(now) => {
                (Some(*now), None)
            }
            Change::Listen(_, listened) => (None, Some(*listened)),
            _ => (None, None),
        };
        self.now = self.now.max(now);
        self.listened = self.listened.max(listened);
    }
}
