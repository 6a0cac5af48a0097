//! The settings of a state.

use super::aggregate::Plan;
use super::rank::{Order, OrderBy};
use crate::ground::{InputError, Kind, Panes};

/// What moves the watermark, and with it the ends to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The clock of the machine, through `advance`. Every end is answered.
    Arrival,
    /// The events of the sources. An empty window is answered once, then ends are skipped.
    Events,
    /// `advance`, minus the lateness, with the rules of event time.
    Manual,
}

/// Which windows a state keeps, and what their snapshots contain.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The panes; `None` for one snapshot of everything.
    pub panes: Option<Panes>,
    /// The lookbacks, in panes; `None` for everything since the start.
    pub lengths: Vec<Option<i64>>,
    /// The number of panes from one end to the next.
    pub step: i64,
    /// What moves the watermark.
    pub clock: Clock,
    /// The number of sources.
    pub sources: usize,
    /// Without panes, the oldest and the newest time that the one snapshot covers at least.
    pub bounds: Option<(i64, i64)>,
    /// The maximum number of rows in a snapshot.
    pub limit: Option<usize>,
    /// How rows are ranked.
    pub order: Order,
    /// Whether snapshots contain ranks and their changes.
    pub track_ranks: bool,
    /// The maximum number of keys in a window; all others share one row.
    pub max_keys: Option<usize>,
    /// The maximum of the memory for keys, in bytes; keys that are new when there is no room share
    /// one row.
    pub max_key_bytes: Option<usize>,
    /// The aggregates of each key.
    pub plan: Plan,
    /// The kinds of the key fields.
    pub keys: Vec<Kind>,
    /// The kinds of the plan's fields.
    pub values: Vec<Kind>,
    /// Which key fields and which fields of the plan are bytes instead of text.
    pub raw: [Vec<bool>; 2],
}

impl Settings {
    /// Creates settings for windows of these lengths with a snapshot every `slide`, all in
    /// microseconds. A length of `None` means since the start. Without a slide, everything is one
    /// window.
    ///
    /// Snapshots contain all keys, most frequent first. The plan is empty.
    pub fn of_windows(
        lengths: &[Option<i64>],
        slide: Option<i64>,
        offset: i64,
        lateness: i64,
    ) -> Result<Self, InputError> {
        let none = Self {
            panes: None,
            lengths: vec![None],
            step: 1,
            clock: Clock::Manual,
            sources: 0,
            bounds: None,
            limit: None,
            order: Order { by: OrderBy::Count, ascending: false },
            track_ranks: false,
            max_keys: None,
            max_key_bytes: None,
            plan: Plan::default(),
            keys: Vec::new(),
            values: Vec::new(),
            raw: [Vec::new(), Vec::new()],
        };
        let Some(slide) = slide else { return Ok(none) };
        if slide < 1 || lengths.is_empty() || lengths.iter().flatten().any(|&length| length < 1) {
            return Err(InputError::value("expected positive lengths and a positive slide"));
        }
        let width = lengths.iter().flatten().fold(slide, |width, &length| gcd(width, length));
        Ok(Self {
            panes: Some(Panes { width, offset, lateness }),
            lengths: lengths.iter().map(|length| length.map(|length| length / width)).collect(),
            step: slide / width,
            ..none
        })
    }

    /// Creates settings that count the keys of one field, largest count first.
    pub fn counting(panes: Option<Panes>, length: i64, clock: Clock, kind: Kind) -> Self {
        Self {
            panes,
            lengths: vec![Some(length)],
            step: 1,
            clock,
            sources: 1,
            bounds: None,
            limit: None,
            order: Order { by: OrderBy::Count, ascending: false },
            track_ranks: false,
            max_keys: None,
            max_key_bytes: None,
            plan: Plan::counting(),
            keys: vec![kind],
            values: Vec::new(),
            raw: [Vec::new(), Vec::new()],
        }
    }

    /// Returns the longest lookback that is not unlimited.
    pub(super) fn longest(&self) -> Option<i64> {
        self.lengths.iter().copied().flatten().max()
    }
}

fn gcd(mut one: i64, mut other: i64) -> i64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pane_width_divides_all_lengths_and_the_slide() {
        let of = |lengths: &[Option<i64>], slide| {
            let settings = Settings::of_windows(lengths, slide, 1, 2).unwrap();
            let width = settings.panes.map(|panes| panes.width);
            (width, settings.lengths, settings.step)
        };
        assert_eq!(of(&[Some(30), None], Some(20)), (Some(10), vec![Some(3), None], 2));
        assert_eq!(of(&[Some(30)], None), (None, vec![None], 1));
        for lengths in [&[][..], &[Some(0)], &[Some(1), Some(-1)]] {
            assert!(Settings::of_windows(lengths, Some(1), 0, 0).is_err());
        }
        assert!(Settings::of_windows(&[Some(1)], Some(0), 0, 0).is_err());
    }
}
