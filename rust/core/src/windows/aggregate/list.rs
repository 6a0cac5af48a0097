//! The list of all aggregates.

use super::approx_count_distinct::ApproxCountDistinct;
use super::column::{Column, PartialColumn};
use super::count::Count;
use super::extreme::Extreme;
use super::first_last::FirstLast;
use super::quantile::Quantile;
use super::ratio::Ratio;
use super::sum::Sum;
use super::value_counts::ValueCounts;
use super::variance::Variance;
use crate::ground::Kind;
use crate::windows::keys::Seed;

/// An aggregate that a query asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateSpec {
    /// The name of its column in the results.
    pub name: String,
    /// The aggregate function: the `name` of a row in [`AGGREGATES`].
    pub function: String,
    /// The fields that it reads; empty if it needs only the event itself. A condition on events
    /// takes the place of a field for the aggregates that read one.
    pub fields: Vec<String>,
    /// Its numeric parameter: which quantile, or how many values.
    pub number: f64,
    /// The error allowed, for approximate aggregates.
    pub error: f64,
}

/// The values that an aggregate accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptedValues {
    /// Numbers.
    Numbers,
    /// Numbers and times.
    Ordered,
    /// All values.
    All,
}

impl AcceptedValues {
    /// Returns whether values of this kind are accepted.
    pub fn accepts(self, kind: Kind) -> bool {
        match self {
            Self::Numbers => matches!(kind, Kind::Int | Kind::Float | Kind::Any),
            Self::Ordered => kind != Kind::Text,
            Self::All => true,
        }
    }

    /// Describes these values in error messages.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Numbers => "numbers",
            Self::Ordered => "numbers or times",
            Self::All => "any values",
        }
    }
}

/// The definition of an aggregate.
#[derive(Clone, Copy, Debug)]
pub struct AggregateInfo {
    /// Its name.
    pub name: &'static str,
    /// The name of its column. Aggregates with the same column name share one column if they read
    /// the same fields with the same error.
    pub column: &'static str,
    /// How many fields it reads.
    pub fields: usize,
    /// Which values it accepts.
    pub accepts: AcceptedValues,
    /// The kind of its results for values of a given kind.
    pub output: fn(Kind) -> Kind,
    /// Whether a result is a list of values, each with its count.
    pub lists: bool,
    /// Whether it reads a condition instead of a field.
    pub conditional: bool,
    /// Creates its column. Values are hashed with the seed, because anyone can choose them.
    pub(crate) make: fn(&AggregateSpec, &Seed) -> Box<dyn Column>,
}

/// All aggregates except the count of events, which every pane stores anyway. The `count` here
/// counts the values of a field.
pub const AGGREGATES: &[AggregateInfo] = &[
    row("sum", "sum", AcceptedValues::Numbers, same, |_, _| PartialColumn::column(Sum)),
    row("mean", "sum", AcceptedValues::Numbers, float, |_, _| PartialColumn::column(Sum)),
    row("min", "min", AcceptedValues::Ordered, same, |_, _| {
        PartialColumn::column(Extreme::smallest())
    }),
    row("max", "max", AcceptedValues::Ordered, same, |_, _| {
        PartialColumn::column(Extreme::largest())
    }),
    row("first", "first", AcceptedValues::All, same, |_, _| {
        PartialColumn::column(FirstLast::first())
    }),
    row("last", "last", AcceptedValues::All, same, |_, _| PartialColumn::column(FirstLast::last())),
    row("rate", "sum", AcceptedValues::Numbers, float, |_, _| PartialColumn::column(Sum)),
    row("share", "sum", AcceptedValues::Numbers, float, |_, _| PartialColumn::column(Sum)),
    row("count", "count", AcceptedValues::All, int, |_, _| PartialColumn::column(Count)),
    AggregateInfo {
        conditional: true,
        ..row("share_where", "where", AcceptedValues::All, float, |_, _| {
            PartialColumn::column(Count)
        })
    },
    AggregateInfo {
        fields: 2,
        ..row("ratio", "ratio", AcceptedValues::Numbers, float, |_, _| PartialColumn::column(Ratio))
    },
    row("var", "variance", AcceptedValues::Numbers, float, |_, _| PartialColumn::column(Variance)),
    row("std", "variance", AcceptedValues::Numbers, float, |_, _| PartialColumn::column(Variance)),
    row("count_distinct", "values", AcceptedValues::All, int, |_, seed| ValueCounts::column(seed)),
    AggregateInfo {
        lists: true,
        ..row("top_values", "values", AcceptedValues::All, same, |_, seed| {
            ValueCounts::column(seed)
        })
    },
    row("approx_count_distinct", "approx_count_distinct", AcceptedValues::All, int, |spec, _| {
        PartialColumn::column(ApproxCountDistinct::new(spec.error))
    }),
    row("quantile", "quantile", AcceptedValues::Numbers, float, |spec, _| {
        PartialColumn::column(Quantile::new(spec.error))
    }),
];

/// An aggregate of one field whose results are not lists.
const fn row(
    name: &'static str,
    column: &'static str,
    accepts: AcceptedValues,
    output: fn(Kind) -> Kind,
    make: fn(&AggregateSpec, &Seed) -> Box<dyn Column>,
) -> AggregateInfo {
    AggregateInfo {
        name,
        column,
        fields: 1,
        accepts,
        output,
        lists: false,
        conditional: false,
        make,
    }
}

fn same(kind: Kind) -> Kind {
    kind
}

fn int(_: Kind) -> Kind {
    Kind::Int
}

fn float(_: Kind) -> Kind {
    Kind::Float
}
