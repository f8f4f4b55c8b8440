//! Outcome of a run on the terminal: the best molecules on stdout, all else on stderr.

use super::table::hours;
use super::terminal::{print, say, width};
use super::{ExitStatus, OutputArguments};
use crate::app::error::CommandError;
use crate::app::outcome::RunOutcome;
use crate::driver::RunEnd;
use crate::report::{self, RunState};
use crate::store::FailureRow;
use crate::task::StoppedBy;

/// Prints the outcome of a run and returns the exit status that follows from it.
pub(super) fn conclude(
    outcome: &RunOutcome,
    output: OutputArguments,
) -> Result<ExitStatus, CommandError> {
    print(&results(outcome, output.json))?;
    let done = work_done(outcome);
    let next = outcome.next.clone();
    let next = next.unwrap_or_else(|| {
        format!(
            "`moldflow resume {}` resumes the run",
            outcome.dir.display()
        )
    });
    let stopped_by = match outcome.ending {
        RunEnd::Interrupted => {
            say(&format!("interrupted after {done}; {next}"));
            return Ok(ExitStatus::Interrupted);
        }
        RunEnd::NodesLost => {
            say(&format!(
                "a partition has lost all its nodes, after {done}; {next}"
            ));
            return Ok(ExitStatus::Interrupted);
        }
        // A success: Cobalt holds the jobs that depend on a failed one.
        RunEnd::JobOver => {
            say(&format!(
                "the time of this job is over, after {done}; {next}"
            ));
            return Ok(ExitStatus::Finished);
        }
        RunEnd::Stopped(stopped_by) => stopped_by,
    };
    if !output.quiet || !stopped_by.is_success() {
        say(&format!("{done}: {}", stopped_by.sentence()));
        say(&outcome.verdict());
    }
    if outcome.has_molecules() {
        return Ok(ExitStatus::Finished);
    }
    if let Some(failure) = &outcome.last_failure {
        say(&last_failure(failure));
    }
    if stopped_by == StoppedBy::References {
        say(&format!(
            "hint: `moldflow resume {}` computes the missing free atoms again",
            outcome.dir.display()
        ));
    }
    Ok(ExitStatus::NothingComputed)
}

/// Text for stdout: a JSON object, or the table of the best molecules, empty if there are none.
fn results(outcome: &RunOutcome, as_json: bool) -> String {
    if as_json {
        let state = RunState::of(&outcome.summary, false);
        let object = report::final_json(&outcome.dir, &outcome.summary, state, outcome.core_hours);
        format!("{object:#}\n")
    } else if outcome.best.is_empty() {
        String::new()
    } else {
        let objectives = &outcome.summary.run.objectives;
        let table = report::best_table(&outcome.best, objectives, width());
        match (objectives.len(), outcome.summary.hypervolume) {
            (1, _) => format!("{table}\n"),
            (_, None) => format!("Pareto front\n{table}\n"),
            (_, Some(volume)) => format!("Pareto front, hypervolume {volume:.6}\n{table}\n"),
        }
    }
}

fn work_done(outcome: &RunOutcome) -> String {
    let counts = &outcome.summary.counts;
    format!(
        "{} evaluations ({} failed{}), {} batches, {} core-hours",
        counts.evaluations,
        counts.failures,
        report::kinds(": ", &outcome.summary.failures_by_kind),
        counts.batches,
        hours(outcome.core_hours)
    )
}

fn last_failure(failure: &FailureRow) -> String {
    let FailureRow {
        task,
        stage,
        smiles,
        name,
        attempt,
        kind,
        message,
        ..
    } = failure;
    let name = name.as_ref();
    let name = name.map_or_else(String::new, |name| format!(" ({name})"));
    let smiles = smiles.as_ref();
    let of = smiles.map_or_else(String::new, |smiles| format!(" of {smiles}{name}"));
    format!(
        "the last failure, task {task}{of} in stage `{stage}` ({kind}), kept in \
         tasks/{task}/{attempt}:\n{message}"
    )
}
