//! What the tests are written with.
//!
//! * [`gateway`]: starts the gateway, talks to it, records everything it says, and ends it.
//! * [`provider`]: stands where OpenAI would; checks what it is sent and answers as it is told.
//! * [`account`]: a caller, and what they have used; [`sender`]: a client that sends piece by piece; [`wire`]: bytes on a
//!   socket.
//! * [`form`], [`audio`], [`flac`], [`ogg`], [`token`]: bodies, recordings and tokens.
//! * [`stores`], [`redis_server`], [`redis_proxy`]: gateways with each store, real Redis servers, and a proxy that delays
//!   or loses their answers.
//! * [`issuer`]: an identity provider that publishes its keys; [`authority`]: a certificate authority; [`http2`]: TLS
//!   connections for clients of HTTP/2.
//! * [`scrape`], [`busy_gateway`]: what `/metrics` says; [`collector`], [`spans`]: traces.
//! * [`contract`]: `openapi.yaml`, which every answer is checked against.
//! * [`live`]: a client of a live session.
//! * [`sessions`], [`revocation`], [`usage_command`]: what an operator or a backend does; [`transcribe`]: what a person with
//!   recordings does; [`speaker`]: one who speaks.
//! * [`cutting_proxy`]: a network that can be cut.
//! * [`newcomer`]: does what the README says.
//! * [`compose_file`], [`repository`]: files of this repository.
//! * [`tools`]: programs that a machine may not have.
//! * [`poll`]: waits for what cannot notify a test; [`open_files`]: for the files of a gateway.

pub(crate) mod account;
pub(crate) mod audio;
pub(crate) mod authority;
pub(crate) mod busy_gateway;
pub(crate) mod collector;
pub(crate) mod compose_file;
pub(crate) mod contract;
pub(crate) mod cutting_proxy;
#[path = "../../support/flac.rs"]
pub(crate) mod flac;
pub(crate) mod form;
pub(crate) mod gateway;
pub(crate) mod http2;
pub(crate) mod issuer;
pub(crate) mod live;
pub(crate) mod money;
pub(crate) mod newcomer;
#[path = "../../support/ogg.rs"]
#[allow(dead_code, reason = "the tests of decoding use the rest")]
pub(crate) mod ogg;
pub(crate) mod open_files;
pub(crate) mod poll;
pub(crate) mod provider;
pub(crate) mod redis_proxy;
#[path = "../../support/redis.rs"]
#[allow(dead_code, reason = "the tests of the store use the rest")]
pub(crate) mod redis_server;
pub(crate) mod repository;
pub(crate) mod revocation;
pub(crate) mod scrape;
pub(crate) mod sender;
pub(crate) mod sessions;
pub(crate) mod spans;
pub(crate) mod speaker;
pub(crate) mod stores;
pub(crate) mod talk;
pub(crate) mod token;
#[path = "../../support/tools.rs"]
pub(crate) mod tools;
pub(crate) mod transcribe;
pub(crate) mod usage_command;
pub(crate) mod wire;
