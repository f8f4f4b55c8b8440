//! `moldflow task run`: the body of every task, in a process and a directory of its own. `moldflow task exec`: the body
//! of a job of a batch system, which starts one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sha2::{Digest, Sha256};

use super::Exit;
use super::failure::{Failure as CommandFailure, causes};
use super::terminal::say;
use crate::design::{self, DesignError};
use crate::engine::{SimulateInput, TaskInput, TaskResult, file};
use crate::exec::{self, Folder, LauncherError, ProgramError, SCRATCH, ScratchError};
use crate::simulate::{Outputs, Prepared, SCRATCH_LINK, SimError, SimResult};
use crate::task::{Failure, FailureKind, FileRef, HostFault, Outcome, Predicted};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Do the task whose input is in a file
    Run(RunArguments),
    /// Start a task as a job of a batch system, and keep how it ends
    Exec(ExecArguments),
}

#[derive(Args)]
pub(super) struct ExecArguments {
    /// The job's `job.json`
    pub job: PathBuf,
}

#[derive(Args)]
pub(super) struct RunArguments {
    /// The task's `input.json`
    pub input: PathBuf,
}

pub(super) fn run(command: &Command) -> Result<Exit, CommandFailure> {
    // A batch system or another host may have begun with its own mask.
    super::run_dir::keep_private();
    match command {
        Command::Run(RunArguments { input }) => run_task(input).or_else(|e| {
            let failure = of_file("run the task", input, &e);
            let fault = HostFault::of(&e).ok_or(failure)?;
            say(&format!("{fault}: {e}"));
            Ok(Exit::Task(fault))
        }),
        Command::Exec(ExecArguments { job }) => super::wait(async {
            let exit = exec::run_job(job).await;
            match exit.map_err(|e| of_file("start the job", job, &e))? {
                exec::Exit::Code(0) => Ok(Exit::Finished),
                // The rest is in `exit.json`; the batch system only has to see that it was no success.
                exit => Err(CommandFailure::new(format!("the task ended: {exit:?}"))),
            }
        }),
    }
}

fn of_file(what: &str, path: &Path, error: &io::Error) -> CommandFailure {
    CommandFailure::io(&format!("could not {what} of `{}`", path.display()), error)
}

