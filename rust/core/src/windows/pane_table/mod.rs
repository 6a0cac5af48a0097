//! Pane tables: what was counted in each pane as columns that SQL engines can group and store.
//!
//! A row is a key in a pane: the start of the pane, the fields of the key, and a cell for each
//! aggregate. The count of events is a number, so that it can be added up by others. All other
//! aggregates are partials (`partial.rs`).

mod partial;
mod read;
mod write;
