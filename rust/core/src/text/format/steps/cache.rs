//! What steps computed for the values before.

use std::hash::Hasher;
use std::ops::Range;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

use crate::ground::Cell;
use crate::text::format::time::{ZoneTable, interval_at};

/// How many results are kept.
const SLOTS: usize = 4_096;

/// Results for longer texts are not kept.
const LONGEST: usize = 1_024;

/// Equal results for equal chunks need a seed that never changes. Texts that are chosen to have
/// one hash only share one place.
static SEED: SharedSeed = SharedSeed::from_u64(0);

/// The results for the latest texts, each in the place of its hash; and the latest interval.
#[derive(Clone, Debug)]
pub(in crate::text::format) struct StepCache {
    slots: Vec<Option<(Box<[u8]>, Cell)>>,
    unkept: Cell,
    /// The times that have this start.
    interval: Range<i64>,
    start: i64,
}

impl Default for StepCache {
    fn default() -> Self {
        Self { slots: Vec::new(), unkept: Cell::Null, interval: 0..0, start: 0 }
    }
}

impl StepCache {
    /// The result for a text, computed unless it is known.
    pub(super) fn of(&mut self, text: &[u8], compute: impl FnOnce() -> Cell) -> &Cell {
        if text.len() > LONGEST {
            self.unkept = compute();
            return &self.unkept;
        }
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, None);
        }
        let slot = &mut self.slots[place(text)];
        if slot.as_ref().is_none_or(|(known, _)| **known != *text) {
            *slot = Some((text.into(), compute()));
        }
        slot.as_ref().map_or(&Cell::Null, |(_, cell)| cell)
    }

    /// The start of the interval that holds a time.
    #[inline]
    pub(super) fn interval(&mut self, time: i64, length: i64, zone: Option<&ZoneTable>) -> i64 {
        if !self.interval.contains(&time) {
            (self.start, self.interval) = interval_at(time, length, zone);
        }
        self.start
    }
}

fn place(text: &[u8]) -> usize {
    let mut hasher = FoldHasher::with_seed(0, &SEED);
    hasher.write(text);
    usize::try_from(hasher.finish() >> 32).unwrap_or_default() % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_computed_once_unless_it_is_long() {
        let mut cache = StepCache::default();
        let mut count = 0;
        let long = "x".repeat(LONGEST + 1);
        for text in ["a", "b", "a", "b", "", "", &long, &long] {
            let cell = cache.of(text.as_bytes(), || {
                count += 1;
                Cell::Text(text.as_bytes().into())
            });
            assert_eq!(*cell, Cell::Text(text.as_bytes().into()));
        }
        assert_eq!(count, 5);
    }

    #[test]
    fn texts_of_one_place_replace_each_other() {
        let mut cache = StepCache::default();
        let texts: Vec<_> = (0..3 * SLOTS).map(|number| number.to_string().into_bytes()).collect();
        for text in texts.iter().chain(&texts) {
            let cell = cache.of(text, || Cell::Text(text.as_slice().into()));
            assert_eq!(*cell, Cell::Text(text.as_slice().into()));
        }
        assert_eq!(cache.slots.len(), SLOTS);
    }
}
