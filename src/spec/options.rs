//! Options of `sbatch` and `qsub` that a profile may not give, because they would override what moldflow asks for itself: in
//! every spelling that these commands understand.

use super::batch::{Batch, BatchSystem};

/// What moldflow asks for on terms of the profile, besides what it always asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own {
    pub queue: bool,
    pub account: bool,
    pub memory: bool,
    pub gpus: bool,
    pub constraint: bool,
    /// Whether tasks share the nodes of a block, which these options would divide.
    pub in_blocks: bool,
}

impl Own {
    /// What the keys of a partition, or of `submit`, ask for.
    pub fn of(batch: &Batch, memory: bool, gpus: bool, constraint: bool) -> Self {
        Self {
            queue: batch.queue.is_some(),
            account: batch.account.is_some(),
            memory,
            gpus,
            constraint,
            in_blocks: false,
        }
    }
}

/// Why an option is refused, and a way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub why: &'static str,
    pub hint: &'static str,
}

const OVERRIDES: &str = "would override what moldflow asks for itself";

/// A subject on which moldflow has directives of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Name,
    Variables,
    Nodes,
    Cores,
    Memory,
    Gpus,
    Constraint,
    Walltime,
    Queue,
    Account,
    Files,
    Array,
    Requeue,
    Order,
    Shell,
    Cluster,
    Interactive,
    Place,
}

impl Subject {
    fn is_own(self, own: &Own) -> bool {
        match self {
            Self::Memory => own.memory || own.in_blocks,
            Self::Gpus => own.gpus || own.in_blocks,
            Self::Constraint => own.constraint,
            Self::Queue => own.queue,
            Self::Account => own.account,
            _ => true,
        }
    }

    fn refusal(self) -> Refusal {
        let (why, hint) = match self {
            Self::Name => (
                OVERRIDES,
                "remove it: moldflow tells its jobs apart by their names",
            ),
            Self::Variables => (
                OVERRIDES,
                "write variables under `environment`: moldflow tells its jobs apart by one of its own",
            ),
            Self::Nodes => (
                OVERRIDES,
                "write `nodes_per_task`, or `nodes` under `submit` and `blocks`",
            ),
            Self::Cores => (
                OVERRIDES,
                "write `cores_per_task`; the processes of an MPI program are settings of its method",
            ),
            Self::Memory => (
                OVERRIDES,
                "write `memory_per_task: 4 GiB`, or `memory_per_node` under `submit`",
            ),
            Self::Gpus => (
                OVERRIDES,
                "write `gpus_per_task: 1`, or `gpus_per_node` under `submit`; the kind of GPU belongs under `constraint`",
            ),
            Self::Constraint => (OVERRIDES, "write all of it under `constraint`"),
            Self::Walltime => (OVERRIDES, "write `walltime`"),
            Self::Queue => (OVERRIDES, "write it under `queue`"),
            Self::Account => (OVERRIDES, "write it under `account`"),
            Self::Files => (
                OVERRIDES,
                "remove it: what a job prints is in the directory of its task or run",
            ),
            Self::Array => (OVERRIDES, "remove it: moldflow makes a job for each task"),
            Self::Requeue => (
                OVERRIDES,
                "remove it: moldflow tries a lost task again itself",
            ),
            Self::Order => (
                OVERRIDES,
                "remove it: moldflow says which job waits for which",
            ),
            Self::Shell => (OVERRIDES, "remove it: the scripts of moldflow are for bash"),
            Self::Cluster => (
                "would hide the jobs from moldflow",
                "set SLURM_CLUSTERS in the shell that starts moldflow",
            ),
            Self::Interactive => (
                "would keep the batch system from taking the job and naming its id",
                "remove it",
            ),
            Self::Place => (
                OVERRIDES,
                "moldflow asks for `place=scatter`: add to it by `-l place=excl` or `-l place=group=RESOURCE`",
            ),
        };
        Refusal { why, hint }
    }
}

type Long = &'static [(&'static str, Subject)];

