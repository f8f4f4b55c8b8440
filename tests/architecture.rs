//! The layers of ARCHITECTURE.md: each folder of `src` names only those it may know.

use std::fs;
use std::path::{Path, PathBuf};

/// Folder, and the folders that it may name besides `host`, which all may name.
const LAYERS: &[(&str, &[&str])] = &[
    ("host", &[]),
    ("text", &[]),
    ("chem", &[]),
    ("learn", &[]),
    ("task", &["learn"]),
    ("scheduler", &["task"]),
    ("property", &["chem"]),
    ("python", &["text"]),
    ("simulate", &["chem", "property", "python"]),
    ("design", &["chem", "learn", "task", "python"]),
    (
        "config",
        &["text", "chem", "python", "simulate", "design", "scheduler"],
    ),
    (
        "plan",
        &["text", "task", "config", "chem", "property", "simulate"],
    ),
    ("exec", &["text", "task", "scheduler"]),
    ("store", &["task", "chem"]),
    (
        "engine",
        &[
            "chem", "task", "property", "simulate", "design", "config", "plan",
        ],
    ),
    (
        "driver",
        &[
            "chem", "task", "simulate", "config", "plan", "exec", "store", "engine",
        ],
    ),
    (
        "forecast",
        &["chem", "task", "config", "plan", "simulate", "engine"],
    ),
    ("report", &["store", "config", "chem", "task"]),
    (
        "compare",
        &[
            "chem", "task", "property", "simulate", "config", "plan", "engine", "report",
        ],
    ),
    (
        "app",
        &[
            "text",
            "chem",
            "task",
            "property",
            "scheduler",
            "python",
            "simulate",
            "design",
            "config",
            "plan",
            "exec",
            "store",
            "engine",
            "driver",
            "report",
        ],
    ),
    (
        "cli",
        &[
            "text",
            "chem",
            "learn",
            "task",
            "scheduler",
            "python",
            "simulate",
            "design",
            "config",
            "plan",
            "exec",
            "store",
            "engine",
            "driver",
            "forecast",
            "report",
            "compare",
            "app",
        ],
    ),
];

/// Names that only one folder may use.
const KEPT: &[(&str, &str)] = &[
    ("cosmolkit::", "chem"),
    ("sci_form::", "simulate"),
    ("sqlx::", "store"),
    ("sha2::", "host"),
    ("indicatif::", "cli"),
    ("ratatui_core::", "cli"),
    ("ratatui_widgets::", "cli"),
    // They panic where nobody can read: `cli/terminal.rs` prints.
    ("println!", "nowhere"),
    ("print!", "nowhere"),
    ("io::stdout()", "cli"),
    ("io::stderr()", "cli"),
    ("std::process::Command", "exec"),
    ("tokio::process", "exec"),
];

/// Paths by which the engine's result would depend on more than its events: files, clocks, threads,
/// randomness.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "std::sync",
    "Instant",
    "SystemTime",
    "tokio::",
    "jiff::",
    "rand::rng",
    "RandomState",
    "File::",
];

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .expect("a folder of src")
        .map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// Lines of code with the name of their file, comments left out.
fn lines() -> Vec<(String, String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut lines = Vec::new();
    for path in files(&src) {
        let file = path
            .strip_prefix(&src)
            .expect("below src")
            .display()
            .to_string();
        let folder = file.split('/').next().unwrap_or_default().to_owned();
        for line in fs::read_to_string(&path).expect("text").lines() {
            let code = line.split("//").next().unwrap_or_default().to_owned();
            lines.push((folder.clone(), file.clone(), code));
        }
    }
    lines
}

#[test]
fn every_folder_of_src_is_a_layer() {
    for (folder, file, _) in lines() {
        let known = LAYERS.iter().any(|(name, _)| *name == folder)
            || ["lib.rs", "main.rs", "registry.rs"].contains(&folder.as_str());
        assert!(known, "{file} is in no layer");
    }
}

#[test]
fn a_layer_names_only_those_it_may_know() {
    let mut faults = Vec::new();
    for (folder, file, code) in lines() {
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == folder) else {
            continue;
        };
        for (other, _) in LAYERS {
            let named = code
                .match_indices("crate::")
                .any(|(at, found)| code[at + found.len()..].starts_with(other));
            if named && *other != folder && *other != "host" && !allowed.contains(other) {
                faults.push(format!("{file}: {}", code.trim()));
            }
        }
        if code.contains("use crate::{") {
            faults.push(format!(
                "{file}: name one layer a line, so that this test can read it: {}",
                code.trim()
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_library_is_named_in_one_layer_only() {
    let mut faults = Vec::new();
    for (folder, file, code) in lines() {
        for (name, owner) in KEPT {
            let named = code
                .match_indices(name)
                .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
            if named && folder != *owner && LAYERS.iter().any(|(layer, _)| *layer == folder) {
                faults.push(format!("{file}: {}", code.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_engine_is_a_function_of_its_events() {
    let mut faults = Vec::new();
    for (folder, file, code) in lines() {
        if folder == "engine" && IMPURE.iter().any(|name| code.contains(name)) {
            faults.push(format!("{file}: {}", code.trim()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
