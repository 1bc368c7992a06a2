-- The embedded store. Money is in billionths of a dollar, audio in milliseconds, time in milliseconds since 1970.
-- STRICT: a column holds what it says. Version: PRAGMA user_version.

-- What each caller is charged in each month, estimates of requests that are not settled included.
CREATE TABLE months (
    subject  TEXT    NOT NULL,
    month    TEXT    NOT NULL,  -- 2026-11
    requests INTEGER NOT NULL,
    usd      INTEGER NOT NULL,
    audio    INTEGER NOT NULL,
    PRIMARY KEY (subject, month)
) STRICT, WITHOUT ROWID;

-- What is settled of it, by day and by model.
CREATE TABLE tallies (
    subject  TEXT    NOT NULL,
    month    TEXT    NOT NULL,
    kind     TEXT    NOT NULL CHECK (kind IN ('day', 'model')),
    name     TEXT    NOT NULL,  -- 2026-11-24, or a model
    requests INTEGER NOT NULL,
    usd      INTEGER NOT NULL,
    audio    INTEGER NOT NULL,
    PRIMARY KEY (subject, month, kind, name)
) STRICT, WITHOUT ROWID;

-- One record for each request that was admitted. It is 'open' until it is settled, and holds its estimate as its cost.
CREATE TABLE ledger (
    id             TEXT    NOT NULL PRIMARY KEY,
    at             INTEGER NOT NULL,
    subject        TEXT    NOT NULL,
    request_id     TEXT    NOT NULL,
    plan           TEXT    NOT NULL,
    model          TEXT    NOT NULL,
    provider       TEXT    NOT NULL,
    audio          INTEGER NOT NULL,
    estimate_usd   INTEGER NOT NULL,
    estimate_audio INTEGER NOT NULL,
    usd            INTEGER NOT NULL,
    charged_audio  INTEGER NOT NULL,
    input_tokens   INTEGER,
    output_tokens  INTEGER,
    usage_audio    INTEGER,
    ending         TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_by_subject ON ledger (subject, at);
CREATE INDEX ledger_by_time ON ledger (at);
CREATE INDEX ledger_open ON ledger (at) WHERE ending = 'open';

-- When it was last tried whether the file can be written to.
CREATE TABLE touched (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    at  TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
