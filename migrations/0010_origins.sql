-- So that it can be told of what a candidate was made, and where each attempt ran and how long.

-- Molecules that a generator made the candidate of, canonical SMILES separated by a space; null where
-- it names none.
ALTER TABLE candidates ADD COLUMN parents TEXT;

-- Host on which the last attempt ran; null where it left no result.
ALTER TABLE tasks ADD COLUMN host TEXT;

ALTER TABLE failures ADD COLUMN host TEXT;
ALTER TABLE failures ADD COLUMN started INTEGER; -- null if its process never started

UPDATE failures SET started = j.started
FROM (
    SELECT event ->> '$.task' AS task, event ->> '$.attempt' AS attempt, event ->> '$.usage.started' AS started
    FROM journal WHERE event ->> '$.fact' = 'ended' AND event ->> '$.outcome.outcome' = 'failed'
) AS j WHERE j.task = failures.task AND j.attempt = failures.attempt;
