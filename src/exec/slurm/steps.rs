//! The `slurm` executor with blocks: tasks run as steps of allocations that are held for a while. Each step has a client
//! on this host, `srun`, run by the local executor; which block is asked for, and which task goes where, is decided in
//! `pool`.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::pool::{Command, Event, Pool, Rules};
use crate::exec::job_wrapper::{self, AttemptFiles};
use crate::exec::jobs::cancel_all;
use crate::exec::launch::now;
use crate::exec::process::{CLIENT, find_processes};
use crate::exec::transport::Here;
use crate::exec::{Executor, Exit, Found, Job, LocalExecutor, News, Report};
use crate::scheduler::slurm::{self as commands, minutes};
use crate::scheduler::{CommandHost, SubmissionParams, Unreachable};
use crate::task::Token;

/// From one look at the blocks to the next: while something is awaited, and while all runs as it should.
const POLL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// The file in an attempt's directory that names its block.
const BLOCK: &str = "block";

/// The blocks of a partition and what runs in them.
#[derive(Clone, Debug)]
pub struct Held {
    pub terms: SubmissionParams,
    /// Nodes of a block.
    pub nodes: usize,
    /// Nodes of a task.
    pub nodes_per_task: usize,
    /// Tasks of one node that a node has the cores for.
    pub tasks_per_node: usize,
    /// Tasks at once, at the most.
    pub slots: usize,
    pub rules: Rules,
}

/// The `slurm` executor with blocks.
pub struct BlockExecutor {
    inputs: Option<UnboundedSender<Input>>,
    busy: Arc<AtomicUsize>,
    slots: usize,
    thread: Option<JoinHandle<Vec<String>>>,
}

enum Input {
    Submit(Vec<Job>),
    Find(Vec<Job>),
    Cancel(Vec<Token>),
    EndOthers(String, Vec<Token>),
    DropWaiting,
}

impl BlockExecutor {
    /// An executor that reports to `reports`. `name`: unlike that of any other executor of
    /// any other run, so that an engine that comes after a crash finds the blocks of the one before, and only those.
    pub fn new(
        held: Held,
        here: Here,
        name: &str,
        reports: UnboundedSender<Report>,
    ) -> io::Result<Self> {
        let (sender, inputs) = unbounded_channel();
        let (clients, of_clients) = unbounded_channel();
        let busy = Arc::new(AtomicUsize::new(0));
        let slots = (held.rules.max * held.rules.capacity).min(held.slots);
        let thread = Thread {
            pool: Pool::new(held.rules.clone(), format!("{name}.block.")),
            local: LocalExecutor::of_clients(slots, CLIENT, clients)?,
            held,
            here,
            reports,
            busy: busy.clone(),
            jobs: BTreeMap::new(),
            commands: VecDeque::new(),
            begin: Instant::now(),
            looked: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let builder = std::thread::Builder::new().name("slurm blocks".into());
        let serve = move || runtime.block_on(thread.serve(inputs, of_clients));
        Ok(Self {
            inputs: Some(sender),
            busy,
            slots,
            thread: Some(builder.spawn(serve)?),
        })
    }

    fn input(&self, input: Input) {
        if let Some(inputs) = &self.inputs {
            let _ = inputs.send(input);
        }
    }
}

impl Executor for BlockExecutor {
    fn submit(&mut self, jobs: Vec<Job>) {
        self.input(Input::Submit(jobs));
    }

    fn find(&mut self, jobs: &[Job]) -> Vec<Found> {
        self.input(Input::Find(jobs.to_vec()));
        // What turns out never to have started is started then.
        vec![Found::Adopted; jobs.len()]
    }

    fn end_others(&mut self, run: &str, keep: &[Token]) {
        self.input(Input::EndOthers(run.to_owned(), keep.to_vec()));
    }

    fn cancel(&mut self, tokens: &[Token]) {
        self.input(Input::Cancel(tokens.to_vec()));
    }

