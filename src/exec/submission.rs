//! The jobs in which a campaign runs, one after the other: submitted, looked for, cancelled.

use std::path::Path;
use std::time::Duration;

use super::batch::System;
use super::transport::{CommandRequest, LocalTransport, Transport, Unreachable};

/// Looks for a job that was cancelled before it is said to be there still, and the time between two of them.
const LOOKS: u32 = 40;
const LOOK: Duration = Duration::from_millis(500);

/// A command of a batch system that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SubmissionError {
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error("`{command}` says: {said}")]
    Refused { command: String, said: String },
}

impl System {
    /// The command that lists the queues, and so tells whether the batch system answers.
    pub fn queues(self) -> &'static [&'static str] {
        match self {
            Self::Slurm => &["sinfo", "--noheader", "--format=%R"],
            Self::Pbs | Self::Cobalt => &["qstat", "-Q"],
        }
    }

    /// Asks whether the batch system answers; if not, what is said instead.
    pub fn ask(self, via: &mut dyn Transport) -> Result<(), Unreachable> {
        let output = via.run(&CommandRequest::new(self.queues().iter().copied()))?;
        match output.succeeded() {
            true => Ok(()),
            false => Err(Unreachable(output.stderr)),
        }
    }

    /// Submits a script under a name; with `after` it begins when that job has ended, however that was. Returns its id.
    pub fn submit_job(
        self,
        script: &Path,
        name: &str,
        after: Option<&str>,
    ) -> Result<String, SubmissionError> {
        let argv = submit_argv(self, script, name, after);
        let said = run(&argv)?;
        printed_id(self, &said).ok_or_else(|| SubmissionError::Refused {
            command: argv.join(" "),
            said: format!("no job id: {}", said.trim()),
        })
    }

    /// Cancels a job. `scancel` is silent also where it did nothing, so its effect is looked for; `qdel` tells by its
    /// exit status.
    pub fn cancel_job(self, id: &str, name: &str) -> Result<(), SubmissionError> {
        let argv = cancel_argv(self, id, name);
        run(&argv)?;
        if self != Self::Slurm {
            return Ok(());
        }
        for _ in 0..LOOKS {
            if self.has_job(id, name) != Some(true) {
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
        Err(SubmissionError::Refused {
            command: argv.join(" "),
            said: "nothing, and the job still waits or runs".into(),
        })
    }

    /// Whether a job waits or runs; None if the batch system does not tell.
    pub fn has_job(self, id: &str, name: &str) -> Option<bool> {
        match (self, run(&look_argv(self, id, name))) {
            (Self::Slurm, Ok(said)) => Some(said.lines().any(|line| line.trim() == id)),
            (Self::Pbs | Self::Cobalt, Ok(_)) => Some(true),
            // Both say so of a job that they have forgotten.
            (Self::Pbs | Self::Cobalt, Err(SubmissionError::Refused { .. })) => Some(false),
            (_, Err(_)) => None,
        }
    }

    /// The id of the job that this process is in.
    pub fn own_job(self) -> Option<String> {
        let variable = match self {
            Self::Slurm => "SLURM_JOB_ID",
            Self::Pbs => "PBS_JOBID",
            Self::Cobalt => "COBALT_JOBID",
        };
        std::env::var(variable).ok().filter(|id| !id.is_empty())
    }

    /// What is left of the walltime of a job, where the batch system tells.
    pub fn time_left(self, id: &str) -> Option<Duration> {
        match self {
            Self::Slurm => {
                let argv = ["squeue", "--noheader", "--jobs", id, "--format=%L"];
                let said = run(&argv.map(str::to_owned)).ok()?;
                said.lines()
                    .rev()
                    .find_map(|line| super::slurm::time(line.trim()))
            }
            Self::Pbs | Self::Cobalt => None,
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn submit_argv(system: System, script: &Path, name: &str, after: Option<&str>) -> Vec<String> {
    let mut argv = match system {
        System::Slurm => words(&["sbatch", "--parsable", "--job-name", name]),
        System::Pbs => words(&["qsub", "-N", name]),
        System::Cobalt => words(&["qsub", "--jobname", name]),
    };
    argv.extend(after.into_iter().flat_map(|id| match system {
        System::Slurm => vec![format!("--dependency=afterany:{id}")],
        System::Pbs => vec!["-W".to_owned(), format!("depend=afterany:{id}")],
        System::Cobalt => vec!["--dependencies".to_owned(), id.to_owned()],
    }));
    argv.push(script.display().to_string());
    argv
}

/// Slurm is given the name too: a controller that lost its state issues numbers again.
fn cancel_argv(system: System, id: &str, name: &str) -> Vec<String> {
    match system {
        System::Slurm => words(&["scancel", "--name", name, id]),
        System::Pbs | System::Cobalt => words(&["qdel", id]),
    }
}

fn look_argv(system: System, id: &str, name: &str) -> Vec<String> {
    match system {
        System::Slurm => words(&["squeue", "--noheader", "--name", name, "--format=%A"]),
        System::Pbs | System::Cobalt => words(&["qstat", id]),
    }
}

fn run(argv: &[String]) -> Result<String, SubmissionError> {
    // None of these commands names this program.
    let mut here = LocalTransport::new(Path::new(""));
    let output = here.run(&CommandRequest::new(argv.iter().cloned()))?;
    match output.code {
        Some(0) => Ok(output.stdout.trim().to_owned()),
        // It is not there, so it said nothing.
        Some(127) => Err(Unreachable(output.stderr).into()),
        _ => Err(SubmissionError::Refused {
            command: argv.join(" "),
            said: output.stderr,
        }),
    }
}

/// The id that a submission printed. What submits may be a site's own script, which greets, checks and comments: the
/// last line that is an id counts.
pub fn printed_id(system: System, said: &str) -> Option<String> {
    said.lines().rev().find_map(|line| id(system, line.trim()))
}

/// The id that a line is: of Slurm `id`, `id;cluster` or the sentence that it prints without `--parsable`, of PBS
/// `id.server`, of Cobalt a number.
fn id(system: System, line: &str) -> Option<String> {
    let number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let name = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
    };
    match system {
        System::Slurm => {
            let line = match line.strip_prefix("Submitted batch job ") {
                Some(rest) => rest.split(' ').next().unwrap_or_default(),
                None => line,
            };
            let (id, cluster) = line.split_once(';').unwrap_or((line, "cluster"));
            (number(id) && name(cluster)).then(|| id.to_owned())
        }
        System::Pbs => {
            let (id, server) = line.split_once('.').unwrap_or((line, "server"));
            let id = id.strip_suffix("[]").unwrap_or(id);
            let server = name(server) && server.contains(|c: char| c.is_ascii_alphabetic());
            (number(id) && server).then(|| line.to_owned())
        }
        System::Cobalt => number(line).then(|| line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_continuation_waits_for_the_end_of_the_job_before() {
        let line =
            |system| submit_argv(system, Path::new("/r/job.sh"), "run.2", Some("7.srv")).join(" ");
        assert_eq!(
            line(System::Slurm),
            "sbatch --parsable --job-name run.2 --dependency=afterany:7.srv /r/job.sh"
        );
        assert_eq!(
            line(System::Pbs),
            "qsub -N run.2 -W depend=afterany:7.srv /r/job.sh"
        );
        assert_eq!(
            line(System::Cobalt),
            "qsub --jobname run.2 --dependencies 7.srv /r/job.sh"
        );
        let first = submit_argv(System::Pbs, Path::new("/r/job.sh"), "run.1", None);
        assert_eq!(first.join(" "), "qsub -N run.1 /r/job.sh");
    }

    #[test]
    fn the_id_is_read_from_what_each_system_prints_whatever_stands_around_it() {
        let slurm = |said| printed_id(System::Slurm, said);
        let pbs = |said| printed_id(System::Pbs, said);
        assert_eq!(slurm("12;cluster\n").as_deref(), Some("12"));
        assert_eq!(
            slurm("Submitted batch job 13 on cluster c").as_deref(),
            Some("13")
        );
        let before = "\n-----\n  Welcome to the 7th cluster of 2026  \n--> Checking allocation (CHM-001)...OK\n14\n";
        assert_eq!(slurm(before).as_deref(), Some("14"));
        let after = "15\n\n--> 3 jobs in the queue, 2026-11-26\n10:15:00\n";
        assert_eq!(slurm(after).as_deref(), Some("15"));
        let mail = "1234.polaris-pbs-01\nMail goes to me@example.org at 10.0.0.1\n";
        assert_eq!(pbs(mail).as_deref(), Some("1234.polaris-pbs-01"));
        assert_eq!(pbs("7").as_deref(), Some("7"));
        let cobalt = "Job routed to queue \"debug\".\n\n266001\n";
        let id = printed_id(System::Cobalt, cobalt);
        assert_eq!(id.as_deref(), Some("266001"));
        for none in [
            "",
            "error",
            "Submitted batch job",
            "--> OK",
            "1.5",
            "12;",
            "3 jobs",
        ] {
            assert_eq!((slurm(none), pbs(none)), (None, None), "{none}");
        }
    }
}
