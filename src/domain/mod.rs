//! Terms and quantities that every module uses, each with its own type so that none is mistaken for another.

mod audio;
mod money;
mod scheme;
mod subject;
pub mod terms;
mod time;

pub use audio::{AudioMs, Length};
pub use money::{MoneyError, NanoUsd};
pub use scheme::Scheme;
pub(crate) use subject::is_name;
pub use subject::{Subject, SubjectError};
pub use time::{Month, MonthError, UnixMs};