    fn drop_waiting(&mut self) {
        self.input(Input::DropWaiting);
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn busy(&self) -> usize {
        self.busy.load(Ordering::SeqCst)
    }

    fn end(mut self: Box<Self>) -> Vec<String> {
        self.close()
    }
}

impl BlockExecutor {
    /// Releases all blocks, and so ends what runs in them; says what may be left of them.
    fn close(&mut self) -> Vec<String> {
        self.inputs = None;
        let thread = self.thread.take();
        thread.map_or_else(Vec::new, |thread| thread.join().unwrap_or_default())
    }
}

impl Drop for BlockExecutor {
    fn drop(&mut self) {
        for what in self.close() {
            tracing::error!("{what}");
        }
    }
}

struct Thread {
    held: Held,
    here: Here,
    pool: Pool,
    /// Runs the clients.
    local: LocalExecutor,
    reports: UnboundedSender<Report>,
    busy: Arc<AtomicUsize>,
    jobs: BTreeMap<Token, Job>,
    commands: VecDeque<Command>,
    begin: Instant,
    looked: Option<Instant>,
}

impl Thread {
    async fn serve(
        mut self,
        mut inputs: UnboundedReceiver<Input>,
        mut clients: UnboundedReceiver<Report>,
    ) -> Vec<String> {
        loop {
            while let Some(command) = self.commands.pop_front() {
                self.perform(command);
                self.count();
            }
            let due = self.due();
            tokio::select! {
                biased;
                input = inputs.recv() => match input {
                    Some(input) => self.input(input),
                    None => break,
                },
                Some(report) = clients.recv() => self.client(report),
                () = tokio::time::sleep_until(due.into()), if !self.pool.is_idle() => self.look(),
            }
        }
        let Self {
            mut here,
            pool,
            local,
            ..
        } = self;
        drop(local);
        let blocks = pool.blocks();
        if blocks.is_empty() {
            return Vec::new();
        }
        let cancel = || commands::cancel(&mut here, &blocks, false);
        let ended = cancel_all(pool.is_in_doubt(), cancel);
        let left = ended.err();
        left.map(|left| left.sentence("blocks", commands::CANCEL, pool.ids()))
            .into_iter()
            .collect()
    }

    /// When to look at the blocks.
    fn due(&self) -> Instant {
        let every = if self.pool.is_settled() {
            POLL.1
        } else {
            POLL.0
        };
        self.looked
            .map_or_else(Instant::now, |looked| looked + every)
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Submit(jobs) => self.want(jobs),
            Input::Find(jobs) => self.find(jobs),
            Input::Cancel(tokens) => self.handle(Event::Cancel(tokens)),
            Input::EndOthers(run, keep) => self.end_others(&format!("{run}."), &keep),
            Input::DropWaiting => self.handle(Event::DropWaiting),
        }
    }

    fn want(&mut self, jobs: Vec<Job>) {
        let tasks = jobs
            .iter()
            .map(|job| (job.token.clone(), job.limits.expected));
        let tasks = tasks.collect();
        self.jobs
            .extend(jobs.into_iter().map(|job| (job.token.clone(), job)));
        self.handle(Event::Wanted(tasks));
    }

    /// Takes over the steps whose clients an earlier engine left; what never started is started.
    fn find(&mut self, jobs: Vec<Job>) {
        let mut fresh = Vec::new();
        let clients: Vec<Job> = jobs.iter().map(|job| client_job(job, Vec::new())).collect();
        let found = self.local.find(&clients);
        for (job, found) in jobs.into_iter().zip(found) {
            match found {
                Found::Nothing => fresh.push(job),
                Found::Adopted => {
                    let block = fs::read_to_string(job.dir.join(BLOCK)).unwrap_or_default();
                    let token = job.token.clone();
                    self.jobs.insert(token.clone(), job);
                    self.handle(Event::Adopted(token, block));
                }
            }
        }
        self.want(fresh);
    }

    fn end_others(&mut self, run: &str, keep: &[Token]) {
        let other = |name: &str| !keep.iter().any(|token| token.to_string() == name);
        for process in find_processes(CLIENT, run).unwrap_or_default() {
            if other(&process.token) {
                let _ = kill_process(process.pid, Signal::TERM);
            }
        }
        let of_run = |name: &str| name.starts_with(run) && other(name);
        if let Err(why) = commands::cancel_steps(&mut self.here, of_run) {
            tracing::warn!("steps that an earlier engine cancelled may still run: {why}");
        }
    }

    fn handle(&mut self, event: Event) {
        let at = self.begin.elapsed();
        self.commands.extend(self.pool.handle(at, event));
        self.count();
    }

