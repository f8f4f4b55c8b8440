//! Executor `slurm` with blocks: tasks run as steps of jobs that hold nodes for a while. Each step
//! has a client on this host, `srun`, run by the local executor. `pool` decides when a block is
//! submitted and which task runs in which block.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use tokio::sync::mpsc::UnboundedSender;

use super::pool::{BlockCommand, BlockEvent, BlockPolicy, BlockPool};
use super::step;
use crate::exec::actor::{Actor, Backend};
use crate::exec::job_wrapper::{self, AttemptFiles};
use crate::exec::jobs::cancel_all;
use crate::exec::process::{CLIENT, find_processes};
use crate::exec::transport::LocalTransport;
use crate::exec::{Adoption, Executor, Job, JobEvent, LocalExecutor, Report, Termination};
use crate::scheduler::slurm as commands;
use crate::scheduler::{CommandHost, SubmissionParams, Unreachable};
use crate::task::Token;

/// Period of the polls while something is expected to change.
const POLL_SOON: Duration = Duration::from_secs(1);
/// Period of the polls while all blocks and steps just run.
const POLL_SETTLED: Duration = Duration::from_secs(10);
/// File in an attempt's directory that names its block.
const BLOCK: &str = "block";

/// Blocks of a partition, and the tasks that run in them.
#[derive(Clone, Debug)]
pub struct BlockParams {
    /// Queue, account, resources and setup of the jobs that hold blocks.
    pub terms: SubmissionParams,
    /// Nodes of a block.
    pub nodes: usize,
    /// Nodes of a task.
    pub nodes_per_task: usize,
    /// Tasks of one node for which a node has the cores.
    pub tasks_per_node: usize,
    /// Most tasks at once.
    pub slots: usize,
    /// Number, size and lifetime of the blocks.
    pub policy: BlockPolicy,
}

/// Executor that runs tasks as steps in blocks of nodes.
pub type BlockExecutor = Actor<BlockBackend>;

impl BlockExecutor {
    /// Creates an executor that reports to `reports`. `name` must differ from that of any other
    /// executor of any run: an engine that resumes after a crash finds the blocks of the one before
    /// by it, and only those.
    ///
    /// # Errors
    ///
    /// The host starts no thread, or has no process descriptors.
    pub fn new(
        params: BlockParams,
        here: LocalTransport,
        name: &str,
        reports: UnboundedSender<Report>,
    ) -> io::Result<Self> {
        let slots = (params.policy.max * params.policy.capacity).min(params.slots);
        let pool = BlockPool::new(params.policy.clone(), slots, format!("{name}.block."));
        Self::start(pool, |signals| {
            Ok(BlockBackend {
                local: LocalExecutor::of_clients(slots, CLIENT, move |report| {
                    signals.send(report)
                })?,
                params,
                here,
                reports,
                jobs: BTreeMap::new(),
                polled: None,
            })
        })
    }
}

/// I/O of the block executor: commands of Slurm, and clients of steps.
pub struct BlockBackend {
    params: BlockParams,
    here: LocalTransport,
    /// Runs the clients.
    local: LocalExecutor,
    reports: UnboundedSender<Report>,
    jobs: BTreeMap<Token, Job>,
    polled: Option<Instant>,
}

impl Backend for BlockBackend {
    type Core = BlockPool;
    type Signal = Report;

    const NAME: &'static str = "slurm blocks";
    const ADOPTS_AT_ONCE: bool = false;

    fn submit(&mut self, jobs: Vec<Job>) -> Vec<BlockEvent> {
        let tasks = jobs
            .iter()
            .map(|job| (job.token.clone(), job.limits.expected));
        let tasks = tasks.collect();
        self.jobs
            .extend(jobs.into_iter().map(|job| (job.token.clone(), job)));
        vec![BlockEvent::Submitted(tasks)]
    }

