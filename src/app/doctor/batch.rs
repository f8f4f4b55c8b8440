//! Probes of a scheduler: its commands are installed, it answers, and it would accept our jobs.

use std::path::PathBuf;
use std::time::Duration;

use super::Finding;
use crate::exec::probe::{ProbeHost, ProbeOutcome};
use crate::scheduler::{SCHEDULERS, ServerCheck, SubmissionParams, TaskJob};
use crate::task::Limits;

/// Returns the variable of the batch job that this process is in.
pub fn job() -> Option<&'static str> {
    let mut variables = SCHEDULERS.iter().map(|dialect| dialect.own_job);
    variables.find(|name| std::env::var_os(name).is_some())
}

/// Checks that this process is in a batch job, whose nodes a partition takes.
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

/// Checks that the scheduler answers and would accept jobs with these parameters.
pub fn scheduler(
    subject: &str,
    place: ProbeHost<'_>,
    params: &SubmissionParams,
    tell: &mut dyn FnMut(Finding),
) {
    let there = place.suffix();
    let (name, list) = (params.scheduler.info.name, params.scheduler.list_queues);
    let outcome = place.ask(list, "");
    let Some(queues) = outcome.success() else {
        let (what, advice) = match outcome {
            ProbeOutcome::Missing => (
                format!("there is no `{}`{there}", list[0]),
                format!(
                    "run this on a login node of the cluster, or put the commands of {name} on PATH"
                ),
            ),
            _ => (
                format!("{name}{there} does not answer: {}", outcome.failure()),
                "try again later, or ask those who run it".to_owned(),
            ),
        };
        return tell(Finding::failed(subject, what, advice));
    };
    tell(Finding::ok(subject, format!("{name}{there} answers")));
    if let Some(queue) = &params.batch.queue {
        // The first word of a line is the name of a queue, for all schedulers.
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
    if let Some(check) = &params.scheduler.server_check {
        tell(setting(subject, place, check));
    }
    tell(accepted(subject, place, params));
}

/// Reports a setting of the server.
fn setting(subject: &str, place: ProbeHost<'_>, check: &ServerCheck) -> Finding {
    let outcome = place.ask(check.command, "");
    match outcome.success() {
        Some(text) => Finding::ok(subject, (check.describe)(text)),
        None => Finding::warning(
            subject,
            format!("{}: {}", check.unknown, outcome.failure()),
            check.advice,
        ),
    }
}

/// Checks that a job would be accepted.
fn accepted(subject: &str, place: ProbeHost<'_>, params: &SubmissionParams) -> Finding {
    let argv = ["true".to_owned()];
    let script = params.job_script(&TaskJob {
        token: "moldflow-check",
        shape: None,
        limits: Limits::new(Duration::MAX),
        environment: &[],
        dir: PathBuf::from("/"),
        argv: &argv,
    });
    let script = match script.render() {
        Ok(script) => script,
        Err(error) => return Finding::failed(subject, error.to_string(), "correct the profile"),
    };
    let Some(test) = params.scheduler.test_submission else {
        let submit = params.scheduler.submit;
        return Finding::warning(
            subject,
            format!(
                "whether account and limits are accepted is not known: {submit} has no test-only submission"
            ),
            "submit the script that `moldflow plan` shows by hand once",
        );
    };
    let outcome = place.ask(test, &script);
    match outcome.success() {
        Some(_) => Finding::ok(
            subject,
            format!("a job would be accepted ({})", test.join(" ")),
        ),
        None => Finding::failed(
            subject,
            format!("a job would not be accepted: {}", outcome.failure()),
            "correct `queue`, `account`, `walltime`, nodes or `options`; `moldflow plan` shows the script",
        ),
    }
}
