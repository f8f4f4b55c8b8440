//! Options of `sbatch` and `qsub` that a profile may not give, because they would override what
//! moldflow asks for itself: in every spelling that these commands understand.

use super::batch::{Batch, BatchSystem};
use super::directives::{
    COBALT, COBALT_ALONE, COBALT_SHORT, Long, PBS, PBS_ALONE, RESOURCES, SLURM, SLURM_ALONE,
    SLURM_SHORT, Subject,
};

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

/// The options in a word of letters, each with what stands behind it: all but those of `alone` have
/// a value.
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

/// The value of `place` in a script of PBS: moldflow's own, and what an entry of `options` that is
/// nothing else adds to it.
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
