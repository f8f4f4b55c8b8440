//! Options of `qsub` that moldflow uses itself.

use crate::scheduler::Subject;
use crate::scheduler::options::{Refusal, letters_of, words};

/// Options of `qsub` (its manual page), which has letters only.
const OPTIONS: &[(char, Subject)] = &[
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
/// Letters without a value.
const FLAGS: &str = "fGhIVXz";
/// Resources that `-l` asks for; beside `select` the server refuses those of a chunk.
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

/// Returns the subjects of an entry of `options`.
pub fn subjects(option: &str) -> Vec<Subject> {
    let words = words(option);
    let mut subjects = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let Some(letters) = word.strip_prefix('-') else {
            continue;
        };
        for (letter, rest) in letters_of(letters, FLAGS) {
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
                    let found = OPTIONS.iter().filter(|(known, _)| *known == letter);
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

/// Returns what a value of `place` adds to moldflow's own `scatter`; `None` if it contradicts it.
fn added_to_place(value: &str) -> Option<String> {
    let parts: Vec<&str> = value.split(':').filter(|part| *part != "scatter").collect();
    let contradicts = |part: &&str| ["pack", "free", "vscatter"].contains(part);
    (!parts.iter().any(contradicts)).then(|| parts.join(":"))
}

/// Returns the value of `place` in a script: moldflow's own, and what is added to it by entries of
/// `options` that are nothing else; and the other entries.
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

/// Returns why a constraint is no list of resources of a chunk that moldflow does not ask for.
pub fn chunk_resources(constraint: &str) -> Option<Refusal> {
    let mut parts = constraint.split(':').map(|part| part.split_once('='));
    let known = |name: &str| RESOURCES.iter().find(|(known, _)| *known == name);
    parts.find_map(|part| match part {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            known(name).map(|(_, subject)| subject.refusal())
        }
        _ => Some(super::DIALECT.constraints.refusal()),
    })
}
