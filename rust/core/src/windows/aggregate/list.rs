//! All aggregates.

use super::approx_distinct::ApproxDistinct;
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
    Known {
        name: "sum",
        column: "sum",
        fields: 1,
        takes: Takes::Numbers,
        says: |kind| kind,
        lists: false,
        make: |_, _| Parts::column(Sum),
    },
    Known {
        name: "mean",
        column: "sum",
        fields: 1,
        takes: Takes::Numbers,
        says: |_| Kind::Float,
        lists: false,
        make: |_, _| Parts::column(Sum),
    },
    Known {
        name: "min",
        column: "min",
        fields: 1,
        takes: Takes::Ordered,
        says: |kind| kind,
        lists: false,
        make: |_, _| Parts::column(Extreme::least()),
    },
    Known {
        name: "max",
        column: "max",
        fields: 1,
        takes: Takes::Ordered,
        says: |kind| kind,
        lists: false,
        make: |_, _| Parts::column(Extreme::largest()),
    },
    Known {
        name: "first",
        column: "first",
        fields: 1,
        takes: Takes::All,
        says: |kind| kind,
        lists: false,
        make: |_, _| Parts::column(End::first()),
    },
    Known {
        name: "last",
        column: "last",
        fields: 1,
        takes: Takes::All,
        says: |kind| kind,
        lists: false,
        make: |_, _| Parts::column(End::last()),
    },
    Known {
        name: "rate",
        column: "sum",
        fields: 1,
        takes: Takes::Numbers,
        says: |_| Kind::Float,
        lists: false,
        make: |_, _| Parts::column(Sum),
    },
    Known {
        name: "count",
        column: "count",
        fields: 1,
        takes: Takes::All,
        says: |_| Kind::Int,
        lists: false,
        make: |_, _| Parts::column(Count),
    },
    Known {
        name: "ratio",
        column: "ratio",
        fields: 2,
        takes: Takes::Numbers,
        says: |_| Kind::Float,
        lists: false,
        make: |_, _| Parts::column(Ratio),
    },
    Known {
        name: "var",
        column: "variance",
        fields: 1,
        takes: Takes::Numbers,
        says: |_| Kind::Float,
        lists: false,
        make: |_, _| Parts::column(Variance),
    },
    Known {
        name: "std",
        column: "variance",
        fields: 1,
        takes: Takes::Numbers,
        says: |_| Kind::Float,
        lists: false,
        make: |_, _| Parts::column(Variance),
    },
    Known {
        name: "distinct",
        column: "values",
        fields: 1,
        takes: Takes::All,
        says: |_| Kind::Int,
        lists: false,
        make: |_, seed| ValueParts::column(seed),
    },
    Known {
        name: "top_values",
        column: "values",
        fields: 1,
        takes: Takes::All,
        says: |kind| kind,
        lists: true,
        make: |_, seed| ValueParts::column(seed),
    },
    Known {
        name: "approx_distinct",
        column: "approx_distinct",
        fields: 1,
        takes: Takes::All,
        says: |_| Kind::Int,
        lists: false,
        make: |ask, _| Parts::column(ApproxDistinct::new(ask.error)),
    },
    Known {
        name: "quantile",
        column: "quantile",
        fields: 1,
        takes: Takes::Numbers,
        says: |_| Kind::Float,
        lists: false,
        make: |ask, _| Parts::column(Quantile::new(ask.error)),
    },
];
