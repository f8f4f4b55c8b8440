//! Records as statements on the tables that are derived from the journal.

use sqlx::SqliteConnection;

use super::write::id;
use crate::task::{Attempt, Candidate, EndState, Evaluation, Failure, Record, TaskId, Usage};

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// Applies one record. `at` is the time of its fact, milliseconds since the Unix epoch.
pub(super) async fn apply(
    db: &mut SqliteConnection,
    record: &Record,
    at: i64,
) -> Result<(), sqlx::Error> {
    let query = match record {
        Record::TaskCreated {
            task,
            stage,
            smiles,
            batch,
        } => insert_task(*task, stage, smiles.as_deref(), *batch).bind(at),
        Record::Cached { task } => {
            sqlx::query("UPDATE tasks SET cached = 1 WHERE task = ?").bind(id(*task))
        }
        Record::AttemptFailed {
            task,
            attempt,
            failure,
        } => insert_failure(*task, *attempt, failure).bind(at),
        Record::TaskAgain {
            task,
            attempt,
            failure,
        } => resubmit_task(*task, *attempt, failure),
        Record::TaskEnded { task, state, usage } => end_task(*task, state, usage, at),
        Record::Reference {
            element,
            total_energy_hartree,
        } => sqlx::query("INSERT INTO atoms (element, total_energy_hartree) VALUES (?, ?)")
            .bind(element)
            .bind(total_energy_hartree),
        Record::Queued(candidate) => insert_candidate(candidate),
        Record::Evaluating { batch, rank, task } => start_evaluation(*task, *batch, *rank),
        Record::Evaluated {
            batch,
            rank,
            evaluation,
        } => evaluate_candidate(evaluation).bind(batch).bind(rank),
        Record::Superseded { batch, rank } => set_status("superseded", *batch, *rank),
        Record::EvaluationFailed { batch, rank } => set_status("failed", *batch, *rank),
        Record::EvaluationCancelled { batch, rank } => set_status("cancelled", *batch, *rank),
        Record::BatchStarted {
            batch,
            observations,
        } => insert_batch(*batch, *observations, at),
        Record::BatchTrained {
            batch,
            groups,
            rmse_hartree,
        } => describe_fit(*batch, *groups, *rmse_hartree),
        Record::BatchGenerated {
            batch,
            candidates,
            epsilon,
            mean_reward,
            mean_loss,
        } => describe_search(*candidates, *epsilon, *mean_reward, *mean_loss).bind(batch),
        Record::BatchFinished {
            batch,
            new_candidates,
        } => finish_batch(*batch, *new_candidates, at),
        Record::RunEnded { stopped_by } => {
            sqlx::query("UPDATE run SET stopped_by = ?").bind(stopped_by.word())
        }
        Record::RunReopened => sqlx::query("UPDATE run SET stopped_by = NULL"),
    };
    query.execute(db).await.map(drop)
}

fn start_evaluation<'q>(task: TaskId, batch: u32, rank: u32) -> Query<'q> {
    sqlx::query(
        "UPDATE candidates SET status = 'evaluating', task = ? WHERE batch = ? AND rank = ?",
    )
    .bind(id(task))
    .bind(batch)
    .bind(rank)
}

fn insert_batch<'q>(batch: u32, observations: usize, at: i64) -> Query<'q> {
    sqlx::query("INSERT INTO batches (batch, started, observations) VALUES (?, ?, ?)")
        .bind(batch)
        .bind(at)
        .bind(count(observations))
}

fn describe_fit<'q>(batch: u32, groups: usize, rmse_hartree: f64) -> Query<'q> {
    sqlx::query("UPDATE batches SET groups = ?, rmse_hartree = ? WHERE batch = ?")
        .bind(count(groups))
        .bind(rmse_hartree)
        .bind(batch)
}

fn finish_batch<'q>(batch: u32, new_candidates: usize, at: i64) -> Query<'q> {
    sqlx::query("UPDATE batches SET finished = ?, new_candidates = ? WHERE batch = ?")
        .bind(at)
        .bind(count(new_candidates))
        .bind(batch)
}

/// Statement whose time of submission is still to be bound.
fn insert_task<'q>(
    task: TaskId,
    stage: &'q str,
    smiles: Option<&'q str>,
    batch: Option<u32>,
) -> Query<'q> {
    sqlx::query(
        "INSERT INTO tasks (state, attempt, task, stage, smiles, batch, submitted) VALUES ('submitted', 1, ?, ?, ?, ?, ?)",
    )
    .bind(id(task))
    .bind(stage)
    .bind(smiles)
    .bind(batch)
}

/// Statement whose time of failure is still to be bound.
fn insert_failure(task: TaskId, attempt: Attempt, failure: &Failure) -> Query<'_> {
    sqlx::query("INSERT INTO failures (task, attempt, kind, message, at) VALUES (?, ?, ?, ?, ?)")
        .bind(id(task))
        .bind(attempt)
        .bind(failure.kind.word())
        .bind(&failure.message)
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

fn end_task<'q>(task: TaskId, state: &'q EndState, usage: &Usage, at: i64) -> Query<'q> {
    let failure = state.failure();
    sqlx::query(
        "UPDATE tasks SET state = ?, failure = ?, failure_message = ?, started = coalesce(?, started), \
         peak_memory_kib = ?, finished = ? WHERE task = ?",
    )
    .bind(state.word())
    .bind(failure.map(|failure| failure.kind.word()))
    .bind(failure.map(|failure| &failure.message))
    .bind(usage.started)
    .bind(usage.peak_memory_kib.map(u64::cast_signed))
    .bind(at)
    .bind(id(task))
}

fn insert_candidate(candidate: &Candidate) -> Query<'_> {
    let Candidate {
        smiles,
        batch,
        rank,
        prediction,
    } = candidate;
    sqlx::query(
        "INSERT INTO candidates (batch, rank, smiles, prediction_mean_hartree, prediction_std_hartree, status) \
         VALUES (?, ?, ?, ?, ?, 'queued')",
    )
    .bind(batch)
    .bind(rank)
    .bind(smiles)
    .bind(prediction.map(|prediction| prediction.mean))
    .bind(prediction.map(|prediction| prediction.std))
}

/// Statement whose batch and rank are still to be bound.
fn evaluate_candidate(evaluation: &Evaluation) -> Query<'_> {
    sqlx::query(
        "UPDATE candidates SET status = 'evaluated', total_energy_hartree = ?, atomization_energy_hartree = ?, \
         atoms = ?, objective_hartree = ? WHERE batch = ? AND rank = ?",
    )
    .bind(evaluation.total_energy_hartree)
    .bind(evaluation.atomization_energy_hartree)
    .bind(evaluation.atoms)
    .bind(evaluation.value)
}

/// Statement whose batch is still to be bound.
fn describe_search(
    candidates: usize,
    epsilon: f64,
    mean_reward: f64,
    mean_loss: Option<f64>,
) -> Query<'static> {
    sqlx::query(
        "UPDATE batches SET visited_molecules = ?, epsilon = ?, mean_reward = ?, mean_loss = ? WHERE batch = ?",
    )
    .bind(count(candidates))
    .bind(epsilon)
    .bind(mean_reward)
    .bind(mean_loss)
}

fn set_status(status: &'static str, batch: u32, rank: u32) -> Query<'static> {
    sqlx::query("UPDATE candidates SET status = ? WHERE batch = ? AND rank = ?")
        .bind(status)
        .bind(batch)
        .bind(rank)
}

fn count(n: usize) -> i64 {
    n as i64
}
