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

use super::commands::{self, minutes};
use super::pool::{Command, Event, Pool, Rules};
use crate::exec::batch::Terms;
use crate::exec::batched::{self, Traces};
use crate::exec::launch::now;
use crate::exec::process::{CLIENT, find_processes};
use crate::exec::transport::{Here, Transport, Unreachable};
use crate::exec::{Executor, Found, Job, LocalExecutor, News, Report};
use crate::task::Token;

/// From one look at the blocks to the next: while something is awaited, and while all runs as it should.
const POLL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// The file in an attempt's directory that names its block.
const BLOCK: &str = "block";
/// What a client gets beyond the timeout of its task, which is ended where it runs.
const MARGIN: Duration = Duration::from_secs(60);

/// The blocks of a partition and what runs in them.
#[derive(Clone, Debug)]
pub struct Held {
    pub terms: Terms,
    /// Nodes of a block.
    pub nodes: usize,
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
    thread: Option<JoinHandle<()>>,
}

enum Input {
    Submit(Vec<Job>),
    Find(Vec<Job>),
    Cancel(Vec<Token>),
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
        for process in find_processes(CLIENT, &format!("{run}.")) {
            if !keep.iter().any(|token| token.to_string() == process.token) {
                let _ = kill_process(process.pid, Signal::TERM);
            }
        }
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
}

impl Drop for BlockExecutor {
    /// Releases all blocks, and so ends what runs in them.
    fn drop(&mut self) {
        self.inputs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
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
    ) {
        loop {
            while let Some(command) = self.commands.pop_front() {
                self.perform(command);
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
        let left = pool.blocks();
        if let Err(Unreachable(why)) = commands::cancel(&mut here, &left, false) {
            tracing::warn!("could not release {} blocks: {why}", left.len());
        }
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
            Input::DropWaiting => self.handle(Event::DropWaiting),
        }
    }

    fn want(&mut self, jobs: Vec<Job>) {
        let tasks = jobs.iter().map(|job| (job.token.clone(), job.expected));
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

    fn handle(&mut self, event: Event) {
        let at = self.begin.elapsed();
        self.commands.extend(self.pool.handle(at, event));
        self.busy.store(self.pool.busy(), Ordering::SeqCst);
    }

    /// Looks at all blocks at once.
    fn look(&mut self) {
        match commands::list(&mut self.here) {
            Ok(list) => self.handle(Event::Listed(list)),
            Err(Unreachable(why)) => {
                tracing::warn!("Slurm does not answer, nothing is concluded from that: {why}");
                self.handle(Event::Tick);
            }
        }
        self.looked = Some(Instant::now());
    }

    fn client(&mut self, report: Report) {
        match report.news {
            News::Started => self.report(report.token, News::Started),
            News::Ended { exit, .. } => {
                let traces = self.jobs.get(&report.token).map(Traces::read);
                let traces = traces.unwrap_or_default();
                self.handle(Event::StepEnded(report.token, exit, traces));
            }
        }
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::Ask(name) => {
                let options = self.block_options();
                let answer = commands::ask(&mut self.here, &name, &options);
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
            Command::Start { token, block, id } => self.start(&token, &block, &id),
            // srun passes SIGTERM on, and ends the step; SIGKILL would leave it.
            Command::Kill(token) => {
                let token = token.to_string();
                for process in find_processes(CLIENT, &token) {
                    if process.token == token {
                        let _ = kill_process(process.pid, Signal::TERM);
                    }
                }
            }
            Command::Ended(token, exit, traces) => {
                self.jobs.remove(&token);
                let news = News::Ended {
                    exit,
                    result: traces.result,
                    started: traces.ended.map(|ended| ended.started),
                };
                self.report(token, news);
            }
        }
    }

    fn start(&mut self, token: &Token, block: &str, id: &str) {
        let Some(job) = self.jobs.get(token) else {
            return;
        };
        let terms = &self.held.terms;
        let written = self.here.executable().map_err(io::Error::other);
        let written = written
            .map(|program| batched::script(&terms.setup, &batched::command(&program)))
            .and_then(|script| batched::write(job, &script))
            .and_then(|()| fs::write(job.dir.join(BLOCK), block));
        if let Err(e) = written {
            tracing::warn!("could not write the files of {token}: {e}");
        }
        let script = batched::script_of(&job.dir);
        let mut argv: Vec<String> = [
            "srun",
            "--exact",
            "--nodes=1",
            "--ntasks=1",
            "--quiet",
            "--input=none",
            "--mpi=none",
        ]
        .map(str::to_owned)
        .into();
        argv.extend([
            format!("--jobid={id}"),
            format!("--cpus-per-task={}", terms.cores_per_task),
            format!("--job-name={token}"),
            format!("--chdir={}", job.dir.display()),
            format!("--export=ALL,{CLIENT}="),
            "/bin/sh".into(),
            script.display().to_string(),
        ]);
        let mut client = client_job(job, argv);
        client.env = self.here.env().to_vec();
        self.local.submit(vec![client]);
    }

    fn block_options(&self) -> Vec<String> {
        let Terms {
            batch,
            cores_per_task,
            ..
        } = &self.held.terms;
        let mut options = vec![
            format!("--time={}", minutes(self.pool.walltime())),
            format!("--nodes={}", self.held.nodes),
            format!("--cpus-per-task={cores_per_task}"),
            format!("--ntasks-per-node={}", self.held.tasks_per_node),
        ];
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

/// The client of a task's step.
fn client_job(job: &Job, argv: Vec<String>) -> Job {
    Job {
        argv,
        env: Vec::new(),
        files: Vec::new(),
        links: Vec::new(),
        timeout: job.timeout + MARGIN,
        shape: None,
        ..job.clone()
    }
}
