-- So that any property can be the objective, and the quantities of every calculation can be read.

ALTER TABLE tasks ADD COLUMN method TEXT; -- null in runs of 0.1.0
CREATE INDEX tasks_smiles ON tasks (smiles) WHERE smiles IS NOT NULL;

-- What calculations of molecules returned.
CREATE TABLE quantities (
    task   INTEGER NOT NULL,
    name   TEXT NOT NULL, -- energy, homo, ...
    value  REAL NOT NULL, -- atomic units
    PRIMARY KEY (task, name)
) STRICT, WITHOUT ROWID;

INSERT INTO quantities
SELECT task, 'energy', total_energy_hartree FROM candidates WHERE total_energy_hartree IS NOT NULL AND task IS NOT NULL;

-- The same of free atoms.
CREATE TABLE free_atoms (
    method   TEXT NOT NULL, -- empty in runs of 0.1.0
    element  TEXT NOT NULL,
    name     TEXT NOT NULL,
    value    REAL NOT NULL, -- atomic units
    PRIMARY KEY (method, element, name)
) STRICT, WITHOUT ROWID;

INSERT INTO free_atoms SELECT '', element, 'energy', total_energy_hartree FROM atoms;
DROP TABLE atoms;

-- Values of properties, each in its unit.
CREATE TABLE property_values (
    batch     INTEGER NOT NULL,
    rank      INTEGER NOT NULL,
    property  TEXT NOT NULL,
    value     REAL NOT NULL,
    PRIMARY KEY (batch, rank, property)
) STRICT, WITHOUT ROWID;

INSERT INTO property_values
SELECT batch, rank, 'atomization_energy', atomization_energy_hartree FROM candidates
WHERE atomization_energy_hartree IS NOT NULL;

INSERT INTO property_values
SELECT batch, rank, 'atomization_energy_per_atom', atomization_energy_hartree / atoms FROM candidates
WHERE atomization_energy_hartree IS NOT NULL;

-- The objective: a property, its name in tables, its unit, and whether high values are better.
ALTER TABLE run ADD COLUMN objective TEXT NOT NULL DEFAULT 'atomization_energy';
ALTER TABLE run ADD COLUMN objective_label TEXT NOT NULL DEFAULT 'atomization energy';
ALTER TABLE run ADD COLUMN objective_unit TEXT NOT NULL DEFAULT 'hartree'; -- empty for a plain number
ALTER TABLE run ADD COLUMN objective_highest INTEGER NOT NULL DEFAULT 0 CHECK (objective_highest IN (0, 1));

UPDATE run SET objective = 'atomization_energy_per_atom', objective_label = 'atomization energy per atom'
WHERE EXISTS (SELECT 1 FROM candidates WHERE objective_hartree <> atomization_energy_hartree);

-- The properties of the campaign.
CREATE TABLE properties (
    name   TEXT PRIMARY KEY,
    label  TEXT NOT NULL, -- in tables and charts
    unit   TEXT NOT NULL -- empty for a plain number
) STRICT;

INSERT INTO properties VALUES
    ('atomization_energy', 'atomization energy', 'hartree'),
    ('atomization_energy_per_atom', 'atomization energy per atom', 'hartree');
DELETE FROM properties WHERE NOT EXISTS (SELECT 1 FROM journal);

CREATE TABLE candidates_of_any_property (
    batch            INTEGER NOT NULL, -- 0: of the source
    rank             INTEGER NOT NULL, -- 0 is the best
    smiles           TEXT NOT NULL,
    prediction_mean  REAL, -- of the objective, in its unit
    prediction_std   REAL,
    status           TEXT NOT NULL CHECK (status IN ('queued', 'evaluating', 'evaluated', 'failed', 'superseded', 'cancelled')),
    task             INTEGER, -- the last of its calculations, or the one that failed
    objective        REAL, -- in its unit
    PRIMARY KEY (batch, rank)
) STRICT, WITHOUT ROWID;

INSERT INTO candidates_of_any_property
SELECT batch, rank, smiles, prediction_mean_hartree, prediction_std_hartree, status, task, objective_hartree FROM candidates;

DROP TABLE candidates;
ALTER TABLE candidates_of_any_property RENAME TO candidates;
CREATE INDEX candidates_best ON candidates (objective) WHERE objective IS NOT NULL;

ALTER TABLE batches RENAME COLUMN rmse_hartree TO rmse; -- in the unit of the objective
