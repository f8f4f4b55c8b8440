-- So that columns say what they hold, and a molecule whose energy is known has one status, `evaluated`.

CREATE TABLE evaluations (
    batch                       INTEGER NOT NULL,
    rank                        INTEGER NOT NULL, -- 0 is the best
    smiles                      TEXT NOT NULL,
    prediction_mean_hartree     REAL, -- of the objective
    prediction_std_hartree      REAL,
    status                      TEXT NOT NULL CHECK (status IN ('queued', 'evaluating', 'evaluated', 'failed', 'superseded', 'cancelled')),
    task                        INTEGER,
    total_energy_hartree        REAL,
    atomization_energy_hartree  REAL,
    atoms                       INTEGER,
    objective_hartree           REAL, -- per atom where the campaign says so
    PRIMARY KEY (batch, rank)
) STRICT, WITHOUT ROWID;

INSERT INTO evaluations
SELECT batch, rank, smiles, predicted, predicted_std, iif(status = 'computed', 'evaluated', status), task,
    total_energy_hartree, atomization_energy_hartree, atoms, value
FROM candidates;

DROP TABLE candidates;
ALTER TABLE evaluations RENAME TO candidates;
CREATE INDEX candidates_best ON candidates (objective_hartree) WHERE objective_hartree IS NOT NULL;

ALTER TABLE batches RENAME COLUMN begun TO started;
ALTER TABLE batches RENAME COLUMN pushed TO finished;
ALTER TABLE batches RENAME COLUMN measured TO observations; -- molecules learnt from
ALTER TABLE batches RENAME COLUMN generated TO visited_molecules;
ALTER TABLE batches RENAME COLUMN new TO new_candidates;

ALTER TABLE results RENAME COLUMN level TO level_of_theory;