    /// Who sees nothing busy must find every end among the reports: those that are still to be told count.
    fn count(&self) {
        let ends = self.commands.iter();
        let ends = ends.filter(|command| matches!(command, Command::Ended(..)));
        let busy = self.pool.busy() + ends.count();
        self.busy.store(busy, Ordering::SeqCst);
    }

    /// Looks at all blocks at once.
    fn look(&mut self) {
        let doubtful = self.pool.doubtful();
        if !doubtful.is_empty() {
            self.look_at_steps(doubtful);
        }
        match commands::list(&mut self.here) {
            Ok(list) => self.handle(Event::Listed(list)),
            Err(Unreachable(why)) => {
                tracing::warn!("Slurm does not answer, nothing is concluded from that: {why}");
                self.handle(Event::Tick);
            }
        }
        self.looked = Some(Instant::now());
    }

    /// Steps may outlive their clients, and end then as they would have: their own files tell.
    fn look_at_steps(&mut self, tokens: Vec<Token>) {
        match commands::steps(&mut self.here) {
            Ok(steps) => {
                let runs = |token: &Token| {
                    let name = token.to_string();
                    steps.iter().any(|step| step.name == name)
                };
                let run_on = tokens.iter().filter(|token| runs(token)).cloned().collect();
                self.handle(Event::RunOn(run_on));
            }
            Err(why) => {
                // Nothing is concluded of them.
                tracing::warn!("Slurm does not tell of its steps: {why}");
                self.handle(Event::RunOn(tokens.clone()));
            }
        }
        for token in tokens {
            let traces = self
                .jobs
                .get(&token)
                .map(AttemptFiles::read)
                .unwrap_or_default();
            if traces.ended.is_some() {
                self.handle(Event::StepEnded(token, Exit::Unseen, traces));
            }
        }
    }

    fn client(&mut self, report: Report) {
        match report.news {
            News::Started => self.report(report.token, News::Started),
            News::Ended { exit, .. } => {
                let traces = self.jobs.get(&report.token).map(AttemptFiles::read);
                let traces = traces.unwrap_or_default();
                self.handle(Event::StepEnded(report.token, exit, traces));
            }
        }
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::Ask(name) => {
                let options = self.block_options();
                let answer = commands::submit_block(&mut self.here, &name, &options);
                tracing::info!("block {name}: {answer:?}");
                self.looked = Some(Instant::now());
                self.handle(Event::Asked(name, answer));
            }
            Command::Release(name) => {
                tracing::info!("block {name} is released");
                if let Err(Unreachable(why)) = commands::cancel(&mut self.here, &[name], false) {
                    tracing::warn!("Slurm does not answer: {why}");
                }
            }
            Command::Show(blocks) => self.show(blocks),
            Command::Start { token, block, id } => self.start(&token, &block, &id),
            // srun passes SIGTERM on, and ends the step; SIGKILL would leave it.
            Command::Kill(token) => {
                let token = token.to_string();
                let mut clients = find_processes(CLIENT, &token).unwrap_or_default();
                clients.retain(|process| process.token == token);
                for process in &clients {
                    let _ = kill_process(process.pid, Signal::TERM);
                }
                if clients.is_empty() {
                    self.end_step(&token);
                }
            }
            Command::Ended(token, exit, traces) => {
                self.jobs.remove(&token);
                if traces.ended.is_none() {
                    // Its client may have gone without it.
                    self.end_step(&token.to_string());
                }
                let news = News::Ended {
                    exit,
                    result: traces.result,
                    started: traces.ended.map(|ended| ended.started),
                };
                self.report(token, news);
            }
        }
    }

    fn show(&mut self, blocks: Vec<(String, String)>) {
        let ids: Vec<String> = blocks.iter().map(|(_, id)| id.clone()).collect();
        match commands::show(&mut self.here, &ids) {
            Ok(mut shown) => {
                for (name, id) in blocks {
                    if let Some(listed) = shown.remove(&id) {
                        self.handle(Event::Shown(name, listed));
                    }
                }
            }
            Err(Unreachable(why)) => {
                tracing::warn!("Slurm does not answer, nothing is concluded from that: {why}");
            }
        }
    }

    fn end_step(&mut self, token: &str) {
        if let Err(why) = commands::cancel_steps(&mut self.here, |name| name == token) {
            tracing::warn!("the step of {token} may still run: {why}");
        }
    }

