//! Texts to formats: names, and later what is pasted.

use super::{Format, Matcher, found_by_hand};

/// What is wrong with a text that should be a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// In words, with what to write instead.
    pub message: String,
}

impl Format {
    /// Every format by the name it is asked for.
    pub const NAMES: [&'static str; 3] = ["common", "combined", "classic"];

    /// Compiles a format.
    pub fn new(spec: &str) -> Result<Self, SpecError> {
        match spec {
            "common" => {
                let mut found = found_by_hand(false);
                found.truncate(6);
                Ok(Self::of(spec, Matcher::Common, found))
            }
            "combined" => Ok(Self::of(spec, Matcher::Combined, found_by_hand(false))),
            "classic" => Ok(Self::of(spec, Matcher::Classic, found_by_hand(true))),
            _ => Err(SpecError { message: format!("{spec:?} is no format") }),
        }
    }
}
