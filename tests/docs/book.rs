//! The book: its chapters, its links, and the transcripts in it, which the program prints.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::binary::moldflow_in;

/// Chapters with transcripts; each is run in a folder of its own.
const TOLD: [&str; 3] = ["first-run.md", "own-molecules.md", "own-property.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Pages in `docs` and `docs/decisions`, by their paths in `docs`.
fn pages() -> BTreeSet<String> {
    let pages_in = |folder: &'static str| {
        let entries = fs::read_dir(root().join("docs").join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names = names.filter(|name| name.ends_with(".md"));
        names.map(move |name| format!("{folder}{name}"))
    };
    pages_in("").chain(pages_in("decisions/")).collect()
}

/// Targets of the links in a Markdown text, outside of code.
fn links(text: &str) -> Vec<String> {
    let mut prose = String::new();
    for (index, part) in text.split("```").enumerate() {
        if index % 2 == 0 {
            prose.push_str(part);
        }
    }
    // Inline code: a SMILES may look like a link.
    let prose: String = prose.split('`').step_by(2).collect();
    let found = prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'));
    found.map(|(target, _)| target.to_owned()).collect()
}

/// Anchors of a Markdown text: those of its headings, as GitHub and mdBook make them, and its own.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    let anchor = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    let own = text
        .split("<a id=\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"'));
    headings
        .map(anchor)
        .chain(own.map(|(id, _)| id.to_owned()))
        .collect()
}

#[test]
fn every_page_is_a_chapter_and_every_link_leads_somewhere() {
    let docs = root().join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let chapters: BTreeSet<String> = links(&summary).into_iter().collect();
    let mut pages = pages();
    assert!(pages.remove("SUMMARY.md"));
    assert_eq!(chapters, pages);
    let mut files: Vec<PathBuf> = pages.iter().map(|page| docs.join(page)).collect();
    files.push(root().join("README.md"));
    let mut broken = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => file.clone(),
                path => file.parent().unwrap().join(path),
            };
            let is_there = match (target.is_file(), anchor) {
                (is_file, "") => is_file || target.is_dir(),
                (is_file, anchor) => {
                    is_file && anchors(&fs::read_to_string(&target).unwrap()).contains(anchor)
                }
            };
            if !is_there {
                broken.push(format!("{}: {link}", file.display()));
            }
        }
    }
    assert_eq!(broken, [""; 0]);
}

/// Runs a command line of a transcript; returns what it prints.
fn printed(line: &str, folder: &Path) -> String {
    let words = Command::new("bash")
        .args(["-c", &format!("printf '%s\\n' {line}")])
        .output()
        .unwrap();
    let words = String::from_utf8(words.stdout).unwrap();
    let words: Vec<&str> = words.lines().collect();
    let output = match words[0] {
        "moldflow" => moldflow_in(folder, &words[1..]).output().unwrap(),
        _ => Command::new(words[0])
            .args(&words[1..])
            .current_dir(folder)
            .output()
            .unwrap(),
    };
    let text = [output.stderr, output.stdout].concat();
    let text = String::from_utf8(text).unwrap();
    // A host with few cores has warnings of its own.
    let text = match text.strip_prefix("warning: tasks that run at once need ") {
        Some(rest) => rest.splitn(3, '\n').nth(2).unwrap().to_owned(),
        None => text,
    };
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let folder = fs::canonicalize(folder).unwrap().display().to_string();
    let text = text.replace(&format!(" on {},", host.trim()), " on laptop,");
    let text = text.replace(&folder, "/home/you/moldflow");
    let ages = (1..60).map(|minutes| format!("{minutes} min ago"));
    ages.fold(text, |text, age| text.replace(&age, "just now"))
}

/// A text with its times, durations and amounts of memory and of core-hours replaced.
fn masked(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let masked = words.iter().enumerate().map(|(place, word)| {
            let is_time = word.starts_with("20") && word.contains('T') && word.contains('Z');
            let next = words.get(place + 1).unwrap_or(&"").trim_end_matches(',');
            let is_amount = ["s", "MiB", "core-hours", "kB", "bytes"].contains(&next);
            // The last column of a table of core-hours.
            let is_amount = is_amount || words[0] == "core-hours" && place > 0;
            if is_time || is_amount { "_" } else { word }
        });
        lines.push(masked.collect::<Vec<_>>().join(" "));
    }
    lines.join("\n")
}

/// Runs the transcripts of a chapter in `folder`; returns the chapter with what they print.
fn rerun(text: &str, folder: &Path) -> String {
    let mut parts: Vec<String> = text.split("```").map(str::to_owned).collect();
    for part in parts.iter_mut().skip(1).step_by(2) {
        let (head, body) = part.split_once('\n').unwrap();
        if let Some(name) = head.split_once(" file=").map(|(_, name)| name) {
            fs::write(folder.join(name), body).unwrap();
        }
        if head != "console" {
            continue;
        }
        let mut told = String::new();
        for line in body.lines().filter_map(|line| line.strip_prefix("$ ")) {
            told.push_str(&format!("$ {line}\n{}", printed(line, folder)));
            if !told.ends_with('\n') {
                told.push('\n');
            }
        }
        *part = format!("{head}\n{told}");
    }
    parts.join("```")
}

#[test]
fn transcripts_are_what_the_program_prints() {
    for chapter in TOLD {
        let dir = tempfile::tempdir().unwrap();
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(root().join("campaigns")).arg(dir.path());
        assert!(copy.status().unwrap().success());
        let path = root().join("docs").join(chapter);
        let text = fs::read_to_string(&path).unwrap();
        let now = rerun(&text, dir.path());
        if std::env::var_os("UPDATE_DOCS").is_some() && masked(&text) != masked(&now) {
            fs::write(&path, &now).unwrap();
            continue;
        }
        assert!(
            masked(&text) == masked(&now),
            "docs/{chapter} differs from what the program prints: UPDATE_DOCS=1 cargo test --test docs\n{now}"
        );
    }
}

#[test]
fn mdbook_builds_the_book() {
    let folder = tempfile::tempdir().unwrap();
    let mut mdbook = Command::new("mdbook");
    let built = mdbook.arg("build").arg(root().join("docs"));
    let built = built.arg("--dest-dir").arg(folder.path()).output();
    let built = built.expect("mdbook 0.5.4 (tests/requirements.txt) runs");
    let told = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success() && !told.contains("WARN"), "{told}");
    for page in pages().iter().filter(|page| *page != "SUMMARY.md") {
        let page = page.replace("README.md", "index.md");
        let html = folder.path().join(page).with_extension("html");
        assert!(html.exists(), "{}", html.display());
    }
}