/// Those of `sbatch` 22.05 (`man sbatch`).
const SLURM: Long = &[
    ("job-name", Subject::Name),
    ("comment", Subject::Name),
    ("nodes", Subject::Nodes),
    ("ntasks", Subject::Cores),
    ("ntasks-per-node", Subject::Cores),
    ("ntasks-per-core", Subject::Cores),
    ("ntasks-per-socket", Subject::Cores),
    ("ntasks-per-gpu", Subject::Cores),
    ("cpus-per-task", Subject::Cores),
    ("cpus-per-gpu", Subject::Cores),
    ("mem", Subject::Memory),
    ("mem-per-cpu", Subject::Memory),
    ("mem-per-gpu", Subject::Memory),
    ("gpus", Subject::Gpus),
    ("gpus-per-node", Subject::Gpus),
    ("gpus-per-task", Subject::Gpus),
    ("gpus-per-socket", Subject::Gpus),
    ("gres", Subject::Gpus),
    ("constraint", Subject::Constraint),
    ("time", Subject::Walltime),
    ("time-min", Subject::Walltime),
    ("partition", Subject::Queue),
    ("account", Subject::Account),
    ("output", Subject::Files),
    ("error", Subject::Files),
    ("chdir", Subject::Files),
    ("array", Subject::Array),
    ("requeue", Subject::Requeue),
    ("dependency", Subject::Order),
    ("wrap", Subject::Shell),
    ("clusters", Subject::Cluster),
    ("wait", Subject::Interactive),
    ("test-only", Subject::Interactive),
    ("help", Subject::Interactive),
    ("usage", Subject::Interactive),
    ("version", Subject::Interactive),
];
const SLURM_SHORT: &[(char, &str)] = &[
    ('J', "job-name"),
    ('N', "nodes"),
    ('n', "ntasks"),
    ('c', "cpus-per-task"),
    ('G', "gpus"),
    ('C', "constraint"),
    ('t', "time"),
    ('p', "partition"),
    ('A', "account"),
    ('o', "output"),
    ('e', "error"),
    ('D', "chdir"),
    ('a', "array"),
    ('d', "dependency"),
    ('M', "clusters"),
    ('W', "wait"),
    ('h', "help"),
    ('V', "version"),
];
/// Letters that have no value, behind which another letter may stand: `-kN2`.
const SLURM_ALONE: &str = "hHkOQsvVW";

/// Those of Cobalt's `qsub` (its manual page), which reads them as Python's optparse does.
const COBALT: Long = &[
    ("jobname", Subject::Name),
    ("nodecount", Subject::Nodes),
    ("proccount", Subject::Cores),
    ("attrs", Subject::Constraint),
    ("time", Subject::Walltime),
    ("queue", Subject::Queue),
    ("project", Subject::Account),
    ("output", Subject::Files),
    ("outputprefix", Subject::Files),
    ("error", Subject::Files),
    ("debuglog", Subject::Files),
    ("cwd", Subject::Files),
    ("dependencies", Subject::Order),
    ("interactive", Subject::Interactive),
];
const COBALT_SHORT: &[(char, &str)] = &[
    ('n', "nodecount"),
    ('t', "time"),
    ('q', "queue"),
    ('A', "project"),
    ('o', "output"),
    ('O', "outputprefix"),
    ('e', "error"),
    ('I', "interactive"),
];
const COBALT_ALONE: &str = "hI";

/// Those of PBS Pro's `qsub` (its manual page), which has letters only.
const PBS: &[(char, Subject)] = &[
    ('N', Subject::Name),
    ('v', Subject::Variables),
    ('q', Subject::Queue),
    ('A', Subject::Account),
    ('o', Subject::Files),
    ('e', Subject::Files),
    ('j', Subject::Files),
    ('k', Subject::Files),
    ('J', Subject::Array),
    ('r', Subject::Requeue),
    ('S', Subject::Shell),
    ('C', Subject::Shell),
    ('I', Subject::Interactive),
    ('X', Subject::Interactive),
    ('G', Subject::Interactive),
    ('f', Subject::Interactive),
    ('z', Subject::Interactive),
];
const PBS_ALONE: &str = "fGhIVXz";
/// What `-l` asks for; beside `select` the server refuses the resources of a chunk.
const RESOURCES: &[(&str, Subject)] = &[
    ("select", Subject::Nodes),
    ("nodes", Subject::Nodes),
    ("nodect", Subject::Nodes),
    ("ncpus", Subject::Cores),
    ("mpiprocs", Subject::Cores),
    ("ompthreads", Subject::Cores),
    ("procs", Subject::Cores),
    ("mem", Subject::Memory),
    ("pmem", Subject::Memory),
    ("vmem", Subject::Memory),
    ("pvmem", Subject::Memory),
    ("ngpus", Subject::Gpus),
    ("walltime", Subject::Walltime),
    ("min_walltime", Subject::Walltime),
    ("max_walltime", Subject::Walltime),
    ("place", Subject::Place),
];

