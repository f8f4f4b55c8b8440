//! Completions and manual pages, read by the programs that they are for.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::binary::{moldflow, run_to_end};

/// Bash completes `moldflow <words>`: the candidates.
fn completed(script: &Path, words: &[&str]) -> Vec<String> {
    let line = format!("moldflow {}", words.join(" "));
    let code = format!(
        "source {}; COMP_WORDS=({line}); COMP_CWORD={}; _moldflow moldflow '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display(),
        words.len(),
        words.last().unwrap(),
        words
            .get(words.len().wrapping_sub(2))
            .unwrap_or(&"moldflow"),
    );
    let output = run_to_end(Command::new("bash").args(["-c", &code])).with_code(0);
    output.out.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_options() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("moldflow.bash");
    let printed = run_to_end(&mut moldflow(&["completions", "bash"])).with_code(0);
    fs::write(&script, printed.out).unwrap();
    assert_eq!(completed(&script, &["resu"]), ["resume"]);
    assert_eq!(completed(&script, &["export", "--form"]), ["--format"]);
    assert_eq!(completed(&script, &["sites", "li"]), ["list"]);
}

#[test]
fn manual_pages_are_read_without_complaint() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    run_to_end(&mut moldflow(&["man", folder])).with_code(0);
    let pages = fs::read_dir(dir.path()).unwrap();
    let pages: Vec<_> = pages.map(|page| page.unwrap().path()).collect();
    assert!(pages.len() > 15, "{pages:?}");
    for page in &pages {
        let arguments = ["-man", "-Tutf8", "-ww", "-z"];
        let read = run_to_end(Command::new("groff").args(arguments).arg(page)).with_code(0);
        assert_eq!(read.err, "", "{}", page.display());
    }
    let arguments = ["-man", "-Tascii"];
    let page = dir.path().join("moldflow-export.1");
    let shown = run_to_end(Command::new("groff").args(arguments).arg(page)).with_code(0);
    assert!(
        shown.out.contains("Print the results of a run"),
        "{}",
        shown.out
    );
}
