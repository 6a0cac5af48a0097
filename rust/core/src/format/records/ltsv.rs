//! ltsv