/// Why an entry of `options` cannot stand in a script.
pub fn refusal(system: BatchSystem, option: &str, own: &Own) -> Option<Refusal> {
    if !option.starts_with('-') || !option.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return Some(Refusal {
            why: "is not one line of ASCII that starts with a dash",
            hint: "write each option as one entry: `--qos=shared`, `-l filesystems=home`",
        });
    }
    let subjects = match system {
        BatchSystem::Slurm => by_names(option, SLURM, SLURM_SHORT, SLURM_ALONE),
        BatchSystem::Cobalt => by_names(option, COBALT, COBALT_SHORT, COBALT_ALONE),
        BatchSystem::Pbs => of_pbs(option),
    };
    // PBS refuses what belongs into a chunk, whether or not it is in ours.
    let is_own = |subject: &Subject| match (system, subject) {
        (BatchSystem::Pbs, Subject::Memory | Subject::Gpus) => true,
        _ => subject.is_own(own),
    };
    subjects.into_iter().find(is_own).map(Subject::refusal)
}

/// The words of an entry; quotation marks change none of the names that are looked for.
fn words(option: &str) -> Vec<String> {
    let plain: String = option.chars().filter(|c| !r#"'"\"#.contains(*c)).collect();
    plain.split_whitespace().map(str::to_owned).collect()
}

fn by_names(
    option: &str,
    long: Long,
    short: &'static [(char, &'static str)],
    alone: &str,
) -> Vec<Subject> {
    let words = words(option);
    let mut subjects = Vec::new();
    for word in &words {
        if let Some(name) = word.strip_prefix("--") {
            let name = name.split('=').next().unwrap_or_default();
            let exact = long.iter().find(|(known, _)| *known == name);
            // Both commands understand abbreviations.
            let meant = long
                .iter()
                .filter(|(known, _)| exact.is_none() && known.starts_with(name));
            subjects.extend(exact.into_iter().chain(meant).map(|(_, subject)| *subject));
        } else if let Some(letters) = word.strip_prefix('-') {
            let names = letters_of(letters, alone)
                .filter_map(|(letter, _)| short.iter().find(|(known, _)| *known == letter));
            let of = |name: &str| long.iter().find(|(known, _)| *known == name);
            subjects.extend(
                names
                    .filter_map(|(_, name)| of(name))
                    .map(|(_, subject)| *subject),
            );
        }
    }
    subjects
}

/// The options in a word of letters, each with what stands behind it: all but those of `alone` have a value.
fn letters_of<'w>(word: &'w str, alone: &str) -> impl Iterator<Item = (char, &'w str)> {
    let is_last = |c: char| !alone.contains(c);
    let end = word.find(is_last).map_or(word.len(), |at| at + 1);
    word.char_indices()
        .map(|(at, letter)| (at, letter, &word[at + letter.len_utf8()..]))
        .filter(move |(at, ..)| *at < end)
        .map(|(_, letter, rest)| (letter, rest))
}

fn of_pbs(option: &str) -> Vec<Subject> {
    let words = words(option);
    let mut subjects = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let Some(letters) = word.strip_prefix('-') else {
            continue;
        };
        for (letter, rest) in letters_of(letters, PBS_ALONE) {
            let next = words.get(index + 1).map_or("", String::as_str);
            let value = if rest.is_empty() { next } else { rest };
            let names = value
                .split(',')
                .map(|part| part.split('=').next().unwrap_or_default());
            match letter {
                'l' => subjects.extend(value.split(',').filter_map(resource)),
                'W' if names.clone().any(|name| name == "depend") => subjects.push(Subject::Order),
                'W' if names.clone().any(|name| name == "block") => {
                    subjects.push(Subject::Interactive);
                }
                _ => {
                    let found = PBS.iter().filter(|(known, _)| *known == letter);
                    subjects.extend(found.map(|(_, subject)| *subject));
                }
            }
        }
    }
    subjects
}

fn resource(part: &str) -> Option<Subject> {
    let (name, value) = part.split_once('=').unwrap_or((part, ""));
    let (_, subject) = RESOURCES.iter().find(|(known, _)| *known == name.trim())?;
    (name.trim() != "place" || added_to_place(value).is_none()).then_some(*subject)
}

/// What a value of `place` adds to moldflow's own `scatter`; None if it contradicts it.
fn added_to_place(value: &str) -> Option<String> {
    let parts: Vec<&str> = value.split(':').filter(|part| *part != "scatter").collect();
    let contradicts = |part: &&str| ["pack", "free", "vscatter"].contains(part);
    (!parts.iter().any(contradicts)).then(|| parts.join(":"))
}

