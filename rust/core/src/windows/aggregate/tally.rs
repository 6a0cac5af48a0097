//! How often each value of each key came.

use std::any::Any;

use hashbrown::HashTable;

use super::codes::{self, Codes};
use super::column::{Column, Totals};
use super::counts::{Count, Counts};
use super::values::{Told, hash_text};
use super::{Cell, Input, Scope, count_distinct, top_values};
use crate::ground::Value;
use crate::windows::bytes::{get, put};
use crate::windows::keys::{Seed, id_of};

/// The values of the entries of a pane or of a delta, and how often each came.
///
/// Each pair of an entry and a value is a record of 20 bytes, which takes 5 to 10 more to be found
/// until the pane is closed; an entry takes 4 bytes, and a value what [`Codes`] says.
#[derive(Clone, Debug)]
pub(super) struct ValueParts {
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
    /// The record of the same entry that was before this.
    before: u32,
    count: Count,
}

/// No record.
const NONE: u32 = u32::MAX;

impl ValueParts {
    pub(super) fn column(seed: &Seed) -> Box<dyn Column> {
        Box::new(Self::with(Codes::new(seed.clone())))
    }

    fn with(codes: Codes) -> Self {
        Self { codes, records: Vec::new(), last: Vec::new(), index: HashTable::new() }
    }

    /// The records of an entry, the last first.
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

    /// Counts a value of an entry as many times more.
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
        // As many do not fit into memory.
        let at = id_of(records.len());
        let last = &mut last[entry as usize];
        records.push(Record { entry, code, before: *last, count: Count::new(times) });
        *last = at;
        index.insert_unique(hash, at, |&at| hash_of(codes, &records[at as usize]));
    }

    /// Has to come before what counts, for a closed pane cannot find anything.
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

    /// Merges all that another column has into this one, which is empty.
    fn copy(&mut self, other: &Self, pairs: &[(u32, u32)]) {
        self.codes = other.codes.clone();
        self.records.reserve(other.records.len());
        for &(into, from) in pairs {
            self.grow(into as usize + 1);
            for record in other.of(from) {
                let at = id_of(self.records.len());
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

fn parts_of(column: &dyn Column) -> Option<&ValueParts> {
    let column: &dyn Any = column;
    column.downcast_ref()
}

/// What the codes of one table are in another.
struct Translation {
    known: Vec<u32>,
}

impl Translation {
    /// For so many of the entries: if they are few, nothing is to be done for all codes.
    fn new(into: &Codes, from: &ValueParts, entries: usize) -> Self {
        let all = from.last.len() / 2 <= entries;
        Self { known: if all { into.find_all(&from.codes) } else { Vec::new() } }
    }

    /// The code, which is looked up if it is not known; what is found is known from then on.
    #[inline]
    fn get(&mut self, from: &Codes, code: u32, find: impl FnOnce(Told<'_>) -> u32) -> u32 {
        if codes::is_number(code) {
            return code;
        }
        match self.known.get_mut(code as usize) {
            Some(known) => {
                if *known == codes::NONE {
                    *known = find(from.told(code));
                }
                *known
            }
            None => find(from.told(code)),
        }
    }
}

impl Column for ValueParts {
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
        let Some(told) = Told::of(input.value) else { return };
        self.restore();
        self.grow(entry + 1);
        let code = self.codes.code(told);
        self.count(id_of(entry), code, 1);
    }

    fn merge(&mut self, other: &dyn Column, pairs: &[(u32, u32)]) {
        let Some(other) = parts_of(other) else { return };
        // Where two entries become one, a value of both is to be one record.
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
                let find = |told: Told<'_>| self.codes.code(told);
                let code = translation.get(&other.codes, record.code, find);
                self.count(into, code, record.count.get());
            }
        }
    }

    fn shrink(&mut self) {
        // Behind each other as they will be read.
        let mut records = Vec::with_capacity(self.records.len());
        let mut last = Vec::with_capacity(self.last.len());
        for entry in 0..id_of(self.last.len()) {
            let mut before = NONE;
            for record in self.of(entry) {
                records.push(Record { before, ..*record });
                before = id_of(records.len() - 1);
            }
            last.push(before);
        }
        (self.records, self.last) = (records, last);
        self.index = HashTable::new();
        self.codes.shrink();
    }

    /// Writes how many values there are, and each with its count, in an order of their own.
    fn encode(&self, entry: usize, out: &mut Vec<u8>) {
        let told = |record: &Record| (order(self.codes.told(record.code)), record.count.get());
        let mut all: Vec<_> = self.of(id_of(entry)).map(told).collect();
        all.sort_unstable();
        put(out, all.len() as u64);
        for ((_, told), count) in all {
            told.encode(out);
            put(out, count);
        }
    }

    fn decode(&mut self, entry: usize, bytes: &mut &[u8]) -> Option<()> {
        let all = decode(bytes)?;
        self.restore();
        self.grow(entry + 1);
        for (told, count) in all {
            let code = self.codes.code(told);
            self.count(id_of(entry), code, count);
        }
        Some(())
    }

    fn totals(&self, grows: bool) -> Box<dyn Totals> {
        Box::new(ValueTotals { codes: self.codes.fresh(), keys: Vec::new(), grows })
    }
}

/// Reads what was written; nothing where the bytes are not that.
fn decode<'a>(bytes: &mut &'a [u8]) -> Option<Vec<(Told<'a>, u64)>> {
    let mut all = Vec::new();
    let mut last = None;
    // Each takes bytes, so that a number that is too large ends with them.
    for _ in 0..get(bytes)? {
        let told = Told::decode(bytes)?;
        let count = get(bytes)?;
        let place = Some(order(told));
        if count == 0 || last >= place {
            return None;
        }
        last = place;
        all.push((told, count));
    }
    Some(all)
}

