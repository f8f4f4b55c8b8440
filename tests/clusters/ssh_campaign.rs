//! Campaigns through the real binary whose machine learning is on another host, behind a real sshd.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::runs::{answers, failures, names};
use crate::support::{
    Campaign, EVALUATIONS, Engine, journal, moldflow, on, rows, run_name, run_to_end, wait_until,
};

use crate::support::sshd::{ALIAS, Sshd};

/// A campaign whose `ml` is on another host, each task of which writes down its token, and waits
/// while there is a file `hold`.
struct RemoteCampaign {
    there: Sshd,
    campaign: Campaign,
}

impl RemoteCampaign {
    /// The other host has the program that the profile names, or none.
    fn new(installed: bool) -> Self {
        let there = Sshd::start();
        let program = match installed {
            true => {
                let program = there.install(Path::new(env!("CARGO_BIN_EXE_moldflow")));
                format!(", moldflow: {}", program.display())
            }
            false => String::new(),
        };
        let campaign = Campaign::tiny();
        let dir = there.dir().display();
        let work_dir = there.work_dir();
        let site = format!(
            "name: tests\npartitions:\n  qc: {{executor: local, slots: 2}}\n  ml:\n    executor: local\n    slots: 1\n    \
             transport: {{ssh: {{host: {ALIAS}, work_dir: \"{}\"{program}}}}}\n    setup:\n    \
             - echo $MOLDFLOW_TOKEN >>{dir}/started\n    - while test -e {dir}/hold; do sleep 0.1; done\n",
            work_dir.display()
        );
        fs::write(campaign.path("site2.yml"), site).expect("a file");
        Self { there, campaign }
    }

    fn start(&self) -> Engine {
        let mut command = self.campaign.run_command("run", &[]);
        command.env("PATH", self.there.path());
        Engine::start(command, self.run_dir())
    }

    fn resume(&self) -> Engine {
        let mut command = moldflow(&["resume"]);
        command.arg(self.run_dir()).env("PATH", self.there.path());
        Engine::start(command, self.run_dir())
    }

    fn run_dir(&self) -> PathBuf {
        self.campaign.path("run")
    }

    fn hold(&self) {
        fs::write(self.there.dir().join("hold"), "").expect("a file");
    }

    fn release(&self) {
        fs::remove_file(self.there.dir().join("hold")).expect("a file");
    }

