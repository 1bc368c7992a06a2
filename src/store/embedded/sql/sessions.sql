-- Version 3. Sessions by who opened them, and what is charged in those that have caps. Money is in billionths of a dollar,
-- audio in milliseconds, time in milliseconds since 1970.
CREATE TABLE sessions (
    creator TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    record  TEXT    NOT NULL,  -- JSON
    until   INTEGER NOT NULL,
    PRIMARY KEY (creator, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_end ON sessions (until);

CREATE TABLE session_charges (
    subject TEXT    NOT NULL,
    session TEXT    NOT NULL,
    usd     INTEGER NOT NULL,
    audio   INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    PRIMARY KEY (subject, session)
) STRICT, WITHOUT ROWID;

CREATE INDEX session_charges_by_end ON session_charges (until);
