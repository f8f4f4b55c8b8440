//! The engine `python` with the python3 of this host: what functions return, and how they fail.

use std::fs;
use std::path::PathBuf;

use crate::support::{moldflow, run_to_end};
use moldflow::engine::TaskResult;
use moldflow::task::{Failure, FailureKind, Outcome};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A module with the function `energy`, and the settings by which it is called.
struct Function {
    dir: TempDir,
    settings: Value,
}

impl Function {
    fn new(module: &str) -> Self {
        let dir = TempDir::new().expect("a directory");
        fs::write(dir.path().join("potentials.py"), module).expect("a file");
        let settings = json!({"call": "potentials:energy", "path": [dir.path()]});
        Self { dir, settings }
    }

    /// A function whose lines are these.
    fn of(lines: &[&str]) -> Self {
        let body: Vec<String> = lines.iter().map(|line| format!("    {line}\n")).collect();
        Self::new(&format!("def energy(molecule):\n{}", body.concat()))
    }

    fn with(mut self, key: &str, value: Value) -> Self {
        self.settings[key] = value;
        self
    }

    /// Folder of the last task.
    fn task_dir(&self) -> PathBuf {
        self.dir.path().join("task")
    }

    /// Result of the task for a molecule.
    fn run(&self, smiles: &str) -> TaskResult {
        let task = self.task_dir();
        fs::create_dir_all(&task).expect("a directory");
        let input = json!({
            "method": "simulate", "smiles": smiles, "seed": 42, "engine": "python",
            "settings": self.settings,
        });
        fs::write(task.join("input.json"), input.to_string()).expect("a file");
        run_to_end(moldflow(&["task", "run", "input.json"]).current_dir(&task));
        let result = fs::read(task.join("result.json")).expect("a result");
        serde_json::from_slice(&result).expect("JSON")
    }

    fn quantity(&self, smiles: &str, name: &str) -> f64 {
        match self.run(smiles).outcome {
            Outcome::Simulated { quantities, .. } => quantities[name],
            other => panic!("{other:?}"),
        }
    }

    fn failure(&self, smiles: &str) -> Failure {
        match self.run(smiles).outcome {
            Outcome::Failed(failure) => failure,
            other => panic!("{other:?}"),
        }
    }
}

/// CODATA 2018: 27.211386245988 eV in one hartree, 2.541746473 debye in one e*bohr.
#[test]
fn a_number_is_the_one_declared_quantity_and_a_dict_has_several_each_in_its_unit() {
    let number =
        Function::of(&["return -2 * 27.211386245988"]).with("quantities", json!({"energy": "eV"}));
    assert!((number.quantity("C", "energy") + 2.0).abs() < 1e-12);
    let several =
        Function::of(&["return {'gap': 27.211386245988, 'dipole': 2.541746473, 'sites': 3}"]).with(
            "quantities",
            json!({"gap": "eV", "dipole": "debye", "sites": "1"}),
        );
    for (name, expected) in [("gap", 1.0), ("dipole", 1.0), ("sites", 3.0)] {
        let error = several.quantity("C", name) - expected;
        assert!(error.abs() < 1e-9, "{name}: {error}");
    }
    let result = several.run("C");
    let simulation = result.simulation.expect("a simulation");
    assert_eq!(simulation.total_energy_hartree, None);
    assert_eq!(simulation.geometry, None);
}

#[test]
fn a_function_is_given_the_molecule_and_its_arguments() {
    let lines = [
        "assert sorted(molecule) == ['charge', 'multiplicity', 'smiles'], sorted(molecule)",
        "return 100 * len(molecule['smiles']) + 10 * molecule['charge'] + molecule['multiplicity']",
    ];
    let plain = Function::of(&lines).with("quantities", json!({"number": "1"}));
    // No geometry is made: of ions, radicals and free atoms as of any other molecule.
    for (smiles, expected) in [
        ("CCO", 301.0),
        ("[NH4+]", 611.0),
        ("[CH3]", 502.0),
        ("[C]", 303.0),
    ] {
        assert_eq!(plain.quantity(smiles, "number"), expected, "{smiles}");
    }
    let module = "def energy(molecule, scale, shift=1):\n    return scale * shift\n";
    let scaled = Function::new(module).with("arguments", json!({"scale": 2.5}));
    assert_eq!(scaled.quantity("C", "energy"), 2.5);
}

