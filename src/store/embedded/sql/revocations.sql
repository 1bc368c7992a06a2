-- Version 2. Tokens that hold no longer: one by its name, or where the name is '' all that were issued up to a second.
CREATE TABLE revocations (
    subject TEXT    NOT NULL,
    token   TEXT    NOT NULL,
    up_to   INTEGER NOT NULL,  -- seconds since 1970; 0 for one by its name
    until   INTEGER NOT NULL,  -- when it may be forgotten, milliseconds since 1970
    PRIMARY KEY (subject, token)
) STRICT, WITHOUT ROWID;

CREATE INDEX revocations_by_end ON revocations (until);
