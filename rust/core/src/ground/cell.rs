//! The results of aggregates.

use std::cmp::Ordering;

/// A single result.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// There is no result.
    Null,
    /// An integer, possibly of more than 64 bits.
    Int(i128),
    /// A float.
    Float(f64),
    /// Microseconds since the epoch.
    Time(i64),
    /// True or false.
    Flag(bool),
    /// Text, possibly not UTF-8.
    Text(Box<[u8]>),
    /// Values with their counts, most frequent first.
    List(Vec<(Cell, u64)>),
}

impl Cell {
    /// Compares two cells by rank; cells that cannot be ranked are equal. NaN ranks below all
    /// numbers, and null below NaN.
    pub(crate) fn rank(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(one), Self::Int(other)) => one.cmp(other),
            (Self::Time(one), Self::Time(other)) => one.cmp(other),
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::Flag(one), Self::Flag(other)) => one.cmp(other),
            (Self::Float(one), Self::Float(other)) => {
                one.partial_cmp(other).unwrap_or_else(|| other.is_nan().cmp(&one.is_nan()))
            }
            // An integer sum that overflowed.
            (Self::Int(_), Self::Float(_)) | (Self::Float(_), Self::Int(_)) => {
                self.number().total_cmp(&other.number())
            }
            _ => self.is_ranked().cmp(&other.is_ranked()),
        }
    }

    /// Returns the cell as a float; NaN if it is not a number.
    #[expect(clippy::cast_precision_loss, reason = "the nearest float")]
    pub(crate) fn number(&self) -> f64 {
        match self {
            Self::Int(number) => *number as f64,
            Self::Float(number) => *number,
            _ => f64::NAN,
        }
    }

    /// Returns whether the cell can be ranked. Null and NaN come last in either direction.
    pub(crate) fn is_ranked(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Float(number) => !number.is_nan(),
            _ => true,
        }
    }
}
