//! `moldflow remote`: server side of the SSH transport, on the remote host.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ExitStatus;
use super::terminal::say;
use crate::app::error::CommandError;
use crate::app::run_dir;
use crate::exec::find_clients;
use crate::exec::ssh::{processes, work_dir::WorkDir};
use crate::task::HostFault;

#[derive(Subcommand)]
pub(super) enum RemoteCommand {
    /// Answer the message on stdin
    Exchange {
        #[arg(value_parser = super::path())]
        work_dir: PathBuf,
    },
    /// Start an attempt, which outlives the connection
    Start {
        #[arg(value_parser = super::path())]
        work_dir: PathBuf,
        token: String,
    },
    /// Print the attempts that were started, one per line, and a last line that ends the list
    List {
        #[arg(value_parser = super::path())]
        work_dir: PathBuf,
    },
    /// Terminate attempts
    End(RemoteEndArguments),
    /// Exit with 0 if a program is running for an attempt
    Find { program: String, token: String },
}

#[derive(Args)]
pub(super) struct RemoteEndArguments {
    #[arg(value_parser = super::path())]
    work_dir: PathBuf,
    tokens: Vec<String>,
}

pub(super) fn run(command: &RemoteCommand) -> Result<ExitStatus, CommandError> {
    run_dir::keep_private();
    carry_out(command).or_else(|e| {
        let fault = HostFault::of(&e).ok_or_else(|| CommandError::new(e.to_string()))?;
        say(&e.to_string());
        Ok(ExitStatus::Task(fault))
    })
}

fn carry_out(command: &RemoteCommand) -> io::Result<ExitStatus> {
    match command {
        RemoteCommand::Exchange { work_dir } => {
            let mut message = Vec::new();
            io::stdin().read_to_end(&mut message)?;
            write_stdout(&WorkDir::new(work_dir).answer(&message, processes::is_alive)?)?;
        }
        RemoteCommand::Start { work_dir, token } => {
            processes::start(&WorkDir::new(work_dir), token)?
        }
        RemoteCommand::List { work_dir } => {
            let list = processes::list(&WorkDir::new(work_dir))?;
            write_stdout(processes::printed(&list).as_bytes())?;
        }
        RemoteCommand::End(RemoteEndArguments { work_dir, tokens }) => {
            processes::end(&WorkDir::new(work_dir), tokens)?;
        }
        RemoteCommand::Find { program, token } if !find_clients(program, token)? => {
            return Ok(ExitStatus::Refused);
        }
        RemoteCommand::Find { .. } => {}
    }
    Ok(ExitStatus::Finished)
}

fn write_stdout(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}
