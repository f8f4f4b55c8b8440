//! Batch scripts: the templates in `templates/`, filled in so that no value can become a command or another directive.
//!
//! Directives are comments to the shell, but their syntax is the batch system's own: what stands in them is refused unless
//! it is plain. Everything else is quoted. Only the lines of `setup` are shell, by the hand of the profile's author.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use handlebars::Handlebars;
use serde::Serialize;

use crate::config::options::{self, Own, Refusal};
use crate::config::paths::in_home;
use crate::config::site::{Batch, BatchSystem, Executor, Partition, Site, Submit};
use crate::task::{Limits, Shape};

const SLURM: &str = include_str!("../../templates/slurm.sh.hbs");
const PBS: &str = include_str!("../../templates/pbs.sh.hbs");
const COBALT: &str = include_str!("../../templates/cobalt.sh.hbs");
const BODY: &str = include_str!("../../templates/body.sh.hbs");

/// A batch system whose scripts are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    Slurm,
    Pbs,
    Cobalt,
}

impl From<BatchSystem> for System {
    fn from(system: BatchSystem) -> Self {
        match system {
            BatchSystem::Slurm => Self::Slurm,
            BatchSystem::Pbs => Self::Pbs,
            BatchSystem::Cobalt => Self::Cobalt,
        }
    }
}

impl From<System> for BatchSystem {
    fn from(system: System) -> Self {
        match system {
            System::Slurm => Self::Slurm,
            System::Pbs => Self::Pbs,
            System::Cobalt => Self::Cobalt,
        }
    }
}

impl System {
    /// That of a partition which makes jobs of its own.
    pub fn of(executor: &Executor) -> Option<Self> {
        match executor {
            Executor::Local { .. } | Executor::Allocation { .. } => None,
            Executor::Slurm { .. } => Some(Self::Slurm),
            Executor::Pbs { .. } => Some(Self::Pbs),
            Executor::Cobalt { .. } => Some(Self::Cobalt),
        }
    }

    /// The command that takes a script.
    pub fn submit(self) -> &'static str {
        match self {
            Self::Slurm => "sbatch",
            Self::Pbs | Self::Cobalt => "qsub",
        }
    }

    fn template(self) -> &'static str {
        match self {
            Self::Slurm => SLURM,
            Self::Pbs => PBS,
            Self::Cobalt => COBALT,
        }
    }
}

/// What a job asks for on each of its nodes, besides cores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// MiB; what the batch system gives if None.
    pub memory: Option<u64>,
    pub gpus: usize,
    /// What the nodes must be, in the words of the batch system.
    pub constraint: Option<String>,
}

impl Resources {
    /// Those of a task of a partition.
    pub fn of(partition: &Partition) -> Self {
        Self {
            memory: partition.memory_per_task.map(|memory| memory.mebibytes()),
            gpus: partition.gpus_per_task,
            constraint: partition.constraint.clone(),
        }
    }
}

/// What a profile says of the jobs of a partition's tasks, or of those of a campaign.
#[derive(Clone, Debug)]
pub struct Terms {
    pub system: System,
    pub batch: Batch,
    pub cores_per_task: NonZeroUsize,
    pub resources: Resources,
    /// Lines of shell before a task.
    pub setup: Vec<String>,
}

impl Terms {
    /// Those of a partition which makes jobs of its own.
    pub fn of(site: &Site, partition: &Partition) -> Option<Self> {
        Some(Self {
            system: System::of(&partition.executor)?,
            batch: partition.executor.batch()?.clone(),
            cores_per_task: partition.cores_per_task,
            resources: Resources::of(partition),
            setup: partition.setup.as_ref().unwrap_or(&site.setup).clone(),
        })
    }

    /// Those of the jobs in which a campaign runs as a whole.
    pub fn of_campaign(site: &Site, submit: &Submit) -> Self {
        let system = submit.system.into();
        let mut options = submit.options.clone();
        if system == System::Slurm {
            // The job outlives a lost node; the tasks there are tried again on the others.
            options.insert(0, "--no-kill".into());
        }
        let batch = Batch {
            queue: submit.queue.clone(),
            account: submit.account.clone(),
            walltime: submit.walltime,
            nodes_per_task: submit.nodes,
            max_jobs: NonZeroUsize::MIN,
            options,
        };
        Self {
            system,
            batch,
            cores_per_task: NonZeroUsize::new(site.node.cores.count()).unwrap_or(NonZeroUsize::MIN),
            resources: Resources {
                memory: submit.memory_per_node.map(|memory| memory.mebibytes()),
                gpus: submit.gpus(site),
                constraint: submit.constraint.clone(),
            },
            setup: site.setup.clone(),
        }
    }

