//! The number of cases in property tests.

use proptest::test_runner::Config;

/// The default number of cases in proptest.
const USUAL_CASES: u32 = 256;

/// Returns a configuration with `few` cases, for a property with slow cases; more if `PROPTEST_CASES` is above the
/// default.
///
/// The seed comes from `PROPTEST_RNG_SEED`, which cargo sets (`.cargo/config.toml`) and `make test-all` changes.
pub(crate) fn cases(few: u32) -> Config {
    let config = Config::default();
    Config { cases: few.saturating_mul(config.cases.div_ceil(USUAL_CASES)), ..config }
}

#[test]
fn properties_are_tried_with_a_seed_that_is_known() {
    let seed = Config::default().rng_seed;
    assert!(seed != proptest::test_runner::RngSeed::Random, "cargo sets PROPTEST_RNG_SEED, by .cargo/config.toml");
}
