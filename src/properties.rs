//! How much the tests of properties try.

use proptest::test_runner::Config;

/// What proptest tries of each property where nothing else is set.
const USUAL_CASES: u32 = 256;

/// So many cases of a property of which each case takes long, or more where `PROPTEST_CASES` asks for more than is usual.
///
/// The seed is that of `PROPTEST_RNG_SEED`, which cargo sets (`.cargo/config.toml`) and `make test-all` changes.
pub(crate) fn cases(few: u32) -> Config {
    let config = Config::default();
    Config { cases: few.saturating_mul(config.cases.div_ceil(USUAL_CASES)), ..config }
}

#[test]
fn properties_are_tried_with_a_seed_that_is_known() {
    let seed = Config::default().rng_seed;
    assert!(seed != proptest::test_runner::RngSeed::Random, "cargo sets PROPTEST_RNG_SEED, by .cargo/config.toml");
}
