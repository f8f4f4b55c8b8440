//! Body of a task, which runs in a process and a directory of its own.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::rc::Rc;

use super::error::causes;
use super::interpreters::Interpreters;
use crate::design::{self, DesignError};
use crate::engine::{SimulateInput, TaskInput, TaskResult, file};
use crate::exec::{self, LauncherError, ProgramError, SCRATCH, ScratchError, ScratchFolder};
use crate::host::atomic::{self, Durability};
use crate::host::hash::sha256_of_reader;
use crate::host::name::host_name;
use crate::python::{CallError, PythonCaller, with_caller};
use crate::simulate::{
    FunctionCall, Outputs, PreparedSimulation, QcEngine, SCRATCH_LINK, SimError, SimResult,
};
use crate::task::{Failure, FailureKind, FileRef, HostFault, Outcome};

#[derive(Debug, thiserror::Error)]
enum TaskError {
    #[error(transparent)]
    Simulate(#[from] SimError),
    #[error(transparent)]
    Call(#[from] CallError),
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

/// Runs the task whose input is `path`, and returns its outcome. `interpreters` call its functions
/// in Python. The result is written beside the
/// input, under its final name only once it is complete.
///
/// # Errors
///
/// Fails if the input cannot be read or the result cannot be written.
pub fn run(path: &Path, interpreters: &Rc<Interpreters>) -> io::Result<Outcome> {
    let input = serde_json::from_slice(&fs::read(path)?)?;
    let dir = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    interpreters.begin(dir)?;
    let result = perform(input, dir, interpreters);
    let result = TaskResult {
        peak_memory_kib: interpreters
            .peak_memory_kib()
            .or_else(exec::peak_memory_kib),
        host: Some(host_name()),
        ..result
    };
    // Not synced: what a power cut takes from it is computed again, and to wait for the disk costs
    // more than short tasks do.
    let text = serde_json::to_vec(&result)?;
    atomic::write(&dir.join(file::RESULT), &text, Durability::Unsynced)?;
    Ok(result.outcome)
}

/// Does a task in the folder `dir`, and returns its result. A failure is a result.
pub fn perform(input: TaskInput, dir: &Path, interpreters: &Rc<Interpreters>) -> TaskResult {
    work(input, dir, interpreters).unwrap_or_else(|error| {
        let message = causes(&error);
        if let Some(fault) = HostFault::of(&error) {
            return TaskResult::of_host(fault, message);
        }
        let kind = kind(&error);
        TaskResult::bare(Outcome::Failed(Failure { kind, message }))
    })
}

/// Result of a task whose folder could not be used.
pub fn not_begun(error: &io::Error) -> TaskResult {
    let fault = HostFault::of(error).unwrap_or(HostFault::InputOutput);
    TaskResult::of_host(fault, error.to_string())
}

fn work(
    input: TaskInput,
    dir: &Path,
    interpreters: &Rc<Interpreters>,
) -> Result<TaskResult, TaskError> {
    let outcome = match &input {
        TaskInput::Simulate(simulation) => {
            let found = simulate(simulation, dir, interpreters)?;
            return Ok(TaskResult {
                simulation: Some(found.clone()),
                ..TaskResult::bare(simulation.outcome(&found))
            });
        }
        TaskInput::Train(input) => {
            let out = with_caller(interpreters.clone(), || design::train(input))?;
            Outcome::Trained {
                model: file_ref(&dir.join(&input.model_out))?,
                memory: file_ref(&dir.join(&input.memory_out))?,
                molecules: out.molecules,
                metrics: out.metrics,
            }
        }
        TaskInput::Generate(input) => {
            let out = with_caller(interpreters.clone(), || design::generate(input))?;
            Outcome::Generated {
                state: file_ref(&dir.join(&input.state_out))?,
                candidates: file_ref(&dir.join(&input.candidates_out))?,
                count: out.candidates,
                metrics: out.metrics,
            }
        }
        TaskInput::Screen(input) => {
            let ranked = with_caller(interpreters.clone(), || design::screen(input))?.ranked;
            Outcome::Screened { ranked }
        }
    };
    Ok(TaskResult::bare(outcome))
}

fn simulate(
    input: &SimulateInput,
    dir: &Path,
    interpreters: &Rc<Interpreters>,
) -> Result<SimResult, TaskError> {
    let SimulateInput {
        request, launch, ..
    } = input;
    let engine = request.engine.simulator();
    let scratch = match (&request.engine, engine.requirement()) {
        // Its interpreter may outlive the task.
        (QcEngine::Python { .. }, _) | (_, None) => None,
        (_, Some(_)) => ScratchFolder::make(dir, SCRATCH_LINK)?,
    };
    let scratch = scratch.as_ref().map(ScratchFolder::path);
    match engine.prepare(request, scratch)? {
        PreparedSimulation::Done(result) => Ok(result),
        PreparedSimulation::Function(call) => {
            let FunctionCall {
                function, input, ..
            } = &call;
            let returned = interpreters.call(function, &function.call, vec![input.clone()])?;
            Ok(engine.parse(request, &call.outputs(returned, dir))?)
        }
        PreparedSimulation::Program(program) => {
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
    let (sha256, bytes) = sha256_of_reader(&mut file)?;
    Ok(FileRef { sha256, bytes })
}

fn kind(error: &TaskError) -> FailureKind {
    match error {
        TaskError::Call(error) | TaskError::Design(DesignError::Call(error)) => kind_of_call(error),
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

fn kind_of_call(error: &CallError) -> FailureKind {
    match error {
        CallError::Unsupported { .. } => FailureKind::Unsupported,
        CallError::NotConverged { .. } => FailureKind::NotConverged,
        CallError::Memory { .. } => FailureKind::Memory,
        CallError::Answer { .. } => FailureKind::Unreadable,
        CallError::NotANumber { .. } => FailureKind::NotANumber,
        CallError::Start { .. } => FailureKind::Launch,
        CallError::Load { .. } | CallError::Raised { .. } | CallError::Ended { .. } => {
            FailureKind::Exit
        }
    }
}