    /// Takes over the steps whose clients an earlier engine left; what never started is started.
    fn adopt(&mut self, jobs: Vec<Job>) -> (Vec<Adoption>, Vec<BlockEvent>) {
        let (mut fresh, mut events) = (Vec::new(), Vec::new());
        let clients = jobs.iter().map(|job| step::client_job(job, Vec::new()));
        let found = self.local.find(&clients.collect::<Vec<_>>());
        for (job, found) in jobs.into_iter().zip(&found) {
            match found {
                Adoption::NotStarted => fresh.push(job),
                Adoption::Adopted => {
                    let block = fs::read_to_string(job.dir.join(BLOCK)).unwrap_or_default();
                    let token = job.token.clone();
                    self.jobs.insert(token.clone(), job);
                    events.push(BlockEvent::Adopted(token, block));
                }
            }
        }
        events.extend(self.submit(fresh));
        (vec![Adoption::Adopted; found.len()], events)
    }

    fn cancel(&mut self, tokens: Vec<Token>) -> Vec<BlockEvent> {
        vec![BlockEvent::Cancel(tokens)]
    }

    fn drop_waiting(&mut self) -> Vec<BlockEvent> {
        vec![BlockEvent::DropWaiting]
    }

    fn end_others(&mut self, _: &BlockPool, run: &str, keep: &[Token]) -> Vec<BlockEvent> {
        let prefix = format!("{run}.");
        let other = |name: &str| !keep.iter().any(|token| token.to_string() == name);
        for process in find_processes(CLIENT, &prefix).unwrap_or_default() {
            if other(&process.token) {
                let _ = kill_process(process.pid, Signal::TERM);
            }
        }
        let of_run = |name: &str| name.starts_with(&prefix) && other(name);
        if let Err(why) = commands::cancel_steps(&mut self.here, of_run) {
            tracing::warn!("steps that an earlier engine cancelled may still run: {why}");
        }
        Vec::new()
    }

    /// Takes the report of a client.
    fn signal(&mut self, _: &BlockPool, report: Report) -> Vec<BlockEvent> {
        match report.event {
            JobEvent::Started => {
                self.report(report.token, JobEvent::Started);
                Vec::new()
            }
            JobEvent::Ended { exit, .. } => {
                let traces = self.jobs.get(&report.token).map(AttemptFiles::read);
                let traces = traces.unwrap_or_default();
                vec![BlockEvent::ClientEnded(report.token, exit, traces)]
            }
        }
    }

    fn perform(&mut self, command: BlockCommand) -> Vec<BlockEvent> {
        match command {
            BlockCommand::Submit(name) => {
                let options = step::block_options(&self.params);
                let answer = commands::submit_block(&mut self.here, &name, &options);
                tracing::info!("block {name}: {answer:?}");
                self.polled = Some(Instant::now());
                return vec![BlockEvent::BlockSubmitted(name, answer)];
            }
            BlockCommand::Release(name) => {
                tracing::info!("block {name} is released");
                if let Err(Unreachable(why)) = commands::cancel(&mut self.here, &[name], false) {
                    tracing::warn!("Slurm does not answer: {why}");
                }
            }
            BlockCommand::Show(blocks) => return self.show(blocks),
            BlockCommand::Start { token, block, id } => return self.start(&token, &block, &id),
            BlockCommand::Terminate(token) => self.terminate(&token),
            BlockCommand::Report(token, exit, traces) => {
                self.jobs.remove(&token);
                if traces.ended.is_none() {
                    // Its client may have gone without it.
                    self.cancel_step(&token.to_string());
                }
                self.report(token, traces.into_end(exit));
            }
        }
        Vec::new()
    }

    fn next_poll(&self, pool: &BlockPool) -> Option<Instant> {
        let period = match pool.is_settled() {
            true => POLL_SETTLED,
            false => POLL_SOON,
        };
        let next = || self.polled.map_or_else(Instant::now, |at| at + period);
        (!pool.is_idle()).then(next)
    }

    /// Asks Slurm for all blocks at once.
    fn poll(&mut self, pool: &BlockPool) -> Vec<BlockEvent> {
        let mut events = Vec::new();
        let doubtful = pool.doubtful();
        if !doubtful.is_empty() {
            events.extend(self.poll_steps(doubtful));
        }
        events.push(match commands::list(&mut self.here) {
            Ok(list) => BlockEvent::Listed(list),
            Err(Unreachable(why)) => {
                tracing::warn!("Slurm is unreachable; job states are left unchanged: {why}");
                BlockEvent::Tick
            }
        });
        self.polled = Some(Instant::now());
        events
    }

