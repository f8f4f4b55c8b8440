//! Records as statements on the tables that are derived from the journal.

use sqlx::SqliteConnection;

use super::write::id;
use crate::task::{Attempt, Candidate, EndState, Failure, Prediction, Record, TaskId, Usage};

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// Applies one record. `at` is the time of its fact, milliseconds since the Unix epoch.
pub(super) async fn apply(
    db: &mut SqliteConnection,
    record: &Record,
    at: i64,
) -> Result<(), sqlx::Error> {
    for query in queries(record, at) {
        query.execute(&mut *db).await?;
    }
    Ok(())
}

/// Returns the statements of a record, in order.
fn queries(record: &Record, at: i64) -> Vec<Query<'_>> {
    match record {
        Record::FreeAtom {
            method,
            element,
            quantities,
        } => {
            let insert = |(name, value)| insert_free_atom(method, element).bind(name).bind(value);
            quantities.iter().map(insert).collect()
        }
        Record::Quantities { task, quantities } => {
            let insert = |(name, value)| insert_quantity(*task).bind(name).bind(value);
            quantities.iter().map(insert).collect()
        }
        Record::BatchMetrics {
            batch,
            stage,
            metrics,
        } => {
            let insert = |(name, value)| insert_metric(*batch, stage).bind(name).bind(value);
            metrics.iter().map(insert).collect()
        }
        Record::Evaluated {
            batch,
            rank,
            values,
            objective,
            feasible,
        } => {
            let values = values.iter();
            let insert = |(name, value): (_, &f64)| {
                insert_value(*batch, *rank, String::as_str(name), *value)
            };
            let evaluated = evaluate_candidate(*objective, *feasible);
            let evaluated = evaluated.bind(batch).bind(rank);
            values.map(insert).chain([evaluated]).collect()
        }
        Record::Queued(candidate) => {
            let predictions = candidate.predictions.iter();
            let insert = predictions.map(|prediction| insert_prediction(candidate, prediction));
            [insert_candidate(candidate)]
                .into_iter()
                .chain(insert)
                .collect()
        }
        _ => {
            let query = task_query(record, at).or_else(|| candidate_query(record));
            let query = query.or_else(|| batch_query(record, at));
            query.into_iter().collect()
        }
    }
}

/// Returns the statement of a record about a task.
fn task_query(record: &Record, at: i64) -> Option<Query<'_>> {
    Some(match record {
        Record::TaskCreated {
            task,
            stage,
            method,
            smiles,
            batch,
        } => insert_task(*task, *batch)
            .bind(stage)
            .bind(method)
            .bind(smiles)
            .bind(at),
        Record::Cached { task } => {
            sqlx::query("UPDATE tasks SET cached = 1 WHERE task = ?").bind(id(*task))
        }
        Record::AttemptFailed {
            task,
            attempt,
            failure,
            usage,
        } => insert_failure(*task, *attempt, failure, usage).bind(usage.end(at)),
        Record::TaskAgain {
            task,
            attempt,
            failure,
        } => resubmit_task(*task, *attempt, failure),
        Record::TaskEnded { task, state, usage } => end_task(*task, state, usage, at),
        _ => return None,
    })
}

/// Returns the statement of a record about a candidate.
fn candidate_query(record: &Record) -> Option<Query<'_>> {
    Some(match record {
        Record::Evaluating { batch, rank, task } => start_evaluation(*task, *batch, *rank),
        Record::Superseded { batch, rank } => set_status("superseded", *batch, *rank),
        Record::EvaluationFailed { batch, rank, task } => fail_candidate(*task, *batch, *rank),
        Record::EvaluationCancelled { batch, rank } => cancel_candidate(*batch, *rank),
        Record::FrontJoined { batch, rank } => set_on_front(true, *batch, *rank),
        Record::FrontLeft { batch, rank } => set_on_front(false, *batch, *rank),
        Record::Hypervolume { batch, rank, value } => set_hypervolume(*value, *batch, *rank),
        _ => return None,
    })
}

