//! `report.html` in a browser: Debian's Chromium, driven by Playwright 1.65.2 from PyPI, with the rules
//! of axe-core that axe-playwright-python 0.1.8 carries.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::Campaign;

/// What the script `browser.py` finds out about the page of a run.
#[track_caller]
fn opened(run_dir: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report/browser.py");
    let mut browser = Command::new("python3");
    let output = browser
        .arg(script)
        .arg(run_dir.join("report.html"))
        .output();
    let output = output.expect("python3, see scripts/test");
    let err = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no answer: {err}"))
}

#[test]
fn a_page_is_without_fault_on_desktop_and_phone_light_and_dark_and_without_scripts() {
    let campaign = Campaign::tiny();
    let run_dir = campaign.completed("run", &[]);
    let found = opened(&run_dir);
    let none: Vec<String> = vec![];
    assert_eq!(
        found["faults"],
        json!({
            "desktop, light": none, "desktop, dark": none, "phone, light": none, "phone, dark": none,
        })
    );
    let text = found["plain"]["text"].as_str().unwrap();
    for part in [
        "The best of",
        "Geometry",
        "moldflow run run/campaign.yml",
        "90 % intervals",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("Copy SMILES"), "a button without a script");
    assert!(found["plain"]["shapes"].as_u64().unwrap() > 3, "a molecule");
}

#[test]
fn a_page_with_failures_is_without_fault() {
    let long = "x".repeat(500);
    let campaign = Campaign::of_a_program().with_fault(&format!("echo {long} >&2; exit 3"));
    let run_dir = campaign.completed("run", &[]);
    let found = opened(&run_dir);
    for (view, faults) in found["faults"].as_object().unwrap() {
        assert_eq!(faults, &json!([]), "{view}");
    }
}
