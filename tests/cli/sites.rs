//! Shipped profiles and their campaigns, `sites import` and `sites check`, from the real binary.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::binary::{PACKAGE, moldflow_in, run_to_end};
use tempfile::TempDir;

/// A folder with files in it, in which the binary runs.
struct Folder {
    dir: TempDir,
    path: Option<PathBuf>,
}

impl Folder {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            path: None,
        }
    }

    fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    /// Puts a shell script on PATH, which then contains nothing else but what the script needs.
    fn program(mut self, name: &str, text: &str) -> Self {
        let folder = self.dir.path().join("bin");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(name);
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        self.path = Some(folder);
        self
    }

    fn without_programs(mut self) -> Self {
        self.path = Some("/nonexistent".into());
        self
    }

    /// Standard output, standard error and exit status, without details of this host.
    fn run(&self, arguments: &[&str]) -> String {
        let mut command = moldflow_in(self.dir.path(), arguments);
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        run_to_end(&mut command).text()
    }

    /// Output of `sites check` on a profile, without limits, engines and the count of warnings.
    fn check(&self, profile: &str) -> String {
        let text = self.run(&["sites", "check", profile]);
        let mut kept = String::new();
        let mut skipping = false;
        for line in text.lines() {
            skipping = match line.split_whitespace().nth(1) {
                Some("limits:" | "engine" | "failed,") => true,
                _ if line.starts_with(' ') => skipping,
                _ => false,
            };
            if !skipping {
                kept.push_str(line);
                kept.push('\n');
            }
        }
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        kept.replace(&format!("`{}`", host.trim()), "`HOST`")
            .replace(&format!(" {}:2", host.trim()), " HOST:2")
    }
}

fn moldflow(arguments: &[&str]) -> String {
    run_to_end(&mut moldflow_in(PACKAGE, arguments))
        .with_code(0)
        .out
}

/// Names of the shipped files of a folder, without their endings.
fn shipped(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names
        .filter_map(|name| Some(name.strip_suffix(".yml")?.to_owned()))
        .collect();
    names.sort();
    names
}

#[test]
fn every_shipped_campaign_passes_check_and_plan() {
    for name in shipped("campaigns") {
        let file = format!("campaigns/{name}.yml");
        moldflow(&["check", &file]);
        insta::assert_snapshot!(format!("plan_of_{name}"), moldflow(&["plan", &file]));
    }
}

#[test]
fn a_campaign_can_be_planned_on_every_shipped_site() {
    for name in shipped("site-profiles") {
        let arguments = ["campaigns/qm9-atomization.yml", "--site", &name];
        moldflow(&[&["check"], &arguments[..]].concat());
        insta::assert_snapshot!(
            format!("plan_on_{name}"),
            moldflow(&[&["plan"], &arguments[..]].concat())
        );
    }
}

#[test]
fn every_shipped_site_is_built_in_and_shown() {
    let folder = Folder::new();
    for name in shipped("site-profiles")
        .iter()
        .filter(|name| *name != "local")
    {
        insta::assert_snapshot!(format!("show_{name}"), folder.run(&["sites", "show", name]));
    }
    insta::assert_snapshot!("list_built_in", folder.run(&["sites", "list"]));
}

#[test]
fn what_cannot_run_yet_is_refused_before_anything_is_written() {
    let campaigns = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns");
    let folder = Folder::new();
    for name in ["theta", "multi-site"] {
        let file = campaigns.join(format!("{name}.yml"));
        let output = folder.run(&["run", file.to_str().unwrap()]);
        insta::assert_snapshot!(format!("refused_{name}"), output);
    }
    assert!(!folder.dir.path().join("runs").exists());
}

