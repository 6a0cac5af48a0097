//! All aggregates.

use super::approx_count_distinct::ApproxCountDistinct;
use super::column::{Column, Parts};
use super::count::Count;
use super::ends::End;
use super::extreme::Extreme;
use super::quantile::Quantile;
use super::ratio::Ratio;
use super::sum::Sum;
use super::tally::ValueParts;
use super::variance::Variance;
use crate::ground::Kind;
use crate::windows::keys::Seed;

/// What is asked of the values of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// What it is called in answers.
    pub name: String,
    /// Which aggregate: the `name` of a row in [`LIST`].
    pub what: String,
    /// The fields whose values it takes; none for those that an event has without a field.
    pub fields: Vec<String>,
    /// What else it goes by: which quantile, how many values.
    pub number: f64,
    /// How far it may be off, of those that are not exact.
    pub error: f64,
}

/// Which values an aggregate takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Numbers.
    Numbers,
    /// Numbers and times.
    Ordered,
    /// Any.
    All,
}

impl Takes {
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
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// What its column is called; those that are called alike share it, if they ask the same
    /// fields with the same error.
    pub column: &'static str,
    /// How many fields it has.
    pub fields: usize,
    /// Which values it takes.
    pub takes: Takes,
    /// What its answers are, where the values are of a kind.
    pub says: fn(Kind) -> Kind,
    /// Whether an answer is a list of such values, each with how often it came.
    pub lists: bool,
    /// What is hashed is hashed by a seed, for values are written by anybody.
    pub(crate) make: fn(&Ask, &Seed) -> Box<dyn Column>,
}

/// All aggregates but the count of events, which every pane has anyway: `count` is that of the values
/// of a field.
pub const LIST: &[Known] = &[
    row("sum", "sum", Takes::Numbers, same, |_, _| Parts::column(Sum)),
    row("mean", "sum", Takes::Numbers, float, |_, _| Parts::column(Sum)),
    row("min", "min", Takes::Ordered, same, |_, _| Parts::column(Extreme::least())),
    row("max", "max", Takes::Ordered, same, |_, _| Parts::column(Extreme::largest())),
    row("first", "first", Takes::All, same, |_, _| Parts::column(End::first())),
    row("last", "last", Takes::All, same, |_, _| Parts::column(End::last())),
    row("rate", "sum", Takes::Numbers, float, |_, _| Parts::column(Sum)),
    row("count", "count", Takes::All, int, |_, _| Parts::column(Count)),
    Known {
        fields: 2,
        ..row("ratio", "ratio", Takes::Numbers, float, |_, _| Parts::column(Ratio))
    },
    row("var", "variance", Takes::Numbers, float, |_, _| Parts::column(Variance)),
    row("std", "variance", Takes::Numbers, float, |_, _| Parts::column(Variance)),
    row("count_distinct", "values", Takes::All, int, |_, seed| ValueParts::column(seed)),
    Known {
        lists: true,
        ..row("top_values", "values", Takes::All, same, |_, seed| ValueParts::column(seed))
    },
    row("approx_count_distinct", "approx_count_distinct", Takes::All, int, |ask, _| {
        Parts::column(ApproxCountDistinct::new(ask.error))
    }),
    row("quantile", "quantile", Takes::Numbers, float, |ask, _| {
        Parts::column(Quantile::new(ask.error))
    }),
];

/// An aggregate of one field whose answers are no lists.
const fn row(
    name: &'static str,
    column: &'static str,
    takes: Takes,
    says: fn(Kind) -> Kind,
    make: fn(&Ask, &Seed) -> Box<dyn Column>,
) -> Known {
    Known { name, column, fields: 1, takes, says, lists: false, make }
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
