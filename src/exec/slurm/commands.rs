//! The commands of Slurm that this program runs, and what their output means.

use std::path::Path;
use std::time::Duration;

use crate::exec::Job;
use crate::exec::batch::{BatchError, Terms};
use crate::exec::batched;
use crate::exec::jobs::{BatchSystem, Fate, Listed, Messages, State, Submitted};
use crate::exec::process::TOKEN;
use crate::exec::transport::{Call, Output, Transport, Unreachable};

const SAID: Messages = Messages {
    later: &[
        "submission limit",
        "SubmitJob",
        "temporarily unable to accept job",
    ],
    unreachable: &[
        "Unable to contact slurm controller",
        "Socket timed out",
        "Zero Bytes were transmitted",
        "Connection refused",
        "Connection reset",
        "Transport endpoint",
        "in standby mode",
        "Unable to establish",
    ],
};

/// Slurm's commands.
#[derive(Clone, Debug)]
pub struct Slurm {
    pub terms: Terms,
}

impl BatchSystem for Slurm {
    fn name(&self) -> &'static str {
        "Slurm"
    }

    fn client(&self) -> &'static str {
        "sbatch"
    }

    fn script(&self, job: &Job, dir: &Path, executable: &Path) -> Result<String, BatchError> {
        batched::script_of_job(&self.terms, job, dir, executable)
    }

    fn submit(&mut self, via: &mut dyn Transport, token: &str, script: &Path) -> Submitted {
        let call = Call::new(["sbatch", "--parsable", "--job-name", token, "--comment"])
            .arg(format!("moldflow {token}"))
            .arg(script.to_string_lossy());
        sbatch(via, call.env(TOKEN, token))
    }

    fn list(&mut self, via: &mut dyn Transport, _: &str) -> Result<Vec<Listed>, Unreachable> {
        list(via)
    }

    fn show(&mut self, via: &mut dyn Transport, id: &str) -> Result<Option<Listed>, Unreachable> {
        let output = via.run(&Call::new(["scontrol", "--oneliner", "show", "job", id]))?;
        if !output.succeeded() && output.stderr.contains("Invalid job id") {
            return Ok(None);
        }
        Ok(shown(&answer(output)?))
    }

    fn cancel(
        &mut self,
        via: &mut dyn Transport,
        tokens: &[String],
        waiting: bool,
    ) -> Result<(), Unreachable> {
        cancel(via, tokens, waiting)
    }
}

/// Asks for a block of this name. A block is no task: it carries no token and is not taken for one that was left behind.
pub fn ask(via: &mut dyn Transport, name: &str, options: &[String]) -> Submitted {
    let call = Call::new(["sbatch", "--parsable", "--no-requeue", "--chdir=/"])
        .args(["--job-name", name, "--comment"])
        .arg(format!("moldflow {name}"));
    sbatch(via, call.args(options))
}

/// All jobs of this user that Slurm still knows.
pub fn list(via: &mut dyn Transport) -> Result<Vec<Listed>, Unreachable> {
    let call = Call::new(["squeue", "--noheader", "--array", "--states=all", "--me"])
        .args(["--format", "%A|%j|%T|%V|%r|%L"]);
    let text = answer(via.run(&call)?)?;
    Ok(text.lines().filter_map(listed).collect())
}

/// Ends the jobs of these names; with `waiting` only those that have not started.
pub fn cancel(via: &mut dyn Transport, names: &[String], waiting: bool) -> Result<(), Unreachable> {
    // A job is named by its token, so no other job can be hit, whatever became of its id.
    for names in names.chunks(50) {
        let call = Call::new(["scancel"])
            .args(waiting.then_some("--state=PENDING"))
            .arg(format!("--name={}", names.join(",")));
        answer(via.run(&call)?)?;
    }
    Ok(())
}

/// Steps that run: id and name of each.
pub fn steps(via: &mut dyn Transport) -> Result<Vec<(String, String)>, Unreachable> {
    let call = Call::new([
        "squeue",
        "--steps",
        "--noheader",
        "--me",
        "--format",
        "%i|%j",
    ]);
    let text = answer(via.run(&call)?)?;
    let step = |line: &str| {
        let (id, name) = line.split_once('|')?;
        Some((id.trim().to_owned(), name.trim().to_owned()))
    };
    Ok(text.lines().filter_map(step).collect())
}

