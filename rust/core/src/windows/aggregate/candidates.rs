//! The values that can still become the result of a window, for aggregates that select one value.
//!
//! A value that is beaten by one from a later pane can never become the result, because the later
//! one kept longer. So only values that nothing later beats are kept. The first of them is the
//! result, and each is beaten by the one before it. A pane that leaves removes the first value if
//! it belongs to that pane (`SlickDeque`: Shein, Chrysanthis and Labrinidis, EDBT 2018; the worst
//! cases of such queues: Tangwongsan, Hirzel and Schneider, "Optimal and general out-of-order
//! sliding-window aggregation", VLDB 2019). Because the values are sorted, a binary search finds
//! all that a new value beats, and they are dropped at once.

use std::collections::VecDeque;

/// The candidates of a key, oldest first, each with the number of its pane. Most keys appear in few
/// panes and have one candidate, which needs no allocation.
#[derive(Clone, Debug, Default)]
pub(super) enum Candidates<T> {
    #[default]
    None,
    One(i64, T),
    #[expect(clippy::box_collection, reason = "keeps a key with one candidate small")]
    Many(Box<VecDeque<(i64, T)>>),
}

impl<T> Candidates<T> {
    /// Adds the value of the newest pane. `is_beaten` decides which earlier values it beats.
    pub(super) fn enter(&mut self, pane: i64, value: T, is_beaten: impl Fn(&T) -> bool) {
        match self {
            Self::Many(all)
                if all.len() > 1 || !all.back().is_some_and(|(_, last)| is_beaten(last)) =>
            {
                if all.back().is_some_and(|(_, last)| is_beaten(last)) {
                    all.truncate(all.partition_point(|(_, earlier)| !is_beaten(earlier)));
                }
                all.push_back((pane, value));
            }
            Self::One(_, earlier) if !is_beaten(earlier) => {
                if let Self::One(at, earlier) = std::mem::take(self) {
                    let all = VecDeque::from([(at, earlier), (pane, value)]);
                    *self = Self::Many(Box::new(all));
                }
            }
            _ => *self = Self::One(pane, value),
        }
    }

    /// Removes the candidate of the oldest pane.
    pub(super) fn leave(&mut self, pane: i64) {
        let is_empty = match self {
            Self::None => return,
            Self::One(at, _) => *at == pane,
            Self::Many(all) => {
                if all.front().is_some_and(|(at, _)| *at == pane) {
                    all.pop_front();
                    // Here and not in `enter`: a slide that drops many does enough work already.
                    if all.capacity() > 8 * (all.len() + 4) {
                        all.shrink_to(2 * (all.len() + 4));
                    }
                }
                all.is_empty()
            }
        };
        if is_empty {
            *self = Self::None;
        }
    }

    /// Returns the current result.
    pub(super) fn best(&self) -> Option<&T> {
        match self {
            Self::None => None,
            Self::One(_, value) => Some(value),
            Self::Many(all) => all.front().map(|(_, value)| value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::ground::profile::cases(1_000))]

        #[test]
        fn the_best_is_the_largest_of_the_last_panes(
            values in prop::collection::vec(prop::option::of(0..20_u8), 1..60),
            length in 1..20_usize,
        ) {
            let number = |place: usize| i64::try_from(place).unwrap();
            let mut candidates = Candidates::default();
            for (place, &value) in values.iter().enumerate() {
                if let Some(value) = value {
                    candidates.enter(number(place), value, |&earlier| earlier <= value);
                }
                if let Some(left) = place.checked_sub(length) {
                    candidates.leave(number(left));
                }
                let first = (place + 1).saturating_sub(length);
                let largest = values[first..=place].iter().flatten().max();
                prop_assert_eq!(candidates.best(), largest);
            }
        }
    }

    #[test]
    fn a_value_that_beats_many_frees_their_memory() {
        let beaten = || {
            let mut candidates = Candidates::default();
            for pane in 0..10_000 {
                candidates.enter(pane, -pane, |&earlier| earlier <= -pane);
            }
            candidates.enter(10_000, 5, |&earlier| earlier <= 5);
            assert_eq!(candidates.best(), Some(&5));
            candidates
        };
        let mut replaced = beaten();
        replaced.enter(10_001, 6, |&earlier| earlier <= 6);
        assert!(matches!(replaced, Candidates::One(10_001, 6)), "{replaced:?}");
        let mut left = beaten();
        left.enter(10_001, 4, |&earlier| earlier <= 4);
        left.leave(9_999);
        left.leave(10_000);
        assert_eq!(left.best(), Some(&4));
        let Candidates::Many(all) = &left else { panic!("{left:?}") };
        assert!(all.capacity() < 20, "{}", all.capacity());
        left.leave(10_001);
        assert!(matches!(left, Candidates::None));
    }
}
