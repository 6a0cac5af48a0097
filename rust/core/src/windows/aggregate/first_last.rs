//! The first and the last value, by event time.

use std::cmp::Ordering;

use super::candidates::Candidates;
use super::number::Number;
use super::{Aggregate, Cell, Input, Scope, Windowed};
use crate::ground::Value;
use crate::windows::varint::take;

/// Texts up to this length need no allocation.
const SHORT: usize = 22;

/// `first` and `last` of values of any kind. Exact: the value of the earliest or of the latest
/// event. If several events have that time, `first` is their smallest value and `last` their
/// largest, so the result does not depend on the order of arrival. Events without a time or with a
/// null value are skipped.
///
/// A partial takes 32 bytes, and a text of more than 22 bytes is allocated separately. A window
/// takes 40 bytes per key. Once there are two panes, `first` takes 40 more for each of them,
/// because the next pane holds the result when the oldest leaves; `last` takes no more as long as
/// times rise with panes. An event costs a comparison, a slide the copy of a value. Both select
/// from [`Candidates`], by time.
#[derive(Clone, Debug)]
pub(super) struct FirstLast {
    better: Ordering,
}

/// A value and its time.
#[derive(Clone, Debug)]
pub(super) struct TimedValue {
    time: i64,
    value: OwnedValue,
}

#[derive(Clone, Debug)]
enum OwnedValue {
    Number(Number),
    Time(i64),
    Short(u8, [u8; SHORT]),
    Long(Box<[u8]>),
}

impl FirstLast {
    pub(super) fn first() -> Self {
        Self { better: Ordering::Less }
    }

    pub(super) fn last() -> Self {
        Self { better: Ordering::Greater }
    }
}

impl TimedValue {
    fn order(&self, other: &Self) -> Ordering {
        self.time.cmp(&other.time).then_with(|| self.value.order(&other.value))
    }

    fn cell(&self, scope: &Scope<'_>) -> Cell {
        match &self.value {
            OwnedValue::Number(number) => number.cell(scope.kind),
            OwnedValue::Time(time) => Cell::Time(*time),
            text => Cell::Text(text.text().into()),
        }
    }
}

impl OwnedValue {
    fn of(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Text(text) | Value::Json(text) => Some(Self::of_text(text)),
            Value::Int(number) => Some(Self::Number(Number::Int(number))),
            Value::Large(number) => Some(Self::Number(Number::Large(number))),
            Value::Float(number) => Some(Self::Number(Number::Float(number))),
            Value::Time(time) => Some(Self::Time(time)),
        }
    }

    fn of_text(text: &[u8]) -> Self {
        let mut short = [0; SHORT];
        match (u8::try_from(text.len()), short.get_mut(..text.len())) {
            (Ok(length), Some(bytes)) => {
                bytes.copy_from_slice(text);
                Self::Short(length, short)
            }
            _ => Self::Long(text.into()),
        }
    }

    /// Returns the text; empty for other values.
    fn text(&self) -> &[u8] {
        match self {
            Self::Number(_) | Self::Time(_) => &[],
            Self::Short(length, bytes) => &bytes[..usize::from(*length)],
            Self::Long(bytes) => bytes,
        }
    }

    /// Numbers sort before times and times before text. In practice all values of a field have one
    /// kind.
    fn order(&self, other: &Self) -> Ordering {
        let kind = |held: &Self| match held {
            Self::Number(_) => 0,
            Self::Time(_) => 1,
            Self::Short(..) | Self::Long(_) => 2,
        };
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => one.order(*other),
            (Self::Time(one), Self::Time(other)) => one.cmp(other),
            _ => kind(self).cmp(&kind(other)).then_with(|| self.text().cmp(other.text())),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => {
                out.push(0);
                number.encode(out);
            }
            Self::Time(time) => {
                out.push(1);
                out.extend_from_slice(&time.to_le_bytes());
            }
            text => {
                out.push(2);
                out.extend_from_slice(&(text.text().len() as u64).to_le_bytes());
                out.extend_from_slice(text.text());
            }
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        match take(bytes)? {
            [0] => Number::decode(bytes).map(Self::Number),
            [1] => Some(Self::Time(i64::from_le_bytes(take(bytes)?))),
            [2] => {
                let length = usize::try_from(u64::from_le_bytes(take(bytes)?)).ok()?;
                let (text, rest) = bytes.split_at_checked(length)?;
                *bytes = rest;
                Some(Self::of_text(text))
            }
            _ => None,
        }
    }
}

impl Aggregate for FirstLast {
    type Partial = Option<TimedValue>;

    fn add(&self, partial: &mut Self::Partial, input: &Input<'_>) {
        let Some(time) = input.time else { return };
        // Copy the text only if it may be kept.
        let order = partial.as_ref().map_or(self.better, |best| time.cmp(&best.time));
        if order == self.better.reverse() {
            return;
        }
        let Some(value) = OwnedValue::of(input.value) else { return };
        let at = TimedValue { time, value };
        if partial.as_ref().is_none_or(|best| at.order(best) == self.better) {
            *partial = Some(at);
        }
    }

