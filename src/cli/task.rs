//! `moldflow task run`: computes one task, in a process and a directory of its own. `moldflow task
//! exec`: starts one as a job of a batch system.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::ExitStatus;
use super::terminal::say;
use crate::app::error::CommandError;
use crate::app::{run_dir, task};
use crate::exec;
use crate::task::{HostFault, Outcome};

#[derive(Subcommand)]
pub(super) enum TaskCommand {
    /// Do the task whose input is in a file
    Run(TaskRunArguments),
    /// Start a task as a job of a batch system, and keep how it ends
    Exec(TaskExecArguments),
}

#[derive(Args)]
pub(super) struct TaskExecArguments {
    /// The job's `job.json`
    pub job: PathBuf,
}

#[derive(Args)]
pub(super) struct TaskRunArguments {
    /// The task's `input.json`
    pub input: PathBuf,
}

pub(super) fn run(command: &TaskCommand) -> Result<ExitStatus, CommandError> {
    // A batch system or another host may have begun with its own mask.
    run_dir::keep_private();
    match command {
        TaskCommand::Run(TaskRunArguments { input }) => match task::run(input) {
            // An executor that cannot read results may find out by the exit status what became of
            // the node.
            Ok(Outcome::Failed(_)) => Ok(ExitStatus::Refused),
            Ok(_) => Ok(ExitStatus::Finished),
            Err(e) => {
                let fault = HostFault::of(&e).ok_or(of_file("run the task", input, &e))?;
                say(&format!("{fault}: {e}"));
                Ok(ExitStatus::Task(fault))
            }
        },
        TaskCommand::Exec(TaskExecArguments { job }) => super::wait(async {
            let exit = exec::run_job(job).await;
            match exit.map_err(|e| of_file("start the job", job, &e))? {
                exec::Termination::Code(0) => Ok(ExitStatus::Finished),
                // The rest is in `exit.json`; the batch system only has to see that it was no
                // success.
                exit => Err(CommandError::new(format!("the task ended: {exit:?}"))),
            }
        }),
    }
}

fn of_file(what: &str, path: &Path, error: &io::Error) -> CommandError {
    CommandError::io(&format!("could not {what} of `{}`", path.display()), error)
}
