//! Terms and quantities that every module uses, each with its own type so that none is mistaken for another.

mod audio;
mod file_format;
pub mod loopback;
mod money;
mod option_name;
mod scheme;
pub mod sse;
mod subject;
pub mod terms;
pub mod text;
mod time;
pub(crate) mod words;

pub use audio::{AudioMs, Length};
pub use file_format::FileFormat;
pub use money::{MoneyError, NanoUsd};
pub use option_name::OptionName;
pub use scheme::Scheme;
pub(crate) use subject::is_name;
pub use subject::{Subject, SubjectError};
pub use time::{Month, MonthError, UnixMs};
pub use words::UnknownVariant;
