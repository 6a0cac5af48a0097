//! Counts of the codes of one key.

use super::codes::NONE;

/// A 64-bit number in two halves, so that the structs that contain it have no padding.
#[derive(Clone, Copy, Debug)]
pub(super) struct PackedCount([u32; 2]);

impl PackedCount {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    pub(super) fn new(count: u64) -> Self {
        Self([count as u32, (count >> 32) as u32])
    }

    #[inline]
    pub(super) fn get(self) -> u64 {
        u64::from(self.0[1]) << 32 | u64::from(self.0[0])
    }

    #[inline]
    pub(super) fn add(&mut self, count: u64) {
        *self = Self::new(self.get().saturating_add(count));
    }
}

/// A hash table of codes with their counts, which are never 0.
///
/// Linear probing: a code is in the first free slot from its hash on, so that one memory access
/// mostly finds it. At least a quarter of the slots are free. The caller passes the hash of a code
/// and a function that hashes the others.
#[derive(Clone, Debug, Default)]
pub(super) struct CodeCounts {
    places: Box<[Slot]>,
    len: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    code: u32,
    count: PackedCount,
}

/// A table of at most this many slots does not shrink.
const SMALL: usize = 16;

impl CodeCounts {
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u64)> {
        let all = self.places.iter().filter(|counted| counted.code != NONE);
        all.map(|counted| (counted.code, counted.count.get()))
    }

    /// Returns the code in the home slot of this hash. Touching the slots of several codes before
    /// they are counted lets their memory accesses overlap.
    #[inline]
    pub(super) fn touch(&self, hash: u64) -> u32 {
        self.places.get(self.home(hash)).map_or(NONE, |counted| counted.code)
    }

    /// Adds to the count of a code. Returns whether the code is new.
    #[inline]
    pub(super) fn add(
        &mut self,
        code: u32,
        hash: u64,
        times: u64,
        hash_of: impl Fn(u32) -> u64,
    ) -> bool {
        if 4 * (self.len() + 1) > 3 * self.places.len() {
            self.move_to((2 * self.places.len()).max(4), hash_of);
        }
        let place = self.find(code, hash);
        let counted = &mut self.places[place];
        if counted.code == code {
            counted.count.add(times);
            return false;
        }
        *counted = Slot { code, count: PackedCount::new(times) };
        self.len += 1;
        true
    }

    /// Subtracts from the count of a code. Returns whether nothing is left of it.
    #[inline]
    pub(super) fn remove(
        &mut self,
        code: u32,
        hash: u64,
        times: u64,
        hash_of: impl Fn(u32) -> u64,
    ) -> bool {
        if code == NONE || self.places.is_empty() {
            return false;
        }
        let place = self.find(code, hash);
        let counted = &mut self.places[place];
        if counted.code != code {
            return false;
        }
        let left = counted.count.get().saturating_sub(times);
        counted.count = PackedCount::new(left);
        if left > 0 {
            return false;
        }
        self.close_up(place, &hash_of);
        self.len -= 1;
        if self.places.len() > SMALL && self.len() < self.places.len() / 8 {
            self.move_to((2 * self.len()).next_power_of_two().max(4), hash_of);
        }
        true
    }

    /// Returns the slot of a code, or the free slot where it belongs. There always is a free one.
    #[inline]
    fn find(&self, code: u32, hash: u64) -> usize {
        let mut place = self.home(hash);
        while self.places[place].code != code && self.places[place].code != NONE {
            place = (place + 1) & (self.places.len() - 1);
        }
        place
    }

    /// Frees a slot and moves up the codes that would not be found after it.
    fn close_up(&mut self, mut free: usize, hash_of: impl Fn(u32) -> u64) {
        let mask = self.places.len() - 1;
        let mut next = free;
        loop {
            next = (next + 1) & mask;
            let counted = self.places[next];
            if counted.code == NONE {
                break;
            }
            let home = self.home(hash_of(counted.code));
            if next.wrapping_sub(home) & mask >= next.wrapping_sub(free) & mask {
                self.places[free] = counted;
                free = next;
            }
        }
        self.places[free].code = NONE;
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "only the low bits are needed")]
    fn home(&self, hash: u64) -> usize {
        hash as usize & self.places.len().wrapping_sub(1)
    }

    /// Moves to a table of this many slots, a power of two.
    fn move_to(&mut self, places: usize, hash_of: impl Fn(u32) -> u64) {
        let free = Slot { code: NONE, count: PackedCount::new(0) };
        let old = std::mem::replace(&mut self.places, vec![free; places].into());
        for counted in old.iter().filter(|counted| counted.code != NONE) {
            let place = self.find(counted.code, hash_of(counted.code));
            self.places[place] = *counted;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_match_the_documentation() {
        assert_eq!(size_of::<Slot>(), 12);
        assert_eq!(size_of::<CodeCounts>(), 24);
    }

    #[test]
    fn a_large_table_shrinks_again() {
        let hash = |code: u32| u64::from(code).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let mut counts = CodeCounts::default();
        (0..1_000).for_each(|code| assert!(counts.add(code, hash(code), 300, hash)));
        assert!(counts.places.len() == 2_048);
        (3..1_000).for_each(|code| assert!(counts.remove(code, hash(code), 300, hash)));
        assert_eq!(counts.len(), 3);
        assert!(counts.places.len() <= SMALL);
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn codes_are_counted_with_any_hash(
            bits in 0..6_u32,
            events in prop::collection::vec((0..40_u32, 1..4_u64, any::<bool>()), 0..400),
        ) {
            // With few bits all codes collide, also across the end of the table.
            let hash = |code: u32| u64::from(code % (1 << bits)).wrapping_sub(3);
            let mut counts = CodeCounts::default();
            let mut expected: BTreeMap<u32, u64> = BTreeMap::new();
            for (code, times, is_added) in events {
                let before = expected.get(&code).copied().unwrap_or(0);
                if is_added {
                    prop_assert_eq!(counts.add(code, hash(code), times, hash), before == 0);
                    expected.insert(code, before + times);
                } else {
                    let removed = before > 0 && before <= times;
                    prop_assert_eq!(counts.remove(code, hash(code), times, hash), removed);
                    if before > times {
                        expected.insert(code, before - times);
                    } else {
                        expected.remove(&code);
                    }
                }
                let held: BTreeMap<u32, u64> = counts.iter().collect();
                prop_assert_eq!(&held, &expected);
                prop_assert_eq!(counts.len(), expected.len());
            }
        }
    }
}