    /// Releases all blocks, which ends what runs in them.
    fn shut_down(
        self,
        pool: BlockPool,
        _: &mut dyn FnMut(Duration) -> Option<Report>,
    ) -> Vec<String> {
        let Self {
            mut here, local, ..
        } = self;
        drop(local);
        let blocks = pool.blocks();
        if blocks.is_empty() {
            return Vec::new();
        }
        let cancel = || commands::cancel(&mut here, &blocks, false);
        let left = cancel_all(pool.is_in_doubt(), cancel).err();
        left.map(|left| left.sentence("blocks", commands::CANCEL, pool.ids()))
            .into_iter()
            .collect()
    }
}

impl BlockBackend {
    /// Asks for steps whose clients have ended: they may run on, and end then as they would have.
    /// Then their own files tell how.
    fn poll_steps(&mut self, tokens: Vec<Token>) -> Vec<BlockEvent> {
        let running = match commands::steps(&mut self.here) {
            Ok(steps) => {
                let runs = |token: &&Token| {
                    let name = token.to_string();
                    steps.iter().any(|step| step.name == name)
                };
                tokens.iter().filter(runs).cloned().collect()
            }
            Err(why) => {
                // Nothing is concluded from that.
                tracing::warn!("Slurm does not list its steps: {why}");
                tokens.clone()
            }
        };
        let mut events = vec![BlockEvent::StepsRunning(running)];
        for token in tokens {
            let traces = self
                .jobs
                .get(&token)
                .map(AttemptFiles::read)
                .unwrap_or_default();
            if traces.ended.is_some() {
                events.push(BlockEvent::ClientEnded(token, Termination::Unseen, traces));
            }
        }
        events
    }

    fn show(&mut self, blocks: Vec<(String, String)>) -> Vec<BlockEvent> {
        let ids: Vec<String> = blocks.iter().map(|(_, id)| id.clone()).collect();
        match commands::show(&mut self.here, &ids) {
            Ok(mut shown) => {
                let event = |(name, id)| Some(BlockEvent::Shown(name, shown.remove(&id)?));
                blocks.into_iter().filter_map(event).collect()
            }
            Err(Unreachable(why)) => {
                tracing::warn!("Slurm is unreachable; job states are left unchanged: {why}");
                Vec::new()
            }
        }
    }

    /// Starts the client of a step in a block.
    fn start(&mut self, token: &Token, block: &str, id: &str) -> Vec<BlockEvent> {
        let Some(job) = self.jobs.get(token) else {
            return Vec::new();
        };
        let written = self.here.executable().map_err(io::Error::other);
        let written = written
            .map(|program| step::script(&self.params, &job_wrapper::command(&program)))
            .and_then(|script| job_wrapper::write(job, &script))
            .and_then(|()| fs::write(job.dir.join(BLOCK), block));
        if let Err(e) = written {
            tracing::warn!("could not write the files of {token}: {e}");
            let exit = Termination::of_start(&e);
            let traces = AttemptFiles::of_start(&exit);
            return vec![BlockEvent::ClientEnded(token.clone(), exit, traces)];
        }
        let argv = step::srun(&self.params, &token.to_string(), id, &job.dir);
        let mut client = step::client_job(job, argv);
        client.env = self.here.env().to_vec();
        self.local.submit(vec![client]);
        Vec::new()
    }

    /// Terminates the client of a step: `srun` passes SIGTERM on and ends the step, which SIGKILL
    /// would leave behind.
    fn terminate(&mut self, token: &Token) {
        let token = token.to_string();
        let mut clients = find_processes(CLIENT, &token).unwrap_or_default();
        clients.retain(|process| process.token == token);
        for process in &clients {
            let _ = kill_process(process.pid, Signal::TERM);
        }
        if clients.is_empty() {
            self.cancel_step(&token);
        }
    }

    fn cancel_step(&mut self, token: &str) {
        if let Err(why) = commands::cancel_steps(&mut self.here, |name| name == token) {
            tracing::warn!("the step of {token} may still run: {why}");
        }
    }

    fn report(&self, token: Token, event: JobEvent) {
        let _ = self.reports.send(Report::now(token, event));
    }
}
