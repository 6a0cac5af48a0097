//! What is computed for each key.
//!
//! An aggregate is one file: how an event is added to a part, how parts merge, how a window takes
//! a pane's part in and gives it back, what it says, and how a part is written as bytes. What has
//! an exact inverse is [`Invertible`] and needs nothing more than to be subtracted. What has none
//! keeps what could still become the answer ([`Windowed::Total`]), by the number of its pane.
//!
//! Panes, windows and deltas know aggregates only as columns, and one call of a column handles a
//! pane. The list of all aggregates is [`LIST`]; to add one is a file and a row there.

mod approx_count_distinct;
mod candidates;
mod codes;
mod column;
#[cfg(test)]
mod costs;
mod count;
mod count_distinct;
mod counts;
mod ends;
mod exact;
mod extreme;
mod floats;
#[cfg(test)]
mod harness;
mod limbs;
mod list;
mod number;
mod plan;
mod quantile;
mod ratio;
mod sum;
mod tally;
mod top_values;
mod values;
mod variance;

use std::fmt::Debug;

pub(crate) use column::{Column, Totals};
pub use list::{Ask, Known, LIST, Takes};
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
    pub(crate) ask: &'a Ask,
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
    type Part: Clone + Debug + Default + Send + Sync;

    /// Adds an event.
    fn add(&self, part: &mut Self::Part, input: &Input<'_>);

    /// Adds what another part holds. In which order parts merge makes no odds.
    fn merge(&self, part: &mut Self::Part, other: &Self::Part);

    /// Says what a part holds.
    fn emit_part(&self, part: &Self::Part, scope: &Scope<'_>) -> Cell;

    /// Writes a part.
    fn encode(&self, part: &Self::Part, out: &mut Vec<u8>);

    /// Reads a part from the front of these bytes; nothing where they are none.
    fn decode(&self, bytes: &mut &[u8]) -> Option<Self::Part>;
}

/// What a window holds whose panes leave again.
pub(crate) trait Windowed: Aggregate {
    /// What a window holds of a key: enough to answer while panes come and go in order.
    type Total: Clone + Debug + Default + Send + Sync;

    /// Takes in the part of a pane; its number is higher than that of any before.
    fn enter(&self, total: &mut Self::Total, part: &Self::Part, pane: i64);

    /// Gives back the part of the oldest pane that was taken in.
    fn leave(&self, total: &mut Self::Total, part: &Self::Part, pane: i64);

    /// Says what the window holds.
    fn emit(&self, total: &Self::Total, scope: &Scope<'_>) -> Cell;
}

/// What can be subtracted without a trace, so that a window holds what a pane does.
pub(crate) trait Invertible: Aggregate {
    /// Takes away what was merged.
    fn subtract(&self, part: &mut Self::Part, other: &Self::Part);
}

impl<A: Invertible> Windowed for A {
    type Total = A::Part;

    fn enter(&self, total: &mut A::Part, part: &A::Part, _pane: i64) {
        self.merge(total, part);
    }

    fn leave(&self, total: &mut A::Part, part: &A::Part, _pane: i64) {
        self.subtract(total, part);
    }

    fn emit(&self, total: &A::Part, scope: &Scope<'_>) -> Cell {
        self.emit_part(total, scope)
    }
}
