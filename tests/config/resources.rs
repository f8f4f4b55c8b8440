//! Memory, GPUs and constraints of a profile, and the options that would override moldflow's
//! requests.

use std::sync::Arc;

use moldflow::config::diagnostic::Text;
use moldflow::config::profiles;
use moldflow::config::site::Site;

fn read(text: &str) -> Result<Site, String> {
    let text = Text {
        name: "site.yml".into(),
        text: text.into(),
    };
    profiles::parse(&Arc::new(text)).map_err(|diagnostics| diagnostics.to_string())
}

/// A profile of a node with 8 cores, 16 GiB and 4 GPUs, whose `qc` is as given in line 4.
fn with(qc: &str) -> Result<Site, String> {
    read(&format!(
        "name: x\nnode: {{cores: 8, memory: 16 GiB, gpus: 4}}\npartitions:\n  qc: {{{qc}}}\n  ml: {{executor: local, slots: 1, gpus_per_task: 1}}\n"
    ))
}

#[test]
fn what_fits_is_taken_and_written_out_as_it_was_read() {
    for qc in [
        "executor: slurm, memory_per_task: 4 GiB, gpus_per_task: 4, constraint: a100",
        "executor: slurm, blocks: {max: 2}, memory_per_task: 4 GiB, gpus_per_task: 1",
        "executor: pbs, memory_per_task: 512 MiB, gpus_per_task: 1, constraint: gpu_model=a100",
        "executor: cobalt, constraint: \"mcdram=cache:numa=quad\"",
        "executor: local, slots: 3, gpus_per_task: 1, memory_per_task: 5 GiB",
        "executor: allocation, tasks_per_node: 2, gpus_per_task: 2, memory_per_task: 8 GiB",
    ] {
        let site = with(qc).unwrap();
        assert_eq!(
            read(&serde_saphyr::to_string(&site).unwrap()),
            Ok(site),
            "{qc}"
        );
    }
}

#[test]
fn a_node_of_blocks_has_as_many_tasks_as_it_has_cores_memory_and_gpus_for() {
    let tasks = |settings: &str| {
        let site = with(&format!("executor: slurm, blocks: {{}}, {settings}")).unwrap();
        site.partitions["qc"].tasks_per_node(&site.node)
    };
    assert_eq!(tasks("cores_per_task: 2"), 4);
    assert_eq!(tasks("cores_per_task: 2, memory_per_task: 6 GiB"), 2);
    assert_eq!(tasks("cores_per_task: 1, gpus_per_task: 2"), 2);
    assert_eq!(
        tasks("cores_per_task: 8, gpus_per_task: 1, memory_per_task: 1 GiB"),
        1
    );
}