#[test]
fn a_qcengine_file_is_imported_to_standard_output_or_to_a_new_file() {
    let file = "all:\n  hostname_pattern: \"*\"\n  scratch_directory: ./scratch\n  is_batch_node: True\n  mpiexec_command: \"aprun -n {total_ranks} -N {ranks_per_node} -d {cores_per_rank}\"\n  jobs_per_node: 1\n  ncores: 64\n  memory: 192\n";
    let folder = Folder::new().file("qcengine.yaml", file);
    insta::assert_snapshot!(folder.run(&["sites", "import", "qcengine.yaml", "--name", "cray"]));
    let to_file = [
        "sites",
        "import",
        "qcengine.yaml",
        "--name",
        "cray",
        "--out",
        "cray.yml",
    ];
    assert!(folder.run(&to_file).ends_with("exit status 0"));
    assert!(
        folder
            .run(&["sites", "show", "cray.yml"])
            .contains("name: cray")
    );
    insta::assert_snapshot!(folder.run(&to_file));
}

const LOCAL: &str =
    "partitions:\n  qc: {executor: local, slots: 2}\n  ml: {executor: local, slots: 1}\n";

#[test]
fn a_machine_that_is_as_its_profile_says_passes() {
    let launcher =
        "mpirun -n {{total_ranks}} --allow-run-as-root --oversubscribe --host {{hosts}}:2";
    let profile = format!(
        "name: mine\nrecognise: {{hostname: [\"*\"]}}\nmpiexec_command: \"{launcher}\"\n{LOCAL}"
    );
    insta::assert_snapshot!(Folder::new().file("mine.yml", &profile).check("mine.yml"));
}

#[test]
fn what_is_wrong_with_a_machine_is_said_with_what_to_do() {
    let profile = format!(
        "name: broken\nrecognise: {{environment: [NO_SUCH_VARIABLE]}}\nscratch: ./a-file/scratch\nmpiexec_command: \"aprun -n {{{{total_ranks}}}}\"\n{LOCAL}"
    );
    insta::assert_snapshot!(
        Folder::new()
            .without_programs()
            .file("a-file", "")
            .file("broken.yml", &profile)
            .check("broken.yml")
    );
}

#[test]
fn a_launcher_that_does_not_start_two_ranks_fails() {
    let folder = |program: &str| {
        let profile = format!(
            "name: mpi\nrecognise: {{hostname: [\"*\"]}}\nmpiexec_command: \"launch {{{{total_ranks}}}}\"\n{LOCAL}"
        );
        Folder::new()
            .file("mpi.yml", &profile)
            .program("launch", program)
            .check("mpi.yml")
    };
    insta::assert_snapshot!(folder("echo one"));
    insta::assert_snapshot!(folder("echo 'launch: no slots' >&2; exit 1"));
}

const PBS: &str = "name: pbs\nrecognise: {hostname: [\"*\"]}\npartitions:\n  qc: {executor: pbs, queue: QUEUE, account: chem, walltime: 1h, max_jobs: 4}\n  ml: {executor: local, slots: 1}\n";

/// Queue list in the format of qstat of PBS Professional, written from memory, not captured.
const QUEUES_OF_PBS: &str = "cat <<'END'
Queue              Max   Tot Ena Str   Que   Run   Hld   Wat   Trn   Ext Type
---------------- ----- ----- --- --- ----- ----- ----- ----- ----- ----- ----
workq                0     1 yes yes     0     1     0     0     0     0 Exec
debug               10     0 yes yes     0     0     0     0     0     0 Exec
END";

