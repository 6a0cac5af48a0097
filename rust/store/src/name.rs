//! The names of the files.

use std::fmt;

/// Which of the two series of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Series {
    /// Rounds.
    Log,
    /// Panes and one state.
    State,
}

/// A file of the journal: `log-%016x` or `state-%016x`, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) series: Series,
    pub(crate) number: u64,
}

impl Name {
    pub(crate) fn log(number: u64) -> Name {
        Name { series: Series::Log, number }
    }

    pub(crate) fn state(number: u64) -> Name {
        Name { series: Series::State, number }
    }

    /// Reads the name of a file; `None` for files that are not part of the journal.
    pub(crate) fn parse(name: &str) -> Option<Name> {
        let (series, digits) = match name.split_once('-')? {
            ("log", digits) => (Series::Log, digits),
            ("state", digits) => (Series::State, digits),
            _ => return None,
        };
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != 16 || !digits.as_bytes().iter().all(is_digit) {
            return None;
        }
        // The upper half is never reached, and so a next number always exists.
        let number = u64::from_str_radix(digits, 16).ok().filter(|&number| number < 1 << 63)?;
        (number > 0).then_some(Name { series, number })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let series = match self.series {
            Series::Log => "log",
            Series::State => "state",
        };
        write!(formatter, "{series}-{:016x}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in [Name::log(1), Name::state(0xab), Name::log((1 << 63) - 1)] {
            assert_eq!(Name::parse(&name.to_string()), Some(name));
        }
        for other in [
            "log-1",
            "lock",
            "log-000000000000000g",
            "log-00000000000000AB",
            "state-0000000000000000",
            "state-8000000000000000",
            "log-00000000000000001",
            "log-+00000000000000a",
            "xlog-0000000000000001",
        ] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }
}
