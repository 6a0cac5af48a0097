//! Parses the times of log lines, to the microsecond.
//!
//! A time format is compiled once, into a `TimeParser`. It parses each line in one pass, without
//! allocating, and with integers only, so no digit is lost to a float. Names of months and days are
//! English, in any case, whatever the locale. A leap second is the first second of the next minute.
//! A time without a zone is UTC, unless the caller knows the zone of the server.

mod bracketed;
mod calendar;
mod clf;
mod digits;
mod epoch;
mod interval;
mod iso;
mod names;
mod strftime;
#[cfg(test)]
mod tests;
mod time_parser;
mod time_parts;
mod zone;

pub(super) use bracketed::parse as parse_bracketed_in;
pub(super) use epoch::{
    read as read_epoch, read_leading as read_leading_epoch, unit_of as unit_of_epoch,
};
pub(super) use interval::interval_at;
pub(crate) use time_parser::TimeParser;
pub use zone::ZoneTable;

use crate::ground::{MAX_TIME, SECOND};

/// A day in microseconds.
pub(crate) const DAY: i64 = 86_400 * SECOND;

/// Parses a time in any form that servers write between brackets; UTC if it has no zone.
#[inline]
pub(super) fn parse_bracketed(text: &[u8]) -> Option<i64> {
    bracketed::parse(text, None)
}

fn in_range(micros: i64) -> Option<i64> {
    (-MAX_TIME..=MAX_TIME).contains(&micros).then_some(micros)
}

/// The format of a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TimeFormat {
    /// The format of access logs, `17/May/2015:10:05:03 +0000`, or another that servers write
    /// between its brackets.
    Clf,
    /// ISO 8601 (RFC 3339): `2015-05-17T10:05:03.120Z`; a space may replace the T, a comma the dot,
    /// and `+0200`, `+02:00` or `+02` the zone. UTC without a zone, midnight without a time of day.
    /// One of several parts of a time may be only a time of day.
    Iso,
    /// A number since the epoch, in seconds times ten to this power, optionally with a fraction and
    /// an exponent. Digits below a microsecond are cut off.
    Epoch(i8),
    /// A format of `strptime`; several fields of a line may be parts of one time. Additional
    /// directives are `%f` for a fraction of 1 to 9 digits, `%3f`, `%6f` and `%9f` for one of
    /// exactly that many digits (also `%L`, and `%N` with or without digits), and `%s` for seconds
    /// since the epoch.
    Strftime(Box<str>),
    /// Any of these but the last, recognized by its form. A bare number is seconds since the epoch,
    /// but an integer of 13 digits is milliseconds, of 16 microseconds, of 19 nanoseconds.
    Any,
}
