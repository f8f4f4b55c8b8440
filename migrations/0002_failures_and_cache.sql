-- Every failed attempt, because the kinds of failure are counted and retries hide all but the last; answers that an
-- earlier run had; and the keys by which they were looked for, so that `explain` can say why there was none.

-- Derived from the journal, as `tasks` is.
CREATE TABLE failures (
    task     INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    message  TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (task, attempt)
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO failures (task, attempt, kind, message, at)
SELECT event ->> '$.task', event ->> '$.attempt', event ->> '$.outcome.kind', event ->> '$.outcome.message', event ->> '$.at'
FROM journal WHERE event ->> '$.fact' = 'ended' AND event ->> '$.outcome.outcome' = 'failed';

-- Whether the answer of the task is that of an earlier run.
ALTER TABLE tasks ADD COLUMN cached INTEGER NOT NULL DEFAULT 0;

-- What was looked for in the cache, and when. Not derived from the journal.
CREATE TABLE lookups (
    task   INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    parts  TEXT NOT NULL -- JSON: the parts of the key by their names
) STRICT;
