//! Users' files from end to end: `check` and `run` treat them alike, molecules are shown with their
//! names, and an unreadable file is an error that names it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Campaign, ProgramOutput, moldflow, on, rows, run_to_end};

const MESSY: &str = "SMILES\tName\n\
    CCO\tethanol\n\
    OCC\tspirit of wine\n\
    CC(=O)[O-].[Na+]\tsodium acetate\n\
    CCN\t<b>ethyl</b>amine\n\
    CC[O-]\tethanolate\n\
    C1CC1\tcyclo\u{1b}[31mpropane\n";
const COUNTS: &str = "molecules.smi: 6 read, 1 duplicate, 2 skipped: 1 salt, 1 charged";

fn with_source(name: &str, content: impl AsRef<[u8]>, count: usize) -> Campaign {
    let campaign = Campaign::tiny()
        .with("source: qm9", &format!("source: {name}"))
        .with("{random: 3}", &format!("{{random: {count}}}"))
        .with("evaluations: 6", "evaluations: 1");
    fs::write(campaign.path(name), content).unwrap();
    campaign
}

fn check(campaign: &Campaign, arguments: &[&str]) -> ProgramOutput {
    // Writes the campaign's file.
    campaign.run_command("unused", &[]);
    let file = campaign.path("campaign-file.yml");
    run_to_end(moldflow(&["check"]).arg(file).args(arguments))
}

#[test]
fn check_and_run_find_the_same_molecules() {
    for (count, file) in [
        (3, MESSY),
        (4, MESSY),
        (2, "CCO\nOCC\nC(C)O\n"),
        (1, "CCO\nOCC\nC(C)O\n"),
        (2, "F/C=C/F\nF/C=C\\F\n"),
        (1, "CCO\nCCX\n"),
        (1, "[Na+].[Cl-]\nCC[O-]\n"),
        (1, ""),
    ] {
        let campaign = with_source("molecules.smi", file, count);
        let (checked, run) = (check(&campaign, &[]), campaign.run("run", &[]));
        assert_eq!(checked.code, run.code, "{file}: {}{}", checked.err, run.err);
        if checked.code == Some(0) {
            let counts = |text: &str| {
                let line = text.lines().find(|line| line.contains(" read, ")).unwrap();
                line.split(';').next().unwrap().to_owned()
            };
            assert_eq!(counts(&checked.out), counts(&run.err));
            let drawn = rows(&campaign.path("run"));
            assert_eq!(
                drawn.iter().filter(|row| row["batch"] == "0").count(),
                count
            );
        } else {
            assert_eq!(checked.err, run.err);
            assert!(!campaign.path("run").exists(), "{file}");
        }
    }
}

#[test]
fn check_counts_the_entries_and_lists_them_on_demand() {
    let many = format!("{MESSY}{}", "[NH4+]\tammonium\n".repeat(5));
    let campaign = with_source("molecules.smi", many, 3);
    let output = check(&campaign, &[]).with_code(0).out;
    let counts = "11 read, 1 duplicate, 7 skipped: 1 salt, 6 charged; 3 can be drawn";
    assert!(output.contains(counts), "{output}");
    assert!(output.contains("separated by tabs"), "{output}");
    assert!(
        output.contains("molecules.smi:3: OCC (spirit of wine)"),
        "{output}"
    );
    assert!(output.contains("molecules.smi:4: CC(=O)[O-].[Na+] (sodium acetate)"));
    assert!(
        output.contains("charged: 3 more, listed by `check --verbose`"),
        "{output}"
    );
    let output = check(&campaign, &["--verbose"]).with_code(0).out;
    assert!(
        output.contains("molecules.smi:12: [NH4+] (ammonium)"),
        "{output}"
    );
}

#[test]
fn names_are_shown_wherever_a_molecule_is() {
    let campaign = with_source("molecules.smi", MESSY, 3);
    let run = campaign.run("run", &[]).with_code(0);
    assert!(run.err.contains(COUNTS), "{}", run.err);
    assert!(
        run.err.contains("best CCO (ethanol)") || run.err.contains("best CCN (<b>ethyl</b>amine)")
    );
    for name in ["ethanol", "<b>ethyl</b>amine", "cyclo [31mpropane"] {
        assert!(run.out.contains(name), "{}", run.out);
    }
    assert!(!run.out.contains('\u{1b}') && !run.err.contains('\u{1b}'));
    let run_dir = campaign.path("run");
    for row in rows(&run_dir).iter().filter(|row| row["batch"] == "0") {
        let name = match row["smiles"].as_str() {
            "CCO" => "ethanol",
            "CCN" => "<b>ethyl</b>amine",
            "C1CC1" => "cyclo [31mpropane",
            other => panic!("{other}"),
        };
        assert_eq!(row["name"], name);
    }
    let best = rows(&run_dir);
    let best = best.iter().min_by(|a, b| {
        let energy = |row: &std::collections::BTreeMap<String, String>| {
            row["atomization_energy_hartree"]
                .parse()
                .unwrap_or(f64::INFINITY)
        };
        energy(a).total_cmp(&energy(b))
    });
    let name = &best.unwrap()["name"];
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    assert_eq!(status["best"]["name"].as_str().unwrap_or_default(), name);
    let status = on(&run_dir, &["status"]).with_code(0).out;
    assert!(name.is_empty() || status.contains(name), "{status}");
    let page = fs::read_to_string(run_dir.join("report.html")).unwrap();
    assert!(
        page.contains(". ethanol</h3>") && page.contains(". &lt;b&gt;ethyl&lt;/b&gt;amine</h3>")
    );
    let records = fs::read_to_string(run_dir.join("simulation_records.jsonl")).unwrap();
    assert!(records.contains("\"name\":\"ethanol\""), "{records}");
    for subject in ["ethanol", "SPIRIT OF WINE", "C(C)O", "CCO"] {
        let told = on(&run_dir, &["explain", subject]).with_code(0).out;
        assert!(
            told.contains("of CCO (ethanol) by energy, stage initial"),
            "{told}"
        );
    }
    let told = on(&run_dir, &["explain", "methanol"]).with_code(1).err;
    assert!(told.contains("nor a name of the run's source"), "{told}");
}