#[test]
fn a_scheduler_is_asked_for_its_queue() {
    let folder = |queue: &str| Folder::new().file("pbs.yml", &PBS.replace("QUEUE", queue));
    insta::assert_snapshot!(
        "pbs_missing",
        folder("debug").without_programs().check("pbs.yml")
    );
    let system = |queue: &str, history: &str| {
        let queues = QUEUES_OF_PBS.replace("cat", "/bin/cat");
        // As OpenPBS 23.06 prints it, shortened: only settings that were made are printed.
        let server = format!(
            "Server: pbs\\n    server_state = Active\\n{history}    pbs_version = 23.06.06\\n"
        );
        let qstat = format!("[ \"$*\" != '-B -f' ] || {{ printf '{server}'; exit; }}\n{queues}");
        folder(queue).program("qstat", &qstat).check("pbs.yml")
    };
    insta::assert_snapshot!("pbs_right", system("debug", ""));
    insta::assert_snapshot!("pbs_no_queue", system("prod", ""));
    let history = "    job_history_enable = True\\n";
    insta::assert_snapshot!("pbs_history", system("debug", history));
    let slurm = "name: slurm\nrecognise: {hostname: [\"*\"]}\npartitions:\n  qc: {executor: slurm, walltime: 1h}\n  ml: {executor: local, slots: 1}\n";
    let missing = Folder::new().file("slurm.yml", slurm).without_programs();
    insta::assert_snapshot!("slurm_missing", missing.check("slurm.yml"));
    let down = "echo 'qstat: cannot connect to server pbs (errno=111)' >&2; exit 2";
    insta::assert_snapshot!(
        "pbs_down",
        folder("debug").program("qstat", down).check("pbs.yml")
    );
}

#[test]
fn the_reasons_why_a_host_is_not_reached_are_told_apart() {
    let profile = "name: far\nrecognise: {hostname: [\"*\"]}\npartitions:\n  qc: {executor: local, slots: 1}\n  ml:\n    executor: local\n    slots: 1\n    transport: {ssh: {host: gpu, moldflow: /opt/moldflow, work_dir: /scratch/me}}\n";
    // Messages of OpenSSH 9.2.
    let output = [
        ("key", "Host key verification failed."),
        ("refused", "me@gpu: Permission denied (publickey,password)."),
        (
            "name",
            "ssh: Could not resolve hostname gpu: Name or service not known",
        ),
        (
            "port",
            "ssh: connect to host gpu port 22: Connection refused",
        ),
    ];
    for (name, words) in output {
        let folder = Folder::new().file("far.yml", profile);
        let folder = folder.program("ssh", &format!("echo '{words}' >&2; exit 255"));
        insta::assert_snapshot!(format!("ssh_{name}"), folder.check("far.yml"));
    }
}

#[test]
fn the_gpus_of_this_host_are_counted_where_slots_divide_them() {
    let profile = |gpus: &str| {
        format!(
            "name: g\nnode: {{gpus: 1024}}\npartitions:\n  qc: {{executor: local, slots: 2{gpus}}}\n"
        )
    };
    let folder = Folder::new()
        .file("some.yml", &profile(", gpus_per_task: 512"))
        .file("none.yml", &profile(""));
    let output = folder.check("some.yml");
    assert!(
        output.contains("gpus: the profile has 1024 GPUs (`node.gpus`), this host shows "),
        "{output}"
    );
    assert!(!folder.check("none.yml").contains("gpus:"));
}

#[test]
fn a_host_behind_ssh_is_looked_at_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let profile = format!(
        "name: far\nrecognise: {{hostname: [\"*\"]}}\npartitions:\n  qc: {{executor: local, slots: 1}}\n  ml:\n    executor: local\n    slots: 1\n    transport: {{ssh: {{host: gpu, moldflow: /no/moldflow, work_dir: \"{}\"}}}}\n",
        dir.path().join("it's here").display()
    );
    // The other host is this one: the last argument is the command for its shell.
    let ssh = "case \"$*\" in *'-O check'*) exit;; esac; while [ $# -gt 1 ]; do shift; done; PATH=/usr/bin:/bin exec /bin/sh -c \"$1\"";
    let folder = Folder::new().file("far.yml", &profile).program("ssh", ssh);
    let output = folder
        .check("far.yml")
        .replace(&dir.path().display().to_string(), "DIR");
    insta::assert_snapshot!(output);
    assert!(dir.path().join("it's here").is_dir());
}