    /// The job of a task: `shape` is that of the MPI program it starts, if it does.
    pub fn script<'a>(
        &'a self,
        name: &'a str,
        shape: Option<&Shape>,
        limits: Limits,
        environment: &'a [(String, String)],
        dir: PathBuf,
        argv: &'a [String],
    ) -> Script<'a> {
        let one = NonZeroUsize::MIN;
        let batch = &self.batch;
        Script {
            system: self.system,
            batch,
            name,
            token: Some(name),
            nodes: shape.map_or(batch.nodes_per_task, |shape| shape.nodes),
            ranks_per_node: shape.map_or(one, |shape| shape.ranks_per_node),
            cores_per_rank: shape.map_or(self.cores_per_task, |shape| shape.cores_per_rank),
            resources: &self.resources,
            walltime: limits.job_walltime(batch.walltime.get()),
            setup: &self.setup,
            environment,
            path: None,
            dir,
            argv,
        }
    }
}

/// A job and its script.
#[derive(Clone, Debug)]
pub struct Script<'a> {
    pub system: System,
    /// Its queue, account and options.
    pub batch: &'a Batch,
    pub name: &'a str,
    /// The token of its attempt; none if it is not the job of a task.
    pub token: Option<&'a str>,
    pub nodes: NonZeroUsize,
    pub ranks_per_node: NonZeroUsize,
    pub cores_per_rank: NonZeroUsize,
    pub resources: &'a Resources,
    pub walltime: Duration,
    /// Lines of shell, taken as they are.
    pub setup: &'a [String],
    pub environment: &'a [(String, String)],
    /// A folder that is appended to PATH.
    pub path: Option<&'a str>,
    pub dir: PathBuf,
    pub argv: &'a [String],
}

/// Why there is no script.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    #[error("{what} `{value}` cannot stand in a batch script: {why}")]
    Refused {
        what: &'static str,
        value: String,
        why: &'static str,
    },
    #[error("the template of a batch script cannot be filled in")]
    Template(#[from] Box<handlebars::RenderError>),
}

impl Script<'_> {
    /// The text of the script.
    pub fn render(&self) -> Result<String, BatchError> {
        let Batch {
            queue,
            account,
            options,
            ..
        } = self.batch;
        let Resources {
            memory,
            gpus,
            constraint,
        } = self.resources;
        let own = Own::of(
            self.batch,
            memory.is_some(),
            *gpus > 0,
            constraint.is_some(),
        );
        let system = BatchSystem::from(self.system);
        if let Some(constraint) = constraint
            && let Some(Refusal { hint, .. }) = options::constraint(system, constraint)
        {
            return Err(refuse("the constraint", constraint, hint));
        }
        for option in options {
            if let Some(Refusal { why, .. }) = options::refusal(system, option, &own) {
                return Err(refuse("the option", option, why));
            }
        }
        let (place, options) = match self.system {
            System::Pbs => options::place(options),
            System::Slurm | System::Cobalt => (String::new(), options.iter().collect()),
        };
        let environment = self.environment.iter().map(|(name, value)| {
            Ok(Variable {
                name: variable(name)?,
                value: text("the value of a variable", value)?,
            })
        });
        let filled = Filled {
            name: plain("the job's name", self.name)?,
            token: self
                .token
                .map(|token| plain("the token", token))
                .transpose()?,
            run: pbs_name(self.name),
            queue: queue
                .as_deref()
                .map(|queue| plain("the queue", queue))
                .transpose()?,
            account: account
                .as_deref()
                .map(|account| plain("the account", account))
                .transpose()?,
            constraint: constraint.as_deref(),
            options,
            place,
            memory: *memory,
            gpus: *gpus,
            nodes: self.nodes,
            cores: self.ranks_per_node.saturating_mul(self.cores_per_rank),
            cores_per_rank: self.cores_per_rank,
            ranks_per_node: self.ranks_per_node,
            walltime: clock(self.walltime),
            minutes: seconds(self.walltime).div_ceil(60),
            dir: folder(text("the folder", &self.dir.to_string_lossy())?),
            path: self
                .path
                .map(|path| text("the folder on PATH", path))
                .transpose()?,
            setup: self.setup,
            environment: environment.collect::<Result<_, BatchError>>()?,
            argv: command(self.argv)?,
        };
        let mut handlebars = Handlebars::new();
        handlebars.set_strict_mode(true);
        handlebars.set_prevent_indent(true);
        handlebars.register_escape_fn(quoted);
        let failed = |error: handlebars::RenderError| BatchError::Template(Box::new(error));
        handlebars
            .register_partial("body", BODY)
            .map_err(|error| failed(error.into()))?;
        handlebars
            .render_template(self.system.template(), &filled)
            .map_err(failed)
    }
}

