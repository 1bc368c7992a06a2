//! Which model does a job: the table of models, and the targets of one request.

mod fit;
mod routes;

pub use fit::Unfit;
pub(crate) use fit::check;
pub use routes::{Route, Routes};
