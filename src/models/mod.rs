//! Which model does a job: whether it can, the targets of one request, and how far its attempts have come.

mod attempts;
mod fit;
mod routes;

pub(crate) use attempts::Sent;
pub use attempts::{Asked, Course};
pub use fit::Unfit;
pub(crate) use fit::check;
pub use routes::{Route, Routes};
