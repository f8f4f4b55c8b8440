//! Clients of tasks on the nodes of a batch job: how they are found and terminated, and what their
//! end means for the task.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::time::Duration;

use rustix::process::{Signal, kill_process_group};

use super::probe::NodeProbe;
use crate::exec::gpus::VISIBLE;
use crate::exec::job_wrapper::AttemptFiles;
use crate::exec::process::{CLIENT, find_processes, token_of};
use crate::exec::verdict::Evidence;
use crate::exec::{Job, Termination};
use crate::task::Token;

/// Polls, a second apart, for the files of a task whose launcher reports success: a file that
/// another host wrote may appear late.
const POLLS: u32 = 10;

/// Returns true if the end of a client shows that the nodes of its task did their part.
pub fn is_orderly(job: &Job, exit: &Termination) -> bool {
    match AttemptFiles::read(job).ended {
        _ if job.shape.is_some() => {
            matches!(exit, Termination::Code(0) | Termination::NotStarted(..))
        }
        // This host could not start it.
        _ if matches!(exit, Termination::NotStarted(..)) => true,
        // A node that goes down may end the task first.
        Some(ended) => !ended.exit.may_be_a_signal(),
        None => false,
    }
}

/// Nodes of a task that do not answer; none if the task turns out to have ended in good order.
pub fn lost_nodes(
    job: &Job,
    exit: &Termination,
    probe: &NodeProbe,
    mut nodes: Vec<String>,
) -> Vec<String> {
    let mut polls = 0;
    while *exit == Termination::Code(0) && !is_orderly(job, exit) && polls < POLLS {
        std::thread::sleep(Duration::from_secs(1));
        // NFS looks for a file again once the directory was read.
        let _ = fs::read_dir(&job.dir).map(Iterator::count);
        polls += 1;
    }
    if is_orderly(job, exit) {
        return Vec::new();
    }
    let dir = job.dir.join("probe");
    nodes.retain(|node| !probe.answers(node, &dir));
    nodes
}

/// End of a task, and its result. `launches`: the task starts an MPI program; it outlives the nodes
/// of that program, and its result is then only their loss.
pub fn verdict(
    launches: bool,
    cancelled: bool,
    client: &Termination,
    lost_nodes: &[String],
    traces: AttemptFiles,
) -> (Termination, Option<Vec<u8>>) {
    let AttemptFiles { result, ended } = traces;
    let evidence = Evidence {
        recorded: ended.as_ref().map(|ended| &ended.exit),
        client: Some(client),
        lost_nodes,
        cancelled,
        scheduler: None,
    };
    let is_loss =
        launches && ended.is_none() && !lost_nodes.is_empty() && *client != Termination::Unseen;
    (evidence.verdict(), result.filter(|_| !is_loss))
}

/// GPUs of a task whose client an earlier engine left, as the value of `VISIBLE`; None if there is
/// no such client, or no such variable.
///
/// # Errors
///
/// Fails if the host does not let its processes be read.
pub fn visible_to_client(token: &Token) -> io::Result<Option<String>> {
    let token = token.to_string();
    let processes = find_processes(CLIENT, &token)?;
    match processes.iter().find(|process| process.token == token) {
        Some(client) => token_of(client.pid, VISIBLE),
        None => Ok(None),
    }
}

/// Sends SIGTERM, which launchers pass on, to the groups of those clients whose token begins with
/// `prefix` and passes `which`.
pub fn terminate(prefix: &str, which: impl Fn(&str) -> bool) {
    for process in find_processes(CLIENT, prefix).unwrap_or_default() {
        if process.pid == process.group && which(&process.token) {
            let _ = kill_process_group(process.group, Signal::TERM);
        }
    }
}

/// Terminates the clients of these tasks, all of one run.
pub fn terminate_clients(tokens: &[Token]) {
    let tokens: BTreeSet<String> = tokens.iter().map(Token::to_string).collect();
    if let Some(run) = tokens.first().and_then(|token| token.split('.').next()) {
        terminate(&format!("{run}."), |token| tokens.contains(token));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failure_of_an_mpi_program_on_a_lost_node_is_no_result() {
        let left = || AttemptFiles {
            result: Some(b"{}".to_vec()),
            ended: None,
        };
        let lost = ["n3".to_owned()];
        let node_lost = || Termination::NodeLost("n3".into());
        assert_eq!(
            verdict(true, false, &Termination::Code(1), &lost, left()),
            (node_lost(), None)
        );
        // Nobody saw how it ended: what it left may be a success.
        let unseen = verdict(true, false, &Termination::Unseen, &lost, left());
        assert_eq!(unseen, (node_lost(), Some(b"{}".to_vec())));
        let alive = verdict(true, false, &Termination::Code(1), &[], left());
        assert_eq!(alive, (Termination::Code(1), Some(b"{}".to_vec())));
    }
}
