//! Jobs for the threads of the store. Each verb of the store is a closure, and its caller gets the closure's result.

use std::fmt;

use tokio::sync::oneshot;

use super::database::{Database, Writer};
use super::failure::failed;
use super::voided::VoidedPermits;
use crate::domain::UnixMs;
use crate::store::StoreError;

/// A job for the writing thread.
pub(super) enum Job {
    /// A job that writes, in a transaction that it shares with others.
    Write(Box<dyn WriteJob>),
    /// A job that reads, after all writes that wait.
    Read(ReadJob),
}

/// A job that reads: it answers its own caller.
pub(super) type ReadJob = Box<dyn FnOnce(&Database, UnixMs) + Send>;

/// The transaction of a write, and what a decision in it depends on.
pub(super) struct WriteContext<'a> {
    pub(super) writer: &'a Writer<'a>,
    pub(super) now: UnixMs,
    pub(super) voided: &'a mut VoidedPermits,
}

/// A job that writes. It may run twice: alone, if the transaction that it shared with others failed.
pub(super) trait WriteJob: Send {
    /// Returns the verb of the store.
    fn name(&self) -> &'static str;

    /// Returns true if the job must not run any more, since its caller has left.
    fn is_abandoned(&self) -> bool;

    /// Runs the job, and keeps its result.
    fn run(&mut self, context: &mut WriteContext<'_>) -> rusqlite::Result<()>;

    /// Sends the result of the job to its caller, if the transaction is `committed`; otherwise the error.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);

    /// Takes the reply channel away, as if the answer were lost on its way.
    #[cfg(test)]
    fn lose_answer(&mut self) -> Box<dyn std::any::Any>;
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// A write with an answer of type `T`.
struct Write<T, F> {
    name: &'static str,
    work: F,
    /// True if the work must not be done for a caller that has left: its lease or session would belong to no request.
    only_if_awaited: bool,
    result: Option<Result<T, StoreError>>,
    reply: Reply<T>,
}

impl<T, F> WriteJob for Write<T, F>
where
    T: Send + 'static,
    F: FnMut(&mut WriteContext<'_>) -> rusqlite::Result<Result<T, StoreError>> + Send,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_abandoned(&self) -> bool {
        self.only_if_awaited && self.reply.is_closed()
    }

    fn run(&mut self, context: &mut WriteContext<'_>) -> rusqlite::Result<()> {
        self.result = if self.is_abandoned() { None } else { Some((self.work)(context)?) };
        Ok(())
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { result, reply, .. } = *self;
        // A caller that has left takes its request back.
        let _ = reply.send(committed.and_then(|()| result.unwrap_or_else(|| Err(too_late()))));
    }

    #[cfg(test)]
    fn lose_answer(&mut self) -> Box<dyn std::any::Any> {
        let (unused, receiver) = oneshot::channel();
        Box::new((std::mem::replace(&mut self.reply, unused), receiver))
    }
}

impl Job {
    /// Creates a job that writes, whether or not its caller still waits.
    pub(super) fn write<T: Send + 'static>(
        name: &'static str,
        reply: Reply<T>,
        mut work: impl FnMut(&mut WriteContext<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Self {
        let work = move |context: &mut WriteContext<'_>| work(context).map(Ok);
        Self::Write(Box::new(Write { name, work, only_if_awaited: false, result: None, reply }))
    }

    /// Creates a job that decides on a request, unless its caller has left.
    pub(super) fn decide<T: Send + 'static>(
        name: &'static str,
        reply: Reply<T>,
        work: impl FnMut(&mut WriteContext<'_>) -> rusqlite::Result<Result<T, StoreError>> + Send + 'static,
    ) -> Self {
        Self::Write(Box::new(Write { name, work, only_if_awaited: true, result: None, reply }))
    }
}

/// Creates a job that reads, unless its caller has left.
pub(super) fn read_job<T: Send + 'static>(
    reply: Reply<T>,
    read: impl FnOnce(&Database, UnixMs) -> rusqlite::Result<T> + Send + 'static,
) -> ReadJob {
    Box::new(move |database, now| {
        if !reply.is_closed() {
            let _ = reply.send(read(database, now).map_err(|error| failed(&error)));
        }
    })
}

/// Returns the error for a request that was given up before the thread came to it.
pub(super) fn too_late() -> StoreError {
    StoreError::Rejected("the request was given up before it came to be decided".to_owned())
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Write(job) => job.name(),
            Self::Read(_) => "read",
        })
    }
}
