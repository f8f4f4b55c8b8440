//! Executor `allocation`: tasks on the nodes of a batch job. Each has a client on this host, run by
//! the local executor: the launcher that starts it on its node, or the task itself where that
//! starts an MPI program over its nodes. `core` decides which task runs where.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::client::{
    is_orderly, lost_nodes, terminate, terminate_clients, verdict, visible_to_client,
};
use super::core::{AllocationCommand, AllocationCore, AllocationEvent, ClientEnd};
use super::pool::NodePool;
use super::probe::NodeProbe;
use crate::exec::actor::{Actor, Backend, SignalSender};
use crate::exec::gpus::VISIBLE;
use crate::exec::job_wrapper::{self, AttemptFiles};
use crate::exec::launch::prepare;
use crate::exec::process::CLIENT;
use crate::exec::{
    Adoption, Executor, HOSTS, Job, JobEvent, LocalExecutor, Report, Termination, placed_by,
};
use crate::scheduler::SCHEDULERS;
use crate::task::Launch;
use crate::task::Token;

/// Time that clients have to terminate what they started, when the engine leaves.
const LEAVE: Duration = Duration::from_secs(5);

/// Share that a partition has of a batch job.
#[derive(Clone, Debug)]
pub struct AllocationParams {
    /// Names of the nodes.
    pub nodes: Vec<String>,
    /// Nodes of a task; 1 if tasks share nodes.
    pub nodes_per_task: usize,
    /// Tasks that share a node; 1 if tasks have several nodes.
    pub tasks_per_node: usize,
    /// GPUs of each of the tasks that share a node, as values of `VISIBLE`; empty if tasks have
    /// none of their own.
    pub gpus: Vec<String>,
    /// Launcher of one rank on a node; None in a job of one node, where tasks are processes of this
    /// host.
    pub launch: Option<Launch>,
    /// Shell lines before a task.
    pub setup: Vec<String>,
    /// This program, as the nodes see it.
    pub executable: PathBuf,
}

/// Executor that runs tasks on the nodes of the batch job in which this program runs.
pub type AllocationExecutor = Actor<AllocationBackend>;

/// Returns true for variables of schedulers, which launchers need.
fn is_of_scheduler(name: &str) -> bool {
    let mut prefixes = SCHEDULERS
        .iter()
        .flat_map(|dialect| dialect.variable_prefixes);
    prefixes.any(|prefix| name.starts_with(prefix))
}

impl AllocationExecutor {
    /// Creates an executor that reports to `reports`.
    ///
    /// # Errors
    ///
    /// The launcher's template does not render, or the host starts no thread.
    pub fn new(params: AllocationParams, reports: UnboundedSender<Report>) -> io::Result<Self> {
        let env: Vec<(String, String)> = std::env::vars()
            .filter(|(name, _)| is_of_scheduler(name))
            .collect();
        let probe = params.launch.clone().map(|launch| NodeProbe {
            launch,
            env: env.clone(),
        });
        if let (Some(probe), Some(node)) = (&probe, params.nodes.first()) {
            probe.argv(node, Path::new(".")).map_err(io::Error::other)?;
        }
        let pool = NodePool::new(
            params.nodes.clone(),
            params.nodes_per_task,
            params.tasks_per_node,
        );
        let slots = pool.slots();
        let core = AllocationCore::new(pool, params.gpus.len());
        Self::start(core, |signals| {
            let clients = signals.clone();
            let local = LocalExecutor::of_clients(slots, CLIENT, move |report| {
                clients.send(AllocationSignal::Client(report))
            })?;
            Ok(AllocationBackend {
                params,
                local,
                env,
                probe,
                reports,
                signals,
                jobs: BTreeMap::new(),
            })
        })
    }
}

/// Message to the allocation executor.
#[derive(Debug)]
pub enum AllocationSignal {
    /// Report of a client.
    Client(Report),
    /// Nodes were examined.
    Examined(AllocationEvent),
}

/// I/O of the allocation executor: files of attempts, clients and probes.
pub struct AllocationBackend {
    params: AllocationParams,
    /// Runs the clients.
    local: LocalExecutor,
    /// Variables of the scheduler.
    env: Vec<(String, String)>,
    probe: Option<NodeProbe>,
    reports: UnboundedSender<Report>,
    signals: SignalSender<AllocationSignal>,
    jobs: BTreeMap<Token, Job>,
}

impl Backend for AllocationBackend {
    type Core = AllocationCore;
    type Signal = AllocationSignal;

