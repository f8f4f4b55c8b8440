//! Hosts behind SSH as they are: login shells other than bash, greetings, file systems without
//! programs or without room, and jump hosts. Each is a real sshd with the real shell.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::runs::{failures, names};
use crate::support::{
    Campaign, EVALUATIONS, Engine, ProgramOutput, journal, moldflow, rows, run_to_end, wait_until,
};

use crate::support::sshd::{ALIAS, Sshd};

/// A host, and a campaign whose `ml` is on it.
struct RemoteCampaign {
    there: Sshd,
    campaign: Campaign,
}

impl RemoteCampaign {
    /// Settings of the transport besides its host.
    fn new(there: Sshd, settings: &str) -> Self {
        let campaign = Campaign::tiny();
        let remote = Self { there, campaign };
        remote.set(ALIAS, settings);
        remote
    }

    fn set(&self, host: &str, settings: &str) {
        let site = format!(
            "name: tests\npartitions:\n  qc: {{executor: local, slots: 2}}\n  ml:\n    executor: local\n    slots: 1\n    \
             transport: {{ssh: {{host: {host}, {settings}}}}}\n"
        );
        fs::write(self.campaign.path("site2.yml"), site).expect("a file");
    }

    fn run_dir(&self) -> PathBuf {
        self.campaign.path("run")
    }

    fn command(&self) -> Command {
        let mut command = self.campaign.run_command("run", &[]);
        command.env("PATH", self.there.path());
        command
    }

    fn assert_runs(&self) {
        let mut engine = Engine::start(self.command(), self.run_dir());
        assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
        let rows = rows(&self.run_dir());
        let computed = rows.iter().filter(|row| row["status"] == "evaluated");
        assert_eq!(computed.count(), EVALUATIONS);
        assert_eq!(failures(&journal(&self.run_dir())), []);
    }

    fn refused(&self) -> ProgramOutput {
        let refused = run_to_end(&mut self.command()).with_code(1);
        assert!(!self.run_dir().exists(), "{}", refused.err);
        refused
    }

    fn check(&self) -> ProgramOutput {
        let mut command = moldflow(&["sites", "check"]);
        command.arg(self.campaign.path("site2.yml"));
        run_to_end(command.env("PATH", self.there.path()))
    }
}

/// Text that login shells print, to both of their outputs.
const NOISE: &str =
    "echo 'Welcome to the cluster!'; echo 12345\nsh -c 'echo \"quota: 95 % used\" >&2'\n";

#[test]
fn tasks_run_whatever_the_login_shell_is_and_prints() {
    for (shell, file) in [
        ("/usr/bin/tcsh", ".cshrc"),
        ("/usr/bin/fish", ".config/fish/config.fish"),
        ("/bin/bash", ".bashrc"),
    ] {
        let there = Sshd::of_user(shell, &[(file, NOISE)], ":");
        let told = there.run("echo asked");
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(
            told.contains("Welcome") && told.contains("asked"),
            "{shell}: {told}"
        );
        // A folder whose name each of these shells would read in its own way.
        let remote = RemoteCampaign::new(there, "work_dir: \"~/it's work! $HOME\"");
        remote.assert_runs();
        let work_dir = remote.there.home().join("it's work! $HOME");
        let mut left = names(&work_dir.join("attempts"));
        left.remove(".lock");
        assert_eq!(left, BTreeSet::new(), "{shell}");
        let checked = remote.check();
        for part in [
            "`there` is reached by ssh without a question",
            "can be written to",
            "moldflow was copied to `there` and runs there",
            "the clocks agree",
        ] {
            assert!(
                checked.out.contains(part),
                "{shell}: no `{part}` in\n{}",
                checked.out
            );
        }
    }
}

#[test]
fn a_login_shell_that_runs_nothing_is_told() {
    let there = Sshd::of_user("/usr/sbin/nologin", &[("file", "")], ":");
    let remote = RemoteCampaign::new(there, "work_dir: /tmp/nowhere");
    let refused = remote.refused();
    assert!(
        refused
            .err
            .contains("the login shell on `there` carries out no command: This account"),
        "{}",
        refused.err
    );
}

