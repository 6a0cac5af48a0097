//! goaccess
