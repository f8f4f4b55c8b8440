//! Laws of the queue against a scheduler that loses answers, forgets jobs, issues ids again and
//! words states in its own way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use super::event::{QueueCommand, QueueEvent};
use super::queue::Queue;
use crate::exec::Termination;
use crate::exec::actor::Core;
use crate::exec::job_wrapper::{AttemptEnd, AttemptFiles};
use crate::scheduler::{JobListing, JobOutcome, JobState, JobStatus, Submission};
use crate::task::{TaskId, Token};

fn token(task: u64) -> Token {
    Token {
        run: "1f".into(),
        task: TaskId(task),
        attempt: 1,
    }
}

/// Action of the queue, the user or the scheduler.
#[derive(Clone, Debug)]
enum QueueAction {
    /// The commands of the queue are carried out, this many.
    Carry(usize),
    /// The answer of the next submission is lost; `taken`: after the controller took it in.
    LoseAnswer {
        taken: bool,
    },
    Poll,
    /// A list that lacks jobs. `told`: it says so. If not, it lacks only jobs whose ids were noted:
    /// of another nobody could ask.
    PollPart {
        lacking: u16,
        told: bool,
    },
    /// An answer about ids that leaves some of them out.
    ShowPart(u16),
    Start(usize),
    End(usize, JobOutcome),
    /// A state is worded in a way that is not known.
    Odd(usize),
    /// The controller forgets what has ended.
    Forget,
    /// The engine dies, and the next looks for all that was not reported.
    Die,
    Cancel(u64),
}

fn actions() -> impl Strategy<Value = QueueAction> {
    let outcome = prop::sample::select(vec![
        JobOutcome::Completed,
        JobOutcome::Failed("FAILED".into()),
        JobOutcome::Walltime,
        JobOutcome::Cancelled,
        JobOutcome::NodeLost("NODE_FAIL".into()),
    ]);
    prop_oneof![
        6 => (1usize..9).prop_map(QueueAction::Carry),
        1 => any::<bool>().prop_map(|taken| QueueAction::LoseAnswer { taken }),
        5 => Just(QueueAction::Poll),
        4 => any::<(u16, bool)>().prop_map(|(lacking, told)| QueueAction::PollPart { lacking, told }),
        2 => any::<u16>().prop_map(QueueAction::ShowPart),
        4 => (0usize..9).prop_map(QueueAction::Start),
        4 => ((0usize..9), outcome).prop_map(|(i, outcome)| QueueAction::End(i, outcome)),
        1 => (0usize..9).prop_map(QueueAction::Odd),
        1 => Just(QueueAction::Forget),
        1 => Just(QueueAction::Die),
        1 => (1u64..13).prop_map(QueueAction::Cancel),
    ]
}

/// Returns actions under which answers often lack jobs.
fn lacking() -> impl Strategy<Value = QueueAction> {
    prop_oneof![
        4 => any::<(u16, bool)>().prop_map(|(lacking, told)| QueueAction::PollPart { lacking, told }),
        2 => any::<u16>().prop_map(QueueAction::ShowPart),
        4 => (1usize..9).prop_map(QueueAction::Carry),
        1 => (0usize..9).prop_map(QueueAction::Start),
        1 => Just(QueueAction::Die),
    ]
}

#[derive(Default)]
struct QueueSimulation {
    queue: Queue,
    limit: usize,
    commands: VecDeque<QueueCommand>,
    listed: BTreeMap<String, JobStatus>,
    /// Ids start again after the controller forgot.
    next_id: u32,
    lose: Option<bool>,
    /// Ids that the next answer about ids leaves out.
    unsaid: u16,
    /// Ids beside the jobs, which outlive an engine.
    noted: BTreeMap<Token, String>,
    files: BTreeMap<Token, AttemptFiles>,
    /// Number of submissions of each that the scheduler accepted.
    taken: BTreeMap<Token, u32>,
    order: Vec<u64>,
    reported: BTreeMap<Token, Termination>,
    outstanding: BTreeSet<Token>,
    cancelled: BTreeSet<Token>,
}

impl QueueSimulation {
    fn new(limit: usize, tasks: u64) -> Self {
        let mut simulation = Self {
            queue: Queue::new(limit),
            limit,
            ..Self::default()
        };
        simulation.outstanding = (1..=tasks).map(token).collect();
        simulation.event(QueueEvent::Submit((1..=tasks).map(token).collect()));
        simulation
    }

