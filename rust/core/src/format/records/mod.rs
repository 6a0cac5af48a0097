//! Formats whose lines name their fields, or whose files do: JSON, LTSV, CSV, W3C.

mod delimited;
mod json;
mod ltsv;
mod w3c;
