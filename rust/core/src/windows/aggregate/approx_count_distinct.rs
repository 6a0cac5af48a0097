//! Approximate count of distinct values in bounded memory: `HyperLogLog`.
//!
//! Flajolet, Fusy, Gandouet and Meunier, "`HyperLogLog`: the analysis of a near-optimal cardinality
//! estimation algorithm", 2007. Each value is hashed. Some bits of the hash select a register,
//! which keeps the highest rank: the position of the first 1 in the remaining bits. A maximum has
//! no inverse. So a window keeps, for each register, the ranks that can still become the maximum:
//! those of panes after which no higher rank came, each with the number of its pane (Chabchoub and
//! Hébrail, "Sliding `HyperLogLog`", 2010). The result is bit for bit that of a sketch of the
//! window's values alone. The estimate is computed as in Ertl, "New cardinality estimation
//! algorithms for `HyperLogLog` sketches", 2017, algorithm 6, which holds from 0 to 2^64 without a
//! threshold.

use super::datum::Datum;
use super::{Cell, Input, Scope};
use crate::windows::varint::{get_varint, put_varint, take};

/// The default error, that of 2^12 registers.
const DEFAULT_ERROR: f64 = 1.04 / 64.0;

const MIN_PRECISION: u32 = 4;
const MAX_PRECISION: u32 = 16;

/// The number of registers of each rank. A hash has 64 bits, of which at least 4 select the
/// register.
type Ranks = [u32; 62];

/// With at most this many slots, the registers of each rank are counted when the result is
/// computed. With more, the counts are maintained as panes enter and leave.
const LOOKED_AT: usize = 512;

/// The sketch, with 2^`precision` registers.
///
/// Approximate: the relative standard error is `1.04 / sqrt(2^precision)`, which is 1.6 % with the
/// default of 2^12 registers, and less below some thousand values. A partial takes 24 bytes and 4
/// for each nonzero register, up to a quarter of the registers; beyond that, one byte for every
/// register. A window takes 48 bytes and 12 to 24 for each rank it keeps (per register about the
/// logarithm of the number of panes that hit it, at most one per pane), and 248 more once it keeps
/// many. An event costs a hash and a search. A pane that enters or leaves costs one memory access
/// for each of its registers. A result is a sum over ranks, after a scan of the slots if they are
/// few. Values chosen to crowd some registers make a search longer, but never longer than the
/// number of stored pairs.
///
/// The hash has no secret, because sketches from several processes merge. Whoever chooses the
/// values can therefore make the estimate too high or too low. Use the exact `count_distinct` where
/// that matters.
#[derive(Clone, Debug)]
pub(super) struct ApproxCountDistinct {
    precision: u32,
}

/// The nonzero registers of a pane.
#[derive(Clone, Debug)]
pub(super) enum Partial {
    /// Register and rank, in the order of registers.
    Few(Vec<u32>),
    /// The rank of every register.
    All(Box<[u8]>),
}

impl Default for Partial {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

/// The ranks that can still become the maximum of a register, with the numbers of their panes.
///
/// Pairs are sorted by register, and for one register oldest and highest first. Each pair has a
/// home: the slot where it would be if registers were spread evenly, which the hash nearly ensures.
/// A pair is stored in its home or after it, with no empty slot between.
#[derive(Clone, Debug, Default)]
pub(super) struct Total {
    /// The pairs; 0 marks an empty slot.
    slots: Vec<u64>,
    /// There are 2^`bits` homes.
    bits: u32,
    /// The number of pairs.
    len: usize,
    /// The number of registers by their highest rank, if it is maintained.
    ranks: Option<Box<Ranks>>,
}

impl ApproxCountDistinct {
    /// Creates a sketch with at most this error, within the limits of 2^4 to 2^16 registers. The
    /// default error applies if `error` is not positive.
    pub(super) fn new(error: f64) -> Self {
        let error = if error > 0.0 { error } else { DEFAULT_ERROR };
        let enough = |precision: &u32| 1.04 / f64::from(1 << precision).sqrt() <= error;
        let precision = (MIN_PRECISION..MAX_PRECISION).find(enough);
        Self { precision: precision.unwrap_or(MAX_PRECISION) }
    }

