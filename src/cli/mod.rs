//! Command line: one file per command. It parses arguments, calls `app`, and prints.

mod check;
mod clean;
mod compare;
mod diagnostics;
mod diff;
mod explain;
mod export;
mod init;
mod outcome;
mod pace;
mod pages;
mod plan;
mod progress;
mod remote;
mod report;
mod resume;
mod run;
mod runs;
mod schema;
mod shell;
mod show;
mod simulate;
mod sites;
mod sites_check;
mod status;
mod subject;
mod submit;
mod table;
mod task;
mod task_times;
mod terminal;
mod top;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use crate::app::error::CommandError;
use crate::config::campaign::Overrides;
use crate::task::HostFault;
use crate::text::path::{HomeError, expanded};
use terminal::print;

/// Exit status of a command.
enum ExitStatus {
    /// Success.
    Finished,
    /// The command failed, or its answer is no.
    Refused,
    /// The run ended, but no molecule was computed, or a limit on failures was reached.
    NothingComputed,
    /// The run was interrupted and can be resumed.
    Interrupted,
    /// The disk is full; once there is room, everything can be resumed.
    DiskFull,
    /// The host refused something else: file descriptors, processes, memory, or input and output.
    HostFault,
    /// Fault of the host in a task that could not write a result: the status names the fault.
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

impl ExitStatus {
    /// Number of the exit status.
    fn code(self) -> u8 {
        match self {
            Self::Finished => 0,
            Self::Refused => 1,
            Self::NothingComputed => 3,
            Self::DiskFull => 4,
            Self::HostFault => 5,
            Self::Task(fault) => fault.exit_code(),
            Self::Interrupted => 130,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(exit: ExitStatus) -> Self {
        exit.code().into()
    }
}

/// Molecular design campaigns: quantum chemistry and reinforcement learning side by side.
#[derive(Parser)]
#[command(name = "moldflow", version, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: MoldflowCommand,
}

#[derive(Subcommand)]
enum MoldflowCommand {
    /// Write a new campaign from the answers to a few questions
    Init(init::InitArguments),
    /// Run a campaign
    Run(run::RunArguments),
    /// Run a campaign in batch jobs, each submitting the next
    Submit(submit::SubmitArguments),
    /// Continue a run that was interrupted or killed
    Resume(resume::ResumeArguments),
    /// Validate a campaign, or verify a run directory
    Check(check::CheckArguments),
    /// Show a campaign's task graph and command lines; run nothing
    Plan(plan::PlanArguments),
    /// Forecast a campaign on a site: time, node-hours, idle slots; run nothing
    Simulate(simulate::SimulateArguments),
    /// Compare the searches of campaigns on the same seeds, with random search besides
    Compare(compare::CompareArguments),
    /// List the runs in a folder
    Runs(runs::RunsArguments),
    /// Show the progress of a run
    Status(status::StatusArguments),
    /// Watch a run in the terminal
    Top(top::TopArguments),
    /// Print the results of a run
    Export(export::ExportArguments),
    /// Write a page on a run: report.html
    Report(report::ReportArguments),
    /// Show what was computed of a molecule, its geometry included
    Show(show::ShowArguments),
    /// Show what happened to a molecule or a task, and why the cache was hit or not
    Explain(explain::ExplainArguments),
    /// Show in what two runs differ: settings and results
    Diff(diff::DiffArguments),
    /// Delete files of runs that neither the results nor a resume need
    Clean(clean::CleanArguments),
    /// List, show, check and import site profiles
    #[command(subcommand)]
    Sites(sites::SitesCommand),
    /// Print the JSON Schema of campaigns or site profiles, for editors
    Schema(schema::SchemaArguments),
    /// Print the script by which a shell completes commands and options
    Completions(shell::CompletionsArguments),
    /// Write manual pages
    Man(shell::ManArguments),
    /// Work on one task
    #[command(subcommand, hide = true)]
    Task(task::TaskCommand),
    /// Serve a run on another host
    #[command(subcommand, hide = true)]
    Remote(remote::RemoteCommand),
}

/// Campaign, and changes to it by the command line.
#[derive(Args)]
struct CampaignArguments {
    /// Campaign file
    #[arg(value_parser = path())]
    pub campaign: PathBuf,
    /// Site profile: its name, or the path of its file
    #[arg(long, value_name = "NAME|FILE")]
    pub site: Option<String>,
    /// Change a param by its name (`--set search_size=9`), or any value by its path (`--set
    /// stop.wall_time=2h`)
    #[arg(long, value_name = "NAME|PATH=VALUE")]
    pub set: Vec<String>,
    /// Seed of all random streams
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Order of the two loops
    #[arg(long, value_enum)]
    pub schedule: Option<ScheduleArgument>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum ScheduleArgument {
    /// Neither loop waits for the other
    Interleaved,
    /// The loops wait for each other: reproducible to the last bit
    Batch,
}

impl CampaignArguments {
    /// Returns the changes to the campaign.
    pub fn overrides(&self) -> Overrides {
        use crate::config::campaign::Schedule;
        Overrides {
            set: self.set.clone(),
            seed: self.seed,
            schedule: self.schedule.map(|schedule| match schedule {
                ScheduleArgument::Interleaved => Schedule::Interleaved,
                ScheduleArgument::Batch => Schedule::Batch,
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
    let mut words = std::env::args_os().skip(1);
    let named = words.find(|word| !word.to_string_lossy().starts_with('-'));
    let page = pages::of_command(&named.unwrap_or_default().to_string_lossy());
    let command = match CommandLine::try_parse() {
        Ok(line) => line.command,
        Err(error) => return diagnostics::report_usage(&error, page),
    };
    match run_command(command) {
        Ok(exit) => exit.into(),
        Err(error) => diagnostics::report(&error, page),
    }
}

fn run_command(command: MoldflowCommand) -> Result<ExitStatus, CommandError> {
    match command {
        MoldflowCommand::Init(arguments) => init::run(&arguments),
        MoldflowCommand::Run(arguments) => run::run(&arguments),
        MoldflowCommand::Submit(arguments) => submit::run(&arguments),
        MoldflowCommand::Resume(arguments) => resume::run(&arguments),
        MoldflowCommand::Check(arguments) => check::run(&arguments),
        MoldflowCommand::Plan(arguments) => plan::run(&arguments),
        MoldflowCommand::Simulate(arguments) => simulate::run(&arguments),
        MoldflowCommand::Compare(arguments) => compare::run(&arguments),
        MoldflowCommand::Runs(arguments) => runs::run(&arguments),
        MoldflowCommand::Status(arguments) => status::run(&arguments),
        MoldflowCommand::Top(arguments) => top::run(&arguments),
        MoldflowCommand::Export(arguments) => export::run(&arguments),
        MoldflowCommand::Report(arguments) => report::run(&arguments),
        MoldflowCommand::Show(arguments) => show::run(&arguments),
        MoldflowCommand::Explain(arguments) => explain::run(&arguments),
        MoldflowCommand::Diff(arguments) => diff::run(&arguments),
        MoldflowCommand::Clean(arguments) => clean::run(&arguments),
        MoldflowCommand::Sites(command) => sites::run(&command),
        MoldflowCommand::Schema(arguments) => schema::run(&arguments),
        MoldflowCommand::Completions(arguments) => shell::completions(&arguments),
        MoldflowCommand::Man(arguments) => shell::man(&arguments),
        MoldflowCommand::Task(command) => task::run(&command),
        MoldflowCommand::Remote(command) => remote::run(&command),
    }
}

/// Parser of a path on the command line. It expands `~/` where the shell does not, as in
/// `--cache=~/file`.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path.to_str() {
        Some(written) => {
            let path = expanded(written);
            let failed = |error: HomeError| format!("{error}: {}", error.hint());
            path.map(PathBuf::from).map_err(failed)
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
