//! Tasks on the nodes of a batch job. Each has a client on this host, run by the local executor: the launcher that starts
//! it on its node, or the task itself where that starts an MPI program over its nodes. Which nodes is decided in `pool`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Signal, kill_process_group};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::pool::Pool;
use super::probe::OnNode;
use super::share::placed_by;
use crate::exec::gpus::VISIBLE;
use crate::exec::job_wrapper::{self, AttemptFiles};
use crate::exec::launch::{now, prepare};
use crate::exec::process::{CLIENT, find_processes, token_of};
use crate::exec::{Executor, Exit, Found, HOSTS, Job, LocalExecutor, News, Report};
use crate::scheduler::SCHEDULERS;
use crate::task::Launch;
use crate::task::Token;

/// How long clients may take to end what they started, when the engine leaves.
const LEAVE: Duration = Duration::from_secs(5);
/// Looks, a second apart, for what a task left that its launcher says went well: a file of another host may show late.
const LOOKS: u32 = 10;
/// What a partition has of a batch job.
#[derive(Clone, Debug)]
pub struct Settings {
    pub nodes: Vec<String>,
    pub nodes_per_task: usize,
    pub tasks_per_node: usize,
    /// The GPUs of each of the tasks that share a node, as `VISIBLE` has them; none if they have none of their own.
    pub gpus: Vec<String>,
    /// How one rank is started on a node; None in a job of one node, where tasks are processes of this host.
    pub launch: Option<Launch>,
    /// Shell lines before a task.
    pub setup: Vec<String>,
    /// This program, as the nodes see it.
    pub executable: PathBuf,
}