    fn registers(&self) -> u32 {
        1 << self.precision
    }

    /// Shifts a register number into the high bits of 16.
    fn upper(&self, register: u32) -> u64 {
        u64::from(register) << (MAX_PRECISION - self.precision)
    }

    fn highest(&self) -> u8 {
        (65 - self.precision).to_le_bytes()[0]
    }

    /// The number of nonzero registers above which a partial stores all of them.
    fn few(&self) -> usize {
        self.registers() as usize / 4
    }

    #[inline]
    fn raise(&self, partial: &mut Partial, register: u32, rank: u8) {
        let pairs = match partial {
            Partial::All(ranks) => {
                let held = &mut ranks[register as usize];
                *held = rank.max(*held);
                return;
            }
            Partial::Few(pairs) => pairs,
        };
        let pair = register << 8 | u32::from(rank);
        match pairs.binary_search_by_key(&register, |pair| pair >> 8) {
            Ok(place) => pairs[place] = pair.max(pairs[place]),
            Err(place) if pairs.len() < self.few() => pairs.insert(place, pair),
            Err(_) => {
                let mut ranks = vec![0; self.registers() as usize].into_boxed_slice();
                partial.each(|register, rank| ranks[register as usize] = rank);
                ranks[register as usize] = rank;
                *partial = Partial::All(ranks);
            }
        }
    }

    /// Estimates the number of distinct values from the number of registers of each rank.
    fn estimate(&self, ranks: &Ranks) -> Cell {
        let registers = f64::from(self.registers());
        let highest = usize::from(self.highest());
        let count = |rank: usize| f64::from(ranks[rank]);
        let mut sum = registers * tau(1.0 - count(highest) / registers);
        for rank in (1..highest).rev() {
            sum = 0.5 * (sum + count(rank));
        }
        sum += registers * sigma(count(0) / registers);
        let estimate = registers / (2.0 * std::f64::consts::LN_2) * registers / sum;
        #[expect(clippy::cast_possible_truncation, reason = "far below the maximum")]
        Cell::Int(estimate.round() as i128)
    }
}

/// Ertl's correction for registers that are 0.
fn sigma(share: f64) -> f64 {
    if share >= 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut weight, mut sum) = (share, 1.0, share);
    loop {
        power *= power;
        let next = sum + power * weight;
        weight += weight;
        if next <= sum {
            return sum;
        }
        sum = next;
    }
}

/// Ertl's correction for saturated registers.
fn tau(share: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return 0.0;
    }
    let (mut root, mut weight, mut sum) = (share, 1.0, 1.0 - share);
    loop {
        root = root.sqrt();
        weight *= 0.5;
        let next = sum - (1.0 - root) * (1.0 - root) * weight;
        if next >= sum {
            return sum / 3.0;
        }
        sum = next;
    }
}

impl super::Aggregate for ApproxCountDistinct {
    type Partial = Partial;

    #[inline]
    fn add(&self, partial: &mut Partial, input: &Input<'_>) {
        let Some(datum) = Datum::of(input.value) else { return };
        let hash = datum.hash();
        // A 1 after the last bit ends the search.
        let rest = hash << self.precision | 1 << (self.precision - 1);
        let rank = (rest.leading_zeros() + 1).to_le_bytes()[0];
        #[expect(clippy::cast_possible_truncation, reason = "at most 16 bits are left")]
        self.raise(partial, (hash >> (64 - self.precision)) as u32, rank);
    }

    fn merge(&self, partial: &mut Partial, other: &Partial) {
        if let (Partial::All(ranks), Partial::All(others)) = (&mut *partial, other) {
            ranks.iter_mut().zip(others).for_each(|(rank, other)| *rank = (*rank).max(*other));
            return;
        }
        other.each(|register, rank| self.raise(partial, register, rank));
    }

    fn emit_partial(&self, partial: &Partial, _scope: &Scope<'_>) -> Cell {
        let mut ranks = [0; 62];
        partial.each(|_, rank| ranks[usize::from(rank)] += 1);
        ranks[0] = self.registers() - ranks.iter().sum::<u32>();
        self.estimate(&ranks)
    }