#[test]
fn atoms_are_counted_from_the_molecule_where_there_is_no_geometry() {
    match Function::of(&["return -1.0"]).run("CCO").outcome {
        Outcome::Simulated { atoms, xyz, .. } => {
            let count = |symbol: &str| atoms[symbol];
            assert_eq!((count("C"), count("O"), count("H")), (2, 1, 6));
            assert_eq!(xyz, None);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_function_that_wants_a_geometry_gets_the_lowest_conformer_and_may_relax_it() {
    let lines = [
        "xyz = molecule['positions']",
        "assert molecule['symbols'] == ['O', 'H', 'H']",
        "moved = [[x + 1, y, z] for x, y, z in xyz]",
        "return {'energy': -len(xyz), 'positions': moved}",
    ];
    let result = Function::of(&lines).with("geometry", json!(true)).run("O");
    let simulation = result.simulation.expect("a simulation");
    let geometry = simulation.geometry.expect("a geometry");
    assert_eq!(geometry.atoms.len(), 3);
    let unmoved = Function::of(&["return -1.0"])
        .with("geometry", json!(true))
        .run("O");
    let unmoved = unmoved
        .simulation
        .and_then(|s| s.geometry)
        .expect("a geometry");
    for ((_, new), (_, old)) in geometry.atoms.iter().zip(&unmoved.atoms) {
        assert!((new[0] - old[0] - 1.0).abs() < 1e-9);
    }
    let torn = [
        "xyz = molecule['positions']",
        "return {'energy': -1.0, 'positions': [[9 * x, 9 * y, 9 * z] for x, y, z in xyz]}",
    ];
    let torn = Function::of(&torn)
        .with("geometry", json!(true))
        .failure("CCO");
    assert_eq!(torn.kind, FailureKind::Rearranged);
    let short =
        Function::of(&["return {'energy': 0, 'positions': []}"]).with("geometry", json!(true));
    assert!(
        short
            .failure("O")
            .message
            .contains("of 0 atoms, but the molecule has 3")
    );
}

#[test]
fn each_failure_has_its_kind_and_says_what_was_wrong() {
    let hidden = "class UnsupportedMolecule(Exception): pass\n\ndef energy(molecule):\n    raise UnsupportedMolecule('no boron')\n";
    let two = json!({"energy": "eV", "gap": "eV"});
    let cases = [
        (
            Function::of(&["raise ValueError('no good')"]),
            FailureKind::Exit,
            "line 2, in energy",
        ),
        (
            Function::of(&["raise ValueError('no good')"]),
            FailureKind::Exit,
            "ValueError: no good",
        ),
        (
            Function::of(&["import sys", "sys.exit(3)"]),
            FailureKind::Exit,
            "SystemExit: 3",
        ),
        (
            Function::of(&["import os", "os._exit(3)"]),
            FailureKind::Exit,
            "ended with exit status 3",
        ),
        (
            Function::of(&["import os", "os.kill(os.getpid(), 11)"]),
            FailureKind::Exit,
            "ended with signal 11",
        ),
        (Function::new(hidden), FailureKind::Unsupported, "no boron"),
        (
            Function::of(&[
                "class NotConverged(Exception): pass",
                "raise NotConverged('50 steps')",
            ]),
            FailureKind::NotConverged,
            "50 steps",
        ),
        (
            Function::of(&["raise MemoryError()"]),
            FailureKind::Memory,
            "MemoryError",
        ),
        (
            Function::of(&["return float('nan')"]),
            FailureKind::NotANumber,
            "`energy` is nan",
        ),
        (
            Function::of(&["return float('-inf')"]),
            FailureKind::NotANumber,
            "`energy` is -inf",
        ),
        (
            Function::of(&["return 1e9"]),
            FailureKind::NotANumber,
            "not a possible energy",
        ),
        (
            Function::of(&["return [1.0]"]),
            FailureKind::Unreadable,
            "returned a list, which is neither",
        ),
        (
            Function::of(&["pass"]),
            FailureKind::Unreadable,
            "returned None",
        ),
        (
            Function::of(&["return {'energy': 'low'}"]),
            FailureKind::Unreadable,
            "`energy` is a str, not a number",
        ),
        (
            Function::of(&["return object()"]),
            FailureKind::Unreadable,
            "a object, which JSON cannot hold",
        ),
        (
            Function::of(&["return {'energy': 1, 'extra': 2}"]),
            FailureKind::Unreadable,
            "`extra`, which `quantities` does not declare",
        ),
        (
            Function::of(&["return {'energy': 1}"]).with("quantities", two.clone()),
            FailureKind::Unreadable,
            "no `gap`",
        ),
        (
            Function::of(&["return 1"]).with("quantities", two),
            FailureKind::Unreadable,
            "several quantities are declared",
        ),
        (
            Function::new("import nonesuch\n"),
            FailureKind::Exit,
            "No module named 'nonesuch'",
        ),
        (
            Function::new("energy = 3\n"),
            FailureKind::Exit,
            "`potentials:energy` is no function",
        ),
    ];
    for (function, kind, words) in cases {
        let failure = function.failure("C");
        assert_eq!(failure.kind, kind, "{}", failure.message);
        assert!(
            failure.message.contains(words),
            "{words}: {}",
            failure.message
        );
        // Lines of the bridge tell the user nothing.
        assert!(!failure.message.contains("<string>"), "{}", failure.message);
    }
    let missing = Function::of(&["return 1"]).with("interpreter", json!("/nonesuch/python"));
    assert_eq!(missing.failure("C").kind, FailureKind::Launch);
}

#[test]
fn what_a_function_prints_is_kept_beside_its_result_and_is_not_its_answer() {
    let lines = [
        "import os, sys, subprocess",
        "print('{\"id\": 1, \"returned\": -7}')",
        "sys.stdout.write('unfinished')",
        "os.write(1, b'raw')",
        "subprocess.run(['echo', 'from a child'], check=True)",
        "print('trouble', file=sys.stderr)",
        "assert sys.stdin.read() == ''",
        "return -2.0",
    ];
    let function = Function::of(&lines);
    assert_eq!(function.quantity("C", "energy"), -2.0);
    let printed = |name: &str| fs::read_to_string(function.task_dir().join(name)).expect("a file");
    for words in ["\"returned\": -7", "unfinished", "raw", "from a child"] {
        assert!(printed("program.out").contains(words), "{words}");
    }
    assert!(printed("program.err").contains("trouble"));
    let intruder = [
        "import os",
        "for number in range(3, 30):",
        "    try: os.write(number, b'noise\\n')",
        "    except OSError: pass",
        "return -2.0",
    ];
    let failure = Function::of(&intruder).failure("C");
    assert_eq!(failure.kind, FailureKind::Exit);
    assert!(
        failure.message.contains("wrote what is no answer"),
        "{}",
        failure.message
    );
}

#[test]
fn an_interpreter_that_holds_too_much_memory_is_ended() {
    let lines = [
        "held = []",
        "import time",
        "while True:",
        "    held.append(b'x' * (16 << 20))",
        "    time.sleep(0.01)",
    ];
    let function = Function::of(&lines).with("memory_limit", json!("200 MiB"));
    let failure = function.failure("C");
    assert_eq!(failure.kind, FailureKind::Memory);
    assert!(
        failure.message.contains("more than 200 MiB"),
        "{}",
        failure.message
    );
    let peak = function.run("C").peak_memory_kib.expect("a peak") >> 10;
    assert!((190..1000).contains(&peak), "{peak} MiB");
}

#[test]
fn a_child_that_a_function_forks_does_not_answer_in_its_place() {
    let lines = [
        "import os",
        "child = os.fork()",
        "if child: os.waitpid(child, 0)",
        "return -1.0 if child else -9.0",
    ];
    assert_eq!(Function::of(&lines).quantity("C", "energy"), -1.0);
}
