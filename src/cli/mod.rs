//! Command line: one file per command. It parses arguments, calls `app`, and prints.

mod check;
mod diagnostics;
mod explain;
mod export;
mod outcome;
mod plan;
mod progress;
mod remote;
mod report;
mod resume;
mod run;
mod schema;
mod simulate;
mod sites;
mod sites_check;
mod status;
mod submit;
mod table;
mod task;
mod terminal;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use crate::app::error::CommandError;
use crate::config::campaign::Overrides;
use crate::config::paths;
use crate::task::HostFault;
use terminal::print;

/// Exit status of a command.
enum ExitStatus {
    Finished,
    /// The command did what it was asked, and the answer is no; or it failed.
    Refused,
    /// The run ended, but no molecule was computed, or a limit on failures was reached.
    NothingComputed,
    /// The run was interrupted and can be resumed.
    Interrupted,
    /// The disk is full; once there is room, everything can be resumed.
    DiskFull,
    /// The host refused something else: file descriptors, processes, memory, or input and output.
    HostFault,
    /// Fault of the host in a task that could not write a result: the status tells its engine
    /// which.
    Task(HostFault),
}

impl From<Option<HostFault>> for ExitStatus {
    fn from(fault: Option<HostFault>) -> Self {
        match fault {
            None => Self::Refused,
            Some(HostFault::DiskFull) => Self::DiskFull,
            Some(_) => Self::HostFault,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(exit: ExitStatus) -> Self {
        match exit {
            ExitStatus::Finished => 0.into(),
            ExitStatus::Refused => 1.into(),
            ExitStatus::NothingComputed => 3.into(),
            ExitStatus::DiskFull => 4.into(),
            ExitStatus::HostFault => 5.into(),
            ExitStatus::Task(fault) => fault.exit_code().into(),
            ExitStatus::Interrupted => 130.into(),
        }
    }
}

/// Molecular design campaigns: quantum chemistry and reinforcement learning side by side.
#[derive(Parser)]
#[command(name = "moldflow", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a campaign
    Run(run::Arguments),
    /// Run a campaign in batch jobs, each submitting the next
    Submit(submit::Arguments),
    /// Continue a run that was interrupted or killed
    Resume(resume::Arguments),
    /// Validate a campaign, or verify a run directory
    Check(check::Arguments),
    /// Show a campaign's task graph and command lines; run nothing
    Plan(plan::Arguments),
    /// Forecast a campaign on a site: time, node-hours, idle slots; run nothing
    Simulate(simulate::Arguments),
    /// Show the progress of a run
    Status(status::Arguments),
    /// Print the results of a run
    Export(export::Arguments),
    /// Write a page on a run: report.html
    Report(report::Arguments),
    /// Show what happened to a molecule or a task, and why the cache was hit or not
    Explain(explain::Arguments),
    /// List, show, check and import site profiles
    #[command(subcommand)]
    Sites(sites::Command),
    /// Print the JSON Schema of campaigns or site profiles, for editors
    Schema(schema::Arguments),
    /// Work on one task
    #[command(subcommand, hide = true)]
    Task(task::Command),
    /// Serve a run on another host
    #[command(subcommand, hide = true)]
    Remote(remote::Command),
}

/// Campaign, and what the command line changes in it.
#[derive(Args)]
struct CampaignArguments {
    /// Campaign file
    #[arg(value_parser = path())]
    pub campaign: PathBuf,
    /// Site profile: its name, or the path of its file
    #[arg(long, value_name = "NAME|FILE")]
    pub site: Option<String>,
    /// Change a param, or any value by its dotted path: `--set stop.wall_time=2h`
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Seed of all random streams
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Order of the two loops
    #[arg(long, value_enum)]
    pub schedule: Option<Schedule>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Schedule {
    /// Neither loop waits for the other
    Interleaved,
    /// The loops wait for each other: reproducible to the last bit
    Batch,
}

impl CampaignArguments {
    pub fn overrides(&self) -> Overrides {
        use crate::config::campaign::Schedule as Kind;
        Overrides {
            set: self.set.clone(),
            seed: self.seed,
            schedule: self.schedule.map(|schedule| match schedule {
                Schedule::Interleaved => Kind::Interleaved,
                Schedule::Batch => Kind::Batch,
            }),
            site: self.site.clone(),
            drawn: false,
            resolved: false,
        }
    }
}

/// Choice of what a run prints.
#[derive(Args, Clone, Copy, Debug)]
struct OutputArguments {
    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
    /// No progress
    #[arg(long)]
    quiet: bool,
}

/// Runs the command that the arguments name; usage errors end the process with status 2.
pub fn main() -> ExitCode {
    match run_command(Arguments::parse().command) {
        Ok(exit) => exit.into(),
        Err(error) => diagnostics::report(&error),
    }
}

fn run_command(command: Command) -> Result<ExitStatus, CommandError> {
    match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Submit(arguments) => submit::run(&arguments),
        Command::Resume(arguments) => resume::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Sites(command) => sites::run(&command),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Task(command) => task::run(&command),
        Command::Remote(command) => remote::run(&command),
    }
}

/// Parser of a path on the command line. It expands `~/` where the shell does not, as in
/// `--cache=~/file`.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path.to_str() {
        Some(written) => {
            let expanded = paths::expanded(written);
            let failed = |error: paths::HomeError| format!("{error}: {}", error.hint());
            expanded.map(PathBuf::from).map_err(failed)
        }
        None => Ok(path),
    })
}

/// Runs an asynchronous command to its end.
fn wait<T>(command: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|e| CommandError::io("could not start the runtime", &e))?;
    runtime.block_on(command)
}