    /// Encodes the precision, the number of nonzero registers, and then either the gap to the
    /// previous register and the rank of each, or the ranks of all registers.
    fn encode(&self, partial: &Partial, out: &mut Vec<u8>) {
        out.push(self.precision.to_le_bytes()[0]);
        match partial {
            Partial::Few(pairs) => {
                put_varint(out, pairs.len() as u64);
                let mut next = 0;
                partial.each(|register, rank| {
                    put_varint(out, u64::from(register - next));
                    out.push(rank);
                    next = register + 1;
                });
            }
            Partial::All(ranks) => {
                put_varint(out, ranks.iter().filter(|&&rank| rank > 0).count() as u64);
                out.extend_from_slice(ranks);
            }
        }
    }

    fn decode(&self, bytes: &mut &[u8]) -> Option<Partial> {
        let [precision] = take(bytes)?;
        let count = usize::try_from(get_varint(bytes)?).ok()?;
        if u32::from(precision) != self.precision {
            return None;
        }
        if count > self.few() {
            let (ranks, rest) = bytes.split_at_checked(self.registers() as usize)?;
            let nonzero = ranks.iter().filter(|&&rank| rank > 0).count();
            if nonzero != count || ranks.iter().any(|&rank| rank > self.highest()) {
                return None;
            }
            *bytes = rest;
            return Some(Partial::All(ranks.into()));
        }
        let mut pairs = Vec::new();
        let mut next = 0_u32;
        for _ in 0..count {
            let register = next.checked_add(u32::try_from(get_varint(bytes)?).ok()?)?;
            let [rank] = take(bytes)?;
            if register >= self.registers() || rank == 0 || rank > self.highest() {
                return None;
            }
            pairs.push(register << 8 | u32::from(rank));
            next = register + 1;
        }
        Some(Partial::Few(pairs))
    }
}

impl super::Windowed for ApproxCountDistinct {
    type Total = Total;

    fn enter(&self, total: &mut Total, partial: &Partial, pane: i64) {
        partial.each(|register, rank| total.enter(self.upper(register), rank, pane));
    }

    fn leave(&self, total: &mut Total, partial: &Partial, pane: i64) {
        partial.each(|register, _| total.leave(self.upper(register), pane));
        total.fit();
    }

    fn emit(&self, total: &Total, _scope: &Scope<'_>) -> Cell {
        let mut ranks = total.ranks.as_ref().map_or_else(|| total.count(), |ranks| **ranks);
        ranks[0] = self.registers() - ranks.iter().sum::<u32>();
        self.estimate(&ranks)
    }
}

impl Partial {
    /// Calls `call` with each nonzero register, in order, and its rank.
    #[inline]
    fn each(&self, mut call: impl FnMut(u32, u8)) {
        match self {
            Self::Few(pairs) => {
                for pair in pairs {
                    call(pair >> 8, pair.to_le_bytes()[0]);
                }
            }
            Self::All(ranks) => {
                for (register, &rank) in (0..).zip(ranks).filter(|(_, rank)| **rank > 0) {
                    call(register, rank);
                }
            }
        }
    }
}

/// Packs a register into the high 16 bits, a rank into the low 8 bits, and enough bits of the
/// pane's number between them to distinguish the panes of a window. Never 0, because no rank is 0.
fn pair(register: u64, rank: u8, pane: i64) -> u64 {
    register << 48 | pane_bits(pane) | u64::from(rank)
}

fn pane_bits(pane: i64) -> u64 {
    pane.cast_unsigned() << 24 >> 16
}

fn register_of(pair: u64) -> u64 {
    pair >> 48
}

fn rank_of(pair: u64) -> u8 {
    pair.to_le_bytes()[0]
}

fn is_of(pair: u64, pane: i64) -> bool {
    pair & 0xffff_ffff_ff00 == pane_bits(pane)
}