/// In which order values are written: text comes last, by some bits of its hash first.
fn order(told: Told<'_>) -> (Option<u32>, Told<'_>) {
    #[expect(clippy::cast_possible_truncation, reason = "some of its bits are enough")]
    let bits = match told {
        Told::Text(text) => Some(hash_text(text) as u32),
        _ => None,
    };
    (bits, told)
}

/// The values of each key of a window, and how often each came.
///
/// A key takes 24 bytes, each of its values 16 to 32, and a value what [`Codes`] says, once for all
/// keys. An event that enters, and one that leaves, costs a look at both.
#[derive(Clone, Debug)]
struct ValueTotals {
    codes: Codes,
    keys: Vec<Counts>,
    grows: bool,
}

/// What comes to a key, or goes.
#[derive(Clone, Copy)]
struct Change {
    key: usize,
    code: u32,
    count: Count,
    hash: u64,
}

/// As many changes wait for memory together.
const TOGETHER: usize = 32;

impl ValueTotals {
    /// Calls with the changes that a pane makes, some at a time.
    fn change(
        &mut self,
        parts: &ValueParts,
        entries: &[(u32, u32)],
        code_of: impl Fn(&mut Codes, Told<'_>) -> u32,
        change: impl Fn(&mut Codes, &mut Counts, Change),
    ) {
        let Self { codes, keys, .. } = self;
        let mut translation = Translation::new(codes, parts, entries.len());
        let mut all = entries.iter().flat_map(|&(key, entry)| {
            parts.of(entry).map(move |record| (key as usize, record.code, record.count))
        });
        let mut some = Vec::with_capacity(TOGETHER);
        loop {
            some.extend(all.by_ref().take(TOGETHER).map(|(key, code, count)| {
                let find = |told: Told<'_>| code_of(codes, told);
                let code = translation.get(&parts.codes, code, find);
                Change { key, code, count, hash: codes.hash(code.into()) }
            }));
            if some.is_empty() {
                return;
            }
            if let Some(most) = some.iter().map(|change| change.key).max()
                && most >= keys.len()
            {
                keys.resize_with(most + 1, Counts::default);
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
    fn copy(&self) -> Box<dyn Totals> {
        Box::new(self.clone())
    }

    fn enter(&mut self, column: &dyn Column, entries: &[(u32, u32)], _pane: i64) {
        let Some(parts) = parts_of(column) else { return };
        self.change(
            parts,
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
        let Some(parts) = parts_of(column).filter(|_| !self.grows) else { return };
        let find = |codes: &mut Codes, told: Told<'_>| codes.find(told).unwrap_or(codes::NONE);
        self.change(parts, entries, find, |codes, counts, Change { code, count, hash, .. }| {
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

    fn give(&self, column: &mut dyn Column, pairs: &[(u32, u32)]) {
        let column: &mut dyn Any = column;
        let Some(parts) = column.downcast_mut::<ValueParts>().filter(|_| self.grows) else {
            return;
        };
        parts.restore();
        for &(entry, key) in pairs {
            parts.grow(entry as usize + 1);
            for (code, count) in self.keys.get(key as usize).into_iter().flat_map(Counts::iter) {
                let code = parts.codes.code(self.codes.told(code));
                parts.count(entry, code, count);
            }
        }
    }

    fn emit(&self, key: u32, scope: &Scope<'_>) -> Cell {
        let none = Counts::default();
        let counts = self.keys.get(key as usize).unwrap_or(&none);
        match scope.ask.what.as_str() {
            "top_values" => top_values::emit(counts.iter(), &self.codes, scope),
            _ => count_distinct::emit(counts.len()),
        }
    }
}

/// A part and a total of one key, as other aggregates have them.
#[cfg(test)]
pub(super) mod testing {
    use super::super::{Aggregate, Windowed};
    use super::*;

    #[derive(Clone, Debug)]
    pub(in super::super) struct Values;

    #[derive(Clone, Debug)]
    pub(in super::super) struct Part(ValueParts);

    #[derive(Clone, Debug)]
    pub(in super::super) struct Total(ValueTotals);

    impl Default for Part {
        fn default() -> Self {
            Self(ValueParts::with(Codes::new(Seed::new(1))))
        }
    }

    impl Default for Total {
        fn default() -> Self {
            let codes = Codes::new(Seed::new(2));
            Self(ValueTotals { codes, keys: Vec::new(), grows: false })
        }
    }

    impl Aggregate for Values {
        type Part = Part;

        fn add(&self, part: &mut Part, input: &Input<'_>) {
            part.0.add(0, input);
        }

        fn merge(&self, part: &mut Part, other: &Part) {
            part.0.merge(&other.0, &[(0, 0)]);
        }

        fn emit_part(&self, part: &Part, scope: &Scope<'_>) -> Cell {
            let mut total = Total::default();
            self.enter(&mut total, part, 0);
            self.emit(&total, scope)
        }

        fn encode(&self, part: &Part, out: &mut Vec<u8>) {
            part.0.encode(0, out);
        }

        fn decode(&self, bytes: &mut &[u8]) -> Option<Part> {
            let mut part = Part::default();
            part.0.decode(0, bytes)?;
            Some(part)
        }
    }

    impl Windowed for Values {
        type Total = Total;

        fn enter(&self, total: &mut Total, part: &Part, pane: i64) {
            total.0.enter(&part.0, &[(0, 0)], pane);
        }

        fn leave(&self, total: &mut Total, part: &Part, pane: i64) {
            total.0.leave(&part.0, &[(0, 0)], pane);
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

    use super::super::values::testing::{asks, mixed, scope, value_of};
    use super::*;
    use crate::ground::Kind;

    fn input(value: Value<'_>) -> Input<'_> {
        Input { value, second: Value::Null, time: None }
    }

    fn totals() -> ValueTotals {
        ValueTotals { codes: Codes::new(Seed::new(3)), keys: Vec::new(), grows: false }
    }

    fn parts() -> ValueParts {
        ValueParts::with(Codes::new(Seed::new(1)))
    }

    #[test]
    fn what_is_held_is_as_large_as_is_said() {
        assert_eq!(size_of::<Record>(), 20);
    }

    #[test]
    fn what_a_key_had_is_gone() {
        let (mut many, mut few) = (parts(), parts());
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
    fn counts_beyond_32_bits_are_kept() {
        let mut bytes = Vec::new();
        put(&mut bytes, 1);
        Told::Text(b"a").encode(&mut bytes);
        put(&mut bytes, u64::from(u32::MAX));
        let mut parts = parts();
        for _ in 0..3 {
            parts.decode(0, &mut bytes.as_slice()).unwrap();
        }
        let mut totals = totals();
        totals.enter(&parts, &[(0, 0)], 0);
        totals.enter(&parts, &[(0, 0)], 1);
        let ask = asks("top_values", 1.0, 0.0);
        let expected = Cell::List(vec![(Cell::Text((*b"a").into()), 6 * u64::from(u32::MAX))]);
        assert_eq!(totals.emit(0, &scope(&ask, Kind::Text)), expected);
        totals.leave(&parts, &[(0, 0)], 0);
        totals.leave(&parts, &[(0, 0)], 1);
        assert_eq!(totals.codes.len(), 0);
    }

    #[test]
    fn bytes_that_promise_more_values_than_they_have_are_none() {
        let mut bytes = Vec::new();
        put(&mut bytes, u64::MAX);
        Told::Int(1).encode(&mut bytes);
        put(&mut bytes, 1);
        assert!(decode(&mut bytes.as_slice()).is_none());
    }

    /// Events by key, and how their pane comes together.
    type Pane = (Vec<(u8, Cell)>, u8);

    fn pane() -> impl Strategy<Value = Pane> {
        (prop::collection::vec((0..6_u8, mixed()), 0..60), any::<u8>())
    }

    /// A pane of two deltas; the entry of a key is not that in the deltas. Some are closed before
    /// the second comes, and some after.
    fn assemble(events: &[(u8, Cell)], how: u8) -> (ValueParts, Vec<(u32, u32)>) {
        let mut pane = parts();
        let place = |key| if how & 2 == 0 { key } else { key / 2 + 3 * (key % 2) };
        let (one, other) = events.split_at(events.len() * usize::from(how) / 256);
        for events in [one, other] {
            let mut delta = parts();
            for (key, cell) in events {
                delta.add(5 - usize::from(*key), &input(value_of(cell)));
            }
            let pairs: Vec<_> = (0..6).map(|key| (place(key), 5 - key)).collect();
            let turn = usize::from(how) % pairs.len();
            // As a delta of several panes does it.
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
        #[test]
        fn each_key_has_its_own_values(
            panes in prop::collection::vec(pane(), 0..12), length in 1..6_usize,
        ) {
            let ask = asks("count_distinct", 0.0, 0.0);
            let (mut totals, mut held) = (totals(), VecDeque::new());
            for (number, (events, how)) in (0..).zip(&panes) {
                let (pane, entries) = assemble(events, *how);
                totals.enter(&pane, &entries, number);
                held.push_back((events, pane, entries, number));
                if held.len() > length {
                    let (_, pane, entries, number) = held.pop_front().unwrap();
                    totals.leave(&pane, &entries, number);
                }
                let mut wanted: BTreeMap<u8, BTreeSet<_>> = BTreeMap::new();
                for (key, cell) in held.iter().flat_map(|(events, ..)| *events) {
                    let told = Told::of(value_of(cell));
                    wanted.entry(*key).or_default().extend(told);
                }
                for key in 0..6 {
                    let values = wanted.get(&key).map_or(0, BTreeSet::len);
                    let said = totals.emit(key.into(), &scope(&ask, Kind::Text));
                    assert_eq!(said, Cell::Int(values as i128), "{key}");
                }
                let all: BTreeSet<_> = wanted.values().flatten().collect();
                let small = |told: &Told<'_>| {
                    matches!(told, Told::Int(number) if (-1 << 30..1 << 30).contains(number))
                };
                let coded = all.iter().filter(|told| !small(told)).count();
                assert_eq!(totals.codes.len(), coded);
            }
            for (_, pane, entries, number) in held {
                totals.leave(&pane, &entries, number);
            }
            assert!(totals.keys.iter().all(|counts| counts.len() == 0) && totals.codes.len() == 0);
        }
    }
}
