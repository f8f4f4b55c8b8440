//! `moldflow task run`: computes one task, in a process and a directory of its own. `moldflow task
//! serve`: computes one after another. `moldflow task exec`: starts one as a job of a scheduler.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::{Args, Subcommand};

use super::ExitStatus;
use super::terminal::{print, say};
use crate::app::error::CommandError;
use crate::app::interpreters::Interpreters;
use crate::app::{run_dir, task};
use crate::engine::file;
use crate::exec;
use crate::task::{HostFault, Outcome};

#[derive(Subcommand)]
pub(super) enum TaskCommand {
    /// Do the task whose input is in a file
    Run(TaskRunArguments),
    /// Do one task after another, each of a folder named by a line of the standard input
    Serve,
    /// Start a task as a job of a scheduler, and keep how it ends
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
    // A scheduler or another host may have begun with its own mask.
    run_dir::keep_private();
    let interpreters = Rc::new(Interpreters::default());
    match command {
        TaskCommand::Serve => serve(),
        TaskCommand::Run(TaskRunArguments { input }) => match task::run(input, &interpreters) {
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
                // The rest is in `exit.json`; the scheduler only has to see that it was no
                // success.
                exit => Err(CommandError::new(format!("the task ended: {exit:?}"))),
            }
        }),
    }
}

/// Does the tasks of a slot. Each line of the input is the folder of a task in JSON; the line that
/// answers it is the exit status that `task run` would have. Interpreters stay for the next task.
fn serve() -> Result<ExitStatus, CommandError> {
    let interpreters = Rc::new(Interpreters::default());
    for line in io::stdin().lock().lines() {
        let failed = |e: io::Error| CommandError::io("could not read the next task", &e);
        let dir: PathBuf = line
            .and_then(|line| Ok(serde_json::from_str(&line)?))
            .map_err(failed)?;
        // As if the task had a process of its own.
        exec::redirect_stderr(&dir).map_err(failed)?;
        std::env::set_current_dir(&dir).map_err(failed)?;
        let input = dir.join(file::INPUT);
        let status = match task::run(&input, &interpreters) {
            Ok(Outcome::Failed(_)) => ExitStatus::Refused,
            Ok(_) => ExitStatus::Finished,
            Err(e) => {
                say(&format!("{}: {e}", input.display()));
                HostFault::of(&e).map_or(ExitStatus::Refused, ExitStatus::Task)
            }
        };
        print(&format!("{}\n", status.code()))?;
    }
    Ok(ExitStatus::Finished)
}

fn of_file(what: &str, path: &Path, error: &io::Error) -> CommandError {
    CommandError::io(&format!("could not {what} of `{}`", path.display()), error)
}
