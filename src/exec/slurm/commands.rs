//! The commands of Slurm that this program runs, and what their output means.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::arrays;
use crate::exec::Job;
use crate::exec::batch::{BatchError, System, Terms};
use crate::exec::batched;
use crate::exec::jobs::{
    BatchSystem, Fate, Listed, Listing, Messages, Ready, State, Submitted, ids_to_end,
};
use crate::exec::process::{SUBMITS, TOKEN};
use crate::exec::submission::printed_id;
use crate::exec::transport::{CommandRequest, Output, PutError, Transport, Unreachable};

/// Jobs that one `sbatch` submits, and one `scancel` ends, at the most.
const AT_ONCE: usize = 1000;
/// Jobs that one `scontrol` is asked for: where the controller does not answer, each takes ten seconds.
const SHOWN_AT_ONCE: usize = 50;
/// The file in the directory of the first job of an array that holds its script.
const ARRAY: &str = "array.sh";

const SAID: Messages = Messages {
    later: &[
        "submission limit",
        "SubmitJob",
        "temporarily unable to accept job",
        "Resource temporarily unavailable",
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
    terms: Terms,
    /// Indices of an array are below this: 0 where there are none, None before Slurm was asked.
    array_size: Option<u64>,
}

impl Slurm {
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            array_size: None,
        }
    }

    /// Slurm's `MaxArraySize`.
    fn array_size(&mut self, via: &mut dyn Transport) -> u64 {
        if self.array_size.is_none() {
            let config = via.run(&CommandRequest::new(["scontrol", "show", "config"]));
            let config = config.ok().filter(Output::succeeded);
            self.array_size = config.map(|config| max_array_size(&config.stdout));
        }
        self.array_size.unwrap_or(0)
    }

    /// Submits jobs that may be elements of one array, in the order of their tasks, each with its place.
    fn submit_array(
        &mut self,
        via: &mut dyn Transport,
        jobs: &[(usize, &Ready)],
        answers: &mut [Submitted],
    ) {
        let alone = |via: &mut dyn Transport, ready: &Ready| {
            let token = ready.job.token.to_string();
            let call =
                CommandRequest::new(["sbatch", "--parsable", "--job-name", &token, "--comment"])
                    .arg(format!("moldflow {token}"))
                    .arg(batched::script_of(&ready.dir).to_string_lossy());
            sbatch(via, call.env(TOKEN, token))
        };
        let [(place, first), others @ ..] = jobs else {
            return;
        };
        let array = match others {
            [] => None,
            _ => {
                let jobs: Vec<&Ready> = jobs.iter().map(|(_, job)| *job).collect();
                Some(sbatch_array(via, &jobs))
            }
        };
        match array {
            None => answers[*place] = alone(via, first),
            Some(Submitted::As(id)) => {
                for (place, ready) in jobs {
                    let index = ready.job.token.task.0 - first.job.token.task.0;
                    answers[*place] = Submitted::As(format!("{id}_{index}"));
                }
            }
            Some(answer @ (Submitted::Unknown | Submitted::NotStarted(_))) => {
                for (place, _) in jobs {
                    answers[*place] = answer.clone();
                }
            }
            // Some of them may find room.
            Some(Submitted::Full) => {
                let (half, rest) = jobs.split_at(jobs.len() / 2);
                self.submit_array(via, half, answers);
                let is_full = |(place, _): &(usize, &Ready)| answers[*place] == Submitted::Full;
                if half.iter().any(is_full) {
                    rest.iter()
                        .for_each(|(place, _)| answers[*place] = Submitted::Full);
                } else {
                    self.submit_array(via, rest, answers);
                }
            }
            // Because it is an array, or because no job like these is taken.
            Some(Submitted::Refused(_)) => {
                answers[*place] = alone(via, first);
                if let Submitted::Refused(_) = &answers[*place] {
                    let refused = answers[*place].clone();
                    others
                        .iter()
                        .for_each(|(place, _)| answers[*place] = refused.clone());
                } else {
                    self.array_size = Some(0);
                    for (place, ready) in others {
                        answers[*place] = alone(via, ready);
                    }
                }
            }
        }
    }
}