#[test]
fn names_outlive_the_source_and_a_repair() {
    let campaign = with_source("molecules.csv", "id,smiles\n5,CCO\n7,CCN\n9,C1CC1\n", 3);
    let run_dir = campaign.completed("run", &[]);
    fs::remove_file(campaign.path("molecules.csv")).unwrap();
    on(&run_dir, &["check", "--repair"]).with_code(0);
    let names = rows(&run_dir);
    let named = names.iter().find(|row| row["smiles"] == "CCN").unwrap();
    assert_eq!(named["name"], "7");
    // A number is a task, and the molecule that bears it as its name.
    let told = on(&run_dir, &["explain", "7"]).with_code(0).out;
    assert!(
        told.contains("task 7") && told.contains("of CCN (7)"),
        "{told}"
    );
}

#[test]
fn what_is_no_utf8_text_is_an_error_that_names_the_file_and_a_way_out() {
    let latin1 = b"name: caf\xe9\n".to_vec();
    let utf16: Vec<u8> = "name: x\n"
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    let marked = [b"\xfe\xff".to_vec(), utf16.clone()].concat();
    let campaign = Campaign::tiny();
    let file = campaign.path("odd.yaml");
    for (content, place) in [(&latin1, ":1:10"), (&utf16, ":1:1"), (&marked, ":1:1")] {
        fs::write(&file, content).unwrap();
        for output in told_of(&campaign, &file) {
            assert!(output.contains(&format!("odd.yaml{place}")), "{output}");
            assert!(output.contains("hint: save the file as UTF-8"), "{output}");
        }
    }
    for content in [
        "",
        "\u{feff}",
        "# nothing\r\n",
        "\t",
        "name: [",
        &"x".repeat(1 << 20),
    ] {
        fs::write(&file, content).unwrap();
        for output in told_of(&campaign, &file) {
            assert!(output.contains("odd.yaml:1:"), "{content:.9}: {output}");
        }
    }
}

#[test]
fn a_pipe_a_device_and_a_folder_are_refused_and_not_waited_for() {
    let campaign = Campaign::tiny();
    let pipe = campaign.path("pipe.yaml");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let folder = campaign.path("folder.yaml");
    fs::create_dir(&folder).unwrap();
    let device = campaign.path("device.yaml");
    std::os::unix::fs::symlink("/dev/zero", &device).unwrap();
    for (file, what) in [
        (&pipe, "is a pipe"),
        (&folder, "folder"),
        (&device, "a device"),
    ] {
        for output in told_of(&campaign, file) {
            let name = file.file_name().unwrap().to_str().unwrap();
            assert!(output.contains(name), "{output}");
            assert!(
                output.contains(what) || output.contains("not a run directory"),
                "{output}"
            );
            assert!(output.contains("hint: "), "{output}");
        }
    }
}

#[test]
fn campaigns_and_profiles_of_other_systems_are_read() {
    let campaign = Campaign::tiny();
    campaign.run_command("unused", &[]);
    for name in ["campaign-file.yml", "site2.yml"] {
        let file = campaign.path(name);
        let text = fs::read_to_string(&file).unwrap();
        for other in [
            format!("\u{feff}{text}"),
            format!("\u{feff}{}", text.replace('\n', "\r\n")),
            text.replace('\n', "\r"),
            text.trim_end().to_owned(),
        ] {
            fs::write(&file, other).unwrap();
            run_to_end(moldflow(&["check"]).arg(campaign.path("campaign-file.yml"))).with_code(0);
        }
    }
}

/// Errors for a file that is given as campaign, as site profile, and as a file of QCEngine.
fn told_of(campaign: &Campaign, file: &Path) -> Vec<String> {
    campaign.run_command("unused", &[]);
    let mut as_site = moldflow(&["check", "--site"]);
    as_site.arg(file).arg(campaign.path("campaign-file.yml"));
    let mut as_campaign = moldflow(&["check"]);
    let mut as_qcengine = moldflow(&["sites", "import"]);
    let commands = [as_campaign.arg(file), &mut as_site, as_qcengine.arg(file)];
    commands
        .map(|command| run_to_end(command).with_code(1).err)
        .into()
}
