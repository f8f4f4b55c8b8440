//! Probes of a host behind SSH: it is reached, moldflow is there, and the clocks agree.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Finding, Verdict};
use crate::config::site::Ssh;
use crate::exec::probe::{ProbeHost, ProbeOutcome};
use crate::exec::ssh::{ConnectError, Connection, MAKE_FOLDER, SshParams, SshTransport};

/// Seconds by which two clocks may differ.
const SKEW: i64 = 5;

/// Returns true if the host is reached; reports all findings about it.
pub fn reachable(subject: &str, ssh: &Ssh, tell: &mut dyn FnMut(Finding)) -> bool {
    let host = &ssh.host;
    let trouble = match ProbeHost::Remote(&ssh.host).ask(&["true"], "") {
        ProbeOutcome::Missing => ConnectError::NoClient,
        outcome if outcome.success().is_some() => {
            tell(Finding::ok(
                subject,
                format!("`{host}` is reached by ssh without a question"),
            ));
            configured(subject, host).into_iter().for_each(&mut *tell);
            let folder = folder(subject, ssh);
            let is_there = folder.verdict == Verdict::Ok;
            tell(folder);
            if is_there {
                tell(program(subject, ssh));
            }
            tell(clock(subject, ssh));
            return true;
        }
        ProbeOutcome::Ended { stderr, .. } => ConnectError::of(host, &stderr),
        outcome => ConnectError::NotReached {
            host: host.clone(),
            why: outcome.failure(),
        },
    };
    tell(told(subject, &trouble));
    false
}

fn told(subject: &str, trouble: &ConnectError) -> Finding {
    Finding::failed(subject, trouble.to_string(), trouble.hint())
}

/// Host name and port after the user's ssh configuration; empty if ssh does not report them.
fn configured(subject: &str, host: &str) -> Vec<Finding> {
    let outcome = ProbeHost::Local.ask(&["ssh", "-G", "--", host], "");
    let text = outcome.success().unwrap_or_default();
    let value = |key: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once(' '));
        pairs
            .find(|(found, _)| *found == key)
            .map(|(_, value)| value)
    };
    let (Some(user), Some(name), Some(port)) = (value("user"), value("hostname"), value("port"))
    else {
        return Vec::new();
    };
    let jump = value("proxyjump").map_or_else(String::new, |jump| format!(", through `{jump}`"));
    // 0: it has keys, 1: it has none, 2: there is no agent.
    let agent = match ProbeHost::Local.ask(&["ssh-add", "-l"], "").success() {
        Some(keys) => format!("the agent holds keys: {}", keys.lines().count()),
        None => "no key comes from an agent".to_owned(),
    };
    let mut findings = vec![Finding::ok(
        subject,
        format!("`{host}` is {user}@{name}, port {port}{jump}; {agent}"),
    )];
    if value("stricthostkeychecking").is_some_and(|value| ["false", "no", "off"].contains(&value)) {
        findings.push(Finding::warning(
            subject,
            format!("host key checking is disabled for `{host}`: its identity is not verified"),
            "remove `StrictHostKeyChecking no` from ~/.ssh/config",
        ));
    }
    findings
}

/// Checks that the same moldflow is there; if the profile names none, this one is copied.
fn program(subject: &str, ssh: &Ssh) -> Finding {
    let host = &ssh.host;
    let place = SshParams {
        host: ssh.host.clone(),
        moldflow: ssh.moldflow.clone(),
        work_dir: ssh.work_dir.clone(),
    };
    let connection = Connection::new(host).map(Arc::new);
    let prepared = connection.map(|connection| {
        // The path of this program here is of no use for that.
        SshTransport::new(connection, place, Path::new("")).prepare()
    });
    match (prepared, &ssh.moldflow) {
        (Err(error), _) => Finding::failed(subject, error.to_string(), "make room for it"),
        (Ok(Err(trouble)), _) => told(subject, &trouble),
        (Ok(Ok(_)), None) => Finding::ok(
            subject,
            format!("moldflow was copied to `{host}` and runs there"),
        ),
        (Ok(Ok(_)), Some(_)) => {
            let version = env!("CARGO_PKG_VERSION");
            Finding::ok(subject, format!("moldflow {version} is on `{host}`"))
        }
    }
}

/// Checks that the folder of attempts can be written to.
fn folder(subject: &str, ssh: &Ssh) -> Finding {
    let folder = ssh.work_dir.to_string_lossy();
    let outcome = ProbeHost::Remote(&ssh.host).ask(&["sh", "-c", MAKE_FOLDER, "sh", &folder], "");
    match outcome.success() {
        Some(_) => Finding::ok(
            subject,
            format!("`{folder}` on `{}` can be written to", ssh.host),
        ),
        None => told(
            subject,
            &ConnectError::of_folder(&ssh.host, &ssh.work_dir, &outcome.failure()),
        ),
    }
}

fn clock(subject: &str, ssh: &Ssh) -> Finding {
    let outcome = ProbeHost::Remote(&ssh.host).ask(&["date", "+%s"], "");
    let theirs = outcome
        .success()
        .and_then(|text| text.trim().parse::<i64>().ok());
    let ours = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs().cast_signed());
    match theirs.map(|theirs| (theirs - ours).abs()) {
        Some(skew) if skew <= SKEW => Finding::ok(subject, "the clocks agree"),
        Some(skew) => Finding::warning(
            subject,
            format!("the clocks differ by {skew} s"),
            "times of tasks will be off by as much: have the clocks set",
        ),
        None => Finding::warning(
            subject,
            format!(
                "the clock of `{}` cannot be read: {}",
                ssh.host,
                outcome.failure()
            ),
            "nothing, if tasks run all the same",
        ),
    }
}
