//! What is wrong with something that was given.

use std::fmt;

/// Something that was given and cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputError {
    /// It is of a type that is not taken, or not of that of what came before.
    Type(String),
    /// It is none of the values that there can be.
    Value(String),
}

impl InputError {
    pub(crate) fn value(message: impl Into<String>) -> Self {
        Self::Value(message.into())
    }

    /// A number or a time that is too far from zero.
    pub fn out_of_range(what: &str, index: usize, range: &str) -> Self {
        Self::Value(format!("{what} {index} is out of range ({range})"))
    }

    /// What is given as a time and is none.
    pub fn no_time(index: usize) -> Self {
        Self::Type(format!(
            "time {index} is no aware datetime and no number of seconds since the epoch"
        ))
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Type(message) | Self::Value(message)) = self;
        f.write_str(message)
    }
}

impl std::error::Error for InputError {}
