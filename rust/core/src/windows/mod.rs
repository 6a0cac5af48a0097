//! Keys and partials to panes, windows and ranked snapshots.

pub(crate) mod aggregate;
pub(crate) mod answer;
mod bytes;
pub(crate) mod composite;
pub(crate) mod delta;
pub(crate) mod export;
mod gathered;
pub(crate) mod given;
pub(crate) mod keys;
pub(crate) mod merging;
mod pane;
pub(crate) mod rank;
mod schedule;
pub(crate) mod settings;
pub(crate) mod state;
mod totals;
mod watermark;
mod window;
