//! Batch scripts: the templates in `templates/`, filled in such that no value can become a command
//! or another directive.
//!
//! Directives are comments to the shell, but their syntax is the scheduler's own: a value in them
//! is refused unless it is plain. Everything else is quoted. Only the lines of `setup` are shell
//! code, written by the author of the profile.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use handlebars::Handlebars;
use serde::Serialize;

use super::options::{self, OwnRequests, Refusal};
use super::{JobScripts, SchedulerInfo, SchedulerKind, TaskJob};

const BODY: &str = include_str!("../../templates/body.sh.hbs");

/// Name of a job's script in the directory of its attempt.
pub const JOB_SCRIPT: &str = "job.sh";

/// Resources of a job on each of its nodes, besides cores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// MiB; the scheduler's default if `None`.
    pub memory: Option<u64>,
    /// GPUs; 0 if none are requested.
    pub gpus: usize,
    /// Kind of node, in the scheduler's words.
    pub constraint: Option<String>,
}

/// Queue, account, walltime and options of jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchParams {
    /// The scheduler's default if `None`.
    pub queue: Option<String>,
    /// Account that is charged; the default of the scheduler if `None`.
    pub account: Option<String>,
    /// Longest walltime of a job.
    pub walltime: Duration,
    /// Nodes of a job.
    pub nodes_per_task: NonZeroUsize,
    /// Most jobs that are pending or running at once.
    pub max_jobs: NonZeroUsize,
    /// Further directives.
    pub options: Vec<String>,
}

/// Parameters of the jobs of a partition's tasks, or of those in which a campaign runs.
#[derive(Clone, Debug)]
pub struct SubmissionParams {
    /// Scheduler that takes the jobs.
    pub scheduler: SchedulerKind,
    /// Queue, account, walltime and options.
    pub batch: BatchParams,
    /// Cores of a task on each of its nodes.
    pub cores_per_task: NonZeroUsize,
    /// Memory, GPUs and kind of node.
    pub resources: Resources,
    /// Lines of shell before a task.
    pub setup: Vec<String>,
}

impl SubmissionParams {
    /// Returns the script of a task's job.
    pub fn job_script<'a>(&'a self, job: &TaskJob<'a>) -> Script<'a> {
        let one = NonZeroUsize::MIN;
        let batch = &self.batch;
        let shape = job.shape;
        Script {
            scheduler: self.scheduler,
            batch,
            name: job.token,
            token: Some(job.token),
            nodes: shape.map_or(batch.nodes_per_task, |shape| shape.nodes),
            ranks_per_node: shape.map_or(one, |shape| shape.ranks_per_node),
            cores_per_rank: shape.map_or(self.cores_per_task, |shape| shape.cores_per_rank),
            resources: &self.resources,
            walltime: job.limits.job_walltime(batch.walltime),
            setup: &self.setup,
            environment: job.environment,
            path: None,
            dir: job.dir.clone(),
            argv: job.argv,
        }
    }
}

impl JobScripts for SubmissionParams {
    fn info(&self) -> &'static SchedulerInfo {
        &self.scheduler.dialect().info
    }

    fn script(&self, job: &TaskJob) -> Result<String, ScriptError> {
        self.job_script(job).render()
    }
}

/// Contents of a batch script.
#[derive(Clone, Debug)]
pub struct Script<'a> {
    /// Scheduler that reads the script.
    pub scheduler: SchedulerKind,
    /// Queue, account and options.
    pub batch: &'a BatchParams,
    /// Name of the job.
    pub name: &'a str,
    /// Token of its attempt; `None` if it is not the job of a task.
    pub token: Option<&'a str>,
    /// Nodes of the job.
    pub nodes: NonZeroUsize,
    /// MPI ranks on each node.
    pub ranks_per_node: NonZeroUsize,
    /// Cores of each rank.
    pub cores_per_rank: NonZeroUsize,
    /// Memory, GPUs and kind of each node.
    pub resources: &'a Resources,
    /// Walltime of the job.
    pub walltime: Duration,
    /// Lines of shell, written as they are.
    pub setup: &'a [String],
    /// Environment variables that the script exports.
    pub environment: &'a [(String, String)],
    /// Folder that is appended to PATH.
    pub path: Option<&'a str>,
    /// Working directory.
    pub dir: PathBuf,
    /// Program and arguments that the script executes.
    pub argv: &'a [String],
}

/// Reason why a script cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// A value could be read as another directive or command.
    #[error("{what} `{value}` cannot stand in a batch script: {why}")]
    Refused {
        /// Kind of value.
        what: &'static str,
        /// The value.
        value: String,
        /// Reason for the refusal.
        why: &'static str,
    },
    /// The template and its values do not match.
    #[error("the template of a batch script cannot be filled in")]
    Template(#[from] Box<handlebars::RenderError>),
}

