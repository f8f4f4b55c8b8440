-- So that any surrogate and any generator can report numbers of its own.

-- Numbers that describe what a stage of the generator loop did for a batch.
CREATE TABLE metrics (
    batch  INTEGER NOT NULL,
    stage  TEXT NOT NULL,
    name   TEXT NOT NULL, -- rmse, candidates, mean_reward, ...
    value  REAL NOT NULL,
    PRIMARY KEY (batch, stage, name)
) STRICT, WITHOUT ROWID;

INSERT INTO metrics
    SELECT batch, 'train', 'groups', groups FROM batches WHERE groups IS NOT NULL
    UNION ALL SELECT batch, 'train', 'rmse', rmse FROM batches WHERE rmse IS NOT NULL
    UNION ALL SELECT batch, 'generate', 'candidates', visited_molecules FROM batches WHERE visited_molecules IS NOT NULL
    UNION ALL SELECT batch, 'generate', 'epsilon', epsilon FROM batches WHERE epsilon IS NOT NULL
    UNION ALL SELECT batch, 'generate', 'mean_reward', mean_reward FROM batches WHERE mean_reward IS NOT NULL
    UNION ALL SELECT batch, 'generate', 'mean_loss', mean_loss FROM batches WHERE mean_loss IS NOT NULL;

ALTER TABLE batches DROP COLUMN groups;
ALTER TABLE batches DROP COLUMN rmse;
ALTER TABLE batches DROP COLUMN visited_molecules;
ALTER TABLE batches DROP COLUMN epsilon;
ALTER TABLE batches DROP COLUMN mean_reward;
ALTER TABLE batches DROP COLUMN mean_loss;

-- The stage that proposed a candidate; null for molecules of the source, and in runs of 0.1.0.
ALTER TABLE candidates ADD COLUMN generator TEXT;