/// The number of slots for 2^`bits` homes. The extra slots at the end hold pairs that do not fit at
/// their home.
fn slots_for(bits: u32) -> usize {
    let homes = 1_usize << bits;
    homes + homes / 8 + 3
}

impl Total {
    fn home(&self, register: u64) -> usize {
        (register << self.bits >> 16) as usize
    }

    /// Returns the first slot of a register's pairs, or where it would be.
    #[inline]
    fn first(&self, register: u64) -> usize {
        let mut place = self.home(register);
        while self.at(place) != 0 && register_of(self.at(place)) < register {
            place += 1;
        }
        place
    }

    #[inline]
    fn at(&self, place: usize) -> u64 {
        self.slots.get(place).copied().unwrap_or(0)
    }

    fn has(&self, place: usize, register: u64) -> bool {
        self.at(place) != 0 && register_of(self.at(place)) == register
    }

    fn enter(&mut self, register: u64, rank: u8, pane: i64) {
        let first = self.first(register);
        let before = self.rank_at(first, register);
        let mut place = first;
        while self.has(place, register) && rank_of(self.slots[place]) > rank {
            place += 1;
        }
        let new = pair(register, rank, pane);
        if self.has(place, register) {
            // A rank that is not higher and leaves earlier can never become the maximum again.
            self.slots[place] = new;
            while self.has(place + 1, register) {
                self.remove(place + 1);
            }
        } else if !self.insert(place, new) {
            self.rebuild(self.bits + 1);
            self.enter(register, rank, pane);
            return;
        }
        self.note(before, before.max(rank));
    }

    fn leave(&mut self, register: u64, pane: i64) {
        let first = self.first(register);
        let before = self.rank_at(first, register);
        while self.has(first, register) && is_of(self.slots[first], pane) {
            self.remove(first);
        }
        self.note(before, self.rank_at(first, register));
    }

    /// Returns the rank of the register whose pairs begin at `first`.
    fn rank_at(&self, first: usize, register: u64) -> u8 {
        if self.has(first, register) { rank_of(self.slots[first]) } else { 0 }
    }

    /// Inserts a pair and moves others up to the next empty slot. Returns false if there is no
    /// room.
    fn insert(&mut self, place: usize, new: u64) -> bool {
        if (self.len + 1) * 3 > self.slots.len() * 2 {
            return false;
        }
        let after = self.slots.get(place..).unwrap_or(&[]);
        let Some(empty) = after.iter().position(|&pair| pair == 0) else { return false };
        self.slots.copy_within(place..place + empty, place + 1);
        self.slots[place] = new;
        self.len += 1;
        true
    }

    /// Removes a pair and moves the following pairs down, except those in their home.
    fn remove(&mut self, place: usize) {
        let after = &self.slots[place + 1..];
        let moved = (place + 1..)
            .zip(after)
            .position(|(slot, &pair)| pair == 0 || self.home(register_of(pair)) == slot)
            .unwrap_or(after.len());
        self.slots.copy_within(place + 1..=place + moved, place);
        self.slots[place + moved] = 0;
        self.len -= 1;
    }

    fn note(&mut self, before: u8, after: u8) {
        let Some(ranks) = &mut self.ranks else { return };
        if before != after {
            // Registers with rank 0 are not counted.
            ranks[usize::from(before)] -= u32::from(before > 0);
            ranks[usize::from(after)] += u32::from(after > 0);
        }
    }

    #[cold]
    fn rebuild(&mut self, bits: u32) {
        let pairs = std::mem::take(&mut self.slots);
        self.bits = bits;
        self.slots = vec![0; slots_for(bits)];
        let mut next = 0;
        for &pair in pairs.iter().filter(|&&pair| pair != 0) {
            let place = next.max(self.home(register_of(pair)));
            let Some(slot) = self.slots.get_mut(place) else {
                self.slots = pairs;
                return self.rebuild(bits + 1);
            };
            *slot = pair;
            next = place + 1;
        }
        self.ranks = (self.slots.len() > LOOKED_AT).then(|| Box::new(self.count()));
    }

