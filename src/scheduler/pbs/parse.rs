//! Output of PBS's commands.

use std::collections::BTreeSet;

use crate::scheduler::{JobOutcome, JobState, JobStatus, TOKEN};

/// Returns the id that a line is: `id.server`.
pub fn parse_id(line: &str) -> Option<String> {
    let is_name = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
    };
    let (id, server) = line.split_once('.').unwrap_or((line, "server"));
    let id = id.strip_suffix("[]").unwrap_or(id);
    let is_number = !id.is_empty() && id.chars().all(|c| c.is_ascii_digit());
    let has_letters = server.contains(|c: char| c.is_ascii_alphabetic());
    (is_number && is_name(server) && has_letters).then(|| line.to_owned())
}

/// Returns whether a server keeps a history, from what `qstat -B -f` prints.
pub fn has_history(server: &str) -> bool {
    let attributes = server.lines().filter_map(|line| line.split_once('='));
    let mut settings = attributes.filter(|(name, _)| name.trim() == "job_history_enable");
    settings.any(|(_, value)| value.trim() == "True")
}

/// Ids of which `qstat` says that it does not know them, or that their jobs have ended.
pub fn denied(stderr: &str) -> BTreeSet<String> {
    let said = stderr.lines().filter_map(|line| {
        let line = line.trim().strip_prefix("qstat: ")?;
        match line.strip_prefix("Unknown Job Id ") {
            Some(id) => Some(id.trim()),
            None => Some(line.split_once(" Job has finished")?.0.trim()),
        }
    });
    said.map(str::to_owned).collect()
}

/// Reads `qstat -f -F dsv`: a job a line, `name=value` between bars.
pub fn parse_jobs(text: &str) -> Vec<JobStatus> {
    // A line that was cut off tells nothing.
    let lines = text.split_inclusive('\n');
    let whole = lines.filter_map(|line| line.strip_suffix('\n'));
    whole.filter_map(parse_job).collect()
}

fn parse_job(line: &str) -> Option<JobStatus> {
    let mut fields = split(line, '|').into_iter();
    let id = fields.next()?.strip_prefix("Job Id: ")?.trim().to_owned();
    let fields: Vec<(String, String)> = fields
        .filter_map(|field| {
            let (name, value) = field.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        })
        .collect();
    let field = |name: &str| {
        let mut named = fields.iter().filter(|(other, _)| other == name);
        named.next().map(|(_, value)| value.as_str())
    };
    let variables = field("Variable_List").map_or_else(Vec::new, |list| split(list, ','));
    let mut tokens = variables.iter().filter_map(|variable| {
        let (name, value) = variable.split_once('=')?;
        (name == TOKEN).then(|| value.to_owned())
    });
    let number = |name: &str| field(name)?.parse::<i64>().ok();
    let attributes = Attributes {
        job_state: field("job_state")?,
        substate: number("substate"),
        exit_status: number("Exit_status"),
        asked: field("Resource_List.walltime"),
        used: field("resources_used.walltime"),
    };
    Some(JobStatus {
        state: attributes.state(),
        // A job without a token is none of ours.
        name: tokens.next().unwrap_or_default(),
        submitted: field("ctime").and_then(sortable_time).unwrap_or_default(),
        reason: field("comment").unwrap_or_default().to_owned(),
        left: None,
        id,
    })
}

/// Splits a text at a character that no backslash stands before; a backslash before one is dropped.
fn split(text: &str, at: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        let part = parts.last_mut().expect("there is one from the beginning");
        if escaped {
            if c != at {
                part.push('\\');
            }
            part.push(c);
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == at {
            parts.push(String::new());
        } else {
            part.push(c);
        }
    }
    parts
}

/// Attributes of a job that tell where it stands.
struct Attributes<'a> {
    job_state: &'a str,
    substate: Option<i64>,
    exit_status: Option<i64>,
    /// Walltime asked for, `HH:MM:SS`.
    asked: Option<&'a str>,
    /// Walltime used.
    used: Option<&'a str>,
}

impl Attributes<'_> {
    fn state(&self) -> JobState {
        match self.job_state {
            "Q" | "H" | "W" | "T" => JobState::Pending,
            "R" | "S" | "U" | "B" => JobState::Running,
            "E" => JobState::Completing,
            "F" | "X" => JobState::Ended(self.outcome()),
            // `M`, moved to another server, is one of them.
            word => JobState::Unknown(word.to_owned()),
        }
    }

    /// Returns the terminal state of a finished job, by its exit status. Negative codes are PBS's
    /// own, those from 128 on a signal's.
    fn outcome(&self) -> JobOutcome {
        /// Substate of a job that was deleted.
        const TERMINATED: i64 = 91;
        match self.exit_status {
            _ if self.is_past_walltime() => JobOutcome::Walltime,
            Some(-29) => JobOutcome::Walltime,
            _ if self.substate == Some(TERMINATED) => JobOutcome::Cancelled,
            Some(0) => JobOutcome::Completed,
            Some(-27 | -26) => JobOutcome::OutOfMemory,
            // The node's daemon was restarted, and found the job.
            Some(code @ (-6..=-4)) => JobOutcome::NodeLost(format!("Exit_status {code}")),
            Some(code) => JobOutcome::Failed(format!("Exit_status {code}")),
            None => JobOutcome::Failed("F without Exit_status".into()),
        }
    }

    /// Returns true if it was killed by SIGTERM or SIGKILL when its time was used up: some versions
    /// report a walltime like this.
    fn is_past_walltime(&self) -> bool {
        let times = (self.used.and_then(seconds), self.asked.and_then(seconds));
        matches!(self.exit_status, Some(265 | 271 | 137 | 143))
            && matches!(times, (Some(used), Some(asked)) if used >= asked)
    }
}

