//! Output of Slurm's commands.

use std::collections::BTreeMap;
use std::time::Duration;

use super::arrays;
use crate::scheduler::{CommandOutput, JobOutcome, JobState, JobStatus, Unreachable};

/// Returns the id that a line is: `id`, `id;cluster`, or the sentence that `sbatch` prints without
/// `--parsable`.
pub fn parse_id(line: &str) -> Option<String> {
    let is_name = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
    };
    let line = match line.strip_prefix("Submitted batch job ") {
        Some(rest) => rest.split(' ').next().unwrap_or_default(),
        None => line,
    };
    let (id, cluster) = line.split_once(';').unwrap_or((line, "cluster"));
    let is_number = !id.is_empty() && id.chars().all(|c| c.is_ascii_digit());
    (is_number && is_name(cluster)).then(|| id.to_owned())
}

/// Reads the answers of `scontrol` about jobs. An id that never was an element of an array is not
/// found; of another one it says that it is invalid, but not which.
///
/// # Errors
///
/// Returns [`Unreachable`] if it is not clear which ids are unknown.
pub fn parse_answers(
    ids: &[String],
    output: &CommandOutput,
) -> Result<BTreeMap<String, Option<JobStatus>>, Unreachable> {
    let mut statuses = BTreeMap::new();
    for line in output.stdout.lines() {
        let missing = line.trim().strip_prefix("Job ");
        if let Some(id) = missing.and_then(|rest| rest.strip_suffix(" not found")) {
            statuses.insert(id.to_owned(), None);
        } else if let Some(job) = parse_shown(line) {
            statuses.insert(job.id.clone(), Some(job));
        }
    }
    let rest: Vec<&String> = ids
        .iter()
        .filter(|id| !statuses.contains_key(*id))
        .collect();
    let errors: Vec<&str> = output.stderr.lines().collect();
    let invalid = |line: &&str| line.contains("Invalid job id");
    if errors.len() != rest.len() || !errors.iter().all(invalid) {
        return Err(Unreachable(output.stderr.clone()));
    }
    let rest: Vec<String> = rest.into_iter().cloned().collect();
    statuses.extend(rest.into_iter().map(|id| (id, None)));
    Ok(statuses)
}

/// Reads `MaxArraySize` from the output of `scontrol show config`; 0 where there are no arrays.
pub fn max_array_size(config: &str) -> u64 {
    let settings = config.lines().filter_map(|line| line.split_once('='));
    let mut sizes = settings.filter(|(name, _)| name.trim() == "MaxArraySize");
    sizes
        .find_map(|(_, size)| size.trim().parse().ok())
        .unwrap_or(0)
}

/// Reads a word for a state; `CANCELLED by 1000` is one.
fn parse_state(word: &str) -> JobState {
    let ended = JobState::Ended;
    match word.split_whitespace().next().unwrap_or_default() {
        "PENDING" | "CONFIGURING" | "REQUEUED" | "REQUEUE_FED" | "REQUEUE_HOLD"
        | "RESV_DEL_HOLD" | "SPECIAL_EXIT" => JobState::Pending,
        "RUNNING" | "SUSPENDED" | "STOPPED" | "SIGNALING" | "RESIZING" | "STAGE_OUT" => {
            JobState::Running
        }
        "COMPLETING" => JobState::Completing,
        "COMPLETED" => ended(JobOutcome::Completed),
        "FAILED" => ended(JobOutcome::Failed("FAILED".into())),
        "OUT_OF_MEMORY" => ended(JobOutcome::OutOfMemory),
        "TIMEOUT" | "DEADLINE" => ended(JobOutcome::Walltime),
        "CANCELLED" | "REVOKED" => ended(JobOutcome::Cancelled),
        word @ ("NODE_FAIL" | "BOOT_FAIL" | "PREEMPTED") => {
            ended(JobOutcome::NodeLost(word.to_owned()))
        }
        word => JobState::Unknown(word.to_owned()),
    }
}

/// Reads a line of `squeue`; None if it is something else. The name is the token also of a job that
/// is an element of an array.
pub fn parse_status(line: &str) -> Option<JobStatus> {
    let mut fields = line.split('|');
    let mut next = || Some(fields.next()?.trim().to_owned());
    let (id, name) = (next()?, next()?);
    Some(JobStatus {
        name: name_of(&id, name),
        id,
        state: parse_state(&next()?),
        submitted: next()?,
        reason: next()?,
        left: next().as_deref().and_then(parse_duration),
    })
}

fn name_of(id: &str, name: String) -> String {
    let index = id.split_once('_').and_then(|(_, index)| index.parse().ok());
    match index.and_then(|index| arrays::token(&name, index)) {
        Some(token) => token.to_string(),
        None => name,
    }
}

