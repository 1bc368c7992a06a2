//! The embedded store: rates and leases in this process, budgets and the ledger in a SQLite file.
//!
//! One thread owns the file and does its jobs in the order of arrival, so that a decision and its charge are one step.
//! Jobs that wait together are committed together: one write to the disk serves many requests. A request takes its
//! rates and its lease in the process before it asks the thread, and gives them back if it is refused or gets no
//! answer. A second thread does the reads that can take long, so that no request waits for them at admission.
//!
//! - `store`: the verbs of the store; `reservation`: the rates and the lease that a request takes in this process
//! - `jobs`: a verb as a job for a thread; `threads`: the handle to both threads; `worker` and `reads`: their work
//! - `budgets`: the decision by the file; `voided`: permits that were taken back
//! - `database`: the file; `health`: whether it can be written; `lock`: the directory belongs to one process
//! - `reader`, `probe`: the operator's commands

mod budgets;
mod database;
mod error;
mod failure;
mod health;
mod jobs;
mod lock;
#[cfg(test)]
mod manual;
mod probe;
mod reader;
mod reads;
mod reservation;
mod store;
#[cfg(test)]
mod tests;
mod threads;
mod voided;
mod worker;

pub use error::OpenError;
#[cfg(test)]
pub(crate) use manual::ManualThreads;
pub use probe::{ProbeResult, probe_directory};
pub(crate) use reader::{Reader, revoke_beside};
pub use store::Embedded;