/// Returns the statement of a record about a batch or the run.
fn batch_query(record: &Record, at: i64) -> Option<Query<'_>> {
    Some(match record {
        Record::BatchStarted {
            batch,
            observations,
        } => insert_batch(*batch, *observations, at),
        Record::BatchFinished {
            batch,
            new_candidates,
        } => finish_batch(*batch, *new_candidates, at),
        Record::RunEnded { stopped_by } => {
            sqlx::query("UPDATE run SET stopped_by = ?").bind(stopped_by.word())
        }
        Record::RunReopened => sqlx::query("UPDATE run SET stopped_by = NULL"),
        _ => return None,
    })
}

/// Name and value are to be bound yet.
fn insert_quantity<'q>(task: TaskId) -> Query<'q> {
    sqlx::query("INSERT INTO quantities (task, name, value) VALUES (?, ?, ?)").bind(id(task))
}

fn start_evaluation<'q>(task: TaskId, batch: u32, rank: u32) -> Query<'q> {
    sqlx::query("UPDATE proposals SET status = 'evaluating', task = ? WHERE batch = ? AND rank = ?")
        .bind(id(task))
        .bind(batch)
        .bind(rank)
}

fn insert_batch<'q>(batch: u32, observations: usize, at: i64) -> Query<'q> {
    sqlx::query("INSERT INTO rounds (batch, started, observations) VALUES (?, ?, ?)")
        .bind(batch)
        .bind(at)
        .bind(count(observations))
}

fn finish_batch<'q>(batch: u32, new_candidates: usize, at: i64) -> Query<'q> {
    sqlx::query("UPDATE rounds SET finished = ?, new_candidates = ? WHERE batch = ?")
        .bind(at)
        .bind(count(new_candidates))
        .bind(batch)
}

/// Stage, method, SMILES and time of submission are to be bound yet.
fn insert_task<'q>(task: TaskId, batch: Option<u32>) -> Query<'q> {
    sqlx::query(
        "INSERT INTO tasks (state, attempt, task, batch, stage, method, smiles, submitted) VALUES ('submitted', 1, ?, ?, ?, ?, ?, ?)",
    )
    .bind(id(task))
    .bind(batch)
}

/// Name and value of the quantity are to be bound yet.
fn insert_free_atom<'q>(method: &'q str, element: &'q str) -> Query<'q> {
    sqlx::query("INSERT INTO free_atoms (method, element, name, value) VALUES (?, ?, ?, ?)")
        .bind(method)
        .bind(element)
}

fn insert_value<'q>(batch: u32, rank: u32, property: &'q str, value: f64) -> Query<'q> {
    sqlx::query(
        "INSERT OR REPLACE INTO property_values (batch, rank, property, value) VALUES (?, ?, ?, ?)",
    )
    .bind(batch)
    .bind(rank)
    .bind(property)
    .bind(value)
}

fn fail_candidate<'q>(task: TaskId, batch: u32, rank: u32) -> Query<'q> {
    sqlx::query("UPDATE proposals SET status = 'failed', task = ? WHERE batch = ? AND rank = ?")
        .bind(id(task))
        .bind(batch)
        .bind(rank)
}

/// The time of the failure is to be bound yet.
fn insert_failure<'q>(
    task: TaskId,
    attempt: Attempt,
    failure: &'q Failure,
    usage: &'q Usage,
) -> Query<'q> {
    sqlx::query(
        "INSERT INTO failures (task, attempt, kind, message, started, host, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(id(task))
    .bind(attempt)
    .bind(failure.kind.word())
    .bind(&failure.message)
    .bind(usage.started)
    .bind(&usage.host)
}

fn resubmit_task(task: TaskId, attempt: Attempt, failure: &Failure) -> Query<'_> {
    sqlx::query(
        "UPDATE tasks SET state = 'submitted', attempt = ?, failure = ?, failure_message = ?, started = NULL WHERE task = ?",
    )
    .bind(attempt)
    .bind(failure.kind.word())
    .bind(&failure.message)
    .bind(id(task))
}

