//! Turns keys and partials into panes, windows and ranked snapshots.

pub(crate) mod aggregate;
pub(crate) mod delta;
mod delta_builder;
pub(crate) mod export;
pub(crate) mod export_table;
pub(crate) mod input_columns;
pub(crate) mod journal;
pub(crate) mod key_encoding;
pub(crate) mod keys;
mod pane;
mod pane_table;
pub(crate) mod parts;
pub(crate) mod rank;
mod schedule;
pub(crate) mod settings;
pub(crate) mod snapshot;
pub(crate) mod state;
mod totals;
mod varint;
mod watermark;
mod window;
