-- So that a campaign can have several objectives and constraints, and a prediction of each property.

-- The objectives, in the order of the campaign.
CREATE TABLE objectives (
    place      INTEGER PRIMARY KEY, -- from 1
    property   TEXT NOT NULL,
    highest    INTEGER NOT NULL CHECK (highest IN (0, 1)) -- 1 if high values are better
) STRICT;

INSERT INTO objectives SELECT 1, objective, objective_highest FROM run;
INSERT OR IGNORE INTO properties SELECT objective, objective_label, objective_unit FROM run;

ALTER TABLE run DROP COLUMN objective;
ALTER TABLE run DROP COLUMN objective_label;
ALTER TABLE run DROP COLUMN objective_unit;
ALTER TABLE run DROP COLUMN objective_highest;

-- Predictions at the time of the batch.
CREATE TABLE predictions (
    batch     INTEGER NOT NULL,
    rank      INTEGER NOT NULL,
    property  TEXT NOT NULL,
    mean      REAL NOT NULL, -- in the unit of the property
    std       REAL NOT NULL,
    PRIMARY KEY (batch, rank, property)
) STRICT, WITHOUT ROWID;

INSERT INTO predictions
SELECT c.batch, c.rank, o.property, c.prediction_mean, c.prediction_std FROM candidates c JOIN objectives o ON o.place = 1
WHERE c.prediction_mean IS NOT NULL AND c.prediction_std IS NOT NULL;

ALTER TABLE candidates DROP COLUMN prediction_mean;
ALTER TABLE candidates DROP COLUMN prediction_std;

-- `objective` is null in campaigns with several.
ALTER TABLE candidates ADD COLUMN feasible INTEGER; -- null unless constraints were judged
ALTER TABLE candidates ADD COLUMN on_front INTEGER NOT NULL DEFAULT 0; -- 1 on the Pareto front
ALTER TABLE candidates ADD COLUMN hypervolume REAL; -- of the front with the result of this candidate
