//! An engine that is restored from its journal at any moment is the one that never stopped.

#![expect(clippy::unwrap_used, reason = "what fails here is a failed test")]

mod logs;
#[path = "../../src/ground/profile.rs"]
mod profile;
mod saved;
mod windows;
