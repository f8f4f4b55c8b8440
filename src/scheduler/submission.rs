//! Submissions: jobs that are ready for it, its result, and messages by which a result is known.

use std::path::PathBuf;

use super::script::JOB_SCRIPT;
use super::{CommandHost, CommandRequest, Dialect};
use crate::task::{HostFault, Token};

/// A job whose files are in its directory.
pub struct ReadyJob<'a> {
    /// Name of its attempt.
    pub token: &'a Token,
    /// Its directory as the host of the scheduler sees it.
    pub dir: PathBuf,
    /// Text of its script, which is in that directory.
    pub script: String,
}

impl ReadyJob<'_> {
    /// Returns the path of its script.
    pub fn script_path(&self) -> PathBuf {
        self.dir.join(JOB_SCRIPT)
    }
}

/// A host on which jobs are submitted.
pub trait SubmitHost: CommandHost {
    /// Adds a file to the directory of a job.
    ///
    /// # Errors
    ///
    /// Returns the result of the submission if the file cannot be written.
    fn add_file(&mut self, job: &ReadyJob, name: &str, content: String) -> Result<(), Submission>;
}

/// Result of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submission {
    /// The job has this id.
    Accepted(String),
    /// The scheduler will never take the job: its message.
    Rejected(String),
    /// A fault of this host kept its files from being written.
    HostFault(HostFault, String),
    /// The queue takes no more jobs for now.
    QueueFull,
    /// It is not known whether the job is in the queue.
    Unknown,
}

/// Parts of a scheduler's messages by which they are recognised.
pub struct Messages {
    /// No more jobs for now.
    pub queue_full: &'static [&'static str],
    /// No answer: whether a request was taken is not known.
    pub unreachable: &'static [&'static str],
}

impl Messages {
    /// Returns the result of a submission that failed with this message.
    pub fn submission(&self, message: String) -> Submission {
        if self.queue_full.iter().any(|part| message.contains(part)) {
            Submission::QueueFull
        } else if self.is_unreachable(&message) {
            Submission::Unknown
        } else {
            Submission::Rejected(message)
        }
    }

    /// Returns true for a message that the scheduler does not answer.
    pub fn is_unreachable(&self, message: &str) -> bool {
        self.unreachable.iter().any(|part| message.contains(part))
    }
}

/// Submits jobs one by one; none more once the queue is full.
pub fn one_by_one(
    jobs: &[ReadyJob],
    mut submit: impl FnMut(&ReadyJob) -> Submission,
) -> Vec<Submission> {
    let mut full = false;
    let answers = jobs.iter().map(|job| {
        if full {
            return Submission::QueueFull;
        }
        let answer = submit(job);
        full = answer == Submission::QueueFull;
        answer
    });
    answers.collect()
}

/// Runs a command that submits a job.
pub fn submit_by(
    host: &mut dyn CommandHost,
    call: &CommandRequest,
    dialect: &Dialect,
) -> Submission {
    match host.run(call) {
        // If no id can be read the job is in the queue, and is found by its token.
        Ok(output) if output.succeeded() => {
            let id = dialect.printed_id(&output.stdout);
            id.map_or(Submission::Unknown, Submission::Accepted)
        }
        Ok(output) => dialect.messages.submission(output.stderr),
        Err(_) => Submission::Unknown,
    }
}
