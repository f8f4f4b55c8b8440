//! Options of a profile that would override moldflow's own directives, in the spellings of `man
//! sbatch` (22.05) and of the manual pages of both `qsub`.

use moldflow::scheduler::SchedulerKind;
use moldflow::scheduler::options::{OwnRequests, constraint, refusal};

fn named(key: &str) -> SchedulerKind {
    SchedulerKind::named(key).expect("a scheduler")
}

fn is_refused(system: SchedulerKind, option: &str) -> bool {
    refusal(system, option, &OwnRequests::default()).is_some()
}

const SLURM_OPTIONS: [&str; 33] = [
    "--nodes=4",
    "--nodes 4",
    "-N4",
    "-N 4",
    "--node=4",
    "-kN4",
    "--qos=a --nodes=4",
    "\"--nodes=4\"",
    "--job=x",
    "-Jx",
    "--time=1",
    "--tim=1",
    "-t 1",
    "-t1",
    "-n 2",
    "--ntasks=2",
    "--ntasks-per-n=2",
    "-c2",
    "-o x",
    "-e x",
    "-D /",
    "-a 1-3",
    "--array=1-3",
    "--output x",
    "--chdir=/",
    "--requeue",
    "-d singleton",
    "-M other",
    "--wait",
    "-W",
    "--wrap=x",
    "--test-only",
    "--comment=x",
];

const PBS_OPTIONS: [&str; 25] = [
    "-l select=2",
    "-lselect=2",
    "-l walltime=1:00,filesystems=home",
    "-l filesystems=home,mem=4gb",
    "-l ncpus=2",
    "-lngpus=1",
    "-l mem=4gb",
    "-l place=pack",
    "-l nodes=2:ppn=4",
    "-N x",
    "-Nx",
    "-v A=1",
    "-j oe",
    "-joe",
    "-o x",
    "-e x",
    "-J 1-3",
    "-r y",
    "-W depend=afterok:1",
    "-W umask=022,block=true",
    "-I",
    "-z",
    "-hz",
    "-S /bin/csh",
    "-q x -N y",
];

const COBALT_OPTIONS: [&str; 10] = [
    "-n 4",
    "-n4",
    "--nodecount=4",
    "--node 4",
    "-t 10",
    "--time=10",
    "-o x",
    "--debuglog x",
    "--jobname x",
    "--dep=1",
];

#[test]
fn no_spelling_overrides_a_directive() {
    for option in SLURM_OPTIONS {
        assert!(is_refused(named("slurm"), option), "{option}");
    }
    for option in PBS_OPTIONS {
        assert!(is_refused(named("pbs"), option), "{option}");
    }
    for option in COBALT_OPTIONS {
        assert!(is_refused(named("cobalt"), option), "{option}");
    }
}

#[test]
fn what_overrides_nothing_is_let_through() {
    for option in [
        "--qos=shared",
        "--reservation=x",
        "--exclusive",
        "--nodelist=n1",
        "-w n1",
        "-x n2",
        "--mail-type=END",
        "--signal=B:USR1@30",
        "--mem=4G",
        "--gres=gpu:a100:1",
        "--constraint=cpu",
        "-C cpu",
        "-p short",
        "--account=chem",
        "--licenses=x",
        "--nice=5",
        "--export=NONE",
        "--switches=1",
        "--tmp=10G",
        "--no-kill",
        "-k",
    ] {
        assert!(!is_refused(named("slurm"), option), "{option}");
    }
    for option in [
        "-l filesystems=home:eagle",
        "-l place=excl",
        "-l place=scatter:excl",
        "-l place=group=rack",
        "-P project",
        "-m n",
        "-p 100",
        "-q debug",
        "-A chem",
        "-W umask=022",
        "-V",
        "-l software=g16",
    ] {
        assert!(!is_refused(named("pbs"), option), "{option}");
    }
    for option in [
        "--attrs mcdram=cache:numa=quad",
        "-q debug",
        "-A chem",
        "--env A=1",
        "-M me",
    ] {
        assert!(!is_refused(named("cobalt"), option), "{option}");
    }
}

#[test]
fn what_has_a_key_is_refused_once_the_key_is_given() {
    let own = OwnRequests {
        queue: true,
        account: true,
        memory: true,
        gpus: true,
        constraint: true,
        in_blocks: false,
    };
    for option in [
        "--mem=4G",
        "--mem-per-cpu=1G",
        "--mem-per-c=1G",
        "--gres=gpu:1",
        "--gres=lscratch:10",
        "-G1",
        "--gpus-per-task=1",
        "-C cpu",
        "--constraint=cpu",
        "-p x",
        "--part=x",
        "-A x",
    ] {
        assert!(refusal(named("slurm"), option, &own).is_some(), "{option}");
    }
    assert!(refusal(named("cobalt"), "--attrs a=b", &own).is_some());
    let in_blocks = OwnRequests {
        in_blocks: true,
        ..OwnRequests::default()
    };
    for option in ["--mem=4G", "--gres=gpu:4", "--gpus-per-node=4"] {
        assert!(
            refusal(named("slurm"), option, &in_blocks).is_some(),
            "{option}"
        );
    }
}

#[test]
fn what_is_added_to_the_place_stands_with_it() {
    let options = ["-l place=excl", "-l filesystems=home"].map(str::to_owned);
    let (value, others) = (named("pbs").options.split)(&options);
    assert_eq!(value, "scatter:excl");
    assert_eq!(others, [&options[1]]);
}

#[test]
fn a_constraint_is_a_word_of_its_scheduler() {
    let is_good = |system, text| constraint(system, text).is_none();
    for text in ["cpu", "a100&80gb", "[rack1|rack2]", "knl*2"] {
        assert!(is_good(named("slurm"), text), "{text}");
    }
    for text in ["", "-x", "a b", "a\nb", "$(id)", "a;b"] {
        assert!(!is_good(named("slurm"), text), "{text}");
    }
    assert!(is_good(named("pbs"), "gpu_model=a100:cpu_type=rome"));
    for text in ["a100", "mem=4gb", "a=1+1:ncpus=64", "a=1:ncpus=2", "a="] {
        assert!(!is_good(named("pbs"), text), "{text}");
    }
    assert!(is_good(named("cobalt"), "mcdram=cache:numa=quad"));
}
