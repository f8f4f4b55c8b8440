//! Steps a second of the agent with the network of the paper (Zhou et al., Sci. Rep. 9, 10752,
//! 2019), to those of the same algorithm in Python, `moldqn.py`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use moldflow::design::surrogate::GroupContribution;
use moldflow::design::{
    GenerateEngine, GenerateInput, Moldqn, Observation, RandomEdits, TrainEngine, TrainInput,
    TrainTarget, generate, train,
};
use serde_json::json;

use crate::support::python::{INTERPRETER, interpreter};
use crate::support::report;

/// Widths of the hidden layers in the paper.
const HIDDEN: [usize; 4] = [1024, 512, 128, 32];
/// Fraction of random actions in all episodes, that of the middle of a search.
const EPSILON: f64 = 0.5;
const STEPS: usize = 32;
/// Episodes before the clock starts, in which the replay memory fills with a part of its 2,000.
const WARM_UP: usize = 10;
/// Molecules of the first model with made-up energies: the reward is not what is measured.
const MEASURED: [(&str, f64); 4] = [
    ("CC(N)=O", -1.3),
    ("CCO", -1.2),
    ("C#N", -0.5),
    ("CCCC", -1.9),
];

/// Prints the rates.
pub fn rates() {
    let dir = tempfile::tempdir().expect("a directory");
    let ours = rate(dir.path(), |episodes| GenerateEngine::Moldqn {
        settings: moldqn(episodes),
    });
    let bytes = fs::metadata(dir.path().join("state"))
        .expect("a state")
        .len();
    report("MB of a saved agent", bytes as f64 / 1e6, "44 in 0.1.0");
    let chemistry = rate(dir.path(), |episodes| GenerateEngine::Random {
        settings: RandomEdits {
            episodes,
            steps: STEPS,
            ..RandomEdits::default()
        },
    });
    report(
        "steps a second of the random walk, without fingerprints",
        chemistry,
        "no floor",
    );
    for (name, remember, floor) in [
        ("", false, ">= 10"),
        (
            " that remembers values of the target network",
            true,
            "no floor",
        ),
    ] {
        let Some(theirs) = reference(dir.path(), remember) else {
            println!(
                "  no RDKit and PyTorch for `{}`: set {INTERPRETER}",
                interpreter().display()
            );
            report("steps a second", ours, "no floor");
            return;
        };
        report(
            &format!("steps a second, {ours:.1}, to {theirs:.1} of Python{name}"),
            ours / theirs,
            floor,
        );
    }
}

fn moldqn(episodes: usize) -> Moldqn {
    Moldqn {
        episodes,
        steps: STEPS,
        hidden: HIDDEN.to_vec(),
        epsilon_start: EPSILON,
        epsilon_decay: 1.0,
        epsilon_min: EPSILON,
        ..Moldqn::default()
    }
}

/// Steps a second of the episodes after the warm-up.
fn rate(dir: &Path, engine: impl Fn(usize) -> GenerateEngine) -> f64 {
    let episodes = 5 * WARM_UP;
    let short = time(dir, engine(WARM_UP));
    let long = time(dir, engine(WARM_UP + episodes));
    (episodes * STEPS) as f64 / (long - short).as_secs_f64()
}

fn time(dir: &Path, engine: GenerateEngine) -> Duration {
    let path = |name: &str| dir.join(name);
    let observation = |(smiles, cost): (&str, f64)| Observation {
        smiles: smiles.to_owned(),
        cost,
    };
    let target = TrainTarget {
        property: "energy".into(),
        extensive: true,
        above: None,
        observations: MEASURED.map(observation).to_vec(),
    };
    let settings = GroupContribution::default();
    train(&TrainInput {
        engine: TrainEngine::GroupContribution { settings },
        memory: None,
        targets: vec![target],
        objectives: 1,
        model_out: path("model"),
        memory_out: path("memory"),
    })
    .expect("a model");
    let begin = Instant::now();
    generate(&GenerateInput {
        engine,
        model: path("model"),
        state: None,
        best: vec![],
        starts: vec![],
        pool: None,
        elements: ["C", "N", "O", "F"].map(String::from).to_vec(),
        max_heavy_atoms: 9,
        allowed_ring_sizes: vec![3, 4, 5, 6, 7],
        scarce_rounds: 0,
        seed: 3,
        state_out: path("state"),
        candidates_out: path("candidates"),
    })
    .expect("molecules");
    begin.elapsed()
}

/// Steps a second of the reference on one thread; None if it cannot run.
fn reference(dir: &Path, remember: bool) -> Option<f64> {
    let settings: PathBuf = dir.join("settings.json");
    let text = json!({
        "episodes": WARM_UP, "warm_up": WARM_UP, "steps": STEPS, "hidden": HIDDEN,
        "epsilon": EPSILON, "elements": ["C", "N", "O", "F"], "max_heavy_atoms": 9,
        "ring_sizes": [3, 4, 5, 6, 7], "seed": 3, "remember": remember,
    });
    fs::write(&settings, text.to_string()).expect("a file");
    let output = Command::new(interpreter())
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/benches/agent/moldqn.py"
        ))
        .arg(&settings)
        .env("OMP_NUM_THREADS", "1")
        .output();
    let output = output.ok().filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}