    /// The live jobs of each token are one.
    fn no_job_is_doubled(&self) -> Result<(), TestCaseError> {
        let mut names = BTreeSet::new();
        let lives = |job: &&JobStatus| !matches!(job.state, JobState::Ended(_));
        for job in self.listed.values().filter(lives) {
            prop_assert!(names.insert(&job.name), "{} is there twice", job.name);
        }
        Ok(())
    }

    fn event(&mut self, event: QueueEvent) {
        let commands = self.queue.handle(Duration::ZERO, event);
        self.commands.extend(commands);
    }

    fn live(&self) -> usize {
        let lives = |job: &&JobStatus| !matches!(job.state, JobState::Ended(_));
        self.listed.values().filter(lives).count()
    }

    fn nth_live(&mut self, n: usize) -> Option<&mut JobStatus> {
        let lives = |job: &&mut JobStatus| !matches!(job.state, JobState::Ended(_));
        let mut live: Vec<_> = self.listed.values_mut().filter(lives).collect();
        (!live.is_empty())
            .then(|| n % live.len())
            .map(|n| live.swap_remove(n))
    }

    fn submit(&mut self, token: &Token) -> Submission {
        self.noted.remove(token);
        let lose = self.lose.take();
        if lose != Some(false) {
            self.next_id += 1;
            *self.taken.entry(token.clone()).or_default() += 1;
            self.order.push(token.task.0);
            let job = JobStatus {
                id: self.next_id.to_string(),
                name: token.to_string(),
                state: JobState::Pending,
                submitted: format!("{:05}", self.order.len()),
                reason: String::new(),
                left: None,
            };
            self.listed.insert(job.id.clone(), job);
        }
        match lose {
            None => Submission::Accepted(self.next_id.to_string()),
            Some(_) => Submission::Unknown,
        }
    }

    /// A list without the jobs whose bits are set in `lacking`; one that does not say so lacks only
    /// noted ones.
    fn poll(&mut self, lacking: u16, told: bool) {
        let jobs = self.listed.values().zip((0..16).cycle());
        let is_noted = |job: &JobStatus| {
            let token: Token = job.name.parse().expect("a token");
            self.noted.get(&token) == Some(&job.id)
        };
        let listed = jobs.filter(|(job, bit)| {
            let lacks = lacking & (1 << bit) != 0;
            !(lacks && (told || is_noted(job)))
        });
        let jobs = listed.map(|(job, _)| job.clone()).collect();
        let complete = !told;
        self.event(QueueEvent::Listed(JobListing { jobs, complete }));
    }

    fn carry_out(&mut self, command: QueueCommand) {
        match command {
            QueueCommand::Submit(tokens) => {
                for token in tokens {
                    let answer = self.submit(&token);
                    if let Submission::Accepted(id) = &answer {
                        self.noted.insert(token.clone(), id.clone());
                    }
                    self.event(QueueEvent::Submitted(token, answer));
                }
            }
            QueueCommand::Show(jobs) => {
                let unsaid = std::mem::take(&mut self.unsaid);
                for ((token, id), bit) in jobs.into_iter().zip((0..16).cycle()) {
                    if unsaid & (1 << bit) == 0 {
                        let shown = self.listed.get(&id).cloned();
                        self.event(QueueEvent::Shown(token, shown));
                    }
                }
            }
            QueueCommand::Note(token, id) => drop(self.noted.insert(token, id)),
            QueueCommand::ReadFiles(token, outcome) => {
                let files = self.files.get(&token).cloned().unwrap_or_default();
                self.event(QueueEvent::FilesRead {
                    token,
                    outcome,
                    files,
                });
            }
            QueueCommand::Cancel(tokens) => {
                let names: BTreeSet<String> = tokens.iter().map(Token::to_string).collect();
                for job in self.listed.values_mut() {
                    if names.contains(&job.name) && !matches!(job.state, JobState::Ended(_)) {
                        job.state = JobState::Ended(JobOutcome::Cancelled);
                    }
                }
            }
            QueueCommand::CancelPending(_) => unreachable!("nothing is dropped here"),
            QueueCommand::Started(_) => {}
            QueueCommand::Ended(token, exit, _) => {
                self.outstanding.remove(&token);
                assert_eq!(self.reported.insert(token, exit), None, "reported twice");
            }
        }
    }