impl BatchSystem for Slurm {
    fn name(&self) -> &'static str {
        "Slurm"
    }

    fn client(&self) -> &'static str {
        "sbatch"
    }

    fn ender(&self) -> &'static str {
        ENDER
    }

    fn at_once(&self) -> usize {
        AT_ONCE
    }

    fn script(&self, job: &Job, dir: &Path, executable: &Path) -> Result<String, BatchError> {
        batched::script_of_job(&self.terms, job, dir, executable)
    }

    fn submit(&mut self, via: &mut dyn Transport, jobs: &[Ready]) -> Vec<Submitted> {
        let size = match jobs.len() {
            0 | 1 => 0,
            _ => self.array_size(via),
        };
        let mut answers = vec![Submitted::Full; jobs.len()];
        for group in groups(jobs, size) {
            let group: Vec<(usize, &Ready)> = group.into_iter().map(|i| (i, &jobs[i])).collect();
            self.submit_array(via, &group, &mut answers);
            if group
                .iter()
                .any(|(place, _)| answers[*place] == Submitted::Full)
            {
                break;
            }
        }
        answers
    }

    fn list(&mut self, via: &mut dyn Transport, _: &str) -> Result<Listing, Unreachable> {
        Ok(list(via)?.into())
    }

    fn show(
        &mut self,
        via: &mut dyn Transport,
        ids: &[String],
    ) -> Result<BTreeMap<String, Option<Listed>>, Unreachable> {
        show(via, ids)
    }

    fn cancel(
        &mut self,
        via: &mut dyn Transport,
        tokens: &[String],
        waiting: bool,
    ) -> Result<Vec<String>, Unreachable> {
        cancel(via, tokens, waiting)
    }
}

/// The command that ends jobs by their ids.
pub const ENDER: &str = "scancel";

/// Places of jobs that may be elements of one array whose indices are below `size`, in the order of their tasks.
fn groups(jobs: &[Ready], size: u64) -> Vec<Vec<usize>> {
    let mut alike: Vec<(String, Vec<usize>)> = Vec::new();
    for (place, ready) in jobs.iter().enumerate() {
        let attempt = ready.job.token.attempt;
        let key = format!("{attempt}\n{}", arrays::directives(&ready.script));
        match alike.iter_mut().find(|(other, _)| *other == key) {
            Some((_, places)) => places.push(place),
            None => alike.push((key, vec![place])),
        }
    }
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (_, mut places) in alike {
        let task = |place: usize| jobs[place].job.token.task.0;
        places.sort_by_key(|place| task(*place));
        let mut begin = None;
        for place in places {
            match (groups.last_mut(), begin) {
                (Some(group), Some(base)) if task(place) - base < size => group.push(place),
                _ => {
                    begin = Some(task(place));
                    groups.push(vec![place]);
                }
            }
        }
    }
    groups
}

/// `MaxArraySize` in what `scontrol show config` prints; 0 where there are no arrays.
fn max_array_size(config: &str) -> u64 {
    let settings = config.lines().filter_map(|line| line.split_once('='));
    let mut sizes = settings.filter(|(name, _)| name.trim() == "MaxArraySize");
    sizes
        .find_map(|(_, size)| size.trim().parse().ok())
        .unwrap_or(0)
}

/// Submits an array.
fn sbatch_array(via: &mut dyn Transport, jobs: &[&Ready]) -> Submitted {
    let Some(first) = jobs.first() else {
        return Submitted::Full;
    };
    let base = &first.job.token;
    let mut job = first.job.clone();
    let script = arrays::script(base, jobs);
    job.files.push((ARRAY.into(), script.into_bytes()));
    match via.put(&job, &first.script) {
        Ok(()) => {}
        Err(PutError::Unreachable(_)) => return Submitted::Unknown,
        Err(e @ PutError::Files(_)) => return Submitted::Refused(e.to_string()),
    }
    let tasks = jobs.iter().map(|ready| ready.job.token.task.0);
    let indices: Vec<u64> = tasks.map(|task| task - base.task.0).collect();
    let (name, ranges) = (arrays::name(base), arrays::ranges(&indices));
    let call = CommandRequest::new(["sbatch", "--parsable", "--job-name", &name, "--comment"])
        .arg(format!("moldflow {name}"))
        .arg(format!("--array={ranges}"))
        .arg(first.dir.join(ARRAY).to_string_lossy());
    sbatch(via, call.env(SUBMITS, arrays::mark(&name, &ranges)))
}

