//! What a state is made by.

use super::aggregate::Plan;
use super::rank::Order;
use crate::ground::{InputError, Kind, Panes};

/// What moves the watermark, and with it which ends are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// `advance`, the clock of the machine: every end is answered.
    Arrival,
    /// The events of the sources: empty windows are answered once, then jumped.
    Events,
    /// `advance`, minus lateness: as by event time.
    Manual,
}

/// What is kept of the past, and how it is answered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The panes, or nothing for one answer of everything.
    pub panes: Option<Panes>,
    /// How far each answer looks back, in panes; nothing is since the start.
    pub lengths: Vec<Option<i64>>,
    /// How many panes there are from one answer to the next.
    pub step: i64,
    /// What moves the watermark.
    pub clock: Clock,
    /// How many sources there are.
    pub sources: usize,
    /// How many rows a snapshot has at most.
    pub limit: Option<usize>,
    /// By what rows are ranked.
    pub order: Order,
    /// Whether answers say how keys moved since the last one.
    pub track_ranks: bool,
    /// How many keys a window has at most; the others are one row.
    pub max_keys: Option<usize>,
    /// What is asked of each key.
    pub plan: Plan,
    /// What the fields of keys are.
    pub keys: Vec<Kind>,
    /// What the values of the plan's fields are.
    pub values: Vec<Kind>,
    /// Which of the fields of keys, and of the plan, are bytes and no text.
    pub raw: [Vec<bool>; 2],
}

impl Settings {
    /// How windows of these lengths look back that are answered every slide, all in microseconds.
    /// A length that is none is since the start; without a slide there is one window of everything.
    ///
    /// All keys come, the most frequent first; what is asked of them is left open.
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
            limit: None,
            order: Order { by: None, ascending: false },
            track_ranks: false,
            max_keys: None,
            plan: Plan::default(),
            keys: Vec::new(),
            values: Vec::new(),
            raw: [Vec::new(), Vec::new()],
        };
        let Some(slide) = slide else { return Ok(none) };
        if slide < 1 || lengths.is_empty() || lengths.iter().flatten().any(|&length| length < 1) {
            return Err(InputError::value("a window has a length and a slide"));
        }
        let width = lengths.iter().flatten().fold(slide, |width, &length| gcd(width, length));
        Ok(Self {
            panes: Some(Panes { width, offset, lateness }),
            lengths: lengths.iter().map(|length| length.map(|length| length / width)).collect(),
            step: slide / width,
            ..none
        })
    }

    /// Counts of keys of one field, largest first.
    pub fn counting(panes: Option<Panes>, length: i64, clock: Clock, kind: Kind) -> Self {
        Self {
            panes,
            lengths: vec![Some(length)],
            step: 1,
            clock,
            sources: 1,
            limit: None,
            order: Order { by: None, ascending: false },
            track_ranks: false,
            max_keys: None,
            plan: Plan::counting(),
            keys: vec![kind],
            values: Vec::new(),
            raw: [Vec::new(), Vec::new()],
        }
    }

    /// The longest look back that ends.
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
    fn panes_are_as_long_as_what_divides_all_lengths_and_the_slide() {
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
