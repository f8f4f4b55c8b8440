//! The jobs in which a campaign runs, one after the other: submitted, looked for, cancelled.

use std::path::Path;
use std::time::Duration;

use super::batch::System;
use super::transport::{Call, Here, Transport, Unreachable};

/// A command of a batch system that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SubmissionError {
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error("`{command}` says: {said}")]
    Refused { command: String, said: String },
}

impl System {
    /// Submits a script under a name; with `after` it begins when that job has ended, however that was. Returns its id.
    pub fn submit_job(
        self,
        script: &Path,
        name: &str,
        after: Option<&str>,
    ) -> Result<String, SubmissionError> {
        let argv = submit_argv(self, script, name, after);
        let said = run(&argv)?;
        id(&said).ok_or_else(|| SubmissionError::Refused {
            command: argv.join(" "),
            said: format!("no job id: {}", said.trim()),
        })
    }

    /// Cancels a job.
    pub fn cancel_job(self, id: &str, name: &str) -> Result<(), SubmissionError> {
        run(&cancel_argv(self, id, name)).map(drop)
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
                super::slurm::time(run(&argv.map(str::to_owned)).ok()?.trim())
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
    let mut here = Here::new(Path::new(""));
    let output = here.run(&Call::new(argv.iter().cloned()))?;
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

/// The id that a submission printed: Slurm `id` or `id;cluster`, PBS `id.server`, Cobalt the last of several lines.
fn id(said: &str) -> Option<String> {
    let line = said.lines().rev().find(|line| !line.trim().is_empty())?;
    let id = line.trim().split(';').next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_[]".contains(c);
    let starts = id.starts_with(|c: char| c.is_ascii_digit());
    (starts && id.chars().all(plain)).then(|| id.to_owned())
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
    fn the_id_is_read_from_what_each_system_prints() {
        assert_eq!(id("12;cluster\n").as_deref(), Some("12"));
        assert_eq!(
            id("1234.polaris-pbs-01").as_deref(),
            Some("1234.polaris-pbs-01")
        );
        let cobalt = "Job routed to queue \"debug\".\n\n266001\n";
        assert_eq!(id(cobalt).as_deref(), Some("266001"));
        assert_eq!(id("error"), None);
    }
}