    fn apply(&mut self, action: QueueAction) {
        match action {
            QueueAction::Carry(count) => {
                for _ in 0..count {
                    if let Some(command) = self.commands.pop_front() {
                        self.carry_out(command);
                    }
                }
            }
            QueueAction::LoseAnswer { taken } => self.lose = Some(taken),
            QueueAction::Poll => self.poll(0, false),
            QueueAction::PollPart { lacking, told } => self.poll(lacking, told),
            QueueAction::ShowPart(unsaid) => self.unsaid = unsaid,
            QueueAction::Start(n) => {
                if let Some(job) = self.nth_live(n) {
                    job.state = JobState::Running;
                }
            }
            QueueAction::End(n, outcome) => {
                if let Some(job) = self.nth_live(n) {
                    job.state = JobState::Ended(outcome.clone());
                    let token: Token = job.name.parse().expect("a token");
                    let code = i32::from(outcome != JobOutcome::Completed);
                    let ended = Some(AttemptEnd {
                        exit: Termination::Code(code),
                        started: 0,
                        ended: 1,
                    });
                    if matches!(outcome, JobOutcome::Completed | JobOutcome::Failed(_)) {
                        let result = None;
                        self.files.insert(token, AttemptFiles { result, ended });
                    }
                }
            }
            QueueAction::Odd(n) => {
                if let Some(job) = self.nth_live(n) {
                    job.state = JobState::Unknown("HUH".into());
                }
            }
            QueueAction::Forget => {
                let (files, taken) = (&self.files, &mut self.taken);
                self.listed.retain(|_, job| {
                    let token: Token = job.name.parse().expect("a token");
                    let forgotten = matches!(job.state, JobState::Ended(_));
                    if forgotten && !files.contains_key(&token) {
                        // Nothing is left of it: it rightly starts again.
                        taken.remove(&token);
                    }
                    !forgotten
                });
                if self.listed.is_empty() {
                    self.next_id = 0;
                }
            }
            QueueAction::Die => {
                self.queue = Queue::new(self.limit);
                self.commands.clear();
                let note = |token: &Token| (token.clone(), self.noted.get(token).cloned());
                let outstanding = self.outstanding.iter().map(note).collect();
                self.event(QueueEvent::Adopt(outstanding));
            }
            QueueAction::Cancel(task) => {
                if self.outstanding.remove(&token(task)) {
                    self.cancelled.insert(token(task));
                    self.event(QueueEvent::Cancel(vec![token(task)]));
                }
            }
        }
    }

    /// Lets all that is there come to its end.
    fn settle(&mut self) {
        for _ in 0..400 {
            self.apply(QueueAction::Carry(1000));
            self.apply(QueueAction::Poll);
            self.apply(QueueAction::Carry(1000));
            self.apply(QueueAction::Start(0));
            self.apply(QueueAction::End(0, JobOutcome::Completed));
        }
    }
}

proptest! {
    #[test]
    fn every_job_is_reported_once_and_none_is_doubled(
        limit in 1usize..5,
        tasks in 1u64..13,
        actions in prop::collection::vec(actions(), 0..120),
    ) {
        let mut simulation = QueueSimulation::new(limit, tasks);
        for action in actions {
            simulation.apply(action);
            simulation.no_job_is_doubled()?;
        }
        simulation.settle();
        prop_assert_eq!(&simulation.outstanding, &BTreeSet::new());
        prop_assert_eq!(simulation.queue.unreported(), 0);
        prop_assert_eq!(simulation.live(), 0);
        for (token, exit) in &simulation.reported {
            if *exit == Termination::Code(0) {
                prop_assert_eq!(simulation.taken[token], 1, "{} ran twice", token);
            }
        }
    }

    #[test]
    fn an_engine_that_comes_later_doubles_no_job_whatever_answers_lack(
        limit in 1usize..5,
        tasks in 1u64..9,
        noted in any::<bool>(),
        actions in prop::collection::vec(lacking(), 0..60),
    ) {
        let mut simulation = QueueSimulation::new(limit, tasks);
        simulation.apply(QueueAction::Carry(1));
        if !noted {
            simulation.noted.clear();
        }
        simulation.apply(QueueAction::Die);
        for action in actions {
            simulation.apply(action);
            simulation.no_job_is_doubled()?;
        }
    }

    #[test]
    fn the_limit_is_kept_and_jobs_start_in_order(
        limit in 1usize..5,
        tasks in 1u64..13,
        actions in prop::collection::vec(actions(), 0..120),
    ) {
        let mut simulation = QueueSimulation::new(limit, tasks);
        for action in actions {
            match action {
                // The jobs of an earlier engine are adopted, whatever the limit; and an order that
                // was lost with an answer cannot be kept.
                QueueAction::Die | QueueAction::LoseAnswer { .. } => continue,
                action => simulation.apply(action),
            }
            prop_assert!(simulation.live() <= limit);
        }
        prop_assert!(simulation.order.is_sorted(), "{:?}", simulation.order);
    }
}
