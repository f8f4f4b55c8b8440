//! Import of a QCEngine file (`qcengine.yaml`) as a site profile.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::diagnostic::{Diagnostic, Diagnostics, Text, hint_for, nearest};
use super::site::{Cores, ExecutorConfig, Memory, Node, PartitionConfig, Recognise, Site, Slots};
use super::tree::{self, TreeNode, Value};
use super::{schema, validation, yaml11};
use crate::text::path::variable;

/// A profile made from a QCEngine file.
#[derive(Clone, Debug)]
pub struct ImportedSite {
    /// The profile.
    pub site: Site,
    /// Assumptions, omissions, and values that must be filled in by hand; one sentence each.
    pub notes: Vec<String>,
}

/// A machine as QCEngine describes it (`NodeDescriptor` in its `config.py`, version 0.52).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct QcengineMachine {
    #[serde(default = "anything")]
    hostname_pattern: String,
    #[allow(dead_code, reason = "the key of the machine is its name here")]
    name: Option<String>,
    scratch_directory: Option<String>,
    /// GiB
    #[schemars(range(min = 0.001, max = 1e9))]
    memory: Option<f64>,
    memory_safety_factor: Option<f64>,
    ncores: Option<NonZeroUsize>,
    #[serde(default = "one")]
    jobs_per_node: NonZeroUsize,
    retries: Option<u32>,
    #[serde(default)]
    is_batch_node: bool,
    mpiexec_command: Option<String>,
}

const KEYS: [&str; 10] = [
    "hostname_pattern",
    "name",
    "scratch_directory",
    "memory",
    "memory_safety_factor",
    "ncores",
    "jobs_per_node",
    "retries",
    "is_batch_node",
    "mpiexec_command",
];

/// Template variables of QCEngine, and their names here.
const VARIABLES: [(&str, &str); 4] = [
    ("total_ranks", "total_ranks"),
    ("nnodes", "nodes"),
    ("ranks_per_node", "ranks_per_node"),
    ("cores_per_rank", "cores_per_rank"),
];

fn anything() -> String {
    "*".into()
}

fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}

/// Converts a machine of a QCEngine file to a profile called `name`, or by the machine's own name.
///
/// If the file has several machines, `name` selects one.
///
/// # Errors
///
/// Fails with all errors of the file, or if `name` is needed or unknown.
pub fn qcengine(text: &Arc<Text>, name: Option<&str>) -> Result<ImportedSite, Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    let Some(mut tree) = tree::parse(text, &mut diagnostics) else {
        return Err(diagnostics);
    };
    yaml11::resolve(&mut tree);
    let mut notes = unknown_keys(&mut tree);
    if let Value::Map(machines) = &mut tree.value {
        let settings = machines.iter_mut();
        settings.for_each(|(_, settings)| convert(settings));
    }
    validation::validate(
        &schema::of::<BTreeMap<String, QcengineMachine>>(),
        &mut tree,
        &mut diagnostics,
    );
    diagnostics.or(())?;
    let machines: BTreeMap<String, QcengineMachine> = serde_json::from_value(tree.to_json())
        .map_err(|error| Diagnostic::new(error.to_string()).at(text.whole()))?;
    let keys: Vec<&str> = machines.keys().map(String::as_str).collect();
    let key = match (keys.as_slice(), name) {
        ([only], _) => *only,
        ([], _) => {
            return Err(Diagnostic::new("the file has no machine")
                .at(text.whole())
                .into());
        }
        (several, Some(name)) if several.contains(&name) => name,
        (several, _) => {
            let message = format!("the file has {} machines", several.len());
            let hint = format!("choose one with `--name`: {}", several.join(", "));
            return Err(Diagnostic::new(message).at(text.whole()).hint(hint).into());
        }
    };
    let machine = &machines[key];
    let mpiexec_command = machine.mpiexec_command.as_deref().map(template).transpose();
    let mpiexec_command = mpiexec_command.map_err(|(message, hint)| {
        let place = tree.find(&[key, "mpiexec_command"]).clone();
        Diagnostic::new(message).at(place).hint_if(hint)
    })?;
    notes.extend(unknowns(machine));
    let site = Site {
        name: name.unwrap_or(key).to_owned(),
        description: format!("The machine `{key}` of a QCEngine file"),
        recognise: Recognise {
            hostname: vec![machine.hostname_pattern.clone()],
            environment: Vec::new(),
        },
        node: Node {
            cores: machine.ncores.map_or(Node::default().cores, Cores::Count),
            memory: machine.memory.map_or(Memory::Auto, memory),
            gpus: 0,
        },
        scratch: machine
            .scratch_directory
            .as_deref()
            .unwrap_or("./scratch")
            .into(),
        mpiexec_command,
        setup: Vec::new(),
        submit: None,
        pass_environment: Vec::new(),
        partitions: partitions(machine),
    };
    Ok(ImportedSite { site, notes })
}

/// Removes keys that QCEngine does not know, and returns a note for each.
fn unknown_keys(tree: &mut TreeNode) -> Vec<String> {
    let mut notes = Vec::new();
    let Value::Map(machines) = &mut tree.value else {
        return notes;
    };
    for (machine, settings) in machines {
        let Value::Map(entries) = &mut settings.value else {
            continue;
        };
        entries.retain(|(key, _)| {
            let known = KEYS.contains(&key.name.as_str());
            if !known {
                let near = nearest(&key.name, KEYS)
                    .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                notes.push(format!(
                    "line {}: `{}` of `{}` is not a key of QCEngine and was left out{near}",
                    key.place.line, key.name, machine.name
                ));
            }
            known
        });
    }
    notes
}

