-- Version 4. How many sessions of each maker are in the table, kept by triggers, so that opening one does not count them all; and
-- an index for those of one maker that have ended.
CREATE TABLE session_counts (
    creator TEXT    NOT NULL PRIMARY KEY,
    count   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO session_counts SELECT creator, count(*) FROM sessions GROUP BY creator;

CREATE TRIGGER session_added AFTER INSERT ON sessions BEGIN
    INSERT INTO session_counts VALUES (new.creator, 1) ON CONFLICT (creator) DO UPDATE SET count = count + 1;
END;

CREATE TRIGGER session_removed AFTER DELETE ON sessions BEGIN
    UPDATE session_counts SET count = count - 1 WHERE creator = old.creator;
    DELETE FROM session_counts WHERE creator = old.creator AND count <= 0;
END;

CREATE INDEX sessions_by_creator_and_end ON sessions (creator, until);
