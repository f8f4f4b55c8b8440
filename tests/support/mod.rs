//! Support for tests of real processes: waiting for a condition, processes that carry a token, and
//! a tiny campaign.

// Each test binary uses its own part of it.
#![allow(dead_code)]

pub mod bench;
pub mod binary;
pub mod cluster;
pub mod counting;
pub mod gfn2;
pub mod jobs;
pub mod programs;
pub mod recording_scheduler;
pub mod runs;
pub mod slurm_partition;
pub mod sshd;
pub mod terminal;

pub use binary::{ProgramOutput, moldflow, run_to_end};

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use moldflow::store::Store;
use moldflow::task::Event;
use tempfile::TempDir;

/// Time limit of a wait, so that a failing test does not hang.
const DEADLINE: Duration = Duration::from_secs(100);

/// Waits until `is_true`.
pub fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    wait_for(what, || is_true().then_some(()));
}

/// Waits until `look` returns a value.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Ids of the living processes whose token starts with `prefix`.
pub fn processes(prefix: &str) -> Vec<i32> {
    let mark = format!("MOLDFLOW_TOKEN={prefix}");
    let ids = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let carries = |id: &i32| {
        // The environment of a process that has ended is empty.
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable.starts_with(mark.as_bytes()))
    };
    ids.filter(carries).collect()
}

/// A campaign that ends in a second or two, in its own directory.
pub struct Campaign {
    dir: TempDir,
    text: String,
}

const CAMPAIGN: &str = "\
name: tiny
seed: 7
site: site2.yml
objective: atomization_energy
search_space: {source: qm9, elements: [C, N, O, F], max_heavy_atoms: 5}
methods:
  energy: {kind: simulate, engine: gfn2//mmff94, topic: simulator, partition: qc, timeout: 5m, retries: 1}
  fit: {kind: train, engine: group_contribution, topic: ml, partition: ml, timeout: 5m}
  propose:
    {kind: generate, engine: moldqn, settings: {episodes: 2, steps: 6, hidden: [16], fingerprint_bits: 64, batch_size: 4}, topic: ml, partition: ml, timeout: 5m}
  rank: {kind: screen, engine: greedy, topic: ml, partition: ml, timeout: 5m}
stages:
  initial: {compute: atomization_energy, molecules: {random: 3}}
  train: {method: fit, after: initial, loop: generator}
  generate: {method: propose, after: train, loop: generator}
  screen: {method: rank, after: generate, loop: generator, select: 2}
  evaluate: {compute: atomization_energy, after: screen, loop: consumer, molecules: queue, parallel: 2}
stop: {evaluations: 6, barren_batches: 10}
";

/// Program of `Campaign::of_a_program`: computes an energy from the molecule's SMILES, and adds a
/// line to the file `done` beside the program. For one molecule it first runs the script in the
/// file `fault`, if there is one.
const PROGRAM: &str = r#"#!/bin/sh
here=$(dirname "$0")
smiles=$(sed -n 's/^ *"smiles": "\(.*\)",$/\1/p' "$1")
case $smiles in
[[]*) scale=1 ;;
*)
  scale=100
  if [ -e "$here/fault" ] && mkdir "$here/hit" 2>/dev/null; then . "$here/fault"; fi
  ;;
esac
sum=$(printf %s "$smiles" | cksum | cut -d' ' -f1)
echo "{\"energy\": -$((${#smiles} * scale)).$((sum % 900000 + 100000))}" > "$2"
echo "${MOLDFLOW_TOKEN%%.*} $smiles" >> "$here/done"
"#;

/// Molecules that `Campaign::tiny` evaluates: the initial ones and those searched.
pub const EVALUATIONS: usize = 3 + 6;

impl Campaign {
    pub fn tiny() -> Self {
        let dir = TempDir::new().expect("a directory");
        for slots in 1..=3 {
            let site = format!(
                "name: tests\npartitions:\n  qc: {{executor: local, slots: {slots}}}\n  ml: {{executor: local, slots: 1}}\n"
            );
            fs::write(dir.path().join(format!("site{slots}.yml")), site).expect("a file");
        }
        Self {
            dir,
            text: CAMPAIGN.to_owned(),
        }
    }