    fn start(&mut self, token: &Token, block: &str, id: &str) {
        let Some(job) = self.jobs.get(token) else {
            return;
        };
        let terms = &self.held.terms;
        let nodes = self.held.nodes_per_task;
        let written = self.here.executable().map_err(io::Error::other);
        let written = written
            .map(|program| step_script(&terms.setup, &job_wrapper::command(&program), nodes))
            .and_then(|script| job_wrapper::write(job, &script))
            .and_then(|()| fs::write(job.dir.join(BLOCK), block));
        if let Err(e) = written {
            tracing::warn!("could not write the files of {token}: {e}");
            let exit = Exit::of_start(&e);
            let traces = AttemptFiles::of_start(&exit);
            self.handle(Event::StepEnded(token.clone(), exit, traces));
            return;
        }
        let script = job_wrapper::script_of(&job.dir);
        let mut argv: Vec<String> = [
            "srun",
            "--exact",
            "--ntasks-per-node=1",
            "--quiet",
            "--input=none",
            "--mpi=none",
            // Its processes on other nodes only hold those: they end with the first.
            "--wait=1",
        ]
        .map(str::to_owned)
        .into();
        argv.extend([
            format!("--nodes={nodes}"),
            format!("--ntasks={nodes}"),
            format!("--jobid={id}"),
            format!("--cpus-per-task={}", terms.cores_per_task),
            // Without a number of its own each step would take all memory of the block; 0 shares it.
            format!("--mem={}M", terms.resources.memory.unwrap_or(0)),
            format!("--job-name={token}"),
            format!("--chdir={}", job.dir.display()),
            // Steps that the task's launcher starts share what this one holds.
            "--export=ALL,SLURM_OVERLAP=1".into(),
        ]);
        argv.extend(gres(terms.resources.gpus));
        argv.extend(["/bin/sh".into(), script.display().to_string()]);
        let mut client = client_job(job, argv);
        client.env = self.here.env().to_vec();
        self.local.submit(vec![client]);
    }

    fn block_options(&self) -> Vec<String> {
        let SubmissionParams {
            batch,
            cores_per_task,
            resources,
            ..
        } = &self.held.terms;
        let tasks = self.held.tasks_per_node;
        let mut options = vec![
            format!("--time={}", minutes(self.pool.walltime())),
            format!("--nodes={}", self.held.nodes),
            format!("--cpus-per-task={cores_per_task}"),
            format!("--ntasks-per-node={tasks}"),
        ];
        let memory = resources.memory.map(|each| each * tasks as u64);
        options.extend(memory.map(|memory| format!("--mem={memory}M")));
        options.extend(gres(resources.gpus * tasks));
        let constraint = resources.constraint.iter();
        options.extend(constraint.map(|constraint| format!("--constraint={constraint}")));
        let queue = batch
            .queue
            .iter()
            .map(|queue| format!("--partition={queue}"));
        let account = batch
            .account
            .iter()
            .map(|account| format!("--account={account}"));
        options.extend(queue.chain(account));
        options.extend(batch.options.iter().cloned());
        options.push("--output=/dev/null".into());
        options.push("--wrap=exec sleep infinity".into());
        options
    }

    fn report(&self, token: Token, news: News) {
        let at = now();
        let _ = self.reports.send(Report { token, news, at });
    }
}

/// GPUs of each node, as Slurm's options name them.
fn gres(gpus: usize) -> Option<String> {
    (gpus > 0).then(|| format!("--gres=gpu:{gpus}"))
}

/// The script of a step: the task runs on the first of its nodes, and its launcher reaches the others.
fn step_script(setup: &[String], argv: &[String], nodes: usize) -> String {
    let mut lines = vec![format!("unset {CLIENT}")];
    let hold = "[ \"$SLURM_PROCID\" = 0 ] || exec sleep infinity".to_owned();
    lines.extend((nodes > 1).then_some(hold));
    lines.extend(setup.iter().cloned());
    job_wrapper::script(&lines, argv)
}

/// The client of a task's step.
fn client_job(job: &Job, argv: Vec<String>) -> Job {
    Job {
        argv,
        env: Vec::new(),
        files: Vec::new(),
        links: Vec::new(),
        limits: job.limits.of_client(),
        shape: None,
        ..job.clone()
    }
}
