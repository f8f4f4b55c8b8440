//! The commands of Slurm that this program runs, and what their output means.

use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::state::{Listed, State};
use crate::exec::process::{Environment, TOKEN};

/// Variables that Slurm's own commands need besides those of every task.
const OF_SLURM: [&str; 4] = [
    "SLURM_CONF",
    "SLURM_CLUSTERS",
    "SBATCH_ACCOUNT",
    "SBATCH_QOS",
];

/// Parts of messages that leave open whether the controller took the request in.
const UNREACHABLE: [&str; 8] = [
    "Unable to contact slurm controller",
    "Socket timed out",
    "Zero Bytes were transmitted",
    "Connection refused",
    "Connection reset",
    "Transport endpoint",
    "in standby mode",
    "Unable to establish",
];

/// Parts of messages that mean: not now.
const LATER: [&str; 3] = [
    "submission limit",
    "SubmitJob",
    "temporarily unable to accept job",
];

/// The clients of a cluster's Slurm, in an environment of their own.
#[derive(Clone, Debug)]
pub struct Slurm {
    env: Vec<(String, String)>,
}

/// What a submission came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    As(String),
    /// It never will be: what Slurm says.
    Refused(String),
    /// The queue takes no more for now.
    Full,
    /// Nobody knows whether the job is in the queue.
    Unknown,
}

/// The controller does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreachable(pub String);

impl Slurm {
    /// Clients for the cluster that this process's environment names. What is submitted inherits this environment, so
    /// nothing of a job in which this program itself may run is in it.
    pub fn inherited() -> Self {
        let mut env = Environment::inherited().pairs().to_vec();
        let ours = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
        env.extend(OF_SLURM.into_iter().filter_map(ours));
        Self { env }
    }

    /// The same for the cluster of this configuration file.
    pub fn of(conf: &Path) -> Self {
        let mut slurm = Self::inherited();
        slurm.env.retain(|(name, _)| name != "SLURM_CONF");
        let conf = conf.to_string_lossy().into_owned();
        slurm.env.push(("SLURM_CONF".into(), conf));
        slurm
    }

    /// Environment of the clients.
    pub fn env(&self) -> &[(String, String)] {
        &self.env
    }

    /// `sbatch`, with these options, of a script or of what `--wrap` among the options says.
    pub fn submit(
        &self,
        name: &str,
        dir: &Path,
        options: &[String],
        script: Option<&Path>,
    ) -> Submitted {
        let mut command = self.command("sbatch");
        command
            .args(["--parsable", "--no-requeue", "--job-name", name])
            .args(["--comment", &format!("moldflow {name}")])
            .arg("--chdir")
            .arg(dir)
            .args(options)
            .args(script);
        // A block is no task: it must not be taken for one that was left behind.
        if script.is_some() {
            command.env(TOKEN, name);
        }
        match command.output() {
            Ok(output) if output.status.success() => {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                // `id` or `id;cluster`
                match text.trim().split(';').next() {
                    Some(id) if !id.is_empty() => Submitted::As(id.to_owned()),
                    _ => Submitted::Unknown,
                }
            }
            Ok(output) => refusal(&said(&output)),
            Err(e) => Submitted::Refused(format!("could not start `sbatch`: {e}")),
        }
    }

    /// All jobs of this user that Slurm still knows.
    pub fn list(&self) -> Result<Vec<Listed>, Unreachable> {
        let user = rustix::process::getuid().as_raw().to_string();
        let output = self
            .command("squeue")
            .args(["--noheader", "--array", "--states=all", "--user", &user])
            .args(["--format", "%A|%j|%T|%V|%r|%L"])
            .output();
        let text = answer(output)?;
        Ok(text.lines().filter_map(listed).collect())
    }

    /// One job by its id; None when Slurm does not know the id.
    pub fn show(&self, id: &str) -> Result<Option<Listed>, Unreachable> {
        let output = self
            .command("scontrol")
            .args(["--oneliner", "show", "job", id])
            .output();
        match output {
            Ok(output) if !output.status.success() && said(&output).contains("Invalid job id") => {
                Ok(None)
            }
            output => Ok(shown(&answer(output)?)),
        }
    }

    /// Ends the jobs of these names; with `waiting` only those that have not started.
    pub fn cancel(&self, names: &[String], waiting: bool) -> Result<(), Unreachable> {
        // A job is named by its token, so no other job can be hit, whatever became of its id.
        for names in names.chunks(50) {
            let mut command = self.command("scancel");
            command.args(waiting.then_some("--state=PENDING"));
            answer(command.arg(format!("--name={}", names.join(","))).output())?;
        }
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        command
    }
}

