//! How often each value of each key occurred.

use std::any::Any;

use hashbrown::HashTable;

use super::code_counts::{CodeCounts, PackedCount};
use super::codes::{self, Codes};
use super::column::{Column, Totals};
use super::datum::{Datum, hash_text};
use super::{Cell, Input, Scope, count_distinct, top_values};
use crate::ground::Value;
use crate::windows::keys::{Seed, index32};
use crate::windows::varint::{get_varint, put_varint};

/// The values of the entries of a pane or a delta, with their counts.
///
/// Each pair of an entry and a value is a record of 20 bytes, plus 5 to 10 in the index until the
/// pane closes. An entry takes 4 bytes, and a value the memory that [`Codes`] documents.
#[derive(Clone, Debug)]
pub(super) struct ValueCounts {
    codes: Codes,
    records: Vec<Record>,
    /// The last record of each entry.
    last: Vec<u32>,
    /// Records by entry and code.
    index: HashTable<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    entry: u32,
    code: u32,
    /// The previous record of the same entry.
    before: u32,
    count: PackedCount,
}

/// No record.
const NONE: u32 = u32::MAX;

impl ValueCounts {
    pub(super) fn column(seed: &Seed) -> Box<dyn Column> {
        Box::new(Self::with(Codes::new(seed.clone())))
    }

    fn with(codes: Codes) -> Self {
        Self { codes, records: Vec::new(), last: Vec::new(), index: HashTable::new() }
    }

    /// Returns the records of an entry, the last one first.
    #[inline]
    fn of(&self, entry: u32) -> impl Iterator<Item = &Record> {
        let first = self.last.get(entry as usize).copied().unwrap_or(NONE);
        let mut next = self.records.get(first as usize);
        std::iter::from_fn(move || {
            let record = next?;
            next = self.records.get(record.before as usize);
            Some(record)
        })
    }

    /// Adds to the count of a value of an entry.
    #[inline]
    fn count(&mut self, entry: u32, code: u32, times: u64) {
        let Self { codes, records, last, index } = self;
        let hash = codes.hash(pair(entry, code));
        let same = |&at: &u32| {
            let record = &records[at as usize];
            record.entry == entry && record.code == code
        };
        if let Some(&at) = index.find(hash, same) {
            records[at as usize].count.add(times);
            return;
        }
        // So many records do not fit into memory.
        let at = index32(records.len());
        let last = &mut last[entry as usize];
        records.push(Record { entry, code, before: *last, count: PackedCount::new(times) });
        *last = at;
        index.insert_unique(hash, at, |&at| hash_of(codes, &records[at as usize]));
    }

    /// Rebuilds the index, which a closed pane does not have. Has to be called before counting.
    fn restore(&mut self) {
        self.codes.restore();
        if self.index.is_empty() && !self.records.is_empty() {
            let Self { codes, records, index, .. } = self;
            let hash = |&at: &u32| hash_of(codes, &records[at as usize]);
            index.reserve(records.len(), hash);
            for (at, record) in (0..).zip(records.iter()) {
                index.insert_unique(hash_of(codes, record), at, hash);
            }
        }
    }

    /// Copies another column into this one, which has to be empty.
    fn copy(&mut self, other: &Self, pairs: &[(u32, u32)]) {
        self.codes = other.codes.clone();
        self.records.reserve(other.records.len());
        for &(into, from) in pairs {
            self.grow(into as usize + 1);
            for record in other.of(from) {
                let at = index32(self.records.len());
                let before = std::mem::replace(&mut self.last[into as usize], at);
                self.records.push(Record { entry: into, before, ..*record });
            }
        }
    }

    fn grow(&mut self, len: usize) {
        if len > self.last.len() {
            self.last.resize(len, NONE);
        }
    }
}

#[inline]
fn pair(entry: u32, code: u32) -> u64 {
    u64::from(entry) << 32 | u64::from(code)
}

#[inline]
fn hash_of(codes: &Codes, record: &Record) -> u64 {
    codes.hash(pair(record.entry, record.code))
}

fn partials_of(column: &dyn Column) -> Option<&ValueCounts> {
    let column: &dyn Any = column;
    column.downcast_ref()
}

/// The codes of one table, translated to another.
struct Translation {
    known: Vec<u32>,
}