impl Script<'_> {
    /// Returns the text of the script.
    ///
    /// # Errors
    ///
    /// Returns an error if a value could be read as another directive or command.
    pub fn render(&self) -> Result<String, ScriptError> {
        self.check_directives()?;
        let (place, options) = (self.scheduler.options.split)(&self.batch.options);
        let values = self.values(place, options)?;
        let mut handlebars = Handlebars::new();
        handlebars.set_strict_mode(true);
        handlebars.set_prevent_indent(true);
        handlebars.register_escape_fn(quoted);
        let failed = |error: handlebars::RenderError| ScriptError::Template(Box::new(error));
        handlebars
            .register_partial("body", BODY)
            .map_err(|error| failed(error.into()))?;
        handlebars
            .render_template(self.scheduler.template, &values)
            .map_err(failed)
    }

    /// Refuses options and constraints that are not what they should be.
    fn check_directives(&self) -> Result<(), ScriptError> {
        let Resources {
            memory,
            gpus,
            constraint,
        } = self.resources;
        if let Some(constraint) = constraint
            && let Some(Refusal { hint, .. }) = options::constraint(self.scheduler, constraint)
        {
            return Err(refuse("the constraint", constraint, hint));
        }
        let own = OwnRequests::new(
            self.batch,
            memory.is_some(),
            *gpus > 0,
            constraint.is_some(),
        );
        for option in &self.batch.options {
            if let Some(Refusal { why, .. }) = options::refusal(self.scheduler, option, &own) {
                return Err(refuse("the option", option, why));
            }
        }
        Ok(())
    }

    fn values<'a>(
        &'a self,
        place: String,
        options: Vec<&'a String>,
    ) -> Result<TemplateValues<'a>, ScriptError> {
        let plain_option = |what, value: &'a Option<String>| {
            let value = value.as_deref();
            value.map(|value| plain(what, value)).transpose()
        };
        let environment = self.environment.iter().map(|(name, value)| {
            Ok(Variable {
                name: variable(name)?,
                value: text("the value of a variable", value)?,
            })
        });
        let token = self.token.map(|token| plain("the token", token));
        let path = self.path.map(|path| text("the folder on PATH", path));
        Ok(TemplateValues {
            name: plain("the job's name", self.name)?,
            token: token.transpose()?,
            run: run_name(self.name),
            queue: plain_option("the queue", &self.batch.queue)?,
            account: plain_option("the account", &self.batch.account)?,
            constraint: self.resources.constraint.as_deref(),
            options,
            place,
            memory: self.resources.memory,
            gpus: self.resources.gpus,
            nodes: self.nodes,
            cores: self.ranks_per_node.saturating_mul(self.cores_per_rank),
            cores_per_rank: self.cores_per_rank,
            ranks_per_node: self.ranks_per_node,
            walltime: clock(self.walltime),
            minutes: seconds(self.walltime).div_ceil(60),
            dir: folder(text("the folder", &self.dir.to_string_lossy())?),
            path: path.transpose()?,
            setup: self.setup,
            environment: environment.collect::<Result<_, ScriptError>>()?,
            argv: command(self.argv)?,
        })
    }
}

/// Values of the templates. Numbers, and texts that `plain` and `options` let pass, are written as
/// they are.
#[derive(Serialize)]
struct TemplateValues<'a> {
    name: &'a str,
    token: Option<&'a str>,
    run: String,
    queue: Option<&'a str>,
    account: Option<&'a str>,
    constraint: Option<&'a str>,
    options: Vec<&'a String>,
    /// Value of `place`, for PBS.
    place: String,
    nodes: NonZeroUsize,
    /// Per node.
    cores: NonZeroUsize,
    cores_per_rank: NonZeroUsize,
    ranks_per_node: NonZeroUsize,
    /// MiB per node.
    memory: Option<u64>,
    /// Per node.
    gpus: usize,
    /// `HH:MM:SS`
    walltime: String,
    minutes: u64,
    /// In quotation marks, for the shell.
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

/// Returns the name of all jobs of a run, for PBS: some versions take at most 15 characters, the
/// first a letter. `name` is the name of the run, or a token of it.
pub fn run_name(name: &str) -> String {
    let run = name.split('.').next().unwrap_or_default();
    format!("m{}", run.chars().take(14).collect::<String>())
}

/// Returns a word in quotation marks, which the shell reads as it was.
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Returns a folder for the shell, where `~/` is the home directory.
fn folder(dir: &str) -> String {
    let home = if dir == "~" {
        Some("")
    } else {
        dir.strip_prefix("~/")
    };
    match home {
        Some(rest) => format!("~/{}", quoted(rest)),
        None => quoted(dir),
    }
}

/// Rounds up to whole seconds.
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

fn refuse(what: &'static str, value: &str, why: &'static str) -> ScriptError {
    ScriptError::Refused {
        what,
        value: value.escape_default().to_string(),
        why,
    }
}

/// A word of a directive: no blanks, no quotes, and nothing that could be another option.
fn plain<'a>(what: &'static str, word: &'a str) -> Result<&'a str, ScriptError> {
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

fn variable(name: &str) -> Result<&str, ScriptError> {
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

/// Checks a value that is quoted: no shell word can hold a null.
fn text<'a>(what: &'static str, value: &'a str) -> Result<&'a str, ScriptError> {
    if value.contains("\0") || what == "the folder" && ["", "-"].contains(&value) {
        return Err(refuse(what, value, "it is empty, a dash, or holds a null"));
    }
    Ok(value)
}

/// A command of which the shell takes no word for an option of `exec`.
fn command(argv: &[String]) -> Result<Vec<&str>, ScriptError> {
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
