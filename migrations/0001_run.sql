-- The first schema. `journal`, `results` and `run` are the truth; the other tables are derived from the journal.

-- One row: what this database is about.
CREATE TABLE run (
    only        INTEGER PRIMARY KEY CHECK (only = 1),
    name        TEXT NOT NULL, -- random, hexadecimal: the first part of every token
    campaign    TEXT NOT NULL, -- name of the campaign
    created     INTEGER NOT NULL, -- milliseconds since the Unix epoch, as all times here
    version     TEXT NOT NULL, -- of the program that created it
    stopped_by  TEXT -- null until the run has ended
) STRICT;

-- Every fact that the engine took in, in order. Replayed, it gives the live state.
CREATE TABLE journal (
    seq    INTEGER PRIMARY KEY,
    event  TEXT NOT NULL -- JSON
) STRICT;

-- What a simulation returned besides its energy.
CREATE TABLE results (
    task     INTEGER PRIMARY KEY,
    engine   TEXT NOT NULL,
    version  TEXT NOT NULL,
    level    TEXT NOT NULL,
    xyz      TEXT NOT NULL -- angstrom
) STRICT;

CREATE TABLE tasks (
    task             INTEGER PRIMARY KEY,
    stage            TEXT NOT NULL,
    smiles           TEXT,
    batch            INTEGER,
    state            TEXT NOT NULL CHECK (state IN ('submitted', 'running', 'succeeded', 'failed', 'cancelled')),
    attempt          INTEGER NOT NULL,
    failure          TEXT, -- kind of the last failed attempt
    failure_message  TEXT,
    submitted        INTEGER NOT NULL,
    started          INTEGER,
    finished         INTEGER,
    peak_memory_kib  INTEGER -- the most that it held at once
) STRICT;
CREATE INDEX tasks_unfinished ON tasks (state) WHERE state IN ('submitted', 'running');

-- Energies of the free atoms.
CREATE TABLE atoms (
    element               TEXT PRIMARY KEY,
    total_energy_hartree  REAL NOT NULL
) STRICT;

-- Every molecule that was proposed; batch 0 is the initial draw.
CREATE TABLE candidates (
    batch                       INTEGER NOT NULL,
    rank                        INTEGER NOT NULL, -- 0 is the best
    smiles                      TEXT NOT NULL,
    predicted                   REAL, -- mean of the objective, hartree
    predicted_std               REAL,
    status                      TEXT NOT NULL CHECK (status IN ('queued', 'evaluating', 'computed', 'failed', 'superseded', 'cancelled')),
    task                        INTEGER,
    total_energy_hartree        REAL,
    atomization_energy_hartree  REAL,
    atoms                       INTEGER,
    value                       REAL, -- the objective, hartree
    PRIMARY KEY (batch, rank)
) STRICT, WITHOUT ROWID;
CREATE INDEX candidates_best ON candidates (value) WHERE value IS NOT NULL;

-- What the generator did.
CREATE TABLE batches (
    batch         INTEGER PRIMARY KEY,
    begun         INTEGER NOT NULL,
    pushed        INTEGER,
    measured      INTEGER NOT NULL, -- molecules learnt from
    groups        INTEGER,
    rmse_hartree  REAL,
    generated     INTEGER, -- distinct molecules visited
    epsilon       REAL,
    mean_reward   REAL, -- a step, in standard deviations of the measured values
    mean_loss     REAL,
    new           INTEGER -- candidates pushed
) STRICT;