/// The `allocation` executor.
pub struct AllocationExecutor {
    inputs: Option<UnboundedSender<Input>>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Counts {
    slots: AtomicUsize,
    busy: AtomicUsize,
}

enum Input {
    Submit(Vec<Job>),
    Find(Vec<Job>, mpsc::Sender<Vec<Found>>),
    Cancel(Vec<Token>),
    DropWaiting,
}

/// Returns true for variables of schedulers, which launchers need.
fn is_of_scheduler(name: &str) -> bool {
    let mut prefixes = SCHEDULERS
        .iter()
        .flat_map(|dialect| dialect.variable_prefixes);
    prefixes.any(|prefix| name.starts_with(prefix))
}

/// A client that has ended: what it came to, and which of its nodes do not answer any more.
#[derive(Clone)]
struct Ended {
    token: Token,
    exit: Exit,
    started: Option<i64>,
    lost: Vec<String>,
}

impl AllocationExecutor {
    /// An executor that reports to `reports`.
    pub fn new(settings: Settings, reports: UnboundedSender<Report>) -> io::Result<Self> {
        let (sender, inputs) = unbounded_channel();
        let (to_clients, clients) = unbounded_channel();
        let (to_ended, ended) = unbounded_channel();
        let env: Vec<(String, String)> = std::env::vars()
            .filter(|(name, _)| is_of_scheduler(name))
            .collect();
        let on_node = settings.launch.clone().map(|launch| OnNode {
            launch,
            env: env.clone(),
        });
        if let (Some(on_node), Some(node)) = (&on_node, settings.nodes.first()) {
            on_node
                .argv(node, Path::new("."))
                .map_err(io::Error::other)?;
        }
        let pool = Pool::new(
            settings.nodes.clone(),
            settings.nodes_per_task,
            settings.tasks_per_node,
        );
        let counts = Arc::new(Counts::default());
        counts.slots.store(pool.slots(), Ordering::SeqCst);
        let thread = Thread {
            local: LocalExecutor::of_clients(pool.slots(), CLIENT, to_clients)?,
            pool,
            settings,
            env,
            on_node,
            reports,
            ended: to_ended,
            counts: counts.clone(),
            jobs: BTreeMap::new(),
            shares: BTreeMap::new(),
            cancelled: BTreeSet::new(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let builder = std::thread::Builder::new().name("allocation".into());
        let serve = move || runtime.block_on(thread.serve(inputs, clients, ended));
        Ok(Self {
            inputs: Some(sender),
            counts,
            thread: Some(builder.spawn(serve)?),
        })
    }

    fn input(&self, input: Input) {
        if let Some(inputs) = &self.inputs {
            let _ = inputs.send(input);
        }
    }
}

impl Executor for AllocationExecutor {
    fn submit(&mut self, jobs: Vec<Job>) {
        self.input(Input::Submit(jobs));
    }

    fn find(&mut self, jobs: &[Job]) -> Vec<Found> {
        let (sender, found) = mpsc::channel();
        self.input(Input::Find(jobs.to_vec(), sender));
        found.recv().unwrap_or_default()
    }

    fn end_others(&mut self, run: &str, keep: &[Token]) {
        let keep: Vec<String> = keep.iter().map(Token::to_string).collect();
        terminate(&format!("{run}."), |token| {
            !keep.iter().any(|kept| kept == token)
        });
    }

    fn cancel(&mut self, tokens: &[Token]) {
        self.input(Input::Cancel(tokens.to_vec()));
    }

    fn drop_waiting(&mut self) {
        self.input(Input::DropWaiting);
    }

    fn slots(&self) -> usize {
        self.counts.slots.load(Ordering::SeqCst)
    }

    fn busy(&self) -> usize {
        self.counts.busy.load(Ordering::SeqCst)
    }
}

impl Drop for AllocationExecutor {
    /// Ends what still runs.
    fn drop(&mut self) {
        self.inputs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Thread {
    settings: Settings,
    pool: Pool,
    /// Runs the clients.
    local: LocalExecutor,
    /// The variables of the batch system.
    env: Vec<(String, String)>,
    on_node: Option<OnNode>,
    reports: UnboundedSender<Report>,
    ended: UnboundedSender<Ended>,
    counts: Arc<Counts>,
    jobs: BTreeMap<Token, Job>,
    /// The first node of each task that has GPUs, and which share of that node's it has.
    shares: BTreeMap<Token, (String, usize)>,
    cancelled: BTreeSet<Token>,
}

impl Thread {
    async fn serve(
        mut self,
        mut inputs: UnboundedReceiver<Input>,
        mut clients: UnboundedReceiver<Report>,
        mut ended: UnboundedReceiver<Ended>,
    ) {
        loop {
            while let Some((token, nodes)) = self.pool.start_next() {
                self.start(&token, &nodes);
            }
            self.counts.slots.store(self.pool.slots(), Ordering::SeqCst);
            self.counts.busy.store(self.pool.busy(), Ordering::SeqCst);
            tokio::select! {
                biased;
                input = inputs.recv() => match input {
                    Some(input) => self.input(input),
                    None => break,
                },
                Some(report) = clients.recv() => self.client(report),
                Some(ended) = ended.recv() => self.conclude(ended),
            }
        }
        // A launcher that is killed leaves what it started.
        let running: Vec<Token> = self.pool.running().keys().cloned().collect();
        terminate_clients(&running);
        let all_ended = async {
            let mut left = running.len();
            while left > 0
                && let Some(report) = clients.recv().await
            {
                left -= usize::from(matches!(report.news, News::Ended { .. }));
            }
        };
        let _ = tokio::time::timeout(LEAVE, all_ended).await;
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Submit(jobs) => {
                for job in jobs {
                    self.pool.want(job.token.clone());
                    self.jobs.insert(job.token.clone(), job);
                }
            }
            Input::Find(jobs, answer) => {
                let _ = answer.send(self.find(jobs));
            }
            Input::Cancel(tokens) => {
                self.pool.forget(&tokens);
                terminate_clients(&tokens);
                let running = self.pool.running();
                let running = tokens
                    .into_iter()
                    .filter(|token| running.contains_key(token));
                self.cancelled.extend(running);
            }
            Input::DropWaiting => {
                for token in self.pool.forget_waiting() {
                    self.jobs.remove(&token);
                }
            }
        }
    }

    /// Takes over the clients that an earlier engine left, and what has ended since.
    fn find(&mut self, jobs: Vec<Job>) -> Vec<Found> {
        let clients: Vec<Job> = jobs.iter().map(|job| self.client_of(job, vec![])).collect();
        let found = self.local.find(&clients);
        for (job, found) in jobs.into_iter().zip(&found) {
            if *found == Found::Adopted {
                let hosts = fs::read_to_string(job.dir.join(HOSTS)).unwrap_or_default();
                let hosts: Vec<String> = hosts.lines().map(str::to_owned).collect();
                self.pool.hold(job.token.clone(), &hosts);
                let sets = &self.settings.gpus;
                let visible = visible_to_client(&job.token).unwrap_or_else(|e| {
                    tracing::warn!("the GPUs of task {} could not be read: {e}", job.token);
                    None
                });
                let share = visible.and_then(|visible| sets.iter().position(|set| *set == visible));
                if let (Some(share), Some(host)) = (share, hosts.into_iter().next()) {
                    self.shares.insert(job.token.clone(), (host, share));
                }
                self.jobs.insert(job.token.clone(), job);
            }
        }
        found
    }

    fn start(&mut self, token: &Token, nodes: &[String]) {
        let Some(mut job) = self.jobs.get(token).cloned() else {
            return;
        };
        job.env.extend(self.take_gpus(token, nodes));
        match self.prepare(&job, nodes) {
            Ok(argv) => self.local.submit(vec![self.client_of(&job, argv)]),
            Err(e) => self.conclude(Ended {
                token: token.clone(),
                exit: Exit::of_start(&e),
                started: None,
                lost: Vec::new(),
            }),
        }
    }

    /// Gives a task the first free share of the GPUs of its nodes, if it is to have some: the variable that tells it.
    fn take_gpus(&mut self, token: &Token, nodes: &[String]) -> Option<(String, String)> {
        let node = nodes.first()?;
        let on_node = self.shares.values().filter(|(other, _)| other == node);
        let taken: BTreeSet<usize> = on_node.map(|(_, share)| *share).collect();
        let mut sets = self.settings.gpus.iter().enumerate();
        let (share, set) = sets.find(|(share, _)| !taken.contains(share))?;
        self.shares.insert(token.clone(), (node.clone(), share));
        Some((VISIBLE.to_owned(), set.clone()))
    }

    /// Writes the files of a task; the command line of its client.
    fn prepare(&self, job: &Job, nodes: &[String]) -> io::Result<Vec<String>> {
        let Settings {
            setup, executable, ..
        } = &self.settings;
        let script = job_wrapper::script_of(&job.dir);
        if job.shape.is_some() {
            prepare(job)?;
            fs::write(&script, job_wrapper::script(setup, &job.argv))?;
        } else {
            let script = job_wrapper::script(setup, &job_wrapper::command(executable));
            job_wrapper::write(job, &script)?;
        }
        let lines: String = nodes.iter().map(|node| format!("{node}\n")).collect();
        fs::write(job.dir.join(HOSTS), lines)?;
        let mut argv = Vec::new();
        if let (false, Some(on_node), Some(node)) =
            (job.shape.is_some(), &self.on_node, nodes.first())
        {
            argv = on_node.argv(node, &job.dir).map_err(io::Error::other)?;
            // The task is no client: on this very host the two would be taken for each other.
            let there = format!("unset {CLIENT}; cd -- \"$1\" && exec /bin/sh \"$2\"");
            argv.extend(["/bin/sh".into(), "-c".into(), there, "sh".into()]);
            argv.push(job.dir.display().to_string());
        } else {
            argv.push("/bin/sh".into());
        }
        argv.push(script.display().to_string());
        Ok(argv)
    }

    fn client_of(&self, job: &Job, argv: Vec<String>) -> Job {
        let limits = match job.shape {
            Some(_) => job.limits,
            None => job.limits.of_client(),
        };
        Job {
            argv,
            env: self.env.iter().chain(&job.env).cloned().collect(),
            files: Vec::new(),
            links: Vec::new(),
            limits,
            ..job.clone()
        }
    }

    fn client(&mut self, report: Report) {
        let Report { token, news, at } = report;
        let (exit, started) = match news {
            News::Started => {
                let news = News::Started;
                let _ = self.reports.send(Report { token, news, at });
                return;
            }
            News::Ended { exit, started, .. } => (exit, started),
        };
        let Some(job) = self.jobs.get(&token) else {
            return;
        };
        let ended = Ended {
            exit,
            started,
            lost: Vec::new(),
            token,
        };
        let on_node = self.on_node.as_ref();
        let placed = on_node.filter(|on_node| placed_by(&on_node.launch.template).is_some());
        let nodes = self.pool.running().get(&ended.token);
        match (placed, nodes) {
            (Some(on_node), Some(nodes))
                if !is_orderly(job, &ended.exit) && !self.cancelled.contains(&ended.token) =>
            {
                let (on_node, nodes, job) = (on_node.clone(), nodes.clone(), job.clone());
                let sender = self.ended.clone();
                let unexamined = ended.clone();
                let examine = move || drop(sender.send(examine(ended, &job, &on_node, nodes)));
                if let Err(e) = std::thread::Builder::new().spawn(examine) {
                    tracing::warn!("could not find out whether a node was lost: {e}");
                    self.conclude(unexamined);
                }
            }
            _ => self.conclude(ended),
        }
    }

    fn conclude(&mut self, ended: Ended) {
        let Ended {
            token,
            exit,
            started,
            lost,
        } = ended;
        for node in &lost {
            if self.pool.lose(node) {
                let slots = self.pool.slots();
                tracing::warn!("node {node} is lost, room for {slots} tasks is left");
            }
        }
        self.pool.end(&token);
        self.shares.remove(&token);
        let cancelled = self.cancelled.remove(&token);
        let Some(job) = self.jobs.remove(&token) else {
            return;
        };
        let traces = AttemptFiles::read(&job);
        // From the start of its client, so that what is known of durations has the launcher and the lines of setup in it.
        let started = started.or(traces.ended.as_ref().map(|ended| ended.started));
        let (exit, result) = verdict(job.shape.is_some(), cancelled, exit, &lost, traces);
        let news = News::Ended {
            exit,
            result,
            started,
        };
        let at = now();
        let _ = self.reports.send(Report { token, news, at });
    }
}

/// Whether the end of a client tells that the nodes of its task did their part.
fn is_orderly(job: &Job, exit: &Exit) -> bool {
    match AttemptFiles::read(job).ended {
        _ if job.shape.is_some() => matches!(exit, Exit::Code(0) | Exit::NotStarted(..)),
        // It is this host that could not start it.
        _ if matches!(exit, Exit::NotStarted(..)) => true,
        // A node that goes down may end the task first.
        Some(ended) => !matches!(ended.exit, Exit::Signal(_)),
        None => false,
    }
}

/// Finds out which nodes of a task are lost that did not end in good order.
fn examine(mut ended: Ended, job: &Job, on_node: &OnNode, nodes: Vec<String>) -> Ended {
    let mut looks = 0;
    while ended.exit == Exit::Code(0) && !is_orderly(job, &ended.exit) && looks < LOOKS {
        std::thread::sleep(Duration::from_secs(1));
        // NFS looks for a file again once it has read the directory.
        let _ = fs::read_dir(&job.dir).map(Iterator::count);
        looks += 1;
    }
    if !is_orderly(job, &ended.exit) {
        let dir = job.dir.join("probe");
        ended.lost = nodes;
        ended.lost.retain(|node| !on_node.answers(node, &dir));
    }
    ended
}

/// How a task ended, and its result: what it left itself first, then whether its nodes still answer, then what its client
/// saw. A task that starts an MPI program outlives the nodes of that, and its result is then only their loss.
fn verdict(
    launches: bool,
    cancelled: bool,
    exit: Exit,
    lost: &[String],
    traces: AttemptFiles,
) -> (Exit, Option<Vec<u8>>) {
    let AttemptFiles { result, ended } = traces;
    let node_lost = || Exit::NodeLost(lost.join(", "));
    match ended.map(|ended| ended.exit) {
        None if launches && !lost.is_empty() && exit != Exit::Unseen => (node_lost(), None),
        Some(exit) if !matches!(exit, Exit::Signal(_)) => (exit, result),
        _ if !lost.is_empty() => (node_lost(), result),
        _ if cancelled => (Exit::Cancelled, result),
        Some(exit) => (exit, result),
        None => (exit, result),
    }
}

/// The GPUs of a task whose client an earlier engine left.
fn visible_to_client(token: &Token) -> io::Result<Option<String>> {
    let token = token.to_string();
    let processes = find_processes(CLIENT, &token)?;
    match processes.iter().find(|process| process.token == token) {
        Some(client) => token_of(client.pid, VISIBLE),
        None => Ok(None),
    }
}

/// SIGTERM, which launchers pass on, to the groups of clients whose token begins with `prefix`.
fn terminate(prefix: &str, which: impl Fn(&str) -> bool) {
    for process in find_processes(CLIENT, prefix).unwrap_or_default() {
        if process.pid == process.group && which(&process.token) {
            let _ = kill_process_group(process.group, Signal::TERM);
        }
    }
}

fn terminate_clients(tokens: &[Token]) {
    let tokens: BTreeSet<String> = tokens.iter().map(Token::to_string).collect();
    if let Some(run) = tokens.first().and_then(|token| token.split('.').next()) {
        terminate(&format!("{run}."), |token| tokens.contains(token));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(exit: Option<Exit>) -> AttemptFiles {
        let ended = exit.map(|exit| job_wrapper::AttemptEnd {
            exit,
            started: 0,
            ended: 1,
        });
        AttemptFiles {
            result: Some(b"{}".to_vec()),
            ended,
        }
    }

    #[test]
    fn what_a_task_left_counts_more_than_the_loss_of_its_node() {
        let lost = ["n3".to_owned()];
        let node_lost = || Exit::NodeLost("n3".into());
        let of_task = |left| verdict(false, false, Exit::Code(1), &lost, left).0;
        assert_eq!(of_task(left(Some(Exit::Code(3)))), Exit::Code(3));
        assert_eq!(of_task(left(Some(Exit::Signal(9)))), node_lost());
        assert_eq!(of_task(left(None)), node_lost());
        let alive = |exit| verdict(false, false, Exit::Code(1), &[], left(exit)).0;
        assert_eq!(alive(Some(Exit::Signal(11))), Exit::Signal(11));
        assert_eq!(alive(None), Exit::Code(1));
    }

    #[test]
    fn the_failure_of_an_mpi_program_on_a_lost_node_is_no_result() {
        let lost = ["n3".to_owned()];
        let node_lost = || Exit::NodeLost("n3".into());
        assert_eq!(
            verdict(true, false, Exit::Code(1), &lost, left(None)),
            (node_lost(), None)
        );
        // Nobody saw how it ended: what it left may be a success.
        let unseen = verdict(true, false, Exit::Unseen, &lost, left(None));
        assert_eq!(unseen, (node_lost(), Some(b"{}".to_vec())));
        let alive = verdict(true, false, Exit::Code(1), &[], left(None));
        assert_eq!(alive, (Exit::Code(1), Some(b"{}".to_vec())));
    }
}