/// Asks for a block of this name. A block is no task: it carries no token and is not taken for one that was left behind.
pub fn ask(via: &mut dyn Transport, name: &str, options: &[String]) -> Submitted {
    let call = CommandRequest::new(["sbatch", "--parsable", "--no-requeue", "--chdir=/"])
        .args(["--job-name", name, "--comment"])
        .arg(format!("moldflow {name}"));
    sbatch(via, call.args(options))
}

/// All jobs of this user that Slurm still knows.
pub fn list(via: &mut dyn Transport) -> Result<Vec<Listed>, Unreachable> {
    let call = CommandRequest::new(["squeue", "--noheader", "--array", "--states=all", "--me"])
        .args(["--format", "%i|%j|%T|%V|%r|%L"]);
    let text = answer(via.run(&call)?)?;
    Ok(text.lines().filter_map(listed).collect())
}

/// Jobs by their ids: None for an id that Slurm says it does not know.
pub fn show(
    via: &mut dyn Transport,
    ids: &[String],
) -> Result<BTreeMap<String, Option<Listed>>, Unreachable> {
    let mut said = BTreeMap::new();
    for ids in ids.chunks(SHOWN_AT_ONCE) {
        let mut call = CommandRequest::new(["scontrol", "--oneliner"]);
        // Commands on its input, so that it is started once.
        let orders = ids.iter().map(|id| format!("show job {id}\n"));
        call.stdin = orders.collect::<String>().into_bytes();
        said.extend(answers(ids, &via.run(&call)?)?);
    }
    Ok(said)
}

/// Reads what `scontrol` says of jobs. An id that never was an element of an array is not found; of another one it says
/// that it is invalid, but not which.
fn answers(
    ids: &[String],
    output: &Output,
) -> Result<BTreeMap<String, Option<Listed>>, Unreachable> {
    let mut said = BTreeMap::new();
    for line in output.stdout.lines() {
        let missing = line.trim().strip_prefix("Job ");
        if let Some(id) = missing.and_then(|rest| rest.strip_suffix(" not found")) {
            said.insert(id.to_owned(), None);
        } else if let Some(job) = shown(line) {
            said.insert(job.id.clone(), Some(job));
        }
    }
    let rest: Vec<&String> = ids.iter().filter(|id| !said.contains_key(*id)).collect();
    let errors: Vec<&str> = output.stderr.lines().collect();
    let invalid = |line: &&str| line.contains("Invalid job id");
    if errors.len() != rest.len() || !errors.iter().all(invalid) {
        return Err(Unreachable(output.stderr.clone()));
    }
    let rest: Vec<String> = rest.into_iter().cloned().collect();
    said.extend(rest.into_iter().map(|id| (id, None)));
    Ok(said)
}

/// Ends the jobs of these names that live, with `waiting` only those that have not started; returns the ids of those
/// that Slurm was asked to end.
pub fn cancel(
    via: &mut dyn Transport,
    names: &[String],
    waiting: bool,
) -> Result<Vec<String>, Unreachable> {
    // By ids that are fresh from the controller, each that of a job with one of the names: `scancel --name` takes one
    // name only, and matches nothing without a word when it is given several.
    let ids = ids_to_end(&list(via)?, names, waiting);
    for ids in ids.chunks(AT_ONCE) {
        let call = CommandRequest::new([ENDER])
            .args(waiting.then_some("--state=PENDING"))
            .args(ids.iter().cloned());
        let output = via.run(&call)?;
        // One that has ended meanwhile is no fault.
        if !output.succeeded() && !output.stderr.contains("Invalid job") {
            answer(output)?;
        }
    }
    Ok(ids)
}

