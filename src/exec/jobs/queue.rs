//! A job a task: which jobs are submitted, looked for, cancelled and reported. Events in, commands out; no clock, no I/O.

use std::collections::{BTreeMap, BTreeSet};

use super::verdict;
use crate::exec::Exit;
use crate::exec::job_wrapper::AttemptFiles;
use crate::scheduler::{JobListing, JobOutcome, JobState, JobStatus, Submission};
use crate::task::Token;

/// Complete lists in a row that must lack a job whose id nobody knows before it is believed never to have come: the
/// controller may take in a submission after its client gave up.
const ABSENCES: u32 = 2;
/// How often the batch system must deny a job's id before the job is believed to be gone without a trace: what it left
/// may take its time to be seen here. No list that lacks it counts.
const DENIALS: u32 = 3;

/// The jobs of a partition.
#[derive(Debug, Default)]
pub struct Queue {
    /// Jobs in the batch system, at the most.
    limit: usize,
    next: u64,
    waiting: BTreeMap<u64, Token>,
    held: BTreeMap<Token, QueuedJob>,
    /// The batch system takes no more jobs before it is looked at again.
    full: bool,
}

/// A job that the batch system has, or may have.
#[derive(Debug)]
struct QueuedJob {
    order: u64,
    phase: JobPhase,
    intent: Intent,
    started: bool,
    /// Answers in a row that lacked it.
    absences: u32,
    /// An earlier engine submitted it, and this one has not seen it live.
    adopted: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum JobPhase {
    /// Its submission was commanded.
    Submitting,
    /// Nobody knows whether the batch system has it: the answer was lost, or an engine died.
    Doubtful,
    Known {
        id: String,
    },
    /// The batch system is done with it; what it left is being read. `id`: the one that it had, if that is known;
    /// `came`: whether the batch system ever had it, as far as this engine knows.
    Ending {
        id: Option<String>,
        came: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    Run,
    /// Not to start any more; if it runs already, it may go on.
    NotStart,
    Cancel,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum QueueEvent {
    /// Jobs to be run, in this order.
    Submit(Vec<Token>),
    /// Jobs that an earlier engine may have submitted, with their ids where it noted them.
    Adopt(Vec<(Token, Option<String>)>),
    Cancel(Vec<Token>),
    /// What has not started is not to start.
    DropPending,
    Submitted(Token, Submission),
    /// The process that submits this job, left by an earlier engine, is still at it.
    SubmissionInProgress(Token),
    Listed(JobListing),
    /// What the batch system says of the id that this job had; None if it does not know the id.
    Shown(Token, Option<JobStatus>),
    /// What the directory of a job holds that the batch system is done with.
    FilesRead {
        token: Token,
        outcome: Option<JobOutcome>,
        files: AttemptFiles,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum QueueCommand {
    Submit(Vec<Token>),
    /// Ask for jobs by their ids.
    Show(Vec<(Token, String)>),
    /// Note the id of a job for an engine that comes later.
    Note(Token, String),
    ReadFiles(Token, Option<JobOutcome>),
    Cancel(Vec<Token>),
    /// Cancels those that have not started.
    CancelPending(Vec<Token>),
    Started(Token),
    Ended(Token, Exit, AttemptFiles),
}

impl Queue {
    /// A queue of which at most `limit` jobs are in the batch system at once.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Jobs that the batch system has or may have.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Whether there is nothing to look for: no job is held, and none waits until the batch system takes more.
    pub fn is_idle(&self) -> bool {
        self.held.is_empty() && self.waiting.is_empty()
    }

    /// Tokens of the jobs that the batch system has or may have.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.held.keys()
    }

    /// Ids of those, where they are known.
    pub fn ids(&self) -> Vec<String> {
        self.held
            .values()
            .filter_map(|held| held.phase.id())
            .collect()
    }

    /// Whether the batch system may have a job whose id is not known.
    pub fn has_doubtful_job(&self) -> bool {
        let unknown =
            |held: &QueuedJob| matches!(held.phase, JobPhase::Submitting | JobPhase::Doubtful);
        self.held.values().any(unknown)
    }

    /// Whether a job that is about to be submitted is still to run.
    pub fn is_wanted(&self, token: &Token) -> bool {
        let held = self.held.get(token);
        held.is_some_and(|held| held.intent == Intent::Run)
    }

    pub fn handle(&mut self, event: QueueEvent) -> Vec<QueueCommand> {
        let mut commands = Vec::new();
        match event {
            QueueEvent::Submit(tokens) => {
                for token in tokens {
                    self.waiting.insert(self.next, token);
                    self.next += 1;
                }
            }
            QueueEvent::Adopt(tokens) => {
                for (token, id) in tokens {
                    let phase = JobPhase::of(id);
                    let held = QueuedJob {
                        adopted: true,
                        ..QueuedJob::new(self.next, phase)
                    };
                    self.held.insert(token, held);
                    self.next += 1;
                }
            }
            QueueEvent::Cancel(tokens) => self.cancel(&tokens, &mut commands),
            QueueEvent::DropPending => self.drop_pending(&mut commands),
            QueueEvent::Submitted(token, answer) => self.submitted(token, answer, &mut commands),
            QueueEvent::SubmissionInProgress(token) => {
                if let Some(held) = self.held.get_mut(&token) {
                    held.phase = JobPhase::of(held.phase.id());
                    held.absences = 0;
                }
            }
            QueueEvent::Listed(listing) => {
                self.full = false;
                self.listed(&listing, &mut commands);
            }
            QueueEvent::Shown(token, listed) => {
                match listed.filter(|job| job.name == token.to_string()) {
                    Some(job) => self.seen(&token, &job, &mut commands),
                    None => self.absent(&token, &mut commands),
                }
            }
            QueueEvent::FilesRead {
                token,
                outcome,
                files,
            } => self.files_read(token, outcome.as_ref(), files, &mut commands),
        }
        self.fill(&mut commands);
        commands
    }

    /// Submits what there is room for.
    fn fill(&mut self, commands: &mut Vec<QueueCommand>) {
        let mut tokens = Vec::new();
        while !self.full
            && self.held.len() < self.limit
            && let Some((order, token)) = self.waiting.pop_first()
        {
            self.held
                .insert(token.clone(), QueuedJob::new(order, JobPhase::Submitting));
            tokens.push(token);
        }
        if !tokens.is_empty() {
            commands.push(QueueCommand::Submit(tokens));
        }
    }

    fn cancel(&mut self, tokens: &[Token], commands: &mut Vec<QueueCommand>) {
        let tokens: BTreeSet<&Token> = tokens.iter().collect();
        self.waiting.retain(|_, token| !tokens.contains(token));
        let mut cancelled = Vec::new();
        for (token, held) in &mut self.held {
            if tokens.contains(token) {
                held.intent = Intent::Cancel;
                cancelled.push(token.clone());
            }
        }
        if !cancelled.is_empty() {
            commands.push(QueueCommand::Cancel(cancelled));
        }
    }

    fn drop_pending(&mut self, commands: &mut Vec<QueueCommand>) {
        self.waiting.clear();
        let mut dropped = Vec::new();
        for (token, held) in &mut self.held {
            if held.intent == Intent::Run && !held.started {
                held.intent = Intent::NotStart;
                dropped.push(token.clone());
            }
        }
        if !dropped.is_empty() {
            commands.push(QueueCommand::CancelPending(dropped));
        }
    }

    fn submitted(&mut self, token: Token, answer: Submission, commands: &mut Vec<QueueCommand>) {
        let Some(held) = self.held.get_mut(&token) else {
            return;
        };
        match answer {
            Submission::Accepted(id) => {
                held.phase = JobPhase::Known { id };
                match held.intent {
                    Intent::Run => {}
                    // It was not in the queue yet when its cancellation was commanded.
                    Intent::NotStart => commands.push(QueueCommand::CancelPending(vec![token])),
                    Intent::Cancel => commands.push(QueueCommand::Cancel(vec![token])),
                }
            }
            Submission::Unknown => held.phase = JobPhase::Doubtful,
            Submission::Rejected(why) => self.refused(token, Exit::LaunchFailed(why), commands),
            Submission::HostFault(fault, why) => {
                self.refused(token, Exit::NotStarted(fault, why), commands)
            }
            Submission::QueueFull => {
                let (order, intent) = (held.order, held.intent);
                self.held.remove(&token);
                match intent {
                    Intent::Run => {
                        self.full = true;
                        self.waiting.insert(order, token);
                    }
                    Intent::NotStart => {}
                    Intent::Cancel => {
                        let ended =
                            QueueCommand::Ended(token, Exit::Cancelled, AttemptFiles::default());
                        commands.push(ended);
                    }
                }
            }
        }
    }

    fn refused(&mut self, token: Token, exit: Exit, commands: &mut Vec<QueueCommand>) {
        let held = self.held.remove(&token);
        if held.is_some_and(|held| held.intent != Intent::NotStart) {
            commands.push(QueueCommand::Ended(token, exit, AttemptFiles::default()));
        }
    }

    fn listed(&mut self, listing: &JobListing, commands: &mut Vec<QueueCommand>) {
        let mut jobs: BTreeMap<&str, &JobStatus> = BTreeMap::new();
        for job in &listing.jobs {
            let best = jobs.entry(&job.name).or_insert(job);
            if precedence(job) > precedence(best) {
                *best = job;
            }
        }
        let open = self
            .held
            .iter()
            .filter(|(_, held)| matches!(held.phase, JobPhase::Doubtful | JobPhase::Known { .. }));
        let tokens: Vec<Token> = open.map(|(token, _)| token.clone()).collect();
        let mut missing = Vec::new();
        for token in tokens {
            match jobs.get(token.to_string().as_str()) {
                Some(job) => self.seen(&token, job, commands),
                None => match self.held.get(&token).map(|held| &held.phase) {
                    Some(JobPhase::Known { id }) => missing.push((token, id.clone())),
                    _ if listing.complete => self.absent(&token, commands),
                    _ => {}
                },
            }
        }
        if !missing.is_empty() {
            commands.push(QueueCommand::Show(missing));
        }
    }

    fn seen(&mut self, token: &Token, job: &JobStatus, commands: &mut Vec<QueueCommand>) {
        let Some(held) = self.held.get_mut(token) else {
            return;
        };
        if matches!(held.phase, JobPhase::Ending { .. }) {
            return;
        }
        let adopted = held.adopted || held.phase == JobPhase::Doubtful;
        let noted = held.phase.id().is_some_and(|id| id == job.id);
        held.absences = 0;
        held.phase = JobPhase::Known { id: job.id.clone() };
        if !noted {
            commands.push(QueueCommand::Note(token.clone(), job.id.clone()));
        }
        match &job.state {
            JobState::Ended(outcome) => {
                held.phase = JobPhase::Ending {
                    id: Some(job.id.clone()),
                    came: true,
                };
                // Cancelled while no engine was there: an engine that ends cancels its jobs, which is nobody's intent.
                let orphaned =
                    adopted && *outcome == JobOutcome::Cancelled && held.intent == Intent::Run;
                let outcome = (!orphaned).then(|| outcome.clone());
                commands.push(QueueCommand::ReadFiles(token.clone(), outcome));
                return;
            }
            JobState::Running if !held.started => {
                held.started = true;
                if held.intent == Intent::NotStart {
                    held.intent = Intent::Run;
                }
                commands.push(QueueCommand::Started(token.clone()));
            }
            JobState::Running | JobState::Pending | JobState::Completing | JobState::Unknown(_) => {
            }
        }
        held.adopted = false;
        match held.intent {
            Intent::Run => {}
            // The command was lost, or came before the job.
            Intent::NotStart => commands.push(QueueCommand::CancelPending(vec![token.clone()])),
            Intent::Cancel => commands.push(QueueCommand::Cancel(vec![token.clone()])),
        }
    }

    /// An answer that counts lacked a job. What it left is looked at as soon as the batch system denies an id: with its
    /// files there, no second look is needed.
    fn absent(&mut self, token: &Token, commands: &mut Vec<QueueCommand>) {
        let Some(held) = self.held.get_mut(token) else {
            return;
        };
        if !matches!(held.phase, JobPhase::Doubtful | JobPhase::Known { .. }) {
            return;
        }
        held.absences += 1;
        let id = held.phase.id();
        if id.is_some() || held.absences >= ABSENCES {
            let came = id.is_some() && !held.adopted;
            held.phase = JobPhase::Ending { id, came };
            commands.push(QueueCommand::ReadFiles(token.clone(), None));
        }
    }

    fn files_read(
        &mut self,
        token: Token,
        outcome: Option<&JobOutcome>,
        files: AttemptFiles,
        commands: &mut Vec<QueueCommand>,
    ) {
        let Some(held) = self.held.get_mut(&token) else {
            return;
        };
        let JobPhase::Ending { id, came } = held.phase.clone() else {
            return;
        };
        let patience = if held.intent == Intent::Run {
            DENIALS
        } else {
            1
        };
        if id.is_some() && (1..patience).contains(&held.absences) && files.is_empty() {
            held.phase = JobPhase::of(id);
            return;
        }
        let (intent, order) = (held.intent, held.order);
        self.held.remove(&token);
        match intent {
            Intent::Run if !came && files.is_empty() => {
                self.waiting.insert(order, token);
            }
            // At the end of a run: the next engine looks for it and starts it.
            Intent::NotStart if files.is_empty() => {}
            Intent::Run | Intent::NotStart | Intent::Cancel => {
                let exit = verdict(outcome, &files, intent == Intent::Cancel);
                if exit == Exit::Unseen {
                    // Its task is tried again: should the job be there after all, it must not run beside that.
                    commands.push(QueueCommand::Cancel(vec![token.clone()]));
                }
                commands.push(QueueCommand::Ended(token, exit, files));
            }
        }
    }
}

impl JobPhase {
    fn of(id: Option<String>) -> Self {
        id.map_or(Self::Doubtful, |id| Self::Known { id })
    }

    fn id(&self) -> Option<String> {
        match self {
            Self::Submitting | Self::Doubtful => None,
            Self::Known { id } => Some(id.clone()),
            Self::Ending { id, .. } => id.clone(),
        }
    }
}

impl QueuedJob {
    fn new(order: u64, phase: JobPhase) -> Self {
        Self {
            order,
            phase,
            intent: Intent::Run,
            started: false,
            absences: 0,
            adopted: false,
        }
    }
}

/// Of jobs of one name the greatest counts: one that lives, else the one submitted last.
fn precedence(job: &JobStatus) -> (bool, &str, usize, &str) {
    let lives = !matches!(job.state, JobState::Ended(_));
    (lives, &job.submitted, job.id.len(), &job.id)
}