/// The start that an engine saw stays where a task was cancelled. Else an unknown start says that
/// it is not known how long the task ran.
fn end_task<'q>(task: TaskId, state: &'q EndState, usage: &'q Usage, at: i64) -> Query<'q> {
    let failure = state.failure();
    let is_cancelled = matches!(state, EndState::Cancelled);
    sqlx::query(
        "UPDATE tasks SET state = ?, failure = ?, failure_message = ?, started = coalesce(?, iif(?, started, NULL)), \
         peak_memory_kib = ?, host = ?, finished = ? WHERE task = ?",
    )
    .bind(state.word())
    .bind(failure.map(|failure| failure.kind.word()))
    .bind(failure.map(|failure| &failure.message))
    .bind(usage.started)
    .bind(is_cancelled)
    .bind(usage.peak_memory_kib.map(u64::cast_signed))
    .bind(&usage.host)
    .bind(usage.end(at))
    .bind(id(task))
}

fn insert_candidate(candidate: &Candidate) -> Query<'_> {
    sqlx::query(
        "INSERT INTO proposals (batch, rank, smiles, generator, parents, status) VALUES (?, ?, ?, ?, ?, 'queued')",
    )
    .bind(candidate.batch)
    .bind(candidate.rank)
    .bind(&candidate.smiles)
    .bind(&candidate.generator)
    .bind((!candidate.parents.is_empty()).then(|| candidate.parents.join(" ")))
}

fn insert_prediction<'q>(
    candidate: &Candidate,
    (property, prediction): (&'q String, &Prediction),
) -> Query<'q> {
    sqlx::query("INSERT INTO predictions (batch, rank, property, mean, std) VALUES (?, ?, ?, ?, ?)")
        .bind(candidate.batch)
        .bind(candidate.rank)
        .bind(property)
        .bind(prediction.mean)
        .bind(prediction.std)
}

fn set_on_front(is_on_front: bool, batch: u32, rank: u32) -> Query<'static> {
    sqlx::query("UPDATE proposals SET on_front = ? WHERE batch = ? AND rank = ?")
        .bind(is_on_front)
        .bind(batch)
        .bind(rank)
}

fn set_hypervolume(value: f64, batch: u32, rank: u32) -> Query<'static> {
    sqlx::query("UPDATE proposals SET hypervolume = ? WHERE batch = ? AND rank = ?")
        .bind(value)
        .bind(batch)
        .bind(rank)
}

/// Batch and rank are to be bound yet.
fn evaluate_candidate<'q>(objective: Option<f64>, feasible: Option<bool>) -> Query<'q> {
    sqlx::query(
        "UPDATE proposals SET status = 'evaluated', objective = coalesce(?, objective), \
         feasible = coalesce(?, feasible) WHERE batch = ? AND rank = ?",
    )
    .bind(objective)
    .bind(feasible)
}

/// Statement whose name and value are still to be bound.
fn insert_metric(batch: u32, stage: &str) -> Query<'_> {
    sqlx::query("INSERT INTO metrics (batch, stage, name, value) VALUES (?, ?, ?, ?)")
        .bind(batch)
        .bind(stage)
}

/// A candidate keeps what an earlier stage computed of it.
fn cancel_candidate(batch: u32, rank: u32) -> Query<'static> {
    sqlx::query(
        "UPDATE proposals AS c SET status = iif(EXISTS (SELECT 1 FROM property_values p \
         WHERE p.batch = c.batch AND p.rank = c.rank), 'evaluated', 'cancelled') WHERE batch = ? AND rank = ?",
    )
    .bind(batch)
    .bind(rank)
}

fn set_status(status: &'static str, batch: u32, rank: u32) -> Query<'static> {
    sqlx::query("UPDATE proposals SET status = ? WHERE batch = ? AND rank = ?")
        .bind(status)
        .bind(batch)
        .bind(rank)
}

fn count(n: usize) -> i64 {
    n as i64
}