/// Seconds of `HH:MM:SS`.
fn seconds(time: &str) -> Option<u64> {
    let parts = time.split(':').map(|part| part.parse::<u64>().ok());
    parts
        .into_iter()
        .try_fold(0_u64, |sum, part| sum.checked_mul(60)?.checked_add(part?))
}

/// `Tue Oct  4 21:23:20 2022` as words that sort by time.
fn sortable_time(ctime: &str) -> Option<String> {
    let time = jiff::civil::DateTime::strptime("%a %b %d %H:%M:%S %Y", ctime).ok()?;
    Some(time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Their origin is stated beside them.
    const RUNNING: &str = include_str!("../../../tests/goldens/pbs/running.dsv");
    const FINISHED: &str = include_str!("../../../tests/goldens/pbs/finished.dsv");

    fn listed(dsv: &str) -> JobStatus {
        parse_jobs(dsv).pop().unwrap()
    }

    #[test]
    fn a_job_is_known_by_its_token_and_its_state() {
        let job = listed(RUNNING);
        assert_eq!(job.id, "12860476.pbs01.example.org");
        assert_eq!(job.name, "0123456789abcdef.12.1");
        assert_eq!(job.state, JobState::Running);
        assert_eq!(job.submitted, "2022-10-04T21:23:20");
        let job = listed(FINISHED);
        assert_eq!(job.name, "0123456789abcdef.13.2");
        assert_eq!(job.state, JobState::Ended(JobOutcome::Completed));
    }

    #[test]
    fn several_jobs_are_read_and_none_that_was_cut_off() {
        let both = format!("a greeting\n{RUNNING}{FINISHED}");
        assert_eq!(parse_jobs(&both), [listed(RUNNING), listed(FINISHED)]);
        let cut = both.trim_end();
        assert_eq!(parse_jobs(cut), [listed(RUNNING)]);
        assert_eq!(parse_jobs(""), []);
    }

    #[test]
    fn a_bar_or_a_comma_in_a_value_ends_nothing() {
        let line = "Job Id: 7.s|Job_Name=m1|comment=a\\|job_state=F|job_state=Q|\
                    Variable_List=A=x\\,MOLDFLOW_TOKEN=no,MOLDFLOW_TOKEN=1f.2.1,B=\\\\\n";
        let job = listed(line);
        assert_eq!(
            (job.name.as_str(), &job.state),
            ("1f.2.1", &JobState::Pending)
        );
        assert_eq!(job.reason, "a|job_state=F");
    }

    #[test]
    fn an_id_is_denied_only_by_name() {
        let said = "qstat: Unknown Job Id 1.pbs01\nqstat: 3.pbs01 Job has finished, use -x or -H to obtain historical \
                    job information\nqstat: PBS is not configured to maintain job history";
        assert_eq!(
            denied(said),
            ["1.pbs01", "3.pbs01"].map(str::to_owned).into()
        );
        assert_eq!(denied("qstat: Unknown queue"), BTreeSet::new());
    }

    #[test]
    fn there_is_a_history_only_where_the_server_says_so() {
        let server = "Server: pbs01\n    server_state = Active\n    job_history_enable = True\n    pbs_version = 23.06.06\n";
        assert!(has_history(server));
        assert!(!has_history(&server.replace("True", "False")));
        // As long as nobody has set it.
        assert!(!has_history("Server: pbs01\n    server_state = Active\n"));
    }

    #[test]
    fn how_a_finished_job_ended_is_in_its_exit_status() {
        let outcome = |from: &str, to: &str| {
            assert!(FINISHED.contains(from));
            match listed(&FINISHED.replace(from, to)).state {
                JobState::Ended(outcome) => outcome,
                state => panic!("{state:?}"),
            }
        };
        let exit = |code: &str| outcome("Exit_status=0", &format!("Exit_status={code}"));
        assert_eq!(exit("-29"), JobOutcome::Walltime);
        assert_eq!(exit("-27"), JobOutcome::OutOfMemory);
        assert_eq!(exit("-4"), JobOutcome::NodeLost("Exit_status -4".into()));
        assert_eq!(exit("3"), JobOutcome::Failed("Exit_status 3".into()));
        assert_eq!(exit("271"), JobOutcome::Failed("Exit_status 271".into()));
        let over = FINISHED
            .replace("24:05:32", "48:00:13")
            .replace("Exit_status=0", "Exit_status=271");
        assert_eq!(listed(&over).state, JobState::Ended(JobOutcome::Walltime));
        assert_eq!(outcome("substate=92", "substate=91"), JobOutcome::Cancelled);
        // As OpenPBS 23.06 has it.
        let walltime = FINISHED
            .replace("Exit_status=0", "Exit_status=-29")
            .replace("substate=92", "substate=93");
        assert_eq!(
            listed(&walltime).state,
            JobState::Ended(JobOutcome::Walltime)
        );
    }

    #[test]
    fn a_state_that_is_not_known_is_kept() {
        let moved = RUNNING.replace("job_state=R", "job_state=M");
        assert_eq!(listed(&moved).state, JobState::Unknown("M".into()));
    }
}