    const NAME: &'static str = "allocation";
    const ADOPTS_AT_ONCE: bool = true;

    fn submit(&mut self, jobs: Vec<Job>) -> Vec<AllocationEvent> {
        let tokens = jobs.iter().map(|job| job.token.clone()).collect();
        self.jobs
            .extend(jobs.into_iter().map(|job| (job.token.clone(), job)));
        vec![AllocationEvent::Submitted(tokens)]
    }

    /// Takes over the clients that an earlier engine left, and what has ended since.
    fn adopt(&mut self, jobs: Vec<Job>) -> (Vec<Adoption>, Vec<AllocationEvent>) {
        let clients: Vec<Job> = jobs.iter().map(|job| self.client_of(job, vec![])).collect();
        let found = self.local.find(&clients);
        let mut events = Vec::new();
        for (job, found) in jobs.into_iter().zip(&found) {
            if *found == Adoption::Adopted {
                let hosts = fs::read_to_string(job.dir.join(HOSTS)).unwrap_or_default();
                events.push(AllocationEvent::Adopted {
                    token: job.token.clone(),
                    nodes: hosts.lines().map(str::to_owned).collect(),
                    gpu_share: self.share_of_client(&job.token),
                });
                self.jobs.insert(job.token.clone(), job);
            }
        }
        (found, events)
    }

    fn cancel(&mut self, tokens: Vec<Token>) -> Vec<AllocationEvent> {
        vec![AllocationEvent::Cancel(tokens)]
    }

    fn drop_waiting(&mut self) -> Vec<AllocationEvent> {
        vec![AllocationEvent::DropWaiting]
    }

    fn end_others(
        &mut self,
        _: &AllocationCore,
        run: &str,
        keep: &[Token],
    ) -> Vec<AllocationEvent> {
        let keep: Vec<String> = keep.iter().map(Token::to_string).collect();
        terminate(&format!("{run}."), |token| {
            !keep.iter().any(|kept| kept == token)
        });
        Vec::new()
    }

    fn signal(&mut self, _: &AllocationCore, signal: AllocationSignal) -> Vec<AllocationEvent> {
        match signal {
            AllocationSignal::Client(report) => self.client(report),
            AllocationSignal::Examined(event) => vec![event],
        }
    }

    fn perform(&mut self, command: AllocationCommand) -> Vec<AllocationEvent> {
        match command {
            AllocationCommand::Start {
                token,
                nodes,
                gpu_share,
            } => return self.start_task(&token, &nodes, gpu_share),
            AllocationCommand::Terminate(tokens) => terminate_clients(&tokens),
            AllocationCommand::Forget(tokens) => {
                for token in tokens {
                    self.jobs.remove(&token);
                }
            }
            AllocationCommand::Examine { token, end, nodes } => {
                return self.examine(token, end, nodes);
            }
            AllocationCommand::LoseNode { node, slots } => {
                tracing::warn!("node {node} is lost, room for {slots} tasks is left");
            }
            AllocationCommand::Report {
                token,
                end,
                lost_nodes,
                cancelled,
            } => self.report(token, end, &lost_nodes, cancelled),
        }
        Vec::new()
    }

    /// Nothing is polled: clients report.
    fn next_poll(&self, _: &AllocationCore) -> Option<Instant> {
        None
    }

    fn poll(&mut self, _: &AllocationCore) -> Vec<AllocationEvent> {
        Vec::new()
    }

    /// Terminates the clients. A launcher that is killed would leave what it started, so it gets
    /// time.
    fn shut_down(
        self,
        core: AllocationCore,
        signals: &mut dyn FnMut(Duration) -> Option<AllocationSignal>,
    ) -> Vec<String> {
        let running = core.running();
        terminate_clients(&running);
        let deadline = Instant::now() + LEAVE;
        let mut left = running.len();
        while left > 0
            && let Some(signal) = signals(deadline.saturating_duration_since(Instant::now()))
        {
            let is_end = |report: &Report| matches!(report.event, JobEvent::Ended { .. });
            left -= usize::from(matches!(&signal, AllocationSignal::Client(r) if is_end(r)));
        }
        Vec::new()
    }
}

