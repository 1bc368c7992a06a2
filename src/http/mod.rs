//! What came over the wire, what goes back? Routes, headers, errors, and the page that describes them.
//!
//! This room may know every other. A handler here is the path of a request in its seven words, and nothing more.

mod accept;
mod answer;
mod audio;
mod connection;
mod cors;
mod deadline;
mod docs;
mod error;
mod expect;
mod files;
mod forwarded;
mod gate;
mod health;
mod house;
mod https;
mod malformed;
mod metrics;
mod models;
mod order;
mod places;
mod query;
mod rates;
mod record;
mod routes;
mod sessions;
mod trace;
mod usage;
mod wish;

pub use connection::{Entrance, OpenConnections, Tls, TlsError, door, hold_connection};
pub use cors::cors;
pub use house::{Grounds, House, Live};
pub use malformed::{refuse, refuse_unrecorded};
pub use record::record_requests;
pub use routes::{OPENAPI, ROUTES, operational, public};

use actix_web::http::header::{HeaderName, HeaderValue};

use house::InForce;

/// A header of the provider's answer as one of ours: the client and the server side each have their own types.
fn answer_header(
    name: &reqwest::header::HeaderName,
    value: &reqwest::header::HeaderValue,
) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
    Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
}