    /// Counts the registers by their highest rank.
    fn count(&self) -> Ranks {
        let mut ranks = [0; 62];
        let mut last = None;
        for &pair in self.slots.iter().filter(|&&pair| pair != 0) {
            let register = Some(register_of(pair));
            if register != last {
                ranks[usize::from(rank_of(pair))] += 1;
                last = register;
            }
        }
        ranks
    }

    /// Shrinks the table if most slots are empty.
    fn fit(&mut self) {
        if self.len == 0 {
            *self = Self::default();
        } else if self.bits > 0 && self.len * 8 < self.slots.len() {
            self.rebuild((self.len * 4).ilog2());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::datum::testing::{
        bytes_of, decodes_only_what_is_encoded, merges_in_any_order, mixed, panes, partial_of,
        scope, slide, spec_of, survives_changes,
    };
    use super::super::{Aggregate as _, Windowed as _};
    use super::*;
    use crate::ground::{Kind, Value};

    const ERRORS: [f64; 4] = [0.5, 0.13, DEFAULT_ERROR, 0.0082];

    /// The highest ranks, computed without regard to memory.
    fn registers(sketch: &ApproxCountDistinct, values: &[Cell]) -> Vec<u8> {
        let mut all = vec![0; 1 << sketch.precision];
        for value in values {
            partial_of(sketch, std::slice::from_ref(value)).each(|register, rank| {
                all[register as usize] = rank.max(all[register as usize]);
            });
        }
        all
    }

    fn afresh(sketch: &ApproxCountDistinct, values: &[Cell]) -> Cell {
        let mut ranks = [0; 62];
        for rank in registers(sketch, values) {
            ranks[usize::from(rank)] += 1;
        }
        sketch.estimate(&ranks)
    }

    fn ints() -> impl Strategy<Value = Cell> {
        (0..3_000_i64).prop_map(|number| Cell::Int(number.into()))
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(64))]

        #[test]
        fn a_window_equals_a_sketch_of_its_values(
            panes in panes(ints(), 300), length in 1..12_i64,
            error in prop::sample::select(&ERRORS[..]),
        ) {
            let sketch = ApproxCountDistinct::new(error);
            let spec = spec_of("approx_count_distinct", 0.0, error);
            slide(&sketch, &scope(&spec, Kind::Int), &panes, length, |cell, values| {
                assert_eq!(*cell, afresh(&sketch, values));
            });
        }

        #[test]
        fn a_window_keeps_the_ranks_that_can_still_be_the_maximum(
            panes in prop::collection::vec(prop::collection::vec(ints(), 0..100), 1..30),
            kept in 0..30_usize,
        ) {
            let sketch = ApproxCountDistinct::new(0.13);
            let partials: Vec<_> = panes.iter().map(|values| partial_of(&sketch, values)).collect();
            let mut total = Total::default();
            (0..).zip(&partials).for_each(|(pane, partial)| sketch.enter(&mut total, partial, pane));
            let left = panes.len().saturating_sub(kept);
            (0..).zip(&partials[..left]).for_each(|(pane, partial)| sketch.leave(&mut total, partial, pane));
            let pairs: Vec<_> = total.slots.iter().copied().filter(|&pair| pair != 0).collect();
            prop_assert_eq!(pairs.len(), total.len);
            if let Some(ranks) = &total.ranks {
                prop_assert_eq!(**ranks, total.count());
            }
            for (place, &pair) in total.slots.iter().enumerate().filter(|&(_, &pair)| pair != 0) {
                let home = total.home(register_of(pair));
                prop_assert!(home <= place && !total.slots[home..place].contains(&0));
            }
            let mut expected: Vec<u64> = Vec::new();
            for register in 0..1 << sketch.precision {
                let (mut highest, mut group) = (0, Vec::new());
                for pane in (left..panes.len()).rev() {
                    let rank = registers(&sketch, &panes[pane])[register as usize];
                    if rank > highest {
                        group.push(pair(sketch.upper(register), rank, i64::try_from(pane).unwrap()));
                        highest = rank;
                    }
                }
                expected.extend(group.iter().rev());
            }
            prop_assert_eq!(pairs, expected);
        }

        #[test]
        fn values_of_all_kinds_are_distinguished(panes in panes(mixed(), 20), length in 1..6_i64) {
            let sketch = ApproxCountDistinct::new(0.0);
            let spec = spec_of("approx_count_distinct", 0.0, 0.0);
            slide(&sketch, &scope(&spec, Kind::Text), &panes, length, |cell, values| {
                assert_eq!(*cell, afresh(&sketch, values));
            });
        }

        #[test]
        fn merging_is_commutative_and_associative(
            groups in prop::collection::vec(prop::collection::vec(ints(), 0..600), 0..5),
            error in prop::sample::select(&ERRORS[..]),
        ) {
            merges_in_any_order(&ApproxCountDistinct::new(error), &groups);
        }

        #[test]
        fn invalid_bytes_are_detected(
            mut bytes in prop::collection::vec(any::<u8>(), 1..60),
            values in prop::collection::vec(ints(), 0..20),
            changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4),
            error in prop::sample::select(&ERRORS[..]),
        ) {
            let sketch = ApproxCountDistinct::new(error);
            survives_changes(&sketch, &values, &changes);
            decodes_only_what_is_encoded(&sketch, &bytes);
            bytes[0] = sketch.precision.to_le_bytes()[0];
            decodes_only_what_is_encoded(&sketch, &bytes);
        }
    }

    /// The error of an estimate, in standard errors.
    fn deviation(sketch: &ApproxCountDistinct, number: u32, seed: u64, text: bool) -> f64 {
        let mut partial = Partial::default();
        for value in 0..u64::from(number) {
            let value = seed << 32 | value;
            let word = format!("/item{value:08}");
            let value =
                if text { Value::Text(word.as_bytes()) } else { Value::Int(value.cast_signed()) };
            sketch.add(&mut partial, &Input { value, second: Value::Null, time: None });
        }
        let spec = spec_of("approx_count_distinct", 0.0, 0.0);
        let Cell::Int(estimate) = sketch.emit_partial(&partial, &scope(&spec, Kind::Int)) else {
            panic!("no number")
        };
        let estimate = f64::from(u32::try_from(estimate).unwrap());
        let error = 1.04 / f64::from(sketch.registers()).sqrt();
        (estimate - f64::from(number)) / f64::from(number) / error
    }

    #[test]
    fn estimates_are_within_four_standard_errors() {
        let (mut cases, mut squares) = (0.0, 0.0);
        for (error, most) in [(0.13, 3e5), (DEFAULT_ERROR, 1e6), (0.005, 3e5)] {
            let sketch = ApproxCountDistinct::new(error);
            for seed in 0..40_u32 {
                let number = f64::powf(most, f64::from(seed) / 39.0);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "small"
                )]
                let deviation = deviation(&sketch, number as u32, seed.into(), seed % 4 == 0);
                // For a few values, missing a single one may exceed four standard errors.
                let few = f64::from(sketch.registers()).sqrt() / 1.04 / number;
                assert!(deviation.abs() < 4.0 + few, "{number} {error}: {deviation}");
                if number >= 2_000.0 {
                    cases += 1.0;
                    squares += deviation * deviation;
                }
            }
        }
        let root = f64::sqrt(squares / cases);
        assert!((0.5..1.3).contains(&root), "{root} standard errors");
    }

    #[test]
    fn the_error_determines_the_number_of_registers() {
        let precision = |error| ApproxCountDistinct::new(error).precision;
        assert_eq!(precision(DEFAULT_ERROR), 12);
        assert_eq!(precision(0.016_25), 12);
        assert_eq!(precision(0.016), 13);
        assert_eq!([precision(0.9), precision(0.26), precision(0.0041)], [4, 4, 16]);
        assert_eq!([precision(1e-9), precision(f64::NAN), precision(0.0)], [16, 12, 12]);
    }

    #[test]
    fn another_precision_is_not_decoded() {
        let bytes = bytes_of(&ApproxCountDistinct::new(0.1), &Partial::default());
        assert!(ApproxCountDistinct::new(0.2).decode(&mut bytes.as_slice()).is_none());
    }
}