impl Translation {
    /// For few of the entries, translating all codes in advance does not pay.
    fn new(into: &Codes, from: &ValueCounts, entries: usize) -> Self {
        let all = from.last.len() / 2 <= entries;
        Self { known: if all { into.find_all(&from.codes) } else { Vec::new() } }
    }

    /// Translates a code. Looks it up if it is not known yet, and remembers the result.
    #[inline]
    fn get(&mut self, from: &Codes, code: u32, find: impl FnOnce(Datum<'_>) -> u32) -> u32 {
        if codes::is_number(code) {
            return code;
        }
        match self.known.get_mut(code as usize) {
            Some(known) => {
                if *known == codes::NONE {
                    *known = find(from.value(code));
                }
                *known
            }
            None => find(from.value(code)),
        }
    }
}

impl Column for ValueCounts {
    fn fresh(&self) -> Box<dyn Column> {
        Box::new(Self::with(self.codes.fresh()))
    }

    fn resize(&mut self, len: usize) {
        self.grow(len);
    }

    fn add(&mut self, entry: usize, input: &Input<'_>) {
        if input.value == Value::Null {
            return;
        }
        let Some(datum) = Datum::of(input.value) else { return };
        self.restore();
        self.grow(entry + 1);
        let code = self.codes.code(datum);
        self.count(index32(entry), code, 1);
    }

    fn merge(&mut self, other: &dyn Column, pairs: &[(u32, u32)]) {
        let Some(other) = partials_of(other) else { return };
        // If two entries become one, a value of both has to become one record.
        let apart = || pairs.is_sorted_by(|one, next| one.0 < next.0);
        if self.records.is_empty() && pairs.len() == other.last.len() && apart() {
            self.copy(other, pairs);
            return;
        }
        self.restore();
        let mut translation = Translation::new(&self.codes, other, pairs.len());
        for &(into, from) in pairs {
            self.grow(into as usize + 1);
            for record in other.of(from) {
                let find = |datum: Datum<'_>| self.codes.code(datum);
                let code = translation.get(&other.codes, record.code, find);
                self.count(into, code, record.count.get());
            }
        }
    }

    fn shrink(&mut self) {
        // Group the records by entry, in the order in which they will be read.
        let mut records = Vec::with_capacity(self.records.len());
        let mut last = Vec::with_capacity(self.last.len());
        for entry in 0..index32(self.last.len()) {
            let mut before = NONE;
            for record in self.of(entry) {
                records.push(Record { before, ..*record });
                before = index32(records.len() - 1);
            }
            last.push(before);
        }
        (self.records, self.last) = (records, last);
        self.index = HashTable::new();
        self.codes.shrink();
    }

    /// Encodes the number of values, and then each value with its count, in a fixed order.
    fn encode(&self, entry: usize, out: &mut Vec<u8>) {
        let datum = |record: &Record| (order(self.codes.value(record.code)), record.count.get());
        let mut all: Vec<_> = self.of(index32(entry)).map(datum).collect();
        all.sort_unstable();
        put_varint(out, all.len() as u64);
        for ((_, datum), count) in all {
            datum.encode(out);
            put_varint(out, count);
        }
    }

    fn decode(&mut self, entry: usize, bytes: &mut &[u8]) -> Option<()> {
        let all = decode(bytes)?;
        self.restore();
        self.grow(entry + 1);
        for (datum, count) in all {
            let code = self.codes.code(datum);
            self.count(index32(entry), code, count);
        }
        Some(())
    }

    fn totals(&self, grows: bool) -> Box<dyn Totals> {
        Box::new(ValueTotals { codes: self.codes.fresh(), keys: Vec::new(), grows })
    }
}

/// Decodes values and counts; `None` if the bytes are not an encoding.
fn decode<'a>(bytes: &mut &'a [u8]) -> Option<Vec<(Datum<'a>, u64)>> {
    let mut all = Vec::new();
    let mut last = None;
    // Each value takes bytes, so a number that is too large ends with them.
    for _ in 0..get_varint(bytes)? {
        let datum = Datum::decode(bytes)?;
        let count = get_varint(bytes)?;
        let place = Some(order(datum));
        if count == 0 || last >= place {
            return None;
        }
        last = place;
        all.push((datum, count));
    }
    Some(all)
}

/// The order in which values are encoded: text comes last, sorted by some bits of its hash first.
fn order(datum: Datum<'_>) -> (Option<u32>, Datum<'_>) {
    #[expect(clippy::cast_possible_truncation, reason = "some of its bits are enough")]
    let bits = match datum {
        Datum::Text(text) => Some(hash_text(text) as u32),
        _ => None,
    };
    (bits, datum)
}

