//! What an aggregate says of a key.

use std::cmp::Ordering;

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// There is none.
    Null,
    /// A whole number, which may need more than 64 bits.
    Int(i128),
    /// A number.
    Float(f64),
    /// Microseconds since the epoch.
    Time(i64),
    /// Text, not always UTF-8.
    Text(Box<[u8]>),
    /// Values, each with how often it came, the most frequent first.
    List(Vec<(Cell, u64)>),
}

impl Cell {
    /// Which of two ranks higher, and where there is no telling, equal. What is no number is below
    /// all that are, and null below that.
    pub(crate) fn rank(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(one), Self::Int(other)) => one.cmp(other),
            (Self::Time(one), Self::Time(other)) => one.cmp(other),
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::Float(one), Self::Float(other)) => {
                one.partial_cmp(other).unwrap_or_else(|| other.is_nan().cmp(&one.is_nan()))
            }
            // A sum that is too large for a whole number.
            (Self::Int(_), Self::Float(_)) | (Self::Float(_), Self::Int(_)) => {
                self.number().total_cmp(&other.number())
            }
            _ => self.is_there().cmp(&other.is_there()),
        }
    }

    /// The number that it is, if it is one.
    #[expect(clippy::cast_precision_loss, reason = "as near as a float gets")]
    pub(crate) fn number(&self) -> f64 {
        match self {
            Self::Int(number) => *number as f64,
            Self::Float(number) => *number,
            _ => f64::NAN,
        }
    }

    /// Whether this ranks at all: what is null or no number comes last, up or down.
    pub(crate) fn is_there(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Float(number) => !number.is_nan(),
            _ => true,
        }
    }
}
