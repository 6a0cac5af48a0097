//! The journal on a disk that crashes, fails and rots.
#![expect(clippy::unwrap_used, reason = "a test fails where a value is missing")]
#![expect(clippy::panic, reason = "a failure is reported with where it happened")]

mod bound;
mod crash;
mod damage;
mod disk;
mod faults;
#[path = "../../../core/src/ground/profile.rs"]
#[expect(dead_code, reason = "these tests draw by themselves")]
mod profile;
mod workload;

use std::hash::{BuildHasher, RandomState};

use disk::Random;

/// Random numbers that are the same in each run of CI.
fn random() -> Random {
    Random(profile::seed().unwrap_or_else(|| RandomState::new().hash_one(0)))
}