/// Ends the steps with these names.
pub fn cancel_steps(
    via: &mut dyn Transport,
    which: impl Fn(&str) -> bool,
) -> Result<(), Unreachable> {
    for (id, _) in steps(via)?.into_iter().filter(|(_, name)| which(name)) {
        let output = via.run(&Call::new(["scancel"]).arg(id))?;
        // One that has ended meanwhile is no fault.
        if !output.succeeded() && !output.stderr.contains("Invalid job") {
            answer(output)?;
        }
    }
    Ok(())
}

fn sbatch(via: &mut dyn Transport, call: Call) -> Submitted {
    match via.run(&call) {
        Ok(output) if output.succeeded() => {
            // `id` or `id;cluster`
            match output.stdout.trim().split(';').next() {
                Some(id) if !id.is_empty() => Submitted::As(id.to_owned()),
                _ => Submitted::Unknown,
            }
        }
        Ok(output) => SAID.refusal(output.stderr),
        Err(_) => Submitted::Unknown,
    }
}

/// `--time` of Slurm, in whole minutes as it counts.
pub fn minutes(time: Duration) -> String {
    time.as_secs().div_ceil(60).max(1).to_string()
}

fn answer(output: Output) -> Result<String, Unreachable> {
    match output.succeeded() {
        true => Ok(output.stdout),
        false => Err(Unreachable(output.stderr)),
    }
}

/// Reads a word for a state; `CANCELLED by 1000` is one.
fn state(word: &str) -> State {
    let ended = State::Ended;
    match word.split_whitespace().next().unwrap_or_default() {
        "PENDING" | "CONFIGURING" | "REQUEUED" | "REQUEUE_FED" | "REQUEUE_HOLD"
        | "RESV_DEL_HOLD" | "SPECIAL_EXIT" => State::Waiting,
        "RUNNING" | "SUSPENDED" | "STOPPED" | "SIGNALING" | "RESIZING" | "STAGE_OUT" => {
            State::Running
        }
        "COMPLETING" => State::Completing,
        "COMPLETED" => ended(Fate::Completed),
        "FAILED" => ended(Fate::Failed("FAILED".into())),
        "OUT_OF_MEMORY" => ended(Fate::OutOfMemory),
        "TIMEOUT" | "DEADLINE" => ended(Fate::Walltime),
        "CANCELLED" | "REVOKED" => ended(Fate::Cancelled),
        word @ ("NODE_FAIL" | "BOOT_FAIL" | "PREEMPTED") => ended(Fate::NodeLost(word.to_owned())),
        word => State::Unknown(word.to_owned()),
    }
}

/// A line of `squeue`.
pub fn listed(line: &str) -> Option<Listed> {
    let mut fields = line.split('|');
    let mut next = || Some(fields.next()?.trim().to_owned());
    Some(Listed {
        id: next()?,
        name: next()?,
        state: state(&next()?),
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
        state: state(&field("JobState")?),
        submitted: field("SubmitTime")?,
        reason: field("Reason").unwrap_or_default(),
        left: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        assert_eq!(SAID.refusal(lost.into()), Submitted::Unknown);
        let full = "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates \
                    accounting/QOS policy (job submit limit, user's size and/or time limits)";
        assert_eq!(SAID.refusal(full.into()), Submitted::Full);
        let wrong = "sbatch: error: invalid partition specified: nosuch";
        assert_eq!(SAID.refusal(wrong.into()), Submitted::Refused(wrong.into()));
    }

    #[test]
    fn a_started_minute_is_asked_for_whole() {
        assert_eq!(minutes(Duration::from_secs(1)), "1");
        assert_eq!(minutes(Duration::from_secs(61)), "2");
    }

    #[test]
    fn the_uid_after_cancelled_is_no_part_of_the_word() {
        assert_eq!(state("CANCELLED by 1000"), State::Ended(Fate::Cancelled));
    }

    proptest! {
        #[test]
        fn a_word_that_is_not_known_is_kept(word in "[A-Z_]{1,12}X") {
            prop_assert_eq!(state(&word), State::Unknown(word.clone()));
        }
    }
}