/// The values of each key of a window, with their counts.
///
/// A key takes 24 bytes, each of its values 16 to 32, and a value the memory that [`Codes`]
/// documents, once for all keys. An event that enters or leaves costs a lookup in both.
#[derive(Clone, Debug)]
struct ValueTotals {
    codes: Codes,
    keys: Vec<CodeCounts>,
    grows: bool,
}

/// A count to add to a key or to subtract from it.
#[derive(Clone, Copy)]
struct Change {
    key: usize,
    code: u32,
    count: PackedCount,
    hash: u64,
}

/// The number of changes whose memory accesses overlap.
const LOOKUP_BATCH: usize = 32;

impl ValueTotals {
    /// Calls `change` for every count of a pane, in batches.
    fn change(
        &mut self,
        partials: &ValueCounts,
        entries: &[(u32, u32)],
        code_of: impl Fn(&mut Codes, Datum<'_>) -> u32,
        change: impl Fn(&mut Codes, &mut CodeCounts, Change),
    ) {
        let Self { codes, keys, .. } = self;
        let mut translation = Translation::new(codes, partials, entries.len());
        let mut all = entries.iter().flat_map(|&(key, entry)| {
            partials.of(entry).map(move |record| (key as usize, record.code, record.count))
        });
        let mut some = Vec::with_capacity(LOOKUP_BATCH);
        loop {
            some.extend(all.by_ref().take(LOOKUP_BATCH).map(|(key, code, count)| {
                let find = |datum: Datum<'_>| code_of(codes, datum);
                let code = translation.get(&partials.codes, code, find);
                Change { key, code, count, hash: codes.hash(code.into()) }
            }));
            if some.is_empty() {
                return;
            }
            if let Some(most) = some.iter().map(|change| change.key).max()
                && most >= keys.len()
            {
                keys.resize_with(most + 1, CodeCounts::default);
            }
            let touch = |change: &Change| keys[change.key].touch(change.hash);
            std::hint::black_box(some.iter().map(touch).fold(0, |all, code| all ^ code));
            for each in some.drain(..) {
                change(codes, &mut keys[each.key], each);
            }
        }
    }
}

impl Totals for ValueTotals {
    fn part(&mut self, keys: &[u32]) -> Box<dyn Any> {
        let keys: Vec<CodeCounts> = keys
            .iter()
            .map(|&key| self.keys.get(key as usize).cloned().unwrap_or_default())
            .collect();
        // So that none of them is reused before the part is put back.
        for (code, _) in keys.iter().flat_map(CodeCounts::iter) {
            self.codes.hold(code);
        }
        Box::new(keys)
    }

    fn restore(&mut self, keys: &[u32], part: Box<dyn Any>) {
        let Ok(part) = part.downcast::<Vec<CodeCounts>>() else { return };
        for (&key, counts) in keys.iter().zip(*part) {
            self.forget(key);
            if let Some(own) = self.keys.get_mut(key as usize) {
                *own = counts;
            }
        }
    }

    fn enter(&mut self, column: &dyn Column, entries: &[(u32, u32)], _pane: i64) {
        let Some(partials) = partials_of(column) else { return };
        self.change(
            partials,
            entries,
            Codes::code,
            |codes, counts, Change { code, count, hash, .. }| {
                if counts.add(code, hash, count.get(), |code| codes.hash(code.into())) {
                    codes.hold(code);
                }
            },
        );
    }

    fn leave(&mut self, column: &dyn Column, entries: &[(u32, u32)], _pane: i64) {
        let Some(partials) = partials_of(column).filter(|_| !self.grows) else { return };
        let find = |codes: &mut Codes, datum: Datum<'_>| codes.find(datum).unwrap_or(codes::NONE);
        self.change(partials, entries, find, |codes, counts, Change { code, count, hash, .. }| {
            if counts.remove(code, hash, count.get(), |code| codes.hash(code.into())) {
                codes.release(code);
            }
        });
    }

    fn forget(&mut self, key: u32) {
        let Some(counts) = self.keys.get_mut(key as usize) else { return };
        for (code, _) in std::mem::take(counts).iter() {
            self.codes.release(code);
        }
    }

