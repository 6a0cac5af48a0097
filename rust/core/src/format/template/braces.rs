//! braces