/// `--time` of Slurm, in whole minutes as it counts.
pub fn minutes(time: Duration) -> String {
    time.as_secs().div_ceil(60).max(1).to_string()
}

fn refusal(said: &str) -> Submitted {
    let says = |parts: &[&str]| parts.iter().any(|part| said.contains(part));
    if says(&LATER) {
        Submitted::Full
    } else if says(&UNREACHABLE) {
        Submitted::Unknown
    } else {
        Submitted::Refused(said.to_owned())
    }
}

fn answer(output: io::Result<Output>) -> Result<String, Unreachable> {
    match output {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => Err(Unreachable(said(&output))),
        Err(e) => Err(Unreachable(e.to_string())),
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

/// A line of `squeue`.
pub fn listed(line: &str) -> Option<Listed> {
    let mut fields = line.split('|');
    let mut next = || Some(fields.next()?.trim().to_owned());
    Some(Listed {
        id: next()?,
        name: next()?,
        state: State::of(&next()?),
        submitted: next()?,
        reason: next()?,
        left: next().as_deref().and_then(time),
    })
}

/// `[days-][hours:]minutes:seconds`; None for words like `UNLIMITED`.
pub fn time(text: &str) -> Option<Duration> {
    let (days, rest) = text.split_once('-').unwrap_or(("0", text));
    let parts: Option<Vec<u64>> = rest.split(':').map(|part| part.parse().ok()).collect();
    let mut seconds = 0_u64;
    for part in parts? {
        seconds = seconds.checked_mul(60)?.checked_add(part)?;
    }
    let days = days.parse::<u64>().ok()?.checked_mul(86_400)?;
    Some(Duration::from_secs(days.checked_add(seconds)?))
}

/// What `scontrol` shows of a job.
pub fn shown(line: &str) -> Option<Listed> {
    let field = |name: &str| {
        let words = line.split_whitespace();
        let value = words
            .filter_map(|word| word.split_once('='))
            .find(|(key, _)| *key == name);
        value.map(|(_, value)| value.to_owned())
    };
    Some(Listed {
        id: field("JobId")?,
        name: field("JobName")?,
        state: State::of(&field("JobState")?),
        submitted: field("SubmitTime")?,
        reason: field("Reason").unwrap_or_default(),
        left: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::slurm::state::Fate;

    // As printed by Slurm 22.05.8.
    const LINE: &str = "7|1f.12.1|CANCELLED|2026-11-24T19:01:45|None|1-02:03:04";
    const SHOWN: &str = "JobId=7 JobName=1f.12.1 UserId=root(0) GroupId=root(0) MCS_label=N/A Priority=4294901759 \
        JobState=NODE_FAIL Reason=NodeDown Dependency=(null) ExitCode=0:0 SubmitTime=2026-11-24T19:01:45 NodeList=n1";

    #[test]
    fn a_line_of_squeue_is_read() {
        let job = listed(LINE).unwrap();
        assert_eq!((job.id.as_str(), job.name.as_str()), ("7", "1f.12.1"));
        assert_eq!(job.state, State::Ended(Fate::Cancelled));
        assert_eq!(job.submitted, "2026-11-24T19:01:45");
        assert_eq!(job.left, Some(Duration::from_secs(93_784)));
        assert_eq!(
            (time("4:30"), time("UNLIMITED")),
            (Some(Duration::from_secs(270)), None)
        );
        assert_eq!(listed("slurm_load_jobs error"), None);
    }

    #[test]
    fn what_scontrol_shows_is_read() {
        let job = shown(SHOWN).unwrap();
        assert_eq!((job.id.as_str(), job.name.as_str()), ("7", "1f.12.1"));
        assert_eq!(job.state, State::Ended(Fate::NodeLost("NODE_FAIL".into())));
    }

    #[test]
    fn a_submission_is_refused_only_when_slurm_says_so() {
        let lost = "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)";
        assert_eq!(refusal(lost), Submitted::Unknown);
        let full = "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates \
                    accounting/QOS policy (job submit limit, user's size and/or time limits)";
        assert_eq!(refusal(full), Submitted::Full);
        let wrong = "sbatch: error: invalid partition specified: nosuch";
        assert_eq!(refusal(wrong), Submitted::Refused(wrong.into()));
    }

    #[test]
    fn a_started_minute_is_asked_for_whole() {
        assert_eq!(minutes(Duration::from_secs(1)), "1");
        assert_eq!(minutes(Duration::from_secs(61)), "2");
    }
}