/// Steps that run: id and name of each.
pub fn steps(via: &mut dyn Transport) -> Result<Vec<(String, String)>, Unreachable> {
    let call = CommandRequest::new([
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
    let ours = steps(via)?.into_iter().filter(|(_, name)| which(name));
    let ids: Vec<String> = ours.map(|(id, _)| id).collect();
    for ids in ids.chunks(AT_ONCE) {
        let output = via.run(&CommandRequest::new([ENDER]).args(ids.iter().cloned()))?;
        // One that has ended meanwhile is no fault.
        if !output.succeeded() && !output.stderr.contains("Invalid job") {
            answer(output)?;
        }
    }
    Ok(())
}

fn sbatch(via: &mut dyn Transport, call: CommandRequest) -> Submitted {
    match via.run(&call) {
        // Where no id can be read the job is there, and found by its name.
        Ok(output) if output.succeeded() => {
            printed_id(System::Slurm, &output.stdout).map_or(Submitted::Unknown, Submitted::As)
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

/// A line of `squeue`. The name is the token also of a job that is an element of an array.
pub fn listed(line: &str) -> Option<Listed> {
    let mut fields = line.split('|');
    let mut next = || Some(fields.next()?.trim().to_owned());
    let (id, name) = (next()?, next()?);
    Some(Listed {
        name: name_of(&id, name),
        id,
        state: state(&next()?),
        submitted: next()?,
        reason: next()?,
        left: next().as_deref().and_then(time),
    })
}

fn name_of(id: &str, name: String) -> String {
    let index = id.split_once('_').and_then(|(_, index)| index.parse().ok());
    match index.and_then(|index| arrays::token(&name, index)) {
        Some(token) => token.to_string(),
        None => name,
    }
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
    let element = field("ArrayJobId").zip(field("ArrayTaskId"));
    let element = element.filter(|(_, index)| index.chars().all(|c| c.is_ascii_digit()));
    let id = match element {
        Some((array, index)) => format!("{array}_{index}"),
        None => field("JobId")?,
    };
    Some(Listed {
        name: name_of(&id, field("JobName")?),
        id,
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
    fn an_element_of_an_array_is_known_by_its_token() {
        let job = listed("7_3|1f.12+.1|PENDING|2026-11-26T13:56:17|Resources|5:00").unwrap();
        assert_eq!((job.id.as_str(), job.name.as_str()), ("7_3", "1f.15.1"));
        // What is left of the array itself when waiting elements were cancelled.
        let rest = listed("7|1f.12+.1|CANCELLED|2026-11-26T13:56:17|None|5:00").unwrap();
        assert_eq!(rest.name, "1f.12+.1");
        let line = SHOWN.replace(
            "JobId=7 JobName=1f.12.1",
            "JobId=9 ArrayJobId=7 ArrayTaskId=3 JobName=1f.12+.1",
        );
        let job = shown(&line).unwrap();
        assert_eq!((job.id.as_str(), job.name.as_str()), ("7_3", "1f.15.1"));
    }

    #[test]
    fn an_id_is_denied_only_when_slurm_says_so() {
        let ids = ["7", "8", "9_1"].map(str::to_owned);
        let output = |stderr: &str| Output {
            code: Some(0),
            // It repeats its orders where its input is no terminal.
            stdout: format!(
                "scontrol: show job 7\n{SHOWN}\nscontrol: show job 8\nJob 9_1 not found\n"
            ),
            stderr: stderr.into(),
        };
        let invalid = "slurm_load_jobs error: Invalid job id specified";
        let said = answers(&ids, &output(invalid)).unwrap();
        assert_eq!(said["7"].as_ref().unwrap().name, "1f.12.1");
        assert_eq!((&said["8"], &said["9_1"]), (&None, &None));
        for unclear in [
            "",
            "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
        ] {
            assert!(answers(&ids, &output(unclear)).is_err(), "{unclear}");
        }
    }

    #[test]
    fn the_largest_array_is_what_the_configuration_says() {
        let config = "Configuration data as of 2026-11-26T13:56:17\nMaxArraySize            = 1001\nMaxDBDMsgs = 1\n";
        assert_eq!(max_array_size(config), 1001);
        assert_eq!(max_array_size("MaxDBDMsgs = 1\n"), 0);
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
