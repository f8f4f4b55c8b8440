//! What is fuzzed: everything that reads text or bytes which this program did not write. A target must not panic, whatever
//! it is given. The same functions are called by `fuzz_targets` and by `tests/fuzz_corpora.rs`.

// Each fuzz target uses one of them.
#![allow(dead_code)]

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use moldflow::chem::{Geometry, Molecule};
use moldflow::config::campaign::{Overrides, SearchSpace};
use moldflow::config::diagnostic::Text;
use moldflow::config::{import, profiles, source};
use moldflow::driver::{TaskProgram, TaskRun};
use moldflow::exec::{Termination, render};
use moldflow::scheduler::{
    BatchParams, CommandHost, CommandOutput, CommandRequest, Resources, Scheduler, SchedulerKind,
    Script, SubmissionParams, Unreachable, slurm,
};
use moldflow::simulate::{Outputs, QcEngine, Request};
use moldflow::task::Event;
use moldflow::task::Shape;

/// A target and its name, which is that of its corpus too.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 19] = [
    ("campaign", campaign),
    ("site_profile", site_profile),
    ("qcengine_file", qcengine_file),
    ("smiles", smiles),
    ("molecules", molecules),
    ("xyz", xyz),
    ("xtb", xtb),
    ("nwchem", nwchem),
    ("qcengine", qcengine),
    ("command", command),
    ("result_json", result_json),
    ("event", event),
    ("launcher", launcher),
    ("batch_script", batch_script),
    ("squeue", squeue),
    ("scontrol", scontrol),
    ("pbs", pbs),
    ("cobalt", cobalt),
    ("flux", flux),
];

/// Between the parts of an input that stands for several files.
const SEPARATOR: &str = "\n=====\n";

/// A campaign file, with the stages and sites that it names.
pub fn campaign(data: &[u8]) {
    let path = folder().join("campaign.yml");
    fs::write(&path, data).expect("a file");
    let overrides = Overrides {
        drawn: true,
        ..Overrides::default()
    };
    if let Ok((loaded, plan)) = moldflow::plan::load(
        &path,
        &overrides,
        &moldflow::plan::HostEnvironment::default(),
    ) {
        assert!(!loaded.hash().is_empty() && !plan.stages.is_empty());
    }
}

pub fn site_profile(data: &[u8]) {
    let _ = profiles::parse(&text("site.yml", data));
}

pub fn qcengine_file(data: &[u8]) {
    let _ = import::qcengine(&text("qcengine.yaml", data), None);
}

/// A file of molecules, as lines and as a table: every entry is accounted for.
pub fn molecules(data: &[u8]) {
    let space = serde_json::json!({
        "source": "molecules",
        "elements": ["C", "N", "O"],
        "max_heavy_atoms": 9,
        "largest_fragment": data.len().is_multiple_of(2),
        "ions": data.len().is_multiple_of(3),
        "radicals": data.len().is_multiple_of(3),
    });
    let space: SearchSpace = serde_json::from_value(space).expect("a search space");
    for name in ["molecules.smi", "molecules.csv"] {
        let path = folder().join(name);
        fs::write(&path, data).expect("a file");
        if let Ok(reading) = source::read(&path, &space, true) {
            let skipped: usize = reading.skipped.values().map(Vec::len).sum();
            let found = reading.kept.len() + reading.duplicates.len() + skipped;
            assert_eq!(found, reading.read);
        }
    }
}

/// Any text as SMILES; what is one is written again, and reads as the same.
pub fn smiles(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(molecule) = Molecule::parse(text) {
        let canonical = molecule.canonical_smiles();
        assert!(
            Molecule::parse(&canonical).is_ok(),
            "{text:?} gives {canonical:?}"
        );
        let _ = (
            molecule.charge(),
            molecule.electrons(),
            molecule.element_counts(),
        );
    }
}

/// Any text as an XYZ file; what is one is written again.
pub fn xyz(data: &[u8]) {
    if let Ok(geometry) = Geometry::from_xyz(&String::from_utf8_lossy(data)) {
        assert!(Geometry::from_xyz(&geometry.to_xyz("again")).is_ok());
    }
}

