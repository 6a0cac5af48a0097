//! What is computed for each key.
//!
//! An aggregate is one file: how an event is added to a partial, how partials merge, how a window takes
//! a pane's partial in and gives it back, what it says, and how a partial is written as bytes. What has
//! an exact inverse is [`Invertible`] and needs nothing more than to be subtracted. What has none
//! keeps what could still become the answer ([`Windowed::Total`]), by the number of its pane.
//!
//! Panes, windows and deltas know aggregates only as columns, and one call of a column handles a
//! pane. The list of all aggregates is [`AGGREGATES`]; to add one is a file and a row there.

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
pub(crate) use plan::{About, Event};
pub use plan::{Plan, PlanError};

use crate::ground::{Cell, Kind, Value};

/// What an event brings to an aggregate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// The value of its field; null without one.
    pub(crate) value: Value<'a>,
    /// The number in its second field, of the aggregates that have two.
    pub(crate) second: Value<'a>,
    /// When the event was, in microseconds, where that is known.
    pub(crate) time: Option<i64>,
}

/// What an answer is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    /// Which of the aggregates that share a column is asked.
    pub(crate) spec: &'a AggregateSpec,
    /// What the values of its field are.
    pub(crate) kind: Kind,
    /// How long the window is.
    pub(crate) seconds: f64,
    /// How many events of the key there are.
    pub(crate) count: u64,
}

impl Scope<'_> {
    /// How many events a second there are.
    pub(crate) fn per_second(&self) -> Cell {
        #[expect(clippy::cast_precision_loss, reason = "fewer events than 2^53")]
        let count = self.count as f64;
        if self.seconds > 0.0 { Cell::Float(count / self.seconds) } else { Cell::Null }
    }
}

/// How values of a key become one answer.
pub(crate) trait Aggregate: Clone + Debug + Send + Sync + 'static {
    /// What a pane holds of a key.
    type Partial: Clone + Debug + Default + Send + Sync;

    /// Adds an event.
    fn add(&self, partial: &mut Self::Partial, input: &Input<'_>);

    /// Adds what another partial holds. In which order partials merge makes no odds.
    fn merge(&self, partial: &mut Self::Partial, other: &Self::Partial);

    /// Says what a partial holds.
    fn emit_partial(&self, partial: &Self::Partial, scope: &Scope<'_>) -> Cell;

    /// Writes a partial.
    fn encode(&self, partial: &Self::Partial, out: &mut Vec<u8>);

    /// Reads a partial from the front of these bytes; nothing where they are none.
    fn decode(&self, bytes: &mut &[u8]) -> Option<Self::Partial>;
}

/// What a window holds whose panes leave again.
pub(crate) trait Windowed: Aggregate {
    /// What a window holds of a key: enough to answer while panes come and go in order.
    type Total: Clone + Debug + Default + Send + Sync;

    /// Takes in the partial of a pane; its number is higher than that of any before.
    fn enter(&self, total: &mut Self::Total, partial: &Self::Partial, pane: i64);

    /// Gives back the partial of the oldest pane that was taken in.
    fn leave(&self, total: &mut Self::Total, partial: &Self::Partial, pane: i64);

    /// Says what the window holds.
    fn emit(&self, total: &Self::Total, scope: &Scope<'_>) -> Cell;
}

/// What can be subtracted without a trace, so that a window holds what a pane does.
pub(crate) trait Invertible: Aggregate {
    /// Takes away what was merged.
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
}
