//! A job a task: which jobs are submitted, looked for, cancelled and reported. Events in, commands out; no clock, no I/O.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fate, Listed, Listing, State, Submitted};
use crate::exec::Termination;
use crate::exec::batched::Traces;
use crate::exec::verdict::Evidence;
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
    held: BTreeMap<Token, Held>,
    /// The batch system takes no more jobs before it is looked at again.
    full: bool,
}

/// A job that the batch system has, or may have.
#[derive(Debug)]
struct Held {
    order: u64,
    phase: Phase,
    wish: Wish,
    started: bool,
    /// Answers in a row that lacked it.
    absences: u32,
    /// An earlier engine submitted it, and this one has not seen it live.
    adopted: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Phase {
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
enum Wish {
    Run,
    /// Not to start any more; if it runs already, it may go on.
    NotStart,
    Cancel,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Jobs to be run, in this order.
    Wanted(Vec<Token>),
    /// Jobs that an earlier engine may have submitted, with their ids where it noted them.
    Perhaps(Vec<(Token, Option<String>)>),
    Cancel(Vec<Token>),
    /// What has not started is not to start.
    DropWaiting,
    Submitted(Token, Submitted),
    /// The process that submits this job, left by an earlier engine, is still at it.
    StillComing(Token),
    Listed(Listing),
    /// What the batch system says of the id that this job had; None if it does not know the id.
    Shown(Token, Option<Listed>),
    /// What the directory of a job holds that the batch system is done with.
    Traced {
        token: Token,
        fate: Option<Fate>,
        traces: Traces,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Submit(Vec<Token>),
    /// Ask for jobs by their ids.
    Show(Vec<(Token, String)>),
    /// Note the id of a job for an engine that comes later.
    Note(Token, String),
    Trace(Token, Option<Fate>),
    Cancel(Vec<Token>),
    /// Cancels those that have not started.
    CancelWaiting(Vec<Token>),
    Started(Token),
    Ended(Token, Termination, Traces),
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
    pub fn is_in_doubt(&self) -> bool {
        let unknown = |held: &Held| matches!(held.phase, Phase::Submitting | Phase::Doubtful);
        self.held.values().any(unknown)
    }

    /// Whether a job that is about to be submitted is still to run.
    pub fn is_wanted(&self, token: &Token) -> bool {
        let held = self.held.get(token);
        held.is_some_and(|held| held.wish == Wish::Run)
    }

    pub fn handle(&mut self, event: Event) -> Vec<Command> {
        let mut commands = Vec::new();
        match event {
            Event::Wanted(tokens) => {
                for token in tokens {
                    self.waiting.insert(self.next, token);
                    self.next += 1;
                }
            }
            Event::Perhaps(tokens) => {
                for (token, id) in tokens {
                    let phase = Phase::of(id);
                    let held = Held {
                        adopted: true,
                        ..Held::new(self.next, phase)
                    };
                    self.held.insert(token, held);
                    self.next += 1;
                }
            }
            Event::Cancel(tokens) => self.cancel(&tokens, &mut commands),
            Event::DropWaiting => self.drop_waiting(&mut commands),
            Event::Submitted(token, answer) => self.submitted(token, answer, &mut commands),
            Event::StillComing(token) => {
                if let Some(held) = self.held.get_mut(&token) {
                    held.phase = Phase::of(held.phase.id());
                    held.absences = 0;
                }
            }
            Event::Listed(listing) => {
                self.full = false;
                self.listed(&listing, &mut commands);
            }
            Event::Shown(token, listed) => match listed.filter(|job| job.name == token.to_string())
            {
                Some(job) => self.seen(&token, &job, &mut commands),
                None => self.absent(&token, &mut commands),
            },
            Event::Traced {
                token,
                fate,
                traces,
            } => self.traced(token, fate.as_ref(), traces, &mut commands),
        }
        self.fill(&mut commands);
        commands
    }

    /// Submits what there is room for.
    fn fill(&mut self, commands: &mut Vec<Command>) {
        let mut tokens = Vec::new();
        while !self.full
            && self.held.len() < self.limit
            && let Some((order, token)) = self.waiting.pop_first()
        {
            self.held
                .insert(token.clone(), Held::new(order, Phase::Submitting));
            tokens.push(token);
        }
        if !tokens.is_empty() {
            commands.push(Command::Submit(tokens));
        }
    }

    fn cancel(&mut self, tokens: &[Token], commands: &mut Vec<Command>) {
        let tokens: BTreeSet<&Token> = tokens.iter().collect();
        self.waiting.retain(|_, token| !tokens.contains(token));
        let mut cancelled = Vec::new();
        for (token, held) in &mut self.held {
            if tokens.contains(token) {
                held.wish = Wish::Cancel;
                cancelled.push(token.clone());
            }
        }
        if !cancelled.is_empty() {
            commands.push(Command::Cancel(cancelled));
        }
    }

    fn drop_waiting(&mut self, commands: &mut Vec<Command>) {
        self.waiting.clear();
        let mut dropped = Vec::new();
        for (token, held) in &mut self.held {
            if held.wish == Wish::Run && !held.started {
                held.wish = Wish::NotStart;
                dropped.push(token.clone());
            }
        }
        if !dropped.is_empty() {
            commands.push(Command::CancelWaiting(dropped));
        }
    }

    fn submitted(&mut self, token: Token, answer: Submitted, commands: &mut Vec<Command>) {
        let Some(held) = self.held.get_mut(&token) else {
            return;
        };
        match answer {
            Submitted::As(id) => {
                held.phase = Phase::Known { id };
                match held.wish {
                    Wish::Run => {}
                    // It was not in the queue yet when its cancellation was commanded.
                    Wish::NotStart => commands.push(Command::CancelWaiting(vec![token])),
                    Wish::Cancel => commands.push(Command::Cancel(vec![token])),
                }
            }
            Submitted::Unknown => held.phase = Phase::Doubtful,
            Submitted::Refused(why) => {
                self.refused(token, Termination::LaunchFailed(why), commands)
            }
            Submitted::NotStarted(exit) => self.refused(token, exit, commands),
            Submitted::Full => {
                let (order, wish) = (held.order, held.wish);
                self.held.remove(&token);
                match wish {
                    Wish::Run => {
                        self.full = true;
                        self.waiting.insert(order, token);
                    }
                    Wish::NotStart => {}
                    Wish::Cancel => {
                        let ended =
                            Command::Ended(token, Termination::Cancelled, Traces::default());
                        commands.push(ended);
                    }
                }
            }
        }
    }

    fn refused(&mut self, token: Token, exit: Termination, commands: &mut Vec<Command>) {
        let held = self.held.remove(&token);
        if held.is_some_and(|held| held.wish != Wish::NotStart) {
            commands.push(Command::Ended(token, exit, Traces::default()));
        }
    }

    fn listed(&mut self, listing: &Listing, commands: &mut Vec<Command>) {
        let mut jobs: BTreeMap<&str, &Listed> = BTreeMap::new();
        for job in &listing.jobs {
            let best = jobs.entry(&job.name).or_insert(job);
            if standing(job) > standing(best) {
                *best = job;
            }
        }
        let open = self
            .held
            .iter()
            .filter(|(_, held)| matches!(held.phase, Phase::Doubtful | Phase::Known { .. }));
        let tokens: Vec<Token> = open.map(|(token, _)| token.clone()).collect();
        let mut missing = Vec::new();
        for token in tokens {
            match jobs.get(token.to_string().as_str()) {
                Some(job) => self.seen(&token, job, commands),
                None => match self.held.get(&token).map(|held| &held.phase) {
                    Some(Phase::Known { id }) => missing.push((token, id.clone())),
                    _ if listing.complete => self.absent(&token, commands),
                    _ => {}
                },
            }
        }
        if !missing.is_empty() {
            commands.push(Command::Show(missing));
        }
    }

    fn seen(&mut self, token: &Token, job: &Listed, commands: &mut Vec<Command>) {
        let Some(held) = self.held.get_mut(token) else {
            return;
        };
        if matches!(held.phase, Phase::Ending { .. }) {
            return;
        }
        let adopted = held.adopted || held.phase == Phase::Doubtful;
        let noted = held.phase.id().is_some_and(|id| id == job.id);
        held.absences = 0;
        held.phase = Phase::Known { id: job.id.clone() };
        if !noted {
            commands.push(Command::Note(token.clone(), job.id.clone()));
        }
        match &job.state {
            State::Ended(fate) => {
                held.phase = Phase::Ending {
                    id: Some(job.id.clone()),
                    came: true,
                };
                // Cancelled while no engine was there: an engine that ends cancels its jobs, which is nobody's wish.
                let orphaned = adopted && *fate == Fate::Cancelled && held.wish == Wish::Run;
                let fate = (!orphaned).then(|| fate.clone());
                commands.push(Command::Trace(token.clone(), fate));
                return;
            }
            State::Running if !held.started => {
                held.started = true;
                if held.wish == Wish::NotStart {
                    held.wish = Wish::Run;
                }
                commands.push(Command::Started(token.clone()));
            }
            State::Running | State::Waiting | State::Completing | State::Unknown(_) => {}
        }
        held.adopted = false;
        match held.wish {
            Wish::Run => {}
            // The command was lost, or came before the job.
            Wish::NotStart => commands.push(Command::CancelWaiting(vec![token.clone()])),
            Wish::Cancel => commands.push(Command::Cancel(vec![token.clone()])),
        }
    }

    /// An answer that counts lacked a job. What it left is looked at as soon as the batch system denies an id: with its
    /// files there, no second look is needed.
    fn absent(&mut self, token: &Token, commands: &mut Vec<Command>) {
        let Some(held) = self.held.get_mut(token) else {
            return;
        };
        if !matches!(held.phase, Phase::Doubtful | Phase::Known { .. }) {
            return;
        }
        held.absences += 1;
        let id = held.phase.id();
        if id.is_some() || held.absences >= ABSENCES {
            let came = id.is_some() && !held.adopted;
            held.phase = Phase::Ending { id, came };
            commands.push(Command::Trace(token.clone(), None));
        }
    }

    fn traced(
        &mut self,
        token: Token,
        fate: Option<&Fate>,
        traces: Traces,
        commands: &mut Vec<Command>,
    ) {
        let Some(held) = self.held.get_mut(&token) else {
            return;
        };
        let Phase::Ending { id, came } = held.phase.clone() else {
            return;
        };
        let patience = if held.wish == Wish::Run { DENIALS } else { 1 };
        if id.is_some() && (1..patience).contains(&held.absences) && traces.is_empty() {
            held.phase = Phase::of(id);
            return;
        }
        let (wish, order) = (held.wish, held.order);
        self.held.remove(&token);
        match wish {
            Wish::Run if !came && traces.is_empty() => {
                self.waiting.insert(order, token);
            }
            // At the end of a run: the next engine looks for it and starts it.
            Wish::NotStart if traces.is_empty() => {}
            Wish::Run | Wish::NotStart | Wish::Cancel => {
                let evidence = Evidence {
                    recorded: traces.ended.as_ref().map(|ended| &ended.exit),
                    scheduler: fate,
                    cancelled: wish == Wish::Cancel,
                    ..Evidence::default()
                };
                let exit = evidence.verdict();
                if exit == Termination::Unseen {
                    // Its task is tried again: should the job be there after all, it must not run beside that.
                    commands.push(Command::Cancel(vec![token.clone()]));
                }
                commands.push(Command::Ended(token, exit, traces));
            }
        }
    }
}

impl Phase {
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

impl Held {
    fn new(order: u64, phase: Phase) -> Self {
        Self {
            order,
            phase,
            wish: Wish::Run,
            started: false,
            absences: 0,
            adopted: false,
        }
    }
}

/// Of jobs of one name the greatest counts: one that lives, else the one submitted last.
fn standing(job: &Listed) -> (bool, &str, usize, &str) {
    let lives = !matches!(job.state, State::Ended(_));
    (lives, &job.submitted, job.id.len(), &job.id)
}
