//! The jobs in which a campaign runs, one after the other: they are submitted, polled and cancelled
//! by the commands of [`ChainCommands`](crate::scheduler::ChainCommands).

use std::path::Path;
use std::time::Duration;

use super::transport::LocalTransport;
use crate::scheduler::{
    CommandHost, CommandRequest, JobPresence, SchedulerKind, Unreachable, checked,
};

/// Polls of a cancelled job before it counts as not cancelled, and the time between two of them.
const POLLS: u32 = 40;
const POLL: Duration = Duration::from_millis(500);

/// A command of a scheduler that failed.
#[derive(Debug, thiserror::Error)]
pub enum SubmissionError {
    /// The scheduler did not answer.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The command failed.
    #[error("`{command}` says: {said}")]
    Refused {
        /// Command line.
        command: String,
        /// Message of the scheduler.
        said: String,
    },
}

impl SchedulerKind {
    /// Checks that the scheduler answers.
    ///
    /// # Errors
    ///
    /// Returns its message if it does not.
    pub fn ask(self, host: &mut dyn CommandHost) -> Result<(), Unreachable> {
        let output = host.run(&CommandRequest::new(self.list_queues.iter().copied()))?;
        checked(output).map(drop)
    }

    /// Submits a script under a name; with `after` it starts when that job has ended, in whatever
    /// way. Returns its id.
    ///
    /// # Errors
    ///
    /// Returns an error if the scheduler does not take the job, or does not print its id.
    pub fn submit_job(
        self,
        script: &Path,
        name: &str,
        after: Option<&str>,
    ) -> Result<String, SubmissionError> {
        let mut argv = self.submit_command(name, after);
        argv.push(script.display().to_string());
        let said = run(&argv)?;
        let id = self.printed_id(&said);
        id.ok_or_else(|| SubmissionError::Refused {
            command: argv.join(" "),
            said: format!("no job id: {}", said.trim()),
        })
    }

    fn submit_command(self, name: &str, after: Option<&str>) -> Vec<String> {
        let mut argv = self.command(self.chain.submit, "", name);
        argv.extend(filled_in(self.chain.name, "", name));
        let after = after.map(|id| filled_in(self.chain.after, id, name));
        argv.extend(after.into_iter().flatten());
        argv
    }

    /// Cancels a job. Where the command is silent also if it did nothing, the job is polled.
    ///
    /// # Errors
    ///
    /// Returns an error if the job may still start or run.
    pub fn cancel_job(self, id: &str, name: &str) -> Result<(), SubmissionError> {
        let argv = self.command(self.chain.cancel, id, name);
        run(&argv)?;
        if !self.chain.confirm_cancel {
            return Ok(());
        }
        for _ in 0..POLLS {
            if self.has_job(id, name) != Some(true) {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        Err(SubmissionError::Refused {
            command: argv.join(" "),
            said: "nothing, and the job still waits or runs".into(),
        })
    }

    /// Returns whether a job is pending or running; `None` if the scheduler does not tell.
    pub fn has_job(self, id: &str, name: &str) -> Option<bool> {
        match self.chain.presence {
            JobPresence::Listed(command) => {
                let said = run(&self.command(command, id, name)).ok()?;
                let mut ids = said.lines().filter_map(|line| (self.parse_id)(line.trim()));
                Some(ids.any(|found| found == id))
            }
            JobPresence::Succeeds(command) => match run(&self.command(command, id, name)) {
                Ok(_) => Some(true),
                Err(SubmissionError::Refused { .. }) => Some(false),
                Err(SubmissionError::Unreachable(_)) => None,
            },
        }
    }

    /// Returns the id of the job that this process is in.
    pub fn own_job_id(self) -> Option<String> {
        let id = std::env::var(self.own_job)
            .ok()
            .filter(|id| !id.is_empty())?;
        Some((self.parse_id)(&id).unwrap_or(id))
    }

    /// Returns the walltime that is left of a job; `None` if the scheduler does not tell.
    pub fn time_left(self, id: &str) -> Option<Duration> {
        let time_left = self.chain.time_left.as_ref()?;
        let said = run(&self.command(time_left.command, id, "")).ok()?;
        let mut lines = said.lines().rev();
        lines.find_map(|line| (time_left.parse)(line.trim()))
    }

    /// Returns a command of the chain. Inside a job it is addressed to the scheduler of that job.
    fn command(self, command: &[&str], id: &str, name: &str) -> Vec<String> {
        let mut argv = filled_in(command, id, name);
        if let Some(option) = self.chain.enclosing.filter(|_| self.own_job_id().is_some()) {
            argv.insert(1, option.to_owned());
        }
        argv
    }
}

/// Returns the words of a command for this job.
fn filled_in(command: &[&str], id: &str, name: &str) -> Vec<String> {
    let words = command.iter();
    words
        .map(|word| word.replace("{id}", id).replace("{name}", name))
        .collect()
}

fn run(argv: &[String]) -> Result<String, SubmissionError> {
    // None of these commands names this program.
    let mut here = LocalTransport::new(Path::new(""));
    let output = here.run(&CommandRequest::new(argv.iter().cloned()))?;
    match output.code {
        Some(0) => Ok(output.stdout.trim().to_owned()),
        // The program is missing, so it said nothing.
        Some(127) => Err(Unreachable(output.stderr).into()),
        _ => Err(SubmissionError::Refused {
            command: argv.join(" "),
            said: output.stderr,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(key: &str) -> SchedulerKind {
        SchedulerKind::named(key).expect("a scheduler")
    }

    #[test]
    fn a_continuation_waits_for_the_end_of_the_job_before() {
        let line = |key| named(key).submit_command("run.2", Some("7.srv")).join(" ");
        assert_eq!(
            line("slurm"),
            "sbatch --parsable --job-name run.2 --dependency=afterany:7.srv"
        );
        assert_eq!(line("pbs"), "qsub -N run.2 -W depend=afterany:7.srv");
        assert_eq!(line("cobalt"), "qsub --jobname run.2 --dependencies 7.srv");
        assert_eq!(
            line("flux"),
            "flux batch --job-name=run.2 --dependency=afterany:7.srv"
        );
        let first = named("pbs").submit_command("run.1", None);
        assert_eq!(first.join(" "), "qsub -N run.1");
    }

    #[test]
    fn the_id_is_read_from_what_each_system_prints_whatever_stands_around_it() {
        let slurm = |said| named("slurm").printed_id(said);
        let pbs = |said| named("pbs").printed_id(said);
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
        let id = named("cobalt").printed_id(cobalt);
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