#[test]
fn a_file_system_without_programs_is_told_and_can_hold_the_work_of_one_that_lies_elsewhere() {
    let mount = "mkdir DIR/noexec && mount -t tmpfs -o noexec none DIR/noexec";
    let there = Sshd::of_user("/bin/bash", &[("file", "")], mount);
    let folder = there.dir().join("noexec/w").display().to_string();
    let program = there.install(Path::new(env!("CARGO_BIN_EXE_moldflow")));
    let remote = RemoteCampaign::new(there, &format!("work_dir: {folder}"));
    for text in [remote.refused().err, remote.check().out] {
        let about = format!("no program can be executed in `{folder}` on `there`");
        assert!(text.contains(&about) && text.contains("noexec"), "{text}");
        assert!(text.contains("another file system in `work_dir`"), "{text}");
    }
    remote.set(
        ALIAS,
        &format!("work_dir: {folder}, moldflow: {}", program.display()),
    );
    remote.assert_runs();
}

#[test]
fn a_full_disk_there_is_told_as_that_and_waited_for_by_a_run() {
    let mount = "mkdir DIR/full && mount -t tmpfs -o size=8k none DIR/full";
    let there = Sshd::of_user("/bin/bash", &[("file", "")], mount);
    let program = there.install(Path::new(env!("CARGO_BIN_EXE_moldflow")));
    let disk = there.dir().join("full").display().to_string();
    let remote = RemoteCampaign::new(there, &format!("work_dir: {disk}/w"));
    let about = format!("the disk of `{disk}/w` on `there` is full");
    // There is no room for the program.
    for text in [remote.refused().err, remote.check().out] {
        assert!(
            text.contains(&about) && text.contains("No space left"),
            "{text}"
        );
        assert!(text.contains("make room there"), "{text}");
    }
    // There is room for an empty folder, but not for the files of a task.
    remote.set(
        ALIAS,
        &format!("work_dir: {disk}/w, moldflow: {}", program.display()),
    );
    let mut engine = Engine::start(remote.command(), remote.run_dir());
    let log = remote.run_dir().join("runtime.log");
    wait_until("the full disk in the log", || {
        assert!(!engine.has_ended(), "{}", engine.err());
        fs::read_to_string(&log).is_ok_and(|log| log.contains(&about))
    });
    let more = remote
        .there
        .run(&format!("mount -o remount,size=100m '{disk}'"));
    assert!(more.status.success(), "{more:?}");
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    assert_eq!(failures(&journal(&remote.run_dir())), []);
}

#[test]
fn the_trouble_of_a_jump_host_is_not_that_of_the_host_behind_it() {
    let there = Sshd::beside("");
    let dir = there.dir().display().to_string();
    fs::write(there.dir().join("known_to_nobody"), "").expect("a file");
    there.configure_more(&format!(
        "Host behind-*\n  ControlPath none\n\
         Host behind-unknown\n  ProxyJump gateway-unknown\nIT\n\
         Host behind-denied\n  ProxyJump gateway-denied\nIT\n\
         Host behind-down\n  ProxyJump gateway-down\nIT\n\
         Host gateway-down\n  HostName 127.0.0.1\n  Port 1\n\
         Host behind-good\n  ProxyJump {ALIAS}\nIT\n\
         Host gateway-unknown\n  UserKnownHostsFile {dir}/known_to_nobody\n  StrictHostKeyChecking ask\nIT\n\
         Host gateway-denied\n  PubkeyAuthentication no\nIT\n"
    ));
    let remote = RemoteCampaign::new(there, "work_dir: /tmp/nowhere");
    for (host, message, hint) in [
        (
            "behind-unknown",
            "the host key of the jump host `gateway-unknown`, through which `behind-unknown` is reached, is not known",
            "run `ssh gateway-unknown` once",
        ),
        (
            "behind-denied",
            "the jump host `gateway-denied`, through which `behind-denied` is reached, does not accept a key of ours",
            "load a key that it accepts",
        ),
        (
            "behind-down",
            "`behind-down` is not reached: ssh: connect to host 127.0.0.1 port 1: Connection refused",
            "ProxyJump",
        ),
    ] {
        remote.set(host, "work_dir: /tmp/nowhere");
        for text in [remote.refused().err, remote.check().out] {
            assert!(text.contains(message), "{text}");
            assert!(text.contains(hint), "{text}");
        }
    }
    let work_dir = remote.there.work_dir();
    remote.set(
        "behind-good",
        &format!("work_dir: \"{}\"", work_dir.display()),
    );
    remote.assert_runs();
}
