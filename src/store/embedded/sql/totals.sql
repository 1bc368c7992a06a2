-- Version 6. How many attempts at providers a request took; an index for the records of a request id; and what is settled of all
-- callers together, which is kept as it grows, so that reading it does not read the tallies of every caller.
ALTER TABLE ledger ADD COLUMN attempts INTEGER;
CREATE INDEX ledger_by_request ON ledger (subject, request_id, at);

CREATE TABLE totals (
    month    TEXT    NOT NULL,
    kind     TEXT    NOT NULL CHECK (kind IN ('day', 'model', 'caller')),
    name     TEXT    NOT NULL,  -- 2026-11-24, a model, or a caller
    requests INTEGER NOT NULL,
    usd      INTEGER NOT NULL,
    audio    INTEGER NOT NULL,
    PRIMARY KEY (month, kind, name)
) STRICT, WITHOUT ROWID;

INSERT INTO totals SELECT month, kind, name, sum(requests), sum(usd), sum(audio) FROM tallies GROUP BY month, kind, name;
INSERT INTO totals
SELECT month, 'caller', subject, sum(requests), sum(usd), sum(audio) FROM tallies WHERE kind = 'day' GROUP BY month, subject;

CREATE INDEX totals_by_money ON totals (month, kind, usd);
