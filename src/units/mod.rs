//! The quantities that pass between the rooms, each a type of its own so that none is mistaken for another.

mod audio;
mod money;
mod time;

pub use audio::{AudioMs, Length};
pub use money::{MoneyError, NanoUsd};
pub use time::{Month, MonthError, UnixMs};
