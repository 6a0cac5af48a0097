//! Bytes to lines, fields, tables and rows.

pub(crate) mod detect;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod filter;
pub(crate) mod first_lines;
pub(crate) mod flume;
pub(crate) mod format;
pub(crate) mod in_line;
pub(crate) mod lines;
pub(crate) mod lookups;
pub(crate) mod rejects;
pub(crate) mod resent;
pub(crate) mod rows;
pub(crate) mod table;