/// Output and relaxed geometry of xtb, with a line `=====` between them.
pub fn xtb(data: &[u8]) {
    parse(r#"{"engine": "xtb"}"#, data, &["xtbopt.xyz"]);
}

/// Output and errors of NWChem.
pub fn nwchem(data: &[u8]) {
    let settings = r#"{"engine": "nwchem", "settings": {"task": "frequencies"}}"#;
    parse(settings, data, &[]);
}

/// Output of QCEngine.
pub fn qcengine(data: &[u8]) {
    let settings =
        r#"{"engine": "qcengine", "settings": {"program": "xtb", "method": "GFN2-xTB"}}"#;
    parse(settings, data, &[]);
}

/// Answer of a program of the user's, and the molecule that it was given.
pub fn command(data: &[u8]) {
    let settings = r#"{"engine": "command", "settings": {"argv": ["energy"], "level": "l", "unit": "hartree"}}"#;
    parse(settings, data, &["energy.json", "molecule.json"]);
}

/// What a task leaves.
pub fn result_json(data: &[u8]) {
    let program = TaskRun {
        executable: PathBuf::from("moldflow"),
    };
    let read = program.read(&Termination::Code(0), Some(data));
    assert!(serde_json::to_vec(&read.outcome).is_ok());
}

/// A fact of a journal.
pub fn event(data: &[u8]) {
    if let Ok(event) = serde_json::from_slice::<Event>(data) {
        assert!(serde_json::to_vec(&event).is_ok());
    }
}

/// Any text as the template of an MPI command: what is one gives the same words whatever a host is called.
pub fn launcher(data: &[u8]) {
    let template = String::from_utf8_lossy(data);
    let shape = |host: &str| Shape {
        hosts: vec![host.to_owned()],
        hostfile: Some("hosts".into()),
        memory: Some(1024),
        ..Shape::new(NonZeroUsize::MIN, NonZeroUsize::MIN, NonZeroUsize::MIN)
    };
    let count = |host: &str| render(&template, &shape(host)).map(|words| words.len());
    assert_eq!(count("n1"), count("n 1; \"rm\" $(-rf) {{nodes}}\n'"));
}

/// Name, queue, directory, variable and words of a batch script, a line each.
pub fn batch_script(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines().map(str::to_owned);
    let mut next = || lines.next().unwrap_or_default();
    let (name, queue, dir) = (next(), next(), next());
    let variable = [(next(), next())];
    let batch = BatchParams {
        queue: Some(queue),
        ..batch()
    };
    let argv: Vec<String> = lines.collect();
    for scheduler in SchedulerKind::all() {
        let script = Script {
            scheduler,
            batch: &batch,
            name: &name,
            token: Some(&name),
            nodes: NonZeroUsize::MIN,
            walltime: Duration::from_secs(60),
            ranks_per_node: NonZeroUsize::MIN,
            cores_per_rank: NonZeroUsize::MIN,
            resources: &Resources::default(),
            setup: &[],
            environment: &variable,
            path: Some(&dir),
            dir: dir.clone().into(),
            argv: &argv,
        };
        let _ = script.render();
    }
}

/// Lines of `squeue`.
pub fn squeue(data: &[u8]) {
    for line in String::from_utf8_lossy(data).lines() {
        let _ = slurm::parse_status(line);
    }
}

/// What `scontrol` shows.
pub fn scontrol(data: &[u8]) {
    let _ = slurm::parse_shown(&String::from_utf8_lossy(data));
}

/// What `qstat` of PBS Pro prints.
pub fn pbs(data: &[u8]) {
    let _ = scheduler("pbs").status(&mut Says::new(data), &["1".to_owned()]);
}

/// What `qstat` of Cobalt prints.
pub fn cobalt(data: &[u8]) {
    let _ = scheduler("cobalt").list(&mut Says::new(data), "1f");
}

/// What `flux jobs --json` prints.
pub fn flux(data: &[u8]) {
    let _ = scheduler("flux").list(&mut Says::new(data), "1f");
    let _ = scheduler("flux").status(&mut Says::new(data), &["f1".to_owned()]);
}

fn scheduler(key: &str) -> Box<dyn Scheduler> {
    let kind = SchedulerKind::named(key).expect("a scheduler");
    (kind.scheduler)(SubmissionParams {
        scheduler: kind,
        batch: batch(),
        cores_per_task: NonZeroUsize::MIN,
        resources: Resources::default(),
        setup: Vec::new(),
    })
}

fn batch() -> BatchParams {
    BatchParams {
        queue: None,
        account: None,
        walltime: Duration::from_secs(3600),
        nodes_per_task: NonZeroUsize::MIN,
        max_jobs: NonZeroUsize::MIN,
        options: Vec::new(),
    }
}

/// A host whose every command prints this.
struct Says(CommandOutput);

impl Says {
    fn new(data: &[u8]) -> Self {
        Self(CommandOutput {
            code: Some(0),
            stdout: String::from_utf8_lossy(data).into_owned(),
            stderr: String::new(),
        })
    }
}

impl CommandHost for Says {
    fn run(&mut self, _: &CommandRequest) -> Result<CommandOutput, Unreachable> {
        Ok(self.0.clone())
    }

    fn executable(&mut self) -> Result<PathBuf, Unreachable> {
        Ok("moldflow".into())
    }
}

/// Has the engine of these settings read `data`: its output, then files of these names.
fn parse(settings: &str, data: &[u8], files: &[&str]) {
    let engine: QcEngine = serde_json::from_str(settings).expect("settings");
    let text = String::from_utf8_lossy(data);
    let mut parts = text.split(SEPARATOR);
    let stdout = parts.next().unwrap_or_default().to_owned();
    for name in files {
        fs::write(folder().join(name), parts.next().unwrap_or_default()).expect("a file");
    }
    let outputs = Outputs {
        dir: folder().to_owned(),
        stdout,
        stderr: parts.next().unwrap_or_default().to_owned(),
        exit_code: Some(0),
    };
    for smiles in ["CO", "[C]"] {
        let request = Request {
            smiles: smiles.to_owned(),
            engine: engine.clone(),
            seed: 42,
            geometry: None,
        };
        let _ = engine.simulator().parse(&request, &outputs);
    }
}

fn text(name: &str, data: &[u8]) -> Arc<Text> {
    Arc::new(Text {
        name: name.to_owned(),
        text: String::from_utf8_lossy(data).into_owned(),
    })
}

/// A folder of this process.
fn folder() -> &'static Path {
    static FOLDER: LazyLock<tempfile::TempDir> =
        LazyLock::new(|| tempfile::tempdir().expect("a folder"));
    FOLDER.path()
}