/// Converts numbers and booleans that are written as texts, as QCEngine does (pydantic 2, lax
/// mode).
fn convert(settings: &mut TreeNode) {
    let Value::Map(entries) = &mut settings.value else {
        return;
    };
    for (key, node) in entries {
        let text = match &node.value {
            Value::Text(text) => text.trim().to_lowercase(),
            Value::Integer(number) => number.to_string(),
            _ => continue,
        };
        let digits = text.replace('_', "");
        let converted = match key.name.as_str() {
            "is_batch_node" => match text.as_str() {
                "1" | "on" | "t" | "true" | "y" | "yes" => Some(Value::Bool(true)),
                "0" | "off" | "f" | "false" | "n" | "no" => Some(Value::Bool(false)),
                _ => None,
            },
            "ncores" | "jobs_per_node" | "retries" | "memory_safety_factor" => {
                digits.parse().ok().map(Value::Integer)
            }
            "memory" => digits.parse().ok().map(Value::Number),
            _ => None,
        };
        node.value = converted.unwrap_or_else(|| node.value.clone());
    }
}

fn partitions(machine: &QcengineMachine) -> BTreeMap<String, PartitionConfig> {
    let jobs = machine.jobs_per_node;
    let cores = machine.ncores.map(|cores| cores.get() / jobs.get());
    let cores = cores.and_then(NonZeroUsize::new).unwrap_or(one());
    let partition = |executor, cores_per_task| PartitionConfig {
        executor,
        cores_per_task,
        memory_per_task: None,
        gpus_per_task: 0,
        constraint: None,
        transport: None,
        setup: None,
        environment: BTreeMap::new(),
    };
    let local = |slots| ExecutorConfig::Local {
        slots: Slots::Count(slots),
        pin: false,
    };
    let allocation = |nodes, tasks_per_node| ExecutorConfig::Allocation {
        nodes,
        nodes_per_task: one(),
        tasks_per_node,
    };
    let (qc, ml) = match machine.is_batch_node {
        true => (allocation(None, jobs), allocation(Some(one()), one())),
        false => (local(jobs), local(one())),
    };
    [("qc", qc), ("ml", ml)]
        .map(|(name, executor)| (name.to_owned(), partition(executor, cores)))
        .into()
}

/// QCEngine counts memory in GiB, with fractions.
fn memory(gib: f64) -> Memory {
    let mib = (gib * 1024.0).round().max(1.0);
    Memory::Bytes((mib as u64) << 20)
}

/// Python's `{name}` as `{{name}}`.
fn template(command: &str) -> Result<String, (String, Option<String>)> {
    let mut filled = String::new();
    let mut rest = command;
    while let Some(at) = rest.find(['{', '}']) {
        filled.push_str(&rest[..at]);
        let name = rest[at..]
            .strip_prefix('{')
            .and_then(|after| after.split_once('}'));
        let Some((name, after)) = name.filter(|(name, _)| !name.contains('{')) else {
            let message = format!("`{command}` has a brace without its partner");
            return Err((
                message,
                Some("a variable is written `{total_ranks}`".into()),
            ));
        };
        match VARIABLES.iter().find(|(theirs, _)| *theirs == name) {
            Some((_, ours)) => filled.push_str(&format!("{{{{{ours}}}}}")),
            None => {
                let hint = hint_for(name, VARIABLES.map(|(theirs, _)| theirs));
                return Err((format!("QCEngine has no variable `{{{name}}}`"), hint));
            }
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Notes on values that the file lacks or that have no place in a profile.
fn unknowns(machine: &QcengineMachine) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |text: &str| notes.push(text.to_owned());
    match machine.is_batch_node {
        true => {
            note(
                "`qc` takes all nodes but one of the job that moldflow runs in, and `ml` takes that one: QCEngine does not say how nodes are divided",
            );
            note(
                "to submit a job for each task of `qc`, give it the executor `slurm`, `pbs`, `cobalt` or `flux` with queue, account and walltime, which are not in the file",
            );
        }
        false => note(
            "both partitions run on this host, `ml` in one slot: QCEngine does not know machine learning tasks",
        ),
    }
    note("`nodes_per_task` is 1: QCEngine receives the number of nodes with each task");
    note(
        "commands that prepare the environment of tasks, such as `module load`, are not in the file: add them to `setup`",
    );
    if machine.ncores.is_none() {
        note(
            "the cores of a node are not in the file: they are read from the host, and a task gets one",
        );
    }
    if machine.memory.is_none() {
        note("the memory of a node is not in the file: it is read from the host");
    }
    if machine.mpiexec_command.is_none() {
        note("there is no `mpiexec_command`: MPI programs cannot be started");
    }
    if machine.memory_safety_factor.is_some() {
        note(
            "`memory_safety_factor` was left out: a method's own settings say how much memory its program takes",
        );
    }
    if machine.retries.is_some() {
        note("`retries` was left out: it belongs to a method of a campaign");
    }
    if machine
        .scratch_directory
        .as_ref()
        .is_some_and(|path| path.contains('$') && variable(Path::new(path)).is_none())
    {
        note(
            "`scratch_directory` has a variable in its middle: moldflow replaces a variable only at the beginning",
        );
    }
    if machine.hostname_pattern.contains('[') {
        note(
            "`hostname_pattern` has a bracket: moldflow knows only `*` and `?`; write several patterns instead",
        );
    }
    notes
}
