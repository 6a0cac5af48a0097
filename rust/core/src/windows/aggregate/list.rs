//! All aggregates.

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

/// What is asked of the values of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateSpec {
    /// What it is called in answers.
    pub name: String,
    /// Which aggregate: the `name` of a row in [`AGGREGATES`].
    pub function: String,
    /// The fields whose values it accepts; none for those that an event has without a field.
    pub fields: Vec<String>,
    /// What else it goes by: which quantile, how many values.
    pub number: f64,
    /// How far it may be off, of those that are not exact.
    pub error: f64,
}

/// Which values an aggregate accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptedValues {
    /// Numbers.
    Numbers,
    /// Numbers and times.
    Ordered,
    /// Any.
    All,
}

impl AcceptedValues {
    /// Whether values of this kind are taken.
    pub fn accepts(self, kind: Kind) -> bool {
        match self {
            Self::Numbers => matches!(kind, Kind::Int | Kind::Float),
            Self::Ordered => kind != Kind::Text,
            Self::All => true,
        }
    }

    /// These values in words for people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Numbers => "numbers",
            Self::Ordered => "numbers and times",
            Self::All => "any values",
        }
    }
}

/// An aggregate that there is.
#[derive(Clone, Copy, Debug)]
pub struct AggregateInfo {
    /// Its name.
    pub name: &'static str,
    /// What its column is called; those that are called alike share it, if they spec the same
    /// fields with the same error.
    pub column: &'static str,
    /// How many fields it has.
    pub fields: usize,
    /// Which values it accepts.
    pub accepts: AcceptedValues,
    /// What its answers are, where the values are of a kind.
    pub output: fn(Kind) -> Kind,
    /// Whether an answer is a list of such values, each with how often it came.
    pub lists: bool,
    /// What is hashed is hashed by a seed, for values are written by anybody.
    pub(crate) make: fn(&AggregateSpec, &Seed) -> Box<dyn Column>,
}

/// All aggregates but the count of events, which every pane has anyway: `count` is that of the values
/// of a field.
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
    row("count", "count", AcceptedValues::All, int, |_, _| PartialColumn::column(Count)),
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

/// An aggregate of one field whose answers are no lists.
const fn row(
    name: &'static str,
    column: &'static str,
    accepts: AcceptedValues,
    output: fn(Kind) -> Kind,
    make: fn(&AggregateSpec, &Seed) -> Box<dyn Column>,
) -> AggregateInfo {
    AggregateInfo { name, column, fields: 1, accepts, output, lists: false, make }
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