/// Partition `qc`, and parts of the message and of the hint.
const IMPOSSIBLE: [(&str, &str, &str); 24] = [
    (
        "executor: local, slots: 4, gpus_per_task: 1",
        "need 5 GPUs of a node that has 4",
        "`slots`",
    ),
    (
        "executor: local, slots: cores, gpus_per_task: 1",
        "need 9 GPUs",
        "`slots`",
    ),
    (
        "executor: local, slots: 5, memory_per_task: 4 GiB",
        "need 20 GiB of a node that has 16 GiB",
        "`slots`",
    ),
    (
        "executor: allocation, tasks_per_node: 2, gpus_per_task: 3",
        "asks for 6 GPUs",
        "node.gpus",
    ),
    (
        "executor: allocation, tasks_per_node: 2, memory_per_task: 9 GiB",
        "2 tasks of `qc` with 9 GiB each",
        "tasks_per_node",
    ),
    (
        "executor: slurm, memory_per_task: 17 GiB",
        "with 17 GiB each",
        "node.memory",
    ),
    (
        "executor: pbs, gpus_per_task: 5",
        "asks for 5 GPUs",
        "node.gpus",
    ),
    (
        "executor: cobalt, memory_per_task: 1 GiB",
        "Cobalt does not support `memory_per_task`",
        "whole nodes",
    ),
    (
        "executor: cobalt, gpus_per_task: 1",
        "Cobalt does not support `gpus_per_task`",
        "whole nodes",
    ),
    (
        "executor: local, slots: 1, constraint: a100",
        "does not choose nodes",
        "`submit`",
    ),
    (
        "executor: allocation, constraint: a100",
        "does not choose nodes",
        "`submit`",
    ),
    (
        "executor: slurm, constraint: a b",
        "the constraint `a b` of `qc`",
        "a100&80gb",
    ),
    (
        "executor: pbs, constraint: a100",
        "the constraint `a100` of `qc`",
        "gpu_model=a100",
    ),
    (
        "executor: slurm, memory_per_task: 4",
        "an amount of memory such as `4 GiB`",
        "",
    ),
    (
        "executor: slurm, memory_per_task: auto",
        "is not an amount of memory",
        "4 GiB",
    ),
    (
        "executor: local, slots: 1, gpus_per_task: 1, environment: {CUDA_VISIBLE_DEVICES: \"0\"}",
        "sets CUDA_VISIBLE_DEVICES",
        "one of the two",
    ),
    (
        "executor: local, slots: 2, gpus_per_task: 1, transport: {ssh: {host: gpu, work_dir: ~/w}}",
        "are on another host",
        "slots: 1",
    ),
    (
        "executor: slurm, options: [\"--nodes=4\"]",
        "the option `--nodes=4` of `qc`",
        "nodes_per_task",
    ),
    (
        "executor: slurm, memory_per_task: 1 GiB, options: [\"--mem 4G\"]",
        "the option `--mem 4G`",
        "memory_per_task",
    ),
    (
        "executor: slurm, blocks: {}, options: [\"--gres=gpu:4\"]",
        "the option `--gres=gpu:4`",
        "gpus_per_task",
    ),
    (
        "executor: pbs, options: [\"-l select=2\"]",
        "the option `-l select=2`",
        "nodes_per_task",
    ),
    (
        "executor: pbs, options: [\"-l mem=4gb\"]",
        "the option `-l mem=4gb`",
        "memory_per_task",
    ),
    (
        "executor: cobalt, options: [\"-t 60\"]",
        "the option `-t 60`",
        "walltime",
    ),
    (
        "executor: slurm, options: [\"nodes=4\"]",
        "the option `nodes=4`",
        "--qos=shared",
    ),
];

#[test]
fn what_cannot_be_had_is_refused_with_its_line_and_a_way_out() {
    for (qc, message, hint) in IMPOSSIBLE {
        let error = with(qc).expect_err(qc);
        assert!(error.starts_with("site.yml:"), "{error}");
        let line = if error.contains("`ml`") { 5 } else { 4 };
        assert!(
            error.starts_with(&format!("site.yml:{line}:"))
                || error.contains("`qc` and of the partitions before"),
            "{error}"
        );
        assert!(error.contains(message), "{qc}: {error}");
        assert!(error.contains(hint), "{qc}: {error}");
    }
    // Without GPUs in the profile the scheduler decides; blocks need the number.
    let unknown = |more: &str| {
        read(&format!(
            "name: x\npartitions: {{qc: {{executor: slurm, gpus_per_task: 2{more}}}}}\n"
        ))
    };
    assert!(unknown("").is_ok());
    assert!(unknown(", blocks: {}").unwrap_err().contains("node.gpus"));
}

#[test]
fn the_job_of_a_campaign_asks_for_what_its_tasks_use() {
    let submit = |submit: &str, qc: &str| {
        read(&format!(
            "name: x\nnode: {{cores: 8, memory: 16 GiB, gpus: 4}}\nsubmit: {{system: slurm{submit}}}\npartitions: {{qc: {{{qc}}}}}\n"
        ))
    };
    let gpus = |more: &str, qc: &str| {
        let site = submit(more, qc).unwrap();
        site.submit.as_ref().unwrap().gpus(&site)
    };
    assert_eq!(gpus("", "executor: allocation"), 0);
    assert_eq!(gpus("", "executor: allocation, gpus_per_task: 1"), 4);
    assert_eq!(
        gpus(
            ", gpus_per_node: 2",
            "executor: allocation, gpus_per_task: 1"
        ),
        2
    );
    for (more, message) in [
        (", memory_per_node: 17 GiB", "`submit` asks for 17 GiB"),
        (", options: [\"-N 2\"]", "the option `-N 2` of `submit`"),
        (
            ", constraint: a, options: [\"-C b\"]",
            "the option `-C b` of `submit`",
        ),
    ] {
        let error = submit(more, "executor: allocation").expect_err(more);
        assert!(
            error.starts_with("site.yml:3:") && error.contains(message),
            "{error}"
        );
    }
}