    fn merge_into(&self, column: &mut dyn Column, pairs: &[(u32, u32)]) {
        let column: &mut dyn Any = column;
        let Some(partials) = column.downcast_mut::<ValueCounts>().filter(|_| self.grows) else {
            return;
        };
        partials.restore();
        for &(entry, key) in pairs {
            partials.grow(entry as usize + 1);
            for (code, count) in self.keys.get(key as usize).into_iter().flat_map(CodeCounts::iter)
            {
                let code = partials.codes.code(self.codes.value(code));
                partials.count(entry, code, count);
            }
        }
    }

    fn emit(&self, key: u32, scope: &Scope<'_>) -> Cell {
        let none = CodeCounts::default();
        let counts = self.keys.get(key as usize).unwrap_or(&none);
        match scope.spec.function.as_str() {
            "top_values" => top_values::emit(counts.iter(), &self.codes, scope),
            _ => count_distinct::emit(counts.len()),
        }
    }

    fn whole(&self) -> Option<Box<dyn Totals>> {
        None
    }
}

/// The partial and the total of one key, with the interface of other aggregates.
#[cfg(test)]
pub(super) mod testing {
    use super::super::{Aggregate, Windowed};
    use super::*;

    #[derive(Clone, Debug)]
    pub(in super::super) struct Values;

    #[derive(Clone, Debug)]
    pub(in super::super) struct Partial(ValueCounts);

    #[derive(Clone, Debug)]
    pub(in super::super) struct Total(ValueTotals);

    impl Default for Partial {
        fn default() -> Self {
            Self(ValueCounts::with(Codes::new(Seed::new(1))))
        }
    }

    impl Default for Total {
        fn default() -> Self {
            let codes = Codes::new(Seed::new(2));
            Self(ValueTotals { codes, keys: Vec::new(), grows: false })
        }
    }

    impl Aggregate for Values {
        type Partial = Partial;

        fn add(&self, partial: &mut Partial, input: &Input<'_>) {
            partial.0.add(0, input);
        }

        fn merge(&self, partial: &mut Partial, other: &Partial) {
            partial.0.merge(&other.0, &[(0, 0)]);
        }

        fn emit_partial(&self, partial: &Partial, scope: &Scope<'_>) -> Cell {
            let mut total = Total::default();
            self.enter(&mut total, partial, 0);
            self.emit(&total, scope)
        }

        fn encode(&self, partial: &Partial, out: &mut Vec<u8>) {
            partial.0.encode(0, out);
        }

        fn decode(&self, bytes: &mut &[u8]) -> Option<Partial> {
            let mut partial = Partial::default();
            partial.0.decode(0, bytes)?;
            Some(partial)
        }
    }

    impl Windowed for Values {
        type Total = Total;

        fn enter(&self, total: &mut Total, partial: &Partial, pane: i64) {
            total.0.enter(&partial.0, &[(0, 0)], pane);
        }

        fn leave(&self, total: &mut Total, partial: &Partial, pane: i64) {
            total.0.leave(&partial.0, &[(0, 0)], pane);
        }

        fn emit(&self, total: &Total, scope: &Scope<'_>) -> Cell {
            total.0.emit(0, scope)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, VecDeque};

    use proptest::prelude::*;

    use super::super::datum::testing::{mixed, scope, spec_of, value_of};
    use super::*;
    use crate::ground::Kind;

    fn input(value: Value<'_>) -> Input<'_> {
        Input { value, second: Value::Null, time: None }
    }

    fn totals() -> ValueTotals {
        ValueTotals { codes: Codes::new(Seed::new(3)), keys: Vec::new(), grows: false }
    }

    fn partials() -> ValueCounts {
        ValueCounts::with(Codes::new(Seed::new(1)))
    }

    #[test]
    fn sizes_match_the_documentation() {
        assert_eq!(size_of::<Record>(), 20);
    }

    #[test]
    fn a_key_that_is_reset_frees_its_values() {
        let (mut many, mut few) = (partials(), partials());
        (1..1_000).for_each(|number| many.add(0, &input(Value::Int(number << 40))));
        (1..4).for_each(|number| few.add(0, &input(Value::Int(number << 40))));
        let mut totals = totals();
        totals.enter(&many, &[(7, 0)], 0);
        totals.enter(&few, &[(7, 0)], 1);
        assert_eq!((totals.keys[7].len(), totals.codes.len()), (999, 999));
        totals.leave(&many, &[(7, 0)], 0);
        assert_eq!((totals.keys[7].len(), totals.codes.len()), (3, 3));
        totals.forget(7);
        assert_eq!((totals.keys[7].len(), totals.codes.len()), (0, 0));
    }

    #[test]
    fn counts_above_32_bits_are_kept() {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, 1);
        Datum::Text(b"a").encode(&mut bytes);
        put_varint(&mut bytes, u64::from(u32::MAX));
        let mut partials = partials();
        for _ in 0..3 {
            partials.decode(0, &mut bytes.as_slice()).unwrap();
        }
        let mut totals = totals();
        totals.enter(&partials, &[(0, 0)], 0);
        totals.enter(&partials, &[(0, 0)], 1);
        let spec = spec_of("top_values", 1.0, 0.0);
        let expected = Cell::List(vec![(Cell::Text((*b"a").into()), 6 * u64::from(u32::MAX))]);
        assert_eq!(totals.emit(0, &scope(&spec, Kind::Text)), expected);
        totals.leave(&partials, &[(0, 0)], 0);
        totals.leave(&partials, &[(0, 0)], 1);
        assert_eq!(totals.codes.len(), 0);
    }

