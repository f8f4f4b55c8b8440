//! Output of `moldflow check` on the files in `tests/bad`, from the real binary.

use std::path::PathBuf;

use crate::support::binary::{PACKAGE, ProgramOutput, moldflow_in, run_to_end};

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
fn check(file: &str) -> ProgramOutput {
    let output = run_to_end(&mut moldflow_in(folder(), &["check", file]));
    assert!(output.out.is_empty(), "{file}: stdout is for data");
    output
}

#[test]
fn every_bad_campaign_is_refused_as_its_snapshot_says() {
    let files = bad_files();
    assert!(files.len() >= 25);
    for file in files {
        let name = file.trim_end_matches(".yml");
        insta::assert_snapshot!(name, check(&file).text());
    }
}

#[test]
fn every_fault_has_a_place_a_page_and_status_one() {
    for file in bad_files() {
        let output = check(&file);
        let count = |start: &str| {
            output
                .err
                .lines()
                .filter(|line| line.starts_with(start))
                .count()
        };
        let faults = count("error: ");
        assert!(faults > 0, "{file}");
        assert_eq!(count("  --> "), faults, "{file}");
        assert_eq!(count("  page: "), faults, "{file}");
        assert_eq!(output.code, Some(1), "{file}");
    }
}

#[test]
fn the_good_campaign_that_they_derive_from_is_right() {
    run_to_end(&mut moldflow_in(PACKAGE, &["check", "tests/good.yml"])).with_code(0);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    insta::assert_snapshot!(check("no-such-campaign.yml").text());
}

#[test]
fn a_file_of_a_name_like_that_of_a_missing_one_is_offered() {
    for misspelt in ["qucikstart.yml", "quickstart.yaml", "quickstart"] {
        let file = format!("campaigns/{misspelt}");
        let output = run_to_end(&mut moldflow_in(PACKAGE, &["check", &file]));
        assert_eq!(output.code, Some(1));
        let hint = "\n  hint: did you mean `campaigns/quickstart.yml`?\n";
        assert!(output.err.contains(hint), "{}", output.err);
    }
}
