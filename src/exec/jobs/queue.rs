//! A job a task: which jobs are submitted, looked for, cancelled and reported. Events in, commands out; no clock, no I/O.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fate, Listed, State, Submitted, verdict};
use crate::exec::Exit;
use crate::exec::batched::Traces;
use crate::task::Token;

/// Lists in a row that must lack a job before it is believed to be gone: the controller may take in a submission after
/// its client gave up.
const ABSENCES: u32 = 2;

/// The jobs of a partition.
#[derive(Debug, Default)]
pub struct Queue {
    /// Jobs in the batch system, at the most.
    limit: usize,
    next: u64,
    waiting: BTreeMap<u64, Token>,
    held: BTreeMap<Token, Held>,
}

/// A job that the batch system has, or may have.
#[derive(Debug)]
struct Held {
    order: u64,
    phase: Phase,
    wish: Wish,
    started: bool,
    /// Lists in a row that lacked it.
    absences: u32,
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
    /// The batch system is done with it; what it left is being read. `came`: whether the batch system ever had it.
    Ending {
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
    /// Jobs that an earlier engine may have submitted.
    Perhaps(Vec<Token>),
    Cancel(Vec<Token>),
    /// What has not started is not to start.
    DropWaiting,
    Submitted(Token, Submitted),
    /// The process that submits this job, left by an earlier engine, is still at it.
    StillComing(Token),
    Listed(Vec<Listed>),
    /// What the batch system says of the id that this job had.
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
    Submit(Token),
    Show(Token, String),
    Trace(Token, Option<Fate>),
    Cancel(Vec<Token>),
    /// Cancels those that have not started.
    CancelWaiting(Vec<Token>),
    Started(Token),
    Ended(Token, Exit, Traces),
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

    /// Tokens of those.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.held.keys()
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
                for token in tokens {
                    self.held
                        .insert(token, Held::new(self.next, Phase::Doubtful));
                    self.next += 1;
                }
            }
            Event::Cancel(tokens) => self.cancel(&tokens, &mut commands),
            Event::DropWaiting => self.drop_waiting(&mut commands),
            Event::Submitted(token, answer) => self.submitted(token, answer, &mut commands),
            Event::StillComing(token) => {
                if let Some(held) = self.held.get_mut(&token) {
                    held.phase = Phase::Doubtful;
                    held.absences = 0;
                }
            }
            Event::Listed(list) => self.listed(&list, &mut commands),
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
        while self.held.len() < self.limit
            && let Some((order, token)) = self.waiting.pop_first()
        {
            self.held
                .insert(token.clone(), Held::new(order, Phase::Submitting));
            commands.push(Command::Submit(token));
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
            Submitted::Refused(why) => self.refused(token, Exit::LaunchFailed(why), commands),
            Submitted::NotStarted(exit) => self.refused(token, exit, commands),
            // Tried again after it was missed in the next lists.
            Submitted::Full => held.phase = Phase::Doubtful,
        }
    }

    fn refused(&mut self, token: Token, exit: Exit, commands: &mut Vec<Command>) {
        let held = self.held.remove(&token);
        if held.is_some_and(|held| held.wish != Wish::NotStart) {
            commands.push(Command::Ended(token, exit, Traces::default()));
        }
    }

    fn listed(&mut self, list: &[Listed], commands: &mut Vec<Command>) {
        let mut jobs: BTreeMap<&str, &Listed> = BTreeMap::new();
        for job in list {
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
        for token in tokens {
            match jobs.get(token.to_string().as_str()) {
                Some(job) => self.seen(&token, job, commands),
                None => match self.held.get(&token).map(|held| &held.phase) {
                    Some(Phase::Known { id }) => {
                        commands.push(Command::Show(token, id.clone()));
                    }
                    _ => self.absent(&token, commands),
                },
            }
        }
    }

    fn seen(&mut self, token: &Token, job: &Listed, commands: &mut Vec<Command>) {
        let Some(held) = self.held.get_mut(token) else {
            return;
        };
        if matches!(held.phase, Phase::Ending { .. }) {
            return;
        }
        let adopted = held.phase == Phase::Doubtful;
        held.absences = 0;
        held.phase = Phase::Known { id: job.id.clone() };
        match &job.state {
            State::Ended(fate) => {
                held.phase = Phase::Ending { came: true };
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
        match held.wish {
            Wish::Run => {}
            // The command was lost, or came before the job.
            Wish::NotStart => commands.push(Command::CancelWaiting(vec![token.clone()])),
            Wish::Cancel => commands.push(Command::Cancel(vec![token.clone()])),
        }
    }

    fn absent(&mut self, token: &Token, commands: &mut Vec<Command>) {
        if let Some(held) = self.held.get_mut(token) {
            held.absences += 1;
            if held.absences >= ABSENCES {
                let came = held.phase != Phase::Doubtful;
                held.phase = Phase::Ending { came };
                commands.push(Command::Trace(token.clone(), None));
            }
        }
    }

    fn traced(
        &mut self,
        token: Token,
        fate: Option<&Fate>,
        traces: Traces,
        commands: &mut Vec<Command>,
    ) {
        let Some(Held {
            phase: Phase::Ending { came },
            wish,
            order,
            ..
        }) = self.held.remove(&token)
        else {
            return;
        };
        match wish {
            Wish::Run if !came && traces.is_empty() => {
                self.waiting.insert(order, token);
            }
            // At the end of a run: the next engine looks for it and starts it.
            Wish::NotStart if traces.is_empty() => {}
            Wish::Run | Wish::NotStart | Wish::Cancel => {
                let exit = verdict(fate, &traces, wish == Wish::Cancel);
                commands.push(Command::Ended(token, exit, traces));
            }
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
        }
    }
}

/// Of jobs of one name the greatest counts: one that lives, else the one submitted last.
fn standing(job: &Listed) -> (bool, &str, usize, &str) {
    let lives = !matches!(job.state, State::Ended(_));
    (lives, &job.submitted, job.id.len(), &job.id)
}
