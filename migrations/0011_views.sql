-- So that other programs can read a run by names that stay. The views are described in docs/database.md, and a change
-- of one is a change for their readers. The tables give their names to them; no program but this one names tables.

ALTER TABLE results RENAME TO calculations;
ALTER TABLE candidates RENAME TO proposals;
ALTER TABLE batches RENAME TO rounds;

-- The methods of the campaign, as the last engine at work had them. Not derived from the journal.
CREATE TABLE methods (
    method     TEXT PRIMARY KEY,
    kind       TEXT NOT NULL, -- simulate, train, ...
    engine     TEXT NOT NULL,
    partition  TEXT NOT NULL,
    slots      INTEGER, -- of the partition; null where only an allocation tells
    cores      INTEGER NOT NULL -- of a task, on all of its nodes
) STRICT;

-- Units of the quantities that methods return, which are in atomic units.
CREATE TABLE quantity_units (
    method    TEXT NOT NULL,
    quantity  TEXT NOT NULL,
    unit      TEXT NOT NULL, -- hartree, bohr^3, ...; empty for a plain number
    PRIMARY KEY (method, quantity)
) STRICT, WITHOUT ROWID;

-- Each calculation of a molecule or free atom that succeeded.
CREATE VIEW results AS
SELECT r.task, t.stage, t.method, t.smiles,
    (SELECT n.name FROM names n WHERE n.smiles = t.smiles ORDER BY n.entry LIMIT 1) AS name,
    t.batch, r.engine, r.version, r.level_of_theory, r.xyz,
    iif(t.batch IS NULL,
        (SELECT json_group_object(f.name, json(printf('%!.17g', f.value))) FROM free_atoms f
         WHERE f.method = coalesce(t.method, '') AND '[' || f.element || ']' = t.smiles),
        (SELECT json_group_object(q.name, json(printf('%!.17g', q.value))) FROM quantities q
         WHERE q.task = r.task)) AS quantities,
    t.cached, t.started, t.finished
FROM calculations r JOIN tasks t ON t.task = r.task;

-- Each molecule that was proposed, with what became of it.
CREATE VIEW candidates AS
SELECT c.batch, c.rank, c.smiles,
    (SELECT n.name FROM names n WHERE n.smiles = c.smiles ORDER BY n.entry LIMIT 1) AS name,
    c.status, c.objective, c.feasible, c.on_front, c.hypervolume, c.generator, c.parents,
    (SELECT json_group_object(p.property, json(printf('%!.17g', p.value))) FROM property_values p
     WHERE p.batch = c.batch AND p.rank = c.rank) AS properties,
    (SELECT json_group_object(p.property, json_array(json(printf('%!.17g', p.mean)), json(printf('%!.17g', p.std))))
     FROM predictions p WHERE p.batch = c.batch AND p.rank = c.rank) AS predictions,
    c.task, t.failure, t.failure_message, iif(t.cached, 0, t.attempt) AS attempts, t.cached,
    t.submitted, t.started, t.finished, t.peak_memory_kib,
    r.level_of_theory, r.engine, r.version AS engine_version
FROM proposals c LEFT JOIN tasks t ON t.task = c.task LEFT JOIN calculations r ON r.task = c.task;

-- Each batch of the generator loop.
CREATE VIEW batches AS
SELECT b.batch, b.started, b.finished, b.observations, b.new_candidates,
    (SELECT count(*) FROM proposals c WHERE c.batch = b.batch AND c.status = 'evaluated') AS evaluated,
    (SELECT count(*) FROM proposals c WHERE c.batch = b.batch AND c.status = 'failed') AS failed,
    (SELECT count(*) FROM proposals c WHERE c.batch = b.batch AND c.status = 'superseded') AS superseded,
    (SELECT json_group_object(m.stage || '.' || m.name, json(printf('%!.17g', m.value))) FROM metrics m
     WHERE m.batch = b.batch) AS metrics
FROM rounds b;

-- Each attempt of a task. An answer of an earlier run is none.
CREATE VIEW attempts AS
SELECT a.task, a.attempt, t.stage, t.method, m.partition, m.cores, t.smiles,
    (SELECT n.name FROM names n WHERE n.smiles = t.smiles ORDER BY n.entry LIMIT 1) AS name,
    t.batch, a.state, a.failure, a.failure_message, a.host, a.started, a.finished, a.peak_memory_kib
FROM (
    SELECT f.task, f.attempt, 'failed' AS state, f.kind AS failure, f.message AS failure_message, f.host, f.started,
        f.at AS finished, iif(f.attempt = l.attempt, l.peak_memory_kib, NULL) AS peak_memory_kib
    FROM failures f JOIN tasks l ON l.task = f.task
    UNION ALL
    SELECT l.task, l.attempt, l.state, NULL, NULL, iif(l.finished IS NULL, NULL, l.host), l.started, l.finished, l.peak_memory_kib
    FROM tasks l
    WHERE l.cached = 0 AND NOT EXISTS (SELECT 1 FROM failures f WHERE f.task = l.task AND f.attempt = l.attempt)
) a JOIN tasks t ON t.task = a.task LEFT JOIN methods m ON m.method = t.method;

-- Attempts that ran at once in each partition, from each change to the next.
CREATE VIEW utilisation AS
SELECT u.partition, u.since, lead(u.since) OVER w AS until, sum(u.change) OVER w AS busy,
    (SELECT max(m.slots) FROM methods m WHERE m.partition = u.partition) AS slots
FROM (
    SELECT s.partition, s.since, sum(s.change) AS change
    FROM (
        SELECT partition, started AS since, 1 AS change FROM attempts WHERE started IS NOT NULL
        UNION ALL
        SELECT partition, max(finished, started), -1 FROM attempts WHERE started IS NOT NULL AND finished IS NOT NULL
    ) s
    GROUP BY s.partition, s.since
) u
WINDOW w AS (PARTITION BY u.partition ORDER BY u.since);
