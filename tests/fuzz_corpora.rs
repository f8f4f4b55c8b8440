//! The fuzz targets as ordinary tests: over their corpora, and over a bounded number of seeded
//! mutations of them.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use targets::TARGETS;

/// Words that have a meaning in some input, and extreme values.
const WORDS: &[&str] = &[
    "{{",
    "}}",
    "{{nodes}}",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "((((((((",
    "'",
    "\"",
    "`",
    "$(x)",
    "\\",
    "\0",
    "\n",
    "\r\n",
    "\t",
    ": ",
    "- ",
    "*a",
    "&a ",
    "<<: ",
    "!!int ",
    "|",
    ">",
    "%",
    "%9",
    "%10",
    "=",
    "#",
    "@",
    ".",
    "1",
    "0",
    "-1",
    "1e400",
    "NaN",
    "inf",
    "99999999999999999999",
    "9999999999999999999",
    "18446744073709551615",
    "é",
    "\u{202e}",
    "null",
    "true",
    ",",
    ";",
    "/",
    "..",
    "=====",
    "\n=====\n",
    "C",
    "c1",
    "[nH]",
    "[H+9]",
    "[C@@",
    "Total DFT energy =",
    "TOTAL ENERGY",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The corpus of a target: its folder, and files elsewhere that are like it.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let elsewhere: &[&str] = match name {
        "campaign" => &["campaigns", "tests/bad"],
        "pbs" => &["tests/goldens/pbs"],
        "cobalt" => &["tests/goldens/cobalt"],
        "flux" => &["tests/goldens/flux"],
        "site_profile" => &["site-profiles", "tests/bad/sites"],
        _ => &[],
    };
    let own = format!("fuzz/corpus/{name}");
    let folders = elsewhere.iter().copied().chain([own.as_str()]);
    let mut paths: Vec<PathBuf> = folders
        .flat_map(|folder| files(&root().join(folder)))
        .collect();
    let is_bad_source = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default();
        path.starts_with(root().join("tests/bad")) && extension != "yml"
    };
    paths.retain(|path| !is_bad_source(path));
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file()).collect()
}

/// One to four changes of a text: a letter, a piece less or twice, a word more, an end of another
/// text.
fn mutated(corpus: &[Vec<u8>], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut data = corpus[rng.random_range(0..corpus.len())].clone();
    for _ in 0..rng.random_range(1..=4) {
        let from = rng.random_range(0..=data.len());
        let to = (from + rng.random_range(0..=24)).min(data.len());
        match rng.random_range(0..7) {
            0 if from < data.len() => data[from] ^= 1 << rng.random_range(0..8),
            1 => drop(data.drain(from..to)),
            2 => {
                let piece = data[from..to].repeat(rng.random_range(1..40));
                drop(data.splice(from..from, piece));
            }
            3 => {
                let other = &corpus[rng.random_range(0..corpus.len())];
                data.truncate(from);
                data.extend_from_slice(&other[rng.random_range(0..=other.len())..]);
            }
            4 => data.truncate(from),
            _ => {
                let word = WORDS[rng.random_range(0..WORDS.len())];
                drop(data.splice(from..to.min(from + 3), word.bytes()));
            }
        }
    }
    data
}

fn survives(name: &str, mutations: usize) {
    let (_, target) = TARGETS
        .iter()
        .find(|(it, _)| *it == name)
        .expect("a target");
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "no corpus of {name}");
    let mut rng = ChaCha8Rng::seed_from_u64(name.bytes().map(u64::from).sum());
    let mutants = (0..mutations).map(|_| mutated(&corpus, &mut rng));
    let mutants: Vec<Vec<u8>> = mutants.collect();
    for data in corpus.iter().chain(&mutants) {
        if catch_unwind(AssertUnwindSafe(|| target(data))).is_err() {
            panic!("{name} panics at: {}", data.escape_ascii());
        }
    }
}

macro_rules! targets {
    ($($name:ident: $mutations:expr,)*) => {
        $(#[test]
        fn $name() {
            survives(stringify!($name), $mutations);
        })*

        #[test]
        fn every_target_is_a_test_and_a_program() {
            let tested = BTreeSet::from([$(stringify!($name)),*]);
            let listed: BTreeSet<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(tested, listed);
            let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
            for name in listed {
                assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
                assert!(root().join(format!("fuzz/fuzz_targets/{name}.rs")).is_file(), "{name}");
            }
        }
    };
}

// Mutations of each: so many that all of them together take well under a minute.
targets! {
    campaign: 100,
    site_profile: 500,
    qcengine_file: 300,
    smiles: 40_000,
    molecules: 500,
    xyz: 5_000,
    xtb: 300,
    nwchem: 300,
    qcengine: 5_000,
    command: 500,
    result_json: 5_000,
    event: 3_000,
    launcher: 5_000,
    batch_script: 1_000,
    squeue: 5_000,
    scontrol: 3_000,
    pbs: 3_000,
    cobalt: 3_000,
    flux: 3_000,
}