    fn merge(&self, partial: &mut Self::Partial, other: &Self::Partial) {
        let Some(at) = other else { return };
        if partial.as_ref().is_none_or(|best| at.order(best) == self.better) {
            *partial = Some(at.clone());
        }
    }

    fn emit_partial(&self, partial: &Self::Partial, scope: &Scope<'_>) -> Cell {
        partial.as_ref().map_or(Cell::Null, |at| at.cell(scope))
    }

    fn encode(&self, partial: &Self::Partial, out: &mut Vec<u8>) {
        out.push(partial.is_some().into());
        if let Some(at) = partial {
            out.extend_from_slice(&at.time.to_le_bytes());
            at.value.encode(out);
        }
    }

    fn decode(&self, bytes: &mut &[u8]) -> Option<Self::Partial> {
        match take(bytes)? {
            [0] => Some(None),
            [1] => {
                let time = i64::from_le_bytes(take(bytes)?);
                Some(Some(TimedValue { time, value: OwnedValue::decode(bytes)? }))
            }
            _ => None,
        }
    }
}

impl Windowed for FirstLast {
    type Total = Candidates<TimedValue>;

    fn enter(&self, total: &mut Self::Total, partial: &Self::Partial, pane: i64) {
        if let Some(at) = partial {
            total.enter(pane, at.clone(), |earlier| earlier.order(at) != self.better);
        }
    }

    fn leave(&self, total: &mut Self::Total, _part: &Self::Partial, pane: i64) {
        total.leave(pane);
    }

    fn emit(&self, total: &Self::Total, scope: &Scope<'_>) -> Cell {
        total.best().map_or(Cell::Null, |at| at.cell(scope))
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "the oracle rounds as the aggregate does")]
mod tests {
    use super::*;
    use crate::ground::Kind;
    use crate::windows::aggregate::harness::{self, Event, TestValue};
    use proptest::prelude::*;

    /// Sorts all values by time and then by value.
    fn oracle(last: bool) -> impl Fn(&[&Event], &Scope<'_>) -> Cell {
        move |events, scope| {
            let cell = |held: &TestValue| match (held, scope.kind) {
                (TestValue::Int(number), Kind::Float) => Cell::Float(*number as f64),
                (TestValue::Int(number), _) => Cell::Int((*number).into()),
                (TestValue::Float(number), _) => Cell::Float(*number),
                (TestValue::Time(time), _) => Cell::Time(*time),
                (TestValue::Text(text), _) => Cell::Text(text.as_slice().into()),
                (TestValue::Null, _) => Cell::Null,
            };
            // NaN is the largest value here and the smallest where cells are ranked.
            let is_nan = |cell: &Cell| matches!(cell, Cell::Float(number) if number.is_nan());
            let mut all: Vec<(i64, Cell)> = events
                .iter()
                .filter_map(|event| Some((event.time?, cell(&event.value))))
                .filter(|(_, cell)| *cell != Cell::Null)
                .collect();
            all.sort_by(|(time, one), (other_time, other)| {
                time.cmp(other_time)
                    .then(is_nan(one).cmp(&is_nan(other)))
                    .then_with(|| one.rank(other))
            });
            let end = if last { all.pop() } else { all.into_iter().next() };
            end.map_or(Cell::Null, |(_, cell)| cell)
        }
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(500))]

        #[test]
        fn first_and_last_number_of_the_window(
            run in harness::runs(harness::numbers()), last: bool,
        ) {
            let aggregate = if last { FirstLast::last() } else { FirstLast::first() };
            harness::check(&aggregate, &harness::spec("last"), Kind::Float, &run, oracle(last));
        }

        #[test]
        fn first_and_last_text_of_the_window(
            run in harness::runs(harness::texts()), last: bool,
        ) {
            let aggregate = if last { FirstLast::last() } else { FirstLast::first() };
            harness::check(&aggregate, &harness::spec("last"), Kind::Text, &run, oracle(last));
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in harness::bytes(60)) {
            harness::check_bytes(&FirstLast::first(), &harness::spec("first"), &bytes);
        }
    }

    #[test]
    fn texts_of_any_length_round_trip() {
        for length in [0, 1, 21, 22, 23, 300] {
            let text = vec![b'\xff'; length];
            let event = Event { time: Some(1), ..Event::of(TestValue::Text(text.clone())) };
            let mut partial = None;
            FirstLast::last().add(&mut partial, &event.input());
            let mut bytes = Vec::new();
            FirstLast::last().encode(&partial, &mut bytes);
            let read = FirstLast::last().decode(&mut &bytes[..]).unwrap().unwrap();
            assert_eq!(read.value.text(), text);
        }
    }

    #[test]
    fn a_text_longer_than_the_bytes_is_not_decoded() {
        let mut bytes = vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 2];
        bytes.extend_from_slice(&u64::MAX.to_le_bytes());
        bytes.extend_from_slice(b"text");
        assert!(FirstLast::last().decode(&mut &bytes[..]).is_none());
    }

    #[test]
    fn sizes_match_the_documentation() {
        assert_eq!(size_of::<Option<TimedValue>>(), 32);
        assert_eq!(size_of::<Candidates<TimedValue>>(), 40);
    }
}
