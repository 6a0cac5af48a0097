//! Types that `text` and `windows` share: values, cells and columns, counters, panes of time.

pub(crate) mod any_column;
pub(crate) mod block;
mod cell;
mod columns;
mod counters;
mod duration;
mod input;
mod iso;
mod lossy;
pub(crate) mod number;
mod panes;
#[cfg(test)]
pub(crate) mod profile;
mod quoted;
mod value;

pub(crate) use any_column::AnyColumn;
pub use cell::Cell;
pub use columns::{Bits, Column, NamedRows, Rows, Values};
pub(crate) use counters::COUNTERS;
pub use counters::{Counters, Reason};
pub use duration::{DurationError, parse_duration};
pub use input::InputError;
pub use iso::write_iso;
pub(crate) use iso::write_iso_at;
pub use lossy::lossy;
pub use panes::Panes;
pub(crate) use quoted::quoted;
pub(crate) use value::int_to_float;
pub use value::{Kind, MAX_TIME, SECOND, Value, uuid_text};
