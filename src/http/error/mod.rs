//! Conversion of every module's refusals to JSON errors in OpenAI's shape. Every status and code is chosen here.
//!
//! `code` lists the codes; `api_error` is the error that handlers return; the other files convert one module's errors each.

mod admission;
mod api_error;
mod code;
mod head;
mod identity;
mod intake;
mod live;
mod provider;
mod sessions;
mod split;

pub(in crate::http) use api_error::ApiError;
pub use code::{ErrorCode, ErrorKind};