impl AllocationBackend {
    fn start_task(
        &mut self,
        token: &Token,
        nodes: &[String],
        gpu_share: Option<usize>,
    ) -> Vec<AllocationEvent> {
        let Some(mut job) = self.jobs.get(token).cloned() else {
            return Vec::new();
        };
        let gpus = gpu_share.and_then(|share| self.params.gpus.get(share));
        job.env
            .extend(gpus.map(|set| (VISIBLE.to_owned(), set.clone())));
        match self.prepare(&job, nodes) {
            Ok(argv) => {
                self.local.submit(vec![self.client_of(&job, argv)]);
                Vec::new()
            }
            Err(e) => vec![AllocationEvent::ClientEnded {
                token: token.clone(),
                end: ClientEnd {
                    exit: Termination::of_start(&e),
                    started: None,
                },
                is_orderly: true,
            }],
        }
    }

    /// Writes the files of a task; returns the command line of its client.
    fn prepare(&self, job: &Job, nodes: &[String]) -> io::Result<Vec<String>> {
        let AllocationParams {
            setup, executable, ..
        } = &self.params;
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
        if let (false, Some(probe), Some(node)) = (job.shape.is_some(), &self.probe, nodes.first())
        {
            argv = probe.argv(node, &job.dir).map_err(io::Error::other)?;
            // The task is no client: on this very host the two would be taken for each other.
            let script_in_dir = format!("unset {CLIENT}; cd -- \"$1\" && exec /bin/sh \"$2\"");
            argv.extend(["/bin/sh".into(), "-c".into(), script_in_dir, "sh".into()]);
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
            worker: None,
            ..job.clone()
        }
    }

    /// Takes the report of a client.
    fn client(&mut self, report: Report) -> Vec<AllocationEvent> {
        let Report { token, event, at } = report;
        let end = match event {
            JobEvent::Started => {
                let event = JobEvent::Started;
                let _ = self.reports.send(Report { token, event, at });
                return Vec::new();
            }
            JobEvent::Ended { exit, started, .. } => ClientEnd { exit, started },
        };
        let Some(job) = self.jobs.get(&token) else {
            return Vec::new();
        };
        let names_nodes = |probe: &NodeProbe| placed_by(&probe.launch.template).is_some();
        let can_examine = self.probe.as_ref().is_some_and(names_nodes);
        let is_orderly = !can_examine || is_orderly(job, &end.exit);
        vec![AllocationEvent::ClientEnded {
            token,
            end,
            is_orderly,
        }]
    }

    /// Starts a thread that finds out which of the nodes of a task are lost.
    fn examine(
        &mut self,
        token: Token,
        end: ClientEnd,
        nodes: Vec<String>,
    ) -> Vec<AllocationEvent> {
        let unexamined = AllocationEvent::Examined {
            token: token.clone(),
            end: end.clone(),
            lost_nodes: Vec::new(),
        };
        let (Some(job), Some(probe)) = (self.jobs.get(&token).cloned(), self.probe.clone()) else {
            return vec![unexamined];
        };
        let signals = self.signals.clone();
        let examine = move || {
            let lost_nodes = lost_nodes(&job, &end.exit, &probe, nodes);
            signals.send(AllocationSignal::Examined(AllocationEvent::Examined {
                token,
                end,
                lost_nodes,
            }));
        };
        match std::thread::Builder::new().spawn(examine) {
            Ok(_) => Vec::new(),
            Err(e) => {
                tracing::warn!("could not find out whether a node was lost: {e}");
                vec![unexamined]
            }
        }
    }

    fn report(&mut self, token: Token, end: ClientEnd, lost_nodes: &[String], cancelled: bool) {
        let Some(job) = self.jobs.remove(&token) else {
            return;
        };
        let traces = AttemptFiles::read(&job);
        // The start of the client, so that the durations that are learned include the launcher and
        // the lines of `setup`.
        let unseen = traces.ended.clone().filter(|_| end.started.is_none());
        let started = end.started.or(unseen.as_ref().map(|end| end.started));
        let (exit, result) = verdict(
            job.shape.is_some(),
            cancelled,
            &end.exit,
            lost_nodes,
            traces,
        );
        let event = JobEvent::Ended {
            exit,
            result,
            started,
            ended: unseen.map(|end| end.ended),
        };
        let _ = self.reports.send(Report::now(token, event));
    }

    /// Share of the GPUs of its node that the client of a task has which an earlier engine left.
    fn share_of_client(&self, token: &Token) -> Option<usize> {
        let visible = visible_to_client(token).unwrap_or_else(|e| {
            tracing::warn!("the GPUs of task {token} could not be read: {e}");
            None
        })?;
        self.params.gpus.iter().position(|set| *set == visible)
    }
}
