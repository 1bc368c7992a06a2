//! The thread that reads from the file what can be long, on a connection of its own: no request that is admitted waits for it.

use tokio::sync::{mpsc, oneshot};

use super::database::Database;
use super::reader::failed;
use super::worker::Reply;
use crate::domain::Month;
use crate::domain::Subject;
use crate::ledger::Statement;
use crate::limits::clock::Clock;
use crate::limits::session::{PageRequest, Session, SessionPage};
use crate::store::StoreError;

/// How many reads may wait. What finds no room is not asked.
pub(super) const MAX_WAITING_READS: usize = 1024;

/// What the thread is given to read.
#[derive(Debug)]
pub(super) enum Question {
    Statement { subject: Subject, month: Month, reply: Reply<Statement> },
    Sessions { maker: Subject, page: PageRequest, reply: Reply<SessionPage> },
    Session { maker: Subject, id: String, reply: Reply<Option<Session>> },
}

/// What the thread works with.
#[derive(Debug)]
pub(super) struct Reads {
    database: Database,
    clock: Clock,
}

impl Reads {
    pub(super) const fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock }
    }

    /// Answers until nobody can ask any more.
    pub(super) fn run(self, mut inbox: mpsc::Receiver<Question>) {
        while let Some(question) = inbox.blocking_recv() {
            self.answer(question);
        }
    }

    /// Answers one question, unless nobody waits for it any more.
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
