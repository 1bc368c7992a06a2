//! The thread for reads that can take long, on a separate connection: no request waits for it at admission.

use tokio::sync::{mpsc, oneshot};

use super::database::Database;
use super::reader::failed;
use super::worker::Reply;
use crate::domain::{Month, Subject};
use crate::ledger::Statement;
use crate::limits::clock::Clock;
use crate::limits::session::{PageRequest, Session, SessionPage};
use crate::store::StoreError;

/// The maximum number of waiting reads. Beyond it the thread is not asked.
pub(super) const MAX_WAITING_READS: usize = 1024;

/// A question to the reading thread.
#[derive(Debug)]
pub(super) enum Question {
    Statement { subject: Subject, month: Month, reply: Reply<Statement> },
    Sessions { maker: Subject, page: PageRequest, reply: Reply<SessionPage> },
    Session { maker: Subject, id: String, reply: Reply<Option<Session>> },
}

/// The state of the reading thread.
#[derive(Debug)]
pub(super) struct Reads {
    database: Database,
    clock: Clock,
}

impl Reads {
    pub(super) const fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock }
    }

    /// Answers questions until every sender is gone.
    pub(super) fn run(self, mut inbox: mpsc::Receiver<Question>) {
        while let Some(question) = inbox.blocking_recv() {
            self.answer(question);
        }
    }

    /// Answers one question, unless its caller has left.
    pub(super) fn answer(&self, question: Question) {
        let Self { database, clock } = self;
        match question {
            Question::Statement { subject, month, reply } => tell(reply, || database.statement(&subject, month)),
            Question::Sessions { maker, page, reply } => tell(reply, || database.sessions(&maker, &page, clock.now())),
            Question::Session { maker, id, reply } => tell(reply, || database.session_of(&maker, &id, clock.now())),
        }
    }
}

fn tell<T>(reply: oneshot::Sender<Result<T, StoreError>>, read: impl FnOnce() -> rusqlite::Result<T>) {
    if !reply.is_closed() {
        let _ = reply.send(read().map_err(|error| failed(&error)));
    }
}