    /// Tokens of the tasks that began there, in their order.
    fn started(&self) -> Vec<String> {
        let text = fs::read_to_string(self.there.dir().join("started")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn wait_for_a_task(&self, engine: &mut Engine) {
        wait_until("a task there", || {
            assert!(!engine.has_ended(), "{}", engine.err());
            !self.started().is_empty()
        });
    }

    fn wait_for_trouble(&self) {
        let log = self.run_dir().join("runtime.log");
        wait_until("trouble with the link", || {
            fs::read_to_string(&log).is_ok_and(|log| log.contains("is not reached"))
        });
    }

    /// Requires the properties of every run that has ended.
    fn assert_whole(&self) {
        let rows = rows(&self.run_dir());
        let computed = rows.iter().filter(|row| row["status"] == "evaluated");
        assert_eq!(computed.count(), EVALUATIONS);
        let journal = journal(&self.run_dir());
        answers(&journal);
        assert_eq!(failures(&journal), []);
        let started = self.started();
        let distinct: BTreeSet<&String> = started.iter().collect();
        assert_eq!(distinct.len(), started.len(), "doubled: {started:?}");
        assert!(
            started.iter().all(|token| token.ends_with(".1")),
            "{started:?}"
        );
        let run = run_name(&self.run_dir());
        assert_eq!(self.there.processes(&run), 0);
        assert_eq!(self.left(), BTreeSet::new());
    }

    /// Attempts whose directories are there.
    fn left(&self) -> BTreeSet<String> {
        let mut left = names(&self.there.work_dir().join("attempts"));
        left.remove(".lock");
        left
    }
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path)
        .expect("it is there")
        .permissions()
        .mode()
        & 0o777
}

#[test]
fn a_campaign_learns_on_a_host_that_has_no_moldflow() {
    let remote = RemoteCampaign::new(false);
    let mut engine = remote.start();
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    remote.assert_whole();
    let work_dir = remote.there.work_dir();
    assert_eq!(mode(&work_dir), 0o700);
    assert_eq!(names(&work_dir.join("bin")).len(), 1);
}

#[test]
fn a_cut_longer_than_the_keep_alive_changes_nothing() {
    let remote = RemoteCampaign::new(true);
    remote.hold();
    let mut engine = remote.start();
    remote.wait_for_a_task(&mut engine);
    remote.there.cut();
    remote.wait_for_trouble();
    // The task ends while its host is unreachable.
    remote.release();
    remote.there.mend();
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    remote.assert_whole();
}

#[test]
fn an_engine_killed_and_resumed_while_the_link_is_down_takes_its_tasks_over() {
    let remote = RemoteCampaign::new(true);
    remote.hold();
    let mut engine = remote.start();
    remote.wait_for_a_task(&mut engine);
    remote.there.cut();
    engine.kill();
    let mut engine = remote.resume();
    remote.wait_for_trouble();
    remote.there.mend();
    remote.release();
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    remote.assert_whole();
}

#[test]
fn an_engine_killed_while_its_tasks_run_there_doubles_none() {
    let remote = RemoteCampaign::new(true);
    remote.hold();
    let mut engine = remote.start();
    remote.wait_for_a_task(&mut engine);
    engine.kill();
    let mut engine = remote.resume();
    remote.release();
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    remote.assert_whole();
}

#[test]
fn an_interrupted_run_leaves_no_process_there() {
    let remote = RemoteCampaign::new(true);
    remote.hold();
    let mut engine = remote.start();
    remote.wait_for_a_task(&mut engine);
    let run = run_name(&remote.run_dir());
    assert!(remote.there.processes(&run) > 0);
    engine.interrupt_twice();
    assert_eq!(engine.exit_code(), Some(130), "{}", engine.err());
    assert_eq!(remote.there.processes(&run), 0);
    assert_eq!(remote.left(), BTreeSet::new());
    remote.release();
    let mut engine = remote.resume();
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    assert_eq!(failures(&journal(&remote.run_dir())), []);
}

#[test]
fn a_host_with_another_key_is_refused_before_anything_is_written() {
    let remote = RemoteCampaign::new(true);
    remote.there.forge_known_key();
    let mut command = remote.campaign.run_command("run", &[]);
    let refused = run_to_end(command.env("PATH", remote.there.path())).with_code(1);
    assert!(
        refused
            .err
            .contains("the host key of `there` is not known, or has changed"),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("compare the key"), "{}", refused.err);
    assert!(!remote.run_dir().exists());
    assert!(!remote.there.work_dir().exists());
}

#[test]
fn a_host_that_is_down_is_told_before_anything_is_written() {
    let remote = RemoteCampaign::new(true);
    remote.there.cut();
    let mut command = remote.campaign.run_command("run", &[]);
    let refused = run_to_end(command.env("PATH", remote.there.path())).with_code(1);
    assert!(
        refused.err.contains("`there` is not reached"),
        "{}",
        refused.err
    );
    assert!(!remote.run_dir().exists());
    assert!(on(&remote.run_dir(), &["status"]).code != Some(0));
}

#[test]
fn a_copy_that_is_cut_short_is_not_taken_for_the_program() {
    let remote = RemoteCampaign::new(false);
    let mut engine = remote.start();
    let bin = remote.there.work_dir().join("bin");
    let copies = || {
        let dirs = fs::read_dir(&bin).into_iter().flatten().flatten();
        let files = dirs.flat_map(|dir| names(&dir.path()));
        files.collect::<Vec<_>>()
    };
    wait_until("a copy under way", || !copies().is_empty());
    remote.there.cut();
    assert_eq!(copies().iter().find(|name| *name == "moldflow"), None);
    assert_eq!(engine.exit_code(), Some(1));
    assert!(
        engine.err().contains("`there` is not reached"),
        "{}",
        engine.err()
    );
    assert!(!remote.run_dir().exists());
    remote.there.mend();
    wait_until("the end of the copy", || copies().is_empty());
    let mut engine = remote.start();
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    remote.assert_whole();
}

#[test]
fn sites_check_tells_how_another_host_is_reached() {
    let remote = RemoteCampaign::new(false);
    let mut command = moldflow(&["sites", "check"]);
    command.arg(remote.campaign.path("site2.yml"));
    let told = run_to_end(
        command
            .env("PATH", remote.there.path())
            .env_remove("SSH_AUTH_SOCK"),
    );
    for part in [
        "`there` is reached by ssh without a question",
        "`there` is root@100.",
        "port 22; no key comes from an agent",
        "moldflow was copied to `there` and runs there",
        "the clocks agree",
    ] {
        assert!(told.out.contains(part), "no `{part}` in\n{}", told.out);
    }
}
