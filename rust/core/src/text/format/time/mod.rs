//! The times of log lines, to the microsecond.
//!
//! A form is compiled once, into a `Timer`, and then read off each line: in one pass, without
//! allocating, and into whole numbers all the way, so that no digit is lost to a float. Names of
//! months and days are English ones, in any case, whatever the locale. A leap second is the first
//! second of the next minute. What has no zone is UTC: nothing here knows where the server stood.

mod calendar;
mod clf;
mod digits;
mod epoch;
mod iso;
mod names;
mod strftime;
#[cfg(test)]
mod tests;
mod time_parser;
mod time_parts;

pub use calendar::write_iso;
pub(super) use clf::parse;
pub(super) use epoch::{
    read as read_epoch, read_leading as read_leading_epoch, unit_of as unit_of_epoch,
};
pub(crate) use time_parser::TimeParser;

use crate::ground::{MAX_TIME, SECOND};

fn in_range(micros: i64) -> Option<i64> {
    (-MAX_TIME..=MAX_TIME).contains(&micros).then_some(micros)
}

/// How a time is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TimeFormat {
    /// As access logs do: `17/May/2015:10:05:03 +0000`.
    Clf,
    /// ISO 8601 (RFC 3339): `2015-05-17T10:05:03.120Z`, with a blank for the T, a comma for the
    /// point, `+0200`, `+02:00` or `+02` for the zone. UTC where no zone is given, midnight where
    /// there is only a date. Of several parts of a time one may be the time of day alone.
    Iso,
    /// A number since the epoch, in seconds times ten to this power; it may have a fraction and
    /// an exponent. What is finer than a microsecond is cut off.
    Epoch(i8),
    /// What `strptime` would read with this text; several fields of a line may be parts of one
    /// time. Besides the usual directives there are `%f` for a fraction of 1 to 9 digits, `%3f`,
    /// `%6f` and `%9f` for one of exactly so many (also `%L`, and `%N` with or without its
    /// digits), and `%s` for seconds since the epoch.
    Strftime(Box<str>),
    /// Any of the first three, seen by its look. A bare number is seconds since the epoch, but a
    /// whole one of 13 digits is milliseconds, of 16 microseconds, of 19 nanoseconds.
    Any,
}
