//! Privacy of a run: files readable by their owner only, no secrets in messages, a short
//! environment, words that stay words.

use crate::support;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::runs::files_below;
use crate::support::{Campaign, moldflow, on, run_to_end};

const ENERGY: &str =
    "engine: gfn2//mmff94, topic: simulator, partition: qc, timeout: 5m, retries: 1";
const SECRET: &str = "correct-horse-battery";

/// A campaign whose energies come from a script, which is called with these further words.
fn scripted(script: &str, words: &[&str]) -> Campaign {
    let words = serde_json::to_string(&words).unwrap();
    let argv = words.replacen('[', "[./energy.sh, ", 1);
    let energy = format!(
        "engine: command, settings: {{level: none, unit: hartree, argv: {argv}}}, topic: simulator, partition: qc, timeout: 5m"
    );
    let campaign = Campaign::tiny().with(ENERGY, &energy);
    let path = campaign.path("energy.sh");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let site = campaign.path("site2.yml");
    let profile = fs::read_to_string(&site).unwrap();
    fs::write(
        &site,
        format!("pass_environment: [OUT, GREETING_*]\n{profile}"),
    )
    .unwrap();
    campaign
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn folders_below(dir: &Path) -> BTreeSet<PathBuf> {
    let parents = files_below(dir);
    let parents = parents.iter().flat_map(|file| file.ancestors().skip(1));
    parents
        .filter(|path| path.starts_with(dir))
        .map(Path::to_owned)
        .collect()
}

#[test]
fn a_run_directory_is_its_owners_alone_whatever_the_mask_and_whoever_made_it() {
    let campaign = scripted("exit 1", &[]).with("source: qm9", "source: mine.smi");
    fs::write(campaign.path("mine.smi"), "CCO\nCC\nCN\nCF\n").unwrap();
    fs::set_permissions(campaign.path("mine.smi"), fs::Permissions::from_mode(0o664)).unwrap();
    let run_dir = campaign.path("run");
    fs::create_dir(&run_dir).unwrap();
    fs::set_permissions(&run_dir, fs::Permissions::from_mode(0o777)).unwrap();
    let run = campaign.run_command("run", &["--quiet"]);
    let mut open = Command::new("sh");
    open.args(["-c", "umask 0; exec \"$@\"", "sh"])
        .arg(run.get_program())
        .args(run.get_args());
    open.current_dir(run.get_current_dir().unwrap());
    run_to_end(&mut open).with_code(3);
    let (files, folders) = (files_below(&run_dir), folders_below(&run_dir));
    let name = |path: &&PathBuf, name: &str| path.file_name().unwrap() == name;
    for expected in [
        "moldflow.db",
        "runtime.log",
        "source.smi",
        "input.json",
        "program.err",
    ] {
        assert!(
            files.iter().any(|path| name(&path, expected)),
            "no {expected}"
        );
    }
    // A link has no mode of its own.
    for path in files.iter().filter(|path| !path.is_symlink()) {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    assert!(folders.contains(&run_dir) && folders.len() > 3);
    for path in folders {
        assert_eq!(mode(&path), 0o700, "{}", path.display());
    }
}

#[test]
fn no_secret_reaches_the_messages_and_no_variable_reaches_a_task_unasked() {
    let script = "env | sort >&2; echo 'https://me:hunter22@host/?token=abcdefgh&x=1' >&2; exit 1";
    let campaign = scripted(script, &[]);
    let mut run = campaign.run_command("run", &[]);
    run.env("GREETING_TOKEN", SECRET)
        .env("GREETING_WORD", "hello")
        .env("ANOTHER_PASSWORD", "never-passed-on")
        .env("ANOTHER", "thing");
    let output = run_to_end(&mut run).with_code(3);
    let run_dir = campaign.path("run");
    let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let told = files_below(&run_dir.join("tasks"));
    let told = told
        .iter()
        .find(|path| path.ends_with("program.err"))
        .unwrap();
    let told = read(told);
    // The program's own output is kept as it is, readable by its owner only.
    for line in [&format!("GREETING_TOKEN={SECRET}"), "GREETING_WORD=hello"] {
        assert!(told.lines().any(|it| it == line), "{told}");
    }
    assert!(!told.contains("ANOTHER"), "{told}");
    assert!(output.err.contains("GREETING_TOKEN=***"), "{}", output.err);
    assert!(
        output.err.contains("https://***@host/?token=***&x=1"),
        "{}",
        output.err
    );
    let kept: Vec<PathBuf> = files_below(&run_dir);
    let kept = kept
        .iter()
        .filter(|path| !path.starts_with(run_dir.join("tasks")));
    for path in kept {
        for secret in [SECRET, "never-passed-on", "hunter22", "abcdefgh"] {
            assert!(
                !read(path).contains(secret),
                "{secret} in {}",
                path.display()
            );
        }
    }
    for command in [
        ["export", "--format=jsonl"],
        ["status", "--json"],
        ["explain", "1"],
    ] {
        let output = on(&run_dir, &command).with_code(0);
        assert!(!output.out.contains(SECRET), "{}", output.out);
    }
}

#[test]
fn the_words_of_a_command_stay_words_whatever_they_hold() {
    let words = [
        "$(touch pwned)",
        "`touch pwned`",
        "a b'c\"d",
        "line\nbreak; touch pwned",
        "-rf",
        "--",
        "",
        "*",
        "{input}",
        "$HOME",
        "&& touch pwned",
    ];
    // Each word is followed by a bar, so that line breaks in words are visible.
    let script = "printf '%s|' \"$@\" > \"$OUT\"; echo '{\"energy\": -1.0}' > energy.json";
    let campaign = scripted(script, &words);
    let out = campaign.path("words");
    run_to_end(campaign.run_command("run", &["--quiet"]).env("OUT", &out)).with_code(0);
    let told = fs::read_to_string(out).unwrap();
    let expected = words.map(|word| word.replace("{input}", "molecule.json"));
    assert_eq!(told, format!("{}|", expected.join("|")));
    let pwned = files_below(campaign.path("run").parent().unwrap());
    assert!(!pwned.iter().any(|path| path.ends_with("pwned")));
}

#[test]
fn a_molecule_cannot_be_a_command_an_option_or_a_line() {
    let hostile = [
        "C$(touch pwned)",
        "`touch${IFS}pwned`",
        "C\";touch",
        "-rf",
        "--help",
        "C'C",
        "C&&C",
        "C|C",
        "../../etc/passwd",
        "C\\nC\\",
        "{{input}}",
    ];
    let campaign = Campaign::tiny().with("source: qm9", "source: mine.smi");
    fs::write(
        campaign.path("mine.smi"),
        format!("CCO\nCC\nCN\n{}\n", hostile.join("\n")),
    )
    .unwrap();
    let output = run_to_end(&mut campaign.run_command("run", &[])).with_code(1);
    for line in 4..4 + hostile.len() {
        assert!(
            output.err.contains(&format!("mine.smi:{line}:1")),
            "line {line}: {}",
            output.err
        );
    }
    fs::write(campaign.path("mine.smi"), "CCO\nC\\nC\u{0}\n").unwrap();
    let zero = support::run_to_end(&mut campaign.run_command("run", &[])).with_code(1);
    assert!(zero.err.contains("mine.smi:2:5"), "{}", zero.err);
    assert!(!campaign.path("run").exists() && !campaign.path("pwned").exists());
    // A task that is started by hand is refused too: its molecule is parsed before anything starts.
    for smiles in hostile
        .into_iter()
        .chain(["C;task", "C\nC", "C C", "CC\r", "C\u{0}"])
    {
        let dir = tempfile::tempdir().unwrap();
        let input = serde_json::json!({"method": "simulate", "smiles": smiles, "engine": "nwchem", "seed": 1});
        let path = dir.path().join("input.json");
        fs::write(&path, input.to_string()).unwrap();
        support::run_to_end(
            moldflow(&["task", "run"])
                .arg(&path)
                .current_dir(dir.path()),
        )
        .with_code(1);
        let result = fs::read_to_string(dir.path().join("result.json")).unwrap();
        assert!(
            result.contains(r#""kind":"unsupported""#),
            "{smiles:?}: {result}"
        );
        assert!(!dir.path().join("molecule.nw").exists(), "{smiles:?}");
    }
}

#[test]
fn a_geometry_that_a_program_wrote_brings_no_words_into_the_input_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let geometry =
        serde_json::json!({"level_of_theory": "none", "xyz": "2\n\nC;task 0 0 0\nO 1.2 0 0\n"});
    let input = serde_json::json!({
        "method": "simulate", "smiles": "CO", "engine": "nwchem", "seed": 1, "geometry": geometry,
    });
    let path = dir.path().join("input.json");
    fs::write(&path, input.to_string()).unwrap();
    run_to_end(
        moldflow(&["task", "run"])
            .arg(&path)
            .current_dir(dir.path()),
    )
    .with_code(1);
    let result = fs::read_to_string(dir.path().join("result.json")).unwrap();
    assert!(result.contains("is no element"), "{result}");
    assert!(!dir.path().join("molecule.nw").exists());
}
