//! Probes of a host behind SSH: is it reached, is moldflow there, do the clocks agree.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Finding;
use super::probe::{Outcome, Place};
use crate::exec::batch::quoted;
use crate::spec::site::Ssh;

/// Seconds by which two clocks may differ.
const SKEW: i64 = 5;

/// Whether the host is reached; everything else about it is told as well.
pub fn reachable(subject: &str, ssh: &Ssh, tell: &mut dyn FnMut(Finding)) -> bool {
    let place = Place::Behind(ssh);
    let host = &ssh.host;
    let outcome = place.ask(&["true"], "");
    if outcome.success().is_none() {
        tell(unreachable(subject, host, &outcome));
        return false;
    }
    tell(Finding::ok(
        subject,
        format!("`{host}` is reached by ssh without a question"),
    ));
    tell(program(subject, ssh));
    tell(folder(subject, ssh));
    tell(clock(subject, ssh));
    true
}

/// The reasons told apart by what OpenSSH says.
fn unreachable(subject: &str, host: &str, outcome: &Outcome) -> Finding {
    let said = match outcome {
        Outcome::Ended { stderr, .. } => stderr.as_str(),
        _ => "",
    };
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let (why, advice) = if matches!(outcome, Outcome::Missing) {
        (
            "there is no `ssh` here".to_owned(),
            "install OpenSSH's client".to_owned(),
        )
    } else if says(&[
        "Host key verification failed",
        "HOST IDENTIFICATION HAS CHANGED",
    ]) {
        (
            format!("the host key of `{host}` is not known, or has changed"),
            format!(
                "run `ssh {host}` once and compare the key; a changed key may mean another machine"
            ),
        )
    } else if says(&["Permission denied", "Too many authentication failures"]) {
        (
            format!("`{host}` does not accept a key of ours"),
            format!(
                "load one into the agent (`ssh-add`), or name one for `{host}` in ~/.ssh/config; moldflow asks for no password"
            ),
        )
    } else if says(&["Could not resolve hostname"]) {
        (
            format!("the name `{host}` is not known"),
            format!("correct `host`, or write a `Host {host}` block into ~/.ssh/config"),
        )
    } else {
        (
            format!("`{host}` is not reached: {}", outcome.trouble()),
            format!(
                "try `ssh -v {host} true`; a host behind another needs `ProxyJump` in ~/.ssh/config"
            ),
        )
    };
    Finding::failed(subject, why, advice)
}

/// Whether the same moldflow is there.
fn program(subject: &str, ssh: &Ssh) -> Finding {
    let host = &ssh.host;
    let Some(path) = &ssh.moldflow else {
        return Finding::ok(subject, format!("moldflow will be copied to `{host}`"));
    };
    let ours = concat!("moldflow ", env!("CARGO_PKG_VERSION"));
    let outcome = Place::Behind(ssh).ask(&[&path.to_string_lossy(), "--version"], "");
    match outcome.success().map(str::trim) {
        Some(theirs) if theirs == ours => Finding::ok(subject, format!("{theirs} is on `{host}`")),
        Some(theirs) => Finding::failed(
            subject,
            format!("`{host}` has {theirs}, this is {ours}"),
            "install the same version there, or leave out `moldflow` to have it copied",
        ),
        None => Finding::failed(
            subject,
            format!(
                "`{}` on `{host}` does not run: {}",
                path.display(),
                outcome.trouble()
            ),
            "correct its path, or leave out `moldflow` to have it copied",
        ),
    }
}

/// Whether tasks can be put there.
fn folder(subject: &str, ssh: &Ssh) -> Finding {
    let folder = ssh.work_dir.to_string_lossy();
    let script = format!("mkdir -p -- {0} && test -w {0}", quoted(&folder));
    let outcome = Place::Behind(ssh).ask(&["sh", "-c", &script], "");
    match outcome.success() {
        Some(_) => Finding::ok(
            subject,
            format!("`{folder}` on `{}` can be written to", ssh.host),
        ),
        None => Finding::failed(
            subject,
            format!(
                "`{folder}` on `{}` cannot be written to: {}",
                ssh.host,
                outcome.trouble()
            ),
            "name a folder in `work_dir` that is yours",
        ),
    }
}

fn clock(subject: &str, ssh: &Ssh) -> Finding {
    let outcome = Place::Behind(ssh).ask(&["date", "+%s"], "");
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
                outcome.trouble()
            ),
            "nothing, if tasks run all the same",
        ),
    }
}
