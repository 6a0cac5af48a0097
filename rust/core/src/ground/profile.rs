//! How much the random tests draw, by `TAILRACE_TEST_PROFILE`; `tests/README.md` describes it.
//!
//! This is the only place that reads it in Rust. `tests/support/profiles.py` is its twin.

use proptest::test_runner::{Config, RngSeed};

/// As in `profiles.py`.
#[derive(Clone, Copy, PartialEq)]
enum Profile {
    Dev,
    Ci,
    Thorough,
}

/// Configures a property that draws this many cases in CI.
///
/// `PROPTEST_CASES` overrides the count, as everywhere. A case that fails is written to
/// `proptest-regressions`, whatever the seed.
pub(crate) fn cases(in_ci: u32) -> Config {
    let rng_seed = seed().map_or(RngSeed::Random, RngSeed::Fixed);
    Config { rng_seed, ..Config::with_cases(scaled(in_ci)) }
}

/// Scales a count of rounds that is right for CI.
pub(crate) fn scaled(in_ci: u32) -> u32 {
    match profile() {
        Profile::Dev => (in_ci / 4).max(16),
        Profile::Ci => in_ci,
        Profile::Thorough => 20 * in_ci,
    }
}

/// The seed of this run; `None` means that any will do.
#[expect(clippy::disallowed_methods, reason = "tests are configured from outside")]
pub(crate) fn seed() -> Option<u64> {
    match std::env::var("TAILRACE_TEST_SEED") {
        Ok(seed) => Some(seed.parse().unwrap_or_else(|_| unreachable!("{seed} is not a seed"))),
        Err(_) => (profile() == Profile::Ci).then_some(0),
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are configured from outside")]
fn profile() -> Profile {
    match std::env::var("TAILRACE_TEST_PROFILE").as_deref() {
        Err(_) | Ok("" | "dev") => Profile::Dev,
        Ok("ci") => Profile::Ci,
        Ok(other) => {
            assert_eq!(other, "thorough", "TAILRACE_TEST_PROFILE is dev, ci or thorough");
            Profile::Thorough
        }
    }
}