    #[test]
    fn fewer_values_than_announced_are_not_decoded() {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, u64::MAX);
        Datum::Int(1).encode(&mut bytes);
        put_varint(&mut bytes, 1);
        assert!(decode(&mut bytes.as_slice()).is_none());
    }

    /// The events by key, and how the pane is assembled.
    type Pane = (Vec<(u8, Cell)>, u8);

    fn pane() -> impl Strategy<Value = Pane> {
        (prop::collection::vec((0..6_u8, mixed()), 0..60), any::<u8>())
    }

    /// Assembles a pane from two deltas, which number their entries differently. Some panes are
    /// closed before the second delta, some after it.
    fn assemble(events: &[(u8, Cell)], how: u8) -> (ValueCounts, Vec<(u32, u32)>) {
        let mut pane = partials();
        let place = |key| if how & 2 == 0 { key } else { key / 2 + 3 * (key % 2) };
        let (one, other) = events.split_at(events.len() * usize::from(how) / 256);
        for events in [one, other] {
            let mut delta = partials();
            for (key, cell) in events {
                delta.add(5 - usize::from(*key), &input(value_of(cell)));
            }
            let pairs: Vec<_> = (0..6).map(|key| (place(key), 5 - key)).collect();
            let turn = usize::from(how) % pairs.len();
            // As for a delta of several panes.
            pane.merge(&delta, &pairs[..turn]);
            pane.merge(&delta, &pairs[turn..]);
            if how & 1 == 0 {
                pane.shrink();
            }
        }
        pane.shrink();
        (pane, (0..6).map(|key| (key, place(key))).collect())
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn each_key_has_its_own_values(
            panes in prop::collection::vec(pane(), 0..12), length in 1..6_usize,
        ) {
            let spec = spec_of("count_distinct", 0.0, 0.0);
            let (mut totals, mut held) = (totals(), VecDeque::new());
            for (number, (events, how)) in (0..).zip(&panes) {
                let (pane, entries) = assemble(events, *how);
                totals.enter(&pane, &entries, number);
                held.push_back((events, pane, entries, number));
                if held.len() > length {
                    let (_, pane, entries, number) = held.pop_front().unwrap();
                    totals.leave(&pane, &entries, number);
                }
                let mut expected: BTreeMap<u8, BTreeSet<_>> = BTreeMap::new();
                for (key, cell) in held.iter().flat_map(|(events, ..)| *events) {
                    let datum = Datum::of(value_of(cell));
                    expected.entry(*key).or_default().extend(datum);
                }
                for key in 0..6 {
                    let values = expected.get(&key).map_or(0, BTreeSet::len);
                    let result = totals.emit(key.into(), &scope(&spec, Kind::Text));
                    assert_eq!(result, Cell::Int(values as i128), "{key}");
                }
                let all: BTreeSet<_> = expected.values().flatten().collect();
                let small = |datum: &Datum<'_>| {
                    matches!(datum, Datum::Int(number) if (-1 << 30..1 << 30).contains(number))
                };
                let coded = all.iter().filter(|datum| !small(datum)).count();
                assert_eq!(totals.codes.len(), coded);
            }
            for (_, pane, entries, number) in held {
                totals.leave(&pane, &entries, number);
            }
            assert!(totals.keys.iter().all(|counts| counts.len() == 0) && totals.codes.len() == 0);
        }
    }
}
