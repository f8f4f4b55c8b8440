//! What `moldflow check` says of the files in `tests/bad`, from the real binary.

use std::path::PathBuf;

use assert_cmd::Command;

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "bad"]
        .iter()
        .collect()
}

fn bad_files() -> Vec<String> {
    let entries = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|extension| extension == "yml"));
    let mut names: Vec<String> = files
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// Standard error and exit status of `moldflow check FILE` in the folder of the bad files.
fn check(file: &str) -> (String, i32) {
    let output = Command::cargo_bin("moldflow")
        .unwrap()
        .current_dir(folder())
        .env("HOME", "/nonexistent")
        .env_remove("XDG_CONFIG_HOME")
        .args(["check", file])
        .output()
        .unwrap();
    assert!(output.stdout.is_empty(), "{file}: stdout is for data");
    (
        String::from_utf8(output.stderr).unwrap(),
        output.status.code().unwrap(),
    )
}

#[test]
fn every_bad_campaign_is_refused_as_its_snapshot_says() {
    let files = bad_files();
    assert!(files.len() >= 25);
    for file in files {
        let (stderr, status) = check(&file);
        let name = file.trim_end_matches(".yml");
        insta::assert_snapshot!(name, format!("{stderr}exit status {status}"));
    }
}

#[test]
fn every_fault_has_a_place_and_status_one() {
    for file in bad_files() {
        let (stderr, status) = check(&file);
        let faults = stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .count();
        let places = stderr
            .lines()
            .filter(|line| line.starts_with("  --> "))
            .count();
        assert!(faults > 0, "{file}");
        assert_eq!(faults, places, "{file}");
        assert_eq!(status, 1, "{file}");
    }
}

#[test]
fn the_good_campaign_that_they_derive_from_is_right() {
    let mut command = Command::cargo_bin("moldflow").unwrap();
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["check", "tests/good.yml"])
        .assert()
        .success();
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let (stderr, status) = check("no-such-campaign.yml");
    insta::assert_snapshot!(format!("{stderr}exit status {status}"));
}
