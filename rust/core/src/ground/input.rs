//! Errors in input values.

use std::fmt;

/// An input value that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputError {
    /// Its type is not accepted, or differs from the values before it.
    Type(String),
    /// Its value is not valid.
    Value(String),
}

impl InputError {
    pub(crate) fn value(message: impl Into<String>) -> Self {
        Self::Value(message.into())
    }

    /// A number or a time that is out of range.
    pub fn out_of_range(what: &str, index: usize, found: &str, range: &str) -> Self {
        Self::Value(format!("{what}s[{index}]: {found} is out of range ({range})"))
    }

    /// A value of a type that is never accepted.
    pub fn unexpected(what: &str, index: usize, found: &str) -> Self {
        let expected = match what {
            "time" => return Self::not_a_time(index, found),
            "key" => "text, bytes, an integer or None",
            _ => "a number, text, bytes, a datetime or None",
        };
        Self::Type(format!("{what}s[{index}]: expected {expected}, found {found}"))
    }

    /// A value that is not a time.
    pub(crate) fn not_a_time(index: usize, found: &str) -> Self {
        Self::Type(format!(
            "times[{index}]: expected a datetime or seconds since the epoch, found {found}"
        ))
    }

    /// A time that is null, NaN or `NaT`.
    pub(crate) fn missing_time(index: usize) -> Self {
        Self::value(format!(
            "times[{index}]: expected a time, found none (None, NaN or NaT); drop such rows first"
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