#[derive(Debug, thiserror::Error)]
enum TaskError {
    #[error(transparent)]
    Simulate(#[from] SimError),
    #[error(transparent)]
    Design(#[from] DesignError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Launcher(#[from] LauncherError),
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    #[error("could not write a file of the result: {0}")]
    File(#[from] io::Error),
}

/// Runs the task whose input is `path`; its result is written beside it, under its name only once it is whole. A failure
/// shows in the exit status as well: an executor that cannot read results may find out what became of the node.
fn run_task(path: &Path) -> io::Result<Exit> {
    let input = serde_json::from_slice(&fs::read(path)?)?;
    let dir = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let result = work(input, dir).unwrap_or_else(|error| {
        let message = causes(&error);
        if let Some(fault) = HostFault::of(&error) {
            return TaskResult::of_host(fault, message);
        }
        let kind = kind(&error);
        TaskResult::bare(Outcome::Failed(Failure { kind, message }))
    });
    let result = TaskResult {
        peak_memory_kib: exec::peak_memory_kib(),
        ..result
    };
    let exit = match result.outcome {
        Outcome::Failed(_) => Exit::Refused,
        _ => Exit::Finished,
    };
    // Not synced: what a power cut takes from it is computed again, and to wait for the disk costs more than short tasks do.
    let new = dir.join(".result.json");
    fs::write(&new, serde_json::to_vec(&result)?)?;
    fs::rename(new, dir.join(file::RESULT))?;
    Ok(exit)
}

fn work(input: TaskInput, dir: &Path) -> Result<TaskResult, TaskError> {
    let outcome = match &input {
        TaskInput::Simulate(simulation) | TaskInput::Relax(simulation) => {
            let answer = input.answer(simulate(simulation, dir)?);
            return answer.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput).into());
        }
        TaskInput::Train(input) => {
            let out = design::train(input)?;
            Outcome::Trained {
                model: file_ref(&dir.join(&input.model_out))?,
                statistics: Some(file_ref(&dir.join(&input.statistics_out))?),
                molecules: out.molecules,
                groups: out.groups,
                rmse_hartree: out.rmse_hartree,
            }
        }
        TaskInput::Generate(input) => {
            let out = design::generate(input)?;
            Outcome::Generated {
                agent: file_ref(&dir.join(&input.agent_out))?,
                candidates: file_ref(&dir.join(&input.candidates_out))?,
                count: out.candidates,
                epsilon: out.epsilon,
                mean_reward: out.mean_reward,
                mean_loss: out.mean_loss,
            }
        }
        TaskInput::Screen(input) => {
            let ranked = design::screen(input)?.ranked;
            let ranked = ranked.into_iter().map(|p| Predicted {
                smiles: p.smiles,
                mean: p.mean,
                std: p.std,
            });
            Outcome::Screened {
                ranked: ranked.collect(),
            }
        }
    };
    Ok(TaskResult::bare(outcome))
}

fn simulate(input: &SimulateInput, dir: &Path) -> Result<SimResult, TaskError> {
    let SimulateInput { request, launch } = input;
    let engine = request.engine.simulator();
    let scratch = match engine.requirement() {
        Some(_) => Folder::make(dir, SCRATCH_LINK)?,
        None => None,
    };
    let scratch = scratch.as_ref().map(Folder::path);
    match engine.prepare(request, scratch)? {
        Prepared::Done(result) => Ok(result),
        Prepared::Program(program) => {
            let mut argv = match launch {
                Some(launch) if program.parallel => launch.argv_in(dir)?,
                _ => Vec::new(),
            };
            argv.extend(program.argv);
            let mut env = program.env;
            env.extend(scratch.map(|path| (SCRATCH.to_owned(), path.display().to_string())));
            let run = exec::run(&argv, &env, &program.files, dir)?;
            let outputs = Outputs {
                dir: dir.to_owned(),
                stdout: run.stdout,
                stderr: run.stderr,
                exit_code: run.exit_code,
            };
            Ok(engine.parse(request, &outputs)?)
        }
    }
}

/// Name of a file by its content, which is on the disk afterwards.
fn file_ref(path: &Path) -> io::Result<FileRef> {
    let mut file = File::open(path)?;
    file.sync_all()?;
    let mut hash = Sha256::new();
    let bytes = io::copy(&mut file, &mut hash)?;
    let sha256 = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(FileRef { sha256, bytes })
}

fn kind(error: &TaskError) -> FailureKind {
    match error {
        TaskError::Simulate(SimError::NoGeometry(_)) => FailureKind::NoGeometry,
        TaskError::Simulate(SimError::NotConverged(_)) => FailureKind::NotConverged,
        TaskError::Simulate(SimError::NotANumber(_)) => FailureKind::NotANumber,
        TaskError::Simulate(SimError::Rearranged(_)) => FailureKind::Rearranged,
        TaskError::Simulate(SimError::Unsupported(_)) => FailureKind::Unsupported,
        TaskError::Simulate(SimError::Unreadable(_) | SimError::File(..)) => {
            FailureKind::Unreadable
        }
        TaskError::Simulate(SimError::Memory(_)) => FailureKind::Memory,
        TaskError::Simulate(SimError::Scratch(_)) | TaskError::Scratch(_) => FailureKind::Scratch,
        TaskError::Simulate(SimError::Exit(_))
        | TaskError::Design(_)
        | TaskError::Program(ProgramError::Endless { .. })
        | TaskError::File(_) => FailureKind::Exit,
        TaskError::Program(ProgramError::Run { .. }) | TaskError::Launcher(_) => {
            FailureKind::Launch
        }
    }
}