/// Reads `[days-][hours:]minutes:seconds`; None for words like `UNLIMITED`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (days, rest) = text.split_once('-').unwrap_or(("0", text));
    let parts: Option<Vec<u64>> = rest.split(':').map(|part| part.parse().ok()).collect();
    let mut seconds = 0_u64;
    for part in parts? {
        seconds = seconds.checked_mul(60)?.checked_add(part)?;
    }
    let days = days.parse::<u64>().ok()?.checked_mul(86_400)?;
    Some(Duration::from_secs(days.checked_add(seconds)?))
}

/// Reads a job as `scontrol` shows it on one line; None if it is something else.
pub fn parse_shown(line: &str) -> Option<JobStatus> {
    let field = |name: &str| {
        let words = line.split_whitespace();
        let value = words
            .filter_map(|word| word.split_once('='))
            .find(|(key, _)| *key == name);
        value.map(|(_, value)| value.to_owned())
    };
    let element = field("ArrayJobId").zip(field("ArrayTaskId"));
    let element = element.filter(|(_, index)| index.chars().all(|c| c.is_ascii_digit()));
    let id = match element {
        Some((array, index)) => format!("{array}_{index}"),
        None => field("JobId")?,
    };
    Some(JobStatus {
        name: name_of(&id, field("JobName")?),
        id,
        state: parse_state(&field("JobState")?),
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
        let job = parse_status(LINE).unwrap();
        assert_eq!((job.id.as_str(), job.name.as_str()), ("7", "1f.12.1"));
        assert_eq!(job.state, JobState::Ended(JobOutcome::Cancelled));
        assert_eq!(job.submitted, "2026-11-24T19:01:45");
        assert_eq!(job.left, Some(Duration::from_secs(93_784)));
        assert_eq!(
            (parse_duration("4:30"), parse_duration("UNLIMITED")),
            (Some(Duration::from_secs(270)), None)
        );
        assert_eq!(parse_status("slurm_load_jobs error"), None);
    }

    #[test]
    fn what_scontrol_shows_is_read() {
        let job = parse_shown(SHOWN).unwrap();
        assert_eq!((job.id.as_str(), job.name.as_str()), ("7", "1f.12.1"));
        assert_eq!(
            job.state,
            JobState::Ended(JobOutcome::NodeLost("NODE_FAIL".into()))
        );
    }

    #[test]
    fn an_element_of_an_array_is_known_by_its_token() {
        let job = parse_status("7_3|1f.12+.1|PENDING|2026-11-26T13:56:17|Resources|5:00").unwrap();
        assert_eq!((job.id.as_str(), job.name.as_str()), ("7_3", "1f.15.1"));
        // The rest of the array itself after waiting elements were cancelled.
        let rest = parse_status("7|1f.12+.1|CANCELLED|2026-11-26T13:56:17|None|5:00").unwrap();
        assert_eq!(rest.name, "1f.12+.1");
        let line = SHOWN.replace(
            "JobId=7 JobName=1f.12.1",
            "JobId=9 ArrayJobId=7 ArrayTaskId=3 JobName=1f.12+.1",
        );
        let job = parse_shown(&line).unwrap();
        assert_eq!((job.id.as_str(), job.name.as_str()), ("7_3", "1f.15.1"));
    }

    #[test]
    fn an_id_is_denied_only_when_slurm_says_so() {
        let ids = ["7", "8", "9_1"].map(str::to_owned);
        let output = |stderr: &str| CommandOutput {
            code: Some(0),
            // It repeats its orders where its input is no terminal.
            stdout: format!(
                "scontrol: show job 7\n{SHOWN}\nscontrol: show job 8\nJob 9_1 not found\n"
            ),
            stderr: stderr.into(),
        };
        let invalid = "slurm_load_jobs error: Invalid job id specified";
        let said = parse_answers(&ids, &output(invalid)).unwrap();
        assert_eq!(said["7"].as_ref().unwrap().name, "1f.12.1");
        assert_eq!((&said["8"], &said["9_1"]), (&None, &None));
        for unclear in [
            "",
            "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
        ] {
            assert!(parse_answers(&ids, &output(unclear)).is_err(), "{unclear}");
        }
    }

    #[test]
    fn the_largest_array_is_what_the_configuration_says() {
        let config = "Configuration data as of 2026-11-26T13:56:17\nMaxArraySize            = 1001\nMaxDBDMsgs = 1\n";
        assert_eq!(max_array_size(config), 1001);
        assert_eq!(max_array_size("MaxDBDMsgs = 1\n"), 0);
    }

    #[test]
    fn the_uid_after_cancelled_is_no_part_of_the_word() {
        assert_eq!(
            parse_state("CANCELLED by 1000"),
            JobState::Ended(JobOutcome::Cancelled)
        );
    }

    proptest! {
        #[test]
        fn a_word_that_is_not_known_is_kept(word in "[A-Z_]{1,12}X") {
            prop_assert_eq!(parse_state(&word), JobState::Unknown(word.clone()));
        }
    }
}
