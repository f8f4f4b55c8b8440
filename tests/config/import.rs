//! QCEngine files to site profiles.

use std::sync::Arc;

use moldflow::config::diagnostic::{Diagnostics, Text};
use moldflow::config::import::{ImportedSite, qcengine};
use moldflow::config::profiles;

/// The file for Theta in the README of the reference application, word for word.
const THETA: &str = r#"all:
  hostname_pattern: "*"
  scratch_directory: ./scratch
  is_batch_node: True
  mpiexec_command: "aprun -n {total_ranks} -N {ranks_per_node} -C -cc depth --env CRAY_OMP_CHECK_AFFINITY=TRUE --env OMP_NUM_THREADS={cores_per_rank} --env MKL_NUM_THREADS={cores_per_rank} -d {cores_per_rank} -j 1"
  jobs_per_node: 1
  ncores: 64
  memory: 192
"#;

fn import(text: &str, name: Option<&str>) -> Result<ImportedSite, Diagnostics> {
    let text = Text {
        name: "qcengine.yaml".into(),
        text: text.into(),
    };
    qcengine(&Arc::new(text), name)
}

fn parse(text: String) -> moldflow::config::site::Site {
    profiles::parse(&Arc::new(Text {
        name: "site.yml".into(),
        text,
    }))
    .unwrap()
}

#[test]
fn the_file_of_the_reference_application_becomes_the_profile_of_theta() {
    let ImportedSite { site, notes } = import(THETA, Some("theta")).unwrap();
    let shipped = parse(include_str!("../../site-profiles/theta.yml").to_owned());
    assert_eq!(site.mpiexec_command, shipped.mpiexec_command);
    assert_eq!(site.node, shipped.node);
    assert_eq!(site.scratch, shipped.scratch);
    assert_eq!(site.partitions["ml"], shipped.partitions["ml"]);
    assert!(
        notes.iter().any(|note| note.contains("walltime")),
        "{notes:?}"
    );
}

#[test]
fn what_is_imported_is_a_profile_that_can_be_read() {
    let files = [
        THETA,
        "laptop: {jobs_per_node: 2, ncores: 8, memory: 15.5}",
        "small: {ncores: 1, jobs_per_node: 4}",
        "bare: {}",
    ];
    for file in files {
        let ImportedSite { site, .. } = import(file, None).unwrap();
        assert_eq!(
            parse(serde_saphyr::to_string(&site).unwrap()),
            site,
            "{file}"
        );
    }
}

#[test]
fn what_cannot_be_known_is_said() {
    let notes = |text| import(text, None).unwrap().notes.join("\n");
    insta::assert_snapshot!(notes(THETA));
    insta::assert_snapshot!(notes(
        "all:\n  hostname_pattern: node[0-9]\n  retries: 2\n  memory_safety_factor: 10\n  scratch_directory: $SCRATCH\n  mpiexec_comand: srun\n  gpus: 4\n"
    ));
}

/// As QCEngine 0.52.0 with PyYAML 6.0.2 and pydantic 2 reads them, asked by
/// `NodeDescriptor(**yaml.safe_load(text))`.
#[test]
fn what_qcengine_takes_for_a_number_or_a_truth_value_is_one() {
    for (text, cores) in [
        ("ncores: 010", 8),
        ("ncores: 1_0", 10),
        ("ncores: '8'", 8),
        ("ncores: ' 8 '", 8),
        ("ncores: 8.0", 8),
        ("ncores: 0x10", 16),
        ("ncores: 1:30", 90),
        ("ncores: 0b101", 5),
    ] {
        let site = import(&format!("m: {{{text}}}"), None).unwrap().site;
        assert_eq!(site.node.cores.count(), cores, "{text}");
    }
    for (text, mebibytes) in [
        ("memory: 1e3", 1_024_000),
        ("memory: '15.5'", 15_872),
        ("memory: 1_5.5", 15_872),
        ("memory: 1:30", 92_160),
    ] {
        let site = import(&format!("m: {{{text}}}"), None).unwrap().site;
        let expected = moldflow::config::site::Memory::Bytes(mebibytes << 20);
        assert_eq!(site.node.memory, expected, "{text}");
    }
    for (text, in_a_job) in [
        ("yes", true),
        ("On", true),
        ("'T'", true),
        ("1", true),
        ("no", false),
        ("OFF", false),
        ("0", false),
    ] {
        let site = import(&format!("m: {{is_batch_node: {text}}}"), None)
            .unwrap()
            .site;
        let executor = site.partitions["qc"].executor.name();
        assert_eq!(executor == "allocation", in_a_job, "{text}");
    }
    // QCEngine refuses these as well.
    for text in ["ncores: 8.5", "ncores: auto", "hostname_pattern: 12"] {
        assert!(import(&format!("m: {{{text}}}"), None).is_err(), "{text}");
    }
}

#[test]
fn of_several_machines_one_is_chosen_by_name() {
    let text = "here: {ncores: 4}\nthere: {ncores: 8}\n";
    assert_eq!(
        import(text, Some("there")).unwrap().site.node.cores.count(),
        8
    );
    insta::assert_snapshot!(import(text, None).unwrap_err().to_string());
}

#[test]
fn a_file_that_is_wrong_is_refused_with_the_line() {
    let diagnostics = |text| import(text, None).unwrap_err().to_string();
    let wrong = [
        "all:\n  mpiexec_command: \"srun -n {ranks}\"\n",
        "all:\n  mpiexec_command: \"srun -n {total_ranks\"\n",
        "all:\n  mpiexec_command: \"srun -n {{total_ranks}}\"\n",
        "all:\n  ncores: 0\n  memory: lots\n",
        "all: [1]\n",
        "{}\n",
        "",
        "- a\n",
    ];
    insta::assert_snapshot!(wrong.map(diagnostics).join("\n"));
}
