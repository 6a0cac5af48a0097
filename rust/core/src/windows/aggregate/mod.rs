//! The aggregates that are computed for each key.
//!
//! Each aggregate is one file. It defines how an event is added to a partial, how partials merge,
//! how a window adds and removes the partial of a pane, how the result is computed, and how a
//! partial is encoded. An aggregate with an exact inverse is [`Invertible`] and only needs to
//! implement subtraction. Any other aggregate keeps the values that can still become the result
//! ([`Windowed::Total`]), each with the number of its pane.
//!
//! Panes, windows and deltas see aggregates only as columns; one call of a column handles a whole
//! pane. [`AGGREGATES`] lists all aggregates. To add one, add a file and a row there.

mod approx_count_distinct;
mod bigint;
mod candidates;
mod code_counts;
mod codes;
mod column;
mod count;
mod count_distinct;
mod datum;
mod exact_sum;
mod extreme;
mod first_last;
mod floats;
#[cfg(test)]
mod harness;
mod list;
#[cfg(test)]
mod measure;
mod number;
mod plan;
mod quantile;
mod ratio;
mod sum;
mod top_values;
mod value_counts;
mod variance;

use std::fmt::Debug;

pub(crate) use column::{Column, Totals};
pub use list::{AGGREGATES, AcceptedValues, AggregateInfo, AggregateSpec};
pub(crate) use plan::{EVENTS, Event, KeyContext, PaneColumn, name_of_column};
pub use plan::{Plan, PlanError};

use crate::ground::{Cell, Kind, Value};

/// What an event contributes to an aggregate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// The value of its field; null if the aggregate has no field.
    pub(crate) value: Value<'a>,
    /// The value of its second field, for the aggregates that take two.
    pub(crate) second: Value<'a>,
    /// The time of the event in microseconds, if it is known.
    pub(crate) time: Option<i64>,
}

/// The context in which a result is computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    /// The aggregate to compute, of those that share the column.
    pub(crate) spec: &'a AggregateSpec,
    /// The kind of the field's values.
    pub(crate) kind: Kind,
    /// The length of the window.
    pub(crate) seconds: f64,
    /// The number of events of the key.
    pub(crate) count: u64,
    /// What all keys have together of what the key has a share of.
    pub(crate) whole: Option<f64>,
}

impl Scope<'_> {
    /// Returns a part of the whole; null if there is no whole, or it is zero.
    pub(crate) fn share(&self, part: f64) -> Cell {
        match self.whole {
            Some(whole) if whole != 0.0 => Cell::Float(part / whole),
            _ => Cell::Null,
        }
    }

    /// Returns the number of events, how many they are per second, or their share of all events.
    pub(crate) fn of_events(&self) -> Cell {
        #[expect(clippy::cast_precision_loss, reason = "fewer events than 2^53")]
        let count = self.count as f64;
        match self.spec.function.as_str() {
            "rate" if self.seconds > 0.0 => Cell::Float(count / self.seconds),
            "rate" => Cell::Null,
            "share" => self.share(count),
            _ => Cell::Int(self.count.into()),
        }
    }
}

/// Computes one result from the values of a key.
pub(crate) trait Aggregate: Clone + Debug + Send + Sync + 'static {
    /// What a pane stores for a key.
    type Partial: Clone + Debug + Default + Send + Sync;

    /// Whether merging costs little, so that a snapshot has the result of all keys together.
    const ADDS_UP: bool = false;

    /// Adds an event.
    fn add(&self, partial: &mut Self::Partial, input: &Input<'_>);

    /// Adds another partial. Merging is commutative and associative.
    fn merge(&self, partial: &mut Self::Partial, other: &Self::Partial);

    /// Computes the result of a partial.
    fn emit_partial(&self, partial: &Self::Partial, scope: &Scope<'_>) -> Cell;

    /// Merges the partials of all keys, if that costs little.
    fn whole<'a>(
        &self,
        partials: impl Iterator<Item = &'a Self::Partial>,
    ) -> Option<Self::Partial> {
        Self::ADDS_UP.then(|| {
            let mut all = Self::Partial::default();
            partials.for_each(|partial| self.merge(&mut all, partial));
            all
        })
    }

    /// Encodes a partial.
    fn encode(&self, partial: &Self::Partial, out: &mut Vec<u8>);

    /// Decodes a partial from the front of `bytes`; `None` if they do not begin with one.
    fn decode(&self, bytes: &mut &[u8]) -> Option<Self::Partial>;
}

/// An aggregate over a window that drops its oldest panes.
pub(crate) trait Windowed: Aggregate {
    /// What a window stores for a key: enough to compute the result while panes enter and leave in
    /// order.
    type Total: Clone + Debug + Default + Send + Sync;

    /// Adds the partial of a pane. Its number is higher than that of every pane before it.
    fn enter(&self, total: &mut Self::Total, partial: &Self::Partial, pane: i64);

    /// Removes the partial of the oldest pane in the window.
    fn leave(&self, total: &mut Self::Total, partial: &Self::Partial, pane: i64);

    /// Computes the result of the window.
    fn emit(&self, total: &Self::Total, scope: &Scope<'_>) -> Cell;

    /// Merges the totals of all keys, if that costs little.
    fn whole_of<'a>(
        &self,
        _totals: impl Iterator<Item = &'a Self::Total>,
    ) -> Option<Self::Partial> {
        None
    }
}

/// An aggregate with an exact inverse, so that a window stores the same as a pane.
pub(crate) trait Invertible: Aggregate {
    /// Removes a partial that was merged before.
    fn subtract(&self, partial: &mut Self::Partial, other: &Self::Partial);
}

impl<A: Invertible> Windowed for A {
    type Total = A::Partial;

    fn enter(&self, total: &mut A::Partial, partial: &A::Partial, _pane: i64) {
        self.merge(total, partial);
    }

    fn leave(&self, total: &mut A::Partial, partial: &A::Partial, _pane: i64) {
        self.subtract(total, partial);
    }

    fn emit(&self, total: &A::Partial, scope: &Scope<'_>) -> Cell {
        self.emit_partial(total, scope)
    }

    fn whole_of<'a>(&self, totals: impl Iterator<Item = &'a A::Partial>) -> Option<A::Partial> {
        self.whole(totals)
    }
}