    /// A campaign with this text.
    pub fn of_text(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            ..Self::tiny()
        }
    }

    /// A shipped campaign, with the files of molecules and the modules beside it.
    pub fn shipped(name: &str) -> Self {
        let mut campaign = Self::tiny();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns");
        let file = folder.join(name);
        campaign.text = fs::read_to_string(&file).expect("a campaign");
        let molecules = file.with_extension("smi");
        if molecules.exists() {
            let copy = campaign.path(name).with_extension("smi");
            fs::copy(molecules, copy).expect("a copy");
        }
        for entry in fs::read_dir(folder).expect("a folder") {
            let module = entry.expect("an entry").path();
            if module
                .extension()
                .is_some_and(|extension| extension == "py")
            {
                let name = module.file_name().expect("a name").to_string_lossy();
                fs::copy(&module, campaign.path(&name)).expect("a copy");
            }
        }
        campaign
    }

    /// Tiny campaign whose energies come from a program, which can be made to fail.
    pub fn of_a_program() -> Self {
        let campaign = Self::tiny().with(
            "engine: gfn2//mmff94",
            "engine: command, settings: {level: a sum, unit: hartree, argv: [./program, \"{input}\", \"{output}\"]}",
        );
        let program = campaign.path("program");
        fs::write(&program, PROGRAM).expect("a file");
        let mut mode = fs::metadata(&program).expect("a file").permissions();
        mode.set_mode(0o755);
        fs::set_permissions(program, mode).expect("a mode");
        campaign
    }

    /// Script that the program runs once.
    pub fn with_fault(self, script: &str) -> Self {
        fs::write(self.path("fault"), script).expect("a file");
        self
    }

    /// The same files beside another campaign.
    pub fn replaced_by(self, text: String) -> Self {
        Self { text, ..self }
    }

    /// Replaces `from`, which must occur, in the text of the campaign.
    pub fn with(mut self, from: &str, to: &str) -> Self {
        assert!(self.text.contains(from), "the campaign has no `{from}`");
        self.text = self.text.replace(from, to);
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Command that runs it in the directory `name`.
    pub fn run_command(&self, name: &str, arguments: &[&str]) -> Command {
        let file = self.path("campaign-file.yml");
        fs::write(&file, &self.text).expect("a file");
        let mut command = moldflow(&["run"]);
        command.arg(file).arg("--run-dir").arg(self.path(name));
        command.args(arguments).current_dir(self.dir.path());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, name: &str, arguments: &[&str]) -> ProgramOutput {
        run_to_end(&mut self.run_command(name, arguments))
    }

    /// Runs it to its end, which must be a success.
    pub fn completed(&self, name: &str, arguments: &[&str]) -> PathBuf {
        self.run(name, arguments).with_code(0);
        self.path(name)
    }

    /// Starts it, with its standard error in the file `<name>.err`.
    pub fn start(&self, name: &str, arguments: &[&str]) -> Engine {
        Engine::start(self.run_command(name, arguments), self.path(name))
    }
}

/// Runs a command on a run directory: `resume`, `status --json`, `export --format csv`.
pub fn on(run_dir: &Path, arguments: &[&str]) -> ProgramOutput {
    let (command, rest) = arguments.split_first().expect("a command");
    run_to_end(moldflow(&[command]).arg(run_dir).args(rest))
}

/// A running engine, killed when it is dropped.
pub struct Engine {
    child: Child,
    run_dir: PathBuf,
}

impl Engine {
    pub fn start(mut command: Command, run_dir: PathBuf) -> Self {
        let err = File::create(run_dir.with_extension("err")).expect("a file");
        let child = command
            .stdout(Stdio::null())
            .stderr(err)
            .spawn()
            .expect("it starts");
        Self { child, run_dir }
    }

    pub fn resume(run_dir: &Path) -> Self {
        let mut command = moldflow(&["resume"]);
        command.arg(run_dir);
        Self::start(command, run_dir.to_owned())
    }

    /// Waits until the journal holds `n` facts or the engine has ended.
    pub fn wait_for_facts(&mut self, n: usize) {
        self.wait_for_journal(|journal| journal.len() >= n);
    }

    /// Waits until the journal holds `n` facts, and stops the engine, so that it is at work still.
    pub fn stop_at_facts(&mut self, n: usize) {
        self.wait_for_facts(n);
        assert!(!self.has_ended(), "too fast: {}", self.err());
        self.signal("STOP");
    }

    pub fn wait_for_journal(&mut self, mut is_enough: impl FnMut(&[Event]) -> bool) {
        wait_until("facts", || {
            is_enough(&journal(&self.run_dir)) || self.has_ended()
        });
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    pub fn kill(mut self) {
        self.child.kill().expect("a child");
        self.child.wait().expect("a child");
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        assert!(
            Command::new("sh")
                .args(["-c", &format!("kill -{signal} {id}")])
                .status()
                .expect("sh")
                .success()
        );
    }

    /// Sends Ctrl-C twice, the second after the response to the first, since two pending signals
    /// count as one.
    pub fn interrupt_twice(&mut self) {
        self.signal("INT");
        wait_until("the answer to Ctrl-C", || {
            self.err().contains("no new tasks") || self.has_ended()
        });
        self.signal("INT");
    }

    pub fn err(&self) -> String {
        fs::read_to_string(self.run_dir.with_extension("err")).unwrap_or_default()
    }

    pub fn exit_code(&mut self) -> Option<i32> {
        wait_for("its end", || self.child.try_wait().expect("a child")).code()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All events of a run's journal; empty without a database.
pub fn journal(run_dir: &Path) -> Vec<Event> {
    let mut events = Vec::new();
    let read = async {
        let mut store = Store::open_to_read(run_dir).await?;
        store.replay(|_, event| events.push(event)).await
    };
    let _ = wait(read);
    events
}

/// The first part of the tokens of a run.
pub fn run_name(run_dir: &Path) -> String {
    let read = async { Store::open_to_read(run_dir).await?.run_info().await };
    wait(read).expect("a database").name
}

pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .unwrap();
    assert!(copied.success());
}

/// Rows of `export --format csv`, by the names of the columns.
pub fn rows(run_dir: &Path) -> Vec<BTreeMap<String, String>> {
    let text = on(run_dir, &["export", "--format", "csv"]).with_code(0).out;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader
        .deserialize()
        .map(|row| row.expect("a row"))
        .collect()
}
