//! Probes of a batch system: are its commands there, does it answer, would it take our jobs.

use std::path::PathBuf;
use std::time::Duration;

use super::Finding;
use super::probe::{Outcome, Place};
use crate::exec::batch::{System, Terms};
use crate::exec::jobs::says_history;
use crate::task::Limits;

/// Variables that say that this is a batch job.
const JOBS: [&str; 3] = ["SLURM_JOB_ID", "PBS_JOBID", "COBALT_JOBID"];

/// The variable of the batch job that this process is in.
pub fn job() -> Option<&'static str> {
    JOBS.into_iter()
        .find(|name| std::env::var_os(name).is_some())
}

pub fn allocation(subject: &str) -> Finding {
    match job() {
        Some(name) => Finding::ok(subject, format!("this is a batch job ({name} is set)")),
        None => Finding::warning(
            subject,
            "this is no batch job: its nodes can only be looked at from inside one",
            "start an interactive job, and run `moldflow sites check` in it",
        ),
    }
}

/// Whether the batch system answers, and would take jobs on these terms.
pub fn system(subject: &str, place: Place<'_>, terms: &Terms, tell: &mut dyn FnMut(Finding)) {
    let there = place.suffix();
    let (name, list) = match terms.system {
        System::Slurm => ("Slurm", System::Slurm.queues()),
        System::Pbs => ("PBS", System::Pbs.queues()),
        System::Cobalt => ("Cobalt", System::Cobalt.queues()),
    };
    let outcome = place.ask(list, "");
    let Some(queues) = outcome.success() else {
        let (what, advice) = match outcome {
            Outcome::Missing => (
                format!("there is no `{}`{there}", list[0]),
                format!(
                    "run this on a login node of the cluster, or put the commands of {name} on PATH"
                ),
            ),
            _ => (
                format!("{name}{there} does not answer: {}", outcome.trouble()),
                "try again later, or ask those who run it".to_owned(),
            ),
        };
        return tell(Finding::failed(subject, what, advice));
    };
    tell(Finding::ok(subject, format!("{name}{there} answers")));
    if let Some(queue) = &terms.batch.queue {
        // The first word of a line is the name of a queue, in all three.
        let found: Vec<&str> = queues
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .filter(|word| !word.starts_with(['=', '-']) && !["Queue", "Name"].contains(word))
            .collect();
        tell(match found.contains(&queue.as_str()) {
            true => Finding::ok(subject, format!("there is a queue `{queue}`")),
            false => Finding::failed(
                subject,
                format!("there is no queue `{queue}`{there}"),
                format!("choose one of {}", found.join(", ")),
            ),
        });
    }
    if terms.system == System::Pbs {
        tell(history(subject, place));
    }
    tell(accepted(subject, place, terms));
}

/// Whether a PBS server keeps a history of jobs that have ended.
fn history(subject: &str, place: Place<'_>) -> Finding {
    let outcome = place.ask(&["qstat", "-B", "-f"], "");
    match outcome.success() {
        Some(server) if says_history(server) => Finding::ok(
            subject,
            "the server keeps a history (job_history_enable): it tells how jobs ended",
        ),
        Some(_) => Finding::ok(
            subject,
            "the server keeps no history (job_history_enable): how jobs ended is told by their own files alone",
        ),
        None => Finding::warning(
            subject,
            format!(
                "whether the server keeps a history is not known: {}",
                outcome.trouble()
            ),
            "nothing need be done: then jobs are taken for ended when the server does not know them, and judged by their own files",
        ),
    }
}

/// Whether a job would be taken.
fn accepted(subject: &str, place: Place<'_>, terms: &Terms) -> Finding {
    let (argv, dir) = (["true".to_owned()], PathBuf::from("/"));
    let script = terms.script(
        "moldflow-check",
        None,
        Limits::new(Duration::MAX),
        &[],
        dir,
        &argv,
    );
    let script = match script.render() {
        Ok(script) => script,
        Err(error) => return Finding::failed(subject, error.to_string(), "correct the profile"),
    };
    match terms.system {
        System::Slurm => {
            let outcome = place.ask(&["sbatch", "--test-only"], &script);
            match outcome.success() {
                Some(_) => Finding::ok(subject, "a job would be accepted (sbatch --test-only)"),
                None => Finding::failed(
                    subject,
                    format!("a job would not be accepted: {}", outcome.trouble()),
                    "correct `queue`, `account`, `walltime`, nodes or `options`; `moldflow plan` shows the script",
                ),
            }
        }
        System::Pbs | System::Cobalt => Finding::warning(
            subject,
            "whether account and limits are accepted is not known: qsub has no test-only submission",
            "submit the script that `moldflow plan` shows by hand once",
        ),
    }
}
