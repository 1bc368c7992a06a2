//! Exact amounts of money.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const NANOS_IN_USD: u64 = 1_000_000_000;
const PLACES: usize = 9;

/// An amount of money, in whole billionths of a US dollar. It is never a float, because sums of floats are not exact.
/// Its JSON form is a string, since most JSON parsers read numbers as floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NanoUsd(u64);

/// The error of a text that is not an amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("takes US dollars as a string, from \"0\" to \"9000000\" with up to 9 decimals, such as \"0.0045\"")]
pub struct MoneyError;

impl NanoUsd {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// The maximum, 9 million dollars: up to here a Lua number, which is a double, is exact, too (2⁵³).
    pub const MAX: Self = Self(9_000_000 * NANOS_IN_USD);

    /// Makes an amount of `nanos` billionths of a dollar.
    pub const fn new(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Returns the amount in billionths of a dollar.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Adds two amounts.
    #[must_use]
    pub const fn saturating_add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }

    /// Subtracts `less`, down to zero.
    #[must_use]
    pub const fn saturating_sub(self, less: Self) -> Self {
        Self(self.0.saturating_sub(less.0))
    }

    /// Returns `self` × `parts` / `whole`, rounded up to a whole billionth and to [`NanoUsd::MAX`] at most.
    #[must_use]
    pub fn share(self, parts: u64, whole: u64) -> Self {
        let exact = u128::from(self.0) * u128::from(parts);
        let nanos = u64::try_from(exact.div_ceil(u128::from(whole.max(1)))).unwrap_or(u64::MAX);
        Self(nanos).min(Self::MAX)
    }
}

impl FromStr for NanoUsd {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (dollars, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(dollars) || !digits(decimals) || decimals.len() > PLACES {
            return Err(MoneyError);
        }
        let nanos: u64 = format!("{decimals:0<PLACES$}").parse().map_err(|_| MoneyError)?;
        let dollars: u64 = dollars.parse().map_err(|_| MoneyError)?;
        let amount = dollars.checked_mul(NANOS_IN_USD).and_then(|whole| whole.checked_add(nanos)).map(Self);
        amount.filter(|amount| *amount <= Self::MAX).ok_or(MoneyError)
    }
}

/// Writes dollars with at least two decimals, and more if needed: `5.00`, `0.0045`.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:09}", self.0 % NANOS_IN_USD);
        let needed = decimals.trim_end_matches('0');
        write!(f, "{}.{needed:0<2}", self.0 / NANOS_IN_USD)
    }
}

impl TryFrom<String> for NanoUsd {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<NanoUsd> for String {
    fn from(amount: NanoUsd) -> Self {
        amount.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_and_written_exactly() {
        for (text, nanos, written) in [
            ("5.00", 5_000_000_000, "5.00"),
            ("0.0045", 4_500_000, "0.0045"),
            ("0.000000001", 1, "0.000000001"),
            ("12", 12_000_000_000, "12.00"),
            ("9000000", 9_000_000_000_000_000, "9000000.00"),
            ("0", 0, "0.00"),
        ] {
            assert_eq!(text.parse(), Ok(NanoUsd(nanos)), "{text}");
            assert_eq!(NanoUsd(nanos).to_string(), written);
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".5", "5.", "-1", "+1", "1e3", "0.0000000001", "9000000.000000001", "1,5", " 1", "$1", "٣"] {
            assert_eq!(text.parse::<NanoUsd>(), Err(MoneyError), "{text:?}");
        }
    }

    #[test]
    fn a_share_is_rounded_up() {
        let per_minute = NanoUsd(4_500_000);
        assert_eq!(per_minute.share(60_000, 60_000), per_minute);
        assert_eq!(per_minute.share(1, 60_000), NanoUsd(75));
        assert_eq!(NanoUsd(100).share(1, 3), NanoUsd(34));
        assert_eq!(per_minute.share(0, 60_000), NanoUsd::ZERO);
        assert_eq!(NanoUsd::MAX.share(u64::MAX, 1), NanoUsd::MAX);
    }

    proptest! {
        #[test]
        fn every_amount_survives_being_written(nanos in 0..=NanoUsd::MAX.get()) {
            prop_assert_eq!(NanoUsd(nanos).to_string().parse(), Ok(NanoUsd(nanos)));
        }
    }
}