/// What the templates name. Numbers and what `plain` and `config::options` let pass stand there as they are.
#[derive(Serialize)]
struct Filled<'a> {
    name: &'a str,
    token: Option<&'a str>,
    run: String,
    queue: Option<&'a str>,
    account: Option<&'a str>,
    constraint: Option<&'a str>,
    options: Vec<&'a String>,
    /// Of PBS.
    place: String,
    nodes: NonZeroUsize,
    /// Of a node.
    cores: NonZeroUsize,
    cores_per_rank: NonZeroUsize,
    ranks_per_node: NonZeroUsize,
    /// MiB of a node.
    memory: Option<u64>,
    /// Of a node.
    gpus: usize,
    /// `HH:MM:SS`
    walltime: String,
    minutes: u64,
    /// As the shell reads it.
    dir: String,
    path: Option<&'a str>,
    setup: &'a [String],
    environment: Vec<Variable<'a>>,
    argv: Vec<&'a str>,
}

#[derive(Serialize)]
struct Variable<'a> {
    name: &'a str,
    value: &'a str,
}

/// The name of the jobs of a run in PBS, of which some versions take 15 characters and a letter first. `name` is the
/// name of the run, or a token of it.
pub fn pbs_name(name: &str) -> String {
    let run = name.split('.').next().unwrap_or_default();
    format!("m{}", run.chars().take(14).collect::<String>())
}

/// A word as the shell reads it back.
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A folder as the shell reads it, one in the home directory included.
fn folder(dir: &str) -> String {
    match in_home(dir) {
        Some(rest) => format!("~/{}", quoted(rest)),
        None => quoted(dir),
    }
}

/// Whole seconds; a batch system that counts no less is given more.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

fn clock(duration: Duration) -> String {
    let seconds = seconds(duration);
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

fn refuse(what: &'static str, value: &str, why: &'static str) -> BatchError {
    BatchError::Refused {
        what,
        value: value.escape_default().to_string(),
        why,
    }
}

/// A word of a directive: no blanks, no quotes, and nothing that could be another option.
fn plain<'a>(what: &'static str, word: &'a str) -> Result<&'a str, BatchError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-:@+/,".contains(c);
    if word.is_empty() || word.starts_with('-') || !word.chars().all(allowed) {
        return Err(refuse(
            what,
            word,
            "it may hold letters, digits and `._-:@+/,`, and does not start with a dash",
        ));
    }
    Ok(word)
}

fn variable(name: &str) -> Result<&str, BatchError> {
    let allowed = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if name.is_empty() || !allowed || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(refuse(
            "the variable",
            name,
            "names are letters, digits and `_`, not starting with a digit",
        ));
    }
    Ok(name)
}

/// What is quoted; no shell word can hold a null.
fn text<'a>(what: &'static str, value: &'a str) -> Result<&'a str, BatchError> {
    if value.contains("\0") || what == "the folder" && ["", "-"].contains(&value) {
        return Err(refuse(what, value, "it is empty, a dash, or holds a null"));
    }
    Ok(value)
}

/// A command of which the shell takes no word for an option of `exec`.
fn command(argv: &[String]) -> Result<Vec<&str>, BatchError> {
    match argv.first() {
        Some(program) if !program.is_empty() && !program.starts_with('-') => {
            argv.iter().map(|word| text("the argument", word)).collect()
        }
        program => {
            let program = program.map_or("", String::as_str);
            Err(refuse(
                "the program",
                program,
                "it is empty or starts with a dash",
            ))
        }
    }
}
