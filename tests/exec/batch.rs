//! Batch scripts: their content, and that a user's value is never interpreted.

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use moldflow::scheduler::{BatchParams, Resources, SchedulerKind, Script};
use proptest::prelude::*;

fn named(key: &str) -> SchedulerKind {
    SchedulerKind::named(key).expect("a scheduler")
}

const NOTHING_MORE: Resources = Resources {
    memory: None,
    gpus: 0,
    constraint: None,
};

fn batch() -> BatchParams {
    BatchParams {
        queue: Some("debug".into()),
        account: Some("chem".into()),
        walltime: Duration::from_secs(7200),
        nodes_per_task: NonZeroUsize::new(2).unwrap(),
        max_jobs: NonZeroUsize::new(4).unwrap(),
        options: vec!["-l filesystems=home:eagle".into()],
    }
}

fn script<'a>(
    scheduler: SchedulerKind,
    batch: &'a BatchParams,
    dir: &Path,
    argv: &'a [String],
) -> Script<'a> {
    Script {
        scheduler,
        batch,
        name: "1a2b.7.0",
        token: Some("1a2b.7.0"),
        nodes: batch.nodes_per_task,
        walltime: Duration::from_secs(5400),
        ranks_per_node: NonZeroUsize::new(32).unwrap(),
        cores_per_rank: NonZeroUsize::new(2).unwrap(),
        resources: &NOTHING_MORE,
        setup: &[],
        environment: &[],
        path: None,
        dir: dir.to_owned(),
        argv,
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_script_asks_for_what_the_partition_says() {
    let (batch, argv) = (batch(), words(&["moldflow", "task", "exec", "job.json"]));
    let setup = words(&["module load nwchem", "source ~/env.sh"]);
    let environment = [("OMP_NUM_THREADS".to_owned(), "2".to_owned())];
    for system in SchedulerKind::all() {
        let name = system.dialect().key;
        let script = Script {
            setup: &setup,
            environment: &environment,
            ..script(system, &batch, Path::new("/runs/a b/tasks/7/0"), &argv)
        };
        insta::assert_snapshot!(format!("script_{name}"), script.render().unwrap());
    }
}

/// The forms of `man sbatch` (22.05), of PBS's Reference Guide (`select`) and of Cobalt's `qsub`.
#[test]
fn a_script_asks_for_memory_gpus_and_a_kind_of_node() {
    let argv = words(&["true"]);
    let text = |system, resources: Resources, options: &[&str]| {
        let batch = BatchParams {
            options: words(options),
            ..batch()
        };
        let script = Script {
            resources: &resources,
            ..script(system, &batch, Path::new("/d"), &argv)
        };
        script.render().unwrap()
    };
    let resources = |constraint: &str| Resources {
        memory: Some(4096),
        gpus: 2,
        constraint: Some(constraint.to_owned()),
    };
    let slurm = text(named("slurm"), resources("a100&ib"), &[]);
    for line in ["--mem=4096M", "--gres=gpu:2", "--constraint=a100&ib"] {
        assert!(slurm.contains(&format!("#SBATCH {line}\n")), "{slurm}");
    }
    let pbs = text(
        named("pbs"),
        resources("gpu_model=a100"),
        &["-l place=excl"],
    );
    let select = "#PBS -l select=2:ncpus=64:mpiprocs=32:mem=4096mb:ngpus=2:gpu_model=a100\n#PBS -l place=scatter:excl\n";
    assert!(pbs.contains(select), "{pbs}");
    assert_eq!(pbs.matches("place=").count(), 1, "{pbs}");
    let cobalt = Resources {
        constraint: Some("mcdram=cache:numa=quad".into()),
        ..NOTHING_MORE
    };
    let cobalt = text(named("cobalt"), cobalt, &[]);
    assert!(
        cobalt.contains("#COBALT --attrs mcdram=cache:numa=quad\n"),
        "{cobalt}"
    );
}

#[test]
fn what_a_constraint_is_not_is_refused() {
    let argv = words(&["true"]);
    for (system, bad) in [
        (named("slurm"), "a\n#SBATCH --uid=0"),
        (named("pbs"), "ncpus=128"),
        (named("cobalt"), "a b"),
    ] {
        let resources = Resources {
            constraint: Some(bad.into()),
            ..NOTHING_MORE
        };
        let batch = batch();
        let script = Script {
            resources: &resources,
            ..script(system, &batch, Path::new("/d"), &argv)
        };
        assert!(script.render().is_err(), "{bad}");
    }
}

#[test]
fn a_folder_in_the_home_directory_and_one_on_path_are_those_of_the_job() {
    let home = tempfile::tempdir().unwrap();
    let (dir, bin) = (home.path().join("it's here"), home.path().join("b i n"));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::create_dir_all(&bin).unwrap();
    let argv = words(&["sh", "-c", "pwd; echo $PATH"]);
    let (batch, bin) = (batch(), bin.display().to_string());
    let script = Script {
        path: Some(&bin),
        ..script(named("slurm"), &batch, Path::new("~/it's here"), &argv)
    };
    let mut shell = Command::new("bash");
    shell.arg("-c").arg(script.render().unwrap());
    let status = shell.env("HOME", home.path()).status().unwrap();
    assert!(status.success());
    let output = std::fs::read_to_string(dir.join("job.out")).unwrap();
    let (place, path) = output.trim().split_once('\n').unwrap();
    assert_eq!(
        Path::new(place).canonicalize().unwrap(),
        dir.canonicalize().unwrap()
    );
    assert!(
        path.ends_with(&format!(":{bin}")) && path.contains("/usr/bin"),
        "{path}"
    );
}

#[test]
fn an_odd_walltime_is_rounded_up() {
    let argv = words(&["true"]);
    let batch = batch();
    let text = |system| {
        let script = Script {
            walltime: Duration::from_secs(61),
            ..script(system, &batch, Path::new("/d"), &argv)
        };
        script.render().unwrap()
    };
    assert!(text(named("slurm")).contains("--time=00:01:01\n"));
    assert!(text(named("pbs")).contains("walltime=00:01:01\n"));
    assert!(text(named("cobalt")).contains("-t 2\n"));
}

#[test]
fn no_option_takes_away_what_a_job_is_known_by() {
    let argv = words(&["true"]);
    for (system, option) in [
        (named("slurm"), "-J other"),
        (named("slurm"), "--job-name=other"),
        (named("pbs"), "-N other"),
        (named("pbs"), "-v A=1"),
        (named("cobalt"), "--jobname other"),
    ] {
        let batch = BatchParams {
            options: words(&[option]),
            ..batch()
        };
        let refused = script(system, &batch, Path::new("/d"), &argv).render();
        let why = refused.expect_err(option).to_string();
        assert!(why.contains(option), "{why}");
    }
}

#[test]
fn what_would_be_another_directive_or_command_is_refused() {
    let argv = words(&["true"]);
    let is_refused = |batch: &BatchParams, dir: &str, argv: &[String]| {
        let script = script(named("pbs"), batch, Path::new(dir), argv);
        script.render().is_err()
    };
    for bad in [
        "",
        "-x",
        "a b",
        "a\nb",
        "a\n#SBATCH --uid=0",
        "a;b",
        "$(id)",
        "`id`",
        "a'b",
        "a\"b",
        "é",
    ] {
        let queue = BatchParams {
            queue: Some(bad.into()),
            ..batch()
        };
        let account = BatchParams {
            account: Some(bad.into()),
            ..batch()
        };
        for batch in [queue, account] {
            assert!(is_refused(&batch, "/d", &argv), "{bad:?}");
        }
    }
    for bad in [
        "",
        "constraint=cpu",
        "-l a\nrm -rf x",
        "-l a\rb",
        "-l \u{2028}",
    ] {
        let batch = BatchParams {
            options: vec![bad.into()],
            ..batch()
        };
        assert!(is_refused(&batch, "/d", &argv), "{bad:?}");
    }
    let batch = batch();
    for bad in [&[][..], &[""], &["-c", "id"], &["a\0b"]] {
        assert!(is_refused(&batch, "/d", &words(bad)), "{bad:?}");
    }
    for dir in ["", "-", "a\0b"] {
        assert!(is_refused(&batch, dir, &argv), "{dir:?}");
    }
    for name in ["", "1A", "A B", "A=B", "A\nB"] {
        let environment = [(name.to_owned(), String::new())];
        let script = Script {
            environment: &environment,
            ..script(named("pbs"), &batch, Path::new("/d"), &argv)
        };
        assert!(script.render().is_err(), "{name:?}");
    }
}

/// Text rich in characters with a meaning in shells and schedulers.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("\n#PBS -q root\n".to_owned()),
        Just("$(touch broken)".to_owned()),
        Just("`touch broken`".to_owned()),
        Just("; touch broken;".to_owned()),
        Just("\\".to_owned()),
        Just("-n".to_owned()),
        Just("{{argv}}".to_owned()),
        Just("&|<>*?~!".to_owned()),
        "[^\0/]{0,4}",
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_shell_reads_every_value_back_as_it_was(
        arguments in prop::collection::vec(hostile(), 0..4),
        value in hostile(),
        folder in hostile(),
    ) {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join(format!("-{folder}"));
        prop_assume!(std::fs::create_dir(&dir).is_ok());
        let mut argv = words(&["sh", "-c", r#"printf '%s\0' "$VALUE" "$@" > output"#, "sh"]);
        argv.extend(arguments.clone());
        let (batch, environment) = (batch(), [("VALUE".to_owned(), value.clone())]);
        for system in SchedulerKind::all() {
            let script = Script { environment: &environment, ..script(system, &batch, &dir, &argv) };
            let text = script.render().unwrap();
            let status = Command::new("bash").arg("-c").arg(&text).current_dir(&parent).status().unwrap();
            prop_assert!(status.success());
            let output = std::fs::read_to_string(dir.join("output")).unwrap();
            let output: Vec<&str> = output.strip_suffix('\0').unwrap().split('\0').collect();
            prop_assert_eq!(output[0], value.as_str());
            prop_assert_eq!(&output[1..], arguments.as_slice());
            prop_assert!(!dir.join("broken").exists() && !parent.path().join("broken").exists());
        }
    }
}
