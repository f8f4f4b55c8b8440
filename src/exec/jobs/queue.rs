//! One job per task: which jobs are submitted, polled, cancelled and reported. Events in, commands
//! out; no clock, no I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::event::{QueueCommand, QueueEvent};
use crate::exec::Termination;
use crate::exec::actor::Core;
use crate::exec::job_wrapper::AttemptFiles;
use crate::exec::verdict::Evidence;
use crate::scheduler::{JobListing, JobOutcome, JobState, JobStatus, Submission};
use crate::task::Token;

/// Complete listings in a row that must lack a job whose id is not known before it counts as never
/// submitted: the scheduler may take a submission after its client gave up.
const ABSENCES: u32 = 2;
/// Times that the scheduler must deny a job's id before the job counts as gone without files: its
/// files may show late on this host. A listing that lacks the job does not count.
const DENIALS: u32 = 3;

/// Jobs of a partition.
#[derive(Debug, Default)]
pub struct Queue {
    /// Most jobs in the scheduler at once.
    limit: usize,
    next: u64,
    waiting: BTreeMap<u64, Token>,
    active: BTreeMap<Token, QueuedJob>,
    /// The scheduler takes no more jobs before the next poll.
    full: bool,
}

/// A job that the scheduler has, or may have.
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
    /// It is not known whether the scheduler has it: the answer was lost, or an engine died.
    Doubtful,
    Known {
        id: String,
    },
    /// The scheduler has finished it; its files are being read. `id`: the one that it had, if that
    /// is known; `came`: whether the scheduler ever had it, as far as this engine knows.
    Ending {
        id: Option<String>,
        came: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    Run,
    /// It must not start; if it runs already, it continues.
    NotStart,
    Cancel,
}

impl Queue {
    /// Returns a queue of which at most `limit` jobs are in the scheduler at once.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Returns true if there is nothing to poll: the scheduler has no job, and none waits for room.
    pub fn is_idle(&self) -> bool {
        self.active.is_empty() && self.waiting.is_empty()
    }

    /// Returns the tokens of the jobs that the scheduler has or may have.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.active.keys()
    }

    /// Returns the ids of those, where they are known.
    pub fn ids(&self) -> Vec<String> {
        self.active
            .values()
            .filter_map(|held| held.phase.id())
            .collect()
    }

    /// Returns true if the scheduler may have a job whose id is not known.
    pub fn has_doubtful_job(&self) -> bool {
        let unknown =
            |held: &QueuedJob| matches!(held.phase, JobPhase::Submitting | JobPhase::Doubtful);
        self.active.values().any(unknown)
    }

    /// Returns true if a job that is about to be submitted must still run.
    pub fn is_wanted(&self, token: &Token) -> bool {
        let held = self.active.get(token);
        held.is_some_and(|held| held.intent == Intent::Run)
    }

    /// Submits as many waiting jobs as there is room for.
    fn fill(&mut self, commands: &mut Vec<QueueCommand>) {
        let mut tokens = Vec::new();
        while !self.full
            && self.active.len() < self.limit
            && let Some((order, token)) = self.waiting.pop_first()
        {
            self.active
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
        for (token, held) in &mut self.active {
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
        for (token, held) in &mut self.active {
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
        let Some(held) = self.active.get_mut(&token) else {
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
            Submission::Rejected(why) => {
                self.refused(token, Termination::LaunchFailed(why), commands)
            }
            Submission::HostFault(fault, why) => {
                self.refused(token, Termination::NotStarted(fault, why), commands)
            }
            Submission::QueueFull => {
                let (order, intent) = (held.order, held.intent);
                self.active.remove(&token);
                match intent {
                    Intent::Run => {
                        self.full = true;
                        self.waiting.insert(order, token);
                    }
                    Intent::NotStart => {}
                    Intent::Cancel => {
                        let ended = QueueCommand::Ended(
                            token,
                            Termination::Cancelled,
                            AttemptFiles::default(),
                        );
                        commands.push(ended);
                    }
                }
            }
        }
    }

    fn refused(&mut self, token: Token, exit: Termination, commands: &mut Vec<QueueCommand>) {
        let held = self.active.remove(&token);
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
            .active
            .iter()
            .filter(|(_, held)| matches!(held.phase, JobPhase::Doubtful | JobPhase::Known { .. }));
        let tokens: Vec<Token> = open.map(|(token, _)| token.clone()).collect();
        let mut missing = Vec::new();
        for token in tokens {
            match jobs.get(token.to_string().as_str()) {
                Some(job) => self.seen(&token, job, commands),
                None => match self.active.get(&token).map(|held| &held.phase) {
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
        let Some(held) = self.active.get_mut(token) else {
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
                // Cancelled while no engine was there: an engine that ends cancels its jobs, which
                // is nobody's intent.
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

    /// Handles an answer that lacked a job. Its files are read as soon as the scheduler denies its
    /// id: if they exist, no second answer is needed.
    fn absent(&mut self, token: &Token, commands: &mut Vec<QueueCommand>) {
        let Some(held) = self.active.get_mut(token) else {
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
        let Some(held) = self.active.get_mut(&token) else {
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
        self.active.remove(&token);
        match intent {
            Intent::Run if !came && files.is_empty() => {
                self.waiting.insert(order, token);
            }
            // At the end of a run: the next engine looks for it and starts it.
            Intent::NotStart if files.is_empty() => {}
            Intent::Run | Intent::NotStart | Intent::Cancel => {
                let evidence = Evidence {
                    recorded: files.ended.as_ref().map(|ended| &ended.exit),
                    scheduler: outcome,
                    cancelled: intent == Intent::Cancel,
                    ..Evidence::default()
                };
                let exit = evidence.verdict();
                if exit == Termination::Unseen {
                    // Its task is tried again: should the job be there after all, it must not run
                    // beside that.
                    commands.push(QueueCommand::Cancel(vec![token.clone()]));
                }
                commands.push(QueueCommand::Ended(token, exit, files));
            }
        }
    }
}

impl Core for Queue {
    type Event = QueueEvent;
    type Command = QueueCommand;

    fn handle(&mut self, _: Duration, event: QueueEvent) -> Vec<QueueCommand> {
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
                    self.active.insert(token, held);
                    self.next += 1;
                }
            }
            QueueEvent::Cancel(tokens) => self.cancel(&tokens, &mut commands),
            QueueEvent::DropPending => self.drop_pending(&mut commands),
            QueueEvent::Submitted(token, answer) => self.submitted(token, answer, &mut commands),
            QueueEvent::SubmissionInProgress(token) => {
                if let Some(held) = self.active.get_mut(&token) {
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

    fn unreported(&self) -> usize {
        self.active.len()
    }

    fn slots(&self) -> usize {
        self.limit
    }

    fn is_end(command: &QueueCommand) -> bool {
        matches!(command, QueueCommand::Ended(..))
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

/// Returns the precedence of a job among those of one name: a live one counts, else the last one.
fn precedence(job: &JobStatus) -> (bool, &str, usize, &str) {
    let lives = !matches!(job.state, JobState::Ended(_));
    (lives, &job.submitted, job.id.len(), &job.id)
}