/// The value of `place` in a script of PBS: moldflow's own, and what an entry of `options` that is nothing else adds to it.
pub fn place(options: &[String]) -> (String, Vec<&String>) {
    let mut place = "scatter".to_owned();
    let mut others = Vec::new();
    for option in options {
        let words = words(option);
        let value = match words.as_slice() {
            [l, value] if l == "-l" => value.strip_prefix("place="),
            [word] => word.strip_prefix("-lplace="),
            _ => None,
        };
        match value
            .filter(|value| !value.contains(','))
            .and_then(added_to_place)
        {
            Some(added) if added.is_empty() => {}
            Some(added) => place = format!("{place}:{added}"),
            None => others.push(option),
        }
    }
    (place, others)
}

/// Why a constraint cannot stand in a script, and what one looks like.
pub fn constraint(system: BatchSystem, constraint: &str) -> Option<Refusal> {
    let (others, hint) = match system {
        BatchSystem::Slurm => (
            "._-:@+/,=&|*()[]",
            "it looks like `cpu`, `a100&80gb` or `[rack1|rack2]`",
        ),
        BatchSystem::Pbs => (
            "._-:@/=",
            "it looks like `gpu_model=a100` or `gpu_model=a100:cpu_type=rome`: resources of a chunk",
        ),
        BatchSystem::Cobalt => ("._-:@+/,=", "it looks like `mcdram=cache:numa=quad`"),
    };
    let is_plain = constraint
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || others.contains(c));
    let why = "cannot stand in a batch script";
    if constraint.is_empty() || constraint.starts_with('-') || !is_plain {
        return Some(Refusal { why, hint });
    }
    if system != BatchSystem::Pbs {
        return None;
    }
    let mut parts = constraint.split(':').map(|part| part.split_once('='));
    let known = |name: &str| RESOURCES.iter().find(|(known, _)| *known == name);
    parts.find_map(|part| match part {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            known(name).map(|(_, subject)| subject.refusal())
        }
        _ => Some(Refusal { why, hint }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(system: BatchSystem, option: &str) -> bool {
        refusal(system, option, &Own::default()).is_some()
    }

    #[test]
    fn no_spelling_overrides_a_directive() {
        for option in [
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
        ] {
            assert!(is_refused(BatchSystem::Slurm, option), "{option}");
        }
        for option in [
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
        ] {
            assert!(is_refused(BatchSystem::Pbs, option), "{option}");
        }
        for option in [
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
        ] {
            assert!(is_refused(BatchSystem::Cobalt, option), "{option}");
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
            assert!(!is_refused(BatchSystem::Slurm, option), "{option}");
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
            assert!(!is_refused(BatchSystem::Pbs, option), "{option}");
        }
        for option in [
            "--attrs mcdram=cache:numa=quad",
            "-q debug",
            "-A chem",
            "--env A=1",
            "-M me",
        ] {
            assert!(!is_refused(BatchSystem::Cobalt, option), "{option}");
        }
    }

    #[test]
    fn what_has_a_key_is_refused_once_the_key_is_given() {
        let own = Own {
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
            assert!(
                refusal(BatchSystem::Slurm, option, &own).is_some(),
                "{option}"
            );
        }
        assert!(refusal(BatchSystem::Cobalt, "--attrs a=b", &own).is_some());
        let in_blocks = Own {
            in_blocks: true,
            ..Own::default()
        };
        for option in ["--mem=4G", "--gres=gpu:4", "--gpus-per-node=4"] {
            assert!(
                refusal(BatchSystem::Slurm, option, &in_blocks).is_some(),
                "{option}"
            );
        }
    }

    #[test]
    fn what_is_added_to_the_place_stands_with_it() {
        let options = ["-l place=excl", "-l filesystems=home"].map(str::to_owned);
        let (value, others) = place(&options);
        assert_eq!(value, "scatter:excl");
        assert_eq!(others, [&options[1]]);
    }

    #[test]
    fn a_constraint_is_a_word_of_its_batch_system() {
        let is_good = |system, text| constraint(system, text).is_none();
        for text in ["cpu", "a100&80gb", "[rack1|rack2]", "knl*2"] {
            assert!(is_good(BatchSystem::Slurm, text), "{text}");
        }
        for text in ["", "-x", "a b", "a\nb", "$(id)", "a;b"] {
            assert!(!is_good(BatchSystem::Slurm, text), "{text}");
        }
        assert!(is_good(BatchSystem::Pbs, "gpu_model=a100:cpu_type=rome"));
        for text in ["a100", "mem=4gb", "a=1+1:ncpus=64", "a=1:ncpus=2", "a="] {
            assert!(!is_good(BatchSystem::Pbs, text), "{text}");
        }
        assert!(is_good(BatchSystem::Cobalt, "mcdram=cache:numa=quad"));
    }
}
